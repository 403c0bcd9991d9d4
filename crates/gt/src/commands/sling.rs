//! `gt sling`.

use clap::Args;
use gt_model::id::{BeadId, RigName};
use gt_town::Error;
use gt_town::agents::{launch, sessions};
use gt_town::town::settings::{PermissionMode, Sandbox};
use gt_town::work::beads;
use gt_town::work::sling::{self, SlingOptions, Slung};
use gt_world::Runtime;

use crate::cli::{Group, RuntimeArg};
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Assign beads to new workers and start them
#[derive(Debug, Args)]
#[command(display_order = Group::Assign.order())]
pub struct SlingArgs {
    /// Beads, and the rig's name as the last word [default: the rig that the beads belong to]
    #[arg(required = true, value_name = "BEAD… [RIG]")]
    words: Vec<String>,
    /// Add them to this convoy [default: the one that tracks the bead, or a new one]
    #[arg(long)]
    convoy: Option<String>,
    /// Kind of agent
    #[arg(long)]
    agent: Option<String>,
    /// Formula that the workers follow [default: as rig.toml says]
    #[arg(long)]
    formula: Option<String>,
    /// Run in a terminal of the town's tmux, or without one [default: as rig.toml and town.toml say]
    #[arg(long, value_enum)]
    runtime: Option<RuntimeArg>,
}

/// Runs `gt sling`.
pub fn sling(args: &SlingArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (beads, rig) = beads_and_rig(context, &args.words)?;
    let rig = context.town.rig(&rig)?;
    let beads = beads::resolve_all(&context.town, &beads)?;
    let convoy =
        args.convoy.as_ref().map(|id| context.town.ledger.read(|view| beads::resolve(view, id))).transpose()?;
    let runtime = args.runtime.map(RuntimeArg::into);
    let (agent, formula) = (args.agent.clone(), args.formula.clone());
    let options = SlingOptions { convoy, agent, formula, runtime, before: None };
    let slung = sling::sling(&context.town, &context.caller, &beads, &rig, &options)?;
    report(context, &slung, console)
}

/// Splits the words: the last one is the rig. Without it, takes the rig to which all the beads belong.
fn beads_and_rig(context: &Context<'_>, words: &[String]) -> Result<(Vec<String>, String), CliError> {
    if let [beads @ .., rig] = words
        && !beads.is_empty()
        && (context.town.rig(rig).is_ok() || beads::resolve_all(&context.town, words).is_err())
    {
        return Ok((beads.to_vec(), rig.clone()));
    }
    let ids = beads::resolve_all(&context.town, words)?;
    let of = |id: &BeadId| context.town.ledger.read(|view| view.rig_of_prefix(id.prefix()).map_err(Error::from));
    let mut rigs: Vec<String> = Vec::new();
    for id in &ids {
        rigs.extend(of(id)?.map(|rig| rig.name.to_string()));
    }
    rigs.sort();
    rigs.dedup();
    match rigs.as_slice() {
        [rig] => Ok((words.to_vec(), rig.clone())),
        [] => Ok((words.to_vec(), context.rig(None)?.name().to_string())),
        _ => Err(CliError::Usage {
            what: format!("the beads belong to several rigs: {}", rigs.join(", ")),
            hint: "sling the beads of each rig separately, or name one rig as the last word".to_owned(),
        }),
    }
}

/// Reports which beads went to which workers.
pub fn report(context: &Context<'_>, slung: &Slung, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.facts("gt.slung/1", "slung", slung);
    }
    for attempt in &slung.attempts {
        console.say(&format!("{} -> {} (attempt {})", attempt.bead, attempt.address(), attempt.number))?;
    }
    for convoy in &slung.convoys {
        console.say(&format!("convoy {convoy}"))?;
    }
    say_permissions(context, slung, console)?;
    if !context.town.deacon_runs()? {
        console.say("queued: no deacon runs; gt up starts it")?;
    }
    Ok(0)
}

/// Prints, each time that workers start, what they may do without asking: a person must know that.
fn say_permissions(context: &Context<'_>, slung: &Slung, console: &mut Console<'_>) -> Result<(), CliError> {
    let Some(first) = slung.attempts.first() else { return Ok(()) };
    // gt can't restrict a kind that has no words for permission modes.
    if context.town.agent(&first.agent)?.modes.is_empty() {
        return Ok(());
    }
    let (name, kind) = (&first.rig, &first.agent);
    let settings = context.town.rig(name.as_str())?.settings;
    console.say(&match (launch::mode(&settings), settings.sandbox) {
        (PermissionMode::Bypass, Sandbox::Bwrap) => format!("{kind} may do everything, inside a sandbox"),
        (PermissionMode::Bypass, Sandbox::None) => {
            format!("{kind} does everything without asking, as you: trust=bypass of {name}; gt rig set {name} trust= takes it back")
        }
        // A client without our hooks never asks gt for permission.
        (PermissionMode::AcceptEdits, _) if context.town.agent(kind)?.client.is_none() => {
            format!("what {kind} may do is between it and its own settings: gt has no hooks in it (gt help agents)")
        }
        (PermissionMode::AcceptEdits, _) => accepts_edits(kind, name, sessions::runtime_of(&context.town, first)?),
    })
}

/// Describes what happens to a use that is not allowed: that depends on whether a terminal can show the question.
fn accepts_edits(kind: &str, rig: &RigName, runtime: Runtime) -> String {
    let otherwise = match runtime {
        Runtime::Tmux => "for all else it stops and asks: gt status has the question and how to answer",
        Runtime::Headless => {
            "all else is denied, since it has no terminal to ask in: it is told so and goes on, and gt status has the line \
             that would allow it"
        }
    };
    format!(
        "{kind} may change files, commit and rebase, read, and run gt, the set-up and the gates of {rig}; {otherwise}. To \
         allow more: gt rig allow {rig} \"<command>\"; to allow everything: gt rig set {rig} trust=bypass (gt help agents)"
    )
}
