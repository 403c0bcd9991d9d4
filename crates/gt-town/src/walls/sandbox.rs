//! The sandbox of a rig's workers, of its gates, and of the mayor: bubblewrap limits what an agent's code sees and may change.
//!
//! The code can read everything that is not hidden, and can change only what is named here. So an agent keeps its tools and its
//! network, and gets from the town only what its own work needs. A gate gets less: no client's login, and the ledger read only.
//! `docs/repository-rules.md` and `docs/security.md` say what that stops and what it does not.
//!
//! The sandbox has its own processes: code inside can neither see nor signal those outside. The shim is outside, and sees all
//! processes of its session. A caller inside that lost its identity is recognised by [`SANDBOX_MARK`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gt_model::clients::{Client, State, states};

use crate::town::error::{Error, Result};
use crate::town::layout::settings_file;
use crate::town::layout::{MOMENTS, SESSION_LOGS};
use crate::town::settings::Sandbox;
use crate::town::{Rig, Town};
use gt_ledger::{BACKUPS, LEDGER_LOCK};
use gt_world::LIFE;
use gt_world::{Bwrap, ContainedCommand, Disk, NodeKind, SANDBOX_MARK, SessionPlan};

/// Folders for temporary files; each sandbox has its own.
const TEMPORARY: &[&str] = &["/tmp", "/var/tmp"];

/// Parts of `/run` that stay visible: those for name lookup. The rest has the sockets of all services.
const RUN: &[&str] =
    &["/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager/resolv.conf", "/run/current-system"];

/// Folder below the user's home where programs, clients among them, remember their last run.
const STATE_IN_HOME: &str = ".local/state";

/// The clients' own state below the user's home, logins included: workers may change it, gates do not see it.
fn clients_in_home() -> impl Iterator<Item = &'static str> {
    states().map(|state| state.folder).chain([STATE_IN_HOME])
}

/// Returns the places of a client's state: in the home, and where its variable says.
fn places_of(state: &State, home: &Path, env: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let moved = state.variable.and_then(|name| env.get(name)).map(PathBuf::from);
    [home.join(state.folder)].into_iter().chain(moved.filter(|path| path.is_absolute())).collect()
}

/// Returns the folders that variables set for the state of clients.
fn moved(env: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let variables = states().filter_map(|state| state.variable);
    variables.filter_map(|name| env.get(name)).map(PathBuf::from).filter(|path| path.is_absolute()).collect()
}

/// Returns each client that replaces its state as a whole, with the file's name in the home. Each sandbox begins with a copy,
/// which is discarded at its end.
fn replaced() -> impl Iterator<Item = (Client, &'static str)> {
    Client::ALL.into_iter().filter_map(|client| Some((client, client.state().replaced?)))
}

/// Path of such a file in the sandbox.
fn aside(client: Client) -> String {
    format!("/run/gt-{}.json", client.as_str())
}

