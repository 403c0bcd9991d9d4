//! `gt formula check`.

use std::collections::BTreeMap;

use clap::Args;
use gt_model::formula::Finding;
use gt_town::{Error, Rig};
use serde_json::json;

use super::{has_error, rig, say_findings};
use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Check formulas before anything runs: say what is wrong and where; exit with 1 if a formula can't be used
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Names of formulas, or files [default: all formulas]
    formulas: Vec<String>,
    /// As this rig sees them
    #[arg(long)]
    rig: Option<String>,
}

/// Runs `gt formula check`.
pub fn check(args: &CheckArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let rig = rig(context, args.rig.as_deref())?;
    let names = match args.formulas.as_slice() {
        [] => context.town.formulas(rig.as_ref())?.into_keys().collect(),
        named => named.to_vec(),
    };
    let checked = names.into_iter().map(|name| Ok((name.clone(), check_one(context, rig.as_ref(), &name)?)));
    let checked: BTreeMap<String, Vec<Finding>> = checked.collect::<Result<_, CliError>>()?;
    let is_bad = checked.values().any(|findings| has_error(findings));
    if console.is_json() {
        let facts: Vec<_> =
            checked.iter().map(|(name, findings)| json!({ "formula": name, "findings": findings })).collect();
        console.facts("gt.formula-check/1", "formulas", facts)?;
        return Ok(u8::from(is_bad));
    }
    for (name, findings) in &checked {
        let is_bad = say_findings(findings, console)?;
        let words = if is_bad { "can't be used" } else { "is sound" };
        console.say(&format!("{}: {words}", printable(name)))?;
    }
    Ok(u8::from(is_bad))
}

/// Checks a formula of the town, or a file.
fn check_one(context: &Context<'_>, rig: Option<&Rig>, name: &str) -> Result<Vec<Finding>, CliError> {
    let is_file = name.contains('/') || name.ends_with(".toml") || name.ends_with(".json");
    if !is_file {
        return Ok(context.town.check_formula(rig, name)?);
    }
    let path = crate::context::absolute(context.process, name.as_ref());
    let bytes = context.town.world().disk().read_own(&path).map_err(Error::from)?;
    let bytes = bytes.ok_or_else(|| Error::Unknown { what: "file", name: path.display().to_string() })?;
    let (_, findings) = context.town.check_formula_text(rig, name, &String::from_utf8_lossy(&bytes))?;
    Ok(findings)
}
