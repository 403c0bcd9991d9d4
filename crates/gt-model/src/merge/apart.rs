//! Separates beads that were created independently and got the same id: by chance, or because each became the next child of the
//! same parent.
//!
//! The time and the author of their creation tell such beads apart. The one that was created first keeps the id. Each other one
//! gets a new id that follows from these facts alone. So all towns rename in the same way, in whatever order they sync, and a
//! town that renames late finds that others have already renamed in the same way.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::Serialize;

use super::{Loss, merge_bead};
use crate::bead::{Bead, Stamp};
use crate::id::{BeadId, id_beside};
use crate::jsonl::Record;

/// A bead that got a new id, because another bead that was created independently keeps the old one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Renamed {
    /// Id that both beads had.
    pub from: BeadId,
    /// The new id.
    pub to: BeadId,
    /// Title of the bead with the new id.
    pub title: String,
}

impl Renamed {
    /// Returns the renaming of `bead` for the case that another bead keeps its id.
    pub fn of(bead: &Bead) -> Self {
        Self { from: bead.id.clone(), to: new_id(bead), title: bead.title.clone() }
    }
}

impl Renamed {
    /// Whether `records` contain the bead under its old id.
    pub fn is_in(&self, records: &[Record]) -> bool {
        beads(records).any(|bead| bead.id == self.from && new_id(bead) == self.to)
    }
}

/// Beads that get new ids, by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apart {
    /// Beads of our side.
    pub ours: Vec<Renamed>,
    /// Beads of their side.
    pub theirs: Vec<Renamed>,
}

/// Whether two beads with the same id are different beads and not two versions of one. They are different if their titles differ
/// and they were created at different times, or in the same second by different authors.
pub fn are_apart(one: &Bead, other: &Bead) -> bool {
    one.title != other.title && is_known(one) && is_known(other) && !made_alike(one, other)
}

/// Whether `one` keeps the id that two independently created beads share.
pub fn keeps_id(one: &Bead, other: &Bead) -> bool {
    let made = |bead: &Bead| (bead.created_at.at, bead.created_by.clone());
    made(one) <= made(other)
}

/// Whether title and creation time of a bead are known. Tools that don't know them write the time 0 and the title `(deleted)`.
fn is_known(bead: &Bead) -> bool {
    const UNKNOWN_TITLE: &str = "(deleted)";
    bead.created_at.at > Timestamp::UNIX_EPOCH && bead.title != UNKNOWN_TITLE
}

fn made_alike(one: &Bead, other: &Bead) -> bool {
    let units = [one, other].map(|bead| unit(&bead.created_at));
    let coarser = units[0].max(units[1]);
    let difference = (one.created_at.at.as_nanosecond() - other.created_at.at.as_nanosecond()).abs();
    // Some tools cut off or round the fraction of a second.
    let same_time = difference == 0 || units[0] != units[1] && difference < coarser;
    let differ = matches!((&one.created_by, &other.created_by), (Some(one), Some(other)) if one != other);
    same_time && !(difference == 0 && coarser == SECOND && differ)
}

/// One second, in nanoseconds.
const SECOND: i128 = 1_000_000_000;

/// Returns the precision of a time, in nanoseconds.
fn unit(stamp: &Stamp) -> i128 {
    let at = stamp.at.as_nanosecond();
    [SECOND, 1_000_000, 1000].into_iter().find(|unit| at % unit == 0).unwrap_or(1)
}

/// Returns the new id for a bead that does not keep its own. It depends on nothing that can be edited later.
fn new_id(bead: &Bead) -> BeadId {
    let made = bead.created_at.at.as_nanosecond();
    id_beside(&bead.id, &format!("{made}|{}", bead.created_by.as_deref().unwrap_or_default()))
}

/// Finds beads of the two sides that were created independently and have the same id. If the base contains the bead, both sides
/// edited that one bead. The exception: one side gave the base's bead its new id earlier, and now has another bead under the
/// old id.
pub fn tell_apart(base: &[Record], ours: &[Record], theirs: &[Record]) -> Apart {
    let mut apart = Apart::default();
    let known: HashMap<&BeadId, &Bead> = beads(ours).map(|bead| (&bead.id, bead)).collect();
    let pairs = beads(theirs).filter_map(|their| Some((*known.get(&their.id)?, their)));
    let pairs: Vec<(&Bead, &Bead)> = pairs.filter(|(our, their)| are_apart(our, their)).collect();
    if pairs.is_empty() {
        return apart;
    }
    let known_before: HashMap<&BeadId, &Bead> = beads(base).map(|bead| (&bead.id, bead)).collect();
    let has = |side: &[Record], id: &BeadId| beads(side).any(|bead| bead.id == *id);
    for (our, their) in pairs {
        let (loser, other_side, renamed) =
            if keeps_id(our, their) { (their, ours, &mut apart.theirs) } else { (our, theirs, &mut apart.ours) };
        let rename = Renamed::of(loser);
        let before = known_before.get(&loser.id);
        if before.is_none_or(|before| new_id(before) == rename.to && has(other_side, &rename.to)) {
            renamed.push(rename);
        }
    }
    apart
}

