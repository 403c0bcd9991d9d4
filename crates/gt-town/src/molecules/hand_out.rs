//! Hands out steps for agents as beads, each to a worker of its own.

use std::collections::BTreeMap;

use gt_ledger::{Molecule, MoleculeStep, StepEnd, StepState, Tx};
use gt_model::bead::{DepType, Status};
use gt_model::condition::ConditionKind;
use gt_model::formula::{Step, StepKind};
use gt_model::id::BeadId;

use crate::town::desired;
use crate::town::error::{Error, Result};
use crate::town::{Caller, Rig, Town};
use crate::work::beads::{self, NewBead};
use crate::work::convoy;
use crate::work::sling::{self, SlingOptions};

/// Makes a bead for each step for agents, and a convoy of them. A bead depends on the beads of the steps that its step needs, so
/// that people see the order.
pub(super) fn make_beads(
    tx: &Tx<'_>,
    caller: &Caller,
    molecule: &Molecule,
    steps: &[Step],
    rig: Option<&Rig>,
) -> Result<()> {
    // A worker follows the molecule of a bead.
    let Some(rig) = rig.filter(|_| molecule.bead.is_none()) else { return Ok(()) };
    let mut made: BTreeMap<&str, BeadId> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.kind == StepKind::Agent) {
        let needs = step.needs.iter().filter_map(|need| made.get(need.as_str()));
        let bead = beads::create_in(
            tx,
            caller,
            &NewBead {
                prefix: rig.row.prefix.clone(),
                title: title(&step.title, &step.id),
                description: step.description.clone(),
                priority: step.priority.map(i64::from),
                labels: step.labels.clone(),
                dependencies: needs.map(|bead| (DepType::Blocks, bead.clone())).collect(),
                ..NewBead::default()
            },
        )?;
        tx.set_step_bead(molecule.id, &step.id, &bead.id)?;
        made.insert(&step.id, bead.id);
    }
    if made.is_empty() {
        return Ok(());
    }
    let members: Vec<BeadId> = made.into_values().collect();
    let convoy = convoy::create_in(tx, &format!("{} {}", molecule.formula, molecule.id), &members, true)?;
    tx.set_molecule_convoy(molecule.id, &convoy.id)?;
    Ok(())
}

fn title(title: &str, id: &str) -> String {
    if title.trim().is_empty() { id.to_owned() } else { title.lines().next().unwrap_or(id).to_owned() }
}

/// Slings the bead of a ready step. Does nothing while its rig is paused or held.
pub(super) fn sling(town: &Town, caller: &Caller, molecule: &Molecule, step: &MoleculeStep) -> Result<bool> {
    let (Some(rig), Some(bead)) = (&molecule.rig, &step.bead) else { return Ok(false) };
    if town.ledger.read(|view| desired::is_paused(view, Some(rig)))? {
        return Ok(false);
    }
    let options = SlingOptions {
        convoy: molecule.convoy.clone(),
        agent: step.step.agent.clone(),
        formula: step.step.formula.clone(),
        ..SlingOptions::default()
    };
    let slung = sling::sling_with(town, caller, std::slice::from_ref(bead), &town.rig(rig.as_str())?, &options, |tx| {
        Ok(tx.start_step(molecule.id, &step.step.id)?)
    });
    match slung {
        Ok((_, started)) => Ok(started),
        // The rig is held, or the bead waits for another one. The next look tries again.
        Err(Error::Refused { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ends a step whose bead has ended. Returns whether it has.
pub(super) fn follow(tx: &Tx<'_>, molecule: &Molecule, step: &MoleculeStep) -> Result<bool> {
    let Some(id) = &step.bead else { return Ok(false) };
    let bead = tx.bead(id)?;
    let end = match &bead {
        None => StepEnd { state: StepState::Failed, note: Some("its bead was deleted"), output: None },
        Some(bead) if bead.status == Status::Closed => StepEnd::done(bead.close_reason.as_deref()),
        Some(_) => return Ok(false),
    };
    tx.clear(ConditionKind::StepFailed, &super::steps::subject(molecule.id, &step.step.id))?;
    Ok(tx.end_step(molecule.id, &step.step.id, end)?)
}
