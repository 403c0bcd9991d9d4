//! New ids for beads.

use gt_model::id::{BeadId, IdSeed, id_length, id_length_apart, new_id};

use super::{LedgerResult, Tx};

impl Tx<'_> {
    /// Returns an unused id with this prefix, for a bead that this operation's actor creates now. The id is longer if the ledger
    /// is merged with others where beads are created at the same time.
    pub fn fresh_id(&self, prefix: &str, title: &str, description: &str) -> LedgerResult<BeadId> {
        let seed = IdSeed { title, description, creator: self.actor(), created_at: self.now() };
        let existing = self.count_with_prefix(prefix)?;
        let failed = std::cell::RefCell::new(None);
        let length = if self.is_shared()? { id_length_apart(existing) } else { id_length(existing) };
        let id = new_id(prefix, &seed, length, |id| match self.has_bead(id) {
            Ok(taken) => taken,
            Err(error) => {
                *failed.borrow_mut() = Some(error);
                false
            }
        });
        failed.into_inner().map_or(Ok(id), Err)
    }
}
