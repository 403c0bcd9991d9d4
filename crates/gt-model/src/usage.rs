//! Token usage of models' answers, read from a client's own record: its transcript, or its output stream if there is none.
//!
//! The record is not under gt's control. One answer spans several lines with the same message id and the same usage, a fork
//! starts with a copy of what came before it, and a line may contain anything. So each id counts once, older lines can be left
//! out, and everything that can't be parsed is ignored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::foreign;

mod printed;

pub use printed::Format;
use printed::Printed;

/// Maximum length of a line, in bytes. Longer ones are ignored.
pub const LINE_BYTES: usize = 16 * 1024 * 1024;

/// Maximum number of tokens of one kind for one answer. No model has a context window of this size.
const TOKENS_OF_AN_ANSWER: u64 = 100_000_000;

/// Maximum number of tokens of one kind for a sum of answers, so that the ledger's numbers don't overflow.
const TOKENS_OF_A_SUM: u64 = TOKENS_OF_AN_ANSWER * 10_000;

/// Maximum number of answers that are counted in one session. Further ones are ignored.
const ANSWERS: usize = 500_000;

/// Maximum number of models of one session that are counted separately. Further ones count as [`OTHER`].
const MODELS: usize = 16;

/// Name for the models beyond the limit.
const OTHER: &str = "other";

/// Name for a model that neither the client nor its preset names.
pub const UNNAMED: &str = "a model that is not named";

/// Maximum length of an id or a model's name, in bytes.
const NAME_BYTES: usize = 100;

/// Tokens, by price class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tokens {
    /// Input tokens that were neither read from the cache nor written to it.
    pub input: u64,
    /// Output tokens of the model.
    pub output: u64,
    /// Tokens read from the cache.
    pub cache_read: u64,
    /// Tokens written to the five-minute cache.
    pub cache_write_5m: u64,
    /// Tokens written to the one-hour cache.
    pub cache_write_1h: u64,
}

impl Tokens {
    /// Returns the sum over all classes.
    pub fn total(&self) -> u64 {
        self.fields().into_iter().fold(0, u64::saturating_add)
    }

    /// Adds up two counts.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.each(other, u64::saturating_add)
    }

    fn fields(&self) -> [u64; 5] {
        [self.input, self.output, self.cache_read, self.cache_write_5m, self.cache_write_1h]
    }

    fn each(&self, other: &Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            input: join(self.input, other.input),
            output: join(self.output, other.output),
            cache_read: join(self.cache_read, other.cache_read),
            cache_write_5m: join(self.cache_write_5m, other.cache_write_5m),
            cache_write_1h: join(self.cache_write_1h, other.cache_write_1h),
        }
    }
}

/// Number of answers and of their tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// Number of answers.
    pub answers: u64,
    /// Number of tokens.
    #[serde(flatten)]
    pub tokens: Tokens,
}

impl Sum {
    /// Adds up two sums.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self { answers: self.answers.saturating_add(other.answers), tokens: self.tokens.plus(&other.tokens) }
    }
}

/// Splits a growing file into lines while it is read.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
    too_long: bool,
}

impl Lines {
    /// Takes the next bytes. Calls `each` for every line that is complete by now.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.append(&rest[..end]);
            if !self.too_long {
                each(&self.begun);
            }
            (self.begun, self.too_long) = (Vec::new(), false);
            rest = &rest[end + 1..];
        }
        self.append(rest);
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.too_long || self.begun.len() + bytes.len() > LINE_BYTES {
            (self.begun, self.too_long) = (Vec::new(), true);
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }
}

/// How completely a line reports an answer.
#[derive(Clone, Copy)]
enum Told {
    Whole,
    Begun,
}

#[derive(Clone, Debug)]
struct Answer {
    model: String,
    at: Option<Timestamp>,
    tokens: Tokens,
}

/// Usage of one run of an agent, as recorded so far.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    answers: BTreeMap<String, Answer>,
    models: Vec<String>,
    /// Answers that a stream reported when they began.
    begun: BTreeMap<String, Answer>,
    stream: BTreeMap<String, Tokens>,
    resets_at: Option<i64>,
}

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

impl Line<'_> {
    fn at(&self) -> Option<Timestamp> {
        self.timestamp.as_deref().and_then(|text| text.parse().ok())
    }
}

