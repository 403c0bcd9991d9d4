//! What agents have said, as lines for people: without what a terminal would act on, and out of a client's stream of JSON.

use std::num::NonZeroU16;

use serde_json::Value;

/// Characters of a tool's input, or of the first line of its result, that are shown.
const SHOWN_CHARS: usize = 160;

/// What a line of a log reads like. A line of a client's stream becomes the lines that say something, or none; any other
/// line stays as it is.
pub fn readable(line: &str) -> Vec<String> {
    match serde_json::from_str::<Value>(line) {
        Ok(message) if message["type"].is_string() && message.get("session_id").is_some() => of_message(&message),
        _ => vec![plain(line, false)],
    }
}

fn of_message(message: &Value) -> Vec<String> {
    match message["type"].as_str().unwrap_or_default() {
        "system" if message["subtype"] == "init" => vec![plain(
            &format!(
                "* session {} begins: {}, {}",
                text(&message["session_id"]),
                text(&message["model"]),
                text(&message["permissionMode"])
            ),
            false,
        )],
        "assistant" | "user" => of_content(&message["message"]["content"]),
        "result" => vec![result(message)],
        _ => Vec::new(),
    }
}

fn of_content(content: &Value) -> Vec<String> {
    if let Some(said) = content.as_str() {
        return lines(said);
    }
    let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
    blocks.iter().flat_map(of_block).collect()
}

fn of_block(block: &Value) -> Vec<String> {
    match block["type"].as_str().unwrap_or_default() {
        "text" => lines(text(&block["text"])),
        "tool_use" => vec![cut(&format!("> {}: {}", text(&block["name"]), input(&block["input"])))],
        "tool_result" => {
            let said = match &block["content"] {
                Value::String(said) => said.clone(),
                parts => parts.as_array().into_iter().flatten().map(|part| text(&part["text"])).collect(),
            };
            let mark = if block["is_error"] == true { "< failed:" } else { "<" };
            let more = match said.lines().count() {
                0 | 1 => String::new(),
                count => format!(" (and {} lines)", count - 1),
            };
            vec![format!("{}{more}", cut(&format!("{mark} {}", said.lines().next().unwrap_or_default())))]
        }
        _ => Vec::new(),
    }
}

/// What a tool is to act on: its command or file, else all of its input.
fn input(input: &Value) -> String {
    let known = ["command", "file_path", "path", "pattern", "url", "query", "description"];
    let found = known.iter().find_map(|name| input[*name].as_str());
    found.map_or_else(|| input.to_string(), str::to_owned)
}

fn result(message: &Value) -> String {
    let word = if message["is_error"] == true { "failed" } else { "turn over" };
    let turns = message["num_turns"].as_u64().map(|turns| format!(", {turns} turns")).unwrap_or_default();
    let said = message["result"].as_str().filter(|_| message["is_error"] == true);
    cut(&format!("= {word}{turns}{}", said.map(|said| format!(": {said}")).unwrap_or_default()))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn lines(said: &str) -> Vec<String> {
    said.lines().map(|line| plain(line, false)).collect()
}

/// One line of bounded length, with nothing in it that a terminal acts on.
fn cut(line: &str) -> String {
    let line = plain(&line.replace(['\n', '\r'], " "), false);
    if line.chars().count() <= SHOWN_CHARS { line } else { line.chars().take(SHOWN_CHARS).chain(['…']).collect() }
}

/// A line without what a terminal would act on, colours aside where they are wanted. Of a line that was written over
/// itself, what was written last.
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

/// Rows and columns that the town's terminals have while nobody is attached.
const TERMINAL: (NonZeroU16, NonZeroU16) = (NonZeroU16::new(50).unwrap(), NonZeroU16::new(200).unwrap());

/// Lines that have scrolled out of a terminal and are kept.
const SCROLLED: usize = 2000;

/// What a terminal would have shown of a log: what scrolled by, and the screen as it was last. Whoever wrote the log, an
/// answer comes of it.
pub fn rendered(log: &[u8]) -> String {
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

/// The rest of a control sequence behind its escape; nothing of a text such as a window's title.
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
                    // The second half of a string's end.
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
        // Written over: a spinner, a progress bar, a menu that is drawn again and again.
        check("* Thinking\r\u{1b}[K+ Thinking\r\u{1b}[KDone.\r\n", "Done.");
        check("a\r\nb\r\nc\u{1b}[2A\r\u{1b}[JA\r\nB", "A\nB");
        check("\u{1b}[?1049hfull screen\u{1b}[?1049lback\r\n", "back");
        check("\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}text \u{1b}[10Ctab", "red text           tab");
        let many: String = (0..120).map(|n| format!("line {n}\r\n")).collect();
        let lines = rendered(many.as_bytes());
        assert_eq!((lines.lines().count(), lines.lines().next()), (120, Some("line 0")));
    }

    proptest::proptest! {
        /// The log is whatever an agent wrote.
        #[test]
        fn any_log_can_be_shown(parts in proptest::collection::vec(part(), 0..60)) {
            let log = parts.concat();
            let shown = shown(&log);
            proptest::prop_assert!(!shown.contains('\u{1b}'), "{shown:?}");
        }
    }

    /// Bytes of which terminals make something, and any others.
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

    #[test]
    fn a_clients_stream_reads_like_what_it_does() {
        let check = |line: &str, expected: &[&str]| assert_eq!(readable(line), expected, "{line}");
        check(
            r#"{"type":"system","subtype":"init","session_id":"u-1","model":"m","permissionMode":"acceptEdits"}"#,
            &["* session u-1 begins: m, acceptEdits"],
        );
        check(
            r#"{"type":"assistant","session_id":"u","message":{"content":[{"type":"thinking","thinking":"x"},{"type":"text","text":"one\ntwo"},{"type":"tool_use","name":"Bash","input":{"command":"gt prime","description":"d"}}]}}"#,
            &["one", "two", "> Bash: gt prime"],
        );
        check(
            r#"{"type":"user","session_id":"u","message":{"content":[{"type":"tool_result","content":"first\nsecond\nthird"}]}}"#,
            &["< first (and 2 lines)"],
        );
        check(
            r#"{"type":"user","session_id":"u","message":{"content":[{"type":"tool_result","is_error":true,"content":[{"type":"text","text":"\u001b[31mno\u001b[2J"}]}]}}"#,
            &["< failed: no"],
        );
        check(
            r#"{"type":"result","session_id":"u","is_error":true,"num_turns":1,"result":"Not logged in"}"#,
            &["= failed, 1 turns: Not logged in"],
        );
        check(
            r#"{"type":"result","session_id":"u","is_error":false,"num_turns":3,"result":"all"}"#,
            &["= turn over, 3 turns"],
        );
        check(r#"{"type":"stream_event","session_id":"u"}"#, &[]);
        check(r#"{"type":"something of the project"}"#, &[r#"{"type":"something of the project"}"#]);
        check("plain \u{1b}[1mtext", &["plain text"]);
        check(r#"{"type":"assistant","session_id":"u","message":{"content":7}}"#, &[]);
        let long = format!(
            r#"{{"type":"assistant","session_id":"u","message":{{"content":[{{"type":"tool_use","name":"W","input":{{"x":"{}"}}}}]}}}}"#,
            "é".repeat(9000)
        );
        assert_eq!(readable(&long)[0].chars().count(), SHOWN_CHARS + 1);
    }
}
