//! Kinds of agent that a person adds, changes and removes in `town.toml` while the town is up.

use crate::town::{RIG, Town};

/// A kind that reports its version, and stays.
fn kind(version: &str) -> String {
    format!("[agents.late]\ncommand = [\"sh\", \"-c\", \"echo {version} >> $PLAY; exec sleep 600\"]\n")
}

#[test]
fn a_running_deacon_starts_agents_by_the_current_settings() {
    let town = Town::new();
    let settings = town.root().join("town.toml");
    let play = town.folder().join("said");
    let said = || std::fs::read_to_string(&play).unwrap_or_default();
    let env = format!("env = {{ PLAY = {play:?} }}\n");
    let begin = std::fs::read_to_string(&settings).unwrap();
    let set = |kinds: &str| town.edit(&settings, |_| format!("{begin}{kinds}"));
    town.ok(&["up"]);
    let deacon = town.ask("SELECT count(*) FROM events WHERE event = 'town-up'");

    set(&format!("{}{env}", kind("first")));
    let bead = town.bead("Come late");
    town.ok(&["sling", &bead, RIG, "--agent", "late"]);
    town.wait_until("the new kind", || said() == "first\n");

    // The next session of the same attempt uses the changed kind.
    set(&format!("{}{env}", kind("second")));
    let session = "SELECT id FROM incarnations WHERE ended_at IS NULL";
    town.ok(&["session", "stop", &town.ask(session)[0]]);
    town.wait_until("its next session", || said() == "first\nsecond\n");

    // A removed kind is reported with a hint, and no process is restarted because of it.
    set("");
    town.wait_until("the start to be recorded", || !town.ask(session).is_empty());
    town.ok(&["session", "stop", &town.ask(session)[0]]);
    town.wait_until("the trouble to be told", || town.conditions() == ["no-kind"]);
    let status = town.ok(&["status"]);
    assert!(status.contains("no kind of agent is called `late`") && status.contains("[agents.late]"), "{status}");
    town.let_patrols_pass();
    let given_up = "SELECT count(*) FROM effects WHERE last_error IS NOT NULL";
    assert_eq!(town.ask(given_up), ["0"], "no start is tried that can't go well");
    set(&format!("{}{env}", kind("third")));
    town.wait_until("its last session", || said() == "first\nsecond\nthird\n");
    town.wait_until("the end of the trouble", || town.conditions().is_empty());
    assert_eq!(town.ask("SELECT count(*) FROM events WHERE event = 'town-up'"), deacon, "nobody restarted anything");
}
