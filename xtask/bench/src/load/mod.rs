//! The load generator: calls of any shape, on connections of our own frames, against any server.

mod calls;
mod connection;
mod idle;
mod pace;

use crate::arguments::{ClientArguments, runtime};
use crate::meter::{Budget, Counters, Meter};
use crate::shape::Plan;
use crate::{Failure, probe};
use connection::Connection;
use pace::Pace;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

pub use idle::run_idle;

/// Loads the server as the command line says and prints one line of JSON.
///
/// Errors: any failed call ends the program: a benchmark of errors measures nothing.
pub fn run_load() -> Result<(), Failure> {
    let arguments = ClientArguments::parse()?;
    // It needs a fraction of what the server needs: one thread is enough, and the same for all.
    runtime(true)?.block_on(load(&arguments))
}

async fn load(arguments: &ClientArguments) -> Result<(), Failure> {
    if arguments.calls.is_none() {
        probe::check(arguments.address, arguments.shape, arguments.payload).await?;
    }
    let plan = Arc::new(Plan::new(
        arguments.shape,
        arguments.payload,
        arguments.messages,
    ));
    let budget = Budget::new(arguments.calls);
    let mut connections = Vec::new();
    let mut tasks = JoinSet::new();
    for number in 0..arguments.connections {
        let counters = Counters::new();
        let socket = TcpStream::connect(arguments.address).await?;
        socket.set_nodelay(true)?;
        let rate = arguments
            .rate
            .map(|rate| rate / arguments.connections as f64);
        let connection = Connection::new(
            arguments.address,
            plan.clone(),
            counters.clone(),
            budget.clone(),
        );
        let pace = rate.map(|rate| Pace::new(rate, number as f64 / arguments.connections as f64));
        tasks.spawn(connection.run(socket, arguments.in_flight, pace));
        connections.push(counters);
    }
    let mut meter = Meter::new(connections, arguments.server_pid);
    if arguments.calls.is_some() {
        meter.begin();
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        println!("{}", meter.line());
        return Ok(());
    }
    tokio::select! {
        line = meter.measure(arguments) => println!("{line}"),
        ended = tasks.join_next() => {
            ended.ok_or("no connection")???;
            return Err("a connection ended".into());
        }
    }
    // The connections end with the process.
    std::process::exit(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::serve;
    use crate::shape::Shape;
    use std::time::Duration;
    use tokio::net::TcpListener;

    const CALLS: u64 = 40;

    /// Runs so many calls against the mirror; what was counted.
    async fn calls(shape: Shape, payload: usize, messages: u64) -> u64 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Arc::new(Plan::new(shape, payload, messages));
        let server = tokio::spawn(serve(listener, plan.clone()));
        probe::check(address, shape, payload)
            .await
            .unwrap_or_else(|why| {
                // It asks for one message where the mirror sends as many as it was told.
                assert!(messages > 1, "{shape:?}: {why}");
            });
        let counters = Counters::new();
        let budget = Budget::new(Some(CALLS));
        let socket = TcpStream::connect(address).await.unwrap();
        let connection = Connection::new(address, plan, counters.clone(), budget);
        let running = connection.run(socket, 4, None);
        let ended = tokio::time::timeout(Duration::from_secs(30), running).await;
        ended.expect("it ends").expect("no call fails");
        server.abort();
        counters.units()
    }

    #[tokio::test]
    async fn every_shape_of_call_passes_between_the_load_and_the_mirror() {
        for (shape, payload, messages, expected) in [
            (Shape::Unary, 64, 1, CALLS),
            (Shape::Unary, 0, 1, CALLS),
            // Larger than any window at the start.
            (Shape::Large, 5 << 20, 1, CALLS),
            (Shape::Ready, 64, 1_000, CALLS * 1_000),
            (Shape::Channel, 10_000, 7, CALLS * 7),
            (Shape::Download, 64, 1, CALLS),
            (Shape::Upload, 64, 10_000, CALLS * 10_000),
            (Shape::PingPong, 64, 1, CALLS),
        ] {
            let counted = calls(shape, payload, messages).await;
            assert_eq!(counted, expected, "{shape:?} {payload}");
        }
    }
}
