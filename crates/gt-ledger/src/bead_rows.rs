//! Converts rows to beads, edges and comments. It reads columns by index, because looking up names takes longer than reading the
//! values.

use gt_model::bead::{Bead, BeadType, Comment, DepType, Dependency, Rest, Stamp, Status};
use gt_model::id::BeadId;
use rusqlite::Row;

use super::damaged;

fn stamp(text: &str) -> rusqlite::Result<Stamp> {
    Stamp::parse(text).map_err(damaged)
}

fn optional_stamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Stamp>> {
    row.get::<_, Option<String>>(column)?.map(|text| stamp(&text)).transpose()
}

/// Columns that [`bead_row`] reads, in its order.
pub(super) const BEAD: &str =
    "b.id, b.title, b.description, b.design, b.acceptance_criteria, b.notes, b.status, b.priority,
    b.issue_type, b.assignee, b.created_at, b.created_by, b.updated_at, b.closed_at, b.close_reason, b.defer_until,
    b.pinned, b.is_template, b.ephemeral, b.rest";

/// Reads a bead without its labels, dependencies and comments.
pub(super) fn bead_row(row: &Row<'_>) -> rusqlite::Result<Bead> {
    Ok(Bead {
        id: BeadId(row.get(0)?),
        title: row.get(1)?,
        description: row.get(2)?,
        design: row.get(3)?,
        acceptance_criteria: row.get(4)?,
        notes: row.get(5)?,
        status: Status::from(row.get_ref(6)?.as_str()?),
        priority: row.get(7)?,
        issue_type: BeadType::from(row.get_ref(8)?.as_str()?),
        assignee: row.get(9)?,
        created_at: stamp(row.get_ref(10)?.as_str()?)?,
        created_by: row.get(11)?,
        updated_at: stamp(row.get_ref(12)?.as_str()?)?,
        closed_at: optional_stamp(row, 13)?,
        close_reason: row.get(14)?,
        defer_until: optional_stamp(row, 15)?,
        pinned: row.get(16)?,
        is_template: row.get(17)?,
        ephemeral: row.get(18)?,
        labels: Vec::new(),
        dependencies: Vec::new(),
        comments: Vec::new(),
        rest: rest(row, 19)?,
    })
}

/// Columns that [`dependency_row`] reads, in its order.
pub(super) const DEPENDENCY: &str = "coalesce(p.owner, p.issue_id), p.depends_on_id, p.type, p.created_at, p.rest";

/// Reads an edge from the columns from index `first` on.
pub(super) fn dependency_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Dependency> {
    Ok(Dependency {
        issue_id: BeadId(row.get(first)?),
        depends_on_id: BeadId(row.get(first + 1)?),
        kind: DepType::from(row.get_ref(first + 2)?.as_str()?),
        created_at: row.get(first + 3)?,
        rest: rest(row, first + 4)?,
    })
}

/// Columns that [`comment_row`] reads, in its order.
pub(super) const COMMENT: &str = "p.id, p.author, p.text, p.created_at, p.rest";

/// Reads a comment from the columns from index `first` on.
pub(super) fn comment_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Comment> {
    Ok(Comment {
        id: row.get(first)?,
        author: row.get(first + 1)?,
        text: row.get(first + 2)?,
        created_at: row.get(first + 3)?,
        rest: rest(row, first + 4)?,
    })
}

/// Reads the keys that have no column of their own.
fn rest(row: &Row<'_>, column: usize) -> rusqlite::Result<Rest> {
    match row.get_ref(column)?.as_str()? {
        "[]" => Ok(Rest::new()),
        text => serde_json::from_str(text).map_err(damaged),
    }
}

/// Part of a bead that its worker is told.
#[derive(Clone, Debug)]
pub struct Task {
    /// Id of the bead.
    pub id: BeadId,
    /// Title of the bead.
    pub title: String,
    /// Description of the work.
    pub description: String,
    /// Conditions under which the work is done.
    pub acceptance_criteria: String,
    /// Intended way to do the work.
    pub design: String,
    /// Notes of earlier workers and of people.
    pub notes: String,
    /// Priority from 0 (most urgent) to 4.
    pub priority: i64,
}

/// Columns that [`task_row`] reads, in its order.
pub(super) const TASK: &str = "b.id, b.title, b.description, b.acceptance_criteria, b.design, b.notes, b.priority";

pub(super) fn task_row(row: &Row<'_>) -> rusqlite::Result<Task> {
    Ok(Task {
        id: BeadId(row.get(0)?),
        title: row.get(1)?,
        description: row.get(2)?,
        acceptance_criteria: row.get(3)?,
        design: row.get(4)?,
        notes: row.get(5)?,
        priority: row.get(6)?,
    })
}
