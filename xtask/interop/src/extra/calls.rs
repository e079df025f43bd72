//! When answers come, and how long calls may take.

use super::messages::{Chunk, DeadlineRequest, EarlyRequest, ExtraServiceClient};
use super::promptly;
use crate::cases::{Failure, Verdict, expect, expect_error};
use std::time::{Duration, Instant};
use trunkline::Code;

/// An answer to the first of endless requests is seen, whatever it is, and ends the requests.
pub(super) async fn early_answer(client: &ExtraServiceClient) -> Verdict {
    for (number, code) in [(8, Code::ResourceExhausted), (0, Code::Ok)] {
        let begin = Instant::now();
        let request = EarlyRequest {
            code: number,
            body: vec![0; 64 * 1024],
        };
        let endless = std::iter::repeat(request);
        let result = client.answer_early().upload(endless).await;
        promptly("the answer", begin)?;
        if code == Code::Ok {
            result?;
        } else {
            let text = expect_error(result, code)?;
            expect("text", &text.as_str(), &"that is enough")?;
        }
    }
    Ok(())
}

/// Straight-line code works though the server says nothing, not even headers, before its first answer.
pub(super) async fn first_reply(client: &ExtraServiceClient) -> Verdict {
    let begin = Instant::now();
    let (mut requests, mut responses) = client.converse().await?;
    for number in 0..3 {
        let chunk = Chunk { body: vec![number] };
        requests.send(&chunk).await?;
        expect("answer", &responses.recv().await?, &Some(chunk))?;
    }
    promptly("three answers", begin)?;
    requests.finish();
    expect("after half-close", &responses.recv().await?, &None)
}

/// The server knows how much time is left, in every unit, and both ends keep to it.
pub(super) async fn deadlines(client: &ExtraServiceClient) -> Verdict {
    let without = client.deadline(DeadlineRequest::default()).await?;
    expect("without a deadline", &(without.left_ms < 0), &true)?;
    // grpc-js ends calls at once whose timeout is longer than 24 days.
    for seconds in [10, 3_600, 100_000, 2_000_000] {
        let asked = Duration::from_secs(seconds);
        let call = client.deadline(DeadlineRequest::default()).timeout(asked);
        let left_ms = u64::try_from(call.await?.left_ms).unwrap_or(0);
        let left = Duration::from_millis(left_ms);
        // Peers may round a long timeout to the unit that it came in.
        if left > asked + asked / 50 || left + super::PROMPTLY + asked / 50 < asked {
            return Err(Failure::new(format!(
                "of {asked:?} the server saw {left:?}"
            )));
        }
    }
    let begin = Instant::now();
    let request = DeadlineRequest { wait_ms: 60_000 };
    let call = client.deadline(request).timeout(Duration::from_millis(200));
    expect_error(call.await, Code::DeadlineExceeded)?;
    promptly("a timeout of 200 ms", begin)
}

/// A call that waits longer than a client may be silent gets its answer: the server acknowledges the PING between.
pub(super) async fn keepalive(client: &ExtraServiceClient) -> Verdict {
    client.deadline(DeadlineRequest { wait_ms: 12_500 }).await?;
    Ok(())
}
