//! A client of tests, with no model behind it. It shows what a new client takes: its hooks speak a JSON of their own, and its
//! usage is a table in a folder of its own. It is not offered to people.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;

use super::State;
use super::state::UNKNOWN;
use crate::foreign;
use crate::guard::ToolCall;
use crate::moment::{
    Answer, Asking, Event, Failure, Heard, KEPT_TEXT_BYTES, Moment, NUDGE_LINE, Notice, Session, Source,
};
use crate::usage::{Answered, TOKENS_OF_AN_ANSWER, Tokens, Told};

pub(super) const TITLE: &str = "the echo of tests";

pub(super) const STATE: State = State { folder: ".gt-echo", ..UNKNOWN };

/// Length that an id or a path may have, in bytes.
const PATH_BYTES: usize = 4096;

/// Input of its hook at any moment.
#[derive(Deserialize)]
struct Said {
    /// Its session.
    run: String,
    /// The folder where it keeps its table of usage.
    keeps: Option<PathBuf>,
    /// Text that was typed.
    typed: Option<String>,
    /// The command line that it wants to run.
    wants: Option<String>,
    /// How many commands of its own still run.
    #[serde(default)]
    children: usize,
    /// Why its turn ended.
    broke: Option<String>,
    /// Message to a person.
    words: Option<String>,
}

pub(super) fn hear(moment: Moment, input: &[u8]) -> serde_json::Result<Heard> {
    let said: Said = serde_json::from_slice(input)?;
    let id = foreign::one_line(foreign::cut(&said.run, PATH_BYTES));
    let table = said.keeps.as_ref().map(|folder| folder.join(format!("{id}.tokens")).display().to_string());
    Ok(Heard {
        event_name: moment.as_str().to_owned(),
        session: Some(Session { id, transcript: table.filter(|path| path.len() <= PATH_BYTES) }),
        subagent: false,
        asking: Asking::ByRules,
        cwd: None,
        event: event(moment, &said),
    })
}

fn event(moment: Moment, said: &Said) -> Event {
    let words = || foreign::one_line(foreign::cut(said.words.as_deref().unwrap_or_default(), KEPT_TEXT_BYTES));
    match moment {
        Moment::Start => Event::Start(Source::Fresh),
        Moment::Prompt => Event::Prompt { nudge: said.typed.as_deref() == Some(NUDGE_LINE) },
        Moment::BeforeTool => Event::BeforeTool(call(said)),
        Moment::Permission => Event::Permission(call(said)),
        Moment::AfterTool => Event::AfterTool,
        Moment::Stop => Event::Stop { background: said.children },
        Moment::StopFailure => Event::StopFailure { failure: failure(said.broke.as_deref()), text: words() },
        Moment::Compact => Event::Compact,
        Moment::End => Event::End { reason: words() },
        Moment::Notification => Event::Notice { notice: Notice::Other, text: words() },
    }
}

/// Its only tool is a shell.
fn call(said: &Said) -> ToolCall {
    ToolCall { tool: "Bash".to_owned(), input: json!({ "command": said.wants.as_deref().unwrap_or_default() }) }
}

fn failure(why: Option<&str>) -> Failure {
    match why {
        Some("limit") => Failure::Limit,
        Some("login") => Failure::Login,
        Some("outage") => Failure::Outage,
        _ => Failure::Other,
    }
}

pub(super) fn render(answer: &Answer) -> Option<String> {
    let (verdict, why) = match answer {
        Answer::Nothing => return None,
        Answer::Context(text) => ("know", text),
        Answer::Deny(why) => ("no", why),
        Answer::Allow(why) => ("yes", why),
        Answer::Ask(why) => ("ask", why),
        Answer::Block(why) => ("go-on", why),
        Answer::Halt(why) => ("end", why),
    };
    Some(json!({ "verdict": verdict, "why": why }).to_string())
}

/// A row of its table: `<answer> <model> <tokens read> <tokens written>`.
pub(super) fn recorded(line: &[u8]) -> Option<Told> {
    let line = std::str::from_utf8(line).ok()?;
    let [id, model, input, output] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let count = |text: &str| text.parse::<u64>().ok().map(|count| count.min(TOKENS_OF_AN_ANSWER));
    let tokens = Tokens { input: count(input)?, output: count(output)?, ..Tokens::default() };
    let answered = Answered { id: id.to_owned(), model: Some(model.to_owned()), tokens };
    Some(Told { answered: Some(answered), ..Told::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_is_read_and_answered_in_its_own_words() {
        let heard = hear(Moment::BeforeTool, br#"{"run":"r1","keeps":"/k","wants":"git push"}"#).unwrap();
        let call = ToolCall { tool: "Bash".to_owned(), input: json!({ "command": "git push" }) };
        assert_eq!(heard.event, Event::BeforeTool(call));
        assert_eq!(heard.session.unwrap().transcript.as_deref(), Some("/k/r1.tokens"));
        assert!(hear(Moment::Stop, b"{}").is_err(), "it says its session always");
        assert_eq!(render(&Answer::Deny("x".to_owned())).as_deref(), Some(r#"{"verdict":"no","why":"x"}"#));
        assert_eq!(render(&Answer::Nothing), None);
    }

    #[test]
    fn a_row_of_its_table_is_an_answer_and_anything_else_is_nothing() {
        let told = recorded(b"a1 m-1 100 20").unwrap().answered.unwrap();
        assert_eq!((told.id.as_str(), told.tokens.input, told.tokens.output), ("a1", 100, 20));
        for junk in ["", "a1 m-1 100", "a1 m-1 -1 2", "a1 m-1 1 2 3", "{}"] {
            assert_eq!(recorded(junk.as_bytes()), None, "{junk}");
        }
    }
}
