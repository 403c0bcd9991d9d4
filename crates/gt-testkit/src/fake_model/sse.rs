//! Formats an answer as the Messages API does, whole or as server-sent events.
//! Source: <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::http::Chunks;
use super::script::{Answer, Fault, Usage};

/// Returns the events of an answer, in order: their names and data.
pub fn events(id: &str, model: &str, answer: &Answer) -> Vec<(&'static str, Value)> {
    let mut message = message(id, model, answer);
    let reason = message["stop_reason"].take();
    let blocks = message["content"].take();
    message["content"] = json!([]);
    message["usage"] = usage(answer.usage, 1);
    let mut events = vec![("message_start", json!({"message": message})), ("ping", json!({}))];
    for (index, block) in blocks.as_array().into_iter().flatten().enumerate() {
        let (begin, delta) = opened(block);
        events.push(("content_block_start", json!({"index": index, "content_block": begin})));
        events.push(("content_block_delta", json!({"index": index, "delta": delta})));
        events.push(("content_block_stop", json!({"index": index})));
    }
    let delta = json!({"stop_reason": reason, "stop_sequence": null});
    events.push(("message_delta", json!({"delta": delta, "usage": usage(answer.usage, answer.usage.output)})));
    events.push(("message_stop", json!({})));
    events
}

/// Returns a block's start, and the delta that fills it.
fn opened(block: &Value) -> (Value, Value) {
    if block["type"] == "text" {
        return (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": block["text"]}));
    }
    let mut begin = block.clone();
    begin["input"] = json!({});
    (begin, json!({"type": "input_json_delta", "partial_json": block["input"].to_string()}))
}

/// Returns the whole message, for clients that don't stream.
pub fn message(id: &str, model: &str, answer: &Answer) -> Value {
    let text = (!answer.text.is_empty()).then(|| json!({"type": "text", "text": answer.text}));
    let calls = answer.calls.iter().enumerate().map(|(at, call)| {
        json!({"type": "tool_use", "id": format!("toolu_{id}_{at}"), "name": call.tool, "input": call.input})
    });
    let content: Vec<Value> = text.into_iter().chain(calls).collect();
    let reason = if answer.calls.is_empty() { "end_turn" } else { "tool_use" };
    json!({
        "id": id, "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": reason, "stop_sequence": null, "usage": usage(answer.usage, answer.usage.output),
    })
}

fn usage(usage: Usage, output: u64) -> Value {
    json!({
        "input_tokens": usage.input, "output_tokens": output, "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": usage.cache_write, "service_tier": "standard",
    })
}

/// Sends the events, with the fault to inject.
pub fn stream(out: &mut impl Write, events: &[(&'static str, Value)], fault: Option<&Fault>) -> io::Result<()> {
    let mut chunks = Chunks::begin(out)?;
    // After the first delta, the client has begun to use the answer.
    let middle = events.iter().position(|(name, _)| *name == "content_block_delta").map_or(1, |at| at + 1);
    for (at, (name, data)) in events.iter().enumerate() {
        if fault == Some(&Fault::CutLate) && *name == "message_delta" {
            // Gives the client time to read what was sent.
            thread::sleep(Duration::from_millis(300));
            return Ok(());
        }
        if at == middle {
            match fault {
                Some(Fault::Cut) => return Ok(()),
                Some(Fault::BadJson) => chunks.send(&format!("event: {name}\ndata: {{\"type\": \"{name}\", \n\n"))?,
                Some(Fault::Stall { ms }) => thread::sleep(Duration::from_millis(*ms)),
                _ => {}
            }
        }
        chunks.send(&line(name, data))?;
    }
    chunks.end()
}

fn line(name: &str, data: &Value) -> String {
    let mut whole = json!({"type": name});
    if let (Some(whole), Some(data)) = (whole.as_object_mut(), data.as_object()) {
        whole.extend(data.clone());
    }
    format!("event: {name}\ndata: {whole}\n\n")
}
