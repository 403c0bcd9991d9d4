//! The keys of `town.toml` and `rig.toml`: meaning, allowed values, default, and when a change takes effect.

/// Values that a key accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number between these two, inclusive.
    Number(i64, i64),
    /// An amount, 0 or more.
    Amount,
    /// `true` or `false`.
    Flag,
    /// A list of texts, given either separated by commas or as a TOML list.
    List,
    /// A program and its arguments, given either separated by blanks or as a TOML list.
    Command,
    /// Any TOML value. Input that is not valid TOML is taken as a text.
    Any,
    /// Not settable here; the named verb changes it.
    ByVerb(&'static str),
}

/// When a change takes effect. No setting requires a restart of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// At the daemon's next patrol, and in the next verb.
    AtOnce,
    /// In the next run of the gates.
    NextGates,
    /// In sessions started after the change.
    NextSession,
    /// In worktrees created after the change, and in the gates' own worktree.
    NextWorktree,
}

impl Heard {
    /// Returns the phrase that people read.
    pub fn words(self) -> &'static str {
        match self {
            Self::AtOnce => "holds at once",
            Self::NextGates => "applies to gates that run from now on",
            Self::NextSession => "applies to sessions that start from now on",
            Self::NextWorktree => "applies to worktrees that are set up from now on",
        }
    }
}

/// A key of a settings file.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Name with dots. A `*` stands for a part that the file chooses.
    pub name: &'static str,
    /// Accepted values.
    pub kind: Kind,
    /// Default, written as a person would type it. `None` if there is no default or `text` explains it.
    pub default: Option<&'static str>,
    /// When a change takes effect.
    pub heard: Heard,
    /// Explanation for people.
    pub text: &'static str,
}

const fn key(name: &'static str, kind: Kind, default: Option<&'static str>, heard: Heard, text: &'static str) -> Key {
    Key { name, kind, default, heard, text }
}

use Heard::{AtOnce, NextGates, NextSession, NextWorktree};
use Kind::{Amount, Any, ByVerb, Choice, Command, Flag, List, Number, Text};
use gt_model::clients::Client;

const ANY: i64 = u32::MAX as i64;
const RUNTIMES: Kind = Choice(&["auto", "tmux", "headless"]);
const TRUST: Kind = Choice(&["accept-edits", "bypass"]);
const SANDBOXES: Kind = Choice(&["none", "bwrap"]);
const VERSION: Kind = ByVerb("nothing: it is the version of the file");

// The town says who is the author and committer of landed commits. A rig can override it with the same keys.
const COMMITS_AUTHOR: Key = key(
    "commits.author",
    Text,
    None,
    AtOnce,
    "Author of landed commits: worker, worker-and-overseer, overseer, or a name: Ann <ann@example.org>",
);
const COMMITS_OVERSEER: Key = key(
    "commits.overseer",
    Text,
    None,
    AtOnce,
    "Your name and email: Ann <ann@example.org>; default: user.name and user.email of your git",
);
const COMMITS_SUBJECT: Key = key(
    "commits.subject",
    Text,
    None,
    AtOnce,
    "First line of landed commits; gt fills in {title}, {bead}, {type} and {kind} (feat, fix, chore)",
);
const COMMITS_BODY: Key = key(
    "commits.body",
    Choice(&["none", "bead", "commits"]),
    None,
    AtOnce,
    "Text below the first line: nothing, the bead's description, or the messages of the worker's commits",
);
const COMMITS_SIGN_OFF: Key = key(
    "commits.sign_off",
    Flag,
    None,
    AtOnce,
    "Whether landed commits have a Signed-off-by: yours, or that of the author that you name",
);

const COMMITS_SIGN: Key = key(
    "commits.sign",
    Flag,
    None,
    AtOnce,
    "Whether landed commits are signed with your key, with you as committer; default: commit.gpgSign of your git",
);

