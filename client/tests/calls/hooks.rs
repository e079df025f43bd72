//! Hooks on the messages of a call, typed, for calls of every shape.

use std::any::Any;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use trunkline_client::{CallContext, Channel, ClientStream, Interceptor, Next};
use trunkline_core::{Code, Status};
use trunkline_transport::stream::MessageHook;

use super::support::{Both, Down, One, Peer, Up, bytes, pair};

type Log = Arc<Mutex<Vec<String>>>;

/// Notes messages, refuses some, and marks those that came.
struct Hook(&'static str, Log);

impl MessageHook for Hook {
    fn received(&mut self, message: &mut dyn Any) -> Result<(), Status> {
        let message = message.downcast_mut::<Bytes>().unwrap();
        let text = String::from_utf8(message.to_vec()).unwrap();
        self.1.lock().unwrap().push(format!("{} < {text}", self.0));
        if text.starts_with("bad") {
            return Err(Status::data_loss("a bad response"));
        }
        *message = Bytes::from(format!("{text}!"));
        Ok(())
    }

    fn sending(&mut self, message: &dyn Any) -> Result<(), Status> {
        let message = message.downcast_ref::<Bytes>().unwrap();
        let text = String::from_utf8(message.to_vec()).unwrap();
        self.1.lock().unwrap().push(format!("{} > {text}", self.0));
        match text.starts_with("bad") {
            true => Err(Status::invalid_argument("a bad request")),
            false => Ok(()),
        }
    }
}

struct Hooking(&'static str, Log);

impl Interceptor for Hooking {
    async fn intercept(&self, mut call: CallContext, next: Next) -> Result<ClientStream, Status> {
        call.hook(Hook(self.0, Arc::clone(&self.1)));
        next.start(call).await
    }
}

fn hooked() -> (Channel, Log, Peer) {
    let log = Log::default();
    let (builder, peer) = pair(100);
    let builder = builder.intercept(Hooking("outer", Arc::clone(&log)));
    let builder = builder.intercept(Hooking("inner", Arc::clone(&log)));
    (builder.build().unwrap(), log, peer)
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

#[tokio::test(start_paused = true)]
async fn the_messages_of_each_shape_are_seen_typed_and_in_layers() {
    let (channel, log, mut peer) = hooked();
    let server = async {
        for _ in 0..5 {
            let mut exchange = peer.next().await;
            while exchange.message().await.unwrap().is_some() {}
            exchange.reply(&["a"]);
        }
    };
    let client = async {
        let seen = ["outer > q", "inner > q", "inner < a", "outer < a!"];
        let answer = channel.unary::<One>(bytes("q")).await.unwrap();
        assert_eq!(answer.message(), "a!!");
        assert_eq!(taken(&log), seen);
        let mut down = channel.server_streaming::<Down>(bytes("q")).await.unwrap();
        assert_eq!(down.recv().await.unwrap().unwrap(), "a!!");
        assert!(down.recv().await.unwrap().is_none());
        assert_eq!(taken(&log), seen);
        let call = channel.client_streaming::<Up>().upload([bytes("q")]);
        assert_eq!(call.await.unwrap().message(), "a!!");
        assert_eq!(taken(&log), seen);
        let (mut sender, summary) = channel.client_streaming::<Up>().await.unwrap();
        sender.send(&bytes("q")).await.unwrap();
        sender.finish();
        assert_eq!(summary.await.unwrap().message(), "a!!");
        assert_eq!(taken(&log), seen);
        let (mut sender, mut both) = channel.bidi::<Both>().await.unwrap();
        sender.send(&bytes("q")).await.unwrap();
        sender.finish();
        assert_eq!(both.recv().await.unwrap().unwrap(), "a!!");
        assert!(both.recv().await.unwrap().is_none());
        assert_eq!(taken(&log), seen);
    };
    tokio::join!(client, server);
}

#[tokio::test(start_paused = true)]
async fn what_a_hook_refuses_is_not_sent_or_not_received() {
    let (channel, log, mut peer) = hooked();
    // The one request of a call: nothing goes out.
    let error = channel.unary::<One>(bytes("bad q")).await.unwrap_err();
    let text = "INVALID_ARGUMENT: /test.T/One: a bad request";
    assert_eq!(error.to_string(), text);
    assert_eq!(taken(&log), ["outer > bad q"], "the outer one first");
    let error = channel.server_streaming::<Down>(bytes("bad")).await;
    assert_eq!(error.unwrap_err().code(), Code::InvalidArgument);
    assert!(peer.calls.try_recv().is_err());
    let server = async {
        let mut exchange = peer.next().await;
        assert_eq!(exchange.message().await.unwrap().unwrap(), "good");
        exchange.reply(&["fine", "bad", "never"]);
        peer.next().await.reply(&["bad"]);
    };
    let client = async {
        let (mut sender, mut both) = channel.bidi::<Both>().await.unwrap();
        let error = sender.send(&bytes("bad")).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        sender.send(&bytes("good")).await.unwrap();
        sender.finish();
        assert_eq!(both.recv().await.unwrap().unwrap(), "fine!!");
        assert_eq!(both.recv().await.unwrap_err().code(), Code::DataLoss);
        assert_eq!(both.recv().await.unwrap_err().code(), Code::DataLoss);
        let error = channel.unary::<One>(bytes("")).await.unwrap_err();
        assert_eq!(error.to_string(), "DATA_LOSS: /test.T/One: a bad response");
    };
    tokio::join!(client, server);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_goes_out_again_was_seen_once() {
    let (channel, log, mut peer) = hooked();
    let server = async {
        let mut refused = peer.next().await;
        refused.respond.send_reset(h2::Reason::REFUSED_STREAM);
        peer.next().await.reply(&["a"]);
    };
    let call = channel.unary::<One>(bytes("q"));
    let (answer, ()) = tokio::join!(call.into_future(), server);
    assert_eq!(answer.unwrap().message(), "a!!");
    assert_eq!(
        taken(&log),
        ["outer > q", "inner > q", "inner < a", "outer < a!"]
    );
}

#[tokio::test(start_paused = true)]
async fn clones_of_a_call_share_its_hooks_once_each() {
    let log = Log::default();
    let hooks = Arc::clone(&log);
    let twice = move |mut call: CallContext, next: Next| {
        let hook = Hook("hook", Arc::clone(&hooks));
        async move {
            call.hook(hook);
            let mut first = next.clone().start(call.clone()).await?;
            first.outcome().await;
            next.start(call).await
        }
    };
    let (builder, mut peer) = pair(100);
    let channel = builder.intercept(twice).build().unwrap();
    let server = async {
        peer.next().await.fail("16", "who?");
        peer.next().await.reply(&["a"]);
    };
    let call = channel.unary::<One>(bytes("q"));
    let (answer, ()) = tokio::join!(call.into_future(), server);
    assert_eq!(answer.unwrap().message(), "a!");
    assert_eq!(taken(&log), ["hook > q", "hook > q", "hook < a"]);
}
