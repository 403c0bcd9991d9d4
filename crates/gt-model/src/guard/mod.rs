//! Guard rails: acts that an agent's role does not allow. The guard refuses them before they happen, and names the right way.
//!
//! [`judge`] looks at one tool use, as a client's hook announces it, and decides whether the role may do it. [`shell`] reads
//! command lines, and [`script`] judges them program by program, so that a word in a search pattern or a commit message does not
//! count as a command. Guards protect against accidents; they are no sandbox. Some things can't be known before a command runs.
//! For these, the policy is:
//!
//! - A program whose name is unknown (`$TOOL x`) may run, unless its arguments are those of a refused act (`$GIT push`, `$RM -rf
//! /`).
//! - The known beginning of a path decides: `/etc/$name` is in `/etc`; `$dir/x` may be anywhere and is allowed.
//! - The guard does not look at what scripts, `make`, interpreters (`python -c`) and other machines (`ssh`) do.
//! - In text beyond the reader's limits, only the words count, even inside quotes.
//! - Paths are compared as written: links are not followed.
//!
//! Protection against intent comes from the worker's git, its sandbox and `gt` itself; see `docs/repository-rules.md`.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::address::Address;

mod files;
mod git;
mod handed;
mod machine;
pub mod permit;
mod script;
mod shell;
mod town;

use script::Scene;

/// Maximum length of a command line that the guard reads, in bytes. In longer ones it looks only at the words.
const MAX_COMMAND_BYTES: usize = 64 * 1024;

/// Role whose rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A worker with a bead and a worktree of its own.
    Polecat,
    /// The coordinator, which plans and edits nothing.
    Mayor,
    /// An agent in a person's long-lived workspace.
    Crew,
    /// Any other agent. Only the rules for all roles apply to it.
    Other,
}

impl Role {
    /// Returns an agent's role.
    pub fn of(address: &Address) -> Self {
        match address {
            Address::Polecat(..) => Self::Polecat,
            Address::Mayor => Self::Mayor,
            Address::Crew(..) => Self::Crew,
            Address::Overseer
            | Address::Deacon
            | Address::Boot
            | Address::Dog(_)
            | Address::Gate
            | Address::Witness(_)
            | Address::Refinery(_) => Self::Other,
        }
    }
}

/// One tool use, as an agent's client announces it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ToolCall {
    /// Name of the tool in that client, such as `Bash` or `Edit`.
    #[serde(rename = "tool_name", alias = "tool")]
    pub tool: String,
    /// Input of the tool.
    #[serde(rename = "tool_input", alias = "input", default)]
    pub input: Value,
}

/// Where an agent is, and which folders are its own. All paths are absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Folder of the town.
    pub town: PathBuf,
    /// Folder of the agent's rig; `None` for agents of the whole town.
    pub rig: Option<PathBuf>,
    /// Folder that the agent may write to: its worktree, workspace or home.
    pub own: PathBuf,
    /// Working folder of the client at the time of the tool use.
    pub cwd: PathBuf,
    /// Home folder of the user.
    pub home: Option<PathBuf>,
    /// Folder for temporary files, in addition to the usual ones.
    pub temp: Option<PathBuf>,
    /// Branch of the agent.
    pub branch: Option<String>,
    /// Trunk branch of the rig.
    pub trunk: Option<String>,
    /// Bead on the agent's hook.
    pub bead: Option<String>,
}

/// Decision on a tool use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No rule is against it.
    Allowed,
    /// The role does not allow it.
    Refused {
        /// Reason, in a few words.
        reason: String,
        /// Allowed way to reach the same goal.
        instead: String,
    },
}

/// A refusal that is passed up to [`judge`].
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    reason: String,
    instead: String,
}

/// Returns a refusal, wrapped in `Some` as rules return it.
fn refuse(reason: impl Into<String>, instead: impl Into<String>) -> Option<Refusal> {
    Some(Refusal { reason: reason.into(), instead: instead.into() })
}

impl Verdict {
    /// Returns the one line that the agent is told; `None` if the use is allowed.
    pub fn line(&self) -> Option<String> {
        match self {
            Self::Allowed => None,
            Self::Refused { reason, instead } => Some(format!("refused: {reason}. Instead: {instead}")),
        }
    }
}

/// Decides whether an agent of this role may use a tool in this way. The function is pure, and its run time grows linearly with
/// the length of its input.
pub fn judge(role: Role, call: &ToolCall, place: &Place) -> Verdict {
    let mut scene = Scene::new(role, place);
    match judge_tool(&mut scene, call) {
        None => Verdict::Allowed,
        Some(Refusal { reason, instead }) => Verdict::Refused { reason, instead },
    }
}

fn judge_tool(scene: &mut Scene<'_>, call: &ToolCall) -> Option<Refusal> {
    match call.tool.to_ascii_lowercase().as_str() {
        "bash" | "shell" | "local_shell" | "run_shell_command" | "execute_command" | "exec_command" | "monitor" => {
            command_line(scene, &call.input)
        }
        "write" | "edit" | "multiedit" | "notebookedit" | "write_file" | "edit_file" | "replace" | "create" => {
            path_of(&call.input).and_then(|path| files::write(scene, path))
        }
        "apply_patch" => patched(&call.input).into_iter().find_map(|path| files::write(scene, path)),
        "read" | "read_file" | "grep" => path_of(&call.input).and_then(|path| files::show(scene, path)),
        "enterworktree" => worktrees(scene),
        "enterplanmode" | "askuserquestion" => waiting(scene),
        "agent" | "task" if field(&call.input, &["isolation"]) == Some("worktree") => worktrees(scene),
        _ => None,
    }
}

/// Judges clients' own tools that make worktrees.
fn worktrees(scene: &Scene<'_>) -> Option<Refusal> {
    if scene.role == Role::Polecat { git::worktrees() } else { None }
}

/// Judges questions and plans in a worker's terminal. No person reads that terminal regularly, so a question there could wait for
/// a long time.
fn waiting(scene: &Scene<'_>) -> Option<Refusal> {
    if scene.role != Role::Polecat {
        return None;
    }
    refuse(
        "no person reads your terminal",
        "decide and go on, or ask by mail: gt mail send <rig>/witness -s \"HELP <bead>\" -m \"…\"",
    )
}

fn field<'a>(input: &'a Value, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| input.get(name)?.as_str())
}

fn path_of(input: &Value) -> Option<&str> {
    field(input, &["file_path", "notebook_path", "filePath", "absolute_path", "path"])
}

fn command_line(scene: &mut Scene<'_>, input: &Value) -> Option<Refusal> {
    let given = input.get("command").or_else(|| input.get("cmd"))?;
    match given {
        Value::String(text) => script::judge_text(scene, text),
        // Some clients pass the words of the command.
        Value::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            script::judge_words(scene, &words)
        }
        _ => None,
    }
}

/// Returns the files that a patch in the format of `apply_patch` names.
fn patched(input: &Value) -> Vec<&str> {
    let text = input.as_str().or_else(|| field(input, &["input", "patch"])).unwrap_or_default();
    let markers = ["*** Update File: ", "*** Add File: ", "*** Delete File: ", "*** Move to: "];
    text.lines().filter_map(|line| markers.iter().find_map(|marker| line.strip_prefix(marker))).collect()
}

#[cfg(test)]
mod tests;
