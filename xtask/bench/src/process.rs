//! What a process has used: CPU time of all threads, user and kernel, and memory.

use std::fs;
use std::time::Duration;

/// Linux counts `utime` and `stime` in these, whatever the kernel's own tick is.
const NANOS_PER_TICK: u64 = 10_000_000;

/// CPU time so far; zero once it is gone.
///
/// The scheduler's own sum of each living thread is exact to the nanosecond. A thread that has ended takes its time
/// along: the programs start all of theirs before the measured interval. Kernels without it give ticks of 10 ms.
pub(crate) fn cpu(pid: u32) -> Duration {
    Duration::from_nanos(from_schedstat(pid).or_else(|| from_ticks(pid)).unwrap_or(0))
}

fn from_schedstat(pid: u32) -> Option<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        sum += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    (sum > 0).then_some(sum)
}

fn from_ticks(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = text.rsplit_once(") ")?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some((user + kernel) * NANOS_PER_TICK)
}

/// Resident memory now, in KiB; zero once it is gone.
pub(crate) fn memory(pid: u32) -> u64 {
    status(pid, "VmRSS:")
}

/// The most that it was, in KiB.
pub(crate) fn peak_memory(pid: u32) -> u64 {
    status(pid, "VmHWM:")
}

fn status(pid: u32, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_time() {
        let me = std::process::id();
        let before = cpu(me);
        let mut x = 0_u64;
        for i in 0..50_000_000_u64 {
            x = std::hint::black_box(x ^ i);
        }
        assert!(cpu(me) > before);
    }

    #[test]
    fn a_process_has_memory() {
        let me = std::process::id();
        // In this order: other tests of this process take more in between.
        let now = memory(me);
        assert!(now > 100 && peak_memory(me) >= now);
    }

    #[test]
    fn a_process_that_is_gone_has_none() {
        assert_eq!(cpu(u32::MAX), Duration::ZERO);
        assert_eq!(memory(u32::MAX), 0);
    }
}
