//! A good client on another connection, which must not notice.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use trunkline_test_protos::echo::EchoClient;

use crate::handlers::note;
use crate::world::soon;

/// A good client that calls again and again while others attack.
pub(crate) struct Witness {
    calling: JoinHandle<Vec<Duration>>,
    stop: tokio::sync::oneshot::Sender<()>,
}

/// How long the calls of a [`Witness`] took.
#[derive(Debug)]
pub(crate) struct Latencies(Vec<Duration>);

impl Witness {
    /// Starts to call, one call after the other.
    pub(crate) async fn start(echo: EchoClient) -> Self {
        soon(echo.once(note("warm"))).await.unwrap();
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let calling = tokio::spawn(async move {
            let mut all = Vec::new();
            while stopped.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
                let began = Instant::now();
                let answer = soon(echo.once(note("still here?"))).await;
                assert_eq!(answer.unwrap().text, "still here?");
                all.push(began.elapsed());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            all
        });
        Self { calling, stop }
    }

    /// All of its calls were answered, none of them late.
    pub(crate) async fn found_well(self) -> Latencies {
        let _ = self.stop.send(());
        let mut all = soon(self.calling).await.unwrap();
        all.sort_unstable();
        let latencies = Latencies(all);
        assert!(
            latencies.share(99) < Duration::from_secs(1),
            "another connection felt it: {latencies}"
        );
        latencies
    }
}

impl Latencies {
    /// So many of a hundred calls took no longer.
    fn share(&self, of_a_hundred: usize) -> Duration {
        let place = (self.0.len() * of_a_hundred).div_ceil(100);
        self.0[place.saturating_sub(1)]
    }
}

impl std::fmt::Display for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        write!(
            f,
            "{} calls of another connection: p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
            self.0.len(),
            ms(self.share(50)),
            ms(self.share(99)),
            ms(self.share(100)),
        )
    }
}
