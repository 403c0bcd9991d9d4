//! `gt rig allow-envrc`.

use clap::Args;
use gt_town::rigs::envrc;
use gt_town::walls::direnv::File;

use super::says_yes;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Load the trunk's .envrc with direnv for set-up, gates and workers, after you have read it
///
/// gt shows it with the files that it loads, and pins the bytes that you allow: in a worktree with other bytes, direnv does not
/// run, and gt says so. Stored as `env.direnv` in the rig's rig.toml.
#[derive(Debug, Args)]
pub struct AllowEnvrcArgs {
    /// The rig
    name: String,
    /// Allow it as shown, without asking
    #[arg(long, conflicts_with = "remove")]
    yes: bool,
    /// Stop loading it
    #[arg(long)]
    remove: bool,
}

/// Runs `gt rig allow-envrc`: shows the trunk's `.envrc`, then what it loads, and pins what the person allows.
pub fn allow_envrc(args: &AllowEnvrcArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let AllowEnvrcArgs { name, yes, remove } = args;
    let (town, caller, rig) = (&context.town, &context.caller, context.town.rig(name)?);
    let mut allowed = Vec::new();
    if !*remove {
        let seen = envrc::look(town, caller, &rig)?;
        if !may_load(context, std::slice::from_ref(&seen), &format!("load this .envrc for {name}?"), *yes, console)? {
            return Ok(1);
        }
        console.note("direnv loads it once, on the trunk …")?;
        allowed = envrc::watched(town, caller, &rig, &seen)?;
        let others: Vec<File> = allowed.iter().filter(|file| file.text.is_some() && **file != seen).cloned().collect();
        if !others.is_empty() && !may_load(context, &others, "allow these files, which it loads, too?", *yes, console)?
        {
            return Ok(1);
        }
    }
    envrc::allow(town, caller, &rig, &allowed)?;
    if console.is_json() {
        return console.facts("gt.envrc/1", "allowed", allowed);
    }
    let with_text = allowed.iter().filter(|file| file.text.is_some()).map(|file| printable(&file.path));
    let files = with_text.collect::<Vec<_>>().join(", ");
    console.say(&match remove {
        true => format!("{name}: what starts from now on does not load its .envrc"),
        false => format!("{name}: direnv loads {files} for set-up, gates and sessions from now on, as it is now"),
    })?;
    Ok(0)
}

/// Shows files, and asks whether the person allows them.
fn may_load(
    context: &Context<'_>,
    files: &[File],
    question: &str,
    yes: bool,
    console: &mut Console<'_>,
) -> Result<bool, CliError> {
    if !console.is_json() {
        for file in files {
            console.say(&format!("{}:", printable(&file.path)))?;
            console.say(&crate::console::printable_lines(file.text.as_deref().unwrap_or_default()))?;
        }
    }
    let answer = if yes { Ok(true) } else { says_yes(context, &format!("{question} [y/N] "), console) };
    if answer != Ok(true) {
        let why = answer.clone().err().map(|why| format!(" ({why})")).unwrap_or_default();
        console.note(&format!("nothing was allowed{why}; --yes allows what is shown"))?;
    }
    Ok(answer == Ok(true))
}
