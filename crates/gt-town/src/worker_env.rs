//! A worker's environment: built from nothing plus an allow-list, never inherited.

use std::collections::BTreeMap;

use crate::settings::{AgentPreset, Auth};
use crate::town::{Rig, Town};

/// Variables of the overseer that every worker and gate gets, where they are set.
const ALLOWED: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "TERM",
    "TZ",
    "TMPDIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
];

/// What programs ask a person through, answered for one who is not there: nothing may wait at a prompt that nobody sees.
///
/// Git's own editor takes what is proposed (the message of a rebase), so that `git rebase --continue` goes on and a commit
/// without a message is refused. Any other editor fails, and so tells its caller. Whatever ssh asks, of unknown hosts and of
/// keys, is denied. `CI` is not among these: it changes what tools do, not only whether they ask.
const UNATTENDED: &[(&str, &str)] = &[
    ("GIT_EDITOR", "true"),
    ("GIT_SEQUENCE_EDITOR", "true"),
    ("EDITOR", "false"),
    ("VISUAL", "false"),
    ("PAGER", "cat"),
    ("GIT_PAGER", "cat"),
    ("MANPAGER", "cat"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("SSH_ASKPASS", "false"),
    ("SSH_ASKPASS_REQUIRE", "force"),
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("npm_config_yes", "true"),
    ("COREPACK_ENABLE_DOWNLOAD_PROMPT", "0"),
    ("PIP_NO_INPUT", "1"),
    ("POETRY_NO_INTERACTION", "1"),
    ("COMPOSER_NO_INTERACTION", "1"),
];

/// The overseer's PATH at `gt install`, as kept in the ledger's settings.
pub const PATH_KEY: &str = "path";

/// The environment of a rig's agents (with `preset`) or of its gates (without); without a rig, of an agent of the whole
/// town. `{slot}` in a value that is set becomes the worker's slot.
pub fn environment(
    town: &Town,
    rig: Option<&Rig>,
    preset: Option<&AgentPreset>,
    slot: Option<u32>,
) -> BTreeMap<String, String> {
    let outer = &town.outside.env;
    let unattended = UNATTENDED.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut env: BTreeMap<String, String> = unattended.collect();
    let passed = ALLOWED.iter().map(|name| (*name).to_owned());
    let passed = passed.chain(outer.keys().filter(|name| name.starts_with("LC_")).cloned());
    let passed = passed.chain(rig.iter().flat_map(|rig| rig.settings.env.pass.iter().cloned()));
    let passed = passed.chain(preset.iter().flat_map(|p| p.env_pass.iter().cloned()));
    let keys: &[String] = preset.map_or(&[], |p| &p.api_keys);
    let pays_by_key = preset.is_some_and(|p| p.auth == Some(Auth::ApiKey));
    let passed = passed.chain(keys.iter().filter(|_| pays_by_key).cloned());
    // A key that is passed by mistake would be billed instead of the user's own plan.
    for name in passed.filter(|name| pays_by_key || !keys.contains(name)) {
        if let Some(value) = outer.get(&name) {
            env.insert(name, value.clone());
        }
    }
    env.insert("PATH".to_owned(), path(town));
    env.insert("GT_TOWN".to_owned(), town.layout.root.display().to_string());
    env.extend(preset.iter().flat_map(|p| p.env.clone()));
    // Gates and the like get the number behind the last worker's, so that nobody shares a port or a database.
    let slot = slot.unwrap_or(town.settings.max_polecats).to_string();
    let set = rig.iter().flat_map(|rig| &rig.settings.env.set);
    env.extend(set.map(|(name, value)| (name.clone(), value.replace("{slot}", &slot))));
    env
}

/// The town's `bin` first, then the PATH as it was when the town was installed.
fn path(town: &Town) -> String {
    let installed = town.ledger.read(|view| view.meta(PATH_KEY)).ok().flatten();
    let rest = installed.or_else(|| town.outside.env.get("PATH").cloned()).unwrap_or_default();
    format!("{}:{rest}", town.layout.bin().display())
}
