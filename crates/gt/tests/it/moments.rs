//! Moments (calls of a client's hooks): the built binary gets JSON on its standard input, while a worker runs.

#![expect(clippy::disallowed_methods, reason = "a test stands outside of gt: it plays an agent that does harm")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use gt_model::moment::NUDGE_LINE;
use serde_json::{Value, json};

use crate::town::{GT, Output, RIG, Town, WORK, finish, text, write};

/// A worker that waits in the middle of its work until a mark lets it continue.
const WAIT: &str = r#"
[[act]]
step = "implement"
signal = "there"
await = "go-on"
"#;

/// A town whose one worker has begun and waits. The test plays by hand what happens to it.
struct Scene {
    town: Town,
    bead: String,
    worker: String,
}

impl Scene {
    /// Creates it; `more` are lines of town.toml.
    fn new(more: &str) -> Self {
        let town = Town::new();
        let quick = "version = 1\nagent = \"sim\"\npatrol_seconds = 1\n";
        write(&town.root().join("town.toml"), format!("{quick}{more}"));
        town.script(&format!("{WAIT}{WORK}"));
        let bead = town.bead("Wait for a word");
        town.ok(&["up"]);
        town.ok(&["sling", &bead, RIG, "--runtime", "headless"]);
        town.wait_for_mark("there");
        town.wait_until("the start to be recorded", || town.status_of(&bead) == "in_progress");
        let worker = text(&town.json(&["bead", "show", &bead])[0]["assignee"]);
        Self { town, bead, worker }
    }

    fn folder(&self) -> PathBuf {
        self.town.session(&self.bead).0
    }

    /// Returns the token of the worker's newest session.
    fn token(&self) -> String {
        let (_, _, agent) = self.town.session(&self.bead);
        let environment = std::fs::read(format!("/proc/{}/environ", agent.pid)).unwrap();
        let environment = String::from_utf8(environment).unwrap();
        let token = environment.split('\0').find_map(|pair| pair.strip_prefix("GT_INCARNATION="));
        token.unwrap().to_owned()
    }

    fn call(&self, token: &str, args: &[&str], input: &str) -> Output {
        let mut command = self.town.program(GT, &self.town.root());
        command.env("GT_INCARNATION", token).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        finish(child)
    }

    /// Calls a hook, which must not break its client. Returns its answer.
    fn moment_as(&self, token: &str, moment: &str, event: &str, more: &Value) -> String {
        let mut input = json!({ "session_id": "s", "transcript_path": "/t", "cwd": "/", "hook_event_name": event });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let args = match moment {
            "start" => vec!["prime", "--moment", "start", "--client", "claude"],
            _ => vec!["moment", moment, "--client", "claude"],
        };
        let output = self.call(token, &args, &input.to_string());
        assert_eq!((output.code, output.err.as_str()), (0, ""), "{moment}: {output:?}");
        output.out
    }

    fn moment(&self, moment: &str, event: &str, more: &Value) -> String {
        self.moment_as(&self.token(), moment, event, more)
    }

    fn stop(&self) -> String {
        self.moment("stop", "Stop", &json!({ "stop_hook_active": false, "background_tasks": [] }))
    }

    fn mail(&self, priority: &str, subject: &str) {
        let args = ["mail", "send", &self.worker, "-s", subject, "-m", "one\ntwo", "--priority", priority];
        self.town.ok(&args);
    }

    fn incarnations(&self) -> usize {
        self.town.ask("SELECT id FROM incarnations").len()
    }

    fn verdict(&self) -> String {
        let shown = self.town.json(&["polecat", "show", &self.worker]);
        text(&shown["polecats"].as_array().unwrap().last().unwrap()["witness"]["verdict"])
    }

    /// Waits until the worker has another incarnation.
    fn wait_for_incarnation(&self, count: usize) {
        let started = "SELECT id FROM incarnations WHERE started_at IS NOT NULL";
        self.town.wait_until("the next incarnation", || self.town.ask(started).len() == count);
    }

