//! Decisions of the merge queue: the status of merge requests, their order, and the search for the one that fails the gates.

use jiff::Timestamp;
use serde::Serialize;

use crate::id::{BeadId, MrId, Sha};
use crate::landed::{Doubt, DoubtKind};

/// Outcome of a merge request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MrEnd {
    /// It is on the remote's trunk.
    Merged,
    /// The queue sent it back to be done again.
    Rework,
    /// A newer submission for the same bead replaced it.
    Superseded,
    /// A person rejected it, or the bead was closed in another way.
    Rejected,
}

impl MrEnd {
    /// Returns the word that the ledger stores for this outcome.
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

/// Facts that decide a merge request's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MrFacts {
    /// Outcome, if it has ended.
    pub end: Option<MrEnd>,
    /// Reason for its hold, if it is held.
    pub held: Option<String>,
    /// Reason why it can't land as the work of its own bead, if there is one.
    pub doubt: Option<Doubt>,
    /// Whether an open landing contains it.
    pub landing: bool,
    /// Whether a person has approved it.
    pub approved: bool,
    /// Whether the rig lands it without approval: its settings say so, and nothing in it needs a person's review.
    pub lands_alone: bool,
    /// Whether a candidate of it has passed the current gates.
    pub gated: bool,
}

/// Status of a merge request. It is derived and never stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "why")]
pub enum MrStatus {
    /// Waits for the next round of the queue.
    Waiting,
    /// Passed its gates; a person must approve it.
    NeedsApproval,
    /// Held back, for the reason in the text.
    Held(String),
    /// It changes nothing. A person must decide what happens to the bead.
    Empty(String),
    /// The trunk already has its work, but gt can't tell whether that is the work of this bead. A person must decide.
    MaybeLanded(String),
    /// In an open landing.
    Landing,
    /// Ended.
    Ended(MrEnd),
}

/// Derives the status. The first fact that applies decides.
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

/// Facts that decide the order of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// Id of the merge request.
    pub mr: MrId,
    /// Its bead.
    pub bead: BeadId,
    /// Priority of the bead; 0 comes first.
    pub priority: i64,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// How often the queue sent work on this bead back.
    pub failures: u32,
}

/// Age in hours after which a merge request goes before all younger ones, whatever their priorities. So none waits forever.
pub const AGE_CAP_HOURS: i64 = 24;

/// Sorts the queue: first those over the age cap, oldest first; then by priority, number of failures, and age.
pub fn order(mut entries: Vec<QueueEntry>, now: Timestamp) -> Vec<QueueEntry> {
    entries.sort_by_key(|entry| {
        let age_hours = now.duration_since(entry.submitted_at).as_hours();
        let (priority, failures) =
            if age_hours >= AGE_CAP_HOURS { (i64::MIN, 0) } else { (entry.priority, entry.failures) };
        (priority, failures, entry.submitted_at, entry.mr.clone())
    });
    entries
}

/// Next step of the search for the first red prefix of a stack of `len` candidates. Red means that the gates fail, green that
/// they pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bisect {
    /// Test the prefix of this length. Length 0 is the bare trunk.
    Test(usize),
    /// Land the prefix of this length: it is green, and no longer prefix is known to be green. The candidate after it, if there
    /// is one, made the stack red.
    Found {
        /// Length of the green prefix.
        green: usize,
        /// Whether the next candidate is the culprit. If false, the whole stack is green.
        culprit: bool,
    },
    /// The bare trunk is red, so no merge request is to blame.
    TrunkRed,
}

/// Decides the next test. `red` is the length of the shortest prefix known to be red; `green` is that of the longest shorter one
/// known to be green. The whole stack is tested first, because it is usually green. The bare trunk is tested only before the
/// first candidate would be blamed.
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

/// A candidate in a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackEntry {
    /// Merge request that it belongs to.
    pub mr: MrId,
    /// Commit that would land.
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
        /// For any stack, the search ends with the longest green prefix before the first red one.
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
