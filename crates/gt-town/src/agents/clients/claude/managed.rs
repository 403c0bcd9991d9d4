//! An administrator's settings, which can turn our hooks off.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gt_world::NodeKind;
use serde_json::Value;

use super::account::state;
use crate::agents::hooks::Hooks;
use crate::town::Town;
use crate::town::settings::AgentPreset;

/// File in the client's own state that holds the settings an administrator's server sends.
const SENT_SETTINGS: &str = "remote-settings.json";

/// Keys of an administrator's settings; each of them turns off all hooks but the administrator's own.
const HOOKS_OFF: [&str; 2] = ["disableAllHooks", "allowManagedHooksOnly"];

/// Bytes read of one such file, and number of files read in one folder.
const MANAGED_BYTES: usize = 1024 * 1024;
const MANAGED_FILES: usize = 200;

/// Returns what an administrator's settings say about our hooks. They override the session's settings, so ours can't turn hooks
/// on again. Among the files on this machine, the last one that names a key decides.
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
    // Precedence between these two differs by set-up, so either one can turn hooks off.
    sent.for_each(|file| take(file, false));
    match HOOKS_OFF.into_iter().find_map(|key| Some((key, off.remove(key)?))) {
        Some((key, file)) => Hooks::Off { key, file },
        None => unread.unwrap_or(Hooks::On),
    }
}

/// Returns the file, or the files of the folder. An administrator may have put links there. Reading them is harmless, since the
/// town shows nothing of them but a key's name.
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

/// Reads a settings file. Never blocks, and reads no more than the limit for one.
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
