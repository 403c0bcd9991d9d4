//! Links at every place, nodes that are not files, and a folder that is swapped for a link while it is in use.
#![expect(clippy::disallowed_methods, reason = "a test plants files as an agent would")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::real::disk::RealDisk;
use crate::{Disk as _, WorldError};

/// A guarded town beside a folder that must not change.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("town/a/b")).unwrap();
        fs::create_dir_all(folder.path().join("outside/b")).unwrap();
        guard(&folder.path().join("town"));
        Self { folder }
    }

    fn town(&self, path: &str) -> PathBuf {
        self.folder.path().join("town").join(path)
    }

    fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    /// Returns all nodes outside the town, each with its size and mode.
    fn seen_outside(&self) -> Vec<(PathBuf, u64, u32)> {
        let (mut seen, mut open) = (Vec::new(), vec![self.outside()]);
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let facts = path.symlink_metadata().unwrap();
                let len = if facts.is_dir() { 0 } else { facts.len() };
                seen.push((path.clone(), len, facts.mode()));
                if facts.is_dir() {
                    open.push(path);
                }
            }
        }
        seen.sort();
        seen
    }
}

#[test]
fn both_ways_to_a_folder_refuse_the_same() {
    let place = Place::new();
    symlink(place.outside(), place.town("absolute")).unwrap();
    symlink("../outside", place.town("relative")).unwrap();
    symlink("b", place.town("a/within")).unwrap();
    symlink("nowhere", place.town("dangling")).unwrap();
    symlink("/proc/self/root", place.town("magic")).unwrap();
    symlink("/proc/self/cwd", place.town("a/magic")).unwrap();
    fs::write(place.town("file"), "").unwrap();
    let root = openat(CWD, place.town(""), HANDLE, Mode::empty()).unwrap();
    let errno = |result: io::Result<OwnedFd>| result.err().and_then(|error| error.raw_os_error());
    for (rest, expected) in [
        ("a", None),
        ("a/b", None),
        ("none", Some(Errno::NOENT)),
        ("none/b", Some(Errno::NOENT)),
        ("file", Some(Errno::NOTDIR)),
        ("file/b", Some(Errno::NOTDIR)),
        ("absolute", Some(Errno::LOOP)),
        ("absolute/b", Some(Errno::LOOP)),
        ("relative/b", Some(Errno::LOOP)),
        ("a/within", Some(Errno::LOOP)),
        ("a/within/c", Some(Errno::LOOP)),
        ("dangling/b", Some(Errno::LOOP)),
        ("magic/etc", Some(Errno::LOOP)),
        ("a/magic", Some(Errno::LOOP)),
    ] {
        let expected = expected.map(Errno::raw_os_error);
        assert_eq!(errno(beneath(&root, Path::new(rest))), expected, "{rest} in one call");
        assert_eq!(errno(step_by_step(&root, Path::new(rest))), expected, "{rest} step by step");
    }
}

#[test]
fn a_town_is_guarded_under_each_of_its_names_and_nothing_beside_it_is() {
    let place = Place::new();
    let link = place.folder.path().join("link");
    symlink(place.town(""), &link).unwrap();
    guard(&link);
    symlink(place.outside(), place.town("planted")).unwrap();
    symlink(place.outside(), place.folder.path().join("own")).unwrap();
    for planted in [link.join("planted/x"), place.town("planted/x"), place.town("a/../planted/x")] {
        assert!(matches!(RealDisk.write(&planted, b"x"), Err(WorldError::Led { .. })), "{}", planted.display());
    }
    assert!(place.seen_outside().len() == 1);
    RealDisk.write(&place.folder.path().join("own/x"), b"x").unwrap();
    RealDisk.write(&place.town("../own/y"), b"y").unwrap();
    assert_eq!(RealDisk.list(&place.outside()).unwrap(), ["b", "x", "y"]);
    assert_eq!(RealDisk.list(&link).unwrap(), ["a", "planted"]);
}

