//! The ledger: one embedded SQLite file per town. Every `gt` process opens it directly; there is no server.
//!
//! Only this module knows SQL. Callers use typed queries ([`View`]) and typed operations ([`Tx`]); each operation writes its
//! audit event in the same transaction. A writer takes the lock file `beads.lock` before it runs `BEGIN IMMEDIATE`, so writers
//! run one at a time. Readers never wait.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gt_world::faults::Faults;
use gt_world::{World, WorldError};
use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, FileControl, OpenFlags, OptionalExtension};
use times::Times;

mod agents;
mod attempts;
mod bead_rows;
mod beads;
mod clean_runs;
pub mod confined;
mod convoys;
mod copies;
mod effects;
mod elsewhere;
mod events;
mod fresh_id;
mod gating;
mod graph;
mod holding;
mod mail;
mod merge_queue;
mod molecules;
mod moments;
#[cfg(test)]
mod plans;
mod query;
mod ready;
mod renaming;
mod retention;
mod rigs;
mod settle;
mod sign;
mod statistics;
mod swarms;
mod times;
mod usage;
pub mod waiting;
mod words;
mod words_aside;

pub use agents::{Agent, AgentChoice};
pub use attempts::{
    Attempt, AttemptMolecule, AttemptOutcome, Holder, Incarnation, IncarnationProcess, NewAttempt, RestoredAttempt,
};
pub use bead_rows::Task;
pub use beads::{BeadChange, BeadFilter, BeadOrder, Bulk};
pub use clean_runs::{CleanRun, WarmLandings};
pub use copies::Copied;
pub use effects::EffectRow;
pub use elsewhere::{Elsewhere, Home};
pub use events::{Condition, Event};
pub use gating::Gating;
pub use graph::{Direction, TreeNode};
pub use mail::{Delivery, Mail, NewMail, Priority};
pub use merge_queue::{Landing, MergeRequest, Verdict};
pub use molecules::{Molecule, MoleculeOutcome, MoleculeStep, NewMolecule, StepCounts, StepEnd, StepPlace, StepState};
pub use moments::Reactions;
pub use ready::{Blocker, ReadyFilter, ReadyOrder};
pub use rigs::RigRow;
pub use settle::member_words;
pub use settle::{is_derived, settle_convoys, tracked};
pub use sign::Sign;
pub use statistics::{EpicStatus, Statistics};
pub use swarms::{Swarm, SwarmMember};
pub use usage::{UsageRow, UsageSums};

/// How long a writer waits for the lock.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// Upper limit of SQLite's page cache, in KiB. A large import changes about this much. SQLite allocates it only as needed.
const CACHE_KIB: i64 = 128 * 1024;

/// Maximum size of SQLite's write-ahead log while a process has the ledger open, in bytes.
const LOG_LIMIT: i64 = 4 * 1024 * 1024;

/// How many prepared statements the connection caches: as many as a patrol uses.
const STATEMENTS_KEPT: usize = 200;

/// File name of the lock that a ledger's writers take. It lies beside the ledger.
pub const LEDGER_LOCK: &str = "beads.lock";

/// Name of the folder that holds a ledger's backups. It lies beside the ledger.
pub const BACKUPS: &str = "backups";

/// The prefix of beads that belong to the town itself (convoys, mail).
pub const TOWN_PREFIX: &str = "hq";

/// Maximum length of a subject, in characters.
pub const SUBJECT_LIMIT: usize = 500;

/// Key of the ledger setting that records when the ledger was last synced, and with which commit.
pub const SYNCED_KEY: &str = "synced";

/// Migrations in order. The ledger's schema version is the number of migrations that it has had. Append only.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/001_kernel.sql"),
    include_str!("migrations/002_slots.sql"),
    include_str!("migrations/003_runtime.sql"),
    include_str!("migrations/004_retention.sql"),
    include_str!("migrations/005_moments.sql"),
    include_str!("migrations/006_agents.sql"),
    include_str!("migrations/007_usage.sql"),
    include_str!("migrations/020_holding.sql"),
    include_str!("migrations/022_sync.sql"),
    include_str!("migrations/023_history.sql"),
    include_str!("migrations/045_convoys.sql"),
    include_str!("migrations/046_landed.sql"),
    include_str!("migrations/059_causes.sql"),
    include_str!("migrations/041_clean.sql"),
    include_str!("migrations/054_review.sql"),
    include_str!("migrations/075_mail.sql"),
    include_str!("migrations/076_gating.sql"),
    include_str!("migrations/065_uncounted.sql"),
    include_str!("migrations/100_worker_gates.sql"),
    include_str!("migrations/130_renamed.sql"),
    include_str!("migrations/140_fewer_indexes.sql"),
    include_str!("migrations/150_molecules.sql"),
];

