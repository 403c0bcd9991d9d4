use gt_model::address::Address;
use gt_model::bead::Status;
use gt_model::id::BeadId;
use gt_town::effects::Wait;
use gt_town::patrol::standing::AgentDoing;
use gt_town::view::answer::Answer;
use gt_town::view::doing::{StepAt, WorkerDoing};

use super::*;

#[test]
fn workers_are_described() {
    let check = |doing: WorkerDoing, expected: &str| assert_eq!(worker(&doing), expected);
    let at = || StepAt::Step { number: 2, of: 3, id: "test".to_owned() };
    let slots = |by: &[&str]| {
        let by = by.iter().map(|text| Address::parse(text).unwrap()).collect();
        WorkerDoing::Waits(Wait::Slots(2, by))
    };
    check(WorkerDoing::Works(at()), "step 2/3 test");
    check(WorkerDoing::Ended(StepAt::AllDone), "ended, to be started again; at all steps done");
    check(WorkerDoing::JustEnded(at()), "has just ended; at step 2/3 test");
    check(WorkerDoing::Leaves, "submitted; session and worktree are being removed");
    check(slots(&[]), "waiting for a slot: max_polecats = 2, 0 of 2 in use");
    let by = "app/polecats/amber, app/polecats/basalt";
    check(
        slots(&["app/polecats/amber", "app/polecats/basalt"]),
        &format!("waiting for a slot: max_polecats = 2, 2 of 2 in use by {by}"),
    );
}

#[test]
fn agents_are_described() {
    assert_eq!(agent(&AgentDoing::Runs(7)), "running (pid 7)");
    assert_eq!(agent(&AgentDoing::Capped("no money".to_owned())), "waits: no money");
    assert_eq!(agent(&AgentDoing::Asleep), "asleep until there is mail for it");
}

#[test]
fn a_bead_has_an_answer_and_what_to_type_next() {
    let id = BeadId::from("a-1");
    let check = |of: Answer, is_stalled: bool, expected: (&str, Option<&str>)| {
        assert_eq!((answer(&id, &of).as_str(), next(&id, &of, is_stalled).as_deref()), expected);
    };
    check(Answer::Ready, true, ("a-1 is ready", Some("gt sling a-1 <rig>")));
    check(Answer::Closed(None), false, ("a-1 is closed: no reason was given", None));
    check(Answer::WaitsFor(vec!["a-2".into(), "a-3".into()]), false, ("a-1 waits for a-2, a-3", None));
    check(
        Answer::HasStatus(Status::InProgress),
        false,
        ("a-1 is in_progress", Some("gt bead update a-1 --status open")),
    );
    let (worker, doing) = (Address::parse("app/polecats/amber").unwrap(), WorkerDoing::NotStarted);
    let on_hook = "a-1 is on the hook of app/polecats/amber: session to be started";
    check(Answer::OnHook { worker, doing }, true, (on_hook, Some("gt up")));
}
