use gt_model::id::AttemptId;
use rusqlite::Connection;

use crate::{LedgerError, MIGRATIONS, View};

/// Ledger with one attempt that was opened at `opened` and ended at `ended`, an SQL value.
fn ledger(opened: &str, ended: &str) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    MIGRATIONS.iter().for_each(|migration| connection.execute_batch(migration).unwrap());
    let sql = format!(
        "INSERT INTO attempts (id, bead, number, rig, worker, agent, formula, branch, opened_at, ended_at)
             VALUES (7, 'a-1', 1, 'app', 'amber', 'mine', 'f', 'b', '{opened}', {ended})"
    );
    connection.execute_batch(&sql).unwrap();
    connection
}

#[test]
fn times_are_printed_as_they_were_written() {
    for text in [
        "2026-11-22T12:00:00Z",
        "2026-11-22T12:00:00.5Z",
        "2026-11-22T12:00:00.123456Z",
        "1970-01-01T00:00:00.000000001Z",
    ] {
        let connection = ledger(text, "NULL");
        let attempt = View { connection: &connection }.attempt(AttemptId(7)).unwrap().unwrap();
        assert_eq!((attempt.opened_at.to_string().as_str(), attempt.ended_at), (text, None));
        assert_eq!(serde_json::to_value(&attempt).unwrap()["opened_at"], text);
    }
}

#[test]
fn an_unreadable_time_is_an_error_that_names_its_place() {
    let check = |opened: &str, ended: &str, expected: &str| {
        let connection = ledger(opened, ended);
        let error = View { connection: &connection }.attempt(AttemptId(7)).unwrap_err();
        assert!(matches!(error, LedgerError::Corrupt { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("the ledger holds a time that can't be read: {expected}"));
    };
    let good = "2026-11-22T12:00:00Z";
    check("soon", "NULL", "opened_at of the row of attempts with id 7 is \"soon\"");
    check("2026-11-22", "NULL", "opened_at of the row of attempts with id 7 is \"2026-11-22\"");
    check(good, "''", "ended_at of the row of attempts with id 7 is \"\"");

    check(good, "'a\u{1b}b'", "ended_at of the row of attempts with id 7 is \"a\\u{1b}b\"");
}
