use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value};

use super::*;
use crate::bead::{BeadType, Comment, DepType, Dependency, Stamp, Status};
use crate::id::BeadId;

const BEADS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/beads.jsonl"));
const GASTOWN: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/gastown.jsonl"));
const CONFLICT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/conflict-markers.jsonl"));

const NONE_BAD: [usize; 0] = [];

/// Reads the bead on a valid line.
fn bead(line: &str) -> Bead {
    match parse_line(line) {
        Ok(Some(Record::Bead(bead))) => *bead,
        other => panic!("{line}: {other:?}"),
    }
}

/// Returns a line with these entries and those that every bead must have.
fn with(entries: &str) -> String {
    let times = r#""created_at":"2025-01-01T00:00:00Z","updated_at":"2025-01-02T00:00:00Z""#;
    format!(r#"{{"id":"vt-1","title":"T","status":"open","priority":2,"issue_type":"task",{times}{entries}}}"#)
}

/// Reads and writes `entries` twice. Returns the result of the first time, which must equal the second.
fn rewritten(entries: &str) -> String {
    let once = write_bead(&bead(&with(entries)));
    assert_eq!(write_bead(&bead(&once)), once);
    once
}

#[test]
fn what_came_is_written_back() {
    let check = |entries: &str| assert_eq!(rewritten(entries), with(entries));
    check("");
    check(r#","closed_at":"2025-01-01T09:30:00.123456789-08:00""#);
    check(r#","pinned":true,"is_template":true"#);
    check(r#","ephemeral":true"#);
    check(r#","wisp":true"#);
    check(r#","labels":["a/b","x:y","","é"]"#);
    check(r#","metadata":{"b": 1.50, "a":[1e999,-0,12345678901234567890]},"x_new":null,"other":[ ]"#);
    check(r#","zz":"later","aa":"\u003cthen\u003e","nul":"\\u0000""#);
    check(r#","dependencies":[{"issue_id":"vt-1","depends_on_id":"gone-9","type":"blocked-by","parent":1}]"#);
    check(
        r#","dependencies":[{"issue_id":"vt-1","depends_on_id":"vt-2","type":"parent_child","thread_id":"t","new":{}}]"#,
    );
    check(r#","comments":[{"id":7,"issue_id":"vt-1","author":"","text":"","created_at":"any time","new":1.0}]"#);
    check(r#","comments":[{"id":"c-\u0041","author":"a","text":"t"}]"#);
    let tagged = with("").replacen('{', r#"{"_type":"issue","#, 1);
    assert_eq!(write_bead(&bead(&tagged)), tagged);
}

#[test]
fn what_may_be_left_out_is() {
    let check = |entries: &str, expected: &str| assert_eq!(rewritten(entries), with(expected), "{entries}");
    check(
        r#","description":"","assignee":"","labels":[],"comments":null,"pinned":false,"owner":"","closed_at":"""#,
        "",
    );
    check(r#","dependency_count":3,"dependent_count":1,"comment_count":0,"parent":"vt-0""#, "");
    check(r#","wisp":true,"ephemeral":true"#, r#","ephemeral":true"#);
    check(r#","wisp":true,"ephemeral":false"#, "");
    check(r#","wisp":false"#, "");
    check(r#","dependencies":[null]"#, "");
    check(
        r#","dependencies":[{"depends_on_id":"vt-2"}]"#,
        r#","dependencies":[{"issue_id":"vt-1","depends_on_id":"vt-2"}]"#,
    );
    check(r#","labels":["a",null,"b"]"#, r#","labels":["a","b"]"#);
}

#[test]
fn form_does_not_matter() {
    let expected = with(r#","closed_at":"2025-01-03T00:00:00Z","close_reason":"é<ü>","x":1"#);
    let check = |line: &str| assert_eq!(write_bead(&bead(line)), expected, "{line}");
    let closed = r#""closed_at":"2025-01-03T00:00:00Z""#;
    check(&with(&format!(r#","x":1,"close_reason":"\u00e9\u003cü\u003e",{closed}"#)));
    check(&format!("\u{feff}  {}\r\n", with(&format!(r#", "x" :1 ,"clos\u0065_reason":"é<ü>",{closed}"#))));
    check(&with(&format!(r#",{closed},"x":0,"close_reason":"none","close_reason":"é<ü>","x":1"#)));
    let times = r#""updated_at":"2025-01-02T00:00:00Z","created_at":"2025-01-01T00:00:00Z""#;
    check(&format!(r#"{{"x":1,"priority":2,{closed},"close_reason":"é<ü>",{times},"title":"T","id":"vt-1"}}"#));
}

#[test]
fn values_keep_to_their_line() {
    let line = write_bead(&bead(&with(",\"x\":[1,\r\n2]")));
    assert_eq!(line, with(",\"x\":[1,  2]"));
    let other = parse_line("{\"_type\":\"memory\",\n\"key\":1}").unwrap().unwrap();
    assert_eq!(write(&[other]), "{\"_type\":\"memory\", \"key\":1}\n");
}

#[test]
fn missing_values() {
    let bare = bead(r#"{"id":"x"}"#);
    assert_eq!((&bare.status, &bare.issue_type, bare.priority), (&Status::Open, &BeadType::Task, 0));
    assert_eq!(bare.created_at.text, "0001-01-01T00:00:00Z");
    let dated = bead(r#"{"id":"x","updated_at":"2025-01-02T00:00:00+02:00"}"#);
    assert_eq!(dated.created_at.text, "2025-01-02T00:00:00+02:00");
    assert_eq!(dated.created_at.at.to_string(), "2025-01-01T22:00:00Z");
}

#[test]
fn a_promoted_wisp_is_written_as_none() {
    let mut wisp = bead(&with(r#","wisp":true"#));
    assert!(wisp.ephemeral);
    wisp.ephemeral = false;
    assert_eq!(write_bead(&wisp), with(""));
}

#[test]
fn a_nul_is_never_written() {
    let mut nul = bead(&with(""));
    nul.title = "a\0b".to_owned();
    assert_eq!(bead(&write_bead(&nul)).title, "a\u{fffd}b");
}

#[test]
fn an_escaped_nul_is_read_as_a_replacement_character_and_told() {
    let text = [
        with(r#","zz":"a\u0000\\\u0000b""#),
        with(r#","zz":"no nul: \\u0000""#),
        r#"{"_type":"memory","\u0000":"\u0000"}"#.to_owned(),
    ]
    .join("\n");
    let parsed = parse(text.as_bytes());
    assert_eq!(parsed.errors, []);
    assert_eq!(lines_with_nul(text.as_bytes()).collect::<Vec<_>>(), [1, 3]);
    let expected =
        [r#"{"_type":"memory","�":"�"}"#.to_owned(), with(r#","zz":"a�\\�b""#), with(r#","zz":"no nul: \\u0000""#)];
    let written: Vec<String> = write(&parsed.records).lines().map(str::to_owned).collect();
    assert_eq!(written, expected);
}

#[test]
fn bad_lines_say_why() {
    let check = |line: &str, expected: &str| match parse_line(line) {
        Err(error) => assert_eq!(error.to_string(), format!("line 1: {expected}"), "{line}"),
        Ok(record) => panic!("{line} was read: {record:?}"),
    };
    let check_entry = |entry: &str, expected: &str| check(&with(&format!(",{entry}")), expected);
    check("<<<<<<< HEAD", "a git conflict marker");
    check("=======", "a git conflict marker");
    check("[1]", "not a JSON object: invalid type: sequence, expected an object at column 0");
    check("{\"id\":\"x\"", "not a JSON object: EOF while parsing an object at column 9");
    check("{} {}", "not a JSON object: trailing characters at column 4");
    check("{}", "`id` is missing");
    check(r#"{"id":""}"#, "`id` is missing");
    check(r#"{"id":7}"#, "`id` is a number, not a string");
    check(r#"{"_type":7}"#, "`_type` is a number, not a string");
    check_entry(r#""title":7"#, "`title` is a number, not a string");
    check_entry(r#""priority":"high""#, "`priority` is a string, not a whole number");
    check_entry(r#""priority":1.5"#, "`priority` is a number, not a whole number");
    check_entry(r#""priority":9223372036854775808"#, "`priority` is a number, not a whole number");
    check_entry(r#""pinned":1"#, "`pinned` is a number, not true or false");
    check_entry(r#""wisp":"yes""#, "`wisp` is a string, not true or false");
    check_entry(r#""labels":"a""#, "`labels` is a string, not a list of strings");
    check_entry(r#""labels":["a",1]"#, "`labels` is one of other values, not a list of strings");
    check_entry(r#""dependencies":{}"#, "`dependencies` is an object, not a list of objects");
    check_entry(r#""dependencies":[null,"vt-2"]"#, "`dependencies[1]` is a string, not an object");
    check_entry(r#""dependencies":[{}]"#, "`dependencies[0].depends_on_id` is missing");
    check_entry(r#""dependencies":[{"type":[]}]"#, "`dependencies[0].depends_on_id` is missing");
    check_entry(
        r#""dependencies":[{"depends_on_id":"a","type":[]}]"#,
        "`dependencies[0].type` is a list, not a string",
    );
    check_entry(r#""comments":[{"id":1.5}]"#, "`comments[0].id` is a number, not a whole number or a string");
    check_entry(r#""closed_at":"yesterday""#, "`closed_at` is not an RFC 3339 time: \"yesterday\"");
    check_entry(r#""closed_at":"2025-01-01T00:00:00""#, "`closed_at` is not an RFC 3339 time: \"2025-01-01T00:00:00\"");
    for lone in [r"\ud800", r"\ud800x", r"\ud800\n", r"\ud800\ud800", r"\udc00", r"\ude00\ud83d"] {
        let half = "an escape of half a character (a lone surrogate)";
        check_entry(&format!(r#""title":"{lone}""#), half);
        check_entry(&format!(r#""new":["{lone}"]"#), half);
        check(&format!(r#"{{"_type":"memory","key":"{lone}"}}"#), half);
    }
    for number in ["01", "1.", ".5", "+1", "-", "1e", "NaN", "Infinity", "0x1"] {
        assert!(matches!(
            parse_line(&with(&format!(r#","new":{number}"#))),
            Err(LineError { fault: Fault::NotJson(_), .. })
        ));
    }
    for junk in ["\"a\0b\"", "\"a\tb\"", r#""\x""#, r#""\u12""#, "tru", "[1,]", "'a'"] {
        assert!(matches!(
            parse_line(&with(&format!(r#","new":{junk}"#))),
            Err(LineError { fault: Fault::NotJson(_), .. })
        ));
    }
}

#[test]
fn depth_is_limited() {
    let nested = |levels: usize| with(&format!(r#","new":{}{}"#, "[".repeat(levels), "]".repeat(levels)));
    let too_deep = Err(LineError { line: 1, fault: Fault::TooDeep });
    let deepest = nested(MAX_DEPTH - 1);
    assert_eq!(write_bead(&bead(&deepest)), deepest);
    serde_json::from_str::<Value>(&deepest).unwrap();
    for levels in [MAX_DEPTH, 1_000_000] {
        assert_eq!(parse_line(&nested(levels)), too_deep);
        let objects = format!(r#"{}1{}"#, r#"{"a":"#.repeat(levels), "}".repeat(levels));
        assert_eq!(parse_line(&with(&format!(r#","dependencies":[{objects}]"#))), too_deep);
    }
    assert!(parse_line(&"[".repeat(1_000_000)).is_err());
    assert!(parse_line(&r#"{"a":"#.repeat(1_000_000)).is_err());
}

#[test]
fn other_records_are_kept_and_come_first() {
    let header = r#"{"_type":"header", "version":1}"#;
    let memory = r#"{"_type":"memory","id":"vt-0","value":[1.0]}"#;
    let text = format!(
        "\u{feff}{}\r\n\n{memory}\r\n{}\n  \n{header}",
        with("").replace("vt-1", "vt-b"),
        with("").replace("vt-1", "vt-B")
    );
    let parsed = parse(text.as_bytes());
    assert_eq!((parsed.records.len(), parsed.errors.len()), (4, 0));
    let expected =
        format!("{memory}\n{header}\n{}\n{}\n", with("").replace("vt-1", "vt-B"), with("").replace("vt-1", "vt-b"));
    assert_eq!(write(&parsed.records), expected);
}

#[test]
fn bad_lines_do_not_keep_the_good_ones_back() {
    let mut text = format!("{}\nnot json\n", with("")).into_bytes();
    text.extend(b"{\"id\":\"\xff\"}\n\n<<<<<<< HEAD\n");
    text.extend(with("").replace("vt-1", "vt-2").bytes());
    let parsed = parse(&text);
    let lines: Vec<usize> = parsed.errors.iter().map(|error| error.line).collect();
    assert_eq!((parsed.records.len(), lines), (2, vec![2, 3, 5]));
    assert_eq!(parsed.errors[1].fault, Fault::NotUtf8);
    assert_eq!(parse(b""), Parsed::default());
}

/// Whether a value may be left out.
fn nothing(value: &Value) -> bool {
    value.is_null() || value == "" || value == false || value.as_array().is_some_and(Vec::is_empty)
}

/// Checks that reading and writing a file of beads preserves its content. Returns the numbers of its invalid lines.
fn check_file(text: &str) -> Vec<usize> {
    let parsed = parse(text.as_bytes());
    let bad: Vec<usize> = parsed.errors.iter().map(|error| error.line).collect();
    let good = text.lines().zip(1..).filter(|(line, at)| !line.is_empty() && !bad.contains(at));
    let mut came: Vec<Map<String, Value>> = good.map(|(line, _)| serde_json::from_str(line).unwrap()).collect();
    came.iter_mut().for_each(|object| object.retain(|_, value| !nothing(value)));
    came.sort_by(|a, b| a["id"].as_str().cmp(&b["id"].as_str()));
    let written = write(&parsed.records);
    let went: Vec<Map<String, Value>> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(came, went);
    let again = parse(written.as_bytes());
    assert_eq!(again.errors, []);
    assert_eq!(write(&again.records), written);
    bad
}

#[test]
fn real_files_go_through() {
    assert_eq!(check_file(BEADS), NONE_BAD);
    assert_eq!(check_file(GASTOWN), NONE_BAD);
    assert_eq!(check_file(CONFLICT), [1, 21, 41]);
    assert_eq!(parse(CONFLICT.as_bytes()).records.len(), 38);
    let faults = parse(CONFLICT.as_bytes()).errors;
    assert!(faults.iter().all(|error| error.fault == Fault::ConflictMarker));
}

/// Generates texts with all kinds of characters except NUL.
fn text() -> impl Strategy<Value = String> {
    let odd = select(vec!["", "\u{feff}", "\u{2028}", "\"\\", "\r\n", "</script>", "\u{7f}\u{1}", "😀", "null"]);
    let any = vec(any::<char>(), 0..6).prop_map(|chars| chars.into_iter().filter(|c| *c != '\0').collect::<String>());
    prop_oneof![odd.prop_map(str::to_owned), any]
}

/// Generates texts that are not empty.
fn word() -> impl Strategy<Value = String> {
    text().prop_map(|text| format!("{text}w"))
}

/// Generates optional texts as reading returns them: absent, or not empty.
fn maybe() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(word())
}

fn time() -> impl Strategy<Value = Stamp> {
    let texts = vec!["2025-01-01T00:00:00Z", "2025-06-01T09:30:00.123456789-08:00", "0001-01-01T00:00:00Z"];
    select(texts).prop_map(|text| Stamp::parse(text).unwrap())
}

/// Generates JSON texts in forms that parsing and printing would change.
fn raw() -> impl Strategy<Value = String> {
    let odd = vec!["1.0", "1e999", "-0", "123456789012345678901234567890", "\"\\u0041\\/\"", "{ \"a\" : [ ] }", "true"];
    prop_oneof![select(odd).prop_map(str::to_owned), word().prop_map(|text| Value::from(text).to_string())]
}

/// Generates keys without a field: some of `known`, in their order, and unknown ones.
fn rest(known: Vec<&'static str>) -> impl Strategy<Value = Rest> {
    let count = known.len();
    let unknown = prop_oneof![word().prop_map(|word| format!("x{word}")), Just("vendor".to_owned())];
    (subsequence(known, 0..=count), vec(unknown, 0..3), vec(raw(), count + 3)).prop_map(|(known, mut unknown, raws)| {
        unknown.sort();
        unknown.dedup();
        known.into_iter().map(str::to_owned).chain(unknown).zip(raws).collect()
    })
}

fn dependency() -> impl Strategy<Value = Dependency> {
    let kind = prop_oneof![Just("blocks".to_owned()), Just("parent_child".to_owned()), text()];
    (word(), word(), kind, maybe(), rest(vec!["created_by", "metadata", "thread_id"])).prop_map(
        |(issue_id, depends_on_id, kind, created_at, rest)| Dependency {
            issue_id: BeadId(issue_id),
            depends_on_id: BeadId(depends_on_id),
            kind: DepType::from(kind.as_str()),
            created_at,
            rest,
        },
    )
}

fn comment() -> impl Strategy<Value = Comment> {
    let id = select(vec!["", "0", "-7", "99999999999999999999", "\"c1\"", "\"\\u0041\""]);
    (id, text(), text(), text(), rest(vec!["issue_id"])).prop_map(|(id, author, text, created_at, rest)| Comment {
        id: id.to_owned(),
        author,
        text,
        created_at,
        rest,
    })
}

prop_compose! {
    /// Generates beads as reading returns them.
    fn any_bead()(
        id in word(),
        texts in vec(text(), 5),
        words in vec(word(), 2),
        maybes in vec(maybe(), 3),
        priority in any::<i64>(),
        times in vec(time(), 4),
        optional in any::<[bool; 6]>(),
        labels in vec(text(), 0..3),
        dependencies in vec(dependency(), 0..3),
        comments in vec(comment(), 0..3),
        rest in rest(vec!["spec_id", "owner", "metadata", "no_history", "crystallizes"]),
    ) -> Bead {
        let [closed, deferred, pinned, is_template, ephemeral, wisp] = optional;
        let mut bead = Bead {
            title: texts[0].clone(),
            description: texts[1].clone(),
            design: texts[2].clone(),
            acceptance_criteria: texts[3].clone(),
            notes: texts[4].clone(),
            status: Status::from(words[0].as_str()),
            priority,
            issue_type: BeadType::from(words[1].as_str()),
            assignee: maybes[0].clone(),
            created_at: times[0].clone(),
            created_by: maybes[1].clone(),
            updated_at: times[1].clone(),
            closed_at: closed.then(|| times[2].clone()),
            close_reason: maybes[2].clone(),
            defer_until: deferred.then(|| times[3].clone()),
            pinned,
            is_template,
            ephemeral,
            labels,
            dependencies,
            comments,
            ..Bead::new(BeadId(id), "", times[0].at)
        };
        bead.rest = rest;
        if ephemeral && wisp {
            let known = bead.rest.iter().filter(|(key, _)| KEYS.contains(&key.as_str())).count();
            bead.rest.insert(known, ("wisp".to_owned(), "true".to_owned()));
        }
        bead
    }
}

/// Generates lines with any known keys and any values, mostly of the right type.
fn dirty_line() -> impl Strategy<Value = String> {
    let keys: Vec<&str> = KEYS.iter().chain(DERIVED_KEYS).copied().chain(["new", "é"]).collect();
    let values = vec![
        "null",
        "\"\"",
        "[]",
        "false",
        "true",
        "0",
        "\"text\"",
        "\"2025-01-01T00:00:00+01:00\"",
        "[\"a\"]",
        "{}",
        r#"[{"depends_on_id":"b","id":1,"x":null}]"#,
        "[null]",
    ];
    vec((select(keys), select(values)), 0..12).prop_map(|entries| {
        let entries: String = entries.iter().map(|(key, value)| format!(" ,\t\"{key}\": {value}")).collect();
        format!(r#"{{"id":"vt-1"{entries}}}"#)
    })
}

/// Generates lines of a real file with one byte changed.
fn damaged_line() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<&str> = BEADS.lines().chain(CONFLICT.lines()).collect();
    let bytes = prop_oneof![any::<u8>(), select(b"\"\\{}[]:,\n u0d".to_vec())];
    (select(lines), any::<prop::sample::Index>(), bytes).prop_map(|(line, at, byte)| {
        let mut line = line.as_bytes().to_vec();
        let at = at.index(line.len());
        line[at] = byte;
        line
    })
}

proptest! {
    #[test]
    fn a_bead_comes_back_as_it_was(came in any_bead()) {
        let line = write_bead(&came);
        prop_assert!(!line.contains(['\n', '\r']));
        let went = bead(&line);
        prop_assert_eq!(write_bead(&went), line);
        prop_assert_eq!(went, came);
    }

    #[test]
    fn reading_what_was_written_changes_nothing(line in dirty_line()) {
        if let Ok(Some(record)) = parse_line(&line) {
            let written = write(std::slice::from_ref(&record));
            let again = parse(written.as_bytes());
            prop_assert_eq!(&again.errors, &[]);
            prop_assert_eq!(&again.records, &[record]);
            prop_assert_eq!(write(&again.records), written);
        }
    }

    #[test]
    fn damage_is_an_error_or_harmless(line in damaged_line()) {
        let parsed = parse(&line);
        let lines = line.split(|byte| *byte == b'\n').filter(|part| !part.is_empty()).count();
        prop_assert_eq!(parsed.records.len() + parsed.errors.len(), lines);
        let written = write(&parsed.records);
        prop_assert_eq!(write(&parse(written.as_bytes()).records), written);
    }
}
