//! Formulas as written.

use std::collections::BTreeMap;

use serde::Serialize;

use super::act::Act;
use super::condition::Condition;
use super::source::{At, Finding, Text};
use super::vars::Var;

/// Kind of a formula.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FormulaKind {
    /// Steps for one bead.
    #[default]
    Workflow,
    /// Legs for several workers, and a synthesis.
    Convoy,
    /// Template that other formulas put in place of a step.
    Expansion,
    /// Steps that other formulas put around theirs.
    Aspect,
}

impl FormulaKind {
    pub(super) const NAMES: [(&'static str, Self); 4] = [
        ("workflow", Self::Workflow),
        ("convoy", Self::Convoy),
        ("expansion", Self::Expansion),
        ("aspect", Self::Aspect),
    ];
}

/// A formula as written, or with what it extends and its overlays ([`Library::resolve`](super::Library::resolve)).
#[derive(Clone, Debug)]
pub struct Formula {
    /// Name.
    pub name: String,
    /// Purpose, for people.
    pub description: String,
    /// Kind.
    pub kind: FormulaKind,
    /// Names of the formulas that it starts from. Empty once resolved.
    pub extends: Vec<Text>,
    /// Variables.
    pub vars: BTreeMap<String, Var>,
    /// Steps of a workflow, or of an expansion's template.
    pub steps: Vec<StepTemplate>,
    /// Legs of a convoy.
    pub legs: Vec<StepTemplate>,
    /// Step of a convoy after its legs.
    pub synthesis: Option<StepTemplate>,
    /// Rules that put steps around steps.
    pub aspects: Vec<AspectRule>,
    /// Names of aspect formulas to apply.
    pub aspect_names: Vec<Text>,
    /// Expansions by pattern.
    pub expansions: Vec<ExpandRule>,
    /// Product of the work.
    pub output: Option<Output>,
    /// Whether the molecule's steps are kept.
    pub durable: Option<bool>,
    /// Text before the description of each leg.
    pub base: Option<Text>,
    /// Place of the name.
    pub at: At,
    /// Keys that have no meaning here.
    pub findings: Vec<Finding>,
}

/// Product of the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Commits.
    Code,
    /// Findings; no commits are expected.
    Report,
    /// Files that the legs and the synthesis write.
    Files {
        /// Folder.
        directory: Option<Text>,
        /// File of a leg.
        leg_pattern: Option<Text>,
        /// File of the synthesis.
        synthesis: Option<Text>,
    },
}

/// A step as written. A key that is not written is `None`.
#[derive(Clone, Debug)]
pub struct StepTemplate {
    /// Id.
    pub id: Text,
    /// One line.
    pub title: Option<Text>,
    /// Work to do.
    pub description: Option<Text>,
    /// Ids of steps that must be closed first.
    pub needs: Option<Vec<Text>>,
    /// Checks before the step counts as done.
    pub acceptance: Option<Vec<CheckTemplate>>,
    /// Act, program or script that the engine runs.
    pub run: Option<RunTemplate>,
    /// Gate that holds the step back.
    pub gate: Option<GateTemplate>,
    /// Condition on variables.
    pub when: Option<Condition>,
    /// Repetition.
    pub repeat: Option<LoopTemplate>,
    /// Formula that the parts come from.
    pub expand: Option<ExpandTemplate>,
    /// Parts.
    pub children: Option<Vec<StepTemplate>>,
    /// Whether other workers may take it meanwhile.
    pub parallel: Option<bool>,
    /// Kind of agent.
    pub agent: Option<Text>,
    /// Model.
    pub model: Option<Text>,
    /// Limit of time, in seconds.
    pub timeout_seconds: Option<u64>,
    /// How often a failed step is tried again.
    pub retries: Option<u32>,
    /// Order among open steps.
    pub priority: Option<u8>,
    /// Labels.
    pub labels: Option<Vec<Text>>,
    /// Formulas to pour when the step is done.
    pub on_complete: Option<OnCompleteTemplate>,
    /// Focus of a leg.
    pub focus: Option<Text>,
    /// Formula that the worker of a leg follows.
    pub formula: Option<Text>,
    /// Whether an overlay leaves it out.
    pub is_skipped: bool,
}

/// A check as written.
#[derive(Clone, Debug)]
pub enum CheckTemplate {
    /// A named act.
    Act(Act),
    /// A program with its arguments.
    Command(Vec<Text>),
}

/// Act, program or script that the engine runs, as written.
#[derive(Clone, Debug)]
pub enum RunTemplate {
    /// A named act.
    Act(Act),
    /// A program with its arguments.
    Argv(Vec<Text>),
    /// Text of a shell script. No variable is replaced in it.
    Script(Text),
}

/// A gate as written.
#[derive(Clone, Debug)]
pub struct GateTemplate {
    /// Condition that opens it.
    pub opens: OpensTemplate,
    /// How long to wait, in seconds.
    pub timeout_seconds: Option<u64>,
}

/// Condition that opens a gate, as written.
#[derive(Clone, Debug)]
pub enum OpensTemplate {
    /// A person's answer.
    Human {
        /// Question.
        ask: Option<Text>,
        /// Address of who decides.
        who: Option<Text>,
    },
    /// Time that passes.
    After(Text),
    /// A moment.
    At(Text),
    /// The end of a bead.
    Bead(Text),
    /// A mail.
    Mail {
        /// Sender.
        from: Option<Text>,
        /// Text in the subject.
        subject: Option<Text>,
    },
    /// A landing.
    Merge(Option<Text>),
    /// A command that passes.
    Command {
        /// The check.
        check: CheckTemplate,
        /// Pause between two tries, in seconds.
        every_seconds: u64,
    },
}

