//! What holds beads back, kept in `beads.wake_ns`: the time from which a bead may be worked on, as far as deferring,
//! blockers and parents go. Every operation that changes what it follows from mends it before it commits.
//!
//! A bead's own time is never while something holds it back directly, else the time until which it is deferred. Its time
//! is the latest of its own and its parents', at any depth; a parent that is put off without a time passes on never. What
//! is closed or deleted holds nobody back and has the time 0. Imported cycles of parents are harmless: the times are the
//! least that fulfil this.

use std::collections::{BinaryHeap, HashMap, HashSet};

use gt_model::bead::{Bead, DepType, Dependency, Status};
use gt_model::id::BeadId;
use serde_json::Value;

use super::beads::nanoseconds;
use super::{LedgerResult, Tx, View, damaged};

/// The time of a bead that waits for something else than time.
pub(super) const NEVER: i64 = i64::MAX;

/// Most beads below a changed one for which times are worked out one by one; for more, all are, which costs less.
const BELOW_LIMIT: usize = 1000;

/// How an edge holds back, as its column `holds` says.
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

/// The column `holds` of an edge to a parent.
const PARENT: i64 = 5;

/// Whether one closed child is enough for an edge that waits for children: its metadata (JSON in a string) says so.
fn waits_for_any(dependency: &Dependency) -> bool {
    let raw = dependency.rest.iter().find(|(key, _)| key == "metadata").map(|(_, raw)| raw.as_str());
    let text: Option<String> = raw.and_then(|raw| serde_json::from_str(raw).ok());
    let metadata: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());
    metadata.is_some_and(|metadata| metadata["gate"] == "any-children")
}

/// Whether a bead is done with, whatever came of it.
pub(super) fn is_over(status: &Status) -> bool {
    matches!(status, Status::Closed | Status::Tombstone)
}

/// Whether the bead `t` was closed as failed: its reason has one of the words that beads takes for that.
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

/// The beads `d.issue_id` that an edge of theirs holds back directly; parents do so in another way.
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

/// The beads that hold the bead `?1` back directly, with the kind of the edge. Parents only where they do.
pub(super) const BLOCKERS: &str = concat!(
    "SELECT t.id, t.title, t.status, d.type FROM dependencies d JOIN beads t ON t.id = d.depends_on_id
     WHERE d.issue_id = ?1 AND CASE d.holds
        WHEN 1 THEN t.status NOT IN ('closed', 'tombstone')
        WHEN 2 THEN t.status != 'tombstone' AND NOT coalesce(",
    failed!(),
    ", 0)
        WHEN 5 THEN t.status NOT IN ('closed', 'tombstone')
        ELSE 0 END
     UNION
     SELECT c.id, c.title, c.status, d.type FROM dependencies d
     JOIN dependencies k ON k.depends_on_id = d.depends_on_id AND k.holds = 5
     JOIN beads c ON c.id = k.issue_id
     WHERE d.issue_id = ?1 AND d.holds IN (3, 4) AND c.status NOT IN ('closed', 'tombstone')
     ORDER BY 1"
);

/// Whether a bead says nothing from which a time would follow but that of its row.
fn stands_alone(bead: &Bead) -> bool {
    bead.dependencies.is_empty() && bead.defer_until.is_none()
}

/// What a bead's time follows from, but for its parents.
#[derive(Clone, Debug)]
struct Node {
    over: bool,
    /// Put off without a time: its children wait for ever.
    put_off: bool,
    /// Its own time.
    own: i64,
    /// Its time as it stands.
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

    /// The time that its children get from it when its own is `wake`.
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

    /// Whether an edge leads to a bead.
    pub(super) fn is_referred_to(&self, id: &BeadId) -> LedgerResult<bool> {
        let sql = "SELECT 1 FROM dependencies WHERE depends_on_id = ?1 LIMIT 1";
        Ok(self.one(sql, [id.as_str()], |_| Ok(()))?.is_some())
    }

    fn is_held_directly(&self, id: &str) -> LedgerResult<bool> {
        let sql = concat!("SELECT 1 ", held_directly!(), " AND d.issue_id = ?1 LIMIT 1");
        Ok(self.one(sql, [id], |_| Ok(()))?.is_some())
    }

    /// All beads that are held back directly, of which `open` are the ids of those that are not over. Whether a plain blocker is
    /// one of those need not be looked up for each edge.
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

    /// Beads that `id` holds back, or that wait for its parents' children.
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
    /// Mends the times that follow from a bead that was `before` (if it was there) and is `after`, both in the ledger
    /// already.
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
            // What a parent passes on can change though its own time does not.
            seeds.extend(self.children(id)?);
        }
        // Who waits for the children of a parent waits for one more, or one less.
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

    /// Mends the time of one bead, and of all below it where it changes.
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

    /// Whether the time that a bead has from its parents comes from a bead's own, and not only from a cycle's.
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

    /// Works out the times of a bead and all below it anew.
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

    /// Works out the times of all beads.
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

/// A part of the forest of parents and children, closed downwards.
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

    /// Everybody's time. The latest times are settled first, so each bead is settled once, cycles or not.
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
