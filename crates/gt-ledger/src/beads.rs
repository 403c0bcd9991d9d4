//! Which beads there are, and how they change.

use std::collections::{BTreeMap, HashSet};

use gt_model::bead::{Bead, BeadType, Dependency, Rest, Stamp, Status};
use gt_model::id::BeadId;
use gt_model::query::Query;
use rusqlite::Row;
use serde_json::{Map, Value, json};

use super::bead_rows::{BEAD, COMMENT, DEPENDENCY, TASK, Task, bead_row, comment_row, dependency_row, task_row};
use super::holding;
use super::query::{Sql, match_words};
use super::ready::nanoseconds_of;
use super::words_aside::Aside;
use super::{LedgerError, LedgerResult, Tx, View, damaged, to_json};

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
    /// Only those that fulfil this query.
    pub query: Option<Query>,
    /// In which order.
    pub order: BeadOrder,
    /// At most so many; `None`: no limit.
    pub limit: Option<u32>,
    /// Without the first ones.
    pub offset: u32,
}

/// In which order beads are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BeadOrder {
    /// By priority, then age.
    #[default]
    Priority,
    /// By id, in byte order.
    Id,
    /// The newest first.
    Created,
    /// The last changed first.
    Updated,
    /// The last closed first.
    Closed,
}

impl BeadOrder {
    fn sql(self) -> &'static str {
        match self {
            Self::Priority => " ORDER BY b.priority, b.created_ns, b.id",
            Self::Id => " ORDER BY b.id",
            Self::Created => " ORDER BY b.created_ns DESC, b.id",
            Self::Updated => " ORDER BY b.updated_ns DESC, b.id",
            Self::Closed => " ORDER BY b.closed_ns DESC, b.id",
        }
    }
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
    /// A line more of notes.
    pub more_notes: Option<String>,
    /// The new status.
    pub status: Option<Status>,
    /// The new priority.
    pub priority: Option<i64>,
    /// The new type.
    pub issue_type: Option<BeadType>,
    /// The new holder; `Some(None)`: nobody.
    pub assignee: Option<Option<String>>,
    /// Until when it is put off; `Some(None)`: it no longer is.
    pub defer_until: Option<Option<Stamp>>,
    /// Whether it is kept in view.
    pub pinned: Option<bool>,
    /// Whether it is a pattern for others.
    pub is_template: Option<bool>,
    /// Keys without a field of their own, with their new JSON text; `None` takes one away.
    pub rest: Vec<(String, Option<String>)>,
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
            notes: with_line(text(&self.notes, &bead.notes), self.more_notes.as_deref()),
            status: self.status.clone().unwrap_or_else(|| bead.status.clone()),
            priority: self.priority.unwrap_or(bead.priority),
            issue_type: self.issue_type.clone().unwrap_or_else(|| bead.issue_type.clone()),
            assignee: self.assignee.clone().unwrap_or_else(|| bead.assignee.clone()),
            defer_until: self.defer_until.clone().unwrap_or_else(|| bead.defer_until.clone()),
            pinned: self.pinned.unwrap_or(bead.pinned),
            is_template: self.is_template.unwrap_or(bead.is_template),
            labels,
            rest: self.changed_rest(&bead.rest),
            ..bead.clone()
        }
    }

    fn changed_rest(&self, rest: &Rest) -> Rest {
        let mut rest = rest.clone();
        for (key, raw) in &self.rest {
            match (rest.iter().position(|(name, _)| name == key), raw) {
                (Some(at), Some(raw)) => rest[at].1.clone_from(raw),
                (Some(at), None) => _ = rest.remove(at),
                (None, Some(raw)) => rest.push((key.clone(), raw.clone())),
                (None, None) => {}
            }
        }
        gt_model::jsonl::order_bead_rest(&mut rest);
        rest
    }
}

