//! Fuzz targets: functions that check what must be true for all input bytes, and panic if it is not.
//!
//! On stable Rust, a committed corpus and proptest run them (`tests/fuzz.rs`). Where libFuzzer is available, it runs them too
//! (`fuzz/` at the top of the repository).

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::bead::Bead;
use crate::foreign;
use crate::formula::{Finding, Formula, FormulaError, Library, Overlay, Plan, STEP_LIMIT, StepKind};
use crate::jsonl::{self, Record};
use crate::merge::{TakenAway, base_without_lost, import_bead, merge};
use crate::query::{self, Expr, QUERY_DEPTH, QUERY_LIMIT, QUERY_TESTS, QueryError};

/// Line between two sides of a merge.
const BETWEEN_SIDES: &[u8] = b"\n%\n";

/// Maximum length of an error about a query, in bytes. People see these errors, and may have typed anything.
const ERROR_LIMIT: usize = 4096;

/// Checks reading JSONL. Every line is a record, an error, or blank. Records are written in one form, which reads back as the
/// same.
pub fn jsonl(data: &[u8]) {
    let parsed = jsonl::parse(data);
    let lines = data.split(|byte| *byte == b'\n').count();
    assert!(parsed.records.len() + parsed.errors.len() <= lines, "a line is one thing");
    assert!(parsed.errors.is_sorted_by(|one, next| one.line < next.line), "errors come by line");
    let written = jsonl::write(&parsed.records);
    let again = jsonl::parse(written.as_bytes());
    assert_eq!(again.errors, [], "what we write can be read");
    assert_eq!(beads(&again.records), sorted(beads(&parsed.records)), "nothing is lost on the way");
    assert_eq!(again.records.len(), parsed.records.len());
    assert_eq!(jsonl::write(&again.records), written, "there is one way to write");
    assert_eq!(jsonl::lines_with_nul(written.as_bytes()).count(), 0, "no NUL is written");
}

/// Checks parsing a query. The result is a query of limited size that means the same in parentheses, or an error that points into
/// the text.
pub fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let now = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    match query::parse(&text, &now) {
        Ok(query) => {
            let (depth, tests) = measure(&query.expr);
            assert!(depth <= 3 * QUERY_DEPTH + 3 && tests <= QUERY_TESTS, "{depth} deep, {tests} tests");
            // One more level may exceed the limit.
            if let Ok(within) = query::parse(&format!("({text})"), &now) {
                assert_eq!(within, query);
            }
        }
        Err(error) => check_error(&text, &error),
    }
}

/// Checks framing text of others: every line is behind a bar, and no tag opens or closes a client's frame.
pub fn framed(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for framed in [foreign::framed(&text), foreign::quoted(&text, 1000, "x")] {
        let is_break = |c: char| foreign::is_unseen(c) && c != '\n' && c != '\t';
        assert!(!framed.contains(is_break), "only one kind of line end is left");
        assert!(framed.lines().all(|line| line.starts_with('|')), "{framed:?}");
        let tags = ["</", "<system", "<user", "<function_calls", "<|"];
        assert!(tags.iter().all(|tag| !framed.to_lowercase().contains(tag)), "{framed:?}");
    }
}

/// Checks parsing, checking and planning formulas that lines of `%` separate; those that can't be formulas are overlays. The first
/// one is planned. A plan is finite, ordered by needs, and the same each time. Errors can be shown. Returns the plan, if there is
/// one.
pub fn formula(data: &[u8]) -> Option<Plan> {
    let mut library = Library::default();
    let mut first = None;
    for (at, file) in split(data).enumerate() {
        let text = String::from_utf8_lossy(file);
        match Formula::parse(if at % 2 == 0 { "a.toml" } else { "b.formula.toml" }, &text) {
            Ok(formula) => {
                first.get_or_insert_with(|| formula.name.clone());
                library.add(formula);
            }
            Err(error) => {
                check_findings(&error);
                let overlay = Overlay::parse("a.overlay.toml", &text);
                overlay.map_or_else(|error| check_findings(&error), |overlay| library.overlay(overlay));
            }
        }
    }
    while let Some(name) = library.missing().map(str::to_owned) {
        library.absent(&name);
    }
    let first = first?;
    library.check(&first).iter().for_each(check_finding);
    let resolved = library.resolve(&first).inspect_err(check_findings).ok()?;
    let plan = resolved.plan(&resolved.sample());
    assert_eq!(plan, resolved.plan(&resolved.sample()), "the same each time");
    let plan = plan.inspect_err(check_findings).ok()?;
    check_plan(&plan);
    Some(plan)
}

/// Checks that each step of a plan comes after those that it needs, and that groups need their parts.
pub fn check_plan(plan: &Plan) {
    assert!(plan.steps.len() <= STEP_LIMIT);
    let mut before = BTreeSet::new();
    for step in &plan.steps {
        assert!(step.needs.iter().all(|need| before.contains(need.as_str())), "{} comes too early", step.id);
        assert!(before.insert(step.id.as_str()), "two steps are called {}", step.id);
        let row = serde_json::to_string(step).expect("a step is a row");
        assert_eq!(serde_json::from_str::<crate::formula::Step>(&row).as_ref().ok(), Some(step), "{row}");
    }
    for step in plan.steps.iter().filter_map(|step| Some((step.parent.as_ref()?, step))) {
        let group = plan.steps.iter().find(|group| group.id == *step.0);
        let group = group.unwrap_or_else(|| panic!("{} is a part of no step", step.1.id));
        assert!(group.needs.contains(&step.1.id) && group.kind == StepKind::Group, "{} closes without it", group.id);
    }
}

fn check_findings(error: &FormulaError) {
    assert!(!error.0.is_empty(), "an error says why");
    error.0.iter().for_each(check_finding);
}

