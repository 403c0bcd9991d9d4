//! Molecules that the engine runs: commands, gates, loops, steps handed out as beads.

use std::sync::atomic::AtomicUsize;

use gt_ledger::{Molecule, MoleculeOutcome, MoleculeStep, StepState};
use gt_model::id::MoleculeId;
use gt_town::molecules::steps::{self, Named};
use gt_town::molecules::{self, Order};
use gt_town::work::hook;

use super::*;

impl Scene {
    /// Pours a formula for the rig app.
    fn pour(&self, name: &str, steps: &str) -> MoleculeId {
        self.formula(&format!("{name}.toml"), &format!("formula = \"{name}\"\nversion = 1\n{steps}"));
        self.pour_known(name, None)
    }

    fn pour_known(&self, name: &str, bead: Option<&BeadId>) -> MoleculeId {
        let rig = self.rig("app");
        let order = Order { formula: name, vars: &BTreeMap::new(), rig: Some(&rig), bead, is_ephemeral: None };
        molecules::pour(&self.town, &Caller::overseer(), &order).unwrap().id
    }

    fn molecule(&self, id: MoleculeId) -> Molecule {
        self.town.ledger.read(|view| Ok::<_, Error>(view.molecule(id)?.unwrap())).unwrap()
    }

    fn steps(&self, id: MoleculeId) -> Vec<MoleculeStep> {
        self.town.ledger.read(|view| Ok::<_, Error>(view.steps_of(id)?)).unwrap()
    }

    /// Returns each step with its state.
    fn states(&self, id: MoleculeId) -> Vec<String> {
        self.steps(id).iter().map(|step| format!("{} {}", step.step.id, step.state)).collect()
    }

    /// Makes commands fail so often before they pass.
    fn fail_first(&self, times: usize) {
        let left = AtomicUsize::new(times);
        self.world.set_runner(move |_, _| {
            use std::sync::atomic::Ordering;
            let fails = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            let end = if fails { red() } else { RunEnd::Passed };
            RunResult { end, took: Duration::ZERO, tail: vec![if fails { "no" } else { "yes" }.to_owned()] }
        });
    }

    pub(super) fn look_for(&mut self, minutes: u64) {
        for _ in 0..minutes * 2 {
            self.world.advance(Duration::from_secs(30));
            deacon::look(&self.town, &mut self.memory).unwrap();
        }
    }
}

/// End of a command that failed.
fn red() -> RunEnd {
    RunEnd::Failed(gt_world::Exit { code: Some(1), signal: None, reason: "exited with 1".to_owned() })
}

fn named(molecule: MoleculeId, step: &str) -> Named {
    Named { molecule: Some(molecule), step: step.to_owned() }
}

const TWO: &str = "[[steps]]\nid = \"a\"\nrun = [\"make\"]\nretries = 2\n[[steps]]\nid = \"b\"\nneeds = [\"a\"]\nrun = [\"make\", \"b\"]\n";

#[test]
fn commands_run_in_order_and_a_failed_one_is_tried_again() {
    let mut scene = scene(TOWN, &["app"]);
    scene.fail_first(2);
    let id = scene.pour("two", TWO);
    scene.look_for(3);
    assert_eq!(scene.states(id), ["a done", "b done"]);
    assert_eq!(scene.molecule(id).outcome, Some(MoleculeOutcome::Done));
    let folder = scene.rig("app").layout.gate_worktree().parent().unwrap().join(id.to_string());
    assert!(!scene.town.world().disk().exists(&folder), "its worktree goes with it");
    let first = scene.steps(id).remove(0);
    assert_eq!((first.tries, first.output.as_deref()), (2, Some("yes")));
}

#[test]
fn a_step_that_fails_for_good_asks_a_person_and_holds_back_the_rest() {
    let mut scene = scene(TOWN, &["app"]);
    scene.fail_first(3);
    let id = scene.pour("two", TWO);
    scene.look_for(5);
    assert_eq!(scene.states(id), ["a failed", "b open"]);
    let key = format!("step-failed:{id}/a");
    assert!(scene.conditions().contains(&key), "{:?}", scene.conditions());
    steps::reopen(&scene.town, &Caller::overseer(), &named(id, "a")).unwrap();
    assert!(!scene.conditions().contains(&key));
    scene.look_for(1);
    assert_eq!(scene.states(id), ["a done", "b done"]);
}

