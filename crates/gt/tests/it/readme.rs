//! The README, word by word, in an empty home folder. A stand-in for the client plays the worker; `cargo xtask e2e
//! claude town-readme` does the same with the real one.

#![expect(clippy::disallowed_methods, reason = "a test stands outside of gt: it types what a reader would")]

use std::path::PathBuf;

use gt_testkit::readme::{Block, blocks};

use crate::clients;
use crate::town::{GT, Output, Town, WORK, output, write};

const README: &str = include_str!("../../../../README.md");

/// A person with an empty home, `gt`, a client, and a project.
struct Reader {
    town: Town,
}

impl Reader {
    /// Creates the project as a repository with one commit; the shell commands `more` run in `~/src`.
    fn new(more: &str) -> Self {
        let mut town = Town::nowhere();
        let tools = town.folder().join("tools");
        std::fs::create_dir(&tools).unwrap();
        std::os::unix::fs::symlink(GT, tools.join("gt")).unwrap();
        town.set_env("PATH", &format!("{}:{}", tools.display(), std::env::var("PATH").unwrap()));
        clients::manner(&town, "well");
        town.script(WORK);
        let reader = Self { town };
        let begin = "git init -q -b main app && cd app && echo true > run-tests && git add . && \
                     git -c user.name=A -c user.email=a@example.invalid commit -qm Begin && cd ..";
        let made = reader.types(&format!("mkdir src && cd src && {begin} && {more}; cd ~"));
        assert_eq!(made.code, 0, "{made:?}");
        reader
    }

    fn home(&self) -> PathBuf {
        self.town.folder().join("home")
    }

    /// Types commands into one shell, which stops at the first that fails.
    fn types(&self, commands: &str) -> Output {
        let at = self.town.folder().join("cwd");
        let kept = at.display();
        let line = format!("cd \"$(cat {kept} 2>/dev/null || echo ~)\"\n{commands}\npwd > {kept}");
        let mut bash = self.town.program("bash", &self.home());
        output(bash.args(["-ec", &line]))
    }

    /// Installs the client as a person does who already has `gt`: into a folder that was not in the PATH before.
    fn installs_the_client(&mut self) {
        let later = clients::install_in(&self.town, "later");
        let tools = self.town.folder().join("tools");
        let path = format!("{}:{}:{}", later.display(), tools.display(), std::env::var("PATH").unwrap());
        self.town.set_env("PATH", &path);
    }

    /// Types the blocks of this name. `wait` waits for what each block needs.
    fn follows(&self, name: &str, wait: impl FnMut(&Self, &str)) -> String {
        self.follows_blocks(blocks_of(name), wait)
    }

    fn follows_blocks(&self, blocks: Vec<Block>, mut wait: impl FnMut(&Self, &str)) -> String {
        let mut said = String::new();
        for Block { when, commands, .. } in blocks {
            if let Some(when) = when {
                wait(self, &when);
            }
            let answer = self.types(&commands);
            assert_eq!(answer.code, 0, "{commands}\n{}\n{}", answer.out, answer.err);
            said += &answer.out;
        }
        said
    }

    fn waits_for(&self, what: &str, command: &str, word: &str) {
        self.town.wait_until(what, || self.types(command).out.contains(word));
    }
}

fn blocks_of(name: &str) -> Vec<Block> {
    let all = blocks(README).unwrap();
    let found: Vec<Block> = all.into_iter().filter(|block| block.how == "run" && block.name == name).collect();
    assert!(!found.is_empty(), "the README has no block {name}");
    found
}

/// Returns the commands of the story's first block without its end.
fn first_block() -> String {
    blocks_of("first-hour").remove(0).commands
}

