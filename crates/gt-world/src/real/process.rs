//! Questions about processes of this machine, and signals to exactly one of them.
//!
//! On Linux, answers come from `/proc` and signals go through a pidfd, so a reused pid is never taken for the process that we
//! mean. Other systems are not supported yet.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::ProcessId;

/// Contents of `/proc/<pid>/stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub pid: i32,
    pub parent: i32,
    pub session: i32,
    pub zombie: bool,
    pub start_ticks: u64,
    /// CPU time of the process itself.
    pub own_ticks: u64,
    /// CPU time of its children that have ended and were reaped.
    pub reaped_ticks: u64,
}

/// More bytes than a line of `/proc/<pid>/stat` can have: some fifty numbers and a short name.
const STAT_BYTES: usize = 2048;

impl Stat {
    /// Parses a line of `/proc/<pid>/stat`. The name in it may hold any character, blanks and parentheses included.
    fn parse(line: &str) -> Option<Self> {
        let pid = line.split_once(' ')?.0.parse().ok()?;
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let id = |at: usize| fields.get(at)?.parse::<i32>().ok();
        Some(Self {
            pid,
            parent: id(1)?,
            session: id(3)?,
            zombie: matches!(*fields.first()?, "Z" | "X"),
            start_ticks: number(19)?,
            own_ticks: number(11)? + number(12)?,
            reaped_ticks: number(13)? + number(14)?,
        })
    }

    /// Reads the line of `pid`; `None` where there is no such process.
    pub(super) fn read(pid: i32) -> Option<Self> {
        // The kernel builds the line for each read and reports no size, so one read asks for all of it.
        let mut line = [0; STAT_BYTES];
        let mut file = fs::File::open(format!("/proc/{pid}/stat")).ok()?;
        let bytes = file.read(&mut line).ok()?;
        Self::parse(&String::from_utf8_lossy(&line[..bytes]))
    }
}

/// Returns the kernel's boot id. It stays the same for as long as a process lives.
pub(super) fn boot_id() -> io::Result<String> {
    static KNOWN: OnceLock<String> = OnceLock::new();
    if let Some(known) = KNOWN.get() {
        return Ok(known.clone());
    }
    let read = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
    Ok(KNOWN.get_or_init(|| read).clone())
}

/// Returns the process that now has this pid, zombies included.
pub(super) fn identify(pid: i32) -> Option<ProcessId> {
    let stat = Stat::read(pid)?;
    Some(ProcessId { boot_id: boot_id().ok()?, pid, start_ticks: stat.start_ticks })
}

/// Whether exactly this process runs. A zombie does not count.
pub(super) fn is_alive(process: &ProcessId) -> bool {
    stat_of(process).is_some_and(|stat| !stat.zombie)
}

/// Returns the facts of exactly this process; `None` if it is gone, even if another process has its pid now.
pub(super) fn stat_of(process: &ProcessId) -> Option<Stat> {
    let same_boot = boot_id().is_ok_and(|boot_id| boot_id == process.boot_id);
    Stat::read(process.pid).filter(|stat| same_boot && stat.start_ticks == process.start_ticks)
}

