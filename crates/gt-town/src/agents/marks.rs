//! Marks of an agent's moments: the last ones that its client's hooks reported, and when.

use std::path::PathBuf;

use gt_model::id::IncarnationId;
use gt_model::moment::{Mark, MarkKind, Marks};
use gt_world::World;

use crate::town::Town;
use crate::town::error::Result;
use crate::town::layout::Layout;

mod record;

pub(crate) use record::{read as read_record, write as write_record};

/// Name of the record of the last thing that the agent was refused.
const REFUSED: &str = "refused";

pub(crate) fn now(world: &dyn World) -> Mark {
    Mark::at(u64::try_from(world.clock().monotonic().as_micros()).unwrap_or(u64::MAX))
}

pub(crate) fn write_mark(
    town: &Town,
    incarnation: &IncarnationId,
    kind: MarkKind,
    mark: &impl serde::Serialize,
) -> Result<()> {
    record::write(town.world(), &path(&town.layout, incarnation, kind), mark)
}

/// Returns the path of a mark's file.
pub(crate) fn path(layout: &Layout, incarnation: &IncarnationId, kind: MarkKind) -> PathBuf {
    layout.moments(incarnation).join(kind.as_str())
}

/// Records what an incarnation was refused last.
pub(crate) fn write_refused(town: &Town, incarnation: &IncarnationId, mark: &Mark) -> Result<()> {
    record::write(town.world(), &town.layout.moments(incarnation).join(REFUSED), mark)
}

/// Reads the marks that an incarnation's moments left. Ignores damaged ones.
pub fn marks(town: &Town, incarnation: &IncarnationId) -> Result<Marks> {
    let folder = town.layout.moments(incarnation);
    let mut marks = Marks::default();
    let there = town.world().disk().list(&folder)?;
    // Ignores any other file: an agent can write here.
    for kind in there.iter().filter_map(|name| MarkKind::parse(name)) {
        if let Some(mark) = record::read::<Mark>(town.world(), &folder.join(kind.as_str()))? {
            marks.0.insert(kind, mark);
        }
    }
    Ok(marks)
}

/// Returns when an incarnation's hooks last called, in microseconds of the monotonic clock; `None` before the first call. A
/// refused tool leaves no other mark.
pub(crate) fn last_heard(town: &Town, incarnation: &IncarnationId) -> Result<Option<u64>> {
    let newest = marks(town, incarnation)?.0.values().map(|mark| mark.at_us).max();
    let refused = record::read::<Mark>(town.world(), &town.layout.moments(incarnation).join(REFUSED))?;
    Ok(newest.map(|newest| newest.max(refused.map_or(0, |mark| mark.at_us))))
}

/// Returns what an incarnation was refused last, unless a tool has succeeded since.
pub(crate) fn refused(town: &Town, incarnation: &IncarnationId) -> Result<Option<String>> {
    let mark = record::read::<Mark>(town.world(), &town.layout.moments(incarnation).join(REFUSED))?;
    Ok(mark.and_then(|mark| mark.text))
}
