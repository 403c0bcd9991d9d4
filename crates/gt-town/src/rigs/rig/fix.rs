//! Fixes a failed proof as far as gt can without a person.

use gt_model::red::Cause;

use super::{Proving, confirm, edit, look_at, prove_by};
use crate::ecosystems::Found;
use crate::rigs::gates::GatesRun;
use crate::town::error::{Error, Result};
use crate::town::person::Person;
use crate::town::{Caller, Rig, Town};
use crate::walls::worker_env;

/// Result of proving a rig again.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// The last run of the gates.
    pub run: GatesRun,
    /// Changes in `rig.toml`.
    pub changed: Vec<String>,
    /// Change of the PATH of agents and gates.
    pub path: Option<String>,
}

/// Proves a rig. If that fails, updates `rig.toml` from what the trunk contains now, takes the person's current PATH if a program
/// was missing, and tries again.
pub fn fix(town: &Town, caller: &Caller, rig: &Rig, proving: &Proving<'_>) -> Result<Fixed> {
    let person = confirm(town, caller, "changes a rig's settings", "change settings of", rig.name().as_str())?;
    let run = prove_by(town, caller, rig, &person, proving)?;
    if run.passed() && !rig.settings.gate.is_empty() {
        return Ok(Fixed { run, changed: Vec::new(), path: None });
    }
    // Do this before looking at the project, because the new PATH may contain programs installed since.
    let path = if misses_a_program(&run) { take_path(town, caller)? } else { None };
    let found = look_at(town, &rig.layout.gate_worktree())?;
    let changed = take_found(town, rig, &person, &run, &found)?;
    if changed.is_empty() && path.is_none() {
        return Ok(Fixed { run, changed, path });
    }
    let optional: Vec<String> =
        found.gates.iter().filter(|gate| gate.optional).map(|gate| gate.gate.name.clone()).collect();
    let again = Proving { progress: proving.progress, negative: proving.negative, optional: &optional };
    let run = prove_by(town, caller, &town.rig(rig.name().as_str())?, &person, &again)?;
    Ok(Fixed { run, changed, path })
}

/// Whether a gate failed because of a missing program or a wrong version, which the person may have installed by now.
fn misses_a_program(run: &GatesRun) -> bool {
    let causes = run.gates.iter().filter_map(|gate| gate.remedy.as_ref()).map(|remedy| remedy.cause);
    causes.into_iter().any(|cause| matches!(cause, Cause::Program | Cause::Version))
}

/// Takes the PATH of the person's shell, as `gt up` does. A shell that the town itself started has none to take.
fn take_path(town: &Town, caller: &Caller) -> Result<Option<String>> {
    match worker_env::take_path(town, caller) {
        Ok(news) => Ok(news.words()),
        Err(Error::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the set-up and gates that were found into `rig.toml`, where the existing ones fail or are missing.
fn take_found(town: &Town, rig: &Rig, by: &Person, run: &GatesRun, found: &Found) -> Result<Vec<String>> {
    let is_red = |name: &str| run.gates.iter().any(|gate| gate.name == name && !gate.passed);
    let mut changed = Vec::new();
    let set_up = (!found.set_up.is_empty()).then(|| found.set_up.join(" && "));
    let takes_set_up = set_up.is_some() && rig.settings.worktree.setup != set_up;
    edit(town, rig, by, |document| {
        if let Some(set_up) = set_up.filter(|_| takes_set_up) {
            let table = document.entry("worktree").or_insert(toml_edit::Item::Table(toml_edit::Table::new()));
            table["setup"] = toml_edit::value(&set_up);
            changed.push(format!("set-up: {set_up}"));
        }
        let gates = document.entry("gate").or_insert(toml_edit::Item::ArrayOfTables(toml_edit::ArrayOfTables::new()));
        let Some(gates) = gates.as_array_of_tables_mut() else { return };
        for gate in &found.gates {
            let (name, run) = (&gate.gate.name, &gate.gate.run);
            let known = rig.settings.gate.iter().find(|known| known.name == *name);
            let is_wanted = known.map_or(rig.settings.gate.is_empty(), |known| is_red(name) && known.run != *run);
            if !is_wanted {
                continue;
            }
            gates.retain(|table| table.get("name").and_then(|known| known.as_str()) != Some(name.as_str()));
            let mut table = toml_edit::Table::new();
            table["name"] = toml_edit::value(name);
            table["run"] = toml_edit::value(run);
            gates.push(table);
            changed.push(format!("gate {name}: {run}"));
        }
    })?;
    Ok(changed)
}
