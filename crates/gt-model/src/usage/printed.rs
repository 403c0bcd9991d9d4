//! Token usage that clients print: one JSON object per line, in a format of each client's own.
//!
//! The fields are those of Codex 0.171.0 (`exec --json`), OpenCode 1.18.33 (`run --format json`) and Gemini CLI 0.61.0
//! (`--output-format stream-json`). Everything that can't be read is ignored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{NAME_BYTES, TOKENS_OF_A_SUM, TOKENS_OF_AN_ANSWER, Tokens};

/// Format of the usage that a client prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Codex: `turn.completed` contains the tokens of the whole session, without the model.
    CodexJsonl,
    /// OpenCode: each `step_finish` contains the tokens of one answer, without the model.
    OpencodeJsonl,
    /// Gemini: `result` contains the tokens of the whole session, by model.
    GeminiJsonl,
    /// No usage: the client asks no model.
    None,
}

impl Format {
    /// Whether its lines name the models, so that their prices can be found.
    pub fn names_models(self) -> bool {
        match self {
            Self::GeminiJsonl | Self::None => true,
            Self::CodexJsonl | Self::OpencodeJsonl => false,
        }
    }
}

/// Usage that a line reports. The model is `None` if the line does not name it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Printed {
    /// One answer, with its id.
    Answer { id: String, at: Option<Timestamp>, tokens: Tokens },
    /// Totals of the session so far. They replace earlier ones.
    Totals(BTreeMap<Option<String>, Tokens>),
}

/// Reads a line.
pub(super) fn read(format: Format, line: &[u8]) -> Option<Printed> {
    // Other output of the program is not parsed.
    if line.first() != Some(&b'{') {
        return None;
    }
    let line: Value = serde_json::from_slice(line).ok()?;
    let kind = line["type"].as_str()?;
    match (format, kind) {
        (Format::CodexJsonl, "turn.completed") => codex(&line["usage"]),
        (Format::OpencodeJsonl, "step_finish") => opencode(&line),
        (Format::GeminiJsonl, "result") => gemini(&line["stats"]["models"]),
        _ => None,
    }
}

/// Reads a number of tokens. Anything else counts as 0.
fn count(value: &Value, at_most: u64) -> u64 {
    // The cast saturates.
    let number = value.as_u64().or_else(|| value.as_f64().map(|number| number as u64));
    number.unwrap_or_default().min(at_most)
}

fn codex(usage: &Value) -> Option<Printed> {
    usage.as_object()?;
    let of = |name: &str| count(&usage[name], TOKENS_OF_A_SUM);
    let (cached, written) = (of("cached_input_tokens"), of("cache_write_input_tokens"));
    let tokens = Tokens {
        // Codex counts cached tokens as part of the input, and thinking tokens as part of the output.
        input: of("input_tokens").saturating_sub(cached).saturating_sub(written),
        output: of("output_tokens"),
        cache_read: cached,
        cache_write_5m: written,
        cache_write_1h: 0,
    };
    Some(Printed::Totals(BTreeMap::from([(None, tokens)])))
}

fn opencode(line: &Value) -> Option<Printed> {
    let part = &line["part"];
    let id = part["id"].as_str().filter(|id| !id.is_empty() && id.len() <= NAME_BYTES)?.to_owned();
    let tokens = &part["tokens"];
    tokens.as_object()?;
    let of = |value: &Value| count(value, TOKENS_OF_AN_ANSWER);
    let tokens = Tokens {
        input: of(&tokens["input"]),
        // OpenCode counts thinking tokens separately from the output. They cost the same.
        output: of(&tokens["output"]).saturating_add(of(&tokens["reasoning"])),
        cache_read: of(&tokens["cache"]["read"]),
        cache_write_5m: of(&tokens["cache"]["write"]),
        cache_write_1h: 0,
    };
    let at = line["timestamp"].as_i64().and_then(|at| Timestamp::from_millisecond(at).ok());
    Some(Printed::Answer { id, at, tokens })
}

