//! All points and all actors, in memory.

#![expect(clippy::print_stdout, reason = "each run says what was killed and what came of it")]

use std::collections::{BTreeMap, BTreeSet};

use gt::demo::judge;
use gt::demo::story::RIG;
use gt_ledger::{Attempt, AttemptOutcome, Landing, Mail, Swarm};
use gt_model::bead::Status;
use gt_model::protocol::Message;
use gt_town::lifecycle::updown;
use gt_town::{Caller, Error};
use gt_world::{Disk as _, Repo as _};

use super::{asides, story};
use crate::kills::{Actor, Kill, Kills, Passes};
use crate::simulated::{REMOTE, SimTown};

/// Number of ticks within which the story must end.
const LIMIT: u32 = 2_000;

/// Number of ticks after the end without any further event.
const REST: u32 = 20;

/// Returns the points that the story passes.
pub fn passed() -> BTreeSet<String> {
    play(Play::Story, None).passes.into_keys().map(|(point, _)| point).collect()
}

/// A story to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Play {
    Story,
    Asides,
}

/// Result of a run.
struct Ran {
    passes: Passes,
    /// Number of rounds from the death to the end.
    recovery: u32,
    problems: Vec<String>,
}

/// Plays a story with a kill, or without one.
#[expect(clippy::needless_pass_by_value, reason = "a run uses its kill up")]
fn play(what: Play, kill: Option<Kill>) -> Ran {
    let kills = Kills::new(kill.clone());
    let (settings, script) = match what {
        Play::Story => (story::SETTINGS, story::script()),
        Play::Asides => (asides::SETTINGS, asides::script()),
    };
    let town = SimTown::with_kills(settings, &script, kills.clone());
    let formula = town.town.layout.formulas().join("mol-polecat-work.toml");
    town.world.write(&formula, story::FORMULA.as_bytes()).unwrap();
    // With something to set up, so that a process can die in this effect.
    town.edit_rig(|text| text.replace("version = 1", "version = 1\nworktree.min_free_disk_mb = 1"));
    town.take("up");
    let (recovery, mut problems) = match what {
        Play::Story => (play_story(&town), story_problems(&town, kill.as_ref())),
        Play::Asides => (asides::play(&town), asides::problems(&town)),
    };
    problems.extend(rest(&town));
    problems.extend(trunk_problems(&town));
    problems.extend(mail_problems(&town));
    problems.extend(leftovers(&town));
    town.take("drain");
    town.take("down");
    Ran { passes: kills.passes(), recovery, problems }
}

/// Plays the story to its end. Returns the number of rounds since an actor died.
fn play_story(town: &SimTown) -> u32 {
    town.import(&story::beads_jsonl(town.town.world().clock().now()));
    town.gt(&story::SLING);
    let mut recovery = 0;
    for _ in 0..LIMIT {
        town.tick();
        town.export();
        recovery += u32::from(!town.kills.deaths().is_empty());
        if is_over(town) {
            return recovery;
        }
    }
    panic!("not over: {}\n{}", town.gt(&["status"]), town.last_said(40));
}

/// Checks that nothing happens after the end.
fn rest(town: &SimTown) -> Vec<String> {
    let before = town.world.journal().len();
    (0..REST).for_each(|_| town.tick());
    let after = &town.world.journal()[before..];
    if after.is_empty() { Vec::new() } else { vec![format!("it goes on: {after:?}")] }
}

fn is_over(town: &SimTown) -> bool {
    let over = town.town.ledger.read(|view| {
        let landed = view.bead(&story::CONVOY.into())?.is_some_and(|convoy| convoy.status == Status::Closed);
        Ok::<_, Error>(landed && view.present_attempts()?.is_empty() && view.open_effects()?.is_empty())
    });
    over.unwrap()
}

/// Checks that each change is on the trunk once, and that each landing is green.
fn trunk_problems(town: &SimTown) -> Vec<String> {
    let mut problems = Vec::new();
    let mut landed = town.landed();
    let all = landed.len();
    landed.dedup();
    if landed.len() != all {
        problems.push(format!("on the trunk twice, of {landed:?}"));
    }
    let trunk = town.world.history(&town.world.remote_branch(REMOTE, "main").unwrap());
    let landings = town.town.ledger.read(|view| Ok::<_, Error>(view.landings()?)).unwrap();
    for Landing { tip, .. } in &landings {
        if let Err(why) = judge::gates_pass(&town.world.files_at(tip).unwrap()) {
            problems.push(format!("red at {tip}: {why}"));
        }
        if !trunk.iter().any(|commit| commit.id == *tip) {
            problems.push(format!("{tip} is not on the trunk"));
        }
    }
    problems
}

