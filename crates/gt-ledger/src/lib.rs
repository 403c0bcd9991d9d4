//! The ledger: one embedded SQLite file a town, opened in-process by every `gt`.
//!
//! Only this module knows SQL. Its face is typed queries ([`View`]) and typed operations ([`Tx`]); each operation
//! writes its audit event in the same transaction. Writers take the lock file `beads.lock` in turn before
//! `BEGIN IMMEDIATE`; readers never wait.

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
mod usage;
pub mod waiting;
mod words;
mod words_aside;

pub use agents::{Agent, AgentChoice};
pub use attempts::{
    Attempt, AttemptOutcome, Holder, Incarnation, IncarnationProcess, MoleculeStep, NewAttempt, RestoredAttempt,
    StepPlace,
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
pub use moments::Reactions;
pub use ready::{Blocker, ReadyFilter, ReadyOrder};
pub use rigs::RigRow;
pub use settle::member_words;
pub use settle::{is_derived, settle_convoys, tracked};
pub use sign::Sign;
pub use statistics::{EpicStatus, Statistics};
pub use swarms::{Swarm, SwarmMember};
pub use usage::{UsageRow, UsageSums};

/// How long a writer waits for its turn.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// How much of the file may be kept in memory, in KiB: what a large import changes. It is taken only as it is needed.
const CACHE_KIB: i64 = 128 * 1024;

/// How large SQLite's log may stay while somebody has the ledger open, in bytes.
const LOG_LIMIT: i64 = 4 * 1024 * 1024;

/// How many statements stay prepared: as many as a patrol uses.
const STATEMENTS_KEPT: usize = 200;

/// The lock of a ledger's writers, beside it.
pub const LEDGER_LOCK: &str = "beads.lock";

/// The folder of a ledger's backups, beside it.
pub const BACKUPS: &str = "backups";

/// The prefix of beads that belong to the town itself (convoys, mail).
pub const TOWN_PREFIX: &str = "hq";

/// Length that a subject may have, in characters.
pub const SUBJECT_LIMIT: usize = 500;

/// When and with which commit the ledger was last synced, as a setting of its own.
pub const SYNCED_KEY: &str = "synced";

/// Migrations in order; the ledger's schema version is how many of them it has. Append only.
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
];

