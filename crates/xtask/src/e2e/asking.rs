//! Permissions of agents in the default mode: what they may do without asking, what happens to everything else, and how
//! a person answers.

use std::process::Stdio;
use std::time::Duration;

use gt_testkit::fake_model::FakeModel;
use serde_json::{Value, json};

use super::town::{Runtime, Terms, TownStage};
use super::{Outfit, Scenario, client};
use crate::bench::text;

/// The scenarios of this module.
pub const ALL: &[Scenario] = &[
    Scenario { name: "town-default-headless", run: |outfit| default_mode(outfit, Runtime::Headless) },
    Scenario { name: "town-default-tmux", run: |outfit| default_mode(outfit, Runtime::Tmux) },
    Scenario { name: "town-login-shell-headless", run: |outfit| login_shell(outfit, Runtime::Headless) },
    Scenario { name: "town-login-shell-tmux", run: |outfit| login_shell(outfit, Runtime::Tmux) },
    Scenario { name: "town-denied-headless", run: denied },
    Scenario { name: "town-unhooked-headless", run: |outfit| unhooked(outfit, Runtime::Headless) },
    Scenario { name: "town-unhooked-tmux", run: |outfit| unhooked(outfit, Runtime::Tmux) },
    Scenario { name: "town-asks-tmux", run: asks },
    Scenario { name: "town-trust-tmux", run: trust },
    Scenario { name: "town-mayor-asks-tmux", run: mayor_asks },
    Scenario { name: "town-mayor-reads-headless", run: |outfit| mayor_reads(outfit, as_it_comes(Runtime::Headless)) },
    Scenario { name: "town-mayor-reads-tmux", run: |outfit| mayor_reads(outfit, as_it_comes(Runtime::Tmux)) },
    Scenario { name: "town-mayor-walled-headless", run: |outfit| mayor_reads(outfit, walled(Runtime::Headless)) },
    Scenario { name: "town-mayor-walled-tmux", run: |outfit| mayor_reads(outfit, walled(Runtime::Tmux)) },
];

