//! The moment after a tool, which is by far the most frequent: where the ledger is as it was when its agent was last told all
//! that there was, nothing is opened and nobody is asked.

use gt_ledger::Sign;
use gt_model::id::{IncarnationId, sha256_hex};
use gt_model::moment::{Event, Mark, Moment};
use gt_world::World;
use serde::{Deserialize, Serialize};

use super::Call;
use crate::agents::marks;
use crate::town::Town;
use crate::town::error::Result;
use crate::town::identity;
use crate::town::layout::Layout;

/// Who calls, and how the ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    incarnation: IncarnationId,
    at: At,
}

/// What [`Seen`] leaves in the session's folder. The folder is the agent's own, so no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct At {
    /// How the ledger was.
    sign: Sign,
    /// By which token it was asked, as a hash.
    token: String,
}

/// The mark of a moment after a tool at which there was nothing to say.
#[derive(Serialize, Deserialize)]
struct QuietMark {
    #[serde(flatten)]
    mark: Mark,
    quiet: At,
}

impl Seen {
    /// As it is now; `None` where that takes opening the ledger. Never to be asked by a process that has it open
    /// ([`Sign::of`]).
    pub fn now(world: &dyn World, layout: &Layout, token: &str) -> Option<Self> {
        let incarnation = identity::named(token)?;
        let sign = Sign::of(world, &layout.ledger())?;
        Some(Self { incarnation, at: At { sign, token: sha256_hex(token) } })
    }
}

/// Whether this is a moment after a tool, and the agent was told all that the ledger has for it when the ledger was as it is
/// now. Its mark is left then, and it is over.
pub fn nothing_new(world: &dyn World, layout: &Layout, call: &Call<'_>) -> Result<bool> {
    let Some(seen) = call.seen.filter(|_| call.moment == Moment::AfterTool) else { return Ok(false) };
    // What can't be understood is told with the caller's name, which takes the ledger.
    let Ok(heard) = call.client.hear(call.moment, call.input) else { return Ok(false) };
    let path = layout.moments(&seen.incarnation).join(call.moment.as_str());
    let before: Option<QuietMark> = marks::read_record(world, &path)?;
    if heard.subagent || heard.event != Event::AfterTool || before.is_none_or(|before| before.quiet != seen.at) {
        return Ok(false);
    }
    identity::touch_life(world, layout, &seen.incarnation)?;
    marks::write_record(world, &path, &QuietMark { mark: marks::now(world), quiet: seen.at.clone() })?;
    Ok(true)
}

/// Remembers that the agent was told all that there was.
pub(super) fn remember(town: &Town, incarnation: &IncarnationId, mark: Mark, seen: &Seen) -> Result<()> {
    marks::write_mark(town, incarnation, Moment::AfterTool.as_str(), &QuietMark { mark, quiet: seen.at.clone() })
}
