//! Verbs that agents call often, beside the smallest possible process, with 1,000 beads in the ledger.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::idle::used;
use super::report::Row;
use super::town::{BenchTown, Plan, bead, finish, path, text};

/// Number of beads in the ledger.
const BEADS: usize = 1000;

/// A client's message after a tool call, and its file.
const AFTER_TOOL: &str = r#"{"session_id":"5e55","transcript_path":"/t.jsonl","cwd":"/w","hook_event_name":"PostToolUse",
"tool_name":"Bash","tool_input":{"command":"cargo test"},"tool_response":{"stdout":"ok","stderr":""},"tool_use_id":"t1"}"#;
const INPUT: &str = "after-tool.json";

/// How many minimal process starts a verb may cost.
const AIM: f64 = 3.0;

/// A verb to time.
struct Spec {
    name: &'static str,
    words: &'static [&'static str],
    as_worker: bool,
    /// A command that the worker runs before each call.
    before: &'static [&'static str],
}

/// The hook after a tool.
const HOOK: &[&str] = &["moment", "after-tool", "--client", "claude"];

/// A verb that changes the ledger.
const WRITE: &[&str] = &["mail", "send", "overseer", "-s", "A word", "-m", "Some text"];

const VERBS: &[Spec] = &[
    Spec { name: "gt moment after-tool, no mail", words: HOOK, as_worker: true, before: HOOK },
    Spec {
        name: "gt moment after-tool, no mail, others wrote since the last",
        words: HOOK,
        as_worker: true,
        before: WRITE,
    },
    Spec {
        name: "gt moment before-tool",
        words: &["moment", "before-tool", "--client", "claude"],
        as_worker: true,
        before: &[],
    },
    Spec { name: "gt hook, as a worker", words: &["hook"], as_worker: true, before: &[] },
    Spec { name: "gt prime, as a worker", words: &["prime"], as_worker: true, before: &[] },
    Spec { name: "gt mail inbox, as a worker", words: &["mail", "inbox"], as_worker: true, before: &[] },
    Spec { name: "gt mail inbox, as a person", words: &["mail", "inbox"], as_worker: false, before: &[] },
];

/// Times each verb, and the smallest process right before it, `pairs` times.
pub fn measure(gt: &Path, pairs: usize, behind: u32) -> Result<Vec<Row>, String> {
    let town = BenchTown::start(gt, &Plan { beads: BEADS, runtime: "headless", polecats: 4, behind })?;
    let nothing = town.folder().join("nothing");
    build_nothing(&nothing)?;
    town.sling(&[bead(1)])?;
    let (_, _, agent) = town.sessions()?.into_iter().next().ok_or("no session runs")?;
    let token = agent.variable("GT_INCARNATION")?;
    town.gt(&["mail", "send", "bench/polecats/amber", "overseer", "-s", "A word", "-m", "Some text"])?;
    std::fs::write(town.folder().join(INPUT), AFTER_TOOL).map_err(text)?;
    let mut times = vec![(Vec::new(), Vec::new()); VERBS.len()];
    // The first round warms caches and is not counted.
    for round in 0..=pairs {
        for (at, spec) in VERBS.iter().enumerate() {
            if !spec.before.is_empty() {
                time(&mut verb(&town, spec.before, Some(&token)))?;
            }
            let mut verb = verb(&town, spec.words, spec.as_worker.then_some(token.as_str()));
            let pair = (time(&mut town.command(&nothing))?, time(&mut verb)?);
            if round > 0 {
                times[at].0.push(pair.0);
                times[at].1.push(pair.1);
            }
        }
    }
    let mut rows: Vec<Row> = VERBS
        .iter()
        .zip(&times)
        .map(|(spec, (peer, own))| Row::times(spec.name, own).beside(peer, Some(AIM)))
        .collect();
    let peer = cpu(pairs, || town.command(&nothing))?;
    // In a row of calls nothing changes in between.
    for spec in VERBS.iter().filter(|spec| spec.before != WRITE) {
        let own = cpu(pairs, || verb(&town, spec.words, spec.as_worker.then_some(token.as_str())))?;
        rows.push(Row::times(&format!("{}: CPU time a call", spec.name), &[own]).beside(&[peer], None));
    }
    Ok(rows)
}

fn verb(town: &BenchTown, words: &[&str], token: Option<&str>) -> Command {
    let mut verb = town.command(town.gt_path());
    verb.args(words).envs(token.map(|token| ("GT_INCARNATION", token)));
    if let Ok(input) = std::fs::File::open(town.folder().join(INPUT)) {
        verb.stdin(input);
    }
    verb
}

/// Returns the CPU time of one call, as the mean of `calls` in a row. A busy machine distorts CPU time less than elapsed time.
fn cpu(calls: usize, command: impl Fn() -> Command) -> Result<Duration, String> {
    let own = i32::try_from(std::process::id()).map_err(text)?;
    let before = used(own).children_ms;
    for _ in 0..calls {
        time(&mut command())?;
    }
    Ok(Duration::from_secs_f64((used(own).children_ms - before) / 1000.0 / calls as f64))
}

/// Builds a program that does nothing, with the settings of the release build.
pub fn build_nothing(program: &Path) -> Result<(), String> {
    let source = program.with_extension("rs");
    std::fs::write(&source, "fn main() {}\n").map_err(text)?;
    // Keeps the environment unchanged: it may be needed to find rustc.
    let mut rustc = Command::new("rustc");
    finish(rustc.args(["-O", "-C", "strip=symbols", "--edition", "2024", "-o", &path(program), &path(&source)]))?;
    Ok(())
}

/// Returns the time from before the start to after the end.
fn time(command: &mut Command) -> Result<Duration, String> {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().map_err(text)?;
    let took = start.elapsed();
    if status.success() { Ok(took) } else { Err(format!("{command:?}: {status}")) }
}
