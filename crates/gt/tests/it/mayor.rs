//! The mayor and crew, played by shell scripts. They type the verbs that a real client types.

use gt::demo::run::kill_hard;
use gt_world::ProcessId;
use serde_json::Value;

use crate::terminals::has_tmux;
use crate::town::{RIG, Town, identity_of, list, text, write};

/// First act of every scripted agent: it writes down that it was prompted, and with which mail.
const HEAD: &str = r#"
set -eu
env > "$PLAY/env.$$" && mv "$PLAY/env.$$" "$PLAY/agent.env"
gt prime > "$PLAY/prime"
gt mail inbox --unread | tail -n +2 > "$PLAY/inbox"
wc -l < "$PLAY/inbox" >> "$PLAY/prompts"
"#;

/// A mayor that plans one bead and one that depends on it, slings what is ready, and tells the overseer.
const PLANS: &str = r#"
made() { sed -n 's/.*"id": *"\([^"]*\)".*/\1/p' | head -n 1; }
plan() {
    first=$(gt bead create "Lay the street" --rig app --acceptance "there is a file" --json | made)
    second=$(gt bead create "Open a shop" --rig app --acceptance "there is a file" --deps "$first" --json | made)
    gt convoy create "A street with a shop" "$first" "$second" --manual
    gt sling "$first" app
    echo "$second" > "$PLAY/second"
}
go_on() {
    if gt bead ready --rig app | grep -q "$(cat "$PLAY/second")"; then
        gt sling "$(cat "$PLAY/second")" app
    else
        gt mail send overseer -s "Built" -m "The street has a shop."
    fi
}
while read -r mail from read subject; do
    case "$from $subject" in
        "overseer "*) plan; gt mail send overseer -s "Planned" -m "Two beads." ;;
        *SWARM_COMPLETE*) go_on ;;
    esac
    gt mail read "$mail" > /dev/null
done < "$PLAY/inbox"
"#;

/// An agent that stays.
const STAYS: &str = "exec sleep 100000\n";

/// An agent that stays at a prompt and calls the hooks of a client. It answers the mail of which each prompt tells it.
const AT_PROMPT: &str = r#"
moment() { printf '{"hook_event_name":"%s","session_id":"s","transcript_path":"/none","cwd":"/"}' "$1"; }
moment SessionStart | gt prime --moment start --client claude > "$PLAY/start"
: > "$PLAY/lines"
while read -r line; do
    printf '%s\n' "$line" >> "$PLAY/lines"
    moment UserPromptSubmit | gt moment prompt --client claude >> "$PLAY/told"
    gt mail inbox --unread | tail -n +2 > "$PLAY/inbox"
    while read -r mail from read subject; do
        gt mail send "$from" -s "Re: $subject" > /dev/null
        gt mail read "$mail" > /dev/null
    done < "$PLAY/inbox"
    moment Stop | gt moment stop --client claude
done
"#;

/// An agent whose turn lasts until a mark lets it end.
const IN_A_TURN: &str = r#"
moment() { printf '{"hook_event_name":"%s","session_id":"s","transcript_path":"/none","cwd":"/"}' "$1"; }
moment UserPromptSubmit | gt moment prompt --client claude
: > "$PLAY/begun"
until [ -e "$PLAY/go" ]; do sleep 0.05; done
: > "$PLAY/finished"
moment Stop | gt moment stop --client claude
exec sleep 100000
"#;

/// An agent at a prompt whose account reaches a limit when it first learns of mail.
const AT_LIMIT: &str = r#"
moment() { printf '{"hook_event_name":"%s","session_id":"s","transcript_path":"/none","cwd":"/","error":"rate_limit"}' "$1"; }
moment SessionStart | gt prime --moment start --client claude > "$PLAY/start"
: > "$PLAY/lines"
while read -r line; do
    printf '%s\n' "$line" >> "$PLAY/lines"
    moment UserPromptSubmit | gt moment prompt --client claude >> "$PLAY/told"
    if [ ! -e "$PLAY/limited" ]; then
        : > "$PLAY/limited"
        moment StopFailure | gt moment stop-failure --client claude
        continue
    fi
    gt mail send overseer -s "Here again" > /dev/null
    moment Stop | gt moment stop --client claude
done
"#;

/// Creates a town whose mayor plays this script.
fn town_with(script: &str) -> Town {
    let town = Town::new();
    play(&town, script, "");
    town
}

