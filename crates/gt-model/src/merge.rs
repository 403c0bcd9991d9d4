//! Three-way merge of ledgers, field by field. Two towns that changed the same beads independently end with the same ledger, in
//! whatever order they merge.
//!
//! The side that changed a field wins. If both changed it, the side whose bead was updated later wins; the order of the values
//! themselves decides a tie. So `merge(base, a, b)` and `merge(base, b, a)` are equal. The merge reports every value that it
//! discards.

mod apart;
mod claim;
mod import;
mod list;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::bead::{Bead, Comment, Dependency, Rest, Stamp, Status};
use crate::id::BeadId;
use crate::jsonl::{self, Record};
pub use apart::{Apart, Renamed, are_apart, keeps_id, rename, tell_apart};
pub use claim::{Claim, HELD_SINCE, claim, foreign_assignee, set_held_since, split_assignee};
pub use import::{Import, TakenAway, import_bead};
use list::{Removal, merge_lists};

/// Result of a merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Merged ledger: first records of other kinds, then beads by id in byte order.
    pub records: Vec<Record>,
    /// Discarded values, by bead.
    pub losses: Vec<Loss>,
    /// Beads that got new ids, because other beads that were created independently keep the old ones.
    pub renamed: Vec<Renamed>,
}

/// A value of one side that is not in the merged bead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// Id of the bead.
    pub bead: BeadId,
    /// Key of the value; [`DELETION`] if one side deleted what the other changed.
    pub key: String,
    /// Value that the merged bead has.
    pub kept: String,
    /// Value that was discarded.
    pub lost: String,
}

/// Key of a [`Loss`] that is a deletion.
pub const DELETION: &str = "(deletion)";

/// Close reason that `bd` writes if the user gave none.
const NO_REASON: &str = "Closed";

/// Keys that only a deleted bead has.
const TOMBSTONE_KEYS: &[&str] = &["deleted_at", "deleted_by", "delete_reason", "original_type"];

/// Merges two ledgers that both came from `base`. Beads that were created independently and have the same id are separated first.
/// Other beads that occur twice on one side are merged with each other first.
pub fn merge(base: &[Record], ours: &[Record], theirs: &[Record]) -> Merged {
    let apart::Sides { base, ours, theirs, renamed, mut losses } = apart::settle(base, ours, theirs);
    let (base, ours, theirs) = (&*base, &*ours, &*theirs);
    let [base_beads, our_beads, their_beads] = [base, ours, theirs].map(|side| beads_by_id(side, &mut losses));
    let mut ids: Vec<&BeadId> = our_beads.keys().chain(their_beads.keys()).copied().collect();
    ids.sort();
    ids.dedup();
    let others = [base, ours, theirs].map(other_lines);
    let others = merge_lists(&others, |line| line.clone(), Removal::Counts, |_, _, line| line.clone());
    let mut records: Vec<Record> = others.into_iter().map(|line| Record::Other { line }).collect();
    for id in ids {
        let base = base_beads.get(id);
        let (bead, lost) = merge_bead(base, our_beads.get(id), their_beads.get(id));
        records.extend(bead.map(|bead| Record::Bead(Box::new(bead))));
        losses.extend(lost);
    }
    losses.sort();
    losses.dedup();
    Merged { records, losses, renamed }
}

/// Returns the base without the records that one side lacks, so that a merge restores them. Only a tombstone deletes a bead. A
/// record that is absent without one was lost: an old backup was restored, or a file was cut off. Tombstones stay in the base.
pub fn base_without_lost(base: &[Record], ours: &[Record], theirs: &[Record]) -> Vec<Record> {
    let [ours, theirs] = [ours, theirs].map(|side| side.iter().map(name).collect::<BTreeSet<_>>());
    let is_there = |record: &&Record| {
        let is_tombstone = matches!(record, Record::Bead(bead) if bead.status == Status::Tombstone);
        is_tombstone || (ours.contains(&name(record)) && theirs.contains(&name(record)))
    };
    base.iter().filter(is_there).cloned().collect()
}

fn name(record: &Record) -> &str {
    match record {
        Record::Bead(bead) => bead.id.as_str(),
        Record::Other { line } => line,
    }
}