    /// Lets the worker continue to its end.
    fn finish(self) {
        self.town.signal("go-on");
        self.town.wait_closed(&self.bead);
    }
}

fn context(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap();
    text(&answer["hookSpecificOutput"]["additionalContext"])
}

#[test]
fn f15_mail_enters_a_context_once_as_data_and_with_a_size_limit() {
    let scene = Scene::new("");
    let after = || scene.moment("after-tool", "PostToolUse", &json!({ "tool_name": "Bash", "tool_response": {} }));
    assert_eq!(after(), "", "no mail, no word");
    scene.mail("normal", "Whenever");
    scene.mail("high", "Soon \u{1b}[2J");
    assert_eq!(scene.moment("after-tool", "PostToolUse", &json!({ "agent_id": "a1" })), "", "a subagent gets none");
    let told = context(&after());
    assert!(told.contains("from overseer: Soon  [2J\n| one\n| two") && told.contains("data from others"), "{told}");
    assert!(!told.contains("Whenever"), "{told}");
    assert_eq!(after(), "", "once");
    let prompt = || scene.moment("prompt", "UserPromptSubmit", &json!({ "prompt": "hello" }));
    let told = context(&prompt());
    assert!(told.contains("Whenever") && !told.contains("Soon"), "{told}");
    assert_eq!(prompt(), "");
    let by = "SELECT delivered_by FROM deliveries WHERE recipient LIKE '%/polecats/%' ORDER BY sent_at";
    assert_eq!(scene.town.ask(by), ["prompt", "after-tool"]);
    (0..40).for_each(|_| scene.mail("high", "ALERT"));
    let told = context(&after());
    assert!(told.len() < 3100 && told.contains(" more: gt mail inbox"), "{told}");
    scene.finish();
}

#[test]
fn the_hook_after_a_tool_does_not_open_an_unchanged_ledger() {
    let scene = Scene::new("");
    let after = |token: &str| scene.moment_as(token, "after-tool", "PostToolUse", &json!({ "tool_name": "Bash" }));
    let token = scene.token();
    let (ledger, log) = (scene.town.root().join(".beads/beads.db"), scene.folder().join("logs/hooks.log"));
    let aside = ledger.with_file_name("aside.db");
    let mark = || std::fs::read(scene.folder().join("moments/after-tool")).unwrap();
    let needs_no_ledger = || {
        assert_eq!(after(&token), "");
        let before = mark();
        std::fs::rename(&ledger, &aside).unwrap();
        let said = after(&token);
        std::fs::rename(&aside, &ledger).unwrap();
        let went_well = !log.exists();
        let _ = std::fs::remove_file(&log);
        assert_eq!(said, "");
        went_well && mark() != before
    };
    // The deacon may write between the two calls.
    assert!((0..20).any(|_| needs_no_ledger()), "the ledger was opened each time");
    let (id, _) = token.rsplit_once('.').unwrap();
    let before = mark();
    for stranger in [format!("{id}.wrong"), format!("../sessions/{id}.wrong"), ".".to_owned()] {
        assert_eq!(after(&stranger), "");
        assert_eq!(mark(), before, "{stranger}");
    }
    scene.mail("high", "Soon");
    assert!(context(&after(&token)).contains("Soon"));
    scene.finish();
}

