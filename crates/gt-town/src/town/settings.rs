//! Settings: `town.toml` and each rig's `rig.toml`. Every key has a default; an unknown key is an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_model::clean::CleanEvery;
use gt_model::clients::Client;
use gt_model::keep::Keep;
use gt_model::landing::Style;
use gt_model::patrol::PatrolLimits;
use gt_model::price::Prices;
use gt_model::retention::Limits;
use gt_model::runtime::RuntimeChoice;
use gt_model::start::Shown;
use gt_model::usage::Format;
use serde::{Deserialize, Serialize};

use crate::town::error::{Error, Result};
use crate::town::person::Person;
use crate::town::{Outside, Town};

pub(crate) mod accepted;
mod joined;
pub mod presets;
pub mod rules;
mod scheduled;
mod worktree;

pub(crate) use joined::document;
use rules::Rule;
pub use scheduled::Scheduled;
pub use worktree::WorktreeSettings;

/// The version of both files that this gt writes.
pub(crate) const SETTINGS_VERSION: u32 = 1;

/// Error in a settings file.
#[derive(Debug, thiserror::Error)]
#[error("{} can't be used: {text}", path.display())]
pub struct SettingsError {
    /// Path of the file.
    pub path: PathBuf,
    /// Description with line and column.
    pub text: String,
}

/// Settings of a town.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TownSettings {
    /// Format version of the file.
    pub version: u32,
    /// Kind of agent for workers, unless the rig says otherwise.
    pub agent: Option<String>,
    /// Runtime of sessions (tmux or headless), unless the rig says otherwise.
    pub runtime: RuntimeChoice,
    /// Maximum number of workers in the whole town.
    pub max_polecats: u32,
    /// Megabytes of memory that must be free before another agent starts; 0: no check.
    pub min_free_memory_mb: u64,
    /// Seconds between two patrols if nothing wakes the deacon earlier: 1 to 60.
    pub patrol_seconds: u64,
    /// Seconds that a session has to end by itself after it submitted its work.
    pub linger_seconds: u64,
    /// Minutes without a sign of life after which a worker counts as hung; 0: never.
    pub quiet_minutes: u64,
    /// Maximum number of starts for one attempt before the bead is taken back.
    pub max_incarnations: u32,
    /// Seconds before the second restart. Each further restart doubles it.
    pub back_off_seconds: u64,
    /// Maximum number of times that work on a bead is sent back before a person must look.
    pub max_reworks: u32,
    /// How long finished things are kept.
    pub retention: RetentionSettings,
    /// Spending limits.
    pub spend: SpendSettings,
    /// Prices of models' tokens, over those in the binary.
    pub prices: Prices,
    /// The mayor.
    pub mayor: MayorSettings,
    /// Where the ledger is shared.
    pub sync: SyncSettings,
    /// How a person confirms acts that only a person may perform.
    pub overseer: OverseerSettings,
    /// How landings are committed, unless the rig says otherwise.
    pub commits: Style,
    /// Presets of agents by kind, each over the built-in preset of that kind if there is one.
    pub agents: BTreeMap<String, AgentPreset>,
    /// Rules for how projects are tested. They come before the rules in the binary, and replace those of the same name.
    pub ecosystem: Vec<Rule>,
    /// Formulas that the deacon pours by the clock.
    pub schedule: Vec<Scheduled>,
}

impl Default for TownSettings {
    fn default() -> Self {
        Self {
            version: SETTINGS_VERSION,
            agent: None,
            runtime: RuntimeChoice::Auto,
            max_polecats: 4,
            min_free_memory_mb: 500,
            patrol_seconds: 5,
            linger_seconds: 60,
            quiet_minutes: 30,
            max_incarnations: 5,
            back_off_seconds: 5,
            max_reworks: 3,
            retention: RetentionSettings::default(),
            spend: SpendSettings::default(),
            prices: Prices::default(),
            mayor: MayorSettings::default(),
            sync: SyncSettings::default(),
            overseer: OverseerSettings::default(),
            commits: Style::default(),
            agents: BTreeMap::new(),
            ecosystem: Vec::new(),
            schedule: Vec::new(),
        }
    }
}

