//! A hermetic town in a temporary folder: its own home, an environment built from nothing, the built `gt`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test stands outside of gt: it calls it, looks at what is there by itself, and says where its town is"
)]

use gt_model::condition::ConditionKind;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gt::demo::run::kill_hard;
use gt::demo::verify::{Stray, strays};
use gt_world::ProcessId;
use serde_json::Value;

/// The built binary.
pub const GT: &str = env!("CARGO_BIN_EXE_gt");

/// The rig that [`Town::new`] adds.
pub const RIG: &str = "app";

/// Work of every worker: a file named after its bead.
pub const WORK: &str = r#"
[[act]]
step = "implement"
run = ["sh", "-c", 'b=$(git symbolic-ref --short HEAD); b=${b##*/}; mkdir -p work; echo done > "work/${b%-*}.txt"']
commit = "Do the work"
"#;

/// Time after which anything counts as failed. Far more than it needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Result of a call of `gt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit code, or -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Error output.
    pub err: String,
}

/// A temporary folder with a town in it, or before `gt install`, without one.
pub struct Town {
    folder: PathBuf,
    env: BTreeMap<String, String>,
}

impl Town {
    /// Creates folder and home, without a town.
    pub fn nowhere() -> Self {
        let folder = tempfile::Builder::new().prefix("gt-it-").tempdir().unwrap().keep().canonicalize().unwrap();
        let home = folder.join("home");
        std::fs::create_dir(&home).unwrap();
        let path = std::env::var("PATH").unwrap();
        let fixed = [("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("LANG", "C.UTF-8")];
        let mut env: BTreeMap<String, String> = fixed.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        env.insert("HOME".to_owned(), home.display().to_string());
        env.insert("PATH".to_owned(), path);
        std::fs::create_dir(folder.join("play")).unwrap();
        Self { folder, env }
    }

    /// Creates a town without a rig, whose workers are simulated.
    pub fn empty() -> Self {
        let town = Self::nowhere();
        town.ok_at(&town.folder, &["install", "town"]);
        town.settle("");
        town
    }

    /// Creates a town with the rig [`RIG`], which lands green work without approval; its workers do [`WORK`].
    pub fn new() -> Self {
        let town = Self::asking();
        town.edit(&town.rig().join("rig.toml"), |text| text.replace("# landing = \"ask\"", "landing = \"auto\""));
        town
    }

    /// Creates the same town, but its rig lands only what a person approves, as every new rig does.
    pub fn asking() -> Self {
        let town = Self::empty();
        let remote = town.project("main", &[("run-tests", "test ! -e red\n"), ("README.md", "An app\n")]);
        town.ok(&["rig", "add", RIG, &remote.display().to_string(), "--prefix", "ap"]);
        town.play_in_rig(RIG);
        town.script(WORK);
        town
    }

    /// Writes `town.toml`: settings for a quick town, and `more`.
    pub fn settle(&self, more: &str) {
        let quick = "version = 1\nagent = \"sim\"\npatrol_seconds = 1\nlinger_seconds = 2\n";
        write(&self.root().join("town.toml"), format!("{quick}{more}"));
    }

    /// Writes the script that workers play: these acts, at a pace without pauses.
    pub fn script(&self, acts: &str) {
        write(&self.folder.join("script.toml"), acts);
    }

    /// Makes the workers of a rig play the script.
    pub fn play_in_rig(&self, rig: &str) {
        let (script, play) = (self.folder.join("script.toml"), self.folder.join("play"));
        let set = format!("\n[env.set]\nGT_SIM_SCRIPT = {script:?}\nGT_SIM_PLAY_DIR = {play:?}\n");
        self.edit(&self.root().join(rig).join("rig.toml"), |text| text + &set);
    }

    /// Creates a project with one commit on `trunk`, and its bare remote. Returns the remote.
    pub fn project(&self, trunk: &str, files: &[(&str, &str)]) -> PathBuf {
        let project = self.folder.join("project");
        std::fs::create_dir_all(&project).unwrap();
        for (path, text) in files {
            write(&project.join(path), text);
        }
        let remote = self.remote();
        self.git(&self.folder, &["init", "--quiet", "--bare", "--initial-branch", trunk, "origin.git"]);
        self.git(&project, &["init", "--quiet", "--initial-branch", trunk]);
        self.git(&project, &["add", "--all"]);
        self.git(&project, &["commit", "--quiet", "-m", "Begin"]);
        self.git(&project, &["remote", "add", "origin", &remote.display().to_string()]);
        self.git(&project, &["push", "--quiet", "--set-upstream", "origin", trunk]);
        remote
    }

    /// The temporary folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The town's folder.
    pub fn root(&self) -> PathBuf {
        self.folder.join("town")
    }

    /// The folder of [`RIG`].
    pub fn rig(&self) -> PathBuf {
        self.root().join(RIG)
    }

    /// The bare repository of [`RIG`].
    pub fn repo(&self) -> PathBuf {
        self.rig().join(".repo.git")
    }

    /// The project's bare remote.
    pub fn remote(&self) -> PathBuf {
        self.folder.join("origin.git")
    }

    /// The author's checkout of the project.
    pub fn checkout(&self) -> PathBuf {
        self.folder.join("project")
    }

    /// Sets a variable for every call from now on.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    /// Returns a variable of every call.
    pub fn var(&self, name: &str) -> &str {
        &self.env[name]
    }

    /// Builds a command in the town's environment, in `cwd`.
    pub fn program(&self, name: &str, cwd: &Path) -> Command {
        let mut command = Command::new(name);
        command.env_clear().envs(&self.env).current_dir(cwd).stdin(Stdio::null());
        command
    }

    /// Calls `gt` in the town's folder.
    pub fn gt(&self, args: &[&str]) -> Output {
        self.gt_with(&self.root(), &[], args)
    }

    /// Calls `gt` in `cwd` with more variables.
    pub fn gt_with(&self, cwd: &Path, env: &[(&str, &str)], args: &[&str]) -> Output {
        let mut command = self.program(GT, cwd);
        output(command.envs(env.iter().copied()).args(args))
    }

    /// Calls `gt`, which must exit with 0. Returns its output.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> String {
        self.ok_at(&self.root(), args)
    }

    #[track_caller]
    fn ok_at(&self, cwd: &Path, args: &[&str]) -> String {
        let output = self.gt_with(cwd, &[], args);
        assert_eq!(output.code, 0, "gt {}: {output:#?}", args.join(" "));
        output.out
    }

    /// Calls `gt --json`, which must exit with 0.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let text = self.ok(&[args, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("gt {} --json: {e}: {text}", args.join(" ")))
    }

