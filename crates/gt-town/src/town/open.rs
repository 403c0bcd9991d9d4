//! An open town: its ledger, its settings, and its access to the outside world.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use gt_ledger::settle_convoys;
use gt_ledger::{Ledger, RigRow, WRITE_DEADLINE};
use gt_model::address::Address;
use gt_model::id::RigName;
use gt_model::price::Prices;
use gt_world::faults::Faults;
use gt_world::{Held, World};

use crate::town::error::{Error, Result};
use crate::town::formula::KnownPatrols;
use crate::town::lane::Lane;
use crate::town::layout::{Layout, RigLayout};
use crate::town::settings::presets;
use crate::town::settings::{self, AgentPreset, RigSettings, TownSettings};

/// Source of secrets: the system's randomness, or a counter in a simulated town.
pub type Entropy = Arc<dyn Fn() -> [u8; 16] + Send + Sync>;

/// Data embedded in the binary as text. It is parsed on first use, because most calls never need it.
#[derive(Clone)]
pub struct BuiltIn<T>(Arc<LazyLock<T, Read<T>>>);

type Read<T> = Box<dyn FnOnce() -> T + Send>;

impl<T> BuiltIn<T> {
    /// Wraps the parser `read`.
    pub fn new(read: impl FnOnce() -> T + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(read))))
    }
}

impl<T: Default + 'static> Default for BuiltIn<T> {
    fn default() -> Self {
        Self::new(T::default)
    }
}

impl<T> std::ops::Deref for BuiltIn<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Everything that the caller passes into a town.
#[derive(Clone)]
pub struct Outside {
    /// Access to files, processes and git.
    pub world: Arc<dyn World>,
    /// Environment at the start of the process.
    pub env: BTreeMap<String, String>,
    /// The path of the running `gt`.
    pub gt: PathBuf,
    /// Presets of agents in the binary.
    pub presets: BuiltIn<BTreeMap<String, AgentPreset>>,
    /// Prices of models' tokens in the binary.
    pub prices: BuiltIn<Prices>,
    /// Source of secrets.
    pub entropy: Entropy,
    /// Build of this gt. A different build takes over at `gt up`.
    pub build: String,
    /// Armed fault points.
    pub faults: Faults,
}

/// An open town.
pub struct Town {
    /// Paths of the town.
    pub layout: Layout,
    /// Its ledger.
    pub ledger: Ledger,
    /// Its settings.
    pub settings: TownSettings,
    /// Values that the caller passed in.
    pub outside: Outside,
    /// Acts of patrols that were read before.
    pub(super) patrols: KnownPatrols,
}

impl Town {
    /// Opens the town at `root`. Creates nothing: returns an error if the folder is not a town.
    pub fn open(root: &Path, outside: Outside) -> Result<Self> {
        Self::open_within(root, outside, WRITE_DEADLINE)
    }

    /// Opens the town like `open`, but returns an error if other processes hold the ledger for longer than `patience`.
    pub fn open_within(root: &Path, outside: Outside, patience: std::time::Duration) -> Result<Self> {
        let layout = Layout::new(root);
        outside.world.disk().guard(root);
        if !outside.world.disk().exists(&layout.settings()) {
            return Err(Error::NoTown(root.to_owned()));
        }
        let ledger = Ledger::open_within(&layout.ledger(), outside.world.clone(), outside.faults.clone(), patience)?;
        Self::with_ledger(root, outside, ledger)
    }

    /// Opens the town at `root` with a ledger that is already open.
    pub fn with_ledger(root: &Path, outside: Outside, ledger: Ledger) -> Result<Self> {
        let layout = Layout::new(root);
        outside.world.disk().guard(root);
        let path = layout.settings();
        let bytes = outside.world.disk().read_own(&path)?.ok_or_else(|| Error::NoTown(root.to_owned()))?;
        let settings = settings::load(&outside, &path, &bytes)?;
        let is_shared = settings.sync.remote.is_some();
        let ledger = ledger.at_home(root).shared(is_shared).settling_convoys(settle_convoys);
        Ok(Self::around(layout, ledger, settings, outside))
    }

