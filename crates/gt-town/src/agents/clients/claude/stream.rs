//! Turns the client's stream of messages, printed without a terminal, into lines for people.

use serde_json::Value;

use crate::agents::streams::{begins, comes, lines, over, text, uses};

/// Turns a message into lines; `None` where it is not a message of this client.
pub(crate) fn said(message: &Value) -> Option<Vec<String>> {
    let kind = message["type"].as_str()?;
    message.get("session_id").map(|_| of_kind(kind, message))
}

fn of_kind(kind: &str, message: &Value) -> Vec<String> {
    match kind {
        "system" if message["subtype"] == "init" => {
            let what = [text(&message["model"]), text(&message["permissionMode"])].join(", ");
            vec![begins(&message["session_id"], &what)]
        }
        "assistant" | "user" => of_content(&message["message"]["content"]),
        "result" => {
            let turns = message["num_turns"].as_u64().map(|turns| format!(", {turns} turns")).unwrap_or_default();
            vec![over(&turns, (message["is_error"] == true).then(|| text(&message["result"])))]
        }
        _ => Vec::new(),
    }
}

fn of_content(content: &Value) -> Vec<String> {
    if let Some(said) = content.as_str() {
        return lines(said);
    }
    let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
    blocks.iter().flat_map(of_block).collect()
}

fn of_block(block: &Value) -> Vec<String> {
    match block["type"].as_str().unwrap_or_default() {
        "text" => lines(text(&block["text"])),
        "tool_use" => vec![uses(text(&block["name"]), &block["input"])],
        "tool_result" => {
            let said = match &block["content"] {
                Value::String(said) => said.clone(),
                parts => parts.as_array().into_iter().flatten().map(|part| text(&part["text"])).collect(),
            };
            vec![comes(&said, block["is_error"] == true)]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::agents::streams::SHOWN_CHARS;
    use crate::agents::text::readable;

    #[test]
    fn its_stream_reads_like_what_it_does() {
        let cases: &[(&str, &[&str])] = &[
            (
                r#"{"type":"system","subtype":"init","session_id":"u-1","model":"m","permissionMode":"acceptEdits"}"#,
                &["* session u-1 begins: m, acceptEdits"],
            ),
            (
                r#"{"type":"assistant","session_id":"u","message":{"content":[{"type":"thinking","thinking":"x"},{"type":"text","text":"one\ntwo"},{"type":"tool_use","name":"Bash","input":{"command":"gt prime","description":"d"}}]}}"#,
                &["one", "two", "> Bash: gt prime"],
            ),
            (
                r#"{"type":"user","session_id":"u","message":{"content":[{"type":"tool_result","content":"first\nsecond\nthird"}]}}"#,
                &["< first (and 2 lines)"],
            ),
            (
                r#"{"type":"user","session_id":"u","message":{"content":[{"type":"tool_result","is_error":true,"content":[{"type":"text","text":"\u001b[31mno\u001b[2J"}]}]}}"#,
                &["< failed: no"],
            ),
            (
                r#"{"type":"result","session_id":"u","is_error":true,"num_turns":1,"result":"Not logged in"}"#,
                &["= failed, 1 turns: Not logged in"],
            ),
            (
                r#"{"type":"result","session_id":"u","is_error":false,"num_turns":3,"result":"all"}"#,
                &["= turn over, 3 turns"],
            ),
            (r#"{"type":"stream_event","session_id":"u"}"#, &[]),
            (r#"{"type":"something of the project"}"#, &[r#"{"type":"something of the project"}"#]),
            ("plain \u{1b}[1mtext", &["plain text"]),
            (r#"{"type":"assistant","session_id":"u","message":{"content":7}}"#, &[]),
        ];
        for (line, expected) in cases {
            assert_eq!(readable(line, None), *expected, "{line}");
        }
        let long = format!(
            r#"{{"type":"assistant","session_id":"u","message":{{"content":[{{"type":"tool_use","name":"W","input":{{"x":"{}"}}}}]}}}}"#,
            "é".repeat(9000)
        );
        assert_eq!(readable(&long, None)[0].chars().count(), SHOWN_CHARS + 1);
    }
}
