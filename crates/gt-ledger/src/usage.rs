//! Token usage of models' answers.

use std::collections::BTreeMap;

use gt_model::address::Address;
use gt_model::id::{AttemptId, BeadId, IncarnationId};
use gt_model::usage::{Sum, Tokens};
use rusqlite::Row;
use serde::Serialize;

use super::rigs::rig_name;
use super::{LedgerResult, Tx, View, damaged};

/// Usage of one incarnation, by model and day.
pub type UsageSums = BTreeMap<(String, String), Sum>;

/// Usage of one model by one incarnation on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsageRow {
    /// Incarnation that used the tokens.
    pub incarnation: IncarnationId,
    /// Address of its agent; `None` if no longer known.
    pub address: Option<Address>,
    /// Kind of agent, if an attempt or a person specified it.
    pub kind: Option<String>,
    /// Attempt that the incarnation belongs to; `None` for a standing agent.
    pub attempt: Option<AttemptId>,
    /// Bead that the attempt was on.
    pub bead: Option<BeadId>,
    /// Convoy that the attempt belonged to.
    pub convoy: Option<BeadId>,
    /// Name of the model.
    pub model: String,
    /// Day in the local time zone.
    pub day: String,
    /// Number of answers and tokens.
    pub sum: Sum,
}

fn sum_row(row: &Row<'_>) -> rusqlite::Result<Sum> {
    let number = |column: &str| row.get::<_, i64>(column).map(i64::unsigned_abs);
    Ok(Sum {
        answers: number("answers")?,
        tokens: Tokens {
            input: number("input")?,
            output: number("output")?,
            cache_read: number("cache_read")?,
            cache_write_5m: number("cache_write_5m")?,
            cache_write_1h: number("cache_write_1h")?,
        },
    })
}

fn usage_row(row: &Row<'_>) -> rusqlite::Result<UsageRow> {
    let worker: Option<String> = row.get("worker")?;
    let address = match (worker, row.get::<_, Option<String>>("agent")?) {
        (Some(worker), _) => Some(Address::Polecat(rig_name(&row.get::<_, String>("rig")?)?, worker)),
        (None, Some(agent)) => Some(Address::parse(&agent).map_err(damaged)?),
        (None, None) => None,
    };
    Ok(UsageRow {
        incarnation: IncarnationId(row.get("incarnation")?),
        address,
        kind: row.get("kind")?,
        attempt: row.get::<_, Option<i64>>("attempt")?.map(AttemptId),
        bead: row.get::<_, Option<String>>("bead")?.map(BeadId),
        convoy: row.get::<_, Option<String>>("convoy")?.map(BeadId),
        model: row.get("model")?,
        day: row.get("day")?,
        sum: sum_row(row)?,
    })
}

