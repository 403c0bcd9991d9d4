//! A project's `.envrc`, used only with a person's explicit consent: set-up, gates and workers then run with the environment
//! that direnv makes of it.
//!
//! The consent covers exact bytes: `[env] direnv` in `rig.toml` has the hash of the `.envrc` and of each file of the worktree
//! that direnv watches for it, and names those that must not exist. Where one of them differs in a worktree, or is a link, the
//! town does not run direnv there, and says so. direnv runs where the command does, inside its sandbox: no variable of the
//! project reaches a process of the town. The town tells the person's own direnv nothing, and ignores what that one allows.

use std::path::{Component, Path};

use gt_model::id::sha256_hex;
use gt_world::NodeKind;
use serde::Serialize;

use crate::town::error::Result;
use crate::town::{Rig, Town};
use crate::walls::worker_env;

/// File that direnv reads.
pub const FILE: &str = ".envrc";

/// Value in the settings in place of a hash: the file must not exist.
const ABSENT: &str = "absent";

/// Maximum bytes of a file that a person can consent to.
const FILE_BYTES: usize = 64 * 1024;

/// Runs a command with the environment that direnv makes of the folder's `.envrc`. direnv's own record of the consent is
/// deleted before the command starts.
const WITH: &str = r#"
kept=$(mktemp -d) || exit 1
set_by=$(XDG_DATA_HOME=$kept direnv allow . && XDG_DATA_HOME=$kept DIRENV_LOG_FORMAT= direnv export bash)
code=$?
rm -rf "$kept"
if [ $code != 0 ]; then echo "gt: direnv could not load .envrc: see above" >&2; exit 1; fi
eval "$set_by"
unset kept set_by code
exec "$@"
"#;

/// Prints a message, then runs the command without direnv.
const WITHOUT: &str = r#"echo "gt: $1" >&2; shift; exec "$@""#;

/// A file that needs consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// Path of the file in the worktree.
    pub path: String,
    /// Text of the file; `None` where it must not exist.
    pub text: Option<String>,
}

impl File {
    /// Returns the value that the settings store for this file.
    pub(crate) fn pin(&self) -> String {
        self.text.as_deref().map_or_else(|| ABSENT.to_owned(), hash)
    }
}

fn hash(text: &str) -> String {
    format!("sha256:{}", sha256_hex(text))
}

/// Returns why direnv does not run in a folder despite a consent; `None` where it runs, or where no consent was given.
pub(crate) fn why_not(town: &Town, rig: &Rig, folder: &Path) -> Result<Option<String>> {
    let consent = &rig.settings.env.direnv;
    if consent.is_empty() {
        return Ok(None);
    }
    for (path, pin) in consent {
        if read(town, folder, path)?.map(|file| file.pin()).as_ref() != Some(pin) {
            let next = format!("look at it on the trunk, then gt rig allow-envrc {}", rig.name());
            return Ok(Some(format!(".envrc is not loaded: {path} differs from what you allowed; {next}")));
        }
    }
    Ok((!is_installed(town, rig)).then(|| {
        ".envrc is not loaded: direnv, which you allowed, is not in the PATH of agents and gates; install it, then gt agent \
         check --update"
            .to_owned()
    }))
}

/// Reads a file of a worktree for consent; `None` for a link, a folder, or a file too large or not UTF-8.
pub(crate) fn read(town: &Town, folder: &Path, path: &str) -> Result<Option<File>> {
    let disk = town.world().disk();
    let is_plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_plain || path.is_empty() {
        return Ok(None);
    }
    let above = Path::new(path).ancestors().skip(1).filter(|at| !at.as_os_str().is_empty());
    for at in above {
        match disk.kind(&folder.join(at))? {
            Some(NodeKind::Folder) | None => {}
            _ => return Ok(None),
        }
    }
    let at = folder.join(path);
    Ok(match disk.kind(&at)? {
        None => Some(File { path: path.to_owned(), text: None }),
        Some(NodeKind::File) => {
            let bytes = disk.read_part(&at, 0, FILE_BYTES + 1)?.filter(|bytes| bytes.len() <= FILE_BYTES);
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            text.map(|text| File { path: path.to_owned(), text: Some(text) })
        }
        Some(_) => None,
    })
}

/// Whether direnv is in the PATH of agents and gates.
pub(crate) fn is_installed(town: &Town, rig: &Rig) -> bool {
    let env = worker_env::environment(town, Some(rig), None, None);
    let path = env.get("PATH").map(String::as_str).unwrap_or_default();
    path.split(':').any(|folder| town.world().disk().exists(&Path::new(folder).join("direnv")))
}

/// Wraps a command for a folder: with direnv where a person consented to it, else with a message about why not.
pub(crate) fn around(town: &Town, rig: &Rig, folder: &Path, argv: Vec<String>) -> Result<Vec<String>> {
    if rig.settings.env.direnv.is_empty() {
        return Ok(argv);
    }
    Ok(match why_not(town, rig, folder)? {
        None => with(argv),
        Some(why) => [&["sh", "-c", WITHOUT, "sh"].map(str::to_owned)[..], &[why], &argv].concat(),
    })
}

/// Wraps a command to run with the environment that direnv makes of the folder's `.envrc`, without a check of consent.
pub(crate) fn with(argv: Vec<String>) -> Vec<String> {
    [["bash", "-c", WITH, "bash"].map(str::to_owned).to_vec(), argv].concat()
}