impl TownSettings {
    /// Returns the limits for a patrol.
    pub(crate) fn patrol_limits(&self) -> PatrolLimits {
        // 0: silence ends no session.
        let quiet = match self.quiet_minutes {
            0 => Duration::MAX,
            minutes => Duration::from_secs(minutes.saturating_mul(60)),
        };
        PatrolLimits {
            quiet,
            incarnations: self.max_incarnations,
            back_off: Duration::from_secs(self.back_off_seconds),
            tool: SHORTEST_TOOL_LIMIT,
        }
    }
}

/// Settings of the mayor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MayorSettings {
    /// Kind of agent; otherwise the town's.
    pub agent: Option<String>,
    /// Permissions when no sandbox surrounds the mayor. Only a person can set bypass.
    pub trust: PermissionMode,
    /// Sandbox around the mayor.
    pub sandbox: Sandbox,
    /// Permissions beyond what a mayor needs: first words of commands, or tools.
    pub allow: Vec<String>,
}

/// How a person confirms acts that only a person may perform.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OverseerSettings {
    /// Means of confirmation.
    pub confirm: Confirm,
    /// Hash of the key, as `gt town key` writes it.
    pub key: Option<String>,
    /// Path of the key file, hidden from every sandbox. The caller's environment can name another file.
    pub key_file: Option<PathBuf>,
}

/// Means by which a person confirms acts that let work land, change settings, destroy or spend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confirm {
    /// The call itself is enough.
    #[default]
    None,
    /// A word typed on a terminal that belongs to no agent.
    Tty,
    /// A key that agents can't read.
    Key,
}

/// Where the ledger is shared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyncSettings {
    /// Repository (URL or path) with a `gt-ledger` branch that the town's branch is merged with. None: the ledger's checkpoints
    /// stay local.
    pub remote: Option<String>,
}

/// Spending limits. In each of them, 0 means no limit. Token counts include tokens read from the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpendSettings {
    /// Tokens in a day after which no new work starts.
    pub daily_tokens: u64,
    /// US dollars in a day, by the price table, after which no new work starts. If unset, [`DAILY_USD`] limits the agents whose
    /// usage can be counted. If a person sets it, it limits all agents, so an agent kind with unknown usage does not start.
    pub daily_usd: Option<f64>,
    /// Tokens of one attempt after which the attempt is parked.
    pub attempt_tokens: u64,
    /// US dollars of one attempt, by the price table, after which the attempt is parked.
    pub attempt_usd: f64,
}

/// Default daily limit in dollars. A mistake must not cost a fortune.
pub(crate) const DAILY_USD: f64 = 100.0;

impl SpendSettings {
    /// Returns the dollars in a day after which no new work starts; 0 is no limit.
    pub fn daily_usd(&self) -> f64 {
        self.daily_usd.unwrap_or(DAILY_USD)
    }
}

/// How long finished things are kept. In each of these, 0 days means forever.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSettings {
    /// Days that workers' worktrees stay in the archive.
    pub archive_days: u32,
    /// Gigabytes that should stay free on the town's disk. Below that, finished things are deleted earlier, oldest first.
    pub archive_min_free_gb: u32,
    /// Days that possible only copies of unlanded work are kept.
    pub unlanded_days: u32,
    /// Days that the folders of ended sessions are kept.
    pub session_days: u32,
    /// Days that the logs of gates are kept.
    pub gate_log_days: u32,
    /// Days after a bead's end that the refs of its snapshots, merge requests and landings are kept.
    pub ref_days: u32,
    /// Days that events are kept.
    pub event_days: u32,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self {
            archive_days: 14,
            archive_min_free_gb: 5,
            unlanded_days: 90,
            session_days: 14,
            gate_log_days: 14,
            ref_days: 90,
            event_days: 0,
        }
    }
}

impl RetentionSettings {
    /// Returns the limits for a run of retention.
    pub fn limits(&self) -> Limits {
        Limits {
            archive: days(self.archive_days),
            unlanded: days(self.unlanded_days),
            session: days(self.session_days),
            gate_log: days(self.gate_log_days),
            refs: days(self.ref_days),
            min_free: u64::from(self.archive_min_free_gb) * 1_000_000_000,
        }
    }

