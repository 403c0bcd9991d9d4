//! What was done about something that an incarnation's moments showed.

use std::collections::BTreeSet;

use gt_model::id::IncarnationId;

use super::{LedgerResult, Tx, View};

/// Before the reason why the end of an incarnation counts against nobody.
const SPARED: &str = "spared:";

/// What was reacted to in one incarnation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reactions(BTreeSet<String>);

impl Reactions {
    /// Whether this was reacted to.
    pub fn has(&self, fact: &str) -> bool {
        self.0.contains(fact)
    }

    /// What was reacted to whose name begins so.
    pub fn starting<'a>(&'a self, with: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(String::as_str).filter(move |fact| fact.starts_with(with))
    }

    /// Why the incarnation's end counts against nobody, where it does not.
    pub fn spared(&self) -> Option<&str> {
        self.0.iter().find_map(|fact| fact.strip_prefix(SPARED))
    }
}

impl View<'_> {
    /// What was reacted to in an incarnation.
    pub fn reactions(&self, incarnation: &IncarnationId) -> LedgerResult<Reactions> {
        let sql = "SELECT fact FROM reactions WHERE incarnation = ?1";
        Ok(Reactions(self.all(sql, [incarnation.as_str()], |row| row.get(0))?.into_iter().collect()))
    }
}

impl Tx<'_> {
    /// Says that something was reacted to. True when that is news: the one time to do it.
    pub fn react(&self, incarnation: &IncarnationId, fact: &str) -> LedgerResult<bool> {
        let now = self.now().to_string();
        let row = (incarnation.as_str(), fact, now);
        Ok(self.execute("INSERT OR IGNORE INTO reactions (incarnation, fact, at) VALUES (?1, ?2, ?3)", row)? == 1)
    }

    /// Says that an incarnation's end, whenever it comes, counts against nobody.
    pub fn spare(&self, incarnation: &IncarnationId, why: &str) -> LedgerResult<()> {
        self.react(incarnation, &format!("{SPARED}{why}")).map(|_| ())
    }
}
