//! Fault points: places at which a test can have the acting process stop dead.
//!
//! Each effect has `effect:<kind>:before` and `…:after`, each commit `commit:<verb>:before` and `…:after`.

use std::cell::Cell;

/// Which fault points are armed. In ordinary use none is.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The point, and how many passes of it are let through first.
    armed: Option<(String, Cell<u32>)>,
}

impl Faults {
    /// No fault point is armed.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads `<point>` or `<point>#<n>` (stop at the n-th pass, counted from 1).
    pub fn parse(text: &str) -> Self {
        let (point, pass) = text.rsplit_once('#').unwrap_or((text, "1"));
        let pass = pass.parse::<u32>().unwrap_or(1).max(1);
        Self { armed: Some((point.to_owned(), Cell::new(pass))) }
    }

    /// Passes a point; if it is armed, the process ends here as if killed.
    pub fn at(&self, point: &str) {
        let Some((armed, left)) = &self.armed else { return };
        if armed != point {
            return;
        }
        left.set(left.get() - 1);
        if left.get() == 0 {
            std::process::abort();
        }
    }
}
