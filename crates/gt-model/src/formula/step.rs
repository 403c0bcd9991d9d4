//! Planned steps: what the engine stores and works on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::act::{Act, Patrol};
use super::syntax::FormulaKind;

/// A formula with its variables replaced and all its parts in place. It is finite, and each step comes after those that it needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Name of the formula.
    pub formula: String,
    /// Kind of the formula: a workflow, or a convoy, whose steps are legs and a synthesis.
    pub kind: FormulaKind,
    /// Whether the molecule's steps are kept.
    pub durable: bool,
    /// Product of the work.
    pub product: Product,
    /// Values of the variables.
    pub vars: BTreeMap<String, String>,
    /// Steps.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Returns the first step whose act only a person may have done.
    pub fn for_person(&self) -> Option<&Step> {
        self.steps.iter().find(|step| matches!(step.kind, StepKind::Run(Run::Act(act)) if act.needs_person()))
    }

    /// Returns the acts of a patrol's plan, in order. Fails with the step that is something else.
    pub fn acts(&self, patrol: Patrol) -> Result<Vec<Act>, String> {
        let act = |step: &Step| match &step.kind {
            StepKind::Run(Run::Act(act)) if act.is_of(patrol) && step.gate.is_none() => Ok(*act),
            _ => Err(format!("step `{}` of {} is none of the acts gt:{}.…", step.id, self.formula, patrol.prefix())),
        };
        self.steps.iter().map(act).collect()
    }
}

/// Product of a plan's work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Product {
    /// Commits.
    #[default]
    Code,
    /// Findings; no commits are expected.
    Report,
    /// Files in a folder.
    Files(String),
}

/// A step of a molecule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Id, unique in its molecule.
    pub id: String,
    /// Title: one line.
    pub title: String,
    /// Work to do.
    pub description: String,
    /// Ids of steps that must be closed first. Those of a group include its parts.
    pub needs: Vec<String>,
    /// Checks that must pass before the step counts as done.
    pub acceptance: Vec<Acceptance>,
    /// How it is closed: by an agent, a command, its gate or its parts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kind: StepKind,
    /// Id of the group that it is a part of.
    #[serde(default, skip_serializing_if = "is_default")]
    pub parent: Option<String>,
    /// Gate that holds it back after its needs are closed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gate: Option<Gate>,
    /// Whether other workers may take it while more steps are open.
    #[serde(default, skip_serializing_if = "is_default")]
    pub parallel: bool,
    /// Kind of agent. `None`: as the molecule's other steps.
    #[serde(default, skip_serializing_if = "is_default")]
    pub agent: Option<String>,
    /// Model that the agent uses.
    #[serde(default, skip_serializing_if = "is_default")]
    pub model: Option<String>,
    /// Limit of time, in seconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeout_seconds: Option<u64>,
    /// How often a failed step is tried again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retries: u32,
    /// Order among open steps: 0 comes first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: Option<u8>,
    /// Labels.
    #[serde(default, skip_serializing_if = "is_default")]
    pub labels: Vec<String>,
    /// Formulas to pour when it is done.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_complete: Option<OnComplete>,
    /// On a group that is a loop with a condition: the rounds after the one whose check passes are skipped.
    #[serde(default, skip_serializing_if = "is_default")]
    pub until: Option<Until>,
    /// On a part of a loop: the number of its round, from 1.
    #[serde(default, skip_serializing_if = "is_default")]
    pub round: Option<u32>,
    /// On a leg: the formula that its worker follows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub formula: Option<String>,
    /// On a step that runs something: the values of variables, as environment (`GT_VAR_<name>`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub env: BTreeMap<String, String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How a step is closed: by an agent, a command, its gate or its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// An agent.
    #[default]
    Agent,
    /// The engine, by running this.
    Run(Run),
    /// Its gate.
    Gate,
    /// Its parts: it closes when all steps that it needs are closed.
    Group,
}

/// Act, program or script that the engine runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Run {
    /// A named act.
    Act(Act),
    /// A program with its arguments, without a shell.
    Argv(Vec<String>),
    /// Text of a shell script. It has no value in it: values are in [`Step::env`].
    Script(String),
}

