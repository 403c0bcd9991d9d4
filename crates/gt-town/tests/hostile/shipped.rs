//! The formulas in the binary run to their ends.

use gt_ledger::{MoleculeOutcome, NewMolecule, StepEnd};
use gt_model::formula::{Formula, Library, Plan};
use gt_model::id::MoleculeId;
use gt_town::molecules::{self, Order};
use gt_town::town::formula::BUILT_IN;
use gt_town::work::hook;

use super::*;

/// A workflow with a step that the formula `tdd-cycle` replaces.
const WITH_TDD: &str =
    "formula = \"with-tdd\"\nversion = 1\n[[steps]]\nid = \"parse\"\ntitle = \"Parse\"\nexpand = \"tdd-cycle\"\n";

/// Returns a plan of each formula in the binary, with values that its variables may have.
fn plans(scene: &Scene) -> Vec<Plan> {
    scene.formula("with-tdd.toml", WITH_TDD);
    let names = BUILT_IN.iter().map(|(name, _)| if *name == "tdd-cycle" { "with-tdd" } else { name });
    let plan = |name: &str| {
        let found = scene.town.formula(None, name).unwrap();
        assert!(found.resolved.check().is_empty(), "{name}");
        found.resolved.plan(&found.resolved.sample()).unwrap_or_else(|error| panic!("{error}"))
    };
    names.map(plan).collect()
}

impl Scene {
    /// Pours a plan and ends its ready steps, one after the other. Returns how many.
    fn run_plan(&self, plan: &Plan) -> (MoleculeId, usize) {
        let new = NewMolecule {
            formula: &plan.formula,
            hash: "",
            vars: serde_json::json!(plan.vars),
            steps: &plan.steps,
            rig: None,
            bead: None,
            attempt: None,
            parent: None,
            is_ephemeral: !plan.durable,
        };
        let ledger = &self.town.ledger;
        let id = ledger.write("test", "pour", |tx| Ok::<_, Error>(tx.pour(&new)?)).unwrap().id;
        let mut ended = 0;
        while let Some(next) = ledger.read(|view| Ok::<_, Error>(view.ready_steps(id)?)).unwrap().first() {
            let end = || StepEnd::done(None);
            assert!(ledger.write("test", "end", |tx| Ok::<_, Error>(tx.end_step(id, &next.step.id, end())?)).unwrap());
            ended += 1;
        }
        (id, ended)
    }

    fn outcome(&self, id: MoleculeId) -> Option<MoleculeOutcome> {
        self.town.ledger.read(|view| Ok::<_, Error>(view.molecule(id)?.unwrap())).unwrap().outcome
    }

    /// Slings a bead to a worker who follows this formula. Returns the bead and the worker.
    fn slung_with(&mut self, formula: &str) -> (BeadId, Caller) {
        let bead = self.bead_of("app", formula);
        let options = SlingOptions { formula: Some(formula.to_owned()), ..SlingOptions::default() };
        sling::sling(&self.town, &Caller::overseer(), std::slice::from_ref(&bead), &self.rig("app"), &options).unwrap();
        self.look();
        let worker = self.caller(&bead);
        (bead, worker)
    }

    fn caller(&self, bead: &BeadId) -> Caller {
        let attempt = self.attempts(bead).pop().unwrap();
        let incarnations = self.town.ledger.read(|view| Ok::<_, Error>(view.incarnations_of(attempt.id)?)).unwrap();
        Caller { incarnation: incarnations.last().map(|i| i.id.clone()), ..Caller::role(attempt.address()) }
    }

    /// Closes the worker's steps up to the last one. Returns their ids.
    fn steps_before_last(&self, worker: &Caller) -> Vec<String> {
        let attempt = hook::hook(&self.town, worker).unwrap().unwrap().attempt.id;
        let steps = self.town.ledger.read(|view| Ok::<_, Error>(view.steps(attempt)?)).unwrap();
        let open = steps.iter().filter(|step| step.done_at.is_none()).count();
        let close = |_| {
            let next = hook::hook(&self.town, worker).unwrap().unwrap().step.unwrap().step.id;
            hook::step_done(&self.town, worker, None, None).unwrap_or_else(|error| panic!("{next}: {error}"));
            next
        };
        (1..open).map(close).collect()
    }
}

