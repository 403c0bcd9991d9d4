//! Rules for git: a worker works on its own branch in its own worktree; only the refinery (merge queue) lands work.

use std::path::PathBuf;

use super::script::{self, Call, Owner, Scene, has_option, is_option};
use super::shell::Word;
use super::{Refusal, Role, refuse};

/// How many levels of aliases are followed.
const MAX_ALIASES: usize = 4;

/// Effect of a call of git, as far as the rules need to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Act {
    /// Changes nothing.
    Read,
    /// Changes the worktree, the index or the worker's own branch.
    Work,
    /// Sends something to a remote.
    Push,
    /// Fetches a remote's refs.
    Fetch,
    /// Moves HEAD to another branch.
    Switch,
    /// Creates, moves or deletes a branch.
    Branch,
    /// Creates or deletes a tag.
    Tag,
    /// Takes something from the stash, which all worktrees share.
    TakeStash,
    /// Resets the branch to a remote's state.
    Discard,
    /// Creates or removes worktrees.
    Worktrees,
    /// Changes settings of the repository or of the user.
    Settings,
    /// Moves refs with low-level commands.
    Refs,
    /// Rewrites the whole history.
    Rewrite,
    /// Prints a secret.
    Secret,
}

/// A call of git, with its general options parsed.
pub(super) struct Git<'a> {
    pub verb: &'a str,
    pub args: &'a [Word],
    /// Folder where it works, according to the options; `None`: the working folder.
    pub place: Option<String>,
    /// Settings from `-c name=value`.
    pub settings: Vec<&'a str>,
}

/// Judges a call of git.
pub(super) fn judge(scene: &mut Scene<'_>, call: &Call<'_>) -> Option<Refusal> {
    judge_args(scene, call, call.args, MAX_ALIASES)
}

fn judge_args(scene: &mut Scene<'_>, call: &Call<'_>, args: &[Word], aliases: usize) -> Option<Refusal> {
    let mut git = take_apart(args)?;
    if git.place.is_none() {
        git.place = call.env("GIT_DIR").map(|word| word.text.clone());
    }
    if let Some(refusal) = alias(scene, call, &git, aliases) {
        return Some(refusal);
    }
    if has_option(git.args, &["-h", "--help"]) && git.verb != "grep" && git.verb != "ls-remote" {
        return None;
    }
    inner(scene, &git).or_else(|| {
        let act = act(&git, scene);
        by_role(scene, call, &git, &act)
    })
}

/// Refuses `git worktree`, and clients' own tools that make worktrees.
pub(super) fn worktrees() -> Option<Refusal> {
    refuse("worktrees are the town's to make and remove", "work in the one that you have")
}

pub(super) fn take_apart(args: &[Word]) -> Option<Git<'_>> {
    let mut git = Git { verb: "", args: &[], place: None, settings: Vec::new() };
    let mut folder: Option<PathBuf> = None;
    let mut rest = args;
    while let Some((word, tail)) = rest.split_first() {
        let text = word.text.as_str();
        rest = tail;
        match text {
            "-C" => {
                let (value, tail) = rest.split_first()?;
                folder = Some(folder.unwrap_or_default().join(&value.text));
                rest = tail;
            }
            "-c" | "--config-env" => {
                let (value, tail) = rest.split_first()?;
                git.settings.push(&value.text);
                rest = tail;
            }
            "--git-dir" | "--work-tree" | "--namespace" | "--super-prefix" | "--attr-source" => {
                let (value, tail) = rest.split_first()?;
                if text != "--namespace" {
                    git.place = Some(value.text.clone());
                }
                rest = tail;
            }
            "--version" | "--help" | "--exec-path" | "--html-path" | "--man-path" => return None,
            _ if text.starts_with("--git-dir=") || text.starts_with("--work-tree=") => {
                git.place = text.split_once('=').map(|(_, path)| path.to_owned());
            }
            _ if text.starts_with("--config-env=") => git.settings.push(&text["--config-env=".len()..]),
            _ if is_option(word) => {}
            verb => {
                git.verb = verb;
                git.args = rest;
                break;
            }
        }
    }
    git.place = git.place.or_else(|| folder?.to_str().map(str::to_owned));
    (!git.verb.is_empty()).then_some(git)
}

/// Whether git's general options contain only the place of work, the appearance of output, and settings.
pub(super) fn says_only_where(args: &[Word]) -> bool {
    let mut words = args.iter().map(|word| word.text.as_str());
    while let Some(text) = words.next() {
        match text {
            "-C" | "-c" => drop(words.next()),
            "--no-pager" | "-P" | "--no-optional-locks" | "--literal-pathspecs" => {}
            _ => return !text.starts_with('-'),
        }
    }
    true
}

