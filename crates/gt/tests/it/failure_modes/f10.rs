//! The merge queue neither loses work nor stops: a conflict is named and sent back, and delays no other merge request.

use crate::town::{RIG, Town};

/// Two workers write the same line, and wait for each other before they submit. A third changes its own file.
fn script(first: &str, second: &str) -> String {
    let act = |bead: &str, other: &str, word: &str| {
        format!(
            "[[act]]\nbead = \"{bead}\"\nstep = \"implement\"\nattempt = 1\nwrite = {{ \"README.md\" = \"{word}\\n\" }}\ncommit = \"Say {word}\"\n\
             [[act]]\nbead = \"{bead}\"\nstep = \"submit-and-exit\"\nattempt = 1\nsignal = \"{bead}\"\nawait = \"{other}\"\n\
             [[act]]\nbead = \"{bead}\"\nstep = \"implement\"\nattempt = 2\nsignal = \"again\"\nawait = \"seen\"\n"
        )
    };
    let plain = "[[act]]\nstep = \"implement\"\nrun = [\"sh\", \"-c\", 'test -f mine.txt || test \"$(cat README.md)\" != \"An app\" || echo x > mine.txt']\ncommit = \"Mine\"\n";
    format!("{}{}{plain}", act(first, second, "one"), act(second, first, "two"))
}

#[test]
fn f10_a_conflict_is_named_sent_back_and_delays_no_other_work() {
    let town = Town::new();
    let (first, second, third) = (town.bead("One"), town.bead("Two"), town.bead("Three"));
    town.script(&script(&first, &second));
    town.ok(&["up"]);
    town.ok(&["sling", &first, &second, &third, RIG]);
    town.wait_for_mark("again");
    town.wait_closed(&third);
    let sent_back = if town.status_of(&first) == "closed" { &second } else { &first };
    let why = town.ok(&["why", sent_back]);
    assert!(why.contains("conflicts with main") && why.contains("README.md"), "{why}");
    let gate = town.rig().join("refinery/gate");
    assert_eq!(town.git(&gate, &["status", "--porcelain"]), "", "no conflict was ever checked out");
    town.signal("seen");
    town.wait_closed(sent_back);
    for bead in [&first, &second, &third] {
        assert_eq!(town.landings(bead), 1, "{bead}");
    }
    let readme = town.git(&town.remote(), &["show", "main:README.md"]);
    assert!(readme.contains("one") && readme.contains("two"), "{readme}");
}
