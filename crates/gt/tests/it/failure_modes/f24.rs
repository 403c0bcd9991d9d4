//! Nothing grows without limit: old data is deleted after a while, and the doctor says how much there is of each kind.
//! `keep.rs` and the engine's own tests check archives, refs, sessions and gates' logs.

use serde_json::Value;

use crate::town::{Town, text, write};

/// Fills the ledger with many events from long ago.
fn make_past(town: &Town, events: usize) {
    let ledger = rusqlite::Connection::open(town.root().join(".beads/beads.db")).unwrap();
    let sql = "INSERT INTO events (at, actor, verb, event, subject, after)
               WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
               SELECT '2020-01-01T00:00:00Z', 'deacon/', 'patrol', 'looked', 'town', json_quote(hex(zeroblob(200))) FROM n";
    ledger.execute(sql, [events as i64]).unwrap();
    let sql = "INSERT INTO effects (effect, kind, decided_at, delay_ms, done_at)
               VALUES ('{}', 'fetch', '2020-01-01T00:00:00Z', 0, '2020-01-01T00:00:00Z')";
    ledger.execute(sql, []).unwrap();
}

fn events(town: &Town) -> usize {
    town.ask("SELECT count(*) FROM events")[0].parse().unwrap()
}

#[test]
fn f24_old_events_are_deleted_after_their_time_and_free_their_space() {
    const MANY: usize = 20_000;
    let town = Town::empty();
    let bead = text(&town.json(&["bead", "create", "Kept"])["id"]);
    let before = events(&town);
    make_past(&town, MANY);
    assert_eq!(town.json(&["retention", "run", "--dry-run"])["retention"]["events"], 0, "without a word they stay");
    town.settle("[retention]\nevent_days = 30\n");
    assert_eq!(town.json(&["retention", "run", "--dry-run"])["retention"]["events"], MANY);
    assert_eq!(events(&town), before + MANY, "a rehearsal removes nothing");
    town.ok(&["retention", "run"]);
    assert_eq!(events(&town), before, "what is young stays");
    assert_eq!(town.ask("SELECT count(*) FROM effects WHERE done_at < '2021'"), ["0"], "effects that are done go too");
    let vacuum = town.json(&["ledger", "vacuum"])["vacuum"].clone();
    let (was, is) = (vacuum["bytes_before"].as_u64().unwrap(), vacuum["bytes_after"].as_u64().unwrap());
    assert!(is * 2 < was, "{was} bytes before, {is} after");
    assert_eq!(town.status_of(&bead), "open");
    assert_eq!(town.gt(&["ledger", "check"]).code, 0);
}

#[test]
fn f24_the_doctor_says_how_much_data_the_town_keeps() {
    let town = Town::new();
    write(&town.root().join("logs/large.log"), vec![b'x'; 3_000_000]);
    let report = town.gt(&["doctor", "--json"]);
    let report: Value = serde_json::from_str(&report.out).unwrap();
    let sizes: Vec<(String, String)> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|check| Some((text(&check["name"]).strip_prefix("size of ")?.to_owned(), text(&check["detail"]))))
        .collect();
    for kind in ["ledger", "archives", "sessions", "gate logs", "removed rigs", "logs"] {
        assert!(sizes.iter().any(|(name, _)| name == kind), "{kind} is not among {sizes:?}");
    }
    let (_, logs) = sizes.iter().find(|(name, _)| name == "logs").unwrap();
    assert!(logs.starts_with("3.0 MB"), "{logs}");
}
