//! Beads: queries, changes and imports.

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

/// Selects, orders and limits the beads of a list.
#[derive(Clone, Debug, Default)]
pub struct BeadFilter {
    /// Only beads with this status.
    pub status: Option<Status>,
    /// Only beads of this type.
    pub issue_type: Option<BeadType>,
    /// Only beads that this agent or person holds.
    pub assignee: Option<String>,
    /// Only beads with this label.
    pub label: Option<String>,
    /// Only beads whose id has this prefix.
    pub prefix: Option<String>,
    /// Whether to include closed beads and tombstones.
    pub all: bool,
    /// Only beads that match this query.
    pub query: Option<Query>,
    /// Order of the list.
    pub order: BeadOrder,
    /// Maximum number of beads; `None`: no limit.
    pub limit: Option<u32>,
    /// Number of beads to skip at the start of the list.
    pub offset: u32,
}

/// Order of a list of beads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BeadOrder {
    /// By priority, then oldest first.
    #[default]
    Priority,
    /// By id, in byte order.
    Id,
    /// Newest first.
    Created,
    /// Last changed first.
    Updated,
    /// Last closed first.
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

/// Change of a bead's own fields. `None` leaves a field as it is.
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
    /// Line to append to the notes.
    pub more_notes: Option<String>,
    /// The new status.
    pub status: Option<Status>,
    /// The new priority.
    pub priority: Option<i64>,
    /// The new type.
    pub issue_type: Option<BeadType>,
    /// New holder; `Some(None)` removes the holder.
    pub assignee: Option<Option<String>>,
    /// New time until which the bead is deferred; `Some(None)` ends the deferral.
    pub defer_until: Option<Option<Stamp>>,
    /// Whether the bead is pinned.
    pub pinned: Option<bool>,
    /// Whether the bead is a template for others.
    pub is_template: Option<bool>,
    /// Keys without a field of their own, each with its new JSON text; `None` removes the key.
    pub rest: Vec<(String, Option<String>)>,
    /// Labels to add.
    pub add_labels: Vec<String>,
    /// Labels to remove.
    pub remove_labels: Vec<String>,
}

impl BeadChange {
    /// Returns the bead with this change applied.
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

/// Reads the first column: the position of the row's bead in the list that was asked for.
fn place(row: &Row<'_>) -> rusqlite::Result<usize> {
    usize::try_from(row.get::<_, i64>(0)?).map_err(damaged)
}

/// How many beads to read the labels, dependencies and comments of at once.
const PARTS_AT_ONCE: usize = 500;

/// Index of the first column with the part's own data. The position of the bead and that of the part come before it.
const PART: usize = 2;

impl View<'_> {
    /// Returns what a worker is told of the bead that it works on.
    pub fn task(&self, id: &BeadId) -> LedgerResult<Option<Task>> {
        self.one(&format!("SELECT {TASK} FROM beads b WHERE b.id = ?1"), [id.as_str()], task_row)
    }

    /// Returns a bead with its labels, dependencies and comments.
    pub fn bead(&self, id: &BeadId) -> LedgerResult<Option<Bead>> {
        let found = self.one(&format!("SELECT {BEAD} FROM beads b WHERE b.id = ?1"), [id.as_str()], bead_row)?;
        let mut found: Vec<Bead> = found.into_iter().collect();
        self.add_parts(&mut found)?;
        Ok(found.pop())
    }

    /// Returns the beads with these ids, in this order, with their labels, dependencies and comments. Leaves out ids that don't
    /// exist.
    pub fn beads_with(&self, ids: &[BeadId]) -> LedgerResult<Vec<Bead>> {
        let sql = format!("SELECT {BEAD} FROM json_each(?1) j JOIN beads b ON b.id = j.value ORDER BY j.key");
        let mut found = self.all(&sql, [to_json(&ids)?], bead_row)?;
        self.add_parts(&mut found)?;
        Ok(found)
    }

