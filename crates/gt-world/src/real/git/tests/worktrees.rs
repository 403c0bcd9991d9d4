//! Worktrees.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::{DIRTY_LIMIT, Rules, WorldError};

fn add(rig: &Rig, plan: &WorktreePlan) {
    rig.git.add_worktree(&rig.held, &rig.repo(), plan).unwrap();
}

fn reset(rig: &Rig, commit: &Sha) -> PathBuf {
    let path = rig.at("gate");
    rig.git.reset_gate_worktree(&rig.held, &rig.repo(), &path, commit).unwrap();
    let tree = rig.git.tree_of(&rig.repo(), commit).unwrap();
    rig.git.clear_checkout(&rig.held, &rig.repo(), &path, &tree, &Rules::default()).unwrap();
    let facts = rig.git.worktree(&rig.repo(), &path).unwrap().unwrap();
    assert_eq!((facts.branch, facts.head, facts.dirty), (None, commit.clone(), Vec::new()));
    path
}

fn admin(rig: &Rig, name: &str) -> PathBuf {
    rig.repo().join("worktrees").join(name)
}

#[test]
fn five_worktrees_stand_side_by_side() {
    let rig = Rig::new();
    for name in ["a", "b", "c", "d", "e"] {
        let path = rig.worktree(name);
        let facts = rig.git.worktree(&rig.repo(), &path).unwrap().unwrap();
        assert_eq!(facts.branch, Some(format!("polecat/{name}")));
        assert_eq!((facts.head, facts.dirty), (rig.trunk(), Vec::new()));
        put(path.join("mine"), name);
    }
    let facts = rig.git.worktree(&rig.repo(), &rig.at("a")).unwrap().unwrap();
    assert_eq!(facts.dirty, ["mine"]);
}

#[test]
fn a_worktree_commits_as_its_worker() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    rig.run(&path, "commit", &["--quiet", "--allow-empty", "-m", "x"]);
    let author = rig.run(&path, "show", &["-s", "--format=%an <%ae>"]);
    assert_eq!(author, "vt/polecats/nux <nux@gt.localhost>");
    let hooks = rig.run(&path, "config", &["--worktree", "core.hooksPath"]);
    assert_eq!(Path::new(&hooks), rig.repo().join("gt-hooks"));
    assert!(Path::new(&hooks).is_dir());
}

#[test]
fn a_worker_can_push_nowhere() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    rig.run(&path, "commit", &["--quiet", "--allow-empty", "-m", "x"]);
    let origin = rig.at("origin").to_str().unwrap().to_owned();
    let url = format!("file://{origin}");
    // The user's own rules may rewrite addresses too.
    let rule = format!("url.{url}.pushInsteadOf={origin}");
    for target in ["origin", &origin, &url, "../origin", "./../origin"] {
        let place = Place::Folder(path.clone());
        let call = rig.git.question(&place, "push").git_options(&["-c", &rule]);
        let answer = call.args(["--no-verify", target, "HEAD:refs/heads/main"]).answer().unwrap();
        assert!(answer.code != 0 && answer.stderr.contains("gt-refused"), "{target}: {}", answer.stderr);
    }
    // A tool of the project sets an address later, in a form that no rule covers.
    fs::create_dir(path.join("inside")).unwrap();
    rig.run(&path, "config", &["--local", "remote.origin.url", "inside/../../origin"]);
    let answer = rig.try_run(&path, "push", &["origin", "HEAD:refs/heads/main"]);
    assert!(answer.code != 0 && answer.stderr.contains("gt-refused"), "{}", answer.stderr);
    let facts = rig.git.ask_remote(&origin).unwrap();
    assert_eq!(facts.branches.get("main"), Some(&rig.trunk()));
}