/// Checks that each bead is closed and has landed once, and the convoy too, and that only killed workers were
/// restarted.
fn story_problems(town: &SimTown, kill: Option<&Kill>) -> Vec<String> {
    let mut problems = town.errors();
    if town.landed() != story::BEADS {
        problems.push(format!("on the trunk: {:?}", town.landed()));
    }
    let events = town.events();
    let count = |event: &str, bead: &str| {
        events.iter().filter(|e| e.event == event && e.bead.as_ref().is_some_and(|id| id.as_str() == bead)).count()
    };
    for bead in story::BEADS {
        if count("bead-landed", bead) != 1 {
            problems.push(format!("{bead} landed {} times", count("bead-landed", bead)));
        }
    }
    if events.iter().filter(|e| e.event == "convoy-landed").count() != 1 {
        problems.push("the convoy did not land once".to_owned());
    }
    let (attempts, incarnations) = (events_of(town, "attempt-opened"), events_of(town, "incarnation-opened"));
    let restarted = usize::from(kill.is_some_and(|kill| kill.actor == Actor::Worker));
    if !(4..=6).contains(&attempts) || incarnations > attempts + restarted {
        problems.push(format!("{attempts} attempts, {incarnations} incarnations"));
    }
    let (conditions, open) =
        town.town.ledger.read(|view| Ok::<_, Error>((view.conditions()?, view.open_effects()?))).unwrap();
    problems.extend(conditions.iter().map(|c| format!("condition {}: {}", c.kind, c.text)));
    problems.extend(open.iter().map(|row| format!("open effect {}", row.effect.kind())));
    problems
}

fn events_of(town: &SimTown, event: &str) -> usize {
    town.events().iter().filter(|e| e.event == event).count()
}

/// Checks that each batch was announced once and completed once.
fn mail_problems(town: &SimTown) -> Vec<String> {
    let read: Result<(Vec<Swarm>, Vec<Mail>), Error> =
        town.town.ledger.read(|view| Ok((view.swarms()?, view.all_mail()?)));
    let (swarms, mail) = read.unwrap();
    let mut said = BTreeMap::<String, [BTreeSet<String>; 2]>::new();
    for item in mail {
        match Message::parse(&item.subject, &item.body) {
            Ok(Message::SwarmStart { swarm, .. }) => said.entry(swarm).or_default()[0].insert(item.id.to_string()),
            Ok(Message::SwarmComplete { swarm, .. }) => said.entry(swarm).or_default()[1].insert(item.id.to_string()),
            _ => false,
        };
    }
    let said: BTreeMap<String, [usize; 2]> = said.into_iter().map(|(id, mails)| (id, mails.map(|m| m.len()))).collect();
    let expected: BTreeMap<String, [usize; 2]> = swarms.iter().map(|swarm| (swarm.id.to_string(), [1, 1])).collect();
    if said == expected { Vec::new() } else { vec![format!("mails of swarms: {said:?}, not {expected:?}")] }
}

/// Checks that no session, worktree, branch or lock is left.
fn leftovers(town: &SimTown) -> Vec<String> {
    let mut left: Vec<String> = town.world.live_sessions().iter().map(|dir| format!("session {dir:?}")).collect();
    let rig = town.town.rig(RIG).unwrap();
    let read: Result<(Vec<Attempt>, usize), Error> =
        town.town.ledger.read(|view| Ok((view.attempts_of_rig(rig.name())?, view.live_incarnations()?.len())));
    let (attempts, live) = read.unwrap();
    if live > 0 {
        left.push(format!("{live} incarnations are live"));
    }
    let worktrees = town.world.list(&rig.layout.root.join("polecats")).unwrap();
    left.extend(worktrees.iter().map(|name| format!("worktree {name}")));
    let refs = town.world.refs(&rig.layout.repo()).unwrap();
    // A bead that was taken back or deferred keeps its branch.
    let over = |attempt: &&Attempt| matches!(attempt.outcome, Some(AttemptOutcome::Landed | AttemptOutcome::Rework));
    let branches = attempts.iter().filter(over).map(|attempt| format!("refs/heads/{}", attempt.branch));
    left.extend(branches.filter(|branch| refs.contains_key(branch)));
    let lanes = [rig.repo_lane(), rig.remote_lane(), rig.gates_lane()];
    left.extend(
        lanes
            .iter()
            .filter(|lane| town.town.try_lock(lane).unwrap().is_none())
            .map(|lane| format!("lock {}", lane.name())),
    );
    left
}