/// A repetition as written.
#[derive(Clone, Debug)]
pub struct LoopTemplate {
    /// Rounds.
    pub rounds: RoundsTemplate,
    /// Name of the item in single braces.
    pub var: Option<String>,
    /// Place.
    pub at: At,
}

/// Rounds of a loop, as written.
#[derive(Clone, Debug)]
pub enum RoundsTemplate {
    /// A sum.
    Count(Text),
    /// First and last number, as sums in one text: `a..b`.
    Range(Text),
    /// Items.
    Items(Vec<Text>),
    /// Name of a variable that is a list.
    Over(Text),
    /// Until a check passes.
    Until {
        /// The check.
        check: CheckTemplate,
        /// Maximum number of rounds.
        max: u32,
    },
}

/// An expansion as written.
#[derive(Clone, Debug)]
pub struct ExpandTemplate {
    /// Name of the formula.
    pub formula: Text,
    /// Values for its variables: name and value.
    pub vars: Vec<(Text, Text)>,
}

/// Molecules that follow a step, as written.
#[derive(Clone, Debug)]
pub struct OnCompleteTemplate {
    /// Path of the list in the step's output.
    pub for_each: Text,
    /// Formula to pour.
    pub bond: Text,
    /// Values for its variables: name and value.
    pub vars: Vec<(Text, Text)>,
    /// Whether all run at once.
    pub parallel: bool,
}

/// A rule that puts steps around steps.
#[derive(Clone, Debug)]
pub struct AspectRule {
    /// Pattern of ids.
    pub target: Text,
    /// Steps before.
    pub before: Vec<StepTemplate>,
    /// Steps after.
    pub after: Vec<StepTemplate>,
    /// Whether a target that no step has is an error.
    pub must_match: bool,
}

/// An expansion by pattern.
#[derive(Clone, Debug)]
pub struct ExpandRule {
    /// Pattern of ids.
    pub target: Text,
    /// The expansion.
    pub expand: ExpandTemplate,
}

/// An overlay as written.
#[derive(Clone, Debug)]
pub struct Overlay {
    /// Name of the formula.
    pub name: String,
    /// Variables.
    pub vars: BTreeMap<String, Var>,
    /// Ids of steps to drop.
    pub skip: Vec<Text>,
    /// Keys of steps to replace.
    pub replace: Vec<StepTemplate>,
    /// Text to add to steps.
    pub append: Vec<StepTemplate>,
    /// Steps to insert.
    pub insert: Vec<AspectRule>,
    /// Place of its beginning.
    pub at: At,
    /// Keys that have no meaning here.
    pub findings: Vec<Finding>,
}

impl StepTemplate {
    pub(super) fn new(id: Text) -> Self {
        Self {
            id,
            title: None,
            description: None,
            needs: None,
            acceptance: None,
            run: None,
            gate: None,
            when: None,
            repeat: None,
            expand: None,
            children: None,
            parallel: None,
            agent: None,
            model: None,
            timeout_seconds: None,
            retries: None,
            priority: None,
            labels: None,
            on_complete: None,
            focus: None,
            formula: None,
            is_skipped: false,
        }
    }

    pub(super) fn children(&self) -> &[Self] {
        self.children.as_deref().unwrap_or_default()
    }

    pub(super) fn needs(&self) -> &[Text] {
        self.needs.as_deref().unwrap_or_default()
    }

    /// Calls `see` with each text of this step in which variables are replaced. Those of its parts are left out.
    pub(super) fn texts<'t>(&'t self, see: &mut dyn FnMut(&'t Text)) {
        let single = [&self.title, &self.description, &self.agent, &self.model, &self.focus, &self.formula];
        single.into_iter().flatten().for_each(&mut *see);
        self.labels.iter().flatten().for_each(&mut *see);
        self.acceptance.iter().flatten().for_each(|check| check.texts(see));
        if let Some(RunTemplate::Argv(argv)) = &self.run {
            argv.iter().for_each(&mut *see);
        }
        if let Some(gate) = &self.gate {
            gate.texts(see);
        }
        if let Some(expand) = &self.expand {
            expand.vars.iter().for_each(|(_, value)| see(value));
        }
    }
}

impl CheckTemplate {
    pub(super) fn texts<'t>(&'t self, see: &mut dyn FnMut(&'t Text)) {
        if let Self::Command(argv) = self {
            argv.iter().for_each(see);
        }
    }
}

impl GateTemplate {
    fn texts<'t>(&'t self, see: &mut dyn FnMut(&'t Text)) {
        match &self.opens {
            OpensTemplate::Human { ask: one, who: other } | OpensTemplate::Mail { from: one, subject: other } => {
                [one, other].into_iter().flatten().for_each(see);
            }
            OpensTemplate::After(text) | OpensTemplate::At(text) | OpensTemplate::Bead(text) => see(text),
            OpensTemplate::Merge(bead) => bead.iter().for_each(see),
            OpensTemplate::Command { check, .. } => check.texts(see),
        }
    }
}
