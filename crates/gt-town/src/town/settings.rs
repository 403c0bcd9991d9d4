//! Settings: `town.toml` and each rig's `rig.toml`. Every key has a default; an unknown key is an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_model::clean::CleanEvery;
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
mod worktree;

pub(crate) use joined::document;
use rules::Rule;
pub use worktree::WorktreeSettings;

/// The version of both files that this gt writes.
pub(crate) const SETTINGS_VERSION: u32 = 1;

/// What is wrong with a settings file.
#[derive(Debug, thiserror::Error)]
#[error("{} can't be used: {text}", path.display())]
pub struct SettingsError {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong, with line and column.
    pub text: String,
}

/// Settings of a town.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TownSettings {
    /// The file's version.
    pub version: u32,
    /// The kind of agent that workers are, where a rig does not say otherwise.
    pub agent: Option<String>,
    /// What sessions run in, where a rig does not say otherwise.
    pub runtime: RuntimeChoice,
    /// Workers that may exist at once in the whole town.
    pub max_polecats: u32,
    /// Megabytes of memory that must be free for anybody new to be started; 0: never mind.
    pub min_free_memory_mb: u64,
    /// Seconds between two patrols when nothing wakes the deacon earlier: 1 to 60.
    pub patrol_seconds: u64,
    /// Seconds that a session has to end by itself after its work was submitted.
    pub linger_seconds: u64,
    /// Minutes without any sign of life after which a worker counts as hung; 0: never.
    pub quiet_minutes: u64,
    /// Times that a worker is started for one attempt before the bead is taken back.
    pub max_incarnations: u32,
    /// Seconds before the second restart; doubles with each further one.
    pub back_off_seconds: u64,
    /// Times that work on a bead may be sent back before a person has to look.
    pub max_reworks: u32,
    /// How long what is over is kept.
    pub retention: RetentionSettings,
    /// How much may be spent.
    pub spend: SpendSettings,
    /// What models' tokens cost, over what the binary knows.
    pub prices: Prices,
    /// The mayor.
    pub mayor: MayorSettings,
    /// With whom the ledger is shared.
    pub sync: SyncSettings,
    /// How a person confirms what only a person may do.
    pub overseer: OverseerSettings,
    /// How landings are committed, where a rig does not say otherwise.
    pub commits: Style,
    /// Kinds of agent, by name; each over the built-in one of that name, where there is one.
    pub agents: BTreeMap<String, AgentPreset>,
    /// What projects are tested with, before and over what comes with the binary.
    pub ecosystem: Vec<Rule>,
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
        }
    }
}

impl TownSettings {
    /// The limits of a patrol.
    pub(crate) fn patrol_limits(&self) -> PatrolLimits {
        // 0: nobody is ended for silence.
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
    /// The kind of agent that it is; otherwise as the town says.
    pub agent: Option<String>,
    /// What it may do without asking where no sandbox is around it: bypass only by a person's word.
    pub trust: PermissionMode,
    /// What is around it.
    pub sandbox: Sandbox,
    /// What it may do without asking beyond what a mayor needs: the first words of commands, or tools.
    pub allow: Vec<String>,
}

/// How a person confirms what only a person may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OverseerSettings {
    /// Whether, and by what.
    pub confirm: Confirm,
    /// The hash of the key, as `gt town key` writes it.
    pub key: Option<String>,
    /// Where the key is; hidden from every sandbox. A variable of the caller's can name another file.
    pub key_file: Option<PathBuf>,
}

/// By what a person confirms what lets work land, changes settings, destroys or spends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confirm {
    /// By nothing more than calling.
    #[default]
    None,
    /// By a word typed on a terminal that is no agent's.
    Tty,
    /// By a key that agents can't read.
    Key,
}

/// With whom the ledger is shared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyncSettings {
    /// The repository (URL or path) whose branch `gt-ledger` the town's own is merged with; none: checkpoints are local.
    pub remote: Option<String>,
}

/// How much may be spent. In each of these, 0 is no limit; tokens are all of them, those from the cache too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpendSettings {
    /// Tokens of a day after which nothing new is begun.
    pub daily_tokens: u64,
    /// The same in US dollars, by the price table. Where nobody says it, [`DAILY_USD`] holds whoever can be counted; what a
    /// person says holds everybody, so that a kind whose usage is unknown is not started.
    pub daily_usd: Option<f64>,
    /// Tokens of one attempt after which it is parked.
    pub attempt_tokens: u64,
    /// The same in US dollars, by the price table.
    pub attempt_usd: f64,
}

/// Dollars of a day where nobody says another cap: a mistake must not cost a fortune.
pub(crate) const DAILY_USD: f64 = 100.0;

impl SpendSettings {
    /// Dollars of a day after which nothing new is begun; 0 is no limit.
    pub fn daily_usd(&self) -> f64 {
        self.daily_usd.unwrap_or(DAILY_USD)
    }
}

