//! `dns:` targets, looked up by the operating system.
//!
//! 1. The first look-up starts at once. Each is bounded by 30 s.
//! 2. After a success nothing is looked up until somebody asks, and then not before 30 s have
//!    passed since the last look-up began: a server that refuses connections must not turn every
//!    client into a load on the name server.
//! 3. After a failure the next look-up follows by itself after the usual backoff.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trunkline_core::{Code, Origin, Stage, Status};
use trunkline_transport::{Address, now};

use super::{BoxFuture, Resolver, ResolverUpdate};
use crate::subchannel::{Backoff, BackoffConfig};

/// A look-up that takes longer has failed.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(30);

/// The shortest time between the beginnings of two look-ups of which the first went well.
const MIN_INTERVAL: Duration = Duration::from_secs(30);

type Lookup =
    Arc<dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

pub(crate) struct Dns {
    host: String,
    port: u16,
    lookup: Lookup,
    running: Option<BoxFuture<'static, Result<Vec<Address>, Status>>>,
    schedule: Schedule,
}

impl Dns {
    pub(crate) fn new(host: &str, port: u16, backoff: BackoffConfig) -> Self {
        let system: Lookup = Arc::new(|host, port| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((host.as_str(), port)).await?;
                Ok(found.collect())
            })
        });
        Self::with_lookup(host, port, backoff, system)
    }

    fn with_lookup(host: &str, port: u16, backoff: BackoffConfig, lookup: Lookup) -> Self {
        Self {
            host: host.to_owned(),
            port,
            lookup,
            running: None,
            schedule: Schedule::new(backoff),
        }
    }

    fn start(&self) -> BoxFuture<'static, Result<Vec<Address>, Status>> {
        let lookup = (self.lookup)(self.host.clone(), self.port);
        let (host, port) = (self.host.clone(), self.port);
        Box::pin(async move {
            let text = match tokio::time::timeout(LOOKUP_TIMEOUT, lookup).await {
                Ok(Ok(found)) if found.is_empty() => "the name has no address".to_owned(),
                Ok(Ok(found)) => return Ok(found.into_iter().map(Address::Tcp).collect()),
                Ok(Err(error)) => {
                    return Err(failure(format!("{host}:{port}: {error}")).with_source(error));
                }
                Err(_elapsed) => format!("no answer within {LOOKUP_TIMEOUT:?}"),
            };
            Err(failure(format!("{host}:{port}: {text}")))
        })
    }
}

fn failure(text: String) -> Status {
    Status::new(Code::Unavailable, text)
        .with_origin(Origin::Transport)
        .with_stage(Stage::Resolve)
        .with_unprocessed(true)
}

impl Resolver for Dns {
    fn next(&mut self) -> BoxFuture<'_, ResolverUpdate> {
        Box::pin(async {
            loop {
                if let Some(running) = &mut self.running {
                    let result = running.await;
                    self.running = None;
                    self.schedule.ended(now(), result.is_ok());
                    return match result {
                        Ok(addresses) => ResolverUpdate::Addresses(addresses),
                        Err(why) => ResolverUpdate::Failed(why),
                    };
                }
                match self.schedule.next_at() {
                    Some(at) if at > now() => tokio::time::sleep_until(at.into()).await,
                    Some(_) | None if self.schedule.start(now()) => {
                        self.running = Some(self.start())
                    }
                    Some(_) | None => std::future::pending().await,
                }
            }
        })
    }

    fn resolve_now(&mut self) {
        self.schedule.request(now());
    }
}

/// When to look up next: a plain value that is told the time.
#[derive(Debug)]
struct Schedule {
    backoff: Backoff,
    began: Option<Instant>,
    running: bool,
    next: Option<Instant>,
    first: bool,
}

impl Schedule {
    fn new(backoff: BackoffConfig) -> Self {
        Self {
            backoff: Backoff::new(backoff),
            began: None,
            running: false,
            next: None,
            first: true,
        }
    }

    /// When the next look-up is due; `None`: at once if it is the first, else when asked.
    fn next_at(&self) -> Option<Instant> {
        self.next
    }