/// Error of an operation on the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// SQLite failed.
    #[error("the ledger can't be used: {0}")]
    Sql(rusqlite::Error),
    /// SQLite failed on the ledger at a known path.
    #[error("the ledger {} can't be used: {error}", path.display())]
    At {
        /// Path of the ledger.
        path: PathBuf,
        /// SQLite's error.
        error: rusqlite::Error,
    },
    /// The ledger's file is empty: its content is lost.
    #[error("the ledger {} is an empty file", .0.display())]
    Empty(PathBuf),
    /// The ledger lies, or would lie, on a network file system. SQLite's log and locks can't be trusted there.
    #[error("the ledger {} is on a network file system ({kind})", path.display())]
    Network {
        /// Path of the ledger, or the path where it was to be created.
        path: PathBuf,
        /// Kind of file system.
        kind: &'static str,
    },
    /// The ledger's file does not exist. Opening never creates one.
    #[error("no ledger at {}", .0.display())]
    Missing(PathBuf),
    /// The caller wants to create a ledger, but the file already exists.
    #[error("a ledger is already at {}", .0.display())]
    Exists(PathBuf),
    /// A newer gt wrote the ledger.
    #[error("the ledger has schema {found}, but this gt knows only {known}: use the newer gt")]
    Newer {
        /// Schema version of the ledger.
        found: i64,
        /// Newest schema version that this gt knows.
        known: i64,
    },
    /// The file is a database of another program.
    #[error("{} is a database of another program", .0.display())]
    Foreign(PathBuf),
    /// The lock was not free within the time limit.
    #[error("the ledger is busy: other writers held its lock for {} ms", .0.as_millis())]
    Busy(Duration),
    /// The ledger contains a value that it must not contain.
    #[error("the ledger holds {what} that can't be read: {text}")]
    Corrupt {
        /// Kind of the value.
        what: &'static str,
        /// Description of the fault.
        text: String,
    },
    /// The ledger belongs to a town at another path.
    #[error("this town is a copy: it was made at {path}, and is read-only here")]
    Away {
        /// Path of the town that it belongs to.
        path: String,
    },
    /// The ledger's file was removed while it was open. Another file may be in its place.
    #[error("the ledger {} was removed or replaced while this gt had it open; nothing was written", .0.display())]
    Replaced(PathBuf),
    /// The caller runs inside a gate, a set-up command or an acceptance command. Code there may only read.
    #[error("gates, set-up and acceptance commands run agents' code, so gt only reads for them: nothing was changed")]
    Confined,
    /// The lock could not be taken.
    #[error(transparent)]
    World(#[from] WorldError),
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::FromSqlConversionFailure(_, _, inner) if inner.is::<times::NoTime>() => {
                Self::Corrupt { what: "a time", text: inner.to_string() }
            }
            _ => Self::Sql(error),
        }
    }
}

/// Result of a ledger operation.
pub type LedgerResult<T> = Result<T, LedgerError>;

impl LedgerError {
    /// Adds the ledger's path to an SQLite error; returns other errors unchanged.
    pub fn at(self, path: &Path) -> Self {
        match self {
            Self::Sql(error) => Self::At { path: path.to_owned(), error },
            error => error,
        }
    }

    /// Whether the ledger can't be opened any more, so that it must be restored from a backup or made again.
    pub fn is_lost(&self) -> bool {
        use rusqlite::ErrorCode;
        match self {
            Self::Sql(error) | Self::At { error, .. } => {
                matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
            }
            Self::Empty(_) | Self::Missing(_) | Self::Corrupt { .. } => true,
            _ => false,
        }
    }
}

/// One connection to a town's ledger.
pub struct Ledger {
    connection: RefCell<Connection>,
    lock: PathBuf,
    world: Arc<dyn World>,
    faults: Faults,
    patience: Duration,
    /// Folder of the town that opened this ledger. The ledger is written only if it belongs to this town.
    home: Option<PathBuf>,
    /// Whether a check has confirmed that the ledger belongs to this town.
    is_home: Cell<bool>,
    settle_convoys: Option<SettleConvoys>,
    /// Whether this process runs agents' code, which must not write. `None` until checked.
    is_confined: Cell<Option<bool>>,
    /// Whether this ledger is merged with other ledgers where beads are created at the same time.
    is_shared: bool,
}

