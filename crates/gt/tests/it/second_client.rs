//! A town whose workers are a second client with hooks: its JSON, its settings file and its record of usage differ from
//! Claude Code's. The client is a shell script that runs its hooks as its settings say.

#![expect(clippy::disallowed_methods, reason = "a test stands outside of gt: it plays the client")]

use serde_json::Value;

use crate::town::{RIG, Town, WORK, text, write};

const CLIENT: &str = r#"#!/bin/sh
if [ "$1" = --version ]; then echo "echo 1"; exit 0; fi
play=$(dirname "$0")/../play
: "${GT_SIM_SCRIPT:=$play/../script.toml}" "${GT_SIM_PLAY_DIR:=$play}"
export GT_SIM_SCRIPT GT_SIM_PLAY_DIR
settings=$1
hook() { printf '%s' "$2" | sh -c "$(sed -n "s/^$1: //p" "$settings")"; }
mkdir -p "$play/keeps"
hook start "{\"run\":\"r1\",\"keeps\":\"$play/keeps\"}" > "$play/told"
hook prompt '{"run":"r1","typed":"begin"}'
hook before-tool '{"run":"r1","wants":"git push --force origin main"}' > "$play/refused"
hook before-tool '{"run":"r1","wants":"git status"}' > "$play/granted"
hook after-tool '{"run":"r1"}'
printf 'a1 m-1 1000 20\na1 m-1 1000 50\nno row\na2 m-1 200 5\n' > "$play/keeps/r1.tokens"
hook stop '{"run":"r1","children":1}' > "$play/waited"
hook stop '{"run":"r1"}' > "$play/stopped"
exec gt sim-worker
"#;

const KIND: &str = "[agents.echo]\nclient = \"echo\"\ncommand = [\"echo-client\", \"{settings}\", \"{prompt}\"]\n\
    runtime = \"headless\"\n";

fn town() -> Town {
    let mut town = Town::nowhere();
    let tools = town.folder().join("tools");
    write(&tools.join("echo-client"), CLIENT);
    std::process::Command::new("chmod").arg("+x").arg(tools.join("echo-client")).status().unwrap();
    town.set_env("PATH", &format!("{}:{}", tools.display(), std::env::var("PATH").unwrap()));
    let installed = town.gt_with(town.folder(), &[], &["install", "town"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    town.settle(KIND);
    let remote = town.project("main", &[("run-tests", "true\n"), ("README.md", "An app\n")]);
    town.ok(&["rig", "add", RIG, &remote.display().to_string(), "--prefix", "ap"]);
    town.play_in_rig(RIG);
    town.script(WORK);
    town.ok(&["rig", "set", RIG, "agent=echo", "landing=auto"]);
    town
}

#[test]
fn a_second_client_is_guarded_primed_kept_working_and_counted_in_its_own_format() {
    let town = town();
    assert!(town.ok(&["agent", "check", "echo"]).contains("echo 1"));
    let bead = town.bead("Work");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    town.wait_closed(&bead);
    town.wait_until("its usage", || town.json(&["cost", "--by", "bead"]).to_string().contains(bead.as_str()));

    let said = |name: &str| std::fs::read_to_string(town.folder().join("play").join(name)).unwrap();
    let verdict = |name: &str| {
        let answer: Value = serde_json::from_str(&said(name)).unwrap();
        (text(&answer["verdict"]), text(&answer["why"]))
    };
    assert!(said("told").contains(&bead), "{}", said("told"));
    let (refused, why) = verdict("refused");
    assert!(refused == "no" && why.contains("reaches no remote"), "{refused}: {why}");
    assert_eq!(verdict("granted").0, "yes");
    assert_eq!(said("waited"), "", "a command of its own runs");
    let (stopped, why) = verdict("stopped");
    assert!(stopped == "go-on" && why.contains(&bead), "{stopped}: {why}");

    let report = town.json(&["cost", "--by", "model"])["cost"]["report"].clone();
    let row = &report["rows"][0];
    let counts = ["answers", "input", "output"].map(|name| row[name].as_u64().unwrap());
    assert_eq!((text(&row["key"]), counts), ("m-1".to_owned(), [2, 1200, 55]), "{report}");
}
