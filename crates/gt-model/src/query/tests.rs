use jiff::Zoned;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn now() -> Zoned {
    "2026-03-10T12:00:00Z".parse::<Timestamp>().unwrap().to_zoned(TimeZone::UTC)
}

/// Returns the query's parts in a form that shows how they were parsed.
fn shown(expr: &Expr) -> String {
    let list = |parts: &[Expr]| parts.iter().map(shown).collect::<Vec<_>>().join(" ");
    match expr {
        Expr::And(parts) => format!("(and {})", list(parts)),
        Expr::Or(parts) => format!("(or {})", list(parts)),
        Expr::Not(part) => format!("(not {})", shown(part)),
        Expr::Text(text) => format!("{text:?}"),
        Expr::Test(Test { field, op, value }) => {
            let value = match value {
                Value::Texts(texts) => texts.join("|"),
                Value::Numbers(numbers) => format!("{numbers:?}"),
                Value::Flag(flag) => flag.to_string(),
                Value::Time(from, to) => format!("{from}..{to}"),
                Value::Nothing => "nothing".to_owned(),
            };
            format!("{} {op:?} {value}", field.name())
        }
    }
}

#[test]
fn queries() {
    let check = |query: &str, expected: &str| match parse(query, &now()) {
        Ok(read) => assert_eq!(shown(&read.expr), expected, "{query}"),
        Err(error) => panic!("{error}"),
    };
    check("login", r#""login""#);
    check("status=open", "status Is open");
    check("status = open , blocked", "status Is open|blocked");
    check("STATUS!=closed and Priority<=P1", "(and status IsNot closed priority AtMost [1])");
    check("a b or not c d", r#"(or (and "a" "b") (and (not "c") "d"))"#);
    check("not (a or b) label=x", r#"(and (not (or "a" "b")) label Is x)"#);
    check("title~\"log in\" OR title~'it\\'s'", "(or title Holds log in title Holds it's)");
    check("assignee=none parent!=none", "(and assignee Is nothing parent IsNot nothing)");
    check("assignee=\"\"", "assignee Is ");
    check("ready=true pinned=no", "(and ready Is true pinned Is false)");
    check("label:area/ui desc~x", "(and label Is area/ui description Holds x)");
    check("http://x:1 vt-1.2 wow!", r#"(and "http://x:1" "vt-1.2" "wow!")"#);
    check("depends_on=vt-1", "depends_on Is vt-1");
    check("created>=2026-01-31", "created AtLeast 2026-01-31T00:00:00Z..2026-02-01T00:00:00Z");
    check("updated>7d", "updated More 2026-03-03T12:00:00Z..2026-03-03T12:00:00.000000001Z");
    check("deferred<+2w", "deferred Less 2026-03-24T12:00:00Z..2026-03-24T12:00:00.000000001Z");
    check("closed=yesterday", "closed Is 2026-03-09T00:00:00Z..2026-03-10T00:00:00Z");
    check("closed=none", "closed Is nothing");
    check("created<\"2026-01-31T01:00:00+01:00\"", "created Less 2026-01-31T00:00:00Z..2026-01-31T00:00:00.000000001Z");
    check("\u{e9}t\u{e9} title~\u{1f600}", "(and \"\u{e9}t\u{e9}\" title Holds \u{1f600})");
}

#[test]
fn errors_say_what_where_and_what_else() {
    let check = |query: &str, expected: &str| match parse(query, &now()) {
        Ok(expr) => panic!("{query} was read: {expr:?}"),
        Err(error) => assert_eq!(error.to_string(), expected, "{query}"),
    };
    check(
        "login AND prority>1",
        "there is no field `prority`\n  login AND prority>1\n            ^^^^^^^\ndid you mean `priority`?",
    );
    check("(a or b", "this parenthesis is never closed\n  (a or b\n  ^");
    check("a)", "nothing is open here to be closed\n  a)\n   ^");
    check("title=\"x", "this quote is never closed\n  title=\"x\n        ^\nend the text with another \"");
    check(
        "priority=high",
        "this is not a whole number\n  priority=high\n           ^^^^\n0 (critical) to 4, as in `priority<=1`",
    );
    check(
        "status<open",
        "`status` can't be compared like that\n  status<open\n  ^^^^^^^^^^^\nuse =, != or ~ (contains), and one text with ~",
    );
    check("ready=maybe", "this is neither `true` nor `false`\n  ready=maybe\n        ^^^^^");
    check("status=", "a value is missing here; put one with spaces or signs in quotes\n  status=\n         ^");
    check("a and", "something is missing here: a test like `status=open`, or a word to search for\n  a and\n       ^");
    check("", "something is missing here: a test like `status=open`, or a word to search for\n  \n  ^");
    check(">1", "a field is missing before this, as in `priority<2`\n  >1\n  ^");
    check("()", "something is missing before this parenthesis\n  ()\n   ^");
    check("closed=today,now", "`closed` takes one value\n  closed=today,now\n               ^^^");
    let caret = "there is no field `titel`\n  \u{1f600} titel=1\n    ^^^^^\ndid you mean `title`?";
    check("\u{1f600}\ttitel=1", caret);
}

#[test]
fn unlike_names_get_the_list() {
    let error = parse("zzzzzzzz=1", &now()).unwrap_err();
    assert!(error.hint.unwrap().starts_with("fields: id, prefix, title,"));
}

#[test]
fn all_is_bounded() {
    for (open, close) in [("(", ")"), ("not ", "")] {
        let nested = |depth: usize| format!("{}a{}", open.repeat(depth), close.repeat(depth));
        assert!(parse(&nested(QUERY_DEPTH), &now()).is_ok());
        assert!(parse(&nested(QUERY_DEPTH + 1), &now()).unwrap_err().what.starts_with("nested more than 64"));
        assert!(parse(&nested(15_000), &now()).is_err());
    }
    assert!(parse(&"a ".repeat(QUERY_TESTS), &now()).is_ok());
    assert!(parse(&"a ".repeat(QUERY_TESTS + 1), &now()).unwrap_err().what.starts_with("more than 400"));
    assert!(parse(&format!("id={}", "a,".repeat(QUERY_TESTS)), &now()).is_err());
    assert!(parse(&"x".repeat(QUERY_LIMIT + 1), &now()).is_err());
    assert!(parse(&format!("{}=1", "x".repeat(60_000)), &now()).unwrap_err().to_string().len() < 130_000);
}

/// Generates texts where the signs of the language often meet.
fn odd_query() -> impl Strategy<Value = String> {
    let pieces = vec![
        "(",
        ")",
        "=",
        "!=",
        "!",
        "<",
        ">=",
        "~",
        ",",
        "\"",
        "'",
        "\\",
        " ",
        "and",
        "or ",
        " not ",
        "status",
        "priority",
        "created",
        "ready",
        "1",
        "7d",
        "none",
        "\u{e9}",
        "\0",
        "\n",
        ":",
        "2026-01-01",
    ];
    let piece = prop_oneof![9 => select(pieces).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_a_reador_an_error_that_can_be_shown(query in odd_query()) {
        if let Err(error) = parse(&query, &now()) {
            let shown = error.to_string();
            prop_assert!(shown.contains('^') && !shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
        }
    }
}
