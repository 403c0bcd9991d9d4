//! Changes of single steps by people, agents and the engine.

use gt_ledger::{Molecule, MoleculeOutcome, MoleculeStep, StepEnd, StepState, Tx, View};
use gt_model::condition::ConditionKind;
use gt_model::formula::{Opens, StepKind};
use gt_model::id::MoleculeId;

use super::order::unknown;
use super::tidy;
use crate::town::error::{Error, Result};
use crate::town::identity;
use crate::town::person;
use crate::town::{Caller, Town};
use crate::work::beads;

/// A step of a molecule, as a command names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Molecule; `None`: the one on the caller's hook.
    pub molecule: Option<MoleculeId>,
    /// Id of the step.
    pub step: String,
}

impl Named {
    /// Parses `<step>` or `<molecule>/<step>`.
    pub fn parse(text: &str) -> Self {
        let of_molecule = text.split_once('/').and_then(|(molecule, step)| Some((molecule.parse().ok()?, step)));
        match of_molecule {
            Some((molecule, step)) => Self { molecule: Some(molecule), step: step.to_owned() },
            None => Self { molecule: None, step: text.to_owned() },
        }
    }
}

/// Subject of the conditions about a step.
pub fn subject(molecule: MoleculeId, step: &str) -> String {
    format!("{molecule}/{step}")
}

/// Returns a step and its molecule.
pub fn find(view: &View<'_>, caller: &Caller, named: &Named) -> Result<(Molecule, MoleculeStep)> {
    let molecule = match named.molecule {
        Some(id) => view.molecule(id)?.ok_or_else(|| unknown(id))?,
        None => {
            let attempt = identity::hooked_attempt(view, caller)?;
            let of_hook = view.molecule_of(attempt.id)?;
            of_hook.ok_or_else(|| Error::Unknown { what: "molecule of", name: attempt.bead.to_string() })?
        }
    };
    let step = view.step(molecule.id, &named.step)?;
    let step = step.ok_or_else(|| Error::Unknown { what: "step", name: subject(molecule.id, &named.step) })?;
    Ok((molecule, step))
}