    /// Reads the labels, dependencies and comments into beads that have none yet.
    fn add_parts(&self, beads: &mut [Bead]) -> LedgerResult<()> {
        let mut beads: Vec<&mut Bead> = beads.iter_mut().collect();
        // Sorted like the tables, so that one pass over each table is enough.
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

    /// Reads the rows of one table of parts (labels, dependencies or comments) for these beads, ordered by bead and by position.
    /// Each comes with the index of its bead in `ids`.
    fn parts<T>(
        &self,
        table: &str,
        columns: &str,
        ids: &[BeadId],
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> LedgerResult<Vec<(usize, T)>> {
        let (key, from, of) = match ids {
            // Most processes ask for one bead. For them, parsing a JSON list would cost more than the query itself.
            [id] => ("0", format!("{table} p WHERE p.issue_id = ?1"), id.0.clone()),
            // `CROSS JOIN` makes the rows come out in order. They are still sorted below, which costs nothing then.
            _ => ("j.key", format!("json_each(?1) j CROSS JOIN {table} p ON p.issue_id = j.value"), to_json(&ids)?),
        };
        let sql = format!("SELECT {key}, p.position, {columns} FROM {from}");
        let mut rows = self.all(&sql, [of], |row| Ok((place(row)?, row.get::<_, i64>(1)?, read(row)?)))?;
        rows.sort_by_key(|(at, position, _)| (*at, *position));
        Ok(rows.into_iter().map(|(at, _, part)| (at, part)).collect())
    }

    /// Returns the beads that the filter selects, in its order.
    pub fn beads(&self, filter: &BeadFilter) -> LedgerResult<Vec<Bead>> {
        self.beads_of(&listed(filter))
    }

    /// Like [`Self::plan_of_ready`], for [`Self::beads`].
    #[doc(hidden)]
    pub fn plan_of_list(&self, filter: &BeadFilter) -> LedgerResult<String> {
        self.plan_of(&listed(filter))
    }

    /// Returns how many beads the filter selects. Ignores its limit.
    pub fn count(&self, filter: &BeadFilter) -> LedgerResult<u64> {
        let mut sql = Sql::new("1");
        sql.filter(filter);
        self.count_of(&sql)
    }

    /// Returns the beads whose texts contain words that begin with each word of `text`, best matches first. A bead whose id is
    /// `text` comes before them.
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

    /// Returns for each of these beads how many others it blocks, both open and closed ones.
    pub fn blocked_counts(&self, ids: &[BeadId]) -> LedgerResult<Vec<u64>> {
        let mut counts = vec![0; ids.len()];
        // Sorted like the index, so that one pass over it is enough.
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

    /// Returns the next beads after the id `after`, in order of their ids. Callers use it to read all beads in pieces. Only beads
    /// with one of `prefixes` count; all beads if it is empty. Ephemeral beads count only with `wisps`.
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

    /// Returns the number of ephemeral beads with one of `prefixes`; of all ephemeral beads if it is empty.
    pub fn count_wisps(&self, prefixes: &[String]) -> LedgerResult<u64> {
        let mut sql = Sql::new("b.ephemeral");
        sql.of_prefixes(prefixes);
        self.count_of(&sql)
    }

    /// Returns at most `limit` ids that start with `begin`, in byte order. An id that equals `begin` is one of them.
    pub fn ids_beginning(&self, begin: &str, limit: usize) -> LedgerResult<Vec<BeadId>> {
        let sql = "SELECT id FROM beads WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3";
        self.all(sql, (begin, format!("{begin}\u{10ffff}"), limit as i64), |row| Ok(BeadId(row.get(0)?)))
    }

    /// Returns the number of beads whose ids have this prefix.
    pub fn count_with_prefix(&self, prefix: &str) -> LedgerResult<u64> {
        let count = self.one("SELECT beads FROM prefixes WHERE prefix = ?1", [prefix], |row| row.get::<_, i64>(0))?;
        Ok(count.unwrap_or(0).unsigned_abs())
    }

    /// Returns every prefix that a bead has.
    pub fn prefixes(&self) -> LedgerResult<Vec<String>> {
        self.all("SELECT prefix FROM prefixes WHERE beads > 0 ORDER BY prefix", [], |row| row.get(0))
    }

    /// Whether a bead with this id exists.
    pub fn has_bead(&self, id: &BeadId) -> LedgerResult<bool> {
        Ok(self.one("SELECT 1 FROM beads WHERE id = ?1", [id.as_str()], |_| Ok(()))?.is_some())
    }

    /// Returns the edges that lead to a bead.
    pub fn dependents(&self, id: &BeadId) -> LedgerResult<Vec<Dependency>> {
        let sql = "SELECT issue_id, depends_on_id, type, created_at, rest FROM dependencies
                   WHERE depends_on_id = ?1 ORDER BY issue_id, position";
        self.all(sql, [id.as_str()], |row| dependency_row(row, 0))
    }

    /// Returns the prefixes whose beads changed after the event `after`. `None` if a rig was added or removed since: then the
    /// file of each prefix may be another one.
    pub fn prefixes_changed_after(&self, after: i64) -> LedgerResult<Option<Vec<String>>> {
        let sql = "SELECT 1 FROM events WHERE seq > ?1 AND event IN ('rig-added', 'rig-removed')";
        if self.one(sql, [after], |_| Ok(()))?.is_some() {
            return Ok(None);
        }
        let sql = "SELECT DISTINCT b.prefix FROM events e JOIN beads b ON b.id = e.bead WHERE e.seq > ?1
                   UNION SELECT subject FROM events WHERE seq > ?1 AND event = ?2";
        self.all(sql, (after, RECORD_KEPT), |row| row.get(0)).map(Some)
    }

    /// Returns the prefixes whose files had lines that are not beads.
    pub fn foreign_prefixes(&self) -> LedgerResult<Vec<String>> {
        self.all("SELECT DISTINCT prefix FROM foreign_records ORDER BY prefix", [], |row| row.get(0))
    }

    /// Returns the lines of imported files that are not beads, in their order.
    pub fn foreign_records(&self, prefix: &str) -> LedgerResult<Vec<String>> {
        self.all("SELECT line FROM foreign_records WHERE prefix = ?1 ORDER BY position", [prefix], |row| row.get(0))
    }
}

impl Tx<'_> {
    /// Adds a new bead.
    pub fn add_bead(&self, bead: &Bead) -> LedgerResult<()> {
        self.put_bead(None, bead)?;
        self.event("bead-created", bead.id.as_str(), Some(&bead.id), None, Some(&fields(bead)))
    }

    /// Adds a bead from another ledger, or replaces this ledger's version of it. With `bulk`, the counts, holds and indexes that
    /// follow from the bead are brought up to date only by [`Tx::finish_bulk`].
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
            // The bead is new and occurs a second time: the entries that `finish_bulk` makes for new beads use this version.
            (Some(bulk), Some(_)) if bulk.first_new.is_some_and(|first| n >= first) => {
                bulk.changed.push(n);
                return Ok(());
            }
            (Some(bulk), Some(_)) => bulk.changed.push(n),
            (None, _) => self.mend_around(n, before, bead)?,
        }
        // A new bead's event needs only title and status: the row has the rest, and later changes have their own events.
        let (old, new) = match before {
            Some(before) => difference(&fields(before), &fields(bead)),
            None => (Value::Null, json!({ "title": bead.title, "status": bead.status.as_str() })),
        };
        self.event(IMPORTED, bead.id.as_str(), Some(&bead.id), before.map(|_| &old), Some(&new))
    }

