//! Records the town's reactions to facts that an incarnation's hook calls showed.

use std::collections::BTreeSet;

use gt_model::id::IncarnationId;

use super::{LedgerResult, Tx, View};

/// Prefix of the fact that says why the end of an incarnation is not counted as a failure.
const SPARED: &str = "spared:";

/// Facts of one incarnation that the town has reacted to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reactions(BTreeSet<String>);

impl Reactions {
    /// Whether the town has reacted to this fact.
    pub fn has(&self, fact: &str) -> bool {
        self.0.contains(fact)
    }

    /// Returns the facts reacted to whose names start with `with`.
    pub fn starting<'a>(&'a self, with: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(String::as_str).filter(move |fact| fact.starts_with(with))
    }

    /// Returns why the incarnation's end is not counted as a failure, if it is not.
    pub fn spared(&self) -> Option<&str> {
        self.0.iter().find_map(|fact| fact.strip_prefix(SPARED))
    }
}

impl View<'_> {
    /// Returns the facts of an incarnation that the town has reacted to.
    pub fn reactions(&self, incarnation: &IncarnationId) -> LedgerResult<Reactions> {
        let sql = "SELECT fact FROM reactions WHERE incarnation = ?1";
        Ok(Reactions(self.all(sql, [incarnation.as_str()], |row| row.get(0))?.into_iter().collect()))
    }
}

impl Tx<'_> {
    /// Records a reaction to a fact. Returns true if it is the first one; only then should the caller react.
    pub fn react(&self, incarnation: &IncarnationId, fact: &str) -> LedgerResult<bool> {
        let now = self.now().to_string();
        let row = (incarnation.as_str(), fact, now);
        Ok(self.execute("INSERT OR IGNORE INTO reactions (incarnation, fact, at) VALUES (?1, ?2, ?3)", row)? == 1)
    }

    /// Records that the end of an incarnation, whenever it comes, is not counted as a failure.
    pub fn spare(&self, incarnation: &IncarnationId, why: &str) -> LedgerResult<()> {
        self.react(incarnation, &format!("{SPARED}{why}")).map(|_| ())
    }
}