impl SimTown {
    /// Returns the beads that the trunk's commits name, sorted.
    pub fn landed(&self) -> Vec<String> {
        let trunk = self.world.history(&self.world.remote_branch(REMOTE, "main").unwrap());
        let lines = trunk.iter().flat_map(|commit| commit.message.lines());
        let mut landed: Vec<String> = lines.filter_map(|line| line.strip_prefix("Bead: ")).map(str::to_owned).collect();
        landed.sort_unstable();
        landed
    }

    /// Takes the town up or down, as a person does.
    fn take(&self, to: &str) {
        let take = || match to {
            "up" => updown::want_up(&self.town, &Caller::overseer()),
            "drain" => updown::drain(&self.town, &Caller::overseer(), &mut |_| {}).map(|_| ()),
            _ => updown::down(&self.town, &Caller::overseer()).map(|_| ()),
        };
        let taken = self.kills.act(Actor::Overseer, take).or_else(|| self.kills.act(Actor::Overseer, take));
        taken.expect("nobody dies twice").unwrap();
    }
}

/// Returns every point that an actor passed, at its first pass and at its last.
fn kills(passes: &Passes) -> Vec<Kill> {
    let kill = |((point, actor), passes): (&(String, Actor), &u32)| {
        let (point, actor) = (point.clone(), *actor);
        BTreeSet::from([1, *passes]).into_iter().map(move |pass| Kill { point: point.clone(), actor, pass })
    };
    passes.iter().flat_map(kill).collect()
}

/// Plays a story with this kill. Returns a line about it, and whether it ended well.
fn play_one((what, kill): &(Play, Kill)) -> (String, bool) {
    let Kill { point, actor, pass } = kill;
    let ran = std::panic::catch_unwind(|| play(*what, Some(kill.clone())));
    let (recovery, problems) = match ran {
        Ok(ran) => (ran.recovery, ran.problems),
        Err(_) => (0, vec!["panicked".to_owned()]),
    };
    let outcome = if problems.is_empty() { "ok".to_owned() } else { problems.join("; ") };
    (format!("{actor:9} {point} #{pass}: {recovery} rounds: {outcome}"), problems.is_empty())
}

/// Returns the kills of both stories: the main story with every kill, and the asides with those at points that the main
/// story does not reach, at the first pass only, because little happens there twice.
fn all_kills() -> Vec<(Play, Kill)> {
    let [story, asides] = [Play::Story, Play::Asides].map(|what| {
        let ran = play(what, None);
        assert_eq!(ran.problems, [""; 0], "{what:?}: nobody died");
        ran.passes
    });
    let aside: Passes = asides.into_iter().filter(|(key, _)| !story.contains_key(key)).collect();
    let of_story = kills(&story).into_iter().map(|kill| (Play::Story, kill));
    let first = kills(&aside).into_iter().filter(|kill| kill.pass == 1);
    of_story.chain(first.map(|kill| (Play::Asides, kill))).collect()
}

