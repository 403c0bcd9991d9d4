//! Changes several beads, one by one.

use gt_model::bead::Bead;
use gt_model::id::BeadId;
use gt_town::work::beads;

use super::shapes;
use super::words::{self, Act};
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Prints one line for each changed bead, or prints them as an array.
pub fn changed(beads: &[Bead], act: Act, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return shapes::print_array(&shapes::all_bare(beads), console);
    }
    for bead in beads {
        console.say(&act.line(bead, console))?;
    }
    Ok(0)
}

/// Result of changing one bead.
pub enum Outcome {
    /// The bead was changed as asked.
    Done(Box<Bead>),
    /// The bead was so already. No change is reported, so that a script does not count one.
    Already(String),
}

/// How to treat texts that name no bead: refuse them one by one or all together.
pub enum Meant {
    /// Changes no bead if one text names none.
    All,
    /// Changes the other beads all the same.
    Each,
}

/// Changes each bead in order. Reports refusals one by one, and changes the other beads all the same. To `bd` that is success;
/// here the exit code is that of the first refusal.
pub fn each(
    texts: &[String],
    meant: &Meant,
    act: Act,
    context: &Context<'_>,
    console: &mut Console<'_>,
    mut change: impl FnMut(&BeadId) -> Result<Outcome, CliError>,
) -> CliResult {
    if matches!(meant, Meant::All) {
        beads::resolve_all(&context.town, texts)?;
    }
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for text in texts {
        let id = context.town.ledger.read(|view| beads::resolve(view, text)).map_err(CliError::from);
        match id.and_then(|id| change(&id)) {
            Ok(Outcome::Done(bead)) => done.push(*bead),
            Ok(Outcome::Already(said)) => console.note(&printable(&said))?,
            Err(error) => refused.push(error),
        }
    }
    if texts.len() == 1
        && let Some(only) = refused.pop()
    {
        return Err(only);
    }
    let code = refused.first().map_or(0, CliError::code);
    for error in refused {
        console.refusal(&if console.is_bd() { words::failure(error) } else { error });
    }
    let is_partial = console.is_bd() && !done.is_empty();
    changed(&done, act, console)?;
    Ok(if is_partial { 0 } else { code })
}