#[test]
fn a_failed_step_that_a_person_skips_lets_the_rest_go_on() {
    let mut scene = scene(TOWN, &["app"]);
    scene.fail_first(3);
    let id = scene.pour("two", TWO);
    scene.look_for(5);
    steps::skip(&scene.town, &Caller::overseer(), &named(id, "a"), Some("not today")).unwrap();
    scene.look_for(1);
    assert_eq!(scene.states(id), ["a skipped", "b done"]);
    assert!(scene.conditions().iter().all(|key| !key.starts_with("step-failed")));
}

#[test]
fn a_gate_for_a_person_stays_closed_until_it_is_opened_or_denied() {
    let mut scene = scene(TOWN, &["app"]);
    let gated = "[[steps]]\nid = \"a\"\ngate = { type = \"human\", ask = \"ship it?\" }\n[[steps]]\nid = \"b\"\nneeds = [\"a\"]\nrun = [\"make\"]\n";
    let id = scene.pour("gated", gated);
    scene.look_for(1);
    assert_eq!(scene.states(id), ["a waiting", "b open"]);
    let key = format!("gate:{id}/a");
    assert!(scene.conditions().contains(&key), "{:?}", scene.conditions());
    let worker = Caller::role(gt_model::address::Address::Mayor);
    steps::answer(&scene.town, &worker, &named(id, "a"), true, None).unwrap_err();
    steps::answer(&scene.town, &Caller::overseer(), &named(id, "a"), true, Some("yes")).unwrap();
    scene.look_for(1);
    assert_eq!(scene.states(id), ["a done", "b done"]);
    assert!(!scene.conditions().contains(&key));

    let id = scene.pour_known("gated", None);
    scene.look_for(1);
    steps::answer(&scene.town, &Caller::overseer(), &named(id, "a"), false, None).unwrap();
    scene.look_for(1);
    assert_eq!(scene.states(id), ["a failed", "b open"]);
}

#[test]
fn a_timer_opens_when_its_time_is_over_and_a_time_limit_fails_the_step() {
    let mut scene = scene(TOWN, &["app"]);
    let id = scene.pour("timer", "[[steps]]\nid = \"a\"\ngate = { type = \"timer\", after = \"10m\" }\n");
    scene.look_for(5);
    assert_eq!(scene.states(id), ["a waiting"]);
    scene.look_for(6);
    assert_eq!(scene.states(id), ["a done"]);
    let id = scene.pour("late", "[[steps]]\nid = \"a\"\ngate = { type = \"human\", timeout = \"5m\" }\n");
    scene.look_for(6);
    assert_eq!(scene.states(id), ["a failed"]);
}

#[test]
fn a_gate_opens_when_its_bead_is_closed() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.bead_of("app", "Before");
    let gate = format!("[[steps]]\nid = \"a\"\ngate = {{ type = \"bead\", bead = \"{bead}\" }}\n");
    let id = scene.pour("after", &gate);
    scene.look_for(1);
    assert_eq!(scene.states(id), ["a waiting"]);
    beads::close(&scene.town, &Caller::overseer(), &bead, Some("done"), false).unwrap();
    scene.look_for(1);
    assert_eq!(scene.states(id), ["a done"]);
}

