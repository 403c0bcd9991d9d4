use rusqlite::Connection;

use super::*;
use crate::MIGRATIONS;

fn ledger(migrations: &[&str]) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    migrations.iter().for_each(|migration| connection.execute_batch(migration).unwrap());
    connection
}

fn tx(connection: &Connection) -> Tx<'_> {
    Tx::new(connection, "overseer", "test", "2026-11-22T12:00:00Z".parse().unwrap())
}

fn step(id: &str, needs: &[&str]) -> Step {
    serde_json::from_value(json!({ "id": id, "title": id, "description": "", "needs": needs, "acceptance": [] }))
        .unwrap()
}

fn pour(tx: &Tx<'_>, steps: &[Step], is_ephemeral: bool) -> MoleculeId {
    let new = NewMolecule {
        formula: "f",
        hash: "",
        vars: json!({}),
        steps,
        rig: None,
        bead: None,
        attempt: None,
        parent: None,
        is_ephemeral,
    };
    tx.pour(&new).unwrap().id
}

fn ready(tx: &Tx<'_>, molecule: MoleculeId) -> Vec<String> {
    tx.ready_steps(molecule).unwrap().into_iter().map(|step| step.step.id).collect()
}

fn end(tx: &Tx<'_>, molecule: MoleculeId, step: &str, state: StepState) -> bool {
    tx.end_step(molecule, step, StepEnd { state, note: None, output: None }).unwrap()
}

/// `a`, then `b` and `c`, then `d`.
fn diamond() -> [Step; 4] {
    [step("a", &[]), step("b", &["a"]), step("c", &["a"]), step("d", &["b", "c"])]
}

#[test]
fn a_step_is_ready_once_all_its_needs_are_done_or_skipped() {
    let connection = ledger(MIGRATIONS);
    let tx = tx(&connection);
    let molecule = pour(&tx, &diamond(), false);
    assert_eq!(ready(&tx, molecule), ["a"]);
    assert!(!tx.start_step(molecule, "b").unwrap(), "it waits for a");
    assert!(end(&tx, molecule, "a", StepState::Done));
    assert!(!end(&tx, molecule, "a", StepState::Done), "a step ends once");
    assert_eq!(ready(&tx, molecule), ["b", "c"]);
    end(&tx, molecule, "b", StepState::Skipped);
    assert_eq!(ready(&tx, molecule), ["c"]);
    end(&tx, molecule, "c", StepState::Done);
    assert_eq!(ready(&tx, molecule), ["d"]);
    assert!(tx.molecule(molecule).unwrap().unwrap().ended_at.is_none());
    end(&tx, molecule, "d", StepState::Done);
    assert_eq!(tx.molecule(molecule).unwrap().unwrap().outcome, Some(MoleculeOutcome::Done));
}

#[test]
fn a_failed_step_holds_back_those_that_need_it_until_it_is_opened_again() {
    let connection = ledger(MIGRATIONS);
    let tx = tx(&connection);
    let molecule = pour(&tx, &diamond(), false);
    end(&tx, molecule, "a", StepState::Failed);
    assert_eq!(ready(&tx, molecule), Vec::<String>::new());
    assert_eq!(tx.step_counts(molecule).unwrap(), StepCounts { all: 4, over: 0, failed: 1 });
    assert!(tx.molecule(molecule).unwrap().unwrap().ended_at.is_none(), "a person decides what becomes of it");
    assert!(tx.reopen_step(molecule, "a").unwrap());
    assert!(!tx.reopen_step(molecule, "a").unwrap(), "it is open already");
    assert_eq!(ready(&tx, molecule), ["a"]);
}

#[test]
fn opening_a_step_again_makes_its_dependants_wait_and_the_molecule_live() {
    let connection = ledger(MIGRATIONS);
    let tx = tx(&connection);
    let molecule = pour(&tx, &diamond(), false);
    for id in ["a", "b", "c", "d"] {
        end(&tx, molecule, id, StepState::Done);
    }
    tx.reopen_step(molecule, "b").unwrap();
    assert!(tx.molecule(molecule).unwrap().unwrap().ended_at.is_none());
    assert_eq!(ready(&tx, molecule), ["b"]);
    tx.reopen_step(molecule, "d").unwrap();
    assert_eq!(ready(&tx, molecule), ["b"], "d waits for b");
    end(&tx, molecule, "b", StepState::Done);
    assert_eq!(ready(&tx, molecule), ["d"]);
}

#[test]
fn an_ephemeral_molecule_leaves_no_steps_behind() {
    let connection = ledger(MIGRATIONS);
    let tx = tx(&connection);
    let molecule = pour(&tx, &[step("a", &[])], true);
    end(&tx, molecule, "a", StepState::Done);
    assert!(tx.molecule(molecule).unwrap().unwrap().ended_at.is_some());
    assert!(tx.steps_of(molecule).unwrap().is_empty());
}

#[test]
fn a_step_that_needs_itself_or_a_need_twice_is_not_stuck() {
    let connection = ledger(MIGRATIONS);
    let tx = tx(&connection);
    let molecule = pour(&tx, &[step("a", &["a"]), step("b", &["a", "a"])], false);
    end(&tx, molecule, "a", StepState::Done);
    assert_eq!(ready(&tx, molecule), ["b"]);
}

#[test]
fn steps_of_an_older_ledger_become_steps_of_molecules() {
    let before = MIGRATIONS.iter().position(|sql| sql.contains("CREATE TABLE molecules")).unwrap();
    let connection = ledger(&MIGRATIONS[..before]);
    let sql = "INSERT INTO attempts (id, bead, number, rig, worker, agent, formula, branch, opened_at)
               VALUES (7, 'a-1', 1, 'app', 'amber', 'claude', 'mol-polecat-work', 'b', '2026-11-22T12:00:00Z')";
    connection.execute(sql, []).unwrap();
    for (position, step) in diamond().iter().enumerate() {
        let done = (position < 2).then_some("2026-11-22T12:00:00Z");
        connection
            .execute(
                "INSERT INTO steps (attempt, position, step, id, done_at, note) VALUES (7, ?1, ?2, ?3, ?4, 'n')",
                (position as i64, to_json(step).unwrap(), &step.id, done),
            )
            .unwrap();
    }
    MIGRATIONS[before..].iter().for_each(|migration| connection.execute_batch(migration).unwrap());

    let tx = tx(&connection);
    let molecule = tx.molecule_of(AttemptId(7)).unwrap().unwrap();
    assert_eq!((molecule.id, molecule.formula.as_str()), (MoleculeId(7), "mol-polecat-work"));
    let steps = tx.steps(AttemptId(7)).unwrap();
    assert_eq!(steps.iter().map(|step| step.waits).collect::<Vec<_>>(), [0, 0, 0, 1]);
    assert!(steps.iter().all(|step| step.note.as_deref() == Some("n")));
    assert_eq!(ready(&tx, molecule.id), ["c"]);
    end(&tx, molecule.id, "c", StepState::Done);
    assert_eq!(ready(&tx, molecule.id), ["d"]);
    assert_eq!(pour(&tx, &diamond(), false), MoleculeId(8), "numbers are never used twice");
}
