//! Reads command lines: finds the simple commands that a text of POSIX shell or bash would run, in their order.
//!
//! This is not a shell. It only finds out which programs a script runs, and with which words. It must answer for any text:
//! scripts that end in the middle, constructs that it does not know, garbage. So it builds no tree and rejects nothing. It limits
//! its depth ([`MAX_DEPTH`]) and the size of expansions ([`MAX_VALUE_BYTES`], [`MAX_EXPANDED_BYTES`]), and reads each byte of the
//! text once for each level of back-quotes around it.
//!
//! Why this is our own code: the one well-maintained parser without C, `brush-parser`, is made for running scripts. We tried
//! version 0.4.0. It rejects the whole text for one unfinished quote or here-document; a row of 2000 `$(` overflows its stack,
//! which ends the process; and it brings 93 packages. `conch-parser` has been dormant since 2019, `tree-sitter-bash` is C, and
//! `yash-syntax` is under the GPL.
//!
//! The text of a word is known at run time as far as the script itself determines it: quotes, `~`, `$HOME`, `$PWD`, and variables
//! that the script sets. All other expansions (other variables, output of commands, brace expansions) are unknown and become
//! [`UNKNOWN`] in the word's text.

use std::collections::BTreeMap;

/// Placeholder in a word's text for what can't be known before it runs.
pub(super) const UNKNOWN: char = '\u{fffc}';
/// How many levels of brackets, substitutions and shells within shells are read.
pub(super) const MAX_DEPTH: usize = 24;
/// Maximum size of a variable's value that is kept, in bytes.
const MAX_VALUE_BYTES: usize = 4096;
/// Maximum size of all expansions of one text together, in bytes.
const MAX_EXPANDED_BYTES: usize = 256 * 1024;

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Text after expansion. [`UNKNOWN`] replaces the parts that are not known.
    pub text: String,
    /// Whether any part was quoted. A quoted word is never a keyword.
    quoted: bool,
    /// Variables whose values it contains.
    pub shows: Vec<String>,
    /// Programs whose output it contains.
    pub output_of: Vec<String>,
}

impl Word {
    /// Creates a word with this text.
    pub fn literal(text: &str) -> Self {
        Self { text: text.to_owned(), quoted: true, ..Self::default() }
    }

    /// Returns the same word with another text.
    pub fn with(&self, text: String) -> Self {
        Self { text, ..self.clone() }
    }

    /// Whether the whole text is known.
    pub fn is_known(&self) -> bool {
        !self.text.contains(UNKNOWN)
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        !self.quoted && self.text == keyword
    }
}

/// One program with its words, as the shell would run it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Command {
    /// Assignments before it. They set its environment; without words, they set the shell's variables.
    pub assigns: Vec<(String, Word)>,
    /// Program and its arguments.
    pub words: Vec<Word>,
    /// Files that the shell opens for writing.
    pub writes: Vec<Word>,
    /// Files that the shell opens for reading.
    pub reads: Vec<Word>,
    /// Text of its standard input: a here-document, a here-string, or what an `echo` pipes into it.
    pub input: Option<String>,
    /// Whether its output goes to another program or a file.
    pub output_goes_on: bool,
    /// Index of the script item that pipes into it; `None` if that is a group, or if nothing does.
    pub piped_from: Option<usize>,
    /// Index of the script item that it pipes into.
    pub pipes_into: Option<usize>,
}

/// A step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A subshell begins. A change of the working folder in it does not last beyond its end.
    Enter,
    /// The subshell ends.
    Leave,
    /// A program runs.
    Run(Command),
}

/// Result of reading a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Script {
    /// Steps in their order.
    pub items: Vec<Item>,
    /// Pieces that are nested too deeply to be read.
    pub unread: Vec<String>,
}

/// Reads a script that starts with these variables.
pub(super) fn read(text: &str, variables: &BTreeMap<String, String>) -> Script {
    let chars: Vec<char> = text.chars().collect();
    let mut reader = Reader {
        limit: chars.len(),
        chars,
        at: 0,
        depth: 0,
        out: Script::default(),
        variables: variables.clone(),
        expanded: 0,
        documents: Vec::new(),
    };
    reader.list(None);
    reader.out
}

/// A here-document whose text is still to come.
#[derive(Debug)]
struct Document {
    delimiter: String,
    is_literal: bool,
    strips_tabs: bool,
    /// Index of the item that reads it; `None` until that item is recorded.
    item: Option<usize>,
}

