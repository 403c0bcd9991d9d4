//! A desk: one folder, one fake model, one home, and a client that works there. It uses no part of `gt`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use gt_testkit::fake_model::{Claimed, FakeModel, Script};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Map, Value, json};

use super::client::Account;
use super::terminal::Terminal;
use super::{Outfit, client, processes};
use crate::bench::{finish, path, text};

/// Longest run of a client that nothing delays, and longest wait for anything that it does.
pub const LIMIT: Duration = Duration::from_secs(40);

/// Longest life of the processes that a client leaves behind.
const AFTERLIFE: Duration = Duration::from_secs(10);

/// A desk, as the module describes it.
pub struct Desk {
    /// The desk's folder. Its name is in the environment of every process that runs here.
    pub folder: PathBuf,
    /// The model.
    pub fake: FakeModel,
    program: PathBuf,
    env: BTreeMap<String, String>,
    terminals: Cell<u32>,
}

/// Result of a headless client.
pub struct Ended {
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// Its output, as lines of JSON.
    pub lines: Vec<Value>,
}

impl Ended {
    /// Returns the last line of a kind.
    pub fn last(&self, kind: &str) -> Result<&Value, String> {
        self.lines.iter().rev().find(|line| line["type"] == kind).ok_or_else(|| format!("no line of type {kind}"))
    }
}

impl Desk {
    /// Gives `act` a desk whose model plays `rules`. After a success the folder is deleted, and no process may be left. After a
    /// failure the folder is kept, and its path printed.
    pub fn with(
        outfit: &Outfit,
        rules: &Value,
        act: impl FnOnce(&Self) -> Result<String, String>,
    ) -> Result<String, String> {
        Self::with_account(outfit, Account::Key, rules, act)
    }

    /// Does the same with another account.
    pub fn with_account(
        outfit: &Outfit,
        account: Account,
        rules: &Value,
        act: impl FnOnce(&Self) -> Result<String, String>,
    ) -> Result<String, String> {
        let folder = tempfile::Builder::new().prefix("gt-e2e-").tempdir().map_err(text)?;
        let desk = Self::open(outfit, folder.path(), account, rules)?;
        let result = act(&desk).and_then(|saw| processes::gone(&desk.folder, AFTERLIFE).map(|()| saw));
        if result.is_err() {
            desk.end_all();
        }
        outfit.put_away(folder, result)
    }

    fn open(outfit: &Outfit, folder: &Path, account: Account, rules: &Value) -> Result<Self, String> {
        let folder = folder.canonicalize().map_err(text)?;
        let log = folder.join("model.log");
        let fake = FakeModel::start(script(rules)?, 0, Some(&log)).map_err(text)?;
        let home = folder.join("home");
        let work = folder.join("work");
        for made in [&home, &work, &folder.join("saw")] {
            std::fs::create_dir_all(made).map_err(text)?;
        }
        client::seed(&home, &[&work])?;
        let env = client::environment(&home, &fake.url(), account);
        Ok(Self { folder, fake, program: outfit.client.program.clone(), env, terminals: Cell::new(0) })
    }

    /// Returns the folder where the client works.
    pub fn work(&self) -> PathBuf {
        self.folder.join("work")
    }

    /// Writes hooks into a settings file: at each event, the client's message is saved and `shell` runs. Returns the arguments
    /// that every client here gets.
    pub fn settings(&self, hooks: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let hooks: Map<String, Value> = hooks.iter().map(|(event, shell)| self.hook(event, shell)).collect();
        let file = self.folder.join("settings.json");
        std::fs::write(&file, json!({"hooks": hooks}).to_string()).map_err(text)?;
        let words = ["--settings", &path(&file), "--permission-mode", "bypassPermissions"];
        Ok(words.map(str::to_owned).into())
    }

    fn hook(&self, event: &str, shell: &str) -> (String, Value) {
        let saw = path(&self.folder.join("saw").join(event));
        let command = format!("(tr -d '\\n'; echo) >>'{saw}'; cd '{}'; {shell}", path(&self.folder));
        let hook = json!({"type": "command", "command": command});
        ((*event).to_owned(), json!([{"matcher": "", "hooks": [hook]}]))
    }

