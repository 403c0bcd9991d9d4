//! `gt config`.

use clap::Subcommand;
use gt_town::Rig;
use gt_town::town::config::{self, Changed, Whose};

use crate::cli::Group;
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

mod edit;
mod explain;
mod get;
mod list;
mod set;

/// List, read, change and explain settings of the town and its rigs
#[derive(Debug, Subcommand)]
#[command(defer = true, display_order = Group::Town.order())]
pub enum ConfigVerb {
    List(list::ListArgs),
    Get(get::GetArgs),
    Set(set::SetArgs),
    Edit(edit::EditArgs),
    Explain(explain::ExplainArgs),
}

/// Runs a verb of `gt config`.
pub fn config(verb: &ConfigVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    match verb {
        ConfigVerb::List(args) => list::list(args, context, console),
        ConfigVerb::Get(args) => get::get(args, context, console),
        ConfigVerb::Set(args) => set::set(args, context, console),
        ConfigVerb::Edit(args) => edit::edit(args, context, console),
        ConfigVerb::Explain(args) => explain::explain(args, context, console),
    }
}

/// Returns the settings of a rig, or of the town without one.
fn whose(rig: Option<&Rig>) -> Whose<'_> {
    rig.map_or(Whose::Town, Whose::Rig)
}

/// Returns the named rig or, for keys that only rigs have, the rig of the caller's place.
fn rig_for(context: &Context<'_>, named: Option<&str>, names: &[impl AsRef<str>]) -> Result<Option<Rig>, CliError> {
    let is_rigs = |name: &str| config::is_key(true, name) && !config::is_key(false, name);
    match named {
        Some(name) => Ok(Some(context.town.rig(name)?)),
        None if names.iter().any(|name| is_rigs(name.as_ref())) => context.rig(None).map(Some),
        None => Ok(None),
    }
}

/// Parses assignments of the form `key=value`.
pub fn pairs(settings: &[String]) -> Result<Vec<(String, String)>, CliError> {
    let pair = |text: &String| {
        let found = text.split_once('=').filter(|(key, _)| !key.is_empty());
        let (key, value) = found.ok_or_else(|| CliError::Usage {
            what: format!("`{text}` is not key=value"),
            hint: "for example: gt rig set <rig> landing=auto, gt town set max_polecats=9".to_owned(),
        })?;
        Ok((key.trim().to_owned(), value.trim().to_owned()))
    };
    settings.iter().map(pair).collect()
}

/// Changes settings. Prints the old values, the new ones, and when they take effect.
pub fn set_in(
    context: &Context<'_>,
    whose: Whose<'_>,
    pairs: &[(String, String)],
    console: &mut Console<'_>,
) -> CliResult {
    let changed = config::set(&context.town, &context.caller, whose, pairs)?;
    let (schema, name) = match whose {
        Whose::Town => ("gt.town-set/1", "the town".to_owned()),
        Whose::Rig(rig) => ("gt.rig-set/2", format!("rig {}", rig.name())),
    };
    if console.is_json() {
        return console.facts(schema, "changed", changed);
    }
    for Changed { key, before, after, heard } in changed {
        let [before, after] = [before, after].map(|value| value.unwrap_or_else(|| "-".to_owned()));
        console.say(&format!("{name}: {key} was {}, is {}; it {heard}", printable(&before), printable(&after)))?;
    }
    Ok(0)
}
