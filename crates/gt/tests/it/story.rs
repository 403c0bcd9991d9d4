//! The demo's story in the simulated world.

use std::collections::{BTreeMap, BTreeSet};

use gt::demo::run::half_way_agent;
use gt::demo::{judge, story};
use gt_ledger::AttemptOutcome;
use gt_model::bead::Status;
use gt_model::id::BeadId;
use gt_model::protocol::Message;
use gt_town::effects;
use gt_town::{Caller, Error};
use gt_world::{Disk as _, Repo as _};

use crate::simulated::{REMOTE, SimTown};

/// Number of ticks within which the story must end.
const LIMIT: u32 = 5_000;

/// Creates a town where the demo's story has begun.
fn begin(seed: u64, settings: &str) -> SimTown {
    let settings = format!("patrol_seconds = 1\nlinger_seconds = 5\n{settings}");
    let town = SimTown::new(&settings, &story::script(seed).unwrap());
    town.import(&story::beads_jsonl(town.town.world().clock().now()));
    let mut sling = vec!["sling"];
    sling.extend(story::slung_first(seed));
    sling.push(story::RIG);
    town.gt(&sling);
    town
}

/// Plays on until the story has ended. After each tick, calls `between` for other events.
fn play_on(town: &SimTown, mut between: impl FnMut(&SimTown, u32)) {
    for tick in 1..LIMIT {
        town.tick();
        kill_half_way(town);
        if is_over(town) {
            return;
        }
        between(town, tick);
    }
    panic!("not over; {}\n{:?}\n{}", town.gt(&["status"]), town.errors(), town.last_said(60));
}

/// Plays the demo's story to its end.
fn play(seed: u64, polecats: u32) -> SimTown {
    let town = begin(seed, &format!("max_polecats = {polecats}\n"));
    play_on(&town, |_, _| {});
    assert_eq!(town.errors(), [""; 0]);
    town
}

fn kill_half_way(town: &SimTown) {
    if !town.is_marked(story::HALF_WAY) {
        return;
    }
    let found = town.town.ledger.read(|view| {
        let Some(attempt) = view.live_attempt(&story::KILLED.into())? else { return Ok(None) };
        let incarnations = view.incarnations_of(attempt.id)?;
        Ok::<_, Error>(half_way_agent(&attempt, &incarnations).map(|_| incarnations[0].id.clone()))
    });
    if let Some(incarnation) = found.unwrap() {
        town.world.kill(&town.town.layout.session(&incarnation));
    }
}

fn is_over(town: &SimTown) -> bool {
    let over = town.town.ledger.read(|view| {
        let landed = view.bead(&story::CONVOY.into())?.is_some_and(|convoy| convoy.status == Status::Closed);
        Ok::<_, Error>(landed && view.present_attempts()?.is_empty() && view.open_effects()?.is_empty())
    });
    over.unwrap()
}

/// Checks the state at the end of the story.
fn check(seed: u64, polecats: u32) {
    let town = play(seed, polecats);
    let case = format!("seed {seed}, {polecats} polecats");
    let foreign = check_trunk(&town, &case);
    assert_eq!(foreign, 0, "{case}: nothing else is on the trunk");
    check_swarms(&town, &case);
    check_nothing_is_left(&town, &case);
    check_story(&town, &case);
}

/// Returns how many commits on the trunk belong to no bead.
fn check_trunk(town: &SimTown, case: &str) -> usize {
    let trunk = town.world.history(&town.world.remote_branch(REMOTE, "main").unwrap());
    let beads = trunk.iter().flat_map(|commit| commit.message.lines().filter_map(|line| line.strip_prefix("Bead: ")));
    let mut landed: Vec<&str> = beads.collect();
    landed.sort_unstable();
    assert_eq!(landed, story::TASKS.iter().map(|task| task.id).collect::<Vec<_>>(), "{case}: each bead lands once");
    let landings = town.town.ledger.read(|view| Ok::<_, Error>(view.landings()?)).unwrap();
    for tip in landings.iter().map(|landing| &landing.tip) {
        let files = town.world.files_at(tip).unwrap();
        assert_eq!(judge::gates_pass(&files), Ok(()), "{case}: the trunk was red at {tip}");
    }
    for landing in &landings {
        assert!(trunk.iter().any(|commit| commit.id == landing.tip), "{case}: {} is not on the trunk", landing.tip);
    }
    trunk.len() - 1 - landed.len()
}

/// Checks that each batch was announced once and completed once.
fn check_swarms(town: &SimTown, case: &str) {
    let (swarms, mail) = town.town.ledger.read(|view| Ok::<_, Error>((view.swarms()?, view.all_mail()?))).unwrap();
    let mut said = BTreeMap::<String, (BTreeSet<BeadId>, BTreeSet<BeadId>)>::new();
    for item in mail {
        match Message::parse(&item.subject, &item.body) {
            Ok(Message::SwarmStart { swarm, .. }) => said.entry(swarm).or_default().0.insert(item.id),
            Ok(Message::SwarmComplete { swarm, .. }) => said.entry(swarm).or_default().1.insert(item.id),
            _ => false,
        };
    }
    let said: BTreeMap<_, _> = said.into_iter().map(|(id, (start, end))| (id, (start.len(), end.len()))).collect();
    let expected = swarms.iter().map(|swarm| (swarm.id.to_string(), (1, 1))).collect();
    assert_eq!(said, expected, "{case}: mails of start and end, by swarm");
    let events = town.events();
    assert_eq!(events.iter().filter(|e| e.event == "convoy-landed").count(), 1, "{case}");
}

