use gt_model::address::Address;
use gt_model::bead::Status;
use gt_model::id::BeadId;
use gt_town::effects::Wait;
use gt_town::patrol::needs::Todo;
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

#[test]
fn each_need_has_its_command() {
    let check = |of: Todo, expected: &str| assert_eq!(todo(&of), expected);
    let (app, mr, amber) = (|| "app".to_owned(), || "mr-a-1".to_owned(), || "app/polecats/amber".to_owned());
    let allow = |pattern: &str| Todo::AllowInRig { rig: app(), pattern: pattern.to_owned() };
    check(Todo::Approve(mr()), "gt mq diff mr-a-1, then gt mq approve mr-a-1");
    check(Todo::RetryMerge(mr()), "gt mq show mr-a-1, then gt mq retry mr-a-1");
    check(Todo::ResumeRig(app()), "gt resume app");
    let kind = Todo::RetryKind { kind: "claude".to_owned(), rig: app() };
    check(kind, "gt agent check claude --rig app, then gt doctor --retry");
    let crew = Todo::StartCrew { rig: app(), name: "max".to_owned() };
    check(crew, "gt peek app/crew/max, then gt crew start app max");
    check(Todo::ReleaseRig(app()), "look at the file, restore it, then gt rig release app");
    check(Todo::ConfirmTrunk(app()), "gt why app, fix the trunk, then gt refinery confirm app");
    check(Todo::StartMayor, "gt peek mayor/, then gt mayor start");
    check(allow("npm run build"), "gt rig allow app \"npm run build\"");
    check(allow("python3 -c '$X'"), r"gt rig allow app 'python3 -c '\''$X'\'''");
    check(Todo::AllowMayor("WebFetch".to_owned()), "gt mayor allow \"WebFetch\"");
    let answer = "gt agent answer app/polecats/amber yes|no, or gt session attach app/polecats/amber";
    check(Todo::AnswerStart(amber()), answer);
    check(Todo::SlingAgain { bead: "a-1".to_owned(), rig: None }, "gt show a-1, then gt sling a-1 <rig>");
}
