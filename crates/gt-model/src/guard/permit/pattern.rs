//! Patterns of granted acts, as `gt rig allow` takes them and settings store them.

use std::fmt;
use std::path::Path;

use super::super::shell::{self, Item};
use super::super::{Place, Role, ToolCall, Verdict, field, judge};

/// Maximum length of a pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 200;

/// Maximum number of a command's words in a suggestion.
const SUGGESTED_WORDS: usize = 3;

/// Programs that run other programs or code from their arguments.
const RUNNERS: &[&str] = &[
    "sh", "bash", "dash", "zsh", "ksh", "fish", "env", "xargs", "exec", "eval", "command", "nohup", "nice", "time",
    "timeout", "sudo", "doas", "npx", "bunx", "python", "python3", "node", "deno", "bun", "perl", "ruby", "php", "ssh",
    "find", "awk", "watch", "parallel", "busybox", "setsid", "stdbuf", "git", ".", "source",
];

/// An act that is granted without asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// A command, by its first words.
    Command(Vec<String>),
    /// A tool of the client: its name, and which of its uses are granted, in the client's notation.
    Tool {
        /// Name of the tool.
        name: String,
        /// Granted uses; `None`: all.
        uses: Option<String>,
    },
}

/// Why a text is not a valid pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is not the beginning of exactly one command.
    #[error("it is not the first words of one command, such as `npm run lint`")]
    NotOneCommand,
    /// It would grant everything.
    #[error("`{0}` runs whatever is put behind it, so that would allow everything")]
    AllowsAll(String),
    /// The guard refuses it to workers anyway.
    #[error("a worker is refused that whatever is allowed ({0})")]
    Refused(String),
    /// It is too long.
    #[error("it is longer than 200 bytes")]
    TooLong,
}

impl Pattern {
    /// Creates a pattern from the first words of a command. The words must be plain.
    pub(super) fn words(text: &str) -> Self {
        Self::Command(text.split_whitespace().map(str::to_owned).collect())
    }

    /// Parses a pattern that a person typed: `npm run lint`, `npm run:*`, `Bash(npm run:*)`, `WebFetch`, `Read(/usr/include/**)`.
    ///
    /// # Errors
    ///
    /// See [`PatternError`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        if text.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong);
        }
        match tool(text) {
            Some(("Bash", Some(command))) => Self::command(command),
            Some(("Bash", None)) => Err(PatternError::AllowsAll("Bash".to_owned())),
            Some((name, uses)) => Ok(Self::Tool { name: name.to_owned(), uses: uses.map(str::to_owned) }),
            None => Self::command(text),
        }
    }

    fn command(text: &str) -> Result<Self, PatternError> {
        let text = text.strip_suffix(":*").or_else(|| text.strip_suffix(" *")).unwrap_or(text).trim();
        let words = first_words(text).ok_or(PatternError::NotOneCommand)?;
        if !names_a_command(&words) {
            return Err(PatternError::AllowsAll(words.first().cloned().unwrap_or_default()));
        }
        let call = ToolCall { tool: "Bash".to_owned(), input: serde_json::json!({ "command": text }) };
        if let Verdict::Refused { reason, .. } = judge(Role::Polecat, &call, &somewhere()) {
            return Err(PatternError::Refused(reason));
        }
        Ok(Self::Command(words))
    }

    /// Whether the words of a command start with this pattern.
    pub(super) fn begins<'w>(&self, mut words: impl Iterator<Item = &'w str>) -> bool {
        let Self::Command(first) = self else { return false };
        first.iter().all(|expected| words.next() == Some(expected))
    }

    pub(super) fn is_tool(&self, tool: &str) -> bool {
        matches!(self, Self::Tool { name, uses: None } if name == tool)
    }

    /// Returns the folder that it grants reading.
    pub(super) fn folder(&self) -> Option<&Path> {
        let Self::Tool { name, uses: Some(uses) } = self else { return None };
        let folder = uses.strip_suffix("/**").filter(|_| name == "Read")?;
        // A rule that is copied from a client may have an absolute path with two slashes.
        let folder = Path::new(folder.strip_prefix('/').filter(|rest| rest.starts_with('/')).unwrap_or(folder));
        (folder.is_absolute() && folder.parent().is_some()).then_some(folder)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(words) => f.write_str(&words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")),
            Self::Tool { name, uses: Some(uses) } => write!(f, "{name}({uses})"),
            Self::Tool { name, uses: None } => f.write_str(name),
        }
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "./_-=+,:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Splits a tool's name from the text in brackets after it. A command never starts with a capitalised word that a bracket or the
/// end of the text follows.
fn tool(text: &str) -> Option<(&str, Option<&str>)> {
    let (name, uses) = match text.split_once('(') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(')')?)),
        None => (text, None),
    };
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
    let is_tool = name.starts_with(|c: char| c.is_ascii_uppercase()) || name.starts_with("mcp__");
    (is_name && is_tool).then_some((name, uses))
}

