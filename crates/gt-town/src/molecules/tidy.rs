//! Removes worktrees of molecules that have ended.

use gt_model::id::MoleculeId;

use crate::town::error::{Error, Result};
use crate::town::{Rig, Town};

/// Removes the worktrees of all ended molecules of a rig, with whatever their commands have left there. Those that a killed
/// process left behind go with the next molecule of the rig that ends. While the repository is in use, all stay.
pub(super) fn worktrees(town: &Town, rig: &Rig) -> Result<()> {
    let Some(folder) = rig.layout.gate_worktree().parent().map(ToOwned::to_owned) else { return Ok(()) };
    for name in town.world().disk().list_own(&folder)? {
        let Some(id) = name.strip_prefix("mol-").and_then(|number| number.parse().ok()).map(MoleculeId) else {
            continue;
        };
        let has_ended = town
            .ledger
            .read(|view| Ok::<_, Error>(view.molecule(id)?.is_some_and(|molecule| molecule.ended_at.is_some())))?;
        if !has_ended {
            continue;
        }
        let Some(held) = town.try_lock(&rig.repo_lane())? else { return Ok(()) };
        let path = rig.layout.molecule_worktree(id);
        town.world().repo().remove_gate_worktree(&held, &rig.layout.repo(), &path)?;
    }
    Ok(())
}