/// Keys of `town.toml`.
pub const TOWN: &[Key] = &[
    key("version", VERSION, Some("1"), AtOnce, "The version of the file"),
    key("agent", Text, None, NextSession, "Kind of agent of the workers, unless the rig sets another"),
    key(
        "runtime",
        RUNTIMES,
        Some("auto"),
        NextSession,
        "Where sessions run: in a terminal of the town's own tmux, or without a terminal",
    ),
    key("max_polecats", Number(1, 1000), Some("4"), AtOnce, "Limit on workers at the same time in the whole town"),
    key(
        "min_free_memory_mb",
        Number(0, ANY),
        Some("500"),
        AtOnce,
        "Megabytes of memory that must be free to start another worker; 0: no limit",
    ),
    key(
        "patrol_seconds",
        Number(1, 60),
        Some("5"),
        AtOnce,
        "Seconds between two checks of the daemon, unless something wakes it earlier",
    ),
    key(
        "linger_seconds",
        Number(0, ANY),
        Some("60"),
        AtOnce,
        "Seconds after which a session is ended that has submitted its work and does not end by itself",
    ),
    key(
        "quiet_minutes",
        Number(0, ANY),
        Some("30"),
        AtOnce,
        "Minutes without a sign of life after which a worker counts as hung; 0: never",
    ),
    key(
        "max_incarnations",
        Number(1, 1000),
        Some("5"),
        AtOnce,
        "Starts of a worker for one attempt before the bead is taken from it",
    ),
    key(
        "back_off_seconds",
        Number(0, 3600),
        Some("5"),
        AtOnce,
        "Seconds before a worker's second restart; doubles with each further one",
    ),
    key(
        "max_reworks",
        Number(0, 1000),
        Some("3"),
        AtOnce,
        "Times that work on a bead may be sent back before a person must look",
    ),
    key(
        "retention.archive_days",
        Number(0, ANY),
        Some("14"),
        AtOnce,
        "Days that workers' worktrees stay in the archive; 0: forever",
    ),
    key(
        "retention.archive_min_free_gb",
        Number(0, ANY),
        Some("5"),
        AtOnce,
        "Gigabytes that should be free on the disk; with less, old things are deleted earlier",
    ),
    key(
        "retention.unlanded_days",
        Number(0, ANY),
        Some("90"),
        AtOnce,
        "Days that the only copy of work that has not landed is kept; 0: forever",
    ),
    key(
        "retention.session_days",
        Number(0, ANY),
        Some("14"),
        AtOnce,
        "Days that the folders of ended sessions are kept; 0: forever",
    ),
    key(
        "retention.gate_log_days",
        Number(0, ANY),
        Some("14"),
        AtOnce,
        "Days that the logs of gates are kept; 0: forever",
    ),
    key(
        "retention.ref_days",
        Number(0, ANY),
        Some("90"),
        AtOnce,
        "Days after a bead's end that its refs are kept; 0: forever",
    ),
    key("retention.event_days", Number(0, ANY), Some("0"), AtOnce, "Days that events are kept; 0: forever"),
    key(
        "spend.daily_usd",
        Amount,
        Some("100"),
        AtOnce,
        "US dollars a day, by list prices, after which no new work starts; 0: no limit. If set, kinds of agent whose \
         usage is unknown do not start",
    ),
    key(
        "spend.daily_tokens",
        Number(0, i64::MAX),
        Some("0"),
        AtOnce,
        "Tokens a day after which no new work starts; 0: no limit",
    ),
    key(
        "spend.attempt_usd",
        Amount,
        Some("0"),
        AtOnce,
        "US dollars of one attempt after which it is parked; 0: no limit",
    ),
    key(
        "spend.attempt_tokens",
        Number(0, i64::MAX),
        Some("0"),
        AtOnce,
        "Tokens of one attempt after which it is parked; 0: no limit",
    ),
    key("prices.date", Text, Some(""), AtOnce, "Date of the prices below"),
    key(
        "prices.models.*",
        Any,
        None,
        AtOnce,
        "Price of a model's tokens, in US dollars a million: { input = 3.0, output = 15.0 }",
    ),
    key("mayor.agent", Text, None, NextSession, "Kind of agent of the mayor; default: `agent`"),
    key(
        "mayor.trust",
        TRUST,
        Some("accept-edits"),
        NextSession,
        "What the mayor may do without asking if it has no sandbox",
    ),
    key("mayor.sandbox", SANDBOXES, Some("none"), NextSession, "Sandbox of the mayor"),
    key(
        "mayor.allow",
        ByVerb("gt mayor allow"),
        None,
        AtOnce,
        "What the mayor may do without asking beyond what its work needs",
    ),
    key("sync.remote", Text, None, AtOnce, "The repository that the ledger is synced with (gt sync)"),
    key(
        "overseer.confirm",
        Choice(&["none", "tty", "key"]),
        Some("none"),
        AtOnce,
        "How a person confirms verbs that land work, spend money or destroy data",
    ),
    key("overseer.key", ByVerb("gt town key <file>"), None, AtOnce, "The hash of the overseer's key"),
    key("overseer.key_file", Text, None, AtOnce, "File with the overseer's key"),
    COMMITS_AUTHOR,
    COMMITS_OVERSEER,
    COMMITS_SUBJECT,
    COMMITS_BODY,
    COMMITS_SIGN_OFF,
    COMMITS_SIGN,
    key(
        "agents.*.command",
        Command,
        None,
        NextSession,
        "Program and arguments of a kind of agent; {prompt} becomes its first prompt",
    ),
    key("agents.*.headless", Command, None, NextSession, "The same without a terminal, if that is another command"),
    key("agents.*.resume", Command, None, NextSession, "The same to resume an earlier session"),
    key(
        "agents.*.client",
        Choice(Client::OFFERED),
        None,
        NextSession,
        "The client that it runs, which decides its \
         hooks and transcripts",
    ),
    key("agents.*.input", Choice(&["stream-json"]), None, NextSession, "What its standard input is without a terminal"),
    key(
        "agents.*.auth",
        Choice(&["login", "api-key"]),
        None,
        NextSession,
        "Which account pays: your login, or the key in your environment",
    ),
    key(
        "agents.*.api_keys",
        List,
        None,
        NextSession,
        "Variables with keys of accounts; passed only if auth is api-key",
    ),
    key(
        "agents.*.ready_seconds",
        Number(1, ANY),
        None,
        NextSession,
        "Seconds within which its session must call its first hook",
    ),
    key("agents.*.stagger_seconds", Number(0, ANY), None, NextSession, "Seconds between two starts"),
    key("agents.*.modes.*", Text, None, NextSession, "The client's word for a permission mode"),
    key("agents.*.shows.*", List, None, NextSession, "Words on its screen and the state that they show"),
    key(
        "agents.*.managed_settings",
        List,
        None,
        NextSession,
        "Files by which an administrator sets the client up, and can turn our hooks off",
    ),
    key(
        "agents.*.allow_without_hooks",
        Flag,
        None,
        NextSession,
        "Whether it may run although its client does not run our hooks",
    ),
    key("agents.*.runtime", RUNTIMES, None, NextSession, "What `auto` means for this kind"),
    key(
        "agents.*.logins",
        List,
        None,
        NextSession,
        "Files in your home that show a login of its client (one is \
         enough)",
    ),
    key("agents.*.usage.format", Text, None, NextSession, "How gt reads its usage from its output (docs/agents.md)"),
    key("agents.*.usage.model", Text, None, NextSession, "The model, for its price, if its output names none"),
    key("agents.*.tried", Text, None, NextSession, "The version of its client that was tested"),
    key("agents.*.env.*", Text, None, NextSession, "A variable that is set for it"),
    key(
        "agents.*.env_pass",
        List,
        None,
        NextSession,
        "Variables of yours that are passed to it, besides the usual ones",
    ),
    key(
        "ecosystem",
        ByVerb("gt config edit; docs/ecosystems.md says what it holds"),
        None,
        AtOnce,
        "How projects are tested; takes precedence over the built-in table",
    ),
    key(
        "schedule",
        ByVerb("gt config edit; docs/formulas.md says what it holds"),
        None,
        AtOnce,
        "Formulas that the deacon pours by the clock",
    ),
];

