//! A person's own configuration of git changes no result: worktrees, commits, snapshots, landings and diffs are the same under
//! each of these settings.

#![expect(clippy::disallowed_methods, reason = "a worker's git runs outside our own calls, with the user's settings")]

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::*;
use crate::{Candidate, Push};

/// Settings that people have. Each is legal, and each is a trap for a program that calls git.
const SETTINGS: &[&str] = &[
    "[core]\n autocrlf = true",
    "[core]\n autocrlf = input\n safecrlf = true",
    "[core]\n eol = crlf",
    "[core]\n fileMode = false",
    "[core]\n ignoreCase = true",
    "[core]\n symlinks = false",
    "[core]\n quotePath = false\n precomposeUnicode = true",
    "[core]\n hooksPath = HOME/hooks",
    "[core]\n pager = false\n editor = false\n askPass = false",
    "[core]\n attributesFile = HOME/attributes",
    "[core]\n fsmonitor = HOME/hooks/fsmonitor",
    "[core]\n untrackedCache = true\n splitIndex = true\n preloadIndex = false\n checkStat = minimal\n trustctime = false",
    "[core]\n abbrev = 4\n commentChar = \";\"\n whitespace = cr-at-eol\n logAllRefUpdates = false\n bigFileThreshold = 1",
    "[core]\n sparseCheckout = true\n multiPackIndex = false\n compression = 0",
    "[status]\n showUntrackedFiles = no\n short = true\n branch = true\n relativePaths = false\n submoduleSummary = true",
    "[diff]\n noprefix = true",
    "[diff]\n mnemonicPrefix = true\n renames = copies\n algorithm = histogram\n context = 0\n interHunkContext = 9",
    "[diff]\n external = false\n orderFile = HOME/attributes\n colorMoved = zebra\n wsErrorHighlight = all\n ignoreSubmodules = all",
    "[diff]\n submodule = log\n relative = true\n suppressBlankEmpty = true\n statGraphWidth = 1\n indentHeuristic = false",
    "[diff]\n srcPrefix = left/\n dstPrefix = right/\n[difftool]\n prompt = true",
    "[merge]\n conflictStyle = zdiff3\n ff = only\n renames = false\n directoryRenames = true\n renormalize = true\n log = true",
    "[push]\n default = matching\n followTags = true\n autoSetupRemote = true\n recurseSubmodules = on-demand\n gpgSign = if-asked",
    "[pull]\n rebase = merges\n ff = only\n[rebase]\n autoStash = true\n updateRefs = true\n autoSquash = true\n missingCommitsCheck = error",
    "[commit]\n gpgSign = true\n template = HOME/attributes\n verbose = true\n cleanup = scissors\n status = false\n[gpg]\n program = false",
    "[tag]\n gpgSign = true\n sort = -version:refname\n[branch]\n autoSetupMerge = always\n autoSetupRebase = always\n sort = -committerdate",
    "[format]\n pretty = oneline\n signOff = true\n[log]\n date = relative\n follow = true\n decorate = full\n showSignature = true\n abbrevCommit = true",
    "[color]\n ui = always\n[column]\n ui = always\n[advice]\n detachedHead = true",
    "[fetch]\n prune = false\n parallel = 4\n recurseSubmodules = on-demand\n fsckObjects = true\n writeCommitGraph = true\n output = compact",
    "[fetch]\n pruneTags = true\n all = true\n negotiationAlgorithm = skipping\n showForcedUpdates = false\n unpackLimit = 1",
    "[submodule]\n recurse = true\n fetchJobs = 4\n propagateBranches = true",
    "[url \"HOME/elsewhere\"]\n insteadOf = gh:\n[url \"git@host:\"]\n pushInsteadOf = https://host/",
    "[remote]\n pushDefault = other\n[clone]\n defaultRemoteName = upstream\n rejectShallow = true\n[checkout]\n defaultRemote = x\n guess = false\n workers = 4",
    "[i18n]\n commitEncoding = ISO-8859-1\n logOutputEncoding = ISO-8859-1",
    "[user]\n useConfigOnly = true",
    "[user]\n name = Me\n email = me@example.com\n signingKey = none\n[author]\n name = Author\n email = a@example.com\n[committer]\n name = Committer\n email = c@example.com",
    "[init]\n templateDir = HOME/template\n defaultBranch = trunk\n defaultObjectFormat = sha256\n defaultRefFormat = reftable",
    "[extensions]\n worktreeConfig = false\n[gc]\n auto = 1\n autoDetach = true\n worktreePruneExpire = now\n pruneExpire = now\n[maintenance]\n auto = true",
    "[protocol]\n allow = user\n version = 0\n[transfer]\n fsckObjects = true\n hideRefs = refs/gt\n[uploadpack]\n allowFilter = true",
    "[worktree]\n guessRemote = true\n useRelativePaths = true\n[index]\n version = 4\n threads = 1\n sparse = true\n[feature]\n manyFiles = true\n experimental = true",
    "[alias]\n status = !false\n commit = !false\n fetch = !false\n[help]\n autoCorrect = immediate\n[interactive]\n singleKey = true\n[safe]\n bareRepository = explicit",
    "[pack]\n useBitmaps = true\n writeReverseIndex = false\n[repack]\n writeBitmaps = true\n[receive]\n denyNonFastForwards = true\n[apply]\n whitespace = error\n[grep]\n lineNumber = true\n fullName = true\n column = true\n patternType = perl",
    "[notes]\n rewriteRef = refs/notes/*\n displayRef = refs/notes/*\n[rerere]\n enabled = true\n autoUpdate = true\n[sequence]\n editor = false\n[blame]\n date = relative",
    "[filter \"lfs\"]\n clean = git-lfs clean -- %f\n smudge = git-lfs smudge -- %f\n process = git-lfs filter-process\n required = true",
    "[include]\n path = HOME/nowhere\n[includeIf \"gitdir:/\"]\n path = HOME/included",
];

