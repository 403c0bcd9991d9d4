//! Fault points: places where a test can make the acting process stop dead.
//!
//! Each effect has `effect:<kind>:before` and `…:after`; each commit has `commit:<verb>:before` and `…:after`.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Callback that is told of each point that a process passes. It may unwind; a simulated town kills its actors so.
pub type Watcher = dyn Fn(&str) + Send + Sync;

/// The fault points that are armed; none in ordinary use. Clones share their counters.
#[derive(Clone, Default)]
pub struct Faults {
    armed: Option<Arc<Armed>>,
    watcher: Option<Arc<Watcher>>,
}

/// A fault point where the process ends.
#[derive(Debug)]
struct Armed {
    point: String,
    /// How many passes are left, the deadly one included.
    left: AtomicU32,
    /// A file that the dying process creates first. If the file exists, another process has died here already, and this one goes
    /// on.
    once: Option<PathBuf>,
}

impl Faults {
    /// Arms no fault point.
    pub fn none() -> Self {
        Self::default()
    }

    /// Parses `<point>` or `<point>#<n>` (stop at the n-th pass, counted from 1). With `once`, a file that several processes
    /// share, only the first process that gets there stops.
    pub fn parse(text: &str, once: Option<PathBuf>) -> Self {
        let (point, pass) = text.rsplit_once('#').unwrap_or((text, "1"));
        let left = AtomicU32::new(pass.parse::<u32>().unwrap_or(1).max(1));
        Self { armed: Some(Arc::new(Armed { point: point.to_owned(), left, once })), watcher: None }
    }

    /// Calls `watcher` for each point that the process passes.
    pub fn watched(watcher: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { armed: None, watcher: Some(Arc::new(watcher)) }
    }

    /// Passes a point. If the point is armed, the process ends here as if killed.
    pub fn at(&self, point: &str) {
        if let Some(watcher) = &self.watcher {
            watcher(point);
        }
        if self.armed.as_ref().is_some_and(|armed| armed.point == point && armed.is_deadly()) {
            std::process::abort();
        }
    }
}

impl Armed {
    fn is_deadly(&self) -> bool {
        // Below zero the counter wraps; no process passes a point that often.
        self.left.fetch_sub(1, Ordering::SeqCst) == 1
            && self.once.as_ref().is_none_or(|once| File::create_new(once).is_ok())
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults").field("armed", &self.armed).finish_non_exhaustive()
    }
}
