//! Builds a query from the flags that select beads.

use clap::Args;
use gt_ledger::BeadFilter;
use gt_model::query::{Expr, Field, Op, Query, Test, Value};
use gt_town::Error;
use gt_town::work::beads;
use jiff::Timestamp;

use super::fields::priority;
use super::prefix_of;
use super::typed;
use crate::context::Context;
use crate::error::CliError;

/// Conditions on the beads to list or count.
#[derive(Clone, Debug, Default, Args)]
pub struct OnlyArgs {
    /// Only with this status, or one of several, separated by commas
    #[arg(long, short, value_delimiter = ',')]
    pub status: Vec<String>,
    /// Only of this type, or one of several
    #[arg(long = "type", short = 't', value_delimiter = ',')]
    pub issue_type: Vec<String>,
    /// Not of this type
    #[arg(long, value_delimiter = ',')]
    pub exclude_type: Vec<String>,
    /// Only with this priority
    #[arg(long, short, value_parser = priority)]
    pub priority: Option<i64>,
    /// Only with this priority or a less urgent one
    #[arg(long, value_parser = priority)]
    pub priority_min: Option<i64>,
    /// Only with this priority or a more urgent one
    #[arg(long, value_parser = priority)]
    pub priority_max: Option<i64>,
    /// Only assigned to this agent or person
    #[arg(long, short)]
    pub assignee: Option<String>,
    /// Only unassigned ones
    #[arg(long, visible_alias = "unassigned", conflicts_with = "assignee")]
    pub no_assignee: bool,
    /// Only with all of these labels
    #[arg(long, short, value_delimiter = ',')]
    pub label: Vec<String>,
    /// Only with one of these labels
    #[arg(long, value_delimiter = ',')]
    pub label_any: Vec<String>,
    /// Only without these labels
    #[arg(long, value_delimiter = ',')]
    pub exclude_label: Vec<String>,
    /// Only without any label
    #[arg(long)]
    pub no_labels: bool,
    /// Only these ids, separated by commas
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    pub id: Vec<String>,
    /// Only with this in the title
    #[arg(long, visible_alias = "title-contains")]
    pub title: Option<String>,
    /// Only with this in the description
    #[arg(long)]
    pub desc_contains: Option<String>,
    /// Only with this in the notes
    #[arg(long)]
    pub notes_contains: Option<String>,
    /// Only without a description
    #[arg(long)]
    pub empty_description: bool,
    /// Only created after this time: 2026-02-01, 7d (ago), yesterday
    #[arg(long, value_name = "WHEN")]
    pub created_after: Option<String>,
    /// Only created before this time
    #[arg(long, value_name = "WHEN")]
    pub created_before: Option<String>,
    /// Only changed after this time
    #[arg(long, value_name = "WHEN")]
    pub updated_after: Option<String>,
    /// Only changed before this time
    #[arg(long, value_name = "WHEN")]
    pub updated_before: Option<String>,
    /// Only closed after this time
    #[arg(long, value_name = "WHEN")]
    pub closed_after: Option<String>,
    /// Only closed before this time
    #[arg(long, value_name = "WHEN")]
    pub closed_before: Option<String>,
    /// Only due at this time or later
    #[arg(long, value_name = "WHEN")]
    pub due_after: Option<String>,
    /// Only due before this time
    #[arg(long, value_name = "WHEN")]
    pub due_before: Option<String>,
    /// Only overdue ones
    #[arg(long)]
    pub overdue: bool,
    /// Only with this value under this key of the metadata
    #[arg(long, value_name = "KEY=VALUE")]
    pub metadata_field: Vec<String>,
    /// Only with this key in the metadata
    #[arg(long, value_name = "KEY")]
    pub has_metadata_key: Vec<String>,
    /// Only children of this bead
    #[arg(long)]
    pub parent: Option<String>,
    /// Only beads without a parent
    #[arg(long, conflicts_with = "parent")]
    pub no_parent: bool,
    /// Only of this rig
    #[arg(long)]
    pub rig: Option<String>,
}

/// Types of beads that are internal records, not work.
const INFRA: [&str; 5] = ["message", "gate", "agent", "role", "rig"];

/// Conditions, all of which must hold.
#[derive(Default)]
pub struct Conditions(Vec<Expr>);

impl Conditions {
    fn test(&mut self, field: Field, op: Op, value: Value) {
        self.0.push(Expr::Test(Test { field, op, value }));
    }

    fn among(&mut self, field: Field, texts: &[String]) {
        if !texts.is_empty() {
            self.test(field, Op::Is, Value::Texts(texts.to_vec()));
        }
    }

    fn not_among(&mut self, field: Field, texts: &[String]) {
        if !texts.is_empty() {
            self.test(field, Op::IsNot, Value::Texts(texts.to_vec()));
        }
    }

    fn holds(&mut self, field: Field, text: Option<&String>) {
        if let Some(text) = text {
            self.test(field, Op::Holds, Value::Texts(vec![text.clone()]));
        }
    }

    fn number(&mut self, field: Field, op: Op, number: Option<i64>) {
        if let Some(number) = number {
            self.test(field, op, Value::Numbers(vec![number]));
        }
    }

    fn nothing(&mut self, field: Field, wanted: bool) {
        if wanted {
            self.test(field, Op::Is, Value::Nothing);
        }
    }

    /// Requires that a flag is set, or not set.
    pub fn flag(&mut self, field: Field, value: bool) {
        self.test(field, Op::Is, Value::Flag(value));
    }

    /// Requires that at least one of these holds.
    pub fn any(&mut self, exprs: Vec<Expr>) {
        self.0.push(Expr::Or(exprs));
    }

