//! A town whose workers are the real client.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use gt_testkit::fake_model::{Claimed, FakeModel, Script};
use serde_json::{Value, json};

use super::client::Account;
use super::stage::{self, script};
use super::{Outfit, client, processes};
use crate::bench::{finish, path, text};

/// The rig's name.
pub const RIG: &str = "app";

/// The prefix of its beads' ids.
const PREFIX: &str = "ap";

/// Number of lines in the project's notes.
const ITEMS: usize = 60;

/// Longest wait for anything that a town does with a few workers.
pub const LIMIT: Duration = Duration::from_secs(90);

/// Longest life of the processes that a town leaves behind.
const AFTERLIFE: Duration = Duration::from_secs(20);

/// How sessions get their input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// In a terminal.
    Tmux,
    /// Without a terminal.
    Headless,
}

impl Runtime {
    /// Returns the word in settings.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tmux => "tmux",
            Self::Headless => "headless",
        }
    }
}

/// A person's settings of a town.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The runtime of its sessions.
    pub runtime: Runtime,
    /// How quickly the town acts, as lines of town.toml.
    pub pace: &'static str,
    /// Permissions of workers without asking, as a line of rig.toml.
    pub may: &'static str,
}

impl Terms {
    /// Terms that let workers work without asking, so that no test waits.
    pub fn quick(runtime: Runtime) -> Self {
        let pace = "patrol_seconds = 1\nback_off_seconds = 1\nlinger_seconds = 2";
        Self { runtime, pace, may: "trust = \"bypass\"" }
    }
}

/// A town with its project and its model. It runs from its making on.
pub struct TownStage {
    /// The stage's folder. Its name is in the environment of every process that runs here.
    pub folder: PathBuf,
    /// The model.
    pub fake: FakeModel,
    gt: PathBuf,
    env: BTreeMap<String, String>,
    /// Number of beads made so far.
    made: RefCell<usize>,
}

impl TownStage {
    /// Gives `act` a town whose model plays `rules` before the polecat's (worker's) ordinary ones. After a success the town is
    /// taken down, no process may be left, and the folder is deleted. After a failure the folder is kept, and its path printed.
    pub fn with(
        outfit: &Outfit,
        runtime: Runtime,
        rules: &Value,
        act: impl FnOnce(&Self) -> Result<String, String>,
    ) -> Result<String, String> {
        Self::on(outfit, Terms::quick(runtime), rules, act)
    }

    /// Does the same with other terms.
    pub fn on(
        outfit: &Outfit,
        terms: Terms,
        rules: &Value,
        act: impl FnOnce(&Self) -> Result<String, String>,
    ) -> Result<String, String> {
        let folder = tempfile::Builder::new().prefix("gt-e2e-").tempdir().map_err(text)?;
        let whole = folder.path().canonicalize().map_err(text)?;
        let result = Self::open(outfit, &whole, terms, rules).and_then(|town| {
            let saw = act(&town);
            // The town is taken down in any case. The result counts only if all went well so far.
            let down = town.gt(&["down", "--now"]);
            saw.and_then(|saw| down.and_then(|_| processes::gone(&whole, AFTERLIFE)).map(|()| saw))
        });
        if result.is_err() {
            stage::end_all(&whole);
        }
        outfit.put_away(folder, result)
    }

    fn open(outfit: &Outfit, folder: &Path, terms: Terms, rules: &Value) -> Result<Self, String> {
        let fake = FakeModel::start(polecat_after(rules)?, 0, Some(&folder.join("model.log"))).map_err(text)?;
        let home = folder.join("home");
        // The client trusts a worktree by the folder of its repository, whatever is above that folder.
        let root = folder.join("town");
        client::seed(&home, &[&root.join(RIG).join(".repo.git"), &root.join("mayor")])?;
        let mut env = client::environment(&home, &fake.url(), Account::Plan);
        // A key in a person's environment must not pay: it is not passed to workers.
        let (name, key) = Account::Key.variable();
        env.insert(name.to_owned(), key.to_owned());
        // Not a link to the program: in a sandbox the link's target may be missing.
        let bin = outfit.client.program.parent().ok_or("the client has no folder")?;
        env.insert("PATH".to_owned(), format!("{}:{}", bin.display(), env["PATH"]));
        let town = Self { folder: folder.to_owned(), fake, gt: outfit.client.gt.clone(), env, made: RefCell::new(0) };
        town.make_project()?;
        town.gt(&["install", &path(&town.root())])?;
        std::fs::write(town.root().join("town.toml"), town.settings(terms)).map_err(text)?;
        town.gt(&["rig", "add", RIG, &path(&folder.join("remote.git")), "--prefix", PREFIX, "--skip-proof"])?;
        town.gt(&["rig", "gates", "add", RIG, "fine", "true"])?;
        town.trust(terms)?;
        town.gt(&["rig", "release", RIG])?;
        town.gt(&["up"])?;
        Ok(town)
    }

