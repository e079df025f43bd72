//! The two soaks: many large calls on one channel, or each on a new one.

use crate::cases::{Dial, Failure, Verdict};
use crate::flags::Flags;
use crate::messages::{SimpleRequest, TestServiceClient, payload, size};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use trunkline::client::Channel;

/// How long and how hard, with the names and the defaults that all implementations have.
#[derive(Clone, Debug)]
pub struct Soak {
    iterations: u32,
    max_failures: u32,
    per_iteration: Duration,
    min_between: Duration,
    overall: Duration,
    request_bytes: i32,
    response_bytes: i32,
    threads: u32,
}

impl Soak {
    /// The flags that [`from_flags`](Self::from_flags) looks at.
    pub const FLAGS: [&'static str; 8] = [
        "soak_iterations",
        "soak_max_failures",
        "soak_per_iteration_max_acceptable_latency_ms",
        "soak_min_time_ms_between_rpcs",
        "soak_overall_timeout_seconds",
        "soak_request_size",
        "soak_response_size",
        "soak_num_threads",
    ];

    /// What a command line says, and the defaults for what it does not.
    ///
    /// Errors: a value that is no number, or threads that cannot share the iterations evenly.
    pub fn from_flags(flags: &Flags) -> Result<Self, String> {
        let millis = |name, default| flags.value(name, default).map(Duration::from_millis);
        let soak = Self {
            iterations: flags.value("soak_iterations", 10)?,
            max_failures: flags.value("soak_max_failures", 0)?,
            per_iteration: millis("soak_per_iteration_max_acceptable_latency_ms", 1_000)?,
            min_between: millis("soak_min_time_ms_between_rpcs", 0)?,
            overall: Duration::from_secs(flags.value("soak_overall_timeout_seconds", 10)?),
            request_bytes: flags.value("soak_request_size", 271_828)?,
            response_bytes: flags.value("soak_response_size", 314_159)?,
            threads: flags.value("soak_num_threads", 1)?,
        };
        match soak.iterations.checked_rem(soak.threads) {
            Some(0) => Ok(soak),
            _ => Err(format!(
                "{} iterations cannot be shared by {} threads",
                soak.iterations, soak.threads
            )),
        }
    }
}

/// Which channel each iteration is on.
#[derive(Clone, Copy)]
pub(crate) enum Channels {
    /// `rpc_soak`.
    One,
    /// `channel_soak`.
    Each,
}

/// What the iterations of one thread or of all came to.
#[derive(Default)]
struct Tally {
    succeeded: u32,
    failed: u32,
    slowest: Duration,
}

pub(crate) async fn run(dial: &Dial, soak: &Soak, channels: Channels) -> Verdict {
    let end = Instant::now() + soak.overall;
    let shared = match channels {
        Channels::One => Some(dial()?),
        Channels::Each => None,
    };
    let mut threads = JoinSet::new();
    for number in 0..soak.threads {
        let worker = Worker {
            number,
            dial: Arc::clone(dial),
            shared: shared.clone(),
            soak: soak.clone(),
            end,
        };
        threads.spawn(worker.run());
    }
    let mut all = Tally::default();
    while let Some(tally) = threads.join_next().await {
        let tally = tally.map_err(|error| Failure::new(error.to_string()))?;
        all.succeeded += tally.succeeded;
        all.failed += tally.failed;
        all.slowest = all.slowest.max(tally.slowest);
    }
    judge(&all, soak)
}

fn judge(all: &Tally, soak: &Soak) -> Verdict {
    eprintln!(
        "soak: {} of {} iterations succeeded, {} failed, the slowest took {:?}",
        all.succeeded, soak.iterations, all.failed, all.slowest
    );
    let ran = all.succeeded + all.failed;
    if ran < soak.iterations {
        let (wanted, bound) = (soak.iterations, soak.overall);
        return Err(Failure::new(format!(
            "only {ran} of {wanted} iterations in {bound:?}"
        )));
    }
    if all.failed > soak.max_failures {
        let (failed, allowed) = (all.failed, soak.max_failures);
        return Err(Failure::new(format!(
            "{failed} iterations failed, {allowed} may"
        )));
    }
    Ok(())
}

struct Worker {
    number: u32,
    dial: Dial,
    shared: Option<Channel>,
    soak: Soak,
    end: Instant,
}

impl Worker {
    async fn run(self) -> Tally {
        let mut tally = Tally::default();
        for iteration in 0..self.soak.iterations / self.soak.threads {
            let begin = Instant::now();
            if begin >= self.end {
                break;
            }
            let result = self.iterate().await;
            let took = begin.elapsed();
            tally.slowest = tally.slowest.max(took);
            let failure = match result {
                Ok(()) if took > self.soak.per_iteration => Some(Failure::new("too slow")),
                Ok(()) => None,
                Err(why) => Some(why),
            };
            match failure {
                None => tally.succeeded += 1,
                Some(why) => {
                    tally.failed += 1;
                    let number = self.number;
                    eprintln!("thread {number}: iteration {iteration} took {took:?}: {why}");
                }
            }
            tokio::time::sleep(self.soak.min_between.saturating_sub(took)).await;
        }
        tally
    }

    async fn iterate(&self) -> Verdict {
        let channel = match &self.shared {
            Some(shared) => shared.clone(),
            None => (self.dial)()?,
        };
        let request = SimpleRequest {
            response_size: self.soak.response_bytes,
            payload: payload(self.soak.request_bytes),
            ..SimpleRequest::default()
        };
        let client = TestServiceClient::new(channel);
        let left = self.end.saturating_duration_since(Instant::now());
        let reply = client.unary_call(request).timeout(left).await?;
        let found = size(reply.payload.as_ref());
        match i32::try_from(found) {
            Ok(found) if found == self.soak.response_bytes => Ok(()),
            _ => Err(Failure::new(format!("a response of {found} bytes"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soak(line: &str) -> Result<Soak, String> {
        let words = line.split_whitespace().map(str::to_owned);
        Soak::from_flags(&Flags::parse(words, &Soak::FLAGS)?)
    }

    #[test]
    fn a_soak_that_ran_out_of_time_or_of_allowed_failures_has_failed() {
        let soak = soak("--soak_iterations=3 --soak_max_failures=1").unwrap();
        let tally = |succeeded, failed| Tally {
            succeeded,
            failed,
            slowest: Duration::ZERO,
        };
        assert!(judge(&tally(3, 0), &soak).is_ok());
        assert!(judge(&tally(2, 1), &soak).is_ok());
        assert!(judge(&tally(1, 2), &soak).is_err());
        assert!(judge(&tally(2, 0), &soak).is_err());
    }

    #[test]
    fn threads_share_the_iterations_evenly_or_not_at_all() {
        assert!(soak("--soak_iterations=10 --soak_num_threads=5").is_ok());
        assert!(soak("--soak_iterations=10 --soak_num_threads=3").is_err());
        assert!(soak("--soak_num_threads=0").is_err());
    }
}
