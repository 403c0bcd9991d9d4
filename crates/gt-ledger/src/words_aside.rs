//! Builds the word index on a thread of its own while the beads are still being written. It is used for a ledger without beads,
//! and the index is built in memory. At the end its tables replace those of the ledger row by row, as in any copy of a ledger.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use gt_model::bead::Bead;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::words::{body, gather_much, texts};
use super::{LedgerResult, Tx, View};

/// How many beads may wait for the thread.
const WAITING: usize = 1000;

/// Tables that SQLite keeps the index in.
const TABLES: [&str; 4] = ["bead_text_config", "bead_text_data", "bead_text_docsize", "bead_text_idx"];

/// SQL that makes this connection drop what it has cached of the index, as a rollback does.
const FORGET: &str = concat!("SAVEPOINT taken; ", gather_much!(), " ROLLBACK TO taken; RELEASE taken;");

/// Number, title and other texts of a bead.
type Words = (i64, String, String);

/// An index under construction.
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

    /// Sends a bead's words to the thread. If the thread has failed, [`Self::finish`] notices it.
    pub(super) fn add(&self, n: i64, bead: &Bead) {
        let _ = self.words.send((n, texts(bead).0.to_owned(), body(bead)));
    }

    /// Returns the index of everything that was added; `None` if building it failed.
    fn finish(self) -> Option<Connection> {
        drop(self.words);
        self.maker.join().ok()?.ok()
    }
}

/// Indexes the beads that arrive, until the sender closes the channel.
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
    /// Starts to build a separate word index; `None` if the ledger already has beads, whose words it would lack.
    pub(super) fn begin_aside(&self) -> LedgerResult<Option<Aside>> {
        let sql = "SELECT sql FROM sqlite_master WHERE name = 'bead_text' AND NOT EXISTS (SELECT 1 FROM beads)";
        let definition: Option<String> = self.one(sql, [], |row| row.get(0))?;
        Ok(definition.map(|sql| Aside::begin(format!("{sql}; {}", gather_much!()))))
    }

    /// Replaces the ledger's word index with one that was built separately. Does nothing if building it failed or it does not
    /// contain exactly the ledger's beads.
    pub(super) fn take_aside(&self, aside: Aside) -> LedgerResult<()> {
        let Some(made) = aside.finish() else { return Ok(()) };
        let indexed = View { connection: &made }.all("SELECT id FROM bead_text_docsize ORDER BY id", [], number)?;
        if self.all("SELECT n FROM beads ORDER BY n", [], number)? != indexed {
            return Ok(());
        }
        TABLES.iter().try_for_each(|table| self.take_rows(table, &made))?;
        Ok(self.connection.execute_batch(FORGET)?)
    }

    /// Replaces the rows of a table with the rows of the same table in `made`.
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
