//! A remote that can't be reached when work should land.

use gt_model::condition::ConditionKind;
use gt_town::refinery::back_off::BackOff;
use gt_town::town::observed::Observed;
use gt_town::view::answer::Answer;
use gt_town::view::doing::waiting_for;
use gt_town::view::observe;

use super::*;

/// A refinery as the deacon runs it: one turn each second. A failure is a condition until a turn succeeds.
struct Refinery<'s> {
    scene: &'s Scene,
    back_off: BackOff,
    observed: Observed,
}

impl Refinery<'_> {
    /// Runs this many turns. Returns those that tried a round.
    fn turns(&mut self, count: u64) -> Vec<u64> {
        (1..=count).filter(|_| self.turn()).collect()
    }

    fn turn(&mut self) -> bool {
        let (town, rig) = (&self.scene.town, self.scene.rig("app"));
        self.scene.world.advance(Duration::from_secs(1));
        self.observed.tick(town.world().clock().monotonic());
        match self.back_off.round(town, &rig, &mut self.observed) {
            Ok(None) => return false,
            Ok(Some(_)) => {
                town.ledger.write("deacon", "refinery", |tx| tx.clear(ConditionKind::Refinery, "app")).unwrap()
            }
            Err(error) => town
                .ledger
                .write("deacon", "refinery", |tx| tx.raise(ConditionKind::Refinery, "app", &error.to_string()))
                .unwrap(),
        };
        true
    }
}

#[test]
fn a_landing_is_tried_again_after_pauses_that_double() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.bead_of("app", "One");
    scene.sling("app", std::slice::from_ref(&bead));
    scene.look();
    scene.work(&bead, "one.txt");
    scene.look();
    // The remote disappears after the landing was decided.
    scene.world.fail_next("push", "the line is cut");
    let mut refinery = Refinery { scene: &scene, back_off: BackOff::default(), observed: Observed::default() };
    assert_eq!(refinery.turns(1), [1]);
    scene.world.set_unreachable(&remote("app"));
    assert_eq!(refinery.turns(150), [1, 3, 7, 15, 31, 63, 123]);
    let why = observe::why(&scene.town, &bead).unwrap();
    let Answer::InQueue { landing: Some(landing), .. } = &why.answer else { panic!("{:?}", why.answer) };
    assert!(waiting_for(landing).starts_with("land on the trunk, tried 8 times: the remote"), "{landing:?}");
    let status = observe::status(&scene.town).unwrap();
    assert!(
        status.needs_you.iter().any(|need| need.condition.kind == ConditionKind::Refinery),
        "{:?}",
        status.needs_you
    );
    // At a person's command it tries at once, and then the pauses start from the beginning.
    refinery::forget_failures(&scene.town, &Caller::overseer(), &scene.rig("app")).unwrap();
    assert_eq!(refinery.turns(8), [1, 2, 4, 8]);
    scene.world.set_reachable(&remote("app"));
    assert_eq!(refinery.turns(10), [8, 9, 10]);
    assert_eq!(scene.bead(&bead).status, Status::Closed);
    assert_eq!(scene.conditions(), Vec::<String>::new());
}