fn beads_by_id<'a>(side: &'a [Record], losses: &mut Vec<Loss>) -> BTreeMap<&'a BeadId, Bead> {
    let mut beads: BTreeMap<&BeadId, Bead> = BTreeMap::new();
    for record in side {
        let Record::Bead(bead) = record else { continue };
        let (merged, lost) = merge_bead(None, beads.get(&bead.id), Some(bead));
        losses.extend(lost);
        beads.extend(merged.map(|merged| (&bead.id, merged)));
    }
    beads
}

fn other_lines(side: &[Record]) -> Vec<String> {
    let line = |record: &Record| match record {
        Record::Other { line } => Some(line.clone()),
        Record::Bead(_) => None,
    };
    side.iter().filter_map(line).collect()
}

/// Merges one bead. A side without it deleted it, or never had it.
pub fn merge_bead(base: Option<&Bead>, ours: Option<&Bead>, theirs: Option<&Bead>) -> (Option<Bead>, Vec<Loss>) {
    match (base, ours, theirs) {
        (_, None, None) => (None, Vec::new()),
        (None, Some(only), None) | (None, None, Some(only)) => (Some(only.clone()), Vec::new()),
        (Some(base), Some(left), None) | (Some(base), None, Some(left)) if left == base => (None, Vec::new()),
        (Some(_), Some(left), None) | (Some(_), None, Some(left)) => {
            (Some(left.clone()), vec![deletion_lost(left, "gone")])
        }
        (_, Some(ours), Some(theirs)) if ours == theirs => (Some(ours.clone()), Vec::new()),
        (Some(base), Some(ours), Some(theirs)) if ours == base => (Some(keeping_remarks(theirs, ours)), Vec::new()),
        (Some(base), Some(ours), Some(theirs)) if theirs == base => (Some(keeping_remarks(ours, theirs)), Vec::new()),
        (base, Some(ours), Some(theirs)) => {
            let (bead, losses) = match claim::settle(base, ours, theirs) {
                Some((held, other)) => with_lost_claim(base, [ours, theirs], [&held, &other]),
                None => merge_changed(base, ours, theirs),
            };
            (Some(bead), losses)
        }
    }
}

/// Merges two sides that have both claimed the bead. `settled` are the sides with the claim that counts.
fn with_lost_claim(base: Option<&Bead>, sides: [&Bead; 2], settled: [&Bead; 2]) -> (Bead, Vec<Loss>) {
    let (bead, mut losses) = merge_changed(base, settled[0], settled[1]);
    let kept = bead.assignee.clone().unwrap_or_default();
    let claims = sides.into_iter().filter_map(|side| side.assignee.clone());
    let lost = claims.filter(|claim| *claim != kept);
    losses.extend(lost.map(|lost| Loss {
        bead: bead.id.clone(),
        key: "assignee".to_owned(),
        kept: kept.clone(),
        lost,
    }));
    (bead, losses)
}

/// Returns the `newer` bead with the comments that only `older` has. A merge never loses a comment, even if one side removed it.
fn keeping_remarks(newer: &Bead, older: &Bead) -> Bead {
    let lists = [older.comments.clone(), older.comments.clone(), newer.comments.clone()];
    Bead { comments: merge_comments(&lists), ..newer.clone() }
}

fn deletion_lost(kept: &Bead, how: &str) -> Loss {
    let (bead, kept) = (kept.id.clone(), kept.status.to_string());
    Loss { bead, key: DELETION.to_owned(), kept, lost: how.to_owned() }
}

/// Merges two sides that have both changed something.
fn merge_changed(base: Option<&Bead>, ours: &Bead, theirs: &Bead) -> (Bead, Vec<Loss>) {
    let is_deleted = |bead: &Bead| bead.status == Status::Tombstone;
    match (is_deleted(ours), is_deleted(theirs)) {
        (true, false) => undelete(base, theirs, ours),
        (false, true) => undelete(base, ours, theirs),
        _ => Sides::new(base, ours, theirs).merge(),
    }
}