impl Usage {
    fn tokens(&self) -> Tokens {
        let cache = self.cache_creation.as_ref();
        let hour = cache.map_or(0, |cache| cache.ephemeral_1h_input_tokens.0);
        let minutes = cache.map_or(0, |cache| cache.ephemeral_5m_input_tokens.0);
        // If the duration is not stated, it is the shorter one, which is the client's default.
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

impl Meter {
    /// Takes a line of a transcript. Ignores lines older than `since`: they belong to another run.
    pub fn take(&mut self, line: &[u8], since: Option<Timestamp>) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return };
        let at = line.at();
        if since.is_some_and(|since| at.is_none_or(|at| at < since)) {
            return;
        }
        self.note_reset(line.quota);
        self.add(Told::Whole, &line);
    }

    /// Takes a line of an output stream. A stream reports an answer when it begins. Its input tokens count if no transcript has
    /// the answer, for example because the client was killed before it wrote the answer down. The stream's sums count if there is
    /// no transcript.
    pub fn take_stream(&mut self, line: &[u8]) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return };
        self.note_reset(line.rate_limit_info);
        self.add(Told::Begun, &line);
        let sums = line.model_usage.filter(|_| line.kind.as_deref() == Some("result"));
        let sums = sums.and_then(|raw| serde_json::from_str::<BTreeMap<String, ModelUsage>>(raw.get()).ok());
        for (model, usage) in sums.unwrap_or_default() {
            let model = self.known_model(&model);
            self.stream.insert(model, usage.tokens());
        }
    }

    /// Takes a line that a client printed in `format`. `model` is the name for a model that the line does not name.
    pub fn take_printed(&mut self, format: Format, model: &str, line: &[u8]) {
        match printed::read(format, line) {
            Some(Printed::Answer { id, at, tokens }) => {
                let model = self.known_model(model);
                if self.answers.len() < ANSWERS {
                    self.answers.entry(id).or_insert(Answer { model, at, tokens });
                }
            }
            Some(Printed::Totals(totals)) => {
                for (name, tokens) in totals {
                    let model = self.known_model(name.as_deref().unwrap_or(model));
                    self.stream.insert(model, tokens);
                }
            }
            None => {}
        }
    }

    /// Returns the end of the last reported limit, in seconds since the epoch.
    pub fn resets_at(&self) -> Option<i64> {
        self.resets_at
    }

    fn note_reset(&mut self, raw: Option<&RawValue>) {
        let reset = raw.and_then(|raw| serde_json::from_str::<Reset>(raw.get()).ok());
        self.resets_at = reset.and_then(|reset| reset.resets_at).or(self.resets_at);
    }

    fn add(&mut self, told: Told, line: &Line<'_>) {
        let Some((id, model, tokens)) = answer(line) else { return };
        let answers = self.answers_told(told);
        if let Some(known) = answers.get_mut(&id) {
            // The last line of an answer is complete. In a copy the lines may be in any order, so the maximum counts.
            known.tokens = known.tokens.each(&tokens, u64::max);
        } else if answers.len() < ANSWERS {
            let model = self.known_model(&model);
            self.answers_told(told).insert(id, Answer { model, at: line.at(), tokens });
        }
    }

    fn answers_told(&mut self, told: Told) -> &mut BTreeMap<String, Answer> {
        match told {
            Told::Whole => &mut self.answers,
            Told::Begun => &mut self.begun,
        }
    }

    fn known_model(&mut self, name: &str) -> String {
        let name = foreign::one_line(foreign::cut(name, NAME_BYTES));
        if self.models.contains(&name) {
            return name;
        }
        if self.models.len() == MODELS {
            return OTHER.to_owned();
        }
        self.models.push(name.clone());
        name
    }

    /// Sums up the answers since `since`, by model. Leaves out answers without a time.
    pub fn sums_from(&self, since: Timestamp) -> BTreeMap<String, Sum> {
        let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
        for answer in self.told().filter(|answer| answer.at.is_some_and(|at| at >= since)) {
            let entry = sums.entry(answer.model.clone()).or_default();
            *entry = entry.plus(&Sum { answers: 1, tokens: answer.tokens });
        }
        sums
    }

    /// Returns the number of answers so far.
    pub fn answers(&self) -> usize {
        self.told().count()
    }

    /// Returns each answer once: as in the transcript, or as the stream reported its beginning.
    fn told(&self) -> impl Iterator<Item = &Answer> {
        let unwritten = self.begun.iter().filter(|(id, _)| !self.answers.contains_key(*id));
        self.answers.values().chain(unwritten.map(|(_, answer)| answer))
    }

    /// Sums up the answers by model and by the day that `day` returns for their time.
    pub fn sums(&self, day: impl Fn(Option<Timestamp>) -> String) -> BTreeMap<(String, String), Sum> {
        let mut sums: BTreeMap<(String, String), Sum> = BTreeMap::new();
        let mut add = |model: &str, day: String, sum: Sum| {
            let entry = sums.entry((model.to_owned(), day)).or_default();
            *entry = entry.plus(&sum);
        };
        if self.answers.is_empty() && !self.stream.is_empty() {
            for (model, tokens) in &self.stream {
                add(model, day(None), Sum { answers: 0, tokens: *tokens });
            }
            return sums;
        }
        for answer in self.told() {
            add(&answer.model, day(answer.at), Sum { answers: 1, tokens: answer.tokens });
        }
        sums
    }
}