#[test]
fn a_worktree_that_is_there_is_kept_with_its_work() {
    let rig = Rig::new();
    let (plan, path) = (rig.plan("w"), rig.worktree("w"));
    let head = rig.commit(&path, "one", "1\n");
    put(path.join("mine"), "work");
    let lost: [fn(&Path, &Path); 6] = [
        |_, _| {},
        |_, admin| fs::remove_file(admin.join("gt-rules")).unwrap(),
        |_, admin| fs::remove_dir_all(admin.ancestors().nth(2).unwrap().join("gt-hooks")).unwrap(),
        |_, admin| fs::remove_file(admin.join("config.worktree")).unwrap(),
        |path, _| fs::remove_file(path.join(".git")).unwrap(),
        |path, _| put(path.join(".git"), ""),
    ];
    for lose in lost {
        lose(&path, &admin(&rig, "w"));
        add(&rig, &plan);
        let facts = rig.git.worktree(&rig.repo(), &path).unwrap().unwrap();
        assert_eq!((facts.head, facts.dirty), (head.clone(), vec!["mine".to_owned()]));
        assert_eq!(rig.run(&path, "config", &["--worktree", "push.default"]), "nothing");
        assert_eq!(fs::read_to_string(admin(&rig, "w").join("gt-rules")).unwrap(), "polecat/w\nw\n");
        let guard = fs::metadata(rig.repo().join("gt-hooks/reference-transaction")).unwrap();
        assert_eq!(guard.permissions().mode() & 0o111, 0o111);
    }
    let other = WorktreePlan { branch: Some("polecat/other".to_owned()), ..plan };
    let result = rig.git.add_worktree(&rig.held, &rig.repo(), &other);
    assert!(matches!(result, Err(WorldError::Unexpected(_))), "{result:?}");
}

#[test]
fn rules_that_were_lost_are_set_again_whatever_is_checked_out() {
    let rig = Rig::new();
    let settle = |plan: &WorktreePlan| rig.git.settle_worktree(&rig.held, &rig.repo(), plan).unwrap();
    settle(&rig.plan("w"));
    assert!(!rig.at("w").exists(), "none is made for it");
    let (plan, path) = (rig.plan("w"), rig.worktree("w"));
    rig.run(&path, "checkout", &["--quiet", "--detach"]);
    // A power cut leaves these files empty, since they were not synced.
    put(admin(&rig, "w").join("config.worktree"), "");
    put(admin(&rig, "w").join("gt-rules"), "");
    settle(&plan);
    assert_eq!(rig.run(&path, "config", &["--worktree", "push.default"]), "nothing");
    assert_eq!(fs::read_to_string(admin(&rig, "w").join("gt-rules")).unwrap(), "polecat/w\nw\n");
    assert_eq!(rig.git.worktree(&rig.repo(), &path).unwrap().unwrap().branch, None);
}

#[test]
fn a_half_made_worktree_is_made_anew() {
    let states: [fn(&Path, &Path); 6] = [
        |path, _| fs::remove_file(path.join(".git")).unwrap(),
        |path, _| fs::remove_dir_all(path).unwrap(),
        |_, admin| fs::remove_file(admin.join("HEAD")).unwrap(),
        |_, admin| fs::remove_file(admin.join("config.worktree")).unwrap(),
        |path, admin| {
            fs::remove_file(path.join("base")).unwrap();
            put(admin.join("index.lock"), "");
        },
        |path, admin| {
            fs::remove_dir_all(path).unwrap();
            for name in ["gitdir", "locked"] {
                fs::remove_file(admin.join(name)).unwrap();
            }
        },
    ];
    for (number, half) in states.into_iter().enumerate() {
        let rig = Rig::new();
        let (plan, path) = (rig.plan("w"), rig.worktree("w"));
        put(admin(&rig, "w").join("locked"), super::super::admin::MAKING);
        assert_eq!(rig.git.worktree(&rig.repo(), &path).unwrap(), None);
        half(&path, &admin(&rig, "w"));
        add(&rig, &plan);
        let facts = rig.git.worktree(&rig.repo(), &path).unwrap().unwrap();
        assert_eq!((facts.branch, facts.dirty), (plan.branch, Vec::new()), "{number}");
        assert_eq!(rig.run(&path, "config", &["--worktree", "push.default"]), "nothing", "{number}");
        let admin = super::super::admin::required(&rig.repo(), &path).unwrap();
        let lock = fs::read_to_string(admin.folder.join("locked")).unwrap();
        assert!(lock.starts_with("the town's"), "{number}: {lock}");
    }
}

