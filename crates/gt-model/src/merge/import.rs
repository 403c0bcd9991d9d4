//! Import of a bead from a file: a merge of two versions whose common base is unknown.
//!
//! The version with the later `updated_at` decides each value; if the times are equal, ours does. Files leave out empty values,
//! so a text, a holder or a key that is absent from a file says nothing. Labels, edges and comments of both versions are
//! combined. Those that were removed here after the file's version was written stay removed.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::list::unite;
use super::{Loss, TOMBSTONE_KEYS, Value, comment_key, edge_key, later, state_of};
use crate::bead::{Bead, Comment, Dependency, Rest, Status};
use crate::id::BeadId;
use crate::jsonl;

/// Result of importing another version of a bead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The combined bead; equal to ours if nothing changed.
    pub bead: Bead,
    /// Our values that stayed although the file has others.
    pub kept: Vec<Loss>,
    /// Our values that were replaced by the file's.
    pub replaced: Vec<Loss>,
}

/// Labels and edges that were removed from a bead here, each with the time of its last removal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenAway {
    /// Removed labels.
    pub labels: BTreeMap<String, Timestamp>,
    /// Removed edges, by type and target.
    pub edges: BTreeMap<(String, BeadId), Timestamp>,
}

impl TakenAway {
    /// Whether removals matter for this import: the file's version has a label or an edge that ours lacks.
    pub fn matters(ours: &Bead, theirs: &Bead) -> bool {
        let has_edge = |dep: &Dependency| ours.dependencies.iter().any(|our| edge_key(our) == edge_key(dep));
        theirs.labels.iter().any(|label| !ours.labels.contains(label)) || !theirs.dependencies.iter().all(has_edge)
    }

    /// Whether something was removed here after the file's version was written.
    fn is_later(at: Option<&Timestamp>, theirs: &Bead) -> bool {
        at.is_some_and(|at| *at > theirs.updated_at.at)
    }
}

/// Imports `theirs`, the version of a file, into `ours`. Importing it again changes nothing.
pub fn import_bead(ours: &Bead, theirs: &Bead, taken_away: &TakenAway) -> Import {
    let age = ours.updated_at.at.cmp(&theirs.updated_at.at);
    let mut versions = Versions { ours, theirs, age, kept: Vec::new(), replaced: Vec::new() };
    let bead = versions.unite(taken_away);
    Import { bead, kept: versions.kept, replaced: versions.replaced }
}

/// Two versions of a bead.
struct Versions<'a> {
    ours: &'a Bead,
    theirs: &'a Bead,
    /// Order of our last update relative to theirs.
    age: Ordering,
    kept: Vec<Loss>,
    replaced: Vec<Loss>,
}

