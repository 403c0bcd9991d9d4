//! Standing agents: the mayor, and crew. Unlike a polecat (worker), a standing agent belongs to no bead. It runs or stays stopped
//! as a person last ordered.

use gt_model::address::Address;
use gt_model::id::{IncarnationId, RigName};
use gt_model::runtime::RuntimeChoice;
use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;
use serde_json::json;

use super::attempts::incarnation_row;
use super::times::Times;
use super::{Incarnation, LedgerError, LedgerResult, Tx, View, damaged};

/// A standing agent, or its workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Agent {
    /// Row id. The ids of its incarnations contain it.
    #[serde(skip)]
    pub id: i64,
    /// Address: `mayor/` or `<rig>/crew/<name>`.
    pub address: Address,
    /// Kind of agent, if a person chose one.
    pub kind: Option<String>,
    /// Runtime for its sessions, if a person chose one.
    pub runtime: Option<RuntimeChoice>,
    /// When the ledger first recorded it.
    pub made_at: Timestamp,
    /// When a person started it. `None`: it must stay stopped.
    pub wanted_at: Option<Timestamp>,
    /// Failures of incarnations up to this number are forgiven: a person has started the agent since, or a later incarnation ran
    /// well.
    #[serde(skip)]
    pub counted_from: u32,
    /// When its workspace was moved to the archive. Only crew members have one.
    pub removed_at: Option<Timestamp>,
}

impl Agent {
    /// Whether it should run.
    pub fn is_wanted(&self) -> bool {
        self.wanted_at.is_some() && self.removed_at.is_none()
    }

    /// Returns the rig of its workspace; `None` for the mayor.
    pub fn rig(&self) -> Option<&RigName> {
        self.address.rig()
    }

    /// Returns its short name.
    pub fn name(&self) -> &str {
        match &self.address {
            Address::Crew(_, name) => name,
            _ => "mayor",
        }
    }
}

/// Options that a person may give when starting an agent.
#[derive(Clone, Debug, Default)]
pub struct AgentChoice {
    /// Kind of agent; `None` keeps the previous one.
    pub kind: Option<String>,
    /// Runtime for its sessions; `None` keeps the previous one.
    pub runtime: Option<RuntimeChoice>,
}

fn agent_row(row: &Row<'_>) -> rusqlite::Result<Agent> {
    let times = Times::of(row, "agents");
    Ok(Agent {
        id: row.get("id")?,
        address: Address::parse(&row.get::<_, String>("address")?).map_err(damaged)?,
        kind: row.get("kind")?,
        runtime: row.get::<_, Option<String>>("runtime")?.and_then(|word| RuntimeChoice::parse(&word)),
        made_at: times.at("made_at")?,
        wanted_at: times.maybe("wanted_at")?,
        counted_from: row.get("counted_from")?,
        removed_at: times.maybe("removed_at")?,
    })
}

impl View<'_> {
    /// Returns the standing agents in the order of their creation, without those whose workspace was removed.
    pub fn agents(&self) -> LedgerResult<Vec<Agent>> {
        self.all("SELECT * FROM agents WHERE removed_at IS NULL ORDER BY id", [], agent_row)
    }

    /// Returns the standing agent with this address, even if its workspace was removed.
    pub fn agent(&self, address: &Address) -> LedgerResult<Option<Agent>> {
        self.one("SELECT * FROM agents WHERE address = ?1", [address.to_string()], agent_row)
    }

    /// Returns the newest incarnation of a standing agent.
    pub fn newest_incarnation_of_agent(&self, address: &Address) -> LedgerResult<Option<Incarnation>> {
        Ok(self.newest_incarnations_of_agent(address, 0, 1)?.pop())
    }

    /// Returns the newest incarnations of a standing agent with numbers higher than `above`, at most `at_most`, oldest first.
    pub fn newest_incarnations_of_agent(
        &self,
        address: &Address,
        above: u32,
        at_most: u32,
    ) -> LedgerResult<Vec<Incarnation>> {
        let sql = "SELECT * FROM incarnations WHERE agent = ?1 AND number > ?2 ORDER BY number DESC LIMIT ?3";
        let mut newest = self.all(sql, (address.to_string(), above, at_most), incarnation_row)?;
        newest.reverse();
        Ok(newest)
    }

    /// Returns the incarnations of a standing agent whose end is not recorded, oldest first.
    pub fn live_incarnations_of_agent(&self, address: &Address) -> LedgerResult<Vec<Incarnation>> {
        let sql = "SELECT * FROM incarnations WHERE agent = ?1 AND ended_at IS NULL ORDER BY number";
        self.all(sql, [address.to_string()], incarnation_row)
    }

    /// Returns how many mails entered an incarnation's context.
    pub fn mails_delivered_to(&self, id: &IncarnationId) -> LedgerResult<u32> {
        let sql = "SELECT count(*) FROM deliveries WHERE delivered_to = ?1";
        Ok(self.one(sql, [id.as_str()], |row| row.get(0))?.unwrap_or(0))
    }
}