#[test]
fn a_worktree_that_was_deleted_by_hand_is_made_again_where_its_branch_was() {
    let rig = Rig::new();
    let (plan, path) = (rig.plan("w"), rig.worktree("w"));
    let head = rig.commit(&path, "one", "1\n");
    fs::remove_dir_all(&path).unwrap();
    assert_eq!(rig.git.worktree(&rig.repo(), &path).unwrap(), None);
    add(&rig, &plan);
    assert_eq!(rig.git.worktree(&rig.repo(), &path).unwrap().unwrap().head, head);
}

#[test]
fn a_branch_is_free_again_when_its_worktree_is_gone_and_others_keep_theirs() {
    let rig = Rig::new();
    let (gone, careless) = (rig.worktree("gone"), rig.worktree("careless"));
    put(careless.join("mine"), "work");
    fs::remove_file(careless.join(".git")).unwrap();
    let elsewhere = WorktreePlan { path: rig.at("elsewhere"), ..rig.plan("gone") };
    assert!(rig.git.add_worktree(&rig.held, &rig.repo(), &elsewhere).is_err());
    fs::remove_dir_all(gone).unwrap();
    add(&rig, &elsewhere);
    add(&rig, &rig.plan("careless"));
    assert_eq!(rig.git.worktree(&rig.repo(), &careless).unwrap().unwrap().dirty, ["mine"]);
}

#[test]
fn somebodys_files_are_never_taken_for_a_worktree() {
    let rig = Rig::new();
    put(rig.at("w/precious"), "x");
    assert!(rig.git.add_worktree(&rig.held, &rig.repo(), &rig.plan("w")).is_err());
    assert!(rig.at("w/precious").exists());
    assert_eq!(rig.git.worktree(&rig.repo(), &rig.at("w")).unwrap(), None);
    assert_eq!(rig.git.worktree(&rig.repo(), &rig.at("seed")).unwrap(), None);
    // A copy of a worktree is not a worktree: git in it would change the original.
    let path = rig.worktree("a");
    put(rig.at("copy/.git"), fs::read(path.join(".git")).unwrap());
    assert_eq!(rig.git.worktree(&rig.repo(), &rig.at("copy")).unwrap(), None);
    fs::create_dir(path.join("inside")).unwrap();
    assert_eq!(rig.git.worktree(&rig.repo(), &path.join("inside")).unwrap(), None);
}

#[test]
fn odd_file_names_are_listed_as_they_are() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    for name in [&b"new\nline"[..], b"\"q\"", b"-d", b"\xff", b" s "] {
        put(path.join(OsStr::from_bytes(name)), "x");
    }
    let mut dirty = rig.git.worktree(&rig.repo(), &path).unwrap().unwrap().dirty;
    dirty.sort();
    assert_eq!(dirty, [" s ", "\"q\"", "-d", "new\nline", "\u{fffd}"]);
    for number in 0..DIRTY_LIMIT {
        put(path.join(format!("many/{number}")), "x");
    }
    assert_eq!(rig.git.worktree(&rig.repo(), &path).unwrap().unwrap().dirty.len(), DIRTY_LIMIT);
}

