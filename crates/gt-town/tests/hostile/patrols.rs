//! The formulas of patrols say what the deacon, a witness and a refinery do, and in which order.

use gt_model::formula::{Act, Formula, Patrol};
use gt_town::town::formula::BUILT_IN;

use super::*;

impl Scene {
    /// Writes a file into the town's folder of formulas.
    pub(super) fn formula(&self, name: &str, text: &str) {
        let path = PathBuf::from("/town/.beads/formulas").join(name);
        self.town.world().disk().write(&path, text.as_bytes()).unwrap();
    }

    pub(super) fn remove_formula(&self, name: &str) {
        self.town.world().disk().remove(&PathBuf::from("/town/.beads/formulas").join(name)).unwrap();
    }
}

#[test]
fn every_formula_in_the_binary_is_one_and_each_patrol_has_all_its_acts() {
    let scene = scene(TOWN, &["app"]);
    for (name, text) in BUILT_IN {
        assert_eq!(Formula::parse(name, text).unwrap().name, *name);
        scene.town.formula(None, name).unwrap();
    }
    for patrol in [Patrol::Deacon, Patrol::Witness, Patrol::Refinery, Patrol::Boot] {
        let read = scene.town.patrol(None, patrol);
        assert!(read.fault.is_none(), "{:?}", read.fault);
        for act in Act::ALL.iter().filter(|act| act.is_of(patrol)) {
            assert!(read.acts.contains(act), "{act:?}");
        }
    }
}

#[test]
fn a_skipped_step_of_the_witness_is_not_done_until_the_overlay_goes() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.slung("One");
    let incarnations = |scene: &Scene| {
        let attempt = scene.attempts(&bead).pop().unwrap();
        scene.town.ledger.read(|view| Ok::<_, Error>(view.incarnations_of(attempt.id)?)).unwrap()
    };
    scene.formula("mol-witness-patrol.overlay.toml", "overlay = \"mol-witness-patrol\"\nskip = [\"act\"]\n");
    let first = incarnations(&scene).pop().unwrap();
    scene.world.kill(&scene.town.layout.session(&first.id));
    scene.look();
    let after: Vec<bool> = incarnations(&scene).iter().map(|i| i.ended_at.is_some()).collect();
    assert_eq!(after, [true], "the survey records the end, and nothing restarts the worker");
    scene.remove_formula("mol-witness-patrol.overlay.toml");
    for _ in 0..5 {
        scene.look();
    }
    assert_eq!(incarnations(&scene).len(), 2);
}

#[test]
fn a_step_that_an_overlay_adds_is_done() {
    let mut scene = scene(TOWN, &["app"]);
    // The refinery tests what waits twice: once more before it lands anything.
    let overlay = "overlay = \"mol-refinery-patrol\"\n[[insert]]\ntarget = \"land\"\n[[insert.before]]\nid = \"mail-again\"\nrun = \"gt:refinery.mail\"\n";
    scene.formula("mol-refinery-patrol.overlay.toml", overlay);
    let acts = scene.town.patrol(Some(&scene.rig("app")), Patrol::Refinery);
    assert!(acts.fault.is_none(), "{:?}", acts.fault);
    let of_mail = acts.acts.iter().filter(|act| **act == Act::RefineryMail).count();
    assert_eq!(of_mail, 2);
    let bead = scene.slung("One");
    scene.work(&bead, "b.txt");
    scene.look();
    refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    assert_eq!(scene.bead(&bead).status, Status::Closed);
}

#[test]
fn a_round_without_its_landing_step_lands_nothing() {
    let mut scene = scene(TOWN, &["app"]);
    scene.formula("mol-refinery-patrol.overlay.toml", "overlay = \"mol-refinery-patrol\"\nskip = [\"land\"]\n");
    let bead = scene.slung("One");
    scene.work(&bead, "b.txt");
    scene.look();
    refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    assert_ne!(scene.bead(&bead).status, Status::Closed);
    scene.remove_formula("mol-refinery-patrol.overlay.toml");
    refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    assert_eq!(scene.bead(&bead).status, Status::Closed);
}

#[test]
fn a_patrol_with_a_mistake_in_its_formula_goes_on_as_shipped_and_says_so() {
    let mut scene = scene(TOWN, &["app"]);
    for (name, text) in [
        ("mol-deacon-patrol.toml", "formula = \"mol-deacon-patrol\"\nversion = 1\nsteps = 3\n"),
        (
            "mol-deacon-patrol.toml",
            "formula = \"mol-deacon-patrol\"\nversion = 1\n[[steps]]\nid = \"x\"\nrun = \"rm -rf /\"\n",
        ),
        ("mol-deacon-patrol.overlay.toml", "overlay = \"mol-deacon-patrol\"\nskip = [\"no-such-step\"]\n"),
    ] {
        scene.formula(name, text);
        let bead = scene.slung("One");
        assert_eq!(scene.attempts(&bead).len(), 1);
        assert!(scene.conditions().contains(&"patrol:mol-deacon-patrol".to_owned()), "{name}");
        scene.remove_formula(name);
        scene.look();
        assert!(!scene.conditions().contains(&"patrol:mol-deacon-patrol".to_owned()), "{name}");
    }
}
