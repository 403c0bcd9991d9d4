//! The index of words. New beads come into it a few dozen at a time, which costs far less than one by one: all numbers up to
//! its highest are in it, and those beyond are searched in an index beside it, which lasts as long as a question.

use gt_model::bead::Bead;

use super::query::Sql;
use super::{LedgerResult, Tx, View, to_json};

/// At so many new beads their words are put into the index.
const GATHERED: i64 = 64;

/// How many beads' words are indexed in one statement.
const INDEXED_AT_ONCE: usize = 20_000;

/// How many bytes of new words are gathered before they are written: the default is for devices with little memory.
macro_rules! gather_much {
    () => {
        "INSERT INTO bead_text (bead_text, rank) VALUES ('hashsize', 33554432);"
    };
}
pub(super) use gather_much;

/// The highest number of which the words are in the index.
const INDEXED: &str = "SELECT coalesce(max(id), 0) FROM bead_text_docsize";

/// The words of beads, with their numbers; ends where it is to be said which beads.
macro_rules! words_where {
    () => {
        "SELECT n, title, concat_ws(char(10), description, design, acceptance_criteria, notes,
             (SELECT group_concat(c.text, char(10)) FROM comments c WHERE c.issue_id = b.id))
         FROM beads b WHERE "
    };
}

/// Puts the words of beads into their index; ends where it is to be said which.
const INDEX_WORDS: &str = concat!("INSERT INTO bead_text (rowid, title, body) ", words_where!());

/// An index like that of the ledger, of the beads that are not in that one yet.
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
    /// Makes ready for a question whether that looks for words.
    pub(super) fn prepare(&self, sql: &Sql) -> LedgerResult<()> {
        if sql.looks_for_words() { Ok(self.connection.execute_batch(INDEX_RECENT)?) } else { Ok(()) }
    }

    fn indexed(&self) -> LedgerResult<i64> {
        Ok(self.one(INDEXED, [], |row| row.get(0))?.unwrap_or_default())
    }
}

impl Tx<'_> {
    /// Brings the index of words up to date with the bead of number `n`.
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

    /// Puts into the index of words what is not in it yet.
    pub(super) fn index_new(&self) -> LedgerResult<()> {
        let indexed = self.indexed()?;
        self.execute(&format!("{INDEX_WORDS} n > ?1"), [indexed]).map(drop)
    }

    /// Puts the words of beads that are in the index into it anew.
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

/// The texts that are searched: the title, and the others.
pub(super) fn texts(bead: &Bead) -> (&str, [&str; 4]) {
    (&bead.title, [&bead.description, &bead.design, &bead.acceptance_criteria, &bead.notes])
}

/// All texts but the title, as one.
pub(super) fn body(bead: &Bead) -> String {
    let comments = bead.comments.iter().map(|comment| comment.text.as_str());
    texts(bead).1.into_iter().chain(comments).collect::<Vec<_>>().join("\n")
}
