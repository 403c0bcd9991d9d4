//! Plays one story in both worlds: in memory, and with real git and real processes. The same must happen to each bead.
//!
//! The order is forced, so that timing can't change the sequence of one bead's events: one worker works at a time. It
//! begins only when its start is recorded, and stays after `gt done` until it is ended. The refinery has its round only
//! when nothing else is left to do.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gt::demo::story::{PREFIX, RIG};
use gt::sim::script::Script;
use gt_ledger::{Attempt, Event, Incarnation};
use gt_model::bead::{Bead, BeadType, DepType, Dependency, Rest};
use gt_model::id::BeadId;
use gt_model::jsonl::{self, Record};
use gt_town::refinery;
use gt_town::{Error, Town};
use jiff::Timestamp;

use crate::real::RealTown;
use crate::simulated::SimTown;

/// Settings that exclude chance: one worker, no pauses.
const SETTINGS: &str = "max_polecats = 1\nlinger_seconds = 0\nback_off_seconds = 0\n";

/// Id of the convoy that has all beads.
const CONVOY: &str = "hq-forced";

/// Bead whose first attempt lands.
const PLAIN: &str = "demo-1";
/// Bead whose first attempt fails its gates.
const RED: &str = "demo-2";
/// Bead whose first worker is killed half way.
const KILLED: &str = "demo-3";
/// Bead that its worker defers.
const PUT_OFF: &str = "demo-4";
/// Bead that lands after all others.
const LAST: &str = "demo-5";

/// The beads, each with the bead that must land before it.
const BEADS: [(&str, Option<&str>); 5] =
    [(PLAIN, None), (RED, Some(PLAIN)), (KILLED, Some(RED)), (PUT_OFF, Some(KILLED)), (LAST, Some(KILLED))];

/// Mark that the worker sets when it can be killed.
const HALF_WAY: &str = "half-way";

/// Acts of the workers. The test inserts more at `{begun}`.
const SCRIPT: &str = r##"
[[act]]
bead = "demo-1"
step = "implement"
write = { "lib/lamps.sh" = "lamp_light() { echo \"a light\"; }\n", "tests/lamps.sh" = "expect \"$(lamp_light)\" \"a light\"\n" }
commit = "Put up lamps"

[[act]]
bead = "demo-2"
step = "implement"
write = { "lib/notices.sh" = "notice() { echo \"Notice: $1\"; }\n", "tests/notices.sh" = "expect \"$(notice \"Fair\")\" \"Notice: Fair\"\n" }
commit = "Put up a notice board"

[[act]] # red, and after the last test run
bead = "demo-2"
step = "submit-and-exit"
attempt = 1
write = { "lib/notices.sh" = "notice() { echo \"NOTICE! $1\"; }\n" }
commit = "Polish the wording"

[[act]]
bead = "demo-3"
step = "implement"
incarnation = 1
write = { "lib/fountain.sh" = "# To be gone on with.\n" }
signal = "half-way"
misbehave = "hang"

[[act]]
bead = "demo-3"
step = "implement"
incarnation = 2
run = ["test", "-f", "lib/fountain.sh"]

[[act]]
bead = "demo-3"
step = "implement"
write = { "lib/fountain.sh" = "fountain() { echo \"$(words_shout \"splash\")\"; }\n", "tests/fountain.sh" = "expect \"$(fountain)\" \"splash!\"\n" }
commit = "Build a fountain"

[[act]]
bead = "demo-4"
step = "implement"
write = { "lib/bench.sh" = "# Where is it to stand?\n" }
run = ["gt", "done", "--status", "deferred", "--message", "nobody knows where it is to stand"]
misbehave = "hang"

[[act]]
bead = "demo-5"
step = "implement"
append = { "README.md" = "\nJoin in!\n" }
commit = "Say how to join in"

[[act]] # whoever has submitted stays until it is ended
step = "submit-and-exit"
skip_default = true
run = ["gt", "done"]
misbehave = "hang"
"##;

/// Query for the starts of workers: step, attempt and incarnation of each.
const STARTS: [(&str, u32, u32); 3] = [("load-context", 1, 1), ("load-context", 2, 1), ("implement", 1, 2)];

fn begun(bead: &str, attempt: u32, incarnation: u32) -> String {
    format!("begun-{bead}-{attempt}-{incarnation}")
}

/// Builds the script: each worker waits until its start is recorded, then does what the story says.
fn script() -> Script {
    let mut text = String::new();
    for (bead, _) in BEADS {
        for (step, attempt, incarnation) in STARTS {
            let mark = begun(bead, attempt, incarnation);
            let place = format!("bead = '{bead}'\nstep = '{step}'\nattempt = {attempt}\nincarnation = {incarnation}");
            writeln!(text, "[[act]]\n{place}\nawait = '{mark}'").unwrap();
        }
    }
    Script::parse(&(text + SCRIPT)).unwrap()
}

