//! A town without work, with a mayor that sleeps at its prompt: the real client in a terminal.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::as_it_comes;
use crate::bench::report::Row;
use crate::bench::text;
use crate::e2e::Outfit;
use crate::e2e::town::{Runtime, TownStage};

/// How long everything takes to come to rest after the start. The client says once, a minute after its turn, that it is idle.
const REST: Duration = Duration::from_secs(80);

/// How often to look for new processes.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Returns the script of a mayor that answers and is done.
fn mayor() -> Value {
    let mail = json!([{"tool": "Bash", "input": {
        "command": "gt mail send overseer -s Seen -m 'All is well.'", "description": "answer"}}]);
    json!([
        {"name": "answer", "when": {"anywhere": "You are the mayor", "last": "How is it going"},
            "unless": {"ran": "gt mail send"}, "calls": mail},
        {"name": "rest", "when": {"anywhere": "You are the mayor"}, "text": "My turn is over."},
    ])
}

/// Watches the town for some seconds, right after the mayor's turn and again after a long rest.
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

/// Counts for some time the processes that are started in this process namespace, which holds only the town. Returns the names of
/// those that live long enough to be seen.
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

/// Returns the number that the kernel gave last in this namespace. Each process and each thread takes the next one.
fn newest_pid() -> Result<f64, String> {
    let loads = std::fs::read_to_string("/proc/loadavg").map_err(text)?;
    loads.split_whitespace().last().and_then(|pid| pid.parse().ok()).ok_or_else(|| format!("no number: {loads}"))
}

/// Returns all processes and their threads, with their names.
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
