//! Facts that the engine must not know. To the engine, the simulated worker is an agent like any other, and its
//! knowledge of a client is only in that client's folders.

use std::path::{Path, PathBuf};

/// Words that would show such knowledge.
const NAMES: &[&str] = &["sim-worker", "sim_worker", "GT_SIM", "gt::sim", "Player", "\"sim\""];

/// Returns all files below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Returns which of these names a text contains, with their lines.
fn mentions(names: &[&str], text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    let of_line = |(at, line): (usize, &str)| {
        let found = names.iter().filter(|name| line.contains(**name));
        found.map(|name| format!("line {}: {name}", at + 1)).collect::<Vec<_>>()
    };
    lines.flat_map(of_line).collect()
}

#[test]
fn the_engine_mentions_no_simulated_worker() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let sources = ["gt-town/src", "gt-town/formulas", "gt-model/src", "gt-world/src", "gt-ledger/src"];
    let files: Vec<PathBuf> = sources.iter().flat_map(|folder| files_below(&crates.join(folder))).collect();
    assert!(files.iter().any(|file| file.ends_with("gt-town/src/effects/run.rs")), "the engine's files are looked at");
    assert!(files.iter().any(|file| file.ends_with("gt-model/src/patrol.rs")), "so is the model");
    // The guards name verbs of `gt` that only `gt` may call; its own worker is one of them.
    let is_guard = |file: &PathBuf| file.components().any(|part| part.as_os_str() == "guard");
    for file in files.into_iter().filter(|file| !is_guard(file)) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        assert_eq!(mentions(NAMES, &text), Vec::<String>::new(), "{}", file.display());
    }
}

/// Parts of a path that show that a file is a test.
fn is_test(file: &Path) -> bool {
    let mut parts = file.iter().filter_map(|part| part.to_str());
    parts.any(|part| part == "tests" || part.ends_with("tests.rs"))
}

#[test]
fn only_a_clients_own_folders_know_it() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let sources = ["gt-town/src", "gt-town/formulas", "gt-model/src", "gt-ledger/src", "gt-world/src"];
    let seams = ["gt-town/src/agents/clients", "gt-model/src/clients"].map(|folder| crates.join(folder));
    let files: Vec<PathBuf> = sources.iter().flat_map(|folder| files_below(&crates.join(folder))).collect();
    assert!(seams.iter().all(|seam| files.iter().any(|file| file.starts_with(seam))), "the seam is where it was");
    for file in files.into_iter().filter(|file| !is_test(file.strip_prefix(crates).unwrap())) {
        if seams.iter().any(|seam| file.starts_with(seam)) {
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).to_lowercase();
        let code: Vec<&str> = text.lines().take_while(|line| *line != "#[cfg(test)]").collect();
        assert_eq!(mentions(&["claude"], &code.join("\n")), Vec::<String>::new(), "{}", file.display());
    }
}

#[test]
fn a_mention_is_found() {
    let text = "agent\nif kind == \"sim\" {\nGT_SIM_SCRIPT\nuse gt::sim::player::Player;";
    assert_eq!(mentions(NAMES, text), ["line 2: \"sim\"", "line 3: GT_SIM", "line 4: gt::sim", "line 4: Player"]);
}