/// Returns a rule's call of a shell command.
fn bash(command: &str) -> Value {
    json!([{"tool": "Bash", "input": {"command": command, "description": "a step"}}])
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Terms that say nothing about what workers may do.
pub fn as_it_comes(runtime: Runtime) -> Terms {
    Terms { may: "", ..Terms::quick(runtime) }
}

/// The same terms, with a sandbox around the mayor.
fn walled(runtime: Runtime) -> Terms {
    let pace = "patrol_seconds = 1\nback_off_seconds = 1\nlinger_seconds = 2\n[mayor]\nsandbox = \"bwrap\"";
    Terms { pace, ..as_it_comes(runtime) }
}

/// Texts with which a client tells its model that the use of a tool was not allowed.
const NOT_ALLOWED: &[&str] =
    &["requires approval", "haven't granted it", "was blocked. For security", "denied: ", "doesn't want to proceed"];

/// Checks that no action of an agent was denied, or needed a person's answer. Looks at what its client told the model, and at the
/// town's `log`.
pub fn asked_nothing(fake: &FakeModel, log: &Value) -> Result<(), String> {
    let asked = fake.asked();
    let results = asked.iter().flat_map(|asked| asked.conversation.results.iter());
    let bad = results.into_iter().find(|result| NOT_ALLOWED.iter().any(|words| result.contains(words)));
    check(bad.is_none(), || format!("something was not allowed: {bad:?}"))?;
    let events = log["events"].as_array().ok_or("no events")?;
    let is_question = |event: &&Value| {
        let of = |kind| event["subject"].as_str().is_some_and(|subject| subject.starts_with(kind));
        event["event"] == "denied" || event["event"] == "condition-raised" && (of("asks:") || of("start:"))
    };
    let bad = events.iter().find(is_question);
    check(bad.is_none(), || format!("a person was asked: {bad:?}"))
}

/// Returns the town's whole log.
pub fn whole_log(town: &TownStage) -> Result<Value, String> {
    town.facts(&["log", "--last", "10000"])
}

/// The built-in formula runs from hook to trunk in the default mode, with commands as agents write them. No person is asked.
fn default_mode(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let commit =
        "git status --short && git add -A && git commit -m \"$(cat <<'EOF'\nSay hello\n\nAs it was asked.\nEOF\n)\"";
    let look =
        "git log --oneline -3 | head -n 2; git show --stat HEAD; git diff HEAD~1 -- hello.txt; ls -la && cat hello.txt";
    let again = "cp hello.txt more.txt && git add more.txt && git restore --staged more.txt && rm more.txt";
    let review = "git diff \"$(git merge-base HEAD origin/main)\" | head -50; bash -c 'true && sh ./check.sh'";
    let rebase = "gt rig fetch && git rebase origin/main; GIT_EDITOR=true git rebase --continue || git rebase --abort || true; \
                  git merge --ff-only origin/main || true; gt step done prepare-for-review";
    let write = json!([{"tool": "Write", "input": {"file_path": "hello.txt", "content": "hello\n"}}]);
    let rules = json!([
        {"when": {"new": "Step \\d of \\d: preflight-tests"}, "calls": bash("gt rig gates run; sh ./check.sh 2>&1 | tail -n 5; gt step done")},
        {"when": {"new": "Step \\d of \\d: implement"}, "unless": {"ran": "Write: "}, "calls": write},
        {"when": {"result": "hello.txt"}, "unless": {"ran": "Say hello"}, "calls": bash(commit)},
        {"when": {"result": "Say hello"}, "unless": {"ran": "git show --stat"}, "calls": bash(look)},
        {"when": {"result": "hello"}, "unless": {"ran": "more.txt"}, "calls": bash(again)},
        {"when": {"ran": "more.txt"}, "unless": {"ran": "step done implement"}, "calls": bash("gt bead update $(gt hook --json | grep -o 'ap-t[0-9]*' | head -n 1) --notes done; gt step done implement")},
        {"when": {"new": "Step \\d of \\d: self-review"}, "unless": {"ran": "merge-base"}, "calls": bash(review)},
        {"when": {"ran": "merge-base"}, "unless": {"ran": "step done self-review"}, "calls": bash("gt step done self-review")},
        {"when": {"new": "Step \\d of \\d: prepare-for-review"}, "calls": bash(rebase)},
    ]);
    TownStage::on(outfit, as_it_comes(runtime), &rules, |town| {
        town.gt(&["rig", "gates", "add", "app", "check", "sh ./check.sh"])?;
        let bead = town.sling("A thing in the default mode")?;
        town.closed(&bead)?;
        town.has_landed_file("hello.txt")?;
        asked_nothing(&town.fake, &whole_log(town)?)?;
        Ok(format!("landed after {} requests, and nothing was asked", town.fake.asked().len()))
    })
}

/// The person's profile and start file remove the agents' PATH, and the client runs login shells. Agents still find `gt`, and in
/// the default mode no person is asked.
fn login_shell(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let work = "bash -lc 'echo \"LOGIN-PATH $PATH\"; gt hook && echo FOUND-IN-LOGIN'; \
                bash -l -c 'bash -c \"gt hook && echo FOUND-NESTED\"'; gt hook && echo FOUND-PLAIN; \
                bash -lc 'echo work >login.txt && git add . && git commit -qm Login && gt step done implement'";
    let rules =
        json!([{"when": {"new": "Step \\d of \\d: implement"}, "unless": {"ran": "LOGIN-PATH"}, "calls": bash(work)}]);
    TownStage::on(outfit, as_it_comes(runtime), &rules, |town| {
        for file in [".bash_profile", ".bashrc"] {
            std::fs::write(town.folder.join("home").join(file), "export PATH=/usr/local/bin:/usr/bin:/bin\n")
                .map_err(text)?;
        }
        let bead = town.sling("A thing for login shells")?;
        town.closed(&bead)?;
        town.has_landed_file("login.txt")?;
        let bin = town.root().join("bin");
        town.heard(&["FOUND-IN-LOGIN", "FOUND-NESTED", "FOUND-PLAIN", &format!("LOGIN-PATH {}:", bin.display())])?;
        asked_nothing(&town.fake, &whole_log(town)?)?;
        Ok("found in login shells, in shells of theirs, and in the client's own".to_owned())
    })
}

/// Without a terminal, an action that is not allowed is denied. The agent is told how to continue, a person gets the line that
/// allows the action, and that line takes effect in the running session.
fn denied(outfit: &Outfit) -> Result<String, String> {
    let wait = "until test -e go; do sleep 0.2; done; echo WAITED";
    let rules = json!([
        {"when": {"new": "Step \\d of \\d: implement"}, "unless": {"ran": "make greet"}, "calls": bash("git status && make greet LOUD=1")},
        {"when": {"result": "denied: Bash"}, "unless": {"ran": "WAITED"}, "calls": bash(wait)},
        {"when": {"result": "WAITED", "anywhere": "Allowed now: make greet"}, "unless": {"ran": "make greet again"}, "calls": bash("make greet again; gt hook")},
    ]);
    TownStage::on(outfit, as_it_comes(Runtime::Headless), &rules, |town| {
        let bead = town.sling("A thing that needs make")?;
        let need = town.until("the denial", || town.condition("denied"))?;
        check(need["next"] == "gt rig allow app \"make greet\"", || format!("{need}"))?;
        let session = town.sessions(&bead)?.pop().ok_or("no session")?;
        town.gt(&["rig", "allow", "app", "make greet"])?;
        check(town.condition("denied").is_none(), || "it is still needed".to_owned())?;
        std::fs::write(town.worktree(&session)?.join("go"), "").map_err(text)?;
        town.heard(&["denied: Bash: git status && make greet LOUD=1", "gt mail send app/witness -s"])?;
        // The agent learns it with the next tool's result, and tries again by itself.
        town.until("what make says", || town.fake.heard("make: ").then_some(()))?;
        let log = town.gt(&["log", "--last", "500"])?;
        check(log.contains("denied") && log.contains("make greet LOUD=1"), || format!("no event: {log}"))?;
        town.gt(&["unsling", &bead])?;
        Ok("denied, told, allowed by the line, and run in the same session".to_owned())
    })
}

/// If the hooks can't run any more, the client's transcript lacks them: the town ends the session and tells a person.
fn unhooked(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    let first = "touch begun; until test -e go; do sleep 0.2; done; echo USED-0";
    let mut rules =
        vec![json!({"when": {"new": "Step \\d of \\d: implement"}, "unless": {"ran": "USED-0"}, "calls": bash(first)})];
    rules.extend((1..60).map(|n| {
        let (before, now) = (format!("USED-{}$", n - 1), format!("USED-{n}$"));
        json!({"when": {"result": before}, "unless": {"ran": now}, "calls": bash(&format!("sleep 1; echo USED-{n}"))})
    }));
    TownStage::on(outfit, Terms::quick(runtime), &Value::from(rules), |town| {
        let bead = town.sling("A thing without a guard")?;
        let session = town.until("its session", || town.sessions(&bead).ok()?.pop())?;
        let worktree = town.worktree(&session)?;
        town.until("its first tool", || worktree.join("begun").exists().then_some(()))?;
        let (gt, aside) = (town.root().join("bin/gt"), town.root().join("bin/aside"));
        std::fs::rename(&gt, &aside).map_err(text)?;
        std::fs::write(worktree.join("go"), "").map_err(text)?;
        let told = need(town, "start", "without calling Gas Town's hooks")?;
        std::fs::rename(&aside, &gt).map_err(text)?;
        check(told["next"].as_str().is_some_and(|next| next.contains("gt doctor --retry")), || format!("{told}"))?;
        town.until("its end", || (town.sessions(&bead).ok()?.pop()?["state"] != "running").then_some(()))?;
        let used = town.fake.asked().len();
        town.gt(&["unsling", &bead])?;
        Ok(format!("ended and told after {used} requests"))
    })
}

/// Returns the first request of a kind that needs a person, once its text has these words.
fn need(town: &TownStage, kind: &str, words: &str) -> Result<Value, String> {
    town.until(&format!("{kind}: {words}"), || {
        town.condition(kind).filter(|need| need["text"].as_str().is_some_and(|text| text.contains(words)))
    })
}

fn worker(town: &TownStage, bead: &str) -> Result<String, String> {
    let session = town.sessions(bead)?.pop().ok_or("no session")?;
    session["address"].as_str().map(str::to_owned).ok_or_else(|| format!("no address: {session}"))
}

/// A worker's question is reported at once, with its content. A "no" reaches the agent, which continues. "Always" stops further
/// questions.
fn asks(outfit: &Outfit) -> Result<String, String> {
    let said_no = "a person saw your request and said no";
    let rules = json!([
        {"when": {"new": "Step \\d of \\d: implement"}, "unless": {"ran": "make first"}, "calls": bash("make first")},
        {"when": {"last": said_no}, "unless": {"ran": "make second"}, "calls": bash("make second; echo RAN-SECOND")},
        {"when": {"result": "RAN-SECOND"}, "unless": {"ran": "make second again"}, "calls": bash("make second again; echo RAN-AGAIN >again.txt; cat again.txt; git add . && git commit -qm Again; gt step done implement")},
    ]);
    TownStage::on(outfit, as_it_comes(Runtime::Tmux), &rules, |town| {
        let bead = town.sling("A thing to ask about")?;
        let first = need(town, "asks", "Bash: make first")?;
        let worker = worker(town, &bead)?;
        let next = format!("gt agent answer {worker} yes|no|always, or gt session attach {worker}");
        check(first["next"] == next.as_str(), || format!("{first}"))?;
        let nudged = town.gt(&["nudge", &worker]);
        check(nudged.is_err_and(|why| why.contains("gt agent answer")), || "it was nudged".to_owned())?;
        town.gt(&["agent", "answer", &worker, "no"])?;
        need(town, "asks", "make second")?;
        town.gt(&["agent", "answer", &worker, "always"])?;
        town.closed(&bead)?;
        town.has_landed_file("again.txt")?;
        town.heard(&[said_no, "RAN-AGAIN"])?;
        check(!town.fake.heard("make first'"), || "what was refused was run".to_owned())?;
        let allowed = town.gt(&["rig", "allow", "app", "--list"])?;
        check(allowed.contains("make second"), || format!("not allowed for ever: {allowed}"))?;
        let mayor = town.gt(&["mail", "inbox", "--of", "mayor/"])?;
        check(!mayor.contains("make first"), || format!("the mayor was told: {mayor}"))?;
        Ok("asked at once; no was told and gone on from; always was asked no more".to_owned())
    })
}

/// A client's question whether to trust its folder is reported within seconds, and answered from another terminal.
fn trust(outfit: &Outfit) -> Result<String, String> {
    TownStage::on(outfit, as_it_comes(Runtime::Tmux), &json!([]), |town| {
        client::seed(&town.folder.join("home"), &[])?;
        let bead = town.beads(&["A thing in a folder that is not trusted"])?.remove(0);
        town.gt(&["sling", &bead, "app"])?;
        let asked = need(town, "start", "trust")?;
        let worker = worker(town, &bead)?;
        check(asked["next"].as_str().is_some_and(|next| next.contains("gt agent answer")), || format!("{asked}"))?;
        town.gt(&["agent", "answer", &worker, "yes"])?;
        town.until("its start", || town.fake.heard("Work is on your hook").then_some(()))?;
        town.gt(&["unsling", &bead])?;
        Ok("asked, answered by gt agent answer, and begun".to_owned())
    })
}

/// The mayor's question is reported too, even to a person who waits for the mayor's answer.
fn mayor_asks(outfit: &Outfit) -> Result<String, String> {
    let me = "You are the mayor";
    let rules = json!([
        {"when": {"anywhere": me, "last": "Run make"}, "unless": {"ran": "make town"}, "calls": bash("make town; echo RAN-IT")},
        {"when": {"anywhere": me, "result": "RAN-IT"}, "unless": {"ran": "mail send"}, "calls": bash("gt mail send overseer -s Made -m Made.")},
        {"name": "rest", "when": {"anywhere": me}, "text": "My turn is over."},
    ]);
    TownStage::on(outfit, as_it_comes(Runtime::Tmux), &rules, |town| {
        let mut waiting = town.command(town.program());
        waiting.args(["mayor", "ask", "Run make, please", "--wait", "--timeout", "80"]);
        let waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(text)?;
        let asked = need(town, "asks", "Bash: make town")?;
        check(asked["subject"] == "mayor/", || format!("{asked}"))?;
        std::thread::sleep(Duration::from_secs(2));
        town.gt(&["agent", "answer", "mayor/", "yes"])?;
        let output = waiting.wait_with_output().map_err(text)?;
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        check(said.contains("the mayor waits for a person: mayor/ asks: Bash: make town"), || said.to_string())?;
        check(said.contains("Made."), || said.to_string())?;
        Ok("told to the one who waits, answered, and gone on".to_owned())
    })
}

/// The mayor reads code as agents really do, also in a rig that was added while the mayor ran.
fn mayor_reads(outfit: &Outfit, terms: Terms) -> Result<String, String> {
    let me = "You are the mayor";
    let read = |rig: &str| json!([{"tool": "Read", "input": {"file_path": format!("{{{{town}}}}/{rig}/mayor/rig/notes.txt")}}]);
    let look = |rig: &str| {
        bash(&format!(
            "cd {{{{town}}}}/{rig}/mayor/rig && rg -n THE-NOTES . | head -3; git log --oneline -3; sed -n 1,2p notes.txt; \
             git -C {{{{town}}}}/{rig}/mayor/rig show --stat HEAD; grep -rn todo-01 {{{{town}}}}/{rig}/mayor/rig; find . -name '*.txt'; echo SAW-{rig}"
        ))
    };
    let tell = |what: &str| bash(&format!("gt mail send overseer -s {what} -m 'It is read.'"));
    let asked = |rig: &str| format!("Read (?<town>/\\S+)/{rig}, please");
    let rules = json!([
        {"when": {"anywhere": me, "last": asked("second")}, "unless": {"ran": "second/mayor/rig/notes"}, "calls": read("second")},
        {"when": {"anywhere": me, "said": asked("second"), "result": "THE-NOTES"}, "unless": {"ran": "SAW-second"}, "calls": look("second")},
        {"when": {"anywhere": me, "result": "SAW-second"}, "unless": {"ran": "-s Read-second"}, "calls": tell("Read-second")},
        {"when": {"anywhere": me, "last": asked("app")}, "unless": {"ran": "app/mayor/rig/notes"}, "calls": read("app")},
        {"when": {"anywhere": me, "said": asked("app"), "result": "THE-NOTES"}, "unless": {"ran": "SAW-app"}, "calls": look("app")},
        {"when": {"anywhere": me, "result": "SAW-app"}, "unless": {"ran": "-s Read-app"}, "calls": tell("Read-app")},
        {"name": "rest", "when": {"anywhere": me}, "text": "My turn is over."},
    ]);
    TownStage::on(outfit, terms, &rules, |town| {
        let root = town.root().display().to_string();
        let told = |subject: &str| {
            town.until(subject, || {
                let inbox = town.facts(&["mail", "inbox"]).ok()?;
                inbox["mail"].as_array()?.iter().any(|mail| mail["subject"] == subject).then_some(())
            })
        };
        town.gt(&["mayor", "ask", &format!("Read {root}/app, please")])?;
        told("Read-app")?;
        let remote = town.folder.join("remote.git").display().to_string();
        town.gt(&["rig", "add", "second", &remote, "--prefix", "se", "--skip-proof"])?;
        let reading = town.root().join("second/mayor/rig/notes.txt");
        town.until("its code", || reading.exists().then_some(()))?;
        if terms.pace.contains("sandbox") {
            // The running mayor's sandbox does not change.
            town.gt(&["mayor", "stop"])?;
        }
        town.gt(&["mayor", "ask", &format!("Read {root}/second, please")])?;
        told("Read-second")?;
        asked_nothing(&town.fake, &whole_log(town)?)?;
        std::thread::sleep(Duration::from_secs(1));
        Ok(format!("two rigs read, {} requests", town.fake.asked().len()))
    })
}
