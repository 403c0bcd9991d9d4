//! The README's "With Claude Code" and first hour, word by word. There is an empty home, the real client, a project, a fake login
//! in the environment, and a model that plays a script; nothing else is prepared. Only the client's very first start, with its
//! login, counts as done, since it wants to reach its maker's servers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use gt_testkit::fake_model::FakeModel;
use gt_testkit::readme::{Block, blocks};
use serde_json::{Value, json};

use super::asking::asked_nothing;
use super::client::{self, Account};
use super::mayor::Plan;
use super::terminal::Terminal;
use super::{Outfit, Scenario, processes, stage, town};
use crate::bench::text;

/// The scenarios of this module.
pub const ALL: &[Scenario] = &[Scenario { name: "town-readme", run: follow }];

const README: &str = include_str!("../../../../README.md");

/// The person's status command, and what it prints for green work.
const STATUS: &str = "gt --town ~/gt status";
const GREEN: &str = "gt mq approve mr-";

/// The person's request to the mayor, and the two beads that the mayor makes of it.
const WISH: Plan = Plan {
    request: "Add a word of welcome",
    file: "run-tests",
    first: "Say welcome",
    second: "Say farewell",
    is_manual: false,
};

/// Longest wait for a worker or the mayor.
const LIMIT: Duration = Duration::from_secs(90);

/// Longest life of the processes that a town leaves behind.
const AFTERLIFE: Duration = Duration::from_secs(20);

/// The client's question about an unknown folder. Its first choice is to leave.
const TRUST: &str = "Is this a project you created";

/// Text on the screen of a client that waits for input.
const PROMPT: &str = "(shift+tab to cycle)";

/// A person with an empty home.
struct Reader {
    folder: PathBuf,
    env: BTreeMap<String, String>,
    terminals: RefCell<u32>,
}

fn follow(outfit: &Outfit) -> Result<String, String> {
    let folder = tempfile::Builder::new().prefix("gt-e2e-").tempdir().map_err(text)?;
    let whole = folder.path().canonicalize().map_err(text)?;
    let result = Reader::new(outfit, &whole).and_then(|(reader, fake)| {
        let saw = reader.reads(&fake);
        // The town is taken down in any case. The result counts only if all went well so far.
        let down = reader.types("gt --town ~/gt down --now");
        saw.and_then(|saw| down.and_then(|_| processes::gone(&whole, AFTERLIFE)).map(|()| saw))
    });
    if result.is_err() {
        stage::end_all(&whole);
    }
    outfit.put_away(folder, result)
}

impl Reader {
    fn new(outfit: &Outfit, folder: &Path) -> Result<(Self, FakeModel), String> {
        let rules = town::polecat_after(&WISH.rules())?;
        let fake = FakeModel::start(rules, 0, Some(&folder.join("model.log"))).map_err(text)?;
        let (home, bin) = (folder.join("home"), folder.join("bin"));
        for made in [&home.join("src"), &bin] {
            std::fs::create_dir_all(made).map_err(text)?;
        }
        std::os::unix::fs::symlink(&outfit.client.program, bin.join("claude")).map_err(text)?;
        std::os::unix::fs::symlink(&outfit.client.gt, bin.join("gt")).map_err(text)?;
        let mut env = client::environment(&home, &fake.url(), Account::Plan);
        // As in a home that nothing has prepared.
        for name in ["CLAUDE_CONFIG_DIR", "CLAUDE_CODE_TMPDIR", "TMPDIR"] {
            env.remove(name);
        }
        env.insert("PATH".to_owned(), format!("{}:{}", bin.display(), env["PATH"]));
        let started = json!({"hasCompletedOnboarding": true});
        std::fs::write(home.join(".claude.json"), started.to_string()).map_err(text)?;
        let reader = Self { folder: folder.to_owned(), env, terminals: RefCell::new(0) };
        reader.types(
            "cd ~/src; git init -q -b main app; cd app; echo true > run-tests; git add .; \
             git -c user.name=A -c user.email=a@example.invalid commit -qm Begin; \
             git clone -q --bare . ../origin.git; git remote add origin ~/src/origin.git; cd ~",
        )?;
        Ok((reader, fake))
    }

    /// Follows the first hour, after Claude Code has got what it needs once.
    fn reads(&self, fake: &FakeModel) -> Result<String, String> {
        let hour = named("run", "first-hour")?;
        let (begin, rest) = hour.split_first().ok_or("no first hour")?;
        self.follows(begin)?;
        // The client's own variables are set where a person would set them.
        let settings = std::fs::read_to_string(self.home().join("gt/town.toml")).map_err(text)?;
        for block in named("run", "trust")? {
            self.follows(&block)?;
        }
        for block in named("type", "trust")? {
            block.commands.lines().try_for_each(|line| self.answers(line))?;
        }
        let with_claude = named("run", "with-claude")?;
        let (mayor, before): (Vec<_>, Vec<_>) = with_claude.into_iter().partition(|block| block.when.is_some());
        before.iter().try_for_each(|block| self.follows(block).map(|_| ()))?;
        self.passes_on(&settings)?;
        for block in rest {
            self.follows(block)?;
        }
        let said = mayor.iter().map(|block| self.follows(block)).collect::<Result<String, _>>()?;
        if !said.contains("Two beads, one after the other") {
            return Err(format!("the mayor has not answered: {said}"));
        }
        let landed = self.types("git -C ~/src/origin.git log --reverse --format=%s main")?;
        if landed.lines().collect::<Vec<_>>() != ["Begin", "Greet the reader", WISH.first, WISH.second] {
            return Err(format!("not landed, or not in this order: {landed}"));
        }
        self.nobody_was_asked(fake)?;
        Ok(format!("from nothing to a bead and the mayor's two, one after the other, {} requests", fake.asked().len()))
    }

