//! Keeps the column `beads.wake_ns` up to date: the earliest time at which work on a bead may begin, given its deferral,
//! blockers and parents. Every operation that changes one of these updates the column before it commits.
//!
//! A bead's own time is `NEVER` while something holds it back directly; otherwise it is the time until which the bead is
//! deferred. Its wake time is the latest of its own time and of its parents' times, at any depth. A parent that is deferred
//! without a time passes on `NEVER`. Closed and deleted beads hold nothing back and have the time 0. Imported cycles of parents
//! are harmless: the times are the smallest that satisfy these rules.

use std::collections::{BinaryHeap, HashMap, HashSet};

use gt_model::bead::{Bead, DepType, Dependency, Status};
use gt_model::id::BeadId;
use serde_json::Value;

use super::beads::nanoseconds;
use super::{LedgerResult, Tx, View, damaged};

/// Time of a bead that waits for something other than time.
pub(super) const NEVER: i64 = i64::MAX;

/// Up to this many descendants of a changed bead are updated one by one. For more, recomputing all beads costs less.
const BELOW_LIMIT: usize = 1000;

/// Value of the column `holds`: how an edge (a dependency of one bead on another) holds its bead back.
pub(super) fn holds(dependency: &Dependency) -> i64 {
    match &dependency.kind {
        DepType::Blocks | DepType::MergeBlocks => 1,
        DepType::ConditionalBlocks => 2,
        DepType::WaitsFor if waits_for_any(dependency) => 4,
        DepType::WaitsFor => 3,
        DepType::ParentChild => PARENT,
        _ => 0,
    }
}

/// Value of the column `holds` for an edge to a parent.
const PARENT: i64 = 5;

/// Whether one closed child is enough for an edge that waits for children. Its metadata (JSON in a string) says so.
fn waits_for_any(dependency: &Dependency) -> bool {
    let raw = dependency.rest.iter().find(|(key, _)| key == "metadata").map(|(_, raw)| raw.as_str());
    let text: Option<String> = raw.and_then(|raw| serde_json::from_str(raw).ok());
    let metadata: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());
    metadata.is_some_and(|metadata| metadata["gate"] == "any-children")
}

/// Whether a bead is closed or deleted.
pub(super) fn is_over(status: &Status) -> bool {
    matches!(status, Status::Closed | Status::Tombstone)
}

/// SQL condition: the bead `t` was closed as failed. Its reason contains one of the words that `bd` takes as a sign of failure.
macro_rules! failed {
    () => {
        "(t.status = 'closed' AND (
            t.close_reason LIKE '%failed%' OR t.close_reason LIKE '%rejected%' OR t.close_reason LIKE '%wontfix%'
            OR t.close_reason LIKE '%won''t fix%' OR t.close_reason LIKE '%canceled%'
            OR t.close_reason LIKE '%cancelled%' OR t.close_reason LIKE '%abandoned%'
            OR t.close_reason LIKE '%blocked%' OR t.close_reason LIKE '%error%' OR t.close_reason LIKE '%timeout%'
            OR t.close_reason LIKE '%aborted%'))"
    };
}

