use std::collections::BTreeSet;

use super::*;

const NINE: [&str; 9] = [
    "load-context",
    "branch-setup",
    "preflight-tests",
    "implement",
    "self-review",
    "run-tests",
    "cleanup-workspace",
    "prepare-for-review",
    "submit-and-exit",
];

/// A town of one bead that keeps a journal of what its worker does.
struct FakeStage {
    steps: Vec<&'static str>,
    at: usize,
    attempt: u32,
    incarnation: u32,
    submitted: bool,
    /// Step that `gt step done` still refuses, how often, and with which code.
    refuse: Option<(&'static str, u32, i32)>,
    /// Text that makes a deed fail with code 1 if it occurs in it.
    failing: &'static str,
    marks: BTreeSet<String>,
    journal: Vec<String>,
}

impl FakeStage {
    fn new(steps: &[&'static str]) -> Self {
        Self {
            steps: steps.to_vec(),
            at: 0,
            attempt: 1,
            incarnation: 1,
            submitted: false,
            refuse: None,
            failing: "(nothing)",
            marks: BTreeSet::new(),
            journal: Vec::new(),
        }
    }

    fn hook(&self) -> String {
        let step =
            self.steps.get(self.at).map(|id| serde_json::json!({ "id": id, "title": "", "position": 1, "of": 9 }));
        let hook = serde_json::json!({
            "bead": { "id": "demo-a1", "title": "Wave", "description": "" },
            "attempt": { "id": 1, "number": self.attempt, "branch": "polecat/amber/demo-a1-1", "why": null },
            "incarnation": self.incarnation,
            "step": step,
            "worktree": "/somewhere",
            "trunk_ref": "refs/remotes/origin/main",
        });
        let hook = if self.submitted { serde_json::Value::Null } else { hook };
        serde_json::json!({ "schema": HOOK_SCHEMA, "hook": hook }).to_string()
    }

    fn note(&mut self, deed: String) -> Outcome {
        let code = i32::from(deed.contains(self.failing));
        self.journal.push(deed);
        Outcome { code, out: String::new() }
    }

    fn close(&mut self, step: &str) -> Outcome {
        let outcome = self.note(format!("close {step}"));
        match &mut self.refuse {
            Some((refused, left, code)) if *refused == step && *left > 0 => {
                *left -= 1;
                Outcome { code: *code, ..outcome }
            }
            _ => {
                assert_eq!(self.steps[self.at], step, "closes another step");
                self.at += 1;
                outcome
            }
        }
    }
}

impl Stage for FakeStage {
    fn gt(&mut self, args: &[&str]) -> Outcome {
        match args {
            ["hook", "--json"] => Outcome { code: 0, out: self.hook() },
            ["step", "done", step] => self.close(step),
            _ => {
                self.submitted |= *args == ["done"] && self.failing != "gt done";
                self.note(format!("gt {}", args.join(" ")))
            }
        }
    }

    fn edit(&mut self, edit: &Edit) -> Outcome {
        self.note(match edit {
            Edit::Write(path, _) => format!("write {}", path.as_str()),
            Edit::Append(path, _) => format!("append {}", path.as_str()),
            Edit::Remove(path) => format!("remove {}", path.as_str()),
            Edit::Patch(_) => "patch".to_owned(),
        })
    }

    fn commit(&mut self, message: &str) -> Outcome {
        self.note(format!("commit {message}"))
    }

    fn rebase(&mut self, onto: &str, union: bool) -> Outcome {
        self.note(format!("rebase {onto} {union}"))
    }

    fn command(&mut self, argv: &[String]) -> Outcome {
        self.note(format!("run {}", argv.join(" ")))
    }

    fn signal(&mut self, mark: &Mark) -> Outcome {
        self.marks.insert(mark.to_string());
        self.note(format!("signal {mark}"))
    }

    fn is_signalled(&mut self, mark: &Mark) -> bool {
        self.marks.contains(mark.as_str())
    }

    fn pause(&mut self, how_long: Duration) {
        self.note(format!("pause {}", how_long.as_millis()));
    }

    fn misbehave(&mut self, misbehaviour: Misbehaviour) {
        self.note(format!("misbehave {misbehaviour:?}"));
    }

