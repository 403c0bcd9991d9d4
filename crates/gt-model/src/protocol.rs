//! Protocol messages: mails that roles send each other, in a form that people can read too.
//!
//! The subject is `TYPE key`. The body has `Key: value` lines, a blank line, and free text. No state machine depends on these
//! messages: each transition is a fact in the ledger, so a lost, late, duplicate or forged message changes nothing.

/// Declares the messages: the type word of each, its key field (first), and its other fields with their keys in the body.
macro_rules! messages {
    ($($(#[$doc:meta])* $variant:ident = $word:literal { $($field:ident: $key:literal,)* })*) => {
        /// A protocol message. Values are single lines. The first field is also the key in the subject.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Message {
            $($(#[$doc])* $variant { $(#[doc = concat!("`", $key, "` of the body.")] $field: String,)* },)*
        }

        impl Message {
            /// Returns the type word, which comes first in the subject.
            pub fn word(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $word,)* }
            }

            /// Returns the keys and values of the body, in order.
            fn fields(&self) -> Vec<(&'static str, &str)> {
                match self { $(Self::$variant { $($field,)* } => vec![$(($key, $field.as_str()),)*],)* }
            }

            /// Parses a message in the form that [`Self::subject`] and [`Self::body`] write.
            fn parse_exact(subject: &str, body: &str) -> Result<Self, MessageError> {
                let word = subject.split_whitespace().next().unwrap_or_default();
                match word {
                    $($word => {
                        let values = Values::read(body);
                        Ok(Self::$variant { $($field: values.take($word, $key)?,)* })
                    })*
                    _ => Err(MessageError::NotProtocol),
                }
            }
        }
    };
}

messages! {
    /// A batch of beads was dispatched.
    SwarmStart = "SWARM_START" { swarm: "Swarm", convoy: "Convoy", beads: "Beads", dispatched_by: "Dispatched-By", }
    /// Every bead of a batch is finished. This is sent exactly once.
    SwarmComplete = "SWARM_COMPLETE" {
        swarm: "Swarm", convoy: "Convoy", merged: "Merged", failed: "Failed", ready: "Ready", duration: "Duration",
    }
    /// A polecat has submitted, or parked its bead.
    PolecatDone = "POLECAT_DONE" { bead: "Bead", exit: "Exit", mr: "MR", branch: "Branch", commit: "Commit", }
    /// A merge request waits in the queue.
    MergeReady = "MERGE_READY" { mr: "MR", bead: "Bead", branch: "Branch", commit: "Commit", }
    /// A merge request has landed.
    Merged = "MERGED" { mr: "MR", bead: "Bead", branch: "Branch", target: "Target", merge_commit: "Merge-Commit", }
    /// A merge request could not land.
    MergeFailed = "MERGE_FAILED" { mr: "MR", bead: "Bead", branch: "Branch", failure: "Failure", attempt: "Attempt", }
    /// The queue sent work back to be done again.
    ReworkRequest = "REWORK_REQUEST" { mr: "MR", bead: "Bead", failure: "Failure", attempt: "Attempt", }
    /// A worker was lost for good. A snapshot contains its work.
    RecoveredBead = "RECOVERED_BEAD" { bead: "Bead", worker: "Worker", snapshot: "Snapshot", attempts: "Attempts", }
    /// An agent is stuck.
    Help = "HELP" { bead: "Bead", problem: "Problem", tried: "Tried", }
    /// An agent's message to its own successor.
    Handoff = "HANDOFF" { molecule: "Molecule", step: "Step", context: "Context", next: "Next", }
    /// An agent or person with more authority must decide.
    Escalation = "ESCALATION" { bead: "Bead", severity: "Severity", reason: "Reason", }
}

/// Why a mail is not a protocol message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Its subject does not start with a type word: ordinary mail.
    #[error("not a protocol message")]
    NotProtocol,
    /// It has a type word, but lacks a key.
    #[error("{word} without `{key}:`")]
    Missing {
        /// Type word.
        word: &'static str,
        /// Missing key.
        key: &'static str,
    },
}

impl Message {
    /// Parses a message from a mail's subject and body. A call for help may also be in free words: an agent that is stuck writes
    /// `HELP <bead>` and then what it needs.
    pub fn parse(subject: &str, body: &str) -> Result<Self, MessageError> {
        match Self::parse_exact(subject, body) {
            Ok(message) => Ok(message),
            Err(error) => Self::free_help(subject, body).ok_or(error),
        }
    }

