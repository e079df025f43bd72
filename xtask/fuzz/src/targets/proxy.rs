//! Proxies: the URL, the list of what goes around them, and what they answer to CONNECT.
//!
//! Input: a byte for the kind, then what it is about.

use std::cell::Cell;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use trunkline_transport::{Address, BoxIo, Connector, Proxy, ProxyConnector, TcpConnector};

use crate::Source;

const SECRET: &str = "s3cr3t!phrase";

/// Longer than anything here takes, shorter than a person waits.
const BOUND: Duration = Duration::from_secs(10);

/// What a proxy's answer may take, as the documentation has it.
const HEAD_BYTES: usize = 16 * 1024;

pub(super) fn run(input: &[u8]) {
    let mut source = Source::new(input);
    match source.byte() % 4 {
        0 => url(&mut source),
        1 => bypass(&mut source),
        _ => answer(&mut source),
    }
}

fn url(source: &mut Source<'_>) {
    let scheme = source.pick(&[
        "http://",
        "",
        "HTTP://",
        "https://",
        "socks5://",
        "http:",
        "://",
    ]);
    let (user, place) = (source.text(), source.text());
    let user_info = match source.byte() % 3 {
        0 => String::new(),
        1 => format!("{user}:{SECRET}@"),
        _ => format!("{SECRET}@"),
    };
    let told = |text: String| {
        let shown = text.contains(SECRET) && !place.contains(SECRET) && !user.contains(SECRET);
        assert!(!shown, "{text}");
    };
    match Proxy::new(&format!("{scheme}{user_info}{place}")) {
        Ok(proxy) => {
            told(format!("{proxy} {proxy:?}"));
            let again = Proxy::new(&proxy.to_string()).expect("it can be written as it is shown");
            assert_eq!(again.to_string(), proxy.to_string());
            assert!(proxy.carries("example.com", 443), "nothing goes around it");
        }
        Err(error) => told(format!("{error} {error:?}")),
    }
}

fn bypass(source: &mut Source<'_>) {
    let list = source.text();
    let (host, port) = (source.text(), source.u16());
    let proxy = Proxy::new("http://proxy:3128").expect("a proxy");
    assert!(proxy.carries(&host, port));
    let around = proxy.bypass(&list);
    let carried = around.carries(&host, port);
    let upper = around.carries(&host.to_ascii_uppercase(), port);
    assert_eq!(carried, upper, "names have no case");
    if list.split(',').any(|entry| entry.trim() == "*") {
        assert!(!carried, "everything goes around");
    }
    let more = around.bypass("10.0.0.0/8");
    assert!(
        carried || !more.carries(&host, port),
        "a longer list means more"
    );
    assert!(!more.carries("10.1.2.3", port));
}

fn answer(source: &mut Source<'_>) {
    let start = source.pick(&[
        "",
        "HTTP/1.1 ",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 ",
        "HTTP/1.0 407 ",
    ]);
    let piece = source.below(255) + 1;
    let mut bytes = start.as_bytes().to_vec();
    bytes.extend_from_slice(source.remainder());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let opened =
        runtime.block_on(async { tokio::time::timeout(BOUND, tunnel(&bytes, piece)).await });
    let opened = opened.expect("the proxy has closed, nothing can be waited for");
    match (opened, body(&bytes)) {
        (Ok(through), Some(body)) => {
            assert_eq!(through, body, "what follows the answer is the tunnel's")
        }
        (Err(error), None) => {
            let text = error.to_string();
            assert!(text.contains("the proxy http://127."), "{text}");
            assert!(text.len() < 400 && !text.contains(SECRET), "{text}");
        }
        (Ok(_), None) => panic!("a tunnel"),
        (Err(error), Some(_)) => panic!("no tunnel: {error}"),
    }
}

/// What follows a good answer; `None` if it is none.
fn body(mut answer: &[u8]) -> Option<&[u8]> {
    let mut left = HEAD_BYTES;
    loop {
        let ends = (0..answer.len()).find_map(|at| {
            let rest = answer.get(at..)?;
            let length = if rest.starts_with(b"\r\n\r\n") {
                4
            } else if rest.starts_with(b"\n\n") {
                2
            } else {
                return None;
            };
            Some(at + length)
        })?;
        let head = answer.get(..ends)?;
        left = left.checked_sub(ends)?;
        let line = head.split(|byte| *byte == b'\n').next()?;
        let [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            _,
            b' ',
            status @ ..,
        ] = line.trim_ascii_end()
        else {
            return None;
        };
        let status = status.split(|byte| *byte == b' ').next()?;
        let [hundreds @ b'1'..=b'9', tens, ones] = status else {
            return None;
        };
        if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
            return None;
        }
        answer = answer.get(ends..)?;
        match hundreds {
            b'1' => {}
            b'2' => return Some(answer),
            _ => return None,
        }
    }
}

thread_local! {
    /// Counts connections: each few thousand of them get an address of their own, because closed
    /// ones keep theirs for a minute.
    static COUNT: Cell<u32> = const { Cell::new(0) };
}

/// Connects through a proxy that answers with these bytes and closes; what came out of the tunnel.
async fn tunnel(answer: &[u8], piece: usize) -> io::Result<Vec<u8>> {
    let count = COUNT.replace(COUNT.get().wrapping_add(1));
    let third = u8::try_from(count / 8_192 % 250).unwrap_or(0);
    let listener = TcpListener::bind((Ipv4Addr::new(127, 77, third, 1), 0)).await?;
    let place = listener.local_addr()?;
    let proxy = Proxy::new(&format!("http://me:{SECRET}@{place}")).expect("a proxy");
    let connector = ProxyConnector::new(proxy, TcpConnector::default());
    let to = Address::Name {
        host: "far.example".into(),
        port: 443,
    };
    let says = async {
        let (mut stream, _) = listener.accept().await.expect("somebody connects");
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n")
            && stream.read_buf(&mut heard).await.is_ok_and(|read| read > 0)
        {}
        for piece in answer.chunks(piece.max(answer.len() / 8)) {
            if stream.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let _ = stream.shutdown().await;
        // Closing with something unread would reset what was sent.
        let mut more = Vec::new();
        let _ = stream.read_to_end(&mut more).await;
    };
    let opening = async {
        let io: BoxIo = connector.connect(&to).await?;
        let mut io = io;
        let mut through = Vec::new();
        io.read_to_end(&mut through).await?;
        Ok(through)
    };
    let (opened, ()) = tokio::join!(opening, says);
    opened
}