    /// Starts `gt` and does not wait for it.
    pub fn start(&self, env: &[(&str, &str)], args: &[&str]) -> Child {
        let mut command = self.program(GT, &self.root());
        command.envs(env.iter().copied()).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Creates a bead of [`RIG`]. Returns its id.
    pub fn bead(&self, title: &str) -> String {
        text(&self.json(&["bead", "create", title, "--rig", RIG])["id"])
    }

    /// Creates a bead that waits for another.
    pub fn bead_after(&self, title: &str, blocker: &str) -> String {
        text(&self.json(&["bead", "create", title, "--rig", RIG, "--deps", blocker])["id"])
    }

    /// Returns a bead's status.
    pub fn status_of(&self, bead: &str) -> String {
        text(&self.json(&["bead", "show", bead])[0]["status"])
    }

    /// Returns the whole output of `gt why`.
    pub fn why(&self, id: &str) -> Value {
        self.json(&["why", id])["why"].clone()
    }

    /// Returns the events of a bead, oldest first.
    pub fn events(&self, bead: &str) -> Vec<String> {
        let log = self.json(&["log", bead, "-n", "1000"]);
        log["events"].as_array().unwrap().iter().map(|event| text(&event["event"])).collect()
    }

    /// Returns the kinds of the conditions that need a person.
    pub fn conditions(&self) -> Vec<String> {
        let status = self.json(&["status"]);
        let kinds = status["status"]["needs_you"].as_array().unwrap().iter().map(|c| text(&c["kind"]));
        // Text that agents write is not a condition.
        kinds.filter(|kind| *kind != ConditionKind::Mail.as_str()).collect()
    }

    /// Asks the ledger, read-only. Returns the first column of each row.
    pub fn ask(&self, query: &str) -> Vec<String> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let ledger = rusqlite::Connection::open_with_flags(self.root().join(".beads/beads.db"), flags).unwrap();
        let mut statement = ledger.prepare(query).unwrap();
        let value = |row: &rusqlite::Row<'_>| row.get::<_, rusqlite::types::Value>(0);
        let rows = statement.query_map([], value).unwrap();
        rows.map(|value| match value.unwrap() {
            rusqlite::types::Value::Text(text) => text,
            rusqlite::types::Value::Integer(number) => number.to_string(),
            other => format!("{other:?}"),
        })
        .collect()
    }

