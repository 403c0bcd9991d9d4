//! `gt mol show`.

use clap::Args;
use gt_ledger::Molecule;
use gt_town::Error;

use super::molecule;
use crate::console::{Console, counted, printable, printable_lines, time_text};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show a molecule: formula, values, where it belongs, and how it ended
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The molecule, or a bead [default: the one on your hook]
    molecule: Option<String>,
}

/// Runs `gt mol show`.
pub fn show(args: &ShowArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let molecule = molecule(context, args.molecule.as_deref())?;
    let counts = context.town.ledger.read(|view| view.step_counts(molecule.id).map_err(Error::from))?;
    if console.is_json() {
        let facts = serde_json::json!({ "molecule": molecule, "steps": counts });
        return console.facts("gt.mol-show/1", "molecule", facts);
    }
    say(&molecule, console)?;
    let failed = if counts.failed > 0 { format!(", {} failed", counts.failed) } else { String::new() };
    console.line(&format!("  {}, {} over{failed}", counted(counts.all.into(), "step"), counts.over))?;
    if let Some(digest) = &molecule.digest {
        console.line(printable_lines(digest).trim_end())?;
    }
    Ok(0)
}

/// Prints the facts about a molecule.
fn say(molecule: &Molecule, console: &mut Console<'_>) -> Result<(), CliError> {
    console.line(&format!("{}  {}", console.bold(&molecule.id.to_string()), printable(&molecule.formula)))?;
    let by = printable(&molecule.poured_by);
    console.line(&format!("  poured {} by {by}", time_text(molecule.poured_at)))?;
    let facts = [
        ("bead", molecule.bead.as_ref().map(ToString::to_string)),
        ("rig", molecule.rig.as_ref().map(ToString::to_string)),
        ("convoy", molecule.convoy.as_ref().map(ToString::to_string)),
        ("poured by step", molecule.parent.as_ref().map(|(parent, step)| format!("{parent}/{step}"))),
        ("ended", molecule.ended_at.map(time_text)),
        ("outcome", molecule.outcome.map(|outcome| outcome.as_str().to_owned())),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            console.line(&format!("  {name}: {}", printable(&value)))?;
        }
    }
    for (name, value) in molecule.vars.as_object().into_iter().flatten() {
        console.line(&format!("  {} = {}", printable(name), printable(value.as_str().unwrap_or_default())))?;
    }
    Ok(())
}
