//! An administrator's settings, which can turn our hooks off.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gt_world::NodeKind;
use serde_json::Value;

use super::account::state;
use crate::agents::hooks::Hooks;
use crate::town::Town;
use crate::town::settings::AgentPreset;

/// Settings that an administrator's server sends are kept here, in the client's own state.
const SENT_SETTINGS: &str = "remote-settings.json";

/// Keys of an administrator's settings, each of which turns off all hooks but the administrator's own.
const HOOKS_OFF: [&str; 2] = ["disableAllHooks", "allowManagedHooksOnly"];

/// Bytes of one such file that are read, and files of one folder.
const MANAGED_BYTES: usize = 1024 * 1024;
const MANAGED_FILES: usize = 200;

/// What an administrator's settings say of our hooks. They go before those of the session, so ours can't turn hooks on
/// again. Of the files on this machine the last that names a key counts.
pub(crate) fn hooks(town: &Town, preset: &AgentPreset, env: &BTreeMap<String, String>) -> Hooks {
    let here = preset.managed_settings.iter().flat_map(|path| settings_files(town, path.clone()));
    let sent = state(env).into_iter().flat_map(|state| settings_files(town, state.folder.join(SENT_SETTINGS)));
    let mut unread = None;
    let mut off: BTreeMap<&str, PathBuf> = BTreeMap::new();
    let mut take = |file: PathBuf, is_last_word: bool| match read_managed(town, &file) {
        Ok(settings) => {
            for key in HOOKS_OFF {
                let values = [&settings[key], &settings["settings"][key]];
                if values.iter().any(|value| **value == true) {
                    off.insert(key, file.clone());
                } else if is_last_word && values.iter().any(|value| **value == false) {
                    off.remove(key);
                }
            }
        }
        Err(why) => _ = unread.get_or_insert(Hooks::Unknown { file, why }),
    };
    here.for_each(|file| take(file, true));
    // Which of the two goes first differs: who says that they are off is believed.
    sent.for_each(|file| take(file, false));
    match HOOKS_OFF.into_iter().find_map(|key| Some((key, off.remove(key)?))) {
        Some((key, file)) => Hooks::Off { key, file },
        None => unread.unwrap_or(Hooks::On),
    }
}

/// The file, or the files of the folder. An administrator may have put links there: to read them is harmless, since
/// nothing of them is shown but a key's name.
fn settings_files(town: &Town, path: PathBuf) -> Vec<PathBuf> {
    let disk = town.world().disk();
    let Ok(real) = disk.real_path(&path) else { return Vec::new() };
    match disk.kind(&real) {
        Ok(Some(NodeKind::Folder)) => {
            let names = disk.list(&real).unwrap_or_default();
            let names = names.into_iter().filter(|name| name.ends_with(".json") && !name.starts_with('.'));
            names.take(MANAGED_FILES).map(|name| path.join(name)).collect()
        }
        _ => vec![path],
    }
}

/// Never waits, and reads no more than a settings file has.
fn read_managed(town: &Town, file: &Path) -> Result<Value, String> {
    let disk = town.world().disk();
    let real = disk.real_path(file).map_err(|error| error.to_string())?;
    let bytes = disk.read_part(&real, 0, MANAGED_BYTES).map_err(|error| error.to_string())?;
    match bytes {
        Some(bytes) if bytes.len() < MANAGED_BYTES => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
        Some(_) => Err("it is too large".to_owned()),
        None => Err("it is no file".to_owned()),
    }
}