fn with_line(notes: String, line: Option<&str>) -> String {
    match line {
        None => notes,
        Some(line) if notes.is_empty() => line.to_owned(),
        Some(line) => format!("{notes}\n{line}"),
    }
}

fn listed(filter: &BeadFilter) -> Sql {
    let mut sql = Sql::new("1");
    sql.filter(filter);
    sql.push(filter.order.sql());
    sql.limit(filter.limit, filter.offset);
    sql
}

/// Which of the asked-for beads a row is of: its first column.
fn place(row: &Row<'_>) -> rusqlite::Result<usize> {
    usize::try_from(row.get::<_, i64>(0)?).map_err(damaged)
}

/// How many beads' parts are read at once.
const PARTS_AT_ONCE: usize = 500;

/// The first column of a part's own, after its bead's place and its position.
const PART: usize = 2;

impl View<'_> {
    /// What who works on a bead is told of it.
    pub fn task(&self, id: &BeadId) -> LedgerResult<Option<Task>> {
        self.one(&format!("SELECT {TASK} FROM beads b WHERE b.id = ?1"), [id.as_str()], task_row)
    }

    /// A bead, whole.
    pub fn bead(&self, id: &BeadId) -> LedgerResult<Option<Bead>> {
        let found = self.one(&format!("SELECT {BEAD} FROM beads b WHERE b.id = ?1"), [id.as_str()], bead_row)?;
        let mut found: Vec<Bead> = found.into_iter().collect();
        self.add_parts(&mut found)?;
        Ok(found.pop())
    }

    /// These beads, whole, in this order; those that are not there are left out.
    pub fn beads_with(&self, ids: &[BeadId]) -> LedgerResult<Vec<Bead>> {
        let sql = format!("SELECT {BEAD} FROM json_each(?1) j JOIN beads b ON b.id = j.value ORDER BY j.key");
        let mut found = self.all(&sql, [to_json(&ids)?], bead_row)?;
        self.add_parts(&mut found)?;
        Ok(found)
    }

    /// Reads labels, dependencies and comments of beads that have none yet.
    fn add_parts(&self, beads: &mut [Bead]) -> LedgerResult<()> {
        let mut beads: Vec<&mut Bead> = beads.iter_mut().collect();
        // In the order of the tables, so that each is gone through once.
        beads.sort_by(|a, b| a.id.cmp(&b.id));
        for beads in beads.chunks_mut(PARTS_AT_ONCE) {
            let ids: Vec<BeadId> = beads.iter().map(|bead| bead.id.clone()).collect();
            for (at, label) in self.parts("labels", "p.label", &ids, |row| row.get(PART))? {
                beads[at].labels.push(label);
            }
            for (at, edge) in self.parts("dependencies", DEPENDENCY, &ids, |row| dependency_row(row, PART))? {
                beads[at].dependencies.push(edge);
            }
            for (at, comment) in self.parts("comments", COMMENT, &ids, |row| comment_row(row, PART))? {
                beads[at].comments.push(comment);
            }
        }
        Ok(())
    }

    /// The rows of a table of beads' parts for these beads, in their order and by position; each with the place of its
    /// bead in the list.
    fn parts<T>(
        &self,
        table: &str,
        columns: &str,
        ids: &[BeadId],
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> LedgerResult<Vec<(usize, T)>> {
        let (key, from, of) = match ids {
            // To read a list would cost a process that asks for one bead more than the answer does.
            [id] => ("0", format!("{table} p WHERE p.issue_id = ?1"), id.0.clone()),
            // Crossed, so that rows come in order by themselves; sorted all the same, which costs nothing then.
            _ => ("j.key", format!("json_each(?1) j CROSS JOIN {table} p ON p.issue_id = j.value"), to_json(&ids)?),
        };
        let sql = format!("SELECT {key}, p.position, {columns} FROM {from}");
        let mut rows = self.all(&sql, [of], |row| Ok((place(row)?, row.get::<_, i64>(1)?, read(row)?)))?;
        rows.sort_by_key(|(at, position, _)| (*at, *position));
        Ok(rows.into_iter().map(|(at, _, part)| (at, part)).collect())
    }

    /// Beads that the filter lets through, in its order.
    pub fn beads(&self, filter: &BeadFilter) -> LedgerResult<Vec<Bead>> {
        self.beads_of(&listed(filter))
    }

    /// As [`Self::plan_of_ready`], of a list.
    #[doc(hidden)]
    pub fn plan_of_list(&self, filter: &BeadFilter) -> LedgerResult<String> {
        self.plan_of(&listed(filter))
    }

    /// How many beads the filter lets through; its limit counts for nothing here.
    pub fn count(&self, filter: &BeadFilter) -> LedgerResult<u64> {
        let mut sql = Sql::new("1");
        sql.filter(filter);
        self.count_of(&sql)
    }

    /// Beads of which the texts have all these words (their beginnings are enough); the best ones first, and before them
    /// the one whose id the text is.
    pub fn search(&self, text: &str, filter: &BeadFilter) -> LedgerResult<Vec<Bead>> {
        let Some(words) = match_words(text) else {
            let mut sql = Sql::new("1");
            sql.filter(filter);
            sql.push(" AND ");
            sql.text(text);
            sql.push(filter.order.sql());
            sql.limit(filter.limit, filter.offset);
            return self.beads_of(&sql);
        };
        let mut named = Sql::new("b.id = ");
        named.bind(text.to_owned());
        named.filter(filter);
        let mut found = self.beads_of(&named)?;
        let mut sql = Sql::found(&words);
        sql.push(" AND b.id != ");
        sql.bind(text.to_owned());
        sql.filter(filter);
        sql.push(" ORDER BY s.rank, b.priority, b.id");
        sql.limit(filter.limit, filter.offset);
        found.extend(self.beads_of(&sql)?);
        found.truncate(filter.limit.map_or(usize::MAX, |limit| limit as usize));
        Ok(found)
    }

    /// For each of these beads, how many others it blocks, whether they are open or not.
    pub fn blocked_counts(&self, ids: &[BeadId]) -> LedgerResult<Vec<u64>> {
        let mut counts = vec![0; ids.len()];
        // In the order of the index, so that it is gone through once.
        let mut places: Vec<usize> = (0..ids.len()).collect();
        places.sort_by(|a, b| ids[*a].cmp(&ids[*b]));
        for places in places.chunks(PARTS_AT_ONCE) {
            let sorted: Vec<&BeadId> = places.iter().map(|at| &ids[*at]).collect();
            let sql = "SELECT j.key FROM json_each(?1) j CROSS JOIN dependencies p
                       ON p.depends_on_id = j.value AND p.holds = 1 AND p.type = 'blocks'";
            for at in self.all(sql, [to_json(&sorted)?], place)? {
                counts[places[at]] += 1;
            }
        }
        Ok(counts)
    }

    pub(super) fn beads_of(&self, sql: &Sql) -> LedgerResult<Vec<Bead>> {
        self.prepare(sql)?;
        let (text, params) = sql.select(BEAD);
        let mut found = self.all(&text, rusqlite::params_from_iter(params), bead_row)?;
        self.add_parts(&mut found)?;
        Ok(found)
    }

    pub(super) fn plan_of(&self, sql: &Sql) -> LedgerResult<String> {
        let (text, params) = sql.select(BEAD);
        let text = format!("EXPLAIN QUERY PLAN {text}");
        let lines = self.all(&text, rusqlite::params_from_iter(params), |row| row.get::<_, String>(3))?;
        Ok(lines.join("\n"))
    }

    pub(super) fn count_of(&self, sql: &Sql) -> LedgerResult<u64> {
        self.prepare(sql)?;
        let (text, params) = sql.select("count(*)");
        let count = self.one(&text, rusqlite::params_from_iter(params), |row| row.get::<_, i64>(0))?;
        Ok(count.unwrap_or(0).unsigned_abs())
    }

    /// The next beads by id, for reading all in pieces: after `after`, of these prefixes (all, where none are given).
    pub fn beads_after(&self, after: &str, prefixes: &[String], wisps: bool, limit: u32) -> LedgerResult<Vec<Bead>> {
        let mut sql = Sql::new("b.id > ");
        sql.bind(after.to_owned());
        sql.of_prefixes(prefixes);
        if !wisps {
            sql.push(" AND NOT b.ephemeral");
        }
        sql.push(" ORDER BY b.id");
        sql.limit(Some(limit), 0);
        self.beads_of(&sql)
    }

    /// How many ephemeral beads there are of these prefixes (of all, where none are given).
    pub fn count_wisps(&self, prefixes: &[String]) -> LedgerResult<u64> {
        let mut sql = Sql::new("b.ephemeral");
        sql.of_prefixes(prefixes);
        self.count_of(&sql)
    }

    /// At most `limit` ids that are `begin`, or begin with it, in byte order.
    pub fn ids_beginning(&self, begin: &str, limit: usize) -> LedgerResult<Vec<BeadId>> {
        let sql = "SELECT id FROM beads WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3";
        self.all(sql, (begin, format!("{begin}\u{10ffff}"), limit as i64), |row| Ok(BeadId(row.get(0)?)))
    }

    /// How many beads have ids with that prefix.
    pub fn count_with_prefix(&self, prefix: &str) -> LedgerResult<u64> {
        let count = self.one("SELECT beads FROM prefixes WHERE prefix = ?1", [prefix], |row| row.get::<_, i64>(0))?;
        Ok(count.unwrap_or(0).unsigned_abs())
    }

    /// Every prefix in use.
    pub fn prefixes(&self) -> LedgerResult<Vec<String>> {
        self.all("SELECT prefix FROM prefixes WHERE beads > 0 ORDER BY prefix", [], |row| row.get(0))
    }

    /// Whether there is a bead with that id.
    pub fn has_bead(&self, id: &BeadId) -> LedgerResult<bool> {
        Ok(self.one("SELECT 1 FROM beads WHERE id = ?1", [id.as_str()], |_| Ok(()))?.is_some())
    }

    /// Edges to a bead.
    pub fn dependents(&self, id: &BeadId) -> LedgerResult<Vec<Dependency>> {
        let sql = "SELECT issue_id, depends_on_id, type, created_at, rest FROM dependencies
                   WHERE depends_on_id = ?1 ORDER BY issue_id, position";
        self.all(sql, [id.as_str()], |row| dependency_row(row, 0))
    }

    /// The prefixes of which something changed after the event `after`; `None`: it is another question which file each
    /// prefix is in, since rigs came or went.
    pub fn prefixes_changed_after(&self, after: i64) -> LedgerResult<Option<Vec<String>>> {
        let sql = "SELECT 1 FROM events WHERE seq > ?1 AND event IN ('rig-added', 'rig-removed')";
        if self.one(sql, [after], |_| Ok(()))?.is_some() {
            return Ok(None);
        }
        let sql = "SELECT DISTINCT b.prefix FROM events e JOIN beads b ON b.id = e.bead WHERE e.seq > ?1
                   UNION SELECT subject FROM events WHERE seq > ?1 AND event = ?2";
        self.all(sql, (after, RECORD_KEPT), |row| row.get(0)).map(Some)
    }

    /// Every prefix that has lines which are no beads.
    pub fn foreign_prefixes(&self) -> LedgerResult<Vec<String>> {
        self.all("SELECT DISTINCT prefix FROM foreign_records ORDER BY prefix", [], |row| row.get(0))
    }

    /// Lines of imported files that are no beads, in their order.
    pub fn foreign_records(&self, prefix: &str) -> LedgerResult<Vec<String>> {
        self.all("SELECT line FROM foreign_records WHERE prefix = ?1 ORDER BY position", [prefix], |row| row.get(0))
    }
}

