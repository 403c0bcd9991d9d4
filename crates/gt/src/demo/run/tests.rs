use std::collections::BTreeMap;

use gt_ledger::{Holder, IncarnationProcess};
use gt_model::id::{AttemptId, RigName};
use jiff::Timestamp;

use super::*;
use crate::sim::script::Script;

#[test]
fn the_project_is_a_repository_with_a_remote_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let remote = make_project(folder.path()).unwrap();
    let in_remote = |args: &[&str]| git(&[&["-C", remote.to_str().unwrap()], args].concat()).unwrap();
    assert_eq!(in_remote(&["rev-parse", "--is-bare-repository"]), "true\n");
    assert_eq!(in_remote(&["symbolic-ref", "HEAD"]), "refs/heads/main\n");
    assert_eq!(in_remote(&["log", "--format=%an", "main"]), "Street Author\n");
    let paths = in_remote(&["ls-tree", "-r", "--name-only", "main"]);
    assert_eq!(paths.lines().collect::<Vec<_>>(), project::files().iter().map(|(path, _)| *path).collect::<Vec<_>>());
    for (path, text) in project::files() {
        assert_eq!(in_remote(&["show", &format!("main:{path}")]), text);
    }
    assert!(make_project(folder.path()).is_err(), "a second one in the same place is none");
}

#[test]
fn the_base_is_green() {
    let files: BTreeMap<String, String> = project::files().iter().map(|(p, t)| ((*p).into(), (*t).into())).collect();
    assert_eq!(crate::demo::judge::gates_pass(&files), Ok(()));
}

#[test]
fn the_story_is_written_as_files() {
    let folder = tempfile::tempdir().unwrap();
    write_story(folder.path(), 3, "2026-01-02T03:04:05Z".parse().unwrap()).unwrap();
    let folders = Folders::new(folder.path());
    let script = std::fs::read_to_string(folders.script()).unwrap();
    assert_eq!(Script::parse(&script), story::script(3));
    assert!(std::fs::read_to_string(folders.beads()).unwrap().contains(story::CONVOY));
    assert!(folders.play().is_dir());
}

pub(crate) fn attempt(number: u32) -> Attempt {
    Attempt {
        id: AttemptId(1),
        bead: KILLED.into(),
        number,
        rig: RigName::parse(story::RIG).unwrap(),
        worker: "amber".to_owned(),
        agent: "sim".to_owned(),
        formula: String::new(),
        branch: String::new(),
        convoy: None,
        swarm: None,
        started_from: None,
        why: None,
        base: None,
        opened_at: Timestamp::UNIX_EPOCH,
        submitted_at: None,
        head: None,
        ended_at: None,
        outcome: None,
        snapshot: None,
        archived_at: None,
        slot: None,
        runtime: None,
        named: None,
    }
}

pub(crate) fn incarnation(number: u32) -> Incarnation {
    let agent = ProcessId { boot_id: String::new(), pid: 1, start_ticks: 1 };
    Incarnation {
        id: format!("amber-a1-{number}").into(),
        holder: Holder::Attempt(AttemptId(1)),
        number,
        opened_at: Timestamp::UNIX_EPOCH,
        secret_hash: None,
        process: Some(IncarnationProcess { shim: agent.clone(), agent }),
        started_at: Some(Timestamp::UNIX_EPOCH),
        ended_at: None,
        exit: None,
        cause: None,
    }
}

#[test]
fn only_the_first_worker_is_to_be_killed() {
    let check = |attempt: Attempt, incarnations: &[Incarnation], expected: bool| {
        assert_eq!(half_way_agent(&attempt, incarnations).is_some(), expected, "{attempt:?} {incarnations:?}");
    };
    let ended = Incarnation { ended_at: Some(Timestamp::UNIX_EPOCH), ..incarnation(1) };
    check(attempt(1), &[incarnation(1)], true);
    check(attempt(1), &[], false);
    check(attempt(1), &[Incarnation { process: None, ..incarnation(1) }], false);
    check(attempt(1), std::slice::from_ref(&ended), false);
    check(attempt(1), &[ended, incarnation(2)], false);
    check(attempt(2), &[incarnation(1)], false);
    check(Attempt { submitted_at: Some(Timestamp::UNIX_EPOCH), ..attempt(1) }, &[incarnation(1)], false);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test that kills a process of its own")]
fn a_kill_hits_that_very_process_or_none() {
    let mut child =
        std::process::Command::new("sh").args(["-c", "read line"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let start_ticks: u64 = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap();
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned();
    let process = ProcessId { boot_id, pid: child.id() as i32, start_ticks };
    assert!(!kill_hard(&ProcessId { start_ticks: start_ticks + 1, ..process.clone() }));
    assert!(kill_hard(&process));
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap()), Some(9));
    assert!(!kill_hard(&process));
}

#[test]
fn the_conflicting_beads_conflict_and_a_union_is_green() {
    let [first, second] = story::CONFLICTING;
    for (landed, late) in [(first, second), (second, first)] {
        let folder = tempfile::tempdir().unwrap();
        make_project(folder.path()).unwrap();
        let project = Folders::new(folder.path()).project();
        let here = |args: &[&str]| git(&[&["-C", project.to_str().unwrap()], args].concat());
        for id in [landed, late] {
            let mut files = BTreeMap::new();
            story::TASKS.iter().find(|task| task.id == id).unwrap().apply(&mut files);
            here(&["checkout", "--quiet", "-b", id, "main"]).unwrap();
            files.iter().for_each(|(path, text)| write(&project.join(path), text).unwrap());
            here(&["add", "--all"]).unwrap();
            here(&["commit", "--quiet", "-m", id]).unwrap();
        }
        assert!(here(&["merge-tree", "--write-tree", landed, late]).is_err(), "{late} does not merge");
        here(&["-c", "merge.default=union", "rebase", "--quiet", landed]).unwrap();
        let shops = std::fs::read_to_string(project.join(story::SHOPS)).unwrap();
        assert_eq!(shops, story::merged_shops([landed, late]));
    }
}
