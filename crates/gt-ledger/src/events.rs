//! The audit trail of every change, and conditions: the troubles that exist now.

use gt_model::bead::BeadType;
use gt_model::condition::ConditionKind;
use gt_model::id::{BeadId, RigName};
use gt_model::merge::TakenAway;
use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;
use serde_json::Value;

use super::times::Times;
use super::{LedgerResult, Tx, View};

/// Audit entry of one change of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Position in the order of all changes.
    pub seq: i64,
    /// Time of the change.
    pub at: Timestamp,
    /// Person or agent that made the change.
    pub actor: String,
    /// Operation that made the change.
    pub verb: String,
    /// Kind of change, for example `bead-created`.
    pub event: String,
    /// Thing that changed.
    pub subject: String,
    /// Bead that the change belongs to.
    pub bead: Option<BeadId>,
    /// State before the change.
    pub before: Option<Value>,
    /// State after the change.
    pub after: Option<Value>,
}

/// A trouble in the town. It is stored from when it begins until it is cleared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// `<kind>:<subject>`, which is unique.
    pub key: String,
    /// Kind of trouble.
    pub kind: ConditionKind,
    /// Thing that has the trouble.
    pub subject: String,
    /// Description for people.
    pub text: String,
    /// When the trouble began.
    pub since: Timestamp,
    /// When the trouble is expected to end by itself, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Condition {
    /// Whether its subject is the agent at `address`, either alone or with a pattern after it.
    pub fn is_of(&self, address: &str) -> bool {
        self.subject.split_once(' ').map_or(self.subject.as_str(), |(of, _)| of) == address
    }
}

/// Internal events: people need them only when they investigate.
const INNER: [&str; 9] = [
    "bead-imported",
    "condition-renewed",
    "dependency-renamed",
    "incarnation-opened",
    "mr-review",
    "record-dropped",
    "record-kept",
    "retention-removed",
    "worktree-archived",
];

/// How many events to read at a time in a search for news.
const PAGE: u32 = 1000;

impl Event {
    /// Whether people want to hear of this event. Actions of agents and people are news, and so are failures; how the town
    /// carried them out is not.
    pub fn is_news(&self) -> bool {
        let is_effect = self.event.starts_with("effect-") && self.event != "effect-given-up";
        // People read a mail in their inbox.
        let is_mail = self.event == "bead-created"
            && self.after.as_ref().is_some_and(|after| after["issue_type"] == BeadType::Message.as_str());
        !is_effect && !is_mail && !INNER.contains(&self.event.as_str())
    }
}

fn event_row(row: &Row<'_>) -> rusqlite::Result<Event> {
    let json = |text: Option<String>| text.and_then(|t| serde_json::from_str(&t).ok());
    Ok(Event {
        seq: row.get("seq")?,
        at: Times::of(row, "events").at("at")?,
        actor: row.get("actor")?,
        verb: row.get("verb")?,
        event: row.get("event")?,
        subject: row.get("subject")?,
        bead: row.get::<_, Option<String>>("bead")?.map(BeadId),
        before: json(row.get("before")?),
        after: json(row.get("after")?),
    })
}

fn condition_row(row: &Row<'_>) -> rusqlite::Result<Condition> {
    let times = Times::of(row, "conditions");
    Ok(Condition {
        key: row.get("key")?,
        kind: ConditionKind::parse(&row.get::<_, String>("kind")?),
        subject: row.get("subject")?,
        text: row.get("text")?,
        since: times.at("since")?,
        until: times.maybe("until")?,
    })
}

/// Returns the texts that a change removed from the list `key`.
fn taken_out<'e>(before: &'e Value, after: &'e Value, key: &str) -> impl Iterator<Item = &'e str> {
    let texts = |value: &'e Value| value[key].as_array().into_iter().flatten().filter_map(Value::as_str);
    let left: Vec<&str> = texts(after).collect();
    texts(before).filter(move |text| !left.contains(text))
}

