//! `gt refinery run`.

use clap::Args;
use gt_town::effects::Scope;
use gt_town::town::observed::Observed;
use gt_town::{Error, effects, refinery};

use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// Test and land what waits, now
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The rig [default: the one you are in, or the only one]
    rig: Option<String>,
    /// Run one round (the deacon runs all others)
    #[arg(long, required = true)]
    once: bool,
}

/// Runs `gt refinery run --once`.
pub fn run(args: &RunArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (town, rig) = (&context.town, context.rig(args.rig.as_deref())?);
    refinery::forget_failures(town, &context.caller, &rig)?;
    let mut observed = Observed::impatient();
    effects::run_all(town, Scope::All, &mut observed)?;
    let busy = || Error::refused(format!("the refinery of {} runs already", rig.name()), "gt mq list");
    let round = refinery::run_round(town, &rig)?.ok_or_else(busy)?;
    effects::run_all(town, Scope::All, &mut observed)?;
    if console.is_json() {
        return console.facts("gt.round/1", "round", round);
    }
    for (word, ids) in [
        ("landed", &round.landed),
        ("sent back", &round.reworked),
        ("green, needs approval", &round.gated),
        ("has nothing of its own to land, needs you", &round.doubted),
    ] {
        for id in ids {
            console.say(&format!("{id}: {word}"))?;
        }
    }
    if let Some(why) = &round.stopped {
        console.say(&format!("stopped: {why}"))?;
    } else if !round.changed() {
        console.say("nothing to do")?;
    }
    Ok(0)
}
