//! Facts about the client on which the design relies, checked without any part of `gt`. If a new version of the client behaves
//! differently, one of these fails first.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::client::Account;
use super::stage::Desk;
use super::{Outfit, Scenario};
use crate::bench::text;

/// The scenarios of this module.
pub const ALL: &[Scenario] = &[
    Scenario { name: "fact-hooks", run: hooks },
    Scenario { name: "fact-hooks-off", run: hooks_off },
    Scenario { name: "fact-hooks-managed", run: hooks_managed },
    Scenario { name: "fact-usage", run: usage },
    Scenario { name: "fact-stream-input", run: stream_input },
    Scenario { name: "fact-terminal", run: terminal },
    Scenario { name: "fact-busy", run: busy },
    Scenario { name: "fact-interrupt", run: interrupt },
    Scenario { name: "fact-trust", run: trust },
    Scenario { name: "fact-nine-stops", run: nine_stops },
    Scenario { name: "fact-background", run: background },
    Scenario { name: "fact-faults", run: faults },
    Scenario { name: "fact-limit", run: limit },
    Scenario { name: "fact-kill-resume", run: kill_resume },
    Scenario { name: "fact-compaction", run: compaction },
    Scenario { name: "fact-subagents", run: subagents },
    Scenario { name: "fact-carried-over", run: carried_over },
    Scenario { name: "fact-halted", run: halted },
    Scenario { name: "fact-broken", run: broken },
];

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Returns a rule that runs a shell command.
fn bash(command: &str) -> Value {
    json!([{"tool": "Bash", "input": {"command": command, "description": "a step"}}])
}

/// Each hook's output reaches the model, and its refusals count, even under bypass.
fn hooks(outfit: &Outfit) -> Result<String, String> {
    let rules = json!([
        {"unless": {"ran": "forbidden"}, "calls": bash("echo forbidden >made")},
        {"when": {"result": "FACT-REFUSED"}, "unless": {"ran": "allowed"}, "calls": bash("echo allowed")},
        {"when": {"said": "FACT-BLOCKED"}, "text": "Really done."},
        {"text": "Done."},
    ]);
    Desk::with(outfit, &rules, |desk| {
        let deny = r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"FACT-REFUSED"}}"#;
        let deny = format!("tail -n 1 saw/PreToolUse | grep -q forbidden && echo '{deny}'; true");
        let after = r#"echo '{"hookSpecificOutput":{"hookEventName":"PostToolUse","additionalContext":"FACT-AFTER"}}'"#;
        let block = r#"mkdir blocked && echo '{"decision":"block","reason":"FACT-BLOCKED"}'; true"#;
        let settings = desk.settings(&[
            ("SessionStart", "echo FACT-START"),
            ("UserPromptSubmit", "echo FACT-PROMPT"),
            ("PreToolUse", &deny),
            ("PostToolUse", after),
            ("Stop", block),
            ("SessionEnd", "true"),
        ])?;
        let ended = desk.headless(&settings, &[], "FACT-ASKED")?;
        desk.heard(&["FACT-ASKED", "FACT-START", "FACT-PROMPT", "FACT-REFUSED", "FACT-AFTER", "FACT-BLOCKED"])?;
        check(ended.last("result")?["result"] == "Really done.", || format!("{:?}", ended.last("result")))?;
        check(!desk.work().join("made").exists(), || "what was refused was run".to_owned())?;
        let counts = ["PreToolUse", "PostToolUse", "Stop", "SessionEnd"].map(|event| desk.saw(event).len());
        check(counts == [2, 1, 2, 1], || format!("hooks ran {counts:?} times"))?;
        Ok("start, prompt, refusal, after-tool and block reached the model".to_owned())
    })
}

