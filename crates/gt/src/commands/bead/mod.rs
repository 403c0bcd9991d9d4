//! `gt bead`, which is `bd`: verbs and flags as in the Go `bd` 1.x, as far as the engine supports them.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use gt_model::bead::Bead;
use gt_town::Error;
use gt_town::work::beads;

use crate::Process;
use crate::cli::{Global, Group};
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

mod absent;
mod blocked;
mod changing;
mod close;
mod comment;
mod comments;
mod config;
mod count;
mod create;
mod defer;
mod delete;
mod dep;
mod doctor;
mod duplicate;
mod edit;
mod epic;
mod export;
mod fields;
mod filter;
mod forget;
mod found;
mod history;
pub mod import;
mod info;
mod init;
mod label;
mod lint;
mod list;
mod markdown;
mod memories;
mod metadata;
mod migrate;
mod note;
mod ping;
mod place;
mod plan;
mod prime;
mod q;
mod query;
mod quickstart;
mod ready;
mod recall;
mod remember;
mod reopen;
mod repair_deps;
mod search;
mod setup;
mod shapes;
mod show;
mod stale;
mod status;
mod supersede;
mod text;
mod typed;
mod undefer;
mod update;
mod version;
mod r#where;
mod words;

pub use absent::answer as absent;
pub use doctor::check;
pub use import::say_imported;
pub use place::{file, open};
pub use words::{failure as in_bds_words, too_few};

/// Create, find, change and close beads: the tasks (also called as `bd`)
#[derive(Debug, Args)]
#[command(display_order = Group::Assign.order())]
pub struct BeadArgs {
    /// Flags of every verb of beads.
    #[command(flatten)]
    pub flags: BeadFlags,
    /// The verb.
    #[command(subcommand)]
    pub verb: BeadVerb,
}

/// Flags of every verb of beads. Those of the Go `bd` that mean nothing here are accepted and ignored.
#[derive(Clone, Debug, Default, Args)]
pub struct BeadFlags {
    /// Your name in what you create and change [default: $BD_ACTOR]; an agent has the name of its session
    #[arg(long, global = true, value_name = "NAME")]
    pub actor: Option<String>,
    /// The ledger's file, or its folder [default: $BEADS_DB, $BEADS_DIR, the town, or found upwards from here]
    #[arg(long, global = true, value_name = "PATH")]
    pub db: Option<PathBuf>,
    /// Accepted and ignored: every change is stored at once
    #[arg(long, global = true, hide = true)]
    no_auto_flush: bool,
    /// Accepted and ignored: files are read only on request
    #[arg(long, global = true, hide = true)]
    no_auto_import: bool,
    /// Accepted and ignored: there is no server
    #[arg(long, global = true, hide = true)]
    no_daemon: bool,
    /// Accepted and ignored: nothing stays open after a verb
    #[arg(long, global = true, hide = true)]
    sandbox: bool,
    /// Called as `bd`: where the two differ, as the Go `bd` does it.
    #[arg(skip)]
    pub as_bd: bool,
}

// Its verbs. A doc comment would replace that of `gt bead`.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum BeadVerb {
    Init(init::InitArgs),
    #[command(visible_alias = "new")]
    Create(Box<create::CreateArgs>),
    Q(Box<q::QArgs>),
    #[command(visible_alias = "view")]
    Show(show::ShowArgs),
    History(history::HistoryArgs),
    List(Box<list::ListArgs>),
    Ready(Box<ready::ReadyArgs>),
    Blocked(blocked::BlockedArgs),
    Update(Box<update::UpdateArgs>),
    #[command(visible_alias = "done")]
    Close(close::CloseArgs),
    Reopen(reopen::ReopenArgs),
    Delete(delete::DeleteArgs),
    Defer(defer::DeferArgs),
    Undefer(undefer::UndeferArgs),
    #[command(subcommand)]
    Dep(dep::DepVerb),
    #[command(subcommand)]
    Label(label::LabelVerb),
    Note(note::NoteArgs),
    Edit(edit::EditArgs),
    Supersede(supersede::SupersedeArgs),
    Duplicate(duplicate::DuplicateArgs),
    Comment(comment::CommentArgs),
    Comments(comments::CommentsArgs),
    Search(Box<search::SearchArgs>),
    Query(query::QueryArgs),
    #[command(visible_alias = "stats")]
    Status(status::StatusArgs),
    Count(Box<count::CountArgs>),
    Stale(stale::StaleArgs),
    #[command(subcommand)]
    Epic(epic::EpicVerb),
    Import(import::ImportArgs),
    Export(export::ExportArgs),
    Prime(prime::PrimeArgs),
    Quickstart(quickstart::QuickstartArgs),
    Setup(setup::SetupArgs),
    Remember(remember::RememberArgs),
    Memories(memories::MemoriesArgs),
    Recall(recall::RecallArgs),
    Forget(forget::ForgetArgs),
    Lint(lint::LintArgs),
    Ping(ping::PingArgs),
    RepairDeps(repair_deps::RepairDepsArgs),
    Migrate(migrate::MigrateArgs),
    Doctor(doctor::DoctorArgs),
    Version(version::VersionArgs),
    Where(r#where::WhereArgs),
    Info(info::InfoArgs),
    #[command(subcommand)]
    Config(config::ConfigVerb),
}

