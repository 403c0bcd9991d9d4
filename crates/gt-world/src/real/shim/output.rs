//! Output of an agent or a command: logged up to a limit, with its last lines in memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{PipeReader, Read, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{LOG_LIMIT_BYTES, TAIL_LINES};

/// Limit on a quoted line, in bytes.
const LINE_LIMIT_BYTES: usize = 500;
/// How many bytes of a line are kept until it is quoted; quoting drops some of them (colours).
const RAW_LINE_LIMIT_BYTES: usize = 4 * LINE_LIMIT_BYTES;
/// How many bytes one read takes.
const CHUNK_BYTES: usize = 64 * 1024;
/// Limit on the chunks that are read after the tree is gone. A pipe holds fewer; more would come from a stranger's process.
const LAST_CHUNKS_LIMIT: usize = 1024;

/// The reading end of the pipe that a tree writes to, and the log that gets the output.
#[derive(Debug)]
pub(super) struct Output {
    /// `None` once all writers have closed it.
    pub pipe: Option<PipeReader>,
    log: Option<File>,
    kept_bytes: u64,
    dropped_bytes: u64,
    tail: Tail,
}

impl Output {
    /// Copies from `pipe` into `log`, appending to it.
    pub(super) fn new(pipe: PipeReader, log: File) -> Self {
        let kept_bytes = log.metadata().map_or(0, |metadata| metadata.len());
        Self { pipe: Some(pipe), log: Some(log), kept_bytes, dropped_bytes: 0, tail: Tail::default() }
    }

    /// Makes an output that copies nothing, because another process writes the log.
    pub(super) fn elsewhere() -> Self {
        Self { pipe: None, log: None, kept_bytes: 0, dropped_bytes: 0, tail: Tail::default() }
    }

    /// Copies what is in the pipe now. It waits if the pipe is empty, so call it only when the pipe is readable.
    pub(super) fn take(&mut self) {
        let mut chunk = [0; CHUNK_BYTES];
        let Some(pipe) = &mut self.pipe else { return };
        match pipe.read(&mut chunk) {
            Ok(0) | Err(_) => self.pipe = None,
            Ok(count) => self.keep(&chunk[..count]),
        }
    }

    /// Copies the rest without waiting for writers, and closes the log.
    pub(super) fn finish(&mut self) {
        for _ in 0..LAST_CHUNKS_LIMIT {
            if !self.is_readable() {
                break;
            }
            self.take();
        }
        if let Some(mut log) = self.log.take()
            && self.dropped_bytes > 0
        {
            // A full disk can't take this note either.
            let _ = writeln!(log, "\n[gt: {} more bytes were dropped]", self.dropped_bytes);
        }
    }

    /// Appends a line of our own to the output.
    pub(super) fn say(&mut self, line: &str) {
        self.keep(format!("{line}\n").as_bytes());
    }

    /// Returns the last lines.
    pub(super) fn tail(&self) -> Vec<String> {
        self.tail.lines()
    }

    fn is_readable(&self) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.tail.push(bytes);
        let room = LOG_LIMIT_BYTES.saturating_sub(self.kept_bytes);
        let fitting = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let written = self.log.as_mut().is_some_and(|log| log.write_all(&bytes[..fitting]).is_ok());
        let kept = if written { fitting } else { 0 };
        self.kept_bytes += kept as u64;
        self.dropped_bytes += (bytes.len() - kept) as u64;
    }
}

/// The last lines of a stream.
#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<Vec<u8>>,
    /// Whether the last line is incomplete.
    open: bool,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.push_piece(piece);
        }
    }

    fn push_piece(&mut self, piece: &[u8]) {
        if !self.open {
            self.lines.push_back(Vec::new());
        }
        if self.lines.len() > TAIL_LINES {
            self.lines.pop_front();
        }
        self.open = !piece.ends_with(b"\n");
        if let Some(line) = self.lines.back_mut() {
            let room = RAW_LINE_LIMIT_BYTES.saturating_sub(line.len());
            line.extend_from_slice(&piece[..piece.len().min(room)]);
        }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.iter().map(|line| quote(line)).collect()
    }
}

/// Returns a line that is safe to show: text without control characters, of bounded length.
fn quote(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut shown: String = text.chars().filter(|c| *c == '\t' || !c.is_control()).collect();
    let fits = |at: &usize| *at <= LINE_LIMIT_BYTES;
    let end = shown.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(fits).last();
    shown.truncate(end.unwrap_or(0));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&[u8]], expected: &[&str]) {
        let mut tail = Tail::default();
        pieces.iter().for_each(|piece| tail.push(piece));
        assert_eq!(tail.lines(), expected);
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        check(&[], &[]);
        check(&[b"a\n"], &["a"]);
        check(&[b"a", b"b\n", b"\nc"], &["ab", "", "c"]);
        check(&[b"a\r\n\x1b[31mb\t\x07\n"], &["a", "[31mb\t"]);
        check(&[b"\xff\n"], &["\u{fffd}"]);
    }

    #[test]
    fn only_the_last_lines_are_kept_and_no_line_is_long() {
        let many: String = (0..100).map(|n| format!("{n}\n")).collect();
        let last: Vec<String> = (80..100).map(|n| n.to_string()).collect();
        check(&[many.as_bytes()], &last.iter().map(String::as_str).collect::<Vec<_>>());
        check(&["é".repeat(5000).as_bytes()], &[&"é".repeat(250)]);
    }
}