/// SQL for the beads `d.issue_id` that one of their own edges holds back directly. Parents are not included.
macro_rules! held_directly {
    () => {
        concat!(
            "FROM dependencies d JOIN beads t ON t.id = d.depends_on_id
             WHERE d.holds IN (1, 2, 3, 4) AND CASE d.holds
                WHEN 1 THEN t.status NOT IN ('closed', 'tombstone')
                WHEN 2 THEN t.status != 'tombstone' AND NOT coalesce(",
            failed!(),
            ", 0)
                ELSE EXISTS (SELECT 1 FROM dependencies k JOIN beads c ON c.id = k.issue_id
                             WHERE k.depends_on_id = t.id AND k.holds = 5
                               AND c.status NOT IN ('closed', 'tombstone'))
                     AND (d.holds = 3
                          OR NOT EXISTS (SELECT 1 FROM dependencies k JOIN beads c ON c.id = k.issue_id
                                         WHERE k.depends_on_id = t.id AND k.holds = 5 AND c.status = 'closed'))
                END"
        )
    };
}

/// SQL query for the open beads that hold the bead `?1` back directly at the time `?2`, with the kind of the edge.
pub(super) const BLOCKERS: &str = concat!(
    "SELECT t.id, t.title, t.status, d.type FROM dependencies d JOIN beads t ON t.id = d.depends_on_id
     WHERE d.issue_id = ?1 AND CASE d.holds
        WHEN 1 THEN t.status NOT IN ('closed', 'tombstone')
        WHEN 2 THEN t.status != 'tombstone' AND NOT coalesce(",
    failed!(),
    ", 0)
        WHEN 5 THEN t.status NOT IN ('closed', 'tombstone') AND (t.status = 'deferred' OR t.wake_ns > ?2)
        ELSE 0 END
     UNION
     SELECT c.id, c.title, c.status, d.type FROM dependencies d
     JOIN dependencies k ON k.depends_on_id = d.depends_on_id AND k.holds = 5
     JOIN beads c ON c.id = k.issue_id
     WHERE d.issue_id = ?1 AND d.holds IN (3, 4) AND c.status NOT IN ('closed', 'tombstone')
       AND (d.holds = 3 OR NOT EXISTS (SELECT 1 FROM dependencies o JOIN beads b ON b.id = o.issue_id
                                       WHERE o.depends_on_id = d.depends_on_id AND o.holds = 5 AND b.status = 'closed'))
     ORDER BY 1"
);

/// Whether a bead has no dependencies and no deferral, so that its time follows from its own row.
fn stands_alone(bead: &Bead) -> bool {
    bead.dependencies.is_empty() && bead.defer_until.is_none()
}

/// Inputs of a bead's time, without its parents.
#[derive(Clone, Debug)]
struct Node {
    over: bool,
    /// Whether it is deferred without a time. Then its children wait until a person changes that.
    put_off: bool,
    /// Own time, without what its parents pass on.
    own: i64,
    /// Time that the ledger has now.
    wake: i64,
}

impl Node {
    fn new(status: &str, defer: Option<i64>, wake: i64, held: bool) -> Self {
        let over = matches!(status, "closed" | "tombstone");
        let own = match () {
            () if over => 0,
            () if held => NEVER,
            () => defer.unwrap_or(0).max(0),
        };
        Self { over, put_off: status == "deferred", own, wake }
    }

    /// Returns the time that its children get from it if its own wake time is `wake`.
    fn passes_on(&self, wake: i64) -> i64 {
        match () {
            () if self.over => 0,
            () if self.put_off => NEVER,
            () => wake,
        }
    }
}

impl View<'_> {
    fn node(&self, id: &str) -> LedgerResult<Option<Node>> {
        let sql = "SELECT status, defer_ns, wake_ns FROM beads WHERE id = ?1";
        let row = self.one(sql, [id], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))?;
        let Some((status, defer, wake)) = row else { return Ok(None) };
        Ok(Some(Node::new(&status, defer, wake, self.is_held_directly(id)?)))
    }

    /// Whether any bead depends on this one, or has it as its parent.
    pub(super) fn is_referred_to(&self, id: &BeadId) -> LedgerResult<bool> {
        let sql = "SELECT 1 FROM dependencies WHERE depends_on_id = ?1 LIMIT 1";
        Ok(self.one(sql, [id.as_str()], |_| Ok(()))?.is_some())
    }

    fn is_held_directly(&self, id: &str) -> LedgerResult<bool> {
        let sql = concat!("SELECT 1 ", held_directly!(), " AND d.issue_id = ?1 LIMIT 1");
        Ok(self.one(sql, [id], |_| Ok(()))?.is_some())
    }

    /// Returns all beads that are held back directly. `open` contains the ids of all beads that are neither closed nor deleted,
    /// so that a plain blocker's status needs no query for each edge.
    fn held_directly(&self, open: &HashSet<&str>) -> LedgerResult<HashSet<String>> {
        let sql = concat!("SELECT DISTINCT d.issue_id ", held_directly!(), " AND d.holds > 1");
        let mut held: HashSet<String> = self.all(sql, [], |row| row.get(0))?.into_iter().collect();
        let sql = "SELECT issue_id, depends_on_id FROM dependencies WHERE holds = 1";
        let mut edges = self.connection.prepare_cached(sql)?;
        let mut edges = edges.query([])?;
        while let Some(edge) = edges.next()? {
            let text = |at| edge.get_ref(at)?.as_str().map_err(damaged);
            let (id, blocker) = (text(0)?, text(1)?);
            if open.contains(blocker) && open.contains(id) {
                held.insert(id.to_owned());
            }
        }
        Ok(held)
    }

    fn parents(&self, id: &str) -> LedgerResult<Vec<String>> {
        let sql = "SELECT depends_on_id FROM dependencies WHERE issue_id = ?1 AND holds = 5";
        self.all(sql, [id], |row| row.get(0))
    }

    fn children(&self, id: &str) -> LedgerResult<Vec<String>> {
        let sql = "SELECT issue_id FROM dependencies WHERE depends_on_id = ?1 AND holds = 5";
        self.all(sql, [id], |row| row.get(0))
    }

    /// Returns the beads that `id` holds back, and those that wait for the children of its parents.
    fn held_by(&self, id: &str) -> LedgerResult<Vec<String>> {
        self.all(
            "SELECT issue_id FROM dependencies WHERE depends_on_id = ?1 AND holds IN (1, 2, 3, 4)
             UNION
             SELECT w.issue_id FROM dependencies p JOIN dependencies w ON w.depends_on_id = p.depends_on_id
             WHERE p.issue_id = ?1 AND p.holds = 5 AND w.holds IN (3, 4)",
            [id],
            |row| row.get(0),
        )
    }
}

