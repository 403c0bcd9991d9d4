use super::*;

/// Returns the commands of a text, each as words joined by blanks, with `?` for unknown parts.
fn commands(text: &str) -> Vec<String> {
    let variables = BTreeMap::from([("HOME".to_owned(), "/home/ann".to_owned())]);
    let script = read(text, &variables);
    assert!(script.unread.is_empty());
    let words = |command: &Command| {
        command.words.iter().map(|word| word.text.replace(UNKNOWN, "?")).collect::<Vec<_>>().join(" ")
    };
    script
        .items
        .iter()
        .filter_map(|item| if let Item::Run(command) = item { Some(words(command)) } else { None })
        .collect()
}

#[test]
fn scripts_become_simple_commands() {
    for (text, expected) in [
        ("a b; c", &["a b", "c"][..]),
        ("a && b || c & d | e", &["a", "b", "c", "d", "e"]),
        ("a 'b c' \"d e\" f\\ g", &["a b c d e f g"]),
        ("a\\\nb", &["ab"]),
        ("a $x ${y} \"$z\" $1 $? $$", &["a ? ? ? ? ? ?"]),
        ("a ~ ~/x $HOME/y x~", &["a /home/ann /home/ann/x /home/ann/y x~"]),
        ("x=1 y='2 3' a; b", &["a", "b"]),
        ("x=b; a $x ${x}c '$x'", &["", "a b bc $x"]),
        ("a $(b c) d", &["b c", "a ? d"]),
        ("a `b \\`c\\`` d", &["c", "b ?", "a ? d"]),
        ("a \"$(b \"$(c)\")\"", &["c", "b ?", "a ?"]),
        ("(a; b) | c", &["a", "b", "c"]),
        ("if a; then b; elif c; then d; else e; fi", &["a", "b", "c", "d", "e"]),
        ("for x in 1 2; do a $x; done; b", &["a ?", "b"]),
        ("while a; do b; done < c", &["a", "b", ""]),
        ("case a in b) c;; (d|e) f g;; esac; h", &["c", "f g", "h"]),
        ("a() { b; }; function c { d; }", &["b", "d"]),
        ("a # b\nc", &["a", "c"]),
        ("a#b", &["a#b"]),
        ("a >x 2>&1 <y b", &["a b"]),
        ("[[ a && b ]] && c", &["c"]),
        ("((a + b)); c", &["c"]),
        ("a=(b c) d", &["d"]),
        ("a $'b\\nc\\x41'", &["a b\ncA"]),
        ("a |\n b", &["a", "b"]),
        ("time -p a; ! b; { c; }", &["a", "b", "c"]),
        ("a <(b) >(c)", &["b", "c", "a ? ?"]),
        ("a 'unfinished", &["a unfinished"]),
        ("a $(b", &["b", "a ?"]),
        ("a ) b", &["a", "b"]),
        ("", &[]),
    ] {
        assert_eq!(commands(text), expected, "{text}");
    }
}

#[test]
fn documents_are_their_commands_input() {
    let input = |text: &str| {
        let script = read(text, &BTreeMap::new());
        script.items.into_iter().find_map(|item| if let Item::Run(command) = item { command.input } else { None })
    };
    assert_eq!(input("a <<X\nb\nc\nX\nd").as_deref(), Some("b\nc\n"));
    assert_eq!(input("a <<-'X' | z\n\tb\n\tX\n").as_deref(), Some("\tb\n"));
    assert_eq!(input("a <<X\nnever ends").as_deref(), Some("never ends"));
    assert_eq!(input("a <<< 'b c'").as_deref(), Some("b c"));
    assert_eq!(commands("a <<X; b\n$(c)\nX\nd"), ["a", "b", "c", "d"]);
    assert_eq!(commands("a <<'X'\n$(c)\nX\nd"), ["a", "d"]);
}