/// Our settings override what the project or the user says about hooks.
fn hooks_off(outfit: &Outfit) -> Result<String, String> {
    Desk::with(outfit, &json!([{"text": "Done."}]), |desk| {
        let off = json!({"disableAllHooks": true}).to_string();
        let project = desk.work().join(".claude/settings.json");
        std::fs::create_dir_all(desk.work().join(".claude")).map_err(text)?;
        std::fs::write(&project, &off).map_err(text)?;
        let settings = desk.settings(&[("SessionStart", "true")])?;
        desk.headless(&settings, &[], "go")?;
        check(desk.saw("SessionStart").is_empty(), || "the project's word does not count".to_owned())?;
        let file = desk.folder.join("settings.json");
        let ours = std::fs::read_to_string(&file).map_err(text)?.replacen('{', "{\"disableAllHooks\":false,", 1);
        std::fs::write(&file, ours).map_err(text)?;
        desk.headless(&settings, &[], "go")?;
        check(desk.saw("SessionStart").len() == 1, || "the project's word counts more than ours".to_owned())?;
        std::fs::remove_file(&project).map_err(text)?;
        std::fs::write(desk.folder.join("home/.claude/settings.json"), &off).map_err(text)?;
        desk.headless(&settings, &[], "go")?;
        check(desk.saw("SessionStart").len() == 2, || "the user's word counts more than ours".to_owned())?;
        Ok("the project's turns hooks off, and not if ours says false".to_owned())
    })
}

/// An administrator's settings about hooks override ours.
fn hooks_managed(outfit: &Outfit) -> Result<String, String> {
    Desk::with(outfit, &json!([{"text": "Done."}]), |desk| {
        let settings = desk.settings(&[("SessionStart", "true")])?;
        let file = desk.folder.join("settings.json");
        let ours = std::fs::read_to_string(&file).map_err(text)?.replacen('{', "{\"disableAllHooks\":false,", 1);
        std::fs::write(&file, ours).map_err(text)?;
        let (off, only_theirs) = (json!({"disableAllHooks": true}), json!({"allowManagedHooksOnly": true}));
        let (nothing, on) = (json!({}), json!({"disableAllHooks": false, "allowManagedHooksOnly": false}));
        let (whole, first, last) =
            ("managed-settings.json", "managed-settings.d/10.json", "managed-settings.d/90.json");
        let mut expected = 0;
        let cases: [(&[(&str, &Value)], bool); 7] = [
            (&[(whole, &nothing)], true),
            (&[(whole, &off)], false),
            (&[(whole, &only_theirs)], false),
            (&[(last, &only_theirs)], false),
            (&[(first, &on), (last, &off)], false),
            (&[(first, &off), (last, &on)], true),
            (&[(whole, &only_theirs), (first, &on)], true),
        ];
        for (files, runs) in cases {
            desk.managed(files, &settings, "go")?;
            expected += usize::from(runs);
            let ran = desk.saw("SessionStart").len();
            check(ran == expected, || format!("after {files:?} our hook had run {ran} times, not {expected}"))?;
        }
        Ok("an administrator's disableAllHooks and allowManagedHooksOnly turn ours off; the last file counts"
            .to_owned())
    })
}

/// The transcript holds what the API claimed, each message once.
fn usage(outfit: &Outfit) -> Result<String, String> {
    let claim = json!({"input": 1234, "output": 56, "cache_read": 789, "cache_write": 321});
    let rules = json!([
        {"unless": {"ran": "one"}, "text": "First.", "calls": bash("echo one"), "usage": claim},
        {"unless": {"ran": "two"}, "text": "Second.", "calls": bash("echo two"), "usage": claim},
        {"text": "Done.", "usage": {"input": 7, "output": 1}},
    ]);
    Desk::with(outfit, &rules, |desk| {
        let ended = desk.headless(&desk.settings(&[])?, &[], "go")?;
        let result = ended.last("result")?;
        let session = result["session_id"].as_str().ok_or("no session id")?;
        let (claimed, counted) = (desk.fake.claimed(session), desk.transcript_usage(session)?);
        check(claimed.answers == 3, || format!("{} answers", claimed.answers))?;
        check(claimed == counted, || format!("claimed {claimed:?}, transcript {counted:?}"))?;
        let line = result["usage"]["input_tokens"].as_u64();
        check(line == Some(claimed.input), || format!("the result line says {}", result["usage"]))?;
        Ok(format!(
            "{} in, {} out, {} cached: transcript and result line agree",
            claimed.input, claimed.output, claimed.cache_read
        ))
    })
}