/// Keys of a rig's `rig.toml`.
pub const RIG: &[Key] = &[
    key("version", VERSION, Some("1"), AtOnce, "The version of the file"),
    key(
        "landing",
        Choice(&["ask", "auto"]),
        Some("ask"),
        AtOnce,
        "Whether green work waits for gt mq approve, or lands by itself",
    ),
    key(
        "land",
        Choice(&["stack", "each"]),
        Some("stack"),
        AtOnce,
        "What the refinery gates and lands at once: a stack of merge requests, or each alone",
    ),
    key("allow_ungated", Flag, Some("false"), AtOnce, "Whether work may land although the rig has no gate"),
    key(
        "prove_negative",
        Flag,
        Some("true"),
        AtOnce,
        "Whether proofs break files on purpose, and hold the rig if no gate turns red",
    ),
    key("agent", Text, None, NextSession, "Kind of agent of this rig's workers; default: as in town.toml"),
    key("runtime", RUNTIMES, None, NextSession, "Where its sessions run; default: as in town.toml"),
    key(
        "trust",
        TRUST,
        Some("accept-edits"),
        NextSession,
        "What its workers may do without asking if they have no sandbox",
    ),
    key("sandbox", SANDBOXES, Some("none"), NextSession, "Sandbox of its workers"),
    key(
        "allow",
        ByVerb("gt rig allow <rig>"),
        None,
        AtOnce,
        "What its workers may do without asking beyond what their work needs",
    ),
    key("formula", Text, Some("mol-polecat-work"), AtOnce, "The formula that its workers follow"),
    key("env.pass", List, Some(""), NextSession, "Variables of yours that its workers and gates get"),
    key(
        "env.set.*",
        Text,
        None,
        NextSession,
        "A variable that its workers and gates get; {slot} becomes the worker's slot",
    ),
    key(
        "env.direnv.*",
        ByVerb("gt rig allow-envrc <rig>"),
        None,
        NextSession,
        "The .envrc that direnv loads for set-up, gates and workers, with the files that it loads, as you allowed them",
    ),
    key("worktree.setup", Text, None, NextWorktree, "Command that runs in each new worktree"),
    key(
        "worktree.setup_timeout_seconds",
        Number(1, ANY),
        Some("900"),
        NextWorktree,
        "Seconds that the set-up may take",
    ),
    key(
        "worktree.copy",
        List,
        Some(""),
        NextWorktree,
        "Files outside git that are copied from worktree.from into each worktree",
    ),
    key(
        "worktree.clone",
        List,
        Some(""),
        NextWorktree,
        "Large folders, copied likewise, sharing disk blocks where the file system can",
    ),
    key(
        "worktree.from",
        Text,
        None,
        NextWorktree,
        "Your own checkout: files are copied from it, and no gate may test it",
    ),
    key("worktree.submodules", Flag, Some("false"), NextWorktree, "Whether submodules are checked out, recursively"),
    key("worktree.lfs", Flag, Some("false"), NextWorktree, "Whether the project has large files that git-lfs holds"),
    key(
        "worktree.min_free_disk_mb",
        Number(0, ANY),
        Some("0"),
        NextWorktree,
        "Megabytes that must be free before a worktree is set up; 0: no limit",
    ),
    key(
        "worktree.rebuildable",
        List,
        Some("target, node_modules, .venv"),
        NextWorktree,
        "Folders that can be built again: new worktrees get them from a warm copy, and archives omit them",
    ),
    key(
        "worktree.warm_limit_mb",
        Number(0, ANY),
        Some("4096"),
        NextWorktree,
        "Limit in megabytes on a warm copy of the trunk's build output; 0: no warm copies",
    ),
    key(
        "worktree.at_once",
        Number(1, 64),
        Some("2"),
        AtOnce,
        "Limit on set-ups of this rig's worktrees at the same \
         time",
    ),
    key("keep", List, Some(""), NextGates, "Caches that stay in the gates' worktree between runs"),
    key(
        "clean_every",
        Any,
        None,
        AtOnce,
        "Landings (10) or time (\"6h\") after which gates test the trunk again without caches; 0: never",
    ),
    COMMITS_AUTHOR,
    COMMITS_OVERSEER,
    COMMITS_SUBJECT,
    COMMITS_BODY,
    COMMITS_SIGN_OFF,
    COMMITS_SIGN,
    key(
        "gate",
        ByVerb("gt rig gates add|remove <rig>"),
        None,
        NextGates,
        "Gates that a merge must pass, in this \
         order",
    ),
];
