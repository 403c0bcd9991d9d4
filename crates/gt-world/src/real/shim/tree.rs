//! Watches over a tree of processes until none of it is left.
//!
//! One thread, one poll: it wakes when a child ends, when something is said, when a signal or the caller asks for the
//! end, and at the deadlines of whoever gives the orders.

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

/// First pause between two rounds of killing what is left; doubled up to [`KILL_PAUSE_LIMIT`].
const KILL_PAUSE: Duration = Duration::from_millis(10);
/// A process that can't die (it waits for a disk) is not worth more than this.
const KILL_PAUSE_LIMIT: Duration = Duration::from_secs(1);

/// Wakes the shim at signals, and remembers whether its end was asked for.
///
/// The handlers are gone in what the shim starts: exec resets them, as it would not reset ignored signals.
#[derive(Debug)]
pub(super) struct Bell {
    wakes: UnixStream,
    end_requested: Arc<AtomicBool>,
    hung_up: Arc<AtomicBool>,
}

impl Bell {
    /// From here on the shim is not ended by signals, other than by force.
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

    /// Whether a SIGTERM came since this was last asked.
    pub(super) fn take_end_request(&self) -> bool {
        self.end_requested.swap(false, Ordering::SeqCst)
    }

    /// Whether a SIGHUP ever came. It means something only to who has a terminal.
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
    /// Somebody asked for it.
    Requested,
    /// The town is gone.
    TownGone,
    /// Its terminal is gone.
    HungUp,
    /// It took longer than it may.
    TimedOut,
    /// Whoever waited for it is gone.
    CallerGone,
}

/// An order to end the tree: politely, and by force after `grace`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub why: Why,
    pub grace: Duration,
}

/// Who decides when a tree is to end.
pub(super) trait Overseer {
    /// Looks whether it is to end now.
    fn order(&mut self, now: Instant) -> Option<Order>;
    /// When to look again, whatever else happens.
    fn look_again(&self, now: Instant) -> Duration;
    /// What wakes it when it becomes readable.
    fn listens_to(&self) -> Option<BorrowedFd<'_>>;
    /// How long what the root left behind may take to end by itself.
    fn leftover_grace(&self) -> Duration;
}

/// How it went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// How the root ended.
    pub status: Option<WaitStatus>,
    /// When the root had ended.
    pub at: Instant,
    /// What made the tree end.
    pub why: Why,
}

/// Ending a tree under way.
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
            // Only once: what descends from it may get its pid when it is reaped.
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
            // Nobody can stop it any more, so nobody is listened to: a closed lifeline would wake us without end.
            Some(pause) => await_event(bell, output, None, pause),
            None => await_event(bell, output, overseer.listens_to(), overseer.look_again(now)),
        }
    }
}

/// Reaps all children that have ended; answers whether there are others.
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

/// Begins to end the tree; one that is being ended already may only be ended sooner.
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

/// Uses force where its time has come; answers how long to wait before the next time.
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

/// Signals every process of the tree, whatever session or group it has put itself into.
fn signal_descendants(signal: Signal) {
    let own = rustix::process::getpid().as_raw_pid();
    let Ok(census) = Census::take() else { return };
    for stat in census.descendants(own) {
        if signal == Signal::TERM && census.keeps_others(stat.pid) {
            continue;
        }
        // Who is gone by now or may not be signalled (another user's) is looked at again in the next round.
        let _ = process::signal(&census.id(stat), signal);
    }
}

fn await_event(bell: &Bell, output: &mut Output, listened: Option<BorrowedFd<'_>>, at_most: Duration) {
    let said = output.pipe.as_ref().map(AsFd::as_fd);
    let sources = [Some(bell.wakes.as_fd()), said, listened];
    let mut fds: Vec<PollFd<'_>> =
        sources.into_iter().flatten().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    // An interrupted poll is an event too. Nothing is ready then.
    let ready = poll(&mut fds, Some(&timespec(at_most))).is_ok_and(|ready| ready > 0);
    let has_said = ready && said.is_some() && !fds[1].revents().is_empty();
    bell.silence();
    if has_said {
        output.take();
    }
}

/// As poll wants it; rounded up, so that a deadline has passed when it wakes.
pub(crate) fn timespec(duration: Duration) -> Timespec {
    let millis = duration.as_micros().div_ceil(1000).max(1);
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    Timespec { tv_sec: millis / 1000, tv_nsec: millis % 1000 * 1_000_000 }
}

/// How a process ended, `reason` aside.
pub(super) fn exit(status: Option<WaitStatus>, reason: &str) -> Exit {
    Exit {
        code: status.and_then(WaitStatus::exit_status),
        signal: status.and_then(WaitStatus::terminating_signal),
        reason: reason.to_owned(),
    }
}