    /// Leaves out mail and other internal records.
    pub fn no_infra(&mut self) {
        self.not_among(Field::Type, &INFRA.map(str::to_owned));
    }

    fn time(&mut self, field: Field, op: Op, text: Option<&String>, context: &Context<'_>) -> Result<(), CliError> {
        if let Some(text) = text {
            let (from, to) = typed::moment(text, context)?;
            self.test(field, op, Value::Time(from, to));
        }
        Ok(())
    }

    /// Returns the query, if there is any condition.
    pub fn query(self, now: Timestamp) -> Option<Query> {
        if self.0.is_empty() { None } else { Some(Query { expr: Expr::And(self.0), now }) }
    }
}

/// Builds the conditions from the flags. Where no flag is about status, the filter's `all` decides which statuses are left out.
pub fn conditions(only: &OnlyArgs, context: &Context<'_>) -> Result<Conditions, CliError> {
    let now = context.town.world().clock().now();
    let mut asked = Conditions::default();
    let is_all = |word: &String| word == "all";
    if !only.status.iter().any(is_all) {
        asked.among(Field::Status, &typed::statuses_to_find(&only.status, context)?);
    }
    asked.among(Field::Type, &typed::types_to_find(&only.issue_type, context)?);
    asked.not_among(Field::Type, &typed::types_to_find(&only.exclude_type, context)?);
    asked.among(Field::Id, &only.id);
    asked.number(Field::Priority, Op::Is, only.priority);
    asked.number(Field::Priority, Op::AtLeast, only.priority_min);
    asked.number(Field::Priority, Op::AtMost, only.priority_max);
    if let Some(assignee) = &only.assignee {
        asked.among(Field::Assignee, std::slice::from_ref(assignee));
    }
    asked.nothing(Field::Assignee, only.no_assignee);
    for label in &only.label {
        asked.among(Field::Label, std::slice::from_ref(label));
    }
    asked.among(Field::Label, &only.label_any);
    asked.not_among(Field::Label, &only.exclude_label);
    asked.nothing(Field::Label, only.no_labels);
    asked.holds(Field::Title, only.title.as_ref());
    asked.holds(Field::Description, only.desc_contains.as_ref());
    asked.holds(Field::Notes, only.notes_contains.as_ref());
    asked.nothing(Field::Description, only.empty_description);
    asked.nothing(Field::Parent, only.no_parent);
    if let Some(parent) = &only.parent {
        let parent = context.town.ledger.read(|view| beads::resolve(view, parent))?;
        asked.among(Field::Parent, &[parent.0]);
    }
    for (field, op, text) in [
        (Field::Created, Op::More, &only.created_after),
        (Field::Created, Op::Less, &only.created_before),
        (Field::Updated, Op::More, &only.updated_after),
        (Field::Updated, Op::Less, &only.updated_before),
        (Field::Closed, Op::More, &only.closed_after),
        (Field::Closed, Op::Less, &only.closed_before),
        (Field::Due, Op::AtLeast, &only.due_after),
        (Field::Due, Op::Less, &only.due_before),
    ] {
        asked.time(field, op, text.as_ref(), context)?;
    }
    if only.overdue {
        asked.test(Field::Due, Op::Less, Value::Time(now, now));
        asked.not_among(Field::Status, &["closed", "tombstone"].map(str::to_owned));
    }
    for field in &only.metadata_field {
        if !field.contains('=') {
            let hint = "for example --metadata-field team=core; --has-metadata-key asks for a key only";
            return Err(CliError::Usage { what: format!("`{field}` is not key=value"), hint: hint.to_owned() });
        }
        asked.among(Field::Metadata, std::slice::from_ref(field));
    }
    for key in &only.has_metadata_key {
        if key.contains('=') {
            let hint = "--metadata-field asks for a key with a value".to_owned();
            return Err(CliError::Usage { what: format!("`{key}` is not a key"), hint });
        }
        asked.among(Field::Metadata, std::slice::from_ref(key));
    }
    Ok(asked)
}

/// Whether the flags are about status, so that none is left out by default.
pub fn speaks_of_status(only: &OnlyArgs) -> bool {
    !only.status.is_empty() || !only.id.is_empty() || only.closed_after.is_some() || only.closed_before.is_some()
}

/// Builds a filter from these conditions.
pub fn filter(only: &OnlyArgs, asked: Conditions, limit: u32, context: &Context<'_>) -> Result<BeadFilter, CliError> {
    let now = context.town.world().clock().now();
    Ok(BeadFilter {
        prefix: prefix_of(context, only.rig.as_deref())?,
        all: speaks_of_status(only),
        query: asked.query(now),
        limit: Some(limit).filter(|limit| *limit > 0),
        ..BeadFilter::default()
    })
}

/// Parses a query that the caller typed.
pub fn typed(text: &str, context: &Context<'_>) -> Result<Query, CliError> {
    gt_model::query::parse(text, &typed::now(context)).map_err(|error| {
        let hint = format!("fields: {}", Field::ALL.iter().map(|f| f.name()).collect::<Vec<_>>().join(", "));
        CliError::Engine(Error::Usage { what: error.to_string(), hint })
    })
}

/// Whether a query is about status or closing, so that nothing is left out of it.
pub fn query_speaks_of_status(expr: &Expr) -> bool {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(query_speaks_of_status),
        Expr::Not(part) => query_speaks_of_status(part),
        Expr::Test(test) => matches!(test.field, Field::Status | Field::Closed | Field::CloseReason | Field::Id),
        Expr::Text(_) => false,
    }
}
