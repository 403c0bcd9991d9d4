//! The context of most verbs: the open town and the caller.

use std::ops::Deref;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use gt_town::town::identity;
use gt_town::town::layout::Layout;
use gt_town::{Caller, Rig, Town};

use crate::Process;
use crate::cli::Global;
use crate::console;
use crate::error::CliError;

/// Town that a verb uses: opened by this call, or open already in a simulated world.
pub enum TownHandle {
    /// Opened by this call.
    Own(Box<Town>),
    /// Opened before this call.
    Shared(Rc<Town>),
}

impl Deref for TownHandle {
    type Target = Town;

    fn deref(&self) -> &Town {
        match self {
            Self::Own(town) => town,
            Self::Shared(town) => town,
        }
    }
}

/// Context of most verbs: the town and the caller.
pub struct Context<'p> {
    /// Town of the call.
    pub town: TownHandle,
    /// Caller of the verb.
    pub caller: Caller,
    /// Surroundings of the call.
    pub process: &'p Process,
}

impl<'p> Context<'p> {
    /// Opens the town, and finds out who calls.
    pub fn open(global: &Global, process: &'p Process) -> Result<Self, CliError> {
        let town = open_town(global, process)?;
        let caller = identity::caller(&town, &process.env)?;
        identity::sign_of_life(&town, &caller)?;
        console::set_reader(caller.incarnation.is_some());
        Ok(Self { town, caller, process })
    }

    /// Returns the named rig, or the one that the caller belongs to or stands in, or the only one.
    pub fn rig(&self, name: Option<&str>) -> Result<Rig, CliError> {
        if let Some(name) = name.map(str::to_owned).or_else(|| self.rig_here()) {
            return Ok(self.town.rig(&name)?);
        }
        let mut rigs = self.town.rigs()?;
        match rigs.len() {
            1 => Ok(rigs.remove(0)),
            0 => Err(gt_town::Error::UnknownRig { name: String::new(), known: Vec::new() }.into()),
            _ => {
                let names: Vec<String> = rigs.iter().map(|rig| rig.name().to_string()).collect();
                Err(CliError::Usage {
                    what: "which rig?".to_owned(),
                    hint: format!("name one of: {}", names.join(", ")),
                })
            }
        }
    }

    /// Returns the name of the caller's own rig, or of the one whose folder it stands in.
    pub fn rig_here(&self) -> Option<String> {
        if let Some(rig) = self.caller.address.rig() {
            return Some(rig.to_string());
        }
        let below = self.process.cwd.strip_prefix(&self.town.layout.root).ok()?;
        let first = below.components().next()?.as_os_str().to_str()?.to_owned();
        self.town.rig(&first).ok().map(|rig| rig.name().to_string())
    }
}

/// Finds the town: by flag, by `GT_TOWN`, or upwards from the working folder. Never makes one.
pub fn open_town(global: &Global, process: &Process) -> Result<TownHandle, CliError> {
    if let Some(town) = &process.town {
        return Ok(TownHandle::Shared(town.clone()));
    }
    Ok(TownHandle::Own(Box::new(Town::open(&find_town(global, process)?, process.outside.clone())?)))
}

/// Returns the folder of the town, without opening it.
pub fn find_town(global: &Global, process: &Process) -> Result<PathBuf, CliError> {
    match global.town.clone().or_else(|| process.env.get("GT_TOWN").map(PathBuf::from)) {
        Some(root) => Ok(process.cwd.join(root)),
        None => find_upwards(process),
    }
}

fn find_upwards(process: &Process) -> Result<PathBuf, CliError> {
    let is_town = |folder: &&Path| process.outside.world.disk().exists(&Layout::new(folder).settings());
    let found = process.cwd.ancestors().find(is_town).map(Path::to_owned);
    Ok(found.ok_or_else(|| gt_town::Error::NoTown(process.cwd.clone()))?)
}

/// Returns a text as given, or standard input where it is `-`.
pub fn text_or_stdin(text: String) -> Result<String, CliError> {
    if text == "-" { Ok(std::io::read_to_string(std::io::stdin())?) } else { Ok(text) }
}

/// Makes a path absolute from the working folder, without `.` and `..`.
pub fn absolute(process: &Process, path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in process.cwd.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = clean.pop(),
            other => clean.push(other),
        }
    }
    clean
}
