//! Garbage, depth and length: the guard answers for every text, in time linear in its length.

use proptest::prelude::*;

use super::*;

/// Pieces of shell, so that random text comes near to real commands.
const PIECES: &[&str] = &[
    "git push",
    "git ",
    "push",
    "$(",
    ")",
    "`",
    "'",
    "\"",
    "${",
    "}",
    "<<EOF\n",
    "EOF\n",
    "<<-'X'",
    "\n",
    ";",
    ";;",
    "&&",
    "||",
    "|",
    "&",
    "(",
    "((",
    "))",
    "{ ",
    "if ",
    "then ",
    "fi ",
    "case x in ",
    "esac ",
    "for x in ",
    "do ",
    "done ",
    "[[ ",
    " ]]",
    "\\",
    "#",
    "~",
    "/",
    "..",
    "$x",
    "$'",
    "<(",
    ">",
    "2>&1",
    "sh -c ",
    "eval ",
    "xargs ",
    "find . -exec ",
    "env A=b ",
    "a=",
    "=(",
    "é",
    "\0",
    " ",
    "rm -rf ",
    "cd ",
    "-",
    "--",
    "-C",
    "-c alias.x=",
    "\u{fffc}",
    "$((",
    "${x:-",
    "cat ",
    "echo ",
    "kill ",
    "git -C ",
    "command ",
    "bash -c",
];

fn all_roles(text: &str) {
    for (role, place) in
        [(Role::Polecat, place()), (Role::Mayor, mayor_place()), (Role::Crew, crew_place()), (Role::Other, place())]
    {
        judge(role, &bash(text), &place);
    }
}

proptest! {
    #[test]
    fn any_text_gets_an_answer(text in any::<String>()) {
        all_roles(&text);
    }

    #[test]
    fn any_broken_shell_gets_an_answer(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        all_roles(&pieces.concat());
    }

    #[test]
    fn what_is_refused_alone_is_refused_at_the_end_of_any_whole_commands(words in prop::collection::vec("[a-z]{1,8}", 0..12)) {
        let harmless = words.iter().map(|word| format!("echo {word}")).collect::<Vec<_>>().join("\n");
        let text = format!("{harmless}\ngit push");
        prop_assert!(judge(Role::Polecat, &bash(&text), &place()).line().is_some());
        let quoted = format!("{harmless}\necho 'git push'");
        prop_assert_eq!(judge(Role::Polecat, &bash(&quoted), &place()), Verdict::Allowed);
    }
}

/// Long rows of pieces that open, close or start something. If the guard read one of them more than a few times, or to its full
/// depth, this test would not end.
#[test]
fn depth_and_length_are_bounded() {
    let long = 60_000;
    for piece in PIECES.iter().chain(&[
        "$(cat <<A\n$(",
        "<<A\n$(\nA\n",
        "`\\`",
        "a=$a$a;",
        "git -c alias.a=a a;",
        "sh -c 'sh -c ",
        "nohup ",
        "find -exec ",
        "find a b c d e f g h -exec ",
        "echo a b c d e f g h | xargs xargs ",
        "\"$(",
        "echo a|",
        "(cd x;",
        "x=1;(",
        "kill $(pgrep ",
    ]) {
        all_roles(&piece.repeat(long / piece.len()));
    }
    let deep = format!("{}git push{}", "$(".repeat(5_000), ")".repeat(5_000));
    assert!(judge(Role::Polecat, &bash(&deep), &place()).line().is_some(), "words beyond the depth are seen");
    let shells = (0..40).fold("git push".to_owned(), |text, _| format!("eval {text}"));
    assert!(judge(Role::Polecat, &bash(&shells), &place()).line().is_some());
    let endless = format!("{}\ngit push", "echo x\n".repeat(100_000));
    assert!(judge(Role::Polecat, &bash(&endless), &place()).line().is_some(), "words beyond the length are seen");
}