impl Tx<'_> {
    /// Updates the times that follow from the change of a bead from `before` (if it existed) to `after`. The ledger already
    /// contains both the bead and its edges in the new state.
    pub(super) fn mend(&self, before: Option<&Bead>, after: &Bead) -> LedgerResult<()> {
        if before.is_none() && stands_alone(after) && !self.is_referred_to(&after.id)? {
            return Ok(());
        }
        let edges = |bead: &Bead| -> Vec<(i64, BeadId)> {
            bead.dependencies.iter().map(|dep| (holds(dep), dep.depends_on_id.clone())).filter(|e| e.0 > 0).collect()
        };
        let state = |bead: &Bead| {
            let reason = (bead.status == Status::Closed).then(|| bead.close_reason.clone());
            (is_over(&bead.status), bead.status == Status::Tombstone, bead.status == Status::Deferred, reason)
        };
        let same_state = before.is_some_and(|before| state(before) == state(after));
        let (had, has) = (before.map(edges).unwrap_or_default(), edges(after));
        let defer = |bead: &Bead| bead.defer_until.as_ref().map(nanoseconds);
        let id = after.id.as_str();
        let mut seeds = Vec::new();
        if !same_state || had != has || before.is_some_and(|before| defer(before) != defer(after)) || before.is_none() {
            seeds.push(id.to_owned());
        }
        if !same_state {
            seeds.extend(self.held_by(id)?);
            // The value that a parent passes on can change although its own time stays the same.
            seeds.extend(self.children(id)?);
        }
        // Beads that wait for the children of this parent now wait for one more or one fewer.
        for (_, parent) in
            had.iter().chain(&has).filter(|edge| edge.0 == PARENT && had.contains(edge) != has.contains(edge))
        {
            let sql = "SELECT issue_id FROM dependencies WHERE depends_on_id = ?1 AND holds IN (3, 4)";
            seeds.extend(self.all(sql, [parent.as_str()], |row| row.get::<_, String>(0))?);
        }
        let mut done = HashSet::new();
        for seed in seeds {
            if done.insert(seed.clone()) {
                self.mend_from(&seed)?;
            }
        }
        Ok(())
    }

    /// Updates the time of one bead and, if it changed, of all its descendants.
    fn mend_from(&self, id: &str) -> LedgerResult<()> {
        let Some(node) = self.node(id)? else { return Ok(()) };
        let mut wake = node.own;
        if !node.over {
            for parent in self.parents(id)? {
                wake = wake.max(self.node(&parent)?.map_or(0, |parent| parent.passes_on(parent.wake)));
            }
        }
        let as_it_was = wake == node.wake && (wake == node.own || self.is_supported(id, wake)?);
        if as_it_was { Ok(()) } else { self.mend_below(id) }
    }

    /// Whether a time that a bead inherits comes from an ancestor's own time. In a cycle of parents, beads could otherwise keep
    /// passing an old time around.
    fn is_supported(&self, id: &str, wake: i64) -> LedgerResult<bool> {
        let mut seen = HashSet::from([id.to_owned()]);
        let mut next = self.parents(id)?;
        while let Some(at) = next.pop() {
            let Some(node) = self.node(&at)? else { continue };
            if node.passes_on(node.wake) != wake || !seen.insert(at.clone()) {
                continue;
            }
            if node.own == wake || node.put_off {
                return Ok(true);
            }
            next.extend(self.parents(&at)?);
        }
        Ok(false)
    }

    /// Recomputes the times of a bead and of all its descendants.
    fn mend_below(&self, top: &str) -> LedgerResult<()> {
        let mut tree = Tree::default();
        let mut next = vec![top.to_owned()];
        while let Some(id) = next.pop() {
            if tree.places.contains_key(&id) {
                continue;
            }
            if tree.nodes.len() == BELOW_LIMIT {
                return self.mend_all();
            }
            let Some(node) = self.node(&id)? else { continue };
            next.extend(self.children(&id)?);
            tree.add(id, node);
        }
        for (id, at) in tree.places.clone() {
            for parent in self.parents(&id)? {
                match tree.places.get(&parent) {
                    Some(parent) => tree.children[*parent].push(at),
                    None if tree.nodes[at].over => {}
                    None => {
                        let passed = self.node(&parent)?.map_or(0, |parent| parent.passes_on(parent.wake));
                        tree.nodes[at].own = tree.nodes[at].own.max(passed);
                    }
                }
            }
        }
        self.store(&tree)
    }

    /// Recomputes the times of all beads.
    pub(super) fn mend_all(&self) -> LedgerResult<()> {
        self.execute("UPDATE beads SET wake_ns = 0 WHERE status IN ('closed', 'tombstone') AND wake_ns != 0", [])?;
        let sql = "SELECT id, status, defer_ns, wake_ns FROM beads WHERE status NOT IN ('closed', 'tombstone')";
        let open: Vec<(String, String, Option<i64>, i64)> =
            self.all(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        let held = self.held_directly(&open.iter().map(|bead| bead.0.as_str()).collect())?;
        let mut tree = Tree::default();
        for (id, status, defer, wake) in open {
            let node = Node::new(&status, defer, wake, held.contains(&id));
            tree.add(id, node);
        }
        let sql = "SELECT issue_id, depends_on_id FROM dependencies WHERE holds = 5";
        for (child, parent) in self.all(sql, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))? {
            if let (Some(child), Some(parent)) = (tree.places.get(&child), tree.places.get(&parent)) {
                tree.children[*parent].push(*child);
            }
        }
        self.store(&tree)
    }

    fn store(&self, tree: &Tree) -> LedgerResult<()> {
        let times = tree.times();
        for (id, at) in &tree.places {
            if times[*at] != tree.nodes[*at].wake {
                self.execute("UPDATE beads SET wake_ns = ?2 WHERE id = ?1", (id, times[*at]))?;
            }
        }
        Ok(())
    }
}

/// Part of the graph of parents and children. It contains all children of each of its beads.
#[derive(Default)]
struct Tree {
    places: HashMap<String, usize>,
    nodes: Vec<Node>,
    children: Vec<Vec<usize>>,
}

impl Tree {
    fn add(&mut self, id: String, node: Node) {
        self.places.insert(id, self.nodes.len());
        self.nodes.push(node);
        self.children.push(Vec::new());
    }

    /// Returns the time of every bead. Settles the latest times first, so that each bead is settled once, even in cycles.
    fn times(&self) -> Vec<i64> {
        let mut times: Vec<i64> = self.nodes.iter().map(|node| node.own).collect();
        let mut heap: BinaryHeap<(i64, usize)> =
            self.nodes.iter().enumerate().map(|(at, node)| (node.passes_on(node.own), at)).collect();
        let mut settled = vec![false; self.nodes.len()];
        while let Some((passed, at)) = heap.pop() {
            if std::mem::replace(&mut settled[at], true) {
                continue;
            }
            for child in &self.children[at] {
                let node = &self.nodes[*child];
                if !node.over && passed > times[*child] {
                    times[*child] = passed;
                    heap.push((node.passes_on(passed), *child));
                }
            }
        }
        times
    }
}