/// Runs a verb of `gt bead`, or of `bd`.
pub fn bead(args: &BeadArgs, global: &Global, process: &Process, console: &mut Console<'_>) -> CliResult {
    let BeadArgs { flags, verb } = args;
    console.frame_as_bd(&process.env);
    match verb {
        BeadVerb::Init(args) => return init::init(args, flags, process, console),
        BeadVerb::Prime(args) => return prime::prime(args, flags, global, process, console),
        BeadVerb::Quickstart(args) => return quickstart::quickstart(args, console),
        BeadVerb::Setup(args) => return setup::setup(args, console),
        BeadVerb::Version(args) => return version::version(args, console),
        _ => {}
    }
    let context = &open(flags, global, process)?;
    in_ledger(verb, context, console).map_err(|error| match error {
        CliError::Engine(Error::Ledger(error)) => CliError::from(error.at(&context.town.ledger.path())),
        error => error,
    })
}

/// Runs a verb that needs the ledger.
fn in_ledger(verb: &BeadVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        // These need no ledger, and have run before.
        BeadVerb::Init(_)
        | BeadVerb::Prime(_)
        | BeadVerb::Quickstart(_)
        | BeadVerb::Setup(_)
        | BeadVerb::Version(_) => Ok(0),
        BeadVerb::Create(args) => create::create(args, context, console),
        BeadVerb::Q(args) => q::q(args, context, console),
        BeadVerb::Show(args) => show::show(args, context, console),
        BeadVerb::History(args) => history::history(args, context, console),
        BeadVerb::List(args) => list::list(args, context, console),
        BeadVerb::Ready(args) => ready::ready(args, context, console),
        BeadVerb::Blocked(args) => blocked::blocked(args, context, console),
        BeadVerb::Update(args) => update::update(args, context, console),
        BeadVerb::Close(args) => close::close(args, context, console),
        BeadVerb::Reopen(args) => reopen::reopen(args, context, console),
        BeadVerb::Delete(args) => delete::delete(args, context, console),
        BeadVerb::Defer(args) => defer::defer(args, context, console),
        BeadVerb::Undefer(args) => undefer::undefer(args, context, console),
        BeadVerb::Dep(args) => dep::dep(args, context, console),
        BeadVerb::Label(args) => label::label(args, context, console),
        BeadVerb::Note(args) => note::note(args, context, console),
        BeadVerb::Edit(args) => edit::edit(args, context, console),
        BeadVerb::Supersede(args) => supersede::supersede(args, context, console),
        BeadVerb::Duplicate(args) => duplicate::duplicate(args, context, console),
        BeadVerb::Comment(args) => comment::comment(args, context, console),
        BeadVerb::Comments(args) => comments::comments(args, context, console),
        BeadVerb::Search(args) => search::search(args, context, console),
        BeadVerb::Query(args) => query::query(args, context, console),
        BeadVerb::Status(args) => status::status(args, context, console),
        BeadVerb::Count(args) => count::count(args, context, console),
        BeadVerb::Stale(args) => stale::stale(args, context, console),
        BeadVerb::Epic(args) => epic::epic(args, context, console),
        BeadVerb::Import(args) => import::import(args, context, console),
        BeadVerb::Export(args) => export::export(args, context, console),
        BeadVerb::Remember(args) => remember::remember(args, context, console),
        BeadVerb::Memories(args) => memories::memories(args, context, console),
        BeadVerb::Recall(args) => recall::recall(args, context, console),
        BeadVerb::Forget(args) => forget::forget(args, context, console),
        BeadVerb::Lint(args) => lint::lint(args, context, console),
        BeadVerb::Ping(args) => ping::ping(args, context, console),
        BeadVerb::RepairDeps(args) => repair_deps::repair_deps(args, context, console),
        BeadVerb::Migrate(args) => migrate::migrate(args, context, console),
        BeadVerb::Doctor(args) => doctor::doctor(args, context, console),
        BeadVerb::Where(args) => r#where::r#where(args, context, console),
        BeadVerb::Info(args) => info::info(args, context, console),
        BeadVerb::Config(args) => config::config(args, context, console),
    }
}

/// Returns the prefix of a rig's beads.
fn prefix_of(context: &Context<'_>, rig: Option<&str>) -> Result<Option<String>, CliError> {
    Ok(rig.map(|name| context.town.rig(name)).transpose()?.map(|rig| rig.row.prefix))
}

/// Returns the bead of an id, or of a unique part of one.
fn found_bead(id: &str, context: &Context<'_>) -> Result<Bead, CliError> {
    Ok(context.town.ledger.read(|view| beads::require(view, &beads::resolve(view, id)?))?)
}
