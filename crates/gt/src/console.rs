//! What `gt` says, and where: facts to standard output, everything else to the error output.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write;

use anstyle::{AnsiColor, Style};
use gt_model::foreign;
use serde_json::Value;

use crate::Process;
use crate::cli::{ColorChoice, Global};
use crate::error::{CliError, CliResult};
use crate::pager;

/// How JSON is framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Documents as they are.
    #[default]
    Plain,
    /// As `bd` 1.0 has it: objects carry [`SCHEMA_VERSION`], and a refusal reaches the error output too.
    Versioned,
    /// As `bd` has it where `BD_JSON_ENVELOPE=1` is set: every document is under `data`, beside the version.
    Envelope,
}

/// The version of the shapes of `bd`'s JSON that these are.
pub const SCHEMA_VERSION: u32 = 1;

/// Where a verb's words go.
pub struct Console<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    terminal: bool,
    json: bool,
    framing: Framing,
    is_bd: bool,
    quiet: bool,
    color: bool,
}

/// A time of the ledger's for people: to the second, without fractions.
pub fn time_text(at: &str) -> String {
    let (date, rest) = at.split_once('T').unwrap_or((at, ""));
    let time = rest.get(..8).unwrap_or(rest);
    format!("{date} {time} UTC").replace("  UTC", "")
}

/// A number of things, in words: "1 commit", "2 commits".
pub fn counted(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// Columns of a table: left-aligned, as wide as their widest cell.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|h| (*h).to_owned()).collect()] }
    }

    /// Adds a row. Line ends and control characters in cells are shown as spaces, and what is longer than a title may be is
    /// cut: they are data, and imported ones have any length.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl ToString>) {
        self.rows.push(cells.into_iter().map(|cell| cut(printable(&cell.to_string()))).collect());
    }

    fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// Most characters of a table's cell. Each cell makes all of its column as wide.
const CELL_CHARS: usize = gt_town::work::beads::TITLE_LIMIT;

