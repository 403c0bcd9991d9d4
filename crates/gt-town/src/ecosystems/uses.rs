//! Finds the file of a project that most of its tests use, from the names in the tests. There is one entry for each language.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::project::{Project, join};
use crate::town::error::Result;

/// Describes how tests of a language name the files that they use.
struct Language {
    /// Suffixes of its sources.
    ends: &'static [&'static str],
    /// Returns the files that a line of a test may name. The first one that exists counts.
    named: fn(&Project<'_>, &str, &str) -> Vec<String>,
}

/// Maximum number of files that are read.
const READ: usize = 200;

/// Parts of paths that mark everything below them as tests.
const TESTS: &[&str] = &["test", "tests", "spec", "specs", "t", "testing", "unittests"];

const LANGUAGES: &[Language] = &[
    Language { ends: &[".c", ".cc", ".cpp", ".cxx"], named: headers },
    Language { ends: &["proj"], named: referenced },
    Language { ends: &[".rb"], named: required },
    Language { ends: &[".php"], named: imported },
    Language { ends: &[".t"], named: modules },
    Language { ends: &[".sh", ".bats", "run-tests"], named: scripts },
];

/// Returns the file that most tests use, for each language.
pub(crate) fn most_used(project: &Project<'_>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for language in LANGUAGES {
        found.extend(language.most_used(project)?);
    }
    Ok(found)
}

impl Language {
    fn most_used(&self, project: &Project<'_>) -> Result<Option<String>> {
        let is_source = |name: &str| self.ends.iter().any(|end| name.ends_with(end));
        let mut used: BTreeMap<String, usize> = BTreeMap::new();
        for test in project.files(is_source)?.iter().filter(|path| is_test(path)).take(READ) {
            for file in self.used_by(project, test)? {
                *used.entry(file).or_default() += 1;
            }
        }
        // A file that all tests share may be what uses the project.
        let common: Vec<(String, usize)> = used.iter().map(|(file, count)| (file.clone(), *count)).collect();
        for (test, count) in common.into_iter().filter(|(file, _)| is_test(file)) {
            for file in self.used_by(project, &test)? {
                *used.entry(file).or_default() += count;
            }
        }
        let mut used: Vec<(String, usize)> = used.into_iter().filter(|(file, _)| !is_test(file)).collect();
        used.sort_by_key(|(file, count)| (Reverse(*count), file.len()));
        Ok(used.into_iter().next().map(|(file, _)| file))
    }

    /// Returns the files of the project that a test names.
    fn used_by(&self, project: &Project<'_>, test: &str) -> Result<Vec<String>> {
        let text = project.text(test)?.unwrap_or_default();
        let named = |line: &str| (self.named)(project, test, line.trim()).into_iter().find(|file| project.has(file));
        Ok(text.lines().filter_map(named).collect())
    }
}

/// Whether a path marks its file as a test.
fn is_test(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let stem = name.split('.').next().unwrap_or_default();
    let in_tests = folders.split(['/', '.', '_', '-']).any(|part| TESTS.contains(&part));
    in_tests || stem.split(['_', '-']).any(|part| part == "test" || part == "tests") || stem.ends_with("test")
}

/// Returns a path relative to a test, with `..` and `.` resolved.
fn beside(test: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = test.split('/').collect();
    parts.pop();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Returns the text between the first two quotes of a line.
fn in_quotes(line: &str) -> Option<&str> {
    let start = line.find(['"', '\''])?;
    let quote = line[start..].chars().next()?;
    line[start + 1..].split_once(quote).map(|(inner, _)| inner)
}

/// C and C++: an included header, beside the test or in the folders for headers.
fn headers(_: &Project<'_>, test: &str, line: &str) -> Vec<String> {
    let Some(rest) = line.strip_prefix('#').and_then(|line| line.trim_start().strip_prefix("include")) else {
        return Vec::new();
    };
    let name = rest.trim().trim_start_matches(['"', '<']).split(['"', '>']).next().unwrap_or_default();
    let places = ["", "include", "src", "lib", "source"].map(|folder| join(folder, name));
    beside(test, name).into_iter().chain(places).collect()
}

/// .NET: a source of a project that the tests' project refers to.
fn referenced(project: &Project<'_>, test: &str, line: &str) -> Vec<String> {
    let Some(path) = line.strip_prefix("<ProjectReference").and_then(in_quotes).and_then(|path| beside(test, path))
    else {
        return Vec::new();
    };
    let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
    let is_source = |name: &str| [".cs", ".fs", ".vb"].iter().any(|end| name.ends_with(end));
    let names = project.names(&folder).unwrap_or_default().into_iter().filter(|name| is_source(name));
    names.map(|name| join(&folder, &name)).collect()
}

/// Ruby: a file that the test requires by name from `lib`, or beside itself.
fn required(_: &Project<'_>, test: &str, line: &str) -> Vec<String> {
    let Some(name) = in_quotes(line) else { return Vec::new() };
    let file = |path: String| if path.ends_with(".rb") { path } else { format!("{path}.rb") };
    if line.starts_with("require_relative") {
        return beside(test, name).map(file).into_iter().collect();
    }
    if line.starts_with("require ") || line.starts_with("require(") {
        vec![file(join("lib", name))]
    } else {
        Vec::new()
    }
}

/// PHP: an imported class, at the place that `composer.json` gives for its namespace.
fn imported(project: &Project<'_>, _: &str, line: &str) -> Vec<String> {
    let Some(class) = line.strip_prefix("use ").map(|rest| rest.split([';', ' ', ',']).next().unwrap_or_default())
    else {
        return Vec::new();
    };
    let manifest = project.data("composer.json").unwrap_or_default();
    let spaces = manifest["autoload"]["psr-4"].as_object().into_iter().flatten();
    let file = |(space, folder): (&String, &serde_json::Value)| {
        let rest = class.trim_start_matches('\\').strip_prefix(space.as_str())?;
        Some(join(folder.as_str()?.trim_end_matches('/'), &format!("{}.php", rest.replace('\\', "/"))))
    };
    spaces.filter_map(file).collect()
}

/// Perl: a module below `lib`.
fn modules(_: &Project<'_>, _: &str, line: &str) -> Vec<String> {
    let module = line.strip_prefix("use ").or_else(|| line.strip_prefix("require "));
    let name = module.map(|rest| rest.split([';', ' ', '(']).next().unwrap_or_default());
    name.map(|name| format!("lib/{}.pm", name.replace("::", "/"))).into_iter().collect()
}

/// Scripts: a file that a test includes or runs.
fn scripts(_: &Project<'_>, test: &str, line: &str) -> Vec<String> {
    let words = line.split(|c: char| c.is_whitespace() || "\"';()|&<>`".contains(c));
    let paths = words.filter(|word| word.ends_with(".sh"));
    // Variables before the name stand for the top or the tests' folder.
    let plain =
        |path: &str| path.rsplit_once('}').map_or(path.to_owned(), |(_, rest)| rest.trim_start_matches('/').to_owned());
    paths
        .flat_map(|path| {
            let path = plain(path);
            beside("", &path).into_iter().chain(beside(test, &path)).collect::<Vec<_>>()
        })
        .collect()
}
