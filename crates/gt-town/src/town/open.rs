//! An open town: its ledger, its settings, and the world it acts on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use gt_ledger::settle_convoys;
use gt_ledger::{Ledger, RigRow, WRITE_DEADLINE};
use gt_model::address::Address;
use gt_model::formula::Formula;
use gt_model::id::RigName;
use gt_model::price::Prices;
use gt_world::faults::Faults;
use gt_world::{Held, World};

use crate::town::error::{Error, Result};
use crate::town::lane::Lane;
use crate::town::layout::{Layout, RigLayout};
use crate::town::settings::presets;
use crate::town::settings::{self, AgentPreset, RigSettings, TownSettings};

/// Where secrets come from: the system's randomness, or a counter in a simulated town.
pub type Entropy = Arc<dyn Fn() -> [u8; 16] + Send + Sync>;

/// What is part of the binary as text, read when it is first asked for: most calls never do.
#[derive(Clone)]
pub struct BuiltIn<T>(Arc<LazyLock<T, Read<T>>>);

type Read<T> = Box<dyn FnOnce() -> T + Send>;

impl<T> BuiltIn<T> {
    /// What `read` answers with.
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

/// What a town is handed from outside.
#[derive(Clone)]
pub struct Outside {
    /// The door to everything.
    pub world: Arc<dyn World>,
    /// The environment, as read when the process started.
    pub env: BTreeMap<String, String>,
    /// The path of the running `gt`.
    pub gt: PathBuf,
    /// Kinds of agent that come with the binary.
    pub presets: BuiltIn<BTreeMap<String, AgentPreset>>,
    /// What models' tokens cost, as far as the binary knows.
    pub prices: BuiltIn<Prices>,
    /// Where secrets come from.
    pub entropy: Entropy,
    /// Which build of gt this is: another one takes over from it at `gt up`.
    pub build: String,
    /// Armed fault points.
    pub faults: Faults,
}

/// Formulas that come with the binary, by name.
const BUILT_IN_FORMULAS: &[(&str, &str)] =
    &[("mol-polecat-work", include_str!("../../formulas/mol-polecat-work.toml"))];

/// An open town.
pub struct Town {
    /// Where everything is.
    pub layout: Layout,
    /// Its ledger.
    pub ledger: Ledger,
    /// Its settings.
    pub settings: TownSettings,
    /// What it was handed.
    pub outside: Outside,
}

impl Town {
    /// Opens the town at `root`. Nothing is made: a folder that is no town is an error.
    pub fn open(root: &Path, outside: Outside) -> Result<Self> {
        Self::open_within(root, outside, WRITE_DEADLINE)
    }

    /// The same for somebody who can't wait: an error where others keep the ledger for longer than `patience`.
    pub fn open_within(root: &Path, outside: Outside, patience: std::time::Duration) -> Result<Self> {
        let layout = Layout::new(root);
        outside.world.disk().guard(root);
        if !outside.world.disk().exists(&layout.settings()) {
            return Err(Error::NoTown(root.to_owned()));
        }
        let ledger = Ledger::open_within(&layout.ledger(), outside.world.clone(), outside.faults.clone(), patience)?;
        Self::with_ledger(root, outside, ledger)
    }

    /// The town at `root` over a ledger that is open already.
    pub fn with_ledger(root: &Path, outside: Outside, ledger: Ledger) -> Result<Self> {
        let layout = Layout::new(root);
        outside.world.disk().guard(root);
        let path = layout.settings();
        let bytes = outside.world.disk().read_own(&path)?.ok_or_else(|| Error::NoTown(root.to_owned()))?;
        let settings = settings::load(&outside, &path, &bytes)?;
        let is_shared = settings.sync.remote.is_some();
        let ledger = ledger.at_home(root).shared(is_shared).settling_convoys(settle_convoys);
        Ok(Self { layout, ledger, settings, outside })
    }

    /// A second handle on the same town, for another thread. An error where another town is at its path by now.
    pub fn reopen(&self) -> Result<Self> {
        let town = Self::open(&self.layout.root, self.outside.clone())?;
        // Asked last: what is at the path now was there when it was opened.
        if self.is_there() { Ok(town) } else { Err(Error::NoTown(self.layout.root.clone())) }
    }

    /// Opens the town anew if `town.toml` says something else than when it was opened. `None` where it does not, or can't be
    /// read: then what was known holds on.
    pub(crate) fn with_changed_settings(&self) -> Option<Self> {
        if settings::current(self) == self.settings { None } else { self.reopen().ok() }
    }

    /// Whether this town is still at its path: neither deleted or moved, nor another one put in its place.
    pub fn is_there(&self) -> bool {
        self.world().disk().exists(&self.layout.settings()) && !self.ledger.is_replaced()
    }

    /// The door to everything.
    pub fn world(&self) -> &dyn World {
        self.outside.world.as_ref()
    }

    /// The rig of that name, whatever its case.
    pub fn rig(&self, name: &str) -> Result<Rig> {
        let (row, names) = self.ledger.read(|view| {
            let names: Vec<String> = view.rigs()?.into_iter().map(|rig| rig.name.to_string()).collect();
            Ok::<_, Error>((view.rig(name)?, names))
        })?;
        let row = row.ok_or_else(|| Error::UnknownRig { name: name.to_owned(), known: names })?;
        self.rig_of(row)
    }