    /// Returns every row of every table of the ledger.
    pub fn rows(&self) -> Vec<String> {
        let tables = self.ask("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
        let columns = |table: &str| {
            let names = self.ask(&format!("SELECT name FROM pragma_table_info('{table}')"));
            names.iter().map(|name| format!("quote(\"{name}\")")).collect::<Vec<_>>().join(" || ',' || ")
        };
        let rows = |table: &String| {
            let rows = self.ask(&format!("SELECT {} FROM {table}", columns(table)));
            rows.into_iter().map(|row| format!("{table}: {row}")).collect::<Vec<_>>()
        };
        tables.iter().flat_map(rows).collect()
    }

    /// Runs git, which must succeed. Returns its output without the last line end.
    #[track_caller]
    pub fn git(&self, cwd: &Path, args: &[&str]) -> String {
        let mut command = self.program("git", cwd);
        let identity = ["-c", "user.name=Author", "-c", "user.email=author@example.invalid"];
        let output = output(command.args(identity).args(args));
        assert_eq!(output.code, 0, "git {}: {}", args.join(" "), output.err);
        output.out.trim_end().to_owned()
    }

    /// Returns the commit of a branch of the remote.
    pub fn remote_branch(&self, branch: &str) -> String {
        self.git(&self.remote(), &["rev-parse", &format!("refs/heads/{branch}")])
    }

    /// Returns how many commits of the remote's `main` land the bead.
    pub fn landings(&self, bead: &str) -> usize {
        self.landings_on("main", bead)
    }

    /// Returns how many commits of a branch of the remote land the bead.
    pub fn landings_on(&self, branch: &str, bead: &str) -> usize {
        let log = self.git(&self.remote(), &["log", "--format=%(trailers:key=Bead,valueonly)", branch]);
        log.lines().filter(|line| *line == bead).count()
    }

    /// The author pushes a commit to the remote's trunk.
    pub fn push_a_commit(&self, file: &str, content: &str) -> String {
        let project = self.checkout();
        self.git(&project, &["pull", "--quiet", "--rebase"]);
        write(&project.join(file), content);
        self.git(&project, &["add", "--all"]);
        self.git(&project, &["commit", "--quiet", "-m", &format!("Change {file}")]);
        self.git(&project, &["push", "--quiet"]);
        self.git(&project, &["rev-parse", "HEAD"])
    }

    /// Changes a file's text.
    pub fn edit(&self, path: &Path, change: impl FnOnce(String) -> String) {
        let before = std::fs::read_to_string(path).unwrap();
        write(path, change(before));
    }

    /// Marks a point that workers wait for.
    pub fn signal(&self, mark: &str) {
        write(&self.folder.join("play").join(mark), "");
    }

    /// Waits until a worker has marked a point.
    pub fn wait_for_mark(&self, mark: &str) {
        let path = self.folder.join("play").join(mark);
        self.wait_until(&format!("the mark {mark}"), || path.exists());
    }

    /// Waits until a bead is closed.
    pub fn wait_closed(&self, bead: &str) {
        self.wait_until(&format!("{bead} to be closed"), || self.status_of(bead) == "closed");
    }

    /// Waits until no worker and no effect is left.
    pub fn wait_quiet(&self) {
        let open = "SELECT count(*) FROM effects WHERE done_at IS NULL";
        let present = "SELECT count(*) FROM attempts WHERE archived_at IS NULL";
        self.wait_until("everything to be cleared away", || self.ask(open) == ["0"] && self.ask(present) == ["0"]);
    }

    /// Waits, with patience, until `is_so` returns true. Otherwise panics with everything that is worth knowing.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < PATIENCE, "waited in vain for {what}\n{}", self.dump());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for the time that several patrols take.
    pub fn let_patrols_pass(&self) {
        std::thread::sleep(Duration::from_millis(2500));
    }

    /// Returns what a person would look at when something is wrong.
    pub fn dump(&self) -> String {
        let mut text = String::new();
        for args in [&["status"][..], &["mq", "list", "--all"], &["log", "-n", "60"], &["doctor"]] {
            let output = self.gt(args);
            let _ = writeln!(text, "$ gt {}\n{}{}", args.join(" "), output.out, output.err);
        }
        for log in ["deacon.jsonl", "verbs.jsonl"] {
            let content = std::fs::read_to_string(self.root().join("logs").join(log)).unwrap_or_default();
            let _ = writeln!(text, "{log}:\n{content}");
        }
        for session in list(&self.root().join("deacon/sessions")) {
            let log = std::fs::read(session.join("output.log")).unwrap_or_default();
            let tail = String::from_utf8_lossy(&log[log.len().saturating_sub(1500)..]).into_owned();
            let _ = writeln!(text, "{}:\n{tail}", session.display());
        }
        text
    }

    /// Returns the record of a bead's newest session: shim and agent.
    pub fn session(&self, bead: &str) -> (PathBuf, ProcessId, ProcessId) {
        let query = format!(
            "SELECT i.id FROM incarnations i JOIN attempts a ON a.id = i.attempt WHERE a.bead = '{bead}'
             ORDER BY i.attempt DESC, i.number DESC LIMIT 1"
        );
        let id = self.ask(&query).pop().unwrap_or_else(|| panic!("{bead} has no session\n{}", self.dump()));
        let folder = self.root().join("deacon/sessions").join(id);
        let record: Value = serde_json::from_slice(&std::fs::read(folder.join("started.json")).unwrap()).unwrap();
        let process = |name: &str| serde_json::from_value(record[name].clone()).unwrap();
        (folder, process("shim"), process("agent"))
    }

    /// Returns the pid of the town's deacon.
    pub fn deacon(&self) -> Option<i32> {
        self.daemon("deacon run")
    }

    /// Returns the pid of the town's boot.
    pub fn boot(&self) -> Option<i32> {
        self.daemon("boot run")
    }

    /// Returns the pid of a daemon. A forked child also has its command line, until the child becomes git.
    fn daemon(&self, words: &str) -> Option<i32> {
        let all = strays(&self.root()).unwrap();
        let found: Vec<i32> = all.iter().filter(|stray| stray.command.contains(words)).map(|stray| stray.pid).collect();
        found.iter().copied().find(|pid| parent_of(*pid).is_none_or(|parent| !found.contains(&parent)))
    }

    /// Returns the town's running processes: its own, and all that carry an identity of its sessions.
    pub fn running(&self) -> Vec<String> {
        self.leftovers().iter().map(ToString::to_string).collect()
    }

    /// Waits until no process of this town runs. `gt down` waits for the locks of boot and deacon, and a process
    /// releases its lock a moment before it ends.
    pub fn wait_ended(&self) {
        self.wait_until("its processes to end", || self.running().is_empty());
    }

    /// Returns every path below a folder with size and time, to check that nothing was touched.
    pub fn listing(&self, folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        collect(folder, &mut found);
        found.sort();
        found
    }

    /// Returns links in the town that lead to entries of a folder.
    pub fn links_to(&self, folder: &Path) -> Vec<PathBuf> {
        let (mut found, mut open) = (Vec::new(), vec![self.root()]);
        while let Some(at) = open.pop() {
            for path in list(&at) {
                if std::fs::read_link(&path).is_ok_and(|target| target.starts_with(folder)) {
                    found.push(path);
                } else if path.symlink_metadata().is_ok_and(|facts| facts.is_dir()) {
                    open.push(path);
                }
            }
        }
        found
    }

    /// Returns processes that this town started and that still run. A process that only looks at the folder (a shell,
    /// an editor, a user's `rm`) is not the town's, and must not be ended.
    fn leftovers(&self) -> Vec<Stray> {
        let own = [format!("{GT} "), format!("{}/", self.root().join("bin").display())];
        let is_ours = |stray: &Stray| {
            stray.why == "it has an incarnation's identity" || own.iter().any(|own| stray.command.starts_with(own))
        };
        strays(&self.folder).unwrap_or_default().into_iter().filter(is_ours).collect()
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        if self.root().join("town.toml").exists() {
            self.gt(&["down", "--now"]);
        }
        let left = self.leftovers();
        for process in left.iter().filter_map(|stray| identity_of(stray.pid)) {
            kill_hard(&process);
        }
        if std::thread::panicking() {
            eprintln!("kept: {}", self.folder.display());
            return;
        }
        let _ = std::fs::remove_dir_all(&self.folder);
        assert_eq!(left, [], "gt down left processes");
    }
}

/// Returns the identity of a process.
pub fn identity_of(pid: i32) -> Option<ProcessId> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let start_ticks = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
    Some(ProcessId { boot_id, pid, start_ticks })
}

/// Runs a program to its end.
pub fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    finished(&output)
}

/// Waits for a started program. Returns its result.
pub fn finish(child: Child) -> Output {
    finished(&child.wait_with_output().unwrap())
}

fn finished(output: &std::process::Output) -> Output {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Output { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

/// Writes a file, and the folders above it.
pub fn write(path: &Path, text: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Returns a JSON string as text, or other JSON as it is.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the names in a folder, sorted; nothing if the folder does not exist.
pub fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Returns the pid of a process's parent, while the process exists.
fn parent_of(pid: i32) -> Option<i32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn collect(folder: &Path, found: &mut Vec<String>) {
    for path in list(folder) {
        let metadata = path.symlink_metadata().unwrap();
        found.push(format!("{} {}", path.display(), if metadata.is_file() { metadata.len() } else { 0 }));
        if metadata.is_dir() {
            collect(&path, found);
        }
    }
}
