//! A worker's environment: built from nothing plus an allow-list, never inherited.

use std::collections::BTreeMap;

use crate::settings::AgentPreset;
use crate::town::{Rig, Town};

/// Variables of the overseer that every worker and gate gets, where they are set.
const ALLOWED: &[&str] = &[
    "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "TZ", "TMPDIR", "http_proxy", "https_proxy", "no_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
];

/// The overseer's PATH at `gt install`, as kept in the ledger's settings.
pub const PATH_KEY: &str = "path";

/// The environment of a rig's workers (with `preset`) or of its gates (without).
pub fn environment(town: &Town, rig: &Rig, preset: Option<&AgentPreset>) -> BTreeMap<String, String> {
    let outer = &town.outside.env;
    let mut env: BTreeMap<String, String> = BTreeMap::new();
    let passed = ALLOWED.iter().map(|name| (*name).to_owned());
    let passed = passed.chain(outer.keys().filter(|name| name.starts_with("LC_")).cloned());
    let passed = passed.chain(rig.settings.env.pass.iter().cloned());
    let passed = passed.chain(preset.iter().flat_map(|p| p.env_pass.iter().cloned()));
    for name in passed {
        if let Some(value) = outer.get(&name) {
            env.insert(name, value.clone());
        }
    }
    env.insert("PATH".to_owned(), path(town));
    env.insert("GT_TOWN".to_owned(), town.layout.root.display().to_string());
    env.extend(preset.iter().flat_map(|p| p.env.clone()));
    env.extend(rig.settings.env.set.clone());
    env
}

/// The town's `bin` first, then the PATH as it was when the town was installed.
fn path(town: &Town) -> String {
    let installed = town.ledger.read(|view| view.meta(PATH_KEY)).ok().flatten();
    let rest = installed.or_else(|| town.outside.env.get("PATH").cloned()).unwrap_or_default();
    format!("{}:{rest}", town.layout.bin().display())
}
