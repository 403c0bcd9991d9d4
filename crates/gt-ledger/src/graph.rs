//! Trees of what hangs on what.

use std::collections::HashSet;

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
}
