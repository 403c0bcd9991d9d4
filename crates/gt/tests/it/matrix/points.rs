//! All fault points, as the engine's source names them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gt_model::effect::Effect;

/// Verbs that are not literals where the ledger is written: the expression, and its possible values.
const COMPUTED: &[(&str, &[&str])] = &[
    ("row.effect.kind()", Effect::KINDS),
    ("kind.as_str()", &["patrol", "refinery"]),
    ("state", &["up", "draining", "down"]),
    ("verb", &["town set", "rig set", "step fail", "step skip", "step reopen", "step gate", "mol burn"]),
];

/// Returns every point: before and after each effect and each verb that commits.
pub fn all() -> BTreeSet<String> {
    let effects = Effect::KINDS.iter().map(|kind| format!("effect:{kind}"));
    let commits = verbs().into_iter().map(|verb| format!("commit:{verb}"));
    effects.chain(commits).flat_map(|point| [format!("{point}:before"), format!("{point}:after")]).collect()
}

/// Returns every verb under which the engine writes its ledger.
fn verbs() -> BTreeSet<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gt-town/src");
    let mut files = Vec::new();
    collect(&source, &mut files);
    let verbs: BTreeSet<String> = files.iter().flat_map(|file| verbs_of(file)).collect();
    assert!(verbs.len() > 40, "the engine's source is not read right: {verbs:?}");
    verbs
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false => files.extend(path.extension().is_some_and(|end| end == "rs").then_some(path)),
        }
    }
}

fn verbs_of(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap();
    let calls = text.match_indices(".write(").map(|(at, call)| arguments(&text[at + call.len()..]));
    calls.flat_map(|arguments| verbs_in(&arguments, file)).collect()
}

/// Returns the verbs of one call: `write(actor, verb, change)`, or `write(verb, change)` of a patrol. A call that does
/// not end with a closure writes no ledger. A function that passes its own verb on is followed to its callers.
fn verbs_in(arguments: &[String], file: &Path) -> Vec<String> {
    let Some((change, before)) = arguments.split_last() else { return Vec::new() };
    let hands_on = change == "change";
    if hands_on || !change.starts_with('|') {
        return Vec::new();
    }
    let verb = before.last().unwrap();
    if let Some(literal) = verb.strip_prefix('"').and_then(|verb| verb.strip_suffix('"')) {
        return vec![literal.to_owned()];
    }
    let computed = COMPUTED.iter().find(|(expression, _)| expression == verb);
    let (_, verbs) = computed.unwrap_or_else(|| panic!("{}: which verbs is `{verb}`?", file.display()));
    verbs.iter().map(|verb| (*verb).to_owned()).collect()
}

/// Returns the arguments of a call, given the text after its opening parenthesis.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut found, mut at) = (0_u32, false, vec![String::new()], text.chars().peekable());
    for c in at.by_ref() {
        match c {
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted && depth == 0 => break,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                found.push(String::new());
                continue;
            }
            _ => {}
        }
        found.last_mut().unwrap().push(c);
    }
    // The closure is not an argument that matters; the loop may have counted its commas.
    let trimmed: Vec<String> =
        found.iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect();
    let closure = trimmed.iter().position(|text| text.starts_with('|') || text == "change");
    trimmed[..closure.map_or(trimmed.len(), |at| at + 1)].to_vec()
}

#[test]
fn verbs_are_read_from_the_source() {
    let found = all();
    for point in ["commit:sling:before", "commit:land:after", "effect:undo-ref:after", "commit:handle mail:before"] {
        assert!(found.contains(point), "{point}");
    }
    assert_eq!(arguments("&name, \"a b\", |tx| f(x, y))?; g(z)"), ["&name", "\"a b\"", "|tx| f(x, y)"]);
}
