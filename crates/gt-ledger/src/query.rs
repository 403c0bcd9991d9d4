//! Conditions on beads as SQL. Text that people typed only ever becomes a bound parameter.

use gt_model::bead::{BeadType, Status};
use gt_model::query::{Expr, Field, Op, Query, Test, Value};
use rusqlite::types::Value as Param;

use super::BeadFilter;
use super::ready::{READY, nanoseconds_of};

/// SQL for the numbers of the beads whose texts match, with their rank. It takes the same parameter twice: the words to match.
macro_rules! found {
    () => {
        "(SELECT rowid, rank FROM bead_text WHERE bead_text MATCH ?
          UNION ALL SELECT rowid, rank FROM temp.recent_text WHERE recent_text MATCH ?)"
    };
}

/// Condition on `beads b`, with its parameters and the clauses after it.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    from: &'static str,
    condition: String,
    params: Vec<Param>,
    looks_for_words: bool,
}

impl Sql {
    pub(super) fn new(condition: &str) -> Self {
        Self::from("beads b", condition)
    }

    /// Starts a condition on a `FROM` clause of the caller's, for example one that names an index.
    pub(super) fn from(from: &'static str, condition: &str) -> Self {
        Self { from, condition: condition.to_owned(), params: Vec::new(), looks_for_words: false }
    }

    /// Starts a condition for beads whose texts have these words (see [`match_words`]). The match is available as `s`, with its
    /// rank, beside `beads b`.
    pub(super) fn found(words: &str) -> Self {
        // `CROSS JOIN` makes SQLite read the word index first, because it finds few beads.
        let mut sql = Self::from(concat!(found!(), " s CROSS JOIN beads b"), "b.n = s.rowid");
        sql.bind_words(words);
        sql
    }

    /// Whether the condition uses the word indexes.
    pub(super) fn looks_for_words(&self) -> bool {
        self.looks_for_words
    }

    /// Adds the parameters of [`found!`].
    fn bind_words(&mut self, words: &str) {
        self.params.extend([words.to_owned().into(), words.to_owned().into()]);
        self.looks_for_words = true;
    }

    pub(super) fn push(&mut self, sql: &str) {
        self.condition.push_str(sql);
    }

    /// Adds a parameter and its placeholder.
    pub(super) fn bind(&mut self, value: impl Into<Param>) {
        self.condition.push('?');
        self.params.push(value.into());
    }

    /// Returns the whole statement and its parameters.
    pub(super) fn select(&self, columns: &str) -> (String, Vec<Param>) {
        (format!("SELECT {columns} FROM {} WHERE {}", self.from, self.condition), self.params.clone())
    }

    /// Adds `(?, ?, …)`.
    pub(super) fn list(&mut self, values: &[String]) {
        self.push("(");
        for (at, value) in values.iter().enumerate() {
            self.push(if at == 0 { "" } else { ", " });
            self.bind(value.clone());
        }
        self.push(")");
    }

    /// Adds the condition that a bead has one of these prefixes; none if the list is empty. Also adds the range of ids with these
    /// prefixes, so that SQLite finds them through the index of ids.
    pub(super) fn of_prefixes(&mut self, prefixes: &[String]) {
        let Some(first) = prefixes.iter().min() else { return };
        self.push(" AND b.prefix IN ");
        self.list(prefixes);
        // An id without a prefix may start with anything. In all others a dash follows the prefix; a dot sorts right after the
        // dash.
        if let Some(end) = prefixes.iter().map(|prefix| format!("{prefix}.")).max().filter(|_| !first.is_empty()) {
            self.push(" AND b.id >= ");
            self.bind(first.clone());
            self.push(" AND b.id < ");
            self.bind(end);
        }
    }

    pub(super) fn limit(&mut self, limit: Option<u32>, offset: u32) {
        if limit.is_some() || offset > 0 {
            self.push(" LIMIT ");
            self.bind(limit.map_or(-1, i64::from));
            self.push(" OFFSET ");
            self.bind(i64::from(offset));
        }
    }

    /// Adds the conditions of a filter, without order and limit.
    pub(super) fn filter(&mut self, filter: &BeadFilter) {
        let is = [
            (" AND b.status = ", filter.status.as_ref().map(Status::as_str)),
            (" AND b.issue_type = ", filter.issue_type.as_ref().map(BeadType::as_str)),
            (" AND b.assignee = ", filter.assignee.as_deref()),
            (" AND b.prefix = ", filter.prefix.as_deref()),
        ];
        for (sql, value) in is.into_iter().filter_map(|(sql, value)| Some((sql, value?))) {
            self.push(sql);
            self.bind(value.to_owned());
        }
        if let Some(label) = &filter.label {
            self.push(" AND EXISTS (SELECT 1 FROM labels p WHERE p.issue_id = b.id AND p.label = ");
            self.bind(label.clone());
            self.push(")");
        }
        if !filter.all && filter.status.is_none() {
            self.push(" AND b.status NOT IN ('closed', 'tombstone')");
        }
        if let Some(query) = &filter.query {
            self.push(" AND ");
            self.query(query);
        }
    }

