//! An agent that does not start must neither stall silently nor be restarted forever.

use crate::clients::{log_in, manner, noted, slung, starts, town, type_in};
use crate::town::{RIG, Town, text};

/// Returns what needs a person: the key of the one condition, and its text.
fn needed(town: &Town) -> (String, String) {
    let status = town.json(&["status"]);
    let conditions = status["status"]["needs_you"].as_array().unwrap().clone();
    assert_eq!(conditions.len(), 1, "{status}");
    (text(&conditions[0]["key"]), text(&conditions[0]["text"]))
}

fn escalations(town: &Town) -> usize {
    let count = "SELECT count(*) FROM beads WHERE title LIKE 'ESCALATION%'";
    town.ask(count)[0].parse().unwrap()
}

/// Slings `beads` beads for such a client, and checks that `clients` clients start and that one condition asks a
/// person, once.
fn check_held(how: &str, beads: usize, clients: usize, key: &str, words: &[&str]) {
    let town = town("headless", "[agents.claude]\nstagger_seconds = 600\nready_seconds = 600\n");
    log_in(&town);
    manner(&town, how);
    let beads: Vec<String> = (0..beads).map(|number| slung(&town, &format!("Work {number}"))).collect();
    town.wait_until("a person to be asked", || !town.conditions().is_empty());
    town.let_patrols_pass();
    let (found, told) = needed(&town);
    assert_eq!(found, key, "{told}");
    for word in words {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert_eq!(
        (starts(&town), escalations(&town)),
        (clients, 1),
        "nothing is started again, and one person is asked once"
    );

    manner(&town, "well");
    town.ok(&["doctor", "--retry"]);
    beads.iter().for_each(|bead| town.wait_closed(bead));
    assert_eq!(town.conditions(), [""; 0]);
    assert_eq!((starts(&town), escalations(&town)), (clients + beads.len(), 1));
}

#[test]
fn f20_a_missing_login_is_reported_once_for_all_workers() {
    let words = ["nobody is logged in", "gt agent check claude", "gt doctor --retry", "Please run /login"];
    check_held("login", 3, 1, "agent:app:claude", &words);
}

/// Checks a condition that ends by itself: it is shown once, asks no person, and also ends at a person's command.
fn check_parked(how: &str, key: &str, words: &[&str]) {
    let town = town("headless", "[agents.claude]\nstagger_seconds = 600\nready_seconds = 600\n");
    log_in(&town);
    manner(&town, how);
    let beads = ["One", "Two"].map(|title| slung(&town, title));
    town.wait_until("its kind to be parked", || !town.conditions().is_empty());
    town.let_patrols_pass();
    let (found, told) = needed(&town);
    assert_eq!(found, key, "{told}");
    for word in words.iter().chain(&["gt resume --agent claude"]) {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert_eq!((starts(&town), escalations(&town)), (1, 0), "nobody else is started, and no person is asked");
    manner(&town, "well");
    town.ok(&["resume", "--agent", "claude"]);
    beads.iter().for_each(|bead| town.wait_closed(bead));
    assert_eq!((town.conditions().len(), starts(&town), escalations(&town)), (0, 3, 0));
}

#[test]
fn f20_a_limit_at_the_start_parks_the_kind_like_one_that_a_hook_reports() {
    check_parked("limit", "limit:claude", &["its account is at a limit", "reset at 3am"]);
}

#[test]
fn f20_an_api_outage_at_the_start_parks_the_kind_like_one_that_a_hook_reports() {
    check_parked("outage", "outage:claude", &["its API does not answer", "529"]);
}

#[test]
fn f20_a_client_that_crashes_at_the_start_is_started_twice() {
    check_held("crash", 1, 2, "start:app/polecats/amber", &["ends before it has begun", "Segmentation fault"]);
}

#[test]
fn f20_a_missing_client_is_reported_by_its_name() {
    let town = town("headless", "[agents.claude]\nheadless = [\"no-claude\"]\n");
    log_in(&town);
    let bead = slung(&town, "Work");
    town.wait_until("a person to be asked", || !town.conditions().is_empty());
    town.let_patrols_pass();
    let (key, told) = needed(&town);
    assert_eq!(key, "agent:app:claude");
    assert!(told.contains("its program can't be started") && told.contains("gt agent check claude"), "{told}");
    assert_eq!(town.ask("SELECT count(*) FROM incarnations"), ["1"], "nothing is started again");
    assert!(text(&town.why(&bead)["answer"]).contains("its program can't be started"));
    town.edit(&town.root().join("town.toml"), |text| text.replace("no-claude", "claude"));
    town.ok(&["down"]);
    town.ok(&["up"]);
    town.ok(&["doctor", "--retry"]);
    town.wait_closed(&bead);
}

#[test]
fn f20_silence_past_the_deadline_is_reported_with_the_last_output() {
    let town = town("headless", "[agents.claude]\nready_seconds = 2\n");
    manner(&town, "silent");
    let bead = slung(&town, "Work");
    town.wait_until("a person to be asked", || !town.conditions().is_empty());
    let (key, told) = needed(&town);
    assert_eq!(key, "start:app/polecats/amber");
    assert!(told.contains("no sign of life by the deadline") && told.contains("gt session stop"), "{told}");
    town.let_patrols_pass();
    assert_eq!((starts(&town), escalations(&town)), (1, 1));
    // A caller that looks at the session for the first time keeps the known condition.
    town.ok(&["witness", "run", "--once", RIG]);
    assert_eq!(town.conditions(), ["start"]);
    manner(&town, "well");
    town.ok(&["session", "stop", "app/polecats/amber"]);
    town.wait_closed(&bead);
    assert_eq!((town.conditions().len(), escalations(&town)), (0, 1));
}

#[test]
fn f20_a_person_answers_a_dialog_and_work_continues() {
    if !crate::terminals::has_tmux() {
        return;
    }
    let town = town("tmux", "quiet_minutes = 1\n[agents.claude]\nready_seconds = 600\n");
    manner(&town, "trust");
    let bead = slung(&town, "Work");
    town.wait_until("a person to be asked", || !town.conditions().is_empty());
    town.let_patrols_pass();
    let (key, told) = needed(&town);
    assert_eq!(key, "start:app/polecats/amber");
    for words in ["it asks whether to trust", "gt session attach app/polecats/amber", "> No, exit"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!noted(&town, "client.args").contains("stream-json"), "a terminal has no stream");
    type_in(&town, &bead, "yes");
    town.wait_closed(&bead);
    assert_eq!((town.conditions().len(), starts(&town), escalations(&town)), (0, 1, 1));
}

#[test]
fn f20_a_login_is_left_to_a_person_and_a_key_question_is_not_read_as_trust() {
    if !crate::terminals::has_tmux() {
        return;
    }
    let town = town("tmux", "[agents.claude]\nready_seconds = 600\nstagger_seconds = 0\n");
    manner(&town, "key");
    slung(&town, "Asks for a key");
    town.wait_until("a person to be asked", || !town.conditions().is_empty());
    let (key, told) = needed(&town);
    assert_eq!(key, "start:app/polecats/amber");
    assert!(told.contains("whether to use the API key") && !told.contains("trust"), "{told}");
    assert!(told.contains("gt agent answer app/polecats/amber yes"), "{told}");
    manner(&town, "log-in");
    slung(&town, "Asks for a login");
    town.wait_until("a person to be asked", || town.conditions().contains(&"agent".to_owned()));
    let status = town.ok(&["status"]);
    assert!(status.contains("gt session attach app/polecats/birch, and log in there"), "{status}");
    for answer in ["yes", "no"] {
        let refused = town.gt(&["agent", "answer", "app/polecats/birch", answer]);
        assert!(refused.err.contains("asks for a login, which only a person can do"), "{refused:?}");
        assert!(refused.err.contains("gt session attach app/polecats/birch"), "{refused:?}");
    }
}