#[test]
fn a_failing_hook_call_never_breaks_its_client_and_is_logged() {
    let scene = Scene::new("");
    let token = scene.token();
    let log = scene.folder().join("logs/hooks.log");
    let args = ["moment", "after-tool", "--client", "claude"];
    let silent = |output: Output| assert_eq!((output.code, output.out.as_str(), output.err.as_str()), (0, "", ""));
    // A call without a session is silent: it logs no line either.
    silent(scene.town.gt(&args));
    silent(scene.town.gt_with(&scene.town.root(), &[("GT_INCARNATION", "x.y")], &args));
    let nowhere = scene.town.folder().display().to_string();
    silent(scene.town.gt_with(scene.town.folder(), &[("GT_INCARNATION", &token), ("GT_TOWN", &nowhere)], &args));
    assert!(!log.exists());
    for input in ["", "{", "[1]", "{\"session_id\": 7}", "\u{0}\u{1b}"] {
        silent(scene.call(&token, &args, input));
    }
    // Another process locks the ledger, and the call has something to write.
    scene.mail("high", "Soon");
    let lock = std::fs::File::create(scene.town.root().join(".beads/beads.lock")).unwrap();
    lock.lock().unwrap();
    silent(scene.call(&token, &args, "{\"hook_event_name\": \"PostToolUse\"}"));
    lock.unlock().unwrap();
    let lines = std::fs::read_to_string(&log).unwrap();
    assert_eq!(lines.lines().count(), 6, "{lines}");
    assert!(lines.lines().last().unwrap().contains("after-tool amber-a1-1 the ledger is busy"), "{lines}");
    assert!(!lines.contains(['\u{1b}', '\u{0}']), "{lines:?}");
    assert_eq!(scene.town.json(&["status"])["status"]["hooks"]["last_hour"], 6);
    assert!(scene.town.ok(&["status"]).contains("6 calls of agents' hooks failed"));
    scene.finish();
}

#[test]
fn f01_files_that_an_agent_puts_into_its_folder_delay_no_other() {
    let scene = Scene::new("");
    scene.moment("prompt", "UserPromptSubmit", &json!({ "prompt": "hello" }));
    let folder = scene.folder();
    let script = "ln -s /dev/zero moments/start; mkfifo moments/stop moments/x; mkdir moments/limit moments/y\n\
        truncate -s 100G moments/idle; printf '\\0' > moments/end\n\
        mkdir -p logs; rm -f logs/hooks.log; mkfifo logs/hooks.log; rm -f output.log; mkfifo output.log\n\
        rm lock start.lock; mkfifo lock start.lock exit.json\n";
    let made = std::process::Command::new("sh").args(["-c", script]).current_dir(&folder).status();
    assert!(made.is_ok());
    scene.town.let_patrols_pass();
    scene.town.let_patrols_pass();
    assert_eq!(scene.town.conditions(), Vec::<String>::new(), "nobody's patrol failed");
    // Meanwhile another worker finishes its work.
    scene.town.script(WORK);
    let other = scene.town.bead("Meanwhile");
    scene.town.ok(&["sling", &other, RIG, "--runtime", "headless"]);
    scene.town.wait_closed(&other);
    scene.town.gt(&["peek", &scene.worker]);
    scene.town.gt(&["down", "--now"]);
    scene.town.wait_ended();
}

#[test]
fn the_guard_refuses_with_the_command_to_use_instead() {
    let scene = Scene::new("");
    let cwd = scene.town.rig().join("polecats/amber").display().to_string();
    let call = |command: &str, more: &Value| {
        let mut input = json!({ "tool_name": "Bash", "tool_input": { "command": command }, "cwd": cwd });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        scene.moment("before-tool", "PreToolUse", &input)
    };
    assert_eq!(call("cargo test 2>&1 | tail", &json!({})), "");
    assert_eq!(scene.verdict(), "in-tool");
    for more in [json!({}), json!({ "agent_id": "a1" })] {
        let refused: Value = serde_json::from_str(&call("git push origin HEAD", &more)).unwrap();
        assert_eq!(refused["hookSpecificOutput"]["permissionDecision"], "deny");
        let reason = text(&refused["hookSpecificOutput"]["permissionDecisionReason"]);
        assert!(reason.contains("Instead: ") && reason.contains("gt done"), "{reason}");
    }
    scene.finish();
}