    /// Returns how long events are kept; `None` means forever.
    pub fn events(&self) -> Option<Duration> {
        days(self.event_days)
    }
}

fn days(days: u32) -> Option<Duration> {
    (days > 0).then(|| Duration::from_hours(24) * days)
}

/// How gt starts, watches and queries agents of one kind. Every key has a default, so a few lines change a built-in kind. A new
/// kind needs only `command`.
///
/// Commands and values of `env` may contain placeholders. `{prompt}` is the first prompt, `{gt}` the path of gt and `{town}` the
/// path of the town. `{session_dir}` is the path of the session's folder and `{session}` its id as a UUID. `{settings}` is the
/// client settings file that an adapter has written, and `{mode}` is the client's word for the permission mode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentPreset {
    /// Adapter: code that knows the client's hooks, settings and transcript. Without one, gt only starts the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
    /// Program and arguments for a run in a terminal.
    pub command: Vec<String>,
    /// Program and arguments for a run without a terminal, if they differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headless: Vec<String>,
    /// Format of standard input in a run without a terminal. None: no standard input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<InputKind>,
    /// Runtime that `auto` selects for this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RuntimeChoice>,
    /// Program and arguments that resume an earlier session in a terminal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resume: Vec<String>,
    /// The account that pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Names of variables that hold API keys. They are passed only if `auth = "api-key"`, even if another setting passes them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_keys: Vec<String>,
    /// Files in the home directory; a login leaves at least one of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logins: Vec<String>,
    /// Format in which the agent prints its usage in a run without a terminal. Without this and without an adapter, its usage is
    /// unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<PrintedUsage>,
    /// Version that was tested. If set, gt runs the program with `--version` to compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried: Option<String>,
    /// Seconds within which a session must report its first moment or, without hooks, call gt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_seconds: Option<u64>,
    /// Seconds between two starts in a town while the earlier session has not reported its first moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stagger_seconds: Option<u64>,
    /// The client's words for permission modes. If any are set, a mode without a word is unavailable.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub modes: BTreeMap<PermissionMode, String>,
    /// Words in the client's screen or output, by what they indicate. Case is ignored.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub shows: BTreeMap<Shown, Vec<String>>,
    /// Files, or folders of such files, through which an administrator configures the client and can disable our hooks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub managed_settings: Vec<PathBuf>,
    /// Whether it may run although the client does not run our hooks. Only a person can set this. There is no guard then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_without_hooks: Option<bool>,
    /// Variables set for the agent.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Names of the overseer's variables that it inherits, beside the usual ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env_pass: Vec<String>,
}

impl AgentPreset {
    /// Merges these settings over those of `base`. Unset values come from `base`; tables are merged key by key.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        let command = |own: &[String], base_command: &[String]| self.command_over(base, own, base_command);
        Self {
            client: self.client.or(base.client),
            command: command(&self.command, &base.command),
            headless: command(&self.headless, &base.headless),
            input: self.input.or(base.input),
            resume: command(&self.resume, &base.resume),
            auth: self.auth.or(base.auth),
            api_keys: list_over(&self.api_keys, &base.api_keys),
            logins: list_over(&self.logins, &base.logins),
            runtime: self.runtime.or(base.runtime),
            usage: self.usage.clone().or_else(|| base.usage.clone()),
            tried: self.tried.clone().or_else(|| base.tried.clone()),
            ready_seconds: self.ready_seconds.or(base.ready_seconds),
            stagger_seconds: self.stagger_seconds.or(base.stagger_seconds),
            modes: table_over(&self.modes, &base.modes),
            shows: table_over(&self.shows, &base.shows),
            managed_settings: list_over(&self.managed_settings, &base.managed_settings),
            allow_without_hooks: self.allow_without_hooks.or(base.allow_without_hooks),
            env: table_over(&self.env, &base.env),
            env_pass: list_over(&self.env_pass, &base.env_pass),
        }
    }
}

