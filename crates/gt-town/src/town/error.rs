//! Errors of the engine. Each one says what failed, on what, and, as a hint, what the user can do next.

use std::path::PathBuf;

use gt_ledger::LedgerError;
use gt_model::formula::FormulaError;
use gt_model::id::{BeadId, RigNameError};
use gt_world::WorldError;

use crate::town::settings::SettingsError;

/// Result of an engine operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Category of a failure. It decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The operation was tried and failed.
    Failed,
    /// The request was malformed.
    Usage,
    /// The named thing does not exist.
    NotFound,
    /// The current state forbids the operation.
    Refused,
    /// A person has to do something first.
    NeedsPerson,
}

/// Failure of an engine operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder is not a town.
    #[error("{} is not a town", .0.display())]
    NoTown(PathBuf),
    /// The folder already is a town.
    #[error("a town is already at {}", .0.display())]
    TownExists(PathBuf),
    /// The folder is neither empty nor a town.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// A required file is missing.
    #[error("{} is missing", .0.display())]
    MissingFile(PathBuf),
    /// No rig has that name.
    #[error("no rig is called `{name}`")]
    UnknownRig {
        /// Name in the request.
        name: String,
        /// Names of the existing rigs.
        known: Vec<String>,
    },
    /// No bead has that id.
    #[error("no bead `{0}`")]
    UnknownBead(String),
    /// Several beads share that abbreviated id.
    #[error("`{text}` could be {}", .matches.iter().map(BeadId::as_str).collect::<Vec<_>>().join(", "))]
    Ambiguous {
        /// Abbreviation as typed.
        text: String,
        /// Beads that it could mean.
        matches: Vec<BeadId>,
    },
    /// Something of another kind does not exist.
    #[error("no {what} `{name}`")]
    Unknown {
        /// The kind of thing.
        what: &'static str,
        /// Name in the request.
        name: String,
    },
    /// No kind of agent has that name.
    #[error("no kind of agent is called `{kind}`")]
    UnknownAgent {
        /// Kind in the request.
        kind: String,
        /// Known kinds.
        known: Vec<String>,
    },
    /// No formula has that name.
    #[error("no formula is called `{0}`")]
    UnknownFormula(String),
    /// The formula is invalid.
    #[error("formula {name} can't be used: {fault}")]
    Formula {
        /// Name of the formula.
        name: String,
        /// Cause, with the places in the files.
        fault: FormulaError,
    },
    /// The current state forbids the request.
    #[error("{what}")]
    Refused {
        /// The refused request and the reason.
        what: String,
        /// Alternative for the user.
        hint: String,
    },
    /// The request was malformed.
    #[error("{what}")]
    Usage {
        /// The mistake.
        what: String,
        /// Correct usage.
        hint: String,
    },
    /// A person has to do something first.
    #[error("{what}")]
    NeedsPerson {
        /// The obstacle.
        what: String,
        /// Action for the person.
        hint: String,
    },
    /// The operation did not finish within its time limit.
    #[error("{what}")]
    TimedOut {
        /// Awaited event.
        what: String,
        /// Action for the user.
        hint: String,
    },
    /// The caller's incarnation is over.
    #[error("superseded: incarnation {0} is over, and this call wrote nothing")]
    Superseded(String),
    /// The token names no incarnation or has a wrong secret.
    #[error("GT_INCARNATION is not a token of this town")]
    BadToken,
    /// The caller descends from an agent but has no token.
    #[error("this process belongs to an agent's session, but carries no GT_INCARNATION of this town")]
    NoToken,
    /// A lock of the town was not released in time.
    #[error("another gt works on `{0}` and did not finish in time")]
    Locked(String),
    /// Invalid rig name.
    #[error(transparent)]
    RigName(#[from] RigNameError),
    /// Failure in the ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Invalid settings file.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Failure in the outside world: files, processes, git.
    #[error(transparent)]
    World(#[from] WorldError),
}

impl Error {
    /// Builds an [`Error::Refused`].
    pub fn refused(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), hint: hint.into() }
    }

    /// Returns the category of the failure.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoTown(_)
            | Self::UnknownRig { .. }
            | Self::UnknownBead(_)
            | Self::Unknown { .. }
            | Self::UnknownAgent { .. }
            | Self::UnknownFormula(_)
            | Self::MissingFile(_)
            | Self::Ledger(LedgerError::Missing(_)) => Kind::NotFound,
            Self::Ambiguous { .. } | Self::Usage { .. } | Self::RigName(_) => Kind::Usage,
            Self::Refused { .. }
            | Self::TownExists(_)
            | Self::NotEmpty(_)
            | Self::Superseded(_)
            | Self::BadToken
            | Self::NoToken
            | Self::Ledger(
                LedgerError::Exists(_)
                | LedgerError::Newer { .. }
                | LedgerError::Foreign(_)
                | LedgerError::Network { .. }
                | LedgerError::Away { .. }
                | LedgerError::Replaced(_)
                | LedgerError::Confined,
            ) => Kind::Refused,
            Self::NeedsPerson { .. } => Kind::NeedsPerson,
            Self::Formula { .. }
            | Self::TimedOut { .. }
            | Self::Locked(_)
            | Self::Settings(_)
            | Self::Ledger(_)
            | Self::World(_) => Kind::Failed,
        }
    }

    /// Returns the hint for the user, if there is one.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoTown(_) => "change to a town's folder, set GT_TOWN, or create a town: gt install <path>".to_owned(),
            Self::TownExists(path) => format!("use it: cd {}", path.display()),
            Self::NotEmpty(_) => "a town needs a new or empty folder: gt install <path>".to_owned(),
            Self::UnknownRig { known, .. } if known.is_empty() => {
                "no rig has been added: gt rig add <name> <url-or-path>".to_owned()
            }
            Self::UnknownRig { known, .. } => format!("there are: {}", known.join(", ")),
            Self::UnknownBead(_) => "gt bead list shows all beads".to_owned(),
            Self::Ambiguous { .. } => "type more of the id".to_owned(),
            Self::Unknown { what, .. } => where_to_look(what).to_owned(),
            Self::UnknownAgent { known, .. } => {
                format!("there are: {}; or define it in town.toml: [agents.<kind>] command = […]", known.join(", "))
            }
            Self::UnknownFormula(_) => "the built-in one is mol-polecat-work".to_owned(),
            Self::Refused { hint, .. }
            | Self::Usage { hint, .. }
            | Self::NeedsPerson { hint, .. }
            | Self::TimedOut { hint, .. } => hint.clone(),
            Self::Superseded(_) => "a newer incarnation has taken over: end your turn".to_owned(),
            Self::BadToken => "start agents through gt only, and leave GT_INCARNATION alone".to_owned(),
            Self::NoToken => "start agents through gt only, and leave GT_INCARNATION alone; a person calls gt in a \
                              terminal of their own, outside the town's tmux"
                .to_owned(),
            Self::Locked(_) => "try again; if it fails again, gt status shows what runs".to_owned(),
            Self::RigName(_) => "for example: gt rig add vtuber ~/src/vtuber".to_owned(),
            Self::Ledger(LedgerError::Newer { .. }) => "install the newer gt".to_owned(),
            Self::Ledger(LedgerError::Away { .. }) => {
                "work in that one; or make this one a town of its own: gt town adopt".to_owned()
            }
            Self::Ledger(LedgerError::Replaced(_)) => {
                "look at what is in the town's folder now, then run the command again".to_owned()
            }
            Self::Ledger(LedgerError::Confined) => CONFINED.to_owned(),
            Self::Ledger(LedgerError::Busy(_)) => "try again".to_owned(),
            Self::Ledger(LedgerError::Sql(error) | LedgerError::At { error, .. }) => {
                return sql_hint(error).map(str::to_owned);
            }
            Self::Ledger(LedgerError::Empty(_) | LedgerError::Missing(_) | LedgerError::Corrupt { .. }) => {
                LOST.to_owned()
            }
            Self::Ledger(LedgerError::Network { .. }) => {
                "a ledger must be on a local disk: move the folder to one".to_owned()
            }
            Self::World(WorldError::Io { source, .. })
            | Self::Ledger(LedgerError::World(WorldError::Io { source, .. })) => {
                return io_hint(source).map(str::to_owned);
            }
            Self::Ledger(LedgerError::Foreign(_)) => {
                "gt reads beads of other programs from their issues.jsonl: gt import beads <folder>".to_owned()
            }
            Self::World(WorldError::Led { at, .. }) | Self::Ledger(LedgerError::World(WorldError::Led { at, .. })) => {
                format!(
                    "an agent or a tool put it there: look at it (ls -l {0}), then rm {0}, and try again",
                    at.display()
                )
            }
            Self::World(WorldError::Unreachable { url, text }) => unreachable_hint(url, text),
            Self::Settings(error) if error.path.ends_with("rig.toml") => {
                "fix that file; gt help rig explains its keys".to_owned()
            }
            Self::Settings(_) => "fix that file; gt help town explains its keys".to_owned(),
            Self::MissingFile(_) => "check the path, or put the file back".to_owned(),
            Self::Formula { .. } | Self::Ledger(_) | Self::World(_) => return None,
        };
        Some(hint)
    }
}

