//! Named acts of the engine: the closed set of words behind `gt:`.

use serde::{Deserialize, Serialize};

/// Defines the acts with their names. The documentation of an act is what `gt` and the reference say about it.
macro_rules! acts {
    ($(#[doc = $doc:literal] $variant:ident = $name:literal,)*) => {
        /// A named act of the engine. In a formula it is written `gt:<name>`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Act {
            $(#[doc = $doc] #[serde(rename = $name)] $variant,)*
        }

        impl Act {
            /// All acts.
            pub const ALL: &[Act] = &[$(Act::$variant,)*];

            /// Returns the name after `gt:`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Returns one sentence on what the act does or checks.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $doc.trim_ascii(),)*
                }
            }
        }
    };
}

acts! {
    /// Passes if the worktree is on the attempt's own branch.
    OwnBranch = "own-branch",
    /// Passes if the worktree has no uncommitted changes.
    Clean = "clean",
    /// Passes if the branch has commits that its base does not have.
    Commits = "commits",
    /// Passes if every gate of the rig passes in the worktree.
    Gates = "gates",
    /// Passes if the branch contains the trunk as it was last fetched.
    Rebased = "rebased",
    /// Ends the youngest worker if the machine is short of memory.
    DeaconMemory = "deacon.memory",
    /// Performs the effects that are due: worktrees, sessions, fetches.
    DeaconEffects = "deacon.effects",
    /// Lets agents go on whose account's limit is over.
    DeaconLimits = "deacon.limits",
    /// Reads what the agents have used.
    DeaconUsage = "deacon.usage",
    /// Notes kinds of agent that work waits for and the settings do not have.
    DeaconKinds = "deacon.kinds",
    /// Notes clients whose hooks are switched off.
    DeaconHooks = "deacon.hooks",
    /// Notes clients whose API does not answer, and tries again.
    DeaconOutages = "deacon.outages",
    /// Repairs the rigs' repositories and lets each rig's witness patrol.
    DeaconRigs = "deacon.rigs",
    /// Starts, wakes and stops the mayor and crew members.
    DeaconAgents = "deacon.agents",
    /// Handles the deacon's mail.
    DeaconMail = "deacon.mail",
    /// Holds work back that would spend more than a day allows.
    DeaconSpend = "deacon.spend",
    /// Brings convoys up to date whose beads have changed.
    DeaconConvoys = "deacon.convoys",
    /// Slings beads of convoys that have become ready.
    DeaconFeed = "deacon.feed",
    /// Passes on the witness's mail.
    WitnessMail = "witness.mail",
    /// Records the ends of sessions and finds out how each worker is.
    WitnessSurvey = "witness.survey",
    /// Raises and clears the conditions that follow from the survey.
    WitnessNotes = "witness.notes",
    /// Restarts, nudges, parks or recovers the workers that the survey found in need of it.
    WitnessAct = "witness.act",
    /// Handles the refinery's mail.
    RefineryMail = "refinery.mail",
    /// Finishes a landing that was interrupted.
    RefineryFinish = "refinery.finish",
    /// Requests approvals that are missing.
    RefineryAsk = "refinery.ask",
    /// Fetches the trunk and takes out what has landed already.
    RefineryFetch = "refinery.fetch",
    /// Tests and lands what may land without a person, or was approved.
    RefineryLand = "refinery.land",
    /// Tests what waits for a person's approval.
    RefineryTest = "refinery.test",
    /// Tests landed work without caches when that is due.
    RefineryConfirm = "refinery.confirm",
    /// Kills a deacon that hangs, or whose town is gone.
    BootKill = "boot.kill",
    /// Starts the deacon again after it has died, and gives up after too many times.
    BootRestart = "boot.restart",
    /// Asks a person when the deacon was given up.
    BootAsk = "boot.ask",
    /// Runs `gt doctor`. It fails if a check fails.
    DogDoctor = "dog.doctor",
    /// Backs up the ledger and checks the copy.
    DogBackup = "dog.backup",
    /// Restores the newest backup into a temporary folder and compares it with the ledger.
    DogRestoreDrill = "dog.restore-drill",
    /// Deletes what the retention settings let go.
    DogReap = "dog.reap",
    /// Lists what belongs to no work any more: worktrees, sessions, branches.
    DogOrphans = "dog.orphans",
    /// Shrinks the ledger's file by its unused space.
    DogCompact = "dog.compact",
    /// Mails the output of the steps before to the overseer.
    Report = "report",
    /// Stops dispatching work.
    ShutdownPause = "shutdown.pause",
    /// Passes once no worker has work on its hook.
    ShutdownIdle = "shutdown.idle",
    /// Writes a checkpoint of the ledger.
    ShutdownCheckpoint = "shutdown.checkpoint",
    /// Takes the town down.
    ShutdownDown = "shutdown.down",
}

/// A patrol: a loop of code that supervises a part of the town. It performs the acts of its formula in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patrol {
    /// The deacon's, over the town.
    Deacon,
    /// A witness's, over the workers of its rig.
    Witness,
    /// A refinery's round, over the merge queue of its rig.
    Refinery,
    /// Boot's, over the deacon.
    Boot,
}

impl Patrol {
    /// Returns the name of its formula.
    pub fn formula(self) -> &'static str {
        match self {
            Self::Deacon => "mol-deacon-patrol",
            Self::Witness => "mol-witness-patrol",
            Self::Refinery => "mol-refinery-patrol",
            Self::Boot => "mol-boot-triage",
        }
    }

    /// Returns the first part of the names of its acts.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Deacon => "deacon",
            Self::Witness => "witness",
            Self::Refinery => "refinery",
            Self::Boot => "boot",
        }
    }
}

impl Act {
    /// Returns the act with this name (without `gt:`).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|act| act.name() == name)
    }

    /// Whether it only checks something, so that it may stand where a check is wanted.
    pub fn is_check(self) -> bool {
        self.is_of_worktree() || self == Self::ShutdownIdle
    }

    /// Whether only a person may have it done.
    pub fn needs_person(self) -> bool {
        matches!(self, Self::ShutdownPause | Self::ShutdownDown | Self::DogReap)
    }

    /// Whether it checks a worker's worktree.
    pub fn is_of_worktree(self) -> bool {
        matches!(self, Self::OwnBranch | Self::Clean | Self::Commits | Self::Gates | Self::Rebased)
    }

    /// Whether it is part of this patrol.
    pub fn is_of(self, patrol: Patrol) -> bool {
        self.name().split_once('.').is_some_and(|(prefix, _)| prefix == patrol.prefix())
    }

    /// Returns the patrol that it is part of. Such an act can stand in that patrol's formula only.
    pub fn patrol(self) -> Option<Patrol> {
        [Patrol::Deacon, Patrol::Witness, Patrol::Refinery, Patrol::Boot].into_iter().find(|patrol| self.is_of(*patrol))
    }
}
