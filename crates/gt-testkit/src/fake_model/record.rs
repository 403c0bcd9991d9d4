//! What was asked, and what was claimed for it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use serde_json::json;

use super::conversation::Conversation;
use super::script::{Answer, Usage};

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What kind: `GET /api/hello` …
    pub what: String,
    /// The HTTP status that it got.
    pub status: u16,
    /// What it said, for requests of the Messages API.
    pub conversation: Conversation,
    /// What it was answered.
    pub answer: Answer,
    /// Whether a key would pay for it, and not a login.
    pub by_key: bool,
    /// Whether the client got the whole answer, and so will count it.
    pub whole: bool,
    /// When it had come, all of it.
    pub at: SystemTime,
    /// Bytes of its body.
    pub bytes: usize,
}

/// What was claimed for a session's turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// Answers that the client got whole.
    pub answers: u64,
    /// Read, and neither read from the cache nor written to it.
    pub input: u64,
    /// Written.
    pub output: u64,
    /// Read from the cache.
    pub cache_read: u64,
    /// Written to the cache.
    pub cache_write: u64,
}

impl Claimed {
    /// With one more answer.
    fn with(self, usage: Usage) -> Self {
        Self {
            answers: self.answers + 1,
            input: self.input + usage.input,
            output: self.output + usage.output,
            cache_read: self.cache_read + usage.cache_read,
            cache_write: self.cache_write + usage.cache_write,
        }
    }
}

/// All requests of a server.
pub struct Record {
    asked: Vec<Asked>,
    log: Option<File>,
    ids: u64,
}

impl Record {
    /// Nothing yet.
    pub fn new(log: Option<&Path>) -> io::Result<Self> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        Ok(Self { asked: Vec::new(), log: log.map(open).transpose()?, ids: 0 })
    }

    /// A message's id. Transcripts count each id once, so no two answers may share one, those of other servers included.
    pub fn message_id(&mut self) -> String {
        self.ids += 1;
        format!("msg_fake{}x{}", std::process::id(), self.ids)
    }

    /// Keeps a request, and logs it.
    pub fn add(&mut self, asked: Asked) {
        let it = &asked.conversation;
        let line = json!({
            "what": asked.what, "status": asked.status, "whole": asked.whole, "session": it.session,
            "model": it.model, "aside": it.is_aside(), "rule": asked.answer.rule, "calls": asked.answer.calls.len(),
            "last": it.last, "results": it.fresh_results(),
        });
        // A full disk must not change what the client is answered.
        let _unlogged = self.log.as_mut().map(|log| writeln!(log, "{line}"));
        self.asked.push(asked);
    }

    /// All of them.
    pub fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// The sum over a session's turns that the client got whole.
    pub fn claimed(&self, session: &str) -> Claimed {
        let turns = self.asked.iter().filter(|a| a.whole && a.conversation.session == session);
        turns.filter(|a| !a.conversation.is_aside()).fold(Claimed::default(), |sum, a| sum.with(a.answer.usage))
    }

    /// Sessions in the order of their first request.
    pub fn sessions(&self) -> Vec<String> {
        let mut sessions = Vec::new();
        for session in self.asked.iter().map(|a| &a.conversation.session).filter(|id| !id.is_empty()) {
            if !sessions.contains(session) {
                sessions.push(session.clone());
            }
        }
        sessions
    }
}
