//! `gt formula edit`.

use std::path::{Path, PathBuf};

use clap::Args;
use gt_town::town::person;
use gt_town::{Error, Rig};

use super::{file_of, has_error, own_origin, rig, say_findings};
use crate::console::Console;
use crate::context::Context;
use crate::editor;
use crate::error::{CliError, CliResult};

/// Edit a formula in your editor ($VISUAL, $EDITOR); a text that can't be used is not taken
#[derive(Debug, Args)]
pub struct EditArgs {
    /// The formula
    formula: String,
    /// Its overlay instead
    #[arg(long)]
    overlay: bool,
    /// As this rig sees it
    #[arg(long)]
    rig: Option<String>,
}

/// Runs `gt formula edit`.
pub fn edit(args: &EditArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    person::require(&context.caller, "edits formulas")?;
    let rig = rig(context, args.rig.as_deref())?;
    let (path, before) = text(args, context, rig.as_ref())?;
    let edited = editor::edit(&before, ".toml", &context.process.env)?;
    if edited.text == before {
        console.say("nothing was changed")?;
        return Ok(0);
    }
    let shown = path.display().to_string();
    let (_, findings) = context.town.check_formula_text(rig.as_ref(), &shown, &edited.text)?;
    if !console.is_json() {
        say_findings(&findings, console)?;
    }
    if has_error(&findings) {
        let kept = edited.keep()?;
        let hint = format!("what you wrote is in {}", kept.display());
        return Err(CliError::Failed { what: "nothing was changed: the formula can't be used".to_owned(), hint });
    }
    context.town.world().disk().write(&path, edited.text.as_bytes()).map_err(Error::from)?;
    if console.is_json() {
        return console.facts("gt.formula-edit/1", "file", shown);
    }
    console.say(&format!("{shown} is changed"))?;
    Ok(0)
}

/// Returns the file to write and the text to begin with.
fn text(args: &EditArgs, context: &Context<'_>, rig: Option<&Rig>) -> Result<(PathBuf, String), CliError> {
    let name = &args.formula;
    let read = |path: &Path| context.town.world().disk().read_own(path).map_err(Error::from);
    if args.overlay {
        let path = context.town.layout.formulas().join(format!("{name}.overlay.toml"));
        let before = read(&path)?.ok_or_else(|| CliError::Usage {
            what: format!("{name} has no overlay"),
            hint: format!("gt formula new {name} --overlay"),
        })?;
        return Ok((path, String::from_utf8_lossy(&before).into_owned()));
    }
    // Also a formula that can't be used can be edited.
    let origin = match context.town.formula(rig, name) {
        Ok(found) => own_origin(&found, name)?.clone(),
        Err(error) => context.town.formulas(rig)?.remove(name).ok_or(error)?,
    };
    let path = file_of(context, &origin, name)?;
    let built_in = gt_town::town::formula::BUILT_IN.iter().find(|(known, _)| known == name);
    let before = match read(&path)? {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None => built_in.map_or(String::new(), |(_, text)| (*text).to_owned()),
    };
    Ok((path, before))
}
