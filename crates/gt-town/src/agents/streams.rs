//! Turns what clients print while they work, one JSON object a line, into lines for people. Each format has its own objects.
//! Those of clients with an adapter are in its folder. Fields were seen with Codex 0.171.0, OpenCode 1.18.33, Gemini CLI 0.61.0.

use gt_model::usage::Format;
use serde_json::Value;

use super::clients;
use super::text::plain;

/// Characters shown of a tool's input, or of the first line of its result.
pub(super) const SHOWN_CHARS: usize = 160;

/// Turns a message of a client's stream into lines; no lines where it says nothing to people. `None` where it is not a message
/// of that format.
pub fn said(format: Option<Format>, message: &Value) -> Option<Vec<String>> {
    let kind = message["type"].as_str()?;
    match format {
        Some(Format::CodexJsonl) => codex(kind, message),
        Some(Format::OpencodeJsonl) => opencode(kind, message),
        Some(Format::GeminiJsonl) => gemini(kind, message),
        Some(Format::None) | None => clients::said(message),
    }
}

fn codex(kind: &str, message: &Value) -> Option<Vec<String>> {
    Some(match kind {
        "thread.started" => vec![begins(&message["thread_id"], "")],
        "turn.started" | "item.updated" => Vec::new(),
        "item.started" => codex_begun(&message["item"]),
        "item.completed" => codex_done(&message["item"]),
        "turn.completed" => vec![over("", None)],
        "turn.failed" => vec![over("", Some(text(&message["error"]["message"])))],
        "error" => vec![comes(text(&message["message"]), true)],
        _ => return None,
    })
}

fn codex_begun(item: &Value) -> Vec<String> {
    match item["type"].as_str().unwrap_or_default() {
        "command_execution" => vec![uses("shell", item)],
        "mcp_tool_call" => vec![uses(text(&item["tool"]), &item["arguments"])],
        _ => Vec::new(),
    }
}

fn codex_done(item: &Value) -> Vec<String> {
    let failed = matches!(item["status"].as_str(), Some("failed" | "declined"));
    match item["type"].as_str().unwrap_or_default() {
        "agent_message" | "plan" => lines(text(&item["text"])),
        "command_execution" => vec![comes(text(&item["aggregated_output"]), failed)],
        "mcp_tool_call" => vec![comes(text(&item["error"]["message"]), failed)],
        "file_change" => {
            let paths = item["changes"].as_array().into_iter().flatten().map(|change| text(&change["path"]));
            let word = if failed { "edit, which failed" } else { "edit" };
            vec![uses(word, &Value::from(paths.collect::<Vec<_>>().join(", ")))]
        }
        "web_search" => vec![uses("search", item)],
        "error" => vec![comes(text(&item["message"]), true)],
        _ => Vec::new(),
    }
}

fn opencode(kind: &str, message: &Value) -> Option<Vec<String>> {
    let part = &message["part"];
    Some(match kind {
        "step_start" | "step_finish" | "reasoning" => Vec::new(),
        "text" => lines(text(&part["text"])),
        "tool_use" => {
            let state = &part["state"];
            let failed = state["status"] == "error";
            let came = if failed { &state["error"] } else { &state["output"] };
            vec![uses(text(&part["tool"]), &state["input"]), comes(text(came), failed)]
        }
        "error" => {
            let error = &message["error"];
            let why = error["data"]["message"].as_str().unwrap_or_else(|| text(&error["name"]));
            vec![over("", Some(why))]
        }
        _ => return None,
    })
}

fn gemini(kind: &str, message: &Value) -> Option<Vec<String>> {
    let why = text(&message["error"]["message"]);
    Some(match kind {
        "init" => vec![begins(&message["session_id"], text(&message["model"]))],
        "message" => lines(text(&message["content"])),
        "tool_use" => vec![uses(text(&message["tool_name"]), &message["parameters"])],
        "tool_result" if message["status"] == "error" => vec![comes(why, true)],
        "tool_result" => vec![comes(text(&message["output"]), false)],
        "error" => vec![comes(text(&message["message"]), true)],
        "result" => vec![over("", (message["status"] == "error").then_some(why))],
        _ => return None,
    })
}

pub(super) fn begins(session: &Value, what: &str) -> String {
    let what = if what.is_empty() { String::new() } else { format!(": {what}") };
    cut(&format!("* session {} begins{what}", text(session)))
}

/// Describes a use of a tool.
pub(super) fn uses(tool: &str, given: &Value) -> String {
    cut(&format!("> {tool}: {}", input(given)))
}

/// Returns what a tool acts on: its command or file, else all of its input.
fn input(input: &Value) -> String {
    let known = ["command", "file_path", "filePath", "path", "pattern", "url", "query", "description"];
    let found = known.iter().find_map(|name| input[*name].as_str()).or(input.as_str());
    found.map_or_else(|| input.to_string(), str::to_owned)
}

/// Describes a tool's result: its first line, and how many lines follow.
pub(super) fn comes(said: &str, failed: bool) -> String {
    let mark = if failed { "< failed:" } else { "<" };
    let more = match said.lines().count() {
        0 | 1 => String::new(),
        count => format!(" (and {} lines)", count - 1),
    };
    format!("{}{more}", cut(&format!("{mark} {}", said.lines().next().unwrap_or_default())))
}