    fn say(&mut self, _: &str) {}
}

/// Turns after which a worker counts as waiting forever.
const TURN_LIMIT: usize = 200;

fn play(script: &str, stage: &mut FakeStage) -> Option<i32> {
    let mut player = Player::new(Script::parse(script).unwrap());
    (0..TURN_LIMIT).find_map(|_| match player.turn(stage) {
        Turn::Ended(code) => {
            assert_eq!(player.turn(stage), Turn::Ended(code), "what is over stays so");
            Some(code)
        }
        Turn::Acted | Turn::Waiting => None,
    })
}

#[test]
fn a_worker_without_a_script_does_the_nine_steps() {
    let mut stage = FakeStage::new(&NINE);
    assert_eq!(play("", &mut stage), Some(0));
    let expected = "gt prime|close load-context|close branch-setup|close preflight-tests|close implement|\
        close self-review|close run-tests|close cleanup-workspace|gt catch-up|rebase refs/remotes/origin/main true|\
        gt bead update demo-a1 --notes Did what \"Wave\" asks for.|close prepare-for-review|gt done";
    assert_eq!(stage.journal.join("|"), expected);
}

#[test]
fn each_place_gets_its_acts() {
    #[track_caller]
    fn check(steps: &[&'static str], (attempt, incarnation): (u32, u32), script: &str, expected: &str) {
        let mut stage = FakeStage { attempt, incarnation, ..FakeStage::new(steps) };
        play(script, &mut stage);
        assert_eq!(stage.journal.join("|"), expected, "{script}");
    }
    let act = "[[act]]\nstep = 'implement'\n";
    check(&["tenth", "submit-and-exit"], (1, 1), "", "close tenth|gt done");
    check(&["a"], (1, 1), "[pace]\nstep_ms = 7", "pause 7|close a|pause 7|gt done");
    check(
        &["implement", "tenth"],
        (1, 1),
        &format!(
            "{act}misbehave='dirty'\nsignal='s'\nawait='s'\ncommit='m'\nrun=['x','y']\npatch='p'\nremove=['r']\n\
             append={{'a'='1'}}\nwrite={{'w'='2'}}\nwait_ms=3\n[[act]]\nstep='tenth'\nbead='demo-a1'\nrun=['z']"
        ),
        "pause 3|write w|append a|remove r|patch|run x y|commit m|signal s|write left-behind.txt|close implement|\
         run z|close tenth|gt done",
    );
    check(&["implement"], (1, 1), "[[act]]\nbead='demo-b2'\nrun=['x']", "close implement|gt done");
    let twice = format!("{act}attempt=1\nrun=['one']\n{act}attempt=2\nrun=['two']\n{act}incarnation=2\nrun=['again']");
    check(&["implement"], (1, 1), &twice, "run one|close implement|gt done");
    check(&["implement"], (2, 1), &twice, "run two|close implement|gt done");
    check(&["implement"], (1, 2), &twice, "run one|run again|close implement|gt done");
    let own_way = "[[act]]\nstep='load-context'\nskip_default=true";
    check(&["load-context"], (1, 1), own_way, "close load-context|gt done");
}

#[test]
fn an_incarnation_goes_on_at_the_step_it_finds() {
    let mut stage = FakeStage { at: 3, incarnation: 2, ..FakeStage::new(&NINE) };
    assert_eq!(
        play("[[act]]\nstep='branch-setup'\nrun=['x']\n[[act]]\nstep='implement'\nrun=['y']", &mut stage),
        Some(0)
    );
    assert_eq!(stage.journal[..2], ["run y", "close implement"]);
}

#[test]
fn a_refused_step_is_tried_once_more() {
    #[track_caller]
    fn check(refuse: (&'static str, u32, i32), expected: (Option<i32>, &str)) {
        let mut stage = FakeStage { refuse: Some(refuse), ..FakeStage::new(&["implement", "submit-and-exit"]) };
        let end = play("", &mut stage);
        assert_eq!((end, stage.journal.join("|").as_str()), expected);
    }
    let pause = format!("pause {}", RETRY_PAUSE.as_millis());
    check(("implement", 1, REFUSED), (Some(0), &format!("close implement|{pause}|close implement|gt done")));
    check(("implement", 2, REFUSED), (Some(1), &format!("close implement|{pause}|close implement")));
    check(("implement", 1, 1), (Some(1), "close implement"));
}

#[test]
fn a_refused_rebase_is_done_again_on_the_trunk_as_it_is_then() {
    let refuse = |times| FakeStage {
        refuse: Some(("prepare-for-review", times, REFUSED)),
        ..FakeStage::new(&["prepare-for-review", "submit-and-exit"])
    };
    let mut stage = refuse(RETRIES_WITH_DEEDS);
    assert_eq!(play("", &mut stage), Some(0));
    let rebases = stage.journal.iter().filter(|deed| deed.starts_with("rebase")).count();
    assert_eq!(rebases, RETRIES_WITH_DEEDS as usize + 1);
    assert_eq!(play("", &mut refuse(RETRIES_WITH_DEEDS + 1)), Some(1));
}

#[test]
fn what_fails_ends_the_worker_unless_it_may() {
    #[track_caller]
    fn check(failing: &'static str, script: &str, expected: Option<i32>) {
        let mut stage =
            FakeStage { failing, ..FakeStage::new(&["implement", "prepare-for-review", "submit-and-exit"]) };
        assert_eq!(play(script, &mut stage), expected, "{failing}");
    }
    check("gt catch-up", "", Some(0));
    check("rebase", "", Some(1));
    check("gt done", "", Some(1));
    check("run x", "[[act]]\nrun=['x']", Some(1));
    check("run x", "[[act]]\nrun=['x']\nmay_fail=true", Some(0));
    check("commit m", "[[act]]\ncommit='m'", Some(1));
    check("write w", "[[act]]\nwrite={w='1'}", Some(1));
    check("(nothing)", "", Some(0));
}

#[test]
fn a_mark_is_waited_for() {
    let mut stage = FakeStage::new(&["implement"]);
    let script = "[[act]]\nstep='implement'\nawait='other'";
    assert_eq!(play(script, &mut stage), None);
    assert!(stage.journal.iter().all(|deed| deed.starts_with("pause")), "{:?}", stage.journal);
    stage.marks.insert("other".to_owned());
    assert_eq!(play(script, &mut stage), Some(0));

    let mut player = Player::new(Script::parse("[[act]]\nstep='implement'\nawait='never'").unwrap());
    let mut stage = FakeStage::new(&["implement"]);
    let end = (0..AWAIT_LIMIT + 3).map(|_| player.turn(&mut stage)).last();
    assert_eq!(end, Some(Turn::Ended(1)), "and given up some day");
}

#[test]
fn misbehaviours_do_what_they_say() {
    #[track_caller]
    fn check(wrong: &str, end: Option<i32>, expected: &str) {
        let mut stage = FakeStage::new(&["implement"]);
        let script = format!("[[act]]\nstep='implement'\nmisbehave='{wrong}'");
        assert_eq!(play(&script, &mut stage), end, "{wrong}");
        stage.journal.dedup();
        assert_eq!(stage.journal.join("|"), expected, "{wrong}");
    }
    let goes_on = "close implement|gt done";
    check("crash", Some(KILLED), "misbehave Crash");
    check("hang", None, "pause 3600000");
    check("exit", Some(0), "");
    check("dirty", Some(0), &format!("write {DIRTY_FILE}|{goes_on}"));
    check("wrong-branch", Some(0), &format!("misbehave WrongBranch|{goes_on}"));
    check("lie", Some(0), "gt done");
    check("close", Some(0), &format!("gt bead close demo-a1|{goes_on}"));
    check("flood", Some(0), &format!("misbehave Flood|{goes_on}"));
    check("orphan", Some(0), &format!("misbehave Orphan|{goes_on}"));
    check("move-ref", Some(0), &format!("misbehave MoveRef|{goes_on}"));
    check("push", Some(0), &format!("misbehave Push|{goes_on}"));
}

#[test]
fn the_hook_is_read_strictly_where_it_matters() {
    assert_eq!(read_hook(r#"{"schema":"gt.hook/1","hook":null}"#), Ok(None));
    let check = |text: &str, expected: &str| {
        let error = read_hook(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    check(r#"{"schema":"gt.hook/2","hook":null}"#, "gt.hook/2");
    check(r#"{"schema":"gt.hook/1","hook":{}}"#, "missing field `bead`");
    check("not json", "gt hook --json");
}
