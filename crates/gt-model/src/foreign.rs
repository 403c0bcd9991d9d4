//! Text of others: titles, mail, what a client says. It is data; before anybody reads it, it is cut and cleaned.

/// Text without anything that a terminal would act on, on one line.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Text without anything that a terminal would act on; line ends and tabs stay.
pub fn lines(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c }).collect()
}

/// The longest beginning of a text that has at most so many bytes.
pub fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Text of others, marked as such: every line behind a bar. More than `bytes` of it is left out, and `more` says where
/// all of it is.
pub fn quoted(text: &str, bytes: usize, more: &str) -> String {
    let text = text.trim();
    let shown = cut(text, bytes);
    let mut marked: Vec<String> = shown.lines().map(|line| format!("| {}", lines(line))).collect();
    if shown.len() < text.len() {
        marked.push(format!("| … all of it: {more}"));
    }
    marked.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_cut_and_marked() {
        assert_eq!(quoted("a\x1b[2Jb\r\nc\n", 100, "x"), "| a [2Jb\n| c");
        assert_eq!(quoted("äöü", 3, "gt mail read m"), "| ä\n| … all of it: gt mail read m");
        assert_eq!(quoted("", 3, "x"), "");
        assert_eq!(one_line("a\nb\u{7}"), "a b ");
    }
}
