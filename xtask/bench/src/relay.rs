//! A long fat link in this process: every byte arrives 50 ms later, and no more than 1 Gbit per second.

use crate::arguments::Words;
use crate::grpc::Failure;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const DELAY: Duration = Duration::from_millis(50);
const BYTES_PER_SECOND: f64 = 125e6;

const CHUNK_BYTES: usize = 64 * 1024;

/// What waits for the link may fill it for this long, as the queue of a router; then a sender is held up.
const QUEUE: Duration = Duration::from_millis(40);

/// Bytes with the time of their arrival.
type Chunk = (Instant, Vec<u8>);

/// Listens on a free port, prints `listening ADDRESS`, and passes on what comes to `--address` and back, until standard
/// input ends.
///
/// Errors: it cannot listen.
pub fn run_relay() -> Result<(), Failure> {
    let words = Words::from_process()?;
    let address: SocketAddr = words.optional("address")?.ok_or("--address is missing")?;
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("listening {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    for near in listener.incoming() {
        let near = near?;
        let far = TcpStream::connect(address)?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        one_way(near.try_clone()?, far.try_clone()?);
        one_way(far, near);
    }
    Ok(())
}

fn one_way(from: TcpStream, to: TcpStream) {
    let (send, receive) = channel();
    // An end of either side ends both threads.
    thread::spawn(move || read(from, &send));
    thread::spawn(move || write(to, &receive));
}

fn read(mut from: TcpStream, send: &Sender<Chunk>) {
    // When the link is through with what came before.
    let mut free = Instant::now();
    loop {
        let held_up = free.saturating_duration_since(Instant::now());
        thread::sleep(held_up.saturating_sub(QUEUE));
        let mut bytes = vec![0; CHUNK_BYTES];
        let Ok(read @ 1..) = from.read(&mut bytes) else {
            return;
        };
        bytes.truncate(read);
        let took = Duration::from_secs_f64(read as f64 / BYTES_PER_SECOND);
        free = free.max(Instant::now()) + took;
        if send.send((free + DELAY, bytes)).is_err() {
            return;
        }
    }
}

fn write(mut to: TcpStream, receive: &Receiver<Chunk>) {
    while let Ok((arrival, bytes)) = receive.recv() {
        thread::sleep(arrival.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