#[test]
fn steps_for_agents_are_handed_out_as_beads_in_their_order() {
    let mut scene = scene(TOWN, &["app"]);
    let legs = "type = \"convoy\"\n[[legs]]\nid = \"left\"\ntitle = \"Left\"\n[[legs]]\nid = \"right\"\ntitle = \"Right\"\n[synthesis]\ntitle = \"Sum\"\n";
    let id = scene.pour("legs", legs);
    scene.look();
    let beads: Vec<BeadId> = scene.steps(id).into_iter().filter_map(|step| step.bead).collect();
    assert_eq!(beads.len(), 3);
    let at_work = |scene: &Scene| beads.iter().map(|bead| scene.attempts(bead).len()).collect::<Vec<_>>();
    assert_eq!(at_work(&scene), [1, 1, 0], "the synthesis waits for the legs");
    for (bead, file) in beads[..2].iter().zip(["l.txt", "r.txt"]) {
        scene.work(bead, file);
        scene.look();
        refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    }
    scene.look();
    assert_eq!(at_work(&scene), [1, 1, 1]);
    scene.work(&beads[2], "s.txt");
    scene.look();
    refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    scene.look();
    assert_eq!(scene.states(id), ["left done", "right done", "synthesis done"]);
    let convoy = scene.molecule(id).convoy.unwrap();
    assert_eq!(scene.bead(&convoy).status, Status::Closed);
}

#[test]
fn a_worker_follows_the_molecule_that_was_attached_to_its_bead_and_waits_at_its_gate() {
    let mut scene = scene(TOWN, &["app"]);
    let steps_of_mine = "[[steps]]\nid = \"think\"\n[[steps]]\nid = \"build\"\ndescription = \"Build it.\"\nneeds = [\"think\"]\ngate = { type = \"human\" }\n[[steps]]\nid = \"submit\"\nneeds = [\"build\"]\n";
    scene.formula("mine.toml", &format!("formula = \"mine\"\nversion = 1\n{steps_of_mine}"));
    let bead = scene.bead_of("app", "One");
    let id = scene.pour_known("mine", Some(&bead));
    scene.sling("app", std::slice::from_ref(&bead));
    scene.look();
    let attempt = scene.attempts(&bead).pop().unwrap();
    assert_eq!(scene.molecule(id).attempt, Some(attempt.id));
    let incarnations = scene.town.ledger.read(|view| Ok::<_, Error>(view.incarnations_of(attempt.id)?)).unwrap();
    let incarnation = incarnations.last().map(|i| i.id.clone());
    let worker = Caller { incarnation, ..Caller::role(attempt.address()) };
    let next = |scene: &Scene| hook::hook(&scene.town, &worker).unwrap().unwrap().step.map(|step| step.step.id);
    assert_eq!(next(&scene).as_deref(), Some("think"));
    hook::step_done(&scene.town, &worker, None, Some("thought")).unwrap();
    scene.look_for(1);
    assert_eq!(next(&scene), None, "the gate is closed");
    hook::step_done(&scene.town, &worker, Some("build"), None).unwrap_err();
    steps::answer(&scene.town, &Caller::overseer(), &named(id, "build"), true, None).unwrap();
    assert_eq!(next(&scene).as_deref(), Some("build"));
    steps::skip(&scene.town, &worker, &named(id, "build"), None).unwrap_err();
    hook::step_done(&scene.town, &worker, None, None).unwrap();
    assert_eq!(next(&scene).as_deref(), Some("submit"));
    scene.work(&bead, "b.txt");
    assert_eq!(scene.molecule(id).outcome, Some(MoleculeOutcome::Done));
    let squashed = steps::squash(&scene.town, &Caller::overseer(), id, None).unwrap();
    assert!(scene.steps(id).is_empty());
    assert!(squashed.digest.unwrap().contains("think done: thought"));
    assert!(scene.bead(&bead).comments.iter().any(|comment| comment.text.contains("think done: thought")));
}

