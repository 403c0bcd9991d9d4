//! What a project is tested with, and what its worktrees need for that, as far as its files tell.
//!
//! A gate that tests too little, or something else than the worktree, is worse than none: it is green. So all members of a
//! workspace are tested, lock files are held to, and Python runs in an environment of the worktree's own.

use std::path::Path;

use crate::error::Result;
use crate::settings::Gate;
use crate::world::{Disk, NodeKind};

/// Bytes that are read of a file.
const FILE_BYTES: usize = 4 * 1024 * 1024;

/// How deep, and among how many entries, files are looked for.
const DEPTH: usize = 4;
const ENTRIES: usize = 5_000;

/// Folders that hold other projects' files, or what tools make.
const NOT_LOOKED_INTO: &[&str] =
    &["node_modules", "vendor", "testdata", "target", "venv", "third_party", "site-packages"];

/// Commands of a project's own, in the order of preference: a file, the gate's name, what it runs.
const OWN: &[(&str, &str, &str)] = &[
    ("run-tests", "run-tests", "sh ./run-tests"),
    ("run-tests.sh", "run-tests", "sh ./run-tests.sh"),
    ("test.sh", "test", "sh ./test.sh"),
];

/// What was found in a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Its gates.
    pub gates: Vec<Gate>,
    /// Command lines that a fresh worktree needs before them.
    pub set_up: Vec<String>,
}

impl Found {
    fn gate(&mut self, name: &str, run: impl Into<String>) {
        self.gates.push(Gate { name: name.to_owned(), run: run.into(), timeout_seconds: 1800 });
    }
}

/// Finds the gates of a project, and what they need, from its files.
pub fn find(disk: &dyn Disk, folder: &Path) -> Result<Found> {
    let project = Project { disk, folder };
    let mut found = Found::default();
    rust(&project, &mut found)?;
    node(&project, &mut found)?;
    python(&project, &mut found)?;
    go(&project, &mut found)?;
    for (file, name, run) in OWN {
        if project.text(file)?.is_some() {
            found.gate(name, *run);
        }
    }
    let makefile = if found.gates.is_empty() { project.text("Makefile")? } else { None };
    if makefile.is_some_and(|text| text.lines().any(|line| line.starts_with("test:"))) {
        found.gate("make-test", "make test");
    }
    Ok(found)
}

/// A project's files. What is a link to something else is not looked at.
struct Project<'p> {
    disk: &'p dyn Disk,
    folder: &'p Path,
}

