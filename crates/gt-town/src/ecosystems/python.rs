//! Python projects: finds out how they are tested and what that needs.

use std::collections::BTreeMap;

use gt_model::check_kind::{Kind, of_line};

use super::project::Project;
use super::table::Place;
use crate::town::error::Result;

/// Files that list what a Python project and its tests need.
const REQUIREMENTS: &[&str] = &[
    "requirements.txt",
    "requirements-dev.txt",
    "requirements_dev.txt",
    "requirements-test.txt",
    "requirements-tests.txt",
    "requirements_test.txt",
    "dev-requirements.txt",
    "test-requirements.txt",
    "test_requirements.txt",
    "requirements/dev.txt",
    "requirements/test.txt",
    "requirements/tests.txt",
    "requirements/testing.txt",
    "tests/requirements.txt",
    "test/requirements.txt",
];

/// Files where a Python project can configure pytest.
const SETTINGS: &[&str] =
    &["pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini", "setup.py", "noxfile.py", "Pipfile"];

/// Most common names of extras and groups that a project's tests need.
const TEST_NAMES: &[&str] = &["test", "tests", "testing", "dev"];

/// Answers the table's conditions about a Python project.
pub fn look(place: &mut Place<'_>) -> Result<()> {
    let project = place.project;
    let settings = ["pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "noxfile.py", "Pipfile"];
    let requirements: Vec<&str> = REQUIREMENTS.iter().copied().filter(|file| project.has(file)).collect();
    if requirements.is_empty() && !settings.iter().any(|file| project.has(file)) {
        return Ok(());
    }
    let python = Python::read(&project, &requirements)?;
    let tests = python.tests(&project)?;
    let (packages, listed) = (python.packages(&project), python.lists_pytest(&project)?);
    let session = python.session(&project)?;
    let facts = [
        ("tests", tests.is_some()),
        ("pytest", tests == Some(Tests::Pytest)),
        ("pytest-listed", listed),
        ("packages", !packages.is_empty()),
        ("requirements", !requirements.is_empty()),
        ("tox", python.tox(&project)?),
        ("nox", session.is_some()),
    ];
    place.facts.extend(facts.iter().filter(|(_, holds)| *holds).map(|(name, _)| (*name).to_owned()));
    let pytest = (tests == Some(Tests::Pytest)).then(|| "pytest".to_owned());
    let packages: String = packages.into_iter().chain(pytest).map(|package| format!(" {package}")).collect();
    // Use the machine's Python, but install into the worktree.
    let venv = "python3 -m venv .venv && echo '*' > .venv/.gitignore && .venv/bin/python -m pip install -q";
    let words = [
        ("venv", venv.to_owned()),
        ("packages", packages),
        ("discover", discover(&project)),
        ("session", session.unwrap_or_default()),
        ("uv-options", python.options(" --extra ", " --group ")),
        ("poetry-options", python.options(" --extras ", " --with ")),
        ("pdm-options", python.options(" -G ", " -G ")),
    ];
    place.words.extend(words.map(|(name, text)| (name.to_owned(), text)));
    Ok(())
}

/// Test tool of a Python project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tests {
    Pytest,
    Unittest,
}

/// Contents of a Python project's files.
struct Python<'r> {
    pyproject: toml::Table,
    setup_cfg: Ini,
    requirements: &'r [&'r str],
    extras: Vec<String>,
}

