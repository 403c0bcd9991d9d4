//! Fate of work whose worker does something wrong, in the simulated world.

use gt::demo::story::{PREFIX, RIG};
use gt::sim::script::Script;
use gt_ledger::BeadFilter;
use gt_model::bead::Status;
use gt_model::condition::ConditionKind;
use gt_model::id::BeadId;
use gt_town::Error;
use gt_world::Repo as _;

use crate::simulated::{REMOTE, SimTown};

/// Expected end of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The work landed, after this many starts of its worker.
    Landed(usize),
    /// A person must look.
    Quarantined,
}

/// Number of ticks within which it must have ended.
const LIMIT: u32 = 5_000;

/// Builds the script of a worker that does its work, and something wrong at its first start.
fn script(misbehaviour: &str) -> Script {
    let wrong = format!("[[act]]\nstep = 'implement'\nincarnation = 1\nmisbehave = '{misbehaviour}'\n");
    let work = "[[act]]\nstep = 'implement'\nwrite = { 'NEWS.md' = 'news' }\ncommit = 'News'\n";
    Script::parse(&(work.to_owned() + &wrong)).unwrap()
}

fn end_of(town: &SimTown, bead: &BeadId) -> Option<End> {
    let found = town.town.ledger.read(|view| {
        let starts: Vec<_> =
            view.attempts_on(bead)?.iter().map(|a| view.incarnations_of(a.id)).collect::<Result<_, _>>()?;
        let closed = view.bead(bead)?.is_some_and(|bead| bead.status == Status::Closed);
        let quarantined = view.condition(ConditionKind::Quarantine, bead.as_str())?.is_some();
        let cleared = view.present_attempts()?.is_empty() && view.open_effects()?.is_empty();
        let end =
            if quarantined { Some(End::Quarantined) } else { closed.then_some(End::Landed(starts.concat().len())) };
        Ok::<_, Error>(end.filter(|_| cleared))
    });
    found.unwrap()
}

fn check(misbehaviour: &str, expected: End) {
    let town = SimTown::new("quiet_minutes = 1\nlinger_seconds = 1\n", &script(misbehaviour));
    let before = town.world.remote_branch(REMOTE, "main").unwrap();
    town.gt(&["do", "Say something new", "--rig", RIG]);
    let beads = town.town.ledger.read(|view| Ok::<_, Error>(view.beads(&BeadFilter::default())?)).unwrap();
    let bead =
        beads.iter().find(|bead| bead.title == "Say something new" && bead.id.as_str().starts_with(PREFIX)).unwrap();
    let end = (0..LIMIT).find_map(|_| {
        town.tick();
        end_of(&town, &bead.id)
    });
    assert_eq!(end, Some(expected), "{misbehaviour}: {}", town.last_said(60));
    assert!(town.world.live_sessions().is_empty(), "{misbehaviour}");
    let branches = town.world.ask_remote(REMOTE).unwrap().branches;
    assert_eq!(branches.keys().collect::<Vec<_>>(), ["main"], "{misbehaviour}: nothing else was pushed");
    assert_eq!(branches["main"] == before, expected == End::Quarantined, "{misbehaviour}");
}

#[test]
fn the_town_catches_what_a_worker_does_wrong() {
    for (misbehaviour, expected) in [
        ("crash", End::Landed(2)),
        ("exit", End::Landed(2)),
        ("lie", End::Landed(2)),
        ("hang", End::Landed(2)),
        ("close", End::Landed(1)),
        ("push", End::Landed(1)),
        ("move-ref", End::Landed(1)),
        ("flood", End::Landed(1)),
        ("orphan", End::Landed(1)),
        ("wrong-branch", End::Quarantined),
        ("dirty", End::Quarantined),
    ] {
        check(misbehaviour, expected);
    }
}