/// What went wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// SQLite failed.
    #[error("the ledger can't be used: {0}")]
    Sql(#[from] rusqlite::Error),
    /// SQLite failed on the ledger at that place.
    #[error("the ledger {} can't be used: {error}", path.display())]
    At {
        /// Where it is.
        path: PathBuf,
        /// Why.
        error: rusqlite::Error,
    },
    /// Nothing is in its file: whatever was in it is gone.
    #[error("the ledger {} is an empty file", .0.display())]
    Empty(PathBuf),
    /// It would be on a file system of another machine, where SQLite's logs and locks can't be trusted.
    #[error("the ledger {} is on a network file system ({kind})", path.display())]
    Network {
        /// Where it is, or would be.
        path: PathBuf,
        /// Which kind of file system.
        kind: &'static str,
    },
    /// Its file is not there; opening never creates.
    #[error("no ledger at {}", .0.display())]
    Missing(PathBuf),
    /// Its file is there already.
    #[error("a ledger is already at {}", .0.display())]
    Exists(PathBuf),
    /// Written by a newer gt.
    #[error("the ledger has schema {found}, this gt knows {known}: use the newer gt")]
    Newer {
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A database of another program.
    #[error("{} is a database of another program", .0.display())]
    Foreign(PathBuf),
    /// Other writers did not let us in in time.
    #[error("the ledger is busy: no turn within {} ms", .0.as_millis())]
    Busy(Duration),
    /// A value in the ledger is not what it must be.
    #[error("the ledger holds {what} that can't be read: {text}")]
    Corrupt {
        /// What kind of value.
        what: &'static str,
        /// What is wrong with it.
        text: String,
    },
    /// It belongs to a town at another place.
    #[error("this town is a copy: it was made at {path}, and is read-only here")]
    Away {
        /// Where.
        path: String,
    },
    /// Its file was taken away while it was open, and there may be another in its place.
    #[error("the ledger {} was removed or replaced while this gt had it open; nothing was written", .0.display())]
    Replaced(PathBuf),
    /// The caller is a gate, a set-up or an acceptance command, or below one: it only reads.
    #[error("gates, set-up and acceptance commands run agents' code, which only reads: nothing was changed")]
    Confined,
    /// The lock could not be taken.
    #[error(transparent)]
    World(#[from] WorldError),
}

/// Result of a ledger operation.
pub type LedgerResult<T> = Result<T, LedgerError>;

impl LedgerError {
    /// The same, with the word which ledger it is about.
    pub fn at(self, path: &Path) -> Self {
        match self {
            Self::Sql(error) => Self::At { path: path.to_owned(), error },
            error => error,
        }
    }

    /// Whether there is no ledger any more that could be opened: only a backup, or making it again, helps.
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
    /// The folder of its town: where that is not where the ledger is at home, it is not written.
    home: Option<PathBuf>,
    /// Whether that has been looked at.
    is_home: Cell<bool>,
    settle_convoys: Option<SettleConvoys>,
    /// Whether it is agents' code that the town runs, which writes nothing; `None` where that has not been looked at.
    is_confined: Cell<Option<bool>>,
    /// Whether it is merged with other ledgers that make beads at the same time.
    is_shared: bool,
}

/// Works out anew the convoys that an operation has touched, as its last part.
pub type SettleConvoys = fn(&Tx<'_>) -> LedgerResult<()>;

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("lock", &self.lock).finish_non_exhaustive()
    }
}

/// Agents write the folder of a ledger: a link that one has put in its place, or in that of a copy, is not followed.
pub(crate) const UNLINKED: OpenFlags = OpenFlags::SQLITE_OPEN_NOFOLLOW;

/// A path without links above the file itself, which are a person's own.
pub(crate) fn real_place(path: &Path) -> PathBuf {
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

impl Ledger {
    /// Makes a new ledger at `path`, whose folder exists.
    pub fn create(path: &Path, world: Arc<dyn World>) -> LedgerResult<Self> {
        if path.exists() {
            return Err(LedgerError::Exists(path.to_owned()));
        }
        refuse_network(world.as_ref(), path)?;
        confined::keep_maker(world.as_ref(), path)?;
        let connection = Connection::open_with_flags(real_place(path), OpenFlags::default() | UNLINKED)?;
        Self::set_up(connection, path, world, Faults::none(), WRITE_DEADLINE)
    }

    /// Opens the ledger at `path`; migrates it if an older gt wrote it.
    pub fn open(path: &Path, world: Arc<dyn World>, faults: Faults) -> LedgerResult<Self> {
        Self::open_within(path, world, faults, WRITE_DEADLINE)
    }

    /// Opens the ledger at `path` for somebody who can't wait: it is an error where others keep it for longer than
    /// `patience`.
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
        // Without mutexes, since a connection never is in two threads at once.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(real_place(path), flags | UNLINKED)?;
        // Whoever closes it last empties the log, so that the ledger is whole in its one file; but the log's own files stay: to
        // make them anew costs each call more than most verbs do.
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

    /// A ledger that lives as long as this value, for simulated towns.
    pub fn in_memory(world: Arc<dyn World>) -> LedgerResult<Self> {
        Self::set_up(
            Connection::open_in_memory()?,
            Path::new("/memory/beads.db"),
            world,
            Faults::none(),
            WRITE_DEADLINE,
        )
    }

    /// Its file; an empty path for one that has none.
    pub fn path(&self) -> PathBuf {
        self.connection.borrow().path().map(PathBuf::from).unwrap_or_default()
    }

    /// The same ledger, which is merged with others or not.
    pub fn shared(mut self, is_shared: bool) -> Self {
        self.is_shared = is_shared;
        self
    }

    /// The same ledger with these fault points.
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
        // Else each statement is planned once more when its parameters are known.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        refuse_foreign(&connection, path)?;
        // FULL: what a verb reports as done must survive a power cut.
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

    /// Brings an older ledger up to date. Foreign keys are off meanwhile: a migration may make a table anew, and dropping
    /// the old one must not take with it what points there.
    fn migrate(&self) -> LedgerResult<()> {
        if check_version(&self.connection.borrow())? == 0 {
            self.let_maker_in();
        }
        let _turn = self.turn()?;
        self.copy_before_migrating()?;
        let mut connection = self.connection.borrow_mut();
        connection.pragma_update(None, "foreign_keys", false)?;
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Asked again inside: another process may have migrated meanwhile.
        let have = check_version(&transaction)?;
        for (at, migration) in MIGRATIONS.iter().enumerate().skip(usize::try_from(have).unwrap_or(0)) {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", at as i64 + 1)?;
        }
        let now = self.world.clock().now();
        Tx::new(&transaction, "gt", "migrate", now).mend_holds()?;
        Ok(transaction.commit()?)
    }

    /// Keeps a copy of an older ledger beside it, in `backups/`, before it is brought up to date; one for each schema.
    fn copy_before_migrating(&self) -> LedgerResult<()> {
        let have = check_version(&self.connection.borrow())?;
        let copy = self.copy_before(have).filter(|copy| have > 0 && !self.world.disk().exists(copy));
        copy.map_or(Ok(()), |copy| self.copy_to(&copy).map(drop))
    }

    /// The turn of a writer: nothing is written without.
    fn turn(&self) -> LedgerResult<gt_world::Held> {
        self.refuse_confined()?;
        self.world.disk().lock(&self.lock, self.patience)?.ok_or(LedgerError::Busy(self.patience))
    }

    /// Runs one described operation: all of `change`, or nothing of it, is in the ledger afterwards. `actor` is who,
    /// `verb` is what for; both go into every event that the operation writes.
    pub fn write<T, E: From<LedgerError>>(
        &self,
        actor: &str,
        verb: &str,
        change: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _turn = self.turn()?;
        self.commit(actor, verb, change)
    }

    /// As [`Self::write`], for what matters only while this machine runs: the death of any process leaves it in the
    /// ledger, a power cut may take it (and then every process that it was about). Spares the wait for the disk.
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

    /// Runs an operation and takes it back again: what it answers is what it would do.
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
                Ok(value)
            }
            // Dropping the transaction rolls it back.
            Err(error) => Err(error),
        }
    }

    /// Works out, in the same operation, what follows from it for the convoys that it has touched.
    fn follow_up(&self, tx: &Tx<'_>) -> LedgerResult<()> {
        match self.settle_convoys {
            Some(settle) if tx.unsettled.get() => settle(tx),
            _ => Ok(()),
        }
    }

    /// The same ledger, in which each operation ends with `settle` where it has touched a convoy's beads.
    pub fn settling_convoys(mut self, settle: SettleConvoys) -> Self {
        self.settle_convoys = Some(settle);
        self
    }

    /// Asks the ledger; everything that `question` reads is from one moment.
    pub fn read<T, E: From<LedgerError>>(&self, question: impl FnOnce(&View<'_>) -> Result<T, E>) -> Result<T, E> {
        let connection = self.connection.borrow();
        let snapshot = connection.unchecked_transaction().map_err(LedgerError::from)?;
        question(&View { connection: &snapshot })
    }

    /// Whether its path no longer leads to the file that is open here: the town was deleted, moved or put back from a copy.
    /// A process that finds this belongs to a town that is no more. Costs one look at the file.
    pub fn is_replaced(&self) -> bool {
        is_replaced(&self.connection.borrow())
    }

    /// A number that changes when another connection has changed the ledger. Costs no query of a table.
    pub fn change_signal(&self) -> LedgerResult<i64> {
        Ok(self.connection.borrow().pragma_query_value(None, "data_version", |row| row.get(0))?)
    }

    /// Puts all of the ledger into its one file, for that to be moved; an error where that can't be.
    pub fn settle(&self) -> LedgerResult<()> {
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy: bool = self.connection.borrow().query_row(sql, [], |row| row.get(0))?;
        if is_busy { Err(LedgerError::Busy(self.patience)) } else { Ok(()) }
    }

    /// The version of the tables, and their names.
    pub fn tables(&self) -> LedgerResult<(i64, Vec<String>)> {
        let connection = self.connection.borrow();
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let mut statement = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")?;
        let names: Result<Vec<String>, _> = statement.query_map([], |row| row.get(0))?.collect();
        Ok((version, names?))
    }

    /// Asks SQLite whether the file is sound; answers with its complaints.
    pub fn integrity(&self) -> LedgerResult<Vec<String>> {
        let connection = self.connection.borrow();
        let mut statement = connection.prepare("PRAGMA integrity_check")?;
        let lines: Result<Vec<String>, _> = statement.query_map([], |row| row.get(0))?.collect();
        Ok(lines?.into_iter().filter(|line| line != "ok").collect())
    }
}

