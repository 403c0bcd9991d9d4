//! What can be worked on now, and what holds the rest back. One query, nothing materialised.

use gt_model::bead::{Bead, DepType, Status};
use gt_model::id::BeadId;
use serde::Serialize;

use super::{LedgerResult, Tx, View};

/// Beads that are held back: by an open blocker, by open children that they wait for, by a deferred parent, or by a
/// parent that is itself held back, at any depth. `UNION` makes imported cycles harmless.
const HELD: &str = "
    WITH RECURSIVE directly (id) AS (
        SELECT d.issue_id FROM dependencies d JOIN beads t ON t.id = d.depends_on_id
        WHERE d.type IN ('blocks', 'merge-blocks', 'conditional-blocks') AND t.status NOT IN ('closed', 'tombstone')
        UNION
        SELECT d.issue_id FROM dependencies d
        JOIN dependencies k ON k.depends_on_id = d.depends_on_id AND k.type = 'parent-child'
        JOIN beads c ON c.id = k.issue_id
        WHERE d.type = 'waits-for' AND c.status NOT IN ('closed', 'tombstone')
        UNION
        SELECT d.issue_id FROM dependencies d JOIN beads p ON p.id = d.depends_on_id
        WHERE d.type = 'parent-child' AND (p.status = 'deferred' OR coalesce(p.defer_ns, 0) > :now)
    ), held (id) AS (
        SELECT id FROM directly
        UNION
        SELECT d.issue_id FROM dependencies d JOIN held h ON d.depends_on_id = h.id WHERE d.type = 'parent-child'
    )";

/// Why a bead is not ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocker {
    /// The bead that holds it back.
    pub id: BeadId,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: Status,
    /// How it holds it back.
    pub kind: DepType,
}

impl View<'_> {
    /// Ready beads by priority, then age; of one prefix where given, at most `limit`.
    pub fn ready(&self, now: jiff::Timestamp, prefix: Option<&str>, limit: Option<u32>) -> LedgerResult<Vec<Bead>> {
        let sql = format!(
            "{HELD} SELECT id FROM beads b
             WHERE status = 'open' AND NOT pinned AND NOT is_template AND NOT ephemeral
               AND issue_type NOT IN ('merge-request', 'gate', 'molecule', 'message', 'agent', 'role', 'rig', 'convoy',
                                      'slot', 'event', 'epic')
               AND coalesce(defer_ns, 0) <= :now
               AND id NOT IN (SELECT id FROM held)
               AND NOT EXISTS (SELECT 1 FROM conditions c
                               WHERE c.key = 'quarantine:' || b.id AND c.cleared_at IS NULL)
               AND (:prefix IS NULL OR prefix = :prefix)
             ORDER BY priority, created_ns, id LIMIT :limit"
        );
        let now = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
        let limit = limit.map_or(-1, i64::from);
        let params = rusqlite::named_params! { ":now": now, ":prefix": prefix, ":limit": limit };
        let ids = self.all(&sql, params, |row| Ok(BeadId(row.get(0)?)))?;
        ids.iter().filter_map(|id| self.bead(id).transpose()).collect()
    }

    /// Whether anything holds a bead back.
    pub fn is_held(&self, now: jiff::Timestamp, id: &BeadId) -> LedgerResult<bool> {
        let now = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
        let params = rusqlite::named_params! { ":now": now, ":id": id.as_str() };
        let sql = format!("{HELD} SELECT 1 WHERE :id IN (SELECT id FROM held)");
        Ok(self.one(&sql, params, |_| Ok(()))?.is_some())
    }

    /// The open beads that hold a bead back directly: blockers, children it waits for, held or deferred parents.
    pub fn blockers(&self, id: &BeadId) -> LedgerResult<Vec<Blocker>> {
        self.all(
            "SELECT t.id, t.title, t.status, d.type FROM dependencies d JOIN beads t ON t.id = d.depends_on_id
             WHERE d.issue_id = ?1 AND t.status NOT IN ('closed', 'tombstone')
               AND d.type IN ('blocks', 'merge-blocks', 'conditional-blocks', 'parent-child')
             UNION
             SELECT c.id, c.title, c.status, d.type FROM dependencies d
             JOIN dependencies k ON k.depends_on_id = d.depends_on_id AND k.type = 'parent-child'
             JOIN beads c ON c.id = k.issue_id
             WHERE d.issue_id = ?1 AND d.type = 'waits-for' AND c.status NOT IN ('closed', 'tombstone')
             ORDER BY 1",
            [id.as_str()],
            |row| {
                Ok(Blocker {
                    id: BeadId(row.get(0)?),
                    title: row.get(1)?,
                    status: Status::from(row.get::<_, String>(2)?.as_str()),
                    kind: DepType::from(row.get::<_, String>(3)?.as_str()),
                })
            },
        )
    }

    /// The way from `from` to `to` over edges that hold work back, if there is one: an edge the other way round would
    /// close a cycle.
    pub fn holding_path(&self, from: &BeadId, to: &BeadId) -> LedgerResult<Option<Vec<BeadId>>> {
        let mut came_from = std::collections::BTreeMap::from([(from.clone(), None)]);
        let mut next = vec![from.clone()];
        while let Some(at) = next.pop() {
            if &at == to {
                return Ok(Some(way_back(&came_from, at)));
            }
            for target in self.holding_targets(&at)? {
                if !came_from.contains_key(&target) {
                    came_from.insert(target.clone(), Some(at.clone()));
                    next.push(target);
                }
            }
        }
        Ok(None)
    }

    fn holding_targets(&self, id: &BeadId) -> LedgerResult<Vec<BeadId>> {
        self.all(
            "SELECT depends_on_id FROM dependencies WHERE issue_id = ?1
             AND type IN ('blocks', 'merge-blocks', 'conditional-blocks', 'parent-child', 'waits-for')",
            [id.as_str()],
            |row| Ok(BeadId(row.get(0)?)),
        )
    }
}

fn way_back(came_from: &std::collections::BTreeMap<BeadId, Option<BeadId>>, end: BeadId) -> Vec<BeadId> {
    let mut way = vec![end];
    while let Some(Some(before)) = way.last().and_then(|at| came_from.get(at)) {
        way.push(before.clone());
    }
    way.reverse();
    way
}

impl Tx<'_> {
    /// Ready beads as of this operation.
    pub fn ready_now(&self, prefix: Option<&str>) -> LedgerResult<Vec<Bead>> {
        self.ready(self.now(), prefix, None)
    }
}
