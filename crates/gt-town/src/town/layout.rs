//! Paths of everything that a town keeps on disk.

use std::path::{Path, PathBuf};

use gt_ledger::Attempt;
use gt_model::id::{IncarnationId, MoleculeId, RigName};
use gt_world::LIFE;

/// Folder in a session's folder that the agent and its own `gt` can write. It holds marks of client moments, logs of commands
/// that this `gt` ran, and a file whose modification time is the last sign of life. Only processes outside the session write the
/// rest.
pub(crate) const MOMENTS: &str = "moments";
pub(crate) const CALLED: &str = "called";
pub(crate) const SESSION_LOGS: &str = "logs";
/// Returns the path of the client's settings for a session.
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
    /// Returns the paths of the town at `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Returns the file that makes a folder a town.
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

    /// Folder that comes first in the agents' PATH.
    pub fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// File that every bash reads that an agent starts.
    pub(crate) fn bash_env(&self) -> PathBuf {
        self.bin().join("bash-env")
    }

    /// Logs.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Output of the commands of a molecule's steps.
    pub(crate) fn molecule_logs(&self, molecule: MoleculeId) -> PathBuf {
        self.logs().join("molecules").join(molecule.to_string())
    }

    /// The log of the deacon and of boot, a JSON document a line.
    pub fn deacon_log(&self) -> PathBuf {
        self.logs().join("deacon.jsonl")
    }

    /// The log of verbs that were told to write one.
    pub fn verbs_log(&self) -> PathBuf {
        self.logs().join("verbs.jsonl")
    }

    /// Logs of daemons of an older `gt`. They are read and written no more.
    pub(crate) fn older_logs(&self) -> [PathBuf; 2] {
        ["deacon.log", "deacon-errors.log"].map(|name| self.logs().join(name))
    }

    /// The mayor's home.
    pub fn mayor(&self) -> PathBuf {
        self.root.join("mayor")
    }

    /// The deacon's home.
    pub fn deacon(&self) -> PathBuf {
        self.root.join("deacon")
    }

    /// Named pipe that wakes the deacon.
    pub fn wake(&self) -> PathBuf {
        self.deacon().join("wake")
    }

    /// File that the deacon touches after each patrol.
    pub fn heartbeat(&self) -> PathBuf {
        self.deacon().join("heartbeat")
    }

    /// Lock file that the one boot process of this town holds.
    pub fn boot_lock(&self) -> PathBuf {
        self.lock("boot")
    }

    /// Lock file that the one deacon of this town holds.
    pub fn deacon_lock(&self) -> PathBuf {
        self.lock("deacon")
    }

    /// Lock file with that name.
    pub fn lock(&self, name: &str) -> PathBuf {
        self.deacon().join("locks").join(format!("{name}.lock"))
    }

    /// The folders of all sessions.
    pub fn sessions(&self) -> PathBuf {
        self.deacon().join("sessions")
    }

    /// Folder that receives removed rigs.
    pub fn archive(&self) -> PathBuf {
        self.root.join(".archive")
    }

    /// A session's folder with its record, log and signs of life.
    pub fn session(&self, incarnation: &IncarnationId) -> PathBuf {
        self.sessions().join(incarnation.as_str())
    }

    /// Folder with the moments that a session's client reported: one small file for each kind of moment.
    pub fn moments(&self, incarnation: &IncarnationId) -> PathBuf {
        self.session(incarnation).join(MOMENTS)
    }

    /// File whose modification time is a session's last sign of life.
    pub fn life(&self, incarnation: &IncarnationId) -> PathBuf {
        self.session(incarnation).join(LIFE)
    }

    /// Logs of the gates and acceptance commands that a session's own `gt` ran.
    pub fn session_logs(&self, incarnation: &IncarnationId) -> PathBuf {
        self.session(incarnation).join(SESSION_LOGS)
    }

    /// File that says how a session's usage is counted.
    pub(crate) fn counting(&self, incarnation: &IncarnationId) -> PathBuf {
        self.session(incarnation).join("counting.json")
    }

    /// Mark that a session's agent has called `gt`. It is the first sign of life for clients that report no moments.
    pub(crate) fn called(&self, incarnation: &IncarnationId) -> PathBuf {
        self.moments(incarnation).join(CALLED)
    }

    /// File that says which client session belongs to an incarnation.
    pub fn client(&self, incarnation: &IncarnationId) -> PathBuf {
        self.moments(incarnation).join("client.json")
    }

    /// The same file at the place where an older `gt` wrote it.
    pub(crate) fn client_of_old(&self, incarnation: &IncarnationId) -> PathBuf {
        self.session(incarnation).join("client.json")
    }

    /// Output of a session, as its shim stores it.
    pub fn output(&self, incarnation: &IncarnationId) -> PathBuf {
        self.session(incarnation).join("output.log")
    }

    /// Log of failures in a session's client hooks.
    pub(crate) fn hooks_log(&self, incarnation: &IncarnationId) -> PathBuf {
        self.session_logs(incarnation).join("hooks.log")
    }

    /// File with a person's directives to agents of a role, added to the instructions that gt gives them.
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

    /// Folder where a sandboxed worker stores its additions to a part of the repository (`objects`, `lfs`), by the name of its
    /// worktree. Only the town writes in the parent folder.
    pub(crate) fn own_store(&self, worktree: &str, part: &str) -> PathBuf {
        self.own_stores().join(worktree).join(part)
    }

    /// Parent folder of all workers' own stores.
    pub(crate) fn own_stores(&self) -> PathBuf {
        self.repo().join("gt-own")
    }

    /// The shared part of the repository, as a sandboxed worker sees it.
    pub(crate) fn shared_store(&self, part: &str) -> PathBuf {
        self.repo().join("gt-shared").join(part)
    }

    /// Exclude files for git in all worktrees of the rig: the first for workers, the second for the town.
    pub(crate) fn excludes(&self) -> [PathBuf; 2] {
        ["info/exclude", "gt-control/info/exclude"].map(|file| self.repo().join(file))
    }

    /// Its exported beads.
    pub fn export(&self) -> PathBuf {
        self.root.join(".beads/issues.jsonl")
    }

    /// Its formulas: a link to the town's folder, or a folder of its own.
    pub fn formulas(&self) -> PathBuf {
        self.root.join(".beads/formulas")
    }

    /// The worktree where gates run.
    pub fn gate_worktree(&self) -> PathBuf {
        self.root.join("refinery/gate")
    }

    /// Worktree of a molecule that no worker follows.
    pub(crate) fn molecule_worktree(&self, molecule: MoleculeId) -> PathBuf {
        self.root.join("refinery").join(molecule.to_string())
    }

    /// Logs of gate runs.
    pub(crate) fn gate_logs(&self) -> PathBuf {
        self.root.join("refinery/logs")
    }

    /// Build results of the trunk's gates, one folder for each key. New worktrees start from them.
    pub fn warm_copies(&self) -> PathBuf {
        self.root.join("refinery/warm")
    }

    /// State of the gates' worktree after the last run, if a warm copy may be made from it.
    pub(crate) fn gate_state(&self) -> PathBuf {
        self.root.join("refinery/gate-state.json")
    }

    /// A worker's worktree.
    pub fn worktree(&self, worker: &str) -> PathBuf {
        self.root.join("polecats").join(worker)
    }

    /// Worktree at the trunk that the mayor reads.
    pub(crate) fn mayor_worktree(&self) -> PathBuf {
        self.root.join("mayor/rig")
    }

    /// The workspace of a crew member.
    pub fn crew(&self, name: &str) -> PathBuf {
        self.root.join("crew").join(name)
    }

    /// Folder that receives the worktrees of ended attempts.
    pub fn archive(&self) -> PathBuf {
        self.root.join(".archive")
    }

    /// Path of an attempt's worktree in the archive.
    pub fn archived(&self, attempt: &Attempt) -> PathBuf {
        self.archive().join(format!("{}-{}-{}", attempt.worker, attempt.slug(), attempt.number))
    }
}
