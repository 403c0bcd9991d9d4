//! Predicts the result of `sh ./run-tests` in the sample project without a shell. The simulated town, whose gates run nothing,
//! uses it.
//!
//! It reads the lines that the project is made of, which are a small part of the shell's language: variables with a
//! text, functions that echo a text, and `expect`. Any other line counts as a mistake, as conflict markers do for `sh`.

use std::collections::BTreeMap;

/// Maximum depth of nested function calls; deeper ones return an empty text.
const DEPTH_LIMIT: u32 = 32;

/// Checks whether the project's tests pass with these files. The error says what fails.
pub fn gates_pass(files: &BTreeMap<String, String>) -> Result<(), String> {
    if !files.contains_key("run-tests") {
        return Err("run-tests is gone".to_owned());
    }
    let mut street = Street::default();
    for (path, text) in scripts(files, "lib/").chain(scripts(files, "tests/")) {
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            street.read(line).ok_or_else(|| format!("{path}: not a line of the project: {line}"))?;
        }
    }
    match (street.failures.first(), street.passed) {
        (Some(failure), _) => Err(failure.clone()),
        (None, 0) => Err("no test".to_owned()),
        (None, _) => Ok(()),
    }
}

fn scripts<'a>(files: &'a BTreeMap<String, String>, folder: &'a str) -> impl Iterator<Item = (&'a String, &'a String)> {
    let is_script =
        move |path: &str| path.strip_prefix(folder).is_some_and(|name| name.ends_with(".sh") && !name.contains('/'));
    files.iter().filter(move |(path, _)| is_script(path))
}

/// A piece of a text in double quotes.
#[derive(Clone, Debug)]
enum Piece {
    Plain(char),
    Argument(usize),
    Variable(String),
    Call(String, Vec<Text>),
}

type Text = Vec<Piece>;

/// State after the lines read so far: variables, functions, and results of `expect`.
#[derive(Default)]
struct Street {
    variables: BTreeMap<String, String>,
    functions: BTreeMap<String, Text>,
    passed: u32,
    failures: Vec<String>,
}

impl Street {
    /// Reads one line; `None` where it can't be a line of the project.
    fn read(&mut self, line: &str) -> Option<()> {
        if let Some(rest) = line.strip_prefix("expect ") {
            let mut reader = Reader(rest);
            let (got, wanted) = (reader.quoted()?, reader.skip(" ")?.quoted()?);
            reader.end()?;
            self.expect(&self.value(&got, &[], 0), &self.value(&wanted, &[], 0));
            return Some(());
        }
        let mut reader = Reader(line);
        let name = reader.name()?;
        if reader.skip("() { echo ").is_some() {
            let body = reader.quoted()?;
            reader.skip("; }")?.end()?;
            self.functions.insert(name, body);
        } else {
            let text = reader.skip("=")?.quoted()?;
            reader.end()?;
            let value = self.value(&text, &[], 0);
            self.variables.insert(name, value);
        }
        Some(())
    }

    fn expect(&mut self, got: &str, wanted: &str) {
        if got == wanted {
            self.passed += 1;
        } else {
            self.failures.push(format!("got \"{got}\", wanted \"{wanted}\""));
        }
    }

    /// Expands a text. A missing name expands to nothing, as in the shell.
    fn value(&self, text: &[Piece], arguments: &[String], depth: u32) -> String {
        let mut out = String::new();
        for piece in text {
            match piece {
                Piece::Plain(c) => out.push(*c),
                Piece::Argument(n) => out.push_str(arguments.get(n - 1).map_or("", String::as_str)),
                Piece::Variable(name) => out.push_str(self.variables.get(name).map_or("", String::as_str)),
                Piece::Call(name, given) if depth < DEPTH_LIMIT => {
                    let given: Vec<String> = given.iter().map(|text| self.value(text, arguments, depth)).collect();
                    let body = self.functions.get(name).map_or(&[][..], Vec::as_slice);
                    out.push_str(&self.value(body, &given, depth + 1));
                }
                Piece::Call(..) => {}
            }
        }
        out
    }
}

/// Reads a line from its start.
struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn skip(&mut self, expected: &str) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(self)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    fn name(&mut self) -> Option<String> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = self.0.find(|c| !is_name(c)).unwrap_or(self.0.len());
        let (name, rest) = self.0.split_at(length);
        self.0 = rest;
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        starts_well.then(|| name.to_owned())
    }

    fn quoted(&mut self) -> Option<Text> {
        self.skip("\"")?;
        let mut text = Text::new();
        while self.skip("\"").is_none() {
            text.push(self.piece()?);
        }
        Some(text)
    }

    fn piece(&mut self) -> Option<Piece> {
        if self.skip("$(").is_some() {
            return self.call();
        }
        let dollar = self.skip("$").is_some();
        let first = self.0.chars().next()?;
        if dollar && !first.is_ascii_digit() {
            return self.name().map(Piece::Variable);
        }
        self.0 = &self.0[first.len_utf8()..];
        match first.to_digit(10) {
            Some(n) if dollar => (n > 0).then_some(Piece::Argument(n as usize)),
            // Escapes and backquotes have a meaning in the shell, and do not occur in the project.
            _ => (!matches!(first, '\\' | '`')).then_some(Piece::Plain(first)),
        }
    }

    /// Reads the rest of a call after its `$(`.
    fn call(&mut self) -> Option<Piece> {
        let name = self.name()?;
        let mut arguments = Vec::new();
        while self.skip(")").is_none() {
            arguments.push(self.skip(" ")?.quoted()?);
        }
        Some(Piece::Call(name, arguments))
    }
}

#[cfg(test)]
mod tests;
