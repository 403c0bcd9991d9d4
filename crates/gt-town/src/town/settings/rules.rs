//! Rules of ecosystems as a town's settings hold them (`[[ecosystem]]`), and as the table in the binary does.

use std::collections::BTreeMap;

use gt_model::check_kind::Kind;
use serde::{Deserialize, Serialize};

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
    pub(crate) fn of_program(&self) -> &str {
        self.program.as_deref().unwrap_or(&self.name)
    }

    /// The file that it holds for, for people.
    pub fn sign(&self) -> &str {
        let first = self.when.iter().find(|condition| !condition.starts_with(['@', '!']));
        first.map_or(self.name.as_str(), |condition| condition.split(' ').next().unwrap_or_default())
    }
}
