//! Beads as rows.

use gt_model::bead::{Bead, BeadType, Comment, DepType, Dependency, Rest, Stamp, Status};
use gt_model::id::BeadId;
use rusqlite::Row;
use serde_json::{Map, Value, json};

use super::{LedgerResult, Tx, View, damaged, json_column, to_json};

/// Which beads to list.
#[derive(Clone, Debug, Default)]
pub struct BeadFilter {
    /// Only of this status.
    pub status: Option<Status>,
    /// Only of this type.
    pub issue_type: Option<BeadType>,
    /// Only held by this one.
    pub assignee: Option<String>,
    /// Only with this label.
    pub label: Option<String>,
    /// Only with this id prefix.
    pub prefix: Option<String>,
    /// Closed ones and tombstones too.
    pub all: bool,
    /// At most so many; `None`: no limit.
    pub limit: Option<u32>,
}

/// A change of a bead's own fields by somebody. `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct BeadChange {
    /// The new title.
    pub title: Option<String>,
    /// The new description.
    pub description: Option<String>,
    /// The new design.
    pub design: Option<String>,
    /// The new acceptance criteria.
    pub acceptance_criteria: Option<String>,
    /// The new notes.
    pub notes: Option<String>,
    /// The new status.
    pub status: Option<Status>,
    /// The new priority.
    pub priority: Option<i64>,
    /// The new type.
    pub issue_type: Option<BeadType>,
    /// The new holder; `Some(None)`: nobody.
    pub assignee: Option<Option<String>>,
    /// Labels to add.
    pub add_labels: Vec<String>,
    /// Labels to take away.
    pub remove_labels: Vec<String>,
}

impl BeadChange {
    /// The bead with this change made.
    pub fn apply(&self, bead: &Bead) -> Bead {
        let text = |new: &Option<String>, old: &str| new.clone().unwrap_or_else(|| old.to_owned());
        let mut labels = bead.labels.clone();
        labels.retain(|label| !self.remove_labels.contains(label));
        for label in &self.add_labels {
            if !labels.contains(label) {
                labels.push(label.clone());
            }
        }
        Bead {
            title: text(&self.title, &bead.title),
            description: text(&self.description, &bead.description),
            design: text(&self.design, &bead.design),
            acceptance_criteria: text(&self.acceptance_criteria, &bead.acceptance_criteria),
            notes: text(&self.notes, &bead.notes),
            status: self.status.clone().unwrap_or_else(|| bead.status.clone()),
            priority: self.priority.unwrap_or(bead.priority),
            issue_type: self.issue_type.clone().unwrap_or_else(|| bead.issue_type.clone()),
            assignee: self.assignee.clone().unwrap_or_else(|| bead.assignee.clone()),
            labels,
            ..bead.clone()
        }
    }
}

/// The part of an id before its last dash that is followed by the hash: `vt` of `vt-a1`, `my-app` of `my-app-x7k`.
pub(super) fn prefix_of(id: &BeadId) -> &str {
    id.as_str().rsplit_once('-').map_or("", |(prefix, _)| prefix)
}

fn stamp(text: &str) -> rusqlite::Result<Stamp> {
    Stamp::parse(text).map_err(damaged)
}

