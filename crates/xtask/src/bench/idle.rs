//! Measures the cost of a town without work.

use std::path::Path;
use std::time::Duration;

use super::report::Row;
use super::town::{BenchTown, Plan, stat};

/// Milliseconds of one clock tick of /proc (`USER_HZ` is 100 on every Linux that we run on).
const TICK_MS: f64 = 10.0;

/// How long everything takes to come to rest after the start.
const REST: Duration = Duration::from_secs(10);

/// Resources that a process has used so far.
#[derive(Clone, Copy, Default)]
pub struct Used {
    /// Its own CPU time, in milliseconds.
    pub own_ms: f64,
    /// CPU time of its children that have ended and were reaped, in milliseconds.
    pub children_ms: f64,
    /// Context switches of all its threads.
    pub switches: f64,
}

/// Watches boot and the deacon for some seconds.
pub fn measure(gt: &Path, seconds: u64, behind: u32) -> Result<Vec<Row>, String> {
    let town = BenchTown::start(gt, &Plan { beads: 1000, runtime: "headless", polecats: 4, behind })?;
    std::thread::sleep(REST);
    let daemons = [("boot", town.daemon("boot")?), ("deacon", town.daemon("deacon")?)];
    let before: Vec<Used> = daemons.iter().map(|(_, process)| used(process.pid)).collect();
    let forks = forks();
    std::thread::sleep(Duration::from_secs(seconds));
    let mut rows = Vec::new();
    for ((role, process), before) in daemons.iter().zip(before) {
        let after = used(process.pid);
        let mut row = |what: &str, unit, value| rows.push(Row::single(&format!("{role}: {what}"), unit, value));
        row("CPU time", "ms", after.own_ms - before.own_ms);
        row("CPU time of its ended children", "ms", after.children_ms - before.children_ms);
        row("context switches", "", after.switches - before.switches);
    }
    let forks = self::forks() - forks;
    rows.push(Row::single("forks on the whole machine, whoever did them", "", forks));
    rows.push(Row::single("watched for", "s", seconds as f64));
    Ok(rows)
}

/// Returns what a process has used so far.
pub fn used(pid: i32) -> Used {
    let fields = stat(pid).unwrap_or_default();
    let field = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN);
    Used {
        own_ms: (field(11) + field(12)) * TICK_MS,
        children_ms: (field(13) + field(14)) * TICK_MS,
        switches: switches(pid),
    }
}

/// Counts the context switches of all its threads, voluntary and involuntary ones.
fn switches(pid: i32) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let statuses = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("status")).ok());
    let counts = |status: String| {
        let lines = status.lines().filter_map(|line| line.split_once("ctxt_switches:")?.1.trim().parse::<f64>().ok());
        lines.sum::<f64>()
    };
    statuses.map(counts).sum()
}

fn forks() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    stat.lines().find_map(|line| line.strip_prefix("processes ")?.parse().ok()).unwrap_or(f64::NAN)
}
