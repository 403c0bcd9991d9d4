//! Each end of a worker's session is reported with its cause: to people, and to the next worker.

use crate::town::{RIG, Town};

/// Kinds of agent that end as their names say. Two sessions of each are enough.
const KINDS: &str = r#"runtime = "headless"
max_polecats = 10
max_incarnations = 2
back_off_seconds = 0

[agents.fails]
command = ["sh", "-c", "echo reading the plan; echo I cannot open the door; exit 3"]
[agents.refused]
command = ["sh", "-c", "for step in load-context branch-setup preflight implement; do gt step done $step; done; gt done; exit 1"]
[agents.killed]
command = ["sh", "-c", "echo '\u001b[2Jabout to\u0007 go'; kill -9 $$"]
[agents.gone]
command = ["sh", "-c", "cd / && rm -rf \"$OLDPWD\" && exit 4"]
[agents.missing]
command = ["no-such-program-anywhere"]
[agents.leaves]
command = ["sh", "-c", "exit 0"]
[agents.denied]
command = ["sh", "-c", '''
printf '{"hook_event_name":"PermissionRequest","tool_name":"Bash","tool_input":{"command":"make greet"}}' |
    gt moment permission --client claude
exit 1
''']
[agents.idles]
command = ["sh", "-c", '''
call() { printf '%s' "$2" | gt moment "$1" --client claude; }
printf '{"source":"startup"}' | gt prime --moment start --client claude
call prompt '{"prompt":"begin"}'
call stop '{}'; call stop '{}'; call stop '{}'
exec sleep 600
''']
[agents.primes]
command = ["sh", "-c", "gt prime > $GT_SIM_PLAY_DIR/prime; exec sleep 600"]
"#;

/// Words that `gt` must use for the end of each kind.
const TOLD: &[(&str, &[&str])] = &[
    ("fails", &["exited with code 3", "at step", "I cannot open the door"]),
    ("refused", &["with code 1", "refused to it last:", "commit"]),
    ("killed", &["ended by signal 9", "about to go"]),
    ("gone", &["its worktree was deleted"]),
    ("missing", &["could not start", "no-such-program-anywhere"]),
    (
        "denied",
        &[
            "exited with code 1",
            "refused to it last: denied (gt rig allow app \"make greet\" allows it): Bash: make greet",
        ],
    ),
    ("idles", &["it was idle"]),
    ("leaves", &["it ended by itself, as if its work were done"]),
];

#[test]
fn people_and_the_next_attempt_are_told_why_a_worker_died() {
    let town = Town::new();
    town.settle(KINDS);
    town.ok(&["up"]);
    let beads: Vec<String> = TOLD.iter().map(|(kind, _)| town.bead(kind)).collect();
    for (bead, (kind, _)) in beads.iter().zip(TOLD) {
        town.ok(&["sling", bead, RIG, "--agent", kind]);
    }
    let given_up = |town: &Town| town.ok(&["status"]).matches("died twice").count();
    town.wait_until("the beads to be given up", || given_up(&town) == beads.len());
    let status = town.ok(&["status"]);
    for (bead, (kind, words)) in beads.iter().zip(TOLD) {
        let need = status.lines().find(|line| line.contains("died twice") && line.contains(bead.as_str()));
        let need = need.unwrap_or_else(|| panic!("{kind}: {status}"));
        let (show, why) = (town.ok(&["show", bead]), town.ok(&["why", bead]));
        for word in *words {
            for told in [need, &show, &why] {
                assert!(told.contains(word), "{kind}: {word} is not in {told}");
            }
        }
        assert!(show.contains("  session 1"), "{show}");
    }
    let first = &beads[0];
    town.ok(&["sling", first, RIG, "--agent", "primes"]);
    let prime = town.folder().join("play/prime");
    town.wait_until("the next attempt", || prime.metadata().is_ok_and(|file| file.len() > 0));
    let prime = std::fs::read_to_string(prime).unwrap();
    let told = prime.lines().find(|line| line.contains("I cannot open the door")).unwrap_or_else(|| panic!("{prime}"));
    assert!(told.starts_with("| 1 to 2: exited with code 3"), "{told}");
}