fn play(town: &Town, script: &str, more: &str) {
    let (path, folder) = (town.folder().join("mayor.sh"), town.folder().join("play"));
    write(&path, format!("{HEAD}{script}"));
    town.settle(&format!(
        "{more}[mayor]\nagent = \"scripted\"\n[agents.scripted]\ncommand = [\"sh\", {path:?}]\nenv = {{ PLAY = {folder:?} }}\n"
    ));
}

/// Returns, for each prompt so far, how many mails the mayor had not read.
pub fn prompts(town: &Town) -> Vec<u32> {
    let text = std::fs::read_to_string(town.folder().join("play/prompts")).unwrap_or_default();
    text.lines().map(|line| line.trim().parse().unwrap()).collect()
}

fn mayor(town: &Town) -> Value {
    town.json(&["mayor", "status"])["agent"].clone()
}

fn doing(town: &Town) -> String {
    text(&mayor(town)["doing"])
}

fn wait_for(town: &Town, what: &str) {
    town.wait_until(&format!("the mayor to be {what}"), || doing(town).starts_with(what));
}

fn mails_to_overseer(town: &Town) -> Vec<String> {
    let inbox = town.json(&["mail", "inbox"])["mail"].clone();
    inbox.as_array().unwrap().iter().map(|mail| text(&mail["subject"])).collect()
}

/// Returns the agent's process of the newest session at an address, if it runs.
fn agent_of(town: &Town, address: &str) -> Option<ProcessId> {
    serde_json::from_value(town.json(&["session", "show", address])["session"]["agent"].clone()).unwrap()
}

/// A request leads to beads, a manual convoy and a sling. They land, SWARM_COMPLETE comes, the dependent bead is slung
/// and lands, and the overseer is told.
fn build_a_street(town: &Town) {
    town.ok(&["up"]);
    let asked = town.json(&["mayor", "ask", "A street with a shop, please", "--wait", "--timeout", "50"]);
    assert_eq!((&asked["asked"]["started"], text(&asked["answer"]["subject"])), (&Value::Bool(true), "Planned".into()));
    town.wait_until("the overseer to be told", || mails_to_overseer(town).iter().any(|subject| subject == "Built"));
    wait_for(town, "asleep");
}

#[test]
fn the_mayor_gets_built_what_a_person_asks_for() {
    let town = town_with(PLANS);
    build_a_street(&town);
    let second = std::fs::read_to_string(town.folder().join("play/second")).unwrap().trim().to_owned();
    let first = town.ask(&format!("SELECT depends_on_id FROM dependencies WHERE issue_id = '{second}'")).remove(0);
    for bead in [&first, &second] {
        assert_eq!((town.status_of(bead), town.landings(bead)), ("closed".into(), 1));
        let created = town.ask(&format!("SELECT created_by FROM beads WHERE id = '{bead}'"));
        assert_eq!(created, ["mayor/"]);
    }
    assert_eq!(town.ask("SELECT dispatched_by FROM swarms ORDER BY id"), ["mayor/", "mayor/"], "nobody else did");
    assert!(mails_to_overseer(&town).iter().any(|subject| subject.starts_with("Convoy landed")));
    let prompts = prompts(&town);
    assert_eq!(prompts.len(), 3, "the request, and the end of each batch: {prompts:?}");
    assert!(prompts.iter().all(|mails| *mails > 0), "it was never woken for nothing: {prompts:?}");

    let prime = std::fs::read_to_string(town.folder().join("play/prime")).unwrap();
    assert!(prime.starts_with("You are mayor/.\nYou are the mayor.") && prime.contains("SWARM_COMPLETE"), "{prime}");
    let reading = town.rig().join("mayor/rig");
    town.wait_until("the reading worktree to be at the trunk", || {
        town.git(&reading, &["rev-parse", "HEAD"]) == town.remote_branch("main")
    });
    town.wait_quiet();
    town.ok(&["down"]);
    town.wait_ended();
}