fn beads_jsonl(now: Timestamp) -> String {
    let edge = |from: &str, to: &str, kind| {
        let (issue_id, depends_on_id) = (BeadId::from(from), BeadId::from(to));
        Dependency { issue_id, depends_on_id, kind, created_at: Some(now.to_string()), rest: Rest::new() }
    };
    let tracks = BEADS.iter().map(|(id, _)| edge(CONVOY, id, DepType::Tracks)).collect();
    let convoy =
        Bead { issue_type: BeadType::Convoy, dependencies: tracks, ..Bead::new(CONVOY.into(), "In order", now) };
    let beads = BEADS.iter().map(|(id, need)| Bead {
        dependencies: need.iter().map(|need| edge(id, need, DepType::Blocks)).collect(),
        ..Bead::new((*id).into(), id, now)
    });
    let records: Vec<Record> = beads.chain([convoy]).map(|bead| Record::Bead(Box::new(bead))).collect();
    jsonl::write(&records)
}

/// A town in either world.
pub trait Scene {
    /// Returns the town.
    fn town(&self) -> &Town;
    /// Calls a verb as the overseer.
    fn overseer(&self, args: &[&str]);
    /// Imports beads.
    fn import(&self, jsonl: &str);
    /// Lets the deacon look once. Returns whether it did anything.
    fn look(&self) -> bool;
    /// Lets workers work.
    fn let_work(&self);
    /// Sets a mark.
    fn mark(&self, mark: &str);
    /// Whether a mark is set.
    fn is_marked(&self, mark: &str) -> bool;
    /// Kills a worker with `kill -9`.
    fn kill(&self, incarnation: &Incarnation);
    /// Returns what is known besides the ledger, for a story that does not end.
    fn last_words(&self) -> String;
}

/// Number of looks within which the story must end.
const LIMIT: u32 = 20_000;

/// Plays the story to its end. Returns all events.
fn play(scene: &dyn Scene) -> Vec<Event> {
    scene.import(&beads_jsonl(scene.town().world().clock().now()));
    scene.overseer(&["sling", PLAIN, RIG]);
    for _ in 0..LIMIT {
        let did = scene.look();
        direct(scene);
        if !did && is_quiet(scene.town()) && !refine(scene.town()) {
            return events(scene.town());
        }
        scene.let_work();
    }
    panic!("not over\n{}\n{}", show(&by_bead(&events(scene.town()))), scene.last_words());
}

fn events(town: &Town) -> Vec<Event> {
    town.ledger.read(|view| Ok::<_, Error>(view.events(0, None, u32::MAX)?)).unwrap()
}

/// Lets workers begin whose start is recorded, and kills the worker that is half way.
fn direct(scene: &dyn Scene) {
    for (attempt, incarnation) in started(scene.town()) {
        scene.mark(&begun(attempt.bead.as_str(), attempt.number, incarnation.number));
        let is_first = attempt.number == 1 && incarnation.number == 1;
        if attempt.bead.as_str() == KILLED && is_first && scene.is_marked(HALF_WAY) {
            scene.kill(&incarnation);
        }
    }
}

/// Returns the sessions that were started and have not ended.
fn started(town: &Town) -> Vec<(Attempt, Incarnation)> {
    let found = town.ledger.read(|view| {
        let live = view.live_incarnations()?.into_iter().filter(|incarnation| incarnation.process.is_some());
        let with_attempt = live.map(|incarnation| Ok((view.attempt_of(&incarnation)?, incarnation)));
        with_attempt.collect::<Result<Vec<_>, Error>>()
    });
    found.unwrap().into_iter().filter_map(|(attempt, incarnation)| Some((attempt?, incarnation))).collect()
}

/// Returns whether no worker works and nothing is left to do.
fn is_quiet(town: &Town) -> bool {
    let quiet = town.ledger.read(|view| {
        let hooked = view.present_attempts()?.iter().any(Attempt::is_hooked);
        Ok::<_, Error>(!hooked && view.live_incarnations()?.is_empty() && view.open_effects()?.is_empty())
    });
    quiet.unwrap()
}

fn refine(town: &Town) -> bool {
    let round = refinery::run_round(town, &town.rig(RIG).unwrap()).unwrap();
    round.expect("nobody else has a round").changed()
}

/// Returns the events of each bead in order, one line for each.
type Histories = BTreeMap<String, Vec<String>>;

fn by_bead(events: &[Event]) -> Histories {
    let mut histories: BTreeMap<String, Vec<(Option<Lane>, String)>> =
        BEADS.iter().map(|(id, _)| *id).chain([CONVOY]).map(|id| (id.to_owned(), Vec::new())).collect();
    // Mails are beads too, with a new id in each run.
    for event in events {
        if let Some(lines) = event.bead.as_ref().and_then(|bead| histories.get_mut(bead.as_str())) {
            lines.push((Lane::of(&event.verb), line(event)));
        }
    }
    histories.into_iter().map(|(bead, lines)| (bead, in_order(lines))).collect()
}

