//! Tests who holds a slot, and when it is released.

use super::*;

fn few_slots(count: u32) -> String {
    format!("max_polecats = {count}\n{}", TOWN)
}

#[test]
fn an_unreachable_remote_takes_no_slot_from_other_rigs() {
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
fn work_with_commits_can_not_end_with_no_code() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.bead_of("app", "One");
    scene.sling("app", std::slice::from_ref(&bead));
    scene.look();
    scene.commit(&bead, "one.txt");
    let refused = scene.done(&bead, Exit::NoCode);
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    assert_eq!(scene.bead(&bead).status, Status::InProgress);
}

#[test]
fn f02_a_worktree_of_which_no_snapshot_can_be_taken_is_archived_with_its_files() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.bead_of("app", "One");
    scene.sling("app", std::slice::from_ref(&bead));
    scene.look();
    let attempt = scene.attempts(&bead).remove(0);
    let layout = scene.rig("app").layout;
    scene.world.write_file(&layout.worktree(&attempt.worker), "new.txt", "not committed").unwrap();
    for _ in 0..20 {
        scene.world.fail_next("snapshot", "no worktree");
    }
    sling::unsling(&scene.town, &Caller::overseer(), &bead).unwrap();
    for _ in 0..5 {
        scene.look();
    }
    assert!(scene.attempts(&bead)[0].archived_at.is_some());
    let kept = scene.world.read_file(&layout.archived(&attempt), "new.txt");
    assert_eq!(kept.as_deref(), Some("not committed"));
}

#[test]
fn f16_a_session_that_does_not_end_delays_no_other() {
    let mut scene = scene(TOWN, &["app"]);
    let (bead, other) = (scene.bead_of("app", "One"), scene.bead_of("app", "Two"));
    scene.sling("app", &[bead, other]);
    scene.look();
    scene.world.fail_next("end", "damaged");
    let down = gt_town::lifecycle::updown::down(&scene.town, &Caller::overseer());
    assert!(matches!(&down, Err(Error::NeedsPerson { what, .. }) if what.contains("damaged")), "{down:?}");
    assert_eq!(scene.world.live_sessions().len(), 1);
    gt_town::lifecycle::updown::down(&scene.town, &Caller::overseer()).unwrap();
    assert!(scene.world.live_sessions().is_empty());
}