    fn free_help(subject: &str, body: &str) -> Option<Self> {
        let (word, rest) = subject.trim().split_once(char::is_whitespace).unwrap_or((subject.trim(), ""));
        if !word.trim_end_matches([':', ',', '!']).eq_ignore_ascii_case("help") {
            return None;
        }
        let bead = rest.split_whitespace().next().unwrap_or_default().trim_end_matches([':', ',']).to_owned();
        Some(Self::Help { bead, problem: one_line(body), tried: String::new() })
    }

    /// Whether a standing agent should wake up for this message. The other messages report what other agents take care of.
    pub fn wakes(&self) -> bool {
        matches!(self, Self::SwarmComplete { .. } | Self::Help { .. } | Self::Escalation { .. } | Self::Handoff { .. })
    }

    /// Returns the subject of the mail.
    pub fn subject(&self) -> String {
        let key = self.fields().first().map(|(_, value)| one_line(value)).unwrap_or_default();
        format!("{} {key}", self.word())
    }

    /// Returns the body of the mail, with the text `free` after the keys.
    pub fn body(&self, free: &str) -> String {
        let mut body = String::new();
        for (key, value) in self.fields() {
            body.push_str(&format!("{key}: {}\n", one_line(value)));
        }
        if !free.is_empty() {
            body.push('\n');
            body.push_str(free);
        }
        body
    }
}

/// Replaces line ends with spaces, so that a value can't forge a second key.
fn one_line(value: &str) -> String {
    value.split(['\n', '\r']).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Keys and values of the first part of a body.
struct Values<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Values<'a> {
    fn read(body: &'a str) -> Self {
        let head = body.lines().take_while(|line| !line.trim().is_empty());
        Self(head.filter_map(|line| line.split_once(':')).map(|(k, v)| (k.trim(), v.trim())).collect())
    }

    fn take(&self, word: &'static str, key: &'static str) -> Result<String, MessageError> {
        let found = self.0.iter().find(|(k, _)| *k == key);
        found.map(|(_, v)| (*v).to_owned()).ok_or(MessageError::Missing { word, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_without_a_key_is_named() {
        let error = Message::parse("MERGED mr-1", "MR: mr-1\nBead: b\n").unwrap_err();
        assert_eq!(error, MessageError::Missing { word: "MERGED", key: "Branch" });
    }

    #[test]
    fn only_what_asks_for_an_answer_wakes() {
        let wakes = |subject: &str, body: &str| Message::parse(subject, body).unwrap().wakes();
        assert!(wakes("HELP b", "Bead: b\nProblem: p\nTried: t\n"));
        assert!(wakes("ESCALATION b", "Bead: b\nSeverity: high\nReason: r\n"));
        assert!(!wakes("MERGE_READY m", "MR: m\nBead: b\nBranch: x\nCommit: c\n"));
    }

    #[test]
    fn help_is_heard_in_whatever_words() {
        let check = |subject: &str, body: &str, bead: &str, problem: &str| {
            let (bead, problem) = (bead.to_owned(), problem.to_owned());
            let expected = Message::Help { bead, problem, tried: String::new() };
            assert_eq!(Message::parse(subject, body), Ok(expected), "{subject}");
        };
        check("HELP app-1", "Which colour?", "app-1", "Which colour?");
        check("HELP: app-1, it does not build", "a\nb", "app-1", "a b");
        check("Help!", "", "", "");
        check("help app-1", "Bead: app-1\nProblem: half of the form", "app-1", "Bead: app-1 Problem: half of the form");
        for subject in ["HELPER app-1", "I need help", "helpful hint"] {
            assert_eq!(Message::parse(subject, ""), Err(MessageError::NotProtocol), "{subject}");
        }
    }

    #[test]
    fn ordinary_mail_is_no_protocol() {
        assert_eq!(Message::parse("hello there", "MR: x").unwrap_err(), MessageError::NotProtocol);
        assert_eq!(Message::parse("", "").unwrap_err(), MessageError::NotProtocol);
    }

    proptest! {
        #[test]
        fn written_messages_read_back(bead in ".*", problem in ".*", tried in ".*", free in ".*") {
            let sent = Message::Help { bead, problem, tried };
            let body = sent.body(&free);
            let read = Message::parse(&sent.subject(), &body).unwrap();
            prop_assert_eq!(read.body(&free), body);
        }
    }
}
