//! Recorded effects. A transaction decides on an effect; a worker runs it afterwards. A run number works as a fencing token: only
//! the newest run may record a result.

use std::time::Duration;

use gt_model::effect::Effect;
use gt_model::id::{BeadId, RigName};
use rusqlite::Row;
use serde::Serialize;
use serde_json::Value;

use super::rigs::rig_name;
use super::{LedgerResult, Tx, View, json_column, to_json};

/// An effect that the ledger has decided on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EffectRow {
    /// Row id. Effects that depend on each other run in this order.
    pub id: i64,
    /// Action to carry out.
    pub effect: Effect,
    /// Rig that it happens in.
    pub rig: Option<RigName>,
    /// Bead that it is for.
    pub bead: Option<BeadId>,
    /// Observed time that must pass before it runs.
    pub delay: Duration,
    /// Number of the current run. Only that run may record a result.
    pub run: i64,
    /// Number of tries.
    pub tries: u32,
    /// Error of the last failed try.
    pub last_error: Option<String>,
    /// Whether it was given up after too many failed tries.
    pub gave_up: bool,
}

fn effect_row(row: &Row<'_>) -> rusqlite::Result<EffectRow> {
    let rig = row.get::<_, Option<String>>("rig")?.map(|name| rig_name(&name)).transpose()?;
    Ok(EffectRow {
        id: row.get("id")?,
        effect: json_column(row, "effect")?,
        rig,
        bead: row.get::<_, Option<String>>("bead")?.map(BeadId),
        delay: Duration::from_millis(row.get::<_, i64>("delay_ms")?.unsigned_abs()),
        run: row.get("run")?,
        tries: row.get("tries")?,
        last_error: row.get("last_error")?,
        gave_up: row.get::<_, Option<String>>("gave_up_at")?.is_some(),
    })
}

impl View<'_> {
    /// Returns the effects that are not done, in the order of their decisions. Given-up effects are included.
    pub fn open_effects(&self) -> LedgerResult<Vec<EffectRow>> {
        self.all("SELECT * FROM effects WHERE done_at IS NULL ORDER BY id", [], effect_row)
    }

    /// Returns an effect that is not done.
    pub fn open_effect(&self, id: i64) -> LedgerResult<Option<EffectRow>> {
        self.one("SELECT * FROM effects WHERE id = ?1 AND done_at IS NULL", [id], effect_row)
    }

    /// Returns the row of this effect if it is decided and not done.
    pub fn decided(&self, effect: &Effect) -> LedgerResult<Option<EffectRow>> {
        Ok(self.open_effects()?.into_iter().find(|row| &row.effect == effect))
    }
}

impl Tx<'_> {
    /// Records an effect, which runs after this transaction. Returns its row id.
    pub fn decide(
        &self,
        effect: &Effect,
        rig: Option<&RigName>,
        bead: Option<&BeadId>,
        delay: Duration,
    ) -> LedgerResult<i64> {
        self.execute(
            "INSERT INTO effects (effect, kind, rig, bead, decided_at, delay_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                to_json(effect)?,
                effect.kind(),
                rig.map(RigName::as_str),
                bead.map(BeadId::as_str),
                self.now().to_string(),
                i64::try_from(delay.as_millis()).unwrap_or(i64::MAX),
            ),
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Records an effect, as [`Self::decide`] does, unless it is decided and not done. Returns the row id, new or not.
    pub fn decide_once(
        &self,
        effect: &Effect,
        rig: Option<&RigName>,
        bead: Option<&BeadId>,
        delay: Duration,
    ) -> LedgerResult<i64> {
        self.decided(effect)?.map_or_else(|| self.decide(effect, rig, bead, delay), |row| Ok(row.id))
    }

    /// Begins a run of an effect. Returns the run number; `None` if the effect is done.
    pub fn begin_run(&self, id: i64) -> LedgerResult<Option<i64>> {
        self.one(
            "UPDATE effects SET run = run + 1, tries = tries + 1 WHERE id = ?1 AND done_at IS NULL RETURNING run",
            [id],
            |row| row.get(0),
        )
    }

    /// Records that an effect is done. Returns false if a newer run has taken over: then the caller must not use its result.
    pub fn finish_run(&self, row: &EffectRow, run: i64) -> LedgerResult<bool> {
        let changed = self.execute(
            "UPDATE effects SET done_at = ?3, last_error = NULL WHERE id = ?1 AND run = ?2 AND done_at IS NULL",
            (row.id, run, self.now().to_string()),
        )?;
        if changed == 1 {
            self.event(&format!("effect-{}", row.effect.kind()), &row.id.to_string(), row.bead.as_ref(), None, None)?;
        }
        Ok(changed == 1)
    }

    /// Records that a run failed, and with `give_up` that there will be no further try.
    pub fn fail_run(&self, row: &EffectRow, run: i64, error: &str, give_up: bool) -> LedgerResult<bool> {
        let gave_up = give_up.then(|| self.now().to_string());
        let changed = self.execute(
            "UPDATE effects SET last_error = ?3, gave_up_at = ?4 WHERE id = ?1 AND run = ?2 AND done_at IS NULL",
            (row.id, run, error, gave_up),
        )?;
        if changed == 1 && give_up {
            let text = Value::from(error);
            self.event("effect-given-up", &row.id.to_string(), row.bead.as_ref(), None, Some(&text))?;
        }
        Ok(changed == 1)
    }

    /// Resets given-up effects so that they are tried again. Returns how many there were.
    pub fn retry_effects(&self) -> LedgerResult<usize> {
        self.execute(
            "UPDATE effects SET gave_up_at = NULL, tries = 0 WHERE done_at IS NULL AND gave_up_at IS NOT NULL",
            [],
        )
    }

    /// Deletes an effect that is no longer wanted and is not done.
    pub fn withdraw(&self, id: i64) -> LedgerResult<()> {
        self.execute("DELETE FROM effects WHERE id = ?1 AND done_at IS NULL", [id])?;
        Ok(())
    }
}