/// Judges the alias that `git -c alias.x=… x` runs.
fn alias(scene: &mut Scene<'_>, call: &Call<'_>, git: &Git<'_>, left: usize) -> Option<Refusal> {
    let named =
        |setting: &&str| setting.strip_prefix("alias.")?.strip_prefix(git.verb)?.strip_prefix('=').map(str::to_owned);
    let value = git.settings.iter().find_map(named)?;
    if let Some(text) = value.strip_prefix('!') {
        return script::judge_text(scene, text);
    }
    let left = left.checked_sub(1)?;
    let words = value.split_whitespace().map(Word::literal).chain(git.args.iter().cloned());
    let general = git.settings.iter().flat_map(|setting| [Word::literal("-c"), Word::literal(setting)]);
    let place = git.place.iter().flat_map(|place| [Word::literal("-C"), Word::literal(place)]);
    let args: Vec<Word> = general.chain(place).chain(words).collect();
    judge_args(scene, call, &args, left)
}

/// Judges commands that git itself runs.
fn inner(scene: &mut Scene<'_>, git: &Git<'_>) -> Option<Refusal> {
    let words = |words: &[Word]| words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    let text = match git.verb {
        "rebase" => {
            let at = git.args.iter().position(|word| matches!(word.text.as_str(), "-x" | "--exec"));
            let attached = git.args.iter().find_map(|word| word.text.strip_prefix("--exec="));
            attached.map(str::to_owned).or_else(|| Some(git.args.get(at? + 1)?.text.clone()))
        }
        "bisect" if first(git) == "run" => Some(words(&git.args[1..])),
        "submodule" => {
            let at = git.args.iter().position(|word| word.text == "foreach");
            at.map(|at| words(&git.args[at + 1..]).trim_start_matches("--recursive ").to_owned())
        }
        "config" => {
            // An alias that is set now may run later.
            let at = git.args.iter().position(|word| word.text.starts_with("alias."))?;
            let value = git.args.get(at + 1)?.text.as_str();
            Some(value.strip_prefix('!').map_or_else(|| format!("git {value}"), str::to_owned))
        }
        _ => None,
    };
    script::judge_text(scene, &text?)
}

fn first<'a>(git: &Git<'a>) -> &'a str {
    operands(git).next().unwrap_or_default()
}

fn operands<'a>(git: &Git<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    git.args.iter().filter(|word| !is_option(word)).map(|word| word.text.as_str())
}

fn act(git: &Git<'_>, scene: &Scene<'_>) -> Act {
    let has = |options: &[&str]| has_option(git.args, options);
    match git.verb {
        "push" | "send-pack" | "send-email" | "http-push" => Act::Push,
        "lfs" | "subtree" | "svn" | "p4" | "annex" => match first(git) {
            "push" | "dcommit" | "submit" | "sync" => Act::Push,
            "fetch" | "pull" | "rebase" => Act::Fetch,
            _ => Act::Work,
        },
        "fetch" | "pull" | "fetch-pack" => Act::Fetch,
        "remote" => match first(git) {
            "" | "show" | "get-url" => Act::Read,
            "update" | "prune" => Act::Fetch,
            _ => Act::Settings,
        },
        "checkout" => checkout(git, scene),
        "switch" => switch(git, scene),
        "branch" => branch(git),
        "tag" => tag(git),
        "stash" => match first(git) {
            "pop" | "drop" | "clear" | "branch" => Act::TakeStash,
            "list" | "show" => Act::Read,
            _ => Act::Work,
        },
        "reset" if has(&["--hard", "--merge"]) && operands(git).any(|to| is_trunk(to, scene)) => Act::Discard,
        "worktree" => {
            if first(git) == "list" {
                Act::Read
            } else {
                Act::Worktrees
            }
        }
        "config" => config(git),
        "update-ref" | "receive-pack" => Act::Refs,
        "symbolic-ref" => {
            if operands(git).nth(1).is_some() || has(&["-d", "--delete"]) {
                Act::Refs
            } else {
                Act::Read
            }
        }
        "filter-branch" | "filter-repo" => Act::Rewrite,
        "credential" => Act::Secret,
        "reflog" if matches!(first(git), "expire" | "delete") => Act::Rewrite,
        "notes" if matches!(first(git), "" | "list" | "show") => Act::Read,
        "bisect" if matches!(first(git), "log" | "view" | "visualize") => Act::Read,
        verb if READS.contains(&verb) => Act::Read,
        _ => Act::Work,
    }
}

