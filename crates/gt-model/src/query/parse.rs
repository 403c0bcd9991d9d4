//! Parses a text to an [`Expr`], with a lexer and a recursive-descent parser of limited depth.

use std::ops::Range;

use jiff::Zoned;

use super::{
    Expr, Field, Kind, Op, QUERY_DEPTH, QUERY_LIMIT, QUERY_TESTS, Query, QueryError, SHOWN_CHARS, Test, Value, moment,
};
use crate::vocabulary::nearest;

/// Parses `query`. Relative times count from `now`; times without a zone are in its zone.
pub fn parse(query: &str, now: &Zoned) -> Result<Query, QueryError> {
    if query.len() > QUERY_LIMIT {
        let what = format!("the query is longer than {QUERY_LIMIT} bytes");
        return Err(QueryError { query: String::new(), at: 0..0, what, hint: None });
    }
    let tokens = tokens(query)?;
    let mut parser = Parser { query, tokens, next: 0, depth: 0, tests: 0, now };
    let expr = parser.either()?;
    match parser.peek() {
        None => Ok(Query { expr, now: now.timestamp() }),
        Some(Token { kind: TokenKind::Close, .. }) => Err(parser.error("nothing is open here to be closed")),
        Some(_) => Err(parser.error("this was not expected")),
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TokenKind {
    Word(String),
    Quoted(String),
    Op(Op),
    Comma,
    Open,
    Close,
}

#[derive(Clone, Debug)]
struct Token {
    kind: TokenKind,
    at: Range<usize>,
}

/// Operators, longer ones first.
const OPS: &[(&str, Op)] = &[
    ("!=", Op::IsNot),
    ("<=", Op::AtMost),
    (">=", Op::AtLeast),
    ("==", Op::Is),
    ("=", Op::Is),
    ("<", Op::Less),
    (">", Op::More),
    ("~", Op::Holds),
];

fn tokens(query: &str) -> Result<Vec<Token>, QueryError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = query[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (kind, length) = token(query, at, c)?;
        tokens.push(Token { kind, at: at..at + length });
        at += length;
    }
    Ok(tokens)
}

/// Returns the token at `at`, which starts with `c`, and its length in bytes.
fn token(query: &str, at: usize, c: char) -> Result<(TokenKind, usize), QueryError> {
    let rest = &query[at..];
    if let Some((text, op)) = OPS.iter().find(|(text, _)| rest.starts_with(text)) {
        return Ok((TokenKind::Op(*op), text.len()));
    }
    match c {
        '(' => Ok((TokenKind::Open, 1)),
        ')' => Ok((TokenKind::Close, 1)),
        ',' => Ok((TokenKind::Comma, 1)),
        '"' | '\'' => quoted(query, at, c),
        _ => {
            let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | '"' | '=' | '<' | '>' | '~');
            let length = rest.find(ends).unwrap_or(rest.len());
            // The `!` of `!=` ends a word; other exclamation marks don't.
            let length =
                if rest[length..].starts_with('=') && rest[..length].ends_with('!') { length - 1 } else { length };
            Ok((TokenKind::Word(rest[..length].to_owned()), length))
        }
    }
}