    /// Puts a town together from its parts.
    pub(crate) fn around(layout: Layout, ledger: Ledger, settings: TownSettings, outside: Outside) -> Self {
        Self { layout, ledger, settings, outside, patrols: KnownPatrols::default() }
    }

    /// Opens the same town again for another thread. Returns an error if a different town is at its path now.
    pub fn reopen(&self) -> Result<Self> {
        let town = Self::open(&self.layout.root, self.outside.clone())?;
        // Check this last. It proves that the town now at the path is the one that was opened.
        if self.is_there() { Ok(town) } else { Err(Error::NoTown(self.layout.root.clone())) }
    }

    /// Opens the town again if `town.toml` has changed since it was opened. Returns `None` if it has not changed or can't be
    /// read; the old settings then stay in force.
    pub(crate) fn with_changed_settings(&self) -> Option<Self> {
        if settings::current(self) == self.settings { None } else { self.reopen().ok() }
    }

    /// Whether this town is still at its path: not deleted, moved or replaced by another.
    pub fn is_there(&self) -> bool {
        self.world().disk().exists(&self.layout.settings()) && !self.ledger.is_replaced()
    }

    /// Returns the access to the outside world.
    pub fn world(&self) -> &dyn World {
        self.outside.world.as_ref()
    }

    /// Returns the rig with that name, ignoring case.
    pub fn rig(&self, name: &str) -> Result<Rig> {
        let (row, names) = self.ledger.read(|view| {
            let names: Vec<String> = view.rigs()?.into_iter().map(|rig| rig.name.to_string()).collect();
            Ok::<_, Error>((view.rig(name)?, names))
        })?;
        let row = row.ok_or_else(|| Error::UnknownRig { name: name.to_owned(), known: names })?;
        self.rig_of(row)
    }

    /// Returns all rigs.
    pub fn rigs(&self) -> Result<Vec<Rig>> {
        let rows = self.ledger.read(|view| Ok::<_, Error>(view.rigs()?))?;
        rows.into_iter().map(|row| self.rig_of(row)).collect()
    }

    fn rig_of(&self, row: RigRow) -> Result<Rig> {
        let layout = self.layout.rig(&row.name);
        let path = layout.settings();
        let settings = match self.world().disk().read_own(&path)? {
            Some(bytes) => settings::parse(&path, &bytes)?,
            None => return Err(Error::MissingFile(path)),
        };
        Ok(Rig { row, layout, settings })
    }

    /// Returns the preset of a kind of agent: the settings in town.toml over those in the binary.
    pub fn agent(&self, kind: &str) -> Result<AgentPreset> {
        presets::preset(&self.settings.agents, &self.outside.presets, kind)
    }

    /// Takes the lock of a lane and waits for it.
    pub fn lock(&self, lane: &Lane) -> Result<Held> {
        self.ledger.refuse_confined()?;
        let path = self.layout.lock(&lane.name());
        self.world().disk().lock(&path, LOCK_DEADLINE)?.ok_or_else(|| Error::Locked(lane.name()))
    }

    /// Takes the lock of a lane if it is free.
    pub fn try_lock(&self, lane: &Lane) -> Result<Option<Held>> {
        self.ledger.refuse_confined()?;
        Ok(self.world().disk().try_lock(&self.layout.lock(&lane.name()))?)
    }

    /// Wakes the deacon for another patrol.
    pub fn wake(&self) {
        self.world().disk().wake(&self.layout.wake());
    }

    /// Whether the boot process is running, that is, holds its lock.
    pub fn boot_runs(&self) -> Result<bool> {
        self.is_held(&self.layout.boot_lock())
    }

