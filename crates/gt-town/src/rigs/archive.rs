//! The archive keeps what workers left behind. This module is the only one that deletes any of it.

use std::path::{Component, Path, PathBuf};

use gt_world::{Disk, NodeKind};

use crate::town::error::{Error, Result};

/// Name of the archive's folder, in a town and in each rig.
pub const ARCHIVE: &str = ".archive";

/// Name prefix of folders that are being deleted. A folder that a killed `gt` left with this name is not an archive entry.
pub(crate) const GOING_PREFIX: &str = ".going-";

/// Deletes the entry `name` of `archive` for good. No other function deletes what an agent made. It returns an error if the
/// folder is not called `.archive`, if the folder is a link, or if `name` leads anywhere but to a direct entry. It never touches
/// the target of a link inside the archive. A missing entry is not an error.
pub fn delete(disk: &dyn Disk, archive: &Path, name: &str) -> Result<()> {
    let path = entry(disk, archive, name)?;
    if disk.kind(&path)?.is_none() {
        return Ok(());
    }
    if name.starts_with(GOING_PREFIX) {
        return Ok(disk.remove(&path)?);
    }
    // Deletion takes time. Rename the folder first, so that a half-deleted worktree is never mistaken for a whole one.
    let going = archive.join(format!("{GOING_PREFIX}{name}"));
    disk.remove(&going)?;
    disk.rename(&path, &going)?;
    Ok(disk.remove(&going)?)
}

/// Moves a folder out of a worktree and directly into the archive, to be deleted. Its new name says which worktree it came from;
/// `to` is that worktree's path in the archive. If the process is killed afterwards, [`delete_going`] or the next run of
/// retention deletes the folder.
pub(crate) fn set_aside(disk: &dyn Disk, folder: &Path, archive: &Path, to: &Path) -> Result<()> {
    let whose = going_of(to);
    let free = (0..).map(|number| archive.join(format!("{whose}{number}"))).find(|at| !disk.exists(at));
    let free = free.unwrap_or_else(|| archive.join(&whose));
    disk.create_dir(archive)?;
    Ok(disk.rename(folder, &free)?)
}

/// Deletes the folders that were set aside from the worktree that moved to `to`.
pub(crate) fn delete_going(disk: &dyn Disk, archive: &Path, to: &Path) -> Result<()> {
    let whose = going_of(to);
    let is_its = |name: &String| name.strip_prefix(&whose).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    disk.list(archive)?.iter().filter(|name| is_its(name)).try_for_each(|name| delete(disk, archive, name))
}

/// Returns the name prefix of the folders that were set aside from one worktree.
fn going_of(to: &Path) -> String {
    format!("{GOING_PREFIX}{}-part-", to.file_name().unwrap_or_default().to_string_lossy())
}

/// Returns the path of an archive's entry, or an error if `name` is not a direct entry.
fn entry(disk: &dyn Disk, archive: &Path, name: &str) -> Result<PathBuf> {
    let refuse = |why: String| Err(Error::refused(why, "gt deletes only entries directly in a rig's .archive"));
    if archive.file_name().is_none_or(|last| last != ARCHIVE) || !is_plain(archive) {
        return refuse(format!("{} is not an archive", archive.display()));
    }
    let mut parts = Path::new(name).components();
    let one_plain_part = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
    if !one_plain_part || name.chars().any(char::is_control) {
        return refuse(format!("`{}` is not a name in an archive", name.escape_debug()));
    }
    match disk.kind(archive)? {
        Some(NodeKind::Folder) => Ok(archive.join(name)),
        _ => refuse(format!("{} is not a folder", archive.display())),
    }
}