/// Returns the assignments and words of a text that is one plain command.
fn first_words(text: &str) -> Option<Vec<String>> {
    let script = shell::read(text, &Default::default());
    let [Item::Run(command)] = script.items.as_slice() else { return None };
    let is_plain = script.unread.is_empty() && command.writes.is_empty() && command.reads.is_empty();
    words_of(command).filter(|words| is_plain && command.input.is_none() && !words.is_empty())
}

/// Returns a command's assignments and words, if all of them are known.
fn words_of(command: &shell::Command) -> Option<Vec<String>> {
    let assigns = command.assigns.iter().map(|(name, value)| (value, format!("{name}={}", value.text)));
    let words = command.words.iter().map(|word| (word, word.text.clone()));
    assigns.chain(words).map(|(word, text)| word.is_known().then_some(text)).collect()
}

/// Whether a command names what it runs. Variables, and programs that run others with their options, are not enough.
fn names_a_command(words: &[String]) -> bool {
    let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let program = words.iter().find(|word| !word.contains('='));
    program.is_some_and(|program| !program.contains(['*', '?', '[']))
        && words
            .iter()
            .any(|word| !(word.starts_with('-') || word.contains('=') || RUNNERS.contains(&base(word).as_str())))
}

/// Returns patterns for the commands of one of the overseer's lines, as far as their words name them.
pub(super) fn within(line: &str) -> Vec<Pattern> {
    let script = shell::read(line, &Default::default());
    let commands = script.items.iter().filter_map(|item| match item {
        Item::Run(command) => words_of(command),
        Item::Enter | Item::Leave => None,
    });
    commands.filter(|words| names_a_command(words)).map(Pattern::Command).collect()
}

/// Returns the pattern that would grant a denied tool use, in the form that `gt rig allow` takes. For a command line, it is made
/// from the first command that no grant covers: its first words, up to an option or a file.
pub fn suggestion(call: &ToolCall, is_granted: &dyn Fn(&str) -> bool) -> Option<String> {
    if !call.tool.eq_ignore_ascii_case("bash") {
        return Pattern::parse(&call.tool).ok().map(|pattern| pattern.to_string());
    }
    let text = field(&call.input, &["command"])?;
    let script = shell::read(text, &Default::default());
    let commands = script.items.iter().filter_map(|item| match item {
        Item::Run(command) => Some(command),
        Item::Enter | Item::Leave => None,
    });
    let mut words = commands.map(|command| {
        let known = command.words.iter().take_while(|word| word.is_known());
        known.map(|word| word.text.as_str()).collect::<Vec<_>>()
    });
    let denied = words.find(|words| !words.is_empty() && !is_granted(&words.join(" ")))?;
    let named =
        denied.iter().skip(1).take_while(|word| !word.starts_with('-') && !word.contains(['/', '.', '=', '\n', ' ']));
    let first: Vec<String> = denied[..1].iter().chain(named).take(SUGGESTED_WORDS).map(|word| quoted(word)).collect();
    let short = first.join(" ");
    let whole = || denied.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    let candidates = [short, whole()];
    candidates.into_iter().find(|text| Pattern::parse(text).is_ok())
}

/// Returns the place of an imaginary worker, to find out what no worker may do.
fn somewhere() -> Place {
    let own = Path::new("/gt/rig/polecats/own");
    Place { town: "/gt".into(), rig: Some("/gt/rig".into()), own: own.into(), cwd: own.into(), ..Place::default() }
}
