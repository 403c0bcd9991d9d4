//! `gt bead list`.

use clap::Args;
use gt_model::query::{Expr, Field, Op, Test, Value as Asked};

use crate::commands::bead::filter::{self, OnlyArgs};
use crate::commands::bead::found::{SortArgs, print_found, sorted};
use crate::console::Console;
use crate::context::Context;
use crate::error::CliResult;

/// List beads
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Filter of the beads.
    #[command(flatten)]
    only: OnlyArgs,
    /// In which order.
    #[command(flatten)]
    sort: SortArgs,
    /// Also closed ones, tombstones and mail
    #[arg(long)]
    all: bool,
    /// Only those that are ready to work on
    #[arg(long)]
    ready: bool,
    /// Only pinned ones
    #[arg(long)]
    pinned: bool,
    /// Only deferred ones
    #[arg(long)]
    deferred: bool,
    /// Also templates
    #[arg(long)]
    include_templates: bool,
    /// Also agents, roles, rigs, gates and mail
    #[arg(long)]
    include_infra: bool,
    /// Show at most this many; 0: all
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: u32,
    #[arg(long, hide = true)]
    flat: bool,
    #[arg(long, hide = true)]
    long: bool,
    #[arg(long, hide = true)]
    no_pager: bool,
}

/// Runs `gt bead list`.
pub fn list(args: &ListArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let mut asked = filter::conditions(&args.only, context)?;
    if !args.all && !args.include_infra && args.only.issue_type.is_empty() && args.only.id.is_empty() {
        asked.no_infra();
    }
    if !args.include_templates && !args.all {
        asked.flag(Field::Template, false);
    }
    if args.pinned {
        asked.flag(Field::Pinned, true);
    }
    if args.ready {
        asked.flag(Field::Ready, true);
    }
    if args.deferred {
        let put_off = Test { field: Field::Deferred, op: Op::IsNot, value: Asked::Nothing };
        let status = Test { field: Field::Status, op: Op::Is, value: Asked::Texts(vec!["deferred".to_owned()]) };
        asked.any(vec![Expr::Test(put_off), Expr::Test(status)]);
    }
    let mut filter = filter::filter(&args.only, asked, args.limit, context)?;
    filter.all |= args.all;
    let found = sorted(filter, args.sort, context)?;
    print_found(found, args.limit, context, console)
}
