//! What the simulated server does, and what it remembers of the calls that reached it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;
use trunkline::server::{Receiver, Sender};
use trunkline::{RequestContext, Response, Status};
use trunkline_test_protos::echo::{Echo, Note};

/// Echoes, fails where the call asks for it, and keeps a record. Handles share the record.
#[derive(Clone, Debug, Default)]
pub(super) struct Service(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    /// How often a handler began, by the name of the call.
    begun: BTreeMap<String, usize>,
    running: usize,
}

/// Counts a handler for as long as it lives.
struct Running(Service);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().running -= 1;
    }
}

impl Service {
    /// How often a handler began for this call.
    pub(super) fn begun(&self, name: &str) -> usize {
        let record = self.0.lock().unwrap();
        record.begun.get(name).copied().unwrap_or(0)
    }

    pub(super) fn running(&self) -> usize {
        self.0.lock().unwrap().running
    }

    fn begin(&self, name: &str) -> Running {
        let mut record = self.0.lock().unwrap();
        *record.begun.entry(name.to_owned()).or_default() += 1;
        record.running += 1;
        drop(record);
        Running(self.clone())
    }
}

/// Bytes that only this message of this call has.
pub(super) fn payload(name: &str, number: u64, length: usize) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    let named = bytes.len();
    bytes.resize(length.max(named), 0);
    fastrand::Rng::with_seed(number).fill(&mut bytes[named..]);
    bytes
}

/// A call named so that its handler fails, with this text, after what it has sent.
pub(super) fn fails(name: &str) -> Option<Status> {
    name.ends_with('!')
        .then(|| Status::aborted(format!("{name} was meant to fail")))
}

fn end(name: &str) -> Result<(), Status> {
    fails(name).map_or(Ok(()), Err)
}

/// Some handlers take their time.
async fn think(note: &Note) {
    sleep(Duration::from_millis(note.number % 7 * 40)).await;
}

impl Echo for Service {
    async fn once(&self, _: &RequestContext, request: Note) -> Result<Response<Note>, Status> {
        let _running = self.begin(&request.text);
        think(&request).await;
        end(&request.text)?;
        Ok(request.into())
    }

    async fn expand(
        &self,
        _: &RequestContext,
        request: Note,
        mut responses: Sender<Note>,
    ) -> Result<(), Status> {
        let _running = self.begin(&request.text);
        for number in 0..request.number {
            let note = Note {
                text: request.text.clone(),
                data: payload(&request.text, number, request.data.len()),
                number,
            };
            responses.send(&note).await?;
        }
        end(&request.text)
    }

    async fn collect(
        &self,
        _: &RequestContext,
        mut requests: Receiver<Note>,
    ) -> Result<Response<Note>, Status> {
        let mut all = Note::default();
        let mut running = None;
        while let Some(note) = requests.recv().await? {
            running.get_or_insert_with(|| self.begin(&note.text));
            if note.number != all.number
                || note.data != payload(&note.text, note.number, note.data.len())
            {
                return Err(Status::data_loss(format!("{} got {note:?}", all.number)));
            }
            all.text = note.text;
            all.number += 1;
        }
        end(&all.text)?;
        Ok(all.into())
    }

    async fn chat(
        &self,
        _: &RequestContext,
        mut requests: Receiver<Note>,
        mut responses: Sender<Note>,
    ) -> Result<(), Status> {
        let mut running = None;
        let mut name = String::new();
        while let Some(note) = requests.recv().await? {
            running.get_or_insert_with(|| self.begin(&note.text));
            responses.send(&note).await?;
            name = note.text;
        }
        end(&name)
    }
}
