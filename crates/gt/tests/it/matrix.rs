//! The kill matrix: whoever acts is killed at each fault point, and everything still ends as it must.
//!
//! The story is three beads of a convoy: one is red at first, two conflict, one is fed by the deacon. Which points
//! there are is read from the engine's own source; a story that never reaches one of them proves nothing about it, so
//! that fails.

mod asides;
mod points;
mod real;
mod simulated;
mod story;

use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs that go on at the same time.
const AT_ONCE: usize = 3;

/// Does `work` for each item, some at a time, each on the next free thread; the answers are in no order.
fn for_all<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let share = || {
        let mine = std::iter::from_fn(|| items.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.map(&work).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(share)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}
