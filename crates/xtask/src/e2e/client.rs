//! The client: its version, its installation, and the settings with which it asks no questions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::bench::{path, text};

/// The version whose behaviour docs/agents.md describes; `$GT_CLIENT_VERSION` overrides it.
const VERSION: &str = "2.1.330";

/// The package that is one program without Node.
const PACKAGE: &str = "@anthropic-ai/claude-code-linux-x64";

/// A fake key. The client asks whether to use a key, unless the key's last characters were approved.
const KEY: &str = "sk-ant-nobodys-key-0123456789abcdefghij";
const KEY_END: usize = 20;

/// A fake login. With one, the client acts for a plan's subscriber: limits then name their window and its end.
const LOGIN: &str = "sk-ant-oat01-nobodys-login-0123456789abcdefghij";

/// The account that pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// The API, with a key.
    Key,
    /// A plan, with a login.
    Plan,
}

impl Account {
    /// Returns the environment variable for it.
    pub fn variable(self) -> (&'static str, &'static str) {
        match self {
            Self::Key => ("ANTHROPIC_API_KEY", KEY),
            Self::Plan => ("CLAUDE_CODE_OAUTH_TOKEN", LOGIN),
        }
    }
}

/// The installed client, and the `gt` that it works with.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its program.
    pub program: PathBuf,
    /// The `gt` under test.
    pub gt: PathBuf,
}

/// Installs the client if it is missing and returns its program. The client is kept in `$GT_CLIENT_CACHE`, otherwise in
/// `target/`.
pub fn install() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("no workspace")?;
    let cache = std::env::var_os("GT_CLIENT_CACHE").map_or_else(|| root.join("target/clients"), PathBuf::from);
    let version = std::env::var("GT_CLIENT_VERSION").unwrap_or_else(|_| VERSION.to_owned());
    let folder = cache.join(format!("claude-{version}"));
    let program = folder.join("node_modules").join(PACKAGE).join("claude");
    if program.is_file() {
        return Ok(program);
    }
    std::fs::create_dir_all(&folder).map_err(text)?;
    let what = format!("{PACKAGE}@{version}");
    println!("installing {what} into {}", folder.display());
    let words = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
    let output = Command::new("npm").args(words).arg(&folder).arg(&what).output();
    let output = output.map_err(|e| format!("there is no npm: {e}"))?;
    if output.status.success() && program.is_file() {
        return Ok(program);
    }
    Err(format!("{what} can't be installed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// Returns the variables that keep the client away from everything but the model at `url`.
pub fn environment(home: &Path, url: &str, account: Account) -> BTreeMap<String, String> {
    let fixed = [
        account.variable(),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("DISABLE_AUTOUPDATER", "1"),
        ("CLAUDE_CODE_MAX_RETRIES", "1"),
        ("CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN", "1"),
        // Every user is root in the namespace. As root, the client bypasses permissions only if it is told that it is contained.
        ("IS_SANDBOX", "1"),
        ("SHELL", "/bin/bash"),
        ("TERM", "xterm-256color"),
        ("LANG", "C.UTF-8"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
    ];
    let mut env: BTreeMap<String, String> = fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    env.insert("ANTHROPIC_BASE_URL".to_owned(), url.to_owned());
    env.insert("HOME".to_owned(), path(home));
    env.insert("CLAUDE_CONFIG_DIR".to_owned(), path(&home.join(".claude")));
    env.insert("CLAUDE_CODE_TMPDIR".to_owned(), path(&home.join("tmp")));
    env.insert("TMPDIR".to_owned(), path(&home.join("tmp")));
    env.insert("PATH".to_owned(), std::env::var("PATH").unwrap_or_default());
    env
}

/// Makes a home in which the client has no questions left. `trusted` are folders where it may work.
pub fn seed(home: &Path, trusted: &[&Path]) -> Result<(), String> {
    let config = home.join(".claude");
    for folder in [&config, &home.join("tmp")] {
        std::fs::create_dir_all(folder).map_err(text)?;
    }
    let projects: BTreeMap<String, Value> =
        trusted.iter().map(|folder| (path(folder), json!({"hasTrustDialogAccepted": true}))).collect();
    let state = json!({
        "hasCompletedOnboarding": true,
        "customApiKeyResponses": {"approved": [&KEY[KEY.len() - KEY_END..]], "rejected": []},
        "projects": projects,
    });
    std::fs::write(config.join(".claude.json"), state.to_string()).map_err(text)?;
    let settings = json!({"skipDangerousModePermissionPrompt": true});
    std::fs::write(config.join("settings.json"), settings.to_string()).map_err(text)
}
