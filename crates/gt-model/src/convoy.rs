//! Derives the state of a convoy from the state of its beads alone.

use serde::Serialize;

use crate::bead::{Bead, BeadType, Status};

/// State of one bead in a convoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberState {
    /// Work on it has not ended.
    Open,
    /// Its work is on the trunk. For a convoy inside a convoy: that convoy has landed.
    Landed,
    /// Its worker reported findings, which were the product.
    Reported,
    /// Closed, and nothing landed.
    NotLanded,
    /// Deleted, or not in the ledger. It is ignored.
    Deleted,
}

/// End of a bead as the town records it. People use words of their own when they close beads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BeadEnd {
    /// Its work is on the trunk with this commit: its id, or the beginning of that.
    Merged(String),
    /// Its worker reported findings, which were the product.
    Reported,
}

/// Start of the close reason of a bead whose work is on the trunk. The commit follows.
const MERGED_AS: &str = "merged as ";

/// Close reason of a bead whose product was findings.
const REPORTED: &str = "reported";

impl BeadEnd {
    /// Returns the close reason that records this end.
    pub fn close_reason(&self) -> String {
        match self {
            Self::Merged(commit) => format!("{MERGED_AS}{commit}"),
            Self::Reported => REPORTED.to_owned(),
        }
    }

    /// Returns the end that a close reason claims; `None` if it claims none.
    pub fn parse(reason: &str) -> Option<Self> {
        if reason == REPORTED {
            return Some(Self::Reported);
        }
        let commit = reason.strip_prefix(MERGED_AS)?.split_whitespace().next()?;
        let is_commit = commit.len() >= SHORTEST_COMMIT && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_commit.then(|| Self::Merged(commit.to_owned()))
    }
}

/// Shortest text that counts as an abbreviated commit id.
const SHORTEST_COMMIT: usize = 7;

/// Returns the state of a bead. A bead that is in no ledger is [`MemberState::Deleted`].
pub fn member_state(bead: &Bead) -> MemberState {
    state_of(&bead.issue_type, &bead.status, bead.close_reason.as_deref())
}

/// Like [`member_state`], from the fields that decide it.
pub fn state_of(issue_type: &BeadType, status: &Status, close_reason: Option<&str>) -> MemberState {
    match status {
        Status::Tombstone => MemberState::Deleted,
        Status::Closed => end_of(issue_type, close_reason.unwrap_or_default()),
        _ => MemberState::Open,
    }
}

fn end_of(issue_type: &BeadType, reason: &str) -> MemberState {
    match issue_type {
        BeadType::Convoy if reason == ConvoyState::Landed.close_reason().unwrap_or_default() => MemberState::Landed,
        BeadType::Convoy => MemberState::NotLanded,
        _ => match BeadEnd::parse(reason) {
            Some(BeadEnd::Merged(_)) => MemberState::Landed,
            Some(BeadEnd::Reported) => MemberState::Reported,
            None => MemberState::NotLanded,
        },
    }
}

/// State of a convoy. It always follows from the convoy's beads, so it can also go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConvoyState {
    /// No bead of it is left, or it never had one. It never lands.
    Empty,
    /// Work on one of its beads has not ended.
    OnItsWay,
    /// Every bead has landed or was reported.
    Landed,
    /// Every bead is closed, and at least one did not land.
    Closed,
}

impl ConvoyState {
    /// Derives the state. Ignores deleted beads.
    pub fn of(members: impl IntoIterator<Item = MemberState>) -> Self {
        members.into_iter().fold(Self::Empty, |state, member| match (state, member) {
            (state, MemberState::Deleted) => state,
            (Self::OnItsWay, _) | (_, MemberState::Open) => Self::OnItsWay,
            (Self::Closed, _) | (_, MemberState::NotLanded) => Self::Closed,
            (Self::Empty | Self::Landed, MemberState::Landed | MemberState::Reported) => Self::Landed,
        })
    }

