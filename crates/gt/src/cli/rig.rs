//! The grammar of `gt rig`.

use clap::Subcommand;

/// Verbs of rigs.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum RigVerb {
    /// Add a project: find its remote, trunk and gates, and prove them
    Add {
        /// What to call it
        name: String,
        /// URL or path of its repository
        source: String,
        /// Prefix of its beads' ids [default: from the name]
        #[arg(long)]
        prefix: Option<String>,
        /// The trunk [default: what the remote says]
        #[arg(long)]
        branch: Option<String>,
        /// For a folder without a remote: make a bare copy beside it, which becomes its origin
        #[arg(long, conflicts_with = "land_on")]
        make_bare_remote: bool,
        /// Land on this branch, made where it is not there, instead of the checked-out one
        #[arg(long, value_name = "BRANCH", conflicts_with = "branch")]
        land_on: Option<String>,
        /// Do not run the gates on the trunk now
        #[arg(long)]
        skip_proof: bool,
        /// Show what would be found and run, and make nothing
        #[arg(long, conflicts_with_all = ["make_bare_remote", "skip_proof"])]
        dry_run: bool,
        /// Run what is found without asking, though the repository is given by a URL and may be anybody's
        #[arg(long)]
        yes: bool,
    },
    /// List the rigs
    List,
    /// Take a rig out of the town; its folder goes into the town's archive, its beads stay
    Remove {
        /// Which
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Change settings of a rig in its rig.toml; comments in it stay
    ///
    /// `gt config list --rig <rig>` shows all, `gt config explain` says what each means and takes: trust, landing, agent,
    /// runtime, sandbox, worktree.setup, env.set.<NAME> … The running daemon hears a change.
    Set {
        /// Which
        name: String,
        /// What, for example trust=bypass or landing=auto; an empty value takes it out again
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Let a rig's agents run a command, or use a tool, without asking: at once, for those at work too
    ///
    /// A command is named by its first words: "npm run lint" allows that with any more words behind it. A tool is one of the
    /// client's, such as WebFetch. Kept as `allow` in the rig's rig.toml. What workers are refused, such as pushing, stays
    /// refused.
    Allow {
        /// Which
        name: String,
        /// The first words of the command, or the tool
        #[arg(required_unless_present_any = ["list", "remove"])]
        pattern: Option<String>,
        /// List what is allowed
        #[arg(long, conflicts_with_all = ["pattern", "remove"])]
        list: bool,
        /// Take this back
        #[arg(long, value_name = "PATTERN", conflicts_with = "pattern")]
        remove: Option<String>,
    },
    /// Have direnv load the trunk's .envrc for set-up, gates and workers, once you have looked at it
    ///
    /// It is shown, with the files that it loads, and what you allow is pinned by its bytes: where a worktree has another, direnv
    /// is not run there, and that is said. Kept as `env.direnv` in the rig's rig.toml.
    AllowEnvrc {
        /// Which
        name: String,
        /// Allow it as it is shown, without being asked
        #[arg(long, conflicts_with = "remove")]
        yes: bool,
        /// Take it back
        #[arg(long)]
        remove: bool,
    },
    /// The commands that a merge must pass
    #[command(subcommand)]
    Gates(GatesVerb),
    /// Fetch the rig's remote and say where its trunk is
    Fetch {
        /// Which [default: yours, the one you are in, or the only one]
        name: Option<String>,
    },
    /// Run set-up and all gates on the trunk, and explain what is red
    ///
    /// Files that the tests use are then broken on purpose, one after the other, in the gates' own worktree: a gate has to turn
    /// red. By default that is tried where the gates take less than half a minute.
    Prove {
        /// Which [default: the one you are in, or the only one]
        name: Option<String>,
        /// Where it is red, take what the trunk and this shell have now, ask for the variables that gates name, and try again
        #[arg(long)]
        fix: bool,
        /// Break files however long the gates take
        #[arg(long)]
        negative: bool,
    },
    /// Take a hold off a rig, once its gates are green on the trunk
    Release {
        /// Which
        name: String,
    },
}

/// Verbs of gates.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum GatesVerb {
    /// List them
    List {
        /// Of which rig [default: the one you are in, or the only one]
        rig: Option<String>,
    },
    /// Run them: in your worktree, or on the trunk
    ///
    /// A worker is told at once where the town, or the worker itself, has run them on the very tree that is committed.
    Run {
        /// Of which rig [default: the one you are in, or the only one]
        rig: Option<String>,
        /// Run them even where the tree is known to be green
        #[arg(long)]
        again: bool,
    },
    /// Add one to rig.toml
    Add {
        /// Of which rig
        rig: String,
        /// Its name
        name: String,
        /// The command line
        run: String,
        /// Seconds that it may take
        #[arg(long, default_value_t = 1800)]
        timeout: u64,
    },
    /// Remove one from rig.toml
    Remove {
        /// Of which rig
        rig: String,
        /// Its name
        name: String,
    },
}