#[test]
fn f06_an_idle_town_with_a_sleeping_mayor_prompts_no_agent_and_forks_nothing() {
    let town = town_with(PLANS);
    build_a_street(&town);
    town.wait_quiet();
    let heartbeat = || std::fs::metadata(town.root().join("deacon/heartbeat")).unwrap().modified().unwrap();
    let deacon = town.deacon().unwrap();
    // Its work from the last wake-up may still be running.
    town.let_patrols_pass();
    let before = (prompts(&town).len(), children(deacon), town.ask("SELECT max(seq) FROM events"));
    let (mut last, mut looks) = (heartbeat(), 0);
    town.wait_until("the deacon to look around", || {
        let now = heartbeat();
        looks += u32::from(now != last);
        last = now;
        looks >= 6
    });
    let after = (prompts(&town).len(), children(deacon), town.ask("SELECT max(seq) FROM events"));
    assert_eq!(after, before, "prompts; children that it had and that it has; events");
    assert!(before.1.0 > 0 && before.1.1 == 0, "what it forked before is seen, and none is left: {before:?}");
    assert_eq!(town.deacon(), Some(deacon));
}

#[test]
fn f06_only_mail_wakes_a_mayor_at_its_prompt() {
    if !has_tmux() {
        return;
    }
    let town = town_with(AT_PROMPT);
    town.ok(&["up"]);
    town.ok(&["mayor", "start", "--runtime", "tmux"]);
    let lines = || std::fs::read_to_string(town.folder().join("play/lines")).unwrap_or_default().lines().count();
    town.wait_until("it to be at its prompt", || town.folder().join("play/lines").exists());
    let answered =
        |n: usize| mails_to_overseer(&town).iter().filter(|subject| subject.starts_with("Re: ")).count() == n;
    for n in 1..=2 {
        let asked =
            town.json(&["mayor", "ask", &format!("Question {n}"), "--wait", "--timeout", "50"])["asked"].clone();
        assert_eq!(asked["started"], Value::Bool(false));
        assert!(answered(n));
    }
    assert_eq!(lines(), 2, "one line a question");
    let told = std::fs::read_to_string(town.folder().join("play/told")).unwrap();
    assert!(told.contains("Question 1") && told.contains("Question 2"), "{told}");
    // A notice that needs no answer.
    let merged = "MR: x\nBead: x\nBranch: x\nTarget: x\nMerge-Commit: x\n";
    town.ok(&["mail", "send", "mayor/", "-s", "MERGED x", "-m", merged]);
    town.let_patrols_pass();
    town.let_patrols_pass();
    assert_eq!(lines(), 2, "nothing else is typed");
    let help = "Bead: x\nProblem: p\nTried: t\n";
    town.ok(&["mail", "send", &format!("{RIG}/witness"), "-s", "HELP x", "-m", help]);
    town.wait_until("the witness to pass it on", || lines() == 3);
    assert_eq!(prompts(&town).len(), 1, "it was started once");
    assert_eq!(town.conditions(), Vec::<String>::new());
    let said = town.ok(&["down"]);
    assert!(said.contains("ended session mayor-a1-1\n") || said.contains("ended session mayor-a1-1;"), "{said}");
}

#[test]
fn gt_down_lets_the_mayor_finish_its_turn() {
    let town = town_with(IN_A_TURN);
    town.ok(&["up"]);
    town.ok(&["mayor", "start"]);
    town.wait_until("its turn to begin", || town.folder().join("play/begun").exists());
    std::thread::scope(|scope| {
        let down = scope.spawn(|| town.ok(&["down"]));
        town.wait_until("the town to drain", || {
            town.ask("SELECT value FROM meta WHERE key = 'desired'") == ["draining"]
        });
        town.let_patrols_pass();
        write(&town.folder().join("play/go"), "");
        down.join().unwrap();
    });
    assert!(town.folder().join("play/finished").exists(), "its turn was cut short");
    town.wait_ended();
}

#[test]
fn f20_a_mayor_whose_turn_met_a_limit_continues_after_it() {
    if !has_tmux() {
        return;
    }
    let town = town_with(AT_LIMIT);
    town.ok(&["up"]);
    town.ok(&["mayor", "start", "--runtime", "tmux"]);
    let lines = || std::fs::read_to_string(town.folder().join("play/lines")).unwrap_or_default().lines().count();
    town.wait_until("it to be at its prompt", || town.folder().join("play/lines").exists());
    town.ok(&["mail", "send", "mayor/", "-s", "A question"]);
    town.wait_until("its kind to be parked", || town.conditions().contains(&"limit".to_owned()));
    town.ok(&["mail", "send", "mayor/", "-s", "Another"]);
    town.let_patrols_pass();
    assert_eq!(lines(), 1, "nobody is woken at a limit");
    town.ok(&["resume", "--agent", "scripted"]);
    town.wait_until("it to go on", || mails_to_overseer(&town).contains(&"Here again".to_owned()));
    assert_eq!((lines(), prompts(&town).len()), (2, 1), "told once, in the same session");
    assert_eq!(town.conditions(), Vec::<String>::new());
}

