//! Builds a worker's environment: from nothing plus an allow-list, never inherited.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::town::error::{Error, Result};
use crate::town::settings::{AgentPreset, Auth};
use crate::town::{Caller, Rig, Town};
use crate::walls::reach;

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

/// Variables that say where toolchains and their package managers keep their programs, versions and caches. Where the overseer
/// has moved these from their usual places, the tools do not work without the variables. None holds a secret, and none leads a
/// build to code or products of another tree: those are in [`reach`].
const TOOLCHAINS: &[&str] = &[
    // Rust.
    "RUSTUP_HOME",
    "CARGO_HOME",
    "RUSTUP_DIST_SERVER",
    "RUSTUP_UPDATE_ROOT",
    "RUSTUP_AUTO_INSTALL",
    // Go.
    "GOROOT",
    "GOPATH",
    "GOMODCACHE",
    "GOCACHE",
    "GOPRIVATE",
    "GONOSUMDB",
    "GONOPROXY",
    "GOSUMDB",
    "GOTOOLCHAIN",
    "GOENV_ROOT",
    // Java, Kotlin, Android.
    "JAVA_HOME",
    "JDK_HOME",
    "M2_HOME",
    "MAVEN_HOME",
    "GRADLE_HOME",
    "GRADLE_USER_HOME",
    "KOTLIN_HOME",
    "SDKMAN_DIR",
    "JENV_ROOT",
    "ANDROID_HOME",
    "ANDROID_SDK_ROOT",
    "ANDROID_NDK_HOME",
    // Node.
    "NVM_DIR",
    "NVM_BIN",
    "VOLTA_HOME",
    "FNM_DIR",
    "FNM_MULTISHELL_PATH",
    "N_PREFIX",
    "NODENV_ROOT",
    "COREPACK_HOME",
    "PNPM_HOME",
    "BUN_INSTALL",
    "DENO_DIR",
    "DENO_INSTALL",
    "npm_config_cache",
    "YARN_CACHE_FOLDER",
    "PLAYWRIGHT_BROWSERS_PATH",
    "PUPPETEER_CACHE_DIR",
    "CYPRESS_CACHE_FOLDER",
    // Python.
    "PYENV_ROOT",
    "PYENV_VERSION",
    "PIPX_HOME",
    "PIP_CACHE_DIR",
    "UV_CACHE_DIR",
    "UV_PYTHON_INSTALL_DIR",
    "UV_TOOL_DIR",
    "POETRY_HOME",
    "POETRY_CACHE_DIR",
    "PDM_CACHE_DIR",
    "HATCH_CACHE_DIR",
    "PRE_COMMIT_HOME",
    "MAMBA_ROOT_PREFIX",
    // .NET, Ruby, PHP, Elixir, Swift, Haskell, Perl, Dart.
    "DOTNET_ROOT",
    "NUGET_PACKAGES",
    "RBENV_ROOT",
    "rvm_path",
    "GEM_HOME",
    "GEM_PATH",
    "COMPOSER_HOME",
    "COMPOSER_CACHE_DIR",
    "PHPENV_ROOT",
    "MIX_HOME",
    "HEX_HOME",
    "KERL_BASE_DIR",
    "GHCUP_INSTALL_BASE_PREFIX",
    "STACK_ROOT",
    "PERLBREW_ROOT",
    "PLENV_ROOT",
    "PUB_CACHE",
    "FLUTTER_ROOT",
    // C and C++.
    "VCPKG_ROOT",
    "CONAN_HOME",
    "SDKROOT",
    "CCACHE_DIR",
    "SCCACHE_DIR",
    // Version managers of all languages, and what they keep to.
    "ASDF_DIR",
    "ASDF_DATA_DIR",
    "ASDF_CONFIG_FILE",
    "MISE_DATA_DIR",
    "MISE_CONFIG_DIR",
    "MISE_CACHE_DIR",
    "MISE_STATE_DIR",
    "MISE_INSTALL_PATH",
    "AQUA_ROOT_DIR",
    "HOMEBREW_PREFIX",
    "HOMEBREW_CELLAR",
    "HOMEBREW_REPOSITORY",
    "NIX_PATH",
    "NIX_PROFILES",
    "NIX_SSL_CERT_FILE",
    "LOCALE_ARCHIVE",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
];