#[test]
fn the_start_moment_primes_and_a_compaction_only_reminds() {
    let scene = Scene::new("");
    write(&scene.town.root().join("directives/polecat.md"), "Speak plainly.\n");
    scene.mail("normal", "Hello");
    let start = |source: &str| scene.moment("start", "SessionStart", &json!({ "source": source }));
    let told = start("startup");
    for part in ["You are app/polecats/amber", "you run it", "Step 4 of 9: implement", "| Speak plainly.", "Hello"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let reminded = start("compact");
    assert!(
        reminded.contains("You are app/polecats/amber") && reminded.contains("gt step done implement"),
        "{reminded}"
    );
    assert!(reminded.len() < 1500 && !reminded.contains("Hello"), "{reminded}");
    let client = std::fs::read_to_string(scene.folder().join("moments/client.json")).unwrap();
    assert_eq!(client, "{\"client\":\"claude\",\"session_id\":\"s\",\"transcript_path\":\"/t\"}");
    let explained = scene.call(&scene.token(), &["prime", "--explain"], "").out;
    assert!(explained.contains("directives/polecat.md") && explained.contains("at most"), "{explained}");
    scene.finish();
}

#[test]
fn the_text_at_a_start_stays_small_whatever_others_wrote() {
    let scene = Scene::new("");
    let long = "A line of text that goes on.\n".repeat(400);
    for flag in ["--description", "--notes", "--design", "--acceptance"] {
        scene.town.ok(&["bead", "update", &scene.bead, flag, &long]);
    }
    write(&scene.town.root().join("directives/polecat.md"), &long);
    (0..9).for_each(|_| scene.mail("normal", &"subject ".repeat(50)));
    let told = scene.moment("start", "SessionStart", &json!({ "source": "startup" }));
    let prompt = 400;
    assert!(told.len() + prompt < 6 * 1024, "{} bytes: {told}", told.len());
    for part in ["It is done when", "full text: gt bead show", "full text: directives/polecat.md", "You have mail (9)"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    scene.finish();
}

#[test]
fn gupp_work_on_a_hook_keeps_a_turn_going_a_limited_number_of_times() {
    let scene = Scene::new("max_incarnations = 9\n");
    let waiting =
        json!({ "background_tasks": [{ "id": "b", "type": "shell", "status": "running", "description": "" }] });
    assert_eq!(scene.moment("stop", "Stop", &waiting), "", "it waits for a task of its own");
    scene.town.wait_until("the verdict", || scene.verdict() == "waiting");
    scene.moment("prompt", "UserPromptSubmit", &json!({ "prompt": "the task is over" }));
    let first: Value = serde_json::from_str(&scene.stop()).unwrap();
    assert_eq!(first["decision"], "block");
    let reason = text(&first["reason"]);
    assert!(reason.contains(&scene.bead) && reason.contains("gt step done implement"), "{reason}");
    assert!(scene.stop().contains("block"));
    assert_eq!(scene.stop(), "", "twice without anything new is enough");
    // A worker without a terminal or input can't be woken: a new incarnation takes over, and that counts.
    scene.wait_for_incarnation(2);
    let events = scene.town.events(&scene.bead);
    for event in ["worker-nudged", "worker-silent"] {
        assert!(events.contains(&event.to_owned()), "{event}: {events:?}");
    }
    let explained = scene.town.ok(&["why", &scene.worker]);
    assert!(explained.contains("incarnations that count: 2 of 9"), "{explained}");
    scene.finish();
}

#[test]
fn urgent_mail_keeps_a_turn_going_once_and_a_finished_worker_may_end() {
    let scene = Scene::new("linger_seconds = 3600\n");
    let token = scene.token();
    scene.mail("urgent", "Look first");
    assert!(scene.stop().contains("gt mail read"));
    assert!(scene.stop().contains("There is work on your hook"));
    let done = scene.call(&token, &["done", "--status", "escalated", "-m", "too hard"], "");
    assert_eq!(done.code, 0, "{done:?}");
    scene.moment_as(&token, "after-tool", "PostToolUse", &json!({}));
    assert_eq!(scene.moment_as(&token, "stop", "Stop", &json!({})), "");
    // Its session ends then, long before the pause has passed.
    scene.town.wait_quiet();
}

#[test]
fn a_handoff_goes_to_the_next_incarnation_and_counts_as_no_failure() {
    let scene = Scene::new("linger_seconds = 3600\n");
    let token = scene.token();
    let handed = scene.call(&token, &["handoff", "-s", "Half done", "-m", "Look at the parser first."], "");
    assert!(handed.out.contains("End your turn"), "{handed:?}");
    assert_eq!(scene.moment_as(&token, "prompt", "UserPromptSubmit", &json!({ "prompt": "x" })), "", "not for itself");
    assert_eq!(scene.moment_as(&token, "stop", "Stop", &json!({})), "");
    scene.wait_for_incarnation(2);
    let told = scene.moment("start", "SessionStart", &json!({ "source": "startup" }));
    let at = |part: &str| told.find(part).unwrap_or_else(|| panic!("{part}: {told}"));
    assert!(at("Your predecessor left this for you") < at("You continue where another worker stopped"));
    assert!(at("| Half done") < at("| Look at the parser first."));
    let explained = scene.town.ok(&["why", &scene.worker]);
    assert!(explained.contains("incarnations that count: 1 of"), "{explained}");
    scene.finish();
}

#[test]
fn f20_a_limit_parks_the_kind_and_its_worker_begins_afresh_after_it() {
    let scene = Scene::new("");
    let words = "You've hit your limit, resets in 3h 5m";
    scene.moment("prompt", "UserPromptSubmit", &json!({ "prompt": "x" }));
    let failure = json!({ "error": "rate_limit", "last_assistant_message": words });
    scene.moment("stop-failure", "StopFailure", &failure);
    scene.town.wait_until("the limit to be seen", || scene.town.conditions() == ["limit"]);
    assert_eq!(scene.verdict(), "limited");
    let until = scene.town.ask("SELECT until > since FROM conditions WHERE kind = 'limit'");
    assert_eq!(until, ["1"]);
    let other = scene.town.bead("Wait as well");
    scene.town.ok(&["sling", &other, RIG]);
    scene.town.let_patrols_pass();
    let begun = format!("SELECT count(*) FROM attempts WHERE bead = '{other}' AND base IS NOT NULL");
    assert_eq!(
        (scene.town.ask(&begun), scene.incarnations()),
        (vec!["0".to_owned()], 1),
        "nothing is begun, nobody ended"
    );
    scene.town.ok(&["resume", "--agent", "sim"]);
    scene.wait_for_incarnation(3);
    let explained = scene.town.ok(&["why", &scene.worker]);
    assert!(explained.contains("incarnations that count: 1 of"), "{explained}");
    assert_eq!(scene.town.conditions(), Vec::<String>::new());
    scene.town.signal("go-on");
    scene.town.wait_closed(&other);
    scene.finish();
}

#[test]
fn f20_a_question_to_a_person_is_reported_once_and_cleared_when_answered() {
    let scene = Scene::new("");
    let asks = json!({ "notification_type": "permission_prompt", "message": "May I use Bash?" });
    scene.moment("before-tool", "PreToolUse", &json!({ "tool_name": "Bash", "tool_input": {} }));
    assert_eq!(scene.verdict(), "in-tool");
    scene.moment("notification", "Notification", &asks);
    scene.town.wait_until("the question to be seen", || scene.town.conditions() == ["asks"]);
    assert_eq!(scene.verdict(), "waiting-on-person");
    let told = "SELECT count(*) FROM deliveries d JOIN beads b ON b.id = d.mail
                WHERE d.recipient = 'overseer' AND b.description LIKE '%May I use Bash?%'";
    scene.town.let_patrols_pass();
    assert_eq!(scene.town.ask(told), ["1"]);
    scene.moment("after-tool", "PostToolUse", &json!({ "tool_name": "Bash" }));
    scene.town.wait_until("it to be forgotten", || scene.town.conditions().is_empty());
    scene.finish();
}

#[test]
fn f20_an_api_outage_is_a_condition_and_not_the_workers_failure() {
    let scene = Scene::new("");
    scene.moment("prompt", "UserPromptSubmit", &json!({ "prompt": "x" }));
    let failure = json!({ "error": "server_error", "last_assistant_message": "529 Overloaded" });
    scene.moment("stop-failure", "StopFailure", &failure);
    scene.town.wait_until("the outage to be seen", || scene.town.conditions() == ["outage"]);
    let told = scene.town.ok(&["status"]);
    assert!(told.contains("its API does not answer") && told.contains("529 Overloaded"), "{told}");
    scene.town.let_patrols_pass();
    assert_eq!((scene.verdict().as_str(), scene.incarnations()), ("limited", 1), "nobody is nudged or ended");
    scene.town.ok(&["resume", "--agent", "sim"]);
    // It does not learn of the end, so it begins afresh.
    scene.wait_for_incarnation(2);
    let explained = scene.town.ok(&["why", &scene.worker]);
    assert!(explained.contains("incarnations that count: 1 of"), "{explained}");
    scene.finish();
}

#[test]
fn usage_is_counted_at_the_end_of_each_turn_and_session() {
    let scene = Scene::new("[prices]\ndate = \"a day\"\n");
    let transcript = scene.town.folder().join("transcript.jsonl");
    let line = |id: &str, model: &str, input: u64| {
        let usage = json!({ "input_tokens": input, "output_tokens": 10, "cache_creation_input_tokens": 5 });
        let message = json!({ "id": id, "model": model, "usage": usage });
        json!({ "type": "assistant", "message": message }).to_string() + "\n"
    };
    let said = |lines: &[String]| write(&transcript, lines.concat());
    let path = transcript.display().to_string();
    said(&[line("a", "claude-opus-5-5", 100), line("a", "claude-opus-5-5", 100)]);
    scene.moment("start", "SessionStart", &json!({ "source": "startup", "transcript_path": path }));
    scene.moment("after-tool", "PostToolUse", &json!({ "tool_name": "Bash" }));
    assert!(scene.stop().contains("block"));
    let cost = |by: &str| scene.town.json(&["cost", "--by", by])["cost"].clone();
    let tokens = || cost("day")["report"]["total"]["tokens"].as_u64().unwrap();
    scene.town.wait_until("the count", || tokens() == 115);
    assert_eq!(cost("day")["today"]["tokens"], 115);
    said(&[line("a", "claude-opus-5-5", 100), line("b", "no-such-model", 1000)]);
    let Scene { town, bead, worker } = scene;
    let shown = town.ok(&["polecat", "show", &worker]);
    assert!(shown.contains("took so far: 115 tokens"), "{shown}");
    town.signal("go-on");
    town.wait_closed(&bead);
    town.wait_quiet();
    town.ok(&["down"]);
    let report = town.json(&["cost", "--by", "bead"])["cost"]["report"].clone();
    let row = &report["rows"][0];
    let numbers = ["tokens", "answers", "input", "output", "cache_write_5m"].map(|name| row[name].as_u64().unwrap());
    assert_eq!((text(&row["key"]), numbers), (bead.clone(), [1130, 2, 1100, 20, 10]), "{report}");
    assert_eq!((row["unpriced"][0].as_str(), report["prices_of"].as_str()), (Some("no-such-model"), Some("a day")));
    let words = town.ok(&["cost", "--by", "worker"]);
    for part in
        [worker.as_str(), "list prices of a day", "does not pay by tokens", "no price is known of no-such-model"]
    {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert!(
        town.ok(&["why", &bead])
            .contains("took so far: 1.1k tokens, about $0.00 plus the unknown cost of no-such-model")
    );
    assert!(town.ok(&["cost", "--since", "1d"]).contains("1.1k"));
    assert!(town.ok(&["cost", "--since", "2999-01-01"]).contains("nothing was counted"));
    for wrong in ["0d", "soon", "99999999d", "2026-13-01"] {
        assert_eq!(town.gt(&["cost", "--since", wrong]).code, 2, "{wrong}");
    }
}

/// An agent in a terminal: typed text becomes a prompt, for which its client calls the hook; then its turn ends.
const CLIENT: &str = r#"#!/bin/sh
call() { printf '%s' "$2" | gt moment "$1" --client claude >> "$GT_SIM_PLAY_DIR/answers"; }
stty -echo
printf '{"source":"startup"}' | gt prime --moment start --client claude > "$GT_SIM_PLAY_DIR/told"
call prompt '{"prompt":"begin"}'
call stop '{}'; call stop '{}'; call stop '{}'
echo ready
while read -r line; do
    call prompt "{\"prompt\":\"$line\"}"
    printf '%s\n' "$line" >> "$GT_SIM_PLAY_DIR/lines"
    [ -e "$GT_SIM_PLAY_DIR/busy" ] || call stop '{"background_tasks":[{"id":"b"}]}'
done
"#;

#[test]
fn f05_a_nudge_is_one_fixed_line_at_an_idle_prompt_and_is_acknowledged() {
    if !crate::terminals::has_tmux() {
        return;
    }
    let town = Town::new();
    let client = town.folder().join("client.sh");
    write(&client, CLIENT);
    let play = town.folder().join("play");
    let kind = format!("[agents.typed]\ncommand = [\"sh\", {client:?}]\nenv = {{ GT_SIM_PLAY_DIR = {play:?} }}\n");
    // Long patrol intervals, so that the test types everything itself.
    write(&town.root().join("town.toml"), format!("version = 1\nagent = \"typed\"\npatrol_seconds = 60\n{kind}"));
    let bead = town.bead("Be woken");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG, "--runtime", "tmux"]);
    let lines = || std::fs::read_to_string(play.join("lines")).unwrap_or_default();
    // It stalls at once, and the witness wakes it.
    town.wait_until("the witness's nudge", || lines() == format!("{NUDGE_LINE}\n"));
    let worker = text(&town.json(&["bead", "show", &bead])[0]["assignee"]);
    let waiting = || text(&town.json(&["polecat", "show", &worker])["polecats"][0]["witness"]["verdict"]) == "waiting";
    town.wait_until("its turn to be over", waiting);
    // A draft in the input box is neither sent nor joined with the line.
    let plan: Value = serde_json::from_slice(&std::fs::read(town.session(&bead).0.join("plan.json")).unwrap()).unwrap();
    let said = town.ok(&["nudge", &worker, "-m", "Words of a person's"]);
    assert!(said.contains("has heard"), "{said} {plan}");
    assert_eq!(lines(), format!("{NUDGE_LINE}\n{NUDGE_LINE}\n"), "the words are in the mail only");
    let answers = std::fs::read_to_string(play.join("answers")).unwrap();
    assert!(answers.contains("Words of a person's"), "{answers}");
    // `gt` does not type at an agent that works.
    town.wait_until("its turn to be over", waiting);
    town.signal("busy");
    assert!(town.ok(&["nudge", &worker]).contains("has heard"));
    assert!(town.ok(&["nudge", &worker]).contains("is at work"));
    assert_eq!(lines().lines().count(), 3);
    town.ok(&["down", "--now"]);
    let gone = town.gt(&["nudge", &worker]);
    assert_eq!((gone.code, gone.err.contains("was not woken")), (1, true), "{gone:?}");
}
