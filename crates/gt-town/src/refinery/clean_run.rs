//! Clean runs: landed work that was tested with kept caches is tested again without them. This finds caches that make failing
//! code pass.

use gt_ledger::{CleanRun, WarmLandings};
use gt_model::clean::{Unconfirmed, is_due};
use gt_model::condition::ConditionKind;
use gt_model::id::Sha;
use gt_world::Held;

use crate::refinery;
use crate::rigs::gates::{self, GatesRun, Subject, Tested};
use crate::town::error::{Error, Result};
use crate::town::person;
use crate::town::{Caller, Rig, Town};

/// Target of a clean run.
struct Goal {
    /// The last landing that it includes; 0 if there is none.
    landing: i64,
    commit: Sha,
    tree: Sha,
}

/// Tests the last landing without caches if that is due.
pub(crate) fn if_due(town: &Town, rig: &Rig, turn: &Held, actor: &str, work_waits: bool) -> Result<()> {
    let warm = warm_landings(town, rig)?;
    let Some(last) = warm.last.filter(|_| !rig.settings.gate.is_empty()) else { return Ok(()) };
    if !is_due(rig.settings.clean_every, &unconfirmed(town, rig, &warm)?, work_waits) {
        return Ok(());
    }
    let landing = town.ledger.read(|view| view.landing(last).map_err(Error::from))?;
    let Some(landing) = landing else { return Ok(()) };
    let goal = Goal { landing: landing.id, commit: landing.tip, tree: landing.tree };
    run(town, rig, turn, actor, &goal).map(|_| ())
}

/// Tests the trunk, as last fetched, without caches at once.
pub fn by_hand(town: &Town, caller: &Caller, rig: &Rig) -> Result<GatesRun> {
    person::require_or(caller, "runs patrols", refinery::PATROLS)?;
    if rig.settings.gate.is_empty() {
        let hint = format!("gt rig gates add {} <name> \"<command>\"", rig.name());
        return Err(Error::refused(format!("the rig {} has no gate", rig.name()), hint));
    }
    let turn = town.lock(&rig.gates_lane())?;
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let trunk = repo.refs(&path)?.remove(&rig.trunk_ref());
    let commit = trunk.ok_or_else(|| Error::Unknown { what: "branch", name: rig.row.trunk.clone() })?;
    let landing = warm_landings(town, rig)?.last.unwrap_or_default();
    let goal = Goal { landing, tree: repo.tree_of(&path, &commit)?, commit };
    run(town, rig, &turn, &caller.name(), &goal)
}

fn warm_landings(town: &Town, rig: &Rig) -> Result<WarmLandings> {
    town.ledger.read(|view| {
        let after = view.last_clean_run(rig.name())?.map_or(0, |run| run.landing);
        Ok(view.warm_landings(rig.name(), after)?)
    })
}

fn unconfirmed(town: &Town, rig: &Rig, warm: &WarmLandings) -> Result<Unconfirmed> {
    let red =
        town.ledger.read(|view| view.condition(ConditionKind::CleanRed, rig.name().as_str()).map_err(Error::from))?;
    let now = town.world().clock().now();
    let age = warm.first_at.and_then(|first| now.duration_since(first).try_into().ok()).unwrap_or_default();
    Ok(Unconfirmed { landings: warm.count, age, last_was_red: red.is_some() })
}

fn run(town: &Town, rig: &Rig, turn: &Held, actor: &str, goal: &Goal) -> Result<GatesRun> {
    let label = format!("clean-{}", goal.commit.short());
    let subject = Subject { commit: &goal.commit, tree: &goal.tree, label: &label, clean: true, batch: &[] };
    let run = match gates::test(town, rig, turn, &subject)? {
        Tested::Run(run) => run,
        Tested::Missing(why) => {
            return Err(Error::refused(format!("no clean run of {}: {why}", goal.commit.short()), "gt rig fetch"));
        }
    };
    let verdict = run.verdict();
    town.ledger.write(actor, "clean run", |tx| {
        let before = tx.last_green_clean_run(rig.name())?;
        tx.set_verdict(rig.name(), &goal.tree, &rig.settings.gates_hash(), &verdict)?;
        tx.add_clean_run(rig.name(), goal.landing, &goal.commit, &goal.tree, &verdict)?;
        tx.clear(ConditionKind::CleanRed, rig.name().as_str())?;
        if let Some(failure) = &verdict.failure {
            tx.raise(
                ConditionKind::CleanRed,
                rig.name().as_str(),
                &difference(goal, before.as_ref(), failure, &verdict.log),
            )?;
        }
        Ok::<_, Error>(())
    })?;
    Ok(run)
}

/// Describes which tree fails without caches and which one passed.
fn difference(goal: &Goal, before: Option<&CleanRun>, failure: &str, log: &str) -> String {
    let first = failure.lines().next().unwrap_or_default();
    let since = before.map_or("no clean run was green before".to_owned(), |run| {
        format!("the last clean run that was green was of commit {}, tree {}", run.commit.short(), run.tree)
    });
    let said = if goal.landing == 0 { "is red" } else { "landed as green with kept caches, and is red" };
    format!(
        "commit {}, tree {}, {said} in a clean worktree: {first} (full output: {log}); {since}",
        goal.commit.short(),
        goal.tree
    )
}
