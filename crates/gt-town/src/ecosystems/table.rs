//! The table of ecosystems: rules as data, and when they hold.

use std::collections::{BTreeMap, BTreeSet};

use gt_model::check_kind::Kind;
use regex_lite::Regex;
use serde::{Deserialize, Serialize};

use super::project::{Project, at};
use crate::error::{Error, Result};

/// One row: what a project that looks so is tested with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// The ecosystem; its name where absent.
    pub of: Option<String>,
    /// Conditions, all of which must hold.
    pub when: Vec<String>,
    /// A program that it needs.
    pub program: Option<String>,
    /// What is run in its place where it is not there.
    pub instead: Option<String>,
    /// Texts for `{word}` in commands.
    pub words: BTreeMap<String, Word>,
    /// What a fresh worktree needs.
    pub set_up: Vec<Step>,
    /// Its gates.
    pub gates: Vec<GateRule>,
    /// How a script of a Node package is run.
    pub scripts: Option<String>,
    /// The same, in all members of a workspace. Without `scripts`: for whatever package manager there is.
    pub members: Option<String>,
    /// Whether folders below are projects of their own.
    pub each: bool,
    /// Whether it is asked only where nothing else has found a test.
    pub fallback: bool,
    /// What people should know.
    pub notes: Vec<String>,
    /// Never holds.
    pub off: bool,
}

/// A text for commands, where its conditions hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Word {
    /// Conditions.
    pub when: Vec<String>,
    /// The text where they hold.
    pub is: String,
    /// The text where they do not.
    pub otherwise: String,
}

/// A command of a set-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// Always.
    Line(String),
    /// Where conditions hold.
    When {
        /// The conditions.
        when: Vec<String>,
        /// The command.
        run: String,
    },
}

/// A gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateRule {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub run: String,
    /// What it is for.
    pub kind: RuleKind,
    /// Conditions.
    pub when: Vec<String>,
}

/// What a gate of the table is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleKind {
    /// Tests.
    #[default]
    Test,
    /// Building.
    Build,
    /// Linting.
    Lint,
    /// The code's format.
    Format,
    /// Types.
    Types,
}

impl From<RuleKind> for Kind {
    fn from(kind: RuleKind) -> Self {
        match kind {
            RuleKind::Test => Self::Test,
            RuleKind::Build => Self::Build,
            RuleKind::Lint => Self::Lint,
            RuleKind::Format => Self::Format,
            RuleKind::Types => Self::Types,
        }
    }
}

impl Rule {
    /// The ecosystem.
    pub fn of(&self) -> &str {
        self.of.as_deref().unwrap_or(&self.name)
    }

    /// The program that its gates are named for.
    pub fn of_program(&self) -> &str {
        self.program.as_deref().unwrap_or(&self.name)
    }

    /// The file that it holds for, for people.
    pub fn sign(&self) -> &str {
        let first = self.when.iter().find(|condition| !condition.starts_with(['@', '!']));
        first.map_or(self.name.as_str(), |condition| condition.split(' ').next().unwrap_or_default())
    }
}

#[derive(Deserialize)]
struct Table {
    rule: Vec<Rule>,
}

/// The table that comes with the binary, under a town's own rules: one with a known name takes that one's place, others come
/// before all.
pub fn rules(own: &[Rule]) -> Vec<Rule> {
    // A test reads what is part of the binary.
    let built_in = toml::from_str::<Table>(include_str!("table.toml")).map(|table| table.rule).unwrap_or_default();
    let is_known = |rule: &&Rule| built_in.iter().any(|known| known.name == rule.name);
    let mut rules: Vec<Rule> = own.iter().filter(|rule| !is_known(rule)).cloned().collect();
    let over = |known: &Rule| own.iter().find(|rule| rule.name == known.name).unwrap_or(known).clone();
    rules.extend(built_in.iter().map(over));
    rules.retain(|rule| !rule.off);
    rules
}

