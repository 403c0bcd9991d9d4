//! Sling: assigns beads to new workers. One transaction claims all of them or none.

use std::collections::BTreeMap;
use std::time::Duration;

use gt_ledger::{Attempt, AttemptMolecule, AttemptOutcome, NewAttempt, Tx};
use gt_model::address::Address;
use gt_model::bead::{Bead, BeadType, Status};
use gt_model::condition::ConditionKind;
use gt_model::effect::Effect;
use gt_model::formula::FormulaKind;
use gt_model::id::{BeadId, Sha};
use gt_model::merge::split_assignee;
use gt_model::protocol::Message;
use gt_model::runtime::RuntimeChoice;
use serde::Serialize;
use serde_json::json;

use crate::agents::launch;
use crate::agents::sessions;
use crate::agents::{self, Wish};
use crate::mail::post;
use crate::town::error::{Error, Result};
use crate::town::formula::Found;
use crate::town::{Caller, Rig, Town};
use crate::walls::worker_env;
use crate::work::beads::{self, NewBead};
use crate::work::convoy;

/// Names for polecats (workers). When all are taken, numbered ones follow.
const WORKER_NAMES: &[&str] = &[
    "amber", "birch", "cedar", "dune", "ember", "flint", "grove", "heath", "iris", "jade", "kelp", "larch", "maple",
    "nettle", "onyx", "pine", "quartz", "reed", "sage", "thorn", "umber", "vale", "willow", "yarrow", "zinnia",
];

/// Options of a sling.
#[derive(Clone, Debug, Default)]
pub struct SlingOptions {
    /// Convoy for the beads. By default each bead joins the open convoy that tracks it, or a new one for the batch.
    pub convoy: Option<BeadId>,
    /// Kind of agent to use.
    pub agent: Option<String>,
    /// Formula that the workers follow, instead of the rig's.
    pub formula: Option<String>,
    /// Runtime of the sessions, whatever rig and town say.
    pub runtime: Option<RuntimeChoice>,
    /// Earlier work to continue, instead of starting from the trunk.
    pub before: Option<Before>,
}

/// Result of a sling.
#[derive(Clone, Debug, Serialize)]
pub struct Slung {
    /// Attempts that were opened.
    pub attempts: Vec<Attempt>,
    /// Convoys that they belong to.
    pub convoys: Vec<BeadId>,
    /// Ids of the batches that were opened.
    pub swarms: Vec<i64>,
}

/// Facts that a new attempt needs beside the bead. They are read before the transaction, because no transaction should wait for a
/// file.
pub struct Crew {
    rig: Rig,
    agent: String,
    formula: Found,
    runtime: Option<RuntimeChoice>,
}

impl Crew {
    /// Finds the agent kind and formula for a rig's workers. By default both are as the settings say.
    pub fn of(town: &Town, rig: &Rig, agent: Option<&str>, formula: Option<&str>) -> Result<Self> {
        let kind = agent.or(rig.settings.agent.as_deref()).or(town.settings.agent.as_deref());
        let kind = kind.ok_or_else(|| Error::NeedsPerson {
            what: format!("no kind of agent is set for the rig {}", rig.name()),
            hint: format!(
                "set `agent = \"<kind>\"` in {} or in town.toml, with [agents.<kind>] command = […]",
                rig.layout.settings().display()
            ),
        })?;
        town.agent(kind)?;
        // An attempt that was restored from a snapshot may not know its formula.
        let formula = formula.filter(|name| !name.is_empty()).unwrap_or(&rig.settings.formula);
        let formula = town.formula(Some(rig), formula)?;
        Ok(Self { rig: rig.clone(), agent: kind.to_owned(), formula, runtime: None })
    }

    /// Finds what a sling's options say, and returns an error now for anything that would make the workers' start fail.
    fn chosen(town: &Town, rig: &Rig, options: &SlingOptions) -> Result<Self> {
        let crew = Self::of(town, rig, options.agent.as_deref(), options.formula.as_deref())?;
        crew.in_runtime(options.runtime).admitted(town)
    }

