use super::*;

/// Environment without the user's git settings, in which `gt` is the fixture's.
fn hermetic(bin: &Path) -> Vec<(&'static str, OsString)> {
    let mut path = bin.as_os_str().to_owned();
    path.push(":/usr/local/bin:/usr/bin:/bin");
    vec![("GIT_CONFIG_GLOBAL", "/dev/null".into()), ("GIT_CONFIG_NOSYSTEM", "1".into()), ("PATH", path)]
}

/// A repository with one commit and a worker in it.
struct Fixture {
    folder: tempfile::TempDir,
    stage: ProcessStage,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let worktree = folder.path().join("work");
        let play = folder.path().join("play");
        std::fs::create_dir_all(&worktree).unwrap();
        std::fs::create_dir_all(&play).unwrap();
        let stage = ProcessStage { env: hermetic(folder.path()), ..ProcessStage::new(&worktree, Some(&play)) };
        let fixture = Self { folder, stage };
        fixture.git("init --quiet --initial-branch=main");
        fixture.git("config user.name Amber");
        fixture.git("config user.email amber@example.invalid");
        std::fs::write(worktree.join("a.txt"), "top\nhere\nend\n").unwrap();
        fixture.git("add --all");
        fixture.git("commit --quiet -m base");
        fixture
    }

    #[track_caller]
    fn git(&self, args: &str) -> String {
        let outcome = self.stage.ask("git", &args.split(' ').collect::<Vec<_>>());
        assert_eq!(outcome.code, 0, "git {args}");
        outcome.out.trim_end().to_owned()
    }

    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.path().join("work").join(path)).ok()
    }

    #[track_caller]
    fn edit(&mut self, edit: &Edit) {
        assert_eq!(self.stage.edit(edit).code, 0, "{edit:?}");
    }
}

fn path(text: &str) -> FilePath {
    FilePath::try_from(text.to_owned()).unwrap()
}

fn mark(text: &str) -> Mark {
    Mark::try_from(text.to_owned()).unwrap()
}

const PATCH: &str = "--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n top\n-here\n+there\n end\n";

#[test]
fn each_edit_can_be_done_twice() {
    let mut fixture = Fixture::new();
    for _ in 0..2 {
        fixture.edit(&Edit::Write(path("deep/new.txt"), "new\n".into()));
        fixture.edit(&Edit::Append(path("log.txt"), "line\n".into()));
        fixture.edit(&Edit::Patch(PATCH.into()));
    }
    assert_eq!(fixture.read("deep/new.txt").unwrap(), "new\n");
    assert_eq!(fixture.read("log.txt").unwrap(), "line\n");
    assert_eq!(fixture.read("a.txt").unwrap(), "top\nthere\nend\n");
    for _ in 0..2 {
        fixture.edit(&Edit::Remove(path("log.txt")));
    }
    assert_eq!(fixture.read("log.txt"), None);
    assert_ne!(fixture.stage.edit(&Edit::Patch(PATCH.replace("here", "nowhere"))).code, 0);
}

#[test]
fn a_commit_takes_everything_and_may_be_repeated() {
    let mut fixture = Fixture::new();
    fixture.edit(&Edit::Write(path("new.txt"), "new\n".into()));
    assert_eq!(fixture.stage.commit("Add new").code, 0);
    assert_eq!(fixture.stage.commit("Add new").code, 0);
    assert_eq!(fixture.git("log --format=%s"), "Add new\nbase");
    assert_eq!(fixture.git("status --porcelain"), "");
}

/// Leaves `work` on branch `mine`, which conflicts with `main`.
fn diverge(fixture: &mut Fixture) {
    fixture.git("branch mine");
    fixture.edit(&Edit::Write(path("a.txt"), "top\ntheirs\nend\n".into()));
    fixture.stage.commit("theirs");
    fixture.git("checkout --quiet mine");
    fixture.edit(&Edit::Write(path("a.txt"), "top\nours\nend\n".into()));
    fixture.stage.commit("ours");
}

#[test]
fn a_rebase_by_union_keeps_both_sides() {
    let mut fixture = Fixture::new();
    diverge(&mut fixture);
    assert_ne!(fixture.stage.rebase("main", false).code, 0, "without union it is a conflict");
    assert_eq!(fixture.git("symbolic-ref --short HEAD"), "mine", "and given up");
    fixture.stage.run("git", &["rebase", "--quiet", "main"]);
    assert_eq!(fixture.stage.rebase("main", true).code, 0, "a half-done one does not disturb");
    assert_eq!(fixture.read("a.txt").unwrap(), "top\ntheirs\nours\nend\n");
    assert_eq!(fixture.git("log --format=%s"), "ours\ntheirs\nbase");
    assert_eq!(fixture.stage.rebase("main", true).code, 0, "and it can be done twice");
}

#[test]
fn a_branch_with_merge_commits_keeps_what_was_changed_in_them() {
    let mut fixture = Fixture::new();
    fixture.git("checkout --quiet -b mine");
    fixture.edit(&Edit::Write(path("w.txt"), "old\n".into()));
    fixture.stage.commit("use it");
    fixture.git("checkout --quiet main");
    fixture.edit(&Edit::Write(path("lib.txt"), "new\n".into()));
    fixture.stage.commit("rename");
    fixture.git("checkout --quiet mine");
    fixture.git("merge --quiet --no-commit main");
    fixture.edit(&Edit::Write(path("w.txt"), "new\n".into()));
    fixture.stage.commit("follow");
    let head = fixture.git("rev-parse HEAD");
    assert_eq!(fixture.stage.rebase("main", true).code, 0);
    assert_eq!(fixture.git("rev-parse HEAD"), head, "it has the trunk already");
    fixture.git("checkout --quiet main");
    fixture.edit(&Edit::Write(path("more.txt"), "more\n".into()));
    fixture.stage.commit("more");
    fixture.git("checkout --quiet mine");
    assert_eq!(fixture.stage.rebase("main", true).code, 0);
    assert_eq!((fixture.read("w.txt").unwrap(), fixture.read("more.txt").unwrap()), ("new\n".into(), "more\n".into()));
}