/// One process reads several messages from its input, and each is a turn.
fn stream_input(outfit: &Outfit) -> Result<String, String> {
    let rules = json!([{"when": {"last": "word-(?<n>\\d)"}, "text": "Got {{n}}."}]);
    Desk::with(outfit, &rules, |desk| {
        let (child, mut input) = desk.listening(&desk.settings(&[("Stop", "true")])?)?;
        for n in 1..=2 {
            desk.tell(&mut input, &format!("word-{n}"), "Stop", n)?;
        }
        drop(input);
        let ended = desk.ended(child)?;
        let results: Vec<_> =
            ended.lines.iter().filter(|l| l["type"] == "result").map(|l| l["result"].clone()).collect();
        check(results == ["Got 1.", "Got 2."], || format!("{results:?}"))?;
        Ok("two messages, two turns, one process; it ends with its input".to_owned())
    })
}

/// In a terminal: the client shows no dialog, becomes ready, accepts a second typed prompt, and reports its end.
fn terminal(outfit: &Outfit) -> Result<String, String> {
    let rules = json!([{"when": {"last": "second"}, "text": "Second answer."}, {"text": "First answer."}]);
    Desk::with(outfit, &rules, |desk| {
        let settings = desk.settings(&[("SessionStart", "true"), ("Stop", "true"), ("SessionEnd", "true")])?;
        let terminal = desk.interactive(&settings, "first")?;
        desk.until("the first turn's end", &terminal, || desk.saw("Stop").len() == 1)?;
        terminal.type_line("second")?;
        desk.until("the second turn's end", &terminal, || desk.saw("Stop").len() == 2)?;
        desk.until("its answer on the screen", &terminal, || terminal.screen().contains("Second answer."))?;
        let pid = Pid::from_raw(terminal.pid()?).ok_or("no pid")?;
        kill_process(pid, Signal::TERM).map_err(text)?;
        super::processes::until("SessionEnd", super::stage::LIMIT, || desk.saw("SessionEnd").pop())?;
        Ok("no dialog, prompt as argument, second one typed, SessionEnd at SIGTERM".to_owned())
    })
}

/// A line that is typed while a tool runs reaches the model within the same turn.
fn busy(outfit: &Outfit) -> Result<String, String> {
    let rules = json!([
        {"unless": {"ran": "go"}, "calls": bash("touch begun; until test -e go; do sleep 0.1; done")},
        {"text": "Done."},
    ]);
    Desk::with(outfit, &rules, |desk| {
        let terminal = desk.interactive(&desk.settings(&[("Stop", "true"), ("UserPromptSubmit", "true")])?, "first")?;
        desk.until("the tool", &terminal, || desk.work().join("begun").exists())?;
        terminal.type_line("TYPED-MEANWHILE")?;
        // The screen alone is not enough: the line may still be in the input box.
        desk.until("the line to be queued", &terminal, || terminal.screen().contains("edit queued messages"))?;
        std::fs::write(desk.work().join("go"), "").map_err(text)?;
        desk.until("the turn's end", &terminal, || !desk.saw("Stop").is_empty())?;
        desk.heard(&["TYPED-MEANWHILE"])?;
        let (stops, prompts) = (desk.saw("Stop").len(), desk.saw("UserPromptSubmit").len());
        check(stops == 1, || format!("{stops} stops"))?;
        Ok(format!("it reached the model in the running turn; UserPromptSubmit ran {prompts} times"))
    })
}

