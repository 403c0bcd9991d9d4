//! Sessions in terminals of a real tmux, through the verbs that a person types.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test stands outside of gt: it asks by itself what is there, and says what it leaves out"
)]

use gt::demo::run::kill_hard;
use gt::demo::verify::strays;
use serde_json::Value;

use crate::town::{GT, RIG, Town, WORK, finish, identity_of, output, text};

/// A worker that prints something and waits for a mark.
const TALK: &str = r#"
[[act]]
step = "implement"
run = ["sh", "-c", "printf '\\033[31mred words\\033[0m\\n'; echo more words"]
skip_default = true

[[act]]
step = "implement"
signal = "talked"
await = "enough"
"#;

/// Returns whether there is a tmux. If not, says so, or fails if it is required.
pub fn has_tmux() -> bool {
    let found =
        std::env::var("PATH").unwrap().split(':').any(|folder| std::path::Path::new(folder).join("tmux").exists());
    let required = std::env::var("GT_REQUIRE").is_ok_and(|names| names.split([',', ' ']).any(|name| name == "tmux"));
    assert!(found || !required, "GT_REQUIRE names tmux, and there is none");
    if !found {
        eprintln!("skipped: no tmux is in the PATH");
    }
    found
}

/// Creates a town with one worker that has printed something and waits. The bead was slung with these arguments.
/// Returns bead and address.
fn talking(town: &Town, more: &[&str]) -> (String, String) {
    town.script(&format!("{TALK}{WORK}"));
    let bead = town.bead("Talk");
    town.ok(&["up"]);
    town.ok(&[&["sling", &bead, RIG], more].concat());
    town.wait_for_mark("talked");
    town.wait_until("the start to be recorded", || town.status_of(&bead) == "in_progress");
    let address = text(&town.json(&["bead", "show", &bead])[0]["assignee"]);
    (bead, address)
}

fn session(town: &Town, name: &str) -> Value {
    town.json(&["session", "show", name])["session"].clone()
}

fn tmux_servers(town: &Town) -> Vec<i32> {
    let all = strays(&town.root()).unwrap();
    all.iter()
        .filter(|stray| stray.command.starts_with("tmux") || stray.command.contains("/tmux "))
        .map(|s| s.pid)
        .collect()
}

#[test]
fn a_session_in_a_terminal_can_be_listed_shown_peeked_at_and_stopped() {
    if !has_tmux() {
        return;
    }
    let town = Town::new();
    town.settle("runtime = \"headless\"\n");
    let (bead, address) = talking(&town, &["--runtime", "tmux"]);
    let shown = session(&town, &address);
    assert_eq!(
        (text(&shown["runtime"]), text(&shown["state"]), text(&shown["bead"])),
        ("tmux".into(), "running".into(), bead.clone())
    );
    let id = text(&shown["id"]);
    let listed = town.json(&["session", "list"])["sessions"].clone();
    assert_eq!(listed, Value::Array(vec![session(&town, &id)]));
    assert!(town.ok(&["session", "list"]).contains("tmux"));
    town.wait_until("the words to be shown", || town.ok(&["peek", &address]).contains("red words\nmore words"));
    assert!(!town.ok(&["peek", &address]).contains('\u{1b}'));
    assert_eq!(town.ok(&["peek", &address, "-n", "1"]).lines().count(), 1);
    assert_eq!(tmux_servers(&town).len(), 1);

    let attached = town.gt(&["session", "attach", &address]);
    assert_eq!(
        (attached.code, attached.err.contains("gt peek") && attached.err.contains("--follow")),
        (2, true),
        "{attached:?}"
    );

    let stopped = town.gt(&["session", "stop", &id]);
    assert_eq!(stopped.code, 0, "{stopped:?}");
    assert!(stopped.err.contains(&format!("gt unsling {bead}")), "{stopped:?}");
    let exit = session(&town, &id)["exit"].clone();
    assert_eq!(text(&exit["reason"]), "ended by request");
    assert_eq!(town.gt(&["session", "stop", &id]).code, 4);
    assert!(town.ok(&["peek", &id]).contains("more words"), "its log stays");
    town.wait_until("another session", || session(&town, &address)["id"] != shown["id"]);
    town.signal("enough");
    town.wait_closed(&bead);
    town.wait_quiet();
    assert_eq!(town.landings(&bead), 1);
    town.ok(&["down"]);
    assert_eq!(strays(&town.root()).unwrap(), []);
}