#[test]
fn a_loop_ends_after_the_round_whose_check_passes() {
    let mut scene = scene(TOWN, &["app"]);
    let steps = "[[steps]]\nid = \"polish\"\nloop = { until = \"check\", max = 4 }\n[[steps.children]]\nid = \"try\"\nrun = [\"make\"]\n";
    // try 1 passes, check fails; try 2 passes, check passes.
    let calls = AtomicUsize::new(0);
    scene.world.set_runner(move |command, _| {
        let is_check = command.argv.iter().any(|word| word == "check");
        let seen = calls.fetch_add(usize::from(is_check), std::sync::atomic::Ordering::SeqCst);
        let end = if is_check && seen == 0 { red() } else { RunEnd::Passed };
        RunResult { end, took: Duration::ZERO, tail: Vec::new() }
    });
    let id = scene.pour("loop", steps);
    scene.look_for(4);
    let over: Vec<StepState> =
        scene.steps(id).iter().filter(|step| step.step.round.is_some()).map(|s| s.state).collect();
    assert_eq!(
        over,
        [StepState::Done, StepState::Done, StepState::Skipped, StepState::Skipped],
        "{:?}",
        scene.states(id)
    );
    assert_eq!(scene.molecule(id).outcome, Some(MoleculeOutcome::Done));
}

#[test]
fn a_command_that_was_running_when_the_deacon_died_runs_again_and_ends_once() {
    let mut scene = scene(TOWN, &["app"]);
    let id = scene.pour("two", TWO);
    // The deacon died after it had marked the step and before it recorded the result.
    scene.town.ledger.write("deacon/", "test", |tx| Ok::<_, Error>(tx.start_step(id, "a")?)).unwrap();
    scene.memory = Memory::default();
    scene.look_for(1);
    assert_eq!(scene.states(id), ["a done", "b done"]);
}

impl Scene {
    /// Pours a formula of the town without a rig.
    fn pour_for_town(&self, name: &str) -> MoleculeId {
        let order = Order { formula: name, vars: &BTreeMap::new(), rig: None, bead: None, is_ephemeral: Some(false) };
        molecules::pour(&self.town, &Caller::overseer(), &order).unwrap().id
    }

    fn outputs(&self, id: MoleculeId) -> Vec<String> {
        self.steps(id).into_iter().map(|step| step.output.unwrap_or_default()).collect()
    }
}

#[test]
fn dogs_run_to_their_ends() {
    let mut scene = scene(TOWN, &["app"]);
    // The others copy the ledger's file, which is not in the simulated world: whole-town tests run them.
    for dog in ["reaper", "orphan-scan", "doctor"] {
        let id = scene.pour_for_town(&format!("mol-dog-{dog}"));
        scene.look_for(1);
        assert_eq!(scene.molecule(id).outcome, Some(MoleculeOutcome::Done), "{dog}: {:?}", scene.outputs(id));
    }
}

#[test]
fn a_shutdown_waits_for_the_workers_and_then_ends_the_deacon() {
    let mut scene = scene(TOWN, &["app"]);
    // A checkpoint is a commit in git, which the simulated world does not make.
    scene.formula("mol-shutdown.overlay.toml", "overlay = \"mol-shutdown\"\nskip = [\"checkpoint\"]\n");
    let bead = scene.slung("One");
    let agent = Caller::role(gt_model::address::Address::Mayor);
    let order = Order { formula: "mol-shutdown", vars: &BTreeMap::new(), rig: None, bead: None, is_ephemeral: None };
    molecules::pour(&scene.town, &agent, &order).unwrap_err();
    let id = scene.pour_for_town("mol-shutdown");
    scene.look_for(5);
    assert_eq!(scene.states(id), ["pause done", "idle waiting", "down open"]);
    assert!(deacon::is_wanted(&scene.town).unwrap());
    scene.work(&bead, "b.txt");
    scene.look_for(3);
    assert_eq!(scene.states(id), ["pause done", "idle done", "down done"], "{:?}", scene.outputs(id));
    assert!(!deacon::is_wanted(&scene.town).unwrap());
}

#[test]
fn a_report_mails_what_the_steps_before_have_printed() {
    let mut scene = scene(TOWN, &["app"]);
    scene.world.set_runner(|_, _| RunResult {
        end: RunEnd::Passed,
        took: Duration::ZERO,
        tail: vec!["42 tests".to_owned()],
    });
    let nightly = "[[steps]]\nid = \"count\"\ntitle = \"Tests\"\nrun = [\"make\", \"count\"]\n[[steps]]\nid = \"tell\"\ntitle = \"Nightly report\"\nneeds = [\"count\"]\nrun = \"gt:report\"\n";
    let id = scene.pour("nightly", nightly);
    scene.look_for(1);
    assert_eq!(scene.states(id), ["count done", "tell done"]);
    let mail = gt_town::mail::post::inbox(&scene.town, &gt_model::address::Address::Overseer, false).unwrap();
    let report = mail.iter().find(|mail| mail.subject == "Nightly report").unwrap();
    assert!(report.body.contains("Tests (done)\n42 tests"), "{}", report.body);
}

