//! Times in rows. gt writes each of them itself, in UTC and as [`Timestamp`] prints it, so a row holds a parsed time and writes
//! the same text again. A text that is no time is an error that names its row and column.
//!
//! Times of beads differ: other tools write them too, with offsets and digits of their own choice, and they must come back byte
//! for byte. Beads therefore keep the text ([`gt_model::bead::Stamp`]), and so does the state of beads in other towns.

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::{Type, ValueRef};

/// Reads the times of a row.
pub(super) struct Times<'r, 's> {
    row: &'r Row<'s>,
    table: &'static str,
}

/// Text in a ledger's row that is not a time.
#[derive(Debug, thiserror::Error)]
#[error("{column} of the row of {table} with {key} is {value}")]
pub(super) struct NoTime {
    table: &'static str,
    column: &'static str,
    /// First column of the row with its value.
    key: String,
    value: String,
}

impl<'r, 's> Times<'r, 's> {
    /// Reads times of `row`, whose columns belong to `table`. The row's first column must identify it.
    pub(super) fn of(row: &'r Row<'s>, table: &'static str) -> Self {
        Self { row, table }
    }

    /// Returns the time in a column.
    pub(super) fn at(&self, column: &'static str) -> rusqlite::Result<Timestamp> {
        self.read(column, self.row.get_ref(column)?)
    }

    /// Returns the time in a column; `None` for NULL.
    pub(super) fn maybe(&self, column: &'static str) -> rusqlite::Result<Option<Timestamp>> {
        match self.row.get_ref(column)? {
            ValueRef::Null => Ok(None),
            value => self.read(column, value).map(Some),
        }
    }

    fn read(&self, column: &'static str, value: ValueRef<'_>) -> rusqlite::Result<Timestamp> {
        let time = value.as_str().ok().and_then(|text| text.parse().ok());
        time.ok_or_else(|| self.no_time(column, value))
    }

    #[cold]
    fn no_time(&self, column: &'static str, value: ValueRef<'_>) -> rusqlite::Error {
        let first = self.row.as_ref().column_name(0).unwrap_or("no column");
        let key = self.row.get_ref(0).map_or_else(|_| first.to_owned(), |key| format!("{first} {}", shown(key)));
        let error = NoTime { table: self.table, column, key, value: shown(value) };
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
    }
}

/// How many characters of a value an error shows.
const SHOWN_CHARS: usize = 80;

fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => {
            let text: String = String::from_utf8_lossy(text).chars().take(SHOWN_CHARS).collect();
            format!("{text:?}")
        }
        ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}

#[cfg(test)]
mod tests;