    fn query(&mut self, query: &Query) {
        self.expr(&query.expr, nanoseconds_of(query.now));
    }

    fn expr(&mut self, expr: &Expr, now: i64) {
        match expr {
            Expr::And(parts) => self.parts(parts, " AND ", now),
            Expr::Or(parts) => self.parts(parts, " OR ", now),
            Expr::Not(part) => {
                self.push("(NOT ");
                self.expr(part, now);
                self.push(")");
            }
            Expr::Text(text) => self.text(text),
            Expr::Test(test) => self.test(test, now),
        }
    }

    fn parts(&mut self, parts: &[Expr], between: &str, now: i64) {
        self.push("(");
        for (at, part) in parts.iter().enumerate() {
            self.push(if at == 0 { "" } else { between });
            self.expr(part, now);
        }
        self.push(")");
    }

    /// Adds the condition that the bead's texts have these words. Text without any word must occur literally.
    pub(super) fn text(&mut self, text: &str) {
        if let Some(words) = match_words(text) {
            self.push(concat!("b.n IN (SELECT rowid FROM ", found!(), ")"));
            self.bind_words(&words);
            return;
        }
        self.push("(b.title || char(10) || b.description LIKE ");
        self.bind(holding(text));
        self.push(" ESCAPE '\\')");
    }

    fn test(&mut self, test: &Test, now: i64) {
        match test.field {
            Field::Label => self.listed(test, "labels p", "p.label"),
            Field::DependsOn => self.listed(test, "dependencies p", "p.depends_on_id"),
            Field::Parent => self.listed(test, "(SELECT * FROM dependencies WHERE holds = 5) p", "p.depends_on_id"),
            Field::Comment => self.listed(test, "comments p", "p.text"),
            Field::Metadata => self.metadata(test),
            Field::Ready | Field::Blocked | Field::Pinned | Field::Template | Field::Ephemeral => self.flag(test, now),
            field => self.column(test, column(field)),
        }
    }

    /// Adds a test of a field that may have several values.
    fn listed(&mut self, test: &Test, table: &str, column: &str) {
        let wants_none = matches!((test.op, &test.value), (Op::IsNot, Value::Texts(_)) | (Op::Is, Value::Nothing));
        self.push(if wants_none { "(NOT EXISTS" } else { "(EXISTS" });
        self.push(&format!(" (SELECT 1 FROM {table} WHERE p.issue_id = b.id"));
        if let Value::Texts(texts) = &test.value {
            self.push(" AND ");
            match test.op {
                Op::Holds => self.holds(column, &texts[0]),
                _ => self.among(column, texts),
            }
        }
        self.push("))");
    }

    /// Adds a test of a bead's `metadata`: whether it has a key, or a key whose value has this text.
    fn metadata(&mut self, test: &Test) {
        let wants_none = matches!((test.op, &test.value), (Op::IsNot, Value::Texts(_)) | (Op::Is, Value::Nothing));
        self.push(if wants_none { "(NOT EXISTS" } else { "(EXISTS" });
        self.push(" (SELECT 1 FROM json_each(b.rest) r, json_each(r.value ->> 1) m WHERE r.value ->> 0 = 'metadata'");
        let texts = if let Value::Texts(texts) = &test.value { texts.as_slice() } else { &[] };
        for (at, text) in texts.iter().enumerate() {
            self.push(if at == 0 { " AND (" } else { " OR " });
            match text.split_once('=') {
                _ if test.op == Op::Holds => self.holds("m.value", text),
                Some((key, value)) => {
                    self.push("(m.key = ");
                    self.bind(key.to_owned());
                    // Compares a truth value as JSON writes it, because SQLite converts it to a number.
                    self.push(" AND iif(m.type IN ('true', 'false', 'null'), m.type, CAST(m.value AS TEXT)) = ");
                    self.bind(value.to_owned());
                    self.push(")");
                }
                None => {
                    self.push("m.key = ");
                    self.bind(text.to_owned());
                }
            }
        }
        self.push(if texts.is_empty() { "))" } else { ")))" });
    }

    fn among(&mut self, column: &str, texts: &[String]) {
        self.push(column);
        self.push(" IN ");
        self.list(texts);
    }

    fn holds(&mut self, column: &str, text: &str) {
        self.push(column);
        self.push(" LIKE ");
        self.bind(holding(text));
        self.push(" ESCAPE '\\'");
    }