impl AgentPreset {
    /// Merges one of the commands. A single word replaces the program and keeps the arguments of the base. The program in
    /// `command` also becomes the program of the other commands.
    fn command_over(&self, base: &Self, own: &[String], base_command: &[String]) -> Vec<String> {
        let named = own.first().filter(|_| own.len() == 1);
        let program = match (named, own.is_empty()) {
            (Some(program), _) => Some(program),
            (None, true) if base_command.first() == base.command.first() => self.command.first(),
            (None, true) => None,
            (None, false) => return own.to_vec(),
        };
        let mut command = base_command.to_vec();
        match (command.first_mut(), program) {
            (Some(first), Some(program)) => first.clone_from(program),
            (None, Some(_)) => command = own.to_vec(),
            (_, None) => {}
        }
        command
    }

    /// Whether the agent must not run if the client does not run our hooks.
    pub(crate) fn needs_hooks(&self) -> bool {
        self.client.is_some() && self.allow_without_hooks != Some(true)
    }

    /// Whether gt can detect that a session of this kind has begun, and why one has not.
    pub(crate) fn tells_of_its_start(&self) -> bool {
        self.client.is_some() || self.ready_seconds.is_some() || !self.shows.is_empty()
    }

    /// Whether the agent supports a mode. If no words are configured, every mode is assumed to work.
    pub(crate) fn has_mode(&self, mode: PermissionMode) -> bool {
        self.modes.is_empty() || self.modes.contains_key(&mode)
    }

    /// Returns the commands that lack a required placeholder, each with that placeholder: `{settings}` or `{prompt}`. A
    /// placeholder is required if the kind has an adapter or the command of `base` has the placeholder.
    pub fn lacks(&self, base: Option<&Self>) -> Vec<(&'static str, &'static str)> {
        let streams = self.input == Some(InputKind::StreamJson);
        let commands = [
            ("command", &self.command, base.map(|base| &base.command), false),
            ("headless", &self.headless, base.map(|base| &base.headless), streams),
        ];
        let has = |command: &[String], place: &str| command.iter().any(|word| word.contains(place));
        let mut lacks = Vec::new();
        for (key, command, before, has_input) in commands.into_iter().filter(|(_, command, ..)| !command.is_empty()) {
            let had = |place: &str| before.is_some_and(|before| has(before, place));
            if (self.client.is_some() || had("{settings}")) && !has(command, "{settings}") {
                lacks.push((key, "{settings}"));
            }
            if (self.client.is_some() || had("{prompt}")) && !has_input && !has(command, "{prompt}") {
                lacks.push((key, "{prompt}"));
            }
        }
        lacks
    }
}

fn list_over<T: Clone>(own: &[T], base: &[T]) -> Vec<T> {
    if own.is_empty() { base.to_vec() } else { own.to_vec() }
}

fn table_over<K: Ord + Clone, V: Clone>(own: &BTreeMap<K, V>, base: &BTreeMap<K, V>) -> BTreeMap<K, V> {
    let mut table = base.clone();
    table.extend(own.clone());
    table
}

/// How usage is read from the output of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintedUsage {
    /// Format of the lines.
    pub format: Format,
    /// Model for the price, if the lines do not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// Format of the standard input of an agent without a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputKind {
    /// User messages as JSON, one per line. The first one is the first prompt.
    StreamJson,
}

/// The account that pays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// The user's own login.
    #[default]
    Login,
    /// The key in the user's environment.
    ApiKey,
}

/// Acts that an agent may perform without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PermissionMode {
    /// Change files in its worktree and run what the rig needs. It asks for everything else.
    #[default]
    AcceptEdits,
    /// Everything.
    Bypass,
}

impl PermissionMode {
    /// Returns the word for settings and people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::AcceptEdits => "accept-edits",
        }
    }
}

/// Sandbox around a rig's agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// Nothing.
    #[default]
    None,
    /// Bubblewrap.
    Bwrap,
}

/// Whether work that passed the gates lands automatically.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LandingPolicy {
    /// A person approves each merge request.
    #[default]
    Ask,
    /// Work that passed the gates lands.
    Auto,
}

/// Unit that is tested and landed at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LandStyle {
    /// A stack of merge requests; the gates test its tip.
    #[default]
    Stack,
    /// Each merge request alone.
    Each,
}

