//! Restores the git settings that workers need: the settings and hooks of a rig's repository, which all its worktrees share and
//! any tool can change, and the settings of each worktree.

use std::collections::BTreeMap;

use gt_model::address::Address;
use gt_world::{Damage, NodeKind};
use serde::Serialize;

use crate::effects;
use crate::rigs::rig::link_formulas;
use crate::rigs::workspaces;
use crate::town::error::{Error, Result};
use crate::town::person;
use crate::town::{Caller, Rig, Town};

/// Fingerprint of each rig's repository when it was last found intact.
#[derive(Debug, Default)]
pub struct Signs(BTreeMap<String, String>);

/// Repairs a rig's repository if its files have changed since the last patrol. Otherwise reads only a few files. A repository
/// that is in use waits for the next patrol.
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

/// Result of a repair that a person asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Mended {
    /// Name of the rig.
    pub rig: String,
    /// Description of the damage and the repair.
    pub what: String,
}

/// Repairs the repositories of all rigs, and removes what agents or tools placed beside the project's objects and refs.
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
        if formulas_damage(town, &rig)?.is_some() {
            link_formulas(town.world().disk(), &rig.layout)?;
            all.push(Mended { rig: rig.name().to_string(), what: "the link to the town's formulas".to_owned() });
        }
    }
    Ok(all)
}

/// Returns what is wrong with the rig's folder of formulas. It is a link to the town's, or a folder or link that a person put there.
pub fn formulas_damage(town: &Town, rig: &Rig) -> Result<Option<&'static str>> {
    let (disk, path) = (town.world().disk(), rig.layout.formulas());
    Ok(match disk.kind(&path)? {
        None => Some("its link to the town's formulas is missing"),
        Some(NodeKind::File) => Some("a file is in place of its link to the town's formulas"),
        Some(NodeKind::Link) if disk.real_path(&path).is_err() => Some("its link to formulas leads nowhere"),
        Some(NodeKind::Link | NodeKind::Folder) => None,
    })
}

/// Describes a damage.
pub fn words(damage: &Damage) -> String {
    format!("{}: {}", damage.what, damage.found)
}

/// Records the repairs, which explain earlier failures.
fn note(town: &Town, actor: &str, rig: &Rig, mended: &[Damage]) -> Result<()> {
    if mended.is_empty() {
        return Ok(());
    }
    let what = serde_json::json!(mended.iter().map(words).collect::<Vec<_>>());
    town.ledger.write(actor, "patrol", |tx| {
        tx.event("repository-mended", rig.name().as_str(), None, None, Some(&what)).map_err(Error::from)
    })
}

/// Restores the settings of worktrees in use, if an older gt made the worktree or a tool damaged the settings.
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