/// Points that a simulated town does not have, with the reason.
const NOT_HERE: &[(&str, &str)] = &[
    ("install", "a simulated ledger is made without: the real half has it"),
    ("boot", "there is no boot: the real half has it"),
    ("refinery", "a condition that the deacon's own thread notes around a round, as it does for `patrol`"),
    ("polecat recover", "a person's verb outside of the flow, one transaction like sling: `keep` has it"),
    (
        "retention",
        "runs once an hour, outside of the flow; what it left half done its next run finishes: `keep` has it",
    ),
    (
        "wake agent",
        "for clients that tell their moments, one line typed or one condition noted, by itself: `mayor` has it",
    ),
    ("deliver", "one transaction at a client's moment, which simulated workers don't have: `moments` has it"),
    ("handoff", "an agent's verb, one transaction; its effects are those of any end: `moments` has it"),
    ("turn end", "what a client tells makes the witness decide a snapshot, as each closed step does: `moments` has it"),
    ("note verdict", "a condition that follows a client's word: `moments` has it"),
    ("park", "a condition that follows a client's word: `moments` has it"),
    (
        "usage",
        "what clients' transcripts say, which simulated workers don't have; each row replaces one: `hostile::spend`",
    ),
    ("memory", "a condition that follows the machine's memory: `f17_no_new_worker_starts_while_memory_is_short`"),
    (
        "hooks",
        "a condition that follows clients' settings, which simulated workers don't have: `hostile::hooks` has it",
    ),
    ("kinds", "a condition that follows the town's settings, made right by each patrol: `kinds` has it"),
    ("town set", "a person's verb outside of the flow, whose event follows the file: `config` has it"),
    ("spend", "a condition that follows what was counted: `hostile::spend` has it"),
    ("take PATH", "one setting, which each `gt up` makes right: `paths` has it"),
    ("resume spending", "the end of that condition, by a person's word: `hostile::spend` has it"),
    ("park attempt", "one transaction that ends an attempt as `recover` does: `hostile::spend` has it"),
    ("try api", "who tries whether an API answers again, by a client's word: `hostile::spend` has it"),
    ("api answers", "the end of that condition, by a client's word: `hostile::spend` has it"),
    ("limit over", "the end of that condition, by the time that passes: F20's table has it"),
    ("resume agent", "the end of that condition, by a person's word: `moments` has it"),
    ("nudge", "a person's verb outside of the flow; it writes down only what came of it: `moments` has it"),
    ("warm copy", "an event, when what the gates built was kept: simulated gates build nothing; `shared` has it"),
    ("mq hold", "a person's verb, one transaction of one column: `look` has it"),
    ("mq retry", "a person's verb, one transaction of one column: `look` has it"),
    ("mq reject", "a person's verb, one transaction; what follows is what follows any rework: `look` has it"),
    ("mq cancel", "a person's verb, one transaction; what follows is what follows a closed bead: `look` has it"),
    ("mq landed", "a person's verb, one transaction; its ref is set before: gt-town's `landed` has it"),
    ("mq not landed", "a person's verb, one transaction, after others rewrote the trunk: gt-town's `landed` has it"),
    ("doubt", "one transaction, after which the next round finds the same again: gt-town's `landed` has it"),
    ("settle convoys", "what an operation of an older gt left: gt-town's `convoys` has it"),
    ("session stop", "a person's verb outside of the flow: `terminals` has it"),
    ("start failures", "simulated clients are no clients with hooks: F20's tests have it"),
    ("rig set", "a person's verb outside of the flow: `clients` has it"),
    ("rig allow-envrc", "a person's verb outside of the flow, and a record beside the setting: `direnv` has it"),
    ("allow", "a person's verb, one transaction beside a line of settings: `clients` has it"),
    ("agent answer", "a person's verb beside a client's terminal: `cargo xtask e2e claude town-asks` has it"),
    ("deny", "one transaction at a client's moment, which simulated workers don't have: `moments` has it"),
    ("forget", "the end of conditions on workers that are gone, which follow a client's word: `moments` has it"),
    ("claim", "one transaction that a person or a tool asks for, outside of the flow: gt-town's `it::beads` has it"),
    ("reopen", "one transaction that a person or a tool asks for, outside of the flow: gt-town's `it::beads` has it"),
    ("defer", "one transaction that a person or a tool asks for, outside of the flow: gt-town's `it::beads` has it"),
    ("undefer", "one transaction that a person or a tool asks for, outside of the flow: gt-town's `it::beads` has it"),
    ("delete", "one transaction that a person or a tool asks for, outside of the flow: gt-town's `it::beads` has it"),
    ("comment", "one transaction that a person or a tool asks for, outside of the flow: gt-town's `it::beads` has it"),
    (
        "template pour",
        "one transaction that a person or a tool asks for, outside of the flow: gt-town's `it::beads` has it",
    ),
    ("init", "a ledger outside of any town, made beside its place: `bd` has it"),
    ("config", "one setting that a person or a tool asks for, outside of the flow: `bd` has it"),
    ("remember", "one record that a person or a tool asks for, outside of the flow: `bd` has it"),
    ("forget memory", "one record that a person or a tool asks for, outside of the flow: `bd` has it"),
    ("set parent", "one transaction that a person or a tool asks for, outside of the flow: `bd` has it"),
    ("pour", "a person's verb, one transaction: gt-town's `hostile::molecules` has it"),
    ("attach", "a person's verb, one transaction: gt-town's `hostile::molecules` has it"),
    ("hold step", "what a molecule without a worker passes: gt-town's `hostile::molecule_kills` kills at each point"),
    ("open gate", "what a molecule without a worker passes: gt-town's `hostile::molecule_kills` kills at each point"),
    ("close group", "what a molecule without a worker passes: gt-town's `hostile::molecule_kills` kills at each point"),
    ("start step", "what a molecule without a worker passes: gt-town's `hostile::molecule_kills` kills at each point"),
    ("end step", "what a molecule without a worker passes: gt-town's `hostile::molecule_kills` kills at each point"),
    ("check round", "what a molecule without a worker passes: gt-town's `hostile::molecule_kills` kills at each point"),
    ("expire gate", "the end of a gate whose time is over, one transaction: gt-town's `hostile::molecules` has it"),
    ("follow bead", "one transaction that follows a bead's end: gt-town's `hostile::molecules` has it"),
    ("check gate", "one transaction after a check of a gate: gt-town's `hostile::molecules` has it"),
    ("schedule", "one transaction that pours by the clock: gt-town's `hostile::molecules` has it"),
    ("report", "one mail of a step, sent at least once: gt-town's `hostile::molecules` has it"),
    ("step", "in a ledger in memory, which `gt formula test` throws away"),
    ("step fail", "a person's verb, one transaction: gt-town's `hostile::molecules` has it"),
    ("step skip", "a person's verb, one transaction: gt-town's `hostile::molecules` has it"),
    ("step reopen", "a person's verb, one transaction: gt-town's `hostile::molecules` has it"),
    ("step gate", "a person's verb, one transaction: gt-town's `hostile::molecules` has it"),
    ("mol burn", "a person's verb, one transaction: gt-town's `hostile::molecules` has it"),
    ("mol upgrade", "a person's verb, one transaction: `formulas` has it"),
    ("rig allow-formulas", "a person's verb outside of the flow, one record: `formulas` has it"),
    ("end deacon", "one transaction of a molecule's last step: gt-town's `hostile::molecules` has it"),
    ("mol squash", "a person's verb, one transaction: gt-town's `hostile::molecules` has it"),
    ("checkpoint", "a branch of git's that holds a copy: `sync` kills it at each point, in real towns"),
    ("sync", "several towns and a remote: `sync` kills it at each point, in real towns"),
    ("rebuild", "makes a ledger beside a lost one, before anybody else can write: `sync` has it"),
    ("town key", "a person's verb outside of the flow, and one event: `overseer` has it"),
    ("adopt", "one transaction that a person asks for, after a town was copied: `sync` has it"),
    ("gates", "a condition that follows what a gate did to the settings; its run is red either way: `green` has it"),
    ("settings", "one setting before a person's verb writes a file; without that file it says nothing: `green` has it"),
    ("clean run", "one transaction after gates that ran for nothing else: `green` kills it at both points"),
    ("unknown", "a simulated session's state is always known; F1's tests have it"),
];