/// Returns the id of the answer, if a line of an agent's own transcript reports an answer that uses a tool. Answers of its
/// subagents don't count.
pub fn tool_use(line: &[u8]) -> Option<String> {
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

/// Returns the id, the model and the tokens of the answer that a line reports.
fn answer(line: &Line<'_>) -> Option<(String, String, Tokens)> {
    let raw = line.message.filter(|_| line.kind.as_deref() == Some("assistant"))?;
    let message = serde_json::from_str::<Message>(raw.get()).ok()?;
    let (id, usage) = (message.id.or_else(|| line.uuid.clone())?, message.usage?);
    // A broken answer that does not name its model still costs money.
    let model = message.model.unwrap_or_else(|| OTHER.to_owned());
    // A message that the client makes up to show an error is not an answer.
    let is_answer = model != "<synthetic>" && !id.is_empty() && id.len() <= NAME_BYTES;
    is_answer.then(|| (id, model, usage.tokens()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, at: &str, usage: &str) -> String {
        format!(r#"{{"type":"assistant","timestamp":"{at}","message":{{"id":"{id}","model":"m-1","usage":{usage}}}}}"#)
    }

    const USAGE: &str = r#"{"input_tokens":100,"output_tokens":10,"cache_read_input_tokens":5,
        "cache_creation_input_tokens":30,"cache_creation":{"ephemeral_1h_input_tokens":20,"ephemeral_5m_input_tokens":10}}"#;
    const NOON: &str = "2026-11-22T12:00:00Z";

    fn metered(lines: &[String]) -> Meter {
        let mut meter = Meter::default();
        lines.iter().for_each(|line| meter.take(line.as_bytes(), None));
        meter
    }

    fn all(meter: &Meter) -> Sum {
        meter.sums(|_| String::new()).values().fold(Sum::default(), |sum, more| sum.plus(more))
    }

    #[test]
    fn each_answer_counts_once_and_whole() {
        let begun = r#"{"input_tokens":100,"output_tokens":1}"#;
        let lines = [("a", begun), ("a", USAGE), ("b", begun), ("a", USAGE), ("a", begun)];
        let sum = all(&metered(&lines.map(|(id, usage)| line(id, NOON, usage))));
        let tokens = Tokens { input: 200, output: 11, cache_read: 5, cache_write_5m: 10, cache_write_1h: 20 };
        assert_eq!(sum, Sum { answers: 2, tokens });
        assert_eq!(tokens.total(), 246);
    }

    #[test]
    fn what_is_printed_again_counts_once() {
        let step = |id: &str| format!(r#"{{"type":"step_finish","part":{{"id":"{id}","tokens":{{"input":10}}}}}}"#);
        let turn = |input: u64| format!(r#"{{"type":"turn.completed","usage":{{"input_tokens":{input}}}}}"#);
        let sums = |format, lines: &[String]| {
            let mut meter = Meter::default();
            lines.iter().for_each(|line| meter.take_printed(format, "m-1", line.as_bytes()));
            meter
                .sums(|_| String::new())
                .into_iter()
                .map(|((model, _), sum)| (model, sum.answers, sum.tokens.input))
                .collect::<Vec<_>>()
        };
        let of = |answers, input| vec![("m-1".to_owned(), answers, input)];
        assert_eq!(sums(Format::OpencodeJsonl, &[step("a"), step("b"), step("a")]), of(2, 20));
        assert_eq!(sums(Format::CodexJsonl, &[turn(10), turn(25)]), of(0, 25));
        assert_eq!(sums(Format::None, &[turn(10), step("a")]), vec![]);
    }

    #[test]
    fn a_broken_answer_counts_with_what_can_be_read_of_it() {
        let check = |usage: &str, expected: u64| {
            let sum = all(&metered(&[line("a", NOON, usage)]));
            assert_eq!((sum.answers, sum.tokens.total()), (1, expected), "{usage}");
        };
        check(r#"{"input_tokens":100,"output_tokens":-5}"#, 100);
        check(r#"{"input_tokens":100,"output_tokens":null,"cache_creation":{"ephemeral_1h_input_tokens":"x"}}"#, 100);
        check(r#"{"input_tokens":"100","output_tokens":10.0}"#, 110);
        check(r#"{"input_tokens":1e30,"output_tokens":[]}"#, TOKENS_OF_AN_ANSWER);
        check("{}", 0);
        let nameless = r#"{"type":"assistant","uuid":"u-1","message":{"usage":{"input_tokens":7}}}"#.to_owned();
        let meter = metered(&[nameless.clone(), nameless]);
        assert_eq!(meter.sums(|_| String::new()).keys().map(|(model, _)| model.as_str()).collect::<Vec<_>>(), [OTHER]);
        assert_eq!(all(&meter).tokens.total(), 7);
    }

    #[test]
    fn what_came_since_a_time_is_summed_by_itself() {
        let meter = metered(&[line("a", "2026-11-22T11:59:59Z", USAGE), line("b", NOON, USAGE), line("c", "?", USAGE)]);
        let since: Timestamp = NOON.parse().unwrap();
        assert_eq!((meter.sums_from(since)["m-1"].answers, meter.answers()), (1, 3));
        assert!(meter.sums_from("2027-01-01T00:00:00Z".parse().unwrap()).is_empty());
    }

    #[test]
    fn what_was_carried_over_belongs_to_who_made_it() {
        let mut meter = Meter::default();
        let since: Timestamp = NOON.parse().unwrap();
        for (id, at) in [("old", "2026-11-22T11:59:59.9Z"), ("new", NOON), ("when", "?")] {
            meter.take(line(id, at, USAGE).as_bytes(), Some(since));
        }
        assert_eq!(all(&meter).answers, 1);
    }

    #[test]
    fn junk_counts_as_nothing_and_numbers_are_bounded() {
        let huge = format!(r#"{{"input_tokens":{},"output_tokens":{}}}"#, u64::MAX, u64::MAX);
        let lines = [
            String::new(),
            "{".to_owned(),
            "null".to_owned(),
            "[1]".to_owned(),
            r#"{"type":"assistant","message":"words"}"#.to_owned(),
            r#"{"type":"assistant","message":{"id":7,"usage":{}}}"#.to_owned(),
            line("", NOON, USAGE),
            line(&"x".repeat(999), NOON, USAGE),
            line("made-up", NOON, USAGE).replace("m-1", "<synthetic>"),
            line("not-said", NOON, USAGE).replace("assistant", "user"),
        ];
        assert_eq!(all(&metered(&lines)), Sum::default());
        let sum = all(&metered(&[line("a", NOON, &huge), line("b", "no time", "{}")]));
        assert_eq!((sum.answers, sum.tokens.input), (2, TOKENS_OF_AN_ANSWER));
        let max = Tokens { input: u64::MAX, output: 1, ..Tokens::default() };
        assert_eq!((max.total(), max.plus(&max).input), (u64::MAX, u64::MAX));
    }

    #[test]
    fn a_hostile_record_has_few_models_and_clean_names() {
        let of = |n: usize| line(&format!("id{n}"), NOON, USAGE).replace("m-1", &format!("m-{n}\\u001b"));
        let meter = metered(&(0..50).map(of).collect::<Vec<_>>());
        let sums = meter.sums(|_| String::new());
        assert_eq!((sums.len(), all(&meter).answers), (MODELS + 1, 50));
        assert!(sums.keys().all(|(model, _)| model == OTHER || model.ends_with(' ')), "{sums:?}");
    }

    #[test]
    fn sums_are_by_model_and_day() {
        let meter = metered(&[line("a", NOON, USAGE), line("b", "2026-11-23T01:00:00Z", USAGE)]);
        let sums = meter.sums(|at| at.map_or("?".to_owned(), |at| at.to_string()[..10].to_owned()));
        let days: Vec<&str> = sums.keys().map(|(_, day)| day.as_str()).collect();
        assert_eq!(days, ["2026-11-22", "2026-11-23"]);
    }

    #[test]
    fn f20_the_end_of_a_limit_is_read_in_seconds() {
        let mut meter = Meter::default();
        for quota in ["7", "{}", r#"{"resetsAt":"soon"}"#, r#"{"resetsAt":1700000000}"#, "null"] {
            let text = format!(r#"{{"type":"assistant","quotaLimits":{quota}}}"#);
            meter.take(text.as_bytes(), None);
        }
        assert_eq!(meter.resets_at(), Some(1_700_000_000));
        let event = r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1800000000}}"#;
        meter.take_stream(event.as_bytes());
        assert_eq!(meter.resets_at(), Some(1_800_000_000));
    }

    #[test]
    fn a_stream_counts_by_its_last_sums_where_there_is_no_transcript() {
        let mut meter = Meter::default();
        for (input, kind) in [(100, "result"), (250, "result"), (999, "system")] {
            let text = format!(
                r#"{{"type":"{kind}","modelUsage":{{"m-1":{{"inputTokens":{input},"outputTokens":7,"cacheCreationInputTokens":9,"cacheCreationEphemeral1hInputTokens":4}}}}}}"#
            );
            meter.take_stream(text.as_bytes());
        }
        let tokens = Tokens { input: 250, output: 7, cache_write_5m: 5, cache_write_1h: 4, ..Tokens::default() };
        assert_eq!(all(&meter).tokens, tokens);
        meter.take(line("a", NOON, USAGE).as_bytes(), None);
        assert_eq!(all(&meter).tokens.input, 100);
    }

    #[test]
    fn an_answer_that_was_told_but_never_written_counts_with_what_it_read() {
        let begun = r#"{"input_tokens":100,"output_tokens":1}"#;
        let mut meter = metered(&[line("a", NOON, USAGE)]);
        for id in ["a", "b", "b"] {
            meter.take_stream(line(id, NOON, begun).as_bytes());
        }
        let sum = all(&meter);
        assert_eq!((sum.answers, sum.tokens.input, sum.tokens.output), (2, 200, 11));
        meter.take(line("b", NOON, USAGE).as_bytes(), None);
        let sum = all(&meter);
        assert_eq!((sum.answers, sum.tokens.output), (2, 20), "once it is written, what is written counts");
    }

    #[test]
    fn a_stream_that_was_cut_before_its_first_sums_counts_with_what_was_told() {
        let mut meter = Meter::default();
        meter.take_stream(line("a", NOON, USAGE).as_bytes());
        meter.take_stream(line("made-up", NOON, USAGE).replace("m-1", "<synthetic>").as_bytes());
        assert_eq!((all(&meter).answers, all(&meter).tokens.input), (1, 100));
    }

    #[test]
    fn lines_are_cut_wherever_reading_stopped() {
        let mut seen = Vec::new();
        let mut lines = Lines::default();
        for part in ["ab", "c\nd\n\ne", "f"] {
            lines.feed(part.as_bytes(), |line| seen.push(String::from_utf8_lossy(line).into_owned()));
        }
        assert_eq!(seen, ["abc", "d", ""]);
        let mut count = 0;
        let long = vec![b'x'; LINE_BYTES / 2 + 1];
        for part in [&long[..], &long[..], b"\nfine\n"] {
            lines.feed(part, |line| {
                assert_eq!(line, b"fine");
                count += 1;
            });
        }
        assert_eq!(count, 1);
    }
}