#[test]
fn a_schedule_pours_its_formula_at_each_interval_and_never_twice_at_once() {
    let schedule = "[[schedule]]\nformula = \"tick\"\nevery = \"10m\"\nrig = \"app\"\n";
    let mut scene = scene(&format!("{TOWN}{schedule}"), &["app"]);
    scene.formula("tick.toml", "formula = \"tick\"\nversion = 1\n[[steps]]\nid = \"a\"\nrun = [\"make\"]\n");
    let poured = |scene: &Scene| {
        let all = scene.town.ledger.read(|view| Ok::<_, Error>(view.molecules()?)).unwrap();
        all.iter().filter(|molecule| molecule.formula == "tick").count()
    };
    scene.look_for(9);
    assert_eq!(poured(&scene), 0);
    scene.look_for(2);
    assert_eq!(poured(&scene), 1);
    scene.look_for(10);
    assert_eq!(poured(&scene), 2);
    // While one has failed and waits for a person, no other is poured.
    scene.fail_first(1000);
    scene.look_for(30);
    assert_eq!(poured(&scene), 3);
}

#[test]
fn an_act_of_a_patrol_and_a_check_without_a_worker_fail_their_step() {
    let mut scene = scene(TOWN, &["app"]);
    let id = scene
        .pour("wrong", "[[steps]]\nid = \"a\"\nrun = \"gt:witness.act\"\n[[steps]]\nid = \"b\"\nrun = \"gt:clean\"\n");
    scene.look_for(1);
    assert_eq!(scene.states(id), ["a failed", "b failed"]);
}

#[test]
fn items_of_an_output_are_worked_on_before_the_next_step_begins() {
    let mut scene = scene(TOWN, &["app"]);
    scene.formula(
        "each.toml",
        "formula = \"each\"\nversion = 1\n[vars.name]\nrequired = true\n[[steps]]\nid = \"do\"\nrun = [\"make\", \"{{name}}\"]\n",
    );
    let list = "[[steps]]\nid = \"list\"\nrun = [\"list\"]\non_complete = { for_each = \"output.items\", bond = \"each\", vars = { name = \"{item}\" } }\n[[steps]]\nid = \"after\"\nneeds = [\"list\"]\nrun = [\"after\"]\n";
    let ran = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = ran.clone();
    scene.world.set_runner(move |command, _| {
        let name = command.argv.last().cloned().unwrap_or_default();
        seen.lock().unwrap().push(name);
        RunResult { end: RunEnd::Passed, took: Duration::ZERO, tail: vec!["{\"items\": [\"x\", \"y\"]}".to_owned()] }
    });
    let id = scene.pour("lister", list);
    scene.look_for(3);
    assert_eq!(*ran.lock().unwrap(), ["list", "x", "y", "after"], "{:?}", scene.steps(id));
}

/// A formula for a worker that uses every feature of the language that a worker meets.
const EVERYTHING: &str = r#"
formula = "everything"
version = 1

[vars.issue]
required = true
[vars.deep]
type = "bool"
default = true
[vars.parts]
type = "list"
default = ["x", "y"]

[[steps]]
id = "think"
title = "Think about {{issue}}"

[[steps]]
id = "only-when-deep"
title = "Think twice"
when = "{{deep}}"
needs = ["think"]

[[steps]]
id = "count"
title = "Count"
needs = ["only-when-deep"]
run = ["make", "count"]
retries = 1

[[steps]]
id = "each"
title = "Each part"
needs = ["count"]
loop = { over = "{{parts}}" }
[[steps.children]]
id = "write"
title = "Write {{item}}"