    /// Returns the client's messages at an event.
    pub fn saw(&self, event: &str) -> Vec<Value> {
        let lines = std::fs::read_to_string(self.folder.join("saw").join(event)).unwrap_or_default();
        lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Starts the client without a terminal. `input` is its standard input.
    pub fn start(&self, words: &[String], input: Stdio) -> Result<Child, String> {
        self.spawn(Command::new(&self.program), words, input)
    }

    fn spawn(&self, mut command: Command, words: &[String], input: Stdio) -> Result<Child, String> {
        let out = std::fs::File::create(self.folder.join("out")).map_err(text)?;
        let err = std::fs::File::create(self.folder.join("err")).map_err(text)?;
        command.args(words).env_clear().envs(&self.env).current_dir(self.work());
        command.process_group(0).stdin(input).stdout(out).stderr(err);
        command.spawn().map_err(text)
    }

    /// Waits for the end of a client.
    pub fn ended(&self, mut child: Child) -> Result<Ended, String> {
        let status = processes::until("the client's end", LIMIT, || child.try_wait().ok().flatten());
        if status.is_err() {
            let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            // The client may just have ended by itself.
            let _ended = group.map(|group| kill_process_group(group, Signal::KILL));
        }
        let out = std::fs::read_to_string(self.folder.join("out")).unwrap_or_default();
        let lines = out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(Ended { status: status?, lines })
    }

    /// Runs the client to its end, in stream mode, with one prompt.
    pub fn headless(&self, settings: &[String], more: &[&str], prompt: &str) -> Result<Ended, String> {
        self.ended(self.start(&Self::one_prompt(settings, more, prompt), Stdio::null())?)
    }

    /// Does the same on a machine whose administrator has put files into `/etc/claude-code`.
    pub fn managed(&self, files: &[(&str, &Value)], settings: &[String], prompt: &str) -> Result<Ended, String> {
        let etc = self.folder.join("etc");
        let folder = etc.join("claude-code");
        std::fs::remove_dir_all(&folder)
            .or_else(|error| if folder.exists() { Err(error) } else { Ok(()) })
            .map_err(text)?;
        for (name, value) in files {
            let file = folder.join(name);
            std::fs::create_dir_all(file.parent().unwrap_or(&folder)).map_err(text)?;
            std::fs::write(file, value.to_string()).map_err(text)?;
        }
        for name in ["passwd", "group", "hosts", "nsswitch.conf"] {
            // A file that this machine lacks is not needed by the client.
            let _copied = std::fs::copy(Path::new("/etc").join(name), etc.join(name));
        }
        let mut command = Command::new("unshare");
        let mount = "mount --bind \"$0\" /etc && exec \"$@\"";
        command.args(["--mount", "sh", "-c", mount]).arg(&etc).arg(&self.program);
        self.ended(self.spawn(command, &Self::one_prompt(settings, &[], prompt), Stdio::null())?)
    }

    fn one_prompt(settings: &[String], more: &[&str], prompt: &str) -> Vec<String> {
        let mut words = vec!["-p", "--output-format", "stream-json", "--verbose"];
        words.extend(more);
        let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        words.extend(settings.iter().cloned());
        words.push(prompt.to_owned());
        words
    }

    /// Starts the client without a terminal, to get messages through its input.
    pub fn listening(&self, settings: &[String]) -> Result<(Child, ChildStdin), String> {
        let words = ["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"];
        let mut words: Vec<String> = words.map(str::to_owned).into();
        words.extend(settings.iter().cloned());
        let mut child = self.start(&words, Stdio::piped())?;
        let input = child.stdin.take().ok_or("no input")?;
        Ok((child, input))
    }

    /// Sends a message to a listening client, and waits until the client has reported an event `count` times.
    pub fn tell(&self, input: &mut ChildStdin, words: &str, event: &str, count: usize) -> Result<(), String> {
        let message = json!({"type": "user", "message": {"role": "user", "content": words}});
        writeln!(input, "{message}").map_err(text)?;
        processes::until(event, LIMIT, || (self.saw(event).len() == count).then_some(()))
    }

    /// Starts the client in a terminal.
    pub fn interactive(&self, settings: &[String], prompt: &str) -> Result<Terminal, String> {
        self.interactive_in(&self.work(), settings, prompt)
    }

    /// Starts the client in a terminal, in another folder.
    pub fn interactive_in(&self, folder: &Path, settings: &[String], prompt: &str) -> Result<Terminal, String> {
        let mut words = vec![path(&self.program)];
        words.extend(settings.iter().cloned());
        words.push(prompt.to_owned());
        // A server that ends keeps its socket for a moment.
        let socket = self.folder.join(format!("tmux-{}", self.terminals.get()));
        self.terminals.set(self.terminals.get() + 1);
        Terminal::start(&socket, folder, &self.env, &words)
    }

    /// Trusts other folders than [`Self::work`].
    pub fn trust(&self, folders: &[&Path]) -> Result<(), String> {
        client::seed(&self.folder.join("home"), folders)
    }

    /// Runs git in the desk's folder. It must succeed.
    pub fn git(&self, words: &[&str]) -> Result<(), String> {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]).args(words);
        finish(command.env_clear().envs(&self.env).current_dir(&self.folder)).map(|_| ())
    }

    /// Waits until `look` returns true. The error shows the terminal's screen.
    pub fn until(&self, what: &str, terminal: &Terminal, look: impl Fn() -> bool) -> Result<(), String> {
        let found = processes::until(what, LIMIT, || look().then_some(()));
        found.map_err(|why| format!("{why}\n{}", terminal.screen()))
    }

    /// Checks that each of these texts reached the model.
    pub fn heard(&self, texts: &[&str]) -> Result<(), String> {
        let silent: Vec<&str> = texts.iter().filter(|text| !self.fake.heard(text)).copied().collect();
        if silent.is_empty() { Ok(()) } else { Err(format!("never reached the model: {}", silent.join(", "))) }
    }

    /// Returns the lines of a session's transcript.
    pub fn transcript(&self, session: &str) -> Result<Vec<Value>, String> {
        transcript(&self.folder.join("home/.claude"), session)
    }

    /// Returns the usage in the transcript of a session, each message counted once.
    pub fn transcript_usage(&self, session: &str) -> Result<Claimed, String> {
        transcript_usage(&self.folder.join("home/.claude"), session)
    }

    /// Returns the usage of a session's subagents, from the files beside its transcript.
    pub fn subagents_usage(&self, session: &str) -> Result<Claimed, String> {
        let config = self.folder.join("home/.claude");
        let folder = transcript_file(&config, session)?.with_extension("").join("subagents");
        let mut lines = Vec::new();
        for file in std::fs::read_dir(folder).map_err(text)?.flatten().map(|entry| entry.path()) {
            if file.extension().is_some_and(|extension| extension == "jsonl") {
                lines.extend(json_lines(&file)?);
            }
        }
        Ok(usage_of(&lines))
    }

    /// Returns the time and id of each answer in a session's transcript, in order.
    pub fn answers(&self, session: &str) -> Result<Vec<(Value, Value)>, String> {
        let lines = self.transcript(session)?.into_iter().filter(|line| line["type"] == "assistant");
        Ok(lines.map(|line| (line["timestamp"].clone(), line["message"]["id"].clone())).collect())
    }

    /// Kills every process that still runs here.
    pub fn end_all(&self) {
        end_all(&self.folder);
    }
}