/// A command that a merge must pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// Command line that the overseer wrote. `sh -c` runs it in the gate worktree.
    pub run: String,
    /// Time limit in seconds.
    #[serde(default = "default_gate_timeout", skip_serializing_if = "is_default_gate_timeout")]
    pub timeout_seconds: u64,
}

fn default_gate_timeout() -> u64 {
    1800
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_default_gate_timeout(seconds: &u64) -> bool {
    *seconds == default_gate_timeout()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Environment variables for a rig's workers and gates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RigEnv {
    /// Names of the overseer's variables that are passed on.
    pub pass: Vec<String>,
    /// Variables with their values.
    pub set: BTreeMap<String, String>,
    /// Files that a person has allowed direnv to load, with the hash of each (see `walls::direnv`).
    pub direnv: BTreeMap<String, String>,
}

/// Settings of a rig.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RigSettings {
    /// Format version of the file.
    pub version: u32,
    /// Whether work that passed the gates lands automatically.
    pub landing: LandingPolicy,
    /// Unit that is tested and landed at once.
    pub land: LandStyle,
    /// Whether the overseer allows this rig to have no gate.
    pub allow_ungated: bool,
    /// Whether proofs break files on purpose and hold the rig if no gate fails.
    pub prove_negative: bool,
    /// Kind of agent for this rig's workers.
    pub agent: Option<String>,
    /// Runtime of their sessions; otherwise the town's setting.
    pub runtime: Option<RuntimeChoice>,
    /// Permissions of workers without a sandbox. Only a person can set bypass.
    pub trust: PermissionMode,
    /// Sandbox around the workers.
    pub sandbox: Sandbox,
    /// Permissions beyond what their work needs: first words of commands, or tools.
    pub allow: Vec<String>,
    /// Formula that the workers follow.
    pub formula: String,
    /// Environment variables.
    pub env: RigEnv,
    /// Needs of a new worktree.
    pub worktree: WorktreeSettings,
    /// Caches that stay in the gates' worktree between two runs. All other untracked files are deleted.
    pub keep: Keep,
    /// How often landed work that was tested with kept caches is tested again without them.
    pub clean_every: CleanEvery,
    /// How landings are committed; otherwise the town's setting.
    pub commits: Style,
    /// Gates that a merge must pass, in this order.
    pub gate: Vec<Gate>,
}

impl Default for RigSettings {
    fn default() -> Self {
        Self {
            version: SETTINGS_VERSION,
            landing: LandingPolicy::Ask,
            land: LandStyle::Stack,
            allow_ungated: false,
            prove_negative: true,
            agent: None,
            runtime: None,
            trust: PermissionMode::AcceptEdits,
            sandbox: Sandbox::None,
            allow: Vec::new(),
            formula: "mol-polecat-work".to_owned(),
            env: RigEnv::default(),
            worktree: WorktreeSettings::default(),
            keep: Keep::default(),
            clean_every: CleanEvery::default(),
            commits: Style::default(),
            gate: Vec::new(),
        }
    }
}

/// Lower bound of the tool limit in any rig.
const SHORTEST_TOOL_LIMIT: Duration = Duration::from_hours(1);

/// Part of the gates' hash. It distinguishes verdicts from a cleared worktree from older ones, when ignored files stayed in it.
const CLEARED: &str = "cleared";

impl RigSettings {
    /// Returns how long a worker's tool may run before a person is told: twice the longest gate's limit, at least an hour.
    pub(crate) fn tool_limit(&self) -> Duration {
        let longest = self.gate.iter().map(|gate| gate.timeout_seconds).max().unwrap_or_default();
        Duration::from_secs(longest.saturating_mul(2)).max(SHORTEST_TOOL_LIMIT)
    }

