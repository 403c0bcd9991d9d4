//! Verbs that assign work and take it back.

use gt_model::id::{BeadId, RigName};
use gt_town::Error;
use gt_town::agents::{launch, sessions};
use gt_town::town::settings::{PermissionMode, Sandbox};
use gt_town::work::beads::{self, NewBead};
use gt_town::work::sling::{self, SlingOptions, Slung};
use gt_world::Runtime;

use crate::cli::RuntimeArg;
use crate::console::Console;
use crate::context::{Context, text_or_stdin};
use crate::error::{CliError, CliResult};

/// Builds the options for assigning beads.
pub fn options(convoy: Option<BeadId>, agent: Option<String>, runtime: Option<RuntimeArg>) -> SlingOptions {
    SlingOptions { convoy, agent, runtime: runtime.map(RuntimeArg::into), before: None }
}

/// Runs `gt sling`.
pub fn sling(
    context: &Context<'_>,
    words: &[String],
    convoy: Option<String>,
    options: SlingOptions,
    console: &mut Console<'_>,
) -> CliResult {
    let (beads, rig) = beads_and_rig(context, words)?;
    let rig = context.town.rig(&rig)?;
    let beads = beads::resolve_all(&context.town, &beads)?;
    let convoy = convoy.map(|id| context.town.ledger.read(|view| beads::resolve(view, &id))).transpose()?;
    let slung = sling::sling(&context.town, &context.caller, &beads, &rig, &SlingOptions { convoy, ..options })?;
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
            hint: "sling those of each rig for themselves, or name one rig as the last word".to_owned(),
        }),
    }
}

fn report(context: &Context<'_>, slung: &Slung, console: &mut Console<'_>) -> CliResult {
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

/// Runs `gt unsling`.
pub fn unsling(context: &Context<'_>, ids: &[String], console: &mut Console<'_>) -> CliResult {
    let ids = beads::resolve_all(&context.town, ids)?;
    let mut taken = Vec::new();
    for id in &ids {
        taken.push(sling::unsling(&context.town, &context.caller, id)?);
    }
    if console.is_json() {
        return console.facts("gt.unslung/1", "attempts", taken);
    }
    for attempt in &taken {
        console.say(&format!(
            "{} taken back from {}; its work stays on {}",
            attempt.bead,
            attempt.address(),
            attempt.branch
        ))?;
    }
    Ok(0)
}

/// Runs `gt do`.
pub fn do_it(
    context: &Context<'_>,
    titles: &[String],
    rig: Option<&str>,
    description: Option<String>,
    options: &SlingOptions,
    console: &mut Console<'_>,
) -> CliResult {
    let rig = context.rig(rig)?;
    let description = text_or_stdin(description.unwrap_or_default())?;
    let bead = |title: &String| NewBead {
        prefix: rig.row.prefix.clone(),
        title: title.clone(),
        description: description.clone(),
        ..NewBead::default()
    };
    let new: Vec<NewBead> = titles.iter().map(bead).collect();
    let slung = sling::make_and_sling(&context.town, &context.caller, &new, &rig, options)?;
    report(context, &slung, console)?;
    console.say("watch: gt status · gt log --follow")?;
    Ok(0)
}
