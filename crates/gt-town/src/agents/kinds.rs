//! Kinds of agent for which work waits, and whether the town still has them: a person may change `town.toml` at any time.

use std::collections::BTreeSet;

use gt_model::condition::ConditionKind;

use crate::agents::wanted;
use crate::town::Town;
use crate::town::error::{Error, Result};

/// Returns the kinds of agent that have work, and those that a condition of one of `conditions` is about.
pub(crate) fn in_use(town: &Town, conditions: &[ConditionKind]) -> Result<BTreeSet<String>> {
    let (mut kinds, agents) = town.ledger.read(|view| {
        let attempts = view.present_attempts()?.into_iter().filter(|attempt| attempt.is_hooked());
        let known = view.conditions()?.into_iter().filter(|known| conditions.contains(&known.kind));
        let kinds = attempts.map(|attempt| attempt.agent).chain(known.map(|condition| condition.subject));
        Ok::<_, Error>((kinds.collect::<BTreeSet<_>>(), view.agents()?))
    })?;
    let wanted = agents.iter().filter(|agent| agent.is_wanted());
    kinds.extend(wanted.filter_map(|agent| wanted::wanted_kind(town, agent).ok()));
    Ok(kinds)
}

/// Keeps a condition for each missing kind. Nothing of that kind starts until it exists again.
pub(crate) fn patrol(town: &Town) -> Result<()> {
    for kind in in_use(town, &[ConditionKind::NoKind])? {
        let missing = town.agent(&kind).err().filter(|_| is_waited_for(town, &kind).unwrap_or(true));
        let text = missing.map(|error| {
            let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{error}, and work waits for it{hint}; it continues when town.toml has [agents.{kind}] again")
        });
        let known = town.ledger.read(|view| view.condition(ConditionKind::NoKind, &kind).map_err(Error::from))?;
        if known.map(|known| known.text) != text {
            town.ledger.write("deacon/", "kinds", |tx| {
                tx.clear(ConditionKind::NoKind, &kind)?;
                text.map_or(Ok(()), |text| tx.raise(ConditionKind::NoKind, &kind, &text).map(|_| ()))
                    .map_err(Error::from)
            })?;
        }
    }
    Ok(())
}

fn is_waited_for(town: &Town, kind: &str) -> Result<bool> {
    Ok(in_use(town, &[])?.contains(kind))
}
