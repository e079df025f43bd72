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
