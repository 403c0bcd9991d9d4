//! Retention: decides which old data gt deletes, and why. Data in use stays. Data that may be the only copy of work that has not
//! landed stays long. Data of unknown origin stays forever.

use std::time::Duration;

use serde::Serialize;

/// Minimum age of what is deleted to free disk space. A person may be about to look at younger data, or a process may still be
/// writing it.
pub const YOUNGEST: Duration = Duration::from_hours(1);

/// Kind of data that is kept for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A worker's worktree in a rig's archive.
    Archive,
    /// The ref of a snapshot.
    Snapshot,
    /// The ref of a submitted head.
    MergeRequest,
    /// The ref of a merge request's own commit in a landing.
    Landing,
    /// The ref of a commit that was tested.
    Candidate,
    /// The folder of an ended session.
    Session,
    /// A log of a gate's run.
    GateLog,
    /// Build results of the trunk's gates, with which new worktrees start.
    WarmCopy,
}

impl Kind {
    /// Returns the word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Snapshot => "snapshot",
            Self::MergeRequest => "merge request",
            Self::Landing => "landing",
            Self::Candidate => "candidate",
            Self::Session => "session",
            Self::GateLog => "gate log",
            Self::WarmCopy => "warm copy",
        }
    }

    /// Whether deleting it frees disk space at once. The commits of a deleted ref stay until git's own clean-up runs.
    fn makes_room(self) -> bool {
        matches!(self, Self::Archive | Self::Session | Self::GateLog | Self::WarmCopy)
    }
}

/// How much depends on an item. The order is from much to little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// An agent or person works with it, or its owner is unknown.
    InUse,
    /// It may be the only copy of work that has not landed.
    Unlanded,
    /// Its purpose has ended.
    Over,
}

/// An item that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its kind.
    pub kind: Kind,
    /// How much depends on it.
    pub standing: Standing,
    /// Time since its purpose ended; `None` if unknown.
    pub age: Option<Duration>,
    /// Size on disk, in bytes.
    pub bytes: u64,
    /// Whether git also has everything in it that can't be built again.
    pub in_git: bool,
}

/// How long each kind is kept; `None`: forever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Worktrees in the archive, and unused warm copies.
    pub archive: Option<Duration>,
    /// Items that may be the only copy of work that has not landed. They are never kept shorter than the others of their kind.
    pub unlanded: Option<Duration>,
    /// Folders of ended sessions.
    pub session: Option<Duration>,
    /// Logs of gates.
    pub gate_log: Option<Duration>,
    /// Refs of snapshots, merge requests and landings.
    pub refs: Option<Duration>,
    /// Minimum free space on the disk, in bytes.
    pub min_free: u64,
}

impl Limits {
    fn of_kind(&self, kind: Kind) -> Option<Duration> {
        match kind {
            Kind::Archive | Kind::WarmCopy => self.archive,
            Kind::Snapshot | Kind::MergeRequest | Kind::Landing => self.refs,
            // Candidates can be made again when needed.
            Kind::Candidate => Some(Duration::ZERO),
            Kind::Session => self.session,
            Kind::GateLog => self.gate_log,
        }
    }

    /// Returns how long an item is kept; `None`: forever.
    fn of(&self, item: &Item) -> Option<Duration> {
        let own = self.of_kind(item.kind)?;
        match item.standing {
            Standing::InUse => None,
            Standing::Unlanded => Some(own.max(self.unlanded?)),
            Standing::Over => Some(own),
        }
    }
}

/// Reason for a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It is older than its limit.
    Age,
    /// The disk is too full.
    FreeDisk,
    /// The caller asked for it: its work has landed, and git has all of it.
    Landed,
}

