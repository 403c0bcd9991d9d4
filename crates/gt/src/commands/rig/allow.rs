//! `gt rig allow`.

use clap::Args;
use gt_town::moments::allow::{self, Whom};

use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Let a rig's agents run a command or use a tool without asking, from now on
///
/// A command is named by its first words: "npm run lint" allows that with any more words behind it. A tool is one of the
/// client's, such as WebFetch. Agents at work may use it at once. Stored as `allow` in the rig's rig.toml. What workers are
/// refused, such as pushing, stays refused.
#[derive(Debug, Args)]
pub struct AllowArgs {
    /// The rig
    name: String,
    /// Patterns to allow.
    #[command(flatten)]
    patterns: Patterns,
}

/// Patterns to allow, or an action on the allowed ones.
#[derive(Debug, Args)]
pub struct Patterns {
    /// The first words of the command, or the tool
    #[arg(required_unless_present_any = ["list", "remove"])]
    pattern: Option<String>,
    /// List what is allowed
    #[arg(long, conflicts_with_all = ["pattern", "remove"])]
    list: bool,
    /// Stop allowing this
    #[arg(long, value_name = "PATTERN", conflicts_with = "pattern")]
    remove: Option<String>,
}

/// Runs `gt rig allow`.
pub fn allow(args: &AllowArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    allow_for(Whom::Rig(&context.town.rig(&args.name)?), &args.patterns, context, console)
}

/// Allows a pattern, removes one, or lists them, as the flags say.
pub fn allow_for(whom: Whom<'_>, patterns: &Patterns, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let (town, caller) = (&context.town, &context.caller);
    match (&patterns.pattern, &patterns.remove) {
        (Some(pattern), _) => {
            let kept = allow::add(town, caller, whom, pattern)?;
            if console.is_json() {
                return console.facts("gt.allowed/1", "allowed", kept);
            }
            console.say(&format!("allowed without asking, also for agents that run already: {kept}"))?;
        }
        (None, Some(pattern)) => {
            allow::remove(town, caller, whom, pattern)?;
            if console.is_json() {
                return console.facts("gt.allowed-no-more/1", "removed", pattern);
            }
            console.say(&format!(
                "no longer allowed: {}; sessions that run already may still use it",
                printable(pattern)
            ))?;
        }
        (None, None) => {
            let allowed = whom.allowed(town);
            if console.is_json() {
                return console.facts("gt.allow/1", "allow", allowed);
            }
            for pattern in &allowed {
                console.line(&printable(pattern))?;
            }
        }
    }
    Ok(0)
}
