//! Script of a simulated worker: a TOML file.
//!
//! ```toml
//! [pace]
//! step_ms = 300                        # pause at the start of each step, so that people can watch
//!
//! [[act]]                              # acts are done in file order when the worker stands at that step
//! bead = "demo-a1"                     # this bead only; left out: any
//! step = "implement"                   # this step of the molecule only; left out: any
//! attempt = 1                          # this attempt only; left out: any
//! incarnation = 1                      # this start of the worker only; left out: any
//! skip_default = true                  # leave out what a worker does at this step anyway
//! # The deeds of one act, done in this order:
//! wait_ms = 100                        # pause
//! write = { "lib/x.sh" = "…" }         # the file's whole text
//! append = { "README.md" = "…" }       # text at the file's end, unless it ends so already
//! remove = ["lib/y.sh"]                # gone already: fine
//! patch = "a unified diff"             # applied by git, unless it is applied already
//! run = ["sh", "-c", "…"]              # a command in the worktree; must exit 0…
//! may_fail = true                      # …unless this says otherwise
//! commit = "message"                   # commit everything; nothing to commit: fine
//! signal = "name"                      # mark a point that others can wait for
//! await = "name"                       # wait until that point is marked
//! misbehave = "crash"                  # see [`Misbehaviour`]
//! ```
//!
//! A worker that was started anew does the acts of its current step again, so each deed finds out whether it is done.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Speed at which it is played.
    pub pace: Pace,
    /// Acts in addition to what every worker does.
    #[serde(rename = "act")]
    pub acts: Vec<Act>,
}

/// Speed of a script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// Pause at the start of each step, in milliseconds.
    pub step_ms: u64,
}

/// Where an act applies, and its deeds. The module's text has the order of the deeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenAct")]
#[expect(missing_docs, reason = "the module's text describes each key")]
pub struct Act {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bead: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_default: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub write: BTreeMap<FilePath, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub append: BTreeMap<FilePath, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<FilePath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_fail: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<Mark>,
    #[serde(rename = "await", skip_serializing_if = "Option::is_none")]
    pub wait_for: Option<Mark>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misbehave: Option<Misbehaviour>,
}

/// An act as it stands in the file, before it was checked as a whole.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenAct {
    bead: Option<String>,
    step: Option<String>,
    attempt: Option<u32>,
    incarnation: Option<u32>,
    skip_default: bool,
    wait_ms: Option<u64>,
    write: BTreeMap<FilePath, String>,
    append: BTreeMap<FilePath, String>,
    remove: Vec<FilePath>,
    patch: Option<String>,
    run: Vec<String>,
    may_fail: bool,
    commit: Option<String>,
    signal: Option<Mark>,
    #[serde(rename = "await")]
    wait_for: Option<Mark>,
    misbehave: Option<Misbehaviour>,
}

/// A kind of misbehaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Misbehaviour {
    /// Ends as if killed.
    Crash,
    /// Does nothing more, and stays.
    Hang,
    /// Ends its turn with work on its hook.
    Exit,
    /// Leaves a file that it never commits, and goes on.
    Dirty,
    /// Checks another branch out, and goes on.
    WrongBranch,
    /// Calls `gt done` at once, finished or not, and ends its turn.
    Lie,
    /// Tries to close its own bead, and goes on.
    Close,
    /// Prints [`super::process::FLOOD_BYTES`], and goes on.
    Flood,
    /// Leaves a child in a session of its own that outlives it, and goes on.
    Orphan,
    /// Tries to move branches of the rig that are not its own, and goes on.
    MoveRef,
    /// Tries to push by the remote's name, path and URL, and goes on.
    Push,
}

/// Path of a file of the worktree: relative, below it, and not one of git's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(String);

/// Name of a point that workers mark and wait for; it is also the name of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mark(String);

/// Why a script can't be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The text is not TOML, or has an unknown key or a value of the wrong kind; the message has line and column.
    #[error("{0}")]
    Toml(String),
    /// A path leads out of the worktree.
    #[error("`{0}` is no path of a file in the worktree")]
    Path(String),
    /// A name can't be the name of a file.
    #[error("`{0}` is no name of a mark: use letters, digits, `-` and `.`")]
    Mark(String),
    /// An act does nothing.
    #[error("an act that does nothing")]
    Idle,
    /// `may_fail` stands without a command that could fail.
    #[error("`may_fail` without `run`")]
    MayFailWhat,
    /// Attempts and incarnations count from 1.
    #[error("attempts and incarnations count from 1")]
    CountedFromOne,
}

impl Script {
    /// Reads a script and checks all of it.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        toml::from_str(text).map_err(|e| ScriptError::Toml(e.to_string().trim_end().to_owned()))
    }

    /// Writes the script as TOML.
    pub fn to_toml(&self) -> Result<String, ScriptError> {
        toml::to_string(self).map_err(|e| ScriptError::Toml(e.to_string()))
    }
}

impl Pace {
    /// Returns the pause at the start of each step.
    pub fn step(&self) -> Duration {
        Duration::from_millis(self.step_ms)
    }
}

/// A worker's present position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Bead of the worker.
    pub bead: &'a str,
    /// Step at which it is.
    pub step: &'a str,
    /// Number of the attempt at the bead.
    pub attempt: u32,
    /// Number of this start of the worker.
    pub incarnation: u32,
}

