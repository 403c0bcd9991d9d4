//! Marks of an agent's moments: which of them its client's hooks told of last, and when.

use gt_model::id::IncarnationId;
use gt_model::moment::{Mark, Marks};
use gt_world::World;

use crate::town::Town;
use crate::town::error::Result;

mod record;

pub(crate) use record::{read as read_record, write as write_record};

/// The mark of what was refused last to an agent.
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

/// The marks that an incarnation's moments left; damaged ones are none.
pub fn marks(town: &Town, incarnation: &IncarnationId) -> Result<Marks> {
    let folder = town.layout.moments(incarnation);
    let mut marks = Marks::default();
    let there = town.world().disk().list(&folder)?;
    // Whatever else somebody has put there is none.
    for name in there.into_iter().filter(|name| Marks::NAMES.contains(&name.as_str())) {
        if let Some(mark) = record::read::<Mark>(town.world(), &folder.join(&name))? {
            marks.0.insert(name, mark);
        }
    }
    Ok(marks)
}

/// When an incarnation's hooks last called, in microseconds of the monotonic clock; `None` before the first call. A tool
/// that was refused leaves no other mark.
pub(crate) fn last_heard(town: &Town, incarnation: &IncarnationId) -> Result<Option<u64>> {
    let newest = marks(town, incarnation)?.0.values().map(|mark| mark.at_us).max();
    let refused = record::read::<Mark>(town.world(), &town.layout.moments(incarnation).join(REFUSED))?;
    Ok(newest.map(|newest| newest.max(refused.map_or(0, |mark| mark.at_us))))
}

/// What was refused last to an incarnation, since its last tool went well.
pub(crate) fn refused(town: &Town, incarnation: &IncarnationId) -> Result<Option<String>> {
    let mark = record::read::<Mark>(town.world(), &town.layout.moments(incarnation).join(REFUSED))?;
    Ok(mark.and_then(|mark| mark.text))
}