/// Esc ends a turn without any Stop.
fn interrupt(outfit: &Outfit) -> Result<String, String> {
    let rules =
        json!([{"unless": {"ran": "sleep"}, "calls": bash("touch begun; sleep 60")}, {"text": "Second answer."}]);
    Desk::with(outfit, &rules, |desk| {
        let settings = desk.settings(&[("Stop", "true"), ("StopFailure", "true")])?;
        let terminal = desk.interactive(&settings, "first")?;
        desk.until("the tool", &terminal, || desk.work().join("begun").exists())?;
        terminal.press("Escape")?;
        desk.until("the interruption", &terminal, || terminal.screen().contains("Interrupted"))?;
        terminal.type_line("second")?;
        desk.until("the next turn's end", &terminal, || !desk.saw("Stop").is_empty())?;
        let stops = (desk.saw("Stop").len(), desk.saw("StopFailure").len());
        check(stops == (1, 0), || format!("{stops:?} Stop and StopFailure"))?;
        Ok("an interrupted turn has neither Stop nor StopFailure; the next has its Stop".to_owned())
    })
}

/// The client trusts a worktree if its repository's folder is trusted; trust of a folder above it is not enough. An answer that
/// is given in a worktree is stored for the repository.
fn trust(outfit: &Outfit) -> Result<String, String> {
    Desk::with(outfit, &json!([]), |desk| {
        desk.git(&["init", "-q", "-b", "main", "first"])?;
        desk.git(&["-C", "first", "commit", "-q", "--allow-empty", "-m", "Begin"])?;
        desk.git(&["clone", "-q", "--bare", "first", "repo.git"])?;
        desk.git(&["-C", "repo.git", "worktree", "add", "-q", "../rig/tree", "main"])?;
        // Like the folder of a town, which is a repository of its own.
        desk.git(&["init", "-q"])?;
        let settings = desk.settings(&[("SessionStart", "true")])?;
        let tree = desk.folder.join("rig/tree");
        desk.trust(&[&desk.folder, &desk.folder.join("rig")])?;
        let terminal = desk.interactive_in(&tree, &settings, "go")?;
        desk.until("the dialog", &terminal, || terminal.screen().contains("Is this a project you created"))?;
        check(desk.saw("SessionStart").is_empty(), || "a hook ran before there was trust".to_owned())?;
        terminal.trusts()?;
        desk.until("the start", &terminal, || desk.saw("SessionStart").len() == 1)?;
        terminal.ends()?;
        let terminal = desk.interactive_in(&tree, &settings, "go")?;
        desk.until("the start without a question", &terminal, || desk.saw("SessionStart").len() == 2)?;
        terminal.ends()?;
        desk.trust(&[&desk.folder.join("repo.git")])?;
        let terminal = desk.interactive_in(&tree, &settings, "go")?;
        desk.until("the start in a trusted repository", &terminal, || desk.saw("SessionStart").len() == 3)?;
        Ok("asked where only a folder above is trusted; the answer in a worktree is the bare repository's".to_owned())
    })
}

/// After eight blocked stops in a row, the client lets the ninth through.
fn nine_stops(outfit: &Outfit) -> Result<String, String> {
    Desk::with(outfit, &json!([{"text": "Done."}]), |desk| {
        let block = r#"echo '{"decision":"block","reason":"Go on."}'"#;
        desk.headless(&desk.settings(&[("Stop", block)])?, &[], "go")?;
        let stops = desk.saw("Stop").len();
        check(stops == 9, || format!("{stops} stops"))?;
        Ok("8 blocks, the 9th stop was let through".to_owned())
    })
}

/// At a stop, the client reports which of its own background tasks still run.
fn background(outfit: &Outfit) -> Result<String, String> {
    let call =
        json!([{"tool": "Bash", "input": {"command": "sleep 4", "run_in_background": true, "description": "wait"}}]);
    let rules = json!([{"unless": {"ran": "sleep"}, "calls": call}, {"text": "Waiting."}]);
    Desk::with(outfit, &rules, |desk| {
        let settings = desk.settings(&[("Stop", "true")])?;
        let terminal = desk.interactive(&settings, "go")?;
        desk.until("the turn's end", &terminal, || !desk.saw("Stop").is_empty())?;
        let stop = desk.saw("Stop").remove(0);
        let tasks = stop["background_tasks"].as_array().map_or(0, Vec::len);
        check(tasks == 1, || format!("no background task in {stop}"))?;
        drop(terminal);
        Ok(format!("background_tasks: {}", stop["background_tasks"]))
    })
}