/// Hint for a gate whose request was refused.
const CONFINED: &str = "gt rig gates list, gt bead list and the like work here; a test that needs more makes a town of its \
                        own: gt install <a temporary folder>. A person calls gt in a terminal of their own";

/// Hint for a lost ledger.
const LOST: &str = "restore a backup (they are in backups/ beside it): gt ledger restore <file>. Without a backup, \
                    rebuild a town's ledger: gt ledger rebuild --from jsonl, or --from git";

/// Hint for a full disk.
const FULL: &str = "the disk is full, and nothing was changed: make room and try again";

/// Returns a hint for an error of the file system.
fn io_hint(error: &std::io::Error) -> Option<&'static str> {
    use std::io::ErrorKind;
    Some(match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => FULL,
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            "you need the right to write it, on a disk that is not read-only: check permissions and mounts"
        }
        _ => return None,
    })
}

/// Returns a hint for an error of SQLite.
fn sql_hint(error: &rusqlite::Error) -> Option<&'static str> {
    use rusqlite::ErrorCode;
    Some(match error.sqlite_error_code()? {
        ErrorCode::DiskFull => FULL,
        ErrorCode::SystemIoFailure => {
            "the disk failed or is full, and nothing was changed: check the disk, then: gt ledger check"
        }
        ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
            "you need the right to write the ledger and its folder, on a local disk: check their permissions"
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            "another program holds a lock on the ledger's file, or its file system has no locks: try again"
        }
        ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => LOST,
        _ => return None,
    })
}

