//! Formulas: workflow templates in TOML, and the plans that they become.
//!
//! [`Formula::parse`] reads one file. A [`Library`] holds the formulas that refer to each other; [`Library::resolve`] puts a
//! formula together and checks it; [`Resolved::plan`] gives the steps for some values. Nothing is dropped silently: each key is
//! read, reported as ignored (keys of other systems), or an error with file, line and column.
//!
//! Files are hostile until parsed. All limits are here; no function recurses deeper than [`DEPTH_LIMIT`] or the depth of a file's
//! tree, which is limited too.

mod act;
mod aspects;
mod check;
mod condition;
mod fill;
mod glob;
mod import;
mod keys;
mod library;
mod node;
mod overlay;
mod parse;
mod plan;
mod read;
mod source;
mod step;
mod steps;
mod sum;
mod syntax;
mod text;
mod unroll;
mod vars;
mod write;

pub use act::{Act, Patrol};
pub use condition::Condition;
pub use import::{Imported, import};
pub use keys::reference;
pub use library::{Library, Resolved};
pub use source::{At, Finding, FormulaError, Severity, Source, Span, Text};
pub use step::{Acceptance, Gate, ItemText, OnComplete, Opens, Plan, Product, Run, Step, StepKind, Until};
pub use syntax::{
    AspectRule, CheckTemplate, ExpandRule, ExpandTemplate, Formula, FormulaKind, GateTemplate, LoopTemplate,
    OnCompleteTemplate, OpensTemplate, Output, Overlay, RoundsTemplate, RunTemplate, StepTemplate,
};
pub use text::env_name;
pub use vars::{DefaultValue, Var, VarKind, seconds};

/// Version of the formula language that this reader knows.
pub const FORMULA_VERSION: u32 = 1;

/// Maximum size of a file, in bytes.
pub const FILE_LIMIT: usize = 1024 * 1024;

/// Maximum number of steps in a plan.
pub const STEP_LIMIT: usize = 10_000;

/// Maximum number of steps that planning looks at, with those that conditions drop.
const VISIT_LIMIT: usize = 10 * STEP_LIMIT;

/// Maximum number of needs in a plan.
const EDGE_LIMIT: usize = 10 * STEP_LIMIT;

/// Maximum number of rounds of a loop.
const ROUND_LIMIT: usize = STEP_LIMIT;

/// Maximum number of rounds of a loop with `until`.
const UNTIL_LIMIT: u32 = 100;

/// Maximum depth of a plan: expansions in expansions, rounds, children.
pub const DEPTH_LIMIT: usize = 16;

/// Maximum length of a planned id, in bytes.
const PLANNED_ID_LIMIT: usize = 300;

/// Maximum size of all texts of a plan, in bytes.
const TEXT_LIMIT: usize = 16 * 1024 * 1024;

/// Maximum number of rules in a file: aspects, expansions by pattern, and changes of an overlay, of each kind.
const RULE_LIMIT: usize = 500;

/// Maximum number of formulas in a library.
const LIBRARY_LIMIT: usize = 500;

#[cfg(test)]
mod tests;