/// Whether a path is absolute and has no `..` in it.
fn is_plain(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use gt_world::real::RealDisk;

    /// Test setup: a rig's folder with an archive of two worktrees, and a folder outside that nothing may touch.
    struct Place {
        folder: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            let place = Self { folder: tempfile::tempdir().unwrap() };
            for file in
                ["rig/.archive/amber-1/file", "rig/.archive/birch-1/file", "rig/polecats/amber/file", "out/file"]
            {
                RealDisk.write(&place.path(file), b"kept").unwrap();
            }
            place
        }

        fn path(&self, path: &str) -> PathBuf {
            self.folder.path().canonicalize().unwrap().join(path)
        }

        fn delete(&self, archive: &str, name: &str) -> Result<()> {
            delete(&RealDisk, &self.path(archive), name)
        }

        /// Asserts that everything still exists except the paths in `gone`.
        fn untouched_but(&self, gone: &[&str]) {
            let all = ["rig/.archive/amber-1/file", "rig/.archive/birch-1/file", "rig/polecats/amber/file", "out/file"];
            for file in all {
                assert_eq!(self.path(file).exists(), !gone.contains(&file), "{file}");
            }
        }
    }

    #[test]
    fn an_entry_goes_whole_and_nothing_else() {
        let place = Place::new();
        for _ in 0..2 {
            place.delete("rig/.archive", "amber-1").unwrap();
            place.untouched_but(&["rig/.archive/amber-1/file"]);
        }
        assert_eq!(RealDisk.list(&place.path("rig/.archive")).unwrap(), ["birch-1"]);
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let place = Place::new();
        let outside = place.path("out").display().to_string();
        let names = ["", ".", "..", "/", "../polecats", "amber-1/..", "amber-1/../../polecats/amber", "./amber-1"];
        for name in names.into_iter().chain(["amber-1/", "amber-1/file", "a\nb", "a\0b", outside.as_str()]) {
            let error = place.delete("rig/.archive", name).unwrap_err();
            assert!(matches!(error, Error::Refused { .. }), "{name:?}: {error}");
        }
        place.untouched_but(&[]);
    }

    #[test]
    fn folders_that_are_no_archive_are_refused() {
        let place = Place::new();
        symlink(place.path("out"), place.path("rig/link")).unwrap();
        fs::create_dir(place.path("other")).unwrap();
        symlink(place.path("out"), place.path("other/.archive")).unwrap();
        RealDisk.write(&place.path("file/.archive"), b"no folder").unwrap();
        for archive in ["rig", "rig/polecats", "out", "rig/link", "rig/.archive/..", "rig/../rig/.archive"] {
            assert!(place.delete(archive, "amber-1").is_err(), "{archive}");
            assert!(place.delete(archive, "file").is_err(), "{archive}");
        }
        for archive in ["other/.archive", "file/.archive", "none/.archive"] {
            assert!(place.delete(archive, "file").is_err(), "{archive}");
        }
        assert!(delete(&RealDisk, Path::new(".archive"), "amber-1").is_err(), "from wherever we stand");
        place.untouched_but(&[]);
    }

    #[test]
    fn links_in_the_archive_are_not_followed() {
        let place = Place::new();
        symlink(place.path("out"), place.path("rig/.archive/amber-1/folder")).unwrap();
        symlink(place.path("out/file"), place.path("rig/.archive/amber-1/one")).unwrap();
        symlink("../../../out", place.path("rig/.archive/amber-1/relative")).unwrap();
        symlink(place.path("out"), place.path("rig/.archive/whole")).unwrap();
        symlink(place.path("out"), place.path("rig/.archive/.going-birch-1")).unwrap();
        // A worker's cache can be read-only. Deleting it must not change the permissions of link targets either.
        let locked = place.path("rig/.archive/amber-1/cache");
        fs::create_dir(&locked).unwrap();
        symlink(place.path("out"), locked.join("deep")).unwrap();
        let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        mode(&locked, 0o500);
        mode(&place.path("out"), 0o500);
        for name in ["amber-1", "whole", "birch-1"] {
            place.delete("rig/.archive", name).unwrap();
        }
        assert_eq!(fs::metadata(place.path("out")).unwrap().permissions().mode() & 0o777, 0o500);
        place.untouched_but(&["rig/.archive/amber-1/file", "rig/.archive/birch-1/file"]);
        assert_eq!(RealDisk.list(&place.path("rig/.archive")).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_was_set_aside_of_one_worktree_is_deleted_and_nothing_of_another() {
        let place = Place::new();
        let (archive, to) = (place.path("rig/.archive"), place.path("rig/.archive/cedar-1"));
        for folder in ["rig/polecats/cedar/target/deep", "rig/polecats/cedar/web/target"] {
            RealDisk.write(&place.path(folder).join("file"), b"built").unwrap();
            set_aside(&RealDisk, &place.path(folder), &archive, &to).unwrap();
        }
        RealDisk.write(&archive.join(".going-cedar-1-part-of"), b"another's").unwrap();
        RealDisk.write(&archive.join(".going-cedar-12-part-0"), b"another's").unwrap();
        let going = ["cedar-1-part-0", "cedar-1-part-1", "cedar-1-part-of", "cedar-12-part-0"];
        let going = going.map(|name| format!("{GOING_PREFIX}{name}"));
        assert_eq!(RealDisk.list(&archive).unwrap()[..4], going);
        delete_going(&RealDisk, &archive, &to).unwrap();
        assert_eq!(RealDisk.list(&archive).unwrap(), [&going[2], &going[3], "amber-1", "birch-1"]);
        place.untouched_but(&[]);
    }

    #[test]
    fn what_a_killed_call_left_is_deleted_by_the_next() {
        let place = Place::new();
        RealDisk.write(&place.path("rig/.archive/.going-amber-1/half"), b"").unwrap();
        place.delete("rig/.archive", "amber-1").unwrap();
        RealDisk.write(&place.path("rig/.archive/.going-cedar-1/half"), b"").unwrap();
        place.delete("rig/.archive", ".going-cedar-1").unwrap();
        assert_eq!(RealDisk.list(&place.path("rig/.archive")).unwrap(), ["birch-1"]);
    }
}