/// Variables of a shell or a desktop that no build needs. The town does not report that it withholds them.
const OF_NO_BUILD: &[&str] = &[
    "PWD",
    "OLDPWD",
    "SHLVL",
    "_",
    "PATH",
    "MAIL",
    "HOSTNAME",
    "HISTFILE",
    "HISTSIZE",
    "HISTCONTROL",
    "LS_COLORS",
    "LESS",
    "LESSOPEN",
    "LESSCLOSE",
    "COLORTERM",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "WINDOWID",
    "DESKTOP_SESSION",
    "SESSION_MANAGER",
    "MOTD_SHOWN",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "TMUX",
    "TMUX_PANE",
    "STY",
];

/// Prefixes of further such variables.
const OF_NO_BUILD_BEGIN: &[&str] =
    &["GT_", "GIT_CONFIG", "XDG_", "SSH_", "DBUS_", "GPG_", "GNOME_", "KDE_", "VTE_", "PS1", "BASH"];

/// Answers for programs that would ask a person. No person sees a worker's prompt, so none of them may wait at one.
///
/// Git's own editor accepts the proposed text (the message of a rebase): `git rebase --continue` goes on, and git refuses a
/// commit without a message. Any other editor fails, which tells its caller. Whatever ssh asks, of unknown hosts or of
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

/// Key of the overseer's PATH in the ledger's settings. `gt install`, each `gt up` and `gt agent check --update` store it.
pub(crate) const PATH_KEY: &str = "path";

/// Variable that names the town in everything that the town itself runs: agents, gates, set-ups.
const WITHIN_VARIABLE: &str = "GT_WITHIN";

/// Variable with an agent's own PATH, for shells whose profile replaced it.
const OWN_PATH_VARIABLE: &str = "GT_PATH";

/// Builds the environment of a rig's agents (with `preset`) or of its gates (without); without a rig, that of an agent of the
/// whole town. Replaces `{slot}` in a configured value by the worker's slot.
pub fn environment(
    town: &Town,
    rig: Option<&Rig>,
    preset: Option<&AgentPreset>,
    slot: Option<u32>,
) -> BTreeMap<String, String> {
    let outer = &town.outside.env;
    let unattended = UNATTENDED.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut env: BTreeMap<String, String> = unattended.collect();
    let passed = ALLOWED.iter().chain(TOOLCHAINS).map(|name| (*name).to_owned());
    let passed = passed.chain(outer.keys().filter(|name| name.starts_with("LC_")).cloned());
    let passed = passed.chain(rig.iter().flat_map(|rig| rig.settings.env.pass.iter().cloned()));
    let passed = passed.chain(preset.iter().flat_map(|p| p.env_pass.iter().cloned()));
    let keys: &[String] = preset.map_or(&[], |p| &p.api_keys);
    let pays_by_key = preset.is_some_and(|p| p.auth == Some(Auth::ApiKey));
    let passed = passed.chain(keys.iter().filter(|_| pays_by_key).cloned());
    // A key passed by mistake would be billed instead of the user's own plan.
    for name in passed.filter(|name| pays_by_key || !keys.contains(name)) {
        if let Some(value) = outer.get(&name) {
            env.insert(name, value.clone());
        }
    }
    reach::NEVER_PASSED.iter().for_each(|name| _ = env.remove(*name));
    if preset.is_none() {
        // The overseer's Python packages are no part of any worktree. An agent's own program may be one of them.
        env.insert("PYTHONNOUSERSITE".to_owned(), "1".to_owned());
    }
    env.insert("PATH".to_owned(), path(town, rig));
    env.insert(WITHIN_VARIABLE.to_owned(), town.layout.root.display().to_string());
    env.insert("GT_TOWN".to_owned(), town.layout.root.display().to_string());
    env.extend(preset.iter().flat_map(|p| p.env.clone()));
    // Gates and set-ups get the number after the last worker's, so that they share no port or database with a worker.
    let slot = slot.unwrap_or(town.settings.max_polecats).to_string();
    let set = rig.iter().flat_map(|rig| &rig.settings.env.set);
    env.extend(set.map(|(name, value)| (name.clone(), value.replace("{slot}", &slot))));
    if preset.is_some() {
        env.insert(OWN_PATH_VARIABLE.to_owned(), env["PATH"].clone());
        env.entry("BASH_ENV".to_owned()).or_insert_with(|| town.layout.bash_env().display().to_string());
    }
    env
}

/// Returns the names of the caller's variables that a rig's workers and gates do not get, where a build may need them. Returns
/// no values: a withheld value may be a secret.
pub(crate) fn stripped(town: &Town, rig: Option<&Rig>) -> Vec<String> {
    let env = environment(town, rig, None, None);
    let is_of_no_build =
        |name: &str| OF_NO_BUILD.contains(&name) || OF_NO_BUILD_BEGIN.iter().any(|begin| name.starts_with(begin));
    let names = town.outside.env.keys().filter(|name| !env.contains_key(*name) && !is_of_no_build(name));
    names.filter(|name| !reach::NEVER_PASSED.contains(&name.as_str())).cloned().collect()
}

