//! Marks of an agent's moments: the last ones that its client's hooks reported, and when.

use gt_model::id::IncarnationId;
use gt_model::moment::{Mark, Marks};
use gt_world::World;

use crate::town::Town;
use crate::town::error::Result;

mod record;

pub(crate) use record::{read as read_record, write as write_record};

/// Mark of the last thing that the agent was refused.
pub(crate) const REFUSED: &str = "refused";

pub(crate) fn now(world: &dyn World) -> Mark {
    Mark::at(u64::try_from(world.clock().monotonic().as_micros()).unwrap_or(u64::MAX))
}

pub(crate) fn write_mark(
    town: &Town,
    incarnation: &IncarnationId,
    name: &str,
    mark: &impl serde::Serialize,
) -> Result<()> {
    record::write(town.world(), &town.layout.moments(incarnation).join(name), mark)
}

/// Reads the marks that an incarnation's moments left. Ignores damaged ones.
pub fn marks(town: &Town, incarnation: &IncarnationId) -> Result<Marks> {
    let folder = town.layout.moments(incarnation);
    let mut marks = Marks::default();
    let there = town.world().disk().list(&folder)?;
    // Ignores any other file: an agent can write here.
    for name in there.into_iter().filter(|name| Marks::NAMES.contains(&name.as_str())) {
        if let Some(mark) = record::read::<Mark>(town.world(), &folder.join(&name))? {
            marks.0.insert(name, mark);
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
