//! The engine's folders are rooms with an order: a room imports only rooms that stand before it. So there is no cycle between
//! rooms, and a reader who knows the first rooms can read the next.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// All rooms, in order: a room may import only earlier ones. ARCHITECTURE.md says what each is for. The crates
/// `gt-model`, `gt-world` and `gt-ledger` come before all of them.
const ROOMS: &[&str] = &[
    "town",
    "ecosystems",
    "mail",
    "walls",
    "rigs",
    "agents",
    "work",
    "admission",
    "moments",
    "effects",
    "keep",
    "sync",
    "lifecycle",
    "refinery",
    "molecules",
    "patrol",
    "view",
];

#[test]
fn no_room_imports_a_later_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = String::new();
    for file in sources(&root) {
        let inside = file.strip_prefix(&root).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        for imported in imports(&code(&text), depth(inside)) {
            if let Some(why) = objection(room, &imported) {
                writeln!(wrong, "{}: {why}", inside.display()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the order of rooms:\n{wrong}");
}

#[test]
fn each_folder_is_a_room_with_a_page_that_says_what_it_is_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders: BTreeSet<String> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(folders, ROOMS.iter().map(|room| (*room).to_owned()).collect());
    for room in ROOMS {
        let page = std::fs::read_to_string(root.join(room).join("mod.rs")).unwrap();
        assert!(page.starts_with("//! "), "{room}/mod.rs says nothing");
    }
}

/// Returns why a room may not import another.
fn objection(room: &str, imported: &str) -> Option<String> {
    let place = |name: &str| ROOMS.iter().position(|room| *room == name);
    match (place(room), place(imported)) {
        (Some(own), Some(other)) if other > own => Some(format!("{room} stands before {imported}")),
        (_, None) => Some(format!("{imported} is no room; name the room of what you import")),
        _ => None,
    }
}

/// Returns all source files of rooms, without tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if ["tests", "lib"].contains(&stem) || stem.ends_with("_tests") {
            continue;
        }
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Returns how many modules deep a file is in the crate.
fn depth(inside: &Path) -> usize {
    let parts = inside.components().count();
    if inside.ends_with("mod.rs") { parts - 1 } else { parts }
}

/// Returns a source without comments, string literals and test modules.
fn code(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines().take_while(|line| *line != "#[cfg(test)]") {
        let line = line.split("//").next().unwrap_or_default();
        let outside_texts = line.split('"').step_by(2);
        outside_texts.for_each(|part| code.push_str(part));
        code.push('\n');
    }
    code
}

/// Returns the first names below the crate's root that a file imports, or names by a full path.
fn imports(code: &str, depth: usize) -> BTreeSet<String> {
    let up = format!("{}::", vec!["super"; depth].join("::"));
    let from_root = after(code, "crate::");
    let by_super = after(code, &up).into_iter().filter(|name| ROOMS.contains(&name.as_str()));
    from_root.into_iter().chain(by_super).collect()
}

/// Returns the names that follow the beginning of a path: one, or those of a group.
fn after(code: &str, beginning: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(beginning) {
        let is_whole = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$');
        let rest = &code[at + beginning.len()..];
        if !is_whole {
            continue;
        }
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group_of(group)),
            None => names.extend(name_of(rest)),
        }
    }
    names
}

/// Returns the first names of a group's members.
fn group_of(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut begins) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && c.is_alphabetic() => {
                names.extend(name_of(&group[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

fn name_of(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

#[test]
fn imports_are_found_in_every_form() {
    let check = |text: &str, depth: usize, expected: &[&str]| {
        let found = imports(&code(text), depth);
        assert_eq!(found, expected.iter().map(|name| (*name).to_owned()).collect(), "{text}");
    };
    check("use crate::mail::post;", 2, &["mail"]);
    check("use crate::{town::{Rig, Town}, view,\n    work::sling};", 2, &["town", "view", "work"]);
    check("fn f() { crate::patrol::deacon::run() }", 2, &["patrol"]);
    check("pub(crate) use crate::rigs::rig::Found;", 3, &["rigs"]);
    check("use super::super::view::story;", 2, &["view"]);
    check("use super::story;", 2, &[]);
    check("// use crate::view;\nlet text = \"crate::view\";", 2, &[]);
    check("use crate::work;\n#[cfg(test)]\nmod tests {\n    use crate::view;\n}", 2, &["work"]);
}

#[test]
fn an_import_of_a_later_room_is_named() {
    assert_eq!(objection("work", "view").as_deref(), Some("work stands before view"));
    assert_eq!(objection("view", "work"), None);
    assert!(objection("view", "Error").is_some());
}
