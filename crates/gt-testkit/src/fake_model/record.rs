//! Record of the requests and of the usage that the server claimed for them.

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
    /// The kind of request: `GET /api/hello` …
    pub what: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The conversation, for requests of the Messages API.
    pub conversation: Conversation,
    /// The answer.
    pub answer: Answer,
    /// Whether the client used an API key and not a login.
    pub by_key: bool,
    /// Whether the client got the whole answer, and so counts its usage.
    pub whole: bool,
    /// When the whole request had arrived.
    pub at: SystemTime,
    /// Size of the body, in bytes.
    pub bytes: usize,
}

/// Usage that the server claimed for a session's turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// Number of answers that the client got whole.
    pub answers: u64,
    /// Input tokens that were neither read from the cache nor written to it.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Tokens read from the cache.
    pub cache_read: u64,
    /// Tokens written to the cache.
    pub cache_write: u64,
}

impl Claimed {
    /// Returns the sum with one more answer.
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
    /// Makes an empty record.
    pub fn new(log: Option<&Path>) -> io::Result<Self> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        Ok(Self { asked: Vec::new(), log: log.map(open).transpose()?, ids: 0 })
    }

    /// Returns a new message id. Transcripts count each id once, so no two answers may share one, not even answers of different
    /// servers.
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
        // A full disk must not change the client's answer.
        let _unlogged = self.log.as_mut().map(|log| writeln!(log, "{line}"));
        self.asked.push(asked);
    }

    /// Returns all requests.
    pub fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// Returns the sum over the turns of a session whose answers the client got whole.
    pub fn claimed(&self, session: &str) -> Claimed {
        let turns = self.asked.iter().filter(|a| a.whole && a.conversation.session == session);
        turns.filter(|a| !a.conversation.is_aside()).fold(Claimed::default(), |sum, a| sum.with(a.answer.usage))
    }

    /// Returns the sessions in the order of their first request.
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