    /// All rigs.
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

    /// A formula by name: the rig's own, the town's, or the one in the binary.
    pub fn formula(&self, rig: &Rig, name: &str) -> Result<Formula> {
        let file = format!("{name}.toml");
        for folder in [rig.layout.formulas(), self.layout.formulas()] {
            let path = folder.join(&file);
            if let Some(bytes) = self.world().disk().read_own(&path)? {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                return Formula::parse(&text).map_err(|source| Error::Formula { name: name.to_owned(), path, source });
            }
        }
        let built_in = BUILT_IN_FORMULAS.iter().find(|(known, _)| *known == name);
        let (_, text) = built_in.ok_or_else(|| Error::UnknownFormula(name.to_owned()))?;
        Formula::parse(text).map_err(|source| Error::Formula { name: name.to_owned(), path: file.into(), source })
    }

    /// A kind of agent: what town.toml says of it, over the one in the binary.
    pub fn agent(&self, kind: &str) -> Result<AgentPreset> {
        presets::preset(&self.settings.agents, &self.outside.presets, kind)
    }

    /// Takes the lock of a lane, waiting in turn.
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

    /// Tells the deacon to look again.
    pub fn wake(&self) {
        self.world().disk().wake(&self.layout.wake());
    }

    /// Whether boot runs: somebody holds its lock.
    pub fn boot_runs(&self) -> Result<bool> {
        self.is_held(&self.layout.boot_lock())
    }

    /// Whether a deacon runs: somebody holds its lock.
    pub fn deacon_runs(&self) -> Result<bool> {
        self.is_held(&self.layout.deacon_lock())
    }

    /// Whether the refinery of a rig, or a person, has its turn at the gates' worktree.
    pub(crate) fn refinery_is_at_work(&self, rig: &Rig) -> Result<bool> {
        self.is_held(&self.layout.lock(&rig.gates_lane().name()))
    }

    /// Asked twice, since whoever asks has the lock for that moment, and two may ask at once.
    fn is_held(&self, lock: &Path) -> Result<bool> {
        let disk = self.world().disk();
        if lock.parent().is_some_and(|locks| !disk.exists(locks)) {
            // No lock of the town's is shown to an agent in a sandbox, which could keep it. It sees who waits to be woken.
            return Ok(disk.is_awaited(&self.layout.wake()));
        }
        if self.world().disk().try_lock(lock)?.is_some() {
            return Ok(false);
        }
        self.world().clock().pause(ASKERS_TURN);
        Ok(self.world().disk().try_lock(lock)?.is_none())
    }
}

/// Longer than anybody who only asks has a lock.
const ASKERS_TURN: std::time::Duration = std::time::Duration::from_millis(5);

/// How long a verb waits for a lock of the town's.
const LOCK_DEADLINE: std::time::Duration = std::time::Duration::from_secs(30);

/// A rig with its settings.
#[derive(Clone, Debug)]
pub struct Rig {
    /// What the ledger knows.
    pub row: RigRow,
    /// Where everything of it is.
    pub layout: RigLayout,
    /// Its settings.
    pub settings: RigSettings,
}

impl Rig {
    /// Its name.
    pub fn name(&self) -> &RigName {
        &self.row.name
    }

    /// The ref that holds its remote's trunk, as last fetched.
    pub fn trunk_ref(&self) -> String {
        format!("refs/remotes/origin/{}", self.row.trunk)
    }

    /// The lane of those that write its repository.
    pub fn repo_lane(&self) -> Lane {
        Lane::Repo(self.row.name.clone())
    }

    /// The lane of those that use the gates' worktree.
    pub fn gates_lane(&self) -> Lane {
        Lane::Gates(self.row.name.clone())
    }

    /// The lane of those that use its remote.
    pub fn remote_lane(&self) -> Lane {
        Lane::Remote(self.row.name.clone())
    }
}

/// Who acts: the address, and for an agent the incarnation that its token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub address: Address,
    /// As which incarnation.
    pub incarnation: Option<gt_model::id::IncarnationId>,
    /// What a person calls itself in beads; a proven agent has no choice.
    pub called: Option<String>,
}

impl Caller {
    /// The human.
    pub fn overseer() -> Self {
        Self::role(Address::Overseer)
    }

    /// A gate, a set-up, an acceptance command: it only reads.
    pub fn gate() -> Self {
        Self::role(Address::Gate)
    }

    /// A role that is code.
    pub fn role(address: Address) -> Self {
        Self { address, incarnation: None, called: None }
    }

    /// The same caller, under the name that a person gave itself. An agent keeps its address.
    pub fn called(self, name: Option<&str>) -> Self {
        let called = name.map(str::trim).filter(|name| !name.is_empty() && self.is_overseer()).map(str::to_owned);
        Self { called, ..self }
    }

    /// For the audit.
    pub fn name(&self) -> String {
        self.called.clone().unwrap_or_else(|| self.address.to_string())
    }

    /// Whether this is a command that the town runs for its agents' work.
    pub fn is_gate(&self) -> bool {
        self.address == Address::Gate
    }

    /// Whether this is a person, who may do what no agent may.
    pub fn is_overseer(&self) -> bool {
        self.address == Address::Overseer
    }
}