impl Project<'_> {
    fn text(&self, file: &str) -> Result<Option<String>> {
        let bytes = self.disk.read_part(&self.folder.join(file), 0, FILE_BYTES)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn has(&self, file: &str) -> bool {
        self.disk.kind(&self.folder.join(file)).is_ok_and(|kind| kind == Some(NodeKind::File))
    }

    fn has_folder(&self, folder: &str) -> bool {
        self.disk.kind(&self.folder.join(folder)).is_ok_and(|kind| kind == Some(NodeKind::Folder))
    }

    fn names(&self, folder: &str) -> Result<Vec<String>> {
        Ok(self.disk.list(&self.folder.join(folder))?)
    }

    /// Files whose names are wanted, by their paths, those above first.
    fn files(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>> {
        let (mut found, mut folders, mut seen) = (Vec::new(), vec![String::new()], 0);
        for _ in 0..DEPTH {
            let mut below = Vec::new();
            for folder in folders {
                for name in self.names(&folder)? {
                    seen += 1;
                    let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                    if seen > ENTRIES {
                        return Ok(found);
                    }
                    if wanted(&name) && self.has(&path) {
                        found.push(path);
                    } else if !name.starts_with('.')
                        && !NOT_LOOKED_INTO.contains(&name.as_str())
                        && self.has_folder(&path)
                    {
                        below.push(path);
                    }
                }
            }
            folders = below;
        }
        Ok(found)
    }
}

fn rust(project: &Project<'_>, found: &mut Found) -> Result<()> {
    let Some(manifest) = project.text("Cargo.toml")? else { return Ok(()) };
    // Otherwise the package at the top alone is tested.
    let workspace = if has_table(&manifest, "workspace") { " --workspace" } else { "" };
    let locked = if project.has("Cargo.lock") { " --locked" } else { "" };
    found.gate("cargo-test", format!("cargo test{workspace}{locked}"));
    Ok(())
}

fn has_table(text: &str, name: &str) -> bool {
    toml::from_str::<toml::Table>(text).is_ok_and(|table| table.contains_key(name))
}

fn node(project: &Project<'_>, found: &mut Found) -> Result<()> {
    let Some(text) = project.text("package.json")? else { return Ok(()) };
    let package: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    if project.has("package-lock.json") || project.has("npm-shrinkwrap.json") {
        found.set_up.push("npm ci".to_owned());
    }
    let mut members = false;
    for member in workspaces(project, &package)? {
        let text = project.text(&format!("{member}/package.json"))?.unwrap_or_default();
        members |= has_test(&serde_json::from_str(&text).unwrap_or_default());
    }
    match (members, has_test(&package)) {
        // The script at the top need not test the members.
        (true, _) => found.gate("npm-test", "npm test --workspaces --include-workspace-root --if-present"),
        (false, true) => found.gate("npm-test", "npm test"),
        (false, false) => {}
    }
    Ok(())
}

/// Whether a package says how it is tested. What `npm init` writes says that it does not.
fn has_test(package: &serde_json::Value) -> bool {
    package["scripts"]["test"].as_str().is_some_and(|script| !script.contains("no test specified"))
}

/// The folders of a package's workspaces.
fn workspaces(project: &Project<'_>, package: &serde_json::Value) -> Result<Vec<String>> {
    let listed = &package["workspaces"];
    let listed = listed.as_array().or_else(|| listed["packages"].as_array());
    let mut folders = Vec::new();
    for pattern in listed.into_iter().flatten().filter_map(serde_json::Value::as_str) {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        match pattern.strip_suffix("/*").or_else(|| pattern.strip_suffix("/**")) {
            Some(above) => folders.extend(project.names(above)?.into_iter().map(|name| format!("{above}/{name}"))),
            None => folders.push(pattern.to_owned()),
        }
    }
    Ok(folders)
}

/// Files that list what a Python project and its tests need.
const REQUIREMENTS: &[&str] = &[
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-test.txt",
    "dev-requirements.txt",
    "test-requirements.txt",
    "requirements/dev.txt",
    "requirements/test.txt",
];

/// Files in which a Python project says that it uses pytest.
const PYTHON_SETTINGS: &[&str] = &["pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini", "setup.py"];

/// Extras that a project's tests need, as they are most often called.
const TEST_EXTRAS: &[&str] = &["test", "tests", "testing", "dev"];

/// How a Python project is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tests {
    Pytest,
    Unittest,
}

fn python(project: &Project<'_>, found: &mut Found) -> Result<()> {
    let settings = ["pyproject.toml", "setup.py", "setup.cfg"];
    let requirements: Vec<&str> = REQUIREMENTS.iter().copied().filter(|file| project.has(file)).collect();
    if requirements.is_empty() && !settings.iter().any(|file| project.has(file)) {
        return Ok(());
    }
    let pyproject: toml::Table =
        project.text("pyproject.toml")?.and_then(|text| toml::from_str(&text).ok()).unwrap_or_default();
    let (wanted, tests) = (packages(project, &pyproject, &requirements), python_tests(project, &requirements)?);
    match tests {
        None => {}
        Some(Tests::Pytest) => {
            found.set_up.push(own_environment(&[wanted, vec!["pytest".to_owned()]].concat()));
            found.gate("pytest", ".venv/bin/python -m pytest -q");
        }
        // Nothing but what is in the worktree is needed.
        Some(Tests::Unittest) if wanted.is_empty() => found.gate("unittest", discover("python3", project)),
        Some(Tests::Unittest) => {
            found.set_up.push(own_environment(&wanted));
            found.gate("unittest", discover(".venv/bin/python", project));
        }
    }
    Ok(())
}

fn discover(python: &str, project: &Project<'_>) -> String {
    // A folder without this file is no package, and is not looked into from above.
    let folder = ["tests", "test"].into_iter().find(|folder| project.has_folder(folder));
    let apart = folder.filter(|folder| !project.has(&format!("{folder}/__init__.py")));
    apart
        .map_or(format!("{python} -m unittest discover"), |folder| format!("{python} -m unittest discover -s {folder}"))
}

/// The set-up of a Python environment inside the worktree, which git does not see. Only there does `import` find the
/// worktree's own files, whatever is installed elsewhere.
fn own_environment(packages: &[String]) -> String {
    let packages = packages.join(" ");
    format!("python3 -m venv .venv && echo '*' > .venv/.gitignore && .venv/bin/python -m pip install -q {packages}")
}

