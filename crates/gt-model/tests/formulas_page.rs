//! `docs/formulas.md`: its examples are parsed, checked and planned, and its reference is the parser's own.

use std::collections::BTreeMap;
use std::path::Path;

use gt_model::formula::{Formula, Library, Overlay, Plan, Step, StepKind, reference};

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// Returns the blocks of code after each marker: the formula, and the plan that the page shows.
fn examples<'p>(page: &'p str, marker: &str) -> Vec<(&'p str, &'p str)> {
    let block = |text: &'p str, fence: &str| {
        let (_, rest) = text.split_once(fence).unwrap();
        rest.split_once("\n```").unwrap().0.trim_start_matches('\n')
    };
    page.split(marker).skip(1).map(|rest| (block(rest, "```toml"), block(rest, "```text"))).collect()
}

fn plan(library: &Library, name: &str, values: &[(&str, &str)]) -> Plan {
    assert_eq!(library.check(name), []);
    let values: BTreeMap<String, String> =
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    library.resolve(name).unwrap().plan(&values).unwrap_or_else(|error| panic!("{error}"))
}

fn shown(step: &Step) -> String {
    let kind = match step.kind {
        StepKind::Agent => "agent",
        StepKind::Run(_) => "run",
        StepKind::Gate => "gate",
        StepKind::Group => "group",
    };
    let needs = if step.needs.is_empty() { String::new() } else { format!(", needs {}", step.needs.join(" ")) };
    format!("{}: {kind}{needs}", step.id)
}

fn check(plan: &Plan, expected: &str) {
    gt_model::fuzz::check_plan(plan);
    assert_eq!(plan.steps.iter().map(shown).collect::<Vec<_>>().join("\n"), expected);
}

#[test]
fn the_examples_have_the_plans_that_are_shown() {
    let page = read("docs/formulas.md");
    let polecat = read("crates/gt-town/formulas/mol-polecat-work.toml");
    let [(overlay, expected)] = examples(&page, "<!-- overlay of: mol-polecat-work -->")[..] else {
        panic!("one overlay")
    };
    let mut library = Library::default();
    library.add(Formula::parse("mol-polecat-work.toml", &polecat).unwrap());
    library.overlay(Overlay::parse("mol-polecat-work.overlay.toml", overlay).unwrap());
    check(&plan(&library, "mol-polecat-work", &[("issue", "gt-1")]), expected);
    let formulas = examples(&page, "<!-- formula -->");
    let values: [&[(&str, &str)]; 2] = [&[("targets", "linux,mac")], &[("pr", "7")]];
    assert_eq!(formulas.len(), values.len());
    for ((text, expected), values) in formulas.into_iter().zip(values) {
        let formula = Formula::parse("example.toml", text).unwrap_or_else(|error| panic!("{error}"));
        let (name, mut library) = (formula.name.clone(), Library::default());
        library.add(formula);
        check(&plan(&library, &name, values), expected);
    }
}

#[test]
fn the_reference_is_the_parsers_own() {
    let page = read("docs/formulas.md");
    let (_, shown) = page.split_once("<!-- reference -->\n").unwrap();
    let how = "cargo run -p gt-model --example formula_reference prints it";
    assert_eq!(shown.trim(), reference().trim(), "the reference in docs/formulas.md is out of date: {how}");
}