/// SQLite compares the file that it has open with what is at its path. The open file keeps its inode from being used
/// again, so a new one is never taken for it. A ledger in memory has no file and is never replaced.
fn is_replaced(connection: &Connection) -> bool {
    let mut moved = 0;
    connection.file_control(Some(c"main"), FileControl::HasMoved(&mut moved)).is_ok() && moved != 0
}

/// The files of a ledger at `path`: its own, SQLite's log beside it, and the index of that. A log counts as that of whatever
/// lies at `path`, so the three come and go together.
pub fn files(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut file = path.as_os_str().to_owned();
        file.push(end);
        PathBuf::from(file)
    })
}

/// Refuses a ledger on a file system of another machine. Its log is shared through memory, which other machines don't see.
fn refuse_network(world: &dyn World, path: &Path) -> LedgerResult<()> {
    let folder = path.parent().unwrap_or(path);
    let kind = world.disk().network(folder)?;
    kind.map_or(Ok(()), |kind| Err(LedgerError::Network { path: path.to_owned(), kind }))
}

/// Refuses a database that no gt has made: nothing is to be done to it, least of all a migration. One without any table
/// is a ledger that is being made.
fn refuse_foreign(connection: &Connection, path: &Path) -> LedgerResult<()> {
    let sql = "SELECT count(*), coalesce(sum(name IN ('meta', 'foreign_records', 'effects')), 0) FROM sqlite_master";
    let (tables, ours): (i64, i64) = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if tables > 0 && ours < 3 { Err(LedgerError::Foreign(path.to_owned())) } else { Ok(()) }
}