/// Verbs that change nothing.
const READS: &[&str] = &[
    "log",
    "show",
    "diff",
    "status",
    "rev-parse",
    "ls-files",
    "ls-tree",
    "ls-remote",
    "cat-file",
    "blame",
    "annotate",
    "grep",
    "for-each-ref",
    "show-ref",
    "merge-base",
    "describe",
    "rev-list",
    "shortlog",
    "name-rev",
    "whatchanged",
    "count-objects",
    "var",
    "version",
    "help",
    "check-ignore",
    "check-attr",
    "diff-tree",
    "diff-index",
    "diff-files",
    "range-diff",
    "cherry",
    "merge-tree",
    "fsck",
    "verify-commit",
    "verify-tag",
    "reflog",
    "show-branch",
    "get-tar-commit-id",
    "archive",
    "clone",
    "check-ref-format",
    "ls-refs",
    "patch-id",
    "stripspace",
    "column",
    "interpret-trailers",
    "format-patch",
    "bundle",
];

/// Whether a name is that of the trunk, here or at the remote.
fn is_trunk(name: &str, scene: &Scene<'_>) -> bool {
    let short = ["refs/heads/", "refs/remotes/", "remotes/", "heads/"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    let is_remote = short.starts_with("origin/") || short.starts_with("upstream/");
    is_remote
        || matches!(short, "main" | "master" | "trunk" | "FETCH_HEAD" | "@{u}" | "@{upstream}")
        || Some(short) == scene.place.trunk.as_deref()
}

fn checkout(git: &Git<'_>, scene: &Scene<'_>) -> Act {
    if has_option(git.args, &["-b", "-B", "--orphan", "-t", "--track"]) {
        return Act::Branch;
    }
    let has_paths = git.args.iter().any(|word| {
        word.text == "--" || word.text == "-p" || word.text == "--patch" || word.text.starts_with("--pathspec")
    });
    let has_more = operands(git).nth(1).is_some();
    let is_detached = has_option(git.args, &["--detach", "-d"]);
    if has_paths || has_more || is_detached || has_option(git.args, &["--ours", "--theirs"]) {
        return Act::Work;
    }
    let leaves = git.args.iter().any(|word| word.text == "-" || is_branch(&word.text, scene));
    if leaves { Act::Switch } else { Act::Work }
}

/// Whether a word that may be a path or a branch is certainly the branch of another agent.
fn is_branch(word: &str, scene: &Scene<'_>) -> bool {
    let is_own = scene.place.branch.as_deref() == Some(word);
    let is_workers = ["polecat/", "crew/", "refs/heads/"].iter().any(|prefix| word.starts_with(prefix));
    !is_own && (is_workers || is_trunk(word, scene) || matches!(word, "develop" | "@{-1}"))
}

fn switch(git: &Git<'_>, scene: &Scene<'_>) -> Act {
    if has_option(git.args, &["-c", "-C", "--create", "--force-create", "--orphan", "-t", "--track"]) {
        return Act::Branch;
    }
    let is_own = operands(git).next().is_some_and(|name| Some(name) == scene.place.branch.as_deref());
    if is_own || has_option(git.args, &["-d", "--detach"]) { Act::Work } else { Act::Switch }
}

fn branch(git: &Git<'_>) -> Act {
    let changes = [
        "-d",
        "-D",
        "-m",
        "-M",
        "-c",
        "-C",
        "-f",
        "-u",
        "--delete",
        "--move",
        "--copy",
        "--force",
        "--set-upstream-to",
        "--unset-upstream",
        "--edit-description",
        "--create-reflog",
    ];
    if has_option(git.args, &changes) {
        return Act::Branch;
    }
    let lists = [
        "-l",
        "-a",
        "-r",
        "--list",
        "--all",
        "--remotes",
        "--contains",
        "--no-contains",
        "--merged",
        "--no-merged",
        "--points-at",
        "--show-current",
        "--sort",
        "--format",
        "-v",
        "--column",
    ];
    if has_option(git.args, &lists) || operands(git).next().is_none() { Act::Read } else { Act::Branch }
}

fn tag(git: &Git<'_>) -> Act {
    let lists = [
        "-l",
        "-n",
        "-v",
        "--list",
        "--contains",
        "--no-contains",
        "--merged",
        "--no-merged",
        "--points-at",
        "--sort",
        "--format",
        "--verify",
        "--column",
    ];
    let makes =
        has_option(git.args, &["-d", "-f", "-a", "-s", "-m", "-F", "--delete", "--force", "--annotate", "--sign"]);
    if !makes && (has_option(git.args, &lists) || operands(git).next().is_none()) { Act::Read } else { Act::Tag }
}

fn config(git: &Git<'_>) -> Act {
    if git.args.iter().any(|word| matches!(word.text.as_str(), "-f" | "--file") || word.text.starts_with("--file=")) {
        // A file of the project, such as .gitmodules.
        return Act::Work;
    }
    let reads =
        ["--get", "--get-all", "--get-regexp", "--get-urlmatch", "--list", "-l", "--show-origin", "--show-scope"];
    let changes =
        ["--unset", "--unset-all", "--add", "--replace-all", "--rename-section", "--remove-section", "-e", "--edit"];
    let verb = first(git);
    if has_option(git.args, &changes) || matches!(verb, "set" | "unset" | "edit" | "rename-section" | "remove-section")
    {
        return Act::Settings;
    }
    let is_one = operands(git).nth(1).is_none();
    if has_option(git.args, &reads) || matches!(verb, "get" | "list") || is_one { Act::Read } else { Act::Settings }
}

fn by_role(scene: &Scene<'_>, call: &Call<'_>, git: &Git<'_>, act: &Act) -> Option<Refusal> {
    if *act == Act::Secret && matches!(first(git), "fill" | "get") && !call.command.output_goes_on {
        return refuse("that shows a secret", "git asks its helpers by itself");
    }
    let owner = git
        .place
        .as_deref()
        .map_or_else(|| scene.cwd.as_ref().map(|cwd| scene.owner_of(cwd)), |place| scene.owner(place));
    if owner == Some(Owner::Temporary) || *act == Act::Read {
        return None;
    }
    match scene.role {
        Role::Polecat => polecat(scene, git, act, owner.unwrap_or(Owner::Own)),
        Role::Mayor => mayor(act),
        Role::Crew => crew(scene, git, act, owner.unwrap_or(Owner::Own)),
        Role::Other => None,
    }
}

fn polecat(scene: &Scene<'_>, git: &Git<'_>, act: &Act, owner: Owner) -> Option<Refusal> {
    let trunk = scene.place.trunk.as_deref().unwrap_or("main");
    match act {
        Act::Push => refuse("a worker's git reaches no remote", "gt done hands your commits to the refinery"),
        Act::Fetch => refuse("a worker's git fetches nothing", format!("gt rig fetch, then git rebase origin/{trunk}")),
        Act::Worktrees => worktrees(),
        _ if owner != Owner::Own => {
            refuse("that repository or worktree is not yours", "use git in your own worktree, without -C or --git-dir")
        }
        Act::Switch | Act::Branch => refuse("other branches are not yours", "commit on your own branch"),
        Act::Tag => refuse("tags are made when work has landed", "leave them; gt bead comment keeps a note"),
        Act::TakeStash => refuse(
            "the stash is one for all worktrees, so you may take another's",
            "git commit; git stash apply takes nothing away",
        ),
        Act::Discard => refuse(
            "that throws your branch's commits away",
            format!("git rebase origin/{trunk}, or git reset --hard HEAD"),
        ),
        Act::Settings => refuse("git's settings are shared by all worktrees", "git -c name=value for a single command"),
        Act::Refs | Act::Rewrite => {
            refuse("refs and history are others' too", "git commit, git rebase on your own branch")
        }
        Act::Work | Act::Secret if passes_rules(git) => {
            refuse("that switches the worktree's rules off", "leave that setting out")
        }
        Act::Read | Act::Work | Act::Secret => None,
    }
}

/// Whether settings of this call override those of the worktree that enforce the rules.
fn passes_rules(git: &Git<'_>) -> bool {
    git.settings.iter().any(|setting| {
        let name = setting.split('=').next().unwrap_or_default().to_ascii_lowercase();
        name == "core.hookspath" || (name.starts_with("url.") && name.ends_with("insteadof"))
    })
}

fn mayor(act: &Act) -> Option<Refusal> {
    match act {
        Act::Fetch => refuse("the deacon fetches", "gt rig fetch <rig>"),
        _ => refuse("the mayor changes no repository", "make a bead of it and sling it: gt bead create, gt sling"),
    }
}

/// Judges an agent in a person's workspace. It may do what a person may, except that only the refinery moves the trunk.
fn crew(scene: &Scene<'_>, git: &Git<'_>, act: &Act, owner: Owner) -> Option<Refusal> {
    let is_workers = owner == Owner::Town;
    match act {
        Act::Push if pushes_trunk(scene, git) => {
            refuse("the trunk is moved by the refinery only", "push a branch of your own, or sling a bead")
        }
        _ if is_workers => refuse("a worker has that in its hands", "use git in your own workspace"),
        _ => None,
    }
}

fn pushes_trunk(scene: &Scene<'_>, git: &Git<'_>) -> bool {
    if has_option(git.args, &["--all", "--mirror", "--branches"]) {
        return true;
    }
    let mut refs = operands(git).skip(1).peekable();
    let branch = scene.place.branch.as_deref();
    if refs.peek().is_none() {
        return branch.is_none_or(|branch| is_trunk(branch, scene));
    }
    refs.any(|spec| {
        let to = spec.trim_start_matches('+').rsplit(':').next().unwrap_or_default();
        is_trunk(to, scene) || (to == "HEAD" && branch.is_some_and(|branch| is_trunk(branch, scene)))
    })
}