/// Brings the convoys that an operation touched up to date. Runs as the last part of that operation.
pub type SettleConvoys = fn(&Tx<'_>) -> LedgerResult<()>;

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("lock", &self.lock).finish_non_exhaustive()
    }
}

/// Tells SQLite not to follow links. Agents can write to the ledger's folder, so one of them could put a link in place of a
/// ledger or of a copy.
pub(crate) const UNLINKED: OpenFlags = OpenFlags::SQLITE_OPEN_NOFOLLOW;

/// Resolves the links in the folders above the file: a person made those. A link at the file itself stays unresolved.
pub(crate) fn real_place(path: &Path) -> PathBuf {
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

impl Ledger {
    /// Creates a new ledger at `path`. Its folder must exist.
    pub fn create(path: &Path, world: Arc<dyn World>) -> LedgerResult<Self> {
        if path.exists() {
            return Err(LedgerError::Exists(path.to_owned()));
        }
        refuse_network(world.as_ref(), path)?;
        confined::keep_maker(world.as_ref(), path)?;
        let connection = Connection::open_with_flags(real_place(path), OpenFlags::default() | UNLINKED)?;
        Self::set_up(connection, path, world, Faults::none(), WRITE_DEADLINE)
    }

    /// Opens the ledger at `path` and migrates it if an older gt wrote it.
    pub fn open(path: &Path, world: Arc<dyn World>, faults: Faults) -> LedgerResult<Self> {
        Self::open_within(path, world, faults, WRITE_DEADLINE)
    }

    /// Opens the ledger at `path` for a caller that can't wait long. Fails if other processes keep the ledger locked for longer
    /// than `patience`.
    pub fn open_within(path: &Path, world: Arc<dyn World>, faults: Faults, patience: Duration) -> LedgerResult<Self> {
        if !path.exists() {
            return Err(LedgerError::Missing(path.to_owned()));
        }
        refuse_network(world.as_ref(), path)?;
        if path.metadata().is_ok_and(|facts| facts.len() == 0) {
            return Err(LedgerError::Empty(path.to_owned()));
        }
        Self::open_there(path, world, faults, patience).map_err(|error| error.at(path))
    }

    fn open_there(path: &Path, world: Arc<dyn World>, faults: Faults, patience: Duration) -> LedgerResult<Self> {
        // SQLite needs no mutexes here, because no two threads use a connection at once.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(real_place(path), flags | UNLINKED)?;
        // The last process to close the ledger empties the log, so the whole ledger is then in its one file. The log files
        // themselves stay: creating them again would cost each call more than most verbs do.
        connection.file_control(c"main".into(), FileControl::PersistWal(&mut 1))?;
        connection.pragma_update(None, "journal_size_limit", LOG_LIMIT)?;
        Self::set_up(connection, path, world, faults, patience)
    }

    /// Opens the ledger at `path` for reading only.
    pub fn open_read_only(path: &Path, world: Arc<dyn World>) -> LedgerResult<Self> {
        if !path.exists() {
            return Err(LedgerError::Missing(path.to_owned()));
        }
        let connection = Connection::open_with_flags(real_place(path), OpenFlags::SQLITE_OPEN_READ_ONLY | UNLINKED)?;
        check_version(&connection)?;
        Ok(Self::with(connection, path, world, Faults::none()))
    }

    /// Creates a ledger that exists only in memory, for simulated towns.
    pub fn in_memory(world: Arc<dyn World>) -> LedgerResult<Self> {
        Self::in_memory_locked_in(Path::new("/memory"), world)
    }

    /// Creates a ledger that exists only in memory, whose writers' lock is a file in an existing folder.
    pub fn in_memory_locked_in(folder: &Path, world: Arc<dyn World>) -> LedgerResult<Self> {
        let connection = Connection::open_in_memory()?;
        Self::set_up(connection, &folder.join("beads.db"), world, Faults::none(), WRITE_DEADLINE)
    }

    /// Path of the ledger's file; empty for a ledger in memory.
    pub fn path(&self) -> PathBuf {
        self.connection.borrow().path().map(PathBuf::from).unwrap_or_default()
    }

    /// Sets whether this ledger is merged with other ledgers.
    pub fn shared(mut self, is_shared: bool) -> Self {
        self.is_shared = is_shared;
        self
    }

    /// Sets the fault points, which tests use to make operations fail.
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    fn with(connection: Connection, path: &Path, world: Arc<dyn World>, faults: Faults) -> Self {
        let lock = path.with_file_name(LEDGER_LOCK);
        Self {
            connection: RefCell::new(connection),
            lock,
            world,
            faults,
            patience: WRITE_DEADLINE,
            home: None,
            is_home: Cell::new(false),
            settle_convoys: None,
            is_confined: Cell::new(None),
            is_shared: false,
        }
    }

    fn set_up(
        connection: Connection,
        path: &Path,
        world: Arc<dyn World>,
        faults: Faults,
        patience: Duration,
    ) -> LedgerResult<Self> {
        connection.busy_timeout(patience)?;
        // Without this, SQLite plans each statement a second time when its parameters are known.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        refuse_foreign(&connection, path)?;
        // `FULL`, because what a verb reports as done must survive a power cut.
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        let mut ledger = Self::with(connection, path, world, faults);
        ledger.patience = patience;
        if check_version(&ledger.connection.borrow())? < MIGRATIONS.len() as i64 {
            ledger.migrate()?;
        }
        ledger.connection.borrow().pragma_update(None, "foreign_keys", true)?;
        Ok(ledger)
    }

    /// Brings an older ledger up to date. Foreign keys are off during this time: a migration may rebuild a table, and dropping
    /// the old table must not delete the rows that refer to it.
    fn migrate(&self) -> LedgerResult<()> {
        if check_version(&self.connection.borrow())? == 0 {
            self.let_maker_in();
        }
        let _turn = self.turn()?;
        self.copy_before_migrating()?;
        let mut connection = self.connection.borrow_mut();
        connection.pragma_update(None, "foreign_keys", false)?;
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Checked again inside the transaction, because another process may have migrated the ledger in the meantime.
        let have = check_version(&transaction)?;
        for (at, migration) in MIGRATIONS.iter().enumerate().skip(usize::try_from(have).unwrap_or(0)) {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", at as i64 + 1)?;
        }
        let now = self.world.clock().now();
        Tx::new(&transaction, "gt", "migrate", now).mend_holds()?;
        Ok(transaction.commit()?)
    }

    /// Copies an older ledger to `backups/` before the migration; keeps one copy for each schema version.
    fn copy_before_migrating(&self) -> LedgerResult<()> {
        let have = check_version(&self.connection.borrow())?;
        let copy = self.copy_before(have).filter(|copy| have > 0 && !self.world.disk().exists(copy));
        copy.map_or(Ok(()), |copy| self.copy_to(&copy).map(drop))
    }

    /// Takes the writers' lock. Nothing is written without it.
    fn turn(&self) -> LedgerResult<gt_world::Held> {
        self.refuse_confined()?;
        self.world.disk().lock(&self.lock, self.patience)?.ok_or(LedgerError::Busy(self.patience))
    }

    /// Runs one operation in a transaction: the ledger contains all of `change` afterwards, or nothing of it. `actor` says who
    /// acts and `verb` names the operation; every event that the operation writes records both.
    pub fn write<T, E: From<LedgerError>>(
        &self,
        actor: &str,
        verb: &str,
        change: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _turn = self.turn()?;
        self.commit(actor, verb, change)
    }

    /// Like [`Self::write`], for facts that matter only while this machine runs. The change survives the death of any process. A
    /// power cut may lose it, but also ends every process that the change is about. Does not wait for the disk.
    pub fn write_for_now<T, E: From<LedgerError>>(
        &self,
        actor: &str,
        verb: &str,
        change: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _turn = self.turn()?;
        self.set_synchronous("NORMAL")?;
        let result = self.commit(actor, verb, change);
        self.set_synchronous("FULL")?;
        result
    }

    /// Runs an operation and rolls it back. Returns what the operation would have returned.
    pub fn try_out<T, E: From<LedgerError>>(
        &self,
        verb: &str,
        change: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _turn = self.turn()?;
        let mut connection = self.connection.borrow_mut();
        let transaction = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(LedgerError::from)?;
        let now = self.world.clock().now();
        // Dropping the transaction rolls it back.
        change(&Tx::new(&transaction, "gt", verb, now))
    }

    fn set_synchronous(&self, level: &str) -> LedgerResult<()> {
        Ok(self.connection.borrow().pragma_update(None, "synchronous", level)?)
    }

    fn commit<T, E: From<LedgerError>>(
        &self,
        actor: &str,
        verb: &str,
        change: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.connection.borrow_mut();
        let transaction = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(LedgerError::from)?;
        if is_replaced(&transaction) {
            return Err(LedgerError::Replaced(self.lock.with_file_name("beads.db")).into());
        }
        let now = self.world.clock().now();
        let tx = Tx { shared: self.is_shared, ..Tx::new(&transaction, actor, verb, now) };
        self.check_home(&tx)?;
        let result = change(&tx);
        match result {
            Ok(value) => {
                self.follow_up(&tx)?;
                self.faults.at(&format!("commit:{verb}:before"));
                transaction.commit().map_err(LedgerError::from)?;
                self.faults.at(&format!("commit:{verb}:after"));
                tracing::debug!(operation = verb, by = actor, "the ledger was changed");
                Ok(value)
            }
            // Dropping the transaction rolls it back.
            Err(error) => Err(error),
        }
    }

    /// Brings the convoys that this operation touched up to date, in the same transaction.
    fn follow_up(&self, tx: &Tx<'_>) -> LedgerResult<()> {
        match self.settle_convoys {
            Some(settle) if tx.unsettled.get() => settle(tx),
            _ => Ok(()),
        }
    }

    /// Makes each operation that touches a convoy's beads end with `settle`.
    pub fn settling_convoys(mut self, settle: SettleConvoys) -> Self {
        self.settle_convoys = Some(settle);
        self
    }

    /// Runs a query. Everything that `question` reads comes from one snapshot.
    pub fn read<T, E: From<LedgerError>>(&self, question: impl FnOnce(&View<'_>) -> Result<T, E>) -> Result<T, E> {
        let connection = self.connection.borrow();
        let snapshot = connection.unchecked_transaction().map_err(LedgerError::from)?;
        question(&View { connection: &snapshot })
    }

    /// Whether the ledger's path no longer leads to the file that is open here. That happens when the town was deleted, moved or
    /// restored from a copy; this process then belongs to a town that no longer exists. Costs one look at the file.
    pub fn is_replaced(&self) -> bool {
        is_replaced(&self.connection.borrow())
    }

    /// Number that changes when another connection has changed the ledger. Reading it queries no table.
    pub fn change_signal(&self) -> LedgerResult<i64> {
        Ok(self.connection.borrow().pragma_query_value(None, "data_version", |row| row.get(0))?)
    }

    /// Writes the whole log into the ledger's one file, so that the file can be moved. Fails with [`LedgerError::Busy`] if
    /// another process prevents it.
    pub fn settle(&self) -> LedgerResult<()> {
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy: bool = self.connection.borrow().query_row(sql, [], |row| row.get(0))?;
        if is_busy { Err(LedgerError::Busy(self.patience)) } else { Ok(()) }
    }

    /// Returns the schema version and the names of the tables.
    pub fn tables(&self) -> LedgerResult<(i64, Vec<String>)> {
        let connection = self.connection.borrow();
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let mut statement = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")?;
        let names: Result<Vec<String>, _> = statement.query_map([], |row| row.get(0))?.collect();
        Ok((version, names?))
    }

    /// Runs SQLite's integrity check. Returns its complaints; empty if the file is sound.
    pub fn integrity(&self) -> LedgerResult<Vec<String>> {
        let connection = self.connection.borrow();
        let mut statement = connection.prepare("PRAGMA integrity_check")?;
        let lines: Result<Vec<String>, _> = statement.query_map([], |row| row.get(0))?.collect();
        Ok(lines?.into_iter().filter(|line| line != "ok").collect())
    }
}

/// Compares the file that SQLite has open with the file at its path. While a file is open its inode can't be reused, so a new
/// file never looks like the old one. A ledger in memory has no file and is never replaced.
fn is_replaced(connection: &Connection) -> bool {
    let mut moved = 0;
    connection.file_control(Some(c"main"), FileControl::HasMoved(&mut moved)).is_ok() && moved != 0
}

/// Paths of a ledger's three files: the database, SQLite's log and the log's index. SQLite takes a log to belong to the database
/// at `path`, so the three must be moved and deleted together.
pub fn files(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut file = path.as_os_str().to_owned();
        file.push(end);
        PathBuf::from(file)
    })
}

