//! Rules of ecosystems, in the form that a town's settings (`[[ecosystem]]`) and the table in the binary share.

use std::collections::BTreeMap;

use gt_model::check_kind::Kind;
use serde::{Deserialize, Serialize};

/// One rule: how to test a project that meets its conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct Rule {
    /// Name of the rule.
    pub name: String,
    /// Ecosystem; defaults to the name.
    pub of: Option<String>,
    /// Conditions; all of them must hold.
    pub when: Vec<String>,
    /// Required program.
    pub program: Option<String>,
    /// Command to run if that program is missing.
    pub instead: Option<String>,
    /// Texts that replace `{word}` in commands.
    pub words: BTreeMap<String, Word>,
    /// Set-up commands for a new worktree.
    pub set_up: Vec<Step>,
    /// Gates.
    pub gates: Vec<GateRule>,
    /// Command that runs a script of a Node package.
    pub scripts: Option<String>,
    /// Command that runs a script in all members of a workspace. Without `scripts` it applies to every package manager.
    pub members: Option<String>,
    /// Whether subfolders are projects of their own.
    pub each: bool,
    /// Whether the rule applies only if no other rule has found a test.
    pub fallback: bool,
    /// Notes for people.
    pub notes: Vec<String>,
    /// Disables the rule.
    pub off: bool,
}

/// A text for commands that depends on conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Word {
    /// Conditions.
    pub when: Vec<String>,
    /// Text if the conditions hold.
    pub is: String,
    /// Text if they do not.
    pub otherwise: String,
}

/// A set-up command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// Runs always.
    Line(String),
    /// Runs if conditions hold.
    When {
        /// Conditions.
        when: Vec<String>,
        /// Command.
        run: String,
    },
}

/// A gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateRule {
    /// Name of the gate.
    pub name: String,
    /// Command.
    pub run: String,
    /// Purpose.
    pub kind: RuleKind,
    /// Conditions.
    pub when: Vec<String>,
}

/// Purpose of a gate.
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
    /// Code format.
    Format,
    /// Type checks.
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
    /// Returns the ecosystem.
    pub fn of(&self) -> &str {
        self.of.as_deref().unwrap_or(&self.name)
    }

    /// Returns the program after which its gates are named.
    pub(crate) fn of_program(&self) -> &str {
        self.program.as_deref().unwrap_or(&self.name)
    }

    /// Returns the file, as people name it, that makes the rule apply.
    pub fn sign(&self) -> &str {
        let first = self.when.iter().find(|condition| !condition.starts_with(['@', '!']));
        first.map_or(self.name.as_str(), |condition| condition.split(' ').next().unwrap_or_default())
    }
}
