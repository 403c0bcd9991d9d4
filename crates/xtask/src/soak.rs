//! Runs the demo many times: a failure in one of twenty runs is a failure.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Numbers of workers that the runs use in turn.
const POLECATS: [u32; 3] = [4, 2, 3];

/// Runs `gt demo` `runs` times. The error names the seeds that were not green.
pub fn demo(runs: u64, first_seed: u64, polecats: Option<u32>, runtime: &str) -> Result<(), String> {
    let gt = build()?;
    let (mut times, mut red) = (Vec::new(), Vec::new());
    for (at, seed) in (first_seed..first_seed + runs).enumerate() {
        let polecats = polecats.unwrap_or(POLECATS[at % POLECATS.len()]);
        let (green, took) = run(&gt, seed, polecats, runtime)?;
        let word = if green { "green" } else { "RED" };
        println!("run {}/{runs}: seed {seed}, {polecats} polecats: {word} after {:.1} s", at + 1, took.as_secs_f64());
        times.push(took);
        if !green {
            red.push(seed);
        }
    }
    times.sort();
    if let (Some(least), Some(median), Some(most)) = (times.first(), times.get(times.len() / 2), times.last()) {
        let [least, median, most] = [least, median, most].map(Duration::as_secs_f64);
        println!(
            "soak demo: {} of {runs} green; {least:.1} s least, {median:.1} s median, {most:.1} s most",
            times.len() - red.len()
        );
    }
    if red.is_empty() { Ok(()) } else { Err(format!("not green with seeds {red:?}; their folders are kept")) }
}

/// Builds a release `gt` and returns its path.
pub fn build() -> Result<PathBuf, String> {
    build_as("release", &["--release"])
}

/// Builds the `gt` that the tests use, which usually exists already.
pub fn build_debug() -> Result<PathBuf, String> {
    build_as("debug", &[])
}

fn build_as(profile: &str, flags: &[&str]) -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("no workspace")?;
    let status = Command::new("cargo").args(["build", "--bin", "gt"]).args(flags).current_dir(root).status();
    match status {
        Ok(status) if status.success() => Ok(root.join("target").join(profile).join("gt")),
        Ok(status) => Err(format!("the build failed: {status}")),
        Err(error) => Err(format!("cargo can't be started: {error}")),
    }
}

/// Runs the demo once. A red run keeps its folder by itself and prints its path.
fn run(gt: &Path, seed: u64, polecats: u32, runtime: &str) -> Result<(bool, Duration), String> {
    let start = Instant::now();
    let (seed, polecats) = (seed.to_string(), polecats.to_string());
    let output = Command::new(gt)
        .args(["demo", "--seed", &seed, "--polecats", &polecats, "--runtime", runtime])
        .output()
        .map_err(|e| format!("{} can't be started: {e}", gt.display()))?;
    if !output.status.success() {
        println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    Ok((output.status.success(), start.elapsed()))
}
