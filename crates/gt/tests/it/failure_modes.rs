//! How systems of this kind fail their users, by number, and that this one does not.

use crate::town::{RIG, Town, WORK};

#[test]
fn f03_a_dependent_becomes_ready_when_its_blocker_has_landed() {
    let town = Town::new();
    let first = town.bead("First");
    let second = town.bead_after("Second", &first);
    town.ok(&["up"]);
    town.ok(&["sling", &first, RIG]);
    town.wait_closed(&first);
    assert_eq!(town.landings(&first), 1);
    assert!(town.json(&["bead", "ready"]).to_string().contains(&second));
    town.wait_quiet();
    town.script(WORK);
}