/// Kills every process of a folder that still runs.
pub fn end_all(folder: &Path) {
    for (pid, _) in processes::of(folder) {
        // The process may have ended meanwhile.
        let _ended = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
    }
}

/// Makes a script from its rules.
pub fn script(rules: &Value) -> Result<Script, String> {
    Script::parse(&json!({"rules": rules}).to_string()).map_err(|e| format!("the script: {e}"))
}

fn transcript_file(config: &Path, session: &str) -> Result<PathBuf, String> {
    let name = format!("{session}.jsonl");
    let projects = std::fs::read_dir(config.join("projects")).map_err(text)?.flatten();
    let file = projects.map(|entry| entry.path().join(&name)).find(|file| file.is_file());
    file.ok_or_else(|| format!("no transcript of {session}"))
}

fn json_lines(file: &Path) -> Result<Vec<Value>, String> {
    let lines = std::fs::read_to_string(file).map_err(text)?;
    Ok(lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Returns the lines of a session's transcript below a config folder.
pub fn transcript(config: &Path, session: &str) -> Result<Vec<Value>, String> {
    json_lines(&transcript_file(config, session)?)
}

/// Returns the usage of one session in the transcripts below a config folder.
pub fn transcript_usage(config: &Path, session: &str) -> Result<Claimed, String> {
    Ok(usage_of(&transcript(config, session)?))
}

fn usage_of(lines: &[Value]) -> Claimed {
    let mut messages: BTreeMap<String, &Value> = BTreeMap::new();
    for line in lines {
        let message = &line["message"];
        // Messages that the client makes up itself, to show an error, have no tokens.
        if line["type"] == "assistant" && message["model"] != "<synthetic>" {
            messages.insert(message["id"].to_string(), &message["usage"]);
        }
    }
    let sum = |field: &str| messages.values().filter_map(|usage| usage[field].as_u64()).sum();
    Claimed {
        answers: messages.len() as u64,
        input: sum("input_tokens"),
        output: sum("output_tokens"),
        cache_read: sum("cache_read_input_tokens"),
        cache_write: sum("cache_creation_input_tokens"),
    }
}
