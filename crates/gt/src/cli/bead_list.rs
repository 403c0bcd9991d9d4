//! The flags by which `gt bead` (`bd`) lists and counts: which beads, in which order.

use clap::{Args, ValueEnum};

// What beads must be, to be listed or counted.
#[derive(Clone, Debug, Default, Args)]
pub struct OnlyArgs {
    /// Only of this status, or one of these with commas between
    #[arg(long, short, value_delimiter = ',')]
    pub status: Vec<String>,
    /// Only of this kind, or one of these
    #[arg(long = "type", short = 't', value_delimiter = ',')]
    pub issue_type: Vec<String>,
    /// Not of this kind
    #[arg(long, value_delimiter = ',')]
    pub exclude_type: Vec<String>,
    /// Only of this priority
    #[arg(long, short, value_parser = priority)]
    pub priority: Option<i64>,
    /// Only of this priority or a less urgent one
    #[arg(long, value_parser = priority)]
    pub priority_min: Option<i64>,
    /// Only of this priority or a more urgent one
    #[arg(long, value_parser = priority)]
    pub priority_max: Option<i64>,
    /// Only held by this one
    #[arg(long, short)]
    pub assignee: Option<String>,
    /// Only those that nobody holds
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
    /// Only these ids, with commas between
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
    /// Only made after then: 2026-02-01, 7d (ago), yesterday
    #[arg(long, value_name = "WHEN")]
    pub created_after: Option<String>,
    /// Only made before then
    #[arg(long, value_name = "WHEN")]
    pub created_before: Option<String>,
    /// Only changed after then
    #[arg(long, value_name = "WHEN")]
    pub updated_after: Option<String>,
    /// Only changed before then
    #[arg(long, value_name = "WHEN")]
    pub updated_before: Option<String>,
    /// Only closed after then
    #[arg(long, value_name = "WHEN")]
    pub closed_after: Option<String>,
    /// Only closed before then
    #[arg(long, value_name = "WHEN")]
    pub closed_before: Option<String>,
    /// Only to be done by then or later
    #[arg(long, value_name = "WHEN")]
    pub due_after: Option<String>,
    /// Only to be done before then
    #[arg(long, value_name = "WHEN")]
    pub due_before: Option<String>,
    /// Only what was to be done by now, and is not
    #[arg(long)]
    pub overdue: bool,
    /// Only where this key of the metadata has this value
    #[arg(long, value_name = "KEY=VALUE")]
    pub metadata_field: Vec<String>,
    /// Only where the metadata has this key
    #[arg(long, value_name = "KEY")]
    pub has_metadata_key: Vec<String>,
    /// Only directly below this bead
    #[arg(long)]
    pub parent: Option<String>,
    /// Only those that are a part of nothing
    #[arg(long, conflicts_with = "parent")]
    pub no_parent: bool,
    /// Only of this rig
    #[arg(long)]
    pub rig: Option<String>,
}

// In which order beads are listed.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct SortArgs {
    /// In this order
    #[arg(long, value_enum)]
    pub sort: Option<SortArg>,
    /// The other way round
    #[arg(long, short)]
    pub reverse: bool,
}

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SortArg {
    /// By priority, then age.
    Priority,
    /// The newest first.
    Created,
    /// The last changed first.
    Updated,
    /// The last closed first.
    Closed,
    /// By id.
    Id,
    /// By title.
    Title,
    /// By status.
    Status,
    /// By kind.
    Type,
    /// By holder.
    Assignee,
}

// Flags of `list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Which beads.
    #[command(flatten)]
    pub only: OnlyArgs,
    /// In which order.
    #[command(flatten)]
    pub sort: SortArgs,
    /// Closed ones, tombstones and mail too
    #[arg(long)]
    pub all: bool,
    /// Only what can be worked on now
    #[arg(long)]
    pub ready: bool,
    /// Only what is kept in view
    #[arg(long)]
    pub pinned: bool,
    /// Only what is put off
    #[arg(long)]
    pub deferred: bool,
    /// Templates too
    #[arg(long)]
    pub include_templates: bool,
    /// Agents, roles, rigs, gates and mail too
    #[arg(long)]
    pub include_infra: bool,
    /// At most so many; 0: all
    #[arg(long, short = 'n', default_value_t = 50)]
    pub limit: u32,
    #[arg(long, hide = true)]
    flat: bool,
    #[arg(long, hide = true)]
    long: bool,
    #[arg(long, hide = true)]
    no_pager: bool,
}

// Flags of `ready`.
#[derive(Clone, Debug, Args)]
pub struct ReadyArgs {
    /// Which beads.
    #[command(flatten)]
    pub only: OnlyArgs,
    /// In this order
    #[arg(long, value_enum, default_value_t)]
    pub sort: ReadySort,
    /// Take the first one: nobody else gets it
    #[arg(long)]
    pub claim: bool,
    /// Say of each why it is ready, and of the others what holds them back
    #[arg(long, conflicts_with = "claim")]
    pub explain: bool,
    /// At most so many; 0: all
    #[arg(long, short = 'n', default_value_t = 100)]
    pub limit: u32,
    #[arg(long, hide = true)]
    plain: bool,
    #[arg(long, hide = true)]
    pretty: bool,
}

/// An order of ready beads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReadySort {
    /// By priority, then age.
    #[default]
    Priority,
    /// The oldest first.
    Oldest,
    /// Young ones by priority, then the old ones by age.
    Hybrid,
}

// By what beads are counted.
#[derive(Clone, Copy, Debug, Args)]
#[group(multiple = false)]
pub struct CountBy {
    /// By status
    #[arg(long)]
    pub by_status: bool,
    /// By priority
    #[arg(long)]
    pub by_priority: bool,
    /// By kind
    #[arg(long)]
    pub by_type: bool,
    /// By holder
    #[arg(long)]
    pub by_assignee: bool,
    /// By label
    #[arg(long)]
    pub by_label: bool,
}

/// A priority as people write it.
pub(super) fn priority(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['P', 'p']).unwrap_or(text);
    match digits.parse::<i64>() {
        Ok(number @ 0..=4) => Ok(number),
        _ => Err("invalid priority: use 0 (critical) to 4".to_owned()),
    }
}
