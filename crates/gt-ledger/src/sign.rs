//! Identifies the state of a ledger without opening it.
//!
//! The sign is the header of the index that SQLite keeps of its write-ahead log, in a file beside the ledger
//! (<https://sqlite.org/walformat.html>, "The WAL-Index Header"). Each commit rewrites this header. It contains salts that SQLite
//! draws for each log, the number of the last committed frame, and that frame's checksum. The file stays when the last process
//! closes the ledger. It stays true until a process opens the ledger again and rebuilds the index.

use std::path::Path;

use gt_world::World;
use serde::{Deserialize, Serialize};

/// Size of the header in bytes. The file contains it twice: if the two differ, a writer is writing them.
const HEADER_BYTES: usize = 48;

/// The only version of the format.
const VERSION: u32 = 3_007_000;

/// Offsets in the header of the flag that says whether the index is complete, and of the number of committed frames.
const IS_MADE: usize = 12;
const FRAMES: usize = 16;

/// State of a ledger. Equal signs mean that the state is the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sign(String);

impl Sign {
    /// Returns the current state of the ledger at `path`; `None` if only opening it can tell.
    ///
    /// A process that has the ledger open must not call this. Reading the file and closing it would drop the locks that SQLite
    /// holds on it, as POSIX demands.
    pub fn of(world: &dyn World, path: &Path) -> Option<Self> {
        let mut index = path.as_os_str().to_owned();
        index.push("-shm");
        Self::read(&world.disk().read_part(Path::new(&index), 0, 2 * HEADER_BYTES).ok()??)
    }

    /// Refuses a log without frames: it has no salts yet, so two such states can't be told apart.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (header, again) = bytes.split_at_checked(HEADER_BYTES)?;
        let number = |at: usize| Some(u32::from_ne_bytes(header.get(at..at + 4)?.try_into().ok()?));
        let is_whole = header == again && number(0)? == VERSION && header.get(IS_MADE) == Some(&1);
        (is_whole && number(FRAMES)? > 0).then(|| Self(header.iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::super::{Ledger, LedgerError};
    use super::*;
    use gt_world::faults::Faults;
    use gt_world::real::RealWorld;

    struct Scene {
        _folder: tempfile::TempDir,
        path: PathBuf,
        world: Arc<dyn World>,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("beads.db");
            Self { _folder: folder, path, world: Arc::new(RealWorld::new(PathBuf::from("gt"))) }
        }

        fn open(&self) -> Ledger {
            Ledger::open(&self.path, self.world.clone(), Faults::none()).unwrap()
        }

        fn sign(&self) -> Option<Sign> {
            Sign::of(self.world.as_ref(), &self.path)
        }
    }

    fn set(ledger: &Ledger, value: &str) {
        ledger.write("test", "test", |tx| tx.set_meta("key", value)).unwrap();
    }

    /// This process reads the file while it has it open, which drops its locks. That is harmless here, because no other process
    /// writes.
    #[test]
    fn each_commit_gives_another_sign_and_nothing_else_does() {
        let scene = Scene::new();
        assert_eq!(scene.sign(), None, "no ledger");
        let ledger = Ledger::create(&scene.path, scene.world.clone()).unwrap();
        let mut seen = vec![scene.sign().unwrap()];
        for value in ["a", "b", "a"] {
            set(&ledger, value);
            let sign = scene.sign().unwrap();
            ledger.read(|view| view.meta("key").map(drop)).unwrap();
            drop(scene.open());
            let failed = ledger.write("test", "test", |tx| {
                tx.set_meta("key", "never")?;
                Err::<(), _>(LedgerError::Missing(PathBuf::new()))
            });
            assert!(failed.is_err());
            assert_eq!(scene.sign().as_ref(), Some(&sign), "asking and failing change nothing");
            assert!(!seen.contains(&sign), "{value}");
            seen.push(sign);
        }
        drop(ledger);
        assert_eq!(scene.sign(), None, "nobody has it open");
        let ledger = scene.open();
        assert_eq!(scene.sign(), None, "a log without frames");
        set(&ledger, "c");
        assert!(!seen.contains(&scene.sign().unwrap()), "another log");
    }

    #[test]
    fn what_is_torn_or_of_another_kind_is_no_sign() {
        let header = |frames: u32| {
            let mut bytes = vec![0_u8; HEADER_BYTES];
            bytes[..4].copy_from_slice(&VERSION.to_ne_bytes());
            bytes[IS_MADE] = 1;
            bytes[FRAMES..FRAMES + 4].copy_from_slice(&frames.to_ne_bytes());
            bytes
        };
        let whole = |bytes: Vec<u8>| [bytes.clone(), bytes].concat();
        assert!(Sign::read(&whole(header(1))).is_some());
        let changed = |at: usize| {
            let mut bytes = header(1);
            bytes[at] ^= 1;
            whole(bytes)
        };
        for bytes in
            [Vec::new(), header(1), [header(1), header(2)].concat(), whole(header(0)), changed(0), changed(IS_MADE)]
        {
            assert_eq!(Sign::read(&bytes), None, "{bytes:?}");
        }
    }
}
