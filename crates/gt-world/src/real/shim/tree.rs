//! Watches over a process tree until no process of it is left.
//!
//! One thread with one poll. It wakes when a child ends, when output arrives, when a signal or the caller asks for the end, and
//! at the overseer's deadlines.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, wait};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};

use super::output::Output;
use crate::Exit;
use crate::real::process::{self, Census};

/// First pause between two rounds of killing what is left; it doubles up to [`KILL_PAUSE_LIMIT`].
const KILL_PAUSE: Duration = Duration::from_millis(10);
/// Longest such pause. A process that can't die (it waits for a disk) deserves no more rounds than this.
const KILL_PAUSE_LIMIT: Duration = Duration::from_secs(1);

/// Wakes the shim at signals, and remembers whether a signal asked for its end.
///
/// The programs that the shim starts do not inherit the handlers: exec resets handlers, though it would keep ignored signals
/// ignored.
#[derive(Debug)]
pub(super) struct Bell {
    wakes: UnixStream,
    end_requested: Arc<AtomicBool>,
    hung_up: Arc<AtomicBool>,
}

impl Bell {
    /// Installs the handlers. From here on only SIGKILL ends the shim.
    pub(super) fn install() -> io::Result<Self> {
        let (wakes, rings) = UnixStream::pair()?;
        wakes.set_nonblocking(true)?;
        let end_requested = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGTERM, Arc::clone(&end_requested))?;
        signal_hook::low_level::pipe::register(SIGTERM, rings.try_clone()?)?;
        let hung_up = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGHUP, Arc::clone(&hung_up))?;
        signal_hook::low_level::pipe::register(SIGHUP, rings.try_clone()?)?;
        signal_hook::low_level::pipe::register(SIGCHLD, rings)?;
        for ignored in [SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU] {
            signal_hook::flag::register(ignored, Arc::new(AtomicBool::new(false)))?;
        }
        Ok(Self { wakes, end_requested, hung_up })
    }

    /// Whether a SIGTERM has arrived since the last call.
    pub(super) fn take_end_request(&self) -> bool {
        self.end_requested.swap(false, Ordering::SeqCst)
    }

    /// Whether a SIGHUP has ever arrived. It matters only to a shim with a terminal.
    pub(super) fn is_hung_up(&self) -> bool {
        self.hung_up.load(Ordering::SeqCst)
    }

    fn silence(&self) {
        let mut rings = [0; 64];
        while matches!((&self.wakes).read(&mut rings), Ok(count) if count > 0) {}
    }
}

/// Why a tree is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Its root has ended.
    Over,
    /// A process asked for it.
    Requested,
    /// The town is gone.
    TownGone,
    /// Its terminal is gone.
    HungUp,
    /// It took longer than it may.
    TimedOut,
    /// The caller that waited for it is gone.
    CallerGone,
}

/// An order to end the tree: politely first, and by force after `grace`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub why: Why,
    pub grace: Duration,
}

/// Decides when a tree must end.
pub(super) trait Overseer {
    /// Returns an order if the tree must end now.
    fn order(&mut self, now: Instant) -> Option<Order>;
    /// Returns how long to wait until the next look, if nothing else happens.
    fn look_again(&self, now: Instant) -> Duration;
    /// Returns a file descriptor that wakes the watch when it becomes readable.
    fn listens_to(&self) -> Option<BorrowedFd<'_>>;
    /// Returns how long processes that the root left behind may take to end by themselves.
    fn leftover_grace(&self) -> Duration;
}

/// How a tree ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// How the root ended.
    pub status: Option<WaitStatus>,
    /// When the root ended.
    pub at: Instant,
    /// Why the tree ended.
    pub why: Why,
}

/// An end of the tree in progress.
struct Ending {
    why: Why,
    force_at: Instant,
    pause: Duration,
}