/// Refuses a ledger on a network file system. Processes share the log's index through memory, which other machines don't see.
fn refuse_network(world: &dyn World, path: &Path) -> LedgerResult<()> {
    let folder = path.parent().unwrap_or(path);
    let kind = world.disk().network(folder)?;
    kind.map_or(Ok(()), |kind| Err(LedgerError::Network { path: path.to_owned(), kind }))
}

/// Refuses a database that gt did not make: gt must not touch it, and above all not migrate it. A database without tables is a
/// ledger in the making.
fn refuse_foreign(connection: &Connection, path: &Path) -> LedgerResult<()> {
    let sql = "SELECT count(*), coalesce(sum(name IN ('meta', 'foreign_records', 'effects')), 0) FROM sqlite_master";
    let (tables, ours): (i64, i64) = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if tables > 0 && ours < 3 { Err(LedgerError::Foreign(path.to_owned())) } else { Ok(()) }
}

/// Returns the ledger's schema version, or an error if this gt does not know it.
fn check_version(connection: &Connection) -> LedgerResult<i64> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = MIGRATIONS.len() as i64;
    if found > known { Err(LedgerError::Newer { found, known }) } else { Ok(found) }
}

/// Typed queries on the ledger.
pub struct View<'c> {
    connection: &'c Connection,
}

