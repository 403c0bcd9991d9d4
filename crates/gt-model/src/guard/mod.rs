//! Guard rails: what an agent of a role may not do, said before it does it, with the right way.
//!
//! [`judge`] looks at one use of a tool, as a client's hook announces it, and says whether the role may. Command lines are
//! read by [`shell`] and judged program by program ([`script`]): a word in a search pattern or a commit message is no
//! command. Guards are a help against accidents, not a sandbox. Their policy where something can't be known before it runs:
//!
//! - a program whose name is unknown (`$TOOL x`) may run, unless its arguments are those of an act that is refused
//!   (`$GIT push`, `$RM -rf /`);
//! - a path is judged by what of it is known in front: `/etc/$name` is in `/etc`, `$dir/x` may be anywhere and is allowed;
//! - what scripts, `make`, interpreters (`python -c`) and other machines (`ssh`) do is not looked at;
//! - text beyond the reader's bounds is judged by its words alone, quotes or not;
//! - paths are compared as they are written: links are not followed.
//!
//! What holds against intent too is the worker's git, its sandbox and `gt` itself; see `docs/repository-rules.md`.

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

/// The most of a command line that is read; of what is longer, only the words are looked at.
const MAX_COMMAND_BYTES: usize = 64 * 1024;

/// Whose rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A worker with a bead in a worktree of its own.
    Polecat,
    /// The coordinator, who plans and edits nothing.
    Mayor,
    /// A person's long-lived workspace.
    Crew,
    /// Any other agent: only what holds for all.
    Other,
}

impl Role {
    /// The role of an agent.
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

/// One use of a tool, as an agent's client announces it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ToolCall {
    /// The tool's name in that client, such as `Bash` or `Edit`.
    #[serde(rename = "tool_name", alias = "tool")]
    pub tool: String,
    /// What it is given.
    #[serde(rename = "tool_input", alias = "input", default)]
    pub input: Value,
}

/// Where an agent is and what is its own. All paths are absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The town's folder.
    pub town: PathBuf,
    /// The folder of the agent's rig; none for agents of the town.
    pub rig: Option<PathBuf>,
    /// What the agent may write: its worktree, workspace or home.
    pub own: PathBuf,
    /// Where the tool is used: the client's working folder at that time.
    pub cwd: PathBuf,
    /// The user's home.
    pub home: Option<PathBuf>,
    /// The folder for temporary files, beside the usual ones.
    pub temp: Option<PathBuf>,
    /// The agent's branch.
    pub branch: Option<String>,
    /// The rig's trunk.
    pub trunk: Option<String>,
    /// The bead on the agent's hook.
    pub bead: Option<String>,
}

/// What is said of a use of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is against it.
    Allowed,
    /// It is not for this role.
    Refused {
        /// Why, in a few words.
        reason: String,
        /// What to do instead.
        instead: String,
    },
}

/// A refusal on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    reason: String,
    instead: String,
}

/// `Some` refusal, for the ends of rules.
fn refuse(reason: impl Into<String>, instead: impl Into<String>) -> Option<Refusal> {
    Some(Refusal { reason: reason.into(), instead: instead.into() })
}

impl Verdict {
    /// What the agent is told, in one line; `None` where it is allowed.
    pub fn line(&self) -> Option<String> {
        match self {
            Self::Allowed => None,
            Self::Refused { reason, instead } => Some(format!("refused: {reason}. Instead: {instead}")),
        }
    }
}

/// Says whether an agent of this role may use a tool so. Pure: the same question has the same answer; its time grows
/// with the length of what it is asked, no faster.
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

/// Clients that can make worktrees by themselves.
fn worktrees(scene: &Scene<'_>) -> Option<Refusal> {
    if scene.role == Role::Polecat { git::worktrees() } else { None }
}

/// A worker's terminal has no reader: what is asked or planned there stands until a person happens to look.
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
        // Some clients hand over the words.
        Value::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            script::judge_words(scene, &words)
        }
        _ => None,
    }
}

/// The files that a patch in the form of `apply_patch` names.
fn patched(input: &Value) -> Vec<&str> {
    let text = input.as_str().or_else(|| field(input, &["input", "patch"])).unwrap_or_default();
    let markers = ["*** Update File: ", "*** Add File: ", "*** Delete File: ", "*** Move to: "];
    text.lines().filter_map(|line| markers.iter().find_map(|marker| line.strip_prefix(marker))).collect()
}

#[cfg(test)]
mod tests;