/// Watches over the tree of `root`, a child of the calling sub-reaper, until no process of it is left.
#[expect(clippy::disallowed_methods, reason = "a shim reckons its deadlines on its own")]
pub(super) fn watch(root: Pid, bell: &Bell, output: &mut Output, overseer: &mut dyn Overseer) -> Outcome {
    let mut ended_root: Option<(WaitStatus, Instant)> = None;
    let mut ending: Option<Ending> = None;
    loop {
        let any_left = reap(|pid, status| {
            // Only once: after the root is reaped, one of its descendants may get its pid.
            if pid == root && ended_root.is_none() {
                ended_root = Some((status, Instant::now()));
            }
        });
        let now = Instant::now();
        let why = ending.as_ref().map_or(Why::Over, |ending| ending.why);
        if !any_left {
            let (status, at) = ended_root.map_or((None, now), |(status, at)| (Some(status), at));
            return Outcome { status, at, why };
        }
        let leftover = || Order { why: Why::Over, grace: overseer.leftover_grace() };
        let over = (ended_root.is_some() && ending.is_none()).then(leftover);
        if let Some(order) = over.or_else(|| overseer.order(now)) {
            obey(order, now, &mut ending);
        }
        match press(now, &mut ending) {
            // The end can't be stopped any more, so the watch listens to no file: a closed lifeline would wake it without end.
            Some(pause) => await_event(bell, output, None, pause),
            None => await_event(bell, output, overseer.listens_to(), overseer.look_again(now)),
        }
    }
}

/// Reaps all children that have ended. Returns whether others are left.
fn reap(mut ended: impl FnMut(Pid, WaitStatus)) -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => ended(pid, status),
            Ok(None) => return true,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// Begins to end the tree. If an end is in progress, an order can only make it sooner.
fn obey(order: Order, now: Instant, ending: &mut Option<Ending>) {
    let force_at = now + order.grace;
    match ending {
        Some(ending) => ending.force_at = ending.force_at.min(force_at),
        None => {
            signal_descendants(Signal::TERM);
            *ending = Some(Ending { why: order.why, force_at, pause: KILL_PAUSE });
        }
    }
}

/// Uses force when its time has come. Returns how long to wait before the next time.
fn press(now: Instant, ending: &mut Option<Ending>) -> Option<Duration> {
    let ending = ending.as_mut()?;
    if now < ending.force_at {
        return Some(ending.force_at - now);
    }
    signal_descendants(Signal::KILL);
    let pause = ending.pause;
    ending.pause = (pause * 2).min(KILL_PAUSE_LIMIT);
    Some(pause)
}

/// Signals every process of the tree, whatever kernel session or group it has joined.
fn signal_descendants(signal: Signal) {
    let own = rustix::process::getpid().as_raw_pid();
    let Ok(census) = Census::take() else { return };
    for stat in census.descendants(own) {
        if signal == Signal::TERM && census.keeps_others(stat.pid) {
            continue;
        }
        // A process that is gone by now, or that may not be signalled (another user's), is looked at again in the next round.
        let _ = process::signal(&census.id(stat), signal);
    }
}

fn await_event(bell: &Bell, output: &mut Output, listened: Option<BorrowedFd<'_>>, at_most: Duration) {
    let said = output.pipe.as_ref().map(AsFd::as_fd);
    let sources = [Some(bell.wakes.as_fd()), said, listened];
    let mut fds: Vec<PollFd<'_>> =
        sources.into_iter().flatten().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    // An interrupted poll is an event too. Then no file is ready.
    let ready = poll(&mut fds, Some(&timespec(at_most))).is_ok_and(|ready| ready > 0);
    let has_said = ready && said.is_some() && !fds[1].revents().is_empty();
    bell.silence();
    if has_said {
        output.take();
    }
}

/// Converts a duration for poll. Rounds up, so that a deadline has passed when poll wakes.
pub(crate) fn timespec(duration: Duration) -> Timespec {
    let millis = duration.as_micros().div_ceil(1000).max(1);
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    Timespec { tv_sec: millis / 1000, tv_nsec: millis % 1000 * 1_000_000 }
}

/// Returns how a process ended, for the given `reason`.
pub(super) fn exit(status: Option<WaitStatus>, reason: &str) -> Exit {
    Exit {
        code: status.and_then(WaitStatus::exit_status),
        signal: status.and_then(WaitStatus::terminating_signal),
        reason: reason.to_owned(),
    }
}