impl View<'_> {
    /// Returns the labels and edges that were removed from a bead in this ledger, each with the time of the last removal.
    pub fn taken_away(&self, bead: &BeadId) -> LedgerResult<TakenAway> {
        let sql = "SELECT * FROM events WHERE bead = ?1 AND before IS NOT NULL ORDER BY seq";
        let mut away = TakenAway::default();
        for event in self.all(sql, [bead.as_str()], event_row)? {
            let (Some(before), Some(after)) = (&event.before, &event.after) else { continue };
            let at = event.at;
            away.labels.extend(taken_out(before, after, "labels").map(|label| (label.to_owned(), at)));
            let edges = taken_out(before, after, "dependencies").filter_map(|edge| edge.split_once(' '));
            away.edges.extend(edges.map(|(kind, to)| ((kind.to_owned(), to.into()), at)));
        }
        Ok(away)
    }

    /// Returns events after number `after`, oldest first, at most `limit`. With `bead`, only the events of that bead.
    pub fn events(&self, after: i64, bead: Option<&BeadId>, limit: u32) -> LedgerResult<Vec<Event>> {
        match bead {
            Some(bead) => self.all(
                "SELECT * FROM events WHERE seq > ?1 AND bead = ?2 ORDER BY seq LIMIT ?3",
                (after, bead.as_str(), limit),
                event_row,
            ),
            None => self.all("SELECT * FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2", (after, limit), event_row),
        }
    }

    /// Returns the newest `limit` events, oldest first. With `bead`, only the events of that bead.
    pub fn last_events(&self, bead: Option<&BeadId>, limit: u32) -> LedgerResult<Vec<Event>> {
        let mut events = self.events_before(i64::MAX, bead, limit)?;
        events.reverse();
        Ok(events)
    }

    /// Returns the newest `limit` events that are news, oldest first. With `bead`, only the events of that bead.
    pub fn last_news(&self, bead: Option<&BeadId>, limit: u32) -> LedgerResult<Vec<Event>> {
        let limit = limit as usize;
        let (mut news, mut before) = (Vec::new(), i64::MAX);
        while news.len() < limit {
            let page = self.events_before(before, bead, PAGE)?;
            let Some(oldest) = page.last().map(|event| event.seq) else { break };
            before = oldest;
            news.extend(page.into_iter().filter(Event::is_news));
        }
        news.truncate(limit);
        news.reverse();
        Ok(news)
    }

    /// Returns events before number `before`, newest first.
    fn events_before(&self, before: i64, bead: Option<&BeadId>, limit: u32) -> LedgerResult<Vec<Event>> {
        match bead {
            Some(bead) => self.all(
                "SELECT * FROM events WHERE seq < ?1 AND bead = ?2 ORDER BY seq DESC LIMIT ?3",
                (before, bead.as_str(), limit),
                event_row,
            ),
            None => {
                self.all("SELECT * FROM events WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2", (before, limit), event_row)
            }
        }
    }

    /// Returns all current conditions, oldest first.
    pub fn conditions(&self) -> LedgerResult<Vec<Condition>> {
        self.all("SELECT * FROM conditions ORDER BY since, key", [], condition_row)
    }

    /// Returns the current condition of `kind` on `subject`, if there is one.
    pub fn condition(&self, kind: ConditionKind, subject: &str) -> LedgerResult<Option<Condition>> {
        let key = format!("{kind}:{subject}");
        self.one("SELECT * FROM conditions WHERE key = ?1", [key], condition_row)
    }
}

