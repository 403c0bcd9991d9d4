//! Kinds of condition: everything that can be wrong in a town for a while.

use std::fmt;

use serde::{Serialize, Serializer};

/// Defines the kinds with the words that the ledger and JSON use for them.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// Kind of trouble that a condition is about. The subject names the thing that has the trouble.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ConditionKind {
            $($(#[$doc])* $variant,)*
        }

        impl ConditionKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the word that the ledger and JSON use.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

kinds! {
    /// Condition raised while agents of a kind do not start in a rig. Subject: `<rig>:<kind of agent>`.
    AgentFails = "agent",
    /// Condition raised while a green merge request waits for a person's approval. Subject: the merge request.
    Approval = "approval",
    /// Condition raised while an agent shows a question that only a person can answer. Subject: its address.
    Asks = "asks",
    /// Condition raised when a tree that was green with caches is red without. Subject: the rig.
    CleanRed = "clean-red",
    /// Condition raised while the deacon hangs or cannot be started. Subject: `town`.
    Deacon = "deacon",
    /// Condition raised while a client has denied an agent something. Subject: its address, and the pattern where there is one.
    Denied = "denied",
    /// Condition raised while a worker's own changes are missing in what it submitted. Subject: the bead.
    Dropped = "dropped",
    /// Condition raised when an effect was given up after too many failures. Subject: the effect's number.
    Effect = "effect",
    /// Condition raised while another town has changed a bead that is in work here. Subject: the bead.
    Elsewhere = "elsewhere",
    /// A merge request that changes nothing. Derived from the queue, never in the ledger. Subject: the merge request.
    Empty = "empty",
    /// Condition raised while a convoy's next bead cannot be slung. Subject: the rig.
    Feed = "feed",
    /// Condition raised when a ref is not where the town put it. Subject: `<rig>:<ref>`.
    ForeignRef = "foreign-ref",
    /// Condition raised while a step waits for a person to open its gate. Subject: `<molecule>/<step>`.
    Gate = "gate",
    /// Condition raised when an agent has died too often to be restarted. Subject: its address.
    GivenUp = "given-up",
    /// A merge request that is held. Derived from the queue, never in the ledger. Subject: the merge request.
    Held = "held",
    /// Condition raised while a client's hooks are switched off. Subject: the kind of agent.
    HooksOff = "hooks",
    /// Condition raised while an account's usage limit is reached. Subject: the kind of agent.
    Limit = "limit",
    /// Condition raised while a client is not logged in. Subject: the kind of agent.
    Login = "login",
    /// Condition raised while an agent has been in one tool call for very long. Subject: its address.
    LongTool = "long-tool",
    /// Unread mail to the overseer. Derived from the mail, never in the ledger. Subject: the mail.
    Mail = "mail",
    /// A merge request whose work may have landed by other commits. Derived from the queue, never in the ledger.
    MaybeLanded = "maybe-landed",
    /// Condition raised while the machine has too little free memory to start an agent. Subject: `machine`.
    Memory = "memory",
    /// Condition raised while work waits for a kind of agent that the settings do not have. Subject: the kind.
    NoKind = "no-kind",
    /// Condition raised while a client's API does not answer. Subject: the kind of agent.
    Outage = "outage",
    /// Condition raised while a part of the deacon's patrol fails. Subject: the part.
    Patrol = "patrol",
    /// Condition raised while a person has paused a rig or the town. Subject: the rig, or `<town>`.
    Paused = "paused",
    /// Condition raised when a bead has failed too often to be tried again. Subject: the bead.
    Quarantine = "quarantine",
    /// Condition raised while rounds of a rig's refinery fail. Subject: the rig.
    Refinery = "refinery",
    /// Condition raised while a rig's remote cannot be reached. Subject: the rig.
    Remote = "remote",
    /// Condition raised while a rig is held: nothing lands there. Subject: the rig.
    RigHeld = "rig-held",
    /// Condition raised while set-ups of a rig fail. Subject: the rig.
    SetUp = "set-up",
    /// Condition raised when commands that ran in a rig changed its settings or the town's. Subject: the rig.
    SettingsChanged = "settings-changed",
    /// Condition raised while the town has spent what a day allows. Subject: `town`.
    Spend = "spend",
    /// Condition raised while a step of a molecule has failed. Subject: `<molecule>/<step>`.
    StepFailed = "step-failed",
    /// Condition raised while one agent does not start. Subject: its address.
    StartFails = "start",
    /// Condition raised while a rig's trunk does not pass its gates. Subject: the rig.
    TrunkRed = "trunk-red",
    /// Condition raised when a turn of a standing agent took more than one attempt may. Subject: its address.
    TurnSpend = "turn-spend",
    /// Condition raised while a rig has no gates. Subject: the rig.
    Ungated = "ungated",
    /// Condition raised while an agent does not take the mail that it was woken for. Subject: its address.
    Unheard = "unheard",
    /// Condition raised while the town cannot tell what an agent does. Subject: its address.
    Unknown = "unknown",
    /// Condition raised when a landed commit is no longer on the trunk. Subject: the bead.
    Unlanded = "unlanded",
    /// A condition that another version of `gt` raised under a word that this one does not know.
    OfOtherVersion = "of-other-version",
}

impl ConditionKind {
    /// Parses a word of the ledger. Words of other versions become [`Self::OfOtherVersion`].
    pub fn parse(word: &str) -> Self {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word).unwrap_or(Self::OfOtherVersion)
    }

    /// Whether the subject is a kind of agent. Such a condition concerns every rig and every agent of that kind.
    pub fn is_about_kind(self) -> bool {
        matches!(self, Self::Limit | Self::Login | Self::Outage | Self::HooksOff | Self::NoKind)
    }
}

impl fmt::Display for ConditionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for ConditionKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::ConditionKind;

    #[test]
    fn each_word_is_read_as_its_kind() {
        for kind in ConditionKind::ALL {
            assert_eq!(ConditionKind::parse(kind.as_str()), *kind);
        }
        assert_eq!(ConditionKind::parse("from-the-future"), ConditionKind::OfOtherVersion);
    }
}
