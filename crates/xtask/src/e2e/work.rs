//! Scenarios where the real client's sessions are a town's workers.

use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::town::{Runtime, Terms, TownStage, polecat_after};
use super::{Outfit, Scenario, processes};
use crate::bench::text;

/// The scenarios of this module.
pub const ALL: &[Scenario] = &[
    Scenario { name: "town-lands-headless", run: |outfit| lands(outfit, Runtime::Headless) },
    Scenario { name: "town-lands-tmux", run: |outfit| lands(outfit, Runtime::Tmux) },
    Scenario { name: "town-mail-headless", run: |outfit| mail(outfit, Runtime::Headless) },
    Scenario { name: "town-mail-tmux", run: |outfit| mail(outfit, Runtime::Tmux) },
    Scenario { name: "town-stop-headless", run: |outfit| stop(outfit, Runtime::Headless) },
    Scenario { name: "town-stop-tmux", run: |outfit| stop(outfit, Runtime::Tmux) },
    Scenario { name: "town-background-headless", run: |outfit| background(outfit, Runtime::Headless) },
    Scenario { name: "town-background-tmux", run: |outfit| background(outfit, Runtime::Tmux) },
    Scenario { name: "town-killed-headless", run: |outfit| killed(outfit, Runtime::Headless) },
    Scenario { name: "town-killed-tmux", run: |outfit| killed(outfit, Runtime::Tmux) },
    Scenario { name: "town-guard-headless", run: |outfit| guard(outfit, Runtime::Headless) },
    Scenario { name: "town-guard-tmux", run: |outfit| guard(outfit, Runtime::Tmux) },
    Scenario { name: "town-limit-headless", run: |outfit| limit(outfit, Runtime::Headless) },
    Scenario { name: "town-limit-tmux", run: |outfit| limit(outfit, Runtime::Tmux) },
    Scenario { name: "town-limit-over-headless", run: |outfit| limit_over(outfit, Runtime::Headless) },
    Scenario { name: "town-limit-over-tmux", run: |outfit| limit_over(outfit, Runtime::Tmux) },
    Scenario { name: "town-outage-headless", run: |outfit| outage(outfit, Runtime::Headless) },
    Scenario { name: "town-outage-tmux", run: |outfit| outage(outfit, Runtime::Tmux) },
    Scenario { name: "town-usage-headless", run: |outfit| usage(outfit, Runtime::Headless) },
    Scenario { name: "town-usage-tmux", run: |outfit| usage(outfit, Runtime::Tmux) },
    Scenario { name: "town-orphans-headless", run: |outfit| orphans(outfit, Runtime::Headless) },
    Scenario { name: "town-orphans-tmux", run: |outfit| orphans(outfit, Runtime::Tmux) },
    Scenario { name: "town-sandbox-headless", run: |outfit| sandbox(outfit, Runtime::Headless) },
    Scenario { name: "town-sandbox-tmux", run: |outfit| sandbox(outfit, Runtime::Tmux) },
    Scenario { name: "town-ten-headless", run: |outfit| ten(outfit, Runtime::Headless) },
    Scenario { name: "town-ten-tmux", run: |outfit| ten(outfit, Runtime::Tmux) },
];

/// Pattern of the text that a polecat (worker) reads at the step where most failures are tested.
const AT_WORK: &str = "Step \\d of \\d: implement";

/// Seconds until the account's limit ends.
const RESETS_IN_S: i64 = 3600;

/// Text that appears only at a refused stop.
const REFUSED_STOP: &str = "There is work on your hook, so you run it: ";

