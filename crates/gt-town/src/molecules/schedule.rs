//! Pours formulas by the clock.

use gt_ledger::Molecule;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::order::{Order, plan, pour_in, refuse_homeless};
use super::pass::engine;
use crate::town::Town;
use crate::town::error::{Error, Result};
use crate::town::settings::Scheduled;

/// Pours every formula that is due. Returns whether any was, and the earliest time at which one will be.
pub(super) fn pour_due(town: &Town) -> Result<(bool, Option<Timestamp>)> {
    let now = town.world().clock().now();
    let (mut poured, mut next) = (false, None);
    for scheduled in &town.settings.schedule {
        let due = due(town, scheduled, now)?;
        if due <= now {
            poured |= pour(town, scheduled, now)?;
        } else {
            next = Some(next.map_or(due, |next: Timestamp| next.min(due)));
        }
    }
    Ok((poured, next))
}

fn key(scheduled: &Scheduled) -> String {
    format!("schedule:{}:{}", scheduled.rig.as_deref().unwrap_or(""), scheduled.formula)
}

/// Returns when a formula is due. The time counts from when the deacon first saw the schedule.
fn due(town: &Town, scheduled: &Scheduled, now: Timestamp) -> Result<Timestamp> {
    let key = key(scheduled);
    let last = match town.ledger.read(|view| view.meta_time(&key).map_err(Error::from))? {
        Some(last) => last,
        None => {
            town.ledger
                .write(&engine().name(), "schedule", |tx| tx.set_meta(&key, &now.to_string()).map_err(Error::from))?;
            now
        }
    };
    Ok(scheduled.when.after(last, &TimeZone::system()))
}

/// Pours a formula and records the time, in one transaction. While the molecule of the time before has not ended, records only
/// the time: a step that fails each night must not fill the town with molecules.
fn pour(town: &Town, scheduled: &Scheduled, now: Timestamp) -> Result<bool> {
    let rig = scheduled.rig.as_ref().map(|rig| town.rig(rig)).transpose()?;
    let found = town.formula(rig.as_ref(), &scheduled.formula)?;
    let plan = plan(&found, &scheduled.vars)?;
    refuse_homeless(&plan, rig.is_some())?;
    let (formula, vars) = (scheduled.formula.as_str(), &scheduled.vars);
    let order = Order { formula, vars, rig: rig.as_ref(), bead: None, is_ephemeral: None };
    town.ledger.write(&engine().name(), "schedule", |tx| {
        tx.set_meta(&key(scheduled), &now.to_string())?;
        if tx.live_molecules()?.iter().any(|molecule| is_of(molecule, scheduled)) {
            return Ok(false);
        }
        pour_in(tx, &engine(), &found, &plan, &order)?;
        Ok(true)
    })
}

fn is_of(molecule: &Molecule, scheduled: &Scheduled) -> bool {
    molecule.formula == scheduled.formula
        && molecule.poured_by == engine().name()
        && molecule.rig.as_ref().map(ToString::to_string) == scheduled.rig
}
