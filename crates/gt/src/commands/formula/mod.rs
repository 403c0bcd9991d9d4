//! `gt formula`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Subcommand;
use gt_model::formula::{Finding, Plan, Severity};
use gt_town::Rig;
use gt_town::molecules;
use gt_town::town::formula::{Found, Origin};
use gt_town::work::beads;

pub use plan::say_step;

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

mod acts;
mod check;
mod diff;
mod edit;
pub mod graph;
mod import;
mod list;
mod new;
mod plan;
pub mod run;
mod show;
mod test;
mod which;

/// Look at formulas, check, write and run them: the steps that workers follow
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Assign.order())]
pub enum FormulaVerb {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Check(check::CheckArgs),
    Which(which::WhichArgs),
    New(new::NewArgs),
    Edit(edit::EditArgs),
    Diff(diff::DiffArgs),
    Plan(plan::PlanArgs),
    Graph(graph::GraphArgs),
    Test(test::TestArgs),
    Run(run::RunArgs),
    Import(import::ImportArgs),
    Acts(acts::ActsArgs),
}

/// Runs a verb of `gt formula`.
pub fn formula(verb: &FormulaVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        FormulaVerb::List(args) => list::list(args, context, console),
        FormulaVerb::Show(args) => show::show(args, context, console),
        FormulaVerb::Check(args) => check::check(args, context, console),
        FormulaVerb::Which(args) => which::which(args, context, console),
        FormulaVerb::New(args) => new::new(args, context, console),
        FormulaVerb::Edit(args) => edit::edit(args, context, console),
        FormulaVerb::Diff(args) => diff::diff(args, context, console),
        FormulaVerb::Plan(args) => plan::plan(args, context, console),
        FormulaVerb::Graph(args) => graph::graph(args, context, console),
        FormulaVerb::Test(args) => test::test(args, context, console),
        FormulaVerb::Run(args) => run::run(args, context, console),
        FormulaVerb::Import(args) => import::import(args, context, console),
        FormulaVerb::Acts(args) => acts::acts(args, context, console),
    }
}

/// Returns the named rig, or the one that the caller belongs to or stands in, or the only one. `None` if there are none or several.
pub fn rig(context: &Context<'_>, named: Option<&str>) -> Result<Option<Rig>, CliError> {
    if named.is_some() || context.rig_here().is_some() {
        return context.rig(named).map(Some);
    }
    let mut rigs = context.town.rigs()?;
    Ok(if rigs.len() == 1 { rigs.pop() } else { None })
}

/// Parses values of variables of the form `name=value`.
pub fn vars(words: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let one = |word: &String| {
        let found = word.split_once('=').filter(|(name, _)| !name.is_empty());
        let (name, value) = found.ok_or_else(|| CliError::Usage {
            what: format!("`{word}` is not name=value"),
            hint: "for example: --var issue=app-1".to_owned(),
        })?;
        Ok((name.trim().to_owned(), value.to_owned()))
    };
    words.iter().map(one).collect()
}

/// Plans a formula with the given values. A bead gives values to `issue` and `title`.
fn planned(context: &Context<'_>, found: &Found, words: &[String], bead: Option<&str>) -> Result<Plan, CliError> {
    let mut vars = vars(words)?;
    if let Some(bead) = bead {
        let bead = context.town.ledger.read(|view| {
            let id = beads::resolve(view, bead)?;
            beads::require(view, &id)
        })?;
        found.add_bead(&mut vars, &bead);
    }
    Ok(molecules::plan(found, &vars)?)
}

/// Prints findings as people read them: message, place, the line and a marker. Returns whether one is an error.
fn say_findings(findings: &[Finding], console: &mut Console<'_>) -> Result<bool, CliError> {
    for finding in findings {
        console.line(&finding.to_string())?;
    }
    Ok(has_error(findings))
}

fn has_error(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

/// Returns the file of a formula in the town or rig. Without one there, the file that would take its place.
fn file_of(context: &Context<'_>, origin: &Origin, name: &str) -> Result<PathBuf, CliError> {
    match origin {
        Origin::File(path) => Ok(path.clone()),
        Origin::BuiltIn(_) => Ok(context.town.layout.formulas().join(format!("{name}.toml"))),
        Origin::Project { path, .. } => Err(CliError::Usage {
            what: format!("{name} is a file of the project: {path}"),
            hint: format!("change it there; or put an overlay over it: gt formula new {name} --overlay"),
        }),
    }
}

/// Returns where a formula itself, without overlays and what it refers to, was read from.
fn own_origin<'f>(found: &'f Found, name: &str) -> Result<&'f Origin, CliError> {
    let unknown = || CliError::Engine(gt_town::Error::UnknownFormula(name.to_owned()));
    found.origins.first().ok_or_else(unknown)
}