/// Returns the town's `bin`, then the overseer's PATH as it was last taken, without what leads to other trees.
fn path(town: &Town, rig: Option<&Rig>) -> String {
    let (rest, _) = reach::sift(town, rig, &whole_path(town));
    format!("{}:{rest}", town.layout.bin().display())
}

/// Returns the overseer's PATH as it was last taken, or else the caller's.
pub(crate) fn whole_path(town: &Town) -> String {
    kept_path(town).or_else(|| town.outside.env.get("PATH").cloned()).unwrap_or_default()
}

/// Returns the overseer's PATH as it was last taken.
pub(crate) fn kept_path(town: &Town) -> Option<String> {
    town.ledger.read(|view| view.meta(PATH_KEY)).ok().flatten()
}

/// Returns the caller's PATH as agents would get it; `None` inside an agent or a gate, where the town itself made the PATH.
pub(crate) fn callers_path(town: &Town) -> Option<String> {
    let within = town.outside.env.get(WITHIN_VARIABLE);
    if within.is_some_and(|within| Path::new(within) == town.layout.root) {
        return None;
    }
    let own = town.layout.bin();
    let folders = town.outside.env.get("PATH")?.split(':').filter(|folder| Path::new(folder) != own);
    Some(folders.collect::<Vec<_>>().join(":")).filter(|path| !path.is_empty())
}

/// Changes of the agents' PATH.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PathNews {
    /// Folders that were added.
    pub added: Vec<String>,
    /// Folders that were removed.
    pub removed: Vec<String>,
}

impl PathNews {
    /// Computes the difference between two PATHs.
    pub fn between(before: &str, now: &str) -> Self {
        let missing_in = |other: &str, path: &str| -> Vec<String> {
            let there: Vec<&str> = other.split(':').collect();
            path.split(':').filter(|folder| !folder.is_empty() && !there.contains(folder)).map(str::to_owned).collect()
        };
        Self { added: missing_in(before, now), removed: missing_in(now, before) }
    }

    /// Describes the changes in one line for people; `None` where no folder came or went.
    pub fn words(&self) -> Option<String> {
        let added = self.added.iter().map(|folder| format!("+{folder}"));
        let all: Vec<String> = added.chain(self.removed.iter().map(|folder| format!("-{folder}"))).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }
}

/// Stores the caller's PATH for all agents and gates that start from now on. Accepts it only from a person.
pub fn take_path(town: &Town, caller: &Caller) -> Result<PathNews> {
    let now = callers_path(town).filter(|_| caller.is_overseer());
    let Some(now) = now else {
        let what = "only a person may set the PATH of agents, and an agent called this verb";
        return Err(Error::refused(what, "run gt agent check --update in a shell of your own"));
    };
    let before = kept_path(town).unwrap_or_default();
    if before != now {
        town.ledger.write(&caller.name(), "take PATH", |tx| {
            tx.set_meta(PATH_KEY, &now)?;
            tx.event("path-taken", &now, None, None, None)?;
            Ok::<_, Error>(())
        })?;
    }
    Ok(PathNews::between(&before, &now))
}

/// Returns the file that each bash reads that an agent starts. A login shell (`bash -lc`) takes its PATH from its profile,
/// which does not know `gt`.
pub(crate) fn bash_env(bin: &Path) -> String {
    let bin = format!("'{}'", bin.display().to_string().replace('\'', r"'\''"));
    format!(
        "# Written by gt. Each bash that an agent starts reads this (BASH_ENV): a login shell has its PATH from its\n\
         # profile, and would not find gt.\n\
         case \":$PATH:\" in\n*:{bin}:*) ;;\n\
         *) PATH=\"${{{OWN_PATH_VARIABLE}:-{bin}}}${{PATH:+:$PATH}}\" && export PATH ;;\nesac\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_and_went_in_a_path_is_told() {
        let check = |before: &str, now: &str, expected: Option<&str>| {
            assert_eq!(PathNews::between(before, now).words().as_deref(), expected, "{before} {now}");
        };
        check("/usr/bin:/bin", "/usr/bin:/bin", None);
        check("/usr/bin:/bin", "/bin::/usr/bin", None);
        check("/usr/bin:/old", "/home/me/.local/bin:/usr/bin", Some("+/home/me/.local/bin -/old"));
        check("", "/bin", Some("+/bin"));
    }
}
