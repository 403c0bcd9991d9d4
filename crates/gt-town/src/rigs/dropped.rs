//! Finds landings that the trunk has lost again, through a forced push or a branch that was reset.
//!
//! If the new tip contains the old one, no further check is needed. Otherwise one query finds all landings that the trunk no
//! longer contains.

use std::collections::{BTreeMap, BTreeSet};

use gt_ledger::{MergeRequest, RigRow, Tx, View};
use gt_model::bead::Status;
use gt_model::condition::ConditionKind;
use gt_model::id::{BeadId, MrId, Sha};

use crate::town::error::Result;
use crate::town::{Rig, Town};

/// Maximum number of lost landings for which git checks whether other commits on the trunk make the same changes.
const LOOKED_AT: usize = 50;

/// A landing that the trunk no longer contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The bead.
    pub bead: BeadId,
    /// Advice for a person, with the facts.
    pub text: String,
}

/// Returns the landings that the trunk has lost between `known` and `tip`, or `None` if it lost nothing.
pub fn look(town: &Town, rig: &Rig, known: Option<&Sha>, tip: &Sha) -> Result<Option<Vec<Dropped>>> {
    if known == Some(tip) {
        return Ok(None);
    }
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let goes_on = known.map_or(Ok(false), |known| repo.contains(&path, tip, known))?;
    let landed = town.ledger.read(|view| match goes_on && !any_known(view)? {
        true => Ok(Vec::new()),
        false => landed(view, rig),
    })?;
    if landed.is_empty() {
        return Ok(None);
    }
    let commits: Vec<Sha> = landed.iter().filter_map(|mr| mr.commit_landed.clone()).collect();
    let missing = repo.missing_from(&path, tip, &commits)?;
    let lost = landed.iter().filter(|mr| mr.commit_landed.as_ref().is_some_and(|commit| missing.contains(commit)));
    let dropped = lost.enumerate().map(|(at, mr)| dropped(town, rig, mr, tip, at < LOOKED_AT));
    dropped.collect::<Result<Vec<_>>>().map(Some)
}

fn any_known(view: &View<'_>) -> Result<bool> {
    Ok(view.conditions()?.iter().any(|condition| condition.kind == ConditionKind::Dropped))
}

/// Returns the rig's merge requests that have landed, for beads that still count as landed.
fn landed(view: &View<'_>, rig: &Rig) -> Result<Vec<MergeRequest>> {
    let mut landed = view.landed_merge_requests(rig.name())?;
    landed.retain(|mr| rig.row.was_there(mr.submitted_at));
    // For a bead that was reopened, only the last landing counts.
    let newest: BTreeMap<BeadId, MrId> = landed.iter().map(|mr| (mr.bead.clone(), mr.id.clone())).collect();
    landed.retain(|mr| newest.get(&mr.bead) == Some(&mr.id));
    let beads: Vec<BeadId> = newest.into_keys().collect();
    let closed = view.beads_with(&beads)?.into_iter().filter(|bead| bead.status == Status::Closed);
    let closed: BTreeSet<BeadId> = closed.map(|bead| bead.id).collect();
    landed.retain(|mr| closed.contains(&mr.bead));
    Ok(landed)
}

fn dropped(town: &Town, rig: &Rig, mr: &MergeRequest, tip: &Sha, looked_at: bool) -> Result<Dropped> {
    let path = rig.layout.repo();
    let commit = mr.commit_landed.as_ref().unwrap_or(&mr.head);
    // If git can't tell, report the landing as lost.
    let maybe = looked_at && town.world().repo().still_has(&path, tip, commit).unwrap_or(false);
    let (id, trunk, name) = (&mr.id, &mr.target, mr.landing_ref());
    let lost = format!("{id} landed as {}, which {trunk} at {} does not contain any more", commit.short(), tip.short());
    let text = if maybe {
        format!("{lost}; maybe other commits of the trunk have its changes. If so: gt mq landed {id} --by <commit>")
    } else {
        format!(
            "{lost}. {name} keeps it: git fetch {} {name} && git cherry-pick FETCH_HEAD in a clone, push, then \
             gt mq landed {id} --by <commit>. To have the work done again: gt bead reopen {}. If it was removed on \
             purpose: gt mq landed {id} --not",
            path.display(),
            mr.bead
        )
    };
    Ok(Dropped { bead: mr.bead.clone(), text })
}

/// Records the lost landings. Raises one condition for each bead and clears those whose cause is gone.
pub fn note(tx: &Tx<'_>, rig: &RigRow, dropped: &[Dropped]) -> Result<()> {
    for condition in tx.conditions()?.into_iter().filter(|condition| condition.kind == ConditionKind::Dropped) {
        let bead = BeadId::from(condition.subject.as_str());
        let same = dropped.iter().any(|dropped| dropped.bead == bead && dropped.text == condition.text);
        if !same && tx.landed_commit(&rig.name, &bead)?.is_some() {
            tx.clear(ConditionKind::Dropped, bead.as_str())?;
        }
    }
    for Dropped { bead, text } in dropped {
        tx.raise(ConditionKind::Dropped, bead.as_str(), text)?;
    }
    Ok(())
}