/// Merges an edit with a deletion: the edit wins. Without a common base, only the times tell which of the two came later.
fn undelete(base: Option<&Bead>, live: &Bead, deleted: &Bead) -> (Bead, Vec<Loss>) {
    if base.is_none() && deleted.updated_at.at >= live.updated_at.at {
        let (bead, mut losses) = Sides::new(None, deleted, &in_state_of(deleted, live)).merge();
        let (kept, lost) = (Status::Tombstone.to_string(), live.status.to_string());
        losses.push(Loss { kept, lost, ..deletion_lost(live, "") });
        return (bead, losses);
    }
    // Takes the deletion's other changes, and leaves out the keys that mark a deletion.
    let mut rest = deleted.rest.clone();
    rest.retain(|(key, _)| !TOMBSTONE_KEYS.contains(&key.as_str()));
    rest.extend(live.rest.iter().filter(|(key, _)| TOMBSTONE_KEYS.contains(&key.as_str())).cloned());
    jsonl::order_rest(&mut rest, jsonl::KEYS);
    let revived = Bead { rest, ..in_state_of(live, deleted) };
    let (bead, mut losses) = Sides::new(base, live, &revived).merge();
    losses.push(deletion_lost(&bead, Status::Tombstone.as_str()));
    (bead, losses)
}

/// Returns `other` with the status, close data and type of `bead`.
fn in_state_of(bead: &Bead, other: &Bead) -> Bead {
    let (status, closed_at, close_reason) = state_of(bead);
    Bead { status, closed_at, close_reason, issue_type: bead.issue_type.clone(), ..other.clone() }
}

/// The versions of one bead.
struct Sides<'a> {
    base: Option<&'a Bead>,
    ours: &'a Bead,
    theirs: &'a Bead,
    /// Order of our last update relative to theirs.
    age: Ordering,
    losses: Vec<Loss>,
}

impl<'a> Sides<'a> {
    fn new(base: Option<&'a Bead>, ours: &'a Bead, theirs: &'a Bead) -> Self {
        Self { base, ours, theirs, age: ours.updated_at.at.cmp(&theirs.updated_at.at), losses: Vec::new() }
    }

    fn merge(mut self) -> (Bead, Vec<Loss>) {
        let (status, closed_at, close_reason) = self.state();
        let bead = Bead {
            id: self.ours.id.clone(),
            title: self.field("title", |bead| bead.title.clone()),
            description: self.field("description", |bead| bead.description.clone()),
            design: self.field("design", |bead| bead.design.clone()),
            acceptance_criteria: self.field("acceptance_criteria", |bead| bead.acceptance_criteria.clone()),
            notes: self.notes(),
            status,
            priority: self.field("priority", |bead| bead.priority),
            issue_type: self.field("issue_type", |bead| bead.issue_type.clone()),
            assignee: self.field("assignee", |bead| bead.assignee.clone()),
            created_at: self.field("created_at", |bead| bead.created_at.clone()),
            created_by: self.field("created_by", |bead| bead.created_by.clone()),
            updated_at: later(&self.ours.updated_at, &self.theirs.updated_at).clone(),
            closed_at,
            close_reason,
            defer_until: self.field("defer_until", |bead| bead.defer_until.clone()),
            pinned: self.field("pinned", |bead| bead.pinned),
            is_template: self.field("is_template", |bead| bead.is_template),
            ephemeral: self.field("ephemeral", |bead| bead.ephemeral),
            labels: merge_lists(&self.each(|b| &b.labels), Clone::clone, Removal::Counts, |_, _, label| label.clone()),
            dependencies: self.dependencies(),
            comments: merge_comments(&self.each(|bead| &bead.comments)),
            rest: self.rest(),
        };
        (without_stale_wisp(bead), self.losses)
    }

    /// Returns a list as it is in the base, ours and theirs.
    fn each<T: Clone>(&self, list: impl Fn(&Bead) -> &Vec<T>) -> [Vec<T>; 3] {
        [
            self.base.map(|base| list(base).clone()).unwrap_or_default(),
            list(self.ours).clone(),
            list(self.theirs).clone(),
        ]
    }

