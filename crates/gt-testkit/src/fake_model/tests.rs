//! Tests the fake server over a socket, with plain bytes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Claimed, FakeModel, Script};

/// A reply of the server.
struct Reply {
    head: String,
    body: String,
    /// Whether the reply ended properly.
    whole: bool,
}

impl Reply {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status")
    }

    /// Returns the events of a stream: names and data.
    fn events(&self) -> Vec<(String, Result<Value, serde_json::Error>)> {
        let events = self.body.split("\n\n").filter(|event| !event.trim().is_empty());
        let parts = events.map(|event| event.split_once("\ndata: ").expect("an event has data"));
        parts.map(|(name, data)| (name.replace("event: ", ""), serde_json::from_str(data))).collect()
    }

    fn names(&self) -> Vec<String> {
        self.events().into_iter().map(|(name, _)| name).collect()
    }
}

fn fake(rules: &Value) -> FakeModel {
    let script = Script::parse(&json!({"rules": rules}).to_string()).expect("a script");
    FakeModel::start(script, 0, None).expect("it listens")
}

fn ask(fake: &FakeModel, method: &str, path: &str, body: &str) -> Reply {
    let mut stream = TcpStream::connect(fake.address).expect("it listens");
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("headers end");
    if !head.contains("chunked") {
        return Reply { head: head.to_owned(), body: body.to_owned(), whole: true };
    }
    let mut rest = body.as_bytes();
    let mut body = Vec::new();
    let whole = loop {
        match chunk(&mut rest) {
            Ok(piece) if piece.is_empty() => break true,
            Ok(piece) => body.extend(piece),
            Err(_) => break false,
        }
    };
    Reply { head: head.to_owned(), body: String::from_utf8(body).expect("text"), whole }
}

