//! Compares checkouts with trees, and clears them.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration as Time, UNIX_EPOCH};

use gt_model::keep::Keep;

use super::super::listing::Listing;
use super::super::refs::bare;
use super::*;
use crate::{CheckedOut, Referred, Rules, Untracked};

/// Commits all files in the seed, and fetches the commit.
fn publish(rig: &Rig) -> Sha {
    let seed = rig.at("seed");
    rig.run(&seed, "add", &["-A"]);
    let call = rig.git.question(&Place::Folder(seed.clone()), "commit").args(["--quiet", "-m", "x"]);
    let call = call.env("GIT_AUTHOR_NAME", "Ann").env("GIT_AUTHOR_EMAIL", "a@example.com");
    call.env("GIT_COMMITTER_NAME", "Ann").env("GIT_COMMITTER_EMAIL", "a@example.com").ok().unwrap();
    rig.run(&seed, "push", &["--quiet", "origin", "HEAD:main"]);
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    rig.head(&seed)
}

fn tree(rig: &Rig, commit: &Sha) -> Sha {
    rig.git.tree_of(&rig.repo(), commit).unwrap()
}

/// Puts the gate worktree at a commit and returns its path.
fn gate(rig: &Rig, commit: &Sha) -> PathBuf {
    let path = rig.at("gate");
    rig.git.reset_gate_worktree(&rig.held, &rig.repo(), &path, commit).unwrap();
    path
}

fn keeping(names: &[&str]) -> Rules {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Rules { keep: Keep::try_from(names).unwrap(), ..Rules::default() }
}

fn compare(rig: &Rig, commit: &Sha, conversions: bool) -> CheckedOut {
    let rules = Rules { conversions, ..Rules::default() };
    rig.git.compare_checkout(&rig.repo(), &rig.at("gate"), &tree(rig, commit), &rules).unwrap()
}

fn is_the_tree(rig: &Rig, commit: &Sha, found: &CheckedOut) {
    assert_eq!((&found.tree, found.changed.is_empty()), (&tree(rig, commit), true), "{:?}", found.changed);
}

fn clear(rig: &Rig, commit: &Sha, rules: &Rules) -> Untracked {
    let (repo, path, tree) = (rig.repo(), rig.at("gate"), tree(rig, commit));
    let before = rig.git.untracked(&repo, &path, &tree, rules).unwrap();
    let found = rig.git.clear_checkout(&rig.held, &repo, &path, &tree, rules).unwrap();
    assert_eq!(found, before, "what is listed is what goes");
    let after = rig.git.untracked(&repo, &path, &tree, rules).unwrap();
    assert_eq!(after, Untracked { kept: found.kept.clone(), others: Vec::new() });
    found
}

fn mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Makes files of all kinds that git can hold.
fn all_kinds(seed: &Path) {
    let long: PathBuf = (0..150).map(|_| "long-folder-name").collect();
    for (name, text) in [
        ("a.b", "1"),
        ("a/x", "2"),
        ("a/y/z", "3"),
        ("a0", "4"),
        ("A", "case"),
        ("empty", ""),
        (" s p ", "5"),
        ("-d", "6"),
        ("new\nline", "7"),
        ("\"q\"", "8"),
        ("crlf", "1\r\n2\r\n"),
        (".hidden/.deep", "9"),
        ("*", "star"),
    ] {
        put(seed.join(name), text);
    }
    put(seed.join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), "bytes");
    put(seed.join(long).join("file"), "deep");
    put(seed.join("big"), "x".repeat(200_000));
    put(seed.join("run"), "#!/bin/sh\n");
    mode(seed.join("run"), 0o755);
    for (at, target) in [("link", "a/x"), ("dangling", "nowhere"), ("out", "/etc"), ("to-folder", "a")] {
        symlink(target, seed.join(at)).unwrap();
    }
}

