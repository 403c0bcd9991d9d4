//! The processes of a stage: those whose environment names its folder. Every process there inherits that.

use std::path::Path;
use std::time::{Duration, Instant};

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Returns the processes of the folder, each with its pid and `<pid> <command line>`.
pub fn of(folder: &Path) -> Vec<(i32, String)> {
    let needle = folder.as_os_str().as_encoded_bytes();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ours = pids.filter(|pid| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.windows(needle.len()).any(|window| window == needle)
    });
    ours.map(|pid| (pid, command_line(pid))).collect()
}

/// Counts the processes of all users that have these words in their command line.
pub fn count(words: &str) -> usize {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| is_program(&command_line(*pid), words)).count()
}

/// Whether the line is the program's own. Shells that start it have the words too, among others.
fn is_program(line: &str, words: &str) -> bool {
    line.trim_start_matches("/usr").trim_start_matches("/bin/").starts_with(words)
}

/// Whether a process was started with a variable.
pub fn has_variable(pid: i32, name: &str) -> bool {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let name = format!("{name}=");
    environ.split(|byte| *byte == 0).any(|entry| entry.starts_with(name.as_bytes()))
}

fn command_line(pid: i32) -> String {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ").trim().to_owned()
}

/// Waits until `look` finds something. The error says what was expected.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Result<T, String> {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if begin.elapsed() > limit {
            return Err(format!("{what}: not within {} s", limit.as_secs()));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Waits until a folder has no processes.
pub fn gone(folder: &Path, limit: Duration) -> Result<(), String> {
    let left = until("all processes gone", limit, || of(folder).is_empty().then_some(()));
    left.map_err(|why| {
        let left: Vec<String> = of(folder).into_iter().map(|(pid, line)| format!("{pid} {line}")).collect();
        format!("{why}; left: {}", left.join("; "))
    })
}