/// Returns a rule's call of a shell command.
fn bash(command: &str) -> Value {
    json!([{"tool": "Bash", "input": {"command": command, "description": "a step"}}])
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// A bead goes all the way. Start prompt and prime reach the model. No process of the client and its tools is left while the town
/// goes on, not even one that left its session.
fn lands(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let daemon = "setsid -f sleep 4242 </dev/null >/dev/null 2>&1; gt step done self-review";
    let rules = json!([{"when": {"new": "Step \\d of \\d: self-review"}, "calls": bash(daemon)}]);
    TownStage::with(outfit, runtime, &rules, |town| {
        let bead = town.sling("A first thing")?;
        town.until("the daemon", || town.agents_have("sleep 4242").then_some(()))?;
        town.landed(&bead)?;
        town.until("the end of all that the agent started", || (!town.agents_have("")).then_some(()))?;
        town.heard(&["Work is on your hook", &format!("On your hook: {bead}"), "DESCRIPTION-OF-THE-BEAD"])?;
        check(!town.fake.asked().iter().any(|asked| asked.by_key), || "a key paid, and not the login".to_owned())?;
        let tokens = town.usage_agrees()?;
        Ok(format!("{bead} landed after {} requests of {tokens} tokens", town.fake.asked().len()))
    })
}

/// Kills the client of a bead once its tool has made `half.txt`. Returns the killed session.
fn kill_in_its_tool(town: &TownStage, bead: &str) -> Result<Value, String> {
    let session = town.until("the tool", || {
        let session = town.sessions(bead).ok()?.pop()?;
        town.worktree(&session).ok()?.join("half.txt").exists().then_some(session)
    })?;
    let client = session["agent"]["pid"].as_i64().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let client = client.ok_or_else(|| format!("no client: {session}"))?;
    kill_process(client, Signal::KILL).map_err(text)?;
    Ok(session)
}

/// After `kill -9` of the client in the middle of a tool, the next incarnation continues in the same worktree, at the same step,
/// with the uncommitted changes. No process of the killed one lives on.
fn killed(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let long = "echo half >half.txt; sleep 300";
    let rules = json!([
        {"when": {"new": AT_WORK}, "unless": {"anywhere": "You continue where another worker \
          stopped"}, "calls": bash(long)},
    ]);
    TownStage::with(outfit, runtime, &rules, |town| {
        let bead = town.sling("A thing that takes long")?;
        let session = kill_in_its_tool(town, &bead)?;
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

/// F17: processes that a client has started are gone when a person stops its session in the middle, and again when the town is
/// taken down. That includes a running tool, a task in the background, and a process that has left its session, its group and
/// even its environment.
fn orphans(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    // A number of seconds that no other process sleeps. It is the only mark of a process that has lost its environment.
    let seconds = 5_000_000 + u64::from(std::process::id());
    let sleeps = |number: u64| format!("sleep {}{number}", seconds);
    let leave = format!(
        "setsid -f {} </dev/null >/dev/null 2>&1; (setsid env -i \"$(command -v sleep)\" {seconds}2 </dev/null >/dev/null 2>&1 &); \
         nohup {} </dev/null >/dev/null 2>&1 & {}",
        sleeps(1),
        sleeps(3),
        sleeps(4),
    );
    let background = json!({"command": sleeps(5), "run_in_background": true, "description": "wait"});
    let rules = json!([
        {"when": {"result": "running in (the )?background"}, "calls": bash(&leave)},
        {"when": {"new": AT_WORK}, "calls": [{"tool": "Bash", "input": background}]},
    ]);
    TownStage::with(outfit, runtime, &rules, |town| {
        let bead = town.sling("A thing that leaves much behind")?;
        let all = |town: &TownStage| {
            town.until("all that it leaves", || (processes::count(&format!("sleep {seconds}")) >= 5).then_some(()))
        };
        let gone = || {
            let left = || (processes::count(&format!("sleep {seconds}")) == 0).then_some(());
            processes::until("the end of all that it left", Duration::from_secs(20), left)
        };
        all(town)?;
        let session = town.sessions(&bead)?.pop().ok_or("no session")?;
        town.gt(&["session", "stop", session["address"].as_str().ok_or("no address")?])?;
        gone()?;
        let again = town.until("the next session", || (town.sessions(&bead).ok()?.len() == 2).then_some(()));
        again.and_then(|()| all(town))?;
        town.gt(&["down", "--now"])?;
        gone()?;
        Ok("a stop and a town's end each took all five with them".to_owned())
    })
}

/// Script of a sandboxed agent that tries to change files outside its work. Guards don't read scripts, so only the
/// sandbox stops it.
const PROBE: &str = r#"for file in "$GT_TOWN/town.toml" "$GT_TOWN/app/.repo.git/config" /etc/gt-probe /usr/gt-probe; do
    (echo x >>"$file") 2>/dev/null && echo "PROBE-WROTE $file" || echo "PROBE-KEPT $file"
done
ls "$GT_TOWN/../remote.git/HEAD" 2>/dev/null && echo PROBE-SAW-REMOTE
echo x >inside.txt && echo PROBE-OVER
"#;

/// A bead goes all the way inside the sandbox: the agent can't change anything outside, the remote is not visible, and the work
/// lands.
fn sandbox(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    if std::process::Command::new("bwrap").arg("--version").output().is_err() {
        let is_required = std::env::var("GT_REQUIRE").is_ok_and(|names| names.contains("bwrap"));
        return if is_required { Err("there is no bwrap".to_owned()) } else { Ok("skipped: no bwrap".to_owned()) };
    }
    let write = json!({"file_path": "probe.sh", "content": PROBE});
    let rules = json!([
        {"when": {"new": AT_WORK}, "unless": {"ran": "probe.sh"}, "calls": [{"tool": "Write", "input": write}]},
        {"when": {"result": "probe.sh"}, "unless": {"ran": "Bash: sh probe.sh"}, "calls": bash("sh probe.sh; gt hook")},
    ]);
    let terms = Terms { may: "sandbox = \"bwrap\"", ..Terms::quick(runtime) };
    TownStage::on(outfit, terms, &rules, |town| {
        let settings = std::fs::read(town.root().join("town.toml")).map_err(text)?;
        let bead = town.sling("A thing behind walls")?;
        town.landed(&bead)?;
        town.has_landed_file("inside.txt")?;
        let results = town.fake.asked().iter().flat_map(|asked| asked.conversation.results.clone()).collect::<String>();
        let kept = ["PROBE-KEPT", "PROBE-OVER"].iter().all(|word| results.contains(word));
        let wrote = ["PROBE-WROTE", "PROBE-SAW"].iter().any(|word| results.contains(word));
        check(kept && !wrote, || format!("the walls: {results}"))?;
        let is_same = std::fs::read(town.root().join("town.toml")).map_err(text)? == settings;
        check(is_same, || "town.toml was changed".to_owned())?;
        Ok("landed from inside; four writes outside failed, the remote was not there".to_owned())
    })
}

/// Ten workers at the same time finish ten beads.
fn ten(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    TownStage::with(outfit, runtime, &json!([]), |town| {
        let titles: Vec<String> = (1..=10).map(|n| format!("Thing number {n}")).collect();
        let beads = town.sling_all(&titles.iter().map(String::as_str).collect::<Vec<_>>())?;
        beads.iter().try_for_each(|bead| town.landed(bead))?;
        let sessions = town.fake.sessions().len();
        Ok(format!("ten beads landed by {sessions} conversations of {} requests", town.fake.asked().len()))
    })
}

/// Mail that is sent while a tool runs reaches the model with the tool's result.
fn mail(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let long = "touch waiting; until test -e go; do sleep 0.1; done; echo WAITED";
    let rules = json!([{"when": {"new": AT_WORK}, "unless": {"ran": "WAITED"}, "calls": bash(long)}]);
    TownStage::with(outfit, runtime, &rules, |town| {
        let bead = town.sling("A thing with mail")?;
        let (session, worktree) = town.until("the tool", || {
            let session = town.sessions(&bead).ok()?.pop()?;
            let worktree = town.worktree(&session).ok()?;
            worktree.join("waiting").exists().then_some((session, worktree))
        })?;
        let address = session["address"].as_str().ok_or("no address")?;
        town.gt(&["mail", "send", address, "-s", "MAIL-IN-BETWEEN", "-m", "A word.", "--priority", "high"])?;
        std::fs::write(worktree.join("go"), "").map_err(text)?;
        town.landed(&bead)?;
        let asked = town.fake.asked();
        let after =
            asked.iter().find(|a| a.conversation.fresh_results().iter().any(|result| result.contains("WAITED")));
        let heard = after.is_some_and(|asked| asked.conversation.everything().contains("MAIL-IN-BETWEEN"));
        check(heard, || {
            format!(
                "the mail did not come with the tool's result; heard at all: {}",
                town.fake.heard("MAIL-IN-BETWEEN")
            )
        })?;
        Ok("the mail came with the result of the tool that ran".to_owned())
    })
}

/// A turn that ends with work on the hook is made to continue, and the work is finished in the same session.
fn stop(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let enough = "I think that is all.";
    let rules = json!([{"when": {"new": AT_WORK}, "unless": {"anywhere": enough}, "text": enough}]);
    TownStage::with(outfit, runtime, &rules, |town| {
        let bead = town.sling("A thing that seems done")?;
        town.landed(&bead)?;
        town.heard(&[REFUSED_STOP, "step 4 of 9 implement"])?;
        let sessions = town.sessions(&bead)?.len();
        check(sessions == 1, || format!("{sessions} sessions"))?;
        Ok("the stop was refused with the step, and the work finished in the same session".to_owned())
    })
}

/// A turn may end while a background task of the client's own runs: the task's end wakes the agent.
fn background(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let input =
        json!({"command": "sleep 3; echo over >background.txt", "run_in_background": true, "description": "wait"});
    let rules = json!([
        {"when": {"result": "running in (the )?background"}, "text": "I wait for my background work."},
        {"when": {"new": AT_WORK}, "unless": {"ran": "sleep 3"}, "calls": [{"tool": "Bash", "input": input}]},
    ]);
    TownStage::with(outfit, runtime, &rules, |town| {
        let bead = town.sling("A thing in the background")?;
        town.landed(&bead)?;
        town.has_landed_file("background.txt")?;
        town.heard(&["I wait for my background work."])?;
        check(!town.fake.heard(REFUSED_STOP), || "the stop was refused".to_owned())?;
        let sessions = town.sessions(&bead)?.len();
        check(sessions == 1, || format!("{sessions} sessions"))?;
        Ok("the stop was let through; the task's end woke the agent".to_owned())
    })
}

/// An action that the role may not take is refused before it runs, with the reason.
fn guard(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let rules = json!([
        {"when": {"new": AT_WORK}, "unless": {"ran": "git stash drop"}, "calls": bash("touch was-run.txt; git stash drop")},
    ]);
    TownStage::with(outfit, runtime, &rules, |town| {
        let bead = town.sling("A thing with a stash")?;
        town.landed(&bead)?;
        town.heard(&["the stash is one for all worktrees"])?;
        check(town.has_landed_file("was-run.txt").is_err(), || "what was refused was run".to_owned())?;
        Ok("the refusal reached the model with its reason, and nothing of it was run".to_owned())
    })
}

/// An account at its limit parks all agents of its kind: the town starts and ends none because of it. When the limit ends, work
/// continues.
fn limit(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let rules = json!([{"when": {"new": AT_WORK}, "fault": {"limit": {"resets_in_s": RESETS_IN_S}}}]);
    TownStage::with(outfit, runtime, &rules, |town| {
        let bead = town.sling("A thing to wait for")?;
        let said = town.until("the limit", || {
            let status = town.gt(&["status"]).ok()?;
            status.lines().find(|line| line.contains("its account is at a limit")).map(|line| line.trim().to_owned())
        })?;
        let until = said.split_whitespace().find_map(|word| word.trim_end_matches(',').parse::<Timestamp>().ok());
        let away = until.map(|until| until.as_second() - Timestamp::now().as_second());
        // The client gives the time in minutes.
        let is_right = away.is_some_and(|seconds| (RESETS_IN_S - 120..=RESETS_IN_S + 60).contains(&seconds));
        check(is_right, || format!("it is not parked until the reset, in {RESETS_IN_S} s: {said}"))?;
        let asked = town.fake.asked().len();
        town.fake.play(polecat_after(&json!([]))?);
        std::thread::sleep(Duration::from_secs(3));
        check(town.fake.asked().len() == asked, || "the model was asked while parked".to_owned())?;
        town.gt(&["resume", "--agent", "claude"])?;
        town.landed(&bead)?;
        Ok(format!("parked ({said}); landed after it was over"))
    })
}

/// A limit ends at the second that the client's record gives, and the work continues without a person's command.
fn limit_over(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let resets_in_s: i64 = 30;
    let rules = json!([{"when": {"new": AT_WORK}, "fault": {"limit": {"resets_in_s": resets_in_s}}}]);
    TownStage::with(outfit, runtime, &rules, |town| {
        let bead = town.sling("A thing to wait for")?;
        town.until("the limit", || town.condition("limit").map(drop))?;
        town.fake.play(polecat_after(&json!([]))?);
        let away = town.until("the time that the client's record says", || {
            let until: Timestamp = town.condition("limit")?["until"].as_str()?.parse().ok()?;
            let away = until.as_second() - Timestamp::now().as_second();
            (away <= resets_in_s).then_some(away)
        })?;
        let asked = town.fake.asked().len();
        town.until("the end of the limit", || town.condition("limit").is_none().then_some(()))?;
        check(town.fake.asked().len() == asked, || "the model was asked before the limit was over".to_owned())?;
        town.landed(&bead)?;
        let sessions = town.sessions(&bead)?.len();
        check(sessions == 2, || format!("{sessions} sessions"))?;
        Ok(format!("over by itself after some {away} s, then landed"))
    })
}

/// While the API gives no answer, no agent is replaced. When it answers again, one agent tries first, and the work continues in
/// the same sessions.
fn outage(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let rules = json!([{"when": {"new": AT_WORK}, "fault": {"status": {"status": 529}}}]);
    TownStage::with(outfit, runtime, &rules, |town| {
        let beads = town.sling_all(&["A thing without an answer", "Another one"])?;
        town.until("the outage", || town.condition("outage").map(drop))?;
        let failed = |town: &TownStage| town.fake.asked().iter().filter(|asked| asked.status == 529).count();
        // Each client tries a second time by itself.
        town.until("both to be at rest", || (failed(town) == 4).then_some(()))?;
        std::thread::sleep(Duration::from_secs(15));
        check(failed(town) == 4, || format!("asked {} times while the API had no answer", failed(town)))?;
        town.fake.play(polecat_after(&json!([]))?);
        beads.iter().try_for_each(|bead| town.landed(bead))?;
        for bead in &beads {
            let sessions = town.sessions(bead)?.len();
            check(sessions == 1, || format!("{sessions} sessions of {bead}"))?;
        }
        check(town.condition("outage").is_none(), || "the outage is not over".to_owned())?;
        Ok("nobody was replaced for it; both landed when there were answers again".to_owned())
    })
}

/// `gt cost` reports what the model claimed, exact to the token. That covers a killed client and its successor, the agents that
/// an agent has started, and the tokens read from and written to the cache.
fn usage(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let agent = json!([{"tool": "Agent", "input": {
        "description": "look", "prompt": "SUB-PROMPT look around", "subagent_type": "general-purpose"}}]);
    let long = "echo half >half.txt; sleep 300";
    let cached = json!({"input": 1234, "output": 56, "cache_read": 789, "cache_write": 321});
    let rules = json!([
        {"when": {"last": "SUB-PROMPT"}, "unless": {"ran": "echo sub"}, "calls": bash("echo sub"),
         "usage": {"input": 11, "output": 3}},
        {"when": {"ran": "echo sub"}, "text": "SUB-ANSWER", "usage": {"input": 13, "output": 5}},
        {"when": {"new": AT_WORK}, "unless": {"anywhere": "You continue where another worker stopped", "ran": "Agent: \
          "},
         "calls": agent, "usage": cached},
        // The next session gets the last lines of the previous one, which quote the answer.
        {"when": {"new": "SUB-ANSWER"}, "unless": {"anywhere": "You continue where another worker \
          stopped", "ran": "sleep 300"},
         "calls": bash(long), "usage": cached},
        {"when": {"result": "launched"}, "text": "I wait for it.", "usage": cached},
    ]);
    TownStage::with(outfit, runtime, &rules, |town| {
        let bead = town.sling("A thing that takes tokens")?;
        // A client writes its transcript a moment late. If it is killed before it has written an answer, only the stream shows
        // that answer, and not exact to the token.
        town.until("the client's own record of the call", || town.has_written("sleep 300").then_some(()))?;
        kill_in_its_tool(town, &bead)?;
        town.landed(&bead)?;
        town.until("the sessions' end", || (!town.agents_have("")).then_some(()))?;
        let claimed = town.claimed();
        let counted = town.until("the counting of all that was claimed", || {
            let counted = town.counted(&["cost", "--by", "bead"], &bead).ok()?;
            (counted == claimed).then_some(counted)
        });
        let counted = counted.map_err(|why| {
            format!("{why}\nclaimed {claimed:?}, counted {:?}", town.counted(&["cost", "--by", "bead"], &bead))
        })?;
        town.gt(&["down", "--now"])?;
        check(town.counted(&["cost", "--by", "rig"], "app")? == claimed, || "another sum by rig".to_owned())?;
        check(town.sessions(&bead)?.len() == 2, || "not two sessions".to_owned())?;
        Ok(format!("claimed and counted: {counted:?}"))
    })
}
