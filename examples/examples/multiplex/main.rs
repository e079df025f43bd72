//! Two services on one port, one channel, many stubs in many tasks, calls of all four kinds in
//! flight at once, on one connection; and a screen that shows it.

mod calls;
mod log;
mod screen;
mod services;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use trunkline::{Channel, Server};
use trunkline_examples::multiplex::{NumbersClient, NumbersServer, WordsClient, WordsServer};

use calls::StubId;
use log::Log;
use services::{Calculator, Seen, Typist};

const TASKS: usize = 40;
const STUBS_PER_TASK: usize = 10;

/// Tasks start this far apart, so that one sees the load come and go.
const STAGGER: Duration = Duration::from_millis(8);

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    // One server, two services, one port.
    let seen = Arc::new(Seen::default());
    let server = Server::insecure()
        .add_service(NumbersServer::new(Calculator(Arc::clone(&seen))))
        .add_service(WordsServer::new(Typist(Arc::clone(&seen))))
        .bind("127.0.0.1:0")
        .await?;
    let address = server.local_address().clone();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    screen::opening(&address);

    // One channel. Its clones, and every stub made of them, use the same connection.
    let channel = Channel::insecure(address.to_string())?;
    let log = Arc::new(Log::start());
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(work(task, channel.clone(), Arc::clone(&log)));
    }
    // A task that panicked is an error of ours.
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    let at_end = handle.stats();
    let records = log.records();

    let report = handle.graceful_stop(Duration::from_secs(2)).await;
    serving.await??;
    let summary = screen::report(&records, &seen, &at_end, &report);
    let as_planned = summary.unexpected == 0 && at_end.connections_accepted == 1;
    Ok(if as_planned {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// One task: its ten stubs in turn, half of them of one service and half of the other. Each stub
/// makes four calls at once, one of each kind, through `&self`.
async fn work(task: usize, channel: Channel, log: Arc<Log>) {
    sleep(STAGGER * u32::try_from(task).unwrap_or(0)).await;
    for stub in 0..STUBS_PER_TASK {
        let id = StubId { task, stub };
        if (task + stub).is_multiple_of(2) {
            calls::numbers(&NumbersClient::new(channel.clone()), id, &log).await;
        } else {
            calls::words(&WordsClient::new(channel.clone()), id, &log).await;
        }
    }
}
