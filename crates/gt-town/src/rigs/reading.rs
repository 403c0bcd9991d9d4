//! The mayor's read-only worktrees: one for each rig, at the trunk as last fetched. No process commits in them.

use std::time::Duration;

use gt_ledger::Tx;
use gt_model::address::Address;
use gt_model::effect::Effect;
use gt_model::id::RigName;
use gt_world::{Held, Rules};

use crate::town::error::{Error, Result};
use crate::town::{Rig, Town};

/// Decides an effect that moves the mayor's worktree of a rig to the trunk, if there is a mayor.
pub fn decide(tx: &Tx<'_>, rig: &RigName) -> Result<()> {
    if tx.agent(&Address::Mayor)?.is_some() {
        tx.decide_once(&Effect::ReadTrunk { rig: rig.clone() }, Some(rig), None, Duration::ZERO)?;
    }
    Ok(())
}

/// Decides that effect for every rig.
pub(crate) fn decide_all(tx: &Tx<'_>) -> Result<()> {
    tx.rigs()?.iter().try_for_each(|rig| decide(tx, &rig.name))
}

/// Moves the mayor's worktree of a rig to the trunk. Creates it if it is missing.
pub(crate) fn refresh(town: &Town, rig: &Rig, held: &Held) -> Result<()> {
    let repo = town.world().repo();
    let refs = repo.refs(&rig.layout.repo())?;
    let trunk = refs.get(&rig.trunk_ref());
    let trunk =
        trunk.ok_or_else(|| Error::refused(format!("{} was never fetched", rig.trunk_ref()), "gt rig fetch"))?;
    let (path, folder) = (rig.layout.repo(), rig.layout.mayor_worktree());
    repo.reset_gate_worktree(held, &path, &folder, trunk)?;
    repo.clear_checkout(held, &path, &folder, &repo.tree_of(&path, trunk)?, &Rules::default())?;
    Ok(())
}