/// Converts a number for SQLite, whose integers are signed.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl View<'_> {
    /// Returns the usage from the day `since` on; all usage if it is empty. With `bead`, only usage for that bead.
    pub fn usage(&self, since: &str, bead: Option<&BeadId>) -> LedgerResult<Vec<UsageRow>> {
        self.all(
            "SELECT u.*, i.attempt, i.agent, a.worker, a.rig, a.bead, a.convoy, coalesce(a.agent, g.kind) AS kind
             FROM usage u LEFT JOIN incarnations i ON i.id = u.incarnation
             LEFT JOIN attempts a ON a.id = i.attempt LEFT JOIN agents g ON g.address = i.agent
             WHERE u.day >= ?1 AND (?2 IS NULL OR a.bead = ?2) ORDER BY u.day, u.incarnation, u.model",
            (since, bead.map(BeadId::as_str)),
            usage_row,
        )
    }

    /// Returns the usage of all incarnations from a day on, by model.
    pub fn usage_since(&self, day: &str) -> LedgerResult<Vec<(String, Sum)>> {
        let sql = "SELECT model, sum(answers) AS answers, sum(input) AS input, sum(output) AS output,
                          sum(cache_read) AS cache_read, sum(cache_write_5m) AS cache_write_5m,
                          sum(cache_write_1h) AS cache_write_1h
                   FROM usage WHERE day >= ?1 GROUP BY model";
        self.all(sql, [day], |row| Ok((row.get("model")?, sum_row(row)?)))
    }

    /// Returns an attempt's usage from the day `since` on, by model; all its usage if `since` is empty.
    pub fn usage_of_attempt(&self, attempt: AttemptId, since: &str) -> LedgerResult<Vec<(String, Sum)>> {
        let sql = "SELECT u.* FROM usage u JOIN incarnations i ON i.id = u.incarnation
                   WHERE i.attempt = ?1 AND u.day >= ?2";
        self.all(sql, (attempt.0, since), |row| Ok((row.get("model")?, sum_row(row)?)))
    }

    /// Returns the number of sessions with unknown usage, by kind of agent. Only sessions that started on the day `since` or
    /// later count; all sessions if it is empty. With `bead`, only sessions for that bead.
    pub fn uncounted(&self, since: &str, bead: Option<&BeadId>) -> LedgerResult<Vec<(String, u64)>> {
        let sql = "SELECT i.uncounted AS kind, count(*) AS sessions
                   FROM incarnations i LEFT JOIN attempts a ON a.id = i.attempt
                   WHERE i.uncounted IS NOT NULL AND i.started_at >= ?1 AND (?2 IS NULL OR a.bead = ?2)
                   GROUP BY i.uncounted ORDER BY i.uncounted";
        let row = |row: &Row<'_>| Ok((row.get("kind")?, row.get::<_, i64>("sessions")?.unsigned_abs()));
        self.all(sql, (since, bead.map(BeadId::as_str)), row)
    }

    /// Returns the number of an attempt's sessions with unknown usage.
    pub fn uncounted_of_attempt(&self, attempt: AttemptId) -> LedgerResult<u64> {
        let sql = "SELECT count(*) AS sessions FROM incarnations WHERE attempt = ?1 AND uncounted IS NOT NULL";
        let sessions = self.one(sql, [attempt.0], |row| row.get::<_, i64>("sessions"))?;
        Ok(sessions.unwrap_or_default().unsigned_abs())
    }

    fn usage_of(&self, incarnation: &IncarnationId) -> LedgerResult<UsageSums> {
        let sql = "SELECT * FROM usage WHERE incarnation = ?1";
        let rows =
            self.all(sql, [incarnation.as_str()], |row| Ok(((row.get("model")?, row.get("day")?), sum_row(row)?)))?;
        Ok(rows.into_iter().collect())
    }
}

impl Tx<'_> {
    /// Records that the usage of an incarnation is unknown, because of its kind of agent.
    pub fn set_uncounted(&self, incarnation: &IncarnationId, kind: &str) -> LedgerResult<()> {
        let sql = "UPDATE incarnations SET uncounted = ?2 WHERE id = ?1";
        self.execute(sql, (incarnation.as_str(), kind)).map(drop)
    }

    /// Replaces the recorded usage of an incarnation with `sums`. Ignores sums with fewer tokens than recorded, because the
    /// record that they come from was cut off. Returns true if something changed.
    pub fn set_usage(&self, incarnation: &IncarnationId, sums: &UsageSums) -> LedgerResult<bool> {
        let total = |sums: &UsageSums| sums.values().map(|sum| sum.tokens.total()).fold(0, u64::saturating_add);
        let known = self.usage_of(incarnation)?;
        if known == *sums || total(sums) < total(&known) {
            return Ok(false);
        }
        self.execute("DELETE FROM usage WHERE incarnation = ?1", [incarnation.as_str()])?;
        for ((model, day), Sum { answers, tokens }) in sums {
            self.execute(
                "INSERT INTO usage (incarnation, model, day, answers, input, output, cache_read, cache_write_5m,
                                    cache_write_1h) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                rusqlite::params![
                    incarnation.as_str(),
                    model,
                    day,
                    stored(*answers),
                    stored(tokens.input),
                    stored(tokens.output),
                    stored(tokens.cache_read),
                    stored(tokens.cache_write_5m),
                    stored(tokens.cache_write_1h),
                ],
            )?;
        }
        Ok(true)
    }
}