fn optional_stamp(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Stamp>> {
    row.get::<_, Option<String>>(column)?.map(|text| stamp(&text)).transpose()
}

/// A bead without its labels, dependencies and comments.
fn bead_row(row: &Row<'_>) -> rusqlite::Result<Bead> {
    Ok(Bead {
        id: BeadId(row.get("id")?),
        title: row.get("title")?,
        description: row.get("description")?,
        design: row.get("design")?,
        acceptance_criteria: row.get("acceptance_criteria")?,
        notes: row.get("notes")?,
        status: Status::from(row.get::<_, String>("status")?.as_str()),
        priority: row.get("priority")?,
        issue_type: BeadType::from(row.get::<_, String>("issue_type")?.as_str()),
        assignee: row.get("assignee")?,
        created_at: stamp(&row.get::<_, String>("created_at")?)?,
        created_by: row.get("created_by")?,
        updated_at: stamp(&row.get::<_, String>("updated_at")?)?,
        closed_at: optional_stamp(row, "closed_at")?,
        close_reason: row.get("close_reason")?,
        defer_until: optional_stamp(row, "defer_until")?,
        pinned: row.get("pinned")?,
        is_template: row.get("is_template")?,
        ephemeral: row.get("ephemeral")?,
        labels: Vec::new(),
        dependencies: Vec::new(),
        comments: Vec::new(),
        rest: json_column::<Rest>(row, "rest")?,
    })
}

fn dependency_row(row: &Row<'_>) -> rusqlite::Result<Dependency> {
    Ok(Dependency {
        issue_id: BeadId(row.get("issue_id")?),
        depends_on_id: BeadId(row.get("depends_on_id")?),
        kind: DepType::from(row.get::<_, String>("type")?.as_str()),
        created_at: row.get("created_at")?,
        rest: json_column(row, "rest")?,
    })
}

fn comment_row(row: &Row<'_>) -> rusqlite::Result<Comment> {
    Ok(Comment {
        id: row.get("id")?,
        author: row.get("author")?,
        text: row.get("text")?,
        created_at: row.get("created_at")?,
        rest: json_column(row, "rest")?,
    })
}

impl View<'_> {
    /// A bead, whole.
    pub fn bead(&self, id: &BeadId) -> LedgerResult<Option<Bead>> {
        let found = self.one("SELECT * FROM beads WHERE id = ?1", [id.as_str()], bead_row)?;
        found.map(|bead| self.with_parts(bead)).transpose()
    }

    fn with_parts(&self, mut bead: Bead) -> LedgerResult<Bead> {
        let id = bead.id.as_str().to_owned();
        let by_position = |table| format!("SELECT * FROM {table} WHERE issue_id = ?1 ORDER BY position");
        bead.labels = self.all(&by_position("labels"), [&id], |row| row.get("label"))?;
        bead.dependencies = self.all(&by_position("dependencies"), [&id], dependency_row)?;
        bead.comments = self.all(&by_position("comments"), [&id], comment_row)?;
        Ok(bead)
    }

    /// Beads that the filter lets through, by priority, then age.
    pub fn beads(&self, filter: &BeadFilter) -> LedgerResult<Vec<Bead>> {
        let rows = self.all(
            "SELECT * FROM beads b
             WHERE (?1 IS NULL OR status = ?1)
               AND (?2 IS NULL OR issue_type = ?2)
               AND (?3 IS NULL OR assignee = ?3)
               AND (?4 IS NULL OR EXISTS (SELECT 1 FROM labels l WHERE l.issue_id = b.id AND l.label = ?4))
               AND (?5 IS NULL OR prefix = ?5)
               AND (?6 OR ?1 IS NOT NULL OR status NOT IN ('closed', 'tombstone'))
             ORDER BY priority, created_ns, id LIMIT ?7",
            (
                filter.status.as_ref().map(Status::as_str),
                filter.issue_type.as_ref().map(BeadType::as_str),
                &filter.assignee,
                &filter.label,
                &filter.prefix,
                filter.all,
                filter.limit.map_or(-1, i64::from),
            ),
            bead_row,
        )?;
        rows.into_iter().map(|bead| self.with_parts(bead)).collect()
    }

    /// All ids, in byte order.
    pub fn bead_ids(&self) -> LedgerResult<Vec<BeadId>> {
        self.all("SELECT id FROM beads ORDER BY id", [], |row| Ok(BeadId(row.get(0)?)))
    }

    /// How many beads have ids with that prefix.
    pub fn count_with_prefix(&self, prefix: &str) -> LedgerResult<u64> {
        let count = self.one("SELECT count(*) FROM beads WHERE prefix = ?1", [prefix], |row| row.get::<_, i64>(0))?;
        Ok(count.unwrap_or(0).unsigned_abs())
    }

    /// Every prefix in use.
    pub fn prefixes(&self) -> LedgerResult<Vec<String>> {
        self.all("SELECT DISTINCT prefix FROM beads ORDER BY prefix", [], |row| row.get(0))
    }

    /// Whether there is a bead with that id.
    pub fn has_bead(&self, id: &BeadId) -> LedgerResult<bool> {
        Ok(self.one("SELECT 1 FROM beads WHERE id = ?1", [id.as_str()], |_| Ok(()))?.is_some())
    }

    /// Edges to a bead.
    pub fn dependents(&self, id: &BeadId) -> LedgerResult<Vec<Dependency>> {
        self.all("SELECT * FROM dependencies WHERE depends_on_id = ?1 ORDER BY issue_id", [id.as_str()], dependency_row)
    }

    /// Lines of imported files that are no beads, in their order.
    pub fn foreign_records(&self, prefix: &str) -> LedgerResult<Vec<String>> {
        self.all("SELECT line FROM foreign_records WHERE prefix = ?1 ORDER BY position", [prefix], |row| row.get(0))
    }
}

