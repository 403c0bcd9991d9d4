//! An index of words that is made while its beads are still being written: on a thread of its own, in memory, for a ledger in
//! which there is none yet. Its tables then take the place of the ledger's, row by row, as they do in each copy of a ledger.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use gt_model::bead::Bead;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::words::{body, gather_much, texts};
use super::{LedgerResult, Tx, View};

/// How many beads' words may wait for the thread.
const WAITING: usize = 1000;

/// The index's own tables.
const TABLES: [&str; 4] = ["bead_text_config", "bead_text_data", "bead_text_docsize", "bead_text_idx"];

/// Lets this connection forget what it remembers of the index: as it does when something is taken back.
const FORGET: &str = concat!("SAVEPOINT taken; ", gather_much!(), " ROLLBACK TO taken; RELEASE taken;");

/// A bead's number, title and other texts.
type Words = (i64, String, String);

/// An index that is being made.
#[derive(Debug)]
pub(super) struct Aside {
    words: SyncSender<Words>,
    maker: JoinHandle<rusqlite::Result<Connection>>,
}

impl Aside {
    fn begin(definition: String) -> Self {
        let (words, come) = sync_channel(WAITING);
        Self { words, maker: std::thread::spawn(move || index(&definition, &come)) }
    }

    /// Adds a bead's words. A thread that has failed is noticed at the end.
    pub(super) fn add(&self, n: i64, bead: &Bead) {
        let _ = self.words.send((n, texts(bead).0.to_owned(), body(bead)));
    }

    /// The index of all that was added; `None` where it could not be made.
    fn finish(self) -> Option<Connection> {
        drop(self.words);
        self.maker.join().ok()?.ok()
    }
}

/// Indexes what comes, until nothing more does.
fn index(definition: &str, words: &Receiver<Words>) -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(definition)?;
    connection.execute_batch("BEGIN")?;
    let mut insert = connection.prepare("INSERT INTO bead_text (rowid, title, body) VALUES (?1, ?2, ?3)")?;
    for words in words {
        insert.execute(words)?;
    }
    drop(insert);
    connection.execute_batch("COMMIT")?;
    Ok(connection)
}

fn number(row: &Row<'_>) -> rusqlite::Result<i64> {
    row.get(0)
}

impl Tx<'_> {
    /// Begins to make an index of words aside, where there are no beads yet of which the words would have to be in it.
    pub(super) fn begin_aside(&self) -> LedgerResult<Option<Aside>> {
        let sql = "SELECT sql FROM sqlite_master WHERE name = 'bead_text' AND NOT EXISTS (SELECT 1 FROM beads)";
        let definition: Option<String> = self.one(sql, [], |row| row.get(0))?;
        Ok(definition.map(|sql| Aside::begin(format!("{sql}; {}", gather_much!()))))
    }

    /// Takes an index that was made aside for the ledger's own, unless it could not be made or is not that of all beads.
    pub(super) fn take_aside(&self, aside: Aside) -> LedgerResult<()> {
        let Some(made) = aside.finish() else { return Ok(()) };
        let indexed = View { connection: &made }.all("SELECT id FROM bead_text_docsize ORDER BY id", [], number)?;
        if self.all("SELECT n FROM beads ORDER BY n", [], number)? != indexed {
            return Ok(());
        }
        TABLES.iter().try_for_each(|table| self.take_rows(table, &made))?;
        Ok(self.connection.execute_batch(FORGET)?)
    }

    /// Takes all rows of a table of `made` for those of its namesake.
    fn take_rows(&self, table: &str, made: &Connection) -> LedgerResult<()> {
        self.execute(&format!("DELETE FROM {table}"), [])?;
        let mut rows = made.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = rows.column_count();
        let insert = format!("INSERT INTO {table} VALUES ({})", vec!["?"; columns].join(", "));
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let values: Vec<Value> = (0..columns).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?;
            self.execute(&insert, params_from_iter(values))?;
        }
        Ok(())
    }
}
