//! Output of `gt`: facts go to standard output, everything else to the error output.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write;

use anstyle::{AnsiColor, Style};
use gt_model::foreign;
use jiff::Timestamp;
use serde_json::Value;

use crate::Process;
use crate::cli::{ColorChoice, Global};
use crate::error::{CliError, CliResult};
use crate::pager;

/// Framing of JSON output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// Documents without a frame.
    #[default]
    Plain,
    /// Framing of `bd` 1.0: objects carry [`SCHEMA_VERSION`], and a refusal is also written to the error output.
    Versioned,
    /// Framing of `bd` with `BD_JSON_ENVELOPE=1`: every document is under `data`, beside the version.
    Envelope,
}

/// Version of the JSON shapes of `bd` that these are.
pub const SCHEMA_VERSION: u32 = 1;

/// Output of one verb.
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

/// Formats a time of the ledger for people: to the second, without fractions.
pub fn time_text(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Formats a number of things: "1 commit", "2 commits".
pub fn counted(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// Table whose columns are left-aligned and as wide as their widest cell.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table with these headings.
    pub fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|h| (*h).to_owned()).collect()] }
    }

    /// Adds a row. Line ends and control characters in cells become spaces, and text longer than a title may be is cut: cells are
    /// data, and imported data may have any length.
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

/// Maximum characters of a table's cell, since one wide cell widens its whole column.
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

/// Sets who reads the output from now on. Text of others is data to an agent, so an agent gets it framed.
pub fn set_reader(is_agent: bool) {
    AGENT_READS.set(is_agent);
}

/// Whether an agent reads what is printed.
pub fn agent_reads() -> bool {
    AGENT_READS.get()
}

/// Makes outside text printable on one line, without anything that a terminal would act on. For an agent, also removes tags that
/// its client might take for its own.
pub fn printable(text: &str) -> String {
    let line = foreign::one_line(text);
    if agent_reads() { foreign::untagged(&line) } else { line }
}

/// Makes several lines of outside text printable; line ends and tabs stay. For an agent each line stands behind a bar, as in the
/// output of `gt prime`.
pub fn printable_lines(text: &str) -> String {
    if agent_reads() { foreign::framed(text) } else { foreign::lines(text) }
}

/// Makes a reason for a failure printable: our own words, which may quote others. Only the first line is certainly ours.
pub fn reasons(text: &str) -> String {
    match text.split_once('\n') {
        Some((first, rest)) if agent_reads() => format!("{}\n{}", printable(first), printable_lines(rest)),
        _ if agent_reads() => printable(text),
        _ => printable_lines(text),
    }
}

impl<'a> Console<'a> {
    /// Makes a console over two streams.
    pub fn new(out: &'a mut dyn Write, err: &'a mut dyn Write, terminal: bool) -> Self {
        Self { out, err, terminal, json: false, framing: Framing::Plain, is_bd: false, quiet: false, color: terminal }
    }

    /// Applies the global flags.
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

    /// Speaks as `bd` from now on: with the words that its users and scripts know.
    pub fn speak_as_bd(&mut self) {
        self.is_bd = true;
    }

    /// Whether the console speaks as `bd`.
    pub fn is_bd(&self) -> bool {
        self.is_bd
    }

    /// Frames JSON as `bd` does from now on.
    pub fn frame_as_bd(&mut self, env: &BTreeMap<String, String>) {
        let is_wrapped = env.get("BD_JSON_ENVELOPE").is_some_and(|value| value == "1");
        self.framing = if is_wrapped { Framing::Envelope } else { Framing::Versioned };
    }

    /// Whether the caller asked for JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether the caller wants nothing but facts.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether standard output is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether to print colours.
    pub fn has_color(&self) -> bool {
        self.color
    }

    /// Prints a line of facts.
    pub fn line(&mut self, text: &str) -> Result<(), CliError> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// Prints a line that says what was changed; `--quiet` leaves it out.
    pub fn say(&mut self, text: &str) -> Result<(), CliError> {
        if self.quiet || self.json { Ok(()) } else { self.line(text) }
    }

    /// Prints a line beside the facts: progress or a warning.
    pub fn note(&mut self, text: &str) -> Result<(), CliError> {
        if self.quiet { Ok(()) } else { Ok(writeln!(self.err, "{text}")?) }
    }

    /// Prints a table of facts.
    pub fn table(&mut self, table: &Table) -> Result<(), CliError> {
        for (at, line) in table.lines().iter().enumerate() {
            let line = if at == 0 { self.styled(line, Style::new().bold()) } else { line.clone() };
            self.line(&line)?;
        }
        Ok(())
    }

    /// Prints one JSON document.
    pub fn document(&mut self, value: &Value) -> CliResult {
        let framed = self.framed(value.clone());
        let text = serde_json::to_string_pretty(&framed).map_err(|e| CliError::Io(e.into()))?;
        let text = self.json(&text);
        self.line(&text)?;
        Ok(0)
    }

    /// Returns what precedes and what follows the text of a JSON array or object.
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

    /// Escapes JSON for its reader: for a terminal what it would act on, for an agent what could end a frame of its client's. Any
    /// other reader gets the text unchanged.
    pub fn json<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match (self.terminal, agent_reads()) {
            // In JSON this letter occurs only inside a text.
            (_, true) => foreign::json(text).replace('<', "\\u003c").into(),
            (true, false) => foreign::json(text).into(),
            (false, false) => text.into(),
        }
    }

    /// Prints facts as JSON under `key`, after the schema's name and version.
    pub fn facts(&mut self, schema: &str, key: &str, value: impl serde::Serialize) -> CliResult {
        let value = serde_json::to_value(value).map_err(|e| CliError::Io(e.into()))?;
        let mut document = serde_json::Map::new();
        document.insert("schema".to_owned(), schema.into());
        document.insert(key.to_owned(), value);
        self.document(&Value::Object(document))
    }

    /// Styles a text, where colours are wanted.
    pub fn styled(&self, text: &str, style: Style) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Styles good news.
    pub fn green(&self, text: &str) -> String {
        self.styled(text, AnsiColor::Green.on_default())
    }

    /// Styles bad news.
    pub fn red(&self, text: &str) -> String {
        self.styled(text, AnsiColor::Red.on_default())
    }

    /// Styles a name.
    pub fn bold(&self, text: &str) -> String {
        self.styled(text, Style::new().bold())
    }

    /// Styles a mark between parts.
    pub fn cyan(&self, text: &str) -> String {
        self.styled(text, AnsiColor::Cyan.on_default())
    }

    /// Prints a long text of facts: through the person's pager on a terminal, else directly.
    pub fn page(&mut self, text: &str, env: &BTreeMap<String, String>) -> Result<(), CliError> {
        if self.terminal && pager::show(text, env) { Ok(()) } else { Ok(self.out.write_all(text.as_bytes())?) }
    }

    /// Returns the raw output, for code that writes by itself.
    pub fn out(&mut self) -> &mut dyn Write {
        self.out
    }

    /// Switches to JSON documents from now on.
    pub fn set_json(&mut self, json: bool) {
        self.json = json;
    }

    /// Reports why a verb failed. Returns the exit code.
    pub fn fail(&mut self, error: &CliError) -> u8 {
        if self.json {
            let document =
                serde_json::json!({ "error": error.to_string(), "hint": error.hint(), "code": error.code() });
            // If this write fails, no output is left on which to report it.
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

    /// Reports on the error output, in words, why something was not done. Returns the exit code.
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

    /// Prints clap's message: help and version to the output, mistakes to the error output.
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
