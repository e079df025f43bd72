//! Who looks whether an input ends, and how much memory was used.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// No input takes this long, on the slowest machine.
const BOUND: Duration = Duration::from_secs(60);

/// The code that a process ends with whose input did not end.
const HANGS: i32 = 3;

/// The input that runs, and since when.
type Running = Option<(Instant, Vec<u8>)>;

/// Knows what is running, and ends the process if it does not end.
#[derive(Debug)]
pub(super) struct Watch {
    current: Arc<Mutex<Running>>,
    trace: Option<PathBuf>,
}

impl Watch {
    pub(super) fn start(target: &'static str, trace: Option<PathBuf>) -> Self {
        let current = Arc::default();
        let watched: Arc<Mutex<Running>> = Arc::clone(&current);
        let temporary = std::env::temp_dir().join(format!("trunkline-fuzz-hang-{target}"));
        let place = trace.clone().unwrap_or(temporary);
        // Ends with the last `Watch`.
        std::thread::spawn(move || {
            while Arc::strong_count(&watched) > 1 {
                std::thread::sleep(Duration::from_millis(200));
                let running = lock(&watched).clone();
                if let Some((since, input)) = running
                    && since.elapsed() > BOUND
                {
                    let _ = std::fs::write(&place, input);
                    tell(&place);
                    std::process::exit(HANGS);
                }
            }
        });
        Self { current, trace }
    }

    pub(super) fn begins(&self, input: &[u8]) {
        if let Some(place) = &self.trace {
            let _ = std::fs::write(place, input);
        }
        *lock(&self.current) = Some((Instant::now(), input.to_vec()));
    }

    pub(super) fn ended(&self) {
        *lock(&self.current) = None;
    }
}

#[expect(clippy::print_stdout, reason = "the last words of a process")]
fn tell(place: &std::path::Path) {
    println!(
        "an input does not end within {} s: {}",
        BOUND.as_secs(),
        place.display()
    );
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The most memory that this process ever had in use at once; `None` where nobody says.
pub(super) fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}
