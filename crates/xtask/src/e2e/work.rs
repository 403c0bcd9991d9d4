//! What a town does with the real client as its workers.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::town::{Runtime, TownStage};
use super::{Outfit, Scenario, processes};
use crate::bench::text;

/// All of them.
pub const ALL: &[Scenario] = &[
    Scenario { name: "town-lands-headless", run: |outfit| lands(outfit, Runtime::Headless) },
    Scenario { name: "town-lands-tmux", run: |outfit| lands(outfit, Runtime::Tmux) },
    Scenario { name: "town-killed-headless", run: |outfit| killed(outfit, Runtime::Headless) },
    Scenario { name: "town-killed-tmux", run: |outfit| killed(outfit, Runtime::Tmux) },
    Scenario { name: "town-ten-headless", run: |outfit| ten(outfit, Runtime::Headless) },
    Scenario { name: "town-ten-tmux", run: |outfit| ten(outfit, Runtime::Tmux) },
];

/// A rule's call of a shell command.
fn bash(command: &str) -> Value {
    json!([{"tool": "Bash", "input": {"command": command, "description": "a step"}}])
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// A bead goes all the way; start prompt and prime reach the model; of client and tools nothing is left, even of what
/// left their session, while the town goes on.
fn lands(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let daemon = "setsid -f sleep 4242 </dev/null >/dev/null 2>&1; gt step done self-review";
    let rules = json!([{"when": {"new": "Step \\d of \\d: self-review"}, "calls": bash(daemon)}]);
    TownStage::with(outfit, runtime, rules, |town| {
        let bead = town.sling("A first thing")?;
        town.until("the daemon", || town.agents_have("sleep 4242").then_some(()))?;
        town.landed(&bead)?;
        town.until("the end of all that the agent started", || (!town.agents_have("")).then_some(()))?;
        town.heard(&["Work is on your hook", "There is work on your hook", "DESCRIPTION-OF-THE-BEAD"])?;
        Ok(format!("{bead} landed after {} requests", town.fake.asked().len()))
    })
}

/// kill -9 of the client in the middle of a tool: the next incarnation goes on in the same worktree, at the same step,
/// with what was not committed; nothing of the killed one lives on.
fn killed(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let long = "echo half >half.txt; sleep 300";
    let rules = json!([
        {"when": {"new": "Step \\d of \\d: implement"}, "unless": {"anywhere": "You go on where another stopped"}, "calls": bash(long)},
    ]);
    TownStage::with(outfit, runtime, rules, |town| {
        let bead = town.sling("A thing that takes long")?;
        let session = town.until("the tool", || {
            let session = town.sessions(&bead).ok()?.pop()?;
            town.worktree(&session).ok()?.join("half.txt").exists().then_some(session)
        })?;
        let client = session["agent"]["pid"].as_i64().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let client = client.ok_or_else(|| format!("no client: {session}"))?;
        kill_process(client, Signal::KILL).map_err(text)?;
        let next = town.until("the next incarnation", || {
            let sessions = town.sessions(&bead).ok()?;
            (sessions.len() == 2).then(|| sessions[1].clone())
        })?;
        check(next["address"] == session["address"], || format!("another worker: {next}"))?;
        processes::until("the tool's end", Duration::from_secs(10), || {
            (!processes::of(&town.folder).iter().any(|(_, line)| line.contains("sleep 300"))).then_some(())
        })?;
        town.landed(&bead)?;
        town.has_landed_file("half.txt")?;
        let steps = town.fake.asked().iter().filter(|asked| asked.answer.rule == "implement").count();
        check(steps == 1, || format!("implemented {steps} times"))?;
        Ok(format!("{bead} landed with what the killed client had not committed"))
    })
}

/// Ten at once finish ten beads.
fn ten(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    TownStage::with(outfit, runtime, json!([]), |town| {
        let titles: Vec<String> = (1..=10).map(|n| format!("Thing number {n}")).collect();
        let beads = town.sling_all(&titles.iter().map(String::as_str).collect::<Vec<_>>())?;
        beads.iter().try_for_each(|bead| town.landed(bead))?;
        let sessions = town.fake.sessions().len();
        Ok(format!("ten beads landed by {sessions} conversations of {} requests", town.fake.asked().len()))
    })
}
