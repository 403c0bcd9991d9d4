//! The part of HTTP/1.1 that the clients of one server need: a request with a length, and an answer whole or in chunks. Each
//! connection serves one request.

use std::io::{self, BufRead, BufReader, Read, Write};

/// Limit on a line in bytes, and on the number of header lines.
const MAX_LINE: u64 = 64 * 1024;
const MAX_HEADERS: usize = 200;

/// Limit on a body in bytes. Conversations of tests are far smaller.
const MAX_BODY: u64 = 64 * 1024 * 1024;

/// One request of a client.
#[derive(Debug)]
pub struct Request {
    /// `GET`, `POST` …
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// Headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; empty if there is none.
    pub body: Vec<u8>,
}

impl Request {
    /// Reads one request.
    pub fn read(stream: impl Read + Write) -> io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let first = line(&mut reader)?;
        let mut words = first.split_whitespace();
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(bad("no request line"));
        };
        let path = target.split('?').next().unwrap_or(target).to_owned();
        let mut request = Self { method: method.to_owned(), path, headers: headers(&mut reader)?, body: Vec::new() };
        if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let length = request.header("content-length").map_or(Ok(0), str::parse).map_err(|_| bad("no length"))?;
        if length > MAX_BODY {
            return Err(bad("the body is too long"));
        }
        reader.take(length).read_to_end(&mut request.body)?;
        Ok(request)
    }

    /// Returns a header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn headers(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    while headers.len() < MAX_HEADERS {
        let line = line(reader)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad("a header without a colon"))?;
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    Err(bad("too many headers"))
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    reader.take(MAX_LINE).read_until(b'\n', &mut bytes)?;
    if !bytes.ends_with(b"\n") {
        return Err(bad("a line without an end"));
    }
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Sends a whole answer of JSON.
pub fn whole(out: &mut impl Write, status: u16, headers: &[(String, String)], body: &str) -> io::Result<()> {
    let length = ("content-length".to_owned(), body.len().to_string());
    head(out, status, "application/json", headers.iter().chain([&length]))?;
    out.write_all(body.as_bytes())?;
    out.flush()
}

/// Sends an answer that announces more bytes than it has.
pub fn broken(out: &mut impl Write, body: &str) -> io::Result<()> {
    let length = ("content-length".to_owned(), (body.len() + 1).to_string());
    head(out, 200, "application/json", [&length])?;
    out.write_all(body.as_bytes())?;
    out.flush()
}

/// An answer in pieces. Without [`Chunks::end`], the client sees a broken connection.
pub struct Chunks<'w, W: Write>(&'w mut W);

impl<'w, W: Write> Chunks<'w, W> {
    /// Begins a stream of events.
    pub fn begin(out: &'w mut W) -> io::Result<Self> {
        let chunked = ("transfer-encoding".to_owned(), "chunked".to_owned());
        head(out, 200, "text/event-stream", [&chunked])?;
        Ok(Self(out))
    }

    /// Sends one piece.
    pub fn send(&mut self, piece: &str) -> io::Result<()> {
        write!(self.0, "{:x}\r\n{piece}\r\n", piece.len())?;
        self.0.flush()
    }

    /// Sends the proper end.
    pub fn end(self) -> io::Result<()> {
        self.0.write_all(b"0\r\n\r\n")?;
        self.0.flush()
    }
}

fn head<'h>(
    out: &mut impl Write,
    status: u16,
    kind: &str,
    headers: impl IntoIterator<Item = &'h (String, String)>,
) -> io::Result<()> {
    write!(out, "HTTP/1.1 {status} Fake\r\ncontent-type: {kind}\r\nconnection: close\r\n")?;
    for (name, value) in headers {
        write!(out, "{name}: {value}\r\n")?;
    }
    out.write_all(b"\r\n")
}
