//! Counts of beads: by state, by epic, by label.

use std::collections::BTreeMap;

use gt_model::bead::Bead;
use gt_model::id::BeadId;
use jiff::Timestamp;
use serde::Serialize;

use super::query::Sql;
use super::ready::nanoseconds_of;
use super::{BeadFilter, LedgerResult, View};

/// Counts of beads.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Statistics {
    /// All beads except tombstones.
    pub total: u64,
    /// Beads by status.
    pub by_status: BTreeMap<String, u64>,
    /// Beads by type, except tombstones.
    pub by_type: BTreeMap<String, u64>,
    /// Beads by priority, except tombstones.
    pub by_priority: BTreeMap<i64, u64>,
    /// Beads that can be worked on now.
    pub ready: u64,
    /// Beads that another bead blocks.
    pub blocked: u64,
    /// Open beads that are deferred to a later time.
    pub deferred_until: u64,
    /// Pinned beads.
    pub pinned: u64,
    /// Open epics whose children are all closed.
    pub epics_to_close: u64,
    /// Average time from creation to closing of all closed beads, in hours.
    pub lead_time_hours: f64,
}

/// Progress of an epic.
#[derive(Clone, Debug, PartialEq)]
pub struct EpicStatus {
    /// Bead of the epic.
    pub epic: Bead,
    /// Number of children, without deleted ones.
    pub children: u64,
    /// Number of closed children.
    pub closed: u64,
}

impl EpicStatus {
    /// Whether it has children and all of them are closed.
    pub fn is_done(&self) -> bool {
        self.children > 0 && self.children == self.closed
    }
}

/// SQL condition for open epics that have children, all of them closed.
const DONE_EPICS: &str = "b.issue_type = 'epic' AND b.status NOT IN ('closed', 'tombstone')
    AND EXISTS (SELECT 1 FROM dependencies k JOIN beads c ON c.id = k.issue_id
                WHERE k.depends_on_id = b.id AND k.holds = 5 AND c.status != 'tombstone')
    AND NOT EXISTS (SELECT 1 FROM dependencies k JOIN beads c ON c.id = k.issue_id
                    WHERE k.depends_on_id = b.id AND k.holds = 5 AND c.status NOT IN ('closed', 'tombstone'))";

/// SQL query for the number of children of the bead `?1`, and how many of them are closed.
const CHILDREN: &str = "SELECT count(*), coalesce(sum(c.status = 'closed'), 0) FROM dependencies k
    JOIN beads c ON c.id = k.issue_id WHERE k.depends_on_id = ?1 AND k.holds = 5 AND c.status != 'tombstone'";

impl View<'_> {
    /// Returns the number of beads by status, and the number of beads by type without deleted ones.
    pub fn words(&self) -> LedgerResult<(BTreeMap<String, u64>, BTreeMap<String, u64>)> {
        let by_status = self.counts("SELECT status, count(*) FROM beads GROUP BY status")?;
        let by_type =
            self.counts("SELECT issue_type, count(*) FROM beads WHERE status != 'tombstone' GROUP BY issue_type")?;
        Ok((by_status, by_type))
    }

    /// Counts beads.
    pub fn statistics(&self, now: Timestamp) -> LedgerResult<Statistics> {
        let (by_status, by_type) = self.words()?;
        let sql = "SELECT priority, count(*) FROM beads WHERE status != 'tombstone' GROUP BY priority";
        let by_priority = self.all(sql, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
        let sql = "SELECT avg((closed_ns - created_ns) / 3.6e12) FROM beads WHERE status = 'closed' AND closed_ns > 0";
        let lead_time = self.one(sql, [], |row| row.get::<_, Option<f64>>(0))?.flatten();
        let mut later = Sql::new("b.status = 'open' AND b.defer_ns > ");
        later.bind(nanoseconds_of(now));
        Ok(Statistics {
            total: by_status.iter().filter(|(status, _)| *status != "tombstone").map(|(_, count)| count).sum(),
            by_status,
            by_type,
            by_priority: by_priority.into_iter().collect(),
            ready: self.count_ready(now, None)?,
            blocked: self.count_blocked()?,
            deferred_until: self.count_of(&later)?,
            pinned: self.count_of(&Sql::new("b.pinned AND b.status NOT IN ('closed', 'tombstone')"))?,
            epics_to_close: self.count_of(&Sql::new(DONE_EPICS))?,
            lead_time_hours: lead_time.unwrap_or_default(),
        })
    }

    /// Returns open epics, by priority, then oldest first.
    pub fn epics(&self) -> LedgerResult<Vec<EpicStatus>> {
        let filter = BeadFilter { issue_type: Some(gt_model::bead::BeadType::Epic), ..BeadFilter::default() };
        self.beads(&filter)?.into_iter().map(|epic| self.epic_status(epic)).collect()
    }

    fn epic_status(&self, epic: Bead) -> LedgerResult<EpicStatus> {
        let counts =
            self.one(CHILDREN, [epic.id.as_str()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        let (children, closed) = counts.unwrap_or_default();
        Ok(EpicStatus { epic, children: children.unsigned_abs(), closed: closed.unsigned_abs() })
    }

    /// Returns the open beads that were not changed since `before`, the longest unchanged first.
    pub fn stale(&self, before: Timestamp, filter: &BeadFilter) -> LedgerResult<Vec<Bead>> {
        let mut sql = Sql::new("b.status NOT IN ('closed', 'tombstone') AND b.updated_ns < ");
        sql.bind(nanoseconds_of(before));
        sql.filter(&BeadFilter { all: true, ..filter.clone() });
        sql.push(" ORDER BY b.updated_ns, b.id");
        sql.limit(filter.limit, filter.offset);
        self.beads_of(&sql)
    }

    /// Returns all labels, each with the number of its beads.
    pub fn labels(&self) -> LedgerResult<BTreeMap<String, u64>> {
        self.counts("SELECT label, count(DISTINCT issue_id) FROM labels GROUP BY label")
    }

    /// Counts beads by one of their fields. Returns `None` if this can't count by that field.
    pub fn count_by(&self, field: &str, filter: &BeadFilter) -> LedgerResult<Option<BTreeMap<String, u64>>> {
        let (column, join) = match field {
            "status" => ("b.status", ""),
            "type" => ("b.issue_type", ""),
            "priority" => ("CAST(b.priority AS TEXT)", ""),
            "assignee" => ("coalesce(b.assignee, '')", ""),
            "label" => ("l.label", " AND l.issue_id = b.id"),
            _ => return Ok(None),
        };
        let mut sql = Sql::new("1");
        sql.filter(filter);
        sql.push(join);
        sql.push(" GROUP BY 1");
        let (text, params) = sql.select(&format!("{column}, count(DISTINCT b.n)"));
        let text = if join.is_empty() { text } else { text.replacen("FROM beads b", "FROM beads b, labels l", 1) };
        let rows = self.all(&text, rusqlite::params_from_iter(params), |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
        })?;
        Ok(Some(rows.into_iter().collect()))
    }

    fn counts(&self, sql: &str) -> LedgerResult<BTreeMap<String, u64>> {
        let rows = self.all(sql, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
        Ok(rows.into_iter().collect())
    }

    /// Returns the children of a bead, including deleted ones, in byte order of their ids.
    pub fn children_of(&self, id: &BeadId) -> LedgerResult<Vec<BeadId>> {
        let sql = "SELECT DISTINCT issue_id FROM dependencies WHERE depends_on_id = ?1 AND holds = 5 ORDER BY 1";
        self.all(sql, [id.as_str()], |row| Ok(BeadId(row.get(0)?)))
    }
}
