//! Log of failed hook calls: one line each in `logs/hooks.log` of the session's folder. Clients show no one these failures.

use gt_model::foreign;
use gt_model::id::IncarnationId;
use gt_world::World;
use jiff::Timestamp;
use serde::Serialize;

use crate::town::Town;
use crate::town::error::{Error, Result};
use crate::town::layout::Layout;

/// Maximum size of the log; older lines are dropped.
const LOG_BYTES: usize = 64 * 1024;

/// Maximum size that is read. Agents can write the log, so it may be larger than the town made it.
const READ_BYTES: usize = 2 * LOG_BYTES;

/// Maximum bytes of one line.
const LINE_BYTES: usize = 500;

/// Time span that [`trouble`] covers.
const RECENT: std::time::Duration = std::time::Duration::from_hours(1);

/// Recent hook calls that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HookTrouble {
    /// Number of failures in the last hour, as far as the log reaches back.
    pub last_hour: usize,
    /// Newest line.
    pub last: String,
}

/// Logs why a hook call failed, in its session's folder. If that fails too, the failure is lost: there is no place to report it.
pub fn note_failure(world: &dyn World, layout: &Layout, moment: &str, who: &IncarnationId, why: &str) {
    let path = layout.hooks_log(who);
    let line = foreign::one_line(&format!("{} {moment} {who} {why}", world.clock().now()));
    let before = world.disk().read_part(&path, 0, READ_BYTES).ok().flatten().unwrap_or_default();
    let mut keep = before.len().saturating_sub(LOG_BYTES);
    if keep > 0 {
        keep += before[keep..].iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    }
    let text = [&before[keep..], foreign::cut(&line, LINE_BYTES).as_bytes(), b"\n"].concat();
    let _ = world.disk().mark(&path, &text);
}

/// Returns failed hook calls of live sessions in the last hour.
pub fn trouble(town: &Town) -> Result<Option<HookTrouble>> {
    let live = town.ledger.read(|view| view.live_incarnations().map_err(Error::from))?;
    let mut lines = Vec::new();
    for incarnation in &live {
        let bytes = town.world().disk().read_part(&town.layout.hooks_log(&incarnation.id), 0, READ_BYTES)?;
        let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
        lines.extend(text.lines().map(str::to_owned));
    }
    // Each line begins with its time.
    lines.sort();
    let since = town.world().clock().now().checked_sub(RECENT).unwrap_or(Timestamp::MIN);
    let is_recent = |line: &&String| {
        line.split(' ').next().and_then(|at| at.parse::<Timestamp>().ok()).is_some_and(|at| at >= since)
    };
    let recent: Vec<&String> = lines.iter().filter(is_recent).collect();
    Ok(recent.last().map(|last| HookTrouble { last_hour: recent.len(), last: foreign::one_line(last) }))
}