/// A check of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenAcceptance", into = "WrittenAcceptance")]
pub enum Acceptance {
    /// A named act.
    Act(Act),
    /// A program with its arguments, which runs in the worktree. Exit code 0 passes.
    Command(Vec<String>),
}

/// A check as the ledger stores it: `"clean"`, or `{"command": […]}`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenAcceptance {
    Act(Act),
    Command { command: Vec<String> },
}

impl From<WrittenAcceptance> for Acceptance {
    fn from(written: WrittenAcceptance) -> Self {
        match written {
            WrittenAcceptance::Act(act) => Self::Act(act),
            WrittenAcceptance::Command { command } => Self::Command(command),
        }
    }
}

impl From<Acceptance> for WrittenAcceptance {
    fn from(check: Acceptance) -> Self {
        match check {
            Acceptance::Act(act) => Self::Act(act),
            Acceptance::Command(command) => Self::Command { command },
        }
    }
}

/// Condition outside of the molecule that holds a step back until it is met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Condition that opens it.
    #[serde(flatten)]
    pub opens: Opens,
    /// How long to wait, in seconds. Then the step fails.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeout_seconds: Option<u64>,
}

/// Condition that opens a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Opens {
    /// A person's or an agent's answer.
    Human {
        /// Question.
        ask: Option<String>,
        /// Address of who decides. `None`: the overseer.
        who: Option<String>,
    },
    /// Time that passes after the step's needs are closed.
    After {
        /// Time in seconds.
        seconds: u64,
    },
    /// A moment.
    At {
        /// The moment, as RFC 3339 in UTC.
        time: String,
    },
    /// The end of a bead.
    Bead {
        /// Id of the bead.
        bead: String,
    },
    /// A mail.
    Mail {
        /// Address of the sender. `None`: anyone.
        from: Option<String>,
        /// Text that the subject contains.
        subject: Option<String>,
    },
    /// The landing of a bead's work.
    Merge {
        /// Id of the bead. `None`: the molecule's own.
        bead: Option<String>,
    },
    /// A check that passes.
    Command {
        /// The check.
        check: Acceptance,
        /// Pause between two tries, in seconds.
        every_seconds: u64,
    },
}

/// End of a loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Until {
    /// Check after each round.
    pub check: Acceptance,
    /// Number of rounds that are planned.
    pub max: u32,
}

/// Formulas to pour for the items of a step's output. Steps that need the step also wait for all that was poured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnComplete {
    /// Fields on the way to the list in the output.
    pub for_each: Vec<String>,
    /// Name of the formula.
    pub bond: String,
    /// Values for its variables.
    pub vars: BTreeMap<String, Vec<ItemText>>,
    /// Whether all run at once.
    pub parallel: bool,
}

/// Part of a value that depends on an item. The parts are kept apart so that no value of a variable is taken for a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemText {
    /// Text as it is.
    Plain(String),
    /// Fields on the way into the item. None: the item itself.
    Item(Vec<String>),
    /// Number of the item, from 1.
    Index,
}

impl OnComplete {
    /// Returns the items of an output, with the values that each gives to the bonded formula's variables. `None` if the output has
    /// no such list.
    pub fn bonds(&self, output: &serde_json::Value) -> Option<Vec<BTreeMap<String, String>>> {
        let items = field(output, &self.for_each)?.as_array()?;
        let values = |(index, item): (usize, &serde_json::Value)| {
            let text = |parts: &[ItemText]| parts.iter().map(|part| part.text(item, index + 1)).collect::<String>();
            self.vars.iter().map(|(name, parts)| (name.clone(), text(parts))).collect()
        };
        Some(items.iter().enumerate().map(values).collect())
    }
}

impl ItemText {
    fn text(&self, item: &serde_json::Value, index: usize) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Index => index.to_string(),
            Self::Item(fields) => match field(item, fields) {
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(serde_json::Value::Null) | None => String::new(),
                Some(other) => other.to_string(),
            },
        }
    }
}

fn field<'v>(value: &'v serde_json::Value, fields: &[String]) -> Option<&'v serde_json::Value> {
    fields.iter().try_fold(value, |value, field| value.get(field))
}
