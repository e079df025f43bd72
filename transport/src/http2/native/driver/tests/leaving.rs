//! Goodbyes that cost nobody anything: what was answered arrives, what was asked in time is taken.

use tokio::time::sleep;

use super::closing::question;
use super::*;
use crate::BoxIo;

const SECOND: Duration = Duration::from_secs(1);

/// The next frame of a peer: its kind, flags and stream, and how much payload it has.
async fn next_frame(io: &mut BoxIo, each: Duration) -> Option<(u8, u8, u32, usize)> {
    let mut head = [0; 9];
    io.read_exact(&mut head).await.ok()?;
    let [a, b, c, kind, flags, s, t, u, v] = head;
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    let mut payload = vec![0; length];
    for part in payload.chunks_mut(4_096) {
        sleep(each).await;
        io.read_exact(part).await.ok()?;
    }
    Some((kind, flags, u32::from_be_bytes([s, t, u, v]), length))
}

/// A server that answers one request with a message of this length, and leaves.
fn serve_and_leave(io: BoxIo, length: usize) -> JoinHandle<Result<(), Status>> {
    let config = ServerConfig {
        engine: Engine::Native,
        ..ServerConfig::default()
    };
    tokio::spawn(async move {
        let mut connection = ServerConnection::handshake(io, peer(), &config).await?;
        while let Some(stream) = poll_fn(|cx| connection.poll_next(cx)).await {
            let (body, responder) = stream?.into_parts();
            drop(body);
            let answer = frame(&message(length));
            responder.reply(&form(), &Metadata::new(), answer, &Metadata::new());
            connection.graceful_shutdown("later");
        }
        Ok(())
    })
}

/// All of it is in the server's output at once, and the streams are over for its machine: neither that the client pauses
/// nor that its path is slow may cut it off.
#[tokio::test(start_paused = true)]
async fn a_slow_client_gets_all_of_its_answer_from_a_server_that_leaves() {
    const LENGTH: usize = 200_000;
    let (mut near, far) = memory::pipe();
    let serving = serve_and_leave(far, LENGTH);
    near.write_all(&question()).await.unwrap();
    sleep(10 * SECOND).await;
    let (mut came, mut is_over, mut goodbyes) = (0, false, 0);
    while let Some((kind, flags, _, length)) = next_frame(&mut near, SECOND / 2).await {
        match kind {
            0 => came += length,
            1 => is_over = flags & 1 != 0,
            7 => goodbyes += 1,
            _ => {}
        }
    }
    assert_eq!((came, is_over, goodbyes), (LENGTH + 5, true, 2));
    drop(near);
    serving.await.unwrap().unwrap();
}

/// One that takes nothing at all is not waited for longer than any other.
#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_does_not_keep_a_server_that_leaves() {
    let (mut near, far) = memory::pipe();
    let serving = serve_and_leave(far, 200_000);
    near.write_all(&question()).await.unwrap();
    sleep(45 * SECOND).await;
    assert!(serving.is_finished(), "write_timeout is over");
    let why = serving.await.unwrap().unwrap_err();
    assert!(why.message().contains("write_timeout"), "{why}");
}

/// An upload that was answered early: what is under way would reset a socket that is closed, and lose the answer.
#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_listens_while_its_client_goes_on_and_not_for_ever() {
    for (pieces, taken) in [(16, 16..=16), (100, 16..=24)] {
        let (mut near, far) = memory::pipe();
        let serving = serve_and_leave(far, 10);
        let mut hello = BytesMut::from(&PREFACE[..]);
        write::settings(&[], &mut hello);
        write::settings_ack(&mut hello);
        write::headers(StreamId(1), &[0x83, 0x86, 0x84], false, 16_384, &mut hello);
        near.write_all(&hello).await.unwrap();
        let mut written = 0;
        for _ in 0..pieces {
            sleep(SECOND / 2).await;
            let mut data = BytesMut::new();
            write::data_head(StreamId(1), 8_192, false, &mut data);
            data.resize(data.len() + 8_192, 7);
            if near.write_all(&data).await.is_err() {
                break;
            }
            written += 1;
        }
        assert!(taken.contains(&written), "{written} of {pieces}");
        sleep(2 * SECOND).await;
        assert!(serving.is_finished());
        let (mut goodbyes, mut came) = (0, 0);
        while let Some((kind, _, _, length)) = next_frame(&mut near, Duration::ZERO).await {
            goodbyes += usize::from(kind == 7);
            came += if kind == 0 { length } else { 0 };
        }
        assert_eq!((goodbyes, came), (2, 15));
        serving.await.unwrap().unwrap();
    }
}

/// The socket has taken nothing for a while, so that more waits than heads usually go behind.
#[tokio::test]
async fn calls_go_out_ahead_of_the_answer_to_a_goodbye_however_much_waits_before_them() {
    let (near, mut far) = memory::pipe();
    let config = ClientConfig {
        engine: Engine::Native,
        ..ClientConfig::default()
    };
    far.write_all(&{
        let mut hello = BytesMut::new();
        write::settings(&[(4, (1 << 31) - 1)], &mut hello);
        write::window_update(StreamId::ZERO, 1 << 30, &mut hello);
        hello
    })
    .await
    .unwrap();
    let client = ClientConnection::handshake(near, peer(), &config, Arc::new(Notify::new())).await;
    let client = client.unwrap();
    let permit = client.try_permit().unwrap();
    let upload = frame(&message(1_000_000));
    let upload = with_head(|head| client.start_single(permit, head, upload, LIMIT)).unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let mut goodbye = BytesMut::new();
    write::go_away(StreamId::MAX, Reason::NO_ERROR, b"later", &mut goodbye);
    write::ping(false, *b"goodbye!", &mut goodbye);
    far.write_all(&goodbye).await.unwrap();
    let permit = client.try_permit().unwrap();
    let call = with_head(|head| client.start_streaming(permit, head, LIMIT)).unwrap();
    let mut preface = [0; PREFACE.len()];
    far.read_exact(&mut preface).await.unwrap();
    let mut opened = Vec::new();
    loop {
        let (kind, flags, stream, _) = next_frame(&mut far, Duration::ZERO).await.unwrap();
        match kind {
            1 => opened.push(stream),
            6 if flags & 1 != 0 => break,
            _ => {}
        }
    }
    assert_eq!(opened, [1, 3], "before the answer to the PING");
    drop((upload, call));
}
