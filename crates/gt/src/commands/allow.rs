//! `gt rig allow` and `gt mayor allow`.

use gt_town::moments::allow::{self, Whom};

use crate::console::{Console, printable};
use crate::context::Context;
use crate::error::CliResult;

/// Allows a pattern, removes one, or lists them, as the flags say.
pub fn run(
    context: &Context<'_>,
    whom: Whom<'_>,
    pattern: Option<String>,
    remove: Option<String>,
    console: &mut Console<'_>,
) -> CliResult {
    let (town, caller) = (&context.town, &context.caller);
    match (pattern, remove) {
        (Some(pattern), _) => {
            let kept = allow::add(town, caller, whom, &pattern)?;
            if console.is_json() {
                return console.facts("gt.allowed/1", "allowed", kept);
            }
            console.say(&format!("allowed without asking, at once, to those at work too: {kept}"))?;
        }
        (None, Some(pattern)) => {
            allow::remove(town, caller, whom, &pattern)?;
            if console.is_json() {
                return console.facts("gt.allowed-no-more/1", "removed", pattern);
            }
            console.say(&format!(
                "no more allowed: {}; a session that runs was told of it when it began, and may still go by that",
                printable(&pattern)
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