#[test]
fn a_gate_worktree_is_put_at_a_commit_and_cleared() {
    let rig = Rig::new();
    let worker = rig.worktree("w");
    rig.commit(&worker, ".gitignore", "cache\n");
    let (one, two) = (rig.commit(&worker, "one", "1\n"), rig.commit(&worker, "two", "2\n"));
    let gate = reset(&rig, &one);
    put(gate.join("cache/built"), "x");
    put(gate.join("base"), "changed");
    put(gate.join("left/over"), "x");
    rig.run(&gate, "init", &["--quiet", "nested"]);
    reset(&rig, &two);
    assert!(gate.join("two").exists());
    assert!(["cache", "left", "nested"].iter().all(|name| !gate.join(name).exists()));
    assert_eq!(fs::read_to_string(gate.join("base")).unwrap(), "base\n");
    reset(&rig, &one);
    assert!(!gate.join("two").exists());
}

#[test]
fn a_gate_worktree_recovers_from_any_state() {
    let rig = Rig::new();
    let one = rig.commit(&rig.worktree("a"), "base", "one\n");
    let two = rig.commit(&rig.worktree("b"), "base", "two\n");
    let states: [fn(&Rig, &Path, &Path, &Sha); 8] = [
        |rig, path, _, _| _ = rig.run(path, "sparse-checkout", &["set", "--no-cone", "/none"]),
        |_, _, admin, _| put(admin.join("index"), "broken"),
        |_, _, admin, _| put(admin.join("index.lock"), ""),
        |rig, path, _, two| assert_eq!(rig.try_run(path, "merge", &["--quiet", &two.0]).code, 1),
        |rig, path, _, two| assert_eq!(rig.try_run(path, "rebase", &["--quiet", &two.0]).code, 1),
        |rig, path, _, _| {
            rig.run(path, "update-index", &["--assume-unchanged", "base"]);
            put(path.join("base"), "hidden");
        },
        |_, path, _, _| fs::remove_file(path.join(".git")).unwrap(),
        |_, _, admin, _| put(admin.join("HEAD"), "broken"),
    ];
    for (number, spoil) in states.into_iter().enumerate() {
        let gate = reset(&rig, &one);
        spoil(&rig, &gate, &admin(&rig, "gate"), &two);
        for (commit, text) in [(&one, "one\n"), (&two, "two\n")] {
            reset(&rig, commit);
            assert_eq!(fs::read_to_string(gate.join("base")).unwrap(), text, "{number}");
        }
        assert!(rig.run(&gate, "status", &[]).starts_with("HEAD detached at"), "{number}");
    }
    let unknown = Sha::from("1".repeat(40));
    assert!(rig.git.reset_gate_worktree(&rig.held, &rig.repo(), &rig.at("gate"), &unknown).is_err());
    assert!(rig.at("gate/base").exists());
}

#[test]
fn a_gate_worktree_is_removed_once() {
    let rig = Rig::new();
    let gate = reset(&rig, &rig.trunk());
    for _ in 0..2 {
        rig.git.remove_gate_worktree(&rig.held, &rig.repo(), &gate).unwrap();
        assert!(!gate.exists() && !admin(&rig, "gate").exists());
    }
}

#[test]
fn an_archived_worktree_keeps_its_files_and_frees_path_and_branch() {
    let rig = Rig::new();
    let (path, to) = (rig.worktree("w"), rig.at("archive/deep/w-1"));
    put(path.join("mine"), "work");
    for _ in 0..2 {
        rig.git.archive_worktree(&rig.held, &rig.repo(), &path, &to).unwrap();
    }
    assert_eq!(fs::read_to_string(to.join("mine")).unwrap(), "work");
    assert!(!admin(&rig, "w").exists());
    rig.worktree("w");
    // The archived worktree must not lead to its successor.
    assert_eq!(rig.git.folder(&to).unwrap(), crate::FolderFacts::NoRepository);
    let again = rig.git.archive_worktree(&rig.held, &rig.repo(), &path, &to);
    assert!(matches!(again, Err(WorldError::Unexpected(_))));
    assert!(rig.git.worktree(&rig.repo(), &path).unwrap().is_some());
}