impl Versions<'_> {
    fn unite(&mut self, taken_away: &TakenAway) -> Bead {
        let (ours, theirs) = (self.ours, self.theirs);
        let by_status = |bead: &Bead| bead.status.clone();
        let (status, closed_at, close_reason) = if by_status(ours) == by_status(theirs) {
            let closed_at = self.field("closed_at", |bead| bead.closed_at.clone());
            (by_status(ours), closed_at, self.field("close_reason", |bead| bead.close_reason.clone()))
        } else {
            self.value("status", state_of(ours), state_of(theirs))
        };
        let mut bead = Bead {
            id: ours.id.clone(),
            title: self.field("title", |bead| bead.title.clone()),
            description: self.field("description", |bead| bead.description.clone()),
            design: self.field("design", |bead| bead.design.clone()),
            acceptance_criteria: self.field("acceptance_criteria", |bead| bead.acceptance_criteria.clone()),
            notes: self.field("notes", |bead| bead.notes.clone()),
            status,
            priority: self.field("priority", |bead| bead.priority),
            issue_type: self.field("issue_type", |bead| bead.issue_type.clone()),
            assignee: self.field("assignee", |bead| bead.assignee.clone()),
            created_at: self.field("created_at", |bead| bead.created_at.clone()),
            created_by: self.field("created_by", |bead| bead.created_by.clone()),
            updated_at: if self.age.is_eq() { &ours.updated_at } else { later(&ours.updated_at, &theirs.updated_at) }
                .clone(),
            closed_at,
            close_reason,
            // An absent date means that the bead can be worked on, so absence is a value here.
            defer_until: self.by_time("defer_until", ours.defer_until.clone(), theirs.defer_until.clone()),
            pinned: self.field("pinned", |bead| bead.pinned),
            is_template: self.field("is_template", |bead| bead.is_template),
            ephemeral: self.field("ephemeral", |bead| bead.ephemeral),
            labels: self.labels(taken_away),
            dependencies: self.dependencies(taken_away),
            comments: unite(&ours.comments, &theirs.comments, comment_key, |ours: &Comment, _| ours.clone()),
            rest: self.rest("", jsonl::KEYS, &ours.rest, &theirs.rest),
        };
        if bead.status != Status::Tombstone {
            let said_by_a_live_one = |key: &String| {
                let live = [ours, theirs].into_iter().filter(|bead| bead.status != Status::Tombstone);
                live.flat_map(|bead| &bead.rest).any(|(name, _)| name == key)
            };
            bead.rest.retain(|(key, _)| !TOMBSTONE_KEYS.contains(&key.as_str()) || said_by_a_live_one(key));
        }
        super::without_stale_wisp(bead)
    }

    fn field<T: Value>(&mut self, key: &str, of: impl Fn(&Bead) -> T) -> T {
        self.value(key, of(self.ours), of(self.theirs))
    }

    /// Decides between two values of a key. A value that is absent from the file says nothing.
    fn value<T: Value>(&mut self, key: &str, ours: T, theirs: T) -> T {
        if theirs.is_absent() { ours } else { self.by_time(key, ours, theirs) }
    }

    fn by_time<T: Value>(&mut self, key: &str, ours: T, theirs: T) -> T {
        if ours == theirs {
            return ours;
        }
        let is_replaced = match self.age {
            Ordering::Greater => false,
            Ordering::Equal => ours.is_absent(),
            Ordering::Less => true,
        };
        let (kept, lost) = if is_replaced { (theirs, ours) } else { (ours, theirs) };
        let loss = self.loss(key, kept.shown(), lost.shown());
        if is_replaced { &mut self.replaced } else { &mut self.kept }.push(loss);
        kept
    }

    fn loss(&self, key: &str, kept: String, lost: String) -> Loss {
        Loss { bead: self.ours.id.clone(), key: key.to_owned(), kept, lost }
    }

    fn labels(&mut self, taken_away: &TakenAway) -> Vec<String> {
        let (ours, theirs) = (self.ours, self.theirs);
        let is_away =
            |label: &String| !ours.labels.contains(label) && TakenAway::is_later(taken_away.labels.get(label), theirs);
        let (away, theirs): (Vec<String>, Vec<String>) = theirs.labels.iter().cloned().partition(is_away);
        for label in away {
            let loss = self.loss("labels", String::new(), label);
            self.kept.push(loss);
        }
        unite(&ours.labels, &theirs, Clone::clone, |label, _| label.clone())
    }

    fn dependencies(&mut self, taken_away: &TakenAway) -> Vec<Dependency> {
        let (ours, theirs) = (self.ours, self.theirs);
        let is_away = |dep: &Dependency| {
            let at = taken_away.edges.get(&(dep.kind.as_str().to_owned(), dep.depends_on_id.clone()));
            !ours.dependencies.iter().any(|our| edge_key(our) == edge_key(dep)) && TakenAway::is_later(at, theirs)
        };
        let (away, theirs): (Vec<Dependency>, Vec<Dependency>) = theirs.dependencies.iter().cloned().partition(is_away);
        for dep in away {
            let loss = self.loss("dependencies", String::new(), format!("{} {}", dep.kind, dep.depends_on_id));
            self.kept.push(loss);
        }
        unite(&ours.dependencies, &theirs, edge_key, |ours, theirs| Dependency {
            created_at: self.value("dependencies", ours.created_at.clone(), theirs.created_at.clone()),
            rest: self.rest("dependencies.", jsonl::DEPENDENCY_KEYS, &ours.rest, &theirs.rest),
            ..ours.clone()
        })
    }

    fn rest(&mut self, path: &str, known: &[&str], ours: &Rest, theirs: &Rest) -> Rest {
        let key = |(key, _): &(String, String)| key.clone();
        let mut rest = unite(ours, theirs, key, |(key, ours), (_, theirs)| {
            (key.clone(), self.value(&format!("{path}{key}"), ours.clone(), theirs.clone()))
        });
        jsonl::order_rest(&mut rest, known);
        rest
    }
}

#[cfg(test)]
mod tests;