/// What conditions are asked of: a folder's files, and what code has found out about it.
pub struct Place<'p> {
    /// The folder's files.
    pub project: Project<'p>,
    /// Facts.
    pub facts: BTreeSet<String>,
    /// Texts for `{word}` in commands.
    pub words: BTreeMap<String, String>,
}

impl Place<'_> {
    /// Whether all conditions hold.
    pub fn all(&self, conditions: &[String]) -> Result<bool> {
        for condition in conditions {
            if !self.any(condition)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn any(&self, condition: &str) -> Result<bool> {
        for one in condition.split(" | ") {
            let one = one.trim();
            let (one, wanted) = one.strip_prefix('!').map_or((one, true), |one| (one, false));
            if self.one(one)? == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn one(&self, condition: &str) -> Result<bool> {
        if let Some(fact) = condition.strip_prefix('@') {
            return Ok(self.facts.contains(fact));
        }
        let (rest, regex) = match condition.split_once(" ~ ") {
            Some((rest, pattern)) => (rest, Some(regex(pattern)?)),
            None => (condition, None),
        };
        if let Some((file, keys)) = rest.split_once(" : ") {
            let data = self.project.data(file)?;
            let value = at(&data, keys);
            return Ok(value.is_some_and(|value| {
                regex.is_none_or(|regex| value.as_str().is_some_and(|text| regex.is_match(text)))
            }));
        }
        if let Some(folder) = rest.strip_suffix('/') {
            return Ok(self.project.has_folder(folder));
        }
        let files = self.project.matching(rest)?;
        let Some(regex) = regex else { return Ok(!files.is_empty()) };
        for file in files {
            if self.project.matches(&file, &regex)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A command with its words filled in.
    pub fn fill(&self, rule: &Rule, text: &str) -> Result<String> {
        let mut filled = text.to_owned();
        for (name, word) in &rule.words {
            let value = if self.all(&word.when)? { &word.is } else { &word.otherwise };
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        for (name, value) in &self.words {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        Ok(filled)
    }
}

fn regex(pattern: &str) -> Result<Regex> {
    Regex::new(&format!("(?m){pattern}")).map_err(|error| Error::Usage {
        what: format!("`{pattern}` is no regular expression: {error}"),
        hint: "mend the [[ecosystem]] in town.toml".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_can_be_read() {
        let table = toml::from_str::<Table>(include_str!("table.toml")).unwrap();
        let names: BTreeSet<&str> = table.rule.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names.len(), table.rule.len());
        for rule in &table.rule {
            let words = rule.words.values().flat_map(|word| &word.when);
            let gates = rule.gates.iter().flat_map(|gate| &gate.when);
            let steps = rule.set_up.iter().flat_map(|step| match step {
                Step::Line(_) => &[][..],
                Step::When { when, .. } => when,
            });
            for condition in rule.when.iter().chain(words).chain(gates).chain(steps) {
                for one in condition.split(" | ") {
                    if let Some((_, pattern)) = one.split_once(" ~ ") {
                        regex(pattern).unwrap_or_else(|error| panic!("{}: {error}", rule.name));
                    }
                }
            }
            let does =
                !rule.gates.is_empty() || rule.scripts.is_some() || rule.members.is_some() || !rule.notes.is_empty();
            assert!(does && !rule.when.is_empty(), "{}", rule.name);
        }
    }

    #[test]
    fn a_town_puts_its_own_rules_before_and_over_those_of_the_table() {
        let rule = |text: &str| toml::from_str::<Rule>(text).unwrap();
        let own = [
            rule("name = \"cargo\"\nwhen = [\"Cargo.toml\"]\ngates = [{ name = \"t\", run = \"cargo nextest run\" }]"),
            rule("name = \"ours\"\nwhen = [\"x\"]"),
            rule("name = \"go\"\noff = true"),
        ];
        let rules = rules(&own);
        assert_eq!(rules[0].name, "ours");
        assert!(!rules.iter().any(|rule| rule.name == "go"));
        let cargo: Vec<&Rule> = rules.iter().filter(|rule| rule.name == "cargo").collect();
        assert_eq!((cargo.len(), cargo[0].gates[0].run.as_str()), (1, "cargo nextest run"));
    }
}