/// Returns a hint for an unreachable remote, from the output of git and ssh. Neither program may prompt, so they fail instead of
/// asking.
fn unreachable_hint(url: &str, text: &str) -> String {
    let host = ssh_host(url);
    match host {
        Some(host) if text.contains("Host key verification failed") => {
            format!(
                "ssh does not know {host}, or its key has changed: connect to it once by hand (ssh {host}), then try again"
            )
        }
        Some(host) if text.contains("Permission denied (") => {
            format!(
                "{host} accepts none of the keys that ssh can use without a passphrase: ssh-add <key>, or check your \
                 login; gt never asks for one"
            )
        }
        _ if text.contains("could not read Username") || text.contains("could not read Password") => {
            "git has no login for it, and gt never asks for one: set up a credential helper, or use ssh".to_owned()
        }
        _ => "check the URL, your network and your login".to_owned(),
    }
}

/// Returns the ssh destination of a remote in the form for the command line: `git@example.org` or `-p 22 example.org`.
fn ssh_host(url: &str) -> Option<String> {
    if let Some(rest) = url.strip_prefix("ssh://") {
        let place = rest.split('/').next().unwrap_or(rest);
        return Some(match place.rsplit_once(':') {
            Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => format!("-p {port} {host}"),
            _ => place.to_owned(),
        });
    }
    let (host, _) = url.split_once(':').filter(|(host, rest)| !host.contains('/') && !rest.starts_with("//"))?;
    Some(host.to_owned())
}

/// Returns the verb that lists the existing things of a kind.
fn where_to_look(what: &str) -> &'static str {
    match what {
        "merge request" => "gt mq list shows what waits",
        "mail in your inbox" => "gt mail inbox lists your mail",
        "gate" => "gt rig gates list shows the rig's gates",
        "molecule of" => "the bead has no worker yet: gt sling <bead> <rig>",
        "dependency" => "gt bead show <bead> shows its dependencies",
        "step" => "gt hook shows the current one",
        "branch" => "look at the remote, then: gt rig fetch",
        _ => "gt status shows the town",
    }
}

/// Formats an error with its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_for_a_remote_names_the_host_that_ssh_would_have_asked_about() {
        let check = |url: &str, text: &str, expected: &str| {
            let error = Error::World(WorldError::Unreachable { url: url.to_owned(), text: text.to_owned() });
            let hint = error.hint().unwrap();
            assert!(hint.contains(expected), "{url}: {hint}");
        };
        let unknown = "Host key verification failed.\nfatal: Could not read from remote repository.";
        check("git@example.org:a/b.git", unknown, "(ssh git@example.org)");
        check("ssh://git@example.org:2222/a/b", unknown, "(ssh -p 2222 git@example.org)");
        check("ssh://[::1]/a", unknown, "(ssh [::1])");
        check("example.org:a", "git@example.org: Permission denied (publickey).", "ssh-add");
        check("https://example.org/a", "fatal: could not read Username for 'https://example.org'", "credential helper");
        check("/a/b", unknown, "check the URL");
    }
}