    /// Merges a field with one value.
    fn field<T: Value>(&mut self, key: &str, of: impl Fn(&Bead) -> T) -> T {
        self.value(key, self.base.map(&of).as_ref(), of(self.ours), of(self.theirs))
    }

    fn value<T: Value>(&mut self, key: &str, base: Option<&T>, ours: T, theirs: T) -> T {
        if ours == theirs || base == Some(&theirs) {
            return ours;
        }
        if base == Some(&ours) {
            return theirs;
        }
        let order = self.age.then_with(|| ours.shown().cmp(&theirs.shown()));
        let (kept, lost) = if order == Ordering::Less { (theirs, ours) } else { (ours, theirs) };
        self.lose(key, &kept.shown(), &lost.shown());
        kept
    }

    fn lose(&mut self, key: &str, kept: &str, lost: &str) {
        let bead = self.ours.id.clone();
        self.losses.push(Loss { bead, key: key.to_owned(), kept: kept.to_owned(), lost: lost.to_owned() });
    }

    /// Merges the status, together with the time and the reason of closing. Closed wins over open, unless the bead was reopened
    /// later.
    fn state(&mut self) -> State {
        if self.both(|bead| bead.status == Status::Closed) {
            return self.closed_twice();
        }
        let base = self.base.map(state_of);
        let (ours, theirs) = (state_of(self.ours), state_of(self.theirs));
        let is_closed = |state: &State| state.0 == Status::Closed;
        let both_changed = ours != theirs && base.as_ref() != Some(&ours) && base.as_ref() != Some(&theirs);
        let reopened = base.as_ref().is_some_and(is_closed);
        if both_changed && is_closed(&ours) != is_closed(&theirs) && (!reopened || self.age == Ordering::Equal) {
            let (kept, lost) = if is_closed(&ours) { (ours, theirs) } else { (theirs, ours) };
            self.lose("status", &kept.shown(), &lost.shown());
            return kept;
        }
        self.value("status", base.as_ref(), ours, theirs)
    }

    fn both(&self, is: impl Fn(&Bead) -> bool) -> bool {
        is(self.ours) && is(self.theirs)
    }

    /// Merges the close data of two closed beads. The side that was updated later decides the time. Both reasons are kept.
    fn closed_twice(&mut self) -> State {
        let closed_at = self.field("closed_at", |bead| bead.closed_at.clone());
        let reason = self.text_of_both(|bead| match bead.close_reason.as_deref() {
            Some(NO_REASON) | None => "",
            Some(reason) => reason,
        });
        let unsaid = || self.ours.close_reason.clone().or_else(|| self.theirs.close_reason.clone());
        (Status::Closed, closed_at, Some(reason).filter(|reason| !reason.is_empty()).or_else(unsaid))
    }

    fn notes(&mut self) -> String {
        self.text_of_both(|bead| &bead.notes)
    }

    /// Merges a text. If both sides changed it, joins their texts.
    fn text_of_both(&self, of: impl Fn(&Bead) -> &str) -> String {
        let (base, ours, theirs) = (self.base.map_or("", &of), of(self.ours), of(self.theirs));
        if ours == theirs || base == theirs {
            return ours.to_owned();
        }
        if base == ours {
            return theirs.to_owned();
        }
        joined(base, ours, theirs)
    }

    fn dependencies(&mut self) -> Vec<Dependency> {
        let lists = self.each(|bead| &bead.dependencies);
        merge_lists(&lists, edge_key, Removal::Counts, |base, ours, theirs| Dependency {
            created_at: self.value(
                "dependencies",
                base.map(|base| &base.created_at),
                ours.created_at.clone(),
                theirs.created_at.clone(),
            ),
            rest: self.merge_rest(
                "dependencies.",
                jsonl::DEPENDENCY_KEYS,
                base.map(|base| &base.rest),
                &ours.rest,
                &theirs.rest,
            ),
            ..ours.clone()
        })
    }

    fn rest(&mut self) -> Rest {
        let base = self.base.map(|base| &base.rest);
        self.merge_rest("", jsonl::KEYS, base, &self.ours.rest, &self.theirs.rest)
    }

