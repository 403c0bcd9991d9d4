//! The contract of every [`Disk`] in a guarded folder, as checks that run against any of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_world::{Disk, NodeKind, WorldError, WorldResult};

/// Content of files outside the guarded folder, which must not change.
const THEIRS: &[u8] = b"theirs";

/// Checks that a [`Disk`] follows no link in a guarded folder. `place` is an empty folder without links above it.
///
/// # Panics
///
/// If the disk breaks its contract.
pub fn check_disk_contract(disk: &dyn Disk, place: &Path) {
    let contract = Contract { disk, place };
    contract.plain_paths_are_used_as_ever();
    contract.links_on_the_way_are_refused();
    contract.links_at_the_end_are_refused_or_replaced();
    contract.what_is_a_persons_own_is_followed();
    contract.copies_are_whole_and_stay_within();
}

/// An operation on a path.
type Act = fn(&dyn Disk, &Path) -> WorldResult<()>;

/// All operations that change what is at a path, or that trust it.
const ACTS: &[(&str, Act)] = &[
    ("read", |disk, path| disk.read(path).map(drop)),
    ("write", |disk, path| disk.write(path, b"ours")),
    ("create_dir", |disk, path| disk.create_dir(path)),
    ("create_private_dir", |disk, path| disk.create_private_dir(path)),
    ("rename from", |disk, path| disk.rename(path, &path.with_file_name("renamed"))),
    ("remove", |disk, path| disk.remove(path)),
    ("list", |disk, path| disk.list(path).map(drop)),
    ("copy to", |disk, path| disk.copy(&beside_the_town(path), path)),
    ("copy_older to", |disk, path| disk.copy_older(&beside_the_town(path), path, 1)),
    ("link", |disk, path| disk.link(path, Path::new("anywhere"))),
    ("touch", |disk, path| disk.touch(path)),
    ("mark", |disk, path| disk.mark(path, b"ours")),
    ("append", |disk, path| disk.append(path, b"ours")),
    ("stamp", |disk, path| disk.stamp(path, b"ours..")),
    ("touched", |disk, path| disk.touched(path).map(drop)),
    ("kind", |disk, path| disk.kind(path).map(drop)),
    ("try_lock", |disk, path| disk.try_lock(path).map(drop)),
    ("lock", |disk, path| disk.lock(path, Duration::from_secs(1)).map(drop)),
];

/// Returns the path of a file outside, for any path in the guarded folder.
fn beside_the_town(path: &Path) -> PathBuf {
    let town = path.ancestors().find(|at| at.ends_with("town")).expect("it is in the town");
    town.with_file_name("outside").join("file")
}

struct Contract<'c> {
    disk: &'c dyn Disk,
    place: &'c Path,
}

