//! Tests with the real git, in temporary folders.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_model::id::Sha;

use super::Git;
use super::command::{Answer, Place};
use crate::real::RealDisk;
use crate::{Disk as _, Held, ObjectFormat, Repo as _, WorktreePlan};

mod broken_refs;
mod candidates;
mod checkouts;
mod drivers;
mod health;
mod history;
mod hostile;
mod large_files;
mod locks;
mod personal;
mod receiving;
mod remotes;
mod repositories;
mod rules;
mod snapshots;
mod stores;
mod submodules;
mod traps;
mod worktrees;

/// A rig's repository, the project's own one, and a folder for worktrees.
struct Rig {
    git: Git,
    dir: tempfile::TempDir,
    held: Held,
}

impl Rig {
    /// Makes the rig of a project whose trunk `main` holds one commit with the file `base`.
    fn new() -> Self {
        Self::empty().filled()
    }

    fn filled(self) -> Self {
        let rig = self;
        let origin = rig.at("origin");
        rig.run(&rig.at(""), "init", &["--quiet", "--bare", "--initial-branch=main", "origin"]);
        rig.run(&rig.at(""), "clone", &["--quiet", "origin", "seed"]);
        let first = rig.commit(&rig.at("seed"), "base", "base\n");
        rig.run(&rig.at("seed"), "push", &["--quiet", "origin", "HEAD:refs/heads/main"]);
        rig.git.create(&rig.held, &rig.repo(), origin.to_str().unwrap(), ObjectFormat::Sha1).unwrap();
        let branches = rig.git.fetch(&rig.held, &rig.repo()).unwrap();
        assert_eq!(branches.get("main"), Some(&first));
        rig
    }

    /// Makes an empty folder, and a git that sees no user's configuration.
    fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut git = Git { lock_patience: Duration::from_millis(40), ..Git::default() };
        git.environment.retain(|(name, _)| name == "PATH");
        for (name, value) in [("HOME", dir.path().to_str().unwrap()), ("GIT_CONFIG_NOSYSTEM", "1")] {
            git.environment.push((name.into(), value.into()));
        }
        git.environment.push(("GIT_CONFIG_GLOBAL".into(), "/dev/null".into()));
        let held = RealDisk.try_lock(&dir.path().join("lock")).unwrap().unwrap();
        Self { git, dir, held }
    }

    fn at(&self, name: &str) -> PathBuf {
        let root = self.dir.path().canonicalize().unwrap();
        if name.is_empty() { root } else { root.join(name) }
    }

    fn repo(&self) -> PathBuf {
        self.at("rig.git")
    }

    /// Returns the address of the project's own repository.
    fn url(&self) -> String {
        self.at("origin").to_str().unwrap().to_owned()
    }

    /// Runs git in a folder, as a person or a worker there would.
    fn try_run(&self, folder: &Path, verb: &str, args: &[&str]) -> Answer {
        self.git.question(&Place::Folder(folder.to_owned()), verb).args(args).answer().unwrap()
    }

    fn run(&self, folder: &Path, verb: &str, args: &[&str]) -> String {
        let answer = self.try_run(folder, verb, args);
        assert_eq!(answer.code, 0, "{verb} {args:?}: {}", answer.stderr);
        answer.line()
    }

    /// Writes a file in a checkout and commits it, with a fixed author.
    fn commit(&self, folder: &Path, name: &str, text: &str) -> Sha {
        fs::copy(self.file(text), folder.join(name)).unwrap();
        self.run(folder, "add", &["-A"]);
        let call = self.git.question(&Place::Folder(folder.to_owned()), "commit").args(["--quiet", "-m", name]);
        let call = call.env("GIT_AUTHOR_NAME", "Ann Author").env("GIT_AUTHOR_EMAIL", "ann@example.com");
        let call = call.env("GIT_AUTHOR_DATE", "@1700000000 +0230");
        call.env("GIT_COMMITTER_NAME", "Cy").env("GIT_COMMITTER_EMAIL", "cy@example.com").ok().unwrap();
        self.head(folder)
    }

    /// Writes a file with this text, outside all repositories.
    fn file(&self, text: &str) -> PathBuf {
        let path = self.at("text");
        RealDisk.write(&path, text.as_bytes()).unwrap();
        path
    }

    fn head(&self, folder: &Path) -> Sha {
        Sha::from(self.run(folder, "rev-parse", &["HEAD"]))
    }

    fn trunk(&self) -> Sha {
        self.git.refs(&self.repo()).unwrap()["refs/remotes/origin/main"].clone()
    }

    /// Makes a plan for a worker's worktree that starts at the trunk.
    fn plan(&self, name: &str) -> WorktreePlan {
        let identity = ("vt/polecats/nux".to_owned(), "nux@gt.localhost".to_owned());
        let branch = Some(format!("polecat/{name}"));
        WorktreePlan { path: self.at(name), branch, start: self.trunk(), identity, remote: None }
    }

    /// Makes a worker's worktree at the trunk.
    fn worktree(&self, name: &str) -> PathBuf {
        let plan = self.plan(name);
        self.git.add_worktree(&self.held, &self.repo(), &plan).unwrap();
        plan.path
    }

    /// Returns the text of a file in a commit.
    fn text_in(&self, commit: &Sha, name: &str) -> String {
        self.run(&self.repo(), "show", &[&format!("{commit}:{name}")])
    }
}

/// Writes a file, without the precautions for the town's own files.
fn put(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
    RealDisk.write(path.as_ref(), text.as_ref()).unwrap();
}
