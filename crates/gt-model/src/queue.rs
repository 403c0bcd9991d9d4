//! The merge queue's decisions: what a merge request's state is, who goes first, and what a gate's result means.

use jiff::Timestamp;
use serde::Serialize;

use crate::id::{BeadId, MrId, Sha};
use crate::landed::{Doubt, DoubtKind};

/// How a merge request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MrEnd {
    /// The remote's trunk has it.
    Merged,
    /// Sent back to be done again.
    Rework,
    /// A newer submission of the same bead took its place.
    Superseded,
    /// A person said no, or the bead was closed otherwise.
    Rejected,
}

impl MrEnd {
    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merged => "merged",
            Self::Rework => "rework",
            Self::Superseded => "superseded",
            Self::Rejected => "rejected",
        }
    }

    /// Reads the ledger's word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Merged, Self::Rework, Self::Superseded, Self::Rejected].into_iter().find(|end| end.as_str() == word)
    }
}

/// The facts that decide a merge request's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MrFacts {
    /// How it ended, if it has.
    pub end: Option<MrEnd>,
    /// Why it is held, if it is.
    pub held: Option<String>,
    /// Why it can't land as its bead's own work, if it can't.
    pub doubt: Option<Doubt>,
    /// Whether a landing that contains it was decided and is not over.
    pub landing: bool,
    /// Whether a person has approved it.
    pub approved: bool,
    /// Whether the rig lands it without asking: its settings say so, and nothing in it is a person's to look at.
    pub lands_alone: bool,
    /// Whether a candidate of it has passed the gates, as they are now.
    pub gated: bool,
}

/// A merge request's status; derived, never stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "why")]
pub enum MrStatus {
    /// Its turn comes with the next round.
    Waiting,
    /// Its gates are green; a person has to approve it.
    NeedsApproval,
    /// Something keeps it from going on; the text says what.
    Held(String),
    /// It changes nothing: a person has to say what becomes of the bead.
    Empty(String),
    /// The trunk has its work already, and it can't be told that this is the bead's own: a person has to.
    MaybeLanded(String),
    /// On its way to the remote.
    Landing,
    /// Over.
    Ended(MrEnd),
}

/// Derives the status; the first fact that fits decides.
pub fn status(facts: &MrFacts) -> MrStatus {
    match facts {
        MrFacts { end: Some(end), .. } => MrStatus::Ended(*end),
        MrFacts { landing: true, .. } => MrStatus::Landing,
        MrFacts { held: Some(why), .. } => MrStatus::Held(why.clone()),
        MrFacts { doubt: Some(doubt), .. } => match doubt.kind {
            DoubtKind::Empty => MrStatus::Empty(doubt.why.clone()),
            DoubtKind::MaybeLanded => MrStatus::MaybeLanded(doubt.why.clone()),
        },
        MrFacts { lands_alone: false, approved: false, gated: true, .. } => MrStatus::NeedsApproval,
        _ => MrStatus::Waiting,
    }
}

/// What the order of the queue depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// Which.
    pub mr: MrId,
    /// Its bead.
    pub bead: BeadId,
    /// The bead's priority, 0 first.
    pub priority: i64,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// How often work on this bead was sent back.
    pub failures: u32,
}

/// Hours after which an MR goes before everything younger, whatever the priorities: none waits forever.
pub const AGE_CAP_HOURS: i64 = 24;

/// Puts the queue in order: those over the age cap (oldest first), then by priority, fewer failures, age.
pub fn order(mut entries: Vec<QueueEntry>, now: Timestamp) -> Vec<QueueEntry> {
    entries.sort_by_key(|entry| {
        let age_hours = now.duration_since(entry.submitted_at).as_hours();
        let (priority, failures) =
            if age_hours >= AGE_CAP_HOURS { (i64::MIN, 0) } else { (entry.priority, entry.failures) };
        (priority, failures, entry.submitted_at, entry.mr.clone())
    });
    entries
}

/// What is to be tested next, or what is known, when a stack of `len` candidates is searched for its first red prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bisect {
    /// Test the prefix of this length (0: the bare trunk).
    Test(usize),
    /// The prefix of this length is green, and no longer one is known to be: land it. The one behind it, if there is
    /// one, made it red.
    Found {
        /// Length of the green prefix.
        green: usize,
        /// Whether the next one is the culprit (false: the whole stack is green).
        culprit: bool,
    },
    /// The bare trunk is red: nobody's merge request is to blame.
    TrunkRed,
}