impl Contract<'_> {
    /// Makes a guarded folder with a folder `real` in it, and a folder outside.
    fn town(&self, name: &str) -> PathBuf {
        let place = self.place.join(name);
        self.disk.write(&place.join("outside/file"), THEIRS).unwrap();
        self.disk.create_dir(&place.join("outside/folder")).unwrap();
        let town = place.join("town");
        self.disk.write(&town.join("real/file"), b"real").unwrap();
        self.disk.guard(&town);
        town
    }

    fn require_untouched(&self, town: &Path, act: &str) {
        let outside = town.with_file_name("outside");
        assert_eq!(self.disk.read(&outside.join("file")).unwrap().as_deref(), Some(THEIRS), "{act}");
        assert_eq!(self.disk.list(&outside).unwrap(), ["file", "folder"], "{act}");
        assert!(self.disk.list(&outside.join("folder")).unwrap().is_empty(), "{act}");
    }

    fn plain_paths_are_used_as_ever(&self) {
        let town = self.town("plain");
        for (name, act) in ACTS {
            let path = town.join("real").join(name.replace(' ', "-"));
            if ["rename from"].contains(name) {
                self.disk.write(&path, b"").unwrap();
            }
            act(self.disk, &path).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        assert_eq!(self.disk.list(&town).unwrap(), ["real"]);
        assert_eq!(self.disk.kind(&town).unwrap(), Some(NodeKind::Folder));
        assert!(self.disk.exists(&town));
        self.disk.write(&town.join("real/../other"), b"in it").unwrap();
        assert!(self.disk.exists(&town.join("other")), "what leads up and stays within is a path like any other");
        self.require_untouched(&town, "plain");
    }

    fn links_on_the_way_are_refused(&self) {
        let town = self.town("way");
        let outside = town.with_file_name("outside");
        self.disk.link(&town.join("absolute"), &outside).unwrap();
        self.disk.link(&town.join("relative"), Path::new("../outside")).unwrap();
        self.disk.link(&town.join("within"), Path::new("real")).unwrap();
        self.disk.link(&town.join("dangling"), &outside.join("none")).unwrap();
        self.disk.link(&town.join("loop"), Path::new("loop")).unwrap();
        self.disk.link(&town.join("up"), Path::new("..")).unwrap();
        self.disk.link(&town.join("real/deep"), &outside).unwrap();
        for link in ["absolute", "relative", "within", "dangling", "loop", "up", "real/deep"] {
            for below in ["file", "new", "folder/new"] {
                self.require_refused(&town, &town.join(link), below);
            }
        }
    }

    fn require_refused(&self, town: &Path, link: &Path, below: &str) {
        for (name, act) in ACTS {
            let path = link.join(below);
            let shown = format!("{name} of {}", path.display());
            match act(self.disk, &path) {
                Err(WorldError::Led { at, .. }) => assert_eq!(at, link, "{shown}"),
                other => panic!("{shown} was not refused: {other:?}"),
            }
            assert!(!self.disk.exists(&path), "{shown}");
            assert_eq!(self.disk.read_part(&path, 0, 9).unwrap(), None, "{shown}");
            self.require_untouched(town, &shown);
        }
        let into = self.disk.rename(&town.join("real/file"), &link.join(below));
        assert!(matches!(into, Err(WorldError::Led { .. })), "{into:?}");
        assert!(self.disk.exists(&town.join("real/file")));
        self.require_untouched(town, "rename to");
    }

    fn links_at_the_end_are_refused_or_replaced(&self) {
        let town = self.town("end");
        let outside = town.with_file_name("outside");
        for (name, act) in ACTS {
            for target in ["file", "new", "folder"].map(|name| outside.join(name)) {
                let link = town.join("planted");
                self.disk.remove(&link).unwrap();
                self.disk.link(&link, &target).unwrap();
                let done = act(self.disk, &link);
                let refused = matches!(done, Err(WorldError::Led { .. }));
                let follows = ["read", "create_dir", "create_private_dir", "list", "touch", "try_lock", "lock"];
                assert_eq!(refused, follows.contains(name), "{name}: {done:?}");
                if ["write", "mark", "stamp", "append"].contains(name) {
                    assert_eq!(self.disk.kind(&link).unwrap(), Some(NodeKind::File), "{name} replaces the link");
                }
                self.disk.remove(&town.join("renamed")).unwrap();
                self.require_untouched(&town, name);
            }
        }
    }

    fn what_is_a_persons_own_is_followed(&self) {
        let town = self.town("own");
        let outside = town.with_file_name("outside");
        self.disk.link(&town.join("settings"), &outside.join("file")).unwrap();
        self.disk.link(&town.join("formulas"), &outside).unwrap();
        assert_eq!(self.disk.read_own(&town.join("settings")).unwrap().as_deref(), Some(THEIRS));
        assert_eq!(self.disk.list_own(&town.join("formulas")).unwrap(), ["file", "folder"]);
        assert_eq!(self.disk.read_own(&town.join("none")).unwrap(), None);
        assert!(self.disk.list_own(&town.join("none")).unwrap().is_empty());
    }

    fn copies_are_whole_and_stay_within(&self) {
        let town = self.town("copy");
        let outside = town.with_file_name("outside");
        self.disk.write(&outside.join("tree/a/b"), b"b").unwrap();
        self.disk.link(&outside.join("tree/link"), Path::new("a/b")).unwrap();
        let target = town.join("new/tree");
        self.disk.copy(&outside.join("tree"), &target).unwrap();
        assert_eq!(self.disk.list(&target).unwrap(), ["a", "link"]);
        assert_eq!(self.disk.kind(&target.join("link")).unwrap(), Some(NodeKind::Link));
        assert_eq!(self.disk.read(&target.join("a/b")).unwrap().as_deref(), Some(&b"b"[..]));
        assert!(self.disk.copy(&outside.join("tree"), &target).is_err(), "something is there already");
        assert_eq!(self.disk.list(&town.join("new")).unwrap(), ["tree"], "nothing is left of a copy");
        assert!(self.disk.copy(&outside.join("none"), &town.join("none")).is_err());
    }
}
