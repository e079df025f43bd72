//! Child processes with a time bound: nothing this tool starts may outlive its bound.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How long the output of a child may stay open after its end, by a process that it left behind.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Between two looks at a child.
const POLL: Duration = Duration::from_millis(5);

/// What a captured command left behind.
pub(crate) struct Captured {
    /// `None` when the time bound ended it.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Captured {
    pub(crate) fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// How it ended, in words.
    pub(crate) fn ending(&self) -> String {
        self.status.map_or_else(
            || "still running at its time bound".to_owned(),
            |status| status.to_string(),
        )
    }
}

/// Cargo as this tool was started by it, so that a `+toolchain` stays the same all the way down.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs `command` with its output on our screen, after saying what runs.
///
/// Errors: it could not be started, it failed, or it was still running after `bound` (then it and its children are killed).
pub(crate) fn run(command: &mut Command, bound: Duration) -> Result<(), String> {
    let line = command_line(command);
    println!("$ {line}");
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| format!("{line}: cannot start: {error}"))?;
    match wait(&mut child, bound) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(format!("{line}: {status}")),
        Ok(None) => {
            kill_tree(&mut child);
            Err(format!("{line}: not done after {} s", bound.as_secs()))
        }
        Err(error) => Err(format!("{line}: {error}")),
    }
}

/// Runs `command` and keeps what it printed; past `bound` it and its children are killed. One that ends and
/// leaves a process behind which holds its output is not waited for.
pub(crate) fn capture(command: &mut Command, bound: Duration) -> io::Result<Captured> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let status = wait(&mut child, bound)?;
    if status.is_none() {
        kill_tree(&mut child);
    }
    Ok(Captured {
        status,
        stdout: stdout.finish(),
        stderr: stderr.finish(),
    })
}

/// Runs `command` and shows each line that it prints as it comes; keeps what it says beside that. Past `bound` it and
/// its children are killed.
pub(crate) fn lines(
    command: &mut Command,
    bound: Duration,
    mut show: impl FnMut(&str),
) -> io::Result<Captured> {
    let end = Instant::now() + bound;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stderr = drain(child.stderr.take());
    let (tell, told) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout).split(b'\n');
            while let Some(Ok(line)) = lines.next() {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
    }
    let mut status = None;
    // A process that was left behind may hold the pipe: after the child's end it is not waited for long.
    let mut patience = end;
    while let Some(left) = patience.checked_duration_since(Instant::now()) {
        match told.recv_timeout(left.min(LAST_WORDS)) {
            Ok(line) => show(String::from_utf8_lossy(&line).trim_end_matches('\r')),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) if status.is_some() => break,
            Err(mpsc::RecvTimeoutError::Timeout) => status = child.try_wait()?,
        }
        if status.is_some() {
            patience = patience.min(Instant::now() + LAST_WORDS);
        }
    }
    if status.is_none() {
        status = wait(&mut child, end.saturating_duration_since(Instant::now()))?;
    }
    if status.is_none() {
        kill_tree(&mut child);
    }
    Ok(Captured {
        status,
        stdout: String::new(),
        stderr: stderr.finish(),
    })
}

/// Whether a program of this name can be started; `probe` is an argument that makes it end at once.
pub(crate) fn exists(program: impl AsRef<OsStr>, probe: &str) -> bool {
    capture(Command::new(program).arg(probe), Duration::from_secs(30))
        .is_ok_and(|captured| captured.succeeded())
}

/// Ends a child and everything below it, by id, and waits for it.
pub(crate) fn kill_tree(child: &mut Child) {
    for pid in descendants(child.id()) {
        // The one way to signal a process without `unsafe`; a process that is gone already is fine.
        let _ = Command::new("kill")
            .args(["-KILL", &pid.to_string()])
            .stderr(Stdio::null())
            .status();
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// The command as one would type it.
pub(crate) fn command_line(command: &Command) -> String {
    let mut words = Vec::new();
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!(
                "{}={:?}",
                key.to_string_lossy(),
                value.to_string_lossy()
            ));
        }
    }
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    words.push(name.to_string_lossy().into_owned());
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