/// Typed operations on the ledger, inside one transaction.
pub struct Tx<'c> {
    view: View<'c>,
    actor: &'c str,
    verb: &'c str,
    now: Timestamp,
    /// Whether this ledger is merged with other ledgers where beads are created at the same time.
    shared: bool,
    /// Whether this operation has marked convoys that must be brought up to date.
    unsettled: Cell<bool>,
}

impl<'c> Deref for Tx<'c> {
    type Target = View<'c>;

    fn deref(&self) -> &View<'c> {
        &self.view
    }
}

impl<'c> Tx<'c> {
    fn new(connection: &'c Connection, actor: &'c str, verb: &'c str, now: Timestamp) -> Self {
        Self { view: View { connection }, actor, verb, now, shared: false, unsettled: Cell::new(false) }
    }
}

impl Tx<'_> {
    /// Time of this operation; the same for everything that it writes.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether this ledger is merged with other ledgers where beads are created at the same time: its town is configured so,
    /// or it was synced before.
    pub fn is_shared(&self) -> LedgerResult<bool> {
        Ok(self.shared || self.meta(SYNCED_KEY)?.is_some())
    }

    /// Address of the person or agent that acts.
    pub fn actor(&self) -> &str {
        self.actor
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> LedgerResult<usize> {
        #[cfg(test)]
        plans::note(self.view.connection, sql);
        Ok(self.view.connection.prepare_cached(sql)?.execute(params)?)
    }

    /// Writes a setting that is stored in the ledger.
    pub fn set_meta(&self, key: &str, value: &str) -> LedgerResult<()> {
        self.execute("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2", (key, value))?;
        Ok(())
    }

    /// Deletes a setting that is stored in the ledger. Returns whether it existed.
    pub fn drop_meta(&self, key: &str) -> LedgerResult<bool> {
        Ok(self.execute("DELETE FROM meta WHERE key = ?1", [key])? > 0)
    }
}