#[test]
fn every_point_of_the_code_is_reached() {
    let reached: BTreeSet<String> = all_kills().into_iter().map(|(_, kill)| kill.point).collect();
    let explained: BTreeSet<String> = NOT_HERE
        .iter()
        .flat_map(|(verb, _)| [format!("commit:{verb}:before"), format!("commit:{verb}:after")])
        .collect();
    let all = super::points::all();
    let missing: Vec<&String> = all.iter().filter(|p| !reached.contains(*p) && !explained.contains(*p)).collect();
    assert_eq!(missing, [""; 0], "no story reaches these");
    let stale: Vec<&String> = explained.iter().filter(|p| reached.contains(*p) || !all.contains(*p)).collect();
    assert_eq!(stale, [""; 0], "these need no explanation");
}

#[test]
fn the_simulated_story_ends_well_whichever_actor_dies_at_any_point() {
    let kills = all_kills();
    let mut lines = super::for_all(&kills, play_one);
    lines.sort();
    for (line, _) in &lines {
        println!("{line}");
    }
    let failed: Vec<&String> = lines.iter().filter(|(_, ok)| !ok).map(|(line, _)| line).collect();
    let points: BTreeSet<&String> = kills.iter().map(|(_, kill)| &kill.point).collect();
    println!("{} points, {} runs, {} failed", points.len(), lines.len(), failed.len());
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn approval_is_requested_although_the_refinery_died_before() {
    // The one round that finds the work green is a person's own call.
    let kill = Kill { point: "commit:ask:before".to_owned(), actor: Actor::Overseer, pass: 1 };
    let ran = play(Play::Asides, Some(kill));
    assert_eq!(ran.problems, [""; 0]);
    assert!(ran.recovery > 0, "somebody died");
}