impl Tx<'_> {
    /// Writes an audit event.
    pub fn event(
        &self,
        event: &str,
        subject: &str,
        bead: Option<&BeadId>,
        before: Option<&Value>,
        after: Option<&Value>,
    ) -> LedgerResult<()> {
        self.execute(
            "INSERT INTO events (at, actor, verb, event, subject, bead, before, after)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (
                self.now.to_string(),
                self.actor,
                self.verb,
                event,
                subject,
                bead.map(BeadId::as_str),
                before.map(Value::to_string),
                after.map(Value::to_string),
            ),
        )?;
        Ok(())
    }

    /// Records a condition. Returns true if it is new; only then should the caller notify anyone.
    pub fn raise(&self, kind: ConditionKind, subject: &str, text: &str) -> LedgerResult<bool> {
        self.raise_until(kind, subject, text, None)
    }

    /// Like [`Self::raise`], for a condition that is expected to end by itself at `until`.
    pub fn raise_until(
        &self,
        kind: ConditionKind,
        subject: &str,
        text: &str,
        until: Option<Timestamp>,
    ) -> LedgerResult<bool> {
        if self.condition(kind, subject)?.is_some() {
            return Ok(false);
        }
        self.execute(
            "INSERT INTO conditions (key, kind, subject, text, since, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                format!("{kind}:{subject}"),
                kind.as_str(),
                subject,
                text,
                self.now.to_string(),
                until.map(|until| until.to_string()),
            ),
        )?;
        self.event("condition-raised", &format!("{kind}:{subject}"), None, None, Some(&Value::from(text)))?;
        Ok(true)
    }

    /// Replaces the text and the expected end of a condition. The time when it began stays.
    pub fn renew(&self, kind: ConditionKind, subject: &str, text: &str, until: Timestamp) -> LedgerResult<()> {
        let key = format!("{kind}:{subject}");
        let changed = self
            .execute("UPDATE conditions SET text = ?2, until = ?3 WHERE key = ?1", (&key, text, until.to_string()))?;
        if changed == 1 {
            self.event("condition-renewed", &key, None, None, Some(&Value::from(text)))?;
        }
        Ok(())
    }

    /// Clears a condition. Returns true if it existed.
    pub fn clear(&self, kind: ConditionKind, subject: &str) -> LedgerResult<bool> {
        self.clear_key(&format!("{kind}:{subject}"))
    }

    fn clear_key(&self, key: &str) -> LedgerResult<bool> {
        let changed = self.execute("DELETE FROM conditions WHERE key = ?1", [key])?;
        if changed == 1 {
            self.event("condition-cleared", key, None, None, None)?;
        }
        Ok(changed == 1)
    }

    /// Clears the conditions of a rig that is removed, since people and agents could no longer act on them. These are conditions
    /// about the rig, about an agent or a ref of it, about a bead whose newest attempt was there, or about an effect of it that
    /// will not be carried out any more.
    pub(super) fn clear_rig(&self, rig: &RigName) -> LedgerResult<()> {
        let of_rig = |subject: &str| {
            let rest = subject.strip_prefix(rig.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        };
        for condition in self.conditions()? {
            let subject = condition.subject.as_str();
            let is_about = match condition.kind {
                // A kind of agent may have the same name as a rig.
                kind if kind.is_about_kind() => false,
                ConditionKind::Effect => !self.open_effects()?.iter().any(|row| row.id.to_string() == subject),
                _ if of_rig(subject) => true,
                _ => self.attempts_on(&subject.into())?.last().is_some_and(|attempt| &attempt.rig == rig),
            };
            if is_about {
                self.clear_key(&condition.key)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn news_are_what_people_and_agents_did_and_what_went_wrong() {
        let check = |event: &str, after: Value, expected: bool| {
            let event = Event {
                seq: 1,
                at: Timestamp::UNIX_EPOCH,
                actor: String::new(),
                verb: String::new(),
                event: event.to_owned(),
                subject: String::new(),
                bead: None,
                before: None,
                after: Some(after),
            };
            assert_eq!(event.is_news(), expected, "{}", event.event);
        };
        for name in ["denied", "allowed", "allowed-no-more", "answered", "landed", "step-done", "condition-raised"] {
            check(name, Value::Null, true);
        }
        for name in
            ["effect-given-up", "incarnation-ended", "worker-nudged", "hooks-off", "hooks-unheard", "bead-closed"]
        {
            check(name, Value::Null, true);
        }
        for name in ["effect-done", "effect-failed", "effect-start-session", "condition-renewed", "record-kept"] {
            check(name, Value::Null, false);
        }
        check("bead-created", json!({ "issue_type": "task" }), true);
        check("bead-created", json!({ "issue_type": "message" }), false);
    }
}
