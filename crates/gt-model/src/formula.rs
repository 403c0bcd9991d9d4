//! Formulas: workflow templates in TOML. Parsing checks the whole formula and drops nothing silently.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Version of the formula language that this reader knows.
pub const FORMULA_VERSION: u32 = 1;

/// Maximum number of steps in a formula.
pub const STEP_LIMIT: usize = 10_000;

/// A workflow template.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Formula {
    /// Name of the formula.
    pub formula: String,
    /// Purpose of the formula.
    #[serde(default)]
    pub description: String,
    /// Version of the formula language that it is written in.
    pub version: u32,
    /// Kind of the formula.
    #[serde(default, rename = "type")]
    pub kind: FormulaKind,
    /// Its variables.
    #[serde(default)]
    pub vars: BTreeMap<String, Var>,
    /// Its steps.
    pub steps: Vec<StepTemplate>,
}

/// Kind of a formula.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FormulaKind {
    /// Steps for one worker.
    #[default]
    Workflow,
}

/// A variable of a formula.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Var {
    /// Meaning of the variable.
    #[serde(default)]
    pub description: String,
    /// Whether it must have a value when the formula is poured (turned into steps for one bead).
    #[serde(default)]
    pub required: bool,
    /// Value if none is given.
    pub default: Option<String>,
}

/// A step as written. Pouring the formula replaces `{{var}}` in its texts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepTemplate {
    /// Id, unique in the formula.
    pub id: String,
    /// Title: one line.
    #[serde(default)]
    pub title: String,
    /// Work to do, and what must be true at its end.
    #[serde(default)]
    pub description: String,
    /// Ids of steps that must come first.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Checks that must pass before the step counts as done.
    #[serde(default)]
    pub acceptance: Vec<String>,
}

/// A step of a molecule, with its variables replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Id, unique in its molecule.
    pub id: String,
    /// Title: one line.
    pub title: String,
    /// Work to do.
    pub description: String,
    /// Ids of steps that must come first.
    pub needs: Vec<String>,
    /// Checks that must pass before the step counts as done.
    pub acceptance: Vec<Acceptance>,
}

/// A check of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acceptance {
    /// `gt:own-branch`: the worktree is on the attempt's own branch.
    OwnBranch,
    /// `gt:clean`: the worktree has no uncommitted changes.
    Clean,
    /// `gt:commits`: the branch has commits that its base does not have.
    Commits,
    /// `gt:gates`: every gate of the rig passes in the worktree.
    Gates,
    /// `gt:rebased`: the branch contains the trunk as it was last fetched.
    Rebased,
    /// A program with its arguments, which runs in the worktree. Exit code 0 passes.
    Command(Vec<String>),
}

impl Acceptance {
    /// Parses a check: `gt:<act>`, or a command that is split at white space (without a shell).
    fn parse(text: &str) -> Option<Self> {
        match text {
            "gt:own-branch" => Some(Self::OwnBranch),
            "gt:clean" => Some(Self::Clean),
            "gt:commits" => Some(Self::Commits),
            "gt:gates" => Some(Self::Gates),
            "gt:rebased" => Some(Self::Rebased),
            _ if text.starts_with("gt:") || text.trim().is_empty() => None,
            _ => Some(Self::Command(text.split_whitespace().map(str::to_owned).collect())),
        }
    }
}