#[test]
fn files_of_all_kinds_give_their_tree() {
    let rig = Rig::new();
    all_kinds(&rig.at("seed"));
    let commit = publish(&rig);
    gate(&rig, &commit);
    is_the_tree(&rig, &commit, &compare(&rig, &commit, false));
    assert_eq!(clear(&rig, &commit, &Rules::default()), Untracked::default());
    is_the_tree(&rig, &commit, &compare(&rig, &commit, true));
    // The tree of the changed files has the id that git itself gives it.
    put(rig.at("gate/a/x"), "other");
    fs::remove_file(rig.at("gate/a0")).unwrap();
    let found = compare(&rig, &commit, false);
    rig.run(&rig.at("gate"), "add", &["-A"]);
    assert_eq!(found.tree.0, rig.run(&rig.at("gate"), "write-tree", &[]));
    assert_eq!(found.changed.keys().collect::<Vec<_>>(), ["a/x", "a0"]);
}

#[test]
fn every_change_of_a_tracked_file_is_seen() {
    let rig = Rig::new();
    for (name, text) in [("f", "text\n"), ("d/one", "1"), ("d/two", "2"), ("run", "#!/bin/sh\n")] {
        put(rig.at("seed").join(name), text);
    }
    mode(rig.at("seed/run"), 0o755);
    symlink("f", rig.at("seed/link")).unwrap();
    let commit = publish(&rig);
    type Change = fn(&Rig, &Path);
    let cases: [(Change, &[&str]); 14] = [
        (|_, gate| put(gate.join("f"), "other"), &["f"]),
        (|_, gate| fs::remove_file(gate.join("f")).unwrap(), &["f"]),
        (|_, gate| mode(gate.join("f"), 0o755), &["f"]),
        (|_, gate| mode(gate.join("run"), 0o644), &["run"]),
        (|_, gate| fs::remove_dir_all(gate.join("d")).unwrap(), &["d/one", "d/two"]),
        (
            |_, gate| {
                fs::remove_file(gate.join("link")).unwrap();
                put(gate.join("link"), "f");
            },
            &["link"],
        ),
        (
            |_, gate| {
                fs::remove_file(gate.join("f")).unwrap();
                fs::create_dir(gate.join("f")).unwrap();
            },
            &["f"],
        ),
        // The same content through a link. The link's target can be changed from elsewhere.
        (
            |rig, gate| {
                fs::rename(gate.join("d"), rig.at("elsewhere")).unwrap();
                symlink(rig.at("elsewhere"), gate.join("d")).unwrap();
            },
            &["d/one", "d/two"],
        ),
        (
            |rig, gate| {
                fs::remove_file(gate.join("f")).unwrap();
                assert!(rig.try_run(gate, "status", &[]).code == 0);
                rustix::fs::mknodat(rustix::fs::CWD, gate.join("f"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
                    .unwrap();
            },
            &["f"],
        ),
        // Git itself notices none of these.
        (
            |rig, gate| {
                rig.run(gate, "update-index", &["--assume-unchanged", "f"]);
                put(gate.join("f"), "hidden");
            },
            &["f"],
        ),
        (
            |rig, gate| {
                rig.run(gate, "update-index", &["--skip-worktree", "f"]);
                put(gate.join("f"), "hidden");
            },
            &["f"],
        ),
        (
            |rig, gate| {
                put(gate.join("f"), "other");
                rig.run(gate, "add", &["f"]);
            },
            &["f"],
        ),
        (
            |rig, gate| {
                put(gate.join("f"), "other");
                rig.run(gate, "commit", &["--quiet", "-am", "mine"]);
            },
            &["f"],
        ),
        (|rig, gate| _ = rig.run(gate, "sparse-checkout", &["set", "--no-cone", "/d"]), &["base", "f", "link", "run"]),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let path = gate(&rig, &commit);
        is_the_tree(&rig, &commit, &compare(&rig, &commit, true));
        change(&rig, &path);
        for conversions in [false, true] {
            let found = compare(&rig, &commit, conversions);
            assert_eq!(found.changed.keys().collect::<Vec<_>>(), expected, "{number}");
            assert_ne!(found.tree, tree(&rig, &commit), "{number}");
        }
        rig.git.remove_gate_worktree(&rig.held, &rig.repo(), &path).unwrap();
        let _ = fs::remove_dir_all(rig.at("elsewhere"));
    }
}

#[test]
fn the_times_of_files_are_not_believed() {
    let rig = Rig::new();
    put(rig.at("seed/f"), "one\n");
    let commit = publish(&rig);
    let path = gate(&rig, &commit).join("f");
    let before = path.metadata().unwrap().modified().unwrap();
    fs::copy(rig.file("two\n"), &path).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    assert_eq!(compare(&rig, &commit, true).changed.len(), 1);
    fs::File::options().write(true).open(&path).unwrap().set_modified(UNIX_EPOCH + Time::from_secs(1)).unwrap();
    assert_eq!(compare(&rig, &commit, true).changed.len(), 1);
}

#[test]
fn what_git_converts_is_no_change_and_an_edit_of_it_is_one() {
    let mut rig = Rig::new();
    // The user's own settings must not affect the project's files.
    let config = rig.file(
        "[core]\n\tautocrlf = true\n[filter \"up\"]\n\tclean = tr A-Z a-z\n\tsmudge = tr a-z A-Z\n\trequired = true\n",
    );
    fs::rename(config, rig.at("gitconfig")).unwrap();
    let seed = rig.at("seed");
    let objects = [
        ("plain", "a\nb\n", ""),
        ("dos", "a\r\nb\r\n", ""),
        ("eol", "a\nb\n", "eol text eol=crlf"),
        ("mixed", "a\r\nb\n", "mixed text eol=crlf"),
        ("marked", "a\r\nb\r\n", "marked text"),
        ("ident", "$Id$\n", "ident ident"),
        ("stale-ident", "$Id: 0123 $\n", "stale-ident ident"),
        ("utf16", "a\n", "utf16 working-tree-encoding=UTF-16"),
        ("filtered", "abc\n", "filtered filter=up"),
        ("shouting", "ABC\n", "shouting filter=up"),
    ];
    let attributes: Vec<&str> = objects.iter().map(|(_, _, attributes)| *attributes).collect();
    for (name, text, _) in objects {
        put(seed.join(name), text);
    }
    // These files are committed unchanged, against the attributes that come with them.
    publish(&rig);
    put(seed.join(".gitattributes"), attributes.join("\n"));
    rig.run(&seed, "update-index", &["--add", ".gitattributes"]);
    let tree_now = rig.run(&seed, "write-tree", &[]);
    let call = rig.git.question(&Place::Folder(seed.clone()), "commit-tree").args(["-p", "HEAD", "-m", "x", &tree_now]);
    let call = call.env("GIT_AUTHOR_NAME", "A").env("GIT_AUTHOR_EMAIL", "a@b").env("GIT_COMMITTER_NAME", "A");
    let commit = Sha::from(call.env("GIT_COMMITTER_EMAIL", "a@b").ok().unwrap().line());
    rig.run(&seed, "push", &["--quiet", "origin", &format!("{commit}:main")]);
    rig.git.environment.retain(|(name, _)| name != "GIT_CONFIG_GLOBAL");
    rig.git.environment.push(("GIT_CONFIG_GLOBAL".into(), rig.at("gitconfig").into()));
    rig.git.fetch(&rig.held, &rig.repo()).unwrap();
    for _ in 0..2 {
        let path = gate(&rig, &commit);
        assert_eq!(fs::read(path.join("plain")).unwrap(), b"a\nb\n", "as the project has it, not as the user likes it");
        assert_eq!(fs::read(path.join("eol")).unwrap(), b"a\r\nb\r\n", "as the project's attributes say");
        assert_eq!(fs::read(path.join("filtered")).unwrap(), b"ABC\n");
        is_the_tree(&rig, &commit, &compare(&rig, &commit, true));
        for (name, _, _) in objects {
            let before = fs::read(path.join(name)).unwrap();
            put(path.join(name), "edited\n");
            assert_eq!(compare(&rig, &commit, true).changed.keys().collect::<Vec<_>>(), [name]);
            put(path.join(name), before);
        }
        is_the_tree(&rig, &commit, &compare(&rig, &commit, true));
        rig.git.remove_gate_worktree(&rig.held, &rig.repo(), &path).unwrap();
    }
}

#[test]
fn a_large_file_is_as_good_as_its_pointer() {
    let rig = Rig::new();
    let content = "large ".repeat(1000);
    let oid = gt_model::id::sha256_hex(&content);
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {}\n", content.len());
    put(rig.at("seed/big.bin"), &pointer);
    let commit = publish(&rig);
    let path = gate(&rig, &commit);
    is_the_tree(&rig, &commit, &compare(&rig, &commit, false));
    put(path.join("big.bin"), &content);
    is_the_tree(&rig, &commit, &compare(&rig, &commit, false));
    put(path.join("big.bin"), content.replacen("large", "Large", 1));
    assert_eq!(compare(&rig, &commit, true).changed.len(), 1);
}

#[test]
fn all_goes_that_is_not_in_the_tree() {
    let rig = Rig::new();
    put(rig.at("seed/.gitignore"), "ignored/\n*.log\n");
    put(rig.at("seed/src/a"), "1");
    let commit = publish(&rig);
    let path = gate(&rig, &commit);
    put(rig.repo().join("info/exclude"), "/excluded\n");
    put(rig.at("precious"), "x");
    for file in
        ["ignored/deep/x", "x.log", "src/y.log", "new", "src/new", "excluded/x", "src/.git", "closed/in/x", "z/no/x"]
    {
        put(path.join(file), "left");
    }
    rig.run(&path, "init", &["--quiet", "ignored/nested"]);
    rig.run(&path, "init", &["--quiet", "src/repository"]);
    put(path.join("ignored/nested/.git/info/x"), "left");
    symlink(rig.at(""), path.join("out")).unwrap();
    symlink(rig.at(""), path.join("ignored/out")).unwrap();
    fs::create_dir_all(path.join("empty/er")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, path.join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    // Modes as a module cache leaves them, and worse ones.
    mode(path.join("closed/in"), 0o555);
    mode(path.join("closed"), 0o555);
    mode(path.join("z/no"), 0o000);
    mode(path.join("ignored/deep"), 0o444);
    clear(&rig, &commit, &Rules::default());
    let mut left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".git", ".gitignore", "base", "src"]);
    assert_eq!(fs::read_dir(path.join("src")).unwrap().count(), 1);
    assert!(rig.at("precious").exists(), "nothing goes through a link");
    is_the_tree(&rig, &commit, &compare(&rig, &commit, true));
}

#[test]
fn what_is_named_is_kept_and_nothing_under_its_name() {
    let rig = Rig::new();
    put(rig.at("seed/pkg/target/tracked"), "1");
    put(rig.at("seed/a"), "1");
    let commit = publish(&rig);
    let path = gate(&rig, &commit);
    put(rig.at("elsewhere/x"), "1");
    for file in [
        "target/debug/x",
        "a.cache",
        "deep/er/target/x",
        "deep/er/x",
        "build/cache/x",
        "build/x",
        "pkg/target/mine",
        "pkg/target/target/x",
        "other/x",
        "node_modules/x",
    ] {
        put(path.join(file), "left");
    }
    rig.run(&path, "init", &["--quiet", "target/nested"]);
    fs::create_dir_all(path.join("linked")).unwrap();
    symlink(rig.at("elsewhere"), path.join("linked/target")).unwrap();
    let found = clear(&rig, &commit, &keeping(&["target", "build/cache", "*.cache", "missing"]));
    let mut kept = found.kept;
    kept.sort();
    assert_eq!(kept, ["a.cache", "build/cache", "deep/er/target", "target"]);
    for (file, stays) in [
        ("target/nested/.git/HEAD", true),
        ("deep/er/target/x", true),
        ("build/cache/x", true),
        ("deep/er/x", false),
        ("build/x", false),
        ("pkg/target/tracked", true),
        ("pkg/target/mine", false),
        ("pkg/target/target", false),
        ("other", false),
        ("node_modules", false),
        ("linked", false),
    ] {
        assert_eq!(path.join(file).symlink_metadata().is_ok(), stays, "{file}");
    }
    assert!(rig.at("elsewhere/x").exists());
    // A cache folder is not a cache if the next commit has files in it.
    put(rig.at("seed/target/tracked"), "1");
    let next = publish(&rig);
    let path = gate(&rig, &next);
    assert_eq!(clear(&rig, &next, &keeping(&["target"])).kept, ["deep/er/target"]);
    assert!(path.join("target/tracked").exists() && !path.join("target/debug").exists());
    is_the_tree(&rig, &next, &compare(&rig, &next, true));
    // A file that was tracked there is not kept for the next commit, nor is a link of that name.
    fs::remove_dir_all(rig.at("seed/target")).unwrap();
    symlink(rig.at("elsewhere"), rig.at("seed/target")).unwrap();
    let linked = publish(&rig);
    gate(&rig, &linked);
    clear(&rig, &linked, &keeping(&["target"]));
    is_the_tree(&rig, &linked, &compare(&rig, &linked, true));
    gate(&rig, &commit);
    assert_eq!(clear(&rig, &commit, &keeping(&["target"])).kept, ["deep/er/target"]);
    assert!(!path.join("target").exists());
}

/// Replaces the content of a loose object, as a program that writes the file can do.
fn lie(rig: &Rig, id: &str, content_of: &str) {
    let path = |id: &str| rig.repo().join("objects").join(&id[..2]).join(&id[2..]);
    assert!(path(id).exists() && path(content_of).exists(), "loose objects");
    fs::remove_file(path(id)).unwrap();
    fs::copy(path(content_of), path(id)).unwrap();
}

#[test]
fn objects_that_lie_are_found() {
    let rig = Rig::new();
    put(rig.at("seed/src/code"), "red\n");
    put(rig.at("seed/other/code"), "green\n");
    let commit = publish(&rig);
    let id = |name: &str| rig.run(&rig.repo(), "rev-parse", &[&format!("{commit}:{name}")]);
    let (red, green, source, other) = (id("src/code"), id("other/code"), id("src"), id("other"));
    lie(&rig, &red, &green);
    let path = gate(&rig, &commit);
    assert_eq!(fs::read_to_string(path.join("src/code")).unwrap(), "green\n", "git believes it");
    for conversions in [false, true] {
        let found = compare(&rig, &commit, conversions);
        assert_eq!(found.changed.keys().collect::<Vec<_>>(), ["src/code"]);
        assert_ne!(found.tree, tree(&rig, &commit));
    }
    lie(&rig, &source, &other);
    let result = rig.git.compare_checkout(&rig.repo(), &path, &tree(&rig, &commit), &Rules::default());
    let text = result.unwrap_err().to_string();
    assert!(text.contains("does not match its id"), "{text}");
}

#[test]
fn a_tree_of_an_old_tool_or_of_longer_ids_is_listed_too() {
    let rig = Rig::empty();
    for (name, format) in [("old", "sha1"), ("long", "sha256")] {
        rig.run(&rig.at(""), "init", &["--quiet", "--bare", &format!("--object-format={format}"), name]);
        let repo = rig.at(name);
        let file = rig.file("text\n");
        let blob = rig.run(&repo, "hash-object", &["-w", file.to_str().unwrap()]);
        let bytes: Vec<u8> =
            (0..blob.len() / 2).map(|at| u8::from_str_radix(&blob[2 * at..2 * at + 2], 16).unwrap()).collect();
        let tree_of = |entries: &[(&str, &[u8])]| {
            let content =
                entries.iter().flat_map(|(name, id)| [name.as_bytes(), b"\0", id].concat()).collect::<Vec<u8>>();
            put(rig.at("tree"), content);
            let file = rig.at("tree");
            let id = rig.run(&repo, "hash-object", &["-w", "-t", "tree", "--literally", file.to_str().unwrap()]);
            (
                (0..id.len() / 2)
                    .map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).unwrap())
                    .collect::<Vec<u8>>(),
                id,
            )
        };
        let (inner, _) = tree_of(&[("100644 code", &bytes)]);
        for (folder, file) in [("40000 src", "100644 x"), ("040000 src", "100664 x")] {
            let (_, outer) = tree_of(&[(folder, &inner), (file, &bytes)]);
            let listing = Listing::of(&rig.git, &bare(&repo), &Sha::from(outer)).unwrap();
            let names: Vec<_> = listing.entries.keys().map(|path| String::from_utf8_lossy(path).into_owned()).collect();
            assert_eq!(names, ["src/code", "x"], "{folder}");
            assert!(listing.entries.values().all(|entry| entry.plain_mode() == 0o100_644 && entry.id == bytes));
        }
    }
}

