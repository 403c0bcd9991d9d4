//! Adds and removes dependencies between beads. Refuses cycles.

use gt_ledger::Tx;
use gt_model::bead::{Bead, DepType};
use gt_model::id::BeadId;

use super::create::edge;
use super::require;
use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};

/// Adds a dependency. Returns an error if it would close a cycle of beads that wait for each other.
pub fn add_dependency(town: &Town, caller: &Caller, from: &BeadId, to: &BeadId, kind: &DepType) -> Result<Bead> {
    town.ledger.write(&caller.name(), "dep add", |tx| depend(tx, from, to, kind))
}

pub(super) fn depend(tx: &Tx<'_>, from: &BeadId, to: &BeadId, kind: &DepType) -> Result<Bead> {
    let before = require(tx, from)?;
    require(tx, to)?;
    if before.dependencies.iter().any(|d| &d.depends_on_id == to && &d.kind == kind) {
        return Ok(before);
    }
    if from == to {
        let what = format!("{from} cannot depend on itself: that would be a circle");
        return Err(Error::refused(what, "name two beads: gt bead dep add <bead> <the one that it waits for>"));
    }
    refuse_way_round(from, tx.way_round(from, to, kind)?)?;
    let mut after = before.clone();
    after.dependencies.push(edge(from, to, kind, tx));
    tx.change_bead("dependency-added", &before, &after)?;
    require(tx, from)
}

/// Returns an error if the new dependency of `from` would close a cycle along `way`.
pub(super) fn refuse_way_round(from: &BeadId, way: Option<Vec<BeadId>>) -> Result<()> {
    let Some(way) = way else { return Ok(()) };
    let way: Vec<BeadId> = [from.clone()].into_iter().chain(way).chain([from.clone()]).collect();
    let round: Vec<BeadId> = way.chunk_by(|one, next| one == next).map(|same| same[0].clone()).collect();
    // A bead that waits for itself is a cycle of one.
    let round = if round.len() == 1 { [round.clone(), round].concat() } else { round };
    let what = format!("that would be a circle: {}", shown_way(&round));
    let hint = "each would wait for the next (a parent for its children too), a deadlock; \
                remove another dependency first: gt bead dep remove";
    Err(Error::refused(what, hint))
}

/// Number of beads shown at each end of a long path.
const WAY_ENDS: usize = 10;

/// Formats a path of beads. Omits the middle if it is long.
fn shown_way(way: &[BeadId]) -> String {
    let join = |part: &[BeadId]| part.iter().map(BeadId::as_str).collect::<Vec<_>>().join(" -> ");
    match way.len().checked_sub(2 * WAY_ENDS) {
        Some(between @ 1..) => {
            let (head, tail) = (&way[..WAY_ENDS], &way[way.len() - WAY_ENDS..]);
            format!("{} -> ({between} more) -> {}", join(head), join(tail))
        }
        _ => join(way),
    }
}

/// Removes all dependencies of one bead on another.
pub fn remove_dependency(town: &Town, caller: &Caller, from: &BeadId, to: &BeadId) -> Result<Bead> {
    let bead = town.ledger.write(&caller.name(), "dep remove", |tx| {
        let before = require(tx, from)?;
        let mut after = before.clone();
        after.dependencies.retain(|dep| &dep.depends_on_id != to);
        if after.dependencies.len() == before.dependencies.len() {
            return Err(Error::Unknown { what: "dependency", name: format!("of {from} on {to}") });
        }
        tx.change_bead("dependency-removed", &before, &after)?;
        require(tx, from)
    })?;
    town.wake();
    Ok(bead)
}

/// Sets or removes the parent of a bead.
pub fn set_parent(town: &Town, caller: &Caller, id: &BeadId, parent: Option<&BeadId>) -> Result<Bead> {
    town.ledger.write(&caller.name(), "set parent", |tx| {
        let before = require(tx, id)?;
        let mut after = before.clone();
        after.dependencies.retain(|dep| dep.kind != DepType::ParentChild);
        if let Some(parent) = parent {
            require(tx, parent)?;
            refuse_way_round(id, tx.way_round(id, parent, &DepType::ParentChild)?)?;
            after.dependencies.push(edge(id, parent, &DepType::ParentChild, tx));
        }
        tx.change_bead("bead-moved", &before, &after)?;
        require(tx, id)
    })
}