impl Tx<'_> {
    /// Adds a standing agent, or brings a removed one back. Does not start it.
    pub fn add_agent(&self, address: &Address) -> LedgerResult<Agent> {
        if let Some(agent) = self.agent(address)?.filter(|agent| agent.removed_at.is_none()) {
            return Ok(agent);
        }
        self.execute(
            "INSERT INTO agents (address, made_at) VALUES (?1, ?2)
             ON CONFLICT (address) DO UPDATE SET made_at = ?2, removed_at = NULL, wanted_at = NULL",
            (address.to_string(), self.now().to_string()),
        )?;
        self.event("agent-added", &address.to_string(), None, None, None)?;
        let missing = || LedgerError::Corrupt { what: "an agent", text: address.to_string() };
        self.agent(address)?.ok_or_else(missing)
    }

    /// Records that an agent should run from now on. Forgives the failures of earlier incarnations.
    pub fn want_agent(&self, agent: &Agent, choice: &AgentChoice) -> LedgerResult<()> {
        let newest = self.newest_incarnation_of_agent(&agent.address)?.map_or(0, |i| i.number);
        let kind = choice.kind.as_ref().or(agent.kind.as_ref());
        let runtime = choice.runtime.or(agent.runtime).map(RuntimeChoice::as_str);
        self.execute(
            "UPDATE agents SET wanted_at = ?2, counted_from = ?3, kind = ?4, runtime = ?5 WHERE id = ?1",
            (agent.id, self.now().to_string(), newest, kind, runtime),
        )?;
        self.event("agent-wanted", &agent.address.to_string(), None, None, Some(&json!({ "kind": kind })))
    }

    /// Records that an agent must stay stopped.
    pub fn stop_agent(&self, agent: &Agent) -> LedgerResult<()> {
        if agent.wanted_at.is_none() {
            return Ok(());
        }
        self.execute("UPDATE agents SET wanted_at = NULL WHERE id = ?1", [agent.id])?;
        self.event("agent-unwanted", &agent.address.to_string(), None, None, None)
    }

    /// Forgives an agent the failures of the incarnations before number `number`.
    pub fn settle_agent(&self, agent: &Agent, number: u32) -> LedgerResult<()> {
        let before = number.saturating_sub(1);
        self.execute("UPDATE agents SET counted_from = ?2 WHERE id = ?1 AND counted_from < ?2", (agent.id, before))?;
        Ok(())
    }

    /// Records that an agent's workspace was moved to the archive.
    pub fn remove_agent(&self, agent: &Agent) -> LedgerResult<()> {
        self.execute(
            "UPDATE agents SET removed_at = ?2, wanted_at = NULL WHERE id = ?1",
            (agent.id, self.now().to_string()),
        )?;
        self.event("agent-removed", &agent.address.to_string(), None, None, None)
    }

    /// Opens the next incarnation of a standing agent.
    pub fn open_agent_incarnation(&self, agent: &Agent) -> LedgerResult<IncarnationId> {
        let number = self.newest_incarnation_of_agent(&agent.address)?.map_or(0, |i| i.number) + 1;
        // A worker's id has the attempt's number here, which never starts with a letter. So the two kinds of ids differ.
        let id = IncarnationId(format!("{}-a{}-{number}", agent.name(), agent.id));
        self.execute(
            "INSERT INTO incarnations (id, agent, number, opened_at) VALUES (?1, ?2, ?3, ?4)",
            (id.as_str(), agent.address.to_string(), number, self.now().to_string()),
        )?;
        self.event("incarnation-opened", &format!("{} incarnation {number}", agent.address), None, None, None)?;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    #[test]
    fn what_an_older_ledger_has_of_workers_is_kept() {
        let ledger = Connection::open_in_memory().unwrap();
        ledger.execute_batch("PRAGMA foreign_keys = ON").unwrap();
        let (own, older): (Vec<&str>, Vec<&str>) =
            super::super::MIGRATIONS.iter().partition(|text| text.contains("CREATE TABLE agents"));
        older.iter().take(4).for_each(|migration| ledger.execute_batch(migration).unwrap());
        ledger
            .execute_batch(
                "INSERT INTO attempts (id, bead, number, rig, worker, agent, formula, branch, opened_at)
                     VALUES (7, 'a-1', 1, 'app', 'amber', 'mine', 'f', 'b', 't');
                 INSERT INTO incarnations (id, attempt, number, secret_hash, opened_at, process, started_at, ended_at, exit)
                     VALUES ('amber-7-1', 7, 1, 'h', 'o', '{}', 's', 'e', '{}')",
            )
            .unwrap();
        ledger.execute_batch(own[0]).unwrap();
        let columns =
            "id || attempt || number || secret_hash || opened_at || process || started_at || ended_at || exit";
        let kept = |sql: &str| ledger.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(kept(&format!("SELECT {columns} FROM incarnations WHERE agent IS NULL")), "amber-7-171ho{}se{}");
        let insert = |values: &str| {
            ledger.execute(
                &format!("INSERT INTO incarnations (id, attempt, agent, number, opened_at) VALUES {values}"),
                [],
            )
        };
        assert!(insert("('x', NULL, NULL, 1, 't')").is_err(), "an incarnation is somebody's");
        assert!(insert("('x', 7, 'mayor/', 2, 't')").is_err(), "and nobody else's");
        assert!(insert("('x', NULL, 'mayor/', 1, 't')").is_err(), "who must be there");
    }
}