    fn merge_rest(&mut self, path: &str, known: &[&str], base: Option<&Rest>, ours: &Rest, theirs: &Rest) -> Rest {
        let lists = [base.cloned().unwrap_or_default(), ours.clone(), theirs.clone()];
        let mut rest = merge_lists(
            &lists,
            |(key, _)| key.clone(),
            Removal::Counts,
            |base, (key, ours), (_, theirs)| {
                let raw = self.value(&format!("{path}{key}"), base.map(|(_, raw)| raw), ours.clone(), theirs.clone());
                (key.clone(), raw)
            },
        );
        jsonl::order_rest(&mut rest, known);
        rest
    }
}

/// Removes the key `wisp`, the old name of `ephemeral`, if `ephemeral` is false. The merge may have taken the old key from one
/// side and the new field from the other.
fn without_stale_wisp(mut bead: Bead) -> Bead {
    if !bead.ephemeral {
        bead.rest.retain(|(key, _)| key != "wisp");
    }
    bead
}

/// A field's value.
trait Value: PartialEq {
    /// Returns the value as text. A loss shows it, and it decides ties.
    fn shown(&self) -> String;

    /// Whether files leave this value out.
    fn is_absent(&self) -> bool {
        false
    }
}

impl Value for String {
    fn shown(&self) -> String {
        self.clone()
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl Value for i64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Value for bool {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Value for Stamp {
    fn shown(&self) -> String {
        self.text.clone()
    }
}

impl Value for crate::bead::BeadType {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl<T: Value> Value for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map(Value::shown).unwrap_or_default()
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

/// Status, time of closing, and reason for closing.
type State = (Status, Option<Stamp>, Option<String>);

impl Value for State {
    fn shown(&self) -> String {
        let parts = [self.0.to_string(), self.1.shown(), self.2.shown()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

fn state_of(bead: &Bead) -> State {
    (bead.status.clone(), bead.closed_at.clone(), bead.close_reason.clone())
}

fn later<'a>(one: &'a Stamp, other: &'a Stamp) -> &'a Stamp {
    let order = one.at.cmp(&other.at).then_with(|| one.text.cmp(&other.text));
    if order == Ordering::Less { other } else { one }
}

/// Joins both sides' notes. If both continued the base's notes, the additions of both follow it.
fn joined(base: &str, one: &str, other: &str) -> String {
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    if first.contains(second) {
        return first.to_owned();
    }
    if second.contains(first) {
        return second.to_owned();
    }
    match (first.strip_prefix(base), second.strip_prefix(base)) {
        (Some(_), Some(added)) if !base.is_empty() => join(first, added),
        _ => join(first, second),
    }
}

fn join(one: &str, other: &str) -> String {
    format!("{}\n\n{}", one.trim_end_matches('\n'), other.trim_start_matches('\n'))
}

/// Returns what identifies an edge.
fn edge_key(dep: &Dependency) -> (BeadId, BeadId, String) {
    (dep.issue_id.clone(), dep.depends_on_id.clone(), dep.kind.as_str().to_owned())
}

/// Merges comments. Their author, text and time identify them. A merge never loses a comment of either side.
fn merge_comments(lists: &[Vec<Comment>; 3]) -> Vec<Comment> {
    merge_lists(lists, comment_key, Removal::Undone, |base, ours, theirs| {
        if base == Some(theirs) || (base != Some(ours) && shown(ours) >= shown(theirs)) {
            ours.clone()
        } else {
            theirs.clone()
        }
    })
}

/// Returns what identifies a comment: its time (as written, if that can't be parsed), author and text.
fn comment_key(comment: &Comment) -> (Option<Timestamp>, String, String, String) {
    let when = Stamp::parse(&comment.created_at).ok().map(|stamp| stamp.at);
    let written = if when.is_some() { String::new() } else { comment.created_at.clone() };
    (when, written, comment.author.clone(), comment.text.clone())
}

/// Returns the parts of a comment that don't identify it.
fn shown(comment: &Comment) -> (&str, &str, &Rest) {
    (&comment.id, &comment.created_at, &comment.rest)
}

#[cfg(test)]
mod tests;
