//! Ancestors of a process of this machine.
//!
//! A shim marks all that it starts with a resource limit that limits nothing (`RLIMIT_LOCKS`, without effect since Linux 2.4.25)
//! and that programs hardly ever set. Every descendant inherits the limit, whatever happens to its environment, its parents and
//! its session. A process without administrator rights can lower the limit but never raise it again. So the mark is a number that
//! falls with each shim, and all shims above can be read from it. Where there is no mark, this module looks at the parents
//! instead. That is the case if the kernel has no such limit, if an administrator removed it, or for a daemon's own child.

use std::fs;

use rustix::process::{Pid, Resource, Rlimit, getppid, getrlimit, setrlimit};

use super::process::Stat;
use crate::{Above, Descent};

/// The limit without any shim above, to which the mark is relative: "gt" in front of a number that is never reached.
const BASE: u64 = 0x6774_0000_0000_0000;

/// How many nested shims a mark can hold. Deeper ones are not marked.
const DEPTH: u32 = 20;

/// Limit on the number of ancestors to look at.
const ANCESTORS_LIMIT: usize = 1000;

/// Returns the digit for a shim; 0 ends the number. A command's digit is the greater one: a process that lowers its limit can
/// turn a session into a command, but a command only into a command.
fn digit(above: Above) -> u64 {
    match above {
        Above::Session => 1,
        Above::Command | Above::Daemon => 2,
    }
}

/// Returns the limit that marks this descent; `None` if it is too deep.
fn limit_of(above: &[Above]) -> Option<u64> {
    let places = u32::try_from(above.len()).ok().filter(|places| *places <= DEPTH)?;
    let number = above.iter().fold(0, |number, above| number * 3 + digit(*above));
    Some(BASE - number * 3_u64.pow(DEPTH - places))
}

/// Returns the descent that a limit marks. A limit that no shim of ours has set comes from a process that lowered its own limit;
/// that process may be below any shim.
fn of_limit(limit: Option<u64>) -> Vec<Above> {
    let Some(limit) = limit.filter(|limit| *limit < BASE) else { return Vec::new() };
    let number = BASE - limit;
    if number >= 3_u64.pow(DEPTH) {
        return vec![Above::Command];
    }
    let digits = (0..DEPTH).rev().map(|place| number / 3_u64.pow(place) % 3);
    digits.map_while(|digit| [None, Some(Above::Session), Some(Above::Command)][digit as usize]).collect()
}

/// Returns what stands above the calling process.
pub(super) fn own() -> Descent {
    let by_limit = of_limit(getrlimit(Resource::Locks).maximum);
    if by_limit.is_empty() {
        Descent::new(by_parents(getppid().map_or(0, Pid::as_raw_pid)))
    } else {
        Descent::new(by_limit)
    }
}

/// Returns what stands above another process; an empty descent where it can't be looked at.
pub(super) fn of(pid: i32) -> Descent {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let by_limit = of_limit(hard_limit(&limits));
    if by_limit.is_empty() { Descent::new(by_parents(pid)) } else { Descent::new(by_limit) }
}

/// Returns the hard limit of locks from the text of `/proc/<pid>/limits`.
fn hard_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max file locks"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Marks the calling process, and so all processes that it will start, as below a shim. Where the kernel refuses, the parents
/// still tell.
pub(super) fn mark(shim: Above) {
    if let Some(limit) = lowered(getrlimit(Resource::Locks).maximum, shim) {
        let _ = setrlimit(Resource::Locks, Rlimit { current: Some(limit), maximum: Some(limit) });
    }
}

fn lowered(limit: Option<u64>, shim: Above) -> Option<u64> {
    let mut above = of_limit(limit);
    above.push(shim);
    limit_of(&above)
}

/// Returns what stands above `pid`, itself included, by the command lines of its ancestors. Parents may change during the walk;
/// the limit ends a walk that such a change has led into a circle.
fn by_parents(pid: i32) -> Vec<Above> {
    let read = |pid: i32| Some((Stat::read(pid)?.parent, fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()));
    walk(pid, read)
}

