//! Acts of people on a merge request while its gates run.

use super::*;

/// Lets a person close the bead when the gates first run on its work, which then have this result. On the trunk they
/// are green.
fn close_while_gated(scene: &Scene, id: &BeadId, end: RunEnd) {
    let person = std::sync::Mutex::new(Some((scene.second_handle(), id.clone())));
    scene.world.set_runner(move |_, files| {
        let on_work = files.contains_key("one.txt");
        if on_work && let Some((town, id)) = person.lock().unwrap().take() {
            beads::close(&town, &Caller::overseer(), &id, Some("not wanted"), true).unwrap();
        }
        let end = if on_work { end.clone() } else { RunEnd::Passed };
        RunResult { end, took: Duration::ZERO, tail: Vec::new() }
    });
}

fn submitted(scene: &mut Scene) -> BeadId {
    let bead = scene.bead_of("app", "One");
    scene.sling("app", std::slice::from_ref(&bead));
    scene.look();
    scene.work(&bead, "one.txt");
    scene.look();
    bead
}

#[test]
fn a_bead_that_is_closed_while_its_gates_run_does_not_land() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = submitted(&mut scene);
    close_while_gated(&scene, &bead, RunEnd::Passed);
    let before = scene.world.remote_branch(&remote("app"), "main");
    refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    assert_eq!(scene.world.remote_branch(&remote("app"), "main"), before);
    assert_eq!(scene.bead(&bead).close_reason.as_deref(), Some("not wanted"));
}

#[test]
fn a_bead_that_is_closed_while_its_gates_turn_red_stays_closed() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = submitted(&mut scene);
    let red = RunEnd::Failed(gt_world::Exit { code: Some(1), signal: None, reason: "exited".into() });
    close_while_gated(&scene, &bead, red);
    refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    assert_eq!((scene.bead(&bead).status, scene.attempts(&bead).len()), (Status::Closed, 1));
}

#[test]
fn rework_goes_to_the_kind_of_agent_that_did_the_work() {
    let mut scene = scene(TOWN, &["app"]);
    set_rig(&scene.town, "app", &RIG.replace("agent = \"idle\"\n", ""));
    let (bead, other) = (scene.bead_of("app", "One"), scene.bead_of("app", "Two"));
    let options = SlingOptions { agent: Some("other".to_owned()), ..SlingOptions::default() };
    let beads = [bead.clone(), other.clone()];
    sling::sling(&scene.town, &Caller::overseer(), &beads, &scene.rig("app"), &options).unwrap();
    scene.look();
    scene.work(&bead, "same.txt");
    scene.work(&other, "same.txt");
    scene.look();
    let rig = scene.rig("app");
    for _ in 0..3 {
        refinery::run_round(&scene.town, &rig).unwrap();
    }
    assert_eq!(scene.bead(&bead).status, Status::Closed);
    let kinds: Vec<String> = scene.attempts(&other).into_iter().map(|a| a.agent).collect();
    assert_eq!(kinds, ["other", "other"]);
}

#[test]
fn work_whose_formula_is_gone_is_held_when_it_comes_back_and_the_rest_lands() {
    let mut scene = scene(TOWN, &["app"]);
    let beads: Vec<BeadId> = ["One", "Two", "Three"].iter().map(|title| scene.bead_of("app", title)).collect();
    scene.sling("app", &beads);
    scene.look();
    for (bead, file) in beads.iter().zip(["same.txt", "same.txt", "three.txt"]) {
        scene.work(bead, file);
    }
    scene.look();
    // The next attempt follows the formula of the one before, whatever the rig's settings say by then.
    scene.remove_formula("short.toml");
    for _ in 0..3 {
        refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    }
    let statuses: Vec<Status> = beads.iter().map(|id| scene.bead(id).status).collect();
    assert_eq!(statuses, [Status::Closed, Status::InProgress, Status::Closed]);
    let held = scene.town.ledger.read(|view| Ok::<_, Error>(view.open_merge_requests(None)?)).unwrap();
    assert!(held[0].held.as_deref().is_some_and(|why| why.contains("conflicts") && why.contains("short")), "{held:?}");
}