fn cut(text: String) -> String {
    match text.char_indices().nth(CELL_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

thread_local! {
    /// Whether an agent reads what this call prints. One call of `gt` has one caller.
    static AGENT_READS: Cell<bool> = const { Cell::new(false) };
}

/// Says who reads what is printed from now on. To an agent, text of others is data: it gets it framed.
pub fn set_reader(is_agent: bool) {
    AGENT_READS.set(is_agent);
}

/// Whether an agent reads what is printed.
pub fn agent_reads() -> bool {
    AGENT_READS.get()
}

/// Text from outside, on one line, without anything that a terminal would act on; for an agent without tags that its
/// client might take for its own.
pub fn printable(text: &str) -> String {
    let line = foreign::one_line(text);
    if agent_reads() { foreign::untagged(&line) } else { line }
}

/// Several lines of text from outside; line ends and tabs stay. For an agent each is behind a bar, as in what `gt prime`
/// tells.
pub fn printable_lines(text: &str) -> String {
    if agent_reads() { foreign::framed(text) } else { foreign::lines(text) }
}

/// Why something failed: our own words, in which others are quoted. Of several lines only the first is ours for sure.
pub fn reasons(text: &str) -> String {
    match text.split_once('\n') {
        Some((first, rest)) if agent_reads() => format!("{}\n{}", printable(first), printable_lines(rest)),
        _ if agent_reads() => printable(text),
        _ => printable_lines(text),
    }
}

impl<'a> Console<'a> {
    /// A console over two streams.
    pub fn new(out: &'a mut dyn Write, err: &'a mut dyn Write, terminal: bool) -> Self {
        Self { out, err, terminal, json: false, framing: Framing::Plain, is_bd: false, quiet: false, color: terminal }
    }

    /// Takes over the global flags.
    pub fn configure(&mut self, global: &Global, process: &Process) {
        self.json = global.json;
        self.quiet = global.quiet;
        let is_set = |name: &str| process.env.get(name).is_some_and(|value| !value.is_empty());
        let no_color = is_set("NO_COLOR") || process.env.get("TERM").is_some_and(|terminal| terminal == "dumb");
        self.color = match global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => self.terminal && !no_color,
        };
    }

    /// Speaks as `bd` from now on: in the words that its users and scripts know.
    pub fn speak_as_bd(&mut self) {
        self.is_bd = true;
    }

    /// Whether words are to be those of `bd`.
    pub fn is_bd(&self) -> bool {
        self.is_bd
    }

    /// Frames JSON as `bd` does from now on.
    pub fn frame_as_bd(&mut self, env: &BTreeMap<String, String>) {
        let is_wrapped = env.get("BD_JSON_ENVELOPE").is_some_and(|value| value == "1");
        self.framing = if is_wrapped { Framing::Envelope } else { Framing::Versioned };
    }

    /// Whether JSON was asked for.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether nothing but facts is wanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether a person watches.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether colours are wanted.
    pub fn has_color(&self) -> bool {
        self.color
    }

    /// A line of facts.
    pub fn line(&mut self, text: &str) -> Result<(), CliError> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// A line that says what was changed; `--quiet` leaves it out.
    pub fn say(&mut self, text: &str) -> Result<(), CliError> {
        if self.quiet || self.json { Ok(()) } else { self.line(text) }
    }

    /// A line beside the facts: progress, a warning.
    pub fn note(&mut self, text: &str) -> Result<(), CliError> {
        if self.quiet { Ok(()) } else { Ok(writeln!(self.err, "{text}")?) }
    }

    /// A table of facts.
    pub fn table(&mut self, table: &Table) -> Result<(), CliError> {
        for (at, line) in table.lines().iter().enumerate() {
            let line = if at == 0 { self.styled(line, Style::new().bold()) } else { line.clone() };
            self.line(&line)?;
        }
        Ok(())
    }

    /// One JSON document.
    pub fn document(&mut self, value: &Value) -> CliResult {
        let framed = self.framed(value.clone());
        let text = serde_json::to_string_pretty(&framed).map_err(|e| CliError::Io(e.into()))?;
        let text = self.json(&text);
        self.line(&text)?;
        Ok(0)
    }

    /// What goes before and behind a text of JSON, an array or an object.
    pub fn frame(&self, is_array: bool) -> (String, String) {
        match (self.framing, is_array) {
            (Framing::Envelope, _) => (format!("{{\"schema_version\":{SCHEMA_VERSION},\"data\":"), "}".to_owned()),
            (Framing::Versioned, false) => (String::new(), format!(",\"schema_version\":{SCHEMA_VERSION}}}")),
            _ => (String::new(), String::new()),
        }
    }

    fn framed(&self, value: Value) -> Value {
        match (self.framing, value) {
            (Framing::Envelope, value) => serde_json::json!({ "schema_version": SCHEMA_VERSION, "data": value }),
            (Framing::Versioned, Value::Object(mut keys)) => {
                keys.insert("schema_version".to_owned(), SCHEMA_VERSION.into());
                Value::Object(keys)
            }
            (_, value) => value,
        }
    }

    /// JSON as it is printed: a terminal gets escapes for what it would act on, an agent for what could end a frame of its
    /// client's, everybody else gets it as it is.
    pub fn json<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match (self.terminal, agent_reads()) {
            // Such a letter can only be inside a text.
            (_, true) => foreign::json(text).replace('<', "\\u003c").into(),
            (true, false) => foreign::json(text).into(),
            (false, false) => text.into(),
        }
    }

    /// Facts as JSON under `key`, with the schema's name and version first.
    pub fn facts(&mut self, schema: &str, key: &str, value: impl serde::Serialize) -> CliResult {
        let value = serde_json::to_value(value).map_err(|e| CliError::Io(e.into()))?;
        let mut document = serde_json::Map::new();
        document.insert("schema".to_owned(), schema.into());
        document.insert(key.to_owned(), value);
        self.document(&Value::Object(document))
    }

    /// Text in a style, where colours are wanted.
    pub fn styled(&self, text: &str, style: Style) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Good news.
    pub fn green(&self, text: &str) -> String {
        self.styled(text, AnsiColor::Green.on_default())
    }

    /// Bad news.
    pub fn red(&self, text: &str) -> String {
        self.styled(text, AnsiColor::Red.on_default())
    }

    /// Something with a name.
    pub fn bold(&self, text: &str) -> String {
        self.styled(text, Style::new().bold())
    }

    /// A mark between parts.
    pub fn cyan(&self, text: &str) -> String {
        self.styled(text, AnsiColor::Cyan.on_default())
    }

    /// A long text of facts: through a person's pager on a terminal, as it is otherwise.
    pub fn page(&mut self, text: &str, env: &BTreeMap<String, String>) -> Result<(), CliError> {
        if self.terminal && pager::show(text, env) { Ok(()) } else { Ok(self.out.write_all(text.as_bytes())?) }
    }

    /// The raw output, for what writes by itself.
    pub fn out(&mut self) -> &mut dyn Write {
        self.out
    }

    /// Answers with documents from now on.
    pub fn set_json(&mut self, json: bool) {
        self.json = json;
    }

    /// Says why a verb failed; answers with the exit code.
    pub fn fail(&mut self, error: &CliError) -> u8 {
        if self.json {
            let document =
                serde_json::json!({ "error": error.to_string(), "hint": error.hint(), "code": error.code() });
            // Nobody is left to tell if this fails.
            let document = self.framed(document).to_string();
            let document = self.json(&document);
            let _ = writeln!(self.out, "{document}");
            // Clients of `bd` look for the reason there. Where both outputs are one terminal, once is enough.
            if self.framing != Framing::Plain && !self.terminal {
                let _ = writeln!(self.err, "{document}");
            }
            return error.code();
        }
        self.refusal(error)
    }

    /// Says in words, on the error output, why something was not done; answers with the exit code.
    pub fn refusal(&mut self, error: &CliError) -> u8 {
        let label = self.styled("error:", AnsiColor::Red.on_default().bold());
        let _ = writeln!(self.err, "{label} {}", reasons(&error.to_string()));
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            let _ = writeln!(self.err, "  because: {}", reasons(&error.to_string()));
            cause = error.source();
        }
        if let Some(hint) = error.hint() {
            let label = self.styled("hint:", AnsiColor::Cyan.on_default().bold());
            let _ = writeln!(self.err, "{label} {}", reasons(&hint));
        }
        error.code()
    }

    /// Says what clap has to say: help and version to the output, mistakes to the error output.
    pub fn usage(&mut self, error: &clap::Error) -> u8 {
        let text = if self.color { error.render().ansi().to_string() } else { error.render().to_string() };
        if error.use_stderr() {
            let _ = write!(self.err, "{text}");
            return 2;
        }
        let _ = write!(self.out, "{text}");
        0
    }
}
