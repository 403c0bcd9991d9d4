//! Tests which ledger `bd` uses outside of any town, and what `bd init` puts into a new one.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bd::Project;
use crate::town::{text, write};

/// Creates a project that is a repository with one commit.
fn repository() -> Project {
    let project = Project::bare();
    project.git_at(&project.folder(), &["init", "--quiet", "--initial-branch", "main"]);
    project.git_at(&project.folder(), &["commit", "--quiet", "--allow-empty", "-m", "First"]);
    project
}

/// Adds a worktree of the project's repository beside it.
fn worktree(project: &Project, name: &str) -> PathBuf {
    let path = project.folder().with_file_name(name);
    project.git_at(&project.folder(), &["worktree", "add", "--quiet", &path.display().to_string()]);
    path
}

#[track_caller]
fn ok_at(project: &Project, folder: &Path, args: &[&str]) -> String {
    let output = project.bd_at(folder, &[], args);
    assert_eq!(output.code, 0, "bd {args:?} in {}: {output:#?}", folder.display());
    output.out
}

fn database(project: &Project, folder: &Path) -> String {
    let place: Value = serde_json::from_str(&ok_at(project, folder, &["where", "--json"])).unwrap();
    text(&place["database_path"])
}

#[test]
fn all_worktrees_of_a_repository_share_one_ledger() {
    let project = repository();
    project.ok(&["init", "--prefix", "x"]);
    let id = project.q(&["Shared"]);
    let other = worktree(&project, "other");
    let below = other.join("src/deep");
    std::fs::create_dir_all(&below).unwrap();
    for folder in [&other, &below] {
        assert!(ok_at(&project, folder, &["list"]).contains(&id));
        assert_eq!(database(&project, folder), database(&project, &project.folder()));
    }
    let there = ok_at(&project, &below, &["q", "Made in the worktree"]);
    assert!(project.ok(&["list"]).contains(there.trim()));
    let second = project.bd_at(&other, &[], &["init"]);
    assert!(second.code == 1 && second.err.contains("proj/.beads/gt.db"), "no second ledger is made: {second:#?}");
    assert!(!other.join(".beads").exists());
}

#[test]
fn a_ledger_made_in_a_worktree_belongs_to_the_repository() {
    let project = repository();
    let other = worktree(&project, "other");
    ok_at(&project, &other, &["init", "--prefix", "x"]);
    let id = ok_at(&project, &other, &["q", "Shared"]);
    assert!(project.ok(&["list"]).contains(id.trim()));
    assert!(project.folder().join(".beads/gt.db").exists() && !other.join(".beads").exists());
}

#[test]
fn worktrees_of_a_bare_repository_share_one_ledger() {
    let project = repository();
    let top = project.folder().parent().unwrap().to_owned();
    project.git_at(&top, &["clone", "--quiet", "--bare", "proj", "bare.git"]);
    let [one, other] = ["one", "other"].map(|name| {
        let path = top.join(name);
        project.git_at(&top.join("bare.git"), &["worktree", "add", "--quiet", "-b", name, &path.display().to_string()]);
        path
    });
    ok_at(&project, &one, &["init", "--prefix", "x"]);
    let id = ok_at(&project, &one, &["q", "Shared"]);
    assert!(ok_at(&project, &other, &["list"]).contains(id.trim()));
    assert!(top.join("bare.git/.beads/gt.db").exists());
}

#[test]
fn a_submodule_has_its_own_ledger() {
    let project = repository();
    project.ok(&["init", "--prefix", "x"]);
    let sub = project.folder().join("sub");
    std::fs::create_dir(&sub).unwrap();
    // As git does it: a repository inside the other's git folder, without a common folder.
    std::fs::create_dir_all(project.folder().join(".git/modules/sub")).unwrap();
    write(&sub.join(".git"), "gitdir: ../.git/modules/sub\n");
    ok_at(&project, &sub, &["init", "--prefix", "y"]);
    assert_eq!(database(&project, &sub), sub.join(".beads/gt.db").display().to_string());
}

#[test]
fn a_redirect_leads_to_the_ledger_that_it_names() {
    let project = repository();
    project.ok(&["init", "--prefix", "x"]);
    let id = project.q(&["Shared"]);
    let elsewhere = project.folder().with_file_name("elsewhere");
    let absolute = project.folder().join(".beads").display().to_string();
    for target in ["../proj/.beads", &absolute, "# where the beads are\n\n../proj/.beads\n"] {
        write(&elsewhere.join(".beads/redirect"), target);
        assert!(ok_at(&project, &elsewhere, &["list"]).contains(&id), "{target}");
    }
    // A worktree's own redirect takes precedence over the redirect of its repository.
    let (other, own) = (worktree(&project, "other"), project.folder().with_file_name("own"));
    std::fs::create_dir(&own).unwrap();
    ok_at(&project, &own, &["init", "--prefix", "y"]);
    write(&other.join(".beads/redirect"), "../own/.beads");
    assert_eq!(database(&project, &other), own.join(".beads/gt.db").display().to_string());
}

#[test]
fn a_redirect_to_a_missing_ledger_is_an_error_and_creates_none() {
    let project = repository();
    project.ok(&["init", "--prefix", "x"]);
    write(&project.folder().join(".beads/redirect"), "../gone/.beads");
    let refused = project.bd(&["list"]);
    assert!(refused.code == 1 && refused.err.contains("there is no ledger"), "{refused:#?}");
    // A redirect file without a usable path has no effect.
    for odd in ["", "\u{0}", "a\u{1b}b", &"x".repeat(100_000)] {
        write(&project.folder().join(".beads/redirect"), odd);
        project.ok(&["list"]);
    }
    let other = worktree(&project, "other");
    for odd in ["gitdir:", "gitdir: /nowhere", "nothing", &"gitdir: x".repeat(10_000)] {
        write(&other.join(".git"), odd);
        let output = project.bd_at(&other, &[], &["list"]);
        assert!(output.code == 1 && output.err.contains("no ledger of beads"), "{odd:.20}: {output:#?}");
    }
}

#[test]
fn init_in_a_clone_takes_prefix_and_beads_from_its_file() {
    let project = repository();
    project.ok(&["init", "--prefix", "app"]);
    let ids = ["One", "Two"].map(|title| project.q(&[title]));
    project.ok(&["export", "-o", ".beads/issues.jsonl"]);
    let exported = project.ok(&["export"]);
    project.git_at(&project.folder(), &["add", "--all"]);
    project.git_at(&project.folder(), &["commit", "--quiet", "-m", "Beads"]);
    let top = project.folder().parent().unwrap().to_owned();
    project.git_at(&top, &["clone", "--quiet", "proj", "clone"]);
    let clone = top.join("clone");
    let said = ok_at(&project, &clone, &["init"]);
    assert!(said.contains("new beads are app-") && said.contains("2 beads were taken in"), "{said}");
    assert_eq!(ok_at(&project, &clone, &["export"]), exported);
    assert!(ok_at(&project, &clone, &["q", "New"]).starts_with("app-"));
    assert!(ids.iter().all(|id| ok_at(&project, &clone, &["list"]).contains(id)));
}

#[test]
fn init_creates_no_ledger_from_a_file_with_bad_lines() {
    let project = repository();
    write(&project.folder().join(".beads/issues.jsonl"), "{\"id\":\"app-1\",\"title\":\"T\"}\n<<<<<<< HEAD\n");
    let refused = project.bd(&["init"]);
    assert!(refused.code == 1 && refused.err.contains("line 2"), "{refused:#?}");
    assert!(!project.folder().join(".beads/gt.db").exists());
}