impl Act {
    /// Whether a worker at this place does the act.
    pub fn applies(&self, place: Place<'_>) -> bool {
        self.bead.as_deref().is_none_or(|bead| bead == place.bead)
            && self.step.as_deref().is_none_or(|step| step == place.step)
            && self.attempt.is_none_or(|attempt| attempt == place.attempt)
            && self.incarnation.is_none_or(|incarnation| incarnation == place.incarnation)
    }

    fn check(&self) -> Result<(), ScriptError> {
        let place_only =
            Self { bead: self.bead.clone(), step: self.step.clone(), ..Self::at(self.attempt, self.incarnation) };
        if *self == place_only {
            return Err(ScriptError::Idle);
        }
        if self.may_fail && self.run.is_empty() {
            return Err(ScriptError::MayFailWhat);
        }
        if self.attempt == Some(0) || self.incarnation == Some(0) {
            return Err(ScriptError::CountedFromOne);
        }
        Ok(())
    }

    fn at(attempt: Option<u32>, incarnation: Option<u32>) -> Self {
        Self { attempt, incarnation, ..Self::default() }
    }
}

impl TryFrom<WrittenAct> for Act {
    type Error = ScriptError;

    fn try_from(written: WrittenAct) -> Result<Self, ScriptError> {
        let act = Self {
            bead: written.bead,
            step: written.step,
            attempt: written.attempt,
            incarnation: written.incarnation,
            skip_default: written.skip_default,
            wait_ms: written.wait_ms,
            write: written.write,
            append: written.append,
            remove: written.remove,
            patch: written.patch,
            run: written.run,
            may_fail: written.may_fail,
            commit: written.commit,
            signal: written.signal,
            wait_for: written.wait_for,
            misbehave: written.misbehave,
        };
        act.check()?;
        Ok(act)
    }
}

impl FilePath {
    /// Returns the path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for FilePath {
    type Error = ScriptError;

    fn try_from(text: String) -> Result<Self, ScriptError> {
        let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && part != ".git";
        if text.split('/').all(plain) && !text.contains('\0') { Ok(Self(text)) } else { Err(ScriptError::Path(text)) }
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.0
    }
}

impl Mark {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Mark {
    type Error = ScriptError;

    fn try_from(text: String) -> Result<Self, ScriptError> {
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        if plain && !text.is_empty() && !text.starts_with('.') { Ok(Self(text)) } else { Err(ScriptError::Mark(text)) }
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> Self {
        mark.0
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_and_written_back() {
        let text = r#"
            [pace]
            step_ms = 300
            [[act]]
            bead = "demo-a1"
            step = "implement"
            attempt = 1
            incarnation = 2
            skip_default = true
            wait_ms = 100
            write = { "lib/x.sh" = "x\n" }
            append = { "README.md" = "more\n" }
            remove = ["lib/y.sh"]
            patch = "diff"
            run = ["sh", "-c", "true"]
            may_fail = true
            commit = "message"
            signal = "half-way"
            await = "other.one"
            misbehave = "wrong-branch"
        "#;
        let script = Script::parse(text).unwrap();
        let act = &script.acts[0];
        assert_eq!(script.pace.step(), Duration::from_millis(300));
        assert_eq!(act.write.keys().map(FilePath::as_str).collect::<Vec<_>>(), ["lib/x.sh"]);
        assert_eq!(act.wait_for.as_ref().map(Mark::as_str), Some("other.one"));
        assert_eq!(act.misbehave, Some(Misbehaviour::WrongBranch));
        assert_eq!(Script::parse(&script.to_toml().unwrap()).unwrap(), script);
        assert_eq!(Script::parse("").unwrap(), Script::default());
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let check = |text: &str, line: usize, expected: &str| {
            let error = Script::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
            assert!(error.contains(&format!("line {line}")), "line {line}: {error}");
        };
        check("[pace]\nstep = 1", 2, "unknown field `step`");
        check("[[acts]]", 1, "unknown field `acts`");
        check("[[act]]\nsignals = 'x'", 2, "unknown field `signals`");
        check("[[act]]\nsignal = 'a/b'", 2, "`a/b` is no name of a mark");
        check("[[act]]\nsignal = '.hidden'", 2, "is no name of a mark");
        check("[[act]]\nmisbehave = 'dance'", 2, "unknown variant `dance`");
        check("[[act]]\nremove = ['../x']", 2, "`../x` is no path");
        check("[[act]]\nremove = ['/etc/x']", 2, "is no path");
        check("[[act]]\nremove = ['.git/config']", 2, "is no path");
        check("\n[[act]]\nbead = 'a'\nattempt = 1", 2, "does nothing");
        check("[[act]]\nmay_fail = true", 1, "without `run`");
        check("[[act]]\nattempt = 0\nsignal = 'x'", 1, "count from 1");
        check("[[act]]\nrun = 'ls'", 2, "invalid type");
        check("act = [", 1, "");
    }

    #[test]
    fn an_act_applies_where_nothing_says_otherwise() {
        let place = Place { bead: "b", step: "implement", attempt: 2, incarnation: 1 };
        let check = |keys: &str, expected: bool| {
            let script = Script::parse(&format!("[[act]]\nwait_ms = 1\n{keys}")).unwrap();
            assert_eq!(script.acts[0].applies(place), expected, "{keys}");
        };
        check("", true);
        check("bead = 'b'\nstep = 'implement'\nattempt = 2\nincarnation = 1", true);
        check("bead = 'other'", false);
        check("step = 'self-review'", false);
        check("attempt = 1", false);
        check("incarnation = 2", false);
    }
}
