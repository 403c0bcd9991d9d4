//! Shows people that something slow is running: what, for how long, and its last output.

use std::fs::File;
use std::io::{IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use gt_town::rigs::gates::{Progress, span};
use gt_world::World;

use crate::Process;
use crate::console::{Console, printable};

/// Time between two updates.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Seconds until the first line where nothing can be redrawn; each further line comes after twice as many.
const FIRST_LINE: u64 = 10;

/// Bytes at the end of a log that contain its last line.
const LAST_BYTES: u64 = 2048;

/// Characters of a last line that are shown.
const LAST_CHARS: usize = 80;

/// Work in progress.
struct Now {
    what: String,
    log: PathBuf,
    since: Duration,
}

/// Reports on the error output what is running, from its own thread.
pub struct Ticker {
    now: Arc<Mutex<Option<Now>>>,
    world: Arc<dyn World>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts to report; reports nothing where the console is quiet.
    pub fn new(process: &Process, console: &Console<'_>) -> Self {
        let now = Arc::new(Mutex::new(None));
        let (world, over) = (Arc::clone(&process.outside.world), Arc::new(AtomicBool::new(false)));
        // In a simulated world nothing takes any time.
        let is_wanted = !console.is_quiet() && process.town.is_none();
        let teller = Teller { now: Arc::clone(&now), world: Arc::clone(&world), over: Arc::clone(&over) };
        let thread = is_wanted.then(|| std::thread::spawn(move || teller.tell()));
        Self { now, world, over, thread }
    }

    /// Reports one thing without a log, for as long as it takes.
    pub fn during<T>(what: &str, process: &Process, console: &Console<'_>, act: impl FnOnce() -> T) -> T {
        let ticker = Self::new(process, console);
        ticker.begins(what, "", Path::new(""));
        act()
    }

    fn set(&self, to: Option<Now>) {
        if let Ok(mut now) = self.now.lock() {
            *now = to;
        }
    }
}

impl Progress for Ticker {
    fn begins(&self, what: &str, _run: &str, log: &Path) {
        let since = self.world.clock().monotonic();
        self.set(Some(Now { what: what.to_owned(), log: log.to_owned(), since }));
    }

    fn ends(&self) {
        self.set(None);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A report that the thread could not print is no loss.
            let _ = thread.join();
        }
    }
}

struct Teller {
    now: Arc<Mutex<Option<Now>>>,
    world: Arc<dyn World>,
    over: Arc<AtomicBool>,
}

impl Teller {
    fn tell(&self) {
        let (mut err, is_terminal) = (std::io::stderr(), std::io::stderr().is_terminal());
        let (mut next, mut begun, mut is_shown) = (FIRST_LINE, None, false);
        while !self.over.load(Ordering::Relaxed) {
            self.world.clock().pause(LOOK_EVERY);
            let Some((line, seconds, since)) = self.line() else { continue };
            if begun != Some(since) {
                (begun, next) = (Some(since), FIRST_LINE);
            }
            let told = if is_terminal && seconds > 0 {
                is_shown = true;
                write!(err, "\r\x1b[K{line}").and_then(|()| err.flush())
            } else if !is_terminal && seconds >= next {
                next *= 2;
                writeln!(err, "{line}")
            } else {
                Ok(())
            };
            if told.is_err() {
                return;
            }
        }
        if is_shown {
            let _ = write!(err, "\r\x1b[K").and_then(|()| err.flush());
        }
    }

    fn line(&self) -> Option<(String, u64, Duration)> {
        let now = self.now.lock().ok()?;
        let now = now.as_ref()?;
        let seconds = self.world.clock().monotonic().saturating_sub(now.since).as_secs();
        let said: String = printable(&last_line(&now.log).unwrap_or_default()).chars().take(LAST_CHARS).collect();
        let said = if said.is_empty() { said } else { format!(": {said}") };
        Some((format!("  {} has run for {}{said}", printable(&now.what), span(seconds)), seconds, now.since))
    }
}

/// Returns the last line of a log that is not empty.
fn last_line(log: &Path) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let size = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(LAST_BYTES))).ok()?;
    let mut bytes = Vec::new();
    file.take(LAST_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.split(['\n', '\r']).map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_log_is_the_last_that_says_something() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        assert_eq!(last_line(&log), None);
        let mut file = File::create(&log).unwrap();
        write!(file, "{}\nbuilding 1/2\rbuilding 2/2\n\n", "x".repeat(5000)).unwrap();
        assert_eq!(last_line(&log).as_deref(), Some("building 2/2"));
    }
}