#[test]
fn the_readmes_first_hour_works_as_written() {
    let mut reader = Reader::new("git clone -q --bare app origin.git && git -C app remote add origin ~/src/origin.git");
    let mut rest = blocks_of("first-hour");
    let first = reader.follows_blocks(vec![rest.remove(0)], |_, when| panic!("what is `{when}`?"));
    // In the README `gt` comes first, so `gt` must find what is installed later.
    reader.installs_the_client();
    clients::log_in(&reader.town);
    // A person has answered this in the client's own terminal.
    let trusted = reader.home().join("gt/app/.repo.git").display().to_string();
    reader.town.edit(&reader.home().join(".claude.json"), |text| {
        let mut state: serde_json::Value = serde_json::from_str(&text).unwrap();
        state["projects"] = serde_json::json!({ trusted: { "hasTrustDialogAccepted": true } });
        state.to_string()
    });
    let said = first
        + &reader.follows_blocks(rest, |reader, when| match when {
            "when green" => reader.waits_for("work to be green", "gt status", "gt mq approve mr-"),
            "when landed" => reader.waits_for("work to land", "gt mq list --all", "merged"),
            other => panic!("what is `{other}`?"),
        });
    for words in [
        "work lands on main of",
        "claude may change files, commit and rebase, read, and run gt",
        "needs you:",
        "+done",
        "git fetch ",
        "approved mr-",
        "the town is down",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let landed = reader.types("git -C ~/src/origin.git log -1 --format=%s main");
    assert_eq!(landed.out.trim(), "Greet the reader");
    let checkout = reader.types("git -C ~/src/app status --porcelain && git -C ~/src/app log --format=%s");
    assert_eq!(checkout.out.trim(), "Begin", "the person's own checkout is as it was");
}

#[test]
fn a_bare_repository_is_its_own_remote() {
    let reader = Reader::new("git clone -q --bare app bare && rm -r app && mv bare app");
    let added = reader.types(&first_block());
    assert!(added.code == 0 && added.out.contains("/src/app\n"), "{added:?}");
}

#[test]
fn a_folder_without_a_remote_is_refused_with_two_ways_out() {
    for (way, remote, trunk) in [("make-bare-remote", "src/app.git", "main"), ("land-on", "src/app", "gastown")] {
        let reader = Reader::new("true");
        let refused = reader.types(&first_block());
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(refused.err.contains("--make-bare-remote") && refused.err.contains("--land-on"), "{refused:?}");
        assert_eq!(reader.types("cd ~/gt").code, 0);
        let added = reader.follows(way, |_, when| panic!("what is `{when}`?"));
        assert!(added.contains(&format!("work lands on {trunk} of ")) && added.contains(remote), "{added}");
        let there = reader.types(&format!("git -C ~/{remote} rev-parse --verify -q refs/heads/{trunk}"));
        assert_eq!(there.code, 0, "{there:?}");
        let checkout = reader.types("git -C ~/src/app status --porcelain --branch");
        if way == "make-bare-remote" {
            assert_eq!(checkout.out.trim(), "## main...origin/main", "as in a clone");
            assert_eq!(reader.types("git -C ~/src/app pull --quiet").code, 0);
        }
        assert!(checkout.out.trim().starts_with("## main") && checkout.out.lines().count() == 1, "{checkout:?}");
    }
}

#[test]
fn a_folder_without_a_remote_may_land_on_a_branch_that_is_not_checked_out() {
    let reader = Reader::new("git -C app switch -qc mine");
    let added = reader.types(&first_block().replace("~/src/app ", "~/src/app --branch main "));
    assert!(added.code == 0 && added.out.contains("work lands on main of "), "{added:?}");
}

#[test]
fn the_readmes_settings_work_as_written() {
    let reader = Reader::new("git clone -q --bare app origin.git && git -C app remote add origin ~/src/origin.git");
    let begun = reader.types(&first_block());
    assert_eq!(begun.code, 0, "{begun:?}");
    // Settings for a file work when appended to the generated one.
    let appended = blocks(README).unwrap().into_iter().filter(|block| block.how == "append");
    let count = appended.map(|block| {
        let typed = reader.types(&format!("cat >> {} << 'END'\n{}\nEND\ngt status", block.name, block.commands));
        assert_eq!(typed.code, 0, "{}: {typed:?}", block.commands);
    });
    assert!(count.count() > 0);
    reader.follows("other-agents", |_, _| ());
    reader.follows("worktrees", |_, _| ());
    let said = |key: &str| reader.types(&format!("gt config get {key}")).out.trim().to_owned();
    assert_eq!(said("agent"), "mine");
    assert_eq!(said("worktree.setup"), "npm ci", "the only rig is meant");
    assert_eq!(said("env.set.PORT"), "80{slot}");
    assert_eq!(said("max_polecats"), "4", "what holds without");
    assert_eq!(said("spend.daily_usd"), "100");
    let listed = reader.types("gt config list --set").out;
    assert!(listed.contains("agents.mine.command") && !listed.contains("max_polecats"), "{listed}");

    let edit = |script: &str| reader.types(&format!("EDITOR=\"sed -i '{script}'\" gt config edit"));
    assert_eq!(edit("s/^version = 1$/version = 1\\nmax_polecats = 7/").code, 0);
    assert_eq!(said("max_polecats"), "7");
    let before = reader.types("cat town.toml").out;
    assert!(before.starts_with("# Settings of this town."), "{before}");
    let refused = edit("s/^max_polecats = 7/max_polecats = \\\"x\\\"/");
    assert!(refused.code == 1 && refused.err.contains("what you wrote is in "), "{refused:?}");
    let misplaced = reader.types("gt town set runtime=headless max-polecats=9");
    assert!(misplaced.code == 2 && misplaced.err.contains("one of: max_polecats"), "{misplaced:?}");
    assert_eq!(reader.types("cat town.toml").out, before, "all of it, or nothing");
}

/// The documents that people read.
const DOCUMENTS: &[(&str, &str)] = &[
    ("README.md", README),
    ("agents.md", include_str!("../../../../docs/agents.md")),
    ("ecosystems.md", include_str!("../../../../docs/ecosystems.md")),
    ("security.md", include_str!("../../../../docs/security.md")),
];

/// Creates a town with two fresh rigs: one whose file has no pinned settings, and one that has a gate and a set-up.
fn with_fresh_files() -> Town {
    let town = Town::nowhere();
    assert_eq!(town.gt_with(town.folder(), &[], &["install", "town"]).code, 0);
    let remote = town.project("main", &[("run-tests", "true\n"), (".gitignore", ".env\n")]);
    write(&town.checkout().join(".env"), "A=1\n");
    town.ok(&["rig", "add", "app", &town.checkout().display().to_string(), "--skip-proof"]);
    town.ok(&["rig", "add", "plain", &remote.display().to_string(), "--skip-proof"]);
    town.ok(&["rig", "gates", "remove", "plain", "run-tests"]);
    town
}

#[test]
fn settings_in_the_documents_work_when_appended_and_verbs_change_them() {
    let town = with_fresh_files();
    let files = ["town.toml", "app/rig.toml", "plain/rig.toml"].map(|name| town.root().join(name));
    let fresh = files.each_ref().map(|path| std::fs::read_to_string(path).unwrap());
    assert!(fresh[1].contains("\n[worktree]\n") && fresh[1].contains("\n[[gate]]\n"), "{}", fresh[1]);
    let says_default =
        ["setup_timeout_seconds", "min_free_disk_mb", "\nlanding"].iter().find(|key| fresh[1].contains(**key));
    assert_eq!(says_default, None, "{}", fresh[1]);
    let works = |what: &str| {
        for args in
            [&["config", "list"][..], &["config", "list", "--rig", "app"], &["config", "list", "--rig", "plain"]]
        {
            let listed = town.gt(args);
            assert_eq!(listed.code, 0, "{what}\n{listed:#?}");
        }
    };
    for (name, document) in DOCUMENTS {
        let appended: Vec<Block> =
            blocks(document).unwrap().into_iter().filter(|block| block.how == "append").collect();
        assert_eq!(document.matches("\n```toml\n").count(), appended.len(), "{name}: each block says whose it is");
        for Block { name: file, commands, .. } in appended {
            let of_file = || files.iter().zip(&fresh).filter(|(path, _)| path.ends_with(&file));
            for (path, before) in of_file() {
                write(path, format!("{before}\n{commands}\n"));
            }
            works(&format!("{name}: {commands}"));
            for (rig, key) in [("app", "worktree.submodules"), ("plain", "worktree.lfs")] {
                town.ok(&["rig", "set", rig, &format!("{key}=true"), "env.set.A=1"]);
                assert_eq!(town.ok(&["config", "get", key, "--rig", rig]).trim(), "true");
            }
            town.ok(&["rig", "gates", "add", "app", "more", "true"]);
            town.ok(&["town", "set", "max_polecats=7"]);
            works(&format!("{name}, changed by verbs: {commands}"));
            files.iter().zip(&fresh).for_each(|(path, before)| write(path, before));
        }
    }
}

#[test]
fn repeated_tables_are_joined_and_a_repeated_key_is_reported_with_its_lines() {
    let town = with_fresh_files();
    let path = town.root().join("town.toml");
    let fresh = std::fs::read_to_string(&path).unwrap().replace("# spend.daily_usd", "spend.daily_usd");
    write(&path, format!("{fresh}\n[spend]\ndaily_tokens = 7\n"));
    assert_eq!(town.ok(&["config", "get", "spend.daily_tokens"]).trim(), "7");
    let text = format!("{fresh}\n[spend]\ndaily_usd = 7\n");
    write(&path, &text);
    let line = |words: &str| text.lines().position(|line| line.starts_with(words)).unwrap() + 1;
    let listed = town.gt(&["config", "list"]);
    let words =
        format!("`spend.daily_usd` is given on line {} and on line {}", line("spend.daily_usd"), line("daily_usd"));
    assert!(listed.code != 0 && listed.err.contains(&words), "{listed:#?}");
}
