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
            Self::NextGates => "holds for gates that run from now on",
            Self::NextSession => "holds for sessions that start from now on",
            Self::NextWorktree => "holds for worktrees that are set up from now on",
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
    "Who is the author of what lands: worker, worker-and-overseer, overseer, or a name: Ann <ann@example.org>",
);
const COMMITS_OVERSEER: Key = key(
    "commits.overseer",
    Text,
    None,
    AtOnce,
    "Who you are: Ann <ann@example.org>; otherwise user.name and user.email of your git",
);
const COMMITS_SUBJECT: Key = key(
    "commits.subject",
    Text,
    None,
    AtOnce,
    "The first line of what lands: {title}, {bead}, {type} and {kind} (feat, fix, chore) are filled in",
);
const COMMITS_BODY: Key = key(
    "commits.body",
    Choice(&["none", "bead", "commits"]),
    None,
    AtOnce,
    "What is below it: nothing, the bead's description, or the messages of the worker's commits",
);
const COMMITS_SIGN_OFF: Key = key(
    "commits.sign_off",
    Flag,
    None,
    AtOnce,
    "Whether what lands has your Signed-off-by, or that of the author whom you name",
);

const COMMITS_SIGN: Key = key(
    "commits.sign",
    Flag,
    None,
    AtOnce,
    "Whether what lands is signed, with your key and you as the committer; otherwise where your git signs (commit.gpgSign)",
);