    /// True where a look-up is to begin now.
    fn start(&mut self, now: Instant) -> bool {
        let due = self.first || self.next.is_some_and(|at| at <= now);
        if !due || self.running {
            return false;
        }
        self.first = false;
        self.next = None;
        self.running = true;
        self.began = Some(now);
        true
    }

    fn ended(&mut self, now: Instant, well: bool) {
        self.running = false;
        if well {
            self.backoff.reset();
        } else {
            let began = self.began.unwrap_or(now);
            self.next = Some(
                began
                    .checked_add(self.backoff.next())
                    .unwrap_or(now)
                    .max(now),
            );
        }
    }

    /// Asks for a look-up; one that is running or planned answers it.
    fn request(&mut self, now: Instant) {
        if self.running || self.first || self.next.is_some() {
            return;
        }
        let allowed = self.began.and_then(|began| began.checked_add(MIN_INTERVAL));
        self.next = Some(allowed.unwrap_or(now).max(now));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn plain() -> BackoffConfig {
        BackoffConfig {
            jitter: 0.0,
            ..BackoffConfig::default()
        }
    }

    #[test]
    fn schedule_looks_up_at_once_then_when_asked_but_not_often() {
        let t0 = Instant::now();
        let second = Duration::from_secs(1);
        let mut schedule = Schedule::new(plain());
        schedule.request(t0);
        assert!(schedule.start(t0));
        assert!(!schedule.start(t0), "one at a time");
        schedule.ended(t0 + second, true);
        assert_eq!(schedule.next_at(), None);
        assert!(!schedule.start(t0 + 100 * second), "nobody asked");
        schedule.request(t0 + 2 * second);
        assert_eq!(schedule.next_at(), Some(t0 + 30 * second));
        assert!(!schedule.start(t0 + 29 * second));
        assert!(schedule.start(t0 + 30 * second));
        schedule.ended(t0 + 31 * second, true);
        schedule.request(t0 + 90 * second);
        assert!(schedule.start(t0 + 90 * second), "long enough ago: at once");
    }

    #[test]
    fn schedule_repeats_after_failures_with_backoff() {
        let t0 = Instant::now();
        let second = Duration::from_secs(1);
        let mut schedule = Schedule::new(plain());
        assert!(schedule.start(t0));
        schedule.ended(t0, false);
        assert_eq!(schedule.next_at(), Some(t0 + second));
        schedule.request(t0);
        assert_eq!(
            schedule.next_at(),
            Some(t0 + second),
            "asking does not shorten a backoff"
        );
        assert!(schedule.start(t0 + second));
        schedule.ended(t0 + second, false);
        assert_eq!(schedule.next_at(), Some(t0 + Duration::from_millis(2_600)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_name_server_is_bounded_and_the_next_look_up_succeeds() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let lookup: Lookup = Arc::new(move |_host, port| {
            let call = counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                if call == 0 {
                    std::future::pending::<()>().await;
                }
                Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
            })
        });
        let mut dns = Dns::with_lookup("slow.example", 80, plain(), lookup);
        let began = now();
        let ResolverUpdate::Failed(why) = dns.next().await else {
            panic!("no failure");
        };
        assert_eq!(now() - began, LOOKUP_TIMEOUT);
        assert_eq!(
            why.to_string(),
            "UNAVAILABLE: resolve: slow.example:80: no answer within 30s"
        );
        let ResolverUpdate::Addresses(found) = dns.next().await else {
            panic!("no address");
        };
        assert_eq!(
            found,
            [Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 80)))]
        );
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_up_survives_a_cancelled_next() {
        let lookup: Lookup = Arc::new(|_host, port| {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
            })
        });
        let mut dns = Dns::with_lookup("slow.example", 80, plain(), lookup);
        let began = now();
        for _ in 0..3 {
            let second = Duration::from_secs(1);
            assert!(tokio::time::timeout(second, dns.next()).await.is_err());
        }
        assert!(matches!(dns.next().await, ResolverUpdate::Addresses(_)));
        assert_eq!(now() - began, Duration::from_secs(5));
    }
}