#[test]
fn a_person_can_attach_to_a_terminal_and_detach() {
    if !has_tmux() {
        return;
    }
    let town = Town::new();
    let (bead, address) = talking(&town, &["--runtime", "tmux"]);
    // `script` provides a terminal; the keys typed into it detach: C-b d.
    if !std::path::Path::new("/usr/bin/script").exists() {
        eprintln!("skipped: no program `script`");
        return;
    }
    let typed = format!(
        "(sleep 1; printf '\\002d'; sleep 1) | TERM=xterm TMUX=/nowhere,1,0 script -qec '{GT} session attach {address}' /dev/null"
    );
    let attached = output(town.program("sh", &town.root()).args(["-c", &typed]));
    assert_eq!(attached.code, 0, "{attached:?}");
    assert!(attached.out.contains("more words") && attached.out.contains("[detached"), "{attached:?}");
    assert_eq!(text(&session(&town, &address)["state"]), "running");
    town.signal("enough");
    town.wait_closed(&bead);
}

#[test]
fn a_headless_session_says_how_to_look_at_it() {
    let town = Town::new();
    let (bead, address) = talking(&town, &["--runtime", "headless"]);
    assert_eq!(text(&session(&town, &address)["runtime"]), "headless");
    let refused = town.gt(&["session", "attach", &address]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains(&format!("gt peek {address} --follow")), "{refused:?}");
    let follower = town.start(&[], &["peek", &address, "--follow"]);
    town.signal("enough");
    town.wait_closed(&bead);
    let followed = finish(follower);
    assert_eq!(followed.code, 0, "{followed:?}");
    assert!(followed.out.contains("red words\nmore words\n") && !followed.out.contains('\u{1b}'), "{followed:?}");
    assert_eq!(town.gt(&["peek", "app/polecats/nobody"]).code, 3);
    assert_eq!(town.gt(&["session", "stop", &address]).code, 4);
}

#[test]
fn gt_down_ends_the_towns_tmux_and_gt_up_continues() {
    if !has_tmux() {
        return;
    }
    let town = Town::new();
    let (bead, address) = talking(&town, &["--runtime", "tmux"]);
    assert_eq!(tmux_servers(&town).len(), 1);
    town.ok(&["down", "--now"]);
    assert_eq!(strays(&town.root()).unwrap(), []);
    town.signal("enough");
    town.ok(&["up"]);
    town.wait_closed(&bead);
    assert_eq!(text(&session(&town, &address)["runtime"]), "tmux");
    assert_eq!(town.landings(&bead), 1);
}

#[test]
fn work_continues_after_the_tmux_server_is_killed() {
    if !has_tmux() {
        return;
    }
    let town = Town::new();
    let (bead, address) = talking(&town, &["--runtime", "tmux"]);
    let before = session(&town, &address);
    assert!(kill_hard(&identity_of(tmux_servers(&town)[0]).unwrap()));
    town.wait_until("another session", || session(&town, &address)["id"] != before["id"]);
    assert_eq!(text(&session(&town, &text(&before["id"]))["exit"]["reason"]), "terminal gone");
    town.signal("enough");
    town.wait_closed(&bead);
    assert_eq!(town.landings(&bead), 1);
}

#[test]
fn a_demo_is_green_in_terminals() {
    if !has_tmux() {
        return;
    }
    let town = Town::nowhere();
    let dir = town.folder().join("demo").display().to_string();
    let demo = town.gt_with(town.folder(), &[], &["demo", "--dir", &dir, "--runtime", "tmux"]);
    assert_eq!(demo.code, 0, "{demo:#?}");
    let runtimes = crate::town::list(&town.folder().join("demo/town/deacon/sessions"));
    assert!(runtimes.len() > 8);
    for folder in runtimes {
        let record = std::fs::read_to_string(folder.join("started.json")).unwrap();
        assert!(record.contains("\"runtime\":\"tmux\""), "{record}");
    }
}