/// Keys of `town.toml`.
pub const TOWN: &[Key] = &[
    key("version", VERSION, Some("1"), AtOnce, "The version of the file"),
    key("agent", Text, None, NextSession, "The kind of agent that workers are, where a rig says nothing else"),
    key(
        "runtime",
        RUNTIMES,
        Some("auto"),
        NextSession,
        "What sessions run in: a terminal of the town's own tmux, or none",
    ),
    key("max_polecats", Number(1, 1000), Some("4"), AtOnce, "Workers that may exist at once in the whole town"),
    key(
        "min_free_memory_mb",
        Number(0, ANY),
        Some("500"),
        AtOnce,
        "Megabytes of memory that must be free for another worker; 0: any",
    ),
    key(
        "patrol_seconds",
        Number(1, 60),
        Some("5"),
        AtOnce,
        "Seconds between two looks of the daemon when nothing wakes it earlier",
    ),
    key(
        "linger_seconds",
        Number(0, ANY),
        Some("60"),
        AtOnce,
        "Seconds that a session has to end by itself after its work was submitted",
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
        "Times that a worker is started for one attempt before its bead is taken back",
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
        "Times that work on a bead may be sent back before a person has to look",
    ),
    key(
        "retention.archive_days",
        Number(0, ANY),
        Some("14"),
        AtOnce,
        "Days that workers' worktrees stay in the archive; 0: for ever",
    ),
    key(
        "retention.archive_min_free_gb",
        Number(0, ANY),
        Some("5"),
        AtOnce,
        "Gigabytes to be free on the disk: below, what is over goes earlier",
    ),
    key(
        "retention.unlanded_days",
        Number(0, ANY),
        Some("90"),
        AtOnce,
        "Days that the only copy of work that has not landed is kept; 0: for ever",
    ),
    key(
        "retention.session_days",
        Number(0, ANY),
        Some("14"),
        AtOnce,
        "Days that the folders of ended sessions are kept; 0: for ever",
    ),
    key(
        "retention.gate_log_days",
        Number(0, ANY),
        Some("14"),
        AtOnce,
        "Days that the logs of gates are kept; 0: for ever",
    ),
    key(
        "retention.ref_days",
        Number(0, ANY),
        Some("90"),
        AtOnce,
        "Days after a bead's end that its refs are kept; 0: for ever",
    ),
    key("retention.event_days", Number(0, ANY), Some("0"), AtOnce, "Days that events are kept; 0: for ever"),
    key(
        "spend.daily_usd",
        Amount,
        Some("100"),
        AtOnce,
        "US dollars of a day, by list prices, after which nothing new is begun; 0: no limit. One that is set refuses kinds of \
         agent whose usage is unknown",
    ),
    key(
        "spend.daily_tokens",
        Number(0, i64::MAX),
        Some("0"),
        AtOnce,
        "Tokens of a day after which nothing new is begun; 0: no limit",
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
    key("prices.date", Text, Some(""), AtOnce, "From when the prices below are"),
    key(
        "prices.models.*",
        Any,
        None,
        AtOnce,
        "What a model's tokens cost, in US dollars a million: { input = 3.0, output = 15.0 }",
    ),
    key("mayor.agent", Text, None, NextSession, "The kind of agent that the mayor is; otherwise as `agent` says"),
    key(
        "mayor.trust",
        TRUST,
        Some("accept-edits"),
        NextSession,
        "What the mayor may do without asking where no sandbox is around it",
    ),
    key("mayor.sandbox", SANDBOXES, Some("none"), NextSession, "What is around the mayor"),
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
        "By what a person confirms what lets work land, spends or destroys",
    ),
    key("overseer.key", ByVerb("gt town key <file>"), None, AtOnce, "The hash of the overseer's key"),
    key("overseer.key_file", Text, None, AtOnce, "Where the overseer's key is"),
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
    key("agents.*.headless", Command, None, NextSession, "The same without a terminal, where that is another command"),
    key("agents.*.resume", Command, None, NextSession, "The same that takes an earlier session up again"),
    key("agents.*.client", Choice(Client::OFFERED), None, NextSession, "The client whose hooks and transcripts it has"),
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
        "Variables with keys of accounts: passed only where auth is api-key",
    ),
    key(
        "agents.*.ready_seconds",
        Number(1, ANY),
        None,
        NextSession,
        "Seconds until its session must have shown its first moment",
    ),
    key("agents.*.stagger_seconds", Number(0, ANY), None, NextSession, "Seconds between two starts"),
    key("agents.*.modes.*", Text, None, NextSession, "The client's word for a permission mode"),
    key("agents.*.shows.*", List, None, NextSession, "Words on its screen, by what they show"),
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
        "Your word that it may run though its client does not run our hooks",
    ),
    key("agents.*.runtime", RUNTIMES, None, NextSession, "What auto comes to for this kind"),
    key("agents.*.logins", List, None, NextSession, "Files in your home of which a login of its client leaves one"),
    key(
        "agents.*.usage.format",
        Text,
        None,
        NextSession,
        "How what it took is read from what it prints (docs/agents.md)",
    ),
    key("agents.*.usage.model", Text, None, NextSession, "The model, for its price, where what it prints names none"),
    key("agents.*.tried", Text, None, NextSession, "The version of its client that was tried"),
    key("agents.*.env.*", Text, None, NextSession, "A variable that is set for it"),
    key(
        "agents.*.env_pass",
        List,
        None,
        NextSession,
        "Variables of yours that are passed to it, beside the usual ones",
    ),
    key(
        "ecosystem",
        ByVerb("gt config edit; docs/ecosystems.md says what it holds"),
        None,
        AtOnce,
        "What projects are tested with, before and over what comes with the binary",
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
        "What is gated and landed at once: a stack of merge requests, or each by itself",
    ),
    key("allow_ungated", Flag, Some("false"), AtOnce, "Your word that this rig needs no gate"),
    key(
        "prove_negative",
        Flag,
        Some("true"),
        AtOnce,
        "Whether proofs break files on purpose, and hold the rig where no gate turns red",
    ),
    key("agent", Text, None, NextSession, "The kind of agent that this rig's workers are; otherwise as in town.toml"),
    key("runtime", RUNTIMES, None, NextSession, "What its sessions run in; otherwise as in town.toml"),
    key(
        "trust",
        TRUST,
        Some("accept-edits"),
        NextSession,
        "What its workers may do without asking where no sandbox is around them",
    ),
    key("sandbox", SANDBOXES, Some("none"), NextSession, "What is around its workers"),
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
        "The .envrc that set-up, gates and workers are run with by direnv, and what it loads, as you have allowed it",
    ),
    key("worktree.setup", Text, None, NextWorktree, "A command that is run in each fresh worktree"),
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
        "Files that git does not hold, copied from worktree.from into each worktree",
    ),
    key(
        "worktree.clone",
        List,
        Some(""),
        NextWorktree,
        "Large folders, copied likewise, sharing the disk's blocks where that can be",
    ),
    key(
        "worktree.from",
        Text,
        None,
        NextWorktree,
        "Your own checkout: where they are copied from, and what no gate may test",
    ),
    key("worktree.submodules", Flag, Some("false"), NextWorktree, "Whether submodules are checked out, recursively"),
    key("worktree.lfs", Flag, Some("false"), NextWorktree, "Whether the project has large files that git-lfs holds"),
    key(
        "worktree.min_free_disk_mb",
        Number(0, ANY),
        Some("0"),
        NextWorktree,
        "Megabytes to be free before a worktree is set up; 0: any",
    ),
    key(
        "worktree.rebuildable",
        List,
        Some("target, node_modules, .venv"),
        NextWorktree,
        "What can be built again: fresh worktrees get it from a warm copy, and archives leave it out",
    ),
    key(
        "worktree.warm_limit_mb",
        Number(0, ANY),
        Some("4096"),
        NextWorktree,
        "Megabytes that a warm copy of what the trunk has built may have; 0: none is made",
    ),
    key("worktree.at_once", Number(1, 64), Some("2"), AtOnce, "Set-ups of this rig's worktrees that run at once"),
    key("keep", List, Some(""), NextGates, "Caches that stay in the gates' worktree between two runs"),
    key(
        "clean_every",
        Any,
        None,
        AtOnce,
        "Landings (10), or a time (\"6h\"), after which what landed with caches is tested without; 0: never",
    ),
    COMMITS_AUTHOR,
    COMMITS_OVERSEER,
    COMMITS_SUBJECT,
    COMMITS_BODY,
    COMMITS_SIGN_OFF,
    COMMITS_SIGN,
    key("gate", ByVerb("gt rig gates add|remove <rig>"), None, NextGates, "What a merge must pass, in this order"),
];