    /// Returns a hash of the gates, set-up, caches, variables and sandbox. A verdict counts only for gates with the same hash.
    pub(crate) fn gates_hash(&self) -> String {
        let gates = self.gate.iter().map(|g| format!("{}\0{}\0{}", g.name, g.run, g.timeout_seconds));
        let WorktreeSettings { setup, copy, clone, submodules, lfs, .. } = &self.worktree;
        let set_up = format!("{setup:?}\0{:?}\0{copy:?}\0{clone:?}\0{submodules}\0{lfs}", Vec::from(self.keep.clone()));
        let mut around = format!("{:?}\0{:?}\0{:?}", self.env.set, self.env.pass, self.sandbox);
        if !self.env.direnv.is_empty() {
            around.push_str(&format!("\0{:?}", self.env.direnv));
        }
        let text: Vec<String> = gates.chain([set_up, around, CLEARED.to_owned()]).collect();
        gt_model::id::sha256_hex(&text.join("\u{1}"))
    }
}

/// Returns the current settings of a town, so that a changed limit needs no restart of the deacon. While the file is damaged,
/// returns the settings that the town was opened with.
pub(crate) fn current(town: &Town) -> TownSettings {
    let path = town.layout.settings();
    let bytes = town.world().disk().read_own(&path).ok().flatten();
    bytes.and_then(|bytes| load(&town.outside, &path, &bytes).ok()).unwrap_or_else(|| town.settings.clone())
}

/// Parses a town's settings and checks its agent presets against those in the binary.
pub(crate) fn load(outside: &Outside, path: &Path, bytes: &[u8]) -> std::result::Result<TownSettings, SettingsError> {
    let settings: TownSettings = parse(path, bytes)?;
    // Parse the presets in the binary only if the town has presets to compare.
    let faulty = (!settings.agents.is_empty()).then(|| presets::faulty(&settings.agents, &outside.presets)).flatten();
    match faulty {
        Some(text) => Err(SettingsError { path: path.to_owned(), text }),
        None => Ok(settings),
    }
}

/// Changes a settings file for a person and keeps the rest of the file. Returns the new settings, or an error if gt can't read
/// the result.
pub(crate) fn edit<T>(
    town: &Town,
    path: &Path,
    by: &Person,
    read: &dyn Fn(&[u8]) -> std::result::Result<T, SettingsError>,
    change: impl FnOnce(&mut toml_edit::DocumentMut),
) -> Result<T> {
    let read = |bytes: &[u8]| read(bytes).map_err(Error::from);
    try_edit(town, path, by, &read, |document| {
        change(document);
        Ok(())
    })
}

/// Changes a settings file like `edit`, but the change and the check of its result may also refuse.
pub(crate) fn try_edit<T>(
    town: &Town,
    path: &Path,
    _by: &Person,
    read: &dyn Fn(&[u8]) -> Result<T>,
    change: impl FnOnce(&mut toml_edit::DocumentMut) -> Result<()>,
) -> Result<T> {
    town.ledger.refuse_confined()?;
    town.ledger.refuse_away()?;
    let bytes = town.world().disk().read_own(path)?.ok_or_else(|| Error::MissingFile(path.to_owned()))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut document = document(path, &text)?;
    change(&mut document)?;
    let text = document.to_string();
    let settings = read(text.as_bytes())?;
    // Record the text, so that a running command is not blamed for the change.
    town.ledger.write("overseer", "settings", |tx| accepted::accept(tx, path, &text))?;
    town.world().disk().write(path, text.as_bytes())?;
    Ok(settings)
}

/// Parses settings from the text of a file. Tables that were appended are first joined with the existing ones.
pub fn parse<T: serde::de::DeserializeOwned>(path: &Path, bytes: &[u8]) -> std::result::Result<T, SettingsError> {
    let failed = |text: &str| SettingsError { path: path.to_owned(), text: text.trim_end().to_owned() };
    let text = std::str::from_utf8(bytes).map_err(|e| failed(&e.to_string()))?;
    let error = match toml::from_str(text) {
        Ok(settings) => return Ok(settings),
        Err(error) => error,
    };
    let joined = document(path, text)?.to_string();
    // Line numbers must refer to the original file, not to the joined text.
    let told = if joined.trim_end() == text.trim_end() { error.to_string() } else { String::new() };
    toml::from_str(&joined).map_err(|e: toml::de::Error| failed(if told.is_empty() { e.message() } else { &told }))
}

fn is_rigs(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "rig.toml")
}