    fn flag(&mut self, test: &Test, now: i64) {
        let wanted = (test.value == Value::Flag(true)) == (test.op == Op::Is);
        self.push(if wanted { "(" } else { "(NOT " });
        match test.field {
            Field::Ready => {
                self.push("(b.issue_type != 'epic' AND b.wake_ns <= ");
                self.bind(now);
                self.push(&format!(" AND {READY})"));
            }
            Field::Blocked => self.push("(b.wake_ns = 9223372036854775807)"),
            Field::Pinned => self.push("b.pinned"),
            Field::Template => self.push("b.is_template"),
            _ => self.push("b.ephemeral"),
        }
        self.push(")");
    }

    /// Adds a test of a column. An empty column fulfils only `!=`.
    fn column(&mut self, test: &Test, column: &str) {
        self.push(if test.op == Op::IsNot { "(NOT coalesce(" } else { "coalesce((" });
        match &test.value {
            Value::Nothing => self.push(&format!("coalesce({column}, '') = ''")),
            Value::Texts(texts) if test.op == Op::Holds => self.holds(column, &texts[0]),
            // An empty text counts as no value.
            Value::Texts(texts) => self.among(&format!("coalesce({column}, '')"), texts),
            Value::Numbers(numbers) => self.numbers(test.op, column, numbers),
            Value::Time(from, to) => self.time(test.op, column, nanoseconds_of(*from), nanoseconds_of(*to)),
            Value::Flag(_) => self.push("0"),
        }
        self.push(if test.op == Op::IsNot { ", 0))" } else { "), 0)" });
    }

    fn numbers(&mut self, op: Op, column: &str, numbers: &[i64]) {
        let sign = match op {
            Op::Less => " < ",
            Op::AtMost => " <= ",
            Op::More => " > ",
            Op::AtLeast => " >= ",
            Op::Is | Op::IsNot | Op::Holds => " = ",
        };
        for (at, number) in numbers.iter().enumerate() {
            self.push(if at == 0 { "(" } else { " OR " });
            self.push(column);
            self.push(sign);
            self.bind(*number);
        }
        self.push(")");
    }

    fn time(&mut self, op: Op, column: &str, from: i64, to: i64) {
        match op {
            Op::Less => self.side(column, " < ", from),
            Op::AtMost => self.side(column, " < ", to),
            Op::More => self.side(column, " >= ", to),
            Op::AtLeast => self.side(column, " >= ", from),
            Op::Is | Op::IsNot | Op::Holds => {
                self.side(column, " >= ", from);
                self.push(" AND ");
                self.side(column, " < ", to);
            }
        }
    }

    fn side(&mut self, column: &str, sign: &str, at: i64) {
        self.push(column);
        self.push(sign);
        self.bind(at);
    }
}

/// SQL for the due time of a bead, in nanoseconds. SQLite reads times only to the millisecond.
const DUE: &str = "(SELECT CAST(round(1000 * unixepoch(r.value ->> 1 ->> '$', 'subsec')) AS INTEGER) * 1000000
    FROM json_each(b.rest) r WHERE r.value ->> 0 = 'due_at' LIMIT 1)";

/// Returns the column, or the SQL expression, for a field with one value.
fn column(field: Field) -> &'static str {
    match field {
        Field::Id => "b.id",
        Field::Prefix => "b.prefix",
        Field::Title => "b.title",
        Field::Description => "b.description",
        Field::Design => "b.design",
        Field::Acceptance => "b.acceptance_criteria",
        Field::Notes => "b.notes",
        Field::Status => "b.status",
        Field::Type => "b.issue_type",
        Field::Assignee => "b.assignee",
        Field::CreatedBy => "b.created_by",
        Field::CloseReason => "b.close_reason",
        Field::Priority => "b.priority",
        Field::Created => "b.created_ns",
        Field::Updated => "b.updated_ns",
        Field::Closed => "b.closed_ns",
        Field::Deferred => "b.defer_ns",
        Field::Due => DUE,
        // The key has no column: read its JSON text.
        _ => "(SELECT r.value ->> 1 ->> '$' FROM json_each(b.rest) r WHERE r.value ->> 0 = 'owner' LIMIT 1)",
    }
}

/// Returns the `LIKE` pattern for texts that contain `text`.
fn holding(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

/// Returns the word index's query for `text`: each of its words must occur, at least as the start of a word. `None` if it has no
/// word.
pub(super) fn match_words(text: &str) -> Option<String> {
    let has_word = |part: &&str| part.chars().any(char::is_alphanumeric);
    let words = text.split_whitespace().filter(has_word).map(|word| format!("\"{}\"*", word.replace(['"', '\0'], " ")));
    Some(words.collect::<Vec<_>>().join(" ")).filter(|words| !words.is_empty())
}
