//! The demo's story in the simulated world.

use std::collections::{BTreeMap, BTreeSet};

use gt::demo::run::half_way_agent;
use gt::demo::{judge, story};
use gt_model::bead::Status;
use gt_model::id::BeadId;
use gt_model::protocol::Message;
use gt_town::Error;
use gt_town::ledger::AttemptOutcome;
use gt_town::world::{Disk as _, Repo as _};

use crate::simulated::{REMOTE, SimTown};

/// Ticks in which the story must be over.
const LIMIT: u32 = 5_000;

/// Plays the demo's story to its end.
fn play(seed: u64, polecats: u32) -> SimTown {
    let settings = format!("max_polecats = {polecats}\npatrol_seconds = 1\nlinger_seconds = 5\n");
    let town = SimTown::new(&settings, &story::script(seed).unwrap());
    town.import(&story::beads_jsonl(town.town.world().clock().now()));
    let mut sling = vec!["sling"];
    sling.extend(story::slung_first(seed));
    sling.push(story::RIG);
    town.gt(&sling);
    for _ in 0..LIMIT {
        town.tick();
        kill_half_way(&town);
        if is_over(&town) {
            return town;
        }
    }
    panic!("seed {seed}: not over; {}\n{}", town.gt(&["status"]), town.last_said(60));
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

/// What must be so when the story is over.
fn check(seed: u64, polecats: u32) {
    let town = play(seed, polecats);
    let case = format!("seed {seed}, {polecats} polecats");
    check_trunk(&town, &case);
    check_swarms(&town, &case);
    check_nothing_is_left(&town, &case);
    check_story(&town, &case);
}

fn check_trunk(town: &SimTown, case: &str) {
    let trunk = town.world.history(&town.world.remote_branch(REMOTE, "main").unwrap());
    let beads = trunk.iter().flat_map(|commit| commit.message.lines().filter_map(|line| line.strip_prefix("Bead: ")));
    let mut landed: Vec<&str> = beads.collect();
    landed.sort_unstable();
    assert_eq!(landed, story::TASKS.iter().map(|task| task.id).collect::<Vec<_>>(), "{case}: each bead lands once");
    assert_eq!(trunk.len(), 1 + landed.len(), "{case}: nothing else is on the trunk");
    let landings = town.town.ledger.read(|view| Ok::<_, Error>(view.landings()?)).unwrap();
    for tip in landings.iter().map(|landing| &landing.tip) {
        let files = town.world.files_at(tip).unwrap();
        assert_eq!(judge::gates_pass(&files), Ok(()), "{case}: the trunk was red at {tip}");
    }
    assert_eq!(landings.last().map(|landing| &landing.tip), trunk.last().map(|commit| &commit.id), "{case}");
}

/// Each batch was announced once and completed once.
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

/// What the story promises really happened.
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
    for seed in 0..4 {
        check(seed, 2);
    }
}

#[test]
fn the_story_ends_well_with_four_polecats() {
    for seed in 0..4 {
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
