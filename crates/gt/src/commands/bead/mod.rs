//! Verbs of beads: `gt bead …`, or `bd …`.

use gt_model::bead::DepType;
use gt_town::Error;
use remarks::Source;

use crate::Process;
use crate::cli::{BeadArgs, BeadFlags, BeadVerb, CareVerb, Global};
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

mod absent;
mod change;
mod filter;
mod graph;
mod health;
mod history;
mod lint;
mod look;
mod markdown;
mod memory;
mod metadata;
mod place;
mod plan;
mod port;
mod remarks;
mod setup;
mod shapes;
mod typed;
mod words;

pub use absent::answer as absent;
pub use health::check;
pub use place::{file, open};
pub use port::say_imported;
pub use words::{failure as in_bds_words, too_few};

/// Runs `gt bead …`, or `bd …`.
pub fn run(args: BeadArgs, global: &Global, process: &Process, console: &mut Console<'_>) -> CliResult {
    let BeadArgs { flags, verb } = args;
    console.frame_as_bd(&process.env);
    match &verb {
        BeadVerb::Init(args) => return place::init(args, &flags, process, console),
        BeadVerb::Version => return place::version(console),
        BeadVerb::Prime { full } => return setup::prime(*full, &flags, global, process, console),
        BeadVerb::Quickstart => return setup::quickstart(console),
        BeadVerb::Setup { client, print, .. } => return setup::setup(*client, *print, console),
        _ => {}
    }
    let context = &open(&flags, global, process)?;
    look_or_change(verb, &flags, context, console).map_err(|error| match error {
        CliError::Engine(Error::Ledger(error)) => CliError::from(error.at(&context.town.ledger.path())),
        error => error,
    })
}

fn look_or_change(verb: BeadVerb, flags: &BeadFlags, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        // These need no ledger, and have run before.
        BeadVerb::Init(_)
        | BeadVerb::Version
        | BeadVerb::Prime { .. }
        | BeadVerb::Quickstart
        | BeadVerb::Setup { .. } => Ok(0),
        BeadVerb::Create(args) => change::create(&args, false, context, console),
        BeadVerb::Q(args) => change::create(&args, true, context, console),
        BeadVerb::Show { mut ids, id, short, .. } => {
            ids.extend(id);
            look::show(&ids, short, context, console)
        }
        BeadVerb::History { id, limit } => history::run(&id, limit, context, console),
        BeadVerb::List(args) => look::list(&args, context, console),
        BeadVerb::Ready(args) => look::ready(&args, context, console),
        BeadVerb::Blocked { parent, rig, limit } => look::blocked(parent, rig.as_deref(), limit, context, console),
        BeadVerb::Update(args) => change::update(&args, flags.as_bd, context, console),
        BeadVerb::Close { ids, reason, force, suggest_next, .. } => {
            change::close(&ids, reason.as_deref(), force, suggest_next, flags.as_bd, context, console)
        }
        BeadVerb::Reopen { ids, reason } => change::reopen(&ids, reason.as_deref(), context, console),
        BeadVerb::Delete { ids, force, reason, dry_run } => {
            change::delete(&ids, force, dry_run, reason.as_deref(), context, console)
        }
        BeadVerb::Defer { ids, until } => change::defer(&ids, until.as_deref(), context, console),
        BeadVerb::Undefer { ids } => change::undefer(&ids, context, console),
        BeadVerb::Dep(verb) => graph::run(verb, context, console),
        BeadVerb::Label(verb) => change::label(verb, context, console),
        BeadVerb::Comment { id, text, stdin, file } => {
            remarks::comment(&id, &Source { words: text, stdin, file }, None, context, console)
        }
        BeadVerb::Comments { words, file, stdin, author, .. } => {
            let source = Source { words: Vec::new(), stdin, file };
            remarks::comments(&words, source, author.as_deref(), context, console)
        }
        BeadVerb::Note { id, text, stdin, file } => {
            remarks::note(&id, &Source { words: text, stdin, file }, context, console)
        }
        BeadVerb::Edit { id, text } => remarks::edit(&id, text, context, console),
        BeadVerb::Supersede { id, with } => {
            remarks::give_up(&id, &with, &DepType::from(remarks::SUPERSEDES), context, console)
        }
        BeadVerb::Duplicate { id, of } => {
            remarks::give_up(&id, &of, &DepType::from(remarks::DUPLICATES), context, console)
        }
        BeadVerb::Care(verb) => care(verb, context, console),
        BeadVerb::Search { mut words, query, only, limit } => {
            words.extend(query);
            look::search(&words.join(" "), &only, limit, context, console)
        }
        BeadVerb::Query { words, all, limit, sort } => {
            look::query(&words.join(" "), all, limit, sort, context, console)
        }
        BeadVerb::Status { .. } => look::statistics(context, console),
        BeadVerb::Count { only, by } => look::count(&only, by, context, console),
        BeadVerb::Stale { days, status, limit } => look::stale(days, status, limit, context, console),
        BeadVerb::Epic(verb) => change::epic(&verb, context, console),
        BeadVerb::Import { file, input, how } => port::import(file.or(input), how.into(), context, console),
        BeadVerb::Export { rig, output, wisps } => {
            port::export(rig.as_deref(), output.as_deref(), wisps, context, console)
        }
        BeadVerb::Where => place::place_of(context, console),
        BeadVerb::Info { schema } => place::info(schema, context, console),
        BeadVerb::Config(verb) => place::config(verb, context, console),
    }
}

fn care(verb: CareVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        CareVerb::Remember { text, key } => memory::remember(&text, key, context, console),
        CareVerb::Memories { search } => memory::list(search.as_deref(), context, console),
        CareVerb::Recall { key } => memory::recall(&key, context, console),
        CareVerb::Forget { key } => memory::forget(&key, context, console),
        CareVerb::Lint { ids, issue_type, status } => {
            lint::run(&ids, issue_type.as_deref(), status.as_deref(), context, console)
        }
        CareVerb::Ping => health::ping(context, console),
        CareVerb::RepairDeps { fix } => health::repair_dependencies(fix, context, console),
        CareVerb::Migrate { .. } => health::migrate(context, console),
        CareVerb::Doctor(args) => health::doctor(args, context, console),
    }
}

fn prefix_of(context: &Context<'_>, rig: Option<&str>) -> Result<Option<String>, CliError> {
    Ok(rig.map(|name| context.town.rig(name)).transpose()?.map(|rig| rig.row.prefix))
}