/// Fault in a formula. For faults in TOML and unknown keys, the text contains line and column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormulaError {
    /// The text is not TOML, or has an unknown key.
    #[error("{0}")]
    Toml(String),
    /// The formula was written for a newer reader.
    #[error("version {0} is newer than this gt knows ({FORMULA_VERSION})")]
    Newer(u32),
    /// The formula has no steps, or more than [`STEP_LIMIT`].
    #[error("{0} steps: a formula has 1 to {STEP_LIMIT}")]
    Steps(usize),
    /// Two steps have the same id.
    #[error("two steps are called `{0}`")]
    DoubleStep(String),
    /// A step needs a step that does not exist.
    #[error("step `{step}` needs `{missing}`, which is no step")]
    UnknownNeed {
        /// Id of the step.
        step: String,
        /// Id that it needs.
        missing: String,
    },
    /// Steps wait for each other.
    #[error("steps wait for each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// A text uses a variable that is not declared.
    #[error("step `{step}` uses `{{{{{var}}}}}`, which is not declared under [vars]")]
    UndeclaredVar {
        /// Id of the step.
        step: String,
        /// Name of the variable.
        var: String,
    },
    /// No text uses a declared variable.
    #[error("variable `{0}` is declared and never used")]
    UnusedVar(String),
    /// A required variable has no value.
    #[error("variable `{0}` needs a value")]
    MissingVar(String),
    /// A check is unknown.
    #[error(
        "step `{step}`: `{check}` is no check; known are gt:own-branch, gt:clean, gt:commits, gt:gates, gt:rebased, or a command"
    )]
    UnknownCheck {
        /// Id of the step.
        step: String,
        /// The check as written.
        check: String,
    },
}

impl Formula {
    /// Parses and checks a formula.
    pub fn parse(text: &str) -> Result<Self, FormulaError> {
        let formula: Self =
            toml::from_str(text).map_err(|e| FormulaError::Toml(e.to_string().trim_end().to_owned()))?;
        formula.check()?;
        Ok(formula)
    }

    fn check(&self) -> Result<(), FormulaError> {
        if self.version > FORMULA_VERSION {
            return Err(FormulaError::Newer(self.version));
        }
        if self.steps.is_empty() || self.steps.len() > STEP_LIMIT {
            return Err(FormulaError::Steps(self.steps.len()));
        }
        let mut ids = BTreeSet::new();
        for step in &self.steps {
            if !ids.insert(step.id.as_str()) {
                return Err(FormulaError::DoubleStep(step.id.clone()));
            }
        }
        for step in &self.steps {
            if let Some(missing) = step.needs.iter().find(|need| !ids.contains(need.as_str())) {
                return Err(FormulaError::UnknownNeed { step: step.id.clone(), missing: missing.clone() });
            }
            self.check_texts(step)?;
        }
        self.check_vars_used()?;
        self.order().map(|_| ())
    }

    fn check_texts(&self, step: &StepTemplate) -> Result<(), FormulaError> {
        for text in step.texts() {
            for var in vars_in(text) {
                if !self.vars.contains_key(var) {
                    return Err(FormulaError::UndeclaredVar { step: step.id.clone(), var: var.to_owned() });
                }
            }
        }
        for check in &step.acceptance {
            if Acceptance::parse(check).is_none() {
                return Err(FormulaError::UnknownCheck { step: step.id.clone(), check: check.clone() });
            }
        }
        Ok(())
    }

    fn check_vars_used(&self) -> Result<(), FormulaError> {
        let used: BTreeSet<&str> =
            self.steps.iter().flat_map(|s| s.texts().into_iter().flat_map(vars_in).collect::<Vec<_>>()).collect();
        match self.vars.keys().find(|var| !used.contains(var.as_str())) {
            Some(var) => Err(FormulaError::UnusedVar(var.clone())),
            None => Ok(()),
        }
    }

    /// Returns the positions of the steps in an order in which each comes after those that it needs. The order stays as close as
    /// possible to the written one.
    fn order(&self) -> Result<Vec<usize>, FormulaError> {
        let mut done: BTreeSet<&str> = BTreeSet::new();
        let mut order = Vec::with_capacity(self.steps.len());
        let mut left: Vec<usize> = (0..self.steps.len()).collect();
        while !left.is_empty() {
            let before = left.len();
            left.retain(|&at| {
                let step = &self.steps[at];
                let free = step.needs.iter().all(|need| done.contains(need.as_str()));
                if free {
                    done.insert(&step.id);
                    order.push(at);
                }
                !free
            });
            if left.len() == before {
                return Err(FormulaError::Cycle(left.iter().map(|&at| self.steps[at].id.clone()).collect()));
            }
        }
        Ok(order)
    }

