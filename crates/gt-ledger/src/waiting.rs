//! Finds cycles of beads that wait for each other. Nothing in such a cycle could ever begin or end.
//!
//! Others can wait for three points in the life of a bead. It begins once the beads that it waits for are closed and its parents
//! have begun. Its children are done once all of them are closed. It can be closed once it has begun and its children are done.
//! By the last rule, a child that waits for its own ancestor is in a cycle: the ancestor can't be closed before the child.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use gt_model::bead::DepType;
use gt_model::id::BeadId;

use super::{LedgerResult, View};

/// A point in the life of a bead that others may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Point {
    /// The bead can be worked on.
    Begun,
    /// All of the bead's children are closed.
    ChildrenDone,
    /// The bead is closed.
    Closed,
}

/// Whether a dependency of this kind holds work back.
pub fn holds_back(kind: &DepType) -> bool {
    Point::awaited_by(kind).is_some()
}

impl Point {
    /// Returns the point of the other bead that a dependency waits for; `None` if the dependency only informs.
    fn awaited_by(kind: &DepType) -> Option<Self> {
        match kind {
            DepType::ParentChild => Some(Self::Begun),
            DepType::WaitsFor => Some(Self::ChildrenDone),
            DepType::Blocks | DepType::MergeBlocks | DepType::ConditionalBlocks => Some(Self::Closed),
            _ => None,
        }
    }

    fn place(self, bead: usize) -> usize {
        POINTS * bead + self as usize
    }
}

/// Number of points in the life of a bead.
const POINTS: usize = 3;

type At = (BeadId, Point);

