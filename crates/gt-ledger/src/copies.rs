//! Copies of the ledger's file: made while other processes write, checked before they count, and restored.

use std::path::{Path, PathBuf};

use gt_world::{Disk, World};
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;

use super::{Ledger, LedgerError, LedgerResult, UNLINKED, check_version, files, real_place, refuse_foreign};

/// A copy that was opened and found sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// Path of the copy.
    pub path: PathBuf,
    /// Number of beads in it.
    pub beads: u64,
    /// Size in bytes.
    pub bytes: u64,
}

impl Ledger {
    /// Copies one snapshot of the ledger to the file `to`, which must not exist. Does not block writers. Opens and checks the
    /// copy before it counts.
    pub fn copy_to(&self, to: &Path) -> LedgerResult<Copied> {
        copy(&self.connection.borrow(), to, self.world.as_ref())
    }

    /// Like [`Self::copy_to`], for a backup file that no process needs to have open. Checks the backup first.
    pub fn copy_file(from: &Path, to: &Path, world: &dyn World) -> LedgerResult<Copied> {
        sound_copy(from)?;
        copy(&Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?, to, world)
    }

    /// Replaces the ledger's content with that of a copy, in one SQLite transaction: other processes that have the ledger open
    /// see all of it or nothing. Changes nothing if the copy is damaged or comes from a newer gt. Returns the number of beads in
    /// the restored ledger.
    pub fn restore_from(&self, from: &Path) -> LedgerResult<u64> {
        self.refuse_away()?;
        let beads = sound_copy(from)?;
        let _turn = self.turn()?;
        let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut own = self.connection.borrow_mut();
        Backup::new(&source, &mut own)?.step(-1)?;
        own.pragma_update(None, "journal_mode", "WAL")?;
        Ok(beads)
    }

    /// Rewrites the file without its free space. Returns its size in bytes before and after.
    pub fn vacuum(&self) -> LedgerResult<(u64, u64)> {
        self.refuse_away()?;
        let path = self.path();
        let before = self.world.disk().size(&path)?;
        let _turn = self.turn()?;
        self.connection.borrow().execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")?;
        Ok((before, self.world.disk().size(&path)?))
    }

    /// Path of the copy that is made before the ledger of schema `version` changes; `None` for a ledger without a file.
    pub(super) fn copy_before(&self, version: i64) -> Option<PathBuf> {
        let path = self.path();
        let name = path.file_stem()?.to_string_lossy().into_owned();
        (!path.as_os_str().is_empty())
            .then(|| path.with_file_name(crate::BACKUPS).join(format!("{name}-schema-{version}.db")))
    }
}

fn copy(source: &Connection, to: &Path, world: &dyn World) -> LedgerResult<Copied> {
    let disk = world.disk();
    if disk.exists(to) {
        return Err(LedgerError::Exists(to.to_owned()));
    }
    let mut half = to.as_os_str().to_owned();
    half.push(".making");
    let half = PathBuf::from(half);
    disk.remove(&half)?;
    let made = copy_into(source, &half, disk).and_then(|()| sound_copy(&half));
    match made {
        Ok(beads) => {
            // SQLite would take a leftover log of this name for the copy's own.
            for left in &files(to)[1..] {
                disk.remove(left)?;
            }
            disk.rename(&half, to)?;
            Ok(Copied { path: to.to_owned(), beads, bytes: disk.size(to)? })
        }
        Err(error) => {
            // The caller needs the first error, so this one is ignored.
            let _ = disk.remove(&half);
            Err(error)
        }
    }
}

fn copy_into(source: &Connection, file: &Path, disk: &dyn Disk) -> LedgerResult<()> {
    if let Some(folder) = file.parent() {
        disk.create_dir(folder)?;
    }
    let mut target = Connection::open_with_flags(real_place(file), OpenFlags::default() | UNLINKED)?;
    // One step copies one snapshot. In WAL mode a reader does not block writers.
    Backup::new(source, &mut target)?.step(-1)?;
    // The copy is a single file, without a log beside it.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}

/// Opens a copy, checks it, and counts its beads.
fn sound_copy(path: &Path) -> LedgerResult<u64> {
    if !path.exists() {
        return Err(LedgerError::Missing(path.to_owned()));
    }
    let copy = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    refuse_foreign(&copy, path)?;
    check_version(&copy)?;
    let complaint: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if complaint != "ok" {
        return Err(LedgerError::Corrupt { what: "a copy", text: complaint });
    }
    let beads: i64 = copy.query_row("SELECT count(*) FROM beads", [], |row| row.get(0))?;
    Ok(beads.unsigned_abs())
}