[[steps]]
id = "polish"
title = "Polish"
needs = ["each"]
loop = { until = "check", max = 3 }
[[steps.children]]
id = "rub"
title = "Rub"

[[steps]]
id = "approved"
title = "Go on once a person has said so"
description = "Read the answer."
needs = ["polish"]
gate = { type = "human", ask = "go on?" }

[[steps]]
id = "submit"
title = "Submit"
needs = ["approved"]
"#;

impl Scene {
    /// Returns the caller that a bead's running worker is.
    fn caller_of(&self, bead: &BeadId) -> Caller {
        let attempt = self.attempts(bead).pop().unwrap();
        let incarnations = self.town.ledger.read(|view| Ok::<_, Error>(view.incarnations_of(attempt.id)?)).unwrap();
        Caller { incarnation: incarnations.last().map(|i| i.id.clone()), ..Caller::role(attempt.address()) }
    }

    /// Kills the worker's session and waits for its successor.
    fn replace_worker(&mut self, bead: &BeadId) -> Caller {
        let before = self.caller_of(bead).incarnation.unwrap();
        self.world.kill(&self.town.layout.session(&before));
        for _ in 0..40 {
            self.look_for(1);
            let now = self.caller_of(bead);
            if now.incarnation.as_ref() != Some(&before) {
                return now;
            }
        }
        panic!("no successor of {before} was started");
    }

    /// Returns the step that a worker's hook names.
    fn step_of(&self, worker: &Caller) -> Option<String> {
        hook::hook(&self.town, worker).unwrap()?.step.map(|step| step.step.id)
    }
}

#[test]
fn a_worker_that_dies_at_any_step_is_followed_by_one_that_goes_on_there() {
    let patient = TOWN.replace("version = 1\n", "version = 1\nmax_incarnations = 100\nback_off_seconds = 1\n");
    let mut scene = scene(&patient, &["app"]);
    // The first check of the loop fails, the second passes. The count fails once.
    let (checks, counts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    scene.world.set_runner(move |command, _| {
        use std::sync::atomic::Ordering::SeqCst;
        let last = command.argv.last().map_or("", String::as_str);
        let fails =
            last == "check" && checks.fetch_add(1, SeqCst) == 0 || last == "count" && counts.fetch_add(1, SeqCst) == 0;
        RunResult { end: if fails { red() } else { RunEnd::Passed }, took: Duration::ZERO, tail: vec!["7".to_owned()] }
    });
    scene.formula("everything.toml", EVERYTHING);
    let bead = scene.bead_of("app", "One");
    let options = SlingOptions { formula: Some("everything".to_owned()), ..SlingOptions::default() };
    sling::sling(&scene.town, &Caller::overseer(), std::slice::from_ref(&bead), &scene.rig("app"), &options).unwrap();
    scene.look();
    // Editing the formula now changes only molecules that are poured later.
    scene.formula("everything.toml", "formula = \"everything\"\nversion = 1\n[[steps]]\nid = \"other\"\n");
    let mut done = Vec::new();
    for _ in 0..100 {
        let worker = scene.replace_worker(&bead);
        scene.look_for(2);
        let Some(step) = scene.step_of(&worker) else {
            let attempt = scene.attempts(&bead).pop().unwrap();
            let id = scene.town.ledger.read(|view| Ok::<_, Error>(view.molecule_of(attempt.id)?.unwrap().id)).unwrap();
            if scene.steps(id).iter().any(|step| step.state == StepState::Waiting) {
                steps::answer(&scene.town, &Caller::overseer(), &named(id, "approved"), true, Some("yes")).unwrap();
            }
            continue;
        };
        assert!(!done.contains(&step), "{step} is asked for twice");
        if step == "submit" {
            break;
        }
        hook::step_done(&scene.town, &worker, Some(&step), Some(&format!("did {step}"))).unwrap();
        done.push(step);
    }
    assert_eq!(
        done,
        ["think", "only-when-deep", "each.1.write", "each.2.write", "polish.1.rub", "polish.2.rub", "approved"]
    );
    scene.work(&bead, "b.txt");
    scene.look();
    refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    assert_eq!(scene.bead(&bead).status, Status::Closed);
    let attempt = scene.attempts(&bead).pop().unwrap();
    let steps = scene.town.ledger.read(|view| Ok::<_, Error>(view.steps(attempt.id)?)).unwrap();
    let think = steps.iter().find(|step| step.step.id == "think").unwrap();
    assert_eq!(think.note.as_deref(), Some("did think"));
}

#[test]
fn a_worker_can_say_that_its_step_cannot_be_done_and_a_person_decides() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.slung("One");
    let worker = scene.caller_of(&bead);
    let own = Named { molecule: None, step: "work".to_owned() };
    steps::fail_by(&scene.town, &worker, &own, "the API is gone").unwrap();
    let attempt = scene.attempts(&bead).pop().unwrap();
    let id = scene.town.ledger.read(|view| Ok::<_, Error>(view.molecule_of(attempt.id)?.unwrap().id)).unwrap();
    assert_eq!(scene.states(id), ["work failed"]);
    assert!(scene.conditions().contains(&format!("step-failed:{id}/work")), "{:?}", scene.conditions());
    steps::reopen(&scene.town, &worker, &named(id, "work")).unwrap_err();
    steps::reopen(&scene.town, &Caller::overseer(), &named(id, "work")).unwrap();
    assert_eq!(scene.step_of(&worker).as_deref(), Some("work"));
}