fn gemini(models: &Value) -> Option<Printed> {
    let totals = models.as_object()?.iter().map(|(model, usage)| {
        let of = |name: &str| count(&usage[name], TOKENS_OF_A_SUM);
        let (all_input, cached) = (of("input_tokens"), of("cached"));
        let tokens = Tokens {
            input: all_input.saturating_sub(cached),
            // Only the total includes thinking tokens.
            output: of("total_tokens").saturating_sub(all_input).max(of("output_tokens")),
            cache_read: cached,
            ..Tokens::default()
        };
        (Some(model.clone()), tokens)
    });
    Some(Printed::Totals(totals.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(input: u64, output: u64, cache_read: u64, cache_write_5m: u64) -> Tokens {
        Tokens { input, output, cache_read, cache_write_5m, cache_write_1h: 0 }
    }

    fn total(model: Option<&str>, tokens: Tokens) -> Option<Printed> {
        Some(Printed::Totals(BTreeMap::from([(model.map(str::to_owned), tokens)])))
    }

    /// Lines that the clients printed against a fake model. For each of two answers it claimed 1200 and 1500 tokens of input
    /// (OpenCode and Gemini: 1200 each). Of these, 200 were cached. It also claimed 50 tokens of output, 20 of them for thinking
    /// (Gemini: 20 more).
    #[test]
    fn what_each_client_printed_is_read_to_the_token() {
        let check = |format, line: &str, expected| assert_eq!(read(format, line.as_bytes()), expected, "{line}");
        check(
            Format::CodexJsonl,
            r#"{"type":"turn.completed","usage":{"input_tokens":2700,"cached_input_tokens":400,"cache_write_input_tokens":0,"output_tokens":100,"reasoning_output_tokens":40}}"#,
            total(None, tokens(2300, 100, 400, 0)),
        );
        check(
            Format::OpencodeJsonl,
            r#"{"type":"step_finish","timestamp":1796027361517,"sessionID":"ses_1","part":{"id":"prt_1","reason":"tool-calls","snapshot":"4b82","messageID":"msg_1","sessionID":"ses_1","type":"step-finish","tokens":{"total":1250,"input":1000,"output":30,"reasoning":20,"cache":{"write":0,"read":200}},"cost":0}}"#,
            Some(Printed::Answer {
                id: "prt_1".to_owned(),
                at: Timestamp::from_millisecond(1_796_027_361_517).ok(),
                tokens: tokens(1000, 50, 200, 0),
            }),
        );
        check(
            Format::GeminiJsonl,
            r#"{"type":"result","timestamp":"2026-11-30T08:29:24.754Z","status":"success","stats":{"total_tokens":2540,"input_tokens":2400,"output_tokens":100,"cached":400,"input":2000,"duration_ms":190,"tool_calls":1,"models":{"gemini-x":{"total_tokens":2540,"input_tokens":2400,"output_tokens":100,"cached":400,"input":2000}}}}"#,
            total(Some("gemini-x"), tokens(2000, 140, 400, 0)),
        );
        // A result with an error has statistics, too.
        check(
            Format::GeminiJsonl,
            r#"{"type":"result","status":"error","error":{"type":"unknown","message":"[API Error: …]"},"stats":{"total_tokens":0,"models":{}}}"#,
            Some(Printed::Totals(BTreeMap::new())),
        );
    }

    #[test]
    fn other_lines_and_lines_of_another_client_tell_nothing() {
        let turn = r#"{"type":"turn.completed","usage":{"input_tokens":1}}"#;
        for (format, line) in [
            (Format::OpencodeJsonl, turn),
            (Format::GeminiJsonl, turn),
            (Format::None, turn),
            (Format::CodexJsonl, r#"{"type":"turn.completed","usage":null}"#),
            (Format::CodexJsonl, r#"{"type":"turn.completed"}"#),
            (Format::CodexJsonl, r#"{"type":"item.completed","usage":{"input_tokens":1}}"#),
            (Format::CodexJsonl, r#"{"type":7,"usage":{"input_tokens":1}}"#),
            (Format::CodexJsonl, r#"x{"type":"turn.completed","usage":{"input_tokens":1}}"#),
            (Format::CodexJsonl, ""),
            (Format::CodexJsonl, "{"),
            (Format::OpencodeJsonl, r#"{"type":"step_finish","part":{"tokens":{"input":1}}}"#),
            (Format::OpencodeJsonl, r#"{"type":"step_finish","part":{"id":"p","tokens":9}}"#),
            (Format::GeminiJsonl, r#"{"type":"result","stats":{"models":[]}}"#),
        ] {
            assert_eq!(read(format, line.as_bytes()), None, "{format:?} {line}");
        }
    }

    #[test]
    fn numbers_that_are_none_or_too_large_are_bounded() {
        let line = format!(
            r#"{{"type":"turn.completed","usage":{{"input_tokens":-5,"cached_input_tokens":"many","output_tokens":{}0}}}}"#,
            u64::MAX
        );
        assert_eq!(read(Format::CodexJsonl, line.as_bytes()), total(None, tokens(0, TOKENS_OF_A_SUM, 0, 0)));
        let cached = r#"{"type":"turn.completed","usage":{"input_tokens":5,"cached_input_tokens":9}}"#;
        assert_eq!(read(Format::CodexJsonl, cached.as_bytes()), total(None, tokens(0, 0, 9, 0)));
    }
}
