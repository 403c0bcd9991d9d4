//! Keeps what workers' git needs as the town made it: the settings and hooks of a rig's repository, which all its
//! worktrees share and any tool may write, and the own settings of each worktree.

use std::collections::BTreeMap;

use gt_model::address::Address;
use gt_world::Damage;
use serde::Serialize;

use crate::effects;
use crate::rigs::workspaces;
use crate::town::error::{Error, Result};
use crate::town::person;
use crate::town::{Caller, Rig, Town};

/// How each rig's repository looked when it was last found sound.
#[derive(Debug, Default)]
pub struct Signs(BTreeMap<String, String>);

/// Mends a rig's repository if its files have changed since the last look. Costs a look at a few files otherwise. A
/// repository that another process works in waits for the next patrol.
pub fn patrol(town: &Town, rig: &Rig, signs: &mut Signs) -> Result<()> {
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    if signs.0.get(rig.name().as_str()) == Some(&repo.sign(&path)) {
        return Ok(());
    }
    let Some(held) = town.try_lock(&rig.repo_lane())? else { return Ok(()) };
    let mended = repo.mend(&held, &path, &rig.row.remote, false)?;
    drop(held);
    settle_worktrees(town, rig)?;
    note(town, &Address::Deacon.to_string(), rig, &mended)?;
    signs.0.insert(rig.name().to_string(), repo.sign(&path));
    Ok(())
}

/// What a person's mending did.
#[derive(Clone, Debug, Serialize)]
pub struct Mended {
    /// In which rig.
    pub rig: String,
    /// What was mended, and how it was.
    pub what: String,
}

/// Mends the repositories of all rigs, with what agents or tools put beside the project's objects and refs.
pub fn fix(town: &Town, caller: &Caller) -> Result<Vec<Mended>> {
    person::require(caller, "mends the rigs' repositories")?;
    town.ledger.refuse_away()?;
    let mut all = Vec::new();
    for rig in town.rigs()? {
        let held = town.lock(&rig.repo_lane())?;
        let mended = town.world().repo().mend(&held, &rig.layout.repo(), &rig.row.remote, true)?;
        drop(held);
        settle_worktrees(town, &rig)?;
        note(town, &caller.name(), &rig, &mended)?;
        all.extend(mended.iter().map(|damage| Mended { rig: rig.name().to_string(), what: words(damage) }));
    }
    Ok(all)
}

/// A damage in words.
pub fn words(damage: &Damage) -> String {
    format!("{}: {}", damage.what, damage.found)
}

/// What was mended is on record: it explains what went wrong before.
fn note(town: &Town, actor: &str, rig: &Rig, mended: &[Damage]) -> Result<()> {
    if mended.is_empty() {
        return Ok(());
    }
    let what = serde_json::json!(mended.iter().map(words).collect::<Vec<_>>());
    town.ledger.write(actor, "patrol", |tx| {
        tx.event("repository-mended", rig.name().as_str(), None, None, Some(&what)).map_err(Error::from)
    })
}

/// Gives the worktrees in which work goes on their own settings, where an older gt made them or a tool damaged them.
fn settle_worktrees(town: &Town, rig: &Rig) -> Result<()> {
    let attempts = town.ledger.read(|view| view.live_attempts().map_err(Error::from))?;
    let of_rig = attempts.iter().filter(|attempt| &attempt.rig == rig.name() && attempt.base.is_some());
    let mut plans = of_rig.map(|attempt| effects::worktree_plan(rig, attempt)).collect::<Result<Vec<_>>>()?;
    for agent in town.ledger.read(|view| view.agents().map_err(Error::from))? {
        if agent.rig() == Some(rig.name()) {
            plans.extend(workspaces::workspace(town, &agent.address)?.map(|(_, plan)| plan));
        }
    }
    let held = town.lock(&rig.repo_lane())?;
    let settle = |plan| town.world().repo().settle_worktree(&held, &rig.layout.repo(), plan);
    plans.iter().try_for_each(settle).map_err(Error::from)
}