#[test]
fn every_formula_in_the_binary_runs_to_its_end() {
    let scene = scene(TOWN, &["app"]);
    for plan in plans(&scene) {
        let (id, ended) = scene.run_plan(&plan);
        assert_eq!(ended, plan.steps.len(), "{}", plan.formula);
        assert_eq!(scene.outcome(id), Some(MoleculeOutcome::Done), "{}", plan.formula);
    }
}

#[test]
fn n_discs_take_a_step_for_each_move_and_one_that_holds_them() {
    let (name, text) = BUILT_IN.iter().find(|(name, _)| *name == "towers-of-hanoi").unwrap();
    let mut library = Library::default();
    library.add(Formula::parse(name, text).unwrap());
    let resolved = library.resolve(name).unwrap();
    for (discs, moves) in [("3", 7), ("7", 127), ("9", 511), ("10", 1023)] {
        let plan = resolved.plan(&BTreeMap::from([("discs".to_owned(), discs.to_owned())])).unwrap();
        assert_eq!(plan.steps.len(), moves + 1, "{discs} discs");
    }
}

#[test]
fn a_worker_whose_product_is_a_report_ends_without_code() {
    for formula in ["mol-polecat-report", "mol-plan"] {
        let mut scene = scene(TOWN, &["app"]);
        let (bead, worker) = scene.slung_with(formula);
        scene.steps_before_last(&worker);
        scene.done(&bead, Exit::NoCode).unwrap();
        assert_eq!(scene.bead(&bead).status, Status::Closed, "{formula}");
    }
}

#[test]
fn a_worker_follows_the_formulas_for_code_to_the_trunk() {
    for (formula, last) in [("shiny", "test"), ("mol-conflict-resolve", "run-tests")] {
        let mut scene = scene(TOWN, &["app"]);
        let (bead, worker) = scene.slung_with(formula);
        hook::step_done(&scene.town, &worker, None, None).unwrap();
        scene.commit(&bead, "b.txt");
        let closed = scene.steps_before_last(&worker);
        assert_eq!(closed.last().map(String::as_str), Some(last));
        scene.done(&bead, Exit::Completed).unwrap();
        scene.look();
        refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
        assert_eq!(scene.bead(&bead).status, Status::Closed, "{formula}");
    }
}

#[test]
fn four_workers_review_at_once_and_a_fifth_sums_up() {
    let mut scene = scene(TOWN, &["app"]);
    let vars = BTreeMap::from([("mr".to_owned(), "mr-1".to_owned())]);
    let rig = scene.rig("app");
    let order = Order { formula: "mol-code-review", vars: &vars, rig: Some(&rig), bead: None, is_ephemeral: None };
    let id = molecules::pour(&scene.town, &Caller::overseer(), &order).unwrap().id;
    scene.look();
    let steps = scene.town.ledger.read(|view| Ok::<_, Error>(view.steps_of(id)?)).unwrap();
    let beads: Vec<BeadId> = steps.into_iter().filter_map(|step| step.bead).collect();
    let at_work = |scene: &Scene| beads.iter().map(|bead| scene.attempts(bead).len()).collect::<Vec<_>>();
    assert_eq!(at_work(&scene), [1, 1, 1, 1, 0]);
    for bead in &beads[..4] {
        let steps = scene.steps_before_last(&scene.caller(bead));
        assert_eq!(steps, ["load-context", "investigate", "write-report"]);
        scene.done(bead, Exit::NoCode).unwrap();
    }
    // The fifth worker starts when a worktree of the others is gone.
    scene.look_for(10);
    assert_eq!(at_work(&scene), [1; 5]);
    scene.steps_before_last(&scene.caller(&beads[4]));
    scene.done(&beads[4], Exit::NoCode).unwrap();
    scene.look();
    assert_eq!(scene.outcome(id), Some(MoleculeOutcome::Done));
}