/// Returns the page faults of all children that a process ever waited for, and how many it has now. (Every process
/// causes page faults.)
fn children(pid: i32) -> (u64, usize) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let faults = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(8).unwrap().parse().unwrap();
    let threads = list(format!("/proc/{pid}/task").as_ref());
    let of_thread = |thread: &std::path::PathBuf| std::fs::read_to_string(thread.join("children")).unwrap_or_default();
    (faults, threads.iter().map(|thread| of_thread(thread).split_whitespace().count()).sum())
}

#[test]
fn f16_the_mayor_is_restarted_until_a_person_stops_it() {
    let town = town_with(STAYS);
    assert_eq!(town.gt(&["mayor", "stop"]).code, 4, "there is none");
    let refused = town.gt(&["mayor", "start", "--agent", "nobody"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    town.ok(&["mayor", "start"]);
    assert!(town.running().is_empty(), "the town is down");
    town.ok(&["up"]);
    wait_for(&town, "running");
    let first = agent_of(&town, "mayor/").unwrap();
    town.ok(&["mayor", "start"]);
    assert_eq!(agent_of(&town, "mayor/").unwrap(), first, "it runs already");
    assert!(town.ok(&["status"]).contains("mayor/"));

    kill_hard(&first);
    town.wait_until("another incarnation", || agent_of(&town, "mayor/").is_some_and(|agent| agent != first));
    town.ok(&["down", "--now"]);
    town.wait_ended();
    town.ok(&["up"]);
    wait_for(&town, "running");

    let said = town.ok(&["mayor", "stop"]);
    assert!(said.contains("stopped"), "{said}");
    assert!(!town.running().iter().any(|process| process.contains("sleep") || process.contains("session host")));
    town.ok(&["mail", "send", "mayor/", "-s", "Are you there?"]);
    town.let_patrols_pass();
    town.ok(&["down"]);
    town.ok(&["up"]);
    town.let_patrols_pass();
    assert_eq!((doing(&town), &mayor(&town)["running"]), ("stopped".to_owned(), &Value::Bool(false)));
    assert_eq!(town.ask("SELECT count(*) FROM incarnations"), ["3"], "killed, taken down, stopped");
}

#[test]
fn f16_a_mayor_that_always_dies_is_given_up_and_reported() {
    let town = Town::new();
    play(&town, "exit 3\n", "max_incarnations = 3\nback_off_seconds = 0\n");
    town.ok(&["up"]);
    town.ok(&["mayor", "start"]);
    town.wait_until("it to be given up", || town.conditions().contains(&"given-up".to_owned()));
    assert_eq!(doing(&town), "stopped");
    assert!(town.ok(&["status"]).contains("gt mayor start"));
    town.let_patrols_pass();
    assert_eq!(prompts(&town).len(), 3);
    play(&town, STAYS, "");
    town.ok(&["mayor", "ask", "And now?"]);
    wait_for(&town, "running");
    assert_eq!(town.conditions(), Vec::<String>::new());
}

#[test]
fn a_mayor_may_do_only_what_its_role_allows() {
    let town = town_with(STAYS);
    town.ok(&["up"]);
    town.ok(&["mayor", "start"]);
    wait_for(&town, "running");
    let env = town.folder().join("play/agent.env");
    town.wait_until("its environment", || env.exists());
    let env = std::fs::read_to_string(env).unwrap();
    let token = env.lines().find_map(|line| line.strip_prefix("GT_INCARNATION=")).unwrap().to_owned();
    let as_mayor = |args: &[&str]| town.gt_with(&town.root().join("mayor"), &[("GT_INCARNATION", &token)], args);
    for args in [
        &["bead", "create", "A shop", "--rig", RIG][..],
        &["mq", "list"],
        &["bead", "ready"],
        &["status"],
        &["convoy", "create", "All", "--manual"],
        &["mail", "send", "overseer", "-s", "Hello"],
        &["rig", "fetch", RIG],
    ] {
        let done = as_mayor(args);
        assert_eq!(done.code, 0, "{args:?}: {done:?}");
    }
    assert_eq!(town.ask("SELECT DISTINCT created_by FROM beads"), ["mayor/"]);
    let project = town.checkout().display().to_string();
    for args in [
        &["mq", "approve", "--all"][..],
        &["down"],
        &["up"],
        &["rig", "add", "other", &project],
        &["rig", "remove", RIG, "--yes"],
        &["mayor", "stop"],
        &["mayor", "start"],
        &["mayor", "ask", "myself"],
        &["crew", "add", RIG, "ann"],
        &["crew", "remove", RIG, "ann"],
        &["session", "stop", "mayor/"],
        &["step", "done"],
        &["done"],
    ] {
        let refused = as_mayor(args);
        assert_eq!(refused.code, 4, "{args:?}: {refused:?}");
        assert!(refused.err.contains("hint: "), "{args:?}: {refused:?}");
    }
    assert_eq!(as_mayor(&["hook"]).out, "your hook is empty: end your turn\n");
}

#[test]
fn a_crew_members_workspace_loses_nothing() {
    let town = town_with(STAYS);
    let said = town.ok(&["crew", "add", RIG, "ann"]);
    let workspace = town.rig().join("crew/ann");
    assert!(said.contains(&workspace.display().to_string()), "{said}");
    assert_eq!(town.git(&workspace, &["symbolic-ref", "--short", "HEAD"]), "crew/ann");
    assert_eq!(town.git(&workspace, &["rev-parse", "HEAD"]), town.remote_branch("main"));
    assert_eq!(town.gt(&["crew", "add", RIG, "../ann"]).code, 2);
    town.ok(&["crew", "add", RIG, "ann"]);

    town.ok(&["up"]);
    town.ok(&["crew", "start", RIG, "ann", "--agent", "scripted"]);
    let address = format!("{RIG}/crew/ann");
    town.wait_until("it to run", || text(&town.json(&["session", "show", &address])["session"]["state"]) == "running");
    let cwd = std::fs::read_link(format!("/proc/{}/cwd", agent_of(&town, &address).unwrap().pid)).unwrap();
    assert_eq!(cwd, workspace);
    town.ok(&["mail", "send", &format!("{RIG}/ann"), "-s", "Hello"]);
    town.git(&workspace, &["commit", "--quiet", "--allow-empty", "-m", "Begin"]);
    let head = town.git(&workspace, &["rev-parse", "HEAD"]);
    write(&workspace.join("half.txt"), "half done\n");

    let refused = town.gt(&["rig", "remove", RIG, "--yes"]);
    assert!(refused.code == 4 && refused.err.contains(&format!("gt crew remove {RIG} ann")), "{refused:?}");
    let removed = town.json(&["crew", "remove", RIG, "ann"])["removed"].clone();
    assert!(!workspace.exists() && identity_of(agent_of_gone(&town, &address)).is_none());
    assert!(std::path::Path::new(&text(&removed["archive"])).join("half.txt").exists());
    let shown = town.json(&["snapshot", "show", &text(&removed["snapshot"])])["snapshot"].clone();
    assert_eq!((text(&shown["head"]), shown["changed"].get("half.txt").is_some()), (head, true), "{shown}");
    assert_eq!(town.json(&["crew", "list"])["crew"], Value::Array(Vec::new()));
    assert_eq!(town.gt(&["crew", "start", RIG, "ann"]).code, 4);
    assert_eq!(town.gt(&["mail", "send", &address, "-s", "Gone?"]).code, 2);
    assert_eq!(town.json(&["retention", "run"])["retention"]["unknown"], Value::Array(Vec::new()));
    town.ok(&["crew", "add", RIG, "ann"]);
    assert_eq!(town.git(&workspace, &["rev-parse", "HEAD"]), town.remote_branch("main"), "a new one, at the trunk");
    town.let_patrols_pass();
    assert_eq!(town.conditions(), Vec::<String>::new());
}

/// Returns the pid that a session's agent had.
fn agent_of_gone(town: &Town, address: &str) -> i32 {
    let process = town.ask(&format!("SELECT process FROM incarnations WHERE agent = '{address}'")).remove(0);
    let process: Value = serde_json::from_str(&process).unwrap();
    process["agent"]["pid"].as_i64().unwrap().try_into().unwrap()
}
