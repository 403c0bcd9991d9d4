//! Turns agents' output into lines for people: removes what a terminal would act on, and reads clients' streams of JSON.

use std::num::NonZeroU16;

use gt_model::usage::Format;
use serde_json::Value;

use super::streams::said;

/// Makes a log's line readable. A line of a client's stream becomes the lines that say something, or none; any other line stays
/// as it is.
pub fn readable(line: &str, format: Option<Format>) -> Vec<String> {
    let message: Option<Value> = serde_json::from_str(line).ok();
    message.and_then(|message| said(format, &message)).unwrap_or_else(|| vec![plain(line, false)])
}

/// Removes what a terminal would act on from a line, except colours where they are wanted. Where the line was written over,
/// keeps what was written last.
pub fn plain(line: &str, colours: bool) -> String {
    let line = line.trim_end_matches(['\r', '\n']);
    let line = line.rsplit('\r').next().unwrap_or_default();
    let (mut shown, mut coloured) = (String::new(), false);
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            let sequence = sequence(&mut rest);
            if colours && sequence.ends_with('m') && sequence.starts_with('[') {
                shown.push('\u{1b}');
                shown.push_str(&sequence);
                coloured = true;
            }
        } else if c == '\t' || !c.is_control() {
            shown.push(c);
        }
    }
    if coloured {
        shown.push_str("\u{1b}[0m");
    }
    shown
}

/// Rows and columns of the town's terminals while no person is attached.
const TERMINAL: (NonZeroU16, NonZeroU16) = (NonZeroU16::new(50).unwrap(), NonZeroU16::new(200).unwrap());

/// Number of lines that are kept after they have scrolled out of a terminal.
const SCROLLED: usize = 2000;

/// Returns what a terminal would have shown of a log: the lines that scrolled by, and the last screen. Accepts any bytes, since
/// an agent may have written them.
pub(crate) fn rendered(log: &[u8]) -> String {
    let shown = std::panic::catch_unwind(|| shown(log));
    shown.unwrap_or_else(|_| String::from_utf8_lossy(log).into_owned())
}

fn shown(log: &[u8]) -> String {
    let (rows, columns) = TERMINAL;
    let mut parser = vt100::Parser::new(rows, columns, SCROLLED);
    parser.process(log);
    let screen = parser.screen_mut();
    screen.set_scrollback(SCROLLED);
    let scrolled = screen.scrollback();
    let mut lines = Vec::new();
    for back in (1..=scrolled).rev() {
        screen.set_scrollback(back);
        lines.extend(screen.rows(0, columns.get()).next());
    }
    screen.set_scrollback(0);
    lines.extend(screen.rows(0, columns.get()));
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n").trim_end().to_owned()
}

/// Reads the rest of a control sequence after its escape. Drops a text in it, such as a window's title.
fn sequence(rest: &mut std::str::Chars<'_>) -> String {
    let Some(kind) = rest.next() else { return String::new() };
    let mut taken = kind.to_string();
    match kind {
        '[' => {
            for c in rest.by_ref() {
                taken.push(c);
                if ('@'..='~').contains(&c) {
                    break;
                }
            }
        }
        ']' | 'P' | '_' | '^' | 'X' => {
            while let Some(c) = rest.next() {
                if c == '\u{7}' || c == '\u{1b}' {
                    // Second half of a string's terminator.
                    if c == '\u{1b}' {
                        rest.next();
                    }
                    break;
                }
            }
        }
        ' '..='/' => drop(rest.next()),
        _ => {}
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminals_log_reads_as_the_terminal_showed_it() {
        let check = |log: &str, expected: &str| assert_eq!(rendered(log.as_bytes()), expected, "{log:?}");
        check("one\r\ntwo\r\n", "one\ntwo");
        check("", "");
        // Lines that are written over: a spinner, a progress bar, a menu that is drawn again and again.
        check("* Thinking\r\u{1b}[K+ Thinking\r\u{1b}[KDone.\r\n", "Done.");
        check("a\r\nb\r\nc\u{1b}[2A\r\u{1b}[JA\r\nB", "A\nB");
        check("\u{1b}[?1049hfull screen\u{1b}[?1049lback\r\n", "back");
        check("\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}text \u{1b}[10Ctab", "red text           tab");
        let many: String = (0..120).map(|n| format!("line {n}\r\n")).collect();
        let lines = rendered(many.as_bytes());
        assert_eq!((lines.lines().count(), lines.lines().next()), (120, Some("line 0")));
    }

    proptest::proptest! {
        /// Any bytes can be shown, since an agent writes the log.
        #[test]
        fn any_log_can_be_shown(parts in proptest::collection::vec(part(), 0..60)) {
            let log = parts.concat();
            let shown = shown(&log);
            proptest::prop_assert!(!shown.contains('\u{1b}'), "{shown:?}");
        }
    }

    /// Makes bytes that terminals act on, and any others.
    fn part() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
        use proptest::prelude::*;
        let sequence =
            (0..=300_u16, 0..=300_u16, proptest::sample::select(b"ABCDEFGHIJKLMPSTXZ@`adfghlmnrstu".to_vec()));
        let sequence = sequence.prop_map(|(one, two, end)| [format!("\u{1b}[{one};{two}").as_bytes(), &[end]].concat());
        let text = proptest::sample::select(vec![
            "a",
            "字",
            "\u{301}",
            "\r",
            "\n",
            "\t",
            "\u{8}",
            "👩‍👩‍👧",
            "\u{1b}M",
            "\u{1b}7",
            "\u{1b}8",
        ]);
        let text = (text, 1..250_usize).prop_map(|(text, times)| text.repeat(times).into_bytes());
        prop_oneof![sequence, text, proptest::collection::vec(any::<u8>(), 0..40)]
    }

    #[test]
    fn a_terminal_is_told_nothing_but_colours() {
        for (line, without, with) in [
            ("plain\ttext\r\n", "plain\ttext", "plain\ttext"),
            ("\u{1b}[1;31mred\u{1b}[m", "red", "\u{1b}[1;31mred\u{1b}[m\u{1b}[0m"),
            ("\u{1b}[2J\u{1b}[10;5Hhere\u{1b}[K", "here", "here"),
            ("\u{1b}]0;title\u{7}a\u{1b}]52;c;QQ==\u{1b}\\b", "ab", "ab"),
            ("\u{1b}(Bx\u{1b}=y\u{1b}7z\u{7}\u{9b}", "xyz", "xyz"),
            ("10%\r20%\r", "20%", "20%"),
            ("cut \u{1b}[3", "cut ", "cut "),
            ("cut \u{1b}", "cut ", "cut "),
        ] {
            assert_eq!((plain(line, false), plain(line, true)), (without.to_owned(), with.to_owned()), "{line:?}");
        }
    }
}
