//! Checks for content that no ledger can store, although JSON allows it, or that serde_json does not check in values that it
//! passes on as text.

use std::borrow::Cow;

use super::{Fault, MAX_DEPTH};

/// JSON escape of the NUL character.
const NUL: &str = "\\u0000";

/// Character that replaces an escaped NUL.
const REPLACEMENT: &str = "\u{fffd}";

/// Returns the line with each escaped NUL character replaced. Databases, git and command lines can't store NUL.
pub(super) fn without_nul(line: &str) -> Cow<'_, str> {
    if !has_nul(line) {
        return line.into();
    }
    let mut kept = String::with_capacity(line.len());
    for piece in pieces(line) {
        kept.push_str(if piece == NUL { REPLACEMENT } else { piece });
    }
    kept.into()
}

/// Whether a line contains an escaped NUL character.
pub(super) fn has_nul(line: &str) -> bool {
    line.contains(NUL) && pieces(line).any(|piece| piece == NUL)
}

/// Splits a text before and after each escape, so that an escaped backslash does not start another escape.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut left = line;
    std::iter::from_fn(move || {
        let length = match left.find('\\') {
            None => left.len(),
            Some(0) if left.starts_with(NUL) => NUL.len(),
            Some(0) => 1 + left[1..].chars().next().map_or(0, char::len_utf8),
            Some(at) => at,
        };
        let (piece, rest) = left.split_at(length);
        left = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Checks a line that is known to be valid JSON.
pub(super) fn check(line: &str) -> Result<(), Fault> {
    let bytes = line.as_bytes();
    // Most lines pass at once: they have no escape, and too few brackets to be deep.
    if !bytes.contains(&b'\\') && bytes.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() <= MAX_DEPTH {
        return Ok(());
    }
    let (mut at, mut depth, mut in_string) = (0, 0_usize, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => {
                at += escape_length(&bytes[at..])?;
                continue;
            }
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        at += 1;
    }
    Ok(())
}

/// Returns the length of the escape at the start of `bytes`. A surrogate pair counts as one escape.
fn escape_length(bytes: &[u8]) -> Result<usize, Fault> {
    match code_unit(bytes) {
        None => Ok(2),
        Some(0xD800..=0xDBFF) => match bytes.get(6..).and_then(code_unit) {
            Some(0xDC00..=0xDFFF) => Ok(12),
            _ => Err(Fault::LoneSurrogate),
        },
        Some(0xDC00..=0xDFFF) => Err(Fault::LoneSurrogate),
        Some(_) => Ok(6),
    }
}

/// Returns the UTF-16 code unit of a numeric escape (`\u` and four hexadecimal digits) at the start of `bytes`.
pub(crate) fn code_unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
