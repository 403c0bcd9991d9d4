//! The state of beads in other towns, and the place that this ledger belongs to.

use std::collections::BTreeMap;
use std::path::Path;

use gt_model::bead::{Bead, Stamp, Status};
use gt_model::id::{BeadId, sha256_hex};
use gt_model::merge::{HELD_SINCE, set_held_since};
use gt_world::{World, WorldResult};
use serde::{Deserialize, Serialize};

use super::attempts::attempt_row;
use super::{Attempt, Ledger, LedgerError, LedgerResult, Tx, View, json_column, to_json};

/// State of a bead as other towns report it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    status: Status,
    assignee: Option<String>,
    closed_at: Option<String>,
    close_reason: Option<String>,
    held_since: Option<String>,
}

impl Elsewhere {
    /// Returns the state that a synced record of the bead contains.
    pub fn of(bead: &Bead) -> Self {
        let held_since = bead.rest.iter().find(|(key, _)| key == HELD_SINCE).map(|(_, raw)| raw);
        Self {
            status: bead.status.clone(),
            assignee: bead.assignee.clone(),
            closed_at: bead.closed_at.as_ref().map(|stamp| stamp.text.clone()),
            close_reason: bead.close_reason.clone(),
            held_since: held_since.and_then(|raw| serde_json::from_str(raw).ok()),
        }
    }

    /// Returns the bead with this state applied.
    pub fn apply(&self, bead: &Bead) -> Bead {
        let mut bead = Bead {
            status: self.status.clone(),
            assignee: self.assignee.clone(),
            closed_at: self.closed_at.as_deref().and_then(|text| Stamp::parse(text).ok()),
            close_reason: self.close_reason.clone(),
            ..bead.clone()
        };
        set_held_since(&mut bead, self.held_since.as_deref());
        bead
    }

    /// Describes the state: `closed`, `in_progress by alice`.
    pub fn words(&self) -> String {
        match &self.assignee {
            Some(assignee) if self.closed_at.is_none() => format!("{} by {assignee}", self.status),
            _ => self.status.to_string(),
        }
    }
}

impl View<'_> {
    /// Returns the state in other towns of beads that workers here work on, or did until just now.
    pub fn elsewhere(&self) -> LedgerResult<BTreeMap<BeadId, Elsewhere>> {
        let row = |row: &rusqlite::Row<'_>| Ok((BeadId(row.get("bead")?), json_column(row, "state")?));
        Ok(self.all("SELECT bead, state FROM elsewhere", [], row)?.into_iter().collect())
    }

    /// Returns all attempts that have not ended.
    pub fn live_attempts(&self) -> LedgerResult<Vec<Attempt>> {
        self.all(
            "SELECT * FROM attempts INDEXED BY one_live_attempt WHERE ended_at IS NULL ORDER BY id",
            [],
            attempt_row,
        )
    }
}

impl Tx<'_> {
    /// Records the state of a bead in other towns; `None` deletes it. Returns true if that changed something.
    pub fn set_elsewhere(&self, bead: &BeadId, state: Option<&Elsewhere>) -> LedgerResult<bool> {
        let changed = match state {
            Some(state) => self.execute(
                "INSERT INTO elsewhere VALUES (?1, ?2) ON CONFLICT DO UPDATE SET state = ?2 WHERE state != ?2",
                (bead.as_str(), to_json(state)?),
            )?,
            None => self.execute("DELETE FROM elsewhere WHERE bead = ?1", [bead.as_str()])?,
        };
        Ok(changed > 0)
    }

    /// Deletes a kept line that is not a bead.
    pub fn drop_foreign_record(&self, prefix: &str, line: &str) -> LedgerResult<()> {
        self.execute("DELETE FROM foreign_records WHERE prefix = ?1 AND line = ?2", (prefix, line))?;
        self.event("record-dropped", prefix, None, None, None)
    }
}

/// Key of the ledger setting that records the machine and path of its town.
const HOME_KEY: &str = "home";

/// Machine and path that a town is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// Hash of the machine's id; empty on a machine without one.
    pub machine: String,
    /// Path of the town's folder, with links resolved.
    pub path: String,
}

impl Home {
    /// Returns the current machine and path of the town at `root`.
    pub fn of(world: &dyn World, root: &Path) -> WorldResult<Self> {
        let id = world.disk().read(Path::new("/etc/machine-id"))?.unwrap_or_default();
        let id = String::from_utf8_lossy(&id).trim().to_owned();
        // The raw machine id must not be disclosed: see machine-id(5).
        let machine = if id.is_empty() { id } else { sha256_hex(&format!("gas-town {id}")) };
        Ok(Self { machine, path: world.disk().real_path(root)?.to_string_lossy().into_owned() })
    }
}

impl View<'_> {
    /// Returns the place that this ledger is bound to; `None` if no gt that binds ledgers ever wrote it.
    pub fn home(&self) -> LedgerResult<Option<Home>> {
        let read = |text: String| {
            serde_json::from_str(&text).map_err(|e| LedgerError::Corrupt { what: "its home", text: e.to_string() })
        };
        self.meta(HOME_KEY)?.map(read).transpose()
    }
}

impl Tx<'_> {
    /// Binds the ledger to a place.
    pub fn set_home(&self, home: &Home) -> LedgerResult<()> {
        self.set_meta(HOME_KEY, &to_json(home)?)
    }
}

impl Ledger {
    /// Makes this value write only to a ledger that is bound to the town at `root`. It binds a ledger that is not bound yet.
    pub fn at_home(mut self, root: &Path) -> Self {
        self.home = Some(root.to_owned());
        self
    }

    /// Returns the place that the ledger is bound to, if that is not this town.
    pub fn away(&self) -> LedgerResult<Option<Home>> {
        let Some(root) = &self.home else { return Ok(None) };
        let here = Home::of(self.world.as_ref(), root)?;
        let home = self.read(|view| view.home())?;
        home.map_or(Ok(None), |home| Ok((!self.is_same(&home, &here)?).then_some(home)))
    }

    /// Whether two places are the same: their paths are equal, or both lead to the same folder. The latter happens with a link in
    /// place of a moved town, and with a folder that is mounted twice.
    fn is_same(&self, home: &Home, here: &Home) -> LedgerResult<bool> {
        let (there, here_at) = (Path::new(&home.path), Path::new(&here.path));
        Ok(home == here || home.machine == here.machine && self.world.disk().is_same(there, here_at)?)
    }

    /// Fails if the ledger is bound to another place. Guards changes of a town's files, which need no operation of the ledger.
    pub fn refuse_away(&self) -> LedgerResult<()> {
        self.away()?.map_or(Ok(()), |home| Err(LedgerError::Away { path: home.path }))
    }

    /// Lets this value write although the ledger is bound to another place: for the operation that binds it here.
    pub fn let_in(&self) {
        self.is_home.set(true);
    }

    /// Fails if the ledger is a copy that is bound to another place. Binds a ledger that has no place yet.
    pub(super) fn check_home(&self, tx: &Tx<'_>) -> LedgerResult<()> {
        let Some(root) = self.home.as_ref().filter(|_| !self.is_home.get()) else { return Ok(()) };
        let here = Home::of(self.world.as_ref(), root)?;
        match tx.home()? {
            Some(home) if !self.is_same(&home, &here)? => return Err(LedgerError::Away { path: home.path }),
            Some(_) => {}
            None => tx.set_home(&here)?,
        }
        self.is_home.set(true);
        Ok(())
    }
}
