//! The service behind a server under test, and the client's part that uses it.

use trunkline::server::{Receiver, RequestContext, Sender};
use trunkline::{Response, Status};

use crate::echo::{Echo, Note};

/// More answers to one request would only take time.
const MAX_ANSWERS: u64 = 64;

/// Sends back what it gets.
#[derive(Debug)]
pub(crate) struct Echoing;

impl Echo for Echoing {
    async fn once(&self, _: &RequestContext, request: Note) -> Result<Response<Note>, Status> {
        Ok(request.into())
    }

    async fn expand(
        &self,
        _: &RequestContext,
        request: Note,
        mut responses: Sender<Note>,
    ) -> Result<(), Status> {
        for number in 0..request.number.min(MAX_ANSWERS) {
            let each = Note {
                number,
                ..request.clone()
            };
            responses.send(&each).await?;
        }
        Ok(())
    }

    async fn collect(
        &self,
        _: &RequestContext,
        mut requests: Receiver<Note>,
    ) -> Result<Response<Note>, Status> {
        let mut all = Note::default();
        while let Some(request) = requests.recv().await? {
            all.text.push_str(&request.text);
            all.number = all.number.wrapping_add(request.number);
        }
        Ok(all.into())
    }

    async fn chat(
        &self,
        _: &RequestContext,
        mut requests: Receiver<Note>,
        mut responses: Sender<Note>,
    ) -> Result<(), Status> {
        while let Some(request) = requests.recv().await? {
            responses.send(&request).await?;
        }
        Ok(())
    }
}
