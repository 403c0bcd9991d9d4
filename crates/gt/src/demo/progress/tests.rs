use std::sync::{Arc, Mutex};

use gt_model::id::AttemptId;
use gt_model::queue::MrEnd;
use jiff::Timestamp;

use super::*;
use crate::demo::run::tests::{attempt, incarnation};

fn request(failure: Option<&str>) -> MergeRequest {
    MergeRequest {
        id: "mr-demo-e1-1".into(),
        bead: "demo-e1".into(),
        attempt: AttemptId(1),
        rig: attempt(1).rig,
        target: String::new(),
        branch: String::new(),
        head: "h".into(),
        base: "b".into(),
        submitted_at: Timestamp::UNIX_EPOCH,
        approved_by: None,
        held: None,
        candidate_tree: None,
        landing: None,
        commit_landed: None,
        ended_at: None,
        outcome: failure.map(|_| MrEnd::Rework),
        failure: failure.map(str::to_owned),
        origin: None,
        doubt: None,
        dropped: None,
        review: None,
    }
}

#[test]
fn each_state_has_its_words() {
    #[track_caller]
    fn check(status: &Status, facts: &Facts, expected: &str) {
        assert_eq!(doing(status, facts), expected);
    }
    let open = &Status::Open;
    let none = Facts::default();
    check(open, &none, "ready");
    let blockers = vec!["demo-a1".into(), "demo-a2".into()];
    check(open, &Facts { blockers, ..none.clone() }, "waits for demo-a1, demo-a2");
    check(open, &Facts { request: Some(request(Some("red"))), ..none.clone() }, "sent back");

    let hooked = &Status::Hooked;
    let step = Some("implement".to_owned());
    let at =
        |attempt, incarnations| Facts { attempt: Some(attempt), incarnations, step: step.clone(), ..Facts::default() };
    check(hooked, &at(attempt(1), vec![]), "waits for a worker");
    check(hooked, &at(attempt(2), vec![]), "waits for a worker (attempt 2)");
    let starting = Incarnation { started_at: None, ..incarnation(1) };
    check(hooked, &at(attempt(1), vec![starting]), "is being set up (amber)");
    check(hooked, &at(attempt(1), vec![incarnation(1)]), "implement (amber)");
    check(hooked, &at(attempt(2), vec![incarnation(1)]), "implement (amber, attempt 2)");
    check(hooked, &at(attempt(1), vec![incarnation(1), incarnation(2)]), "implement (amber, start 2)");
    let lost = Incarnation { ended_at: Some(Timestamp::UNIX_EPOCH), ..incarnation(1) };
    check(hooked, &at(attempt(1), vec![lost]), "lost its worker (amber)");
    check(hooked, &Facts { step: None, ..at(attempt(1), vec![incarnation(1)]) }, "submits (amber)");
    let again = Facts { request: Some(request(Some("red"))), ..at(attempt(2), vec![incarnation(1)]) };
    check(hooked, &again, "implement (amber, attempt 2)");

    let submitted = |number| Attempt { submitted_at: Some(Timestamp::UNIX_EPOCH), ..attempt(number) };
    let queued = |number, request| Facts { request: Some(request), ..at(submitted(number), vec![incarnation(1)]) };
    check(hooked, &queued(1, request(None)), "waits in the merge queue");
    check(hooked, &queued(2, request(None)), "waits in the merge queue (attempt 2)");
    check(hooked, &queued(1, MergeRequest { held: Some("no gates".into()), ..request(None) }), "held: no gates");
    check(hooked, &queued(1, MergeRequest { landing: Some(1), ..request(None) }), "landing");

    let landed = MergeRequest { commit_landed: Some("0123456789abcdef".into()), ..request(None) };
    check(&Status::Closed, &Facts { request: Some(landed), ..none.clone() }, "landed as 0123456789");
    check(&Status::Closed, &none, "closed");
}

#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn row(bead: &str, doing: &str, done: bool) -> Line {
    Line { bead: bead.to_owned(), title: "Title".to_owned(), doing: doing.to_owned(), done }
}

#[test]
fn a_pipe_gets_changes_only() {
    let pipe = Pipe::default();
    let mut board = Board::plain(Box::new(pipe.clone()));
    let mut show = |ms, lines: &[Line]| board.show(Duration::from_millis(ms), lines).unwrap();
    show(0, &[row("demo-a1", "ready", false), row("demo-b1", "ready", false)]);
    show(500, &[row("demo-a1", "ready", false), row("demo-b1", "implement (amber)", false)]);
    show(12_340, &[row("demo-a1", "landed", true), row("demo-b1", "implement (amber)", false)]);
    let expected = "   0.0s  demo-a1  ready\n   0.0s  demo-b1  ready\n   0.5s  demo-b1  implement (amber)\n  \
                    12.3s  demo-a1  landed\n";
    assert_eq!(String::from_utf8(pipe.0.lock().unwrap().clone()).unwrap(), expected);
}

#[test]
fn a_terminal_has_a_line_for_each_bead() {
    let bars = MultiProgress::with_draw_target(indicatif::ProgressDrawTarget::hidden());
    let mut board = Board { target: Target::Terminal(bars, BTreeMap::new()), shown: BTreeMap::new() };
    for doing in ["ready", "implement"] {
        board.show(Duration::ZERO, &[row("demo-a1", doing, false), row("demo-b1", "landed", true)]).unwrap();
    }
    let Target::Terminal(_, bars) = &board.target else { panic!() };
    assert_eq!(bars.len(), 2);
    assert!(bars["demo-a1"].message().ends_with("implement"));
    assert!(!bars["demo-a1"].is_finished() && bars["demo-b1"].is_finished());
}
