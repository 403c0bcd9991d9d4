//! A molecule that the engine runs, with the deacon killed at every point that it passes.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use gt_ledger::{Molecule, MoleculeOutcome, StepState};
use gt_town::molecules::{self, Order};

use super::*;

/// A command that fails once, a list whose items are worked on, a gate, a loop that ends early, a group, and a step that is left.
const STORY: &str = r#"
formula = "story"
version = 1

[[steps]]
id = "flaky"
run = ["flaky"]
retries = 2

[[steps]]
id = "list"
needs = ["flaky"]
run = ["list"]
on_complete = { for_each = "output.items", bond = "item", vars = { name = "{item}" } }

[[steps]]
id = "wait"
needs = ["list"]
gate = { type = "timer", after = "1m" }

[[steps]]
id = "polish"
needs = ["wait"]
loop = { until = "check", max = 3 }
[[steps.children]]
id = "rub"
run = ["rub"]
[[steps.children]]
id = "wipe"
run = ["wipe"]

[[steps]]
id = "last"
needs = ["polish"]
run = ["last"]
"#;

const ITEM: &str = "formula = \"item\"\nversion = 1\n[vars.name]\nrequired = true\n[[steps]]\nid = \"do\"\nrun = [\"do\", \"{{name}}\"]\n";

/// Counts the passes of each point, and kills at one of them.
#[derive(Default)]
struct Passes {
    counts: Mutex<BTreeMap<String, usize>>,
    kill: Option<(String, usize)>,
}

impl Passes {
    fn at(&self, point: &str) {
        let pass = {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(point.to_owned()).or_default();
            *count += 1;
            *count
        };
        if self.kill.as_ref().is_some_and(|(at, nth)| at == point && *nth == pass) {
            resume_unwind(Box::new("killed"));
        }
    }
}

/// Opens the scene's town as a deacon whose passes are counted.
fn deacon_of(scene: &Scene, passes: &Arc<Passes>) -> Town {
    let (mut outside, passes) = (scene.town.outside.clone(), passes.clone());
    outside.faults = Faults::watched(move |point| passes.at(point));
    let path = scene.folder.path().join("beads.db");
    let ledger = Ledger::open(&path, outside.world.clone(), outside.faults.clone()).unwrap();
    Town::with_ledger(Path::new("/town"), outside, ledger).unwrap()
}

/// Plays the story to its end. Returns what is wrong with the end, and the passes.
fn play(kill: Option<(String, usize)>) -> (Vec<String>, BTreeMap<String, usize>) {
    let scene = scene(TOWN, &["app"]);
    scene.formula("story.toml", STORY);
    scene.formula("item.toml", ITEM);
    let (flaky, checks) = (AtomicUsize::new(0), AtomicUsize::new(0));
    scene.world.set_runner(move |command, _| {
        let name = command.argv.first().map_or("", String::as_str);
        let fails = match name {
            "flaky" => flaky.fetch_add(1, Ordering::SeqCst) == 0,
            "check" => checks.fetch_add(1, Ordering::SeqCst) == 0,
            _ => false,
        };
        let exit = gt_world::Exit { code: Some(1), signal: None, reason: String::new() };
        let said = if name == "list" { "{\"items\": [1, 2]}" } else { "" };
        let end = if fails { RunEnd::Failed(exit) } else { RunEnd::Passed };
        RunResult { end, took: Duration::ZERO, tail: vec![said.to_owned()] }
    });
    let rig = scene.rig("app");
    let order = Order { formula: "story", vars: &BTreeMap::new(), rig: Some(&rig), bead: None, is_ephemeral: None };
    let id = molecules::pour(&scene.town, &Caller::overseer(), &order).unwrap().id;
    let passes = Arc::new(Passes { kill, ..Passes::default() });
    let (mut town, mut memory) = (deacon_of(&scene, &passes), Memory::default());
    for _ in 0..60 {
        scene.world.advance(Duration::from_secs(20));
        let looked = catch_unwind(AssertUnwindSafe(|| deacon::look(&town, &mut memory)));
        match looked {
            Ok(result) => drop(result.unwrap()),
            // The next deacon knows only what is in the ledger.
            Err(_) => (town, memory) = (deacon_of(&scene, &passes), Memory::default()),
        }
    }
    let problems = problems(&scene, id);
    let counts = passes.counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (problems, counts)
}

fn problems(scene: &Scene, id: gt_model::id::MoleculeId) -> Vec<String> {
    let all: Vec<Molecule> = scene.town.ledger.read(|view| Ok::<_, Error>(view.molecules()?)).unwrap();
    let mut problems = Vec::new();
    let poured: Vec<&str> = all.iter().map(|molecule| molecule.formula.as_str()).collect();
    if poured != ["item", "story"] {
        problems.push(format!("poured {poured:?}"));
    }
    problems.extend(all.iter().filter(|m| m.outcome != Some(MoleculeOutcome::Done)).map(|m| format!("{m:?}")));
    let steps = scene.town.ledger.read(|view| Ok::<_, Error>(view.steps_of(id)?)).unwrap();
    let states: Vec<(&str, StepState)> = steps.iter().map(|step| (step.step.id.as_str(), step.state)).collect();
    let skipped = states.iter().filter(|(_, state)| *state == StepState::Skipped).count();
    // A killed check runs again, so the loop may end a round earlier.
    if states.iter().any(|(_, state)| !state.is_over() || *state == StepState::Failed) || skipped == 0 {
        problems.push(format!("{states:?}"));
    }
    problems.extend(scene.conditions());
    problems
}

#[test]
fn a_molecule_ends_the_same_wherever_the_deacon_is_killed() {
    let (wrong, passes) = play(None);
    assert_eq!(wrong, [""; 0], "without a kill");
    assert!(passes.contains_key("step:run:before") && passes.contains_key("commit:end step:after"), "{passes:?}");
    let kills = passes.iter().flat_map(|(point, count)| (1..=*count).map(move |nth| (point.clone(), nth)));
    let mut failed = Vec::new();
    for kill in kills {
        let (wrong, _) = play(Some(kill.clone()));
        failed.extend(wrong.into_iter().map(|why| format!("{} #{}: {why}", kill.0, kill.1)));
    }
    assert_eq!(failed, [""; 0]);
}
