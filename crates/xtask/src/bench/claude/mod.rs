//! Measures the cost that a town adds to the real Claude Code. It runs the same scripted work by the client alone and
//! as a polecat (worker), in turn, and measures what a town costs while no agent works. The stage is that of `e2e`: a
//! fake model, and only a loopback network.

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

/// The beginning of the prompt for the client alone.
const ALONE: &str = "WORK-ALONE";

/// Number of tool calls that the work itself takes.
const WORK_CALLS: usize = 3;

/// Names of the script's rules for those calls that work on files.
const FILE_RULES: [&str; 2] = ["item-read", "item-edit"];
const COMMIT_RULE: &str = "item-commit";

/// A town with default settings, except that green work lands.
fn as_it_comes(runtime: Runtime) -> Terms {
    Terms { runtime, pace: "", may: "trust = \"bypass\"" }
}

/// Runs this program again in a namespace where the client reaches no other machine, and where processes can be counted.
pub fn enter(args: &Args, gt: &Path) -> Result<(), String> {
    e2e::within(e2e::OWN_PROCESSES, |command| {
        command.args(["bench", "claude", "--gt"]).arg(gt).args(args.json.then_some("--json"));
        command.args(["--seconds", &args.seconds.to_string()]);
        command.args(args.pairs.map(|pairs| format!("--pairs={pairs}")));
        Ok(())
    })
}

/// Measures beads: `pairs` by the client alone and as many through the town. Then measures `seconds` of a sleeping mayor.
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

/// One conversation: the start and end of its client, and its requests.
struct Talk {
    started: SystemTime,
    ended: SystemTime,
    /// The requests of its turns, oldest first.
    turns: Vec<Asked>,
}

impl Talk {
    /// Returns the one conversation that has begun since there were `before` sessions.
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

    /// Yields the time from each answer with a tool call to the next request, with the name of the answer's rule.
    fn rounds(&self) -> impl Iterator<Item = (&str, Duration)> {
        self.turns.windows(2).map(|pair| (pair[0].answer.rule.as_str(), since(pair[0].at, pair[1].at)))
    }

    /// Returns the total time of the tools that the rules with these names called.
    fn took(&self, is_it: impl Fn(&str) -> bool) -> Duration {
        self.rounds().filter(|(rule, _)| is_it(rule)).map(|(_, took)| took).sum()
    }

    /// Returns the time of the work's own tools without its shell, which a client prepares at first use.
    fn files(&self) -> Duration {
        self.took(|rule| FILE_RULES.contains(&rule))
    }

    fn commit(&self) -> Duration {
        self.took(|rule| rule == COMMIT_RULE)
    }

    /// Returns the time of the town's own steps.
    fn steps(&self) -> Duration {
        self.took(|rule| rule != COMMIT_RULE && !FILE_RULES.contains(&rule))
    }

    /// Returns the number of tool calls.
    fn calls(&self) -> usize {
        self.turns.iter().map(|asked| asked.answer.calls.len()).sum()
    }
}

fn since(from: SystemTime, to: SystemTime) -> Duration {
    to.duration_since(from).unwrap_or_default()
}

/// Returns the rules for read, edit and commit: one script for both cases, which looks only at what was said and at the results.
fn work() -> Value {
    // The rules do not match on the title, which the client also finds among the last commits.
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
