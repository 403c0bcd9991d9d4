//! Ecosystems: finds out from a project's files how it is tested and what its worktrees need for that.
//!
//! A gate that tests too little, or something other than the worktree, is worse than none, because it passes. So the gates test
//! all members of a workspace, respect lock files, and run Python in an environment inside the worktree.
//!
//! [`find`] returns the gates and the set-up of a project; [`breaks`](fn@breaks) returns files that a proof can break. `table`
//! holds the rules as data. `node` and `python` answer those conditions of the rules that need more than a file's existence. `ci`
//! reads the project's own CI files, and `hints` completes the findings with them.
//!
//! This room only reads files and runs nothing. `rigs` runs the gates and writes them to `rig.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gt_model::check_kind::Kind;
use gt_world::Disk;
use serde::Serialize;

use crate::town::error::Result;
use crate::town::settings::Gate;

mod breaks;
mod ci;
#[cfg(test)]
mod corpus;
mod hints;
mod node;
mod project;
mod python;
mod table;
mod uses;
mod yaml;

pub use crate::town::settings::rules::Rule;
pub use breaks::Break;

use crate::town::settings::rules::{RuleKind, Step};
use project::Project;
use table::Place;

/// Maximum depth of project folders below the top.
const DEPTH: usize = 3;

/// Folders of projects that are not tested: examples, benchmarks, documentation.
const ASIDE: &[&str] = &[
    "example",
    "examples",
    "sample",
    "samples",
    "demo",
    "demos",
    "doc",
    "docs",
    "documentation",
    "website",
    "site",
    "test",
    "tests",
    "e2e",
    "fixtures",
    "fixture",
    "__fixtures__",
    "bench",
    "benches",
    "benchmark",
    "benchmarks",
    "template",
    "templates",
    "fuzz",
    "playground",
    "playgrounds",
    "scripts",
    "contrib",
    "third-party",
    "external",
    "extern",
    "deps",
    "node_modules",
];

/// Time limit of a gate in seconds.
const TIMEOUT_SECONDS: u64 = 1800;

/// A gate that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundGate {
    /// The gate.
    #[serde(flatten)]
    pub gate: Gate,
    /// Purpose.
    pub kind: &'static str,
    /// Origin.
    pub from: String,
    /// Whether the rig can do without it. If it fails on the trunk, it is left out.
    pub optional: bool,
}

/// A command of the project that does not become a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Omitted {
    /// Command.
    pub run: String,
    /// Origin.
    pub from: String,
    /// Reason.
    pub why: String,
}

/// Findings for a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Its gates.
    pub gates: Vec<FoundGate>,
    /// Command lines that prepare a new worktree for its gates.
    pub set_up: Vec<String>,
    /// Commands in its CI that do not become gates.
    pub omitted: Vec<Omitted>,
    /// Other notes for people.
    pub notes: Vec<String>,
    /// Folder under examination; "" at the top.
    folder: String,
}

/// Origin of a gate.
struct Origin(String);

impl Origin {
    fn file(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl Found {
    fn gate(&mut self, name: &str, kind: Kind, run: impl Into<String>, origin: Origin) {
        let (run, mut name, mut from) = (run.into(), name.to_owned(), origin.0);
        let is_below = !self.folder.is_empty();
        if is_below {
            name = format!("{name}-{}", self.folder.replace('/', "-"));
            from = format!("{}/{from}", self.folder);
        }
        if self.gates.iter().any(|found| found.gate.name == name) {
            return;
        }
        let gate = Gate { name, run: self.here(&run), timeout_seconds: TIMEOUT_SECONDS };
        self.gates.push(FoundGate { gate, kind: kind.as_str(), from, optional: kind != Kind::Test });
    }

    /// Returns a command line that can run from the top.
    fn here(&self, run: &str) -> String {
        if self.folder.is_empty() { run.to_owned() } else { format!("cd {} && {run}", self.folder) }
    }

    /// Returns the gates in the form of the settings.
    pub(crate) fn plain_gates(&self) -> Vec<Gate> {
        self.gates.iter().map(|found| found.gate.clone()).collect()
    }
}

/// Inputs that, beside the files, decide the findings.
pub struct Knowledge<'k> {
    /// The town's own rules.
    pub own: &'k [Rule],
    /// Whether workers and gates can find a program.
    pub has_program: &'k dyn Fn(&str) -> bool,
}

/// Finds files that a project's gates depend on.
pub fn breaks(disk: &dyn Disk, folder: &Path) -> Result<Vec<Break>> {
    breaks::find(&Project { disk, folder })
}

/// Finds the gates of a project, and what they need, from its files.
pub fn find(disk: &dyn Disk, folder: &Path, knowledge: &Knowledge<'_>) -> Result<Found> {
    let rules = table::rules(knowledge.own);
    let top = Project { disk, folder };
    let mut search = Search { knowledge, found: Found::default(), tested: Vec::new() };
    search.look(disk, folder, "", &rules)?;
    for below in top.folders(DEPTH)? {
        let is_aside = below.split('/').any(|name| ASIDE.contains(&name.to_ascii_lowercase().as_str()));
        if !is_aside && is_plain(&below) {
            search.look(disk, folder, &below, &rules)?;
        }
    }
    let mut found = search.found;
    found.folder.clear();
    if found.gates.iter().all(|gate| gate.kind != Kind::Test.as_str()) {
        // If other gates exist, take only tests.
        let fits = |rule: &&Rule| found.gates.is_empty() || rule.gates.iter().all(|gate| gate.kind == RuleKind::Test);
        let fallback: Vec<Rule> = rules.iter().filter(|rule| rule.fallback).filter(fits).cloned().collect();
        let fallback = fallback.into_iter().map(|rule| Rule { fallback: false, ..rule }).collect::<Vec<_>>();
        let mut search = Search { knowledge, found, tested: Vec::new() };
        search.look(disk, folder, "", &fallback)?;
        found = search.found;
    }
    hints::complete(&top, &mut found)?;
    // At least one gate must be required.
    if found.gates.iter().all(|gate| gate.optional) {
        found.gates.iter_mut().for_each(|gate| gate.optional = false);
    }
    Ok(found)
}

struct Search<'k> {
    knowledge: &'k Knowledge<'k>,
    found: Found,
    /// Ecosystems with gates: name, folder, and whether the folders below are projects of their own.
    tested: Vec<(String, String, bool)>,
}

