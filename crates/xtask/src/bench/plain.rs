//! A minimal writer: one row per transaction in a table of two columns, with the same waits for the disk and the same turns as a
//! ledger.

use std::fs::File;
use std::io::{BufRead, Write as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::town::text;

/// How long a writer of the ledger waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the table.
pub fn make(file: &Path) -> Result<(), String> {
    open(file)?.execute_batch("CREATE TABLE beads (id INTEGER PRIMARY KEY, title TEXT NOT NULL)").map_err(text)
}

fn open(file: &Path) -> Result<Connection, String> {
    let connection = Connection::open(file).map_err(text)?;
    connection.busy_timeout(PATIENCE).map_err(text)?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").map_err(text)?;
    Ok(connection)
}

/// Writes a row for each line of standard input, each in its own turn and transaction. Prints a line for each.
pub fn write(file: &Path) -> Result<(), String> {
    let mut connection = open(file)?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(text)?;
        let turn = File::options().create(true).append(true).open(file.with_extension("lock")).map_err(text)?;
        turn.lock().map_err(text)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(text)?;
        transaction.execute("INSERT INTO beads (title) VALUES (?1)", [line]).map_err(text)?;
        transaction.commit().map_err(text)?;
        writeln!(std::io::stdout(), "written").map_err(text)?;
    }
    Ok(())
}