/// Decides which items to delete, as their positions in `items` and the reasons. `free` is the free space on the disk, in bytes.
/// First come items over their limit; with `landed`, archives of landed work come next. Then come items whose purpose has ended,
/// oldest first, until enough space is free.
pub fn decide(items: &[Item], limits: &Limits, free: u64, landed: bool) -> Vec<(usize, Reason)> {
    let is_old = |item: &Item| matches!((limits.of(item), item.age), (Some(limit), Some(age)) if age >= limit);
    let (old, rest): (Vec<usize>, Vec<usize>) = (0..items.len()).partition(|at| is_old(&items[*at]));
    let is_asked = |item: &Item| landed && item.kind == Kind::Archive && item.standing == Standing::Over && item.in_git;
    let (asked, rest): (Vec<usize>, Vec<usize>) = rest.into_iter().partition(|at| is_asked(&items[*at]));
    let mut free = old.iter().chain(&asked).fold(free, |free, at| free.saturating_add(items[*at].bytes));
    let mut going: Vec<_> = old.into_iter().map(|at| (at, Reason::Age)).collect();
    going.extend(asked.into_iter().map(|at| (at, Reason::Landed)));
    for at in oldest_first(items, rest) {
        if free >= limits.min_free {
            break;
        }
        free = free.saturating_add(items[at].bytes);
        going.push((at, Reason::FreeDisk));
    }
    going
}