impl Search<'_> {
    fn look(&mut self, disk: &dyn Disk, top: &Path, folder: &str, rules: &[Rule]) -> Result<()> {
        let path = top.join(folder);
        let project = Project { disk, folder: &path };
        let mut place = Place { project, facts: BTreeSet::new(), words: BTreeMap::new() };
        node::look(&mut place)?;
        python::look(&mut place)?;
        if project.has("Gemfile") {
            let tests = ["test", "spec"].iter().any(|folder| project.has_folder(folder)) || project.has("Rakefile");
            place.facts.extend(tests.then(|| "ruby-tests".to_owned()));
        }
        self.found.folder = folder.to_owned();
        let mut settled = BTreeSet::new();
        for rule in rules.iter().filter(|rule| !rule.fallback) {
            let is_known = settled.contains(rule.of()) || self.is_covered(rule, folder);
            if !is_known && place.all(&rule.when)? && self.take(&mut place, rule)? {
                settled.insert(rule.of().to_owned());
            }
        }
        Ok(())
    }

    /// Whether the gates of a parent folder test this folder as well.
    fn is_covered(&self, rule: &Rule, folder: &str) -> bool {
        let is_own_command = rule.of().starts_with("own") || !rule.notes.is_empty() || rule.name == "pre-commit";
        if !folder.is_empty() && is_own_command {
            return true;
        }
        let is_above = |above: &str| above.is_empty() || folder.starts_with(&format!("{above}/"));
        self.tested.iter().any(|(of, above, each)| of == rule.of() && folder != above && !each && is_above(above))
    }

    /// Adds what a rule proposes. Returns whether the rule applies, so that no other rule of its ecosystem is tried.
    fn take(&mut self, place: &mut Place<'_>, rule: &Rule) -> Result<bool> {
        if !self.program(place, rule) {
            return Ok(false);
        }
        let before = self.found.gates.len();
        let mut names = BTreeSet::new();
        for gate in &rule.gates {
            if !names.contains(&gate.name) && place.all(&gate.when)? {
                names.insert(&gate.name);
                let run = place.fill(rule, &gate.run)?;
                self.found.gate(&gate.name, gate.kind.into(), run, Origin::file(rule.sign()));
            }
        }
        node::note_tool(place, rule);
        node::gates(place, rule, &mut self.found)?;
        self.found.notes.extend(rule.notes.iter().cloned());
        if self.found.gates.len() == before {
            return Ok(true);
        }
        self.tested.push((rule.of().to_owned(), self.found.folder.clone(), rule.each));
        for step in &rule.set_up {
            let run = match step {
                Step::Line(run) => Some(run),
                Step::When { when, run } => place.all(when)?.then_some(run),
            };
            if let Some(run) = run {
                let run = self.found.here(&place.fill(rule, run)?);
                let run = if self.found.folder.is_empty() { run } else { format!("({run})") };
                self.found.set_up.push(run);
            }
        }
        Ok(true)
    }

    /// Decides what `{program}` stands for. Returns false if there is none.
    fn program(&mut self, place: &mut Place<'_>, rule: &Rule) -> bool {
        let Some(program) = &rule.program else { return true };
        if (self.knowledge.has_program)(program) {
            place.words.insert("program".to_owned(), program.clone());
            return true;
        }
        let version = place.words.get("version").cloned().unwrap_or_default();
        match &rule.instead {
            Some(instead) => {
                let instead = instead.replace("{version}", &version);
                self.found
                    .notes
                    .push(format!("{program} is not in the workers' PATH: `{instead}` is run in its place"));
                place.words.insert("program".to_owned(), instead);
                true
            }
            None => {
                self.found
                    .notes
                    .push(format!("{program} is not in the workers' PATH: {} is handled without it", rule.sign()));
                false
            }
        }
    }
}

/// Whether a shell needs no quotes for a path.
fn is_plain(path: &str) -> bool {
    path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c)) && !path.starts_with('-')
}