fn check_nothing_is_left(town: &SimTown, case: &str) {
    assert!(town.world.live_sessions().is_empty(), "{case}");
    let live = town.town.ledger.read(|view| Ok::<_, Error>(view.live_incarnations()?)).unwrap();
    assert_eq!(live, [], "{case}");
    let rig = town.town.rig(story::RIG).unwrap();
    assert!(town.world.list(&rig.layout.root.join("polecats")).unwrap().is_empty(), "{case}");
    let refs = town.world.refs(&rig.layout.repo()).unwrap();
    let attempts = town.town.ledger.read(|view| Ok::<_, Error>(view.attempts_of_rig(rig.name())?)).unwrap();
    for attempt in attempts.iter().filter(|attempt| attempt.outcome == Some(AttemptOutcome::Landed)) {
        assert!(!refs.contains_key(&format!("refs/heads/{}", attempt.branch)), "{case}: {}", attempt.branch);
    }
}

/// Checks that everything that the story promises really happened.
fn check_story(town: &SimTown, case: &str) {
    let events = town.events();
    let count = |event: &str, bead: &str| {
        let of_bead = events.iter().filter(|e| e.bead.as_ref().is_some_and(|id| id.as_str() == bead));
        of_bead.filter(|e| e.event == event).count()
    };
    for task in story::TASKS {
        assert_eq!(count("bead-landed", task.id), 1, "{case}: {}", task.id);
        let sent_back = count("mr-rework", task.id);
        match task.id {
            story::BREAKS_GATES => assert_eq!(sent_back, 1, "{case}: red gates"),
            id if story::CONFLICTING.contains(&id) => assert!(sent_back <= 1, "{case}: {id}"),
            id => assert_eq!(sent_back, 0, "{case}: {id}"),
        }
    }
    let conflicts: usize = story::CONFLICTING.iter().map(|bead| count("mr-rework", bead)).sum();
    assert_eq!(conflicts, 1, "{case}: one of the two meets the conflict");
    assert_eq!(count("incarnation-opened", story::KILLED), 2, "{case}: killed and started again");
}

#[test]
fn the_story_ends_well_with_two_polecats() {
    for seed in 0..3 {
        check(seed, 2);
    }
}

#[test]
fn the_story_ends_well_with_four_polecats() {
    for seed in 0..3 {
        check(seed, 4);
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let (one, other) = (play(7, 4), play(7, 4));
    assert_eq!(one.world.journal(), other.world.journal());
    assert_eq!(one.events(), other.events());
    assert_ne!(one.events(), play(8, 4).events(), "another seed gives another one");
}

/// Operations that fail now and then.
const FALLIBLE: [&str; 11] = [
    "fetch",
    "set_ref",
    "delete_ref",
    "squash",
    "push",
    "add_worktree",
    "reset_gate_worktree",
    "snapshot",
    "archive_worktree",
    "start",
    "end",
];

/// Number of ticks with trouble; then the town has time to recover.
const TROUBLED: u32 = 1_000;

/// Number of ticks between two times that a person retries effects that were given up.
const PERSON_LOOKS_EVERY: u32 = 100;

/// Xorshift (Marsaglia, 2003): the same random trouble each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Kills workers, makes operations fail, and commits to the trunk as another person.
fn make_trouble(town: &SimTown, dice: &mut Dice, tick: u32) {
    let live = town.world.live_sessions();
    if !live.is_empty() && dice.one_in(25) {
        town.world.kill(&live[dice.below(live.len())]);
    }
    if dice.one_in(12) {
        town.world.fail_next(FALLIBLE[dice.below(FALLIBLE.len())], "it failed");
    }
    if dice.one_in(15) {
        let news = format!("News of {tick}\n");
        town.world.commit_to_remote(REMOTE, "main", &[("news.md", &news)], "News").unwrap();
    }
}

#[test]
fn no_work_is_lost_when_workers_die_effects_fail_and_others_push() {
    for seed in 1..5 {
        let town = begin(seed, "max_polecats = 3\nmax_incarnations = 1000\nback_off_seconds = 1\n");
        let mut dice = Dice(seed);
        play_on(&town, |town, tick| {
            if tick < TROUBLED {
                make_trouble(town, &mut dice, tick);
            }
            if tick % PERSON_LOOKS_EVERY == 0 {
                effects::retry_given_up(&town.town, &Caller::overseer()).unwrap();
            }
        });
        let case = format!("seed {seed}, in trouble");
        assert!(check_trunk(&town, &case) > 0, "{case}: others pushed too");
        assert!(!town.errors().is_empty(), "{case}: acts failed");
        check_swarms(&town, &case);
        check_nothing_is_left(&town, &case);
    }
}
