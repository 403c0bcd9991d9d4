//! Machines sleep and clocks jump: the town restarts no agent because of it.

use std::time::Duration;

use gt::demo::story::RIG;
use gt::sim::script::Script;
use gt_model::bead::{Bead, Status};
use gt_model::jsonl::{self, Record};
use gt_town::Error;
use jiff::SignedDuration;

use crate::simulated::SimTown;

const BEAD: &str = "demo-t1";

/// A worker that thinks for long.
const SCRIPT: &str = r#"
[[act]]
step = "implement"
signal = "thinking"
await = "enough"

[[act]]
step = "implement"
append = { "README.md" = "\nThought about.\n" }
commit = "Think"
"#;

/// Number of rounds within which a bead lands.
const LIMIT: u32 = 500;

fn thinking() -> SimTown {
    let town = SimTown::new("quiet_minutes = 1\nlinger_seconds = 1\n", &Script::parse(SCRIPT).unwrap());
    let bead = Bead::new(BEAD.into(), "Think", town.town.world().clock().now());
    town.import(&jsonl::write(&[Record::Bead(Box::new(bead))]));
    town.gt(&["sling", BEAD, RIG]);
    until(&town, |town| town.is_marked("thinking"));
    town
}

fn until(town: &SimTown, is_so: impl Fn(&SimTown) -> bool) {
    assert!((0..LIMIT).any(|_| {
        town.tick();
        is_so(town)
    }));
}

fn count(town: &SimTown, event: &str) -> usize {
    town.events().iter().filter(|e| e.event == event).count()
}

/// Checks that the bead lands and its worker was never restarted.
fn check_undisturbed(town: &SimTown) {
    town.mark("enough");
    until(town, |town| {
        let status = town.town.ledger.read(|view| Ok::<_, Error>(view.bead(&BEAD.into())?.map(|bead| bead.status)));
        status.unwrap() == Some(Status::Closed)
    });
    assert_eq!(
        (count(town, "worker-silent"), count(town, "incarnation-opened"), count(town, "attempt-opened")),
        (0, 1, 1)
    );
    assert_eq!(town.errors(), [""; 0]);
}

#[test]
fn f01_no_agent_is_restarted_after_the_machine_slept() {
    let town = thinking();
    for hours in [1, 8, 72] {
        town.world.advance(Duration::from_hours(hours));
        (0..3).for_each(|_| town.tick());
    }
    check_undisturbed(&town);
}

#[test]
fn f01_no_agent_is_restarted_when_the_wall_clock_jumps() {
    let town = thinking();
    for hours in [-1, 24, -48, 24 * 365, -24 * 400] {
        town.world.turn_wall_clock(SignedDuration::from_hours(hours));
        (0..3).for_each(|_| town.tick());
    }
    check_undisturbed(&town);
}

#[test]
fn f01_a_worker_that_stays_silent_while_the_clock_runs_is_ended() {
    let town = thinking();
    // Contrast to the two tests above: the same silence, without a gap in the clock, counts.
    until(&town, |town| {
        town.world.advance(Duration::from_secs(10));
        count(town, "worker-silent") == 1
    });
}
