//! A log's file: gt appends lines, and puts the file aside when it is large or old. The file is closed between two lines. So a
//! process that logs nothing holds nothing open, and several processes may write one log.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gt_world::real::RealClock;
use gt_world::{Clock as _, Disk, World, WorldResult};
use jiff::Timestamp;

use super::line::{Line, written_at};

/// Size in bytes at which a log is put aside.
const LOG_BYTES: u64 = 4 * 1024 * 1024;

/// Age of a log's first line at which the log is put aside.
const LOG_AGE: Duration = Duration::from_hours(7 * 24);

/// Number of logs put aside that are kept.
const KEPT: usize = 4;

/// Time that a log put aside is kept after its last line.
const KEPT_FOR: Duration = Duration::from_hours(28 * 24);

/// Bytes at the beginning of a log that contain the time of its first line.
const HEAD_BYTES: usize = 64;

/// A log of the town.
pub struct Log {
    world: Arc<dyn World>,
    path: PathBuf,
    turn: Mutex<()>,
}

/// Returns the time for a new line.
pub(super) fn now() -> Timestamp {
    RealClock.now()
}

impl Log {
    pub(super) fn new(world: Arc<dyn World>, path: PathBuf) -> Self {
        Self { world, path, turn: Mutex::default() }
    }

    /// Appends a line. Ignores failure, since there is no place to report it.
    pub(super) fn add(&self, line: &Line) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let now = written_at(line).unwrap_or_else(now);
        let Ok(text) = serde_json::to_string(line) else { return };
        let disk = self.world.disk();
        if self.is_full(disk, now).unwrap_or(false) {
            let _ = self.put_aside(disk, now);
        }
        let _ = disk.append(&self.path, format!("{text}\n").as_bytes());
    }

    fn is_full(&self, disk: &dyn Disk, now: Timestamp) -> WorldResult<bool> {
        let Some(head) = disk.read_part(&self.path, 0, HEAD_BYTES)? else { return Ok(false) };
        let begun = first_time(&head).unwrap_or(now);
        Ok(disk.size(&self.path)? >= LOG_BYTES || is_older(begun, LOG_AGE, now))
    }

    /// Renames the log with the time in its name, and removes the oldest of such files.
    fn put_aside(&self, disk: &dyn Disk, now: Timestamp) -> WorldResult<()> {
        let aside =
            self.path.with_file_name(format!("{}-{}.jsonl", stem(&self.path), now.strftime("%Y%m%dT%H%M%S%.6fZ")));
        disk.rename(&self.path, &aside)?;
        for (newer, old) in rotated(disk, &self.path)?.iter().rev().enumerate() {
            let written = disk.touched(old)?.and_then(|second| Timestamp::from_second(second).ok()).unwrap_or(now);
            if newer >= KEPT || is_older(written, KEPT_FOR, now) {
                disk.remove(old)?;
            }
        }
        Ok(())
    }
}

/// Returns the logs that were put aside, oldest first.
pub fn rotated(disk: &dyn Disk, log: &Path) -> WorldResult<Vec<PathBuf>> {
    let prefix = format!("{}-", stem(log));
    let folder = log.parent().unwrap_or(Path::new("."));
    let names = disk.list(folder)?.into_iter().filter(|name| name.starts_with(&prefix) && name.ends_with(".jsonl"));
    Ok(names.map(|name| folder.join(name)).collect())
}

fn stem(log: &Path) -> String {
    log.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns the time of the line that begins with these bytes.
fn first_time(head: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(head).ok()?.strip_prefix(r#"{"time":""#)?;
    text.split('"').next()?.parse().ok()
}

fn is_older(then: Timestamp, age: Duration, now: Timestamp) -> bool {
    now.duration_since(then).unsigned_abs() >= age && now > then
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use gt_world::real::RealWorld;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    struct Scene {
        folder: tempfile::TempDir,
        log: Log,
    }

    fn scene() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let world = Arc::new(RealWorld::new(PathBuf::from("gt")));
        world.disk().guard(folder.path());
        let log = Log::new(world, folder.path().join("deacon.jsonl"));
        Scene { folder, log }
    }

    impl Scene {
        fn add(&self, at: Timestamp, text: &str) {
            let line = serde_json::json!({ "time": format!("{at:.6}"), "message": text });
            self.log.add(line.as_object().unwrap());
        }

        fn names(&self) -> Vec<String> {
            self.log.world.disk().list(self.folder.path()).unwrap()
        }

        fn text(&self, name: &str) -> String {
            String::from_utf8(self.log.world.disk().read(&self.folder.path().join(name)).unwrap().unwrap()).unwrap()
        }
    }

    #[test]
    fn a_log_is_its_owners_only_and_leads_nowhere() {
        let scene = scene();
        let theirs = tempfile::NamedTempFile::new().unwrap();
        symlink(theirs.path(), &scene.log.path).unwrap();
        scene.add(now(), "one");
        scene.add(now(), "two");
        let facts = scene.log.path.symlink_metadata().unwrap();
        assert!(facts.is_file());
        assert_eq!(facts.permissions().mode() & 0o777, 0o600);
        assert_eq!(scene.text("deacon.jsonl").lines().count(), 2);
        assert_eq!(theirs.path().metadata().unwrap().len(), 0);
    }

    #[test]
    fn a_log_in_a_folder_that_is_gone_is_not_made() {
        let scene = scene();
        let log = Log::new(scene.log.world.clone(), scene.folder.path().join("gone/deacon.jsonl"));
        log.add(&Line::new());
        assert!(scene.names().is_empty());
    }

    #[test]
    fn a_log_is_put_aside_at_its_size() {
        let scene = scene();
        let long = "x".repeat(LOG_BYTES as usize);
        scene.add(now(), &long);
        scene.add(now(), "next");
        let names = scene.names();
        assert_eq!(names.len(), 2, "{names:?}");
        assert_eq!(rotated(scene.log.world.disk(), &scene.log.path).unwrap().len(), 1);
        assert!(scene.text("deacon.jsonl").contains("next"));
    }

    #[test]
    fn a_log_is_put_aside_at_its_age_and_the_oldest_go() {
        let scene = scene();
        let begin = now();
        scene.add(begin, "first");
        scene.add(begin + LOG_AGE / 2, "same");
        assert_eq!(scene.names(), ["deacon.jsonl"]);
        for week in 1..10 {
            scene.add(begin + LOG_AGE * week, &format!("week {week}"));
        }
        // The disk's clock dated their last lines just now: more than four weeks before the last of these times.
        assert_eq!(scene.names().len(), 1);
        let scene = self::scene();
        for number in 0..10 {
            scene.add(begin - DAY * 8 * (10 - number), "some");
        }
        assert_eq!(scene.names().len(), 1 + KEPT);
    }
}
