//! Consumers at work.

use super::Places;
use crate::process;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(60);

/// Runs those that need nobody else.
pub(super) fn alone(places: &Places, names: &[&str]) -> Result<(), String> {
    for name in names {
        process::run(&mut places.program(name), BOUND)?;
    }
    Ok(())
}

/// The one that only serves, called by the one that only calls.
pub(super) fn client_and_server(places: &Places) -> Result<(), String> {
    let mut server = places
        .program("server")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("consumer-server: cannot start: {error}"))?;
    let ran = call(places, &mut server);
    // It ends with its input; whatever went wrong, it must not outlive us.
    drop(server.stdin.take());
    let ended = process::wait(&mut server, BOUND);
    process::kill_tree(&mut server);
    ran?;
    match ended {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(format!("consumer-server: {status}")),
        Ok(None) => Err("consumer-server: not stopped by the end of its input".to_owned()),
        Err(error) => Err(format!("consumer-server: {error}")),
    }
}

fn call(places: &Places, server: &mut Child) -> Result<(), String> {
    let output = server.stdout.take().ok_or("consumer-server: no output")?;
    let (sender, lines) = mpsc::channel();
    // Goes on reading, so that the server can say its last words.
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let address = lines.recv_timeout(BOUND);
    let address = address.map_err(|error| format!("consumer-server says no address: {error}"))?;
    process::run(places.program("client").arg(address), BOUND)
}
