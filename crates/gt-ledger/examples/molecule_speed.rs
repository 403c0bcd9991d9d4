//! Prints how many steps a second a molecule takes through a ledger in a file: `<what> <steps a second> <waits a second>`, one time a
//! line. Each step is found as ready and ended in a transaction of its own, as workers do it. The second rate is what the disk
//! allows: appends of a page, each with a wait for the disk. `cargo xtask bench formula` runs it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gt_ledger::{Ledger, LedgerError, MoleculeOutcome, NewMolecule, StepEnd};
use gt_model::formula::{Formula, Library, Plan};
use gt_world::real::RealWorld;

/// Measures one formula, given as a file, with each value of its variable. Arguments: file, times, variable, values.
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, times, variable, values @ ..] = args.as_slice() else {
        panic!("usage: molecule_speed <file> <times> <variable> <value>…")
    };
    let text = std::fs::read_to_string(file).expect("the file is readable");
    let mut out = std::io::stdout().lock();
    for _ in 0..times.parse().expect("a number of times") {
        for value in values {
            let plan = plan(&text, variable, value);
            let (pour, run) = measure(&plan);
            let steps = plan.steps.len();
            let rate = |time: Duration| steps as f64 / time.as_secs_f64();
            let waits = rate(wait_for_disk(steps));
            writeln!(out, "{variable}-{value} {:.0} {waits:.0}", rate(pour + run)).expect("stdout is open");
        }
    }
}

fn plan(text: &str, variable: &str, value: &str) -> Plan {
    let formula = Formula::parse("formula.toml", text).expect("the formula is valid");
    let name = formula.name.clone();
    let mut library = Library::default();
    library.add(formula);
    let resolved = library.resolve(&name).expect("the formula refers to no other");
    let values = BTreeMap::from([(variable.to_owned(), value.to_owned())]);
    resolved.plan(&values).expect("the formula has a plan")
}

/// Returns how long pouring takes, and running to the end.
fn measure(plan: &Plan) -> (Duration, Duration) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ledger = create(&folder.path().join("beads.db"));
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
    let (poured, pour) = timed(|| ledger.write("bench", "pour", |tx| tx.pour(&new)).expect("it can be poured"));
    let ((), run) = timed(|| run(&ledger, poured.id).expect("each step can end"));
    let ended = ledger.read(|view| view.molecule(poured.id)).expect("the ledger is readable");
    assert_eq!(ended.and_then(|molecule| molecule.outcome), Some(MoleculeOutcome::Done));
    (pour, run)
}

fn create(path: &Path) -> Ledger {
    Ledger::create(path, Arc::new(RealWorld::new("gt".into()))).expect("the ledger can be created")
}

fn run(ledger: &Ledger, molecule: gt_model::id::MoleculeId) -> Result<(), LedgerError> {
    while let Some(next) = ledger.read(|view| view.ready_steps(molecule))?.first() {
        ledger.write("bench", "end step", |tx| tx.end_step(molecule, &next.step.id, StepEnd::done(None)))?;
    }
    Ok(())
}

/// Returns how long so many appends take, each with a wait for the disk.
fn wait_for_disk(times: usize) -> Duration {
    let mut file = tempfile::tempfile().expect("a temporary file");
    let appends = || {
        for _ in 0..times {
            file.write_all(&[1; 4096]).and_then(|()| file.sync_data()).expect("the disk has space");
        }
    };
    timed(appends).1
}

#[expect(clippy::disallowed_methods, reason = "it measures this process; nothing is decided by the time")]
fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let start = std::time::Instant::now();
    let value = act();
    (value, start.elapsed())
}
