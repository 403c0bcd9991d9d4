//! Trees of dependencies.

use std::collections::HashSet;

use gt_model::bead::{DepType, Status};
use gt_model::id::BeadId;
use serde::Serialize;

use super::{LedgerResult, View};

/// Direction that a tree follows along edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a bead to the beads that it depends on.
    Down,
    /// From a bead to the beads that depend on it.
    Up,
}

/// A bead in a tree. Trees list each bead before its branches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TreeNode {
    /// Id of the bead.
    pub id: BeadId,
    /// Title; empty if the bead does not exist.
    pub title: String,
    /// Status; `None` if the bead does not exist.
    pub status: Option<Status>,
    /// Priority; `None` if the bead does not exist.
    pub priority: Option<i64>,
    /// Number of edges between it and the top.
    pub depth: usize,
    /// Bead that this node is a branch of, and the kind of the edge; `None` for the top.
    pub parent: Option<(BeadId, DepType)>,
    /// Whether the bead occurs earlier in the tree, where its branches are listed.
    pub again: bool,
    /// Whether its branches are left out because it is too deep or the tree is too large.
    pub cut: bool,
}

/// A bead that is still to be listed, its parent in the tree, and its depth.
type Branch = (BeadId, Option<(BeadId, DepType)>, usize);

/// Maximum number of beads in a tree: more than a person would read.
const TREE_LIMIT: usize = 10_000;

impl View<'_> {
    /// Returns the tree of the beads that `top` depends on, or that depend on `top`, at most `max_depth` edges deep. Lists each
    /// bead's branches only once, so neither cycles nor shared parents make the tree endless.
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

    /// Returns the beads at the other ends of a bead's edges.
    fn edges(&self, id: &BeadId, direction: Direction) -> LedgerResult<Vec<(BeadId, DepType)>> {
        let sql = match direction {
            Direction::Down => "SELECT depends_on_id, type FROM dependencies WHERE issue_id = ?1 ORDER BY position",
            Direction::Up => "SELECT issue_id, type FROM dependencies WHERE depends_on_id = ?1 ORDER BY issue_id, type",
        };
        self.all(sql, [id.as_str()], |row| Ok((BeadId(row.get(0)?), DepType::from(row.get::<_, String>(1)?.as_str()))))
    }
}