fn chunk(rest: &mut &[u8]) -> io::Result<Vec<u8>> {
    let end = rest.windows(2).position(|two| two == b"\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let length = usize::from_str_radix(&String::from_utf8_lossy(&rest[..end]), 16).map_err(io::Error::other)?;
    *rest = &rest[end + 2..];
    let mut piece = vec![0; length + 2];
    rest.read_exact(&mut piece)?;
    piece.truncate(length);
    Ok(piece)
}

/// Returns a request of an agent's turn: its messages, and the tools on offer.
fn turn(messages: &Value) -> String {
    json!({
        "model": "m", "stream": true, "messages": messages, "tools": [{"name": "Bash"}],
        "system": [{"type": "text", "text": "You are a test."}],
        "metadata": {"user_id": "{\"session_id\":\"s1\"}"},
    })
    .to_string()
}

fn say(fake: &FakeModel, words: &str) -> Reply {
    ask(fake, "POST", "/v1/messages?beta=true", &turn(&json!([{"role": "user", "content": words}])))
}

/// Returns a reply's text, and the inputs of the tools that it calls.
fn said(reply: &Reply) -> (String, Vec<Value>) {
    let deltas = reply.events().into_iter().filter_map(|(_, data)| data.ok()).filter(|d| !d["delta"].is_null());
    let deltas: Vec<Value> = deltas.map(|d| d["delta"].clone()).collect();
    let text = deltas.iter().filter_map(|d| d["text"].as_str()).collect();
    let inputs = deltas.iter().filter_map(|d| d["partial_json"].as_str());
    (text, inputs.map(|json| serde_json::from_str(json).expect("an input")).collect())
}

#[test]
fn an_answer_is_a_stream_of_the_known_events() {
    let fake = fake(&json!([{"text": "Hello.", "calls": [{"tool": "Bash", "input": {"command": "true"}}],
        "usage": {"input": 7, "output": 3, "cache_read": 2, "cache_write": 1}}]));
    let reply = say(&fake, "hi");
    assert!(reply.whole && reply.head.contains("text/event-stream"), "{}", reply.head);
    let block = ["content_block_start", "content_block_delta", "content_block_stop"];
    let expected = [&["message_start", "ping"][..], &block, &block, &["message_delta", "message_stop"]].concat();
    assert_eq!(reply.names(), expected);
    let events: Vec<Value> = reply.events().into_iter().map(|(_, data)| data.expect("JSON")).collect();
    assert_eq!(events[0]["message"]["usage"]["input_tokens"], 7);
    assert_eq!(events[5]["content_block"]["name"], "Bash");
    assert_eq!(events[8]["delta"]["stop_reason"], "tool_use");
    assert_eq!(events[8]["usage"]["output_tokens"], 3);
    assert_eq!(said(&reply), ("Hello.".to_owned(), vec![json!({"command": "true"})]));
    let claimed = Claimed { answers: 1, input: 7, output: 3, cache_read: 2, cache_write: 1 };
    assert_eq!(fake.claimed("s1"), claimed);
    assert_eq!(fake.sessions(), ["s1"]);
    assert!(!fake.asked()[0].by_key, "there was no key");
    let usage = ask(&fake, "GET", "/fake/usage", "");
    assert_eq!(serde_json::from_str::<Value>(&usage.body).expect("JSON")["s1"]["cache_read"], 2);
}

#[test]
fn a_client_that_does_not_stream_gets_one_message() {
    let fake = fake(&json!([{"text": "Hello."}]));
    let reply = ask(&fake, "POST", "/v1/messages", &turn(&json!([])).replace("\"stream\":true", "\"stream\":false"));
    let message: Value = serde_json::from_str(&reply.body).expect("JSON");
    assert_eq!(message["content"][0]["text"], "Hello.");
    assert_eq!(message["stop_reason"], "end_turn");
}

#[test]
fn the_first_fitting_rule_answers_by_content_alone() {
    let fake = fake(&json!([
        {"name": "next", "when": {"result": "step (?<step>\\w+) is next"}, "unless": {"results": "all done"},
         "text": "On to {{step}}.", "calls": [{"tool": "Bash", "input": {"command": "gt step done {{step}}"}}]},
        {"name": "after-prime", "when": {"ran": "^Bash: gt prime"}, "text": "primed"},
        {"name": "begin", "when": {"system": "test", "last": ["bead (?<bead>gt-\\w+)", "rig"]}, "text": "for {{bead}}"},
        {"name": "title", "aside": true, "text": "A title"},
    ]));
    let asked = |result: &str| {
        json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "Bash", "input": {"command": "gt prime"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": result}]}]},
        ])
    };
    let cases = [
        (json!([{"role": "user", "content": "bead gt-a1 of rig x"}]), "for gt-a1", None),
        (json!([{"role": "user", "content": "bead gt-a1"}]), "I have nothing more to do.", None),
        (asked("step build is next"), "On to build.", Some("gt step done build")),
        (asked("step build is next, all done"), "primed", None),
    ];
    // Each request is sent twice, with others in between: it must always get the same answer.
    for (messages, text, command) in cases.iter().chain(&cases) {
        let reply = ask(&fake, "POST", "/v1/messages", &turn(messages));
        let inputs = command.map(|command| json!({"command": command})).into_iter().collect();
        assert_eq!(said(&reply), ((*text).to_owned(), inputs));
    }
    let aside = turn(&json!([{"role": "user", "content": "go"}])).replace("[{\"name\":\"Bash\"}]", "[]");
    assert_eq!(said(&ask(&fake, "POST", "/v1/messages", &aside)).0, "A title");
    let answers = |session: &str| fake.claimed(session).answers;
    assert_eq!((answers("s1"), answers("other")), (8, 0), "what is asked aside is nobody's turn");
    assert!(fake.heard("bead gt-a1 of rig x") && !fake.heard("bead gt-a2"));
    let rules: Vec<String> = fake.asked().into_iter().take(4).map(|asked| asked.answer.rule).collect();
    assert_eq!(rules, ["begin", "", "next", "after-prime"]);
}

#[test]
fn no_two_answers_share_an_id() {
    let fake = fake(&json!([{"text": "same"}]));
    let id = |reply: Reply| reply.events().remove(0).1.expect("JSON")["message"]["id"].to_string();
    assert_ne!(id(say(&fake, "a")), id(say(&fake, "a")));
}

#[test]
fn errors_come_with_status_and_headers_and_cost_nothing() {
    let header = json!({"retry-after": "3"});
    for status in [401, 429, 500, 529] {
        let fake = fake(&json!([{"fault": {"status": {"status": status, "headers": header}}}]));
        let reply = say(&fake, "go");
        assert_eq!(reply.status(), status);
        assert!(reply.head.contains("retry-after: 3"), "{}", reply.head);
        assert_eq!(serde_json::from_str::<Value>(&reply.body).expect("JSON")["type"], "error");
        assert_eq!((fake.claimed("s1").answers, fake.asked()[0].status), (0, status));
    }
}

#[test]
fn a_limit_names_its_window_and_its_end() {
    let fake = fake(&json!([{"fault": {"limit": {"resets_in_s": 3600}}}]));
    let reply = say(&fake, "go");
    assert_eq!(reply.status(), 429);
    for header in ["retry-after: 3600", "unified-status: rejected", "unified-representative-claim: five_hour"] {
        assert!(reply.head.contains(header), "no {header} in {}", reply.head);
    }
    assert!(reply.head.contains("anthropic-ratelimit-unified-reset: "));
}