    /// Begins an import of about `expected` beads. If that is more than the ledger has, drops indexes and rebuilds them at the
    /// end, which costs less than updating them for each bead.
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

    /// Completes the work that [`Tx::import_bead`] left, in few statements. Each statement on beads makes SQLite write the
    /// entries that the word index has gathered.
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
        // `mend_all` reads the index of dependents, so that one comes first. The others come after, so they don't have to follow
        // its changes.
        let (needed, others): (Vec<_>, _) = bulk.dropped.iter().partition(|sql| sql.contains(MENDED_BY));
        needed.iter().try_for_each(|index| self.connection.execute_batch(index))?;
        self.mend_all()?;
        others.iter().try_for_each(|index: &&String| self.connection.execute_batch(index))?;
        Ok(())
    }

    /// Recomputes for every bead what holds it back.
    pub fn mend_holds(&self) -> LedgerResult<()> {
        self.mend_all()
    }

    /// Writes a changed bead, and an event with the fields that changed. Writes nothing if nothing changed.
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

    /// Updates what follows from a bead that was just written: counts, word index and holds.
    fn mend_around(&self, n: i64, before: Option<&Bead>, bead: &Bead) -> LedgerResult<()> {
        if before.is_none() {
            self.count_prefix(bead.id.prefix(), 1)?;
        }
        self.index_changed(n, before, bead)?;
        self.note_convoys(before, bead)?;
        self.mend(before, bead)
    }

    /// Writes the parts of a bead that differ from `before`, the version in the ledger. Returns the bead's number.
    fn write_bead(&self, before: Option<&Bead>, bead: &Bead) -> LedgerResult<i64> {
        let n = self.write_row(before.is_some(), bead)?;
        self.write_labels(before, bead)?;
        self.write_dependencies(before, bead)?;
        self.write_comments(before, bead)?;
        Ok(n)
    }

    /// Writes a bead's row. Insert and update have their own statements: a combined one would make SQLite copy each page first.
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

    /// Adds `new` to the number of beads of a prefix.
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

    /// Keeps a line of an imported file that is not a bead, unless it is already kept.
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

/// State of a large import: the work that is left for its end.
#[derive(Debug, Default)]
pub struct Bulk {
    /// Number of the first new bead. Every bead after it is new, too.
    first_new: Option<i64>,
    /// How many beads are new, by prefix.
    new: BTreeMap<String, i64>,
    /// Numbers of the existing beads that changed.
    changed: Vec<i64>,
    /// All ids in the ledger; `None` if unknown.
    ids: Option<HashSet<BeadId>>,
    /// Word index of the new beads, if it is built separately.
    aside: Option<Aside>,
    /// SQL statements that create the dropped indexes again.
    dropped: Vec<String>,
}

impl Bulk {
    /// Whether the ledger is known to have no bead with this id.
    pub fn lacks(&self, id: &BeadId) -> bool {
        self.ids.as_ref().is_some_and(|ids| !ids.contains(id))
    }

    /// Forgets the known ids because some have changed. From now on, the import asks the ledger.
    pub fn forget_ids(&mut self) {
        self.ids = None;
    }
}

/// Start of the definition of the index of edges by their targets.
const MENDED_BY: &str = "INDEX dependents ";

/// Event for a bead that was imported.
const IMPORTED: &str = "bead-imported";

/// Event for a kept line that is not a bead. Its subject is the prefix.
const RECORD_KEPT: &str = "record-kept";

/// Nanoseconds since the epoch, limited to the range of the column.
pub(super) fn nanoseconds(stamp: &Stamp) -> i64 {
    nanoseconds_of(stamp.at)
}

/// Returns a bead's fields for the audit trail.
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

/// Returns the fields in which two objects differ: their old values and their new values.
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