/// Writes the project's files: text with and without attributes, a program, a link, a name with non-ASCII letters.
fn project(rig: &Rig) {
    let seed = rig.at("seed");
    put(seed.join("plain"), "one\ntwo\nthree\n");
    put(seed.join("crlf"), "one\r\ntwo\r\n");
    put(seed.join("auto.txt"), "one\ntwo\n");
    put(seed.join("ümlaut"), "ü\n");
    put(seed.join("README"), "Read\nme\nnow\n");
    put(seed.join("run"), "#!/bin/sh\n");
    put(seed.join(".gitattributes"), "*.txt text\n");
    fs::set_permissions(seed.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("plain", seed.join("link")).unwrap();
    rig.commit(&seed, "more", "more\n");
    rig.run(&seed, "push", &["--quiet", "origin", "HEAD:refs/heads/main"]);
}

/// Writes the files in the home folder that the settings name.
fn home(rig: &Rig) {
    let refuses = "#!/bin/sh\nexit 1\n";
    // A person's own hooks still run where workers commit. One that refuses a commit would be right to do so.
    put(rig.at("hooks/pre-commit"), "#!/bin/sh\nexit 0\n");
    fs::set_permissions(rig.at("hooks/pre-commit"), fs::Permissions::from_mode(0o755)).unwrap();
    for hook in ["hooks/fsmonitor", "template/hooks/pre-commit", "template/hooks/post-checkout"] {
        put(rig.at(hook), refuses);
        fs::set_permissions(rig.at(hook), fs::Permissions::from_mode(0o755)).unwrap();
    }
    put(rig.at("attributes"), "* text=auto eol=crlf diff=none merge=none ident\n");
    put(rig.at("included"), "[core]\n autocrlf = true\n bare = true\n");
}

/// Returns all results as text.
fn outcome(settings: &str) -> String {
    let mut rig = Rig::new();
    project(&rig);
    home(&rig);
    let file = rig.at("personal");
    put(&file, settings.replace("HOME", rig.at("").to_str().unwrap()));
    rig.git.environment.retain(|(name, _)| name != "GIT_CONFIG_GLOBAL");
    rig.git.environment.push(("GIT_CONFIG_GLOBAL".into(), file.into()));
    fs::remove_dir_all(rig.repo()).unwrap();
    let mut said = String::new();
    let mut note = |what: &str, value: &dyn std::fmt::Debug| writeln!(said, "{what}: {value:?}").unwrap();
    rig.git.create(&rig.held, &rig.repo(), &rig.url(), ObjectFormat::Sha1).unwrap();
    note("fetched", &rig.git.fetch(&rig.held, &rig.repo()).unwrap().keys());
    let trunk = rig.trunk();
    let path = rig.worktree("w");
    note("worktree", &files(&path));
    note("fresh", &dirty(&rig, &path));
    work(&path);
    note("dirty", &dirty(&rig, &path));
    let snapshot = rig.git.snapshot(&rig.held, &rig.repo(), &path, "refs/gt/snapshots/a", "s").unwrap();
    note("snapshot", &rig.git.tree_of(&rig.repo(), &snapshot.commit).unwrap());
    note("skipped", &snapshot.skipped);
    commit(&rig, &path);
    let head = rig.git.worktree(&rig.repo(), &path).unwrap().unwrap().head;
    note("commit", &shown(&rig, &head));
    note("diff", &rig.git.diff_text(&rig.repo(), &trunk, &head, false).unwrap());
    note("stat", &rig.git.diff_text(&rig.repo(), &trunk, &head, true).unwrap());
    note("paths", &rig.git.changed_paths(&rig.repo(), &trunk, &head).unwrap());
    let squashed = rig.git.squash(&rig.held, &rig.repo(), &trunk, &head, "Land ü\n\nBead: x\n").unwrap();
    let Candidate::Clean { commit: landed, .. } = squashed else { panic!("{settings}: {squashed:?}") };
    note("landed", &shown(&rig, &landed));
    rig.git.reset_gate_worktree(&rig.held, &rig.repo(), &rig.at("gate"), &landed).unwrap();
    note("gate", &files(&rig.at("gate")));
    assert_eq!(rig.git.push(&rig.held, &rig.repo(), "main", &landed, Some(&trunk)).unwrap(), Push::Done, "{settings}");
    note("health", &rig.git.inspect(&rig.repo(), &rig.url()).unwrap());
    rig.git.archive_worktree(&rig.held, &rig.repo(), &path, &rig.at("archived")).unwrap();
    said
}

fn dirty(rig: &Rig, path: &Path) -> Vec<String> {
    rig.git.worktree(&rig.repo(), path).unwrap().unwrap().dirty
}

/// Makes a worker's changes: a content, a mode, a name that differs in its case only, a new file.
fn work(path: &Path) {
    let worker = |name: &str, text: &str| fs::write(path.join(name), text).unwrap();
    worker("plain", "one\ntwo\nthree\nfour\n");
    worker("auto.txt", "one\ntwo\nthree\n");
    worker("neu ü", "new\n");
    fs::set_permissions(path.join("plain"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(path.join("README"), path.join("readme")).unwrap();
}

/// Commits as a worker does, with plain git.
fn commit(rig: &Rig, path: &Path) {
    let script = "git add -A && git commit -q -m 'Do ü'";
    let mut sh = Command::new("sh");
    sh.args(["-c", script]).current_dir(path).env_clear().envs(rig.git.environment.iter().cloned());
    sh.env("GIT_AUTHOR_DATE", "@1700000000 +0000")
        .env("GIT_COMMITTER_DATE", "@1700000000 +0000")
        .env("GIT_EDITOR", "true");
    let output = sh.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Returns a commit as text, without its parents and its times.
fn shown(rig: &Rig, commit: &Sha) -> String {
    let text = rig.git.question(&Place::Rig(rig.repo()), "cat-file").args(["commit", commit.as_str()]).ok().unwrap();
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let lines = text.lines().filter(|line| !line.starts_with("parent "));
    lines.map(|line| line.split(" 1").next().unwrap_or(line).to_owned()).collect::<Vec<_>>().join("\n")
}

/// Returns the files of a checkout, with their modes and bytes.
fn files(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names.retain(|name| !name.ends_with(".git"));
    let one = |file: &PathBuf| {
        let facts = file.symlink_metadata().unwrap();
        let text = fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        format!("{} {:o} {text:?}", file.file_name().unwrap().to_string_lossy(), facts.permissions().mode())
    };
    names.iter().map(one).collect()
}

#[test]
fn a_persons_own_settings_change_nothing_of_what_comes_out() {
    let expected = outcome("");
    assert!(expected.contains("four"), "{expected}");
    let mut different = Vec::new();
    for settings in SETTINGS {
        let came = std::panic::catch_unwind(|| outcome(settings));
        match came {
            Ok(came) if came == expected => {}
            Ok(came) => {
                let differ = came.lines().zip(expected.lines()).filter(|(one, other)| one != other);
                let lines: Vec<String> = differ.map(|(one, other)| format!("  {one}\n  not {other}")).collect();
                different.push(format!("{settings}\n{}", lines.join("\n")));
            }
            Err(_) => different.push(format!("{settings}\n  (failed)")),
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n\n"));
}
