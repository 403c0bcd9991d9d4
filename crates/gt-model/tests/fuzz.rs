//! The targets of fuzzing on a stable compiler: all of the committed corpus, and what chance makes of it.
//! `PROPTEST_CASES=20000 cargo test -p gt-model --test fuzz` for longer; `fuzz/README.md` for libFuzzer.

use std::path::{Path, PathBuf};

use gt_model::fuzz;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Pieces of formats and queries, which the test inserts anywhere.
const WORDS: &[&str] = &[
    "\n%\n",
    "\n",
    "\r\n",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    ":",
    ",",
    "null",
    "true",
    "-",
    "0",
    "1e999",
    "\"id\":\"a\"",
    "\"comments\":[",
    "\"labels\":[",
    "\"wisp\":true,",
    "\"x\":",
    "9223372036854775808",
    "\u{feff}",
    "<<<<<<< a",
    "(",
    ")",
    " and ",
    " or ",
    "not ",
    "=",
    "!=",
    "~",
    "<",
    "'",
    "status",
    "none",
    "7d",
    "é",
    "😀",
    "\u{0}",
    "tombstone",
    "closed",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
];

/// Pieces of formulas.
const FORMULA_WORDS: &[&str] = &[
    "\n%\n",
    "\n",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "\"\"\"",
    "=",
    ",",
    ".",
    "#",
    "{{x}}",
    "{{item}}",
    "{target}",
    "{step.id}",
    "{{",
    "}}",
    "gt:clean",
    "gt:",
    "[[steps]]\n",
    "id='a'\n",
    "id='b'\n",
    "needs=['a']\n",
    "needs=['b']\n",
    "when='{{x}} == y'\n",
    "loop={count=3}\n",
    "loop={over=['x','y']}\n",
    "loop={until='true', max=3}\n",
    "children=[{id='c'}]\n",
    "expand='e'\n",
    "run=['x']\n",
    "run='x'\n",
    "gate={type='human'}\n",
    "[vars.x]\n",
    "type='list'\n",
    "required=true\n",
    "[[template]]\n",
    "[[legs]]\n",
    "[synthesis]\n",
    "[[aspects]]\n",
    "target='*'\n",
    "before=[{id='{step.id}.b'}]\n",
    "extends='f'\n",
    "version=1\n",
    "formula='f'\n",
    "99999999999",
    "-1",
    "1979-05-27",
    "nan",
    "\u{0}",
    "\u{202e}",
    "é",
    "😀",
    "*",
    "?",
    "skip=['a']\n",
    "overlay='f'\n",
];

/// Pieces of frames, and characters that programs take for the end of a line.
const FRAMES: &[&str] = &[
    "<",
    "</",
    "/",
    ">",
    "system",
    "SYSTEM",
    "-reminder>",
    "user>",
    "function_calls>",
    "|",
    "| ",
    " ",
    "\n",
    "\r",
    "\r\n",
    "\u{b}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "\u{200b}",
    "\u{0}",
    "\u{1b}[2J",
    "&lt;",
    "a",
    "é",
    "\t",
];

/// A change of some bytes.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Cut(Index, Index),
    Double(Index, Index),
    Put(Index, &'static str),
    /// A piece of another file, put in.
    Splice(Index, Index, Index, Index),
}

fn change(words: &'static [&'static str]) -> impl Strategy<Value = Change> {
    let i = any::<Index>;
    prop_oneof![
        (i(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (i(), i()).prop_map(|(from, to)| Change::Cut(from, to)),
        (i(), i()).prop_map(|(from, to)| Change::Double(from, to)),
        (i(), select(words)).prop_map(|(at, word)| Change::Put(at, word)),
        (i(), i(), i(), i()).prop_map(|(at, other, from, to)| Change::Splice(at, other, from, to)),
    ]
}

/// Longest input that chance makes: doubling grows fast.
const LONGEST: usize = 64 * 1024;

impl Change {
    fn make(&self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let place = |index: &Index, length: usize| index.index(length + 1);
        let length = bytes.len();
        let range = |from: &Index, to: &Index, length: usize| {
            let (one, other) = (place(from, length), place(to, length));
            one.min(other)..one.max(other)
        };
        match self {
            Self::Set(at, byte) if length > 0 => bytes[at.index(length)] = *byte,
            Self::Set(..) => {}
            Self::Cut(from, to) => drop(bytes.drain(range(from, to, length))),
            Self::Double(from, to) => {
                let range = range(from, to, length);
                let piece = bytes[range.clone()].to_vec();
                bytes.splice(range.end..range.end, piece);
            }
            Self::Put(at, word) => drop(bytes.splice(place(at, length)..place(at, length), word.bytes())),
            Self::Splice(at, other, from, to) => {
                let other = &corpus[other.index(corpus.len())];
                let piece = other[range(from, to, other.len())].to_vec();
                bytes.splice(place(at, length)..place(at, length), piece);
            }
        }
        bytes.truncate(LONGEST);
    }
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target)
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = folder(target).read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "there is a corpus of {target}");
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn changed(target: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let corpus = corpus(target);
    let words = if target == "formula" { FORMULA_WORDS } else { WORDS };
    (any::<Index>(), vec(change(words), 0..12)).prop_map(move |(seed, changes)| {
        let mut bytes = corpus[seed.index(corpus.len())].clone();
        changes.iter().for_each(|change| change.make(&mut bytes, &corpus));
        bytes
    })
}

#[test]
fn the_corpus_goes_through() {
    corpus("jsonl").iter().for_each(|bytes| fuzz::jsonl(bytes));
    corpus("query").iter().for_each(|bytes| fuzz::query(bytes));
    corpus("merge").iter().for_each(|bytes| fuzz::merge_sides(bytes));
    for file in corpus("formula") {
        assert!(fuzz::formula(&file).is_some(), "each has a plan: {}", String::from_utf8_lossy(&file));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_becomes_of_jsonl_is_read_or_refused(bytes in changed("jsonl")) {
        fuzz::jsonl(&bytes);
    }

    #[test]
    fn whatever_becomes_of_a_query_is_read_or_refused(bytes in changed("query")) {
        fuzz::query(&bytes);
    }

    #[test]
    fn no_text_of_others_leaves_its_frame(pieces in vec(select(FRAMES), 0..40)) {
        fuzz::framed(pieces.concat().as_bytes());
    }

    #[test]
    fn no_bytes_at_all_leave_their_frame(bytes in vec(any::<u8>(), 0..400)) {
        fuzz::framed(&bytes);
    }

    #[test]
    fn whatever_becomes_of_a_formula_is_planned_or_refused(bytes in changed("formula")) {
        fuzz::formula(&bytes);
    }

    #[test]
    fn whatever_becomes_of_two_sides_merges(bytes in changed("merge")) {
        fuzz::merge_sides(&bytes);
    }
}