/// Errors of the API end the turn with StopFailure, never with Stop. The client does not wait for that hook, so only a client
/// that goes on living (as here) is sure to report it.
fn faults(outfit: &Outfit) -> Result<String, String> {
    let status = |status: u16| json!({"status": {"status": status}});
    let mut saw = Vec::new();
    for (name, fault, error) in [
        ("401", status(401), "authentication_failed"),
        ("429", status(429), "rate_limit"),
        ("529", status(529), "server_error"),
        ("cut", json!("cut"), "server_error"),
        ("bad JSON", json!("bad-json"), "unknown"),
    ] {
        let rules = json!([{"text": "Some words.", "fault": fault}]);
        saw.push(Desk::with(outfit, &rules, |desk| fault_ends(desk, name, error))?);
    }
    Ok(saw.join(", "))
}

fn fault_ends(desk: &Desk, name: &str, error: &str) -> Result<String, String> {
    let (child, mut input) = desk.listening(&desk.settings(&[("Stop", "true"), ("StopFailure", "true")])?)?;
    desk.tell(&mut input, "go", "StopFailure", 1)?;
    drop(input);
    let ended = desk.ended(child)?;
    let told = desk.saw("StopFailure")[0]["error"].clone();
    check(told == error, || format!("{name}: StopFailure says {told}"))?;
    check(desk.saw("Stop").is_empty(), || format!("{name}: a Stop, {:?}", ended.last("result")))?;
    check(!ended.status.success(), || format!("{name}: it ended with {}", ended.status))?;
    let asked = desk.fake.asked().iter().filter(|asked| !asked.conversation.is_aside()).count();
    Ok(format!("{name}: {told} after {asked} requests"))
}

/// At a plan's limit, StopFailure says in words when the limit ends. The stream, and a moment later the transcript, give the
/// seconds.
fn limit(outfit: &Outfit) -> Result<String, String> {
    let rules = json!([{"fault": {"limit": {"resets_in_s": 7200}}}]);
    Desk::with_account(outfit, Account::Plan, &rules, |desk| {
        let (child, mut input) = desk.listening(&desk.settings(&[("StopFailure", "true")])?)?;
        desk.tell(&mut input, "go", "StopFailure", 1)?;
        drop(input);
        let ended = desk.ended(child)?;
        let failure = desk.saw("StopFailure").pop().ok_or("no StopFailure")?;
        let said = failure["last_assistant_message"].as_str().unwrap_or_default().to_owned();
        check(failure["error"] == "rate_limit" && said.contains("resets"), || failure.to_string())?;
        let event = &ended.last("rate_limit_event")?["rate_limit_info"];
        check(event["status"] == "rejected" && event["resetsAt"].is_u64(), || event.to_string())?;
        let session = failure["session_id"].as_str().unwrap_or_default();
        let told =
            desk.transcript(session)?.iter().map(|line| line["quotaLimits"]["resetsAt"].clone()).collect::<Vec<_>>();
        let told: Vec<Value> = told.into_iter().filter(Value::is_u64).collect();
        check(told == [event["resetsAt"].clone()], || format!("the transcript has {told:?}"))?;
        Ok(format!("\"{said}\"; stream and transcript have resetsAt {}", event["resetsAt"]))
    })
}

