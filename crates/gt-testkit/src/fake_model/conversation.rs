//! The content of a request: the system prompt, the messages, the tools that ran and their results.

use serde_json::Value;

/// A request of the Messages API, as far as scripts look at it. All of its text comes from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// The client's id of its session; empty if it gives none.
    pub session: String,
    /// The requested model.
    pub model: String,
    /// The system prompt.
    pub system: String,
    /// All text of the user's messages, including text that hooks and reminders added.
    pub said: Vec<String>,
    /// The text since the last answer. Clients spread it over several messages: the prompt, output of hooks, reminders.
    pub last: String,
    /// The model's answers.
    pub answered: Vec<String>,
    /// The tools that the model called, in order.
    pub calls: Vec<Call>,
    /// The results of the calls, in order.
    pub results: Vec<String>,
    /// How many of the results arrived after the last answer.
    pub fresh: usize,
    /// Names of the tools that the client offers.
    pub offered: Vec<String>,
}

/// One call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The tool's name.
    pub tool: String,
    /// The tool's input: a command as plain text, anything else as JSON.
    pub input: String,
}

impl Conversation {
    /// Reads a request's body, and skips what it does not know.
    pub fn read(body: &Value, session_header: Option<&str>) -> Self {
        let mut it = Self {
            session: session_header.map(str::to_owned).or_else(|| session(body)).unwrap_or_default(),
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            system: text(&body["system"]),
            offered: list(&body["tools"]).iter().filter_map(|t| t["name"].as_str()).map(str::to_owned).collect(),
            ..Self::default()
        };
        let messages = list(&body["messages"]);
        for message in messages {
            it.add(message);
        }
        let answered = messages.iter().rposition(|message| message["role"] == "assistant").map_or(0, |at| at + 1);
        let new = messages[answered..].iter().map(|message| &message["content"]);
        it.last = new.clone().map(text).collect::<Vec<_>>().join("\n");
        it.fresh = new.flat_map(list).filter(|block| block["type"] == "tool_result").count();
        it
    }

    fn add(&mut self, message: &Value) {
        let content = &message["content"];
        let texts = if message["role"] == "assistant" { &mut self.answered } else { &mut self.said };
        let words = text(content);
        if !words.is_empty() {
            texts.push(words);
        }
        for block in list(content) {
            match block["type"].as_str() {
                Some("tool_use") => self.calls.push(Call::read(block)),
                Some("tool_result") => self.results.push(text(&block["content"])),
                _ => {}
            }
        }
    }

    /// Whether the client asks a side question (a title, a summary, its quota) and not for its agent's next turn.
    pub fn is_aside(&self) -> bool {
        self.offered.is_empty()
    }

    /// Returns the results of the last calls.
    pub fn fresh_results(&self) -> &[String] {
        &self.results[self.results.len().saturating_sub(self.fresh)..]
    }

    /// Returns the calls, each as a line `<tool>: <input>`.
    pub fn ran(&self) -> String {
        self.calls.iter().map(|call| format!("{}: {}\n", call.tool, call.input)).collect()
    }

    /// Returns all text of the request.
    pub fn everything(&self) -> String {
        let parts = [self.system.as_str(), &self.said.join("\n"), &self.answered.join("\n"), &self.results.join("\n")];
        parts.join("\n") + "\n" + &self.ran()
    }
}

impl Call {
    fn read(block: &Value) -> Self {
        let input = &block["input"];
        let words = input["command"].as_str().map_or_else(|| input.to_string(), str::to_owned);
        Self { tool: block["name"].as_str().unwrap_or_default().to_owned(), input: words }
    }
}

/// Returns the text of a string or of a list of blocks.
fn text(content: &Value) -> String {
    let blocks = list(content).iter().filter_map(|block| block["text"].as_str());
    content.as_str().map_or_else(|| blocks.collect::<Vec<_>>().join("\n"), str::to_owned)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns the session in `metadata.user_id`: in JSON, or after `_session_`.
fn session(body: &Value) -> Option<String> {
    let user = body["metadata"]["user_id"].as_str()?;
    let json = serde_json::from_str::<Value>(user).ok();
    let named = json.as_ref().and_then(|json| json["session_id"].as_str());
    named.or_else(|| user.split_once("_session_").map(|(_, id)| id)).map(str::to_owned)
}
