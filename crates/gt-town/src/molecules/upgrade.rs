//! Moves a molecule to a newer text of its formula.
//!
//! A molecule keeps the steps that it was poured with, whatever happens to the formula. Only a person moves it, and only steps that have
//! not begun. The order of steps stays: a step whose needs differ is left as it is.

use std::collections::BTreeMap;

use gt_ledger::{Molecule, MoleculeStep, StepState, View};
use gt_model::formula::Step;
use gt_model::id::MoleculeId;
use serde::Serialize;

use super::order::{plan, unknown};
use crate::town::error::{Error, Result};
use crate::town::formula::Found;
use crate::town::person;
use crate::town::{Caller, Town};
use crate::work::hook;

/// Outcome of an upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Upgrade {
    /// Ids of the steps that now are as the newer formula has them.
    pub moved: Vec<String>,
    /// Steps that differ and were left, each with the reason.
    pub left: Vec<Left>,
}

/// A step that was left as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Id.
    pub step: String,
    /// Reason.
    pub why: &'static str,
}

/// Returns the formula of a molecule if its text has changed since. `None` also if it can't be read, if an older gt poured the molecule,
/// or if another molecule did: its steps belong to items.
pub fn newer(town: &Town, molecule: &Molecule) -> Option<Found> {
    if molecule.hash.is_empty() || molecule.parent.is_some() || molecule.ended_at.is_some() {
        return None;
    }
    let rig = molecule.rig.as_ref().and_then(|rig| town.rig(rig.as_str()).ok());
    let found = town.formula(rig.as_ref(), &molecule.formula).ok()?;
    (found.resolved.hash != molecule.hash).then_some(found)
}

/// Moves the steps of a molecule that have not begun to the newer text of its formula.
pub fn upgrade(town: &Town, caller: &Caller, id: MoleculeId) -> Result<Upgrade> {
    person::require(caller, "moves molecules to newer formulas")?;
    let molecule = town.ledger.read(|view| view.molecule(id)?.ok_or_else(|| unknown(id)))?;
    let found = newer(town, &molecule).ok_or_else(|| {
        Error::refused(format!("there is no newer {} for {id}", molecule.formula), "gt formula check")
    })?;
    let values: BTreeMap<String, String> = serde_json::from_value(molecule.vars.clone()).unwrap_or_default();
    let known = &found.resolved.formula.vars;
    let values = values.into_iter().filter(|(name, _)| known.contains_key(name)).collect();
    let plan = plan(&found, &values)?;
    let upgrade = town.ledger.write(&caller.name(), "mol upgrade", |tx| {
        let upgrade = compare(tx, &molecule, &plan.steps)?;
        for step in plan.steps.iter().filter(|step| upgrade.moved.contains(&step.id)) {
            tx.replace_step(id, step)?;
        }
        let left: Vec<String> = upgrade.left.iter().map(|left| left.step.clone()).collect();
        tx.set_molecule_hash(id, &found.resolved.hash, &left)?;
        Ok::<_, Error>(upgrade)
    })?;
    town.wake();
    Ok(upgrade)
}

fn compare(view: &View<'_>, molecule: &Molecule, new: &[Step]) -> Result<Upgrade> {
    let steps = view.steps_of(molecule.id)?;
    let at_work = molecule.attempt.and_then(|_| hook::current(&steps)).map(|step| step.step.id.as_str());
    let mut upgrade = Upgrade::default();
    for old in &steps {
        let id = old.step.id.clone();
        let new = new.iter().find(|step| step.id == id);
        match new.map_or(Some("the newer formula has no such step"), |new| obstacle(old, new, at_work)) {
            Some(why) => upgrade.left.push(Left { step: id, why }),
            None if new == Some(&old.step) => {}
            None => upgrade.moved.push(id),
        }
    }
    let is_new = |step: &&Step| steps.iter().all(|old| old.step.id != step.id);
    let added = new.iter().filter(is_new);
    upgrade.left.extend(added.map(|step| Left { step: step.id.clone(), why: "it is new: pour the formula again" }));
    Ok(upgrade)
}

/// Returns why a step can't be moved; `None` if it can, or does not have to.
fn obstacle(old: &MoleculeStep, new: &Step, at_work: Option<&str>) -> Option<&'static str> {
    if old.step == *new {
        return None;
    }
    let place = |step: &Step| (step.needs.clone(), step.parent.clone(), step.round, step.until.clone());
    if old.state != StepState::Open || old.started_at.is_some() || at_work == Some(&*old.step.id) {
        return Some("it has begun");
    }
    if old.bead.is_some() {
        return Some("its bead is made");
    }
    (place(&old.step) != place(new)).then_some("it stands at another place in the newer formula")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(id: &str, needs: &[&str], title: &str) -> Step {
        let needs = needs.iter().map(|need| (*need).to_owned()).collect();
        Step { id: id.to_owned(), needs, title: title.to_owned(), ..Step::default() }
    }

    fn stored(step: Step, state: StepState) -> MoleculeStep {
        MoleculeStep {
            position: 0,
            step,
            done_at: None,
            note: None,
            state,
            waits: 0,
            started_at: None,
            opened_at: None,
            output: None,
            tries: 0,
            bead: None,
        }
    }

    #[test]
    fn only_steps_that_have_not_begun_and_keep_their_place_are_moved() {
        let old = |state| stored(step("b", &["a"], "old"), state);
        let new = step("b", &["a"], "new");
        assert_eq!(obstacle(&old(StepState::Open), &new, None), None);
        assert_eq!(obstacle(&old(StepState::Open), &new, Some("b")), Some("it has begun"));
        assert_eq!(obstacle(&old(StepState::Done), &new, None), Some("it has begun"));
        assert_eq!(obstacle(&old(StepState::Done), &step("b", &["a"], "old"), None), None);
        let elsewhere = obstacle(&old(StepState::Open), &step("b", &[], "new"), None);
        assert_eq!(elsewhere, Some("it stands at another place in the newer formula"));
    }
}
