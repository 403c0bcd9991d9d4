//! The word index for full-text search. It takes in new beads a few dozen at a time, which costs far less than one by one. It
//! contains all beads up to its highest number. A search finds newer beads through a second, temporary index that it builds for
//! itself.

use gt_model::bead::Bead;

use super::query::Sql;
use super::{LedgerResult, Tx, View, to_json};

/// Number of new beads that triggers indexing their words.
const GATHERED: i64 = 64;

/// How many beads to index in one statement.
const INDEXED_AT_ONCE: usize = 20_000;

/// SQL that lets the index gather more bytes of new words before it writes them. SQLite's default suits devices with little
/// memory.
macro_rules! gather_much {
    () => {
        "INSERT INTO bead_text (bead_text, rank) VALUES ('hashsize', 33554432);"
    };
}
pub(super) use gather_much;

/// SQL query for the highest number of a bead in the index.
const INDEXED: &str = "SELECT coalesce(max(id), 0) FROM bead_text_docsize";

/// SQL query for the words of beads, with their numbers. The caller appends the condition that selects the beads.
macro_rules! words_where {
    () => {
        "SELECT n, title, concat_ws(char(10), description, design, acceptance_criteria, notes,
             (SELECT group_concat(c.text, char(10)) FROM comments c WHERE c.issue_id = b.id))
         FROM beads b WHERE "
    };
}

/// SQL that puts the words of beads into the index. The caller appends the condition that selects the beads.
const INDEX_WORDS: &str = concat!("INSERT INTO bead_text (rowid, title, body) ", words_where!());

/// SQL that builds the temporary index of the beads that the ledger's index does not contain yet.
const INDEX_RECENT: &str = concat!(
    "DROP TABLE IF EXISTS temp.recent_text;
     CREATE VIRTUAL TABLE temp.recent_text USING fts5(
         title, body, content = '', tokenize = \"unicode61 remove_diacritics 2\"
     );
     INSERT INTO temp.recent_text (rowid, title, body) ",
    words_where!(),
    "n > (SELECT coalesce(max(id), 0) FROM bead_text_docsize)"
);

impl View<'_> {
    /// Builds the temporary index if the query `sql` searches for words.
    pub(super) fn prepare(&self, sql: &Sql) -> LedgerResult<()> {
        if sql.looks_for_words() { Ok(self.connection.execute_batch(INDEX_RECENT)?) } else { Ok(()) }
    }

    fn indexed(&self) -> LedgerResult<i64> {
        Ok(self.one(INDEXED, [], |row| row.get(0))?.unwrap_or_default())
    }
}

impl Tx<'_> {
    /// Updates the word index after a change of the bead with number `n`.
    pub(super) fn index_changed(&self, n: i64, before: Option<&Bead>, bead: &Bead) -> LedgerResult<()> {
        if before.is_some_and(|before| texts(before) == texts(bead) && before.comments == bead.comments) {
            return Ok(());
        }
        match n - self.indexed()? {
            i64::MIN..=0 => self.index_again(&[n]),
            1..GATHERED => Ok(()),
            _ => self.index_new(),
        }
    }

    /// Adds all beads that are missing to the word index.
    pub(super) fn index_new(&self) -> LedgerResult<()> {
        let indexed = self.indexed()?;
        self.execute(&format!("{INDEX_WORDS} n > ?1"), [indexed]).map(drop)
    }

    /// Replaces the words of these beads in the index.
    pub(super) fn index_again(&self, numbers: &[i64]) -> LedgerResult<()> {
        for part in numbers.chunks(INDEXED_AT_ONCE) {
            let numbers = to_json(&part)?;
            let sql = "DELETE FROM bead_text WHERE rowid IN (SELECT value FROM json_each(?1))";
            self.execute(sql, [&numbers])?;
            self.execute(&format!("{INDEX_WORDS} n IN (SELECT value FROM json_each(?1))"), [&numbers])?;
        }
        Ok(())
    }
}

/// Returns the texts that are searched: the title, and the other ones.
pub(super) fn texts(bead: &Bead) -> (&str, [&str; 4]) {
    (&bead.title, [&bead.description, &bead.design, &bead.acceptance_criteria, &bead.notes])
}

/// Returns all texts except the title, as one.
pub(super) fn body(bead: &Bead) -> String {
    let comments = bead.comments.iter().map(|comment| comment.text.as_str());
    texts(bead).1.into_iter().chain(comments).collect::<Vec<_>>().join("\n")
}
