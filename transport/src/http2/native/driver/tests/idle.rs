//! What a server's connection keeps while nothing happens on it.

use tokio::time::sleep;

use super::*;
use crate::http2::native::driver::{IDLE, ServerDriver};

const STREAMS: u32 = 100;

/// Drives until nothing is left to do; gives what clients have opened.
async fn drive(server: &mut ServerDriver) -> Vec<impl Sized + use<>> {
    let mut opened = Vec::new();
    for _ in 0..8 {
        poll_fn(|cx| {
            while let Poll::Ready(next) = server.poll_next(cx) {
                opened.push(next.unwrap().unwrap());
            }
            Poll::Ready(())
        })
        .await;
    }
    opened
}

#[tokio::test(start_paused = true)]
async fn a_burst_leaves_nothing_behind_though_its_streams_stay_open() {
    let (mut near, far) = memory::pipe();
    let config = ServerConfig {
        engine: Engine::Native,
        ..ServerConfig::default()
    };
    let mut server = ServerDriver::new(far, peer(), &config);
    let mut hello = BytesMut::from(&PREFACE[..]);
    write::settings(&[], &mut hello);
    for number in 0..STREAMS {
        let block = [0x83, 0x86, 0x84];
        write::headers(StreamId(2 * number + 1), &block, false, 16_384, &mut hello);
    }
    near.write_all(&hello).await.unwrap();
    let streams = drive(&mut server).await;
    assert_eq!(streams.len(), STREAMS as usize);

    let driver = &mut server.driver;
    let read_into = driver.reader.buffer().capacity();
    assert_eq!(read_into, 0, "what is read into is the thread's");
    assert!(!driver.out.can_shrink(), "so is what is written from");

    sleep(2 * IDLE).await;
    drive(&mut server).await;
    let driver = &server.driver;
    assert!(!driver.out.can_shrink() && !driver.reader.can_shrink());
    assert_eq!(driver.streams.capacity(), STREAMS as usize);
    let rest = [driver.events.capacity(), driver.wakers.capacity()];
    assert_eq!(rest, [0, 0]);
    assert_eq!(driver.core.open(), streams.len(), "none was harmed");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_frame_stays_with_its_connection() {
    let config = ServerConfig {
        engine: Engine::Native,
        ..ServerConfig::default()
    };
    let mut hello = BytesMut::from(&PREFACE[..]);
    write::settings(&[], &mut hello);
    let mut head = BytesMut::new();
    write::headers(StreamId(1), &[0x83, 0x86, 0x84], false, 16_384, &mut head);
    let mut all = Vec::new();
    for cut in 1..head.len() {
        let (mut near, far) = memory::pipe();
        let mut server = ServerDriver::new(far, peer(), &config);
        near.write_all(&hello).await.unwrap();
        near.write_all(&head[..cut]).await.unwrap();
        assert!(drive(&mut server).await.is_empty());
        all.push((server, near, cut));
    }
    for (server, near, cut) in &mut all {
        near.write_all(&head[*cut..]).await.unwrap();
        assert_eq!(drive(server).await.len(), 1, "cut at {cut}");
        assert_eq!(server.driver.reader.buffer().capacity(), 0);
    }
}

#[cfg(target_pointer_width = "64")]
#[test]
fn a_connection_does_not_grow_unseen() {
    let size = size_of::<ServerDriver>();
    assert!(size <= 3_200, "{size}");
}