    /// Returns `town.toml`: the client with its default settings, the test's account, and limits that don't make a test wait.
    fn settings(&self, terms: Terms) -> String {
        let env: Vec<String> = self.client_env().map(|(name, value)| format!("{name} = {}", json!(value))).collect();
        format!(
            "version = 1\nagent = \"claude\"\nmax_polecats = 10\nruntime = \"{}\"\n{}\n\n[agents.claude.env]\n{}\n",
            terms.runtime.word(),
            terms.pace,
            env.join("\n")
        )
    }

    /// Yields the variables that concern only the client. The account is not among them: it is the overseer's to set.
    fn client_env(&self) -> impl Iterator<Item = (&String, &String)> {
        const CLIENTS: &[&str] = &["ANTHROPIC_", "CLAUDE_", "DISABLE_", "IS_SANDBOX"];
        let accounts = [Account::Key, Account::Plan].map(|account| account.variable().0);
        let others = self.env.iter().filter(move |(name, _)| !accounts.contains(&name.as_str()));
        others.filter(|(name, _)| CLIENTS.iter().any(|prefix| name.starts_with(prefix)))
    }

    /// Writes a person's decisions about the rig: green work lands, and what workers may do.
    fn trust(&self, terms: Terms) -> Result<(), String> {
        let file = self.root().join(RIG).join("rig.toml");
        let settings = std::fs::read_to_string(&file).map_err(text)?;
        let said =
            |line: &&str| ["landing ", "trust ", "sandbox "].iter().any(|key| line.trim_start().starts_with(key));
        let others = settings.lines().filter(|line| !said(line));
        let lines: Vec<&str> = ["landing = \"auto\"", terms.may].into_iter().chain(others).collect();
        std::fs::write(&file, lines.join("\n") + "\n").map_err(text)
    }

    /// Returns the town's folder.
    pub fn root(&self) -> PathBuf {
        self.folder.join("town")
    }

    fn make_project(&self) -> Result<(), String> {
        let work = self.folder.join("work");
        std::fs::create_dir_all(&work).map_err(text)?;
        std::fs::write(work.join("README"), "A project.\n").map_err(text)?;
        let items: String = (1..=ITEMS).map(|item| format!("todo-{item:02}\n")).collect();
        std::fs::write(work.join("check.sh"), "test -e notes.txt\n").map_err(text)?;
        std::fs::write(work.join("notes.txt"), format!("THE-NOTES\n{items}")).map_err(text)?;
        let git = |words: &[&str]| finish(self.command("git").args(words));
        let (dir, remote) = (path(&work), path(&self.folder.join("remote.git")));
        git(&["init", "-q", "-b", "main", &dir])?;
        git(&["-C", &dir, "add", "."])?;
        git(&["-C", &dir, "commit", "-q", "-m", "Begin"])?;
        git(&["clone", "-q", "--bare", &dir, &remote]).map(|_| ())
    }