/// The ledger's schema version, if this gt can use it.
fn check_version(connection: &Connection) -> LedgerResult<i64> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = MIGRATIONS.len() as i64;
    if found > known { Err(LedgerError::Newer { found, known }) } else { Ok(found) }
}

/// Typed queries.
pub struct View<'c> {
    connection: &'c Connection,
}

/// Typed operations, inside one transaction.
pub struct Tx<'c> {
    view: View<'c>,
    actor: &'c str,
    verb: &'c str,
    now: Timestamp,
    /// Whether other ledgers make beads at the same time with which this one is merged.
    shared: bool,
    /// Whether it has noted convoys that are to be worked out.
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
    /// The one time of this operation.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether other ledgers make beads at the same time with which this one is merged: it is set up so, or was synced once.
    pub fn is_shared(&self) -> LedgerResult<bool> {
        Ok(self.shared || self.meta(SYNCED_KEY)?.is_some())
    }

    /// Who acts.
    pub fn actor(&self) -> &str {
        self.actor
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> LedgerResult<usize> {
        #[cfg(test)]
        plans::note(self.view.connection, sql);
        Ok(self.view.connection.prepare_cached(sql)?.execute(params)?)
    }

    /// Sets a setting of the ledger's own.
    pub fn set_meta(&self, key: &str, value: &str) -> LedgerResult<()> {
        self.execute("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2", (key, value))?;
        Ok(())
    }

    /// Takes away a setting of the ledger's own; answers whether there was one.
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

    /// A setting of the ledger's own.
    pub fn meta(&self, key: &str) -> LedgerResult<Option<String>> {
        self.one("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
    }

    /// The settings of which the key begins so, by key.
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

/// Writes a value into a JSON column. Our own types always can be written.
fn to_json(value: &impl serde::Serialize) -> LedgerResult<String> {
    serde_json::to_string(value).map_err(|e| LedgerError::Corrupt { what: "a value", text: e.to_string() })
}
