//! The client's record of a session, its transcript, and its stream: one JSON object a line. Fields that are not named here
//! are ignored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::usage::{Answered, NAME_BYTES, TOKENS_OF_A_SUM, TOKENS_OF_AN_ANSWER, Tokens, Told};

/// Model of a message that the client makes up to show an error. Such a message is not an answer.
const MADE_UP: &str = "<synthetic>";

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    timestamp: Option<String>,
    uuid: Option<String>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow, rename = "quotaLimits")]
    quota: Option<&'a RawValue>,
    #[serde(borrow)]
    rate_limit_info: Option<&'a RawValue>,
    #[serde(borrow, rename = "modelUsage")]
    model_usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message {
    id: Option<String>,
    model: Option<String>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    input_tokens: Claim,
    #[serde(default)]
    output_tokens: Claim,
    #[serde(default)]
    cache_read_input_tokens: Claim,
    #[serde(default)]
    cache_creation_input_tokens: Claim,
    cache_creation: Option<CacheCreation>,
}

#[derive(Deserialize)]
struct CacheCreation {
    #[serde(default)]
    ephemeral_5m_input_tokens: Claim,
    #[serde(default)]
    ephemeral_1h_input_tokens: Claim,
}

/// A number of tokens that an answer claims. An invalid number becomes 0, so that it does not hide the others.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(from = "serde_json::Value")]
struct Claim(u64);

impl From<serde_json::Value> for Claim {
    fn from(value: serde_json::Value) -> Self {
        let text = || value.as_str().and_then(|text| text.trim().parse().ok());
        // The cast saturates: negative numbers become 0, and large ones the maximum.
        let number = value.as_u64().or_else(|| value.as_f64().or_else(text).map(|number| number as u64));
        Self(number.unwrap_or_default().min(TOKENS_OF_AN_ANSWER))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModelUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation_ephemeral1h_input_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Reset {
    #[serde(rename = "resetsAt")]
    resets_at: Option<i64>,
}

impl Usage {
    fn tokens(&self) -> Tokens {
        let cache = self.cache_creation.as_ref();
        let hour = cache.map_or(0, |cache| cache.ephemeral_1h_input_tokens.0);
        let minutes = cache.map_or(0, |cache| cache.ephemeral_5m_input_tokens.0);
        // Without a stated cache duration, the tokens count as cached for five minutes, the client's default.
        let all = self.cache_creation_input_tokens.0.max(hour.saturating_add(minutes));
        Tokens {
            input: self.input_tokens.0,
            output: self.output_tokens.0,
            cache_read: self.cache_read_input_tokens.0,
            cache_write_5m: all.saturating_sub(hour),
            cache_write_1h: hour,
        }
    }
}

impl ModelUsage {
    /// These are sums, so the limit of the ledger's numbers applies, not that of a single answer.
    fn tokens(&self) -> Tokens {
        let bounded = |tokens: Option<u64>| tokens.unwrap_or_default().min(TOKENS_OF_A_SUM);
        let hour = bounded(self.cache_creation_ephemeral1h_input_tokens);
        Tokens {
            input: bounded(self.input_tokens),
            output: bounded(self.output_tokens),
            cache_read: bounded(self.cache_read_input_tokens),
            cache_write_5m: bounded(self.cache_creation_input_tokens).saturating_sub(hour),
            cache_write_1h: hour,
        }
    }
}

/// Returns the folder with the transcripts of a session's subagents, and the ending of their names.
pub(crate) fn subagents(transcript: &Path) -> (PathBuf, &'static str) {
    (transcript.with_extension("").join("subagents"), ".jsonl")
}

/// A line of a transcript.
pub(crate) fn recorded(line: &[u8]) -> Option<Told> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    Some(Told { resets_at: reset(line.quota), ..told(&line) })
}

/// A line of a stream. The last one of a turn has sums.
pub(crate) fn printed(line: &[u8]) -> Option<Told> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    let sums = line.model_usage.filter(|_| line.kind.as_deref() == Some("result"));
    let sums = sums.and_then(|raw| serde_json::from_str::<BTreeMap<String, ModelUsage>>(raw.get()).ok());
    let totals = sums.unwrap_or_default().into_iter().map(|(model, usage)| (model, usage.tokens())).collect();
    Some(Told { totals, resets_at: reset(line.rate_limit_info), ..told(&line) })
}

fn told(line: &Line<'_>) -> Told {
    let at = line.timestamp.as_deref().and_then(|text| text.parse().ok());
    Told { at, answered: answered(line), ..Told::default() }
}

fn reset(raw: Option<&RawValue>) -> Option<i64> {
    raw.and_then(|raw| serde_json::from_str::<Reset>(raw.get()).ok())?.resets_at
}

fn answered(line: &Line<'_>) -> Option<Answered> {
    let raw = line.message.filter(|_| line.kind.as_deref() == Some("assistant"))?;
    let Message { id, model, usage } = serde_json::from_str(raw.get()).ok()?;
    let (id, tokens) = (id.or_else(|| line.uuid.clone())?, usage?.tokens());
    (model.as_deref() != Some(MADE_UP)).then_some(Answered { id, model, tokens })
}

pub(crate) fn tool_use(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Written<'a> {
        #[serde(rename = "type")]
        kind: String,
        #[serde(rename = "isSidechain", default)]
        of_subagent: bool,
        #[serde(borrow)]
        message: &'a RawValue,
    }
    #[derive(Deserialize)]
    struct Answered {
        id: String,
        content: Vec<Block>,
    }
    #[derive(Deserialize)]
    struct Block {
        #[serde(rename = "type")]
        kind: String,
    }
    // Most lines contain no tool use. They are not parsed.
    std::str::from_utf8(line).ok().filter(|text| text.contains("\"tool_use\""))?;
    let written: Written<'_> = serde_json::from_slice(line).ok()?;
    let answered: Answered = serde_json::from_str(written.message.get()).ok()?;
    let uses = answered.content.iter().any(|block| block.kind == "tool_use");
    let is_own = written.kind == "assistant" && !written.of_subagent;
    (uses && is_own && answered.id.len() <= NAME_BYTES).then_some(answered.id)
}
