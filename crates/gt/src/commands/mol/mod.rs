//! `gt mol`.

use clap::Subcommand;
use gt_ledger::Molecule;
use gt_model::id::MoleculeId;
use gt_town::Error;
use gt_town::work::{beads, hook};

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

mod attach;
mod burn;
mod graph;
mod list;
mod pour;
mod show;
mod squash;
pub mod status;
mod steps;
mod upgrade;

/// Pour formulas, and look at molecules: the steps that workers follow
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Agents.order())]
pub enum MolVerb {
    Pour(pour::PourArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Status(status::StatusArgs),
    Steps(steps::StepsArgs),
    Graph(graph::GraphArgs),
    Attach(attach::AttachArgs),
    Upgrade(upgrade::UpgradeArgs),
    Squash(squash::SquashArgs),
    #[command(visible_alias = "drop")]
    Burn(burn::BurnArgs),
}

/// Runs a verb of `gt mol`.
pub fn mol(verb: &MolVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        MolVerb::Pour(args) => pour::pour(args, context, console),
        MolVerb::List(args) => list::list(args, context, console),
        MolVerb::Show(args) => show::show(args, context, console),
        MolVerb::Status(args) => status::status(args, context, console),
        MolVerb::Steps(args) => steps::steps(args, context, console),
        MolVerb::Graph(args) => graph::graph(args, context, console),
        MolVerb::Attach(args) => attach::attach(args, context, console),
        MolVerb::Upgrade(args) => upgrade::upgrade(args, context, console),
        MolVerb::Squash(args) => squash::squash(args, context, console),
        MolVerb::Burn(args) => burn::burn(args, context, console),
    }
}

/// Parses the id of a molecule.
fn id(text: &str) -> Result<MoleculeId, CliError> {
    text.parse().map_err(|_| CliError::Usage {
        what: format!("`{text}` is not the id of a molecule"),
        hint: "for example mol-7: gt mol list".to_owned(),
    })
}

/// Returns the molecule with this id, or the newest of a bead, or the one on the caller's hook.
pub fn molecule(context: &Context<'_>, text: Option<&str>) -> Result<Molecule, CliError> {
    let town = &context.town;
    let Some(text) = text else {
        let Some(hook) = hook::hook(town, &context.caller)? else {
            return Err(Error::Unknown { what: "molecule", name: "on your hook".to_owned() }.into());
        };
        let found = town.ledger.read(|view| view.molecule_of(hook.attempt.id).map_err(Error::from))?;
        return Ok(found.ok_or_else(|| Error::Unknown { what: "molecule of", name: hook.bead.id.0 })?);
    };
    Ok(town.ledger.read(|view| {
        if let Some(id) = text.starts_with("mol-").then(|| text.parse().ok()).flatten()
            && let Some(molecule) = view.molecule(id)?
        {
            return Ok(molecule);
        }
        let id = beads::resolve(view, text)?;
        if let Some((molecule, _)) = view.step_of_bead(&id)?
            && let Some(molecule) = view.molecule(molecule)?
        {
            return Ok(molecule);
        }
        let followed = view.attempts_on(&id)?.pop().map(|attempt| view.molecule_of(attempt.id)).transpose()?.flatten();
        let waiting = view.molecules_of(&id)?.pop();
        followed.or(waiting).ok_or_else(|| Error::Unknown { what: "molecule of", name: id.0 })
    })?)
}