impl Tx<'_> {
    /// Adds a bead that is not there yet.
    pub fn add_bead(&self, bead: &Bead) -> LedgerResult<()> {
        self.put_bead(None, bead)?;
        self.event("bead-created", bead.id.as_str(), Some(&bead.id), None, Some(&fields(bead)))
    }

    /// Adds a bead that comes from elsewhere, or replaces the version of it that is here. With `bulk`, what follows from it
    /// is mended by [`Tx::finish_bulk`] only.
    pub fn import_bead(&self, before: Option<&Bead>, bead: &Bead, bulk: Option<&mut Bulk>) -> LedgerResult<()> {
        if before == Some(bead) {
            return Ok(());
        }
        let n = self.write_bead(before, bead)?;
        match (bulk, before) {
            (Some(bulk), None) => {
                bulk.first_new.get_or_insert(n);
                if let Some(aside) = &bulk.aside {
                    aside.add(n, bead);
                }
                if let Some(ids) = &mut bulk.ids {
                    ids.insert(bead.id.clone());
                }
                *bulk.new.entry(bead.id.prefix().to_owned()).or_default() += 1;
                return Ok(());
            }
            // The same once more: what is said of new ones at the end is said of this version.
            (Some(bulk), Some(_)) if bulk.first_new.is_some_and(|first| n >= first) => {
                bulk.changed.push(n);
                return Ok(());
            }
            (Some(bulk), Some(_)) => bulk.changed.push(n),
            (None, _) => self.mend_around(n, before, bead)?,
        }
        // What a new one says is in its row, and in the events of its changes from then on.
        let (old, new) = match before {
            Some(before) => difference(&fields(before), &fields(bead)),
            None => (Value::Null, json!({ "title": bead.title, "status": bead.status.as_str() })),
        };
        self.event(IMPORTED, bead.id.as_str(), Some(&bead.id), before.map(|_| &old), Some(&new))
    }

    /// Begins to take in about `expected` beads. Where they are more than there are here, indexes are made anew at the end,
    /// which costs less than to keep them up to date.
    pub fn begin_bulk(&self, expected: usize) -> LedgerResult<Bulk> {
        let aside = self.begin_aside()?;
        let mut bulk = Bulk { ids: aside.is_some().then(HashSet::new), aside, ..Bulk::default() };
        let sql =
            "SELECT max((SELECT coalesce(sum(beads), 0) FROM prefixes), (SELECT coalesce(max(seq), 0) FROM events))";
        let size: i64 = self.one(sql, [], |row| row.get(0))?.unwrap_or_default();
        if usize::try_from(size).is_ok_and(|size| size < expected) {
            let sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
                       AND tbl_name IN ('beads', 'dependencies', 'labels', 'events')";
            for (name, sql) in self.all(sql, [], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))? {
                self.connection.execute_batch(&format!("DROP INDEX {name}"))?;
                bulk.dropped.push(sql);
            }
        }
        Ok(bulk)
    }

    /// Mends what [`Tx::import_bead`] left, in few statements: each statement on beads makes SQLite write what the index
    /// of words has gathered.
    pub fn finish_bulk(&self, mut bulk: Bulk) -> LedgerResult<()> {
        for (prefix, new) in &bulk.new {
            self.count_prefix(prefix, *new)?;
        }
        if let Some(first) = bulk.first_new {
            self.execute(
                "INSERT INTO events (at, actor, verb, event, subject, bead, after)
                 SELECT ?1, ?2, ?3, ?4, id, id, json_object('title', title, 'status', status) FROM beads WHERE n >= ?5",
                (self.now().to_string(), self.actor, self.verb, IMPORTED, first),
            )?;
        }
        bulk.aside.take().map_or(Ok(()), |aside| self.take_aside(aside))?;
        self.index_new()?;
        self.index_again(&bulk.changed)?;
        self.note_all_convoys()?;
        // By this one beads are mended; the others need not follow what that changes.
        let (needed, others): (Vec<_>, _) = bulk.dropped.iter().partition(|sql| sql.contains(MENDED_BY));
        needed.iter().try_for_each(|index| self.connection.execute_batch(index))?;
        self.mend_all()?;
        others.iter().try_for_each(|index: &&String| self.connection.execute_batch(index))?;
        Ok(())
    }

    /// Works out anew what holds each bead back.
    pub fn mend_holds(&self) -> LedgerResult<()> {
        self.mend_all()
    }

    /// Writes a changed bead and an event that holds what changed. Nothing changed: nothing written.
    pub fn change_bead(&self, event: &str, before: &Bead, after: &Bead) -> LedgerResult<()> {
        if before == after {
            return Ok(());
        }
        let mut after = after.clone();
        after.updated_at = self.now().into();
        self.put_bead(Some(before), &after)?;
        let (old, new) = difference(&fields(before), &fields(&after));
        self.event(event, before.id.as_str(), Some(&before.id), Some(&old), Some(&new))
    }

    fn put_bead(&self, before: Option<&Bead>, bead: &Bead) -> LedgerResult<()> {
        let n = self.write_bead(before, bead)?;
        self.mend_around(n, before, bead)
    }

    /// Mends what follows from a bead that has just been written.
    fn mend_around(&self, n: i64, before: Option<&Bead>, bead: &Bead) -> LedgerResult<()> {
        if before.is_none() {
            self.count_prefix(bead.id.prefix(), 1)?;
        }
        self.index_changed(n, before, bead)?;
        self.note_convoys(before, bead)?;
        self.mend(before, bead)
    }

    /// Writes what of a bead differs from `before`, which is in the ledger; answers with its number.
    fn write_bead(&self, before: Option<&Bead>, bead: &Bead) -> LedgerResult<i64> {
        let n = self.write_row(before.is_some(), bead)?;
        self.write_labels(before, bead)?;
        self.write_dependencies(before, bead)?;
        self.write_comments(before, bead)?;
        Ok(n)
    }

    /// Writes a bead's row: with a statement of its own for each case, since one for both would make SQLite copy each page
    /// aside first.
    fn write_row(&self, is_there: bool, bead: &Bead) -> LedgerResult<i64> {
        let sql = if is_there {
            "UPDATE beads SET title = ?3, description = ?4, design = ?5, acceptance_criteria = ?6, notes = ?7, status = ?8,
               priority = ?9, issue_type = ?10, assignee = ?11, created_at = ?12, created_ns = ?13, created_by = ?14,
               updated_at = ?15, updated_ns = ?16, closed_at = ?17, close_reason = ?18, defer_until = ?19,
               defer_ns = ?20, pinned = ?21, is_template = ?22, ephemeral = ?23, rest = ?24, closed_ns = ?25
             WHERE id = ?1 AND prefix = ?2"
        } else {
            "INSERT INTO beads (id, prefix, title, description, design, acceptance_criteria, notes, status, priority,
               issue_type, assignee, created_at, created_ns, created_by, updated_at, updated_ns, closed_at,
               close_reason, defer_until, defer_ns, pinned, is_template, ephemeral, rest, closed_ns)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
                     ?23, ?24, ?25)"
        };
        self.execute(
            sql,
            rusqlite::params![
                bead.id.as_str(),
                bead.id.prefix(),
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
                bead.closed_at.as_ref().map(nanoseconds),
            ],
        )?;
        if !is_there {
            return Ok(self.connection.last_insert_rowid());
        }
        let n = self.one("SELECT n FROM beads WHERE id = ?1", [bead.id.as_str()], |row| row.get(0))?;
        n.ok_or_else(|| LedgerError::Corrupt { what: "a bead", text: format!("{} is not where it was", bead.id) })
    }

    /// Counts new beads of a prefix.
    fn count_prefix(&self, prefix: &str, new: i64) -> LedgerResult<()> {
        if self.execute("UPDATE prefixes SET beads = beads + ?2 WHERE prefix = ?1", (prefix, new))? == 0 {
            self.execute("INSERT INTO prefixes VALUES (?1, ?2)", (prefix, new))?;
        }
        Ok(())
    }

    fn write_labels(&self, before: Option<&Bead>, bead: &Bead) -> LedgerResult<()> {
        let id = bead.id.as_str();
        match before {
            Some(before) if before.labels == bead.labels => return Ok(()),
            Some(_) => _ = self.execute("DELETE FROM labels WHERE issue_id = ?1", [id])?,
            None => {}
        }
        for (at, label) in bead.labels.iter().enumerate() {
            self.execute("INSERT INTO labels (issue_id, position, label) VALUES (?1, ?2, ?3)", (id, at as i64, label))?;
        }
        Ok(())
    }

    fn write_dependencies(&self, before: Option<&Bead>, bead: &Bead) -> LedgerResult<()> {
        let id = bead.id.as_str();
        match before {
            Some(before) if before.dependencies == bead.dependencies => return Ok(()),
            Some(_) => _ = self.execute("DELETE FROM dependencies WHERE issue_id = ?1", [id])?,
            None => {}
        }
        for (at, dep) in bead.dependencies.iter().enumerate() {
            self.execute(
                "INSERT INTO dependencies (issue_id, position, depends_on_id, type, holds, owner, created_at, rest)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                (
                    id,
                    at as i64,
                    dep.depends_on_id.as_str(),
                    dep.kind.as_str(),
                    holding::holds(dep),
                    Some(dep.issue_id.as_str()).filter(|owner| *owner != id),
                    &dep.created_at,
                    to_json(&dep.rest)?,
                ),
            )?;
        }
        Ok(())
    }

    fn write_comments(&self, before: Option<&Bead>, bead: &Bead) -> LedgerResult<()> {
        let id = bead.id.as_str();
        match before {
            Some(before) if before.comments == bead.comments => return Ok(()),
            Some(_) => _ = self.execute("DELETE FROM comments WHERE issue_id = ?1", [id])?,
            None => {}
        }
        for (at, comment) in bead.comments.iter().enumerate() {
            self.execute(
                "INSERT INTO comments (issue_id, position, id, author, text, created_at, rest)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
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
        self.event(RECORD_KEPT, prefix, None, None, None)
    }
}

/// What a large import has left to be mended at its end.
#[derive(Debug, Default)]
pub struct Bulk {
    /// The number of the first bead that is new; so are all after it.
    first_new: Option<i64>,
    /// How many beads are new, by prefix.
    new: BTreeMap<String, i64>,
    /// The numbers of beads that were there and have changed.
    changed: Vec<i64>,
    /// The ids that are there, where they are known.
    ids: Option<HashSet<BeadId>>,
    /// The index of the new ones' words, where it is made apart.
    aside: Option<Aside>,
    /// How the indexes are made again that were dropped.
    dropped: Vec<String>,
}

impl Bulk {
    /// Whether it is known that no bead with that id is there.
    pub fn lacks(&self, id: &BeadId) -> bool {
        self.ids.as_ref().is_some_and(|ids| !ids.contains(id))
    }

    /// Says that ids have changed: from now on they are asked for.
    pub fn forget_ids(&mut self) {
        self.ids = None;
    }
}

/// How the index of edges by their targets begins to be said.
const MENDED_BY: &str = "INDEX dependents ";

/// The event of a bead that came from elsewhere.
const IMPORTED: &str = "bead-imported";

/// The event of a line that is no bead; its subject is the prefix.
const RECORD_KEPT: &str = "record-kept";

/// Nanoseconds since the epoch; what is beyond the range of the column counts as its end.
pub(super) fn nanoseconds(stamp: &Stamp) -> i64 {
    nanoseconds_of(stamp.at)
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