/// What pip is to install: the project itself, from the worktree, and what its tests need.
fn packages(project: &Project<'_>, pyproject: &toml::Table, requirements: &[&str]) -> Vec<String> {
    let mut packages: Vec<String> = requirements.iter().map(|file| format!("-r {file}")).collect();
    let is_package = pyproject.contains_key("build-system") || project.has("setup.py") || project.has_folder("src");
    let table = pyproject.get("project").and_then(toml::Value::as_table);
    let needs_others = table.is_some_and(|table| table.contains_key("dependencies"));
    if is_package || needs_others {
        let extras = table.and_then(|table| table.get("optional-dependencies")).and_then(toml::Value::as_table);
        let is_there = |name: &&&str| extras.is_some_and(|extras| extras.contains_key(**name));
        let extras: Vec<&str> = TEST_EXTRAS.iter().filter(is_there).copied().collect();
        let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
        packages.push(format!("-e '.{extras}'"));
    }
    packages
}

/// What a Python project's tests are written for; `None` where it has none.
fn python_tests(project: &Project<'_>, requirements: &[&str]) -> Result<Option<Tests>> {
    let is_test = |name: &str| {
        let Some(stem) = name.strip_suffix(".py") else { return false };
        stem.starts_with("test_") || stem.ends_with("_test") || stem == "conftest" || stem == "tests"
    };
    let files = project.files(is_test)?;
    if files.is_empty() {
        return Ok(None);
    }
    for file in PYTHON_SETTINGS.iter().chain(requirements) {
        if project.text(file)?.is_some_and(|text| text.contains("pytest")) {
            return Ok(Some(Tests::Pytest));
        }
    }
    for file in &files {
        let text = project.text(file)?.unwrap_or_default();
        // A test that is a plain function is nothing to unittest, which would be green without it.
        let is_plain = |line: &str| line.starts_with("def test") || line.starts_with("async def test");
        if text.contains("import pytest") || file.ends_with("conftest.py") || text.lines().any(is_plain) {
            return Ok(Some(Tests::Pytest));
        }
    }
    Ok(Some(Tests::Unittest))
}

