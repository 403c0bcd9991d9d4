//! Ready beads, and what blocks the others. Each is an indexed query, because the column `wake_ns` is kept up to date (see
//! holding.rs).

use gt_model::bead::{Bead, DepType, Status};
use gt_model::id::BeadId;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::query::Sql;
use super::{BeadFilter, LedgerResult, Tx, View};

/// A bead that keeps another one from being ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocker {
    /// Id of the blocking bead.
    pub id: BeadId,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: Status,
    /// Kind of the edge through which it blocks.
    pub kind: DepType,
}

/// Order of a list of ready beads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadyOrder {
    /// By priority, then oldest first.
    #[default]
    Priority,
    /// Oldest first.
    Oldest,
    /// Beads of the last two days by priority, then older beads, oldest first.
    Hybrid,
}

/// Maximum age of a bead that [`ReadyOrder::Hybrid`] sorts by priority.
const YOUNG: SignedDuration = SignedDuration::from_hours(48);

/// Selects and orders ready beads.
#[derive(Clone, Debug, Default)]
pub struct ReadyFilter {
    /// Further conditions. Its `order` and `all` are ignored.
    pub filter: BeadFilter,
    /// Order of the list.
    pub order: ReadyOrder,
    /// Whether to include epics.
    pub epics: bool,
}

/// SQL condition for a ready bead. Its terms equal those of the indexes `beads_ready` and `beads_ready_of`, so that SQLite uses
/// them.
pub(super) const READY: &str = "b.status = 'open' AND NOT b.pinned AND NOT b.is_template AND NOT b.ephemeral
    AND b.wake_ns < 9223372036854775807
    AND b.issue_type NOT IN ('merge-request', 'gate', 'molecule', 'message', 'agent', 'role', 'rig', 'convoy', 'slot',
                             'event')
    AND NOT EXISTS (SELECT 1 FROM conditions q WHERE q.key = 'quarantine:' || b.id)";

impl View<'_> {
    /// Returns ready beads by priority, then oldest first, at most `limit`. With `prefix`, only beads with that prefix.
    pub fn ready(&self, now: Timestamp, prefix: Option<&str>, limit: Option<u32>) -> LedgerResult<Vec<Bead>> {
        let filter = BeadFilter { prefix: prefix.map(str::to_owned), limit, ..BeadFilter::default() };
        self.ready_by(now, &ReadyFilter { filter, ..ReadyFilter::default() })
    }

    /// Returns the ready beads that `wanted` selects.
    pub fn ready_by(&self, now: Timestamp, wanted: &ReadyFilter) -> LedgerResult<Vec<Bead>> {
        self.beads_of(&ready_in_order(now, wanted))
    }

    /// Returns SQLite's plan for the query for ready beads. A test checks that it needs only an index.
    #[doc(hidden)]
    pub fn plan_of_ready(&self, now: Timestamp, wanted: &ReadyFilter) -> LedgerResult<String> {
        self.plan_of(&ready_in_order(now, wanted))
    }

    /// Returns the number of ready beads.
    pub fn count_ready(&self, now: Timestamp, prefix: Option<&str>) -> LedgerResult<u64> {
        let filter = BeadFilter { prefix: prefix.map(str::to_owned), ..BeadFilter::default() };
        self.count_of(&ready_sql(now, &ReadyFilter { filter, ..ReadyFilter::default() }))
    }

    /// Whether a bead is ready.
    pub fn is_ready(&self, now: Timestamp, id: &BeadId) -> LedgerResult<bool> {
        let mut sql = Sql::new("b.id = ");
        sql.bind(id.0.clone());
        sql.push(" AND b.issue_type != 'epic' AND b.wake_ns <= ");
        sql.bind(nanoseconds_of(now));
        sql.push(" AND ");
        sql.push(READY);
        Ok(self.count_of(&sql)? > 0)
    }

    /// Returns the beads that another bead blocks, by priority, then oldest first. Beads that only wait for a date are not among
    /// them.
    pub fn blocked(&self, filter: &BeadFilter) -> LedgerResult<Vec<Bead>> {
        self.beads_of(&blocked_in_order(filter))
    }

    /// Like [`Self::plan_of_ready`], for [`Self::blocked`].
    #[doc(hidden)]
    pub fn plan_of_blocked(&self, filter: &BeadFilter) -> LedgerResult<String> {
        self.plan_of(&blocked_in_order(filter))
    }

    /// Returns the number of beads that another bead blocks.
    pub fn count_blocked(&self) -> LedgerResult<u64> {
        self.count_of(&Sql::new("b.wake_ns = 9223372036854775807"))
    }

    /// Whether another bead, or a deferred parent, holds a bead back.
    pub fn is_held(&self, now: Timestamp, id: &BeadId) -> LedgerResult<bool> {
        let sql = "SELECT 1 FROM beads WHERE id = ?1 AND wake_ns > ?2 AND wake_ns > coalesce(defer_ns, 0)";
        Ok(self.one(sql, (id.as_str(), nanoseconds_of(now)), |_| Ok(()))?.is_some())
    }

    /// Returns the open beads that hold a bead back directly: its blockers, children that it waits for, and its parent if that is
    /// deferred or held back itself.
    pub fn blockers(&self, now: Timestamp, id: &BeadId) -> LedgerResult<Vec<Blocker>> {
        self.all(super::holding::BLOCKERS, (id.as_str(), nanoseconds_of(now)), |row| {
            Ok(Blocker {
                id: BeadId(row.get(0)?),
                title: row.get(1)?,
                status: Status::from(row.get::<_, String>(2)?.as_str()),
                kind: DepType::from(row.get::<_, String>(3)?.as_str()),
            })
        })
    }

    /// Returns the blocking edges whose target does not exist. They hold no bead back, but should be reported.
    pub fn dangling(&self) -> LedgerResult<Vec<(BeadId, BeadId)>> {
        let sql = "SELECT d.issue_id, d.depends_on_id FROM dependencies d
                   WHERE d.holds > 0 AND NOT EXISTS (SELECT 1 FROM beads t WHERE t.id = d.depends_on_id)
                   ORDER BY 1, 2";
        self.all(sql, [], |row| Ok((BeadId(row.get(0)?), BeadId(row.get(1)?))))
    }
}