#[test]
fn what_is_no_file_is_neither_waited_for_nor_believed() {
    let place = Place::new();
    rustix::fs::mkfifoat(CWD, place.town("fifo"), Mode::RWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.town("socket")).unwrap();
    for name in ["fifo", "socket", "a"] {
        let path = place.town(name);
        assert!(RealDisk.read(&path).is_err(), "{name}");
        assert!(RealDisk.touch(&path).is_err(), "{name}");
        assert!(RealDisk.try_lock(&path).is_err(), "{name}");
        assert_eq!(RealDisk.read_part(&path, 0, 9).unwrap(), None, "{name}");
        let replaced = RealDisk.write(&path, b"x").is_ok();
        assert_eq!(replaced, path.symlink_metadata().unwrap().is_file(), "{name}");
        assert_eq!(replaced, name != "a", "{name}");
    }
    // A node without content is not copied, and the copy does not wait for it.
    let tree = place.outside().join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("file"), "kept").unwrap();
    rustix::fs::mkfifoat(CWD, tree.join("fifo"), Mode::RWXU).unwrap();
    RealDisk.copy(&tree, &place.town("tree")).unwrap();
    RealDisk.copy(&tree.join("fifo"), &place.town("pipe")).unwrap();
    assert_eq!(RealDisk.list(&place.town("tree")).unwrap(), ["file"]);
    assert!(!RealDisk.exists(&place.town("pipe")));
}

#[test]
fn a_hard_link_is_replaced_and_its_other_name_keeps_what_it_had() {
    let place = Place::new();
    let theirs = place.outside().join("theirs");
    for (act, write) in [
        ("write", RealDisk::write as fn(&RealDisk, &Path, &[u8]) -> _),
        ("mark", RealDisk::mark),
        ("stamp", RealDisk::stamp),
    ] {
        fs::write(&theirs, "theirs").unwrap();
        fs::hard_link(&theirs, place.town(act)).unwrap();
        write(&RealDisk, &place.town(act), b"ours..").unwrap();
        assert_eq!(fs::read(place.town(act)).unwrap(), b"ours..", "{act}");
        assert_eq!(fs::read(&theirs).unwrap(), b"theirs", "{act}");
    }
}

#[test]
fn a_copy_that_was_killed_half_way_is_made_again() {
    let place = Place::new();
    let tree = place.outside().join("tree");
    fs::create_dir_all(tree.join("x")).unwrap();
    fs::write(tree.join("x/file"), "whole").unwrap();
    fs::set_permissions(tree.join("x/file"), fs::Permissions::from_mode(0o754)).unwrap();
    // Left by a killed copy, with a link that an agent has put there meanwhile.
    fs::create_dir(place.town(".gt-copying-tree")).unwrap();
    symlink(place.outside(), place.town(".gt-copying-tree/x")).unwrap();
    RealDisk.copy(&tree, &place.town("tree")).unwrap();
    assert_eq!(fs::read(place.town("tree/x/file")).unwrap(), b"whole");
    assert_eq!(place.town("tree/x/file").metadata().unwrap().mode() & 0o777, 0o754);
    assert!(!place.town(".gt-copying-tree").exists() && tree.join("x/file").exists());
}

#[test]
fn an_older_copy_keeps_times_and_has_none_after_the_limit() {
    let place = Place::new();
    let tree = place.outside().join("tree");
    RealDisk.write(&tree.join("deep/old"), b"old").unwrap();
    RealDisk.write(&tree.join("deep/new"), b"new").unwrap();
    let time = |seconds| std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    File::open(tree.join("deep/old")).unwrap().set_modified(time(1000)).unwrap();
    File::open(tree.join("deep/new")).unwrap().set_modified(time(9000)).unwrap();
    assert_eq!(RealDisk.oldest_below(&tree).unwrap(), Some(1000));
    RealDisk.copy_older(&tree, &place.town("tree"), 5000).unwrap();
    let times =
        ["deep/old", "deep/new", "deep", "."].map(|name| place.town("tree").join(name).metadata().unwrap().mtime());
    assert_eq!(times, [1000, 5000, 5000, 5000]);
    RealDisk.copy(&tree, &place.town("now")).unwrap();
    assert!(place.town("now/deep/old").metadata().unwrap().mtime() > 9000);
    // Git's own files and links do not count as sources.
    fs::create_dir(tree.join("deep/.git")).unwrap();
    fs::rename(tree.join("deep/old"), tree.join("deep/.git/old")).unwrap();
    symlink("/", tree.join("link")).unwrap();
    assert_eq!(RealDisk.oldest_below(&tree).unwrap(), Some(9000));
    assert_eq!(RealDisk.oldest_below(&tree.join("link")).unwrap(), None);
}

