//! New ids of beads.

use gt_model::id::{BeadId, IdSeed, id_length, id_length_apart, new_id};

use super::{LedgerResult, Tx};

impl Tx<'_> {
    /// A new id of that prefix for a bead made now by the actor of this operation: longer where other ledgers make beads at the
    /// same time with which this one is merged.
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