/// Position of the reader within `case … esac`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    /// The next words up to `)` are patterns.
    Patterns,
    /// Inside a branch.
    Branch,
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    /// End of the text that is being read.
    limit: usize,
    depth: usize,
    out: Script,
    variables: BTreeMap<String, String>,
    expanded: usize,
    documents: Vec<Document>,
}

/// A command that is being read.
#[derive(Debug, Default)]
struct Draft {
    command: Command,
    documents: Vec<usize>,
    piped_from: Option<usize>,
}

impl Draft {
    fn is_empty(&self) -> bool {
        let command = &self.command;
        command.words.is_empty()
            && command.assigns.is_empty()
            && command.writes.is_empty()
            && command.reads.is_empty()
            && command.input.is_none()
            && self.documents.is_empty()
    }
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> Option<char> {
        let at = self.at + by;
        self.chars.get(at).copied().filter(|_| at < self.limit)
    }

    fn take(&mut self) -> Option<char> {
        let taken = self.peek()?;
        self.at += 1;
        Some(taken)
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(i, c)| self.ahead(i) == Some(c))
    }

    fn eat(&mut self, text: &str) -> bool {
        let there = self.starts_with(text);
        if there {
            self.at += text.chars().count();
        }
        there
    }

    /// Reads commands up to `end`, which is not consumed, or up to the end of the text.
    fn list(&mut self, end: Option<char>) {
        let mut draft = Draft::default();
        let mut cases: Vec<Block> = Vec::new();
        while let Some(next) = self.peek() {
            if Some(next) == end && cases.last() != Some(&Block::Patterns) {
                break;
            }
            match next {
                '\n' => {
                    self.finish(&mut draft, false);
                    self.at += 1;
                    self.read_documents();
                }
                ' ' | '\t' | '\r' => self.at += 1,
                '\\' if self.ahead(1) == Some('\n') => self.at += 2,
                '#' => self.skip_comment(),
                ';' => {
                    self.finish(&mut draft, false);
                    let ends_branch = self.eat(";;&") || self.eat(";;") || self.eat(";&");
                    if !ends_branch {
                        self.at += 1;
                    } else if let Some(block) = cases.last_mut() {
                        *block = Block::Patterns;
                    }
                }
                '&' if self.starts_with("&>") => self.redirect(&mut draft),
                '&' => {
                    self.finish(&mut draft, false);
                    self.at += if self.ahead(1) == Some('&') { 2 } else { 1 };
                }
                '|' if self.ahead(1) == Some('|') => {
                    self.finish(&mut draft, false);
                    self.at += 2;
                }
                '|' => {
                    self.finish(&mut draft, true);
                    self.at += if self.ahead(1) == Some('&') { 2 } else { 1 };
                }
                '(' if cases.last() == Some(&Block::Patterns) => self.at += 1,
                '(' => self.bracket(&mut draft),
                ')' => {
                    // The end of a case's patterns, or a stray bracket. A shell would stop at the latter; this reader continues.
                    self.finish(&mut draft, false);
                    self.at += 1;
                    if let Some(block) = cases.last_mut() {
                        *block = Block::Branch;
                    }
                }
                '<' | '>' if self.ahead(1) != Some('(') => self.redirect(&mut draft),
                _ => self.next_word(&mut draft, &mut cases),
            }
        }
        self.finish(&mut draft, false);
    }

    fn skip_comment(&mut self) {
        while self.peek().is_some_and(|c| c != '\n') {
            self.at += 1;
        }
    }

    /// Handles a bracket at the start of a command or after a word.
    fn bracket(&mut self, draft: &mut Draft) {
        if draft.command.words.is_empty() && self.starts_with("((") {
            self.at += 2;
            self.arithmetic("))");
            return;
        }
        if draft.command.words.len() == 1 && self.eat("()") {
            // A function definition. Its body is read as if it ran here.
            *draft = Draft::default();
            return;
        }
        if !draft.command.words.is_empty() {
            // Brackets of a pattern or an array. Their content is read as commands, which does no harm.
            self.finish(draft, false);
        }
        self.at += 1;
        self.inside(')', "(");
        self.eat(")");
    }

    /// Reads a subshell up to `end`. If it is nested too deeply, sets its text aside unread.
    fn inside(&mut self, end: char, opening: &str) {
        if self.depth >= MAX_DEPTH {
            let rest: String = self.chars.get(self.at..self.limit).unwrap_or_default().iter().collect();
            self.at = self.limit;
            self.out.unread.push(format!("{opening}{rest}"));
            return;
        }
        self.depth += 1;
        self.out.items.push(Item::Enter);
        self.list(Some(end));
        self.out.items.push(Item::Leave);
        self.depth -= 1;
    }

    /// Reads arithmetic up to `end`, to find the commands in it.
    fn arithmetic(&mut self, end: &str) {
        if self.depth >= MAX_DEPTH {
            // The text that follows is read as ordinary commands.
            return;
        }
        self.depth += 1;
        self.arithmetic_within(end);
        self.depth -= 1;
    }

    fn arithmetic_within(&mut self, end: &str) {
        let mut open = 0_usize;
        while let Some(next) = self.peek() {
            if open == 0 && self.eat(end) {
                return;
            }
            match next {
                '$' | '`' => {
                    self.expansion(&mut Word::default(), true);
                }
                '(' => {
                    open += 1;
                    self.at += 1;
                }
                ')' => {
                    open = open.saturating_sub(1);
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
    }

    fn next_word(&mut self, draft: &mut Draft, cases: &mut Vec<Block>) {
        let begin = self.at;
        let word = self.word();
        if self.at == begin {
            // No word can begin here: skip the character, so that the reader never stands still.
            self.at += 1;
            return;
        }
        if matches!(self.peek(), Some('<' | '>')) && !word.quoted && word.text.chars().all(|c| c.is_ascii_digit()) {
            self.redirect(draft);
            return;
        }
        if cases.last() == Some(&Block::Patterns) {
            if word.is_keyword("esac") {
                cases.pop();
            }
            return;
        }
        if draft.command.words.is_empty() && draft.command.assigns.is_empty() && self.keyword(&word, cases) {
            return;
        }
        if draft.command.words.is_empty()
            && let Some((name, value)) = assignment(&word)
        {
            if self.peek() == Some('(') && value.text.is_empty() {
                // An array: its words run nothing.
                self.at += 1;
                self.array();
            } else {
                draft.command.assigns.push((name, value));
            }
            return;
        }
        draft.command.words.push(word);
    }

    fn array(&mut self) {
        while let Some(next) = self.peek() {
            match next {
                ')' => {
                    self.at += 1;
                    return;
                }
                c if is_meta(c) => self.at += 1,
                _ => {
                    self.word();
                }
            }
        }
    }

    /// Whether the word belongs to the grammar instead of naming a program. Reads the parts that belong to a keyword.
    fn keyword(&mut self, word: &Word, cases: &mut Vec<Block>) -> bool {
        if word.quoted {
            return false;
        }
        match word.text.as_str() {
            "if" | "then" | "elif" | "else" | "fi" | "while" | "until" | "do" | "done" | "{" | "}" | "!" | "coproc" => {
                true
            }
            "time" => {
                self.blanks();
                if self.starts_with("-p") {
                    self.word();
                }
                true
            }
            "for" | "select" => {
                self.loop_head();
                true
            }
            "function" => {
                self.blanks();
                self.word();
                true
            }
            "case" => {
                self.blanks();
                self.word();
                self.blanks_and_lines();
                self.word();
                cases.push(Block::Patterns);
                true
            }
            "esac" => {
                cases.pop();
                true
            }
            "[[" => {
                self.condition();
                true
            }
            _ => false,
        }
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.at += 1;
        }
    }

    fn blanks_and_lines(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    /// Reads `name in words`, up to the end of the line. The variable is unknown in the body.
    fn loop_head(&mut self) {
        self.blanks();
        if self.eat("((") {
            self.arithmetic("))");
            return;
        }
        let name = self.word().text;
        self.variables.remove(&name);
        while let Some(next) = self.peek() {
            match next {
                ';' | '\n' => return,
                c if is_meta(c) => self.at += 1,
                _ => {
                    let before = self.at;
                    if self.word().is_keyword("do") {
                        self.at = before;
                        return;
                    }
                    self.at = self.at.max(before + 1);
                }
            }
        }
    }

    /// Reads `[[ … ]]`. Only substitutions in it run anything.
    fn condition(&mut self) {
        while let Some(next) = self.peek() {
            match next {
                '<' | '>' if self.ahead(1) == Some('(') => {
                    self.word();
                }
                c if is_meta(c) => self.at += 1,
                _ => {
                    let before = self.at;
                    if self.word().is_keyword("]]") {
                        return;
                    }
                    self.at = self.at.max(before + 1);
                }
            }
        }
    }

    /// Records the draft as a command, if there is one.
    fn finish(&mut self, draft: &mut Draft, pipes: bool) {
        if draft.is_empty() {
            // The right side of a pipe may stand on the next line.
            return;
        }
        let done = std::mem::take(draft);
        let index = self.out.items.len();
        for document in done.documents {
            if let Some(document) = self.documents.get_mut(document) {
                document.item = Some(index);
            }
        }
        let mut command = done.command;
        if let Some(from) = done.piped_from
            && let Some(Item::Run(upstream)) = self.out.items.get_mut(from)
        {
            upstream.pipes_into = Some(index);
            command.piped_from = Some(from);
            if command.input.is_none() {
                command.input = echoed(upstream);
            }
        }
        command.output_goes_on = pipes || !command.writes.is_empty();
        self.remember(&command);
        self.out.items.push(Item::Run(command));
        draft.piped_from = pipes.then_some(index);
    }

    /// Keeps the variables that the script sets, for its later words.
    fn remember(&mut self, command: &Command) {
        let exported = command
            .words
            .first()
            .is_some_and(|w| matches!(w.text.as_str(), "export" | "local" | "declare" | "typeset" | "readonly"));
        let names = command.words.iter().skip(1).filter(|_| exported).filter_map(assignment);
        let plain = command.assigns.iter().filter(|_| command.words.is_empty()).cloned();
        for (name, value) in plain.chain(names) {
            if value.is_known() && value.text.len() <= MAX_VALUE_BYTES {
                self.variables.insert(name, value.text);
            } else {
                self.variables.remove(&name);
            }
        }
        if command.words.first().is_some_and(|w| matches!(w.text.as_str(), "read" | "unset" | "mapfile" | "getopts")) {
            for word in &command.words[1..] {
                self.variables.remove(&word.text);
            }
        }
    }

    /// Reads a redirection with its target.
    fn redirect(&mut self, draft: &mut Draft) {
        if self.eat("<<<") {
            self.blanks();
            let word = self.word();
            draft.command.input = Some(word.text);
        } else if self.starts_with("<<") {
            self.document(draft);
        } else if self.eat(">&") || self.eat("<&") {
            self.blanks();
            let word = self.word();
            let is_descriptor = word.text.chars().all(|c| c.is_ascii_digit() || c == '-');
            if !is_descriptor {
                draft.command.writes.push(word);
            }
        } else if self.eat("<>")
            || self.eat("&>>")
            || self.eat("&>")
            || self.eat(">>")
            || self.eat(">|")
            || self.eat(">")
        {
            self.blanks();
            let word = self.word();
            draft.command.writes.push(word);
        } else {
            self.at += 1;
            self.blanks();
            let word = self.word();
            draft.command.reads.push(word);
        }
    }

    /// Reads `<<` and the delimiter that will end the here-document.
    fn document(&mut self, draft: &mut Draft) {
        self.at += 2;
        let strips_tabs = self.eat("-");
        self.blanks();
        let word = self.word();
        draft.documents.push(self.documents.len());
        self.documents.push(Document { delimiter: word.text, is_literal: word.quoted, strips_tabs, item: None });
    }

    /// Reads the here-documents that begin on this line.
    fn read_documents(&mut self) {
        for document in std::mem::take(&mut self.documents) {
            let begin = self.at;
            let mut end = begin;
            while self.at < self.limit {
                end = self.at;
                let line = self.line();
                let line = if document.strips_tabs { line.trim_start_matches('\t') } else { &line };
                if line == document.delimiter {
                    break;
                }
                end = self.at;
            }
            let after = self.at;
            let text: String = self.chars.get(begin..end).unwrap_or_default().iter().collect();
            if !document.is_literal {
                self.substitutions(begin, end);
                self.at = after;
            }
            if let Some(Item::Run(command)) = document.item.and_then(|item| self.out.items.get_mut(item)) {
                command.input = Some(text);
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        while let Some(c) = self.take() {
            if c == '\n' {
                break;
            }
            line.push(c);
        }
        line
    }

    /// Reads the commands inside text that is otherwise data.
    fn substitutions(&mut self, begin: usize, end: usize) {
        self.at = begin;
        // Everything still open at the end of this text is closed there. Otherwise it would be read again together with
        // the following text.
        let limit = std::mem::replace(&mut self.limit, end);
        let documents = std::mem::take(&mut self.documents);
        while self.at < end {
            match self.peek() {
                Some('\\') => self.at += 2,
                Some('$' | '`') => self.expansion(&mut Word::default(), true),
                _ => self.at += 1,
            }
        }
        self.limit = limit;
        self.documents = documents;
    }

    /// Reads one word; consumes nothing if no word begins here.
    fn word(&mut self) -> Word {
        let mut word = Word::default();
        if self.peek() == Some('~') {
            self.tilde(&mut word);
        }
        while let Some(next) = self.peek() {
            match next {
                '\'' => self.single_quoted(&mut word),
                '"' => self.double_quoted(&mut word),
                '\\' => self.escaped(&mut word),
                '$' | '`' => self.expansion(&mut word, false),
                '<' | '>' if self.ahead(1) == Some('(') => self.process_substitution(&mut word),
                '{' if self.starts_with("{}") => {
                    word.text.push_str("{}");
                    self.at += 2;
                }
                // A `~` is also expanded after the `=` of a word like `of=~/x`.
                '~' if word.text.ends_with('=') && !word.quoted && assignment(&word).is_some() => {
                    if !self.tilde(&mut word) {
                        word.text.push('~');
                        self.at += 1;
                    }
                }
                c if is_meta(c) => break,
                c => {
                    word.text.push(c);
                    self.at += 1;
                }
            }
        }
        word
    }

    /// Reads a `~` that stands for the home folder. Returns false if it does not, or if the home is unknown.
    fn tilde(&mut self, word: &mut Word) -> bool {
        let alone = self.ahead(1).is_none_or(|c| c == '/' || is_meta(c));
        let Some(home) = self.variables.get("HOME").filter(|_| alone) else { return false };
        word.text.push_str(home);
        self.at += 1;
        true
    }

    fn single_quoted(&mut self, word: &mut Word) {
        word.quoted = true;
        self.at += 1;
        while let Some(c) = self.take() {
            if c == '\'' {
                return;
            }
            word.text.push(c);
        }
    }

    /// Reads `$'…'`.
    fn ansi_quoted(&mut self, word: &mut Word) {
        word.quoted = true;
        while let Some(c) = self.take() {
            match c {
                '\'' => return,
                '\\' => {
                    let escaped = self.take().unwrap_or('\\');
                    word.text.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        'x' => self.number(16, 2),
                        '0'..='7' => {
                            self.at -= 1;
                            self.number(8, 3)
                        }
                        other => other,
                    });
                }
                c => word.text.push(c),
            }
        }
    }

    fn number(&mut self, radix: u32, at_most: usize) -> char {
        let mut value = 0;
        for _ in 0..at_most {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(radix)) else { break };
            value = value * radix + digit;
            self.at += 1;
        }
        char::from_u32(value).unwrap_or(UNKNOWN)
    }

    fn double_quoted(&mut self, word: &mut Word) {
        word.quoted = true;
        self.at += 1;
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    self.at += 1;
                    return;
                }
                '\\' => {
                    self.at += 1;
                    match self.take() {
                        Some('\n') | None => {}
                        Some(c @ ('"' | '\\' | '$' | '`')) => word.text.push(c),
                        Some(c) => word.text.extend(['\\', c]),
                    }
                }
                '$' | '`' => self.expansion(word, true),
                c => {
                    word.text.push(c);
                    self.at += 1;
                }
            }
        }
    }

    fn escaped(&mut self, word: &mut Word) {
        self.at += 1;
        match self.take() {
            Some('\n') | None => {}
            Some(c) => {
                word.quoted = true;
                word.text.push(c);
            }
        }
    }

    fn process_substitution(&mut self, word: &mut Word) {
        self.at += 2;
        self.substitute(word, ')');
        self.eat(")");
    }

    /// Reads an expansion that starts with `$` or a back-quote.
    fn expansion(&mut self, word: &mut Word, in_quotes: bool) {
        if self.peek() == Some('`') {
            self.back_quoted(word);
            return;
        }
        self.at += 1;
        match self.peek() {
            Some('(') if self.ahead(1) == Some('(') => {
                self.at += 2;
                self.arithmetic("))");
                word.text.push(UNKNOWN);
            }
            Some('(') => {
                self.at += 1;
                self.substitute(word, ')');
                self.eat(")");
            }
            Some('{') => {
                self.at += 1;
                self.braced(word);
            }
            Some('\'') if !in_quotes => {
                self.at += 1;
                self.ansi_quoted(word);
            }
            Some('"') if !in_quotes => {}
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name = self.name();
                self.value_of(name, word);
            }
            Some('0'..='9' | '@' | '*' | '#' | '?' | '-' | '$' | '!') => {
                self.at += 1;
                word.text.push(UNKNOWN);
            }
            _ => word.text.push('$'),
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
            self.at += 1;
        }
        name
    }

    fn value_of(&mut self, name: String, word: &mut Word) {
        let value = if name == "PWD" { Some(".") } else { self.variables.get(&name).map(String::as_str) };
        let expanded = self.expanded + value.map_or(0, str::len);
        match value {
            Some(value) if expanded <= MAX_EXPANDED_BYTES => {
                word.text.push_str(value);
                self.expanded = expanded;
            }
            _ => word.text.push(UNKNOWN),
        }
        word.shows.push(name);
    }

    /// Reads the rest of an expansion after `${`.
    fn braced(&mut self, word: &mut Word) {
        let counts = matches!(self.peek(), Some('#' | '!'));
        if counts {
            self.at += 1;
        }
        let name = self.name();
        if self.eat("}") && !counts {
            self.value_of(name, word);
            return;
        }
        // With `:+` the value is not shown. With everything else that may stand here, a part of it may be.
        let hides = counts || self.starts_with(":+") || self.starts_with("+");
        if !hides {
            word.shows.push(name);
        }
        word.text.push(UNKNOWN);
        self.rest_of_braces();
    }

    /// Skips to the `}` that closes the expansion.
    fn rest_of_braces(&mut self) {
        let mut open = 1_usize;
        while let Some(c) = self.peek() {
            match c {
                '}' => {
                    open -= 1;
                    self.at += 1;
                    if open == 0 {
                        return;
                    }
                }
                '{' => {
                    open += 1;
                    self.at += 1;
                }
                '\\' => self.at += 2,
                '$' if self.ahead(1) == Some('{') => {
                    open += 1;
                    self.at += 2;
                }
                '$' | '`' => self.expansion(&mut Word::default(), true),
                _ => self.at += 1,
            }
        }
    }

    /// Reads a command whose output becomes part of the word.
    fn substitute(&mut self, word: &mut Word, end: char) {
        let first = self.out.items.len();
        self.inside(end, "$(");
        self.note_output(first, word);
    }

    fn note_output(&self, first: usize, word: &mut Word) {
        word.text.push(UNKNOWN);
        let programs = self.out.items[first..].iter().filter_map(|item| match item {
            Item::Run(command) => command.words.first().map(|w| w.text.clone()),
            _ => None,
        });
        // A few names are enough to say what it is. The limit keeps nesting from multiplying them.
        word.output_of.extend(programs.take(8));
    }

    fn back_quoted(&mut self, word: &mut Word) {
        self.at += 1;
        let mut inner = Vec::new();
        while let Some(c) = self.take() {
            match c {
                '`' => break,
                '\\' if matches!(self.peek(), Some('`' | '\\' | '$')) => inner.extend(self.take()),
                c => inner.push(c),
            }
        }
        let first = self.out.items.len();
        let limit = inner.len();
        let outer = (std::mem::replace(&mut self.chars, inner), std::mem::replace(&mut self.at, 0), self.limit);
        let documents = std::mem::take(&mut self.documents);
        self.limit = limit;
        while self.at < self.limit {
            self.inside('\0', "`");
            self.at += 1;
        }
        (self.chars, self.at, self.limit) = outer;
        self.documents = documents;
        self.note_output(first, word);
    }
}

/// Whether a character ends a word.
fn is_meta(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | ';' | '&' | '|' | '(' | ')' | '<' | '>')
}

/// Splits `NAME=value` or `NAME+=value`.
pub(super) fn assignment(word: &Word) -> Option<(String, Word)> {
    let (name, value) = word.text.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    Some((name.to_owned(), Word { text: value.to_owned(), ..word.clone() }))
}

/// Returns what `echo` and `printf` pipe on, as far as it is known.
fn echoed(command: &Command) -> Option<String> {
    let (program, words) = command.words.split_first()?;
    if !matches!(program.text.as_str(), "echo" | "printf") {
        // Handles `cat <<EOF | sh`.
        let passes = program.text == "cat" && words.is_empty();
        return command.input.clone().filter(|input| passes && input.len() <= MAX_VALUE_BYTES);
    }
    let words: Vec<&str> = words.iter().map(|w| w.text.as_str()).filter(|w| !w.starts_with('-')).collect();
    Some(words.join(" ").replace("\\n", "\n"))
}

#[cfg(test)]
mod tests;
