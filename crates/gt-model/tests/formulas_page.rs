//! `docs/formulas.md`: its examples are parsed, checked and planned, and its reference is the parser's own.

use std::collections::BTreeMap;
use std::path::Path;

use gt_model::formula::{Formula, Library, Overlay, Plan, Step, StepKind, reference};

/// Values of variables, by name.
type Values = &'static [(&'static str, &'static str)];

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// Returns the blocks of code after each marker: the formula, and the plan that the page shows.
fn examples<'p>(page: &'p str, marker: &str) -> Vec<(&'p str, &'p str)> {
    page.split(marker).skip(1).map(|rest| (block(rest, "```toml"), block(rest, "```text"))).collect()
}

/// Returns the first block of code that begins with this fence.
fn block<'p>(text: &'p str, fence: &str) -> &'p str {
    let (_, rest) = text.split_once(fence).unwrap();
    rest.split_once("\n```").unwrap().0.trim_start_matches('\n')
}

/// Returns a library with the formulas that `gt` ships.
fn shipped() -> Library {
    let mut library = Library::default();
    for name in shipped_names() {
        let text = read(&format!("crates/gt-town/formulas/{name}.toml"));
        library.add(Formula::parse(&name, &text).unwrap());
    }
    library
}

fn shipped_names() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gt-town/formulas");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| name.trim_end_matches(".toml").to_owned()).collect()
}

fn plan(library: &Library, name: &str, values: Values) -> Plan {
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
    let gate = if step.gate.is_some() && step.kind != StepKind::Gate { " behind a gate" } else { "" };
    let needs = if step.needs.is_empty() { String::new() } else { format!(", needs {}", step.needs.join(" ")) };
    format!("{}: {kind}{gate}{needs}", step.id)
}

fn check(plan: &Plan, expected: &str) {
    gt_model::fuzz::check_plan(plan);
    assert_eq!(plan.steps.iter().map(shown).collect::<Vec<_>>().join("\n"), expected);
}

#[test]
fn the_examples_have_the_plans_that_are_shown() {
    let page = read("docs/formulas.md");
    let overlays: [(&str, Values); 2] = [("mol-polecat-work", &[("issue", "gt-1")]), ("mol-refinery-patrol", &[])];
    for (name, values) in overlays {
        let found = examples(&page, &format!("<!-- overlay of: {name} -->"));
        assert!(!found.is_empty(), "{name}");
        for (overlay, expected) in found {
            let mut library = shipped();
            library.overlay(Overlay::parse("example.overlay.toml", overlay).unwrap());
            check(&plan(&library, name, values), expected);
        }
    }
    let formulas = examples(&page, "<!-- formula -->");
    let values: [Values; 4] = [&[], &[("targets", "linux,mac")], &[("pr", "7")], &[("issue", "gt-1")]];
    assert_eq!(formulas.len(), values.len());
    for ((text, expected), values) in formulas.into_iter().zip(values) {
        let formula = Formula::parse("example.toml", text).unwrap_or_else(|error| panic!("{error}"));
        let (name, mut library) = (formula.name.clone(), shipped());
        library.add(formula);
        check(&plan(&library, &name, values), expected);
    }
}

/// Returns the ids of steps, with those at the same distance from the start together. Long ways are cut.
fn drawn(steps: &[Step]) -> String {
    let mut depths: BTreeMap<&str, usize> = BTreeMap::new();
    let mut levels: Vec<Vec<&str>> = Vec::new();
    for step in steps {
        let depth = step.needs.iter().map(|need| depths[need.as_str()] + 1).max().unwrap_or(0);
        depths.insert(&step.id, depth);
        levels.resize(levels.len().max(depth + 1), Vec::new());
        levels[depth].push(&step.id);
    }
    let levels: Vec<String> = levels.iter().map(|level| level.join(", ")).collect();
    match levels.as_slice() {
        [first, .., last] if levels.len() > 20 => format!("{first} → … → {last}"),
        _ => levels.join(" → "),
    }
}

#[test]
fn each_shipped_formula_is_drawn_with_all_its_steps() {
    let page = read("docs/formulas.md");
    let mut library = shipped();
    let expanded = "formula = 'expanded'\nversion = 1\nsteps = [{ id = 'step', expand = 'tdd-cycle' }]";
    library.add(Formula::parse("expanded.toml", expanded).unwrap());
    for name in shipped_names() {
        let resolved = library.resolve(if name == "tdd-cycle" { "expanded" } else { &name }).unwrap();
        let mut values = resolved.sample();
        // Conditions on a variable are true.
        values.values_mut().filter(|value| value.is_empty()).for_each(|value| "x".clone_into(value));
        values.values_mut().filter(|value| *value == "false").for_each(|value| "true".clone_into(value));
        let drawing = drawn(&resolved.plan(&values).unwrap().steps);
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        assert!(row.is_some_and(|row| row.ends_with(&format!("| {drawing} |"))), "{name} | {drawing}");
    }
}

#[test]
fn the_reference_is_the_parsers_own() {
    let page = read("docs/formulas.md");
    let (_, shown) = page.split_once("<!-- reference -->\n").unwrap();
    let how = "cargo run -p gt-model --example formula_reference prints it";
    assert_eq!(shown.trim(), reference().trim(), "the reference in docs/formulas.md is out of date: {how}");
}
