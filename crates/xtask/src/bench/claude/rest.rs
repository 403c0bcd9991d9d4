//! A town that has nothing to do, with a mayor that sleeps at its prompt: the real client in a terminal.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::as_it_comes;
use crate::bench::report::Row;
use crate::bench::text;
use crate::e2e::Outfit;
use crate::e2e::town::{Runtime, TownStage};

/// Until everything that starting set in motion has come to rest; the client says once, a minute after its turn, that it
/// is idle.
const REST: Duration = Duration::from_secs(80);

/// How often new processes are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A mayor that answers, and is done.
fn mayor() -> Value {
    let mail = json!([{"tool": "Bash", "input": {
        "command": "gt mail send overseer -s Seen -m 'All is well.'", "description": "answer"}}]);
    json!([
        {"name": "answer", "when": {"anywhere": "You are the mayor", "last": "How is it going"},
            "unless": {"ran": "gt mail send"}, "calls": mail},
        {"name": "rest", "when": {"anywhere": "You are the mayor"}, "text": "My turn is over."},
    ])
}

/// Watches it for some seconds, right after its turn and once more when it has been at rest for long.
pub fn measure(outfit: &Outfit, seconds: u64) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    TownStage::on(outfit, as_it_comes(Runtime::Tmux), &mayor(), |town| {
        town.gt(&["mayor", "ask", "How is it going?"])?;
        town.until("the mayor's answer", || {
            let inbox = town.facts(&["mail", "inbox"]).ok()?;
            inbox["mail"].as_array()?.iter().any(|mail| mail["subject"] == "Seen").then_some(())
        })?;
        std::thread::sleep(REST);
        let asked = town.fake.asked().len();
        let (made, seen) = watch(Duration::from_secs(seconds))?;
        let calls = town.fake.asked().len() - asked;
        rows.push(Row::single("mayor asleep: model calls", "", calls as f64));
        rows.push(Row::single("mayor asleep: processes and threads that anything of the town started", "", made));
        rows.extend(seen.iter().map(|(name, count)| Row::single(&format!("  of it seen: {name}"), "", *count as f64)));
        rows.push(Row::single("mayor asleep: watched for", "s", seconds as f64));
        Ok(String::new())
    })?;
    Ok(rows)
}

/// Counts what is started in this namespace of processes, which has nothing but the town, for some time; and names what
/// lives long enough to be seen.
fn watch(how_long: Duration) -> Result<(f64, BTreeMap<String, usize>), String> {
    let (before, mut known, mut seen) = (newest_pid()?, tasks(), BTreeMap::new());
    let begin = Instant::now();
    while begin.elapsed() < how_long {
        std::thread::sleep(LOOK_EVERY);
        for (pid, name) in tasks() {
            if known.insert(pid, name.clone()).is_none() {
                *seen.entry(name).or_insert(0) += 1;
            }
        }
    }
    Ok((newest_pid()? - before, seen))
}

/// The number that the kernel gave last in this namespace. Each process and each thread takes the next one.
fn newest_pid() -> Result<f64, String> {
    let loads = std::fs::read_to_string("/proc/loadavg").map_err(text)?;
    loads.split_whitespace().last().and_then(|pid| pid.parse().ok()).ok_or_else(|| format!("no number: {loads}"))
}

/// All processes and their threads, with what they are called.
fn tasks() -> BTreeMap<i32, String> {
    let mut tasks = BTreeMap::new();
    for pid in numbers("/proc") {
        let main = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
        for task in numbers(&format!("/proc/{pid}/task")) {
            let name = std::fs::read_to_string(format!("/proc/{pid}/task/{task}/comm")).unwrap_or_default();
            let kind = if task == pid { "process" } else { "thread" };
            let words: Vec<&str> = main.split_whitespace().take(3).collect();
            tasks.insert(task, format!("{kind} {} of {}", name.trim(), words.join(" ")));
        }
    }
    tasks
}

fn numbers(folder: &str) -> Vec<i32> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