#[test]
fn a_burned_molecule_leaves_nothing_open_and_a_followed_one_cannot_be_burned() {
    let mut scene = scene(TOWN, &["app"]);
    let id = scene.pour("asks", "[[steps]]\nid = \"a\"\ngate = { type = \"human\" }\n");
    scene.look_for(1);
    assert!(scene.conditions().contains(&format!("gate:{id}/a")));
    steps::burn(&scene.town, &Caller::overseer(), id).unwrap();
    assert_eq!((scene.molecule(id).outcome, scene.states(id).len()), (Some(MoleculeOutcome::Burned), 0));
    assert!(!scene.conditions().contains(&format!("gate:{id}/a")));
    let bead = scene.slung("One");
    let attempt = scene.attempts(&bead).pop().unwrap();
    let followed = scene.town.ledger.read(|view| Ok::<_, Error>(view.molecule_of(attempt.id)?.unwrap().id)).unwrap();
    steps::burn(&scene.town, &Caller::overseer(), followed).unwrap_err();
}

#[test]
fn work_that_comes_back_follows_the_formula_and_values_of_the_attempt_before() {
    let mut scene = scene(TOWN, &["app"]);
    let text = "formula = \"mine\"\nversion = 1\n[vars.tone]\nrequired = true\n[[steps]]\nid = \"work\"\ntitle = \"Work in a {{tone}} tone\"\n";
    scene.formula("mine.toml", text);
    let (first, second) = (scene.bead_of("app", "One"), scene.bead_of("app", "Two"));
    let rig = scene.rig("app");
    let vars = BTreeMap::from([("tone".to_owned(), "calm".to_owned())]);
    let order = Order { formula: "mine", vars: &vars, rig: Some(&rig), bead: Some(&second), is_ephemeral: None };
    molecules::pour(&scene.town, &Caller::overseer(), &order).unwrap();
    scene.sling("app", &[first.clone(), second.clone()]);
    scene.look();
    scene.work(&first, "same.txt");
    scene.work(&second, "same.txt");
    scene.look();
    for _ in 0..3 {
        refinery::run_round(&scene.town, &rig).unwrap();
    }
    let attempts = scene.attempts(&second);
    assert_eq!(attempts.len(), 2, "the conflict was sent back");
    let molecule = scene.town.ledger.read(|view| Ok::<_, Error>(view.molecule_of(attempts[1].id)?.unwrap())).unwrap();
    assert_eq!(molecule.formula, "mine");
    assert_eq!(scene.steps(molecule.id)[0].step.title, "Work in a calm tone");
}