/// Reads a text between quotes. A backslash escapes the next character.
fn quoted(query: &str, at: usize, quote: char) -> Result<(TokenKind, usize), QueryError> {
    let (mut text, mut escaped) = (String::new(), false);
    for (offset, c) in query[at..].char_indices().skip(1) {
        match c {
            _ if escaped => {
                text.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            c if c == quote => return Ok((TokenKind::Quoted(text), offset + 1)),
            c => text.push(c),
        }
    }
    let hint = Some(format!("end the text with another {quote}"));
    Err(QueryError { query: query.to_owned(), at: at..at + 1, what: "this quote is never closed".to_owned(), hint })
}

struct Parser<'a> {
    query: &'a str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    tests: usize,
    now: &'a Zoned,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn advance(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    /// Creates an error at the next token, or at the end.
    fn error(&self, what: &str) -> QueryError {
        let end = self.query.len();
        let at = self.peek().map_or(end..end, |token| token.at.clone());
        self.error_at(at, what, None)
    }

    fn error_at(&self, at: Range<usize>, what: &str, hint: Option<String>) -> QueryError {
        QueryError { query: self.query.to_owned(), at, what: what.to_owned(), hint }
    }

    /// Whether the next token is this keyword; if so, consumes it. A keyword before an operator is the name of a field.
    fn keyword(&mut self, word: &str) -> bool {
        let is_word = |token: &Token| matches!(&token.kind, TokenKind::Word(text) if text.eq_ignore_ascii_case(word));
        let found = self.peek().is_some_and(is_word);
        self.next += usize::from(found);
        found
    }

    fn is_keyword(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token { kind: TokenKind::Word(text), .. }) if text.eq_ignore_ascii_case(word))
    }

    fn either(&mut self) -> Result<Expr, QueryError> {
        let mut parts = vec![self.all()?];
        while self.keyword("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Expr::Or))
    }

    fn all(&mut self) -> Result<Expr, QueryError> {
        let mut parts = vec![self.not()?];
        loop {
            let said = self.keyword("and");
            let ends =
                self.is_keyword("or") || matches!(self.peek(), None | Some(Token { kind: TokenKind::Close, .. }));
            if ends && !said {
                return Ok(one_or(parts, Expr::And));
            }
            parts.push(self.not()?);
        }
    }

    fn not(&mut self) -> Result<Expr, QueryError> {
        if !self.keyword("not") {
            return self.primary();
        }
        self.deeper(|parser| Ok(Expr::Not(Box::new(parser.not()?))))
    }

    /// Parses something one level deeper.
    fn deeper(&mut self, parse: impl FnOnce(&mut Self) -> Result<Expr, QueryError>) -> Result<Expr, QueryError> {
        if self.depth == QUERY_DEPTH {
            return Err(self.error(&format!("nested more than {QUERY_DEPTH} levels deep")));
        }
        self.depth += 1;
        let expr = parse(self)?;
        self.depth -= 1;
        Ok(expr)
    }

    fn primary(&mut self) -> Result<Expr, QueryError> {
        let Some(token) = self.peek().cloned() else {
            return Err(self.error("something is missing here: a test like `status=open`, or a word to search for"));
        };
        match token.kind {
            TokenKind::Open => {
                self.next += 1;
                let expr = self.deeper(Self::either)?;
                match self.advance() {
                    Some(Token { kind: TokenKind::Close, .. }) => Ok(expr),
                    _ => Err(self.error_at(token.at, "this parenthesis is never closed", None)),
                }
            }
            TokenKind::Word(word) => {
                self.next += 1;
                self.count(&token.at)?;
                match self.peek() {
                    Some(Token { kind: TokenKind::Op(op), .. }) => {
                        let op = *op;
                        self.next += 1;
                        self.test(&word, token.at, op)
                    }
                    // Accepts `label:x`, the notation of other tools.
                    _ => match word.split_once(':') {
                        Some((name, value)) if Field::named(name).is_some() && !value.is_empty() => {
                            let start = token.at.start + name.len() + 1;
                            let value = vec![(value.to_owned(), start..token.at.end)];
                            self.compare(name, token.at, Op::Is, &value)
                        }
                        _ => Ok(Expr::Text(word)),
                    },
                }
            }
            TokenKind::Quoted(text) => {
                self.next += 1;
                self.count(&token.at)?;
                Ok(Expr::Text(text))
            }
            TokenKind::Op(_) => Err(self.error("a field is missing before this, as in `priority<2`")),
            TokenKind::Comma => Err(self.error("a comma belongs between values, as in `status=open,blocked`")),
            TokenKind::Close => Err(self.error("something is missing before this parenthesis")),
        }
    }

    fn count(&mut self, at: &Range<usize>) -> Result<(), QueryError> {
        self.tests += 1;
        if self.tests > QUERY_TESTS {
            return Err(self.error_at(at.clone(), &format!("more than {QUERY_TESTS} tests"), None));
        }
        Ok(())
    }

    /// Parses the test of the field `name`, whose operator was just read.
    fn test(&mut self, name: &str, at: Range<usize>, op: Op) -> Result<Expr, QueryError> {
        let mut values = vec![self.value()?];
        while matches!(self.peek(), Some(Token { kind: TokenKind::Comma, .. })) {
            self.next += 1;
            let value = self.value()?;
            self.count(&value.1)?;
            values.push(value);
        }
        self.compare(name, at, op, &values)
    }

    fn value(&mut self) -> Result<(String, Range<usize>), QueryError> {
        match self.peek().cloned() {
            Some(Token { kind: TokenKind::Word(text) | TokenKind::Quoted(text), at }) => {
                self.next += 1;
                Ok((text, at))
            }
            _ => Err(self.error("a value is missing here; put one with spaces or signs in quotes")),
        }
    }

    fn compare(
        &self,
        name: &str,
        at: Range<usize>,
        op: Op,
        values: &[(String, Range<usize>)],
    ) -> Result<Expr, QueryError> {
        let Some(field) = Field::named(name) else {
            let shown: String = name.chars().take(SHOWN_CHARS).collect();
            let what = format!("there is no field `{}`", shown.replace(char::is_control, " "));
            return Err(self.error_at(at, &what, Some(suggestion(name))));
        };
        let whole = values[0].1.start..values[values.len() - 1].1.end;
        let value = self.typed(field, values)?;
        let fits = match (field.kind(), op, &value) {
            (_, Op::Is | Op::IsNot, _) => true,
            (_, _, Value::Nothing) => false,
            (Kind::Text | Kind::Texts, Op::Holds, Value::Texts(texts)) => texts.len() == 1,
            (Kind::Number, op, Value::Numbers(numbers)) => op != Op::Holds && numbers.len() == 1,
            (Kind::Time, op, _) => op != Op::Holds,
            _ => false,
        };
        if !fits {
            let what = format!("`{}` can't be compared like that", field.name());
            return Err(self.error_at(at.start..whole.end, &what, Some(allowed(field).to_owned())));
        }
        Ok(Expr::Test(Test { field, op, value }))
    }

    fn typed(&self, field: Field, values: &[(String, Range<usize>)]) -> Result<Value, QueryError> {
        if let [(text, _)] = values
            && text.eq_ignore_ascii_case("none")
            && !matches!(field.kind(), Kind::Flag | Kind::Number)
        {
            return Ok(Value::Nothing);
        }
        match field.kind() {
            Kind::Text | Kind::Texts => Ok(Value::Texts(values.iter().map(|(text, _)| text.clone()).collect())),
            Kind::Number => values.iter().map(|value| self.number(value)).collect::<Result<_, _>>().map(Value::Numbers),
            Kind::Flag => self.single(field, values).and_then(|value| self.flag(value)),
            Kind::Time => self.single(field, values).and_then(|value| self.time(value)),
        }
    }

    fn single<'v>(
        &self,
        field: Field,
        values: &'v [(String, Range<usize>)],
    ) -> Result<&'v (String, Range<usize>), QueryError> {
        match values {
            [one] => Ok(one),
            _ => {
                let what = format!("`{}` takes one value", field.name());
                Err(self.error_at(values[1].1.clone(), &what, None))
            }
        }
    }

    fn number(&self, (text, at): &(String, Range<usize>)) -> Result<i64, QueryError> {
        let digits = text.strip_prefix(['P', 'p']).unwrap_or(text);
        let hint = || Some("0 (critical) to 4, as in `priority<=1`".to_owned());
        digits.parse().map_err(|_| self.error_at(at.clone(), "this is not a whole number", hint()))
    }

    fn flag(&self, (text, at): &(String, Range<usize>)) -> Result<Value, QueryError> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(Value::Flag(true)),
            "false" | "no" | "0" => Ok(Value::Flag(false)),
            _ => Err(self.error_at(at.clone(), "this is neither `true` nor `false`", None)),
        }
    }

    fn time(&self, (text, at): &(String, Range<usize>)) -> Result<Value, QueryError> {
        let hint = "a date (2026-01-31), a time (\"2026-01-31 12:00\"), `today`, \"last monday\", or a length of time: 7d is 7 days ago";
        let bad = || self.error_at(at.clone(), "this is not a time", Some(hint.to_owned()));
        moment(text, self.now).map(|(from, to)| Value::Time(from, to)).ok_or_else(bad)
    }
}

fn one_or(mut parts: Vec<Expr>, join: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            join(parts)
        }
    }
}

/// Describes how a field can be compared.
fn allowed(field: Field) -> &'static str {
    match field.kind() {
        Kind::Text | Kind::Texts => "use =, != or ~ (contains), and one text with ~",
        Kind::Number => "use =, !=, <, <=, > or >= with a number",
        Kind::Time => "use =, !=, <, <=, > or >= with a time",
        Kind::Flag => "use = or != with true or false",
    }
}

/// Returns a hint for a name that no field has.
fn suggestion(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match nearest(&name, Field::NAMES.iter().copied()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("fields: {}", Field::ALL.iter().map(|field| field.name()).collect::<Vec<_>>().join(", ")),
    }
}