/// How long what is over is kept. In each of these, 0 days are for ever.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSettings {
    /// Days that workers' worktrees stay in the archive.
    pub archive_days: u32,
    /// Gigabytes that are to be free on the town's disk: below, what is over goes earlier, oldest first.
    pub archive_min_free_gb: u32,
    /// Days that whatever may be the only copy of work that has not landed is kept.
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
    /// The limits of a run of retention.
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

    /// How long events are kept; `None`: for ever.
    pub fn events(&self) -> Option<Duration> {
        days(self.event_days)
    }
}

fn days(days: u32) -> Option<Duration> {
    (days > 0).then(|| Duration::from_hours(24) * days)
}

/// How an agent of one kind is started, watched and asked. Every key has a default, so that a few lines change a kind
/// that comes with the binary; a kind of one's own needs `command` only.
///
/// In commands and in values of `env`, `{prompt}` becomes the first prompt, `{gt}` the path of gt, `{town}` that of the
/// town, `{session_dir}` that of the session's folder, `{session}` its id as a UUID, `{settings}` the client's settings
/// file that an adapter has written, and `{mode}` the client's word for the permission mode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentPreset {
    /// The adapter: code that knows the client's hooks, settings and transcript. None: it is started, and that is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientKind>,
    /// Program and arguments in a terminal.
    pub command: Vec<String>,
    /// Program and arguments without a terminal, where those are others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headless: Vec<String>,
    /// What standard input is without a terminal; otherwise it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<InputKind>,
    /// What `auto` comes to for this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RuntimeChoice>,
    /// Program and arguments in a terminal that take an earlier session up again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resume: Vec<String>,
    /// Which account pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Variables with keys of accounts: passed only where `auth = "api-key"`, whoever else would pass them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_keys: Vec<String>,
    /// Files in the home of which a login leaves one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logins: Vec<String>,
    /// How usage is read from what it prints without a terminal. None, and no adapter: its usage is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<PrintedUsage>,
    /// The version that was tried; where there is one, the program is asked for its own by `--version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried: Option<String>,
    /// Seconds until a session must have shown its first moment or, without hooks, called gt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_seconds: Option<u64>,
    /// Seconds between two starts in a town while the former session has not shown its first moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stagger_seconds: Option<u64>,
    /// The client's words for permission modes. Where there are some, a mode without one can't be had.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub modes: BTreeMap<PermissionMode, String>,
    /// Words on the client's screen or in its output, by what they show; case does not count.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub shows: BTreeMap<Shown, Vec<String>>,
    /// Files, and folders of such files, by which an administrator sets the client up and can turn our hooks off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub managed_settings: Vec<PathBuf>,
    /// Whether it may run though the client does not run our hooks: by a person's word. There is no guard then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_without_hooks: Option<bool>,
    /// Variables that are set for it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Names of variables of the overseer that are passed to it, beside the usual ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env_pass: Vec<String>,
}

impl AgentPreset {
    /// These settings over those of `base`: what is not said here is as there; of tables, each key for itself.
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
    /// A command of the two: one word names another program for the arguments that there are, and what `command` names
    /// is the program of the other commands too.
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

    /// Whether an agent must not run where the client does not run our hooks.
    pub(crate) fn needs_hooks(&self) -> bool {
        self.client.is_some() && self.allow_without_hooks != Some(true)
    }

    /// Whether it can be told from its sessions whether they have begun, and why not.
    pub(crate) fn tells_of_its_start(&self) -> bool {
        self.client.is_some() || self.ready_seconds.is_some() || !self.shows.is_empty()
    }

    /// Whether it has a mode: one whose words are not said at all is taken for what it is.
    pub(crate) fn has_mode(&self, mode: PermissionMode) -> bool {
        self.modes.is_empty() || self.modes.contains_key(&mode)
    }

    /// Places that a command needs and does not have: its client's hooks, and the first prompt.
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

/// Clients that an adapter is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientKind {
    /// Claude Code.
    Claude,
}

/// How usage is read from what a client prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintedUsage {
    /// In which format its lines are.
    pub format: Format,
    /// The model, for its price, where the lines do not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// What the standard input of an agent without a terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputKind {
    /// Messages of the user's as JSON, one a line; the first prompt is the first of them.
    StreamJson,
}

/// Which account pays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// The user's own login.
    #[default]
    Login,
    /// The key in the user's environment.
    ApiKey,
}

/// What an agent may do without asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PermissionMode {
    /// Change files of its worktree, and run what the rig needs; for all else it asks.
    #[default]
    AcceptEdits,
    /// Everything.
    Bypass,
}

impl PermissionMode {
    /// The word in settings and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::AcceptEdits => "accept-edits",
        }
    }
}

/// What is around a rig's agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    /// Nothing.
    #[default]
    None,
    /// Bubblewrap.
    Bwrap,
}

/// Whether gated work lands by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LandingPolicy {
    /// A person approves each merge request.
    #[default]
    Ask,
    /// What is green lands.
    Auto,
}

/// What is gated and landed at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LandStyle {
    /// A stack of merge requests, of which the tip is tested.
    #[default]
    Stack,
    /// Each merge request by itself.
    Each,
}

