//! Reads the process table from `/proc`.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use gt_world::ProcessId;

/// A process that belongs to a demo and still runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Process id.
    pub pid: i32,
    /// Command line.
    pub command: String,
    /// How it belongs to the demo.
    pub why: &'static str,
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({}) is still there: {}", self.pid, self.command, self.why)
    }
}

/// Finds processes that belong to the demo in `dir` (as the kernel writes that path): they have an incarnation's identity
/// and know the folder, or are in it, or name it. Leaves out the calling process and its ancestors.
pub fn strays(dir: &Path) -> std::io::Result<Vec<Stray>> {
    let ours = ancestors(i32::try_from(std::process::id()).unwrap_or_default());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if !ours.contains(&pid) && !is_zombie(pid) {
            found.extend(stray(pid, dir));
        }
    }
    found.sort_by_key(|stray| stray.pid);
    Ok(found)
}

/// Says how a process belongs to the demo; `None` where it does not, has ended meanwhile, or is not readable.
fn stray(pid: i32, dir: &Path) -> Option<Stray> {
    let command = read(pid, "cmdline").unwrap_or_default();
    let environment = read(pid, "environ").unwrap_or_default();
    let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).ok();
    let has_identity = environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(b"GT_INCARNATION="));
    let why = if has_identity && names(&environment, dir) {
        "it has an incarnation's identity"
    } else if cwd.is_some_and(|cwd| cwd.starts_with(dir)) {
        "its working folder is there"
    } else if names(&command, dir) {
        "its command line names the folder"
    } else {
        return None;
    };
    let command = String::from_utf8_lossy(&command).replace('\0', " ").trim().to_owned();
    Some(Stray { pid, command, why })
}

fn read(pid: i32, file: &str) -> Option<Vec<u8>> {
    std::fs::read(format!("/proc/{pid}/{file}")).ok()
}

/// Whether `dir` or a path below it occurs in `text`.
fn names(text: &[u8], dir: &Path) -> bool {
    let dir = dir.as_os_str().as_encoded_bytes();
    let ends = |after: Option<&u8>| after.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"._-".contains(byte));
    text.windows(dir.len()).enumerate().any(|(at, window)| window == dir && ends(text.get(at + dir.len())))
}

/// Returns the fields of `/proc/<pid>/stat` after the program's name, which may hold anything; the first is the state.
fn stat(pid: i32) -> Option<Vec<String>> {
    let text = String::from_utf8_lossy(&read(pid, "stat")?).into_owned();
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn is_zombie(pid: i32) -> bool {
    stat(pid).is_none_or(|fields| fields.first().is_none_or(|state| state == "Z"))
}

/// Returns a process and its ancestors.
fn ancestors(mut pid: i32) -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    while pid > 0 && found.insert(pid) {
        pid = stat(pid).and_then(|fields| fields.get(1)?.parse().ok()).unwrap_or(0);
    }
    found
}

/// Whether exactly this process still runs, and is not a zombie that waits to be reaped.
pub fn still_runs(process: &ProcessId) -> bool {
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    boot_id.trim() == process.boot_id
        && !is_zombie(process.pid)
        && start_ticks(process.pid) == Some(process.start_ticks)
}

/// Returns the ticks since boot at which the process with that pid started: the 22nd field, the state being the third.
fn start_ticks(pid: i32) -> Option<u64> {
    stat(pid)?.get(19)?.parse().ok()
}
