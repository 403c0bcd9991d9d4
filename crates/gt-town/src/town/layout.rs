//! Where everything of a town is on disk.

use std::path::{Path, PathBuf};

use gt_ledger::Attempt;
use gt_model::id::{IncarnationId, RigName};
use gt_world::LIFE;

/// What an agent and its own `gt` write in the folder of their session: marks of its moments, logs of commands that its `gt`
/// ran, and a file whose time is its last sign of life. All else there is written outside.
pub(crate) const MOMENTS: &str = "moments";
pub(crate) const CALLED: &str = "called";
pub(crate) const SESSION_LOGS: &str = "logs";
/// The client's settings of a session.
pub(crate) fn settings_file(dir: &Path) -> PathBuf {
    dir.join("settings.json")
}

/// Paths of a town. The folder list is in docs/design/town-folder.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The town's folder.
    pub root: PathBuf,
}

impl Layout {
    /// The town at `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// What makes a folder a town.
    pub fn settings(&self) -> PathBuf {
        self.root.join("town.toml")
    }

    /// The ledger.
    pub fn ledger(&self) -> PathBuf {
        self.root.join(".beads/beads.db")
    }

    /// The exported beads of the town itself.
    pub(crate) fn town_export(&self) -> PathBuf {
        self.root.join(".beads/issues.jsonl")
    }

    /// The town's id and its rigs, beside the exported beads.
    pub(crate) fn facts_export(&self) -> PathBuf {
        self.root.join(".beads/town.json")
    }

    /// The town's own formulas.
    pub fn formulas(&self) -> PathBuf {
        self.root.join(".beads/formulas")
    }

    /// First in the agents' PATH.
    pub fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// What each bash reads that an agent starts.
    pub(crate) fn bash_env(&self) -> PathBuf {
        self.bin().join("bash-env")
    }

    /// Logs.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The mayor's home.
    pub fn mayor(&self) -> PathBuf {
        self.root.join("mayor")
    }

    /// The deacon's home.
    pub fn deacon(&self) -> PathBuf {
        self.root.join("deacon")
    }

    /// What the deacon waits at.
    pub fn wake(&self) -> PathBuf {
        self.deacon().join("wake")
    }

    /// Touched by the deacon after each patrol.
    pub fn heartbeat(&self) -> PathBuf {
        self.deacon().join("heartbeat")
    }

    /// Held by the one boot of this town.
    pub fn boot_lock(&self) -> PathBuf {
        self.lock("boot")
    }

    /// Held by the one deacon of this town.
    pub fn deacon_lock(&self) -> PathBuf {
        self.lock("deacon")
    }

    /// A lock of that name.
    pub fn lock(&self, name: &str) -> PathBuf {
        self.deacon().join("locks").join(format!("{name}.lock"))
    }

    /// The folders of all sessions.
    pub fn sessions(&self) -> PathBuf {
        self.deacon().join("sessions")
    }

    /// Where rigs go that are removed.
    pub fn archive(&self) -> PathBuf {
        self.root.join(".archive")
    }

    /// A session's folder: record, log, signs of life.
    pub fn session(&self, incarnation: &IncarnationId) -> PathBuf {
        self.sessions().join(incarnation.as_str())
    }

    /// What a session's client said at its moments: one small file a kind of moment.
    pub fn moments(&self, incarnation: &IncarnationId) -> PathBuf {
        self.session(incarnation).join(MOMENTS)
    }

    /// A session's last sign of life, by its time.
    pub fn life(&self, incarnation: &IncarnationId) -> PathBuf {
        self.session(incarnation).join(LIFE)
    }

    /// Logs of what a session's own `gt` ran: gates, acceptance commands.
    pub fn session_logs(&self, incarnation: &IncarnationId) -> PathBuf {
        self.session(incarnation).join(SESSION_LOGS)
    }

    /// By what a session's usage is counted.
    pub(crate) fn counting(&self, incarnation: &IncarnationId) -> PathBuf {
        self.session(incarnation).join("counting.json")
    }

    /// That a session's agent has called `gt`: a first sign where no client tells of moments.
    pub(crate) fn called(&self, incarnation: &IncarnationId) -> PathBuf {
        self.moments(incarnation).join(CALLED)
    }