impl View<'_> {
    fn all<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> LedgerResult<Vec<T>> {
        #[cfg(test)]
        plans::note(self.connection, sql);
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows: Result<Vec<T>, _> = statement.query_map(params, read)?.collect();
        Ok(rows?)
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> LedgerResult<Option<T>> {
        #[cfg(test)]
        plans::note(self.connection, sql);
        Ok(self.connection.prepare_cached(sql)?.query_row(params, read).optional()?)
    }

    /// Returns a setting that is stored in the ledger.
    pub fn meta(&self, key: &str) -> LedgerResult<Option<String>> {
        self.one("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
    }

    /// Returns a setting that is stored in the ledger and holds a time.
    pub fn meta_time(&self, key: &str) -> LedgerResult<Option<Timestamp>> {
        self.one("SELECT key, value FROM meta WHERE key = ?1", [key], |row| Times::of(row, "meta").at("value"))
    }

    /// Returns the settings whose keys start with `beginning`, by key.
    pub fn metas(&self, beginning: &str) -> LedgerResult<BTreeMap<String, String>> {
        let sql = "SELECT key, value FROM meta WHERE substr(key, 1, length(?1)) = ?1";
        Ok(self.all(sql, [beginning], |row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect())
    }
}

/// Turns a damaged stored value into an SQLite conversion error, so that row readers can use `?`.
fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
}

/// Reads a column that holds JSON.
fn json_column<T: serde::de::DeserializeOwned>(row: &rusqlite::Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(damaged)
}

/// Serializes a value for a JSON column. This always works for our own types.
fn to_json(value: &impl serde::Serialize) -> LedgerResult<String> {
    serde_json::to_string(value).map_err(|e| LedgerError::Corrupt { what: "a value", text: e.to_string() })
}