impl View<'_> {
    /// Returns the cycle that a new dependency of `from` on `to` would close: its beads, starting with `to` and ending with
    /// `from`. `None` if it closes none.
    pub fn way_round(&self, from: &BeadId, to: &BeadId, kind: &DepType) -> LedgerResult<Option<Vec<BeadId>>> {
        let Some(awaited) = Point::awaited_by(kind) else { return Ok(None) };
        let way = self.way((to.clone(), awaited), &(from.clone(), Point::Begun))?;
        if way.is_some() || *kind != DepType::ParentChild {
            return Ok(way);
        }
        // The parent waits for its new child as well.
        self.way((from.clone(), Point::Closed), &(to.clone(), Point::ChildrenDone))
    }

    /// Returns the cycle that a new child of `parent` would close if it waits for `to`; `None` if it closes none.
    pub fn way_round_of_child(
        &self,
        parent: &BeadId,
        to: &BeadId,
        kind: &DepType,
    ) -> LedgerResult<Option<Vec<BeadId>>> {
        let Some(awaited) = Point::awaited_by(kind) else { return Ok(None) };
        self.way((to.clone(), awaited), &(parent.clone(), Point::ChildrenDone))
    }

    /// Returns the beads on a shortest path from one point to another, along what each point waits for.
    fn way(&self, from: At, to: &At) -> LedgerResult<Option<Vec<BeadId>>> {
        let mut came_from: HashMap<At, Option<At>> = HashMap::from([(from.clone(), None)]);
        let mut next = VecDeque::from([from]);
        while let Some(at) = next.pop_front() {
            if &at == to {
                return Ok(Some(way_back(&came_from, at)));
            }
            for target in self.waits_for(&at)? {
                if !came_from.contains_key(&target) {
                    came_from.insert(target.clone(), Some(at.clone()));
                    next.push_back(target);
                }
            }
        }
        Ok(None)
    }

    /// Returns the points that must come before a point.
    fn waits_for(&self, (id, point): &At) -> LedgerResult<Vec<At>> {
        match point {
            Point::Closed => Ok(vec![(id.clone(), Point::Begun), (id.clone(), Point::ChildrenDone)]),
            Point::ChildrenDone => Ok(self.children_of(id)?.into_iter().map(|child| (child, Point::Closed)).collect()),
            Point::Begun => {
                let sql =
                    "SELECT depends_on_id, type FROM dependencies WHERE issue_id = ?1 AND holds > 0 ORDER BY position";
                let rows =
                    self.all(sql, [id.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
                let point = |(to, kind): (String, String)| {
                    Some((BeadId(to), Point::awaited_by(&DepType::from(kind.as_str()))?))
                };
                Ok(rows.into_iter().filter_map(point).collect())
            }
        }
    }

    /// Returns the cycles of waiting beads, each starting with the bead whose id comes first. Of beads that are connected by
    /// several cycles, it returns one shortest cycle.
    pub fn cycles(&self) -> LedgerResult<Vec<Vec<BeadId>>> {
        let sql = "SELECT issue_id, depends_on_id, type FROM dependencies WHERE holds > 0 ORDER BY 1, position";
        let text = |row: &rusqlite::Row<'_>, at| row.get::<_, String>(at);
        let edges = self.all(sql, [], |row| Ok((text(row, 0)?, text(row, 1)?, text(row, 2)?)))?;
        let mut ids: Vec<&String> = edges.iter().flat_map(|(from, to, _)| [from, to]).collect();
        ids.sort();
        ids.dedup();
        let places: HashMap<&String, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let mut targets = vec![Vec::new(); POINTS * ids.len()];
        for bead in 0..ids.len() {
            targets[Point::Closed.place(bead)] = vec![Point::Begun.place(bead), Point::ChildrenDone.place(bead)];
        }
        for (from, to, kind) in &edges {
            let (from, to, kind) = (places[from], places[to], DepType::from(kind.as_str()));
            let Some(awaited) = Point::awaited_by(&kind) else { continue };
            targets[Point::Begun.place(from)].push(awaited.place(to));
            if kind == DepType::ParentChild {
                targets[Point::ChildrenDone.place(to)].push(Point::Closed.place(from));
            }
        }
        let ways = components(&targets).into_iter().filter_map(|part| shortest_cycle(&targets, &part));
        // Parents in a cycle are found twice: none of them can begin, and none can be closed.
        let ways: BTreeSet<Vec<usize>> = ways.map(|way| beads_of(&way)).collect();
        Ok(ways.into_iter().map(|way| way.into_iter().map(|at| BeadId(ids[at].clone())).collect()).collect())
    }
}

fn way_back(came_from: &HashMap<At, Option<At>>, end: At) -> Vec<BeadId> {
    let mut way = vec![end];
    while let Some(Some(before)) = way.last().and_then(|at| came_from.get(at)) {
        way.push(before.clone());
    }
    way.reverse();
    let mut beads: Vec<BeadId> = way.into_iter().map(|(id, _)| id).collect();
    beads.dedup();
    beads
}

/// Returns the beads of a cycle of points: each one once if it occurs several times in a row, starting with the first bead.
fn beads_of(way: &[usize]) -> Vec<usize> {
    let mut beads: Vec<usize> = way.iter().map(|place| place / POINTS).collect();
    beads.dedup();
    while beads.len() > 1 && beads.first() == beads.last() {
        beads.pop();
    }
    let first = beads.iter().enumerate().min_by_key(|(_, bead)| **bead).map_or(0, |(at, _)| at);
    beads.rotate_left(first);
    beads
}

/// Returns the strongly connected components of a graph (Tarjan, 1972). Keeps its own stack, because chains may be deeper than
/// the call stack allows.
fn components(targets: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let (mut index, mut low) = (vec![UNSEEN; targets.len()], vec![0; targets.len()]);
    let (mut open, mut is_open, mut parts, mut count) = (Vec::new(), vec![false; targets.len()], Vec::new(), 0);
    for start in 0..targets.len() {
        if index[start] != UNSEEN {
            continue;
        }
        // Each entry: a node, and how many of its targets were visited.
        let mut calls = vec![(start, 0)];
        while let Some((node, looked)) = calls.pop() {
            if looked == 0 {
                (index[node], low[node]) = (count, count);
                count += 1;
                open.push(node);
                is_open[node] = true;
            } else {
                low[node] = low[node].min(low[targets[node][looked - 1]]);
            }
            let rest = targets[node].iter().enumerate().skip(looked);
            let mut into = None;
            for (at, target) in rest {
                if index[*target] == UNSEEN {
                    into = Some((at, *target));
                    break;
                }
                if is_open[*target] {
                    low[node] = low[node].min(index[*target]);
                }
            }
            if let Some((at, target)) = into {
                calls.push((node, at + 1));
                calls.push((target, 0));
            } else if low[node] == index[node] {
                let from = open.iter().rposition(|other| *other == node).unwrap_or(0);
                let part = open.split_off(from);
                part.iter().for_each(|node| is_open[*node] = false);
                parts.push(part);
            }
        }
    }
    parts
}

/// Returns a shortest cycle through the first node of a component; `None` if that is a single node without an edge to itself.
fn shortest_cycle(targets: &[Vec<usize>], part: &[usize]) -> Option<Vec<usize>> {
    let start = *part.iter().min()?;
    let inside: HashSet<usize> = part.iter().copied().collect();
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(node) = next.pop_front() {
        for target in targets[node].iter().filter(|target| inside.contains(target)) {
            if *target == start {
                let mut cycle = vec![node];
                while let Some(before) = came_from.get(cycle.last()?) {
                    cycle.push(*before);
                }
                cycle.reverse();
                return Some(cycle);
            }
            if !came_from.contains_key(target) {
                came_from.insert(*target, node);
                next.push_back(*target);
            }
        }
    }
    None
}
