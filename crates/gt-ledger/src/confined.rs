//! Who may write at all: a gate, a set-up or an acceptance command may not, whatever it asks for and as whom.

use std::path::Path;

use gt_world::{Descent, Standing, World};

use super::{Ledger, LedgerError, LedgerResult};

/// A file beside a ledger: what stood above the process that made it, where anything did.
pub(crate) const MAKER_FILE: &str = "made-below";

impl Ledger {
    /// Forbids this value every change: its caller belongs to a gate.
    pub fn confine(&self) {
        self.is_confined.set(Some(true));
    }

    /// Refuses what changes a town, in its ledger or its files, to agents' code that the town itself runs.
    pub fn refuse_confined(&self) -> LedgerResult<()> {
        if self.is_confined.get().is_none() {
            // Daemons write themselves.
            let descent = self.world.sessions().descent().shims();
            self.is_confined.set(Some(self.standing_of(&descent)? == Standing::Command));
        }
        if self.is_confined.get() == Some(true) { Err(LedgerError::Confined) } else { Ok(()) }
    }

    /// What a process of that descent is to whom the ledger belongs.
    pub fn standing_of(&self, descent: &Descent) -> LedgerResult<Standing> {
        standing_at(self.world.as_ref(), &self.lock, descent)
    }

    /// The new ledger's maker may write it, whoever that is.
    pub(super) fn let_maker_in(&self) {
        self.is_confined.set(Some(false));
    }
}

/// What a process of that descent is to whom the ledger in the folder of `beside` belongs, be it lost or not.
pub fn standing_at(world: &dyn World, beside: &Path, descent: &Descent) -> LedgerResult<Standing> {
    // Asked of everybody, and nearly always this is all that there is to it.
    if descent.is_empty() {
        return Ok(Standing::Outside);
    }
    let kept = world.disk().read(&beside.with_file_name(MAKER_FILE))?;
    let maker = kept.map(|bytes| serde_json::from_slice(&bytes)).transpose();
    let maker: Option<Descent> =
        maker.map_err(|error| LedgerError::Corrupt { what: "what stood above its maker", text: error.to_string() })?;
    Ok(descent.to_town_of(&maker.unwrap_or_default()))
}

/// Writes down what stands above the process that makes the ledger at `path`.
pub(super) fn keep_maker(world: &dyn World, path: &Path) -> LedgerResult<()> {
    let (descent, file) = (world.sessions().descent(), path.with_file_name(MAKER_FILE));
    if descent.is_empty() || world.disk().exists(&file) {
        return Ok(());
    }
    Ok(world.disk().write(&file, super::to_json(&descent)?.as_bytes())?)
}