    /// Which session of its client's an incarnation is.
    pub fn client(&self, incarnation: &IncarnationId) -> PathBuf {
        self.moments(incarnation).join("client.json")
    }

    /// Where sessions that an older `gt` has started say that.
    pub(crate) fn client_of_old(&self, incarnation: &IncarnationId) -> PathBuf {
        self.session(incarnation).join("client.json")
    }

    /// What a session has said, as its shim keeps it.
    pub fn output(&self, incarnation: &IncarnationId) -> PathBuf {
        self.session(incarnation).join("output.log")
    }

    /// What went wrong in calls of a session's client's hooks.
    pub(crate) fn hooks_log(&self, incarnation: &IncarnationId) -> PathBuf {
        self.session_logs(incarnation).join("hooks.log")
    }

    /// What a person wants agents of a role to know, beside what gt tells them.
    pub fn directives(&self, role: &str) -> PathBuf {
        self.root.join("directives").join(format!("{role}.md"))
    }

    /// Paths of a rig.
    pub fn rig(&self, rig: &RigName) -> RigLayout {
        RigLayout { root: self.root.join(rig.as_str()) }
    }
}

/// Paths of a rig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RigLayout {
    /// The rig's folder.
    pub root: PathBuf,
}

impl RigLayout {
    /// Its settings.
    pub fn settings(&self) -> PathBuf {
        self.root.join("rig.toml")
    }

    /// Its bare repository.
    pub fn repo(&self) -> PathBuf {
        self.root.join(".repo.git")
    }

    /// Where a worker in a sandbox keeps what it adds to a part of the repository (`objects`, `lfs`), by the name of its
    /// worktree. Nobody but the town writes in the folder above.
    pub(crate) fn own_store(&self, worktree: &str, part: &str) -> PathBuf {
        self.own_stores().join(worktree).join(part)
    }

    /// The folder with all of these.
    pub(crate) fn own_stores(&self) -> PathBuf {
        self.repo().join("gt-own")
    }

    /// Where a worker in a sandbox finds that part of the repository itself.
    pub(crate) fn shared_store(&self, part: &str) -> PathBuf {
        self.repo().join("gt-shared").join(part)
    }

    /// The files that say what git leaves out in all its worktrees: workers' git reads one, the town's the other.
    pub(crate) fn excludes(&self) -> [PathBuf; 2] {
        ["info/exclude", "gt-control/info/exclude"].map(|file| self.repo().join(file))
    }

    /// Its exported beads.
    pub fn export(&self) -> PathBuf {
        self.root.join(".beads/issues.jsonl")
    }

    /// Its formulas: a link to the town's, or a folder of its own.
    pub fn formulas(&self) -> PathBuf {
        self.root.join(".beads/formulas")
    }

    /// The worktree in which gates run.
    pub fn gate_worktree(&self) -> PathBuf {
        self.root.join("refinery/gate")
    }

    /// Logs of gate runs.
    pub(crate) fn gate_logs(&self) -> PathBuf {
        self.root.join("refinery/logs")
    }

    /// What the trunk's gates have built, for fresh worktrees to begin with: a folder for each key.
    pub fn warm_copies(&self) -> PathBuf {
        self.root.join("refinery/warm")
    }

    /// What is known of the gates' worktree as the last run left it, where that may be taken for a warm copy.
    pub(crate) fn gate_state(&self) -> PathBuf {
        self.root.join("refinery/gate-state.json")
    }

    /// A worker's worktree.
    pub fn worktree(&self, worker: &str) -> PathBuf {
        self.root.join("polecats").join(worker)
    }

    /// The worktree that is kept at the trunk, for the mayor to read.
    pub(crate) fn mayor_worktree(&self) -> PathBuf {
        self.root.join("mayor/rig")
    }

    /// The workspace of a crew member.
    pub fn crew(&self, name: &str) -> PathBuf {
        self.root.join("crew").join(name)
    }

    /// Where workers' worktrees go.
    pub fn archive(&self) -> PathBuf {
        self.root.join(".archive")
    }

    /// Where an attempt's worktree goes when it is removed.
    pub fn archived(&self, attempt: &Attempt) -> PathBuf {
        self.archive().join(format!("{}-{}-{}", attempt.worker, attempt.slug(), attempt.number))
    }
}
