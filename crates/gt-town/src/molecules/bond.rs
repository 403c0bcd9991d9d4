//! Steps whose output names further work: a formula is poured for each item of a list in the output.

use std::collections::BTreeSet;

use gt_ledger::{Molecule, MoleculeStep, NewMolecule, Tx};
use gt_model::formula::{OnComplete, Step};
use serde_json::{Value, json};

use super::hand_out;
use super::order::plan;
use super::pass::engine;
use crate::town::error::{Error, Result};
use crate::town::formula::Found;
use crate::town::{Rig, Town};

/// Maximum number of items of one output.
const ITEM_LIMIT: usize = 1000;

/// Plans for the items of a step's output, as one molecule.
pub(super) struct Bond {
    found: Found,
    steps: Vec<Step>,
    rig: Option<Rig>,
}

/// Plans the formula that a step asks for, once for each item of its output. `None` if it asks for none or the list is empty.
pub(super) fn prepare(town: &Town, step: &MoleculeStep, rig: Option<&Rig>, output: &str) -> Result<Option<Bond>> {
    let Some(on_complete) = &step.step.on_complete else { return Ok(None) };
    let items = last_json(output).and_then(|output| on_complete.bonds(&output)).ok_or_else(|| {
        let list = on_complete.for_each.join(".");
        Error::refused(format!("the output has no list `{list}`"), "the command's last output must be that JSON")
    })?;
    if items.len() > ITEM_LIMIT {
        return Err(Error::refused(format!("{} items, at most {ITEM_LIMIT}", items.len()), "pour several molecules"));
    }
    if items.is_empty() {
        return Ok(None);
    }
    let found = town.formula(rig, &on_complete.bond)?;
    let mut steps = Vec::new();
    for (number, vars) in items.iter().enumerate() {
        let item = plan(&found, vars)?.steps;
        append(&mut steps, item, number + 1, on_complete);
    }
    Ok(Some(Bond { found, steps, rig: rig.cloned() }))
}

/// Appends the steps of one item under ids of their own. Unless all items run at once, they come after all steps so far.
fn append(steps: &mut Vec<Step>, item: Vec<Step>, number: usize, on_complete: &OnComplete) {
    let name = |id: &str| format!("{number}.{id}");
    let before: Vec<String> = if on_complete.parallel { Vec::new() } else { ends(steps) };
    for step in item {
        let needs: Vec<String> = step.needs.iter().map(|need| name(need)).collect();
        let needs = if needs.is_empty() { before.clone() } else { needs };
        steps.push(Step { id: name(&step.id), needs, parent: step.parent.as_deref().map(name), ..step });
    }
}

/// Returns the ids of the steps that no other step needs.
fn ends(steps: &[Step]) -> Vec<String> {
    let needed: BTreeSet<&str> = steps.iter().flat_map(|step| step.needs.iter().map(String::as_str)).collect();
    steps.iter().map(|step| step.id.clone()).filter(|id| !needed.contains(id.as_str())).collect()
}

/// Returns the whole output as JSON, or its last line.
fn last_json(output: &str) -> Option<Value> {
    let last = || output.trim_end().lines().next_back();
    serde_json::from_str(output).ok().or_else(|| serde_json::from_str(last()?).ok())
}

/// Pours the molecule of a step's items. Steps that need the step wait for its end too.
pub(super) fn pour(tx: &Tx<'_>, molecule: &Molecule, step: &MoleculeStep, bond: &Bond) -> Result<()> {
    let name = &bond.found.resolved.formula.name;
    let poured = tx.pour(&NewMolecule {
        formula: name,
        hash: &bond.found.resolved.hash,
        vars: json!({}),
        steps: &bond.steps,
        rig: bond.rig.as_ref().map(Rig::name),
        bead: None,
        attempt: None,
        parent: Some((molecule.id, &step.step.id)),
        is_ephemeral: molecule.is_ephemeral,
    })?;
    hand_out::make_beads(tx, &engine(), &poured, &bond.steps, bond.rig.as_ref())?;
    Ok(tx.count_needs(molecule.id, &step.step.id, 1)?)
}

/// Returns the ids of the open steps inside a group, at any depth.
pub(super) fn inside(steps: &[MoleculeStep], group: &str) -> Vec<String> {
    let mut groups = BTreeSet::from([group]);
    loop {
        let is_part = |step: &&MoleculeStep| step.step.parent.as_deref().is_some_and(|parent| groups.contains(parent));
        let found: Vec<&str> = steps.iter().filter(is_part).map(|step| step.step.id.as_str()).collect();
        let before = groups.len();
        groups.extend(found);
        if groups.len() == before {
            break;
        }
    }
    groups.remove(group);
    let is_open = |step: &&MoleculeStep| !step.state.is_over() && groups.contains(step.step.id.as_str());
    steps.iter().filter(is_open).map(|step| step.step.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(id: &str, needs: &[&str]) -> Step {
        Step { id: id.to_owned(), needs: needs.iter().map(|need| (*need).to_owned()).collect(), ..Step::default() }
    }

    fn on_complete(parallel: bool) -> OnComplete {
        OnComplete { for_each: Vec::new(), bond: "f".to_owned(), vars: [].into(), parallel }
    }

    fn needs_of_second(parallel: bool) -> Vec<Vec<String>> {
        let mut steps = Vec::new();
        for number in 1..=2 {
            append(&mut steps, vec![step("a", &[]), step("b", &["a"])], number, &on_complete(parallel));
        }
        steps[2..].iter().map(|step| step.needs.clone()).collect()
    }

    #[test]
    fn items_run_one_after_the_other_unless_all_run_at_once() {
        assert_eq!(needs_of_second(true), [vec![], vec!["2.a".to_owned()]]);
        assert_eq!(needs_of_second(false), [vec!["1.b".to_owned()], vec!["2.a".to_owned()]]);
    }

    #[test]
    fn the_list_is_read_from_the_whole_output_or_its_last_line() {
        assert_eq!(last_json("[1]"), Some(json!([1])));
        assert_eq!(last_json("compiling\n{\"a\": 1}\n"), Some(json!({ "a": 1 })));
        assert_eq!(last_json("no json"), None);
        assert_eq!(last_json(""), None);
    }
}
