use std::convert::Infallible;

use super::*;
use proptest::prelude::*;

/// Files of a commit, as pairs of path and text.
type Files<'a> = &'a [(&'a str, &'a str)];

fn entry(text: &str) -> Entry {
    let mode = if text.starts_with("#!") { "100755" } else { "100644" };
    Entry { mode: mode.to_owned(), id: Sha::from(crate::id::sha256_hex(text)) }
}

fn version(files: Files<'_>, path: &str) -> Version {
    let text = files.iter().find(|(name, _)| *name == path).map(|(_, text)| *text);
    let lines = text.map(|text| text.lines().map(str::to_owned).collect()).unwrap_or_default();
    Version { entry: text.map(entry), lines }
}

/// Returns the changes as git would report them for small files: each file as one hunk.
fn changes(from: Files<'_>, to: Files<'_>) -> Vec<FileChange> {
    let mut paths: Vec<&str> = from.iter().chain(to).map(|(path, _)| *path).collect();
    paths.sort_unstable();
    paths.dedup();
    let change = |path: &&str| {
        let (old, new) = (version(from, path), version(to, path));
        let without = |some: &[String], others: &[String]| {
            let mut others = others.to_vec();
            let mut kept = some.to_vec();
            kept.retain(|line| others.iter().position(|other| other == line).map(|at| others.remove(at)).is_none());
            kept
        };
        let hunk = Hunk { line: 1, added: without(&new.lines, &old.lines), removed: without(&old.lines, &new.lines) };
        let binary = new.lines.iter().chain(&old.lines).any(|line| line.contains('\0'));
        let empty = hunk.added.is_empty() && hunk.removed.is_empty();
        let hunks = (!binary).then(|| if empty { Vec::new() } else { vec![hunk] });
        let (path, from) = ((*path).to_owned(), (*path).to_owned());
        (old != new).then_some(FileChange { path, from, old: old.entry, new: new.entry, hunks })
    };
    paths.iter().filter_map(change).collect()
}

struct Case<'a> {
    base: Files<'a>,
    own: Files<'a>,
    trunk: Files<'a>,
    submitted: Files<'a>,
    later: Vec<FileChange>,
    moved: BTreeMap<String, String>,
}

impl Case<'_> {
    fn lost(&self) -> Vec<String> {
        let (own, submitted) = (changes(self.base, self.own), changes(self.trunk, self.submitted));
        let versions = |change: &FileChange| {
            let places = places(change, &submitted, &self.moved);
            let at = places.into_iter().find(|place| version(self.submitted, place).entry.is_some());
            let on_trunk = self.moved.get(&change.from).unwrap_or(&change.from);
            Ok::<_, Infallible>(Versions {
                before: version(self.base, &change.from),
                own: version(self.own, &change.path),
                trunk: version(self.trunk, on_trunk),
                submitted: at.as_ref().map(|at| version(self.submitted, at)).unwrap_or_default(),
                at,
            })
        };
        let lost = lost(&own, &submitted, &self.later, versions).unwrap();
        lost.iter().map(|lost| lost.to_string().replace("\n    ", " ")).collect()
    }
}

const BASE: Files<'_> = &[("a", "one\ntwo\nthree\n"), ("b", "b\n")];

#[track_caller]
fn check(own: Files<'_>, trunk: Files<'_>, submitted: Files<'_>, expected: &[&str]) {
    let case = Case { base: BASE, own, trunk, submitted, later: Vec::new(), moved: BTreeMap::new() };
    assert_eq!(case.lost(), expected);
}

#[test]
fn what_is_submitted_whole_is_kept() {
    let own: Files<'_> = &[("a", "one\nTWO\nthree\n"), ("b", "b\n"), ("c", "new\n")];
    check(own, BASE, own, &[]);
    let trunk: Files<'_> = &[("a", "zero\none\ntwo\nthree\n"), ("b", "b\n"), ("d", "theirs\n")];
    let both: Files<'_> = &[("a", "zero\none\nTWO\nthree\n"), ("b", "b\n"), ("c", "new\n"), ("d", "theirs\n")];
    check(own, trunk, both, &[]);
    check(own, own, own, &[]);
}

#[test]
fn what_is_dropped_is_told_with_its_place() {
    let own: Files<'_> = &[("a", "one\nTWO\nthree\n"), ("c", "new\n")];
    check(own, BASE, BASE, &["a:1 gone:  TWO again: two", "b: it is there again", "c: it is not there"]);
    check(own, BASE, &[("a", "one\ntwo\nTWO\nthree\n"), ("c", "new\n")], &["a:1 again: two"]);
    check(own, BASE, &[("a", "one\nthree\n"), ("c", "new\n")], &["a:1 gone:  TWO"]);
    // The conflict was resolved in favour of the trunk.
    let trunk: Files<'_> = &[("a", "one\nzwei\nthree\n"), ("b", "b\n")];
    check(own, trunk, &[("a", "one\nzwei\nthree\n"), ("c", "new\n")], &["a:1 gone:  TWO"]);
    // Resolved with both sides, and with a third text. The latter is reported.
    check(own, trunk, &[("a", "one\nzwei\nTWO\nthree\n"), ("c", "new\n")], &[]);
    check(own, trunk, &[("a", "one\nTWO, zwei\nthree\n"), ("c", "new\n")], &["a:1 gone:  TWO"]);
}

