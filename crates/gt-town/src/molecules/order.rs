//! Pours formulas.

use std::collections::BTreeMap;

use gt_ledger::{Molecule, NewMolecule, Tx};
use gt_model::formula::{Plan, Run, Step, StepKind};
use gt_model::id::{BeadId, MoleculeId};
use serde_json::json;

use super::hand_out;
use crate::town::error::{Error, Result};
use crate::town::formula::Found;
use crate::town::{Caller, Rig, Town, person};
use crate::work::beads;

/// Request to pour a formula.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Name of the formula.
    pub formula: &'a str,
    /// Values of its variables.
    pub vars: &'a BTreeMap<String, String>,
    /// Rig in which its commands run and its steps are handed out.
    pub rig: Option<&'a Rig>,
    /// Bead whose next worker follows the molecule.
    pub bead: Option<&'a BeadId>,
    /// Whether its steps are forgotten when it ends. By default the formula says so.
    pub is_ephemeral: Option<bool>,
}

/// Plans a formula and pours it. A molecule without a bead begins at once: the engine runs its commands and hands out its other
/// steps as beads of a convoy.
pub fn pour(town: &Town, caller: &Caller, order: &Order<'_>) -> Result<Molecule> {
    let found = town.formula(order.rig, order.formula)?;
    let vars = with_bead(town, &found, order)?;
    let plan = plan(&found, &vars)?;
    refuse_homeless(&plan, order.rig.is_some() || order.bead.is_some())?;
    if plan.for_person().is_some() {
        person::require(caller, &format!("pours {}", plan.formula))?;
    }
    let molecule = town.ledger.write(&caller.name(), "pour", |tx| {
        if let Some(bead) = order.bead {
            beads::require(tx, bead)?;
        }
        pour_in(tx, caller, &found, &plan, order)
    })?;
    town.wake();
    Ok(molecule)
}

/// Pours a plan inside an operation, with the beads that its steps are handed out as.
pub(super) fn pour_in(tx: &Tx<'_>, caller: &Caller, found: &Found, plan: &Plan, order: &Order<'_>) -> Result<Molecule> {
    let molecule = tx.pour(&NewMolecule {
        formula: &plan.formula,
        hash: &found.resolved.hash,
        vars: json!(plan.vars),
        steps: &plan.steps,
        rig: order.rig.map(Rig::name),
        bead: order.bead,
        attempt: None,
        parent: None,
        is_ephemeral: order.is_ephemeral.unwrap_or(!plan.durable),
    })?;
    hand_out::make_beads(tx, caller, &molecule, &plan.steps, order.rig)?;
    tx.molecule(molecule.id)?.ok_or_else(|| unknown(molecule.id))
}

/// Plans a found formula.
pub fn plan(found: &Found, vars: &BTreeMap<String, String>) -> Result<Plan> {
    found.resolved.plan(vars).map_err(|source| found.unusable(source))
}

/// Adds the bead's id and title to the values, for a formula that declares `issue` and `title`.
fn with_bead(town: &Town, found: &Found, order: &Order<'_>) -> Result<BTreeMap<String, String>> {
    let mut vars = order.vars.clone();
    if let Some(id) = order.bead {
        let bead = town.ledger.read(|view| beads::require(view, id))?;
        found.add_bead(&mut vars, &bead);
    }
    Ok(vars)
}

/// Refuses a plan with steps that have no place to be done in.
pub(super) fn refuse_homeless(plan: &Plan, has_home: bool) -> Result<()> {
    if has_home {
        return Ok(());
    }
    match plan.steps.iter().find(|step| needs_rig(step)) {
        None => Ok(()),
        Some(step) => Err(Error::Usage {
            what: format!("step `{}` of {} needs a rig to be done in", step.id, plan.formula),
            hint: "add --rig <rig>, or --bead <bead>".to_owned(),
        }),
    }
}

fn needs_rig(step: &Step) -> bool {
    matches!(&step.kind, StepKind::Agent | StepKind::Run(Run::Argv(_) | Run::Script(_)))
}

/// Attaches a poured molecule, which no worker follows yet, to the bead whose next worker is to follow it.
pub fn attach(town: &Town, caller: &Caller, id: MoleculeId, bead: &BeadId) -> Result<Molecule> {
    town.ledger.write(&caller.name(), "attach", |tx| {
        let molecule = tx.molecule(id)?.ok_or_else(|| unknown(id))?;
        beads::require(tx, bead)?;
        if molecule.attempt.is_some() || molecule.convoy.is_some() || molecule.ended_at.is_some() {
            return Err(Error::refused(format!("{id} has begun"), format!("gt mol status {id}")));
        }
        tx.attach_molecule(id, None, bead)?;
        tx.molecule(id)?.ok_or_else(|| unknown(id))
    })
}

/// Returns the error for a molecule that does not exist.
pub(super) fn unknown(id: MoleculeId) -> Error {
    Error::Unknown { what: "molecule", name: id.to_string() }
}
