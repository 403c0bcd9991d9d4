//! Makes a copied or moved town writable again.
//!
//! Its ledger describes processes, pushes and merges of the original. So none of the effects decided there are performed here:
//! sessions count as ended, work on hooks is released, and no new work starts until a person says so.

use std::path::{Path, PathBuf};

use gt_ledger::{Attempt, AttemptOutcome, Home, Tx};
use gt_model::bead::Bead;
use gt_model::merge::{foreign_assignee, set_held_since};
use gt_model::queue::MrEnd;
use gt_world::Exit;
use serde::Serialize;

use crate::town::desired;
use crate::town::error::{Error, Result};
use crate::town::layout::Layout;
use crate::town::person::{self, Act};
use crate::town::{Caller, Town};
use crate::work::sling;

/// Reason recorded for sessions of the town that this one was copied from.
const ADOPTED: &str = "the town was adopted at another place";

/// Result of an adoption.
#[derive(Clone, Debug, Serialize)]
pub struct Adopted {
    /// The town's new id.
    pub id: String,
    /// Its previous id.
    pub was: String,
    /// Its previous place.
    pub from: String,
    /// Whether the town was moved rather than copied. A moved town keeps its id and its merge queue.
    pub moved: bool,
    /// Attempts that were released.
    pub released: Vec<String>,
}

/// Adopts the town at its current place. Returns an error if it already belongs here.
pub fn adopt(town: &Town, caller: &Caller) -> Result<Adopted> {
    person::require(caller, "adopts a town")?;
    let Some(from) = town.ledger.away()? else {
        return Err(Error::refused("this town is at home here", "you need to do nothing"));
    };
    person::confirm(town, caller, Act { refused: "adopts a town", what: "adopt", on: "town" })?;
    let here = Home::of(town.world(), &town.layout.root)?;
    // Whether the original on another machine still exists can't be checked.
    let moved = here.machine == from.machine && !is_town(town, Path::new(&from.path));
    let fresh = gt_model::id::hex(&(town.outside.entropy)());
    repair_worktrees(town)?;
    town.ledger.let_in();
    let adopted = town.ledger.write(&caller.name(), "adopt", |tx| {
        let was = tx.meta("town_id")?.unwrap_or_default();
        let id = if moved { was.clone() } else { fresh.clone() };
        let move_in = MoveIn { tx, was: &was, moved };
        let released = move_in.let_go()?;
        tx.set_meta("town_id", &id)?;
        tx.set_home(&here)?;
        tx.event("town-adopted", &id, None, Some(&from.path.as_str().into()), Some(&here.path.as_str().into()))?;
        Ok::<_, Error>(Adopted { id, was, from: from.path.clone(), moved, released })
    })?;
    desired::pause(town, caller, None)?;
    Ok(adopted)
}

fn is_town(town: &Town, root: &Path) -> bool {
    town.world().disk().exists(&Layout::new(root).settings())
}

/// Repairs the paths in worktrees and repositories that point to each other.
fn repair_worktrees(town: &Town) -> Result<()> {
    for rig in town.rigs()? {
        let held = town.lock(&rig.repo_lane())?;
        let mut paths: Vec<PathBuf> = vec![rig.layout.gate_worktree(), rig.layout.mayor_worktree()];
        for name in town.world().disk().list(&rig.layout.root.join("polecats"))? {
            paths.push(rig.layout.worktree(&name));
        }
        for name in town.world().disk().list(&rig.layout.root.join("crew"))? {
            paths.push(rig.layout.crew(&name));
        }
        paths.retain(|path| town.world().disk().exists(path));
        town.world().repo().repair_worktrees(&held, &rig.layout.repo(), &paths)?;
    }
    Ok(())
}

/// An adoption in progress.
struct MoveIn<'t> {
    tx: &'t Tx<'t>,
    was: &'t str,
    moved: bool,
}

impl MoveIn<'_> {
    /// Releases all work that the ledger shows in progress. It continues at the original or not at all.
    fn let_go(&self) -> Result<Vec<String>> {
        let mut released = Vec::new();
        for attempt in self.tx.live_attempts()? {
            let Some(bead) = self.tx.bead(&attempt.bead)? else { continue };
            match (self.moved, attempt.submitted_at.is_some()) {
                // A merge request in the queue needs no process and no path.
                (true, true) => continue,
                (true, false) => sling::release(self.tx, &attempt, &bead, AttemptOutcome::Released)?,
                (false, _) => self.leave_to_original(&attempt, &bead)?,
            }
            released.push(attempt.branch);
        }
        if !self.moved {
            self.forget_acts()?;
        }
        Ok(released)
    }

    /// Drops processes, effects and landings of the original, which this town must not end, run or finish.
    fn forget_acts(&self) -> Result<()> {
        for incarnation in self.tx.live_incarnations()? {
            let bead = self.tx.attempt_of(&incarnation)?.map(|attempt| attempt.bead);
            let exit = Exit { code: None, signal: None, reason: ADOPTED.to_owned() };
            self.tx.record_end(&incarnation, bead.as_ref(), &exit)?;
        }
        for effect in self.tx.open_effects()? {
            self.tx.withdraw(effect.id)?;
        }
        for rig in self.tx.rigs()? {
            if let Some(landing) = self.tx.open_landing(&rig.name)? {
                self.tx.abandon_landing(&landing, ADOPTED)?;
            }
        }
        for mr in self.tx.open_merge_requests(None)? {
            self.tx.end_merge_request(&mr, MrEnd::Rejected, Some(ADOPTED))?;
        }
        Ok(())
    }

    /// Marks the bead as held elsewhere, because the original works on it.
    fn leave_to_original(&self, attempt: &Attempt, bead: &Bead) -> Result<()> {
        self.tx.end_attempt(attempt, AttemptOutcome::Released)?;
        let mut held = bead.clone();
        held.assignee = Some(foreign_assignee(self.was, &attempt.address().to_string()));
        set_held_since(&mut held, Some(&attempt.opened_at.to_string()));
        Ok(self.tx.change_bead("bead-released", bead, &held)?)
    }
}