/// Describes the end of a turn, and why it failed.
pub(super) fn over(more: &str, failed: Option<&str>) -> String {
    match failed {
        None => cut(&format!("= turn over{more}")),
        Some("") => cut(&format!("= failed{more}")),
        Some(why) => cut(&format!("= failed{more}: {why}")),
    }
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub(super) fn lines(said: &str) -> Vec<String> {
    said.lines().map(|line| plain(line, false)).collect()
}

/// Cuts a line to bounded length and removes what a terminal acts on.
fn cut(line: &str) -> String {
    let line = plain(&line.replace(['\n', '\r'], " "), false);
    if line.chars().count() <= SHOWN_CHARS { line } else { line.chars().take(SHOWN_CHARS).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::text::readable;

    /// Checks the lines that each line of a format's stream becomes.
    fn check(format: Option<Format>, cases: &[(&str, &[&str])]) {
        for (line, expected) in cases {
            assert_eq!(readable(line, format), *expected, "{line}");
        }
    }

    #[test]
    fn the_stream_of_codex_reads_like_what_it_does() {
        check(
            Some(Format::CodexJsonl),
            &[
                (r#"{"type":"thread.started","thread_id":"t-1"}"#, &["* session t-1 begins"]),
                (r#"{"type":"turn.started"}"#, &[]),
                (
                    r#"{"type":"item.started","item":{"id":"item_0","type":"command_execution","command":"bash -lc 'gt prime'","aggregated_output":"","exit_code":null,"status":"in_progress"}}"#,
                    &["> shell: bash -lc 'gt prime'"],
                ),
                (
                    r#"{"type":"item.completed","item":{"id":"item_0","type":"command_execution","command":"bash -lc 'gt prime'","aggregated_output":"one\ntwo\n","exit_code":0,"status":"completed"}}"#,
                    &["< one (and 1 lines)"],
                ),
                (
                    r#"{"type":"item.completed","item":{"id":"item_0","type":"command_execution","command":"x","aggregated_output":"no\u001b[2J","exit_code":1,"status":"failed"}}"#,
                    &["< failed: no"],
                ),
                (
                    r#"{"type":"item.completed","item":{"id":"item_1","type":"agent_message","text":"All\ndone"}}"#,
                    &["All", "done"],
                ),
                (r#"{"type":"item.completed","item":{"id":"item_1","type":"reasoning","text":"hm"}}"#, &[]),
                (
                    r#"{"type":"item.completed","item":{"id":"item_2","type":"file_change","changes":[{"path":"a.rs","kind":"add"},{"path":"b.rs","kind":"update"}],"status":"completed"}}"#,
                    &["> edit: a.rs, b.rs"],
                ),
                (r#"{"type":"turn.completed","usage":{"input_tokens":1}}"#, &["= turn over"]),
                (r#"{"type":"turn.failed","error":{"message":"limit"}}"#, &["= failed: limit"]),
                (r#"{"type":"error","message":"gone"}"#, &["< failed: gone"]),
                // Unknown objects are shown, not hidden.
                (r#"{"type":"new.kind","x":1}"#, &[r#"{"type":"new.kind","x":1}"#]),
                ("warning: x", &["warning: x"]),
                (r#"{"type":"item.started"}"#, &[]),
            ],
        );
    }

    #[test]
    fn the_stream_of_opencode_reads_like_what_it_does() {
        check(
            Some(Format::OpencodeJsonl),
            &[
                (r#"{"type":"step_start","sessionID":"s","part":{"type":"step-start"}}"#, &[]),
                (r#"{"type":"text","sessionID":"s","part":{"type":"text","text":"one\ntwo"}}"#, &["one", "two"]),
                (
                    r#"{"type":"tool_use","sessionID":"s","part":{"type":"tool","tool":"bash","state":{"status":"completed","input":{"command":"gt prime"},"output":"a\nb"}}}"#,
                    &["> bash: gt prime", "< a (and 1 lines)"],
                ),
                (
                    r#"{"type":"tool_use","sessionID":"s","part":{"type":"tool","tool":"read","state":{"status":"error","input":{"filePath":"x"},"error":"not found"}}}"#,
                    &["> read: x", "< failed: not found"],
                ),
                (r#"{"type":"step_finish","sessionID":"s","part":{"tokens":{"input":1}}}"#, &[]),
                (
                    r#"{"type":"error","sessionID":"s","error":{"name":"APIError","data":{"message":"overloaded"}}}"#,
                    &["= failed: overloaded"],
                ),
                (r#"{"type":"error","error":{"name":"UnknownError"}}"#, &["= failed: UnknownError"]),
            ],
        );
    }

    #[test]
    fn the_stream_of_gemini_reads_like_what_it_does() {
        check(
            Some(Format::GeminiJsonl),
            &[
                (r#"{"type":"init","session_id":"g-1","model":"gemini-x"}"#, &["* session g-1 begins: gemini-x"]),
                (r#"{"type":"message","role":"assistant","content":"one\ntwo","delta":true}"#, &["one", "two"]),
                (
                    r#"{"type":"tool_use","tool_name":"run_shell_command","tool_id":"1","parameters":{"command":"gt prime"}}"#,
                    &["> run_shell_command: gt prime"],
                ),
                (r#"{"type":"tool_result","tool_id":"1","status":"success","output":"a\nb"}"#, &["< a (and 1 lines)"]),
                (
                    r#"{"type":"tool_result","tool_id":"1","status":"error","error":{"type":"x","message":"no"}}"#,
                    &["< failed: no"],
                ),
                (r#"{"type":"result","status":"success","stats":{}}"#, &["= turn over"]),
                (r#"{"type":"result","status":"error","error":{"message":"[API Error]"}}"#, &["= failed: [API Error]"]),
            ],
        );
    }
}