/// Gives the beads of a side their new ids, and updates what refers to them.
pub fn rename<'r>(records: impl IntoIterator<Item = &'r mut Record>, renamed: &[Renamed]) {
    if renamed.is_empty() {
        return;
    }
    let by_id: HashMap<&BeadId, &Renamed> = renamed.iter().map(|rename| (&rename.from, rename)).collect();
    let new = |id: &BeadId| by_id.get(id).map(|rename| rename.to.clone());
    for record in records {
        let Record::Bead(bead) = record else { continue };
        if let Some(to) = new(&bead.id).filter(|to| new_id(bead) == *to) {
            bead.id = to;
        }
        for dep in &mut bead.dependencies {
            for id in [&mut dep.issue_id, &mut dep.depends_on_id] {
                *id = new(id).unwrap_or_else(|| id.clone());
            }
        }
    }
}

/// Base, our side and their side of a merge, after each id belongs to one bead.
pub(super) struct Sides<'a> {
    pub(super) base: Cow<'a, [Record]>,
    pub(super) ours: Cow<'a, [Record]>,
    pub(super) theirs: Cow<'a, [Record]>,
    pub(super) renamed: Vec<Renamed>,
    /// Values that were discarded because one side had several versions of a bead.
    pub(super) losses: Vec<Loss>,
}

/// Separates the beads of all sides.
pub(super) fn settle<'a>(base: &'a [Record], ours: &'a [Record], theirs: &'a [Record]) -> Sides<'a> {
    let (mut all, mut losses) = (Vec::new(), Vec::new());
    let [base, ours, theirs] = [base, ours, theirs].map(|side| within(side, &mut all, &mut losses));
    let apart = tell_apart(&base, &ours, &theirs);
    let both = [&apart.ours[..], &apart.theirs].concat();
    let before: Vec<Renamed> = both.iter().filter(|rename| rename.is_in(&base)).cloned().collect();
    let (base, ours) = (renamed_side(base, &before), renamed_side(ours, &apart.ours));
    let theirs = renamed_side(theirs, &apart.theirs);
    all.extend(both);
    all.sort();
    all.dedup();
    Sides { base, ours, theirs, renamed: all, losses }
}

fn renamed_side<'a>(mut side: Cow<'a, [Record]>, renamed: &[Renamed]) -> Cow<'a, [Record]> {
    if !renamed.is_empty() {
        rename(side.to_mut(), renamed);
    }
    side
}

/// Returns the side with each bead once. A line-based merge of files may leave several beads with one id: versions of one bead
/// are merged, and independently created beads are separated.
fn within<'a>(side: &'a [Record], renamed: &mut Vec<Renamed>, losses: &mut Vec<Loss>) -> Cow<'a, [Record]> {
    if beads(side).is_sorted_by(|one, next| one.id < next.id) {
        return side.into();
    }
    let mut keepers: HashMap<&BeadId, &Bead> = HashMap::new();
    for bead in beads(side) {
        let keeper = keepers.entry(&bead.id).or_insert(bead);
        if are_apart(keeper, bead) && !keeps_id(keeper, bead) {
            *keeper = bead;
        }
    }
    let mut unique: BTreeMap<BeadId, Bead> = BTreeMap::new();
    for bead in beads(side) {
        let mut bead = bead.clone();
        if keepers.get(&bead.id).is_some_and(|keeper| are_apart(keeper, &bead)) {
            let rename = Renamed::of(&bead);
            give_id(&mut bead, &rename);
            renamed.push(rename);
        }
        let (merged, lost) = merge_bead(None, unique.get(&bead.id), Some(&bead));
        losses.extend(lost);
        unique.extend(merged.map(|merged| (bead.id, merged)));
    }
    let others = side.iter().filter(|record| matches!(record, Record::Other { .. })).cloned();
    others.chain(unique.into_values().map(|bead| Record::Bead(Box::new(bead)))).collect::<Vec<_>>().into()
}

/// Gives one bead its new id. Edges of other beads stay: they mean the bead that keeps the old id.
fn give_id(bead: &mut Bead, rename: &Renamed) {
    for dep in bead.dependencies.iter_mut().filter(|dep| dep.issue_id == rename.from) {
        dep.issue_id = rename.to.clone();
    }
    bead.id = rename.to.clone();
}

fn beads(side: &[Record]) -> impl Iterator<Item = &Bead> {
    side.iter().filter_map(|record| match record {
        Record::Bead(bead) => Some(&**bead),
        Record::Other { .. } => None,
    })
}

#[cfg(test)]
mod tests;
