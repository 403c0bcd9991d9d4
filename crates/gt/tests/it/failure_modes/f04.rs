//! Of several claims one wins, and the town's limit on workers holds.

use crate::town::{RIG, Town, WORK, finish, list};

#[test]
fn f04_one_of_several_simultaneous_slings_wins_and_the_others_leave_nothing() {
    let town = Town::new();
    let bead = town.bead("Wanted");
    let slings: Vec<_> = (0..8).map(|_| town.start(&[], &["sling", &bead, RIG])).collect();
    let outputs: Vec<_> = slings.into_iter().map(finish).collect();
    let won = outputs.iter().filter(|output| output.code == 0).count();
    assert_eq!(won, 1, "{outputs:#?}");
    for lost in outputs.iter().filter(|output| output.code != 0) {
        assert_eq!(lost.code, 4, "{lost:?}");
        assert!(lost.err.contains(&format!("{bead} is on the hook of app/polecats/amber")), "{lost:?}");
        assert!(lost.err.contains("hint: gt unsling"), "{lost:?}");
    }
    for table in ["attempts", "effects", "swarms", "swarm_members"] {
        assert_eq!(town.ask(&format!("SELECT count(*) FROM {table}")), ["1"], "{table}");
    }
    assert_eq!(town.json(&["convoy", "list"])["convoys"].as_array().unwrap().len(), 1);
    town.ok(&["up"]);
    town.wait_closed(&bead);
    town.wait_quiet();
    assert_eq!(town.landings(&bead), 1);
    for table in ["attempts", "incarnations", "merge_requests", "landings"] {
        assert_eq!(town.ask(&format!("SELECT count(*) FROM {table}")), ["1"], "{table}");
    }
    assert_eq!(list(&town.rig().join("polecats")), Vec::<std::path::PathBuf>::new());
}

#[test]
fn f04_a_batch_with_one_taken_bead_is_refused_as_a_whole() {
    let town = Town::new();
    let (taken, free) = (town.bead("Taken"), town.bead("Free"));
    town.ok(&["sling", &taken, RIG]);
    let before = town.ask("SELECT max(seq) FROM events");
    let refused = town.gt(&["sling", &free, &taken, RIG]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert_eq!(town.ask("SELECT max(seq) FROM events"), before);
    assert_eq!(town.status_of(&free), "open");
    assert_eq!(town.ask("SELECT count(*) FROM attempts"), ["1"]);
}

#[test]
fn f04_the_town_never_has_more_workers_than_its_limit() {
    let town = Town::new();
    town.settle("max_polecats = 2\n");
    town.script(&format!("[pace]\nstep_ms = 20\n{WORK}"));
    let beads: Vec<String> = (0..5).map(|n| town.bead(&format!("Bead {n}"))).collect();
    town.ok(&["up"]);
    let words: Vec<&str> = ["sling"].into_iter().chain(beads.iter().map(String::as_str)).chain([RIG]).collect();
    town.ok(&words);
    let mut most = 0;
    town.wait_until("all to be closed", || {
        let polecats = list(&town.rig().join("polecats")).len();
        let live = "SELECT count(*) FROM incarnations WHERE started_at IS NOT NULL AND ended_at IS NULL";
        let sessions: usize = town.ask(live)[0].parse().unwrap();
        most = most.max(polecats).max(sessions);
        town.ask("SELECT count(*) FROM landings") != ["0"] && beads.iter().all(|bead| town.landings(bead) == 1)
    });
    assert_eq!(most, 2, "both places are used, and no third");
    town.wait_quiet();
}