    /// Whether a deacon is running, that is, holds its lock.
    pub fn deacon_runs(&self) -> Result<bool> {
        self.is_held(&self.layout.deacon_lock())
    }

    /// Whether the refinery of a rig, or a person, is using the gates' worktree.
    pub(crate) fn refinery_is_at_work(&self, rig: &Rig) -> Result<bool> {
        self.is_held(&self.layout.lock(&rig.gates_lane().name()))
    }

    /// Checks twice. Checking a lock briefly takes it, so another check at the same moment could look like a holder.
    fn is_held(&self, lock: &Path) -> Result<bool> {
        let disk = self.world().disk();
        if lock.parent().is_some_and(|locks| !disk.exists(locks)) {
            // A sandboxed agent sees none of the town's locks, because it could hold them. It can see whether the deacon waits to
            // be woken.
            return Ok(disk.is_awaited(&self.layout.wake()));
        }
        if self.world().disk().try_lock(lock)?.is_some() {
            return Ok(false);
        }
        self.world().clock().pause(ASKERS_TURN);
        Ok(self.world().disk().try_lock(lock)?.is_none())
    }
}

/// Pause between the two checks: longer than a check holds the lock.
const ASKERS_TURN: std::time::Duration = std::time::Duration::from_millis(5);

/// How long a verb waits for a lock of the town.
const LOCK_DEADLINE: std::time::Duration = std::time::Duration::from_secs(30);

/// A rig with its settings.
#[derive(Clone, Debug)]
pub struct Rig {
    /// Its row in the ledger.
    pub row: RigRow,
    /// Paths of the rig.
    pub layout: RigLayout,
    /// Its settings.
    pub settings: RigSettings,
}

impl Rig {
    /// Its name.
    pub fn name(&self) -> &RigName {
        &self.row.name
    }

    /// Returns the ref that holds the remote's trunk as last fetched.
    pub fn trunk_ref(&self) -> String {
        format!("refs/remotes/origin/{}", self.row.trunk)
    }

    /// Returns the lane for writers of its repository.
    pub fn repo_lane(&self) -> Lane {
        Lane::Repo(self.row.name.clone())
    }

    /// Returns the lane for users of the gates' worktree.
    pub fn gates_lane(&self) -> Lane {
        Lane::Gates(self.row.name.clone())
    }

    /// Returns the lane for users of its remote.
    pub fn remote_lane(&self) -> Lane {
        Lane::Remote(self.row.name.clone())
    }
}

/// The acting party: an address and, for an agent, the incarnation that its token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Address of the caller.
    pub address: Address,
    /// Incarnation of an agent.
    pub incarnation: Option<gt_model::id::IncarnationId>,
    /// Name that a person chose for use in beads. A proven agent has no choice.
    pub called: Option<String>,
}

impl Caller {
    /// Returns the human caller.
    pub fn overseer() -> Self {
        Self::role(Address::Overseer)
    }

    /// Returns the caller for a gate, set-up or acceptance command, which may only read.
    pub fn gate() -> Self {
        Self::role(Address::Gate)
    }

    /// Returns the caller for a role that code performs.
    pub fn role(address: Address) -> Self {
        Self { address, incarnation: None, called: None }
    }

    /// Returns the same caller with the name that a person chose. An agent keeps its address.
    pub fn called(self, name: Option<&str>) -> Self {
        let called = name.map(str::trim).filter(|name| !name.is_empty() && self.is_overseer()).map(str::to_owned);
        Self { called, ..self }
    }

    /// Returns the name for the audit log.
    pub fn name(&self) -> String {
        self.called.clone().unwrap_or_else(|| self.address.to_string())
    }

    /// Whether the caller is a command that the town runs for its agents' work.
    pub fn is_gate(&self) -> bool {
        self.address == Address::Gate
    }

    /// Whether the caller is a person, who may do what no agent may.
    pub fn is_overseer(&self) -> bool {
        self.address == Address::Overseer
    }
}
