//! The graph of dependencies as a whole: cycles, and trees of what hangs on what.

use std::collections::{HashMap, HashSet};

use gt_model::bead::{DepType, Status};
use gt_model::id::BeadId;
use serde::Serialize;

use super::{LedgerResult, View};

/// Which way a tree grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What a bead depends on.
    Down,
    /// What depends on a bead.
    Up,
}

/// A bead in a tree, in the order of reading: each before what hangs on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TreeNode {
    /// Its id.
    pub id: BeadId,
    /// Its title; empty where it is not there.
    pub title: String,
    /// Its status; none where it is not there.
    pub status: Option<Status>,
    /// Its priority; none where it is not there.
    pub priority: Option<i64>,
    /// How many edges it is from the top.
    pub depth: usize,
    /// What it hangs on, and by what kind of edge; none for the top.
    pub parent: Option<(BeadId, DepType)>,
    /// Whether it is further up already, and what hangs on it is told there only.
    pub again: bool,
    /// Whether it was too deep, or too many came before it, to tell what hangs on it.
    pub cut: bool,
}

/// A bead that is to be told, what it hangs on, and how deep.
type Branch = (BeadId, Option<(BeadId, DepType)>, usize);

/// Most beads of a tree: more than anybody reads.
const TREE_LIMIT: usize = 10_000;

impl View<'_> {
    /// The tree of what `top` depends on, or what depends on it; at most `max_depth` edges deep. Each bead's branches are
    /// told once, so neither cycles nor shared parts make it endless.
    pub fn tree(&self, top: &BeadId, direction: Direction, max_depth: usize) -> LedgerResult<Vec<TreeNode>> {
        let mut nodes = Vec::new();
        let mut told = HashSet::new();
        let mut next: Vec<Branch> = vec![(top.clone(), None, 0)];
        while let Some((id, parent, depth)) = next.pop() {
            let again = !told.insert(id.clone());
            let cut = !again && (depth >= max_depth || nodes.len() >= TREE_LIMIT);
            if nodes.len() < TREE_LIMIT && !again && !cut {
                let edges = self.edges(&id, direction)?.into_iter().rev();
                next.extend(edges.map(|(other, kind)| (other, Some((id.clone(), kind)), depth + 1)));
            }
            nodes.push(self.tree_node(id, parent, depth, again, cut)?);
            if nodes.len() > TREE_LIMIT {
                break;
            }
        }
        Ok(nodes)
    }

    fn tree_node(
        &self,
        id: BeadId,
        parent: Option<(BeadId, DepType)>,
        depth: usize,
        again: bool,
        cut: bool,
    ) -> LedgerResult<TreeNode> {
        let sql = "SELECT title, status, priority FROM beads WHERE id = ?1";
        let found =
            self.one(sql, [id.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?)))?;
        let (title, status, priority) = match found {
            Some((title, status, priority)) => (title, Some(Status::from(status.as_str())), Some(priority)),
            None => (String::new(), None, None),
        };
        Ok(TreeNode { id, title, status, priority, depth, parent, again, cut })
    }

    /// The beads on the other ends of a bead's edges.
    fn edges(&self, id: &BeadId, direction: Direction) -> LedgerResult<Vec<(BeadId, DepType)>> {
        let sql = match direction {
            Direction::Down => "SELECT depends_on_id, type FROM dependencies WHERE issue_id = ?1 ORDER BY position",
            Direction::Up => "SELECT issue_id, type FROM dependencies WHERE depends_on_id = ?1 ORDER BY issue_id, type",
        };
        self.all(sql, [id.as_str()], |row| Ok((BeadId(row.get(0)?), DepType::from(row.get::<_, String>(1)?.as_str()))))
    }

    /// Cycles of edges that hold work back, each as its beads on the way round, beginning with the first by id. Of beads
    /// that hang together in several cycles one shortest cycle is told.
    pub fn cycles(&self) -> LedgerResult<Vec<Vec<BeadId>>> {
        let sql = "SELECT issue_id, depends_on_id FROM dependencies WHERE holds > 0 ORDER BY 1, position";
        let edges = self.all(sql, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let mut ids: Vec<&String> = edges.iter().flat_map(|(from, to)| [from, to]).collect();
        ids.sort();
        ids.dedup();
        let places: HashMap<&String, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let mut targets = vec![Vec::new(); ids.len()];
        for (from, to) in &edges {
            targets[places[from]].push(places[to]);
        }
        let cycles = components(&targets).into_iter().filter_map(|part| shortest_cycle(&targets, &part));
        let mut cycles: Vec<Vec<BeadId>> =
            cycles.map(|cycle| cycle.into_iter().map(|at| BeadId(ids[at].clone())).collect()).collect();
        cycles.sort();
        Ok(cycles)
    }
}

/// Strongly connected parts of a graph (Tarjan, 1972), with a stack of our own: chains may be longer than the machine's.
fn components(targets: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let (mut index, mut low) = (vec![UNSEEN; targets.len()], vec![0; targets.len()]);
    let (mut open, mut is_open, mut parts, mut count) = (Vec::new(), vec![false; targets.len()], Vec::new(), 0);
    for start in 0..targets.len() {
        if index[start] != UNSEEN {
            continue;
        }
        // Each entry: a node, and how many of its targets were looked at.
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

/// A shortest cycle through the first node of a part; none where the part is a single node without an edge to itself.
fn shortest_cycle(targets: &[Vec<usize>], part: &[usize]) -> Option<Vec<usize>> {
    let start = *part.iter().min()?;
    let inside: HashSet<usize> = part.iter().copied().collect();
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut next = std::collections::VecDeque::from([start]);
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