#[test]
fn submodules_count_with_their_own_files() {
    let rig = submodules::rig();
    let commit = rig.trunk();
    let rules = Rules { submodules: true, conversions: true, ..Rules::default() };
    let path = gate(&rig, &commit);
    assert_eq!(rig.git.check_out_submodules(&rig.held, &rig.repo(), &path).unwrap(), Referred::There);
    let (repo, tree) = (rig.repo(), tree(&rig, &commit));
    let compare = || rig.git.compare_checkout(&repo, &path, &tree, &rules).unwrap();
    let clear = |rules: &Rules| rig.git.clear_checkout(&rig.held, &repo, &path, &tree, rules).unwrap();
    is_the_tree(&rig, &commit, &compare());
    put(path.join("lib/inner/left"), "x");
    put(path.join("lib/inner/.git-x/target/x"), "x");
    let keep = Rules { keep: keeping(&["target"]).keep, ..rules.clone() };
    assert_eq!(clear(&keep).kept, [""; 0], "nothing is kept inside of a submodule");
    assert!(!path.join("lib/inner/left").exists() && !path.join("lib/inner/.git-x").exists());
    is_the_tree(&rig, &commit, &compare());
    put(path.join("lib/inner/deep"), "edited\n");
    let found = compare();
    assert_eq!(found.changed.keys().collect::<Vec<_>>(), ["lib", "lib/inner", "lib/inner/deep"]);
    assert_ne!(found.tree, tree);
    // If submodules are not checked out, their folders are empty, as in a fresh checkout.
    clear(&Rules::default());
    assert_eq!(fs::read_dir(path.join("lib")).unwrap().count(), 0);
    is_the_tree(&rig, &commit, &rig.git.compare_checkout(&repo, &path, &tree, &Rules::default()).unwrap());
    // A submodule's link that leads to another repository is not followed.
    assert_eq!(rig.git.check_out_submodules(&rig.held, &repo, &path).unwrap(), Referred::There);
    put(path.join("lib/.git"), format!("gitdir: {}\n", rig.at("seed/.git").display()));
    assert_eq!(compare().changed.keys().collect::<Vec<_>>(), ["lib"]);
    clear(&rules);
    assert_eq!(fs::read_dir(path.join("lib")).unwrap().count(), 0);
}