    /// Checks that no person was asked in the default mode of rigs and the mayor, and that the dependent bead began after the
    /// first one had landed.
    fn nobody_was_asked(&self, fake: &FakeModel) -> Result<(), String> {
        let settings = self.types("cat ~/gt/town.toml ~/gt/app/rig.toml")?;
        if settings.contains("bypass") || settings.contains("sandbox = \"bwrap\"") {
            return Err(format!("not the default mode: {settings}"));
        }
        let log: Value = serde_json::from_str(&self.types("gt --town ~/gt log --json --last 10000")?).map_err(text)?;
        asked_nothing(fake, &log)?;
        let events = log["events"].as_array().ok_or("no events")?;
        let bead = |title: &str| {
            let made = events.iter().find(|event| event["event"] == "bead-created" && event["after"]["title"] == title);
            made.map(|event| event["subject"].clone()).ok_or_else(|| format!("no bead {title}"))
        };
        let at =
            |what: &str, bead: &Value| events.iter().position(|event| event["event"] == what && &event["bead"] == bead);
        let (landed, begun) = (at("bead-landed", &bead(WISH.first)?), at("attempt-opened", &bead(WISH.second)?));
        if landed.is_none() || begun < landed {
            return Err(format!("the second was begun at {begun:?}, the first landed at {landed:?}"));
        }
        Ok(())
    }

    fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// Passes on the fake model's address, which is part of the test and not of the story.
    fn passes_on(&self, settings: &str) -> Result<(), String> {
        const NAMES: &[&str] =
            &["ANTHROPIC_BASE_URL", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "CLAUDE_CODE_MAX_RETRIES"];
        let lines: Vec<String> = NAMES.iter().map(|name| format!("{name} = {}", json!(self.env[*name]))).collect();
        let text_of = format!("agents.claude.env = {{ {} }}\n{settings}", lines.join(", "));
        std::fs::write(self.home().join("gt/town.toml"), text_of).map_err(text)
    }

    /// Types commands into one shell.
    fn types(&self, commands: &str) -> Result<String, String> {
        let kept = self.folder.join("cwd");
        let kept = kept.display();
        let line = format!("cd \"$(cat {kept} 2>/dev/null || echo ~)\"\n{commands}\npwd > {kept}");
        let mut bash = Command::new("bash");
        bash.args(["-ec", &line]).env_clear().envs(&self.env).current_dir(self.home()).stdin(Stdio::null());
        let output = bash.output().map_err(text)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        Err(format!("{commands}\n{said}{}", String::from_utf8_lossy(&output.stderr)))
    }

    fn follows(&self, block: &Block) -> Result<String, String> {
        match block.when.as_deref() {
            None | Some("mayor") => {}
            Some("when green") => self.waits_for(STATUS, GREEN)?,
            Some("when landed") => self.waits_for("gt --town ~/gt mq list --all", "merged")?,
            Some("each time it is green") => {
                self.waits_for(STATUS, GREEN)?;
                self.types(&block.commands)?;
                self.waits_for(STATUS, GREEN)?;
            }
            Some("when built") => self.waits_for("gt --town ~/gt mail inbox", "Built")?,
            Some(other) => return Err(format!("what is `{other}`?")),
        }
        self.types(&block.commands)
    }

    fn waits_for(&self, command: &str, word: &str) -> Result<(), String> {
        processes::until(word, LIMIT, || self.types(command).ok()?.contains(word).then_some(()))
            .map_err(|why| format!("{why}\n{}", self.types("gt --town ~/gt status").unwrap_or_else(|error| error)))
    }

    /// Types a line that starts the client into a terminal, answers the client's questions, and leaves it.
    fn answers(&self, line: &str) -> Result<(), String> {
        let number = self.terminals.replace_with(|number| *number + 1);
        let socket = self.folder.join(format!("tmux-{number}"));
        let words = ["bash", "-c", line].map(str::to_owned);
        let terminal = Terminal::start(&socket, &self.home(), &self.env, &words)?;
        let shows = |words: &'static str| {
            let found = processes::until(words, LIMIT, || terminal.screen().contains(words).then_some(()));
            found.map_err(|why| format!("{why}\n{}", terminal.screen()))
        };
        shows(TRUST)?;
        terminal.trusts()?;
        shows(PROMPT)?;
        terminal.type_line("/exit")?;
        processes::until("the client's end", LIMIT, || terminal.pid().is_err().then_some(()))
    }
}

fn named(how: &str, name: &str) -> Result<Vec<Block>, String> {
    let all = blocks(README)?.into_iter();
    let found: Vec<Block> = all.filter(|block| block.how == how && block.name == name).collect();
    if found.is_empty() { Err(format!("the README has no block {how}: {name}")) } else { Ok(found) }
}
