//! A client of ours in a process of its own: this program, started once more, and measured from
//! outside while a test plays its server.

use std::io::BufRead as _;
use std::time::Duration;

use tokio::runtime::Handle;
use trunkline::{Channel, Status};
use trunkline_test_protos::echo::EchoClient;

use super::process::{Meter, Process, tell};
use crate::handlers::note;

/// Where the server is. Set: this process is the client.
const SERVER: &str = "TRUNKLINE_TEST_CALLS";

/// One call of this kind, read to its end.
pub(crate) async fn call(echo: &EchoClient, kind: &str) -> Result<(), Status> {
    match kind {
        "once" => echo.once(note("x")).await.map(drop),
        "expand" => {
            let mut notes = echo.expand(note("x")).await?;
            while notes.recv().await?.is_some() {}
            Ok(())
        }
        "collect" => echo.collect().upload([note("x")]).await.map(drop),
        "chat" => {
            let (mut sender, mut notes) = echo.chat().await?;
            // An early end may come before all is sent; `recv` says which.
            let _ = sender.send(&note("x")).await;
            sender.finish();
            while notes.recv().await?.is_some() {}
            Ok(())
        }
        "unread" => {
            let (sender, notes) = echo.chat().await?;
            tokio::time::sleep(Duration::from_secs(5)).await;
            drop((sender, notes));
            Ok(())
        }
        other => Err(Status::internal(format!("no kind of call: {other}"))),
    }
}

/// Not a test of its own: what the process does that the tests start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_the_client() {
    let Ok(address) = std::env::var(SERVER) else {
        return;
    };
    let echo = EchoClient::new(Channel::insecure(address).unwrap());
    tell("ready");
    let runtime = Handle::current();
    let answering = std::thread::spawn(move || {
        for kind in std::io::stdin().lock().lines().map_while(Result::ok) {
            match runtime.block_on(call(&echo, &kind)) {
                Ok(()) => tell("Ok"),
                Err(status) => {
                    let text = status.to_string().replace('\n', " ");
                    tell(&format!("{:?} {text}", status.code()));
                }
            }
        }
        std::process::exit(0);
    });
    let _ = tokio::task::spawn_blocking(|| answering.join()).await;
}

/// The other process.
pub(crate) struct Caller(Process);

impl Caller {
    /// Calls the server at this address.
    pub(crate) async fn start(address: &str) -> Self {
        Self(Process::start("caller::as_the_client", SERVER, address, "").await)
    }

    /// Begins a call.
    pub(crate) async fn begin(&mut self, kind: &str) {
        self.0.say(kind).await;
    }

    /// How the call ended: the name of its code, and its text.
    pub(crate) async fn ended(&mut self) -> String {
        self.0.heard().await
    }

    pub(crate) fn meter(&self) -> Meter {
        self.0.meter()
    }

    /// It still lives.
    pub(crate) async fn end(self) {
        self.0.end().await;
    }
}