/// Returns the sandbox's first command. `$@` is the agent with its own arguments; this shell interprets none of them.
fn start() -> String {
    let copy = |(client, name): (Client, &str)| {
        let aside = aside(client);
        format!(r#"[ ! -e {aside} ] || cp -p {aside} "$HOME/{name}"; "#)
    };
    replaced().map(copy).chain([r#"exec "$@""#.to_owned()]).collect()
}

/// Caches that tools keep below the user's home.
const CACHES_IN_HOME: &[&str] = &[
    ".cache",
    ".npm",
    ".pnpm-store",
    ".local/share/pnpm/store",
    ".yarn/berry",
    ".cargo/registry",
    ".cargo/git",
    "go/pkg",
    ".m2/repository",
    ".gradle/caches",
    ".gradle/wrapper",
    ".gradle/daemon",
];

/// Variables that move such a cache, each with the parts of its folder that may be written; "" means all of it.
const CACHES_BY_VARIABLE: &[(&str, &[&str])] = &[
    ("CARGO_HOME", &["registry", "git"]),
    ("GOPATH", &["pkg"]),
    ("GOMODCACHE", &[""]),
    ("GOCACHE", &[""]),
    ("GRADLE_USER_HOME", &[""]),
    ("npm_config_cache", &[""]),
    ("YARN_CACHE_FOLDER", &[""]),
    ("PIP_CACHE_DIR", &[""]),
    ("UV_CACHE_DIR", &[""]),
    ("NUGET_PACKAGES", &[""]),
    ("XDG_CACHE_HOME", &[""]),
];

/// Variables that move secrets, each with the files below its folder.
const SECRETS_BY_VARIABLE: &[(&str, &[&str])] =
    &[("CARGO_HOME", &["credentials", "credentials.toml"]), ("COMPOSER_HOME", &["auth.json"])];

/// Returns the paths below the folders that variables name.
fn by_variable<'a>(
    table: &'a [(&str, &[&str])],
    env: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = PathBuf> + 'a {
    let named = table.iter().filter_map(|(name, below)| Some((PathBuf::from(env.get(*name)?), below)));
    named
        .filter(|(folder, _)| folder.is_absolute())
        .flat_map(|(folder, below)| below.iter().map(move |at| folder.join(at)))
}

/// Credentials for remotes, forges and clouds; the sandbox shows none of them.
const HIDDEN_IN_HOME: &[&str] = &[
    ".ssh",
    ".git-credentials",
    ".config/git/credentials",
    ".cache/git",
    ".git-credential-cache",
    ".netrc",
    ".config/gh",
    ".config/hub",
    ".config/glab-cli",
    ".gnupg",
    ".password-store",
    ".local/share/keyrings",
    ".aws",
    ".azure",
    ".config/gcloud",
    ".kube",
    ".docker",
    ".pypirc",
    ".cargo/credentials",
    ".cargo/credentials.toml",
];

/// Maximum bytes of a file of git's that holds a path.
const LINK_BYTES: usize = 16 * 1024;

/// Puts the rig's sandbox around a worker's session. Fails where the sandbox is wanted and not available: the town never
/// starts anything without the sandbox that it should have.
pub(crate) fn around(town: &Town, rig: &Rig, worker: &str, plan: SessionPlan) -> Result<SessionPlan> {
    let Some(mut walls) = Walls::begin(town, rig, &plan.env)? else { return Ok(plan) };
    walls.home(&plan.env, Clients::Usable)?;
    walls.town(&plan)?;
    walls.beads(rig);
    walls.repository(rig, worker, &plan.cwd)?;
    walls.remote(rig, &plan.env)?;
    walls.key()?;
    Ok(walls.around_agent(plan))
}

/// Puts the mayor's sandbox around its session. The mayor may write its own folder and the ledger, and reads the trunk and
/// history of each rig. A rig that is added later is visible from the mayor's next session on.
pub(crate) fn around_mayor(town: &Town, plan: SessionPlan) -> Result<SessionPlan> {
    let mut walls = Walls::first(town, mayors_bwrap(town, &plan.env)?, &plan.env);
    let rigs = town.rigs()?;
    walls.home(&plan.env, Clients::Usable)?;
    walls.town(&plan)?;
    for rig in &rigs {
        walls.beads(rig);
        walls.read(&rig.layout.repo());
        // The mayor's worktree in the rig may not exist yet, and be created while the session runs.
        let reading = rig.layout.mayor_worktree();
        walls.folder_to_read(reading.parent().unwrap_or(&reading))?;
    }
    walls.write(&plan.cwd);
    rigs.iter().try_for_each(|rig| walls.remote(rig, &plan.env))?;
    walls.key()?;
    Ok(walls.around_agent(plan))
}

/// Puts the rig's sandbox around a command that the town runs for its agents' work. `None` where no sandbox is wanted, or where
/// the caller is in one already: a command that a worker's own verb runs stays inside the worker's sandbox.
pub(crate) fn around_command(town: &Town, rig: &Rig, command: &ContainedCommand) -> Result<Option<ContainedCommand>> {
    if town.world().sessions().is_in_sandbox() {
        return Ok(None);
    }
    let Some(mut walls) = Walls::begin(town, rig, &command.env)? else { return Ok(None) };
    walls.home(&command.env, Clients::Hidden)?;
    walls.town_to_read(rig)?;
    match Workplace::of(rig, &command.cwd)? {
        Workplace::Worker(worker) => walls.repository(rig, worker, &command.cwd)?,
        Workplace::Other => walls.repository_to_read(rig, &command.cwd)?,
    }
    walls.remote(rig, &command.env)?;
    walls.key()?;
    let argv = walls.around(&command.cwd, command.argv.iter().cloned());
    Ok(Some(ContainedCommand { argv, ..command.clone() }))
}

/// Owner of the worktree where a command runs.
enum Workplace<'a> {
    /// A worker: the command may do there what the worker may.
    Worker(&'a str),
    /// The gates, or a crew member.
    Other,
}

impl<'a> Workplace<'a> {
    /// Finds the owner of a folder, which must be a worktree of the rig: the sandbox lets the command write it.
    fn of(rig: &Rig, folder: &'a Path) -> Result<Self> {
        let below: Vec<&str> = folder
            .strip_prefix(&rig.layout.root)
            .map_or(Vec::new(), |below| below.iter().filter_map(|part| part.to_str()).collect());
        match below.as_slice() {
            ["polecats", worker] => Ok(Self::Worker(worker)),
            ["refinery" | "crew", name] if *name != "logs" => Ok(Self::Other),
            _ => Err(Error::refused(
                format!(
                    "{} is not a worktree of {}, and only its worktrees get the sandbox",
                    folder.display(),
                    rig.name()
                ),
                "a person's gates run on the trunk: gt rig gates run <rig>",
            )),
        }
    }
}

/// Whether the sandbox shows the agents' clients with their logins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clients {
    Usable,
    Hidden,
}

/// Finds the bubblewrap for a rig's workers, and checks that it works.
pub(crate) fn bwrap(town: &Town, rig: &Rig, env: &BTreeMap<String, String>) -> Result<Bwrap> {
    let path = env.get("PATH").map(String::as_str).unwrap_or_default();
    town.world().sessions().bwrap(path).map_err(|why| Error::NeedsPerson {
        what: format!("{} has sandbox = \"bwrap\", but {why}", rig.name()),
        hint: format!("install bubblewrap, or: gt rig set {} sandbox=none", rig.name()),
    })
}

/// Finds the bubblewrap for the mayor, and checks that it works.
pub(crate) fn mayors_bwrap(town: &Town, env: &BTreeMap<String, String>) -> Result<Bwrap> {
    let path = env.get("PATH").map(String::as_str).unwrap_or_default();
    town.world().sessions().bwrap(path).map_err(|why| Error::NeedsPerson {
        what: format!("[mayor] sandbox = \"bwrap\" is set, but {why}"),
        hint: format!("install bubblewrap, or take `sandbox` out of {}", town.layout.settings().display()),
    })
}

fn home_of(env: &BTreeMap<String, String>) -> Option<&Path> {
    env.get("HOME").map(Path::new).filter(|path| path.is_absolute() && path.parent().is_some())
}

/// Whether a path lies in an existing folder of the home that agents may write.
fn is_written(disk: &dyn Disk, home: &Path, path: &Path) -> bool {
    let mut written = CACHES_IN_HOME.iter().copied().chain(clients_in_home()).map(|name| home.join(name));
    written.any(|folder| path.starts_with(&folder) && disk.exists(&folder))
}

/// Turns a path below the home as named into the same path below the home's real place.
fn within(home: &Path, env: &BTreeMap<String, String>, path: PathBuf) -> PathBuf {
    let below = home_of(env).and_then(|named| path.strip_prefix(named).ok());
    below.map(|below| home.join(below)).unwrap_or(path)
}

/// Refuses a folder of PATH whose name lies in a folder that the agent may write while a link leads it out of there.
fn refuse_led_away(written: &[(PathBuf, PathBuf)], named: &Path, folder: &Path) -> Result<()> {
    match written.iter().find(|(usual, real)| named.starts_with(usual) && !folder.starts_with(real)) {
        None => Ok(()),
        Some(_) => Err(Error::NeedsPerson {
            what: format!("{} is in your PATH, and a link leads from there to {}", named.display(), folder.display()),
            hint: "an agent may have put it there: look at it, and remove it or take the folder out of PATH".to_owned(),
        }),
    }
}

/// Whether a path lies in a folder for temporary files; each sandbox has its own.
fn is_temporary(path: &Path) -> bool {
    TEMPORARY.iter().any(|hidden| path.starts_with(hidden) && path != Path::new(hidden))
}

fn temporary_of(env: &BTreeMap<String, String>) -> Option<&Path> {
    env.get("TMPDIR").map(Path::new).filter(|path| path.is_absolute() && path.parent().is_some())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Command line of bubblewrap under construction: later walls cover earlier ones.
struct Walls<'a> {
    town: &'a Town,
    args: Vec<String>,
}

impl<'a> Walls<'a> {
    /// Starts with the walls around the machine; `None` where the rig wants no sandbox.
    fn begin(town: &'a Town, rig: &Rig, env: &BTreeMap<String, String>) -> Result<Option<Self>> {
        if rig.settings.sandbox == Sandbox::None {
            return Ok(None);
        }
        Ok(Some(Self::first(town, bwrap(town, rig, env)?, env)))
    }

    fn first(town: &'a Town, bwrap: Bwrap, env: &BTreeMap<String, String>) -> Self {
        let Bwrap { program, own_processes } = bwrap;
        let mut walls = Self { town, args: vec![text(&program)] };
        walls.machine(env);
        if own_processes {
            walls.args.extend(["--unshare-pid", "--proc", "/proc"].map(str::to_owned));
        }
        walls
    }

    /// Returns the plan of a session whose agent runs in the sandbox.
    fn around_agent(self, plan: SessionPlan) -> SessionPlan {
        let start = ["sh", "-c", &start(), "sh"].map(str::to_owned);
        let argv = self.around(&plan.cwd, start.into_iter().chain(plan.argv));
        SessionPlan { argv, ..plan }
    }

    /// Returns the command line that runs `argv` in the sandbox.
    fn around(mut self, cwd: &Path, argv: impl IntoIterator<Item = String>) -> Vec<String> {
        self.args.extend(["--chdir".to_owned(), text(cwd), "--".to_owned()]);
        self.args.extend(argv);
        self.args
    }

    /// Resolves a path through its links. Nothing can be mounted on a link, so walls stand at its target.
    fn place(&self, path: &Path) -> PathBuf {
        let disk = self.town.world().disk();
        let real = |there: &Path| Some(disk.real_path(there).ok()?.join(path.strip_prefix(there).ok()?));
        let place = path.ancestors().find_map(real).unwrap_or_else(|| path.to_owned());
        // Joining an empty part leaves a slash at the end of a path.
        place.components().collect()
    }

    /// Shows one place at another path.
    fn bind(&mut self, how: &str, from: &Path, to: &Path) {
        let (from, to) = (self.place(from), self.place(to));
        self.args.extend([how.to_owned(), text(&from), text(&to)]);
    }

    /// Shows a path read only, where it exists.
    fn read(&mut self, path: &Path) {
        self.bind("--ro-bind-try", path, path);
    }

    /// Shows a path for reading and writing, where it exists.
    fn write(&mut self, path: &Path) {
        self.bind("--bind-try", path, path);
    }

    /// Puts an empty folder of the sandbox's own at a path.
    fn empty(&mut self, path: &Path) {
        let place = self.place(path);
        self.args.extend(["--tmpfs".to_owned(), text(&place)]);
        // The sandbox hides the outer folders for temporary files, and with them a link there to this place: make it again.
        if place != path && is_temporary(path) {
            self.link(&place, path);
        }
    }

    /// Puts a link of the sandbox's own at a path.
    fn link(&mut self, to: &Path, path: &Path) {
        self.args.extend(["--symlink".to_owned(), text(to), text(path)]);
    }

    /// Hides a path: it is absent or empty in the sandbox. Where it is a link, hides its target.
    fn hide(&mut self, path: &Path) -> Result<()> {
        let (disk, place) = (self.town.world().disk(), self.place(path));
        let outside = [&self.town.layout.root, &self.town.outside.gt].map(|ours| self.place(ours));
        if place != path && outside.iter().any(|ours| ours.starts_with(&place)) {
            return Err(Error::NeedsPerson {
                what: format!("{} leads to {}, which the sandbox can't hide", path.display(), place.display()),
                hint: "replace the link by the folder".to_owned(),
            });
        }
        match disk.kind(&place)? {
            Some(NodeKind::Folder) => self.empty(&place),
            Some(NodeKind::File) => self.bind("--ro-bind", Path::new("/dev/null"), &place),
            // A link without a target.
            Some(NodeKind::Link) | None => {}
        }
        Ok(())
    }

    /// Shows a folder for writing. Makes it first if it does not exist.
    fn folder(&mut self, path: &Path) -> Result<()> {
        self.town.world().disk().create_dir(path)?;
        self.write(path);
        Ok(())
    }

    /// Shows a folder read only. Makes it first if it does not exist, since the agent could make it otherwise.
    fn folder_to_read(&mut self, path: &Path) -> Result<()> {
        self.town.world().disk().create_dir(path)?;
        self.read(path);
        Ok(())
    }

    /// Shows a client's settings read only. Where there are none, writes an empty file: otherwise the agent could make one, and
    /// the user's own client would obey it.
    fn settings(&mut self, path: &Path) -> Result<()> {
        let disk = self.town.world().disk();
        self.refuse_link(path)?;
        if !disk.exists(path) {
            let empty = if path.extension().is_some_and(|extension| extension == "json") { "{}\n" } else { "" };
            disk.write(path, empty.as_bytes())?;
        }
        self.read(path);
        Ok(())
    }

    /// Does the same for what a client runs or reads by itself.
    fn plugins(&mut self, path: &Path) -> Result<()> {
        self.refuse_link(path)?;
        self.folder_to_read(path)
    }

    /// Refuses a link. An agent can't replace a mounted path, but it can replace a link in a folder that it may write.
    fn refuse_link(&self, path: &Path) -> Result<()> {
        if self.town.world().disk().kind(path)? != Some(NodeKind::Link) {
            return Ok(());
        }
        Err(Error::NeedsPerson {
            what: format!("{} is a link that an agent could replace, so the sandbox can't include it", path.display()),
            hint: "replace the link by what it points to".to_owned(),
        })
    }

    fn machine(&mut self, env: &BTreeMap<String, String>) {
        let fixed = ["--die-with-parent", "--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev"];
        self.args.extend(fixed.map(str::to_owned));
        self.empty(Path::new("/run"));
        self.args.extend(["--ro-bind", "/dev/null", SANDBOX_MARK].map(str::to_owned));
        for path in RUN {
            self.read(Path::new(path));
        }
        for folder in TEMPORARY.iter().copied().map(Path::new) {
            self.empty(folder);
        }
        if let Some(folder) = temporary_of(env) {
            self.empty(folder);
        }
    }

    /// Makes a home of the sandbox's own in which a client can create files, and shows the user's home in it read only. Hides
    /// secrets last, so that every path that leads to them leads to nothing.
    fn home(&mut self, env: &BTreeMap<String, String>, clients: Clients) -> Result<()> {
        if let (Some(home), Some(named)) = (self.home_of(env), home_of(env)) {
            self.empty(named);
            self.files_of_home(&home, clients)?;
            self.caches(&home, env);
            if clients == Clients::Usable {
                self.clients(&home, env)?;
            }
            if let Some(folder) = temporary_of(env).filter(|folder| self.place(folder).starts_with(&home)) {
                self.empty(folder);
            }
        }
        let gt = self.town.outside.gt.clone();
        self.read(&gt);
        self.programs(env)?;
        if let Some(home) = self.home_of(env) {
            self.secrets(&home, env)?;
            if clients == Clients::Hidden {
                self.no_clients(&home, env)?;
            }
        }
        Ok(())
    }

    fn files_of_home(&mut self, home: &Path, clients: Clients) -> Result<()> {
        for name in self.town.world().disk().list(home)? {
            let is_client = clients == Clients::Hidden && clients_in_home().any(|folder| folder == name);
            let is_copied = replaced().any(|(_, copied)| copied == name);
            let is_there = !is_copied && !HIDDEN_IN_HOME.contains(&name.as_str()) && !is_client;
            if is_there {
                self.in_home(&home.join(name))?;
            }
        }
        Ok(())
    }

    /// Lets caches be written. A cache inside another one is writable already; a link in its place may be an agent's work.
    fn caches(&mut self, home: &Path, env: &BTreeMap<String, String>) {
        let usual = CACHES_IN_HOME.iter().map(|name| home.join(name));
        let folders: BTreeSet<PathBuf> =
            usual.chain(by_variable(CACHES_BY_VARIABLE, env).map(|path| within(home, env, path))).collect();
        let clients = clients_in_home().map(|name| home.join(name));
        let written: Vec<PathBuf> = folders.iter().cloned().chain(clients).collect();
        let is_inside = |folder: &Path| written.iter().any(|other| folder != other && folder.starts_with(other));
        folders.iter().filter(|folder| !is_inside(folder)).for_each(|folder| self.write(folder));
    }

    /// Hides credentials, and the targets of links in their place.
    fn secrets(&mut self, home: &Path, env: &BTreeMap<String, String>) -> Result<()> {
        let disk = self.town.world().disk();
        for path in HIDDEN_IN_HOME.iter().map(|name| home.join(name)) {
            // Where git's credential cache does not exist yet, an agent could make it, and git outside would send it passwords.
            if is_written(disk, home, &path) && !disk.exists(&path) {
                disk.create_dir(&path)?;
            }
            self.hide(&path)?;
        }
        by_variable(SECRETS_BY_VARIABLE, env).try_for_each(|file| self.hide(&file))
    }

    /// Makes each folder of PATH read only, also one inside a cache that the agent may write. The town outside finds its git by
    /// name in the same folders, so a program that an agent puts there would run outside of the sandbox. A folder of PATH below
    /// `/tmp` is shown again, since the sandbox has a `/tmp` of its own.
    fn programs(&mut self, env: &BTreeMap<String, String>) -> Result<()> {
        let home = self.home_of(env).unwrap_or("/".into());
        let root = self.place(&self.town.layout.root);
        let paths = [env.get("PATH"), self.town.outside.env.get("PATH")];
        let named: BTreeSet<PathBuf> =
            paths.into_iter().flatten().flat_map(|path| path.split(':')).map(PathBuf::from).collect();
        let written = self.written(&home, env);
        for named in named.into_iter().filter(|folder| folder.is_absolute()) {
            let folder = self.place(&named);
            if home.starts_with(&folder) || root.starts_with(&folder) {
                continue;
            }
            refuse_led_away(&written, &within(&home, env, named), &folder)?;
            match written.iter().find(|(_, real)| folder.starts_with(real)) {
                Some((_, real)) => self.programs_in(real, &folder)?,
                None if is_temporary(&folder) || folder.starts_with(&home) => self.read(&folder),
                None => {}
            }
        }
        Ok(())
    }

    /// Makes a folder read only that lies in one which the agent may write. Creates it first, since the agent could otherwise.
    /// Mounts the folders above it too, since a mounted folder can't be renamed.
    fn programs_in(&mut self, written: &Path, folder: &Path) -> Result<()> {
        self.town.world().disk().create_dir(folder)?;
        let above: Vec<&Path> = folder.ancestors().skip(1).take_while(|above| *above != written).collect();
        if folder != written {
            above.into_iter().rev().for_each(|above| self.write(above));
        }
        self.read(folder);
        Ok(())
    }

    /// Returns the folders outside the town that the agent may write, each as named and as resolved.
    fn written(&self, home: &Path, env: &BTreeMap<String, String>) -> Vec<(PathBuf, PathBuf)> {
        let disk = self.town.world().disk();
        let usual = CACHES_IN_HOME.iter().copied().chain(clients_in_home()).map(|name| home.join(name));
        let moved = by_variable(CACHES_BY_VARIABLE, env).chain(moved(env)).map(|path| within(home, env, path));
        let there = usual.chain(moved).filter(|folder| disk.exists(folder));
        there.map(|folder| (folder.clone(), self.place(&folder))).collect()
    }

    /// Shows an entry of the user's home. A link stays a link, so that a path through it meets the same walls.
    fn in_home(&mut self, path: &Path) -> Result<()> {
        let disk = self.town.world().disk();
        if disk.kind(path)? != Some(NodeKind::Link) {
            self.read(path);
            return Ok(());
        }
        let place = self.place(path);
        if place != path {
            self.link(&place, path);
            if is_temporary(&place) && !self.place(&self.town.layout.root).starts_with(&place) {
                self.read(&place);
            }
        }
        Ok(())
    }

    /// Returns the user's home with all links resolved.
    fn home_of(&self, env: &BTreeMap<String, String>) -> Option<PathBuf> {
        home_of(env).map(|home| self.place(home))
    }

    fn clients(&mut self, home: &Path, env: &BTreeMap<String, String>) -> Result<()> {
        for (client, name) in replaced() {
            self.args.extend(["--ro-bind-try".to_owned(), text(&home.join(name)), aside(client)]);
        }
        clients_in_home().for_each(|name| self.write(&home.join(name)));
        for folder in moved(env) {
            self.write(&folder);
        }
        let disk = self.town.world().disk();
        let by_process = states().flat_map(|state| state.by_process).map(|name| home.join(name));
        by_process.filter(|folder| disk.exists(folder)).for_each(|folder| self.empty(&folder));
        states().flat_map(|state| state.programs).for_each(|name| self.read(&home.join(name)));
        for client in states() {
            for place in places_of(client, home, env).into_iter().filter(|place| disk.exists(place)) {
                client.files.iter().try_for_each(|name| self.settings(&place.join(name)))?;
                client.folders.iter().try_for_each(|name| self.plugins(&place.join(name)))?;
            }
        }
        Ok(())
    }

    /// Hides the clients' state at its real place: many users keep such folders elsewhere, and a link in the home.
    fn no_clients(&mut self, home: &Path, env: &BTreeMap<String, String>) -> Result<()> {
        let usual = clients_in_home().map(|name| home.join(name));
        usual.chain(moved(env)).try_for_each(|path| self.hide(&path))
    }

    /// Shows the parts of the town: the ledger, the way to wake the deacon, the session's own folder, and settings to read.
    fn town(&mut self, plan: &SessionPlan) -> Result<()> {
        let layout = &self.town.layout;
        self.empty(&layout.root);
        for path in [layout.settings(), layout.bin(), layout.root.join("directives")] {
            self.read(&path);
        }
        self.ledger()?;
        self.write(&layout.wake());
        self.read(&layout.heartbeat());
        self.session(&plan.dir)?;
        for other in self.town.rigs()? {
            self.read(&other.layout.settings());
        }
        Ok(())
    }

    /// Shows a rig's exported beads, and its formulas.
    fn beads(&mut self, rig: &Rig) {
        if let Some(beads) = rig.layout.export().parent() {
            self.read(beads);
        }
    }

    /// Shows the ledger's folder, in which SQLite creates and removes files. The agent may not use or create others there.
    fn ledger(&mut self) -> Result<()> {
        let layout = &self.town.layout;
        let Some(beads) = layout.ledger().parent().map(Path::to_owned) else { return Ok(()) };
        self.write(&beads);
        self.folder_to_read(&layout.formulas())?;
        self.folder_to_read(&beads.join(BACKUPS))?;
        // An agent can use a mounted file but can't replace it.
        let lock = beads.join(LEDGER_LOCK);
        self.town.world().disk().touch(&lock)?;
        self.write(&lock);
        Ok(())
    }

    /// Shows the parts of a session's folder that its agent and the agent's own `gt` write. Records and their locks belong to the
    /// shim. An agent that could write them could fake its own end; one that could open the locks could hold them.
    fn session(&mut self, dir: &Path) -> Result<()> {
        for name in [MOMENTS, SESSION_LOGS] {
            self.folder(&dir.join(name))?;
        }
        self.town.world().disk().touch(&dir.join(LIFE))?;
        self.write(&dir.join(LIFE));
        self.write(&dir.join("tmp"));
        // The record of how the session was started, which its hooks read.
        self.read(&dir.join("started.json"));
        self.read(&settings_file(dir));
        Ok(())
    }

    /// Shows a gate the parts of the town that `gt` must read to report beads and gates.
    fn town_to_read(&mut self, rig: &Rig) -> Result<()> {
        let layout = &self.town.layout;
        self.empty(&layout.root);
        self.read(&layout.settings());
        self.read(&layout.bin());
        if let Some(beads) = layout.ledger().parent() {
            self.read(beads);
            // A process that can open a lock can hold it.
            self.hide(&beads.join(LEDGER_LOCK))?;
        }
        for other in self.town.rigs()? {
            self.read(&other.layout.settings());
        }
        self.beads(rig);
        Ok(())
    }

    /// Shows a gate the rig's repository read only, and its worktree for writing. The worktree's `.git` stays read only.
    fn repository_to_read(&mut self, rig: &Rig, worktree: &Path) -> Result<()> {
        self.admin_folder(&rig.layout.repo(), worktree)?;
        self.read(&rig.layout.repo());
        self.write(worktree);
        self.read(&worktree.join(".git"));
        Ok(())
    }

    /// Shows a worker the rig's repository: own objects beside the rig's, own refs with their logs, its worktree with git's data.
    fn repository(&mut self, rig: &Rig, worker: &str, worktree: &Path) -> Result<()> {
        let repo = rig.layout.repo();
        let admin = self.admin_folder(&repo, worktree)?;
        self.repository_with_room(rig)?;
        let name = admin.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.own_store(rig, &name, "objects")?;
        self.alternates(rig, &name)?;
        if rig.settings.worktree.lfs {
            self.own_store(rig, &name, "lfs")?;
        }
        self.own_refs(rig, &name, worker)?;
        self.write(&admin);
        for rule in ["config.worktree", "gt-rules", "gitdir", "commondir", "locked"] {
            self.read(&admin.join(rule));
        }
        self.write(worktree);
        self.read(&worktree.join(".git"));
        Ok(())
    }

    /// Shows the whole repository read only, inside a writable folder of the sandbox's own. Git creates `packed-refs.lock` there
    /// whenever it deletes a ref, and it deletes one (`AUTO_MERGE`, `CHERRY_PICK_HEAD`) with most commits. If it could not, each
    /// commit would print an error and a cherry-pick with a conflict would never end. Files that the agent adds there are
    /// visible only in the sandbox, and are gone when it ends.
    ///
    /// Creates an empty `packed-refs` where none exists. A mounted file can't be replaced, so `git pack-refs` fails in the
    /// sandbox; its packed refs would be lost with it. The town never packs refs, since a sandbox would not see the new file.
    fn repository_with_room(&mut self, rig: &Rig) -> Result<()> {
        let (repo, disk) = (rig.layout.repo(), self.town.world().disk());
        self.empty(&repo);
        for folder in [repo.join("info"), rig.layout.own_stores()] {
            disk.create_dir(&folder)?;
        }
        let packed = repo.join("packed-refs");
        if !disk.exists(&packed) {
            disk.touch(&packed)?;
        }
        disk.list(&repo)?.iter().for_each(|name| self.read(&repo.join(name)));
        Ok(())
    }

    /// Shows refs and their logs. The worker reads the rig's, and writes its own branch. Git replaces the file `refs/stash` with
    /// each change, so the folder `refs` itself must be writable: the worker gets its own folder in its place, and other refs
    /// that it makes there are visible only to it. It does not see branches and stashes of other workers, whose objects may
    /// still lie in those workers' own stores.
    fn own_refs(&mut self, rig: &Rig, worktree: &str, worker: &str) -> Result<()> {
        let repo = rig.layout.repo();
        for part in ["refs", "logs/refs"] {
            let (whole, own) = (repo.join(part), rig.layout.own_store(worktree, part));
            for folder in [&whole, &own] {
                self.town.world().disk().create_dir(folder)?;
            }
            self.bind("--bind", &own, &whole);
            for kind in ["heads", "remotes", "tags", "gt", "notes", "replace"] {
                self.folder_to_read(&whole.join(kind))?;
            }
            for workers in ["heads/polecat", "gt/stash"] {
                self.town.world().disk().create_dir(&whole.join(workers))?;
                self.empty(&whole.join(workers));
                self.folder(&whole.join(workers).join(worker))?;
            }
        }
        Ok(())
    }

    /// Replaces a part of the repository by the worker's own, which it may write; shows the rig's part elsewhere, read only.
    fn own_store(&mut self, rig: &Rig, worktree: &str, part: &str) -> Result<()> {
        let (whole, own, aside) =
            (rig.layout.repo().join(part), rig.layout.own_store(worktree, part), rig.layout.shared_store(part));
        for folder in [&whole, &own, &aside] {
            self.town.world().disk().create_dir(folder)?;
        }
        self.bind("--ro-bind", &whole, &aside);
        self.bind("--bind", &own, &whole);
        Ok(())
    }

    /// Writes into the worker's own store of objects where the other objects are. The worker may not change that file, since the
    /// town takes over what it finds in the store.
    fn alternates(&mut self, rig: &Rig, worktree: &str) -> Result<()> {
        let facts = rig.layout.own_store(worktree, "objects").join("info");
        let disk = self.town.world().disk();
        let others = format!("{}\n", text(&rig.layout.shared_store("objects")));
        disk.write(&facts.join("alternates"), others.as_bytes())?;
        self.bind("--ro-bind", &facts, &rig.layout.repo().join("objects/info"));
        Ok(())
    }

    /// Returns the folder where git keeps its data about a worktree. The agent can write the worktree's own pointer to it, so
    /// that pointer counts only where the repository says the same.
    fn admin_folder(&self, repo: &Path, worktree: &Path) -> Result<PathBuf> {
        let disk = self.town.world().disk();
        let read = |file: &Path| -> Result<String> {
            let bytes = disk.read_part(file, 0, LINK_BYTES)?.ok_or_else(|| Error::MissingFile(file.to_owned()))?;
            Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
        };
        let link = worktree.join(".git");
        let said = PathBuf::from(read(&link)?.strip_prefix("gitdir: ").unwrap_or_default());
        let own: PathBuf = link.components().skip(link.components().count().saturating_sub(3)).collect();
        let name = said.file_name().filter(|name| said.ends_with(Path::new(".repo.git/worktrees").join(name)));
        let folder = name.map(|name| repo.join("worktrees").join(name));
        match folder {
            Some(folder) if Path::new(&read(&folder.join("gitdir"))?).ends_with(&own) => Ok(folder),
            _ => Err(Error::NeedsPerson {
                what: format!("{} points outside the rig's repository", link.display()),
                hint: "another program changed it: gt unsling <bead>, then sling it again".to_owned(),
            }),
        }
    }

    /// Hides the overseer's keys at their real places: the town's key, and the key with which git signs. A link to one leads to
    /// nothing.
    fn key(&mut self) -> Result<()> {
        let signs = self.town.world().repo().signing_key()?;
        let keys = self.town.settings.overseer.key_file.iter().chain(&signs).filter(|file| file.is_absolute());
        keys.cloned().collect::<Vec<_>>().iter().try_for_each(|file| self.hide(file))
    }

    /// Hides the project's own repository, where it is on this machine.
    fn remote(&mut self, rig: &Rig, env: &BTreeMap<String, String>) -> Result<()> {
        let remote = rig.row.remote.as_str();
        let remote = Path::new(remote.strip_prefix("file://").unwrap_or(remote));
        if !remote.is_absolute() {
            return Ok(());
        }
        let remote = &self.place(remote);
        let holds_home = self.home_of(env).is_some_and(|home| home.starts_with(remote));
        let holds_ours = holds_home || self.place(&self.town.layout.root).starts_with(remote);
        // The remote contains the town (it may be a person's home): hide what makes it a repository.
        self.hide(&if holds_ours { remote.join(".git") } else { remote.to_owned() })
    }
}