    /// Returns a command that runs as the town's person would run it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.env).env("GT_TOWN", self.root()).current_dir(&self.folder);
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Test").env(format!("GIT_{role}_EMAIL"), "test@example.invalid");
        }
        command.stdin(Stdio::null());
        command
    }

    /// Returns the `gt` under test.
    pub fn program(&self) -> &Path {
        &self.gt
    }

    /// Runs one verb and returns its output.
    pub fn gt(&self, words: &[&str]) -> Result<String, String> {
        finish(self.command(&self.gt).args(words))
    }

    /// Runs one verb and returns its facts (JSON).
    pub fn facts(&self, words: &[&str]) -> Result<Value, String> {
        serde_json::from_str(&self.gt(&[words, &["--json"]].concat())?).map_err(text)
    }

    /// Makes a bead and slings it. Returns its id.
    pub fn sling(&self, title: &str) -> Result<String, String> {
        Ok(self.sling_all(&[title])?.remove(0))
    }

    /// Makes beads and slings them together.
    pub fn sling_all(&self, titles: &[&str]) -> Result<Vec<String>, String> {
        let beads = self.beads(titles)?;
        let mut words = vec!["sling"];
        words.extend(beads.iter().map(String::as_str));
        words.push(RIG);
        self.gt(&words)?;
        Ok(beads)
    }

    /// Makes beads and returns their ids.
    pub fn beads(&self, titles: &[&str]) -> Result<Vec<String>, String> {
        let mut beads = Vec::new();
        let mut lines = String::new();
        for title in titles {
            *self.made.borrow_mut() += 1;
            let id = format!("{PREFIX}-t{:02}", self.made.borrow());
            let at = "2026-01-02T03:04:05Z";
            let line = json!({"id": id, "title": title, "status": "open", "priority": 2, "issue_type": "task",
                "created_at": at, "updated_at": at, "description": "DESCRIPTION-OF-THE-BEAD"});
            lines += &format!("{line}\n");
            beads.push(id);
        }
        let file = self.folder.join("beads.jsonl");
        std::fs::write(&file, lines).map_err(text)?;
        self.gt(&["bead", "import", &path(&file)])?;
        Ok(beads)
    }

    /// Waits until a bead is closed.
    pub fn closed(&self, bead: &str) -> Result<(), String> {
        self.until(&format!("{bead} closed"), || {
            let shown = self.facts(&["bead", "show", bead]).ok()?;
            (shown[0]["status"] == "closed").then_some(())
        })
    }

    /// Waits until a bead has landed.
    pub fn landed(&self, bead: &str) -> Result<(), String> {
        self.closed(bead)?;
        self.has_landed_file(&format!("{bead}.txt"))
    }

    /// Checks that the remote's trunk has a file.
    pub fn has_landed_file(&self, file: &str) -> Result<(), String> {
        let remote = path(&self.folder.join("remote.git"));
        finish(self.command("git").args(["-C", &remote, "cat-file", "-e", &format!("main:{file}")])).map(|_| ())
    }

    /// Waits until `look` finds something. The error describes the town's state.
    pub fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> Result<T, String> {
        processes::until(what, LIMIT, look).map_err(|why| {
            let status = self.gt(&["status"]).unwrap_or_else(|error| error);
            format!("{why}\n{status}")
        })
    }

    /// Returns the sessions of a bead, oldest first, ended ones included.
    pub fn sessions(&self, bead: &str) -> Result<Vec<Value>, String> {
        let all = self.facts(&["session", "list", "--all"])?;
        let all = all["sessions"].as_array().cloned().ok_or("no sessions")?;
        Ok(all.into_iter().filter(|session| session["bead"] == bead).collect())
    }

    /// Checks that the transcripts of all sessions agree with what the model claimed for them. Returns the number of tokens.
    pub fn usage_agrees(&self) -> Result<u64, String> {
        let mut tokens = 0;
        for session in self.fake.sessions() {
            let claimed = self.fake.claimed(&session);
            let counted = stage::transcript_usage(&self.folder.join("home/.claude"), &session)?;
            if claimed != counted {
                return Err(format!("claimed {claimed:?}, transcript {counted:?}"));
            }
            tokens += claimed.input + claimed.output;
        }
        Ok(tokens)
    }

    /// Whether a transcript has an answer with these words.
    pub fn has_written(&self, words: &str) -> bool {
        let transcript = |id: &String| stage::transcript(&self.folder.join("home/.claude"), id).unwrap_or_default();
        let says = |line: &Value| line["type"] == "assistant" && line.to_string().contains(words);
        self.fake.sessions().iter().any(|id| transcript(id).iter().any(says))
    }

    /// Returns the claimed usage for the turns of all sessions.
    pub fn claimed(&self) -> Claimed {
        let sessions = self.fake.sessions();
        sessions.iter().map(|id| self.fake.claimed(id)).fold(Claimed::default(), |sum, of| Claimed {
            answers: sum.answers + of.answers,
            input: sum.input + of.input,
            output: sum.output + of.output,
            cache_read: sum.cache_read + of.cache_read,
            cache_write: sum.cache_write + of.cache_write,
        })
    }

    /// Returns the usage that the town has counted, from its own report's row of that name.
    pub fn counted(&self, words: &[&str], key: &str) -> Result<Claimed, String> {
        let facts = self.facts(words)?;
        let rows = facts["cost"]["report"]["rows"].as_array().cloned().unwrap_or_default();
        let row = rows.iter().find(|row| row["key"] == key).ok_or_else(|| format!("nothing of {key}: {facts}"))?;
        let number = |name: &str| row[name].as_u64().unwrap_or_default();
        Ok(Claimed {
            answers: number("answers"),
            input: number("input"),
            output: number("output"),
            cache_read: number("cache_read"),
            cache_write: number("cache_write_5m") + number("cache_write_1h"),
        })
    }

    /// Returns the first condition of a kind that needs a person, if there is one.
    pub fn condition(&self, kind: &str) -> Option<Value> {
        let status = self.facts(&["status"]).ok()?;
        let conditions = status["status"]["needs_you"].as_array()?.clone();
        conditions.into_iter().find(|condition| condition["kind"] == kind)
    }

    /// Returns the worktree of a bead's live worker.
    pub fn worktree(&self, session: &Value) -> Result<PathBuf, String> {
        let name = session["address"].as_str().and_then(|address| address.rsplit('/').next());
        Ok(self.root().join(RIG).join("polecats").join(name.ok_or_else(|| format!("no address: {session}"))?))
    }

    /// Whether a process that descends from an agent's session has these words in its command line.
    pub fn agents_have(&self, words: &str) -> bool {
        let marked =
            processes::of(&self.folder).into_iter().filter(|(pid, _)| processes::has_variable(*pid, "GT_INCARNATION"));
        marked.into_iter().any(|(_, line)| line.contains(words))
    }

    /// Checks that each of these texts reached the model.
    pub fn heard(&self, texts: &[&str]) -> Result<(), String> {
        let silent: Vec<&str> = texts.iter().filter(|text| !self.fake.heard(text)).copied().collect();
        if silent.is_empty() { Ok(()) } else { Err(format!("never reached the model: {}", silent.join(", "))) }
    }
}

