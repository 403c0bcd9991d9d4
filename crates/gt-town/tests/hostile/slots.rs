//! Who holds a slot, and who gives it back.

use super::*;

fn few_slots(count: u32) -> String {
    format!("max_polecats = {count}\n{}", TOWN)
}

#[test]
fn a_remote_that_cannot_be_reached_takes_no_slot_from_others() {
    let mut scene = scene(&few_slots(1), &["app", "lib"]);
    scene.world.set_unreachable(&remote("app"));
    let (stuck, other, next) =
        (scene.bead_of("app", "One"), scene.bead_of("lib", "Two"), scene.bead_of("lib", "Three"));
    scene.sling("app", &[stuck]);
    scene.sling("lib", std::slice::from_ref(&other));
    scene.sling("lib", std::slice::from_ref(&next));
    scene.look();
    assert_eq!((scene.bead(&other).status, scene.bead(&next).status), (Status::InProgress, Status::Hooked));
    scene.work(&other, "two.txt");
    scene.look();
    for _ in 0..6 {
        scene.look();
    }
    assert_eq!(scene.bead(&next).status, Status::InProgress);
}

#[test]
fn a_bead_whose_worktree_could_not_be_made_can_be_taken_back() {
    let mut scene = scene(&few_slots(1), &["app"]);
    for _ in 0..20 {
        scene.world.fail_next("add_worktree", "disk full");
    }
    let bead = scene.bead_of("app", "One");
    scene.sling("app", std::slice::from_ref(&bead));
    for _ in 0..40 {
        scene.look();
    }
    assert_eq!(scene.conditions().len(), 1, "{:?}", scene.conditions());
    sling::unsling(&scene.town, &Caller::overseer(), &bead).unwrap();
    scene.look();
    assert!(scene.attempts(&bead)[0].archived_at.is_some());
    assert!(scene.conditions().is_empty(), "{:?}", scene.conditions());
}

#[test]
fn what_has_commits_is_not_over_without_code() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.bead_of("app", "One");
    scene.sling("app", std::slice::from_ref(&bead));
    scene.look();
    scene.commit(&bead, "one.txt");
    let refused = scene.done(&bead, Exit::NoCode);
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    assert_eq!(scene.bead(&bead).status, Status::InProgress);
}
