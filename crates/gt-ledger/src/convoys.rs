//! Marks convoys whose beads have changed, so that their state is recomputed. Every write of a bead marks them itself, so no
//! operation can forget it.

use gt_model::bead::{Bead, BeadType, Status};
use gt_model::convoy::{self, MemberState};
use gt_model::id::BeadId;

use super::{LedgerResult, Tx, View};

impl View<'_> {
    /// Returns the state of each bead that a convoy tracks. A convoy that tracks itself does not count.
    pub fn member_states(&self, convoy: &BeadId) -> LedgerResult<Vec<MemberState>> {
        let sql = "SELECT b.issue_type, b.status, b.close_reason
                   FROM dependencies d LEFT JOIN beads b ON b.id = d.depends_on_id
                   WHERE d.issue_id = ?1 AND d.type = 'tracks' AND d.depends_on_id != ?1";
        self.all(sql, [convoy.as_str()], |row| {
            let Some(kind) = row.get::<_, Option<String>>(0)? else { return Ok(MemberState::Deleted) };
            let (status, reason): (String, Option<String>) = (row.get(1)?, row.get(2)?);
            let (kind, status) = (BeadType::from(kind.as_str()), Status::from(status.as_str()));
            Ok(convoy::state_of(&kind, &status, reason.as_deref()))
        })
    }

    /// Returns the convoys that are marked to be recomputed.
    pub fn unsettled_convoys(&self) -> LedgerResult<Vec<BeadId>> {
        self.all("SELECT convoy FROM unsettled_convoys", [], |row| Ok(BeadId(row.get(0)?)))
    }
}

impl Tx<'_> {
    /// Returns the marked convoys and removes their marks.
    pub(crate) fn take_unsettled_convoys(&self) -> LedgerResult<Vec<BeadId>> {
        let unsettled = self.unsettled_convoys()?;
        if !unsettled.is_empty() {
            self.execute("DELETE FROM unsettled_convoys", [])?;
        }
        self.unsettled.set(false);
        Ok(unsettled)
    }

    /// Marks the convoys that a changed bead concerns.
    pub(super) fn note_convoys(&self, before: Option<&Bead>, bead: &Bead) -> LedgerResult<()> {
        if before.map(convoy::member_state) != Some(convoy::member_state(bead)) {
            let sql = "INSERT OR IGNORE INTO unsettled_convoys
                       SELECT issue_id FROM dependencies WHERE depends_on_id = ?1 AND holds = 0 AND type = 'tracks'";
            self.note_unsettled(sql, [bead.id.as_str()])?;
        }
        let same = |before: &Bead| before.dependencies == bead.dependencies && before.status == bead.status;
        if bead.issue_type == BeadType::Convoy && !before.is_some_and(same) {
            self.note_unsettled("INSERT OR IGNORE INTO unsettled_convoys VALUES (?1)", [bead.id.as_str()])?;
        }
        Ok(())
    }

    /// Marks every convoy. Used after a large import, which does not record its changes one by one.
    pub(super) fn note_all_convoys(&self) -> LedgerResult<()> {
        let sql = "INSERT OR IGNORE INTO unsettled_convoys
                   SELECT id FROM beads WHERE issue_type = 'convoy' AND status != 'tombstone'";
        self.note_unsettled(sql, [])
    }

    fn note_unsettled(&self, sql: &str, params: impl rusqlite::Params) -> LedgerResult<()> {
        if self.execute(sql, params)? > 0 {
            self.unsettled.set(true);
        }
        Ok(())
    }
}
