//! What stands above a process of this machine.
//!
//! A shim marks all that it starts by a limit of the kernel's that limits nothing (`RLIMIT_LOCKS`, without effect since
//! Linux 2.4.25) and is hardly ever set: every descendant inherits it, whatever becomes of its environment, its parents and
//! its session, and whoever is not the administrator can lower it and never raise it again. So the mark is a number that
//! falls with each shim, and from which all of them can be read. Where there is no mark (a kernel that has no such limit, an
//! administrator who took it away, a daemon's own child), the parents are looked at.

use std::fs;

use rustix::process::{Pid, Resource, Rlimit, getppid, getrlimit, setrlimit};

use super::process::Stat;
use crate::{Above, Descent};

/// The limit of a process under no shim, but for the mark: "gt" in front of a number that is never reached.
const BASE: u64 = 0x6774_0000_0000_0000;

/// How many shims one above the other can be told. More than that are not marked.
const DEPTH: u32 = 20;

/// How many ancestors are looked at.
const ANCESTORS_LIMIT: usize = 1000;

/// A shim as a digit; 0 ends the number. A command's is the greater: so whoever lowers the limit, makes of a session a
/// command, but of a command nothing else.
fn digit(above: Above) -> u64 {
    match above {
        Above::Session => 1,
        Above::Command | Above::Daemon => 2,
    }
}

/// The limit that marks this descent; `None` where it is too deep.
fn limit_of(above: &[Above]) -> Option<u64> {
    let places = u32::try_from(above.len()).ok().filter(|places| *places <= DEPTH)?;
    let number = above.iter().fold(0, |number, above| number * 3 + digit(*above));
    Some(BASE - number * 3_u64.pow(DEPTH - places))
}

/// Back from a limit. One that no shim of ours has set is that of whoever lowered it, who can be any of theirs.
fn of_limit(limit: Option<u64>) -> Vec<Above> {
    let Some(limit) = limit.filter(|limit| *limit < BASE) else { return Vec::new() };
    let number = BASE - limit;
    if number >= 3_u64.pow(DEPTH) {
        return vec![Above::Command];
    }
    let digits = (0..DEPTH).rev().map(|place| number / 3_u64.pow(place) % 3);
    digits.map_while(|digit| [None, Some(Above::Session), Some(Above::Command)][digit as usize]).collect()
}

/// What stands above the calling process.
pub(super) fn own() -> Descent {
    let by_limit = of_limit(getrlimit(Resource::Locks).maximum);
    if by_limit.is_empty() {
        Descent::new(by_parents(getppid().map_or(0, Pid::as_raw_pid)))
    } else {
        Descent::new(by_limit)
    }
}

/// What stands above another process; nothing where it can't be looked at.
pub(super) fn of(pid: i32) -> Descent {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let by_limit = of_limit(hard_limit(&limits));
    if by_limit.is_empty() { Descent::new(by_parents(pid)) } else { Descent::new(by_limit) }
}

/// The hard limit of locks, from `/proc/<pid>/limits`.
fn hard_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max file locks"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Marks the calling process, and so all that it will start, as being below a shim. Where the kernel refuses, parents tell.
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

/// What stands above `pid`, itself included, by what its ancestors are called. Parents change while we walk; the limit ends a
/// walk that such a change has led into a circle.
fn by_parents(pid: i32) -> Vec<Above> {
    let read = |pid: i32| Some((Stat::read(pid)?.parent, fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()));
    walk(pid, read)
}

fn walk(mut pid: i32, read: impl Fn(i32) -> Option<(i32, Vec<u8>)>) -> Vec<Above> {
    let mut found = Vec::new();
    for _ in 0..ANCESTORS_LIMIT {
        let Some((parent, command)) = (pid > 1).then(|| read(pid)).flatten() else { break };
        // What a deacon has started is told by its shim, if it has one.
        found.extend(named(&command).filter(|above| *above != Above::Daemon || found.is_empty()));
        pid = parent;
    }
    found.reverse();
    found
}

/// What a process is, by its command line.
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
        // Nobody's, or somebody's own, and not ours.
        for limit in [None, Some(u64::MAX), Some(BASE + 1), Some(BASE)] {
            assert_eq!(of_limit(limit), [], "{limit:?}");
        }
    }

    /// A process may lower its limit to anything.
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
            // The first is the caller's parent, each next one the parent of the one before.
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