fn ready_sql(now: Timestamp, wanted: &ReadyFilter) -> Sql {
    // The index is named because SQLite does not know that few beads are open.
    let from = match wanted.filter.prefix {
        Some(_) => "beads b INDEXED BY beads_ready_of",
        None => "beads b INDEXED BY beads_ready",
    };
    let mut sql = Sql::from(from, READY);
    sql.push(" AND b.wake_ns <= ");
    sql.bind(nanoseconds_of(now));
    if !wanted.epics {
        sql.push(" AND b.issue_type != 'epic'");
    }
    sql.filter(&BeadFilter { all: true, ..wanted.filter.clone() });
    sql
}

fn ready_in_order(now: Timestamp, wanted: &ReadyFilter) -> Sql {
    let mut sql = ready_sql(now, wanted);
    match wanted.order {
        ReadyOrder::Priority => sql.push(" ORDER BY b.priority, b.created_ns, b.id"),
        ReadyOrder::Oldest => sql.push(" ORDER BY b.created_ns, b.id"),
        ReadyOrder::Hybrid => {
            let young = nanoseconds_of(now.saturating_sub(YOUNG).unwrap_or(now));
            sql.push(" ORDER BY CASE WHEN b.created_ns >= ");
            sql.bind(young);
            sql.push(" THEN b.priority ELSE 9223372036854775807 END, b.created_ns, b.id");
        }
    }
    sql.limit(wanted.filter.limit, wanted.filter.offset);
    sql
}

fn blocked_in_order(filter: &BeadFilter) -> Sql {
    let mut sql = Sql::from("beads b INDEXED BY beads_blocked", "b.wake_ns = 9223372036854775807");
    sql.filter(&BeadFilter { all: true, ..filter.clone() });
    sql.push(" ORDER BY b.priority, b.created_ns, b.id");
    sql.limit(filter.limit, filter.offset);
    sql
}

/// Converts a time to the format of the `_ns` columns.
pub(super) fn nanoseconds_of(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(if at < Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX })
}

impl Tx<'_> {
    /// Returns the beads that are ready at the time of this operation, at most `limit`.
    pub fn ready_now(&self, prefix: Option<&str>, limit: Option<u32>) -> LedgerResult<Vec<Bead>> {
        self.ready(self.now(), prefix, limit)
    }
}
