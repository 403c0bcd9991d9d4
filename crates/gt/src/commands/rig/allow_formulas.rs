//! `gt rig allow-formulas`.

use clap::Args;
use gt_town::rigs::formulas::{self, Texts};

use super::says_yes;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Use the formulas of the project's repository (.gastown/formulas on the trunk), after you have read them
///
/// gt shows those that you have not allowed as they are, and keeps the texts that you allow: a later change of the trunk is not used
/// until you allow it too. A formula of the project takes the place of the town's formula of the same name.
#[derive(Debug, Args)]
pub struct AllowFormulasArgs {
    /// The rig
    name: String,
    /// Allow them as shown, without asking
    #[arg(long, conflicts_with = "remove")]
    yes: bool,
    /// Stop using them
    #[arg(long)]
    remove: bool,
}

/// Runs `gt rig allow-formulas`.
pub fn allow_formulas(args: &AllowFormulasArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let AllowFormulasArgs { name, yes, remove } = args;
    let (town, caller, rig) = (&context.town, &context.caller, context.town.rig(name)?);
    let allowed = if *remove { Texts::new() } else { formulas::on_trunk(town, &rig)? };
    if !*remove {
        if allowed.is_empty() {
            let hint = format!("the trunk has no {}: gt rig fetch {name}", gt_town::town::formula::PROJECT_FOLDER);
            return Err(CliError::Failed { what: format!("{name} has no formulas of its own"), hint });
        }
        if !may_use(context, &formulas::news(town, &rig)?, *yes, console)? {
            return Ok(1);
        }
    }
    formulas::allow(town, caller, &rig, &allowed)?;
    let files: Vec<&String> = allowed.keys().collect();
    if console.is_json() {
        return console.facts("gt.rig-formulas/1", "allowed", files);
    }
    console.say(&match remove {
        true => format!("{name}: its project's formulas are not used any more"),
        false => {
            let files: Vec<String> = files.into_iter().map(|file| printable(file)).collect();
            format!("{name}: these formulas are used as they are now: {}", files.join(", "))
        }
    })?;
    Ok(0)
}

/// Shows formulas, and asks whether the person allows them. Nothing is asked if there is nothing new.
fn may_use(context: &Context<'_>, news: &Texts, yes: bool, console: &mut Console<'_>) -> Result<bool, CliError> {
    if news.is_empty() {
        return Ok(true);
    }
    for (path, text) in news.iter().filter(|_| !console.is_json()).collect::<Vec<_>>() {
        console.say(&format!("{}:", printable(path)))?;
        console.say(&crate::console::printable_lines(text))?;
    }
    let answer = if yes { Ok(true) } else { says_yes(context, "use these formulas? [y/N] ", console) };
    if answer != Ok(true) {
        let why = answer.clone().err().map(|why| format!(" ({why})")).unwrap_or_default();
        console.note(&format!("nothing was allowed{why}; --yes allows what is shown"))?;
    }
    Ok(answer == Ok(true))
}
