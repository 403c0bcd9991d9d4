//! Handles the requests of clients, and the few requests by which a test in another process reads the record and changes the
//! script.

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::conversation::Conversation;
use super::http::{self, Request};
use super::record::Asked;
use super::script::{Answer, Fault, Script};
use super::{State, locked, sse};

/// Bytes per token where tokens are counted. A rule of thumb, since no vendor's tokenizer is here.
pub const BYTES_PER_TOKEN: usize = 4;

/// Answers one request and records it.
pub fn answer(request: &Request, out: &mut impl Write, state: &State) -> io::Result<()> {
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/messages") => messages(request, out, state),
        ("POST", "/v1/messages/count_tokens") => {
            let tokens = json!({"input_tokens": request.body.len() / BYTES_PER_TOKEN});
            plain(request, out, state, 200, &tokens)
        }
        ("GET" | "HEAD", "/api/hello") => plain(request, out, state, 200, &json!({"message": "hello"})),
        ("GET", "/fake/usage") => http::whole(out, 200, &[], &usage(state).to_string()),
        ("POST", "/fake/script") => replace(request, out, state),
        _ => plain(request, out, state, 404, &error_body(404)),
    }
}

/// Answers a request that has nothing to do with a script.
fn plain(request: &Request, out: &mut impl Write, state: &State, status: u16, body: &Value) -> io::Result<()> {
    locked(&state.record).add(Asked {
        what: what(request),
        status,
        conversation: Conversation::default(),
        answer: Answer::default(),
        by_key: request.header("x-api-key").is_some(),
        whole: false,
        at: SystemTime::now(),
        bytes: request.body.len(),
    });
    let body = if request.method == "HEAD" { String::new() } else { body.to_string() };
    http::whole(out, status, &[], &body)
}

fn what(request: &Request) -> String {
    format!("{} {}", request.method, request.path)
}

fn messages(request: &Request, out: &mut impl Write, state: &State) -> io::Result<()> {
    let at = SystemTime::now();
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
        return plain(request, out, state, 400, &error_body(400));
    };
    let conversation = Conversation::read(&body, request.header("x-claude-code-session-id"));
    let answer = locked(&state.script).answer(&conversation);
    let id = locked(&state.record).message_id();
    let by_key = request.header("x-api-key").is_some();
    let bytes = request.body.len();
    let mut asked = Asked { what: what(request), status: 200, conversation, answer, by_key, whole: true, at, bytes };
    if let Some((status, headers)) = asked.answer.fault.as_ref().and_then(refusal) {
        (asked.status, asked.whole) = (status, false);
        locked(&state.record).add(asked);
        return http::whole(out, status, &headers, &error_body(status).to_string());
    }
    // The request is recorded before the client can see the answer, so a test that waits for the client finds the record.
    asked.whole = !matches!(asked.answer.fault, Some(Fault::Cut | Fault::CutLate | Fault::BadJson));
    locked(&state.record).add(asked.clone());
    let fault = asked.answer.fault.as_ref();
    if body["stream"] == true {
        return sse::stream(out, &sse::events(&id, &asked.conversation.model, &asked.answer), fault);
    }
    let mut message = sse::message(&id, &asked.conversation.model, &asked.answer).to_string();
    match fault {
        // A client that got a broken stream asks again for a whole answer, so that one must break too.
        Some(Fault::Cut | Fault::CutLate) => return http::broken(out, &message),
        Some(Fault::BadJson) => message.truncate(message.len() / 2),
        Some(Fault::Stall { ms }) => std::thread::sleep(Duration::from_millis(*ms)),
        _ => {}
    }
    http::whole(out, 200, &[], &message)
}

/// Returns the status and headers of a fault that replaces the answer by an error.
fn refusal(fault: &Fault) -> Option<(u16, Vec<(String, String)>)> {
    match fault {
        Fault::Status { status, headers } => Some((*status, headers.clone().into_iter().collect())),
        Fault::Limit { resets_in_s } => Some((429, limit_headers(*resets_in_s))),
        Fault::Cut | Fault::CutLate | Fault::BadJson | Fault::Stall { .. } => None,
    }
}

/// Returns the headers of a subscription's answer when its usage window is used up.
fn limit_headers(resets_in_s: u64) -> Vec<(String, String)> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let reset = (now + resets_in_s).to_string();
    let unified = |name: &str, value: &str| (format!("anthropic-ratelimit-unified-{name}"), value.to_owned());
    vec![
        ("retry-after".to_owned(), resets_in_s.to_string()),
        unified("status", "rejected"),
        unified("reset", &reset),
        unified("representative-claim", "five_hour"),
        unified("5h-status", "rejected"),
        unified("5h-reset", &reset),
        unified("5h-utilization", "1.0"),
        unified("fallback", "unavailable"),
        unified("overage-status", "rejected"),
        unified("overage-disabled-reason", "out_of_credits"),
    ]
}

fn error_body(status: u16) -> Value {
    let (kind, message) = match status {
        400 => ("invalid_request_error", "The request is no JSON."),
        401 => ("authentication_error", "invalid x-api-key"),
        403 => ("permission_error", "Your account does not have access."),
        404 => ("not_found_error", "Not found"),
        429 => ("rate_limit_error", "This request would exceed your account's rate limit. Please try again later."),
        529 => ("overloaded_error", "Overloaded"),
        _ => ("api_error", "Internal server error"),
    };
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fake"})
}

/// Returns the claimed usage, by session.
fn usage(state: &State) -> Value {
    let record = locked(&state.record);
    let sessions = record.sessions().into_iter().map(|id| {
        let sum = record.claimed(&id);
        let usage = json!({
            "answers": sum.answers, "input": sum.input, "output": sum.output,
            "cache_read": sum.cache_read, "cache_write": sum.cache_write,
        });
        (id, usage)
    });
    Value::Object(sessions.collect())
}

fn replace(request: &Request, out: &mut impl Write, state: &State) -> io::Result<()> {
    match Script::parse(&String::from_utf8_lossy(&request.body)) {
        Ok(script) => {
            *locked(&state.script) = script;
            http::whole(out, 200, &[], "{}")
        }
        Err(error) => http::whole(out, 400, &[], &json!({"error": error.to_string()}).to_string()),
    }
}
