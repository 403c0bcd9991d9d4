//! Beads as JSON, in the shapes of the Go `bd` 1.x, which clients check strictly.
//!
//! The JSON is written as text, a bead a line. So unknown keys are printed as they came, and ten thousand beads need no tree of
//! values.

use std::borrow::Cow;
use std::io::{BufWriter, Write};

use gt_ledger::View;
use gt_model::bead::{Bead, BeadType, Comment, DepType, Status};
use gt_model::id::BeadId;
use gt_model::jsonl;
use gt_town::Error;
use serde_json::{Value, json};

use crate::console::{Console, SCHEMA_VERSION};
use crate::error::{CliError, CliResult};

/// Prints texts of JSON as one array.
pub fn print_array(items: &[String], console: &mut Console<'_>) -> CliResult {
    let items: Vec<Cow<'_, str>> = items.iter().map(|item| console.json(item)).collect();
    let (head, tail) = console.frame(true);
    // Buffered, since standard output is otherwise flushed at the end of each line.
    let mut out = BufWriter::new(console.out());
    out.write_all(head.as_bytes())?;
    if items.is_empty() {
        out.write_all(b"[]")?;
    }
    for (at, item) in items.iter().enumerate() {
        out.write_all(if at == 0 { b"[\n" } else { b",\n" })?;
        out.write_all(item.as_bytes())?;
    }
    if !items.is_empty() {
        out.write_all(b"\n]")?;
    }
    writeln!(out, "{tail}")?;
    out.flush()?;
    Ok(0)
}

/// Prints an object that is already JSON text.
pub fn print(object: &str, console: &mut Console<'_>) -> CliResult {
    let object = console.json(object);
    let (head, tail) = console.frame(false);
    // Without an envelope, the added keys go into the object itself.
    let object =
        if head.is_empty() && !tail.is_empty() { object.strip_suffix('}').unwrap_or(&object) } else { &object };
    console.line(&format!("{head}{object}{tail}"))?;
    Ok(0)
}

/// Returns a bead with all its fields.
pub fn whole(bead: &Bead) -> String {
    jsonl::write_bead(&Bead { comments: texts_as_ids(&bead.comments), ..bead.clone() })
}

/// Returns remarks with ids as texts, as today's clients want them; older ledgers have numbers.
fn texts_as_ids(comments: &[Comment]) -> Vec<Comment> {
    let as_text = |comment: &Comment| match serde_json::from_str(&comment.id) {
        Ok(Value::String(_)) => comment.clone(),
        _ => Comment { id: Value::from(comment.id.as_str()).to_string(), ..comment.clone() },
    };
    comments.iter().map(as_text).collect()
}

/// Returns a bead without edges and remarks, as the answer of a verb that changes it. Clients of `bd` expect beads under
/// `dependencies`, and take a raw edge for a failure.
pub fn bare(bead: &Bead) -> String {
    jsonl::write_bead(&Bead { dependencies: Vec::new(), comments: Vec::new(), ..bead.clone() })
}

/// Returns beads without edges and remarks.
pub fn all_bare<'b>(beads: impl IntoIterator<Item = &'b Bead>) -> Vec<String> {
    beads.into_iter().map(bare).collect()
}

