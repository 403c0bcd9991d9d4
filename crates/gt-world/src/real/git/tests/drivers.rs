//! Tests which filters and merge drivers run, and whose attributes decide that.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;

use super::*;
use crate::Candidate;

/// Files by name and text.
type Files<'a> = &'a [(&'a str, &'a str)];

/// Makes a rig whose user has these settings.
fn rig(settings: &str) -> Rig {
    let mut rig = Rig::new();
    put(rig.at("gitconfig"), settings);
    rig.git.environment.retain(|(name, _)| name != "GIT_CONFIG_GLOBAL");
    rig.git.environment.push(("GIT_CONFIG_GLOBAL".into(), rig.at("gitconfig").into()));
    rig.git.drivers = Mutex::default();
    rig
}

fn program(path: &Path, script: &str) {
    put(path, format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Commits these files in a separate worktree that starts at `start`.
fn branch(rig: &Rig, name: &str, start: &Sha, files: Files<'_>) -> Sha {
    let plan = WorktreePlan { start: start.clone(), ..rig.plan(name) };
    rig.git.add_worktree(&rig.held, &rig.repo(), &plan).unwrap();
    for (file, text) in files {
        put(plan.path.join(file), text);
    }
    rig.commit(&plan.path, "base", name)
}

/// Adds one line to `file` on the trunk and another on a branch, and returns the merged file; `None` for a conflict.
fn merged(rig: &Rig, case: usize, trunk: Files<'_>, own: Files<'_>, file: &str) -> Option<String> {
    let at = |name: &str| format!("{name}{case}");
    let start = branch(rig, &at("start"), &rig.trunk(), &[&[(file, "log\n")], trunk].concat());
    let put_line = |line: &str, more: &[(&str, &str)]| {
        let text = format!("log\n{line}\n");
        let plan = WorktreePlan { start: start.clone(), ..rig.plan(&at(line)) };
        rig.git.add_worktree(&rig.held, &rig.repo(), &plan).unwrap();
        more.iter().for_each(|(name, text)| put(plan.path.join(name), text));
        rig.commit(&plan.path, file, &text)
    };
    let (onto, head) = (put_line("trunk", &[]), put_line("own", own));
    match rig.git.squash(&rig.held, &rig.repo(), &onto, &head, "m").unwrap() {
        Candidate::Clean { commit, .. } => Some(rig.text_in(&commit, file).replace('\n', " ")),
        Candidate::Empty => Some(rig.text_in(&onto, file).replace('\n', " ")),
        Candidate::Conflict { .. } | Candidate::Broken { .. } => None,
    }
}

#[test]
fn files_are_merged_by_the_attributes_of_the_trunk_alone() {
    let rig = rig("[merge \"ours\"]\n\tdriver = true\n");
    let union = (".gitattributes", "log merge=union\n");
    let cases: [(Files<'_>, Files<'_>, Option<&str>); 8] = [
        (&[], &[], None),
        (&[union], &[], Some("log trunk own")),
        (&[(".gitattributes", "[attr]lines merge=union\nlog lines\n")], &[], Some("log trunk own")),
        // A branch's own attributes have no effect before the branch has landed.
        (&[], &[union], None),
        (&[union], &[(".gitattributes", "log -merge\n")], Some("log trunk own")),
        (&[(".gitattributes", "log -merge\n")], &[union], None),
        (&[(".gitattributes", "log merge=binary\n")], &[(".gitattributes", "")], None),
        // The trunk's attributes select the user's own driver.
        (&[(".gitattributes", "log merge=ours\n")], &[], Some("log trunk")),
    ];
    for (number, (trunk, own, expected)) in cases.into_iter().enumerate() {
        assert_eq!(merged(&rig, number, trunk, own, "log").as_deref(), expected, "{number}: {trunk:?} {own:?}");
    }
    // The attributes of a folder count as well.
    let trunk = [("docs/.gitattributes", "log merge=union\n")];
    assert_eq!(merged(&rig, 8, &trunk, &[], "docs/log").as_deref(), Some("log trunk own"));
}

#[test]
fn files_of_beads_are_merged_by_this_program_unless_the_user_has_another() {
    let attributes = [(".gitattributes", "log merge=beads\n")];
    for (settings, expected) in [("", "ledger merge-driver"), ("[merge \"beads\"]\n\tdriver = mine %A\n", "own")] {
        let mut rig = rig(settings);
        program(&rig.at("bin/gt"), "echo \"$1 $2\" > \"$4\"");
        program(&rig.at("bin/mine"), "echo own > \"$1\"");
        rig.git.gt = Some(rig.at("bin/gt"));
        let path = rig.git.environment.iter_mut().find(|(name, _)| name == "PATH").unwrap();
        let bin = rig.dir.path().canonicalize().unwrap().join("bin");
        path.1 = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path.1))).unwrap();
        assert_eq!(merged(&rig, 0, &attributes, &[], "log").as_deref(), Some(expected));
        // A worker's own merge gives the same result.
        let answer = rig.try_run(&rig.at("own0"), "merge", &["--quiet", "-m", "m", "polecat/trunk0"]);
        assert_eq!(fs::read_to_string(rig.at("own0/log")).unwrap().trim_end(), expected, "{}", answer.stderr);
    }
}

#[test]
fn drivers_that_nobody_has_are_named() {
    let rig = rig("[merge \"ours\"]\n\tdriver = true\n");
    let text = "a merge=ours\nb merge=beads\nc merge=union\nd merge=theirs\n*.x text merge=po\n# e merge=f\n";
    let head = branch(&rig, "w", &rig.trunk(), &[(".gitattributes", text)]);
    let unknown =
        |commit: &Sha| rig.git.unknown_merge_drivers(&rig.repo(), commit).unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!(unknown(&head), ["po", "theirs"]);
    assert!(unknown(&rig.trunk()).is_empty());
}

#[test]
fn a_filter_of_the_users_runs_and_finds_nothing_in_the_worktree() {
    let rig = rig("[filter \"up\"]\n\tclean = tr a-z A-Z\n[filter \"near\"]\n\tclean = ./tools/clean\n");
    let path = rig.worktree("w");
    let witness = rig.at("witness");
    program(&path.join("tools/clean"), &format!("tr '\\0' ' ' </proc/$PPID/cmdline >> '{}'; cat", witness.display()));
    put(path.join(".gitattributes"), "*.up filter=up\n*.near filter=near\n");
    put(path.join("a.up"), "text\n");
    put(path.join("a.near"), "text\n");
    let snapshot = rig.git.snapshot(&rig.held, &rig.repo(), &path, "refs/gt/snapshots/x-1", "m").unwrap();
    assert_eq!(rig.text_in(&snapshot.commit, "a.up"), "TEXT");
    assert_eq!(rig.text_in(&snapshot.commit, "a.near"), "text");
    rig.git.worktree(&rig.repo(), &path).unwrap().unwrap();
    rig.git.reset_gate_worktree(&rig.held, &rig.repo(), &rig.at("gate"), &snapshot.commit).unwrap();
    assert_eq!(fs::read_to_string(&witness).unwrap_or_default(), "", "an agent's program was run");
}
