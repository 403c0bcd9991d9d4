//! Templates: an epic with its children that can be copied as new beads.

use std::collections::BTreeMap;

use gt_ledger::{Tx, View};
use gt_model::bead::{Bead, Status};
use gt_model::id::BeadId;

use super::create::{check_title, edge};
use super::require;
use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};

/// Maximum number of beads in a template.
const TEMPLATE_LIMIT: usize = 1000;

/// Copies a template: the epic gets the new title, and all beads below it are copied as its children with the dependencies among
/// them.
pub fn pour_template(town: &Town, caller: &Caller, template: &BeadId, title: &str) -> Result<Vec<Bead>> {
    check_title(title)?;
    town.ledger.write(&caller.name(), "template pour", |tx| {
        let top = require(tx, template)?;
        if !top.is_template {
            return Err(Error::refused(format!("{template} is not a template"), "gt bead list --template"));
        }
        let patterns = with_parts(tx, template)?;
        let mut copies: BTreeMap<BeadId, BeadId> = BTreeMap::new();
        copies.insert(template.clone(), tx.fresh_id(template.prefix(), title, &top.description)?);
        for (number, (pattern, parent)) in patterns.iter().enumerate().skip(1) {
            let above = parent.as_ref().and_then(|parent| copies.get(parent)).cloned();
            let id = format!("{}.{number}", above.unwrap_or_else(|| copies[template].clone()));
            copies.insert(pattern.clone(), BeadId(id));
        }
        let mut made = Vec::new();
        for (pattern, _) in &patterns {
            let copy = copy_of(tx, &require(tx, pattern)?, &copies);
            let copy = if pattern == template { Bead { title: title.to_owned(), ..copy } } else { copy };
            tx.add_bead(&copy)?;
            made.push(copy);
        }
        Ok(made)
    })
}

/// Returns a bead and all undeleted beads below it, each with its parent, parents first.
fn with_parts(view: &View<'_>, top: &BeadId) -> Result<Vec<(BeadId, Option<BeadId>)>> {
    let mut parts = vec![(top.clone(), None)];
    let mut at = 0;
    while at < parts.len() {
        let parent = parts[at].0.clone();
        for child in view.children_of(&parent)? {
            let is_new = parts.iter().all(|(part, _)| *part != child);
            if is_new && view.bead(&child)?.is_some_and(|bead| bead.status != Status::Tombstone) {
                parts.push((child, Some(parent.clone())));
            }
        }
        if parts.len() > TEMPLATE_LIMIT {
            let what = format!("{top} has more than {TEMPLATE_LIMIT} parts");
            return Err(Error::refused(what, "split the template"));
        }
        at += 1;
    }
    Ok(parts)
}

fn copy_of(tx: &Tx<'_>, pattern: &Bead, copies: &BTreeMap<BeadId, BeadId>) -> Bead {
    let id = copies[&pattern.id].clone();
    let edges = pattern.dependencies.iter().filter_map(|dep| Some((copies.get(&dep.depends_on_id)?, &dep.kind)));
    Bead {
        description: pattern.description.clone(),
        design: pattern.design.clone(),
        acceptance_criteria: pattern.acceptance_criteria.clone(),
        notes: pattern.notes.clone(),
        priority: pattern.priority,
        issue_type: pattern.issue_type.clone(),
        labels: pattern.labels.clone(),
        dependencies: edges.map(|(target, kind)| edge(&id, target, kind, tx)).collect(),
        created_by: Some(tx.actor().to_owned()),
        ..Bead::new(id, &pattern.title, tx.now())
    }
}