#[test]
fn an_archiving_that_was_killed_half_way_is_finished() {
    let states: [fn(&Path, &Path); 3] = [
        |_, _| {},
        |to, _| fs::create_dir(to.join(".git.archived")).unwrap(),
        |to, _| {
            fs::create_dir(to.join(".git.archived")).unwrap();
            fs::rename(to.join(".git"), to.join(".git.archived/link")).unwrap();
        },
    ];
    for half in states {
        let rig = Rig::new();
        let (path, to) = (rig.worktree("w"), rig.at("archived"));
        fs::rename(&path, &to).unwrap();
        half(&to, &path);
        rig.git.archive_worktree(&rig.held, &rig.repo(), &path, &to).unwrap();
        assert!(to.join("base").exists() && !to.join(".git").exists() && !admin(&rig, "w").exists());
        assert!(to.join(".git.archived/admin/HEAD").exists());
        rig.worktree("w");
    }
}

/// A worker may put anything where the archive keeps git's records, or in the place of its link. All of it is archived with the
/// worker's files and leads nowhere, and path and branch are free.
#[test]
fn what_a_worker_planted_in_the_way_of_the_archive_leads_nowhere() {
    type Plant = fn(&Path, &Path);
    let cases: &[(&str, Plant)] = &[
        ("a link to a folder", |path, out| symlink(out, path.join(".git.archived")).unwrap()),
        ("a link to nowhere", |path, out| symlink(out.join("none"), path.join(".git.archived")).unwrap()),
        ("a file", |path, _| RealDisk.write(&path.join(".git.archived"), b"").unwrap()),
        ("a folder of links", |path, out| {
            fs::create_dir(path.join(".git.archived")).unwrap();
            for name in ["link", "admin"] {
                symlink(out, path.join(".git.archived").join(name)).unwrap();
            }
        }),
        ("both names", |path, out| {
            symlink(out, path.join(".git.archived")).unwrap();
            symlink(out, path.join(".git.archived.1")).unwrap();
        }),
        ("a link in the place of git's", |path, out| {
            fs::rename(path.join(".git"), path.join("git")).unwrap();
            symlink(out.join("kept"), path.join(".git")).unwrap();
        }),
        ("a repository in the place of git's link", |path, _| {
            fs::remove_file(path.join(".git")).unwrap();
            fs::create_dir(path.join(".git")).unwrap();
        }),
    ];
    let rig = Rig::new();
    RealDisk.guard(&rig.at(""));
    let out = rig.at("out");
    RealDisk.write(&out.join("kept"), b"kept").unwrap();
    for (n, (what, plant)) in cases.iter().enumerate() {
        let (path, to) = (rig.worktree("w"), rig.at(&format!("archive/w-{n}")));
        rig.commit(&path, &format!("work-{n}"), "work\n");
        plant(&path, &out);
        for _ in 0..2 {
            rig.git.archive_worktree(&rig.held, &rig.repo(), &path, &to).unwrap();
        }
        assert!(!path.exists() && to.join(format!("work-{n}")).exists(), "{what}");
        assert!(to.join(".git.archived/admin/HEAD").is_file(), "{what}");
        assert!(!to.join(".git").is_symlink() && !to.join(".git").is_file(), "{what}: {}", to.display());
        assert_eq!(RealDisk.list(&out).unwrap(), ["kept"], "{what}");
        rig.run(&rig.repo(), "update-ref", &["-d", "refs/heads/w"]);
    }
}

