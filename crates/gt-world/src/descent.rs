//! Descent of a process: the shims of towns that are among its ancestors. A process with a shim above it is not a person's.

use serde::{Deserialize, Serialize};

/// A process of ours that stands above agents' code in the process tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Above {
    /// The shim of a session.
    Session,
    /// The shim of a command that the town runs for its agents' work: a gate, a set-up command, an acceptance command.
    Command,
    /// Boot or the deacon itself, with no shim in between.
    Daemon,
}

/// All processes of ours above a process, outermost first. Empty for a process that a person started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Descent(Vec<Above>);

/// How a process relates to a town.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not below any of the town's agents' code, as far as this machine can tell.
    Outside,
    /// Part of a session of this town or of another one.
    Session,
    /// Part of a command or a daemon of this town or of another one, whether or not a session stands in between.
    Command,
}

impl Descent {
    /// Makes a descent from processes listed outermost first.
    pub fn new(above: Vec<Above>) -> Self {
        Self(above)
    }

    /// Returns the processes, outermost first.
    pub fn above(&self) -> &[Above] {
        &self.0
    }

    /// Whether nothing of ours stands above the process.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the descent without daemons, which are not agents' code.
    #[must_use]
    pub fn shims(&self) -> Self {
        Self(self.0.iter().copied().filter(|above| *above != Above::Daemon).collect())
    }

    /// Returns how the process relates to a town that a process with the descent `maker` made. Everything that stood above the
    /// maker is ignored. So a project's tests that run in a gate can make towns of their own and be their overseer.
    pub fn to_town_of(&self, maker: &Self) -> Standing {
        let shared = self.0.iter().zip(&maker.0).take_while(|(own, of_maker)| own == of_maker).count();
        let own = &self.0[shared..];
        if own.iter().any(|above| *above != Above::Session) {
            Standing::Command
        } else if own.is_empty() {
            Standing::Outside
        } else {
            Standing::Session
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Above::{Command, Daemon, Session};
    use super::*;

    #[test]
    fn what_a_process_is_follows_from_what_stands_above_it_and_not_above_the_towns_maker() {
        let check = |own: &[Above], maker: &[Above], expected| {
            let (own, maker) = (Descent::new(own.to_vec()), Descent::new(maker.to_vec()));
            assert_eq!(own.to_town_of(&maker), expected, "{own:?} to a town of {maker:?}");
        };
        // A town that a person made.
        check(&[], &[], Standing::Outside);
        check(&[Session], &[], Standing::Session);
        check(&[Command], &[], Standing::Command);
        check(&[Daemon], &[], Standing::Command);
        check(&[Session, Command], &[], Standing::Command);
        // A session of a town that a gate has made belongs to the gate.
        check(&[Command, Session], &[], Standing::Command);
        check(&[Session, Session], &[], Standing::Session);
        // A town that the gate itself made.
        check(&[Command], &[Command], Standing::Outside);
        check(&[], &[Command], Standing::Outside);
        check(&[Command, Session], &[Command], Standing::Session);
        check(&[Command, Command], &[Command], Standing::Command);
        check(&[Command, Session, Command], &[Command], Standing::Command);
        // A town that another process made.
        check(&[Session], &[Command], Standing::Session);
        check(&[Command], &[Session], Standing::Command);
        check(&[Session, Session], &[Session, Command], Standing::Session);
    }
}