impl Tx<'_> {
    /// Adds a bead that is not there yet.
    pub fn add_bead(&self, bead: &Bead) -> LedgerResult<()> {
        self.put_bead(bead)?;
        self.event("bead-created", bead.id.as_str(), Some(&bead.id), None, Some(&fields(bead)))
    }

    /// Replaces a bead by another version of it (as an import does), or adds it.
    pub fn import_bead(&self, bead: &Bead) -> LedgerResult<()> {
        let before = self.bead(&bead.id)?;
        if before.as_ref() == Some(bead) {
            return Ok(());
        }
        self.put_bead(bead)?;
        let before = before.as_ref().map(fields);
        self.event("bead-imported", bead.id.as_str(), Some(&bead.id), before.as_ref(), Some(&fields(bead)))
    }

    /// Writes a changed bead and an event that holds what changed. Nothing changed: nothing written.
    pub fn change_bead(&self, event: &str, before: &Bead, after: &Bead) -> LedgerResult<()> {
        if before == after {
            return Ok(());
        }
        let mut after = after.clone();
        after.updated_at = self.now().into();
        self.put_bead(&after)?;
        let (old, new) = difference(&fields(before), &fields(&after));
        self.event(event, before.id.as_str(), Some(&before.id), Some(&old), Some(&new))
    }

    fn put_bead(&self, bead: &Bead) -> LedgerResult<()> {
        let id = bead.id.as_str();
        self.connection
            .prepare_cached(
                "INSERT INTO beads VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                                           ?18, ?19, ?20, ?21, ?22, ?23, ?24)
                 ON CONFLICT (id) DO UPDATE SET title = ?3, description = ?4, design = ?5, acceptance_criteria = ?6,
                   notes = ?7, status = ?8, priority = ?9, issue_type = ?10, assignee = ?11, created_at = ?12,
                   created_ns = ?13, created_by = ?14, updated_at = ?15, updated_ns = ?16, closed_at = ?17,
                   close_reason = ?18, defer_until = ?19, defer_ns = ?20, pinned = ?21, is_template = ?22,
                   ephemeral = ?23, rest = ?24",
            )?
            .execute(rusqlite::params![
                id,
                prefix_of(&bead.id),
                bead.title,
                bead.description,
                bead.design,
                bead.acceptance_criteria,
                bead.notes,
                bead.status.as_str(),
                bead.priority,
                bead.issue_type.as_str(),
                bead.assignee,
                bead.created_at.text,
                nanoseconds(&bead.created_at),
                bead.created_by,
                bead.updated_at.text,
                nanoseconds(&bead.updated_at),
                bead.closed_at.as_ref().map(|at| &at.text),
                bead.close_reason,
                bead.defer_until.as_ref().map(|at| &at.text),
                bead.defer_until.as_ref().map(nanoseconds),
                bead.pinned,
                bead.is_template,
                bead.ephemeral,
                to_json(&bead.rest)?,
            ])?;
        self.put_parts(bead)
    }

    fn put_parts(&self, bead: &Bead) -> LedgerResult<()> {
        let id = bead.id.as_str();
        for table in ["labels", "dependencies", "comments"] {
            self.execute(&format!("DELETE FROM {table} WHERE issue_id = ?1"), [id])?;
        }
        for (at, label) in bead.labels.iter().enumerate() {
            self.execute("INSERT INTO labels VALUES (?1, ?2, ?3)", (id, at as i64, label))?;
        }
        for (at, dep) in bead.dependencies.iter().enumerate() {
            self.execute(
                "INSERT OR IGNORE INTO dependencies VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (id, dep.depends_on_id.as_str(), dep.kind.as_str(), at as i64, &dep.created_at, to_json(&dep.rest)?),
            )?;
        }
        for (at, comment) in bead.comments.iter().enumerate() {
            self.execute(
                "INSERT INTO comments VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (
                    id,
                    at as i64,
                    &comment.id,
                    &comment.author,
                    &comment.text,
                    &comment.created_at,
                    to_json(&comment.rest)?,
                ),
            )?;
        }
        Ok(())
    }

    /// Keeps a line of an imported file that is no bead, unless it is there already.
    pub fn keep_foreign_record(&self, prefix: &str, line: &str) -> LedgerResult<()> {
        self.execute(
            "INSERT INTO foreign_records
             SELECT ?1, (SELECT count(*) FROM foreign_records), ?2
             WHERE NOT EXISTS (SELECT 1 FROM foreign_records WHERE prefix = ?1 AND line = ?2)",
            (prefix, line),
        )?;
        Ok(())
    }
}

/// Nanoseconds since the epoch; what is beyond the range of the column counts as its end.
fn nanoseconds(stamp: &Stamp) -> i64 {
    i64::try_from(stamp.at.as_nanosecond()).unwrap_or(i64::MAX)
}

/// A bead's fields for the audit.
fn fields(bead: &Bead) -> Value {
    json!({
        "title": bead.title,
        "description": bead.description,
        "design": bead.design,
        "acceptance_criteria": bead.acceptance_criteria,
        "notes": bead.notes,
        "status": bead.status.as_str(),
        "priority": bead.priority,
        "issue_type": bead.issue_type.as_str(),
        "assignee": bead.assignee,
        "closed_at": bead.closed_at.as_ref().map(|at| &at.text),
        "close_reason": bead.close_reason,
        "defer_until": bead.defer_until.as_ref().map(|at| &at.text),
        "labels": bead.labels,
        "dependencies": bead.dependencies.iter()
            .map(|d| format!("{} {}", d.kind, d.depends_on_id)).collect::<Vec<_>>(),
        "comments": bead.comments.iter().map(|c| &c.text).collect::<Vec<_>>(),
        "rest": bead.rest,
    })
}

/// The fields in which two objects differ, as they were and as they are.
fn difference(before: &Value, after: &Value) -> (Value, Value) {
    let (mut old, mut new) = (Map::new(), Map::new());
    if let (Value::Object(before), Value::Object(after)) = (before, after) {
        for (key, value) in after {
            let was = before.get(key).unwrap_or(&Value::Null);
            if was != value {
                old.insert(key.clone(), was.clone());
                new.insert(key.clone(), value.clone());
            }
        }
    }
    (Value::Object(old), Value::Object(new))
}