#[test]
fn a_tree_of_any_depth_is_removed_and_no_link_in_it_is_followed() {
    let place = Place::new();
    fs::write(place.outside().join("kept"), "kept").unwrap();
    fs::set_permissions(place.outside().join("b"), fs::Permissions::from_mode(0o500)).unwrap();
    let before = place.seen_outside();
    let tree = place.town("tree");
    fs::create_dir(&tree).unwrap();
    // Far deeper than a path may be long, or than a process may have open files.
    let mut at = openat(CWD, &tree, HANDLE, Mode::empty()).unwrap();
    for _ in 0..3000 {
        mkdirat(&at, "deep", Mode::RWXU).unwrap();
        rustix::fs::symlinkat(place.outside(), &at, "link").unwrap();
        at = step(&at, OsStr::new("deep")).unwrap();
    }
    fs::create_dir_all(tree.join("locked/in")).unwrap();
    fs::set_permissions(tree.join("locked/in"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(tree.join("locked"), fs::Permissions::from_mode(0o500)).unwrap();
    symlink(place.outside(), tree.join(".gt-hoisted-0")).unwrap();
    fs::create_dir_all(tree.join(".gt-hoisted-1/x/y")).unwrap();
    RealDisk.remove(&tree).unwrap();
    assert!(tree.symlink_metadata().is_err());
    assert_eq!(place.seen_outside(), before);
    fs::set_permissions(place.outside().join("b"), fs::Permissions::from_mode(0o700)).unwrap();
}

/// One thread swaps a folder for a link to the outside and back, while another one does everything through it. Each operation
/// happens in the town or is refused; nothing ever reaches the outside.
#[test]
fn a_folder_that_is_swapped_for_a_link_meanwhile_leads_nowhere_else() {
    const ROUNDS: usize = 3000;
    let place = Place::new();
    fs::write(place.outside().join("file"), "theirs").unwrap();
    fs::write(place.outside().join("b/file"), "theirs").unwrap();
    fs::set_permissions(place.outside().join("b"), fs::Permissions::from_mode(0o500)).unwrap();
    symlink(place.outside(), place.town("link")).unwrap();
    let source = place.folder.path().join("secret");
    fs::write(&source, "secret").unwrap();
    let before = place.seen_outside();
    let (folder, link) = (place.town("a"), place.town("link"));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        for round in 0..ROUNDS {
            let path = |name: &str| folder.join(name);
            // The result of the call does not matter here, only what it changed.
            let _ = RealDisk.write(&path("file"), b"ours");
            let _ = RealDisk.write(&path("b/file"), b"ours");
            let _ = RealDisk.touch(&path("b/touched"));
            let _ = RealDisk.stamp(&path("file"), b"ours..");
            let _ = RealDisk.mark(&path("b/mark"), b"ours");
            let _ = RealDisk.copy(&source, &path(&format!("b/copy-{round}")));
            let _ = RealDisk.create_dir(&path("b/new/er"));
            let _ = RealDisk.try_lock(&path("b/lock"));
            let _ = RealDisk.remove(&path("b"));
            let read = RealDisk.read(&path("file")).ok().flatten().unwrap_or_default();
            assert_ne!(read, b"theirs");
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(place.seen_outside(), before);
    fs::set_permissions(place.outside().join("b"), fs::Permissions::from_mode(0o700)).unwrap();
}

/// Checks the same where the removed folder itself is swapped while it is emptied.
#[test]
fn removing_what_is_swapped_meanwhile_empties_nothing_else() {
    let place = Place::new();
    fs::write(place.outside().join("b/file"), "theirs").unwrap();
    let before = place.seen_outside();
    for _ in 0..300 {
        let tree = place.town("tree");
        fs::create_dir_all(tree.join("in/b")).unwrap();
        symlink(place.outside(), tree.join("link")).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20 {
                    let _ = renameat_with(CWD, tree.join("in"), CWD, tree.join("link"), RenameFlags::EXCHANGE);
                }
            });
            let _ = RealDisk.remove(&tree);
        });
        RealDisk.remove(&tree).unwrap();
    }
    assert_eq!(place.seen_outside(), before);
}