#[test]
fn a_cut_stream_ends_in_the_middle() {
    let fake = fake(&json!([{"text": "Hello.", "fault": "cut"}]));
    let reply = say(&fake, "go");
    assert!(!reply.whole);
    assert_eq!(reply.names().last().map(String::as_str), Some("content_block_delta"));
    assert_eq!(fake.claimed("s1"), Claimed::default());
}

#[test]
fn bad_json_is_one_event_of_the_stream() {
    let fake = fake(&json!([{"text": "Hello.", "fault": "bad-json"}]));
    let bad = say(&fake, "go").events().into_iter().filter(|(_, data)| data.is_err()).count();
    assert_eq!(bad, 1);
}

#[test]
fn what_is_not_streamed_breaks_as_well() {
    let ask_whole = |fault: &str| {
        let fake = fake(&json!([{"text": "Hello.", "fault": fault}]));
        ask(&fake, "POST", "/v1/messages", &turn(&json!([])).replace("\"stream\":true", "\"stream\":false"))
    };
    assert!(serde_json::from_str::<Value>(&ask_whole("bad-json").body).is_err());
    let cut = ask_whole("cut");
    let length = format!("content-length: {}", cut.body.len());
    assert!(cut.head.contains("content-length: ") && !cut.head.contains(&length), "{}", cut.head);
}

#[test]
fn what_is_said_since_the_last_answer_may_be_several_messages() {
    let fake =
        fake(&json!([{"when": {"last": "(?s)the prompt.*a reminder"}, "unless": {"last": "before"}, "text": "both"}]));
    let messages = json!([
        {"role": "user", "content": "before"}, {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "the prompt"}, {"role": "system", "content": "a reminder"},
    ]);
    assert_eq!(said(&ask(&fake, "POST", "/v1/messages", &turn(&messages))).0, "both");
}

#[test]
fn a_stalled_answer_is_late_and_whole() {
    let fake = fake(&json!([{"text": "Hello.", "fault": {"stall": {"ms": 200}}}]));
    let begin = Instant::now();
    let reply = say(&fake, "go");
    // At least this long. How much longer depends on the machine.
    assert!(reply.whole && begin.elapsed() >= Duration::from_millis(200));
    assert_eq!(said(&reply).0, "Hello.");
}

#[test]
fn other_requests_get_sensible_answers_and_are_recorded() {
    let fake = fake(&json!([]));
    let cases = [
        ("HEAD", "/api/hello", "", 200),
        ("GET", "/api/hello", "", 200),
        ("POST", "/v1/messages/count_tokens?beta=true", "{\"messages\":[]}", 200),
        ("POST", "/v1/messages", "no JSON", 400),
        ("GET", "/nowhere", "", 404),
    ];
    for (method, path, body, status) in cases {
        assert_eq!(ask(&fake, method, path, body).status(), status, "{method} {path}");
    }
    let what: Vec<(String, u16)> = fake.asked().into_iter().map(|asked| (asked.what, asked.status)).collect();
    assert_eq!(what[4], ("GET /nowhere".to_owned(), 404));
    assert_eq!(what.len(), cases.len());
}

#[test]
fn a_script_can_be_replaced_and_a_bad_one_is_refused() {
    let fake = fake(&json!([{"text": "old"}]));
    let new = json!({"rules": [{"text": "new"}]}).to_string();
    assert_eq!(ask(&fake, "POST", "/fake/script", &new).status(), 200);
    assert_eq!(said(&say(&fake, "go")).0, "new");
    for bad in ["{", "{\"rules\":[{\"when\":{\"last\":\"(\"}}]}", "{\"rules\":[{\"whem\":{}}]}"] {
        assert_eq!(ask(&fake, "POST", "/fake/script", bad).status(), 400, "{bad}");
    }
    assert_eq!(said(&say(&fake, "go")).0, "new");
}

#[test]
fn requests_are_logged_a_line_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let fake = FakeModel::start(Script::default(), 0, Some(&log)).expect("it listens");
    say(&fake, "remember me");
    ask(&fake, "GET", "/nowhere", "");
    let lines = std::fs::read_to_string(&log).expect("a log");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&lines[0]["last"], &lines[0]["session"]), (&json!("remember me"), &json!("s1")));
    assert_eq!((&lines[1]["what"], &lines[1]["status"]), (&json!("GET /nowhere"), &json!(404)));
}

#[test]
fn nonsense_ends_one_connection_only() {
    let fake = fake(&json!([{"text": "fine"}]));
    for nonsense in
        ["\r\n\r\n", "POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", "GET / HTTP/1.1\r\nx\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(fake.address).expect("it listens");
        stream.write_all(nonsense.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        // The server closed with data unread, which the kernel may signal by a reset.
        let _closed = stream.read_to_end(&mut answer);
        assert!(answer.is_empty());
    }
    assert_eq!(said(&say(&fake, "go")).0, "fine");
}
