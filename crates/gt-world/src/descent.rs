//! What stands above a process: the shims of towns, by which it is no person's.

use serde::{Deserialize, Serialize};

/// A process of ours that stands above agents' code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Above {
    /// The shim of a session.
    Session,
    /// The shim of a command that the town runs for its agents' work: a gate, a set-up, an acceptance command.
    Command,
    /// Boot or the deacon itself, with no shim in between.
    Daemon,
}

/// All that stands above a process, outermost first. Of no person's process does any of this stand above it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Descent(Vec<Above>);

/// What a process is to a town.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// None of the town's agents' code, as far as can be told.
    Outside,
    /// Of a session, the town's or another's.
    Session,
    /// Of a command or of a daemon, the town's or another's: be a session in between or not.
    Command,
}

impl Descent {
    /// Outermost first.
    pub fn new(above: Vec<Above>) -> Self {
        Self(above)
    }

    /// Outermost first.
    pub fn above(&self) -> &[Above] {
        &self.0
    }

    /// Whether nothing of ours stands above the process.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same without daemons, which are none of agents' code.
    #[must_use]
    pub fn shims(&self) -> Self {
        Self(self.0.iter().copied().filter(|above| *above != Above::Daemon).collect())
    }

    /// What a process is to a town that was made by a process of the descent `maker`. What stood above the maker already
    /// says nothing: so the tests of a project that run in a gate can make towns of their own, and be their overseer.
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
        // A person's town.
        check(&[], &[], Standing::Outside);
        check(&[Session], &[], Standing::Session);
        check(&[Command], &[], Standing::Command);
        check(&[Daemon], &[], Standing::Command);
        check(&[Session, Command], &[], Standing::Command);
        // A session of a town that a gate has made is the gate's.
        check(&[Command, Session], &[], Standing::Command);
        check(&[Session, Session], &[], Standing::Session);
        // The gate's own town.
        check(&[Command], &[Command], Standing::Outside);
        check(&[], &[Command], Standing::Outside);
        check(&[Command, Session], &[Command], Standing::Session);
        check(&[Command, Command], &[Command], Standing::Command);
        check(&[Command, Session, Command], &[Command], Standing::Command);
        // A town that others made.
        check(&[Session], &[Command], Standing::Session);
        check(&[Command], &[Session], Standing::Command);
        check(&[Session, Session], &[Session, Command], Standing::Session);
    }
}
