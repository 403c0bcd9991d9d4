//! Tests that frequent queries don't become slower as a town's history grows: their plans must not scan a table that grows with
//! finished work.

use std::cell::RefCell;

use gt_model::address::Address;
use gt_model::id::{AttemptId, BeadId, IncarnationId, MoleculeId, RigName};
use rusqlite::Connection;

use super::{MIGRATIONS, Priority, Tx, View};

thread_local! {
    static PLANS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes SQLite's plan for a statement.
pub(super) fn note(connection: &Connection, sql: &str) {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let lines = explain.raw_query().mapped(|row| row.get(3)).collect::<Result<Vec<String>, _>>().unwrap();
    let plan = |line| format!("{line}  --  {sql}");
    PLANS.with_borrow_mut(|plans| plans.extend(lines.into_iter().map(plan)));
}

/// Tables that a plan may scan: their rows exist once, or only for current work.
const FEW: &[&str] = &[
    "rigs",
    "agents",
    "conditions",
    "unsettled_convoys",
    "USING INDEX live_incarnations",
    "one_live_attempt",
    "attempts_with_worktree",
    "USING INDEX queue",
    "USING INDEX live_molecules",
    "USING INDEX effects_to_do",
    "open_convoys",
    "VIRTUAL TABLE",
    "CONSTANT ROW",
];

fn goes_through_history(plan: &str) -> bool {
    let scan = plan.split("  --  ").next().unwrap_or_default();
    scan.starts_with("SCAN") && !FEW.iter().any(|few| scan.contains(few))
}

fn ledger() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    MIGRATIONS.iter().for_each(|migration| connection.execute_batch(migration).unwrap());
    connection
}

#[test]
fn f19_what_is_asked_all_the_time_reads_no_history() {
    let connection = ledger();
    let view = View { connection: &connection };
    let (bead, rig) = (BeadId::from("a-1"), RigName::parse("app").unwrap());
    let (mayor, amber) = (Address::Mayor, Address::Polecat(rig.clone(), "amber".to_owned()));
    let (attempt, incarnation) = (AttemptId(1), IncarnationId::from("amber-a1-1"));

    // Queries of each verb, of agents and of people.
    view.incarnation(&incarnation).unwrap();
    view.incarnations_of(attempt).unwrap();
    view.live_incarnations().unwrap();
    view.attempt(attempt).unwrap();
    view.live_attempt(&bead).unwrap();
    view.attempts_on(&bead).unwrap();
    view.steps(attempt).unwrap();
    view.molecule_of(attempt).unwrap();
    view.attached_molecule(&bead).unwrap();
    view.ready_steps(MoleculeId(1)).unwrap();
    view.reactions(&incarnation).unwrap();
    view.bead(&bead).unwrap();
    for of in [&mayor, &amber] {
        view.inbox(of, true).unwrap();
        view.handoff(of, "branch", Some(&incarnation)).unwrap();
        view.undelivered(of, Priority::Low).unwrap();
        view.urgent_unread(of).unwrap();
        view.mail(&bead, of).unwrap();
    }
    view.hook_of(&rig, "amber").unwrap();
    view.newest_attempt_of(&rig, "amber").unwrap();
    view.last_events(Some(&bead), 10).unwrap();
    view.last_news(Some(&bead), 10).unwrap();
    view.events(0, Some(&bead), 10).unwrap();

    // Queries of each of the deacon's patrols.
    view.rigs().unwrap();
    view.agents().unwrap();
    view.conditions().unwrap();
    view.present_attempts().unwrap();
    view.open_effects().unwrap();
    view.live_molecules().unwrap();
    view.step_of_bead(&bead).unwrap();
    view.open_merge_requests(None).unwrap();
    view.open_merge_requests(Some(&rig)).unwrap();
    view.open_convoys_begun().unwrap();
    view.unsettled_convoys().unwrap();
    view.member_states(&bead).unwrap();
    view.open_swarms_of(&bead).unwrap();
    view.live_incarnations_of_agent(&mayor).unwrap();
    view.mails_delivered_to(&incarnation).unwrap();
    view.taken_workers(&rig).unwrap();

    // Queries of each landing.
    view.rework_count(&bead).unwrap();
    view.landed_commit(&rig, &bead).unwrap();
    view.merge_requests_of_landing(1).unwrap();

    let plans = PLANS.take();
    // These must use an index on what is rare, not on what all of an agent's mail or all convoys share.
    let by = |index: &str, sql: &str| plans.iter().any(|plan| plan.contains(index) && plan.contains(sql));
    assert!(by("mail_told (delivered_to=?)", "HANDOFF") && by("mail_of (recipient=? AND acted_at=?)", "HANDOFF"));
    assert!(by("mail_told (delivered_to=?)", "SELECT count(*)") && by("open_convoys", "'convoy'"));
    let bad: Vec<&String> = plans.iter().filter(|plan| goes_through_history(plan)).collect();
    assert!(plans.len() > 40 && bad.is_empty(), "{bad:#?}");

    // The check itself must recognise such a plan.
    view.swarms().unwrap();
    assert!(PLANS.take().iter().any(|plan| goes_through_history(plan)));
}

#[test]
fn what_no_longer_holds_is_forgotten_and_may_hold_again() {
    let connection = ledger();
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let tx = Tx::new(&connection, "gt", "test", now);
    for _ in 0..2 {
        assert!(tx.raise(gt_model::condition::ConditionKind::Unknown, "amber", "no sign of life").unwrap());
        assert!(
            !tx.raise(gt_model::condition::ConditionKind::Unknown, "amber", "no sign of life").unwrap(),
            "it is known"
        );
        assert_eq!(tx.conditions().unwrap().len(), 1);
        assert!(tx.clear(gt_model::condition::ConditionKind::Unknown, "amber").unwrap());
        assert!(!tx.clear(gt_model::condition::ConditionKind::Unknown, "amber").unwrap(), "it was over");
        assert_eq!(tx.conditions().unwrap().len(), 0);
    }
}