/// Makes a rig whose trunk holds files against its own attributes: with other line ends, with a filter, with a filter that
/// converts differently in and out.
fn against_its_attributes() -> Rig {
    let mut rig = Rig::new();
    let config = "[filter \"up\"]\n\tclean = tr a-z A-Z\n\tsmudge = cat\n";
    fs::rename(rig.file(config), rig.at("gitconfig")).unwrap();
    rig.git.environment.retain(|(name, _)| name != "GIT_CONFIG_GLOBAL");
    rig.git.environment.push(("GIT_CONFIG_GLOBAL".into(), rig.at("gitconfig").into()));
    let seed = rig.at("seed");
    for (name, text) in [("auto.txt", "a\r\nb\r\n"), ("raw.up", "raw\n"), ("mixed.win", "a\r\nb\n"), ("own", "own\n")] {
        rig.commit(&seed, name, text);
    }
    rig.commit(&seed, ".gitattributes", "*.txt text\n*.up filter=up\n*.win text eol=crlf\n");
    rig.run(&seed, "rm", &["-q", "--cached", "auto.txt", "raw.up", "mixed.win"]);
    for name in ["auto.txt", "raw.up", "mixed.win"] {
        let id = rig.run(&seed, "hash-object", &["-w", "--no-filters", name]);
        rig.run(&seed, "update-index", &["--add", "--cacheinfo", &format!("100644,{id},{name}")]);
    }
    rig.run(
        &seed,
        "-c",
        &["user.name=A", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "As they are"],
    );
    rig.run(&seed, "push", &["-q", "origin", "HEAD:main"]);
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    rig
}

#[test]
fn what_a_checkout_makes_different_from_what_git_would_commit_is_nobodys_work() {
    let rig = against_its_attributes();
    let path = rig.worktree("w");
    let dirty = || rig.git.worktree(&rig.repo(), &path).unwrap().unwrap().dirty;
    assert_eq!(dirty(), Vec::<String>::new());
    assert_eq!(rig.run(&path, "status", &["--porcelain"]), "", "nor for the worker's git");
    let trunk = rig.trunk();
    rig.commit(&path, "new", "new\n");
    rig.run(&path, "rebase", &["-q", trunk.as_str()]);
    let there = rig.run(&path, "diff", &["--name-only", trunk.as_str(), "HEAD"]);
    assert_eq!(there, "new", "and its commits have its own work only");
    // Touching the files changes nothing.
    for name in ["auto.txt", "raw.up", "mixed.win", "own"] {
        let bytes = fs::read(path.join(name)).unwrap();
        fs::remove_file(path.join(name)).unwrap();
        put(path.join(name), bytes);
    }
    assert_eq!(dirty(), Vec::<String>::new());
    // Changing the files counts as a change.
    for (number, name) in ["auto.txt", "mixed.win", "own", "raw.up"].iter().enumerate() {
        put(path.join(name), "other\r\n");
        assert_eq!(dirty().len(), number + 1, "{name}");
    }
    rig.run(&path, "rm", &["-q", "--cached", "own"]);
    assert_eq!(dirty().iter().filter(|path| *path == "own").count(), 2, "what is staged counts: {:?}", dirty());
}

#[test]
fn a_mode_or_a_link_in_the_place_of_such_a_file_is_a_change() {
    use std::os::unix::fs::PermissionsExt as _;
    let rig = against_its_attributes();
    let path = rig.worktree("w");
    fs::set_permissions(path.join("auto.txt"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(path.join("raw.up"), rig.at("elsewhere")).unwrap();
    symlink(rig.at("elsewhere"), path.join("raw.up")).unwrap();
    let mut dirty = rig.git.worktree(&rig.repo(), &path).unwrap().unwrap().dirty;
    dirty.sort();
    assert_eq!(dirty, ["auto.txt", "raw.up"]);
}

#[test]
fn files_against_their_own_attributes_are_named() {
    let rig = against_its_attributes();
    rig.git.reset_gate_worktree(&rig.held, &rig.repo(), &rig.at("gate"), &rig.trunk()).unwrap();
    let named = rig.git.against_attributes(&rig.repo(), &rig.at("gate")).unwrap();
    assert_eq!(named, ["auto.txt", "mixed.win", "raw.up"]);
    let plain = Rig::new();
    plain.worktree("w");
    assert_eq!(plain.git.against_attributes(&plain.repo(), &plain.at("w")).unwrap(), Vec::<String>::new());
}
