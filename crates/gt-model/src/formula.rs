//! Formulas: workflow templates in TOML. Reading one checks all of it; nothing is silently dropped.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The level of the language that this reader knows.
pub const FORMULA_VERSION: u32 = 1;

/// Steps that one formula may have.
pub const STEP_LIMIT: usize = 10_000;

/// A workflow template.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Formula {
    /// Its name.
    pub formula: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The level of the language that it is written in.
    pub version: u32,
    /// What kind it is.
    #[serde(default, rename = "type")]
    pub kind: FormulaKind,
    /// Its variables.
    #[serde(default)]
    pub vars: BTreeMap<String, Var>,
    /// Its steps.
    pub steps: Vec<StepTemplate>,
}

/// Kinds of formula.
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
    /// What it means.
    #[serde(default)]
    pub description: String,
    /// Whether pouring without it is an error.
    #[serde(default)]
    pub required: bool,
    /// Its value where none is given.
    pub default: Option<String>,
}

/// A step as written: `{{var}}` in its texts is filled in when it is poured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepTemplate {
    /// Its id, unique in the formula.
    pub id: String,
    /// One line.
    #[serde(default)]
    pub title: String,
    /// What to do, and what must be true at the end.
    #[serde(default)]
    pub description: String,
    /// Ids of steps that come first.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Checks that must pass before it counts as done.
    #[serde(default)]
    pub acceptance: Vec<String>,
}

/// A step of a molecule, poured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its id, unique in its molecule.
    pub id: String,
    /// One line.
    pub title: String,
    /// What to do.
    pub description: String,
    /// Ids of steps that come first.
    pub needs: Vec<String>,
    /// Checks that must pass before it counts as done.
    pub acceptance: Vec<Acceptance>,
}

/// A check of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acceptance {
    /// `gt:own-branch`: the worktree is on the attempt's own branch.
    OwnBranch,
    /// `gt:clean`: nothing uncommitted.
    Clean,
    /// `gt:commits`: the branch has commits that its base has not.
    Commits,
    /// `gt:gates`: every gate of the rig is green in the worktree.
    Gates,
    /// `gt:rebased`: the branch contains the trunk as last fetched.
    Rebased,
    /// A program and its arguments, run in the worktree; exit code 0 passes.
    Command(Vec<String>),
}

impl Acceptance {
    /// Reads a check as written: `gt:<act>`, or a command split at white space (no shell).
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

/// What is wrong with a formula. Where it is a matter of TOML or of an unknown key, the text has line and column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormulaError {
    /// Not TOML, or a key that is not known.
    #[error("{0}")]
    Toml(String),
    /// Written for a newer reader.
    #[error("version {0} is newer than this gt knows ({FORMULA_VERSION})")]
    Newer(u32),
    /// No steps, or more than [`STEP_LIMIT`].
    #[error("{0} steps: a formula has 1 to {STEP_LIMIT}")]
    Steps(usize),
    /// Two steps have one id.
    #[error("two steps are called `{0}`")]
    DoubleStep(String),
    /// A step needs one that is not there.
    #[error("step `{step}` needs `{missing}`, which is no step")]
    UnknownNeed {
        /// Which step.
        step: String,
        /// What it needs.
        missing: String,
    },
    /// Steps that wait for each other.
    #[error("steps wait for each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// A text uses a variable that is not declared.
    #[error("step `{step}` uses `{{{{{var}}}}}`, which is not declared under [vars]")]
    UndeclaredVar {
        /// Which step.
        step: String,
        /// Which variable.
        var: String,
    },
    /// A declared variable that no text uses.
    #[error("variable `{0}` is declared and never used")]
    UnusedVar(String),
    /// A required variable without a value.
    #[error("variable `{0}` needs a value")]
    MissingVar(String),
    /// A check that is not known.
    #[error(
        "step `{step}`: `{check}` is no check; known are gt:own-branch, gt:clean, gt:commits, gt:gates, gt:rebased, or a command"
    )]
    UnknownCheck {
        /// Which step.
        step: String,
        /// As written.
        check: String,
    },
}

impl Formula {
    /// Reads and checks a formula.
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

    /// Positions of the steps in an order in which each comes after what it needs, as near as can be to how they are
    /// written.
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

    /// Fills the variables in and puts the steps in order. A value is data: `{{…}}` in it is not looked at again.
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

/// Splits a text into pieces: plain text, and names between `{{` and `}}`.
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
