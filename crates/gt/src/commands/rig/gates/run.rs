//! `gt rig gates run`.

use clap::Args;
use gt_town::rigs::gates;
use gt_town::rigs::gates::{GateRun, GatesRun};
use gt_town::rigs::rig::{self, Proving};
use gt_town::town::identity;
use gt_town::work::worker_gates;

use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::progress::Ticker;

/// Run the gates: in your worktree, or on the trunk
///
/// A worker gets the result at once if the town or the worker itself has run them on exactly the tree that is committed.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The rig [default: the one you are in, or the only one]
    rig: Option<String>,
    /// Run them even if the tree is known to be green
    #[arg(long)]
    again: bool,
}

/// Runs `gt rig gates run`: an agent's gates in its own worktree, a person's on the trunk.
pub fn run(args: &RunArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = context.rig(args.rig.as_deref())?;
    let run = match &context.caller.incarnation {
        Some(incarnation) => {
            let logs = context.town.layout.session_logs(incarnation);
            let logs = gates::Logs { folder: &logs, label: "gates" };
            match context.town.ledger.read(|view| identity::hooked_attempt(view, &context.caller)) {
                Ok(attempt) if attempt.rig == *rig.name() => {
                    worker_gates::run(&context.town, &rig, &attempt, logs, args.again)?
                }
                _ => {
                    let folder = match &context.caller.address {
                        gt_model::address::Address::Polecat(_, name) => rig.layout.worktree(name),
                        _ => context.process.cwd.clone(),
                    };
                    gates::run_by_agent(&context.town, &rig, &folder, logs)?
                }
            }
        }
        None => {
            let progress = Ticker::new(context.process, console);
            let proving = Proving { progress: &progress, ..Proving::default() };
            rig::prove_as(&context.town, &context.caller, &rig, &proving)?
        }
    };
    let green = run.passed();
    if console.is_json() {
        console.facts("gt.gates-run/1", "run", run)?;
    } else {
        say_run(&run, console)?;
    }
    Ok(if green { 0 } else { 1 })
}

/// Prints a run of gates.
pub fn say_run(run: &GatesRun, console: &mut Console<'_>) -> Result<(), CliError> {
    if let Some(known) = run.known {
        console.say(&format!("  {}: {} (--again runs them)", console.green("green"), known.words()))?;
    }
    for gate in &run.gates {
        say_gate(gate, console)?;
    }
    for gate in &run.left_out {
        say_gate(gate, console)?;
        let what = "is red on the trunk, and no test: it was left out of rig.toml, where a comment keeps it";
        console.say(&format!("  gate {} {what}", gate.name))?;
    }
    for broken in &run.broken {
        match &broken.red {
            Some(gate) => console.say(&format!("  {gate} turned red when {} was broken", printable(&broken.file)))?,
            None => {
                let word = console.red("no gate turned red");
                console.say(&format!("  {word} when {} was broken", printable(&broken.file)))?;
            }
        }
    }
    Ok(())
}

fn say_gate(gate: &GateRun, console: &mut Console<'_>) -> Result<(), CliError> {
    let word = if gate.passed { console.green("green") } else { console.red("red") };
    console.say(&format!("  {word} {} in {:.1} s", gate.name, gate.took_ms as f64 / 1000.0))?;
    if let Some(failure) = &gate.failure {
        console.say(&crate::console::printable_lines(failure))?;
        console.say(&format!("  all of it: {}", gate.log))?;
    }
    if let Some(remedy) = &gate.remedy {
        console.say(&format!("  likely: {}", printable(&remedy.text)))?;
    }
    Ok(())
}
