//! `gt config explain`.

use clap::Args;
use gt_town::town::config;
use gt_town::town::config::keys::{self, Key, Kind};

use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Explain settings: what they mean, which values they take, and when a change takes effect
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The setting [default: all]
    key: Option<String>,
}

/// Runs `gt config explain`.
pub fn explain(args: &ExplainArgs, _context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let key = args.key.as_deref();
    let of = |file, keys: &'static [Key]| keys.iter().map(move |key| (file, key)).collect::<Vec<_>>();
    let found = match key {
        Some(name) => config::explain(name),
        None => [of("town.toml", keys::TOWN), of("rig.toml", keys::RIG)].concat(),
    };
    if found.is_empty() {
        return Err(CliError::Usage {
            what: format!("`{}` is not a setting", key.unwrap_or_default()),
            hint: "gt config explain lists all".to_owned(),
        });
    }
    if console.is_json() {
        let facts: Vec<_> = found.iter().map(|(file, key)| facts(file, key)).collect();
        return console.facts("gt.config-explain/1", "keys", facts);
    }
    for (file, key) in &found {
        let default = key.default.filter(|default| !default.is_empty());
        let default = default.map(|default| format!("; {default} if the file does not set it")).unwrap_or_default();
        console.line(&format!("{}  ({file})", console.bold(key.name)))?;
        console.line(&format!("  {}", key.text))?;
        console.line(&format!("  takes {}{default}; a change {}", takes(key.kind), key.heard.words()))?;
    }
    Ok(0)
}

fn facts(file: &str, key: &Key) -> serde_json::Value {
    serde_json::json!({
        "key": key.name, "file": file, "takes": takes(key.kind), "default": key.default, "heard": key.heard.words(),
        "text": key.text,
    })
}

fn takes(kind: Kind) -> String {
    match kind {
        Kind::Text => "a text".to_owned(),
        Kind::Choice(words) => format!("one of: {}", words.join(", ")),
        Kind::Number(least, most) if most >= i64::from(u32::MAX) => format!("a whole number, {least} or more"),
        Kind::Number(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Amount => "an amount, 0 or more".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::List => "texts with commas between them, or a list of TOML's".to_owned(),
        Kind::Command => "a program and its arguments, or a list of TOML's".to_owned(),
        Kind::Any => "a value as TOML has it".to_owned(),
        Kind::ByVerb(verb) => format!("nothing here; what changes it: {verb}"),
    }
}