    /// Sets the runtime of the sessions, whatever rig and town say.
    #[must_use]
    pub fn in_runtime(self, runtime: Option<RuntimeChoice>) -> Self {
        Self { runtime, ..self }
    }

    /// Returns an error now for anything that would make the workers' start fail.
    fn admitted(self, town: &Town) -> Result<Self> {
        let preset = town.agent(&self.agent)?;
        let env = worker_env::environment(town, Some(&self.rig), Some(&preset), None);
        // If no runtime is available, the start reports it.
        if let Ok(runtime) = sessions::choose(town, Some(&self.rig), Some(&preset), self.runtime, &env) {
            let (mode, rig) = (launch::mode(&self.rig.settings), Some(&self.rig));
            agents::admit(town, &Wish { kind: &self.agent, preset: &preset, mode, runtime, rig })?;
        }
        Ok(self)
    }
}

/// Assigns beads to new polecats (workers) of a rig.
pub fn sling(town: &Town, caller: &Caller, beads: &[BeadId], rig: &Rig, options: &SlingOptions) -> Result<Slung> {
    sling_with(town, caller, beads, rig, options, |_| Ok(())).map(|(slung, ())| slung)
}

/// Slings beads, and makes a further change in the same operation.
pub(crate) fn sling_with<T>(
    town: &Town,
    caller: &Caller,
    beads: &[BeadId],
    rig: &Rig,
    options: &SlingOptions,
    also: impl FnOnce(&Tx<'_>) -> Result<T>,
) -> Result<(Slung, T)> {
    let crew = Crew::chosen(town, rig, options)?;
    let slung = town.ledger.write(&caller.name(), "sling", |tx| {
        let slung = sling_in(tx, caller, &crew, beads, options)?;
        Ok::<_, Error>((slung, also(tx)?))
    })?;
    town.wake();
    Ok(slung)
}

/// Creates beads and slings them, all or nothing.
pub fn make_and_sling(
    town: &Town,
    caller: &Caller,
    new: &[NewBead],
    rig: &Rig,
    options: &SlingOptions,
) -> Result<Slung> {
    let crew = Crew::chosen(town, rig, options)?;
    let slung = town.ledger.write(&caller.name(), "do", |tx| {
        let made = new.iter().map(|new| Ok(beads::create_in(tx, caller, new)?.id)).collect::<Result<Vec<_>>>()?;
        sling_in(tx, caller, &crew, &made, options)
    })?;
    town.wake();
    Ok(slung)
}

/// Slings beads inside an operation.
pub(crate) fn sling_in(
    tx: &Tx<'_>,
    caller: &Caller,
    crew: &Crew,
    beads: &[BeadId],
    options: &SlingOptions,
) -> Result<Slung> {
    refuse_held_rig(tx, &crew.rig)?;
    let claimed = claimable(tx, caller, beads)?;
    let mut slung = Slung { attempts: Vec::new(), convoys: Vec::new(), swarms: Vec::new() };
    for (convoy, members) in convoy::batches(tx, &claimed, options.convoy.as_ref())? {
        dispatch_batch(tx, caller, crew, &convoy, &members, options.before.as_ref(), &mut slung)?;
    }
    Ok(slung)
}

fn refuse_held_rig(tx: &Tx<'_>, rig: &Rig) -> Result<()> {
    match tx.condition(ConditionKind::RigHeld, rig.name().as_str())? {
        Some(condition) => Err(Error::refused(
            format!("the rig {} is held: {}", rig.name(), condition.text),
            format!("gt why {}", rig.name()),
        )),
        None => Ok(()),
    }
}

fn dispatch_batch(
    tx: &Tx<'_>,
    caller: &Caller,
    crew: &Crew,
    convoy: &BeadId,
    members: &[Bead],
    before: Option<&Before>,
    slung: &mut Slung,
) -> Result<()> {
    let ids: Vec<BeadId> = members.iter().map(|bead| bead.id.clone()).collect();
    let swarm = tx.open_swarm(convoy, crew.rig.name(), &ids)?;
    for bead in members {
        slung.attempts.push(hand_out(tx, crew, bead, Some(convoy), Some(swarm), before.cloned())?);
    }
    let message = Message::SwarmStart {
        swarm: swarm.to_string(),
        convoy: convoy.to_string(),
        beads: ids.iter().map(BeadId::as_str).collect::<Vec<_>>().join(" "),
        dispatched_by: caller.name(),
    };
    post::send_protocol(tx, Address::Mayor, vec![Address::Witness(crew.rig.name().clone())], &message, "")?;
    slung.convoys.push(convoy.clone());
    slung.swarms.push(swarm);
    Ok(())
}

/// Earlier work that an attempt continues.
#[derive(Clone, Debug)]
pub struct Before {
    /// Commit to continue from.
    pub head: Option<Sha>,
    /// Reason why it came back.
    pub why: String,
    /// Snapshot on top of that commit. The worktree gets its files, and changes that were uncommitted stay uncommitted.
    pub restores: Option<Sha>,
}

/// Opens the next attempt on a bead and puts it on a new worker's hook.
pub(crate) fn hand_out(
    tx: &Tx<'_>,
    crew: &Crew,
    bead: &Bead,
    convoy: Option<&BeadId>,
    swarm: Option<i64>,
    before: Option<Before>,
) -> Result<Attempt> {
    let rig = crew.rig.name();
    // If the rig was removed since it was looked up, its effects could never run.
    if tx.rig(rig.as_str())?.is_none() {
        let known = tx.rigs()?.into_iter().map(|rig| rig.name.to_string()).collect();
        return Err(Error::UnknownRig { name: rig.to_string(), known });
    }
    let molecule = molecule(tx, crew, bead)?;
    let (started_from, why, restores) = before.map_or((None, None, None), |b| (b.head, Some(b.why), b.restores));
    let attempt = tx.open_attempt(&NewAttempt {
        bead: bead.id.clone(),
        rig: rig.clone(),
        worker: free_name(&tx.taken_workers(rig)?),
        agent: crew.agent.clone(),
        formula: molecule.0,
        molecule: molecule.1,
        convoy: convoy.cloned(),
        swarm,
        started_from,
        why,
        runtime: crew.runtime,
    })?;
    if let Some(snapshot) = restores {
        tx.set_restores(attempt.id, &snapshot)?;
    }
    let hooked = Bead { status: Status::Hooked, assignee: Some(attempt.address().to_string()), ..bead.clone() };
    tx.change_bead("bead-hooked", bead, &hooked)?;
    tx.decide(&Effect::FetchBase { attempt: attempt.id }, Some(rig), Some(&bead.id), Duration::ZERO)?;
    Ok(attempt)
}

/// Returns the name of the formula and the molecule for a new attempt: the one that was attached to the bead, or a new one.
fn molecule(tx: &Tx<'_>, crew: &Crew, bead: &Bead) -> Result<(String, AttemptMolecule)> {
    if let Some(attached) = tx.attached_molecule(&bead.id)? {
        return Ok((attached.formula, AttemptMolecule::Attached(attached.id)));
    }
    let mut vars = values_before(tx, crew, bead)?;
    crew.formula.add_bead(&mut vars, bead);
    let plan = crew.formula.resolved.plan(&vars).map_err(|source| crew.formula.unusable(source))?;
    if plan.kind != FormulaKind::Workflow {
        return Err(Error::refused(
            format!("formula {} is not of type workflow: no single worker can follow it", plan.formula),
            format!("gt formula run {}", plan.formula),
        ));
    }
    if let Some(step) = plan.for_person() {
        let what = format!("step {} of {} is not for workers", step.id, plan.formula);
        return Err(Error::refused(what, format!("a person pours it alone: gt mol pour {}", plan.formula)));
    }
    let new =
        AttemptMolecule::New { hash: crew.formula.resolved.hash.clone(), vars: json!(plan.vars), steps: plan.steps };
    Ok((plan.formula, new))
}

/// Returns the values that the bead's last molecule of the same formula was poured with, so that work that comes back goes on with
/// them. The bead's own id and title are taken from the bead; a variable that the formula has no more is left out.
fn values_before(tx: &Tx<'_>, crew: &Crew, bead: &Bead) -> Result<BTreeMap<String, String>> {
    let formula = &crew.formula.resolved.formula;
    let before = tx.molecules_of(&bead.id)?.into_iter().rfind(|molecule| molecule.formula == formula.name);
    let values = before.and_then(|molecule| serde_json::from_value(molecule.vars).ok()).unwrap_or_default();
    let mut values: BTreeMap<String, String> = values;
    values.retain(|name, _| formula.vars.contains_key(name) && !["issue", "title"].contains(&name.as_str()));
    Ok(values)
}

fn free_name(taken: &[String]) -> String {
    let is_free = |name: &str| !taken.iter().any(|t| t == name);
    let named = WORKER_NAMES.iter().find(|name| is_free(name)).map(|name| (*name).to_owned());
    named.unwrap_or_else(|| {
        let numbered = (1_u32..).map(|n| format!("polecat-{n}"));
        numbered.into_iter().find(|name| is_free(name)).unwrap_or_default()
    })
}

/// Returns the beads if every one of them can be claimed. Otherwise the error names all that can't, with reasons.
fn claimable(tx: &Tx<'_>, caller: &Caller, ids: &[BeadId]) -> Result<Vec<Bead>> {
    let mut beads: Vec<Bead> = Vec::new();
    let mut refusals = Vec::new();
    for id in ids {
        let bead = tx.bead(id)?.ok_or_else(|| Error::UnknownBead(id.0.clone()))?;
        match refusal(tx, caller, &bead)? {
            Some(refusal) => refusals.push(refusal),
            None if beads.iter().any(|b| b.id == bead.id) => {}
            None => beads.push(bead),
        }
    }
    match refusals.len() {
        0 => Ok(beads),
        1 => Err(refusals.remove(0)),
        _ => Err(Error::refused(
            refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            "nothing was slung; omit these beads, or see gt why <bead>",
        )),
    }
}

/// Returns the reason why a bead can't be slung now, if there is one.
fn refusal(tx: &Tx<'_>, caller: &Caller, bead: &Bead) -> Result<Option<Error>> {
    let id = &bead.id;
    if let Some(attempt) = tx.live_attempt(id)? {
        let (what, hint) = match attempt.submitted_at {
            Some(_) => (format!("{id} is in the merge queue already"), format!("gt why {id}")),
            None => (format!("{id} is on the hook of {}", attempt.address()), format!("gt unsling {id} takes it back")),
        };
        return Ok(Some(Error::refused(what, hint)));
    }
    if !bead.issue_type.is_work() && bead.issue_type != BeadType::Epic {
        return Ok(Some(Error::refused(
            format!("{id} is a {}, and workers do not work on those", bead.issue_type),
            "sling tasks, bugs, features and chores",
        )));
    }
    if let Some((town, by)) = bead.assignee.as_deref().and_then(split_assignee)
        && bead.status != Status::Open
        && bead.status != Status::Closed
    {
        let what = format!("{id} is held in another town ({town}), by {by}");
        let hint =
            format!("gt sync learns when it is free; gt bead update {id} --status open --assignee '' frees it here");
        return Ok(Some(Error::refused(what, hint)));
    }
    if bead.status != Status::Open {
        let hint = match bead.status {
            Status::Closed => format!("gt bead update {id} --status open opens it again"),
            _ => format!("gt bead update {id} --status open"),
        };
        return Ok(Some(Error::refused(format!("{id} is {}", bead.status), hint)));
    }
    if bead.defer_until.as_ref().is_some_and(|until| until.at > tx.now()) {
        return Ok(Some(Error::refused(format!("{id} is deferred"), format!("gt why {id}"))));
    }
    if tx.is_held(tx.now(), id)? {
        let by: Vec<String> = tx.blockers(tx.now(), id)?.into_iter().map(|b| b.id.0).collect();
        let what = format!("{id} is blocked by {}", by.join(", "));
        return Ok(Some(Error::refused(what, "it becomes ready when they have landed: gt bead ready")));
    }
    quarantined(tx, caller, id)
}

/// Returns an error for a bead that was given up, which waits for a person. If a person slings it, that person has looked.
fn quarantined(tx: &Tx<'_>, caller: &Caller, id: &BeadId) -> Result<Option<Error>> {
    let Some(condition) = tx.condition(ConditionKind::Quarantine, id.as_str())? else { return Ok(None) };
    if caller.is_overseer() {
        tx.clear(ConditionKind::Quarantine, id.as_str())?;
        return Ok(None);
    }
    Ok(Some(Error::refused(format!("{id} is quarantined: {}", condition.text), "a person has to look at it first")))
}

/// Takes a bead back from its worker. A snapshot and the branch keep its work.
pub fn unsling(town: &Town, caller: &Caller, id: &BeadId) -> Result<Attempt> {
    let attempt = town.ledger.write(&caller.name(), "unsling", |tx| {
        let bead = tx.bead(id)?.ok_or_else(|| Error::UnknownBead(id.0.clone()))?;
        let attempt = tx
            .live_attempt(id)?
            .ok_or_else(|| Error::refused(format!("{id} is not on a worker's hook"), format!("gt why {id}")))?;
        if attempt.submitted_at.is_some() {
            return Err(Error::refused(format!("{id} is in the merge queue"), format!("gt why {id}")));
        }
        release(tx, &attempt, &bead, AttemptOutcome::Released)?;
        convoy::bead_finished(tx, id, "failed")?;
        Ok(attempt)
    })?;
    town.wake();
    Ok(attempt)
}

/// Ends an attempt whose work is not submitted, frees its bead, and decides the effects that remove session and worktree.
pub fn release(tx: &Tx<'_>, attempt: &Attempt, bead: &Bead, outcome: AttemptOutcome) -> Result<()> {
    tx.end_attempt(attempt, outcome)?;
    let freed = Bead { status: Status::Open, assignee: None, ..bead.clone() };
    tx.change_bead("bead-released", bead, &freed)?;
    clear_away(tx, attempt, Duration::ZERO)
}

/// Decides the effects that end an attempt's session (after `linger`) and archive its worktree.
pub(crate) fn clear_away(tx: &Tx<'_>, attempt: &Attempt, linger: Duration) -> Result<()> {
    let (rig, bead) = (Some(&attempt.rig), Some(&attempt.bead));
    let incarnations = tx.incarnations_of(attempt.id)?;
    // An effect that was given up during the start is no longer wanted and must not block the others.
    for row in tx.open_effects()?.into_iter().filter(|row| row.gave_up) {
        let begins = match &row.effect {
            Effect::FetchBase { attempt: of } | Effect::AddWorktree { attempt: of } => *of == attempt.id,
            Effect::StartSession { incarnation } => incarnations.iter().any(|i| &i.id == incarnation),
            _ => false,
        };
        if begins {
            tx.withdraw(row.id)?;
            tx.clear(ConditionKind::Effect, &row.id.to_string())?;
        }
    }
    for incarnation in incarnations {
        if incarnation.ended_at.is_none() {
            tx.decide(&Effect::EndSession { incarnation: incarnation.id }, rig, bead, linger)?;
        }
    }
    tx.decide(&Effect::ArchiveWorktree { attempt: attempt.id }, rig, bead, Duration::ZERO)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_in_order_and_never_run_out() {
        assert_eq!(free_name(&[]), "amber");
        assert_eq!(free_name(&["amber".into(), "cedar".into()]), "birch");
        let mut all: Vec<String> = WORKER_NAMES.iter().map(|n| (*n).to_owned()).collect();
        assert_eq!(free_name(&all), "polecat-1");
        all.push("polecat-1".into());
        assert_eq!(free_name(&all), "polecat-2");
    }
}
