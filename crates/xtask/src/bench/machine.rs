//! Describes the machine of a measurement.

use std::process::Command;

/// Returns cores, kernel, load, git and tmux, in one line.
pub fn line() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let first = |path: &str, words: usize| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace().take(words).collect::<Vec<_>>().join(" ")
    };
    let (kernel, load) = (first("/proc/sys/kernel/osrelease", 1), first("/proc/loadavg", 3));
    let versions = [version("git", "--version"), version("tmux", "-V")].join(", ");
    format!("{cores} cores, kernel {kernel}, load {load}, {versions}")
}

fn version(program: &str, flag: &str) -> String {
    match Command::new(program).arg(flag).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(_) => format!("no {program}"),
    }
}