#[test]
fn marks_are_seen_by_others() {
    let mut fixture = Fixture::new();
    let mut other = ProcessStage::new(Path::new("."), fixture.stage.play_dir.as_deref());
    assert!(!other.is_signalled(&mark("half-way")));
    assert_eq!(fixture.stage.signal(&mark("half-way")).code, 0);
    assert!(other.is_signalled(&mark("half-way")));
    let mut alone = ProcessStage::new(Path::new("."), None);
    assert_ne!(alone.signal(&mark("half-way")).code, 0);
}

#[test]
fn a_stale_lock_does_not_stop_a_worker_that_comes_back() {
    let mut fixture = Fixture::new();
    std::fs::write(fixture.folder.path().join("work/.git/index.lock"), "").unwrap();
    fixture.stage.remove_stale_locks();
    fixture.edit(&Edit::Write(path("new.txt"), "new\n".into()));
    assert_eq!(fixture.stage.commit("Add new").code, 0);
}

#[test]
fn commands_tell_their_exit_code() {
    let mut fixture = Fixture::new();
    let mut check = |argv: &[&str], expected: i32| {
        let argv: Vec<String> = argv.iter().map(|arg| (*arg).to_owned()).collect();
        assert_eq!(fixture.stage.command(&argv).code, expected, "{argv:?}");
    };
    check(&["test", "-f", "a.txt"], 0);
    check(&["test", "-f", "b.txt"], 1);
    check(&["sh", "-c", "exit 7"], 7);
    check(&["no-such-program-anywhere"], NOT_STARTED);
}

#[test]
fn wrongs_against_other_refs_really_happen_where_nothing_stops_them() {
    let mut fixture = Fixture::new();
    let origin = fixture.folder.path().join("origin.git");
    fixture.git(&format!("init --quiet --bare {}", origin.display()));
    fixture.git(&format!("remote add origin {}", origin.display()));
    diverge(&mut fixture);
    let head = fixture.git("rev-parse HEAD");
    for wrong in [Misbehaviour::MoveRef, Misbehaviour::Push, Misbehaviour::WrongBranch] {
        fixture.stage.misbehave(wrong);
    }
    assert_eq!(fixture.git("rev-parse main stray-branch"), format!("{head}\n{head}"));
    assert!(fixture.git("ls-remote origin").contains("refs/heads/stray-push"));
    assert_eq!(fixture.git("symbolic-ref --short HEAD"), "other");
}

#[test]
fn flags_go_before_the_environment() {
    let env = |name: &str| Some(OsString::from(format!("/env/{name}")));
    let check = |script: Option<&str>, dir: Option<&str>, expected: (&str, &str)| {
        let args = PlayArgs::resolve(script.map(PathBuf::from), dir.map(PathBuf::from), env).unwrap();
        assert_eq!((args.script, args.play_dir), (expected.0.into(), Some(expected.1.into())));
    };
    check(None, None, ("/env/GT_SIM_SCRIPT", "/env/GT_SIM_PLAY_DIR"));
    check(Some("/s"), Some("/d"), ("/s", "/d"));
    assert_eq!(PlayArgs::resolve(None, None, |_| None), None);
}

/// Plays the engine: knows three steps, and records the calls that it gets.
const FAKE_GT: &str = r#"#!/bin/sh
here=${0%/*}
echo "$*" >>"$here/asked"
at=$(cat "$here/at" 2>/dev/null || echo implement)
case "$*" in
"hook --json")
    printf '{"schema":"gt.hook/1","hook":{"bead":{"id":"demo-a1","title":"Wave"},"attempt":{"number":1},'
    printf '"incarnation":1,"step":{"id":"%s"},"trunk_ref":"refs/heads/main"}}' "$at"
    ;;
"step done implement") echo prepare-for-review >"$here/at" ;;
"step done prepare-for-review") echo submit-and-exit >"$here/at" ;;
esac
"#;

#[test]
fn a_script_is_played_to_its_end() {
    let mut fixture = Fixture::new();
    let gt = path("gt");
    let mut bin = ProcessStage::new(fixture.folder.path(), None);
    assert_eq!(bin.edit(&Edit::Write(gt, FAKE_GT.to_owned())).code, 0);
    assert_eq!(bin.run("chmod", &["+x", "gt"]).code, 0);
    diverge(&mut fixture);
    let script =
        "[[act]]\nstep = 'implement'\nappend = { 'log.txt' = \"done\\n\" }\ncommit = 'Note it'\nsignal = 'noted'";
    assert_eq!(play_script(Script::parse(script).unwrap(), &mut fixture.stage), 0);
    assert_eq!(fixture.git("log --format=%s"), "Note it\nours\ntheirs\nbase");
    assert!(fixture.stage.is_signalled(&mark("noted")));
    let asked = std::fs::read_to_string(fixture.folder.path().join("asked")).unwrap();
    let expected = "hook --json|step done implement|hook --json|catch-up|\
        bead update demo-a1 --notes Did what \"Wave\" asks for.|step done prepare-for-review|hook --json|done|";
    assert_eq!(asked.replace('\n', "|"), expected);
}

#[test]
fn a_script_that_can_not_be_read_is_an_error() {
    let args = PlayArgs { script: "/no/such/script.toml".into(), play_dir: None };
    assert_eq!(play(&args), 2);
}
