use std::collections::BTreeSet;

use super::*;
use crate::sim::player::{self, Action, Edit};

fn ids() -> BTreeSet<&'static str> {
    TASKS.iter().map(|task| task.id).collect()
}

fn beads() -> BTreeMap<String, Bead> {
    let text = beads_jsonl("2026-01-02T03:04:05Z".parse().unwrap());
    let parsed = jsonl::parse(text.as_bytes());
    assert_eq!(parsed.errors, []);
    let bead = |record| match record {
        Record::Bead(bead) => (bead.id.to_string(), *bead),
        Record::Other { line } => panic!("{line}"),
    };
    parsed.records.into_iter().map(bead).collect()
}

#[test]
fn the_beads_are_a_convoy_and_its_members() {
    let beads = beads();
    assert_eq!(beads.len(), ids().len() + 1);
    let convoy = &beads[CONVOY];
    assert_eq!(convoy.issue_type, BeadType::Convoy);
    let members: BTreeSet<&str> = convoy.dependencies.iter().map(|d| d.depends_on_id.as_str()).collect();
    assert_eq!(members, ids());
    assert!(convoy.dependencies.iter().all(|d| d.kind == DepType::Tracks));
    for task in TASKS {
        let needs: Vec<&str> = beads[task.id].dependencies.iter().map(|d| d.depends_on_id.as_str()).collect();
        assert_eq!(needs, task.needs);
        assert!(needs.iter().all(|need| ids().contains(need)), "{needs:?}");
    }
}

#[test]
fn whatever_the_seed_all_that_is_ready_is_slung_and_the_pair_first() {
    let ready: BTreeSet<&str> = TASKS.iter().filter(|task| task.needs.is_empty()).map(|task| task.id).collect();
    for seed in 0..50 {
        let order = slung_first(seed);
        assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), ready, "seed {seed}");
        assert_eq!(order.len(), ready.len(), "seed {seed}");
        assert_eq!(BTreeSet::from_iter(&order[..2]), BTreeSet::from_iter(&CONFLICTING), "seed {seed}");
    }
    assert!((1..50).any(|seed| slung_first(seed) != slung_first(0)));
}

#[test]
fn the_seed_changes_the_pace_and_nothing_else() {
    let paceless = |seed| {
        let mut script = script(seed).unwrap();
        for act in &mut script.acts {
            act.wait_ms = None;
        }
        script
    };
    for seed in 0..20 {
        let played = script(seed).unwrap();
        assert_eq!(Script::parse(&played.to_toml().unwrap()).unwrap(), played, "seed {seed}");
        assert_eq!(paceless(seed), paceless(0));
    }
    assert_ne!(script(1).unwrap(), script(2).unwrap());
}

#[test]
fn acts_speak_of_beads_and_steps_that_there_are() {
    let formula = include_str!("../../../../gt-town/formulas/mol-polecat-work.toml");
    let formula = gt_model::formula::Formula::parse("mol-polecat-work.toml", formula).unwrap();
    for act in script(0).unwrap().acts {
        assert!(act.bead.as_deref().is_some_and(|bead| ids().contains(bead)), "{act:?}");
        assert!(act.step.is_none_or(|step| formula.steps.iter().any(|known| known.id.value == step)));
    }
}

type Tree = BTreeMap<String, String>;

/// Returns the tree that the worker of a task leaves when it plays one step on `tree`.
fn play(task: &Task, step: &str, (attempt, incarnation): (u32, u32), mut tree: Tree) -> Tree {
    let hook = format!(
        r#"{{"schema":"gt.hook/1","hook":{{"bead":{{"id":"{}","title":""}},"attempt":{{"number":{attempt}}},
            "incarnation":{incarnation},"step":{{"id":"{step}"}},"trunk_ref":""}}}}"#,
        task.id
    );
    let hook = player::read_hook(&hook).unwrap().unwrap();
    for action in player::plan(&script(0).unwrap(), &hook).into_iter().take_while(|action| *action != Action::Hang) {
        match action {
            Action::Edit(Edit::Write(path, text)) => drop(tree.insert(path.as_str().to_owned(), text)),
            Action::Edit(Edit::Append(path, text)) => {
                let file = tree.entry(path.as_str().to_owned()).or_default();
                if !file.ends_with(&text) {
                    file.push_str(&text);
                }
            }
            Action::Edit(other) => panic!("{other:?}"),
            _ => {}
        }
    }
    tree
}

#[test]
fn workers_do_what_their_tasks_say_however_often_they_start() {
    let base: Tree = crate::demo::project::files().iter().map(|(p, t)| ((*p).into(), (*t).into())).collect();
    for task in TASKS {
        let mut done = base.clone();
        task.apply(&mut done);
        let first = play(task, "implement", (1, 1), base.clone());
        assert_eq!(first == done, task.id != KILLED, "{}", task.id);
        let second_start = play(task, "implement", (1, 2), first);
        assert_eq!(second_start, done, "{}", task.id);

        let mut submitted = done.clone();
        if task.id == BREAKS_GATES {
            break_gates(&mut submitted);
        }
        let first_try = play(task, "submit-and-exit", (1, 1), second_start);
        assert_eq!(first_try, submitted, "{}", task.id);
        let second_try = play(task, "implement", (2, 1), first_try);
        assert_eq!(play(task, "submit-and-exit", (2, 1), second_try), done, "{}", task.id);
    }
}

#[test]
fn the_killed_worker_leaves_its_file_half_written() {
    let task = TASKS.iter().find(|task| task.id == KILLED).unwrap();
    let left = play(task, "implement", (1, 1), Tree::new());
    assert_eq!(left, Tree::from([(FOUNTAIN.to_owned(), HALF_A_FOUNTAIN.to_owned())]));
}