#[test]
fn what_moved_or_was_indented_anew_is_kept() {
    let own: Files<'_> = &[("a", "one\nTWO\nthree\n"), ("b", "b\n")];
    check(own, BASE, &[("a", "one\nthree\n  TWO\n"), ("b", "b\n")], &[]);
    check(own, BASE, &[("a", "one\nthree\n"), ("b", "b\n"), ("c", "TWO\n")], &[]);
    check(&[("a", "one\ntwo\nthree\n}\n"), ("b", "b\n")], BASE, BASE, &[]);
    // The line occurs twice, and one occurrence was kept.
    let twice: Files<'_> = &[("a", "one\ntwo\nthree\nx\nx\n"), ("b", "b\n")];
    check(twice, BASE, &[("a", "one\ntwo\nthree\nx\n"), ("b", "b\n")], &["a:1-2 gone:  x gone:  x"]);
}

#[test]
fn what_the_trunk_has_meanwhile_is_kept() {
    let own: Files<'_> = &[("a", "one\ntwo\nthree\nfour\n")];
    let trunk: Files<'_> = &[("a", "one\ntwo\nfour\n")];
    check(own, trunk, trunk, &[]);
    // Both sides removed it.
    let without: Files<'_> = &[("a", "one\nthree\n"), ("b", "b\n")];
    check(without, without, without, &[]);
    // The trunk deleted a file, and the worker removed lines from it.
    check(&[("a", "one\n"), ("b", "b\n")], &[("b", "b\n")], &[("b", "b\n")], &[]);
    check(&[("a", "one\nONE\ntwo\nthree\n"), ("b", "b\n")], &[("b", "b\n")], &[("b", "b\n")], &["a: it is not there"]);
}

#[test]
fn what_has_no_lines_is_compared_as_a_whole() {
    let own: Files<'_> = &[("a", "\0own"), ("b", "#!\nb\n"), ("empty", "")];
    check(own, BASE, own, &[]);
    check(
        own,
        BASE,
        &[("a", "one\ntwo\nthree\n"), ("b", "b\n")],
        &["a: it is as the trunk has it", "b: its executable bit is as before", "empty: it is not there"],
    );
    check(own, BASE, &[("a", "\0a third"), ("b", "#!\nb\n"), ("empty", "")], &[]);
    check(own, BASE, &[("moved", "\0own"), ("b", "#!\nb\n"), ("empty", "")], &[]);
    check(own, BASE, &[("b", "#!\nb\n"), ("empty", "")], &["a: it is not there"]);
}

#[test]
fn what_a_later_commit_took_out_was_meant() {
    let own: Files<'_> = &[("a", "one\nTWO\nthree\n"), ("b", "b\n"), ("c", "new\n")];
    let submitted: Files<'_> = &[("a", "one\ntwo\nthree\n"), ("b", "b\n")];
    let later = changes(own, submitted);
    let case = Case { base: BASE, own, trunk: BASE, submitted, later, moved: BTreeMap::new() };
    assert_eq!(case.lost(), [""; 0]);
    let deleted: Files<'_> = &[("a", "one\ntwo\nthree\n")];
    let later = changes(deleted, BASE);
    let case = Case { own: deleted, submitted: BASE, later, ..case };
    assert_eq!(case.lost(), [""; 0]);
}

#[test]
fn a_file_is_followed_where_the_trunk_moved_it() {
    let own: Files<'_> = &[("a", "one\nTWO\nthree\n"), ("b", "b\n")];
    let trunk: Files<'_> = &[("z", "one\ntwo\nthree\n"), ("b", "b\n")];
    let moved = BTreeMap::from([("a".to_owned(), "z".to_owned())]);
    let case = Case { base: BASE, own, trunk, submitted: &[("z", "one\nTWO\nthree\n")], later: Vec::new(), moved };
    assert_eq!(case.lost(), [""; 0]);
    let case = Case { submitted: trunk, ..case };
    assert_eq!(case.lost(), ["a:1 gone:  TWO again: two"]);
}

#[test]
fn text_of_others_is_shown_on_one_line_and_cut() {
    let lines = |count| vec![format!("x\u{1b}[2J{}", "y".repeat(500)); count];
    let what = LostWhat::Lines { first: 3, last: 9, gone: lines(5), back: Vec::new() };
    let shown = Lost { path: "a\nb".to_owned(), what }.to_string();
    assert!(shown.starts_with("a b:3-9\n    gone:  x [2Jyyy") && shown.ends_with("(2 more)"), "{shown}");
    assert!(!shown.contains('\u{1b}') && shown.lines().all(|line| line.len() < 130));
}

fn any_file() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof![Just("x1\n"), Just("y2\n"), Just("z3\n"), Just("}\n")], 0..6)
        .prop_map(|lines| lines.concat())
}

proptest! {
    /// A submission that was not rewritten, or only rebased on a trunk with changes in other files, loses nothing.
    #[test]
    fn nothing_is_lost_where_nothing_was_dropped(base in any_file(), own in any_file(), theirs in any_file()) {
        let (base, own) = ([("a", base.as_str()), ("t", "t\n")], [("a", own.as_str()), ("t", "t\n")]);
        let trunk = [base[0], ("t", theirs.as_str())];
        let both = [own[0], ("t", theirs.as_str())];
        let case = Case { base: &base, own: &own, trunk: &trunk, submitted: &both, later: Vec::new(), moved: BTreeMap::new() };
        prop_assert_eq!(case.lost(), [""; 0]);
    }

    /// If a worker returns to the trunk's version, each line with content that it had added is reported.
    #[test]
    fn going_back_to_the_trunk_is_told(base in any_file(), own in any_file()) {
        let (files, mine) = ([("a", base.as_str())], [("a", own.as_str())]);
        let case = Case { base: &files, own: &mine, trunk: &files, submitted: &files, later: Vec::new(), moved: BTreeMap::new() };
        let says = |text: &str| { let mut lines: Vec<String> = text.lines().filter(|l| says_something(l)).map(str::to_owned).collect(); lines.sort(); lines };
        prop_assert_eq!(case.lost().is_empty(), says(&base) == says(&own));
    }
}
