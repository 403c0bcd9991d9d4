//! The moment after a tool, by far the most frequent one. Where the ledger has not changed since the agent was last told all
//! its news, this moment opens nothing and queries nothing.

use gt_ledger::Sign;
use gt_model::id::{IncarnationId, sha256_hex};
use gt_model::moment::{Event, Mark, MarkKind, Moment};
use gt_world::World;
use serde::{Deserialize, Serialize};

use super::Call;
use crate::agents::marks;
use crate::town::Town;
use crate::town::error::Result;
use crate::town::identity;
use crate::town::layout::Layout;

/// The caller, and the ledger's state before it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    incarnation: IncarnationId,
    at: At,
}

/// Form in which [`Seen`] is stored in the session's folder. The agent can read that folder, so this holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct At {
    sign: Sign,
    /// Hash of the token in the ledger's query.
    token: String,
}

/// Mark of a moment after a tool at which there was nothing to say.
#[derive(Serialize, Deserialize)]
struct QuietMark {
    #[serde(flatten)]
    mark: Mark,
    quiet: At,
}

impl Seen {
    /// Reads the present state; `None` where only opening the ledger would tell it. A process that has the ledger open must not
    /// call this ([`Sign::of`]).
    pub fn now(world: &dyn World, layout: &Layout, token: &str) -> Option<Self> {
        let incarnation = identity::named(token)?;
        let sign = Sign::of(world, &layout.ledger())?;
        Some(Self { incarnation, at: At { sign, token: sha256_hex(token) } })
    }
}

/// Whether this is a moment after a tool and the ledger has not changed since the agent was told all its news. If so, this
/// leaves the moment's mark and nothing more is to do.
pub fn nothing_new(world: &dyn World, layout: &Layout, call: &Call<'_>) -> Result<bool> {
    let Some(seen) = call.seen.filter(|_| call.moment == Moment::AfterTool) else { return Ok(false) };
    // Reporting input that does not parse takes the caller's name, and so the ledger.
    let Ok(heard) = call.client.hear(call.moment, call.input) else { return Ok(false) };
    let path = marks::path(layout, &seen.incarnation, MarkKind::AfterTool);
    let before: Option<QuietMark> = marks::read_record(world, &path)?;
    if heard.subagent || heard.event != Event::AfterTool || before.is_none_or(|before| before.quiet != seen.at) {
        return Ok(false);
    }
    identity::touch_life(world, layout, &seen.incarnation)?;
    marks::write_record(world, &path, &QuietMark { mark: marks::now(world), quiet: seen.at.clone() })?;
    Ok(true)
}

/// Remembers that the agent was told all its news.
pub(super) fn remember(town: &Town, incarnation: &IncarnationId, mark: Mark, seen: &Seen) -> Result<()> {
    marks::write_mark(town, incarnation, MarkKind::AfterTool, &QuietMark { mark, quiet: seen.at.clone() })
}