/// Returns a bead's JSON with more keys at its end; their values are JSON.
fn with(bead: &Bead, more: &[(&str, String)]) -> String {
    let mut text = jsonl::write_bead(bead);
    text.pop();
    for (key, value) in more {
        text.push_str(",\"");
        text.push_str(key);
        text.push_str("\":");
        text.push_str(value);
    }
    text.push('}');
    text
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Returns the bead of which a bead is a part.
pub fn parent_of(bead: &Bead) -> Option<&BeadId> {
    bead.dependencies.iter().find(|dep| dep.kind == DepType::ParentChild).map(|dep| &dep.depends_on_id)
}

/// Counts the beads that block this one, open or not.
fn blocked_by_count(bead: &Bead) -> usize {
    bead.dependencies.iter().filter(|dep| dep.kind == DepType::Blocks).count()
}

/// Returns beads without remarks, but with counts of what blocks them, what they block, and remarks.
pub fn counted(view: &View<'_>, beads: Vec<Bead>) -> Result<Vec<String>, Error> {
    let ids: Vec<BeadId> = beads.iter().map(|bead| bead.id.clone()).collect();
    let blocks = view.blocked_counts(&ids)?;
    Ok(beads.into_iter().zip(blocks).map(|(bead, blocks)| one_counted(bead, blocks, Vec::new())).collect())
}

fn one_counted(bead: Bead, blocks: u64, mut more: Vec<(&str, String)>) -> String {
    let mut keys = vec![
        ("dependency_count", blocked_by_count(&bead).to_string()),
        ("dependent_count", blocks.to_string()),
        ("comment_count", bead.comments.len().to_string()),
    ];
    keys.extend(parent_of(&bead).map(|parent| ("parent", quoted(parent.as_str()))));
    keys.append(&mut more);
    with(&Bead { comments: Vec::new(), ..bead }, &keys)
}

/// Returns blocked beads with counts, and with the ids of what blocks them.
pub fn blocked(view: &View<'_>, now: jiff::Timestamp, beads: Vec<Bead>) -> Result<Vec<String>, Error> {
    let ids: Vec<BeadId> = beads.iter().map(|bead| bead.id.clone()).collect();
    let blocks = view.blocked_counts(&ids)?;
    let mut shapes = Vec::new();
    for (bead, blocks) in beads.into_iter().zip(blocks) {
        let mut by: Vec<String> = view.blockers(now, &bead.id)?.into_iter().map(|blocker| blocker.id.0).collect();
        by.dedup();
        let more = vec![("blocked_by_count", by.len().to_string()), ("blocked_by", Value::from(by).to_string())];
        shapes.push(one_counted(bead, blocks, more));
    }
    Ok(shapes)
}

/// Returns a bead on the other end of an edge.
pub fn linked(bead: Bead, kind: &DepType) -> String {
    let bead = Bead { dependencies: Vec::new(), comments: Vec::new(), ..bead };
    with(&bead, &[("dependency_type", quoted(kind.as_str()))])
}

/// Returns the beads that a bead depends on, with the types of the edges. Leaves out missing beads.
pub fn dependencies(view: &View<'_>, bead: &Bead) -> Result<Vec<(Bead, DepType)>, Error> {
    let edges = bead.dependencies.iter().map(|dep| (dep.depends_on_id.clone(), dep.kind.clone()));
    others(view, edges.collect())
}

/// Returns the beads that depend on a bead, with the types of the edges.
pub fn dependents(view: &View<'_>, id: &BeadId) -> Result<Vec<(Bead, DepType)>, Error> {
    others(view, view.dependents(id)?.into_iter().map(|dep| (dep.issue_id, dep.kind)).collect())
}

fn others(view: &View<'_>, edges: Vec<(BeadId, DepType)>) -> Result<Vec<(Bead, DepType)>, Error> {
    let ids: Vec<BeadId> = edges.iter().map(|(id, _)| id.clone()).collect();
    let mut found = view.beads_with(&ids)?.into_iter().peekable();
    // One for each edge whose bead exists, in the order of the edges. A deleted bead blocks nothing, and is not listed.
    let pairs = edges.into_iter().filter_map(|(id, kind)| Some((found.next_if(|bead| bead.id == id)?, kind)));
    Ok(pairs.filter(|(bead, _)| bead.status != Status::Tombstone).collect())
}

/// Returns a bead as `show` prints it: the beads on both ends of its edges are included as beads.
pub fn detailed(view: &View<'_>, bead: &Bead) -> Result<String, Error> {
    let list = |links: Vec<(Bead, DepType)>| {
        let shapes: Vec<String> = links.into_iter().map(|(bead, kind)| linked(bead, &kind)).collect();
        format!("[{}]", shapes.join(","))
    };
    let (below, above) = (dependencies(view, bead)?, dependents(view, &bead.id)?);
    let mut keys = vec![
        ("dependency_count", below.len().to_string()),
        ("dependent_count", above.len().to_string()),
        ("comment_count", bead.comments.len().to_string()),
        ("schema_version", SCHEMA_VERSION.to_string()),
    ];
    keys.extend(parent_of(bead).map(|parent| ("parent", quoted(parent.as_str()))));
    if bead.issue_type == BeadType::Epic {
        keys.extend(parts(&above));
    }
    if !below.is_empty() {
        keys.push(("dependencies", list(below)));
    }
    if !above.is_empty() {
        keys.push(("dependents", list(above)));
    }
    let bare = Bead { dependencies: Vec::new(), comments: texts_as_ids(&bead.comments), ..bead.clone() };
    Ok(with(&bare, &keys))
}

/// Returns the progress of an epic, if it has parts.
fn parts(above: &[(Bead, DepType)]) -> Vec<(&'static str, String)> {
    let parts: Vec<&Bead> =
        above.iter().filter(|(_, kind)| *kind == DepType::ParentChild).map(|(bead, _)| bead).collect();
    let closed = parts.iter().filter(|part| part.status == Status::Closed).count();
    if parts.is_empty() {
        return Vec::new();
    }
    vec![
        ("epic_total_children", parts.len().to_string()),
        ("epic_closed_children", closed.to_string()),
        ("epic_closeable", (closed == parts.len()).to_string()),
    ]
}

/// Returns a ready bead, and what it waited for.
pub fn ready(view: &View<'_>, bead: &Bead) -> Result<String, Error> {
    let over: Vec<&str> =
        bead.dependencies.iter().filter(|dep| holds_back(&dep.kind)).map(|dep| dep.depends_on_id.as_str()).collect();
    let reason = match over.len() {
        0 => "no blocking dependencies".to_owned(),
        count => format!("{count} blocker(s) resolved"),
    };
    let mut keys = vec![
        ("reason", quoted(&reason)),
        ("resolved_blockers", Value::from(over).to_string()),
        ("dependency_count", blocked_by_count(bead).to_string()),
        ("dependent_count", view.blocked_counts(std::slice::from_ref(&bead.id))?.iter().sum::<u64>().to_string()),
    ];
    keys.extend(parent_of(bead).map(|parent| ("parent", quoted(parent.as_str()))));
    Ok(with(&Bead { dependencies: Vec::new(), comments: Vec::new(), ..bead.clone() }, &keys))
}

/// Returns a blocked bead, and what blocks it.
pub fn held_back(bead: &Bead, blockers: &[Bead]) -> String {
    let one = |bead: &Bead| json!({ "id": bead.id, "title": bead.title, "status": bead.status.as_str(), "priority": bead.priority });
    let by = Value::from(blockers.iter().map(one).collect::<Vec<_>>());
    let keys = [("blocked_by", by.to_string()), ("blocked_by_count", blockers.len().to_string())];
    with(&Bead { dependencies: Vec::new(), comments: Vec::new(), ..bead.clone() }, &keys)
}

/// Whether closing a bead ends the wait of an edge of this type.
pub fn holds_back(kind: &DepType) -> bool {
    matches!(kind, DepType::Blocks | DepType::ConditionalBlocks | DepType::WaitsFor)
}

/// Returns a bead's remarks.
pub fn comments(bead: &Bead) -> Vec<Value> {
    let text = whole(bead);
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    value.get("comments").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Returns a bead as a value, for small documents.
pub fn value(bead: &Bead) -> Result<Value, CliError> {
    serde_json::from_str(&whole(bead)).map_err(|error| CliError::Io(error.into()))
}
