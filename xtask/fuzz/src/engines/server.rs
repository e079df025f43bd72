//! A server's engine, and what serves its streams: something different for each path.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use trunkline::Status;
use trunkline::transport::http2::{
    Defence, Engine, RequestBody, ResponseForm, ServerConfig, ServerConnection, ServerStream,
};
use trunkline::transport::stream::{RecvHalf, SendHalf};
use trunkline::transport::{Address, BoxIo, Peer, memory};
use trunkline_core::protocol::Reject;
use trunkline_core::{Code, CodecError, Decoder, Encoder, Metadata, Payload};

use super::program::Step;
use super::seen::{Event, Log, sorted};
use super::talk::talk;
use crate::http2::native::spoken::Spoken;
use crate::run::{LAST_COUNT, asserting};
use crate::wire::HEADERS;

/// The answer that does not wait for its request: more than a window takes.
const EARLY_ANSWER: usize = 100_000;

/// What a server allows, the same for both engines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allows {
    pub(super) streams: u32,
    pub(super) header_list: u32,
}

/// What is seen of this engine when a client says this.
pub(super) async fn observe(engine: Engine, allows: Allows, steps: &[Step]) -> Vec<Vec<Event>> {
    let mut config = ServerConfig::default();
    config.engine = engine;
    config.max_concurrent_streams = allows.streams;
    config.max_header_list_bytes = allows.header_list;
    // Without measuring: when an engine asks how long the way is, is its own affair.
    config.stream_window_bytes = Some(65_535);
    // How much is too much is too; what lies behind is compared.
    config.defence = Defence::unlimited();
    config.keepalive.permit_time = Duration::ZERO;
    config.keepalive.permit_without_calls = true;
    config.small_data_budget_bytes = usize::MAX >> 1;
    let (ours, theirs) = memory::pipe();
    let log = Log::default();
    let names = Names::default();
    let serving = tokio::spawn(serve(theirs, config, log.clone(), Arc::clone(&names)));
    let spoken = Spoken::of_server(log.clone());
    let mut largest = 0;
    let seen = talk(ours, steps, &log, spoken, async |at| {
        // Those that the next step may open, so that streams have one name everywhere.
        let mut next = VecDeque::new();
        for said in steps.get(at).iter().flat_map(|step| &step.frames) {
            if said.kind == HEADERS && said.stream > largest {
                largest = said.stream;
                next.push_back(said.stream);
            }
        }
        // A head may be finished by a later step.
        if !next.is_empty() {
            *names.lock().unwrap_or_else(PoisonError::into_inner) = next;
        }
    })
    .await;
    serving.abort();
    if let Err(error) = serving.await
        && error.is_panic()
    {
        let panic = error.into_panic();
        let is_last_count = panic.downcast_ref::<&str>() == Some(&LAST_COUNT);
        if !(engine == Engine::H2 && is_last_count) {
            std::panic::resume_unwind(panic);
        }
    }
    seen
}

/// The streams that are about to be opened.
type Names = Arc<Mutex<VecDeque<u32>>>;

async fn serve(io: BoxIo, config: ServerConfig, log: Log, names: Names) {
    let peer = Peer::new(Address::Memory("fuzz".into()));
    let mut connection = match ServerConnection::handshake(io, peer, &config).await {
        Ok(connection) => connection,
        Err(status) => return log.push(Event::Lost(word(&status))),
    };
    loop {
        let next = poll_fn(|cx| match config.engine {
            Engine::H2 => match asserting(|| connection.poll_next(cx)) {
                Some(polled) => polled.map(Ok),
                None => Poll::Ready(Err(Event::Asserted)),
            },
            _ => connection.poll_next(cx).map(Ok),
        });
        let next = match next.await {
            Ok(next) => next,
            Err(asserted) => return log.push(asserted),
        };
        match next {
            Some(Ok(stream)) => {
                let name = name(&stream, &names);
                tokio::spawn(answer(name, stream, log.clone()));
            }
            Some(Err(status)) => return log.push(Event::Lost(word(&status))),
            None => return log.push(Event::Lost("in order".to_owned())),
        }
    }
}

/// The number of a stream, which its authority says; one that is made of another's head has the first
/// that is left.
fn name(stream: &ServerStream, names: &Names) -> u32 {
    let own = stream
        .authority()
        .and_then(|authority| authority.parse().ok());
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    let place = names.iter().position(|name| Some(*name) == own);
    names.remove(place.unwrap_or(0)).unwrap_or(0)
}

