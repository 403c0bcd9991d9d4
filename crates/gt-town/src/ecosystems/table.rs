//! The table of ecosystems: rules as data, and the evaluation of their conditions.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use serde::Deserialize;

use super::project::{Project, at};
use crate::town::error::{Error, Result};
use crate::town::settings::rules::Rule;

#[derive(Deserialize)]
struct Table {
    rule: Vec<Rule>,
}

/// Returns the built-in rules together with a town's own. An own rule with a known name replaces that rule; the others come
/// first.
pub fn rules(own: &[Rule]) -> Vec<Rule> {
    // A test checks that the built-in table can be read.
    let built_in = toml::from_str::<Table>(include_str!("table.toml")).map(|table| table.rule).unwrap_or_default();
    let is_known = |rule: &&Rule| built_in.iter().any(|known| known.name == rule.name);
    let mut rules: Vec<Rule> = own.iter().filter(|rule| !is_known(rule)).cloned().collect();
    let over = |known: &Rule| own.iter().find(|rule| rule.name == known.name).unwrap_or(known).clone();
    rules.extend(built_in.iter().map(over));
    rules.retain(|rule| !rule.off);
    rules
}

/// Subject of the conditions: a folder's files, and facts that code has found out about it.
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

    /// Fills the words into a command.
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
        what: format!("`{pattern}` is not a regular expression: {error}"),
        hint: "fix the [[ecosystem]] in town.toml".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::town::settings::rules::Step;

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