/// Returns a handle on exactly this process; `None` if it is gone. The handle becomes readable (poll) when the process ends.
pub(super) fn open(process: &ProcessId) -> io::Result<Option<OwnedFd>> {
    let Some(pid) = (process.pid > 1).then(|| Pid::from_raw(process.pid)).flatten() else { return Ok(None) };
    match pidfd_open(pid, PidfdFlags::empty()) {
        // Checked only after opening: from here on the handle can't change its process.
        Ok(handle) => Ok(stat_of(process).map(|_| handle)),
        Err(Errno::SRCH | Errno::INVAL) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Signals exactly this process. Returns whether it was still there.
pub(super) fn signal(process: &ProcessId, signal: Signal) -> io::Result<bool> {
    let Some(handle) = open(process)? else { return Ok(false) };
    match pidfd_send_signal(&handle, signal) {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// A list of all processes at one time, or as near to one time as `/proc` allows.
#[derive(Debug)]
pub(super) struct Census {
    boot_id: String,
    processes: BTreeMap<i32, Stat>,
}

impl Census {
    /// Lists all processes.
    pub(super) fn take() -> io::Result<Self> {
        let mut processes = BTreeMap::new();
        for entry in fs::read_dir("/proc")? {
            let pid = entry?.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(stat) = pid.and_then(Stat::read) {
                processes.insert(stat.pid, stat);
            }
        }
        Ok(Self { boot_id: boot_id()?, processes })
    }

    /// Returns the identity of the process of a line.
    pub(super) fn id(&self, stat: &Stat) -> ProcessId {
        ProcessId { boot_id: self.boot_id.clone(), pid: stat.pid, start_ticks: stat.start_ticks }
    }

    /// Returns the processes for which `wanted` holds, and all their descendants, zombies excluded.
    pub(super) fn with_descendants(&self, wanted: impl Fn(&Stat) -> bool) -> Vec<&Stat> {
        let mut family: BTreeSet<i32> =
            self.processes.values().filter(|stat| wanted(stat)).map(|stat| stat.pid).collect();
        // A child may have a smaller pid than its parent, so one pass is not enough.
        loop {
            let before = family.len();
            let born = self.processes.values().filter(|stat| family.contains(&stat.parent)).map(|stat| stat.pid);
            family.extend(born.collect::<Vec<_>>());
            if family.len() == before {
                break;
            }
        }
        family.iter().map(|pid| &self.processes[pid]).filter(|stat| !stat.zombie).collect()
    }

    /// Whether a process keeps others in a process namespace that it is not in itself, as the outer half of a sandbox does.
    /// Killing it would kill all of them at once; it ends by itself when they have ended.
    pub(super) fn keeps_others(&self, pid: i32) -> bool {
        let mut children = self.processes.values().filter(|stat| stat.parent == pid && !stat.zombie);
        let Some(own) = namespace(pid) else { return false };
        children.any(|child| namespace(child.pid).is_some_and(|of_child| of_child != own))
    }

    /// Returns all descendants of `pid`, without itself, zombies excluded.
    pub(super) fn descendants(&self, pid: i32) -> Vec<&Stat> {
        self.with_descendants(|stat| stat.parent == pid)
    }
}

/// Returns the process namespace of a process, where it can be read.
fn namespace(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// Kills a child of the calling process that is not reaped yet, and all its descendants.
pub(super) fn kill_tree(child: i32) {
    let Ok(census) = Census::take() else { return };
    for stat in census.with_descendants(|stat| stat.pid == child) {
        // If it has just ended, that is as good.
        let _ = signal(&census.id(stat), Signal::KILL);
    }
}

/// Whether the calling process descends from one of these.
pub(super) fn descends_from_any(processes: &[ProcessId]) -> bool {
    let parent = rustix::process::getppid().map_or(0, Pid::as_raw_pid);
    boot_id().is_ok_and(|boot_id| is_above(parent, &boot_id, processes, Stat::read))
}

/// Whether one of these processes is `pid` or an ancestor of it.
fn is_above(mut pid: i32, boot_id: &str, processes: &[ProcessId], read: impl Fn(i32) -> Option<Stat>) -> bool {
    let wanted: BTreeMap<i32, u64> =
        processes.iter().filter(|it| it.boot_id == boot_id).map(|it| (it.pid, it.start_ticks)).collect();
    let Some(first) = wanted.values().min() else { return false };
    // Parents may change during the walk; the limit ends a walk that such a change has led into a circle.
    for _ in 0..ANCESTORS_LIMIT {
        let Some(stat) = (pid > 1).then(|| read(pid)).flatten() else { return false };
        if wanted.get(&pid) == Some(&stat.start_ticks) {
            return true;
        }
        // An ancestor is never younger: a process that adopts orphans adopts only its own descendants.
        if stat.start_ticks < *first {
            return false;
        }
        pid = stat.parent;
    }
    false
}

/// Limit on the number of ancestors to look at.
const ANCESTORS_LIMIT: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_to_an_ancestor_goes_no_further_than_it_must() {
        let id = |boot: &str, pid, start_ticks| ProcessId { boot_id: boot.into(), pid, start_ticks };
        // 5 <- 4 <- 3 <- 2 <- 1, each a hundred ticks younger than the one above; 9 is its own parent.
        let read = |pid: i32| {
            assert!(pid != 2, "2 is older than all that is looked for");
            let parent = if pid == 9 { 9 } else { pid - 1 };
            Stat::parse(&format!("{pid} (x) S {parent} 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {} 0", pid * 100))
        };
        let check = |from, wanted: &[ProcessId], expected| {
            assert_eq!(is_above(from, "now", wanted, read), expected, "{from}: {wanted:?}");
        };
        check(5, &[id("now", 4, 400)], true);
        check(5, &[id("now", 8, 800), id("now", 4, 400)], true);
        check(5, &[id("now", 5, 500)], true);
        check(5, &[id("now", 4, 401)], false);
        check(5, &[id("before", 4, 400)], false);
        check(5, &[id("now", 7, 350)], false);
        check(5, &[], false);
        check(1, &[id("now", 1, 100)], false);
        check(9, &[id("now", 8, 100)], false);
    }

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_confuse() {
        let line = "42 (a) R 7 (b) S 41 42 40 0 -1 4194304 1 2 3 4 10 20 30 40 20 0 1 0 777 1000 2";
        let stat = Stat::parse(line).expect("a stat line");
        let expected =
            Stat { pid: 42, parent: 41, session: 40, zombie: false, start_ticks: 777, own_ticks: 30, reaped_ticks: 70 };
        assert_eq!(stat, expected);
        assert_eq!(Stat::parse("42 (cut"), None);
        assert_eq!(Stat::parse("42 (cut) S 1 2"), None);
    }

    #[test]
    fn a_process_is_its_boot_its_pid_and_its_start() {
        let own = identify(std::process::id() as i32).expect("this process");
        assert!(is_alive(&own));
        let others = [
            ProcessId { start_ticks: own.start_ticks + 1, ..own.clone() },
            ProcessId { boot_id: "another boot".into(), ..own },
        ];
        for other in others {
            assert!(!is_alive(&other), "{other:?}");
            assert!(!signal(&other, Signal::KILL).expect("no failure"), "{other:?}");
        }
    }

    #[test]
    fn pids_that_mean_more_than_one_process_are_never_signalled() {
        for pid in [0, -1, 1, i32::MIN] {
            let forged = ProcessId { boot_id: boot_id().expect("boot id"), pid, start_ticks: 0 };
            assert!(!signal(&forged, Signal::KILL).expect("no failure"), "{pid}");
        }
    }
}
