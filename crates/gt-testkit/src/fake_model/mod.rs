//! A fake model server: Anthropic's Messages API, answered from a script instead of by a model.
//!
//! Real coding clients run against it, so that what a town does with them can be tested without the internet, without an
//! account and to the token. It listens on 127.0.0.1 only.
//!
//! A script is a list of rules ([`script`]); the first whose conditions hold for the *content* of a request answers.
//! Nothing counts requests: the same request always gets the same answer, so a client that was killed and started again
//! goes on where its conversation, or its worktree, is.

#![expect(clippy::disallowed_methods, reason = "a server beside the town, and no part of it")]

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

mod api;
mod conversation;
mod http;
mod record;
pub mod script;
mod sse;
#[cfg(test)]
mod tests;

pub use api::BYTES_PER_TOKEN;
pub use conversation::{Call, Conversation};
pub use record::{Asked, Claimed};
pub use script::Script;

/// Longest silence of a client within one request.
const CLIENT_SILENCE: Duration = Duration::from_secs(30);

/// A server that runs until the process ends.
#[derive(Clone)]
pub struct FakeModel {
    address: SocketAddr,
    state: Arc<State>,
}

/// What the connections share.
struct State {
    script: Mutex<Script>,
    record: Mutex<record::Record>,
}

impl FakeModel {
    /// Listens at `port` of 127.0.0.1 (0: any free one). Each request is appended to `log`, a line of JSON.
    pub fn start(script: Script, port: u16, log: Option<&Path>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let record = record::Record::new(log)?;
        let state = Arc::new(State { script: Mutex::new(script), record: Mutex::new(record) });
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &shared));
        Ok(Self { address, state })
    }

    /// What clients call its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers by another script from now on.
    pub fn play(&self, script: Script) {
        *locked(&self.state.script) = script;
    }

    /// All requests so far, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        locked(&self.state.record).asked().to_vec()
    }

    /// What it claimed to have used for the conversations of the session `id` (without side questions).
    pub fn claimed(&self, session: &str) -> Claimed {
        locked(&self.state.record).claimed(session)
    }

    /// The sessions that have asked, in the order of their first request.
    pub fn sessions(&self) -> Vec<String> {
        locked(&self.state.record).sessions()
    }

    /// Whether `text` was in any request, in the system prompt, a message or a tool's result.
    pub fn heard(&self, text: &str) -> bool {
        locked(&self.state.record).asked().iter().any(|asked| asked.conversation.everything().contains(text))
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming().flatten() {
        let state = Arc::clone(state);
        thread::spawn(move || serve(stream, &state));
    }
}

/// One connection. A client that goes away in the middle is its own affair.
fn serve(mut stream: TcpStream, state: &State) {
    let limits = stream.set_read_timeout(Some(CLIENT_SILENCE)).and_then(|()| stream.set_nodelay(true));
    if limits.is_ok()
        && let Ok(request) = http::Request::read(&mut stream)
    {
        let _gone = api::answer(&request, &mut stream, state);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
