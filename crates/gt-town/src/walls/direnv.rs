//! A project's `.envrc`, by a person's explicit consent: set-up, gates and workers then run with what direnv makes of it.
//!
//! The consent is to bytes: `[env] direnv` in `rig.toml` has the hash of the `.envrc` and of each file of the worktree that
//! direnv watches for it, and names those that are not there. Where one of them is otherwise in a worktree, or is a link, direnv
//! is not run there, and that is said. What runs, runs where the command does, inside its sandbox: no variable of the project's
//! reaches a process of the town. The person's own direnv learns nothing of it, and nothing that it allows counts here.

use std::path::{Component, Path};

use gt_model::id::sha256_hex;
use gt_world::NodeKind;
use serde::Serialize;

use crate::town::error::Result;
use crate::town::{Rig, Town};
use crate::walls::worker_env;

/// The file that direnv reads.
pub const FILE: &str = ".envrc";

/// In the settings, in the place of a hash: the file must not be there.
const ABSENT: &str = "absent";

/// Bytes that a file may have whose text is consented to.
const FILE_BYTES: usize = 64 * 1024;

/// Runs a command with what direnv makes of the `.envrc` of the folder. What direnv keeps of the consent is gone before the
/// command starts.
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

/// Says something before a command, and runs it as it is.
const WITHOUT: &str = r#"echo "gt: $1" >&2; shift; exec "$@""#;

/// A file that consent is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its path in the worktree.
    pub path: String,
    /// Its text; `None` where it must not be there.
    pub text: Option<String>,
}

impl File {
    /// What the settings keep of it.
    pub(crate) fn pin(&self) -> String {
        self.text.as_deref().map_or_else(|| ABSENT.to_owned(), hash)
    }
}

fn hash(text: &str) -> String {
    format!("sha256:{}", sha256_hex(text))
}

/// Why direnv is not run in a folder in spite of a consent; `None` where it is, or there is no consent.
pub(crate) fn why_not(town: &Town, rig: &Rig, folder: &Path) -> Result<Option<String>> {
    let consent = &rig.settings.env.direnv;
    if consent.is_empty() {
        return Ok(None);
    }
    for (path, pin) in consent {
        if read(town, folder, path)?.map(|file| file.pin()).as_ref() != Some(pin) {
            let next = format!("look at it on the trunk, then gt rig allow-envrc {}", rig.name());
            return Ok(Some(format!(".envrc is not loaded: {path} is not what you allowed; {next}")));
        }
    }
    Ok((!is_installed(town, rig)).then(|| {
        ".envrc is not loaded: direnv, which you allowed, is not in the PATH of agents and gates; install it, then gt agent \
         check --update"
            .to_owned()
    }))
}

/// A file of a worktree, as consent is given to it; `None` where it is nothing that could be consented to. No link is followed.
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

/// Whether agents and gates have direnv.
pub(crate) fn is_installed(town: &Town, rig: &Rig) -> bool {
    let env = worker_env::environment(town, Some(rig), None, None);
    let path = env.get("PATH").map(String::as_str).unwrap_or_default();
    path.split(':').any(|folder| town.world().disk().exists(&Path::new(folder).join("direnv")))
}

/// A command as it is to be run in a folder: with direnv where that was consented to, or with a word about why not.
pub(crate) fn around(town: &Town, rig: &Rig, folder: &Path, argv: Vec<String>) -> Result<Vec<String>> {
    if rig.settings.env.direnv.is_empty() {
        return Ok(argv);
    }
    Ok(match why_not(town, rig, folder)? {
        None => with(argv),
        Some(why) => [&["sh", "-c", WITHOUT, "sh"].map(str::to_owned)[..], &[why], &argv].concat(),
    })
}

/// A command that is run with what direnv makes of the folder's `.envrc`, whatever that is.
pub(crate) fn with(argv: Vec<String>) -> Vec<String> {
    [["bash", "-c", WITH, "bash"].map(str::to_owned).to_vec(), argv].concat()
}
