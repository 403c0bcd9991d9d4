//! Scripts: rules for answers to requests.
//!
//! ```json
//! { "rules": [
//!     { "when": { "result": "step (?<step>\\w+) is next" },
//!       "unless": { "ran": "echo done" },
//!       "calls": [ { "tool": "Bash", "input": { "command": "echo {{step}}" } } ] },
//!     { "text": "Done." } ] }
//! ```
//!
//! Every condition is a regular expression; `(?s)` and the like go in front. Its named groups can be used as `{{name}}` in
//! texts and calls.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::conversation::Conversation;

/// An ordered list of rules.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The first rule that matches gives the answer. If none does, the answer is a short text that ends the turn.
    pub rules: Vec<Rule>,
}

/// A rule: its conditions and its answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// The rule's name in the record; if empty, its number, from 1.
    pub name: String,
    /// Conditions that must all match.
    pub when: When,
    /// Conditions of which none may match.
    pub unless: When,
    /// Whether the rule answers the client's side questions instead of its agent's turns.
    pub aside: bool,
    /// The answer's text.
    pub text: String,
    /// The tools that the answer calls.
    pub calls: Vec<ToolUse>,
    /// The usage that the answer claims.
    pub usage: Usage,
    /// A fault to inject.
    pub fault: Option<Fault>,
}

/// Conditions on a conversation, each a regular expression or a list of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// In the system prompt.
    pub system: Patterns,
    /// In the text since the last answer.
    pub last: Patterns,
    /// In any text by the user, a hook or a reminder.
    pub said: Patterns,
    /// In the tools' results since the last answer.
    pub result: Patterns,
    /// In all that is new to the model: the text or the results since the last answer.
    pub new: Patterns,
    /// In any tool's result.
    pub results: Patterns,
    /// In a line `<tool>: <input>` of the calls.
    pub ran: Patterns,
    /// Anywhere in the request.
    pub anywhere: Patterns,
    /// In the model's name.
    pub model: Patterns,
}

/// Regular expressions that must all match.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "OneOrMany")]
pub struct Patterns(Vec<Regex>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl TryFrom<OneOrMany> for Patterns {
    type Error = regex_lite::Error;

    fn try_from(words: OneOrMany) -> Result<Self, Self::Error> {
        let words = match words {
            OneOrMany::One(word) => vec![word],
            OneOrMany::Many(words) => words,
        };
        words.iter().map(|word| Regex::new(word)).collect::<Result<_, _>>().map(Self)
    }
}

/// A call of a tool, with `{{name}}` in its input's texts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolUse {
    /// The tool's name.
    pub tool: String,
    /// Its input.
    #[serde(default)]
    pub input: Map<String, Value>,
}

/// The tokens that an answer claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// Input tokens that were neither read from the cache nor written to it.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Tokens read from the cache.
    pub cache_read: u64,
    /// Tokens written to the cache.
    pub cache_write: u64,
}

impl Default for Usage {
    fn default() -> Self {
        Self { input: 100, output: 10, cache_read: 0, cache_write: 0 }
    }
}

/// A fault in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// An error replaces the answer: 401, 429, 500, 529.
    Status {
        /// The HTTP status.
        status: u16,
        /// Headers in addition to the usual ones.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// The plan's limit is reached: 429 with headers that name the window and its end.
    Limit {
        /// Seconds from now until the window resets.
        resets_in_s: u64,
    },
    /// The connection breaks in the middle of the answer.
    Cut,
    /// The whole answer is sent, but the connection breaks before the end marker.
    CutLate,
    /// An event of the stream is not JSON.
    BadJson,
    /// The answer begins, pauses, and continues.
    Stall {
        /// Length of the pause, in milliseconds.
        ms: u64,
    },
}

/// A rule's answer to a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The rule's name; empty if no rule matched.
    pub rule: String,
    /// The answer's text.
    pub text: String,
    /// The tools that the answer calls.
    pub calls: Vec<ToolUse>,
    /// The usage that the answer claims.
    pub usage: Usage,
    /// A fault to inject.
    pub fault: Option<Fault>,
}

impl Script {
    /// Parses a script from JSON.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// Returns the answer to a request.
    pub fn answer(&self, conversation: &Conversation) -> Answer {
        let rules = self.rules.iter().enumerate().filter(|(_, rule)| rule.aside == conversation.is_aside());
        let mut fitting = rules.filter_map(|(at, rule)| Some((at, rule, rule.fits(conversation)?)));
        fitting.next().map_or_else(unscripted, |(at, rule, names)| rule.answer(at, &names))
    }
}

fn unscripted() -> Answer {
    Answer { text: "I have nothing more to do.".to_owned(), ..Answer::default() }
}

/// Named groups with the texts that they matched.
type Names = BTreeMap<String, String>;

impl Rule {
    /// Returns the named groups if all conditions match.
    fn fits(&self, conversation: &Conversation) -> Option<Names> {
        let names = self.when.all(conversation)?;
        (!self.unless.any(conversation)).then_some(names)
    }

    fn answer(&self, at: usize, names: &Names) -> Answer {
        let rule = if self.name.is_empty() { (at + 1).to_string() } else { self.name.clone() };
        let calls = self.calls.iter().map(|call| call.filled(names)).collect();
        Answer { rule, text: filled(&self.text, names), calls, usage: self.usage, fault: self.fault.clone() }
    }
}

impl When {
    fn all(&self, conversation: &Conversation) -> Option<Names> {
        let mut names = Names::new();
        for (patterns, text) in self.beside(conversation) {
            for pattern in &patterns.0 {
                let found = pattern.captures(&text)?;
                let named = pattern.capture_names().flatten();
                names.extend(named.filter_map(|n| Some((n.to_owned(), found.name(n)?.as_str().to_owned()))));
            }
        }
        Some(names)
    }

    fn any(&self, conversation: &Conversation) -> bool {
        let beside = self.beside(conversation);
        beside.iter().any(|(patterns, text)| patterns.0.iter().any(|pattern| pattern.is_match(text)))
    }

    /// Pairs each condition with its text.
    fn beside(&self, it: &Conversation) -> Vec<(&Patterns, String)> {
        let all: [(&Patterns, &dyn Fn() -> String); 9] = [
            (&self.system, &|| it.system.clone()),
            (&self.last, &|| it.last.clone()),
            (&self.said, &|| it.said.join("\n")),
            (&self.result, &|| it.fresh_results().join("\n")),
            (&self.new, &|| format!("{}\n{}", it.last, it.fresh_results().join("\n"))),
            (&self.results, &|| it.results.join("\n")),
            (&self.ran, &|| it.ran()),
            (&self.anywhere, &|| it.everything()),
            (&self.model, &|| it.model.clone()),
        ];
        all.into_iter().filter(|(patterns, _)| !patterns.0.is_empty()).map(|(p, text)| (p, text())).collect()
    }
}

impl ToolUse {
    fn filled(&self, names: &Names) -> Self {
        let mut input = self.input.clone();
        input.values_mut().for_each(|value| fill(value, names));
        Self { tool: self.tool.clone(), input }
    }
}

fn fill(value: &mut Value, names: &Names) {
    match value {
        Value::String(text) => *text = filled(text, names),
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, names)),
        Value::Object(fields) => fields.values_mut().for_each(|value| fill(value, names)),
        _ => {}
    }
}

fn filled(text: &str, names: &Names) -> String {
    names.iter().fold(text.to_owned(), |text, (name, found)| text.replace(&format!("{{{{{name}}}}}"), found))
}