/// The code: texts may tell more on one engine than on the other.
pub(super) fn word(status: &Status) -> String {
    status.code().to_string()
}

async fn answer(id: u32, mut stream: ServerStream, log: Log) {
    let path = stream.path().to_owned();
    let mut head = vec![
        (":method".to_owned(), stream.http_method().to_owned()),
        (":path".to_owned(), path.clone()),
    ];
    if let Some(authority) = stream.authority() {
        head.push((":authority".to_owned(), authority.to_owned()));
    }
    head.extend(sorted(stream.take_fields()));
    log.push(Event::Opened(id, head));
    let form = ResponseForm::default();
    let none = Metadata::new();
    match path.as_str() {
        // Everything is read before it is answered.
        "/tests.echo.Echo/Once" => {
            let (mut body, responder) = stream.into_parts();
            if let Some(all) = read(id, &mut body, &log).await {
                responder.reply(&form, &none, all, &none);
            }
        }
        // The answer comes first.
        "/tests.echo.Echo/Expand" => {
            let (mut body, responder) = stream.into_parts();
            responder.reply(&form, &none, vec![7; EARLY_ANSWER].into(), &none);
            read(id, &mut body, &log).await;
        }
        // The request is read and answered by a failure.
        "/tests.echo.Echo/Collect" => {
            let (mut body, responder) = stream.into_parts();
            if read(id, &mut body, &log).await.is_some() {
                responder.fail(&Status::new(Code::NotFound, "nothing here"));
            }
        }
        "/tests.echo.Echo/Chat" => chat(id, stream, &form, &log).await,
        // Nothing is read, and nothing answered.
        "/tests.echo.Echo/None" => {
            let (_body, mut responder) = stream.into_parts();
            let status = poll_fn(|cx| responder.poll_reset(cx)).await;
            log.push(Event::Gone(id, word(&status)));
        }
        "/none/None" => {
            let status = Status::new(Code::Unimplemented, "no such method");
            stream.reject(&Reject::Status(status));
        }
        // Some of it is read, then both halves are dropped.
        "*" => {
            let (mut body, _responder) = stream.into_parts();
            if let Ok(Some(chunk)) = poll_fn(|cx| body.poll_chunk(cx)).await {
                log.push(Event::Received(id, chunk.to_vec()));
            }
        }
        _ => stream.reject(&Reject::NotPost),
    }
}

/// All of a request, if it comes to its end.
async fn read(id: u32, body: &mut RequestBody, log: &Log) -> Option<Bytes> {
    let mut all = BytesMut::new();
    loop {
        match poll_fn(|cx| body.poll_chunk(cx)).await {
            Ok(Some(chunk)) => {
                log.push(Event::Received(id, chunk.to_vec()));
                all.extend_from_slice(&chunk);
            }
            Ok(None) => {
                log.push(Event::Ended(id, "in order".to_owned()));
                return Some(all.freeze());
            }
            Err(status) => {
                log.push(Event::Ended(id, word(&status)));
                return None;
            }
        }
    }
}

/// Each message is answered by itself.
async fn chat(id: u32, stream: ServerStream, form: &ResponseForm, log: &Log) {
    let (body, responder) = stream.into_parts();
    let shared = responder.share(body, form.clone());
    let mut requests = RecvHalf::server_shared(shared.clone(), Box::new(Raw), 1 << 20);
    let mut responses = SendHalf::server(shared.clone(), Box::new(Raw), 1 << 20);
    loop {
        match requests.recv().await {
            Ok(Some(message)) => {
                log.push(Event::Received(id, message.to_vec()));
                if let Err(status) = responses.send(&message).await {
                    return log.push(Event::Gone(id, word(&status)));
                }
            }
            Ok(None) => {
                log.push(Event::Ended(id, "in order".to_owned()));
                return shared.finish(Ok(&Metadata::new()));
            }
            Err(status) => {
                log.push(Event::Ended(id, word(&status)));
                return shared.finish(Err(&status));
            }
        }
    }
}

/// Messages as they are.
#[derive(Debug)]
pub(super) struct Raw;

impl Encoder<Bytes> for Raw {
    fn encoded_len(&self, message: &Bytes) -> usize {
        message.len()
    }

    fn encode(&self, message: &Bytes, out: &mut BytesMut) -> Result<(), CodecError> {
        out.extend_from_slice(message);
        Ok(())
    }
}

impl Decoder<Bytes> for Raw {
    fn decode(&self, message: Payload) -> Result<Bytes, CodecError> {
        Ok(message.into_bytes())
    }
}
