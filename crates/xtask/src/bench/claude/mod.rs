//! What a town adds to the real Claude Code: the same scripted work by the client alone and as a polecat, in turn, and what
//! it costs while nobody works. The stage is that of `e2e`: a fake model, and nothing but loopback.

use std::path::Path;
use std::time::{Duration, SystemTime};

use gt_testkit::fake_model::Asked;
use serde_json::{Value, json};

use super::Args;
use super::report::Row;
use crate::e2e::client::Client;
use crate::e2e::town::{Runtime, Terms, TownStage};
use crate::e2e::{self, Outfit};

mod alone;
mod rest;
mod slung;
mod words;

/// What the client alone is told at the beginning of its prompt.
const ALONE: &str = "WORK-ALONE";

/// Tools that the work itself takes.
const WORK_CALLS: usize = 3;

/// The script's rules that call them.
const FILE_RULES: [&str; 2] = ["item-read", "item-edit"];
const COMMIT_RULE: &str = "item-commit";

/// A town as it comes, but that what is green lands.
fn as_it_comes(runtime: Runtime) -> Terms {
    Terms { runtime, pace: "", may: "trust = \"bypass\"" }
}

/// Calls this program again where the client reaches nobody, and processes can be counted.
pub fn enter(args: &Args, gt: &Path) -> Result<(), String> {
    e2e::within(e2e::OWN_PROCESSES, |command| {
        command.args(["bench", "claude", "--gt"]).arg(gt).args(args.json.then_some("--json"));
        command.args(["--seconds", &args.seconds.to_string()]);
        command.args(args.pairs.map(|pairs| format!("--pairs={pairs}")));
        Ok(())
    })
}

/// Beads, `pairs` by the client alone and as many through the town; then `seconds` of a mayor that sleeps.
pub fn measure(gt: &Path, pairs: usize, seconds: u64) -> Result<Vec<Row>, String> {
    let outfit =
        Outfit { client: Client { program: e2e::inside().ok_or("no client")?, gt: gt.to_owned() }, keep: false };
    let mut rows = beads(&outfit, pairs)?;
    rows.extend(rest::measure(&outfit, seconds)?);
    Ok(rows)
}

fn beads(outfit: &Outfit, pairs: usize) -> Result<Vec<Row>, String> {
    let mut measured = Vec::new();
    TownStage::on(outfit, as_it_comes(Runtime::Headless), &work(), |town| {
        // The first pair warms caches and is not counted.
        for item in 1..=pairs + 1 {
            let pair = (alone::work(outfit, town, item)?, slung::work(town, item)?);
            if item > 1 {
                measured.push(pair);
            }
        }
        Ok(String::new())
    })?;
    let (alone, slung): (Vec<_>, Vec<_>) = measured.into_iter().unzip();
    let mut rows = slung::rows(&alone, &slung);
    rows.extend(words::rows(&alone, &slung));
    Ok(rows)
}

/// One conversation: when its client was started and had ended, and what it asked.
struct Talk {
    started: SystemTime,
    ended: SystemTime,
    /// The requests of its turns, oldest first.
    turns: Vec<Asked>,
}

impl Talk {
    /// The one conversation that has begun since `before` sessions were known.
    fn newest(town: &TownStage, before: usize, started: SystemTime, ended: SystemTime) -> Result<Self, String> {
        let sessions = town.fake.sessions();
        let [session] = &sessions[before..] else { return Err(format!("not one new session: {sessions:?}")) };
        let of_it = |asked: &Asked| asked.conversation.session == *session && !asked.conversation.is_aside();
        let turns: Vec<Asked> = town.fake.asked().into_iter().filter(of_it).collect();
        if turns.is_empty() { Err("nothing was asked".to_owned()) } else { Ok(Self { started, ended, turns }) }
    }

    fn whole(&self) -> Duration {
        since(self.started, self.ended)
    }

    fn until_first_request(&self) -> Duration {
        since(self.started, self.turns[0].at)
    }

    fn after_last_request(&self) -> Duration {
        since(self.turns[self.turns.len() - 1].at, self.ended)
    }

    /// From each answer that called a tool to the next request, by the name of the answer's rule.
    fn rounds(&self) -> impl Iterator<Item = (&str, Duration)> {
        self.turns.windows(2).map(|pair| (pair[0].answer.rule.as_str(), since(pair[0].at, pair[1].at)))
    }

    /// The rounds of tools that the rules of these names called.
    fn took(&self, is_it: impl Fn(&str) -> bool) -> Duration {
        self.rounds().filter(|(rule, _)| is_it(rule)).map(|(_, took)| took).sum()
    }

    /// The rounds of the work's own tools but its shell, which a client makes ready when it is first used.
    fn files(&self) -> Duration {
        self.took(|rule| FILE_RULES.contains(&rule))
    }

    fn commit(&self) -> Duration {
        self.took(|rule| rule == COMMIT_RULE)
    }

    /// The rounds of the town's own steps.
    fn steps(&self) -> Duration {
        self.took(|rule| rule != COMMIT_RULE && !FILE_RULES.contains(&rule))
    }

    /// Tools that were called.
    fn calls(&self) -> usize {
        self.turns.iter().map(|asked| asked.answer.calls.len()).sum()
    }
}

fn since(from: SystemTime, to: SystemTime) -> Duration {
    to.duration_since(from).unwrap_or_default()
}

/// Read, edit, commit: one script for both, that looks at nothing but what was said and came of it.
fn work() -> Value {
    // Not by the title, which the client finds among the last commits as well.
    let item = format!("({ALONE}: item |On your hook: ap-t)(?<item>\\d\\d)");
    let begin = format!("Step \\d of \\d: implement|{ALONE}");
    let bash = |command: &str| json!([{"tool": "Bash", "input": {"command": command, "description": "a step"}}]);
    let edit = json!({"file_path": "notes.txt", "old_string": "todo-{{item}}", "new_string": "done-{{item}}"});
    json!([
        {"name": "over", "when": {"result": "COMMITTED", "anywhere": ALONE}, "text": "My turn is over."},
        {"name": "implemented", "when": {"result": "COMMITTED"}, "calls": bash("gt step done implement")},
        {"name": "item-commit", "when": {"result": "has been updated", "anywhere": item},
            "calls": bash("git commit -qam 'Do item {{item}}' && echo COMMITTED")},
        {"name": "item-edit", "when": {"result": "THE-NOTES", "anywhere": item},
            "calls": [{"tool": "Edit", "input": edit}]},
        {"name": "item-read", "when": {"new": begin, "anywhere": item},
            "calls": [{"tool": "Read", "input": {"file_path": "notes.txt"}}]},
        {"name": "lost", "when": {"anywhere": ALONE}, "text": "I am lost."},
    ])
}