    /// Whether nothing more happens to it by itself.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Landed | Self::Closed)
    }

    /// Returns the close reason that the town writes for a convoy in this state; `None` if the convoy is not over.
    pub fn close_reason(self) -> Option<&'static str> {
        match self {
            Self::Landed => Some("landed"),
            Self::Closed => Some("closed, not all landed"),
            Self::Empty | Self::OnItsWay => None,
        }
    }

    /// Whether the town writes this close reason. The town may reopen such a convoy.
    pub fn is_derived(reason: &str) -> bool {
        [Self::Landed, Self::Closed].into_iter().any(|state| state.close_reason() == Some(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MemberState::{Deleted, Landed, NotLanded, Open, Reported};
    use jiff::Timestamp;
    use proptest::prelude::*;

    #[test]
    fn a_convoy_is_where_its_members_are() {
        fn check(members: &[MemberState], expected: ConvoyState) {
            assert_eq!(ConvoyState::of(members.iter().copied()), expected, "{members:?}");
        }
        check(&[], ConvoyState::Empty);
        check(&[Deleted], ConvoyState::Empty);
        check(&[Open], ConvoyState::OnItsWay);
        check(&[Landed], ConvoyState::Landed);
        check(&[Reported], ConvoyState::Landed);
        check(&[NotLanded], ConvoyState::Closed);
        check(&[Landed, Reported, Deleted], ConvoyState::Landed);
        check(&[Deleted, Landed], ConvoyState::Landed);
        check(&[Landed, NotLanded], ConvoyState::Closed);
        check(&[NotLanded, Landed], ConvoyState::Closed);
        check(&[NotLanded, Open], ConvoyState::OnItsWay);
        check(&[Open, Deleted], ConvoyState::OnItsWay);
    }

    #[test]
    fn a_members_state_follows_from_the_bead() {
        fn check(issue_type: BeadType, status: Status, reason: Option<&str>, expected: MemberState) {
            let bead = Bead::new("a-1".into(), "A", Timestamp::UNIX_EPOCH);
            let bead = Bead { issue_type, status, close_reason: reason.map(str::to_owned), ..bead };
            assert_eq!(member_state(&bead), expected, "{reason:?}");
        }
        let task = || BeadType::Task;
        for status in [Status::Open, Status::InProgress, Status::Hooked, Status::Deferred, Status::Blocked] {
            check(task(), status, None, Open);
        }
        check(task(), Status::Tombstone, Some("merged as 0123456789"), Deleted);
        check(task(), Status::Closed, Some("merged as 0123456789abcdef0123456789abcdef01234567"), Landed);
        check(task(), Status::Closed, Some("reported"), Reported);
        check(task(), Status::Closed, None, NotLanded);
        check(task(), Status::Closed, Some("merged as usual"), NotLanded);
        check(task(), Status::Closed, Some("merged as "), NotLanded);
        check(task(), Status::Closed, Some("reported elsewhere"), NotLanded);
        check(task(), Status::Closed, Some("landed"), NotLanded);
        check(BeadType::Convoy, Status::Closed, Some("landed"), Landed);
        check(BeadType::Convoy, Status::Closed, Some("closed, not all landed"), NotLanded);
        check(BeadType::Convoy, Status::Closed, Some("reported"), NotLanded);
    }

    fn any_member() -> impl Strategy<Value = MemberState> {
        prop_oneof![Just(Open), Just(Landed), Just(Reported), Just(NotLanded), Just(Deleted)]
    }

    proptest! {
        /// The order of beads does not matter, and deleted ones don't either.
        #[test]
        fn only_what_is_there_counts(members in proptest::collection::vec(any_member(), 0..8), by in 0_usize..8) {
            let state = ConvoyState::of(members.iter().copied());
            let mut turned = members.clone();
            turned.rotate_left(by.min(members.len()));
            prop_assert_eq!(ConvoyState::of(turned), state);
            let there: Vec<_> = members.into_iter().filter(|member| *member != Deleted).collect();
            prop_assert_eq!(ConvoyState::of(there.iter().copied()), state);
            prop_assert_eq!(state == ConvoyState::Empty, there.is_empty());
            prop_assert_eq!(state.is_over(), !there.is_empty() && !there.contains(&Open));
        }
    }

    #[test]
    fn an_end_is_read_back_from_its_close_reason() {
        for end in [BeadEnd::Merged("0123456789abcdef".to_owned()), BeadEnd::Reported] {
            assert_eq!(BeadEnd::parse(&end.close_reason()), Some(end));
        }
        for reason in ["", "merged as", "merged as ours", "merged as 0123", "reported upstream"] {
            assert_eq!(BeadEnd::parse(reason), None, "{reason}");
        }
    }
}