    /// Replaces the variables and sorts the steps. A value is data: `{{…}}` in it is not replaced.
    pub fn pour(&self, values: &BTreeMap<String, String>) -> Result<Vec<Step>, FormulaError> {
        let mut vars = BTreeMap::new();
        for (name, var) in &self.vars {
            let value = values.get(name).cloned().or_else(|| var.default.clone());
            match value {
                Some(value) => vars.insert(name.as_str(), value),
                None if var.required => return Err(FormulaError::MissingVar(name.clone())),
                None => vars.insert(name.as_str(), String::new()),
            };
        }
        Ok(self.order()?.into_iter().map(|at| self.steps[at].pour(&vars)).collect())
    }
}

impl StepTemplate {
    fn texts(&self) -> [&str; 2] {
        [&self.title, &self.description]
    }

    fn pour(&self, vars: &BTreeMap<&str, String>) -> Step {
        Step {
            id: self.id.clone(),
            title: fill(&self.title, vars),
            description: fill(&self.description, vars),
            needs: self.needs.clone(),
            acceptance: self.acceptance.iter().filter_map(|check| Acceptance::parse(check)).collect(),
        }
    }
}

/// Splits a text into plain pieces and the names between `{{` and `}}`.
fn pieces(text: &str) -> Vec<(&str, Option<&str>)> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else { break };
        out.push((before, Some(name.trim())));
        rest = behind;
    }
    out.push((rest, None));
    out
}

fn vars_in(text: &str) -> Vec<&str> {
    pieces(text).into_iter().filter_map(|(_, var)| var).collect()
}

fn fill(text: &str, vars: &BTreeMap<&str, String>) -> String {
    pieces(text).into_iter().fold(String::new(), |mut out, (plain, var)| {
        out.push_str(plain);
        out.push_str(var.and_then(|name| vars.get(name)).map_or("", String::as_str));
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formula(steps: &str) -> Result<Formula, FormulaError> {
        Formula::parse(&format!("formula = \"f\"\nversion = 1\n{steps}"))
    }

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, expected: &str| {
            let error = formula(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("[[steps]]\nid='a'\n[[steps]]\nid='a'", "two steps are called `a`");
        check("[[steps]]\nid='a'\nneeds=['b']", "needs `b`, which is no step");
        check("[[steps]]\nid='a'\nneeds=['b']\n[[steps]]\nid='b'\nneeds=['a']", "wait for each other");
        check("[[steps]]\nid='a'\ntitle='{{x}}'", "`{{x}}`, which is not declared");
        check("[vars.x]\n[[steps]]\nid='a'", "`x` is declared and never used");
        check("[[steps]]\nid='a'\nacceptance=['gt:magic']", "`gt:magic` is no check");
        check("[[steps]]\nid='a'\nneed=['b']", "unknown field `need`");
        check("[[steps]]\nid='a'\nneed=['b']", "line 5");
        check("steps = []", "0 steps");
    }

    #[test]
    fn a_newer_formula_is_refused() {
        let error = Formula::parse("formula='f'\nversion=2\n[[steps]]\nid='a'").unwrap_err();
        assert_eq!(error, FormulaError::Newer(2));
    }

    #[test]
    fn steps_come_after_what_they_need_and_values_are_data() {
        let text =
            "[vars.issue]\nrequired=true\n[[steps]]\nid='b'\nneeds=['a']\ntitle='Do {{issue}}!'\n[[steps]]\nid='a'";
        let formula = formula(text).unwrap();
        let values = BTreeMap::from([("issue".to_owned(), "{{issue}} $(rm)".to_owned())]);
        let steps = formula.pour(&values).unwrap();
        assert_eq!(steps.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(steps[1].title, "Do {{issue}} $(rm)!");
        assert_eq!(formula.pour(&BTreeMap::new()), Err(FormulaError::MissingVar("issue".into())));
    }
}