/// Lane of an effect. Effects of two lanes run side by side, so chance decides which one ends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Session,
    Repository,
}

impl Lane {
    /// Returns the lane of an event by the verb that it names, or `None` if it belongs to no effect.
    fn of(verb: &str) -> Option<Self> {
        match verb {
            "start-session" | "end-session" => Some(Self::Session),
            "add-worktree" | "snapshot" | "archive-worktree" | "pin-mr" | "drop-branch" => Some(Self::Repository),
            _ => None,
        }
    }
}

/// Sorts consecutive events of effects by lane. Within a lane, and relative to other events, the order stays.
fn in_order(mut lines: Vec<(Option<Lane>, String)>) -> Vec<String> {
    for effects in lines.chunk_by_mut(|(one, _), (other, _)| one.is_some() && other.is_some()) {
        effects.sort_by_key(|(lane, _)| *lane);
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

/// Formats an event with everything on which both worlds can agree. Ids that differ in each run are left out.
fn line(event: &Event) -> String {
    let says_more = ["step-", "incarnation-", "attempt-"].iter().any(|start| event.event.starts_with(start));
    let subject = if says_more { format!(" {}", event.subject) } else { String::new() };
    format!("{}{subject} ({}: {})", event.event, event.actor, event.verb)
}

fn show(histories: &Histories) -> String {
    let mut text = String::new();
    for (bead, lines) in histories {
        writeln!(text, "{bead}\n  {}", lines.join("\n  ")).unwrap();
    }
    text
}

/// Fails with the differences, bead by bead.
fn compare(simulated: &Histories, real: &Histories) {
    let beads: Vec<_> = simulated.keys().collect();
    assert_eq!(beads, real.keys().collect::<Vec<_>>(), "the beads of the simulated and of the real town");
    let differences: Vec<String> = simulated
        .iter()
        .filter(|(bead, lines)| real[*bead] != **lines)
        .map(|(bead, lines)| {
            let text = |lines: &[String]| lines.join("\n") + "\n";
            format!("{bead}: - simulated, + real\n{}", diffy::create_patch(&text(lines), &text(&real[bead])))
        })
        .collect();
    assert!(differences.is_empty(), "the worlds differ\n\n{}", differences.join("\n"));
}

/// Checks that the story happened as intended: an empty story would be the same in both worlds too.
fn check_story(histories: &Histories) {
    let count = |bead: &str, event: &str| {
        histories[bead].iter().filter(|line| line.split_whitespace().next() == Some(event)).count()
    };
    for (bead, event, expected) in [
        (PLAIN, "bead-landed", 1),
        (PLAIN, "mr-rework", 0),
        (RED, "mr-rework", 1),
        (RED, "bead-landed", 1),
        (KILLED, "incarnation-opened", 2),
        (KILLED, "attempt-opened", 1),
        (KILLED, "bead-landed", 1),
        (PUT_OFF, "bead-parked", 1),
        (PUT_OFF, "mr-opened", 0),
        (LAST, "bead-landed", 1),
        (LAST, "step-done", 9),
        (LAST, "worktree-archived", 1),
    ] {
        assert_eq!(count(bead, event), expected, "{event} of {bead}\n{}", show(histories));
    }
}

#[test]
fn what_happens_to_each_bead_is_the_same_in_both_worlds() {
    let simulated = by_bead(&play(&SimTown::new(SETTINGS, &script())));
    check_story(&simulated);
    let real = by_bead(&play(&RealTown::new(SETTINGS, PREFIX, &script())));
    compare(&simulated, &real);
}

#[test]
fn only_the_order_between_lanes_is_ignored() {
    fn check(one: &[&str], other: &[&str], same: bool) {
        let told = |verbs: &[&str]| in_order(verbs.iter().map(|verb| (Lane::of(verb), (*verb).to_owned())).collect());
        assert_eq!(told(one) == told(other), same, "{one:?} {other:?}");
    }
    check(&["done", "pin-mr", "end-session"], &["done", "end-session", "pin-mr"], true);
    check(&["pin-mr", "snapshot"], &["snapshot", "pin-mr"], false);
    check(&["pin-mr", "done", "end-session"], &["end-session", "done", "pin-mr"], false);
    check(&["pin-mr", "end-session"], &["pin-mr"], false);
}

#[test]
fn a_difference_is_named() {
    let history = |lines: &[&str]| BTreeMap::from([("b".to_owned(), lines.iter().map(|l| (*l).to_owned()).collect())]);
    let (one, other) = (history(&["opened", "landed"]), history(&["opened", "sent back", "landed"]));
    let said = std::panic::catch_unwind(|| compare(&one, &other)).unwrap_err();
    let said = said.downcast_ref::<String>().unwrap();
    assert!(said.contains("b: - simulated, + real") && said.contains("\n opened\n+sent back\n landed\n"), "{said}");
    compare(&one, &one);
}
