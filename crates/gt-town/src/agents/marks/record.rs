//! Storage of a mark: a record of fixed length that is written in place, twice, so that a reader notices an unfinished write.

use std::path::Path;
use std::time::Duration;

use gt_world::World;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::town::error::Result;

/// Bytes of a record: its text padded with spaces, then the same again. Both copies lie in one page of memory.
const RECORD_BYTES: usize = 2 * TEXT_BYTES;
const TEXT_BYTES: usize = 512;

/// Maximum size of a mark's file in bytes; a larger one is not the town's.
const FILE_BYTES: usize = 16 * 1024;

/// Number of times that a reader retries a record that is being written, and the time that it gives the writer each time.
const TRIES: u32 = 5;
const WRITERS_TURN: Duration = Duration::from_millis(1);

/// Writes a mark. Replaces the whole file if the mark is too long for a record.
pub(crate) fn write(world: &dyn World, path: &Path, mark: &impl Serialize) -> Result<()> {
    // Our own mark always serializes.
    let mut text = serde_json::to_vec(mark).unwrap_or_default();
    if text.len() >= TEXT_BYTES {
        return Ok(world.disk().mark(path, &text)?);
    }
    text.resize(TEXT_BYTES - 1, b' ');
    text.push(b'\n');
    Ok(world.disk().stamp(path, &text.repeat(2))?)
}

/// Reads a mark; `None` for a damaged one.
pub(crate) fn read<T: DeserializeOwned>(world: &dyn World, path: &Path) -> Result<Option<T>> {
    for _ in 0..TRIES {
        let Some(bytes) = world.disk().read_part(path, 0, FILE_BYTES)? else { return Ok(None) };
        if let Some(text) = whole(&bytes) {
            return Ok(serde_json::from_slice(text).ok());
        }
        world.clock().pause(WRITERS_TURN);
    }
    Ok(None)
}

/// Returns a mark's text; `None` where the halves of the record differ.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.len() != RECORD_BYTES {
        return Some(bytes);
    }
    let (text, again) = bytes.split_at(TEXT_BYTES);
    (text == again).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};

    use gt_model::moment::Mark;

    use super::*;
    use gt_world::real::RealWorld;

    fn mark(at_us: u64, text: &str) -> Mark {
        Mark { at_us, text: Some(text.to_owned()), ..Mark::default() }
    }

    #[test]
    fn a_mark_of_any_length_goes_over_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let (world, path) = (RealWorld::new(PathBuf::from("gt")), folder.path().join("moments/stop"));
        assert_eq!(read::<Mark>(&world, &path).unwrap(), None);
        for length in [0, 400, 3, 600, 600, 5000, 1, 470] {
            let mark = mark(length as u64, &"ü".repeat(length / 2));
            write(&world, &path, &mark).unwrap();
            assert_eq!(read::<Mark>(&world, &path).unwrap(), Some(mark), "{length}");
        }
    }

    #[test]
    fn what_is_damaged_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (world, path) = (RealWorld::new(PathBuf::from("gt")), folder.path().join("stop"));
        for bytes in
            [Vec::new(), b"{".to_vec(), vec![b'{'; RECORD_BYTES], (0..RECORD_BYTES).map(|at| at as u8).collect()]
        {
            world.disk().mark(&path, &bytes).unwrap();
            assert_eq!(read::<Mark>(&world, &path).unwrap(), None);
        }
    }

    #[test]
    fn who_reads_while_others_write_sees_what_one_of_them_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let (world, path) = (RealWorld::new(PathBuf::from("gt")), folder.path().join("stop"));
        let (first, second) = (mark(1, &"a".repeat(400)), mark(2, &"b".repeat(400)));
        write(&world, &path, &first).unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for mark in [&first, &second] {
                let (world, path, over) = (&world, &path, &over);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        write(world, path, mark).unwrap();
                    }
                });
            }
            for _ in 0..2000 {
                let seen = read::<Mark>(&world, &path).unwrap();
                // The reader gets nothing if a writer was stopped in the middle for too long.
                assert!(seen.is_none() || seen.as_ref() == Some(&first) || seen.as_ref() == Some(&second), "{seen:?}");
            }
            over.store(true, Ordering::Relaxed);
        });
        assert!(read::<Mark>(&world, &path).unwrap().is_some());
    }
}
