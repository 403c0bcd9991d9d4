//! Lanes name the locks of a town. Acts that must not run at the same time share a lane.

use gt_model::id::{AttemptId, IncarnationId, MoleculeId, RigName, slug};

/// A lane of a town.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Writers of a rig's repository.
    Repo(RigName),
    /// Users of a rig's remote.
    Remote(RigName),
    /// Users of the worktree where a rig's gates run.
    Gates(RigName),
    /// Set-up of one attempt's worktree.
    SetUp(AttemptId),
    /// Set-up of the workspace of a crew member of that name.
    SetUpCrew(String),
    /// Acts on one session.
    Session(IncarnationId),
    /// Runs of one step of a molecule.
    Step(MoleculeId, String),
    /// Adding and removing rigs.
    Rigs,
    /// Runs of retention.
    Retention,
    /// Writers of the branch that holds the ledger.
    LedgerBranch,
}

impl Lane {
    /// Returns the name of the lane's lock file.
    pub fn name(&self) -> String {
        match self {
            Self::Repo(rig) => format!("repo-{rig}"),
            Self::Remote(rig) => format!("remote-{rig}"),
            Self::Gates(rig) => format!("refinery-{rig}"),
            Self::SetUp(attempt) => format!("set-up-{attempt}"),
            Self::SetUpCrew(name) => format!("set-up-crew-{name}"),
            Self::Session(incarnation) => format!("session-{incarnation}"),
            Self::Step(molecule, step) => format!("step-{molecule}-{}", slug(step)),
            Self::Rigs => "rigs".to_owned(),
            Self::Retention => "retention".to_owned(),
            Self::LedgerBranch => "ledger-repo".to_owned(),
        }
    }
}