/// Decides the next test from the results so far: `red` is the shortest prefix known to be red, `green` the longest
/// shorter one known to be green. The whole stack comes first, since it is mostly green; the bare trunk is tested
/// only before somebody alone on it would be blamed.
pub fn bisect(len: usize, green: Option<usize>, red: Option<usize>) -> Bisect {
    match (green, red) {
        (_, Some(0)) => Bisect::TrunkRed,
        (Some(g), None) if g == len => Bisect::Found { green: g, culprit: false },
        (_, None) => Bisect::Test(len),
        (None, Some(1)) => Bisect::Test(0),
        (None, Some(r)) => Bisect::Test(r / 2),
        (Some(g), Some(r)) if r == g + 1 => Bisect::Found { green: g, culprit: true },
        (Some(g), Some(r)) => Bisect::Test(g.midpoint(r)),
    }
}

/// One candidate of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackEntry {
    /// Whose.
    pub mr: MrId,
    /// The commit that would land.
    pub commit: Sha,
    /// Its tree.
    pub tree: Sha,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn facts() -> MrFacts {
        MrFacts { end: None, held: None, doubt: None, landing: false, approved: false, lands_alone: true, gated: false }
    }

    fn doubt(kind: DoubtKind) -> Option<Doubt> {
        Some(Doubt { kind, by: None, why: "x".into() })
    }

    #[test]
    fn the_first_fact_that_fits_decides() {
        let check = |facts: MrFacts, expected: MrStatus| assert_eq!(status(&facts), expected);
        check(facts(), MrStatus::Waiting);
        check(MrFacts { gated: true, ..facts() }, MrStatus::Waiting);
        check(MrFacts { lands_alone: false, ..facts() }, MrStatus::Waiting);
        check(MrFacts { lands_alone: false, gated: true, ..facts() }, MrStatus::NeedsApproval);
        check(MrFacts { lands_alone: false, gated: true, approved: true, ..facts() }, MrStatus::Waiting);
        check(MrFacts { held: Some("x".into()), ..facts() }, MrStatus::Held("x".into()));
        check(MrFacts { doubt: doubt(DoubtKind::Empty), ..facts() }, MrStatus::Empty("x".into()));
        let maybe = MrFacts { doubt: doubt(DoubtKind::MaybeLanded), approved: true, gated: true, ..facts() };
        check(maybe.clone(), MrStatus::MaybeLanded("x".into()));
        check(MrFacts { held: Some("y".into()), ..maybe }, MrStatus::Held("y".into()));
        check(MrFacts { held: Some("x".into()), landing: true, ..facts() }, MrStatus::Landing);
        check(MrFacts { end: Some(MrEnd::Merged), landing: true, ..facts() }, MrStatus::Ended(MrEnd::Merged));
    }

    fn entry(mr: &str, priority: i64, submitted: i64, failures: u32) -> QueueEntry {
        let submitted_at = Timestamp::from_second(submitted).unwrap();
        QueueEntry { mr: mr.into(), bead: mr.into(), priority, submitted_at, failures }
    }

    #[test]
    fn the_old_go_first_then_priority_failures_age() {
        let hours = |h: i64| h * 3600;
        let now = Timestamp::from_second(hours(100)).unwrap();
        let queue = vec![
            entry("young-p0", 0, hours(99), 0),
            entry("old-p4", 4, hours(10), 0),
            entry("p1-failed", 1, hours(90), 1),
            entry("p1", 1, hours(95), 0),
            entry("p1-later", 1, hours(96), 0),
        ];
        let order: Vec<String> = order(queue, now).into_iter().map(|e| e.mr.0).collect();
        assert_eq!(order, ["old-p4", "young-p0", "p1", "p1-later", "p1-failed"]);
    }

    proptest! {
        /// Whatever the stack, the search ends with the longest green prefix before the first red one.
        #[test]
        fn bisect_finds_the_first_culprit(len in 1_usize..40, first_bad in 0_usize..50) {
            let is_red = |prefix: usize| prefix >= first_bad;
            let (mut green, mut red) = (None, None);
            for _ in 0..20 {
                match bisect(len, green, red) {
                    Bisect::Test(prefix) if is_red(prefix) => red = Some(prefix),
                    Bisect::Test(prefix) => green = Some(prefix),
                    Bisect::TrunkRed => { prop_assert_eq!(first_bad, 0); return Ok(()); }
                    Bisect::Found { green, culprit } => {
                        prop_assert_eq!(green, len.min(first_bad.saturating_sub(1)));
                        prop_assert_eq!(culprit, first_bad <= len);
                        return Ok(());
                    }
                }
            }
            prop_assert!(false, "the search did not end");
        }
    }
}