impl<'r> Python<'r> {
    fn read(project: &Project<'_>, requirements: &'r [&'r str]) -> Result<Self> {
        let pyproject: toml::Table =
            project.text("pyproject.toml")?.and_then(|text| toml::from_str(&text).ok()).unwrap_or_default();
        let setup_cfg = Ini::read(&project.text("setup.cfg")?.unwrap_or_default());
        let setup_py = project.text("setup.py")?.unwrap_or_default();
        let mut extras = keys(&pyproject, &["project", "optional-dependencies"]);
        extras.extend(keys(&pyproject, &["tool", "poetry", "extras"]));
        extras.extend(setup_cfg.section("options.extras_require").map(|(name, _)| name.to_owned()));
        if setup_py.contains("extras_require") {
            let is_there =
                |name: &&&str| ["'", "\""].iter().any(|quote| setup_py.contains(&format!("{quote}{name}{quote}:")));
            extras.extend(TEST_NAMES.iter().filter(is_there).map(|name| (*name).to_owned()));
        }
        extras.retain(|extra| TEST_NAMES.contains(&extra.as_str()));
        extras.sort_by_key(|extra| TEST_NAMES.iter().position(|name| name == extra));
        extras.dedup();
        Ok(Self { pyproject, setup_cfg, requirements, extras })
    }

    /// Returns what pip should install: the project itself, from the worktree, and what its tests need.
    fn packages(&self, project: &Project<'_>) -> Vec<String> {
        let mut packages: Vec<String> = self.requirements.iter().map(|file| format!("-r {file}")).collect();
        let is_package = self.pyproject.contains_key("build-system")
            || project.has("setup.py")
            || project.has_folder("src")
            || self.setup_cfg.section("metadata").next().is_some();
        let needs_others = table(&self.pyproject, &["project"]).is_some_and(|table| table.contains_key("dependencies"));
        if is_package || needs_others {
            let extras = if self.extras.is_empty() { String::new() } else { format!("[{}]", self.extras.join(",")) };
            packages.push(format!("-e '.{extras}'"));
        }
        packages.extend(self.grouped().iter().filter_map(|package| quoted(package)));
        packages
    }

    /// Returns the packages of test groups, which pip does not install with the project.
    fn grouped(&self) -> Vec<String> {
        let mut packages = Vec::new();
        for name in TEST_NAMES {
            self.group(name, 0, &mut packages);
        }
        let hatch = ["default", "test", "tests", "hatch-test"];
        for environment in hatch.iter().filter_map(|name| table(&self.pyproject, &["tool", "hatch", "envs", name])) {
            packages
                .extend(["dependencies", "extra-dependencies"].iter().flat_map(|key| strings(environment.get(*key))));
        }
        packages.extend(self.poetry(&["dev-dependencies"]));
        packages.extend(TEST_NAMES.iter().flat_map(|name| self.poetry(&["group", name, "dependencies"])));
        packages.extend(strings(table(&self.pyproject, &["tool", "uv"]).and_then(|uv| uv.get("dev-dependencies"))));
        let pdm = table(&self.pyproject, &["tool", "pdm", "dev-dependencies"]);
        packages.extend(pdm.into_iter().flat_map(|groups| groups.values().flat_map(|group| strings(Some(group)))));
        packages
    }

    /// Adds the packages of a PEP 735 group and of the groups that it includes.
    fn group(&self, name: &str, depth: usize, packages: &mut Vec<String>) {
        let group = table(&self.pyproject, &["dependency-groups"]).and_then(|groups| groups.get(name));
        for item in group.and_then(toml::Value::as_array).into_iter().flatten() {
            if let Some(package) = item.as_str() {
                packages.push(package.to_owned());
            } else if let Some(included) = item.get("include-group").and_then(toml::Value::as_str)
                && depth < 4
            {
                self.group(included, depth + 1, packages);
            }
        }
    }

    /// Returns package names from one of poetry's tables. Poetry has its own version syntax, so pip gets no versions.
    fn poetry(&self, keys: &[&str]) -> Vec<String> {
        let path: Vec<&str> = ["tool", "poetry"].iter().chain(keys).copied().collect();
        let named = table(&self.pyproject, &path).into_iter().flat_map(toml::Table::keys);
        named.filter(|name| *name != "python").cloned().collect()
    }

    /// Returns options that install the extras and groups for tests.
    fn options(&self, extra: &str, group: &str) -> String {
        let extras = self.extras.iter().map(|name| format!("{extra}{name}"));
        let mut groups = keys(&self.pyproject, &["dependency-groups"]);
        groups.extend(keys(&self.pyproject, &["tool", "poetry", "group"]));
        // The group `dev` is installed by default.
        groups.retain(|name| TEST_NAMES.contains(&name.as_str()) && name != "dev");
        extras.chain(groups.iter().map(|name| format!("{group}{name}"))).collect()
    }

    fn lists_pytest(&self, project: &Project<'_>) -> Result<bool> {
        for file in SETTINGS.iter().chain(self.requirements) {
            if project.text(file)?.is_some_and(|text| text.contains("pytest")) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the tool that the project's tests are written for; `None` if it has no tests.
    fn tests(&self, project: &Project<'_>) -> Result<Option<Tests>> {
        let is_test = |name: &str| {
            let Some(stem) = name.strip_suffix(".py") else { return false };
            stem.starts_with("test_") || stem.ends_with("_test") || stem == "conftest" || stem == "tests"
        };
        let files = project.files(is_test)?;
        if files.is_empty() {
            return Ok(None);
        }
        if self.lists_pytest(project)? {
            return Ok(Some(Tests::Pytest));
        }
        for file in &files {
            let text = project.text(file)?.unwrap_or_default();
            // unittest ignores a test that is a plain function, and would pass without it.
            let is_plain = |line: &str| line.starts_with("def test") || line.starts_with("async def test");
            if text.contains("import pytest") || file.ends_with("conftest.py") || text.lines().any(is_plain) {
                return Ok(Some(Tests::Pytest));
            }
        }
        Ok(Some(Tests::Unittest))
    }

    /// Whether tox runs tests in its environment for any Python version. It skips commands with a factor (`py312: pytest`) there,
    /// and passes without them.
    fn tox(&self, project: &Project<'_>) -> Result<bool> {
        let legacy = table(&self.pyproject, &["tool", "tox"]).and_then(|tox| tox.get("legacy_tox_ini"));
        let legacy = legacy.and_then(toml::Value::as_str).unwrap_or_default();
        let ini = Ini::read(&project.text("tox.ini")?.unwrap_or_else(|| legacy.to_owned()));
        let commands = ini.section("testenv").filter(|(key, _)| *key == "commands");
        let mut lines = commands.flat_map(|(_, value)| value.lines()).map(|line| line.trim_start_matches("- ").trim());
        let is_of_factor = |line: &str| {
            let first = line.split_whitespace().next().unwrap_or_default();
            first.ends_with(':')
        };
        Ok(lines.any(|line| !is_of_factor(line) && of_line(line) == [Kind::Test]))
    }

    /// Returns the nox session that runs tests.
    fn session(&self, project: &Project<'_>) -> Result<Option<String>> {
        let Some(text) = project.text("noxfile.py")? else { return Ok(None) };
        let is_there = |name: &&&str| {
            let defined = text.lines().any(|line| line.starts_with(&format!("def {name}(")));
            defined || text.contains(&format!("name=\"{name}\"")) || text.contains(&format!("name='{name}'"))
        };
        Ok(["tests", "test", "unit", "pytest"].iter().find(is_there).map(|name| (*name).to_owned()))
    }
}

/// Quotes a package for a shell; `None` if it is not a package.
fn quoted(package: &str) -> Option<String> {
    let package = package.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.[]".contains(c);
    if package.is_empty() || package.starts_with('-') || package.contains('\'') {
        return None;
    }
    Some(if package.chars().all(plain) { package.to_owned() } else { format!("'{package}'") })
}

fn discover(project: &Project<'_>) -> String {
    // A folder without this file is not a package, so test discovery from the top skips it.
    let folder = ["tests", "test"].into_iter().find(|folder| project.has_folder(folder));
    let apart = folder.filter(|folder| !project.has(&format!("{folder}/__init__.py")));
    apart.map_or("unittest discover".to_owned(), |folder| format!("unittest discover -s {folder}"))
}

fn table<'t>(table: &'t toml::Table, keys: &[&str]) -> Option<&'t toml::Table> {
    keys.iter().try_fold(table, |table, key| table.get(*key)?.as_table())
}

fn keys(from: &toml::Table, path: &[&str]) -> Vec<String> {
    table(from, path).into_iter().flat_map(toml::Table::keys).cloned().collect()
}

fn strings(value: Option<&toml::Value>) -> Vec<String> {
    let list = value.and_then(toml::Value::as_array).into_iter().flatten();
    list.filter_map(toml::Value::as_str).map(str::to_owned).collect()
}

/// A file in the format of Python's tools: sections, keys, and values that may continue on further lines.
#[derive(Debug, Default)]
struct Ini(BTreeMap<String, Vec<(String, String)>>);

impl Ini {
    fn read(text: &str) -> Self {
        let (mut ini, mut section) = (Self::default(), String::new());
        for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', ';'])) {
            let goes_on = line.starts_with([' ', '\t']);
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                section = name.to_owned();
            } else if goes_on && let Some((_, value)) = ini.0.get_mut(&section).and_then(|keys| keys.last_mut()) {
                value.push('\n');
                value.push_str(line.trim());
            } else if let Some((key, value)) = line.split_once(['=', ':']) {
                ini.0.entry(section.clone()).or_default().push((key.trim().to_owned(), value.trim().to_owned()));
            }
        }
        ini
    }

    fn section(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0.get(name).into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}