fn check_finding(finding: &Finding) {
    let shown = finding.to_string();
    assert!(shown.len() <= ERROR_LIMIT, "{} bytes", shown.len());
    assert!(!shown.contains(|c| foreign::is_unseen(c) && c != '\n'), "what is shown moves nothing: {shown:?}");
}

fn check_error(text: &str, error: &QueryError) {
    if text.len() <= QUERY_LIMIT {
        assert_eq!(error.query, text);
    }
    assert!(error.query.get(error.at.clone()).is_some(), "it points into the query");
    let shown = error.to_string();
    assert!(shown.len() <= ERROR_LIMIT, "{} bytes", shown.len());
    let is_plain = |c: char| !c.is_control() || c == '\n';
    assert!(shown.chars().all(is_plain), "what is shown on a terminal moves nothing there: {shown:?}");
}

/// Returns the depth of an expression, and its number of tests and words.
fn measure(expr: &Expr) -> (usize, usize) {
    let all = |parts: &[Expr]| {
        let measures = parts.iter().map(measure);
        measures.fold((1, 0), |(depth, tests), (below, more)| (depth.max(below + 1), tests + more))
    };
    match expr {
        Expr::And(parts) | Expr::Or(parts) => all(parts),
        Expr::Not(part) => all(std::slice::from_ref(part)),
        Expr::Test(_) | Expr::Text(_) => (1, 1),
    }
}

/// Checks merging three files that lines of `%` separate. Exchanging the sides gives the same result, and merging again changes
/// nothing. No comment of a remaining bead is lost, and the result can be written and read.
pub fn merge_sides(data: &[u8]) {
    let mut sides = split(data).map(|side| jsonl::parse(side).records);
    let [base, ours, theirs] = std::array::from_fn(|_| sides.next().unwrap_or_default());
    let merged = merge(&base, &ours, &theirs);
    assert_eq!(merged, merge(&base, &theirs, &ours), "it does not matter whose side is whose");
    let records = &merged.records;
    assert_eq!(&merge(records, records, records).records, records, "what is merged is merged");
    assert_eq!(&merge(&base, records, records).records, records);
    let text = jsonl::write(records);
    let read = jsonl::parse(text.as_bytes());
    assert_eq!(
        (beads(&read.records), read.errors.len()),
        (beads(records), 0),
        "what is merged is written and read alike"
    );
    let there = remarks(records);
    let ids: BTreeSet<&str> = beads(records).into_iter().map(|bead| bead.id.as_str()).collect();
    for side in [&ours, &theirs] {
        // If one file has a bead twice, that file alone decides its value.
        let side = merge(side, side, side).records;
        for (id, text) in remarks(&side).into_iter().filter(|(id, _)| ids.contains(id)) {
            // Of two beads that were separated, one has another id now.
            let new =
                merged.renamed.iter().filter(|rename| rename.from.as_str() == id).map(|rename| rename.to.as_str());
            assert!(new.chain([id]).any(|id| there.contains(&(id, text))), "a remark is lost");
        }
    }
    assert!(merged.renamed.iter().all(|rename| rename.from.prefix() == rename.to.prefix()), "a prefix stays a prefix");
    let given_back = merge(&base_without_lost(&base, &ours, &theirs), &ours, &theirs);
    assert!(given_back.records.len() >= records.len(), "what was lost on a side is given back");
    for (ours, theirs) in beads(&ours).into_iter().zip(beads(&theirs)) {
        import_version(ours, theirs);
    }
}

/// Checks importing a version of a bead: importing it again changes nothing, and nothing that can be counted is lost.
fn import_version(ours: &Bead, theirs: &Bead) {
    let none = TakenAway::default();
    let once = import_bead(ours, theirs, &none).bead;
    assert_eq!(import_bead(&once, theirs, &none).bead, once, "what is taken in is taken in");
    assert_eq!(import_bead(ours, ours, &none).bead, *ours, "a bead is its own version");
    let remarks = |bead: &Bead| bead.comments.iter().map(|comment| comment.text.clone()).collect::<BTreeSet<_>>();
    let edges = |bead: &Bead| bead.dependencies.iter().map(|dep| dep.depends_on_id.clone()).collect::<BTreeSet<_>>();
    let labels = |bead: &Bead| bead.labels.iter().cloned().collect::<BTreeSet<_>>();
    for version in [ours, theirs] {
        assert!(remarks(&once).is_superset(&remarks(version)), "a remark is lost");
        assert!(edges(&once).is_superset(&edges(version)), "an edge is lost");
        assert!(labels(&once).is_superset(&labels(version)), "a label is lost");
    }
}

fn split(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let all = rest?;
        let at = all.windows(BETWEEN_SIDES.len()).position(|window| window == BETWEEN_SIDES);
        rest = at.map(|at| &all[at + BETWEEN_SIDES.len()..]);
        Some(&all[..at.unwrap_or(all.len())])
    })
}

fn bead(record: &Record) -> Option<&Bead> {
    match record {
        Record::Bead(bead) => Some(bead),
        Record::Other { .. } => None,
    }
}

fn beads(records: &[Record]) -> Vec<&Bead> {
    records.iter().filter_map(bead).collect()
}

fn sorted(mut beads: Vec<&Bead>) -> Vec<&Bead> {
    beads.sort_by(|one, other| one.id.cmp(&other.id));
    beads
}

/// Returns each bead's comments.
fn remarks(records: &[Record]) -> BTreeSet<(&str, &str)> {
    beads(records).into_iter().flat_map(remarks_of).collect()
}

fn remarks_of(bead: &Bead) -> impl Iterator<Item = (&str, &str)> {
    bead.comments.iter().map(|comment| (bead.id.as_str(), comment.text.as_str()))
}