fn go(project: &Project<'_>, found: &mut Found) -> Result<()> {
    if project.has("go.work") {
        // `./...` ends where the next module begins.
        found.gate("go-test", "go list -f '{{.Dir}}/...' -m | xargs go test");
        return Ok(());
    }
    for file in project.files(|name| name == "go.mod")? {
        match file.strip_suffix("/go.mod") {
            None => found.gate("go-test", "go test ./..."),
            Some(folder) if is_plain(folder) => {
                found.gate(&format!("go-test-{}", folder.replace('/', "-")), format!("cd {folder} && go test ./..."));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Whether a shell takes a path as it is.
fn is_plain(path: &str) -> bool {
    path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c)) && !path.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::real::RealDisk;

    fn check(files: &[(&str, &str)], gates: &[&str], set_up: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            RealDisk.write(&folder.path().join(path), text.as_bytes()).unwrap();
        }
        let found = find(&RealDisk, folder.path()).unwrap();
        let runs: Vec<&str> = found.gates.iter().map(|gate| gate.run.as_str()).collect();
        assert_eq!(
            (runs, found.set_up.iter().map(String::as_str).collect()),
            (gates.to_vec(), set_up.to_vec()),
            "{files:?}"
        );
    }

    #[test]
    fn all_members_of_a_rust_workspace_are_tested_by_the_lock_file() {
        let (package, workspace) = ("[package]\nname = \"a\"\n", "[workspace]\nmembers = [\"a\"]\n");
        check(&[("Cargo.toml", package)], &["cargo test"], &[]);
        check(&[("Cargo.toml", package), ("Cargo.lock", "")], &["cargo test --locked"], &[]);
        check(&[("Cargo.toml", workspace)], &["cargo test --workspace"], &[]);
        let both = format!("{workspace}{package}");
        check(&[("Cargo.toml", &both), ("Cargo.lock", "")], &["cargo test --workspace --locked"], &[]);
        check(&[("Cargo.toml", "# no [workspace] here\n[package]\nname = \"a\"\n")], &["cargo test"], &[]);
        check(&[("Cargo.toml", "[workspace.dependencies]\n")], &["cargo test --workspace"], &[]);
    }

    #[test]
    fn all_members_of_a_node_workspace_are_tested() {
        let script = "{\"scripts\": {\"test\": \"node t.js\"}}";
        let all = "npm test --workspaces --include-workspace-root --if-present";
        let none = "{\"scripts\": {\"test\": \"echo \\\"Error: no test specified\\\" && exit 1\"}}";
        check(&[("package.json", script)], &["npm test"], &[]);
        check(&[("package.json", script), ("package-lock.json", "")], &["npm test"], &["npm ci"]);
        check(&[("package.json", none)], &[], &[]);
        check(&[("package.json", "{\"devDependencies\": {\"test\": \"1\"}}")], &[], &[]);
        check(&[("package.json", "no json: \"test\"")], &[], &[]);
        for listed in ["[\"packages/*\"]", "{\"packages\": [\"./packages/a/\"]}"] {
            let top = format!("{{\"workspaces\": {listed}, \"scripts\": {{\"test\": \"true\"}}}}");
            check(&[("package.json", &top), ("packages/a/package.json", script)], &[all], &[]);
            check(&[("package.json", &top), ("packages/a/package.json", none)], &["npm test"], &[]);
        }
    }

    #[test]
    fn python_is_tested_in_an_environment_of_the_worktree() {
        let venv = |packages: &str| {
            format!(
                "python3 -m venv .venv && echo '*' > .venv/.gitignore && .venv/bin/python -m pip install -q {packages}"
            )
        };
        let pytest = ".venv/bin/python -m pytest -q";
        let plain = ("tests/test_a.py", "import a\n\ndef test_a():\n    assert a.one() == 1\n");
        let class =
            ("test_a.py", "import unittest\n\nclass A(unittest.TestCase):\n    def test_a(self):\n        pass\n");
        let built = "[build-system]\nrequires = []\n[project]\nname = \"a\"\n";
        check(&[("pyproject.toml", built), plain], &[pytest], &[&venv("-e '.' pytest")]);
        check(&[("pyproject.toml", built)], &[], &[]);
        check(&[("pyproject.toml", "[project]\nname = \"a\"\n"), class], &["python3 -m unittest discover"], &[]);
        check(&[("pyproject.toml", built), class], &[".venv/bin/python -m unittest discover"], &[&venv("-e '.'")]);
        let extras = format!(
            "{built}[project.optional-dependencies]\ndocs = []\ntest = []\ndev = []\n[tool.pytest.ini_options]\n"
        );
        check(&[("pyproject.toml", &extras), class], &[pytest], &[&venv("-e '.[test,dev]' pytest")]);
        let needs = "[project]\nname = \"a\"\ndependencies = [\"attrs\"]\n";
        check(&[("pyproject.toml", needs), class], &[".venv/bin/python -m unittest discover"], &[&venv("-e '.'")]);
        let script = [("requirements.txt", "attrs\n"), ("requirements-dev.txt", "pytest\n"), class];
        check(&script, &[pytest], &[&venv("-r requirements.txt -r requirements-dev.txt pytest")]);
        let apart = ("tests/test_a.py", class.1);
        check(&[("setup.py", ""), apart], &[".venv/bin/python -m unittest discover -s tests"], &[&venv("-e '.'")]);
        check(
            &[("setup.py", ""), apart, ("tests/__init__.py", "")],
            &[".venv/bin/python -m unittest discover"],
            &[&venv("-e '.'")],
        );
        check(&[("script.py", "print(1)\n"), class], &[], &[]);
    }

    #[test]
    fn each_go_module_is_tested() {
        check(&[("go.mod", "")], &["go test ./..."], &[]);
        check(&[("go.mod", ""), ("tools/x/go.mod", "")], &["go test ./...", "cd tools/x && go test ./..."], &[]);
        check(&[("go.mod", ""), ("vendor/x/go.mod", ""), ("a b/go.mod", "")], &["go test ./..."], &[]);
        check(&[("go.work", ""), ("a/go.mod", "")], &["go list -f '{{.Dir}}/...' -m | xargs go test"], &[]);
    }

    #[test]
    fn a_projects_own_commands_come_last() {
        check(&[("run-tests", ""), ("test.sh", "")], &["sh ./run-tests", "sh ./test.sh"], &[]);
        check(&[("Makefile", "all:\n\ntest: all\n")], &["make test"], &[]);
        check(&[("Makefile", "tests:\n")], &[], &[]);
        check(&[("Makefile", "test:\n"), ("go.mod", "")], &["go test ./..."], &[]);
    }
}
