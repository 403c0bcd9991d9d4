//! Queries and records for deleting old data.

use std::collections::BTreeSet;

use gt_model::id::{AttemptId, MrId, RigName, Sha};
use jiff::Timestamp;

use super::attempts::attempt_row;
use super::{Attempt, LedgerResult, Tx, View};

impl View<'_> {
    /// Returns all attempts of all rigs, oldest first.
    pub fn attempts(&self) -> LedgerResult<Vec<Attempt>> {
        self.all("SELECT * FROM attempts ORDER BY id", [], attempt_row)
    }

    /// Returns the merge requests whose pins were given up.
    pub fn unpinned(&self) -> LedgerResult<BTreeSet<MrId>> {
        let sql = "SELECT id FROM merge_requests WHERE unpinned_at IS NOT NULL";
        Ok(self.all(sql, [], |row| Ok(MrId(row.get(0)?)))?.into_iter().collect())
    }

    /// Returns the logs that verdicts on a rig's waiting merge requests refer to.
    pub fn logs_in_use(&self, rig: &RigName) -> LedgerResult<BTreeSet<String>> {
        let sql = "SELECT v.log FROM verdicts v JOIN merge_requests m ON m.rig = v.rig AND m.candidate_tree = v.tree
                   WHERE v.rig = ?1 AND m.ended_at IS NULL";
        Ok(self.all(sql, [rig.as_str()], |row| row.get(0))?.into_iter().collect())
    }

    /// Returns the number of events older than `before`.
    pub fn count_events_before(&self, before: Timestamp) -> LedgerResult<u64> {
        let sql = "SELECT count(*) FROM events WHERE at < ?1";
        let count: Option<i64> = self.one(sql, [before.to_string()], |row| row.get(0))?;
        Ok(count.unwrap_or(0).unsigned_abs())
    }

    /// Returns the snapshot whose files an attempt's worktree starts with.
    pub fn restores(&self, attempt: AttemptId) -> LedgerResult<Option<Sha>> {
        let sql = "SELECT restores FROM attempts WHERE id = ?1 AND restores IS NOT NULL";
        self.one(sql, [attempt.0], |row| Ok(Sha(row.get(0)?)))
    }
}

impl Tx<'_> {
    /// Records the snapshot whose files an attempt's worktree will start with.
    pub fn set_restores(&self, attempt: AttemptId, snapshot: &Sha) -> LedgerResult<()> {
        self.execute("UPDATE attempts SET restores = ?2 WHERE id = ?1", (attempt.0, snapshot.as_str()))?;
        Ok(())
    }

    /// Records that the pin of an ended merge request is given up.
    pub fn set_unpinned(&self, mr: &MrId) -> LedgerResult<()> {
        self.execute(
            "UPDATE merge_requests SET unpinned_at = ?2 WHERE id = ?1 AND ended_at IS NOT NULL",
            (mr.as_str(), self.now().to_string()),
        )?;
        Ok(())
    }

    /// Deletes events older than `before`, and effects that were done before it. Returns the number of deleted events.
    pub fn forget_events(&self, before: Timestamp) -> LedgerResult<usize> {
        let before = before.to_string();
        self.execute("DELETE FROM effects WHERE done_at IS NOT NULL AND done_at < ?1", [&before])?;
        self.execute("DELETE FROM events WHERE at < ?1", [&before])
    }
}
