//! Refs that name no object.

#![expect(clippy::disallowed_methods, reason = "damages files as others do")]

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

const GONE: &str = "1111111111111111111111111111111111111111\n";

impl Rig {
    /// Adds a commit at the remote, so that a fetch has to list what is here already.
    fn news(&self) -> Sha {
        let sha = self.commit(&self.at("seed"), "news", &format!("{}\n", self.head(&self.at("seed"))));
        self.run(&self.at("seed"), "push", &["--quiet", "origin", "HEAD:refs/heads/main"]);
        sha
    }

    fn break_ref(&self, name: &str, text: &str) {
        let file = self.repo().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&file);
        fs::write(file, text).unwrap();
    }

    fn kept(&self, name: &str) -> String {
        fs::read_to_string(self.repo().join("gt-control/broken-refs").join(name)).unwrap()
    }

    fn fetches(&self, what: &str) {
        let news = self.news();
        assert_eq!(self.git.fetch(&self.held, &self.repo()).unwrap().get("main"), Some(&news), "{what}");
    }
}

#[test]
fn a_ref_of_an_agents_that_names_no_object_stops_no_fetch_and_is_kept_aside() {
    let names = ["refs/heads/polecat/x", "refs/stash", "refs/gt/stash/amber/x", "refs/heads/mine", "refs/bisect/bad"];
    let texts = [GONE, "", "garbage\n", "\0\0\0\0"];
    let rig = Rig::new();
    rig.worktree("w");
    let before = rig.git.refs(&rig.repo()).unwrap();
    for (name, text) in names.iter().zip(texts.iter().cycle()) {
        rig.break_ref(name, text);
        rig.fetches(&format!("{name} {text:?}"));
        assert_eq!(rig.kept(&name.replace('/', "+")), *text, "{name}");
        let after = rig.git.refs(&rig.repo()).unwrap();
        assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn files_below_refs_that_are_not_readable_or_links_stop_no_fetch() {
    let rig = Rig::new();
    let at = |name: &str| rig.repo().join("refs/heads").join(name);
    fs::write(at("closed"), "x").unwrap();
    fs::set_permissions(at("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    symlink("/etc/hostname", at("link")).unwrap();
    rig.fetches("closed and link");
}

#[test]
fn a_thousand_broken_refs_are_set_aside_in_one_go() {
    let rig = Rig::new();
    for number in 0..1000 {
        rig.break_ref(&format!("refs/heads/polecat/x{number}"), "");
    }
    rig.fetches("a thousand");
}

#[test]
fn a_workers_branch_goes_back_to_the_last_commit_that_its_log_has() {
    let rig = Rig::new();
    let path = rig.worktree("w");
    let branch = rig.run(&path, "symbolic-ref", &["HEAD"]);
    let work = rig.commit(&path, "work", "work\n");
    for text in ["", GONE] {
        rig.break_ref(&branch, text);
        rig.fetches(text);
        assert_eq!(rig.git.refs(&rig.repo()).unwrap()[&branch], work, "{text:?}");
        assert_eq!(rig.head(&path), work);
    }
    assert_eq!(rig.kept(&format!("{}+1", branch.replace('/', "+"))), GONE, "both are kept");
}

#[test]
fn a_log_that_lies_brings_no_ref_to_what_is_no_commit() {
    let rig = Rig::new();
    let log = rig.repo().join("logs/refs/heads/x");
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    fs::write(&log, format!("a b\n{GONE}\n0 --help x\n0 {} w\n", GONE.trim())).unwrap();
    rig.break_ref("refs/heads/x", "");
    rig.fetches("a log that lies");
    assert!(!rig.git.refs(&rig.repo()).unwrap().contains_key("refs/heads/x"));
    // If the log is not a file, it is not read, and git does not wait for it.
    fs::remove_file(&log).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &log, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    rig.break_ref("refs/heads/x", "");
    rig.fetches("a log that is a pipe");
}

#[test]
fn what_the_town_pins_is_never_set_aside() {
    let rig = Rig::new();
    for name in ["refs/gt/mr/x", "refs/gt/snapshots/y"] {
        rig.break_ref(name, GONE);
        rig.news();
        let error = rig.git.fetch(&rig.held, &rig.repo()).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        fs::remove_file(rig.repo().join(name)).unwrap();
    }
}

#[test]
fn a_broken_tag_goes_as_every_tag_that_the_remote_has_not() {
    let rig = Rig::new();
    rig.break_ref("refs/tags/v1", GONE);
    rig.fetches("a broken tag");
    assert!(!rig.repo().join("refs/tags/v1").exists());
}

#[test]
fn refs_are_not_broken_where_the_objects_are_gone() {
    let rig = Rig::new();
    rig.worktree("w");
    let objects = rig.repo().join("objects");
    fs::rename(&objects, rig.at("aside")).unwrap();
    fs::create_dir(&objects).unwrap();
    rig.git.mend(&rig.held, &rig.repo(), &rig.url(), true).unwrap();
    fs::remove_dir_all(&objects).unwrap();
    fs::rename(rig.at("aside"), &objects).unwrap();
    assert!(!rig.repo().join("gt-control/broken-refs").exists());
}

#[test]
fn a_broken_ref_is_named_until_it_was_told_of_once() {
    let rig = Rig::new();
    let inspect = || rig.git.inspect(&rig.repo(), &rig.url()).unwrap().damage;
    let mend = || rig.git.mend(&rig.held, &rig.repo(), &rig.url(), false).unwrap();
    rig.break_ref("refs/heads/x", GONE);
    assert_eq!(inspect()[0].what, "refs/heads/x");
    let sign = rig.git.sign(&rig.repo());
    rig.fetches("x");
    assert_ne!(rig.git.sign(&rig.repo()), sign, "the next patrol looks");
    assert!(inspect()[0].found.contains("gt-control/broken-refs/refs+heads+x"), "{:?}", inspect());
    assert_eq!(mend()[0].what, "refs/heads/x");
    assert_eq!((inspect(), mend()), (vec![], vec![]));
    rig.break_ref("refs/heads/y", "");
    assert_eq!(mend()[0].what, "refs/heads/y", "mended without a fetch");
    assert_eq!((inspect(), mend()), (vec![], vec![]));
}