fn walk(mut pid: i32, read: impl Fn(i32) -> Option<(i32, Vec<u8>)>) -> Vec<Above> {
    let mut found = Vec::new();
    for _ in 0..ANCESTORS_LIMIT {
        let Some((parent, command)) = (pid > 1).then(|| read(pid)).flatten() else { break };
        // A daemon counts only if no shim stands between it and the process.
        found.extend(named(&command).filter(|above| *above != Above::Daemon || found.is_empty()));
        pid = parent;
    }
    found.reverse();
    found
}

/// Returns what a process is, by its command line.
fn named(command: &[u8]) -> Option<Above> {
    let mut words = command.split(|byte| *byte == 0).skip(1);
    match (words.next()?, words.next()?) {
        (b"session", b"contain") => Some(Above::Command),
        (b"session", b"host" | b"pane" | b"exec") => Some(Above::Session),
        (b"deacon" | b"boot", b"run") => Some(Above::Daemon),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Above::{Command, Daemon, Session};
    use super::*;

    const ALL: &[&[Above]] = &[
        &[],
        &[Session],
        &[Command],
        &[Session, Command],
        &[Command, Session],
        &[Command, Command],
        &[Session, Command, Session, Session, Command],
        &[Command; DEPTH as usize],
    ];

    #[test]
    fn a_mark_tells_all_shims_and_falls_with_each() {
        for above in ALL {
            assert_eq!(of_limit(limit_of(above)), *above);
            for shim in [Session, Command] {
                let below = lowered(limit_of(above), shim);
                assert!(below.is_none_or(|below| below < limit_of(above).expect("a mark")), "{above:?}");
            }
        }
        assert_eq!(limit_of(&[Command; DEPTH as usize + 1]), None);
        // No limit, or one that the system or a user has set.
        for limit in [None, Some(u64::MAX), Some(BASE + 1), Some(BASE)] {
            assert_eq!(of_limit(limit), [], "{limit:?}");
        }
    }

    /// Checks any value to which a process may lower its limit.
    #[test]
    fn whatever_a_command_lowers_its_mark_to_it_stays_a_command() {
        for above in [&[Command][..], &[Session, Command], &[Command, Session]] {
            let own = limit_of(above).expect("a mark");
            let spread = (0..2000).map(|at| own - own / 2000 * at).chain((0..2000).map(|at| own - at * 977));
            for lower in spread.chain([0, 1, 1000]) {
                assert!(of_limit(Some(lower)).contains(&Command), "{above:?}: {lower}");
            }
        }
        for lower in [0, 1000, BASE / 2, limit_of(&[Session]).expect("a mark") - 1] {
            assert!(!of_limit(Some(lower)).is_empty(), "a session stays one, or becomes less: {lower}");
        }
    }

    #[test]
    fn parents_tell_where_no_mark_does() {
        let check = |lines: &[&str], expected: &[Above]| {
            // The first line is the caller's parent; each next line is the parent of the one before.
            let read = |pid: i32| {
                let line = lines.get(usize::try_from(10 - pid).ok()?)?;
                Some((pid - 1, line.replace(' ', "\0").into_bytes()))
            };
            assert_eq!(walk(10, read), expected, "{lines:?}");
        };
        check(&["bash", "sshd: user", "init"], &[]);
        check(&["sh -c x", "/t/bin/gt session contain 1000 /log sh -c x", "gt deacon run --town /t"], &[Command]);
        check(&["sh", "gt session host /t/deacon/sessions/a"], &[Session]);
        check(&["sh", "gt session host --pane /t/deacon/sessions/a", "tmux -L gt-1"], &[Session]);
        check(&["sh", "gt session contain 1 l x", "gt step done", "claude", "gt session host /d"], &[Session, Command]);
        check(&["git fetch", "gt deacon run --town /t", "gt boot run --town /t"], &[Daemon]);
        check(&["gt session attach contain", "bash"], &[]);
        check(&["gt deacon status", "vim session"], &[]);
    }

    #[test]
    fn the_mark_of_another_process_is_read_from_its_limits() {
        let line = format!("Limit   Soft Limit   Hard Limit   Units\nMax file locks   1   {}   locks\n", BASE - 5);
        assert_eq!(hard_limit(&line), Some(BASE - 5));
        assert_eq!(hard_limit("Max file locks            unlimited            unlimited            locks"), None);
        assert_eq!(hard_limit(""), None);
    }
}
