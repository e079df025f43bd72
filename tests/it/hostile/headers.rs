//! Header blocks that never end, or are larger than anybody needs.

use std::time::Duration;

use super::process::{MB, Used, report};
use super::victim::Victim;
use super::witness::Witness;
use crate::support::{
    ENHANCE_YOUR_CALM, Flood, Headers, Pushed, Wire, headers, last_data, note, raw, request,
};
use crate::world::soaking;

const ONCE: &str = "/tests.echo.Echo/Once";

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// The same piece over and over, until the other side has had enough of it.
async fn without_end(flood: &mut Flood, piece: &Wire) -> u64 {
    let many: Wire = (0..500).fold(Wire::default(), |all, _| all.and(piece.clone()));
    let mut sent = 0;
    let limit = if soaking() { 1_000_000 } else { 20_000 };
    while sent < limit && flood.tally().closed.is_none() {
        if flood.push(many.clone()).await != Pushed::Taken {
            break;
        }
        sent += 500;
    }
    sent
}

/// Fields of 255 bytes, as they lie in a block.
fn fields() -> Vec<u8> {
    [vec![0, 1, b'a', 0x7f, 0x80, 0x01], vec![b'x'; 255]].concat()
}

/// Whatever CONTINUATION frames hold, a few of them are enough: the connection is closed at once,
/// and the rest of the flood costs nothing.
#[tokio::test]
async fn endless_header_blocks_are_cut_short() {
    let victim = Victim::start().await;
    let witness = Witness::start(victim.client()).await;
    let trailers_begin =
        Wire::from(request(1, ONCE))
            .and(raw(0, 0, 1, b""))
            .and(raw(HEADERS, 1, 1, &fields()));
    let half_a_field = [0, 1, b'a', 0x7f, 0x80, 0x80, 0x80, 0x01];
    for (name, begin, piece) in [
        ("fields", raw(HEADERS, 0, 1, &fields()), fields()),
        ("nothing", raw(HEADERS, 0, 1, &fields()), Vec::new()),
        ("nothing at all", raw(HEADERS, 0, 1, &[]), Vec::new()),
        (
            "one endless value",
            raw(HEADERS, 0, 1, &half_a_field),
            vec![b'x'; 16_000],
        ),
        ("trailers", trailers_begin, fields()),
    ] {
        let mut flood = Flood::connect(&victim.address).await;
        let meter = victim.meter();
        flood.push(begin).await;
        let sent = without_end(&mut flood, &raw(CONTINUATION, 0, 1, &piece)).await;
        let tally = flood.closed().await;
        let used = meter.used();
        report(
            &format!("endless CONTINUATION of {name}"),
            format_args!("{:?} after less than {sent}; {used}", tally.goaway),
        );
        assert!(tally.goaway.is_some(), "{name}: {tally:?}");
        is_cheap(name, used);
    }
    let latencies = witness.found_well().await;
    report("endless CONTINUATION", latencies);
    victim.end().await;
}

#[track_caller]
fn is_cheap(name: &str, used: Used) {
    assert!(used.peak < 4 * MB, "{name}: {used}");
    assert!(used.cpu < Duration::from_millis(500), "{name}: {used}");
}

/// What a client may send in one list, and what becomes of more of it.
#[tokio::test]
async fn huge_header_lists_end_their_stream_or_their_connection() {
    let victim = Victim::start().await;
    let witness = Witness::start(victim.client()).await;
    let tiny = |count: usize| {
        let name = |number: usize| format!("{number:x}");
        (0..count).fold(request(1, ONCE), |head, number| {
            head.field(name(number), "")
        })
    };
    let one = |bytes: usize| request(1, ONCE).field("x", vec![b'x'; bytes]);
    for (name, list) in [
        ("30,000 tiny fields", Wire::from(tiny(30_000))),
        ("a field of 1 MiB", Wire::from(one(1 << 20))),
        ("references to one large field", references(30_000)),
    ] {
        let mut flood = Flood::connect(&victim.address).await;
        let meter = victim.meter();
        flood.push(list).await;
        let tally = flood.closed().await;
        let used = meter.used();
        report(name, format_args!("{:?}; {used}", tally.goaway));
        assert_eq!(
            tally.goaway_code(),
            Some(ENHANCE_YOUR_CALM),
            "{name}: {tally:?}"
        );
        is_cheap(name, used);
    }
    // A little over the limit: only that stream is answered, by 431.
    let mut flood = Flood::connect(&victim.address).await;
    flood
        .push(Wire::from(tiny(600)).and(last_data(1, note("x"))))
        .await;
    let tally = flood
        .until("an answer", |tally| tally.frames.contains_key(&HEADERS))
        .await;
    assert_eq!((tally.goaway, tally.closed), (None, None));
    drop(flood);
    report("huge header lists", witness.found_well().await);
    victim.end().await;
}

/// One field of almost 4 KiB, which the decoder keeps, and so many times one byte that means it.
fn references(count: usize) -> Wire {
    let mut block = Vec::new();
    let Wire(head) = Wire::from(request(1, ONCE));
    block.extend_from_slice(&head[9..]);
    block.extend_from_slice(&[0x40, 1, b'a', 0x7f, 0x81, 0x1d]);
    block.extend_from_slice(&vec![b'x'; 0x7f + 1 + 0x1d * 128]);
    block.resize(block.len() + count, 0xbe);
    let mut pieces = block.chunks(16_000).peekable();
    let mut wire = Wire::default();
    let mut kind = HEADERS;
    while let Some(piece) = pieces.next() {
        let flags = if pieces.peek().is_none() { 4 } else { 0 };
        wire = wire.and(raw(kind, flags, 1, piece));
        kind = CONTINUATION;
    }
    wire
}

/// As much metadata as is allowed on as many streams as are allowed, which is kept as long as the
/// handlers run: some 16 KiB each, and all of it comes back.
#[tokio::test]
async fn metadata_on_all_streams_costs_what_it_weighs() {
    let mut victim = Victim::start().await;
    let mut flood = Flood::connect(&victim.address).await;
    let meter = victim.meter();
    let heads = (0..256).map(|number| full(1 + 2 * number));
    let all = heads.fold(Wire::default(), Wire::and);
    assert_eq!(flood.push(all).await, Pushed::Taken);
    victim
        .until("all handlers to run", |counts| counts["running"] == 256)
        .await;
    let used = meter.used();
    report("16 KiB of metadata on each of 256 streams", used);
    assert!(used.peak < 32 * MB, "{used}");
    drop(flood);
    victim.end().await;
}

/// A head with as much in it as the list may have.
fn full(stream: u32) -> Headers {
    (0..120).fold(request(stream, "/tests.echo.Echo/Chat"), |head, number| {
        head.field(format!("field-{number}"), vec![b'x'; 80])
    })
}

/// A header block that a stream's trailers have after all else.
#[tokio::test]
async fn trailers_of_a_request_are_bounded_as_heads_are() {
    let victim = Victim::start().await;
    let mut flood = Flood::connect(&victim.address).await;
    let large = (0..30_000).fold(headers(1), |head, number| {
        head.field(format!("{number:x}"), "")
    });
    let meter = victim.meter();
    flood
        .push(Wire::from(request(1, ONCE)).and(large.end()))
        .await;
    let tally = flood.closed().await;
    let used = meter.used();
    report(
        "30,000 tiny fields in trailers",
        format_args!("{:?}; {used}", tally.goaway),
    );
    assert_eq!(tally.goaway_code(), Some(ENHANCE_YOUR_CALM), "{tally:?}");
    is_cheap("trailers", used);
    victim.end().await;
}