/// Returns the items that may be deleted to free space, oldest first.
fn oldest_first(items: &[Item], mut rest: Vec<usize>) -> Vec<usize> {
    let may_go = |item: &Item| {
        let is_over = item.standing == Standing::Over && item.age.is_some_and(|age| age >= YOUNGEST);
        is_over && item.kind.makes_room() && item.bytes > 0
    };
    rest.retain(|at| may_go(&items[*at]));
    rest.sort_by_key(|at| std::cmp::Reverse(items[*at].age));
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn limits() -> Limits {
        Limits {
            archive: Some(14 * DAY),
            unlanded: Some(90 * DAY),
            session: Some(7 * DAY),
            gate_log: Some(7 * DAY),
            refs: Some(30 * DAY),
            min_free: 0,
        }
    }

    fn item(kind: Kind, standing: Standing, days: u32) -> Item {
        Item { kind, standing, age: Some(days * DAY), bytes: 10, in_git: false }
    }

    #[test]
    fn what_is_too_old_goes() {
        fn check(kind: Kind, standing: Standing, days: u32, goes: bool) {
            let expected = if goes { vec![(0, Reason::Age)] } else { vec![] };
            let item = item(kind, standing, days);
            assert_eq!(decide(std::slice::from_ref(&item), &limits(), u64::MAX, false), expected, "{item:?}");
        }
        use Standing::{InUse, Over, Unlanded};
        check(Kind::Archive, Over, 13, false);
        check(Kind::Archive, Over, 14, true);
        check(Kind::Archive, Unlanded, 89, false);
        check(Kind::Archive, Unlanded, 90, true);
        check(Kind::Archive, InUse, 9999, false);
        check(Kind::Snapshot, Over, 29, false);
        check(Kind::Snapshot, Over, 30, true);
        check(Kind::Snapshot, Unlanded, 89, false);
        check(Kind::Snapshot, InUse, 9999, false);
        check(Kind::MergeRequest, Over, 30, true);
        check(Kind::MergeRequest, Unlanded, 31, false);
        check(Kind::Landing, Over, 30, true);
        check(Kind::Session, Over, 6, false);
        check(Kind::Session, Over, 7, true);
        check(Kind::Session, InUse, 9999, false);
        check(Kind::GateLog, Over, 7, true);
        check(Kind::GateLog, InUse, 9999, false);
        check(Kind::Candidate, Over, 0, true);
        check(Kind::Candidate, InUse, 9999, false);
    }

    #[test]
    fn limits_that_are_not_there_keep_for_ever() {
        fn check(change: impl FnOnce(&mut Limits), kind: Kind, standing: Standing) {
            let mut limits = limits();
            change(&mut limits);
            assert_eq!(decide(&[item(kind, standing, 9999)], &limits, u64::MAX, false), [], "{kind:?} {standing:?}");
        }
        check(|l| l.archive = None, Kind::Archive, Standing::Over);
        check(|l| l.archive = None, Kind::Archive, Standing::Unlanded);
        check(|l| l.unlanded = None, Kind::Archive, Standing::Unlanded);
        check(|l| l.unlanded = None, Kind::Snapshot, Standing::Unlanded);
        check(|l| l.refs = None, Kind::MergeRequest, Standing::Over);
        check(|l| l.session = None, Kind::Session, Standing::Over);
        check(|l| l.gate_log = None, Kind::GateLog, Standing::Over);
    }

    #[test]
    fn unlanded_work_is_never_kept_shorter_than_landed() {
        let limits = Limits { unlanded: Some(DAY), ..limits() };
        assert_eq!(decide(&[item(Kind::Archive, Standing::Unlanded, 13)], &limits, u64::MAX, false), []);
        assert_eq!(
            decide(&[item(Kind::Archive, Standing::Unlanded, 14)], &limits, u64::MAX, false),
            [(0, Reason::Age)]
        );
    }

    #[test]
    fn an_unknown_age_keeps() {
        let unknown = Item { age: None, ..item(Kind::GateLog, Standing::Over, 0) };
        assert_eq!(decide(&[unknown], &Limits { min_free: 100, ..limits() }, 0, false), []);
    }

    #[test]
    fn a_full_disk_takes_the_oldest_that_are_over_until_enough_is_free() {
        use Kind::{Archive, GateLog, Landing, Session, Snapshot};
        use Standing::{InUse, Over, Unlanded};
        fn check(items: &[Item], free: u64, min_free: u64, expected: &[usize]) {
            let limits = Limits { min_free, ..limits() };
            let going: Vec<usize> = decide(items, &limits, free, false).into_iter().map(|(at, _)| at).collect();
            assert_eq!(going, expected, "{items:?} with {free} of {min_free}");
        }
        let three = [item(Archive, Over, 1), item(Session, Over, 3), item(GateLog, Over, 2)];
        check(&three, 100, 100, &[]);
        check(&three, 99, 100, &[1]);
        check(&three, 90, 100, &[1]);
        check(&three, 89, 100, &[1, 2]);
        check(&three, 0, 100, &[1, 2, 0]);
        let kept =
            [item(Archive, Unlanded, 80), item(Archive, InUse, 80), item(Snapshot, Over, 8), item(Landing, Over, 8)];
        check(&kept, 0, 100, &[]);
        let young = Item { age: Some(YOUNGEST - Duration::from_secs(1)), ..item(Archive, Over, 0) };
        let empty = Item { bytes: 0, ..item(Archive, Over, 1) };
        check(&[young, empty], 0, 100, &[]);
        let old_first = [item(Archive, Over, 2), item(Archive, Over, 20)];
        check(&old_first, 90, 100, &[1]);
        assert_eq!(
            decide(&old_first, &Limits { min_free: 100, ..limits() }, 85, false),
            [(1, Reason::Age), (0, Reason::FreeDisk)]
        );
    }

    #[test]
    fn what_has_landed_goes_at_once_where_that_is_asked_and_git_has_it() {
        use Standing::{InUse, Over, Unlanded};
        let check = |kind, standing, in_git, goes: bool| {
            let item = Item { in_git, ..item(kind, standing, 0) };
            let expected = if goes { vec![(0, Reason::Landed)] } else { vec![] };
            assert_eq!(decide(std::slice::from_ref(&item), &limits(), u64::MAX, true), expected, "{item:?}");
            assert_eq!(decide(&[item], &limits(), u64::MAX, false), []);
        };
        check(Kind::Archive, Over, true, true);
        check(Kind::Archive, Over, false, false);
        check(Kind::Archive, Unlanded, true, false);
        check(Kind::Archive, InUse, true, false);
        check(Kind::Snapshot, Over, true, false);
        check(Kind::Session, Over, true, false);
        check(Kind::WarmCopy, Over, true, false);
    }

    #[test]
    fn warm_copies_go_like_archives_and_make_room() {
        let limits = Limits { min_free: 100, ..limits() };
        let going = |days, free| decide(&[item(Kind::WarmCopy, Standing::Over, days)], &limits, free, false);
        assert_eq!((going(13, 100), going(14, 100)), (vec![], vec![(0, Reason::Age)]));
        assert_eq!(going(1, 99), [(0, Reason::FreeDisk)]);
    }
}