/// After `kill -9` in the middle of a tool, `--resume` continues the same conversation.
fn kill_resume(outfit: &Outfit) -> Result<String, String> {
    let rules = json!([{"unless": {"ran": "sleep"}, "calls": bash("touch begun; sleep 60")}, {"text": "Gone on."}]);
    Desk::with(outfit, &rules, |desk| {
        let session = "0a0b0c0d-1111-4222-8333-444455556666";
        let settings = desk.settings(&[])?;
        let mut words = vec!["-p".to_owned(), "--session-id".to_owned(), session.to_owned()];
        words.extend(settings.iter().cloned());
        words.push("go".to_owned());
        let mut child = desk.start(&words, Stdio::null())?;
        super::processes::until("the tool", super::stage::LIMIT, || desk.work().join("begun").exists().then_some(()))?;
        child.kill().and_then(|()| child.wait()).map_err(text)?;
        let left = super::processes::of(&desk.folder);
        desk.end_all();
        let ended = desk.headless(&settings, &["--resume", session], "and now?")?;
        check(ended.last("result")?["result"] == "Gone on.", || format!("{:?}", ended.last("result")))?;
        desk.heard(&["and now?"])?;
        Ok(format!("resumed; {} processes outlived the client", left.len()))
    })
}

/// A claim of a full window makes the client compact, and SessionStart reports it.
fn compaction(outfit: &Outfit) -> Result<String, String> {
    let rules = json!([
        {"when": {"last": "summary"}, "text": "<summary>All is well.</summary>"},
        {"unless": {"anywhere": "All is well"}, "calls": bash("echo one"), "usage": {"input": 995_000, "output": 1}},
        {"text": "Done."},
    ]);
    Desk::with(outfit, &rules, |desk| {
        let settings = desk.settings(&[("SessionStart", "echo FACT-AGAIN"), ("PreCompact", "true")])?;
        desk.headless(&settings, &[], "go")?;
        let sources: Vec<Value> = desk.saw("SessionStart").iter().map(|start| start["source"].clone()).collect();
        check(sources == ["startup", "compact"], || format!("starts: {sources:?}"))?;
        check(desk.saw("PreCompact").len() == 1, || "no PreCompact".to_owned())?;
        Ok("PreCompact, then SessionStart with source compact".to_owned())
    })
}

/// The usage of an agent's own subagents is in separate files beside the transcript.
fn subagents(outfit: &Outfit) -> Result<String, String> {
    let task = json!([{"tool": "Agent", "input": {
        "description": "look", "prompt": "SUB-PROMPT do it", "subagent_type": "general-purpose"}}]);
    let rules = json!([
        {"when": {"last": "SUB-PROMPT"}, "unless": {"ran": "echo sub"}, "calls": bash("echo sub"), "usage": {"input": 11, "output": 3}},
        {"when": {"ran": "echo sub"}, "text": "SUB-ANSWER", "usage": {"input": 13, "output": 5}},
        {"unless": {"ran": "Agent"}, "calls": task, "usage": {"input": 100, "output": 10}},
        {"text": "Done.", "usage": {"input": 200, "output": 20}},
    ]);
    Desk::with(outfit, &rules, |desk| {
        let ended = desk.headless(&desk.settings(&[])?, &[], "go")?;
        let session = ended.last("result")?["session_id"].as_str().ok_or("no session id")?.to_owned();
        let (claimed, own) = (desk.fake.claimed(&session), desk.transcript_usage(&session)?);
        let beside = desk.subagents_usage(&session)?;
        check(beside.input == 24 && beside.output == 8, || format!("beside the transcript: {beside:?}"))?;
        check(own.input + beside.input == claimed.input, || format!("claimed {claimed:?}, transcript {own:?}"))?;
        let begun = ended.lines.iter().filter(|line| line["type"] == "assistant");
        let streamed: u64 = begun.filter_map(|line| line["message"]["usage"]["output_tokens"].as_u64()).sum();
        check(streamed < claimed.output, || "the stream's answers are whole".to_owned())?;
        let sums = &ended.last("result")?["modelUsage"];
        let sum: u64 = sums.as_object().ok_or("no sums")?.values().filter_map(|of| of["outputTokens"].as_u64()).sum();
        check(sum == claimed.output, || format!("claimed {claimed:?}, result {sums}"))?;
        Ok(format!("{} in by the agent, {} by its own agent in a file of its own", own.input, beside.input))
    })
}

