//! Token usage of models' answers, read from a client's own record: its transcript, or its output stream if there is none.
//!
//! The record is not under gt's control. One answer spans several lines with the same message id and the same usage, a fork
//! starts with a copy of what came before it, and a line may contain anything. So each id counts once, older lines can be left
//! out, and everything that can't be parsed is ignored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::clients::Client;
use crate::foreign;

mod printed;

pub use printed::Format;
use printed::Printed;

/// Maximum length of a line, in bytes. Longer ones are ignored.
pub const LINE_BYTES: usize = 16 * 1024 * 1024;

/// Maximum number of tokens of one kind for one answer. No model has a context window of this size.
pub(crate) const TOKENS_OF_AN_ANSWER: u64 = 100_000_000;

/// Maximum number of tokens of one kind for a sum of answers, so that the ledger's numbers don't overflow.
pub(crate) const TOKENS_OF_A_SUM: u64 = TOKENS_OF_AN_ANSWER * 10_000;

/// Maximum number of answers that are counted in one session. Further ones are ignored.
const ANSWERS: usize = 500_000;

/// Maximum number of models of one session that are counted separately. Further ones count as [`OTHER`].
const MODELS: usize = 16;

/// Name for the models beyond the limit.
const OTHER: &str = "other";

/// Name for a model that neither the client nor its preset names.
pub const UNNAMED: &str = "a model that is not named";

/// Maximum length of an id or a model's name, in bytes.
pub(crate) const NAME_BYTES: usize = 100;

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

/// Report in one line of a client's record, or of its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Time of the line, if given.
    pub at: Option<Timestamp>,
    /// The answer that the line reports.
    pub answered: Option<Answered>,
    /// Sums of the whole session so far, by model. They replace earlier sums.
    pub totals: BTreeMap<String, Tokens>,
    /// When a limit of the account ends, in seconds since the epoch.
    pub resets_at: Option<i64>,
}

/// An answer of a model, as one line reports it. Lines with the same id report the same answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Id of the answer.
    pub id: String,
    /// Name of the model, if given.
    pub model: Option<String>,
    /// Tokens that the answer took.
    pub tokens: Tokens,
}

/// How completely a line reports an answer.
#[derive(Clone, Copy)]
enum Telling {
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

impl Meter {
    /// Takes a line of a client's record. Ignores lines older than `since`: they belong to another run.
    pub fn take(&mut self, client: Client, line: &[u8], since: Option<Timestamp>) {
        let Some(told) = client.recorded(line) else { return };
        if since.is_some_and(|since| told.at.is_none_or(|at| at < since)) {
            return;
        }
        self.note(Telling::Whole, told);
    }

    /// Takes a line of an output stream. A stream reports an answer when it begins. Its input tokens count if no record has the
    /// answer, for example because the client was killed before it wrote the answer down. The stream's sums count if there is
    /// no record.
    pub fn take_stream(&mut self, client: Client, line: &[u8]) {
        if let Some(told) = client.printed(line) {
            self.note(Telling::Begun, told);
        }
    }

    fn note(&mut self, telling: Telling, told: Told) {
        self.resets_at = told.resets_at.or(self.resets_at);
        if let Some(answered) = told.answered {
            self.add(telling, told.at, answered);
        }
        for (model, tokens) in told.totals {
            let model = self.known_model(&model);
            self.stream.insert(model, tokens);
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

    fn add(&mut self, telling: Telling, at: Option<Timestamp>, answered: Answered) {
        let Answered { id, model, tokens } = answered;
        if id.is_empty() || id.len() > NAME_BYTES {
            return;
        }
        let answers = self.answers_told(telling);
        if let Some(known) = answers.get_mut(&id) {
            // The last line of an answer is complete. In a copy the lines may be in any order, so the maximum counts.
            known.tokens = known.tokens.each(&tokens, u64::max);
        } else if answers.len() < ANSWERS {
            // A broken answer that does not say whose it is was paid all the same.
            let model = self.known_model(model.as_deref().unwrap_or(OTHER));
            self.answers_told(telling).insert(id, Answer { model, at, tokens });
        }
    }

    fn answers_told(&mut self, telling: Telling) -> &mut BTreeMap<String, Answer> {
        match telling {
            Telling::Whole => &mut self.answers,
            Telling::Begun => &mut self.begun,
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
        lines.iter().for_each(|line| meter.take(Client::Claude, line.as_bytes(), None));
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
            meter.take(Client::Claude, line(id, at, USAGE).as_bytes(), Some(since));
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
            meter.take(Client::Claude, text.as_bytes(), None);
        }
        assert_eq!(meter.resets_at(), Some(1_700_000_000));
        let event = r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1800000000}}"#;
        meter.take_stream(Client::Claude, event.as_bytes());
        assert_eq!(meter.resets_at(), Some(1_800_000_000));
    }

    #[test]
    fn a_stream_counts_by_its_last_sums_where_there_is_no_transcript() {
        let mut meter = Meter::default();
        for (input, kind) in [(100, "result"), (250, "result"), (999, "system")] {
            let text = format!(
                r#"{{"type":"{kind}","modelUsage":{{"m-1":{{"inputTokens":{input},"outputTokens":7,"cacheCreationInputTokens":9,"cacheCreationEphemeral1hInputTokens":4}}}}}}"#
            );
            meter.take_stream(Client::Claude, text.as_bytes());
        }
        let tokens = Tokens { input: 250, output: 7, cache_write_5m: 5, cache_write_1h: 4, ..Tokens::default() };
        assert_eq!(all(&meter).tokens, tokens);
        meter.take(Client::Claude, line("a", NOON, USAGE).as_bytes(), None);
        assert_eq!(all(&meter).tokens.input, 100);
    }

    #[test]
    fn an_answer_that_was_told_but_never_written_counts_with_what_it_read() {
        let begun = r#"{"input_tokens":100,"output_tokens":1}"#;
        let mut meter = metered(&[line("a", NOON, USAGE)]);
        for id in ["a", "b", "b"] {
            meter.take_stream(Client::Claude, line(id, NOON, begun).as_bytes());
        }
        let sum = all(&meter);
        assert_eq!((sum.answers, sum.tokens.input, sum.tokens.output), (2, 200, 11));
        meter.take(Client::Claude, line("b", NOON, USAGE).as_bytes(), None);
        let sum = all(&meter);
        assert_eq!((sum.answers, sum.tokens.output), (2, 20), "once it is written, what is written counts");
    }

    #[test]
    fn a_stream_that_was_cut_before_its_first_sums_counts_with_what_was_told() {
        let mut meter = Meter::default();
        meter.take_stream(Client::Claude, line("a", NOON, USAGE).as_bytes());
        meter.take_stream(Client::Claude, line("made-up", NOON, USAGE).replace("m-1", "<synthetic>").as_bytes());
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