/// Changes a step inside an operation of a person.
fn change(
    town: &Town,
    caller: &Caller,
    verb: &str,
    named: &Named,
    change: impl FnOnce(&Tx<'_>, &Molecule, &MoleculeStep) -> Result<bool>,
) -> Result<MoleculeStep> {
    let step = town.ledger.write(&caller.name(), verb, |tx| {
        let (molecule, step) = find(tx, caller, named)?;
        if !change(tx, &molecule, &step)? {
            return Err(Error::refused(
                format!("step {} is {}", step.step.id, step.state),
                format!("gt mol status {}", molecule.id),
            ));
        }
        Ok(tx.step(molecule.id, &step.step.id)?.unwrap_or(step))
    })?;
    town.wake();
    Ok(step)
}

/// Ends a step as failed. The worker on whose hook it is may do that, and a person.
pub fn fail_by(town: &Town, caller: &Caller, named: &Named, note: &str) -> Result<MoleculeStep> {
    if named.molecule.is_some() {
        person::require(caller, "ends steps of other molecules")?;
    }
    change(town, caller, "step fail", named, |tx, molecule, step| {
        fail(tx, molecule, step, StepEnd { state: StepState::Failed, note: Some(note), output: None })
    })
}

/// Leaves a step out. Only a person may do that: a worker that could skip its checks would.
pub fn skip(town: &Town, caller: &Caller, named: &Named, note: Option<&str>) -> Result<MoleculeStep> {
    person::require_or(caller, "skips steps", "say why it can't be done: gt step fail <step> --note \"<why>\"")?;
    change(town, caller, "step skip", named, |tx, molecule, step| {
        forget(tx, molecule, step)?;
        if step.state == StepState::Failed {
            tx.reopen_step(molecule.id, &step.step.id)?;
        }
        Ok(tx.end_step(molecule.id, &step.step.id, StepEnd { state: StepState::Skipped, note, output: None })?)
    })
}

/// Opens a step again that was over.
pub fn reopen(town: &Town, caller: &Caller, named: &Named) -> Result<MoleculeStep> {
    person::require(caller, "opens steps again")?;
    change(town, caller, "step reopen", named, |tx, molecule, step| {
        forget(tx, molecule, step)?;
        Ok(tx.reopen_step(molecule.id, &step.step.id)?)
    })
}

/// Answers the gate of a step that waits for a person.
pub fn answer(town: &Town, caller: &Caller, named: &Named, opens: bool, note: Option<&str>) -> Result<MoleculeStep> {
    change(town, caller, "step gate", named, |tx, molecule, step| {
        require_answerer(caller, step)?;
        if step.state != StepState::Waiting {
            return Ok(false);
        }
        if opens {
            return open(tx, molecule, step, note);
        }
        let note = Some(note.unwrap_or("its gate was denied"));
        fail(tx, molecule, step, StepEnd { state: StepState::Failed, note, output: None })
    })
}

/// A gate names who may open it: an agent, or a person. A person may open every gate.
fn require_answerer(caller: &Caller, step: &MoleculeStep) -> Result<()> {
    let named = match step.step.gate.as_ref().map(|gate| &gate.opens) {
        Some(Opens::Human { who: Some(who), .. }) => who.as_str(),
        _ => "",
    };
    if caller.is_overseer() || caller.incarnation.is_some() && caller.address.to_string() == named {
        return Ok(());
    }
    person::require(caller, "opens this gate").map(drop)
}

/// Opens the gate of a step. A step that is only a gate is done then.
pub(super) fn open(tx: &Tx<'_>, molecule: &Molecule, step: &MoleculeStep, note: Option<&str>) -> Result<bool> {
    forget(tx, molecule, step)?;
    if step.step.kind == StepKind::Gate {
        return Ok(tx.end_step(molecule.id, &step.step.id, StepEnd::done(note))?);
    }
    Ok(tx.open_gate(molecule.id, &step.step.id, note)?)
}

/// Ends a step as failed and asks for a person.
pub(super) fn fail(tx: &Tx<'_>, molecule: &Molecule, step: &MoleculeStep, end: StepEnd<'_>) -> Result<bool> {
    let id = step.step.id.as_str();
    if !tx.end_step(molecule.id, id, end)? {
        return Ok(false);
    }
    tx.clear(ConditionKind::Gate, &subject(molecule.id, id))?;
    let why = end.note.unwrap_or("it failed");
    let text = format!("step {id} of {} failed: {}", molecule.formula, why.lines().next().unwrap_or_default());
    tx.raise(ConditionKind::StepFailed, &subject(molecule.id, id), &text)?;
    Ok(true)
}

/// Clears what the town says about a step.
fn forget(tx: &Tx<'_>, molecule: &Molecule, step: &MoleculeStep) -> Result<()> {
    for kind in [ConditionKind::Gate, ConditionKind::StepFailed] {
        tx.clear(kind, &subject(molecule.id, &step.step.id))?;
    }
    Ok(())
}

/// Throws a molecule away with its steps. A worker that follows it has to be taken off first.
pub fn burn(town: &Town, caller: &Caller, id: MoleculeId) -> Result<Molecule> {
    person::require(caller, "burns molecules")?;
    let burned = end(town, caller, id, "mol burn", MoleculeOutcome::Burned)?;
    if let Some(rig) = &burned.rig {
        tidy::worktrees(town, &town.rig(rig.as_str())?)?;
    }
    Ok(burned)
}

fn end(town: &Town, caller: &Caller, id: MoleculeId, verb: &str, outcome: MoleculeOutcome) -> Result<Molecule> {
    town.ledger.write(&caller.name(), verb, |tx| {
        let molecule = tx.molecule(id)?.ok_or_else(|| unknown(id))?;
        if let Some(attempt) = molecule.attempt.map(|attempt| tx.attempt(attempt)).transpose()?.flatten()
            && attempt.ended_at.is_none()
        {
            let hint = format!("gt unsling {} takes the work back first", attempt.bead);
            return Err(Error::refused(format!("{} follows {id}", attempt.address()), hint));
        }
        for step in tx.steps_of(id)? {
            forget(tx, &molecule, &step)?;
        }
        if !tx.end_molecule(id, outcome)? {
            return Err(Error::refused(format!("{id} has ended"), format!("gt mol squash {id} forgets its steps")));
        }
        Ok(tx.molecule(id)?.unwrap_or(molecule))
    })
}

/// Replaces the steps of an ended molecule by a summary, which is also added to its bead as a comment.
pub fn squash(town: &Town, caller: &Caller, id: MoleculeId, summary: Option<&str>) -> Result<Molecule> {
    town.ledger.write(&caller.name(), "mol squash", |tx| {
        let molecule = tx.molecule(id)?.ok_or_else(|| unknown(id))?;
        if molecule.ended_at.is_none() {
            let hint = format!("gt mol status {id} says what is open");
            return Err(Error::refused(format!("{id} has not ended"), hint));
        }
        let steps = tx.steps_of(id)?;
        if steps.is_empty() {
            return Err(Error::refused(format!("{id} has no steps any more"), format!("gt mol show {id}")));
        }
        let digest = summary.map_or_else(|| digest(&molecule, &steps), str::to_owned);
        tx.squash_molecule(id, &digest)?;
        if let Some(bead) = &molecule.bead {
            beads::comment_in(tx, bead, &digest)?;
        }
        Ok(tx.molecule(id)?.unwrap_or(molecule))
    })
}

/// Summary of a molecule: each step with its end and its note.
fn digest(molecule: &Molecule, steps: &[MoleculeStep]) -> String {
    let line = |step: &MoleculeStep| {
        let note = step.note.as_deref().map(|note| format!(": {}", note.lines().next().unwrap_or_default()));
        format!("{} {}{}\n", step.step.id, step.state, note.unwrap_or_default())
    };
    let outcome = molecule.outcome.map_or("", MoleculeOutcome::as_str);
    let head = format!("{} ({}) {outcome}, {} steps\n", molecule.id, molecule.formula, steps.len());
    head + &steps.iter().map(line).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_named_with_or_without_its_molecule() {
        let named =
            |molecule: Option<i64>, step: &str| Named { molecule: molecule.map(MoleculeId), step: step.to_owned() };
        let check = |text: &str, expected: Named| assert_eq!(Named::parse(text), expected, "{text}");
        check("implement", named(None, "implement"));
        check("mol-7/implement", named(Some(7), "implement"));
        check("7/implement", named(Some(7), "implement"));
        check("a/b", named(None, "a/b"));
    }
}