/// A resumed session continues its transcript; a fork begins with a copy.
fn carried_over(outfit: &Outfit) -> Result<String, String> {
    let rules = json!([{"text": "Done.", "usage": {"input": 100, "output": 10}}]);
    Desk::with(outfit, &rules, |desk| {
        let settings = desk.settings(&[("SessionStart", "true")])?;
        let session = "0a0b0c0d-1111-4222-8333-444455556666";
        desk.headless(&settings, &["--session-id", session], "go")?;
        desk.headless(&settings, &["--resume", session], "again")?;
        let ended = desk.headless(&settings, &["--resume", session, "--fork-session"], "forked")?;
        let fork = ended.last("result")?["session_id"].as_str().ok_or("no session id")?.to_owned();
        let sources: Vec<Value> = desk.saw("SessionStart").iter().map(|start| start["source"].clone()).collect();
        check(sources == ["startup", "resume", "fork"], || format!("starts: {sources:?}"))?;
        let (old, new) = (desk.answers(session)?, desk.answers(&fork)?);
        check(old.len() == 2 && new.len() == 3, || format!("{old:?} and {new:?}"))?;
        check(new[..2] == old[..], || format!("not copied as they were: {old:?} and {new:?}"))?;
        Ok("a resumed session goes on in its transcript; a fork begins with a copy, times and ids as they were"
            .to_owned())
    })
}

/// A hook after a tool that answers `"continue": false` ends the turn, and the next message begins another.
fn halted(outfit: &Outfit) -> Result<String, String> {
    let rules = json!([
        {"when": {"last": "again"}, "text": "Another turn."},
        {"calls": bash("echo once more"), "usage": {"input": 1000, "output": 10}},
    ]);
    Desk::with(outfit, &rules, |desk| {
        let halt = r#"echo '{"continue":false,"stopReason":"FACT-HALT"}'"#;
        let settings = desk.settings(&[("PostToolUse", halt), ("Stop", "true")])?;
        let (child, mut input) = desk.listening(&settings)?;
        desk.tell(&mut input, "begin", "PostToolUse", 1)?;
        std::thread::sleep(std::time::Duration::from_secs(2));
        check(desk.saw("Stop").is_empty(), || "a Stop hook ran".to_owned())?;
        desk.tell(&mut input, "again", "Stop", 1)?;
        drop(input);
        let ended = desk.ended(child)?;
        let halted = ended.lines.iter().filter(|line| line["terminal_reason"] == "hook_stopped").count();
        check(halted == 1, || format!("{halted} turns ended by a hook"))?;
        check(desk.fake.asked().len() == 2, || format!("asked {} times", desk.fake.asked().len()))?;
        Ok("the turn ended after the tool, without a Stop; the next message began another".to_owned())
    })
}

/// An answer that breaks off is in the transcript with the usage that it had claimed by then, and its tool runs.
fn broken(outfit: &Outfit) -> Result<String, String> {
    let rules = json!([
        {"unless": {"ran": "echo x"}, "text": "Half an answer.", "calls": bash("echo x"), "fault": "cut-late",
         "usage": {"input": 5000, "output": 700}},
        {"text": "Done.", "usage": {"input": 7, "output": 1}},
    ]);
    Desk::with(outfit, &rules, |desk| {
        let ended = desk.headless(&desk.settings(&[])?, &[], "go")?;
        let session = ended.last("result")?["session_id"].as_str().ok_or("no session id")?.to_owned();
        let counted = desk.transcript_usage(&session)?;
        check(counted.input == 5007 && counted.answers == 2, || format!("the transcript has {counted:?}"))?;
        Ok("the broken answer's input is in the transcript, its output is not".to_owned())
    })
}
