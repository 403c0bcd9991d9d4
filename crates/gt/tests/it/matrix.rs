//! The kill matrix: each actor is killed at each fault point, and everything must still end well.
//!
//! The story is a convoy of three beads: one fails its gates at first, two conflict, and the deacon feeds one. The list
//! of points is read from the engine's own source. A story that never reaches a point proves nothing about it, so that
//! is a failure.

mod asides;
mod points;
mod real;
mod simulated;
mod story;

use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of runs at the same time.
const AT_ONCE: usize = 3;

/// Does `work` for each item, several at a time, each on the next free thread. The results are in no order.
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
