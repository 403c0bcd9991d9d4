//! Ends agents whose client does not run our hooks, and keeps agents of that kind from starting.

use std::time::Duration;

use gt_ledger::{Agent, Holder, Incarnation, Tx, View};
use gt_model::condition::ConditionKind;
use gt_model::effect::Effect;

use crate::admission::usage::Meters;
use crate::agents::hooks::{self, Hooks, TURNED_OFF, UNHEARD};
use crate::agents::{kinds, readiness, wanted};
use crate::town::Town;
use crate::town::error::{Error, Result};
use crate::town::settings::AgentPreset;

/// Actor in the audit log.
const DEACON: &str = "deacon/";

/// Returns the text of the condition if the hooks of a kind are off.
pub(crate) fn held(view: &View<'_>, kind: &str) -> Result<Option<String>> {
    Ok(view.condition(ConditionKind::HooksOff, kind)?.map(|condition| condition.text))
}

/// Ends sessions whose client does not run our hooks. Raises or clears the condition for each kind of agent.
pub(crate) fn patrol(town: &Town, meters: &mut Meters) -> Result<()> {
    let live = town.ledger.read(|view| view.live_incarnations().map_err(Error::from))?;
    let live: Vec<(Incarnation, String)> = live
        .into_iter()
        .filter_map(|incarnation| Some((readiness::kind_of(town, &incarnation.id).transpose()?, incarnation)))
        .map(|(kind, incarnation)| kind.map(|kind| (incarnation, kind)))
        .collect::<Result<_>>()?;
    let mut kinds = kinds::in_use(town, &[ConditionKind::HooksOff])?;
    kinds.extend(live.iter().map(|(_, kind)| kind.clone()));
    for kind in kinds {
        let off = town.agent(&kind).ok().filter(AgentPreset::needs_hooks).map(|preset| hooks::of(town, &preset));
        let sessions = live.iter().filter(|(_, of)| *of == kind).map(|(incarnation, _)| incarnation);
        note_off(town, &kind, off.filter(Hooks::are_off).as_ref(), sessions)?;
    }
    live.iter().try_for_each(|(incarnation, kind)| note_unheard(town, incarnation, kind, meters))
}

fn note_off<'a>(
    town: &Town,
    kind: &str,
    off: Option<&Hooks>,
    sessions: impl Iterator<Item = &'a Incarnation>,
) -> Result<()> {
    let known = town.ledger.read(|view| held(view, kind))?;
    let text = off.map(|off| text(kind, off));
    let sessions: Vec<&Incarnation> = sessions.filter(|incarnation| incarnation.started_at.is_some()).collect();
    if known == text && (off.is_none() || sessions.is_empty()) {
        return Ok(());
    }
    town.ledger.write(DEACON, "hooks", |tx| {
        if known != text {
            tx.clear(ConditionKind::HooksOff, kind)?;
        }
        let Some(text) = &text else { return Ok(()) };
        tx.raise(ConditionKind::HooksOff, kind, text)?;
        for incarnation in sessions {
            if end(tx, incarnation, "hooks-off")? {
                tx.spare(&incarnation.id, TURNED_OFF)?;
            }
        }
        Ok(())
    })
}

fn text(kind: &str, off: &Hooks) -> String {
    format!(
        "{kind}: {off}. The town starts no session of it, and has ended those that ran. Work continues when that \
         setting is removed, or with `allow_without_hooks = true` in [agents.{kind}] of town.toml: then its agents run \
         without a guard"
    )
}

/// Ends a session that uses tools without calling our hooks.
fn note_unheard(town: &Town, incarnation: &Incarnation, kind: &str, meters: &mut Meters) -> Result<()> {
    let needs_hooks = town.agent(kind).is_ok_and(|preset| preset.needs_hooks());
    if !needs_hooks || !meters.goes_on_unheard(&incarnation.id) {
        return Ok(());
    }
    town.ledger.write(DEACON, "hooks", |tx| {
        if tx.react(&incarnation.id, UNHEARD)? {
            end(tx, incarnation, UNHEARD)?;
        }
        Ok(())
    })
}

/// Decides the end of a session. Returns false if that was already decided.
fn end(tx: &Tx<'_>, incarnation: &Incarnation, event: &str) -> Result<bool> {
    let effect = Effect::EndSession { incarnation: incarnation.id.clone() };
    let is_over = tx.incarnation(&incarnation.id)?.is_none_or(|now| now.ended_at.is_some());
    if is_over || tx.decided(&effect)?.is_some() {
        return Ok(false);
    }
    let (rig, bead) = match &incarnation.holder {
        Holder::Attempt(id) => tx.attempt(*id)?.map(|attempt| (attempt.rig, attempt.bead)).unzip(),
        Holder::Agent(address) => (address.rig().cloned(), None),
    };
    tx.event(event, incarnation.id.as_str(), bead.as_ref(), None, None)?;
    tx.decide(&effect, rig.as_ref(), bead.as_ref(), Duration::ZERO)?;
    Ok(true)
}

/// Returns the text of the condition if a standing agent must not start because the hooks of its kind are off.
pub(crate) fn held_agent(town: &Town, view: &View<'_>, agent: &Agent) -> Result<Option<String>> {
    wanted::wanted_kind(town, agent).map_or(Ok(None), |kind| held(view, &kind))
}