/// Waits for a child; `None` if it is still running after `bound`.
pub(crate) fn wait(child: &mut Child, bound: Duration) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + bound;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// What a pipe has given so far, read by a thread of its own.
struct Drain {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Closed at the end of the pipe.
    end: mpsc::Receiver<()>,
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> Drain {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let (open, end) = mpsc::channel();
    let into = Arc::clone(&bytes);
    thread::spawn(move || {
        let _open: mpsc::Sender<()> = open;
        let Some(mut pipe) = pipe else { return };
        let mut chunk = [0; 8192];
        loop {
            match pipe.read(&mut chunk) {
                Ok(0) => return,
                Ok(read) => {
                    let mut bytes = into.lock().unwrap_or_else(PoisonError::into_inner);
                    bytes.extend_from_slice(chunk.get(..read).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
    Drain { bytes, end }
}

impl Drain {
    /// All that came until the end of the pipe, which is not waited for without a bound.
    fn finish(self) -> String {
        let _ = self.end.recv_timeout(LAST_WORDS);
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Every process below `root`, deepest last; empty where there is no /proc.
fn descendants(root: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let parents: Vec<(u32, u32)> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| Some((pid, parent(pid)?)))
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&above) = found.get(next) {
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == above)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found.remove(0);
    found
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, also ") ": what follows the last one is state, then parent.
    let (_, after) = stat.rsplit_once(") ")?;
    after.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_a_captured_command_is_kept() {
        let captured = capture(
            Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]),
            Duration::from_secs(10),
        )
        .unwrap();
        assert_eq!(captured.stdout, "out\n");
        assert_eq!(captured.stderr, "err\n");
        assert!(!captured.succeeded());
        assert!(captured.ending().contains('3'));
    }

    #[test]
    fn lines_are_shown_as_they_come_also_the_last_without_its_end() {
        let mut shown = Vec::new();
        let ended = lines(
            Command::new("sh").args(["-c", "echo one; echo beside >&2; printf two; exit 3"]),
            Duration::from_secs(10),
            |line| shown.push(line.to_owned()),
        )
        .unwrap();
        assert_eq!(shown, ["one", "two"]);
        assert_eq!(ended.stderr, "beside\n");
        assert!(ended.ending().contains('3'));
    }

    #[test]
    fn lines_of_a_command_past_its_bound_end_with_it() {
        let begin = Instant::now();
        let mut shown = 0;
        let ended = lines(
            Command::new("sh").args(["-c", "while :; do echo more; done & wait"]),
            Duration::from_millis(200),
            |_| shown += 1,
        )
        .unwrap();
        assert!(ended.status.is_none() && shown > 0);
        assert!(begin.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_command_past_its_bound_dies_with_its_children() {
        let begin = Instant::now();
        // The grandchild holds the pipe: the drain ends only if it dies too.
        let captured = capture(
            Command::new("sh").args(["-c", "sleep 60 & wait"]),
            Duration::from_millis(200),
        )
        .unwrap();
        assert!(captured.status.is_none());
        assert!(begin.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_process_that_was_left_behind_with_the_output_is_not_waited_for() {
        let begin = Instant::now();
        let captured = capture(
            Command::new("sh").args(["-c", "sleep 60 & echo $!"]),
            Duration::from_secs(50),
        )
        .unwrap();
        let took = begin.elapsed();
        let ended = exists("kill", captured.stdout.trim());
        assert!(captured.succeeded() && ended, "{}", captured.stdout);
        assert!(took < Duration::from_secs(30));
    }

    #[test]
    fn the_command_line_shows_variables_and_arguments() {
        let mut command = Command::new("/somewhere/bin/go");
        command.env("GOFLAGS", "-mod=mod").args(["install", "x"]);
        assert_eq!(command_line(&command), "GOFLAGS=\"-mod=mod\" go install x");
    }
}