/// A command that a merge must pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// A command line of the overseer's, run by `sh -c` in the gate worktree.
    pub run: String,
    /// Seconds that it may take.
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

/// Variables for a rig's workers and gates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RigEnv {
    /// Names of variables of the overseer that are passed on.
    pub pass: Vec<String>,
    /// Variables that are set.
    pub set: BTreeMap<String, String>,
    /// Files that a person has consented to direnv's loading, each by its hash ([`crate::direnv`]).
    pub direnv: BTreeMap<String, String>,
}

/// Settings of a rig.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RigSettings {
    /// The file's version.
    pub version: u32,
    /// Whether gated work lands by itself.
    pub landing: LandingPolicy,
    /// What is gated and landed at once.
    pub land: LandStyle,
    /// The overseer's word that this rig needs no gate.
    pub allow_ungated: bool,
    /// Whether proofs break files on purpose, and hold the rig where no gate turns red.
    pub prove_negative: bool,
    /// The kind of agent that this rig's workers are.
    pub agent: Option<String>,
    /// What their sessions run in; otherwise as the town says.
    pub runtime: Option<RuntimeChoice>,
    /// What they may do without asking where no sandbox is around them: bypass only by a person's word.
    pub trust: PermissionMode,
    /// What is around them.
    pub sandbox: Sandbox,
    /// What they may do without asking beyond what their work needs: the first words of commands, or tools.
    pub allow: Vec<String>,
    /// The formula that they follow.
    pub formula: String,
    /// Variables.
    pub env: RigEnv,
    /// What a fresh worktree needs.
    pub worktree: WorktreeSettings,
    /// Caches that stay in the gates' worktree between two runs. All else goes that git does not track.
    pub keep: Keep,
    /// How often what landed while caches were kept is tested again without them.
    pub clean_every: CleanEvery,
    /// How landings are committed; otherwise as the town says.
    pub commits: Style,
    /// What a merge must pass, in this order.
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

/// A tool may take this long in any rig.
const SHORTEST_TOOL_LIMIT: Duration = Duration::from_hours(1);

/// Tells verdicts of a worktree that was cleared from those of before, when ignored files stayed in it.
const CLEARED: &str = "cleared";

impl RigSettings {
    /// How long a worker's tool may take before a person is told: twice as long as the longest gate, or an hour.
    pub(crate) fn tool_limit(&self) -> Duration {
        let longest = self.gate.iter().map(|gate| gate.timeout_seconds).max().unwrap_or_default();
        Duration::from_secs(longest.saturating_mul(2)).max(SHORTEST_TOOL_LIMIT)
    }

    /// Says which gates these are, and in what they run: a verdict counts only for the very gates that gave it, with the same
    /// set-up, caches, variables and sandbox.
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

/// A town's settings as they are now: a person who changes a limit does not want to start the deacon anew for it. While the
/// file is damaged, those that the town was opened with.
pub(crate) fn current(town: &Town) -> TownSettings {
    let path = town.layout.settings();
    let bytes = town.world().disk().read_own(&path).ok().flatten();
    bytes.and_then(|bytes| load(&town.outside, &path, &bytes).ok()).unwrap_or_else(|| town.settings.clone())
}

/// Reads a town's settings, and checks its kinds of agent against those of the binary.
pub(crate) fn load(outside: &Outside, path: &Path, bytes: &[u8]) -> std::result::Result<TownSettings, SettingsError> {
    let settings: TownSettings = parse(path, bytes)?;
    // Those of the binary are read only where there is something to compare.
    let faulty = (!settings.agents.is_empty()).then(|| presets::faulty(&settings.agents, &outside.presets)).flatten();
    match faulty {
        Some(text) => Err(SettingsError { path: path.to_owned(), text }),
        None => Ok(settings),
    }
}

/// Changes a settings file by a person's word, leaving the rest of it as it is. What comes of it must read; answers with that.
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

/// The same where the change may be none, or what comes of it may be refused.
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
    // What ran meanwhile has not written that.
    town.ledger.write("overseer", "settings", |tx| accepted::accept(tx, path, &text))?;
    town.world().disk().write(path, text.as_bytes())?;
    Ok(settings)
}

/// Reads settings from a file's text; tables that were appended to it are joined with those that it has.
pub fn parse<T: serde::de::DeserializeOwned>(path: &Path, bytes: &[u8]) -> std::result::Result<T, SettingsError> {
    let failed = |text: &str| SettingsError { path: path.to_owned(), text: text.trim_end().to_owned() };
    let text = std::str::from_utf8(bytes).map_err(|e| failed(&e.to_string()))?;
    let error = match toml::from_str(text) {
        Ok(settings) => return Ok(settings),
        Err(error) => error,
    };
    let joined = document(path, text)?.to_string();
    // Lines are told of the file as it is.
    let told = if joined.trim_end() == text.trim_end() { error.to_string() } else { String::new() };
    toml::from_str(&joined).map_err(|e: toml::de::Error| failed(if told.is_empty() { e.message() } else { &told }))
}

fn is_rigs(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "rig.toml")
}
