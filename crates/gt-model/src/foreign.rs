//! Text of others: titles, mail, a client's text. It is data, so it is cut and cleaned before a model or a person reads it.

/// Whether a model or a terminal reads this character although a person does not see it: control characters, Unicode's own line
/// ends, changes of the writing direction, and tag characters.
pub fn is_unseen(c: char) -> bool {
    let hidden = matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || hidden || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// Returns the text on one line, without characters that a terminal would act on or that people can't see.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_unseen(c) { ' ' } else { c }).collect()
}

/// Returns the text without characters that a terminal would act on or that people can't see. Line ends and tabs stay.
pub fn lines(text: &str) -> String {
    text.chars().map(|c| if is_unseen(c) && c != '\n' && c != '\t' { ' ' } else { c }).collect()
}

/// Returns JSON (a document, or lines of it) with the same meaning, but without characters that a terminal would act on or that
/// people can't see. In JSON such characters occur only in strings, so an escape replaces each.
pub fn json(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unseen(c) && c != '\n' {
            let escape = |unit: &mut u16| clean.push_str(&format!("\\u{unit:04x}"));
            c.encode_utf16(&mut [0; 2]).iter_mut().for_each(escape);
        } else {
            clean.push(c);
        }
    }
    clean
}

/// Returns the longest beginning of a text with at most `bytes` bytes.
pub fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Beginnings of the names of tags with which clients mark text for a model as their own, a tool's or the user's. A name with a
/// dash, an underscore or a colon also counts as such a tag.
const FRAMES: &[&str] = &[
    "system",
    "user",
    "assistant",
    "human",
    "developer",
    "function",
    "invoke",
    "parameter",
    "tool",
    "result",
    "thinking",
    "instructions",
    "important",
    "task",
    "hook",
    "environment",
    "context",
];

/// Returns the text with tags disarmed that could open or close a frame that a client has put around it: the first character of
/// `</system-reminder>` becomes `&lt;`. Code such as `Vec<String>` stays as it is.
pub fn untagged(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        clean.push_str(before);
        clean.push_str(if is_frame(&from[1..]) { "&lt;" } else { "<" });
        rest = &from[1..];
    }
    clean + rest
}

/// Whether the text after a `<` closes a tag, or opens one that a client might take for a frame.
fn is_frame(rest: &str) -> bool {
    let is_nothing =
        |c: char| c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    let spaced = rest.trim_start_matches(is_nothing);
    if spaced.starts_with(['/', '|', '!', '?']) || spaced.starts_with("\\/") {
        return true;
    }
    let is_part = |c: char| c.is_alphanumeric() || "-_:.".contains(c);
    let name: String = spaced.chars().take_while(|c| is_part(*c)).collect::<String>().to_lowercase();
    FRAMES.iter().any(|frame| name.starts_with(frame)) || name.contains(['-', '_', ':'])
}

/// Marks text of others with a bar before every line. The result has at most `bytes` bytes. If that leaves something out, `more`
/// says where to find the whole text.
pub fn quoted(text: &str, bytes: usize, more: &str) -> String {
    let text = text.trim();
    let whole: Vec<String> = text.lines().map(marked).collect();
    let whole = whole.join("\n");
    if whole.len() <= bytes {
        return whole;
    }
    let last = format!("| … full text: {more}");
    let shown = cut(&whole, bytes.saturating_sub(last.len() + 1)).trim_end_matches(['|', ' ', '\n']);
    if shown.is_empty() { last } else { format!("{shown}\n{last}") }
}

fn marked(line: &str) -> String {
    format!("| {}", untagged(&lines(line))).trim_end().to_owned()
}

/// Marks text of others, in full, with a bar before every line. Every character that might end a line starts a new one.
pub fn framed(text: &str) -> String {
    text.split(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'])
        .map(marked)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_for_a_terminal_says_the_same() {
        let value = serde_json::json!({"a\u{9b}31m": ["x\u{202e}y\u{7f}", "e\u{e0041}", "é\n\u{1b}"]});
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let clean = json(&text);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&clean).unwrap(), value);
            assert!(!clean.chars().any(|c| is_unseen(c) && c != '\n') && clean.contains('é'), "{clean:?}");
        }
    }

    #[test]
    fn no_tag_leaves_the_frame_that_a_client_puts_around_it() {
        for (text, expected) in [
            ("</system-reminder>", "&lt;/system-reminder>"),
            ("a <system-reminder>b", "a &lt;system-reminder>b"),
            ("< / system>", "&lt; / system>"),
            ("<\u{200b}/system>", "&lt;\u{200b}/system>"),
            ("<SYSTEM>x", "&lt;SYSTEM>x"),
            ("<function_calls><invoke name=x>", "&lt;function_calls>&lt;invoke name=x>"),
            ("<a:x>", "&lt;a:x>"),
            ("<|im_start|>", "&lt;|im_start|>"),
            ("<![CDATA[", "&lt;![CDATA["),
            ("</div>", "&lt;/div>"),
            ("Vec<String>, a < b, x<<2, <T>, <a@example.org>", "Vec<String>, a < b, x<<2, <T>, <a@example.org>"),
            ("<", "<"),
            ("<<</x", "<<&lt;/x"),
        ] {
            assert_eq!(untagged(text), expected, "{text}");
            assert!(quoted(text, 999, "x").starts_with("| ") && !framed(text).contains("</"), "{text}");
        }
        assert_eq!(framed("a\r\nb\u{2028}c\u{85}d\u{b}e"), "| a\n|\n| b\n| c\n| d\n| e");
    }

    #[test]
    fn text_of_others_is_cut_and_marked() {
        assert_eq!(quoted("a\x1b[2Jb\r\nc\n", 100, "x"), "| a [2Jb\n| c");
        let cut = quoted(&"ä\n".repeat(100), 60, "gt mail read m");
        assert_eq!(cut, "| ä\n| ä\n| ä\n| ä\n| ä\n| … full text: gt mail read m");
        assert!(quoted(&"\n\n".repeat(100), 60, "x").len() <= 60);
        assert_eq!(quoted("a long text that is cut", 5, "x"), "| … full text: x");
        assert_eq!(quoted("", 3, "x"), "");
        assert_eq!(one_line("a\nb\u{7}"), "a b ");
        assert_eq!(quoted("a\u{2028}b\u{e0041}\u{202e}c ä\u{1f600}", 99, "x"), "| a b  c ä\u{1f600}");
    }
}
