//! A fake model server: Anthropic's Messages API, answered from a script and not by a model.
//!
//! Real coding clients run against it. So tests can check what a town does with them, exact to the token, without the internet
//! and without an account. The server listens on 127.0.0.1 only.
//!
//! A script is a list of rules ([`script`]). The first rule whose conditions match the *content* of a request gives the answer.
//! The server does not count requests: the same request always gets the same answer. So a client that was killed and started
//! again continues where its conversation, or its worktree, is.

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

/// How long a client may be silent within one request.
const CLIENT_SILENCE: Duration = Duration::from_secs(30);

/// A server that runs until the process ends.
#[derive(Clone)]
pub struct FakeModel {
    address: SocketAddr,
    state: Arc<State>,
}

/// State that the connections share.
struct State {
    script: Mutex<Script>,
    record: Mutex<record::Record>,
}

impl FakeModel {
    /// Starts a server at `port` of 127.0.0.1 (0: any free one). Appends each request to `log`, as a line of JSON.
    pub fn start(script: Script, port: u16, log: Option<&Path>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let record = record::Record::new(log)?;
        let state = Arc::new(State { script: Mutex::new(script), record: Mutex::new(record) });
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &shared));
        Ok(Self { address, state })
    }

    /// Returns the base URL for clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Uses another script from now on.
    pub fn play(&self, script: Script) {
        *locked(&self.state.script) = script;
    }

    /// Returns all requests so far, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        locked(&self.state.record).asked().to_vec()
    }

    /// Returns the usage that the server claimed for the conversations of the session `id` (without side questions).
    pub fn claimed(&self, session: &str) -> Claimed {
        locked(&self.state.record).claimed(session)
    }

    /// Returns the sessions that have sent requests, in the order of their first one.
    pub fn sessions(&self) -> Vec<String> {
        locked(&self.state.record).sessions()
    }

    /// Whether `text` was in any request: in the system prompt, a message or a tool's result.
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

/// Serves one connection. If the client leaves early, that is not an error here.
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
