//! Decides which processes may write. Gates, set-up commands and acceptance commands may not, under any name.

use std::path::Path;

use gt_world::{Descent, Standing, World};

use super::{Ledger, LedgerError, LedgerResult};

/// Name of a file beside a ledger. It records the processes above the one that created the ledger, if there were any that count.
pub(crate) const MAKER_FILE: &str = "made-below";

impl Ledger {
    /// Makes this value refuse every change: its caller runs inside a gate.
    pub fn confine(&self) {
        self.is_confined.set(Some(true));
    }

    /// Fails if the caller is agents' code that the town itself runs. Guards changes of the town's ledger and files.
    pub fn refuse_confined(&self) -> LedgerResult<()> {
        if self.is_confined.get().is_none() {
            // Only shims count here: daemons may write.
            let descent = self.world.sessions().descent().shims();
            self.is_confined.set(Some(self.standing_of(&descent)? == Standing::Command));
        }
        if self.is_confined.get() == Some(true) { Err(LedgerError::Confined) } else { Ok(()) }
    }

    /// Returns the standing of a process with this descent towards the ledger's town.
    pub fn standing_of(&self, descent: &Descent) -> LedgerResult<Standing> {
        standing_at(self.world.as_ref(), &self.lock, descent)
    }

    /// Lets the creator of a new ledger write to it, even inside a gate.
    pub(super) fn let_maker_in(&self) {
        self.is_confined.set(Some(false));
    }
}

/// Returns the standing of a process with this descent towards the town whose ledger lies in the folder of `beside`. The ledger
/// itself may be lost.
pub fn standing_at(world: &dyn World, beside: &Path, descent: &Descent) -> LedgerResult<Standing> {
    // Every caller is checked, and nearly all of them end here.
    if descent.is_empty() {
        return Ok(Standing::Outside);
    }
    let kept = world.disk().read(&beside.with_file_name(MAKER_FILE))?;
    let maker = kept.map(|bytes| serde_json::from_slice(&bytes)).transpose();
    let maker: Option<Descent> =
        maker.map_err(|error| LedgerError::Corrupt { what: "what stood above its maker", text: error.to_string() })?;
    Ok(descent.to_town_of(&maker.unwrap_or_default()))
}

/// Records the processes above the one that creates the ledger at `path`.
pub(super) fn keep_maker(world: &dyn World, path: &Path) -> LedgerResult<()> {
    let (descent, file) = (world.sessions().descent(), path.with_file_name(MAKER_FILE));
    if descent.is_empty() || world.disk().exists(&file) {
        return Ok(());
    }
    Ok(world.disk().write(&file, super::to_json(&descent)?.as_bytes())?)
}