/// Returns the script of a polecat (worker) that first does something of its own.
pub fn polecat_after(rules: &Value) -> Result<Script, String> {
    let mut all = rules.as_array().cloned().unwrap_or_default();
    all.extend(polecat());
    script(&Value::Array(all))
}

/// Returns the rules by which a polecat works: by what it was told last, never by the number of requests.
fn polecat() -> Vec<Value> {
    let bash = |command: &str| json!([{"tool": "Bash", "input": {"command": command, "description": "a step"}}]);
    // A shell command for a change that no other worker makes. A second run changes nothing.
    let implement = "echo work >{{bead}}.txt; git add . && (git diff --cached --quiet || git commit -qm 'Do {{bead}}'); \
                     gt step done implement";
    let bead = "On your hook: (?<bead>[a-z]+-[a-z0-9]+)";
    let review = "gt rig fetch; git rebase -q origin/main; gt step done {{step}}";
    let rules = json!([
        {"name": "over", "when": {"new": "Submitted as|Already submitted|hook is empty"}, "text": "My turn is over."},
        {"name": "stuck", "when": {"result": "error: "}, "text": "I am stuck."},
        {"name": "implement", "when": {"new": "Step \\d of \\d: implement", "anywhere": bead}, "calls": bash(implement)},
        {"name": "rebase", "when": {"new": "Step \\d of \\d: (?<step>prepare-for-review)"}, "calls": bash(review)},
        {"name": "submit", "when": {"new": "Step \\d of \\d: submit-and-exit"}, "calls": bash("gt done")},
        {"name": "step", "when": {"new": "Step \\d of \\d: (?<step>[\\w-]+)"}, "calls": bash("gt step done {{step}}")},
        {"name": "prime", "calls": bash("gt prime")},
    ]);
    rules.as_array().cloned().unwrap_or_default()
}
