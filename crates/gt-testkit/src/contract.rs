//! The contract of every [`World`], as checks that run against any of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_model::id::Sha;
use gt_model::keep::Keep;
use gt_world::ledger_repo::{FileSource, LEDGER_REF, git_folder};
use gt_world::{
    Candidate, Change, FolderFacts, Held, ObjectFormat, Push, Referred, Repo, Rules, SAY_LIMIT_BYTES, Said,
    SessionPlan, Sessions, WorktreeFacts, WorktreePlan, World, WorldError, user_message,
};

/// Acts of a worker in its worktree, as far as the contract needs them. A method that fails panics.
pub trait WorkerHands {
    /// Writes a text file.
    fn write_file(&self, worktree: &Path, file: &str, text: &str);
    /// Reads a text file in a worktree or an archived one; `None` if there is none.
    fn read_file(&self, worktree: &Path, file: &str) -> Option<String>;
    /// Removes a file.
    fn remove_file(&self, worktree: &Path, file: &str);
    /// Commits all changes, untracked files included, as the worktree's own worker.
    fn commit_all(&self, worktree: &Path, message: &str) -> Sha;
}

/// Files that the remote of [`check_repo_contract`] must have on its only branch, `main`.
pub const REMOTE_FILES: &[(&str, &str)] =
    &[(".gitignore", "build/\n"), ("README.md", "one\ntwo\nthree\nfour\nfive\n"), ("src/main.txt", "start\n")];

/// Checks [`Repo`] against its contract. The remote at `remote_url` must have one commit, of [`REMOTE_FILES`], on its only branch
/// `main`, and must accept pushes. The check changes it for good. `root` is an empty folder outside all repositories.
///
/// # Panics
///
/// If the world breaks its contract.
pub fn check_repo_contract(world: &dyn World, remote_url: &str, root: &Path, worker: &dyn WorkerHands) {
    world.disk().create_dir(root).unwrap();
    let held = world.disk().lock(&root.join("lock"), Duration::from_secs(10)).unwrap().expect("the lock is free");
    let repo = root.join("rig").join(".repo.git");
    world.disk().create_dir(&root.join("rig")).unwrap();
    let git = world.repo();
    assert!(world.disk().is_same(root, root).unwrap());
    for other in [root.join("rig"), root.join("nowhere")] {
        assert!(!world.disk().is_same(root, &other).unwrap(), "{}", other.display());
    }
    assert!(!world.disk().is_same(&root.join("nowhere"), &root.join("nowhere")).unwrap(), "nothing is there");
    let contract = Contract { git, held: &held, url: remote_url, root, repo: &repo, worker };
    contract.creates_and_fetches();
    contract.reports_remotes_that_are_not_there();
    contract.moves_refs_by_compare_and_swap();
    contract.adds_worktrees();
    contract.answers_on_history();
    contract.knows_what_a_branch_brings();
    contract.squashes();
    contract.reports_conflicts();
    contract.pushes_by_compare_and_swap();
    contract.snapshots_the_whole_state();
    contract.gives_snapshots_back();
    contract.keeps_gate_worktrees();
    contract.has_no_submodules_where_there_are_none();
    contract.knows_who_moved_a_branch();
    contract.archives();
    check_ledger_repo(world, &held, remote_url, &root.join("towns"));
}

/// Checks the ledger's repositories ([`World::ledger_repo`]) against their contract, with two towns that meet at a remote without
/// a ledger's branch.
fn check_ledger_repo(world: &dyn World, held: &Held, url: &str, towns: &Path) {
    const THEIRS: &str = "refs/gt/sync/theirs";
    let (git, repo) = (world.ledger_repo(), world.repo());
    let [one, other] = ["one", "other"].map(|name| {
        let town = towns.join(name);
        world.disk().create_dir(&town).unwrap();
        assert_eq!(git.at(&git_folder(&town), LEDGER_REF).unwrap(), None, "there is no repository yet");
        git.make(held, &town).unwrap();
        git.make(held, &town).unwrap();
        git_folder(&town)
    });
    let bytes = |text: &str| FileSource::Bytes(text.as_bytes().to_vec());
    let files = BTreeMap::from([("a/x.jsonl".to_owned(), bytes("one\n")), ("b \"c".to_owned(), bytes(""))]);
    let first = git.commit_files(held, &one, &files, &[], "First").unwrap();
    assert_eq!(git.at(&one, LEDGER_REF).unwrap(), None, "a commit moves no ref");
    assert_eq!(git.commit_files(held, &one, &files, std::slice::from_ref(&first), "Again").unwrap(), first);
    let facts = git.files(&one, &first).unwrap();
    assert_eq!(facts.keys().collect::<Vec<_>>(), ["a/x.jsonl", "b \"c"]);
    assert_eq!((facts["a/x.jsonl"].bytes, git.content(&one, &facts["a/x.jsonl"]).unwrap()), (4, b"one\n".to_vec()));
    let both = [&facts["b \"c"], &facts["a/x.jsonl"]];
    assert_eq!(git.contents(&one, &both).unwrap(), [Vec::new(), b"one\n".to_vec()], "in the order of the question");
    assert_eq!(git.contents(&one, &[]).unwrap(), Vec::<Vec<u8>>::new());
    repo.set_ref(held, &one, LEDGER_REF, &first, None).unwrap();

    assert_eq!(git.fetch_ledger(held, &other, url, THEIRS).unwrap(), None, "the remote has none yet");
    assert_eq!(git.push_ledger(held, &one, url, &first, None).unwrap(), Push::Done);
    assert_eq!(git.push_ledger(held, &one, url, &first, None).unwrap(), Push::Done, "it is there already");
    assert_eq!(git.fetch_ledger(held, &other, url, THEIRS).unwrap(), Some(first.clone()));
    let known = BTreeMap::from([("a/x.jsonl".to_owned(), FileSource::Known(facts["a/x.jsonl"].id.clone()))]);
    let second = git.commit_files(held, &other, &known, std::slice::from_ref(&first), "Second").unwrap();
    assert_ne!(second, first, "a file is gone");
    let alone = git.commit_files(held, &other, &known, &[], "Alone").unwrap();
    assert_eq!(git.push_ledger(held, &other, url, &alone, None).unwrap(), Push::Moved);
    assert!(git.push_ledger(held, &other, url, &alone, Some(&first)).is_err(), "the first would be lost");
    assert_eq!(git.push_ledger(held, &other, url, &second, Some(&first)).unwrap(), Push::Done);
    let both = git.commit_files(held, &other, &known, &[second, alone.clone()], "Both").unwrap();
    assert!(repo.contains(&other, &both, &alone).unwrap() && repo.contains(&other, &both, &first).unwrap());
    assert_eq!(repo.merge_bases(&other, &both, &alone).unwrap(), [alone]);
    let nowhere = towns.join("nowhere").display().to_string();
    let lost = git.fetch_ledger(held, &one, &nowhere, THEIRS);
    assert!(matches!(lost, Err(WorldError::Unreachable { .. })), "{lost:?}");
    git.tidy(held, &one).unwrap();
}

/// Checks [`Sessions::say`] against its contract, with an agent that reads its input and never ends by itself. `plan` is for a
/// session without a terminal and without an input. The check uses up its folder and two folders beside it.
///
/// # Panics
///
/// If the sessions break the contract.
pub fn check_say_contract(sessions: &dyn Sessions, plan: &SessionPlan) {
    let say = |dir: &Path, line: &str| sessions.say(dir, line);
    let deaf = plan.dir.clone();
    assert_eq!(say(&deaf, "hello").unwrap(), Said::NoWay, "it was never started");
    sessions.start(plan).unwrap();
    assert_eq!(say(&deaf, "hello").unwrap(), Said::NoWay, "it has no input");

    let hears = SessionPlan { dir: deaf.with_extension("hears"), input: Some(user_message("first")), ..plan.clone() };
    sessions.start(&hears).unwrap();
    assert_eq!(say(&hears.dir, "hello").unwrap(), Said::Sent);
    assert_eq!(say(&hears.dir, &"x".repeat(SAY_LIMIT_BYTES)).unwrap(), Said::Sent);
    for unfit in ["two\nlines", "a\u{1b}[key", &"x".repeat(SAY_LIMIT_BYTES + 1)] {
        assert!(say(&hears.dir, unfit).is_err(), "{unfit:?}");
        assert!(say(&deaf, unfit).is_err(), "{unfit:?}");
    }
    for dir in [&deaf, &hears.dir] {
        sessions.end(dir, Duration::from_millis(100)).unwrap();
        assert_eq!(say(dir, "hello").unwrap(), Said::NoWay, "it has ended");
    }
}

/// State of one run of the checks.
struct Contract<'a> {
    git: &'a dyn Repo,
    held: &'a Held,
    url: &'a str,
    root: &'a Path,
    repo: &'a Path,
    worker: &'a dyn WorkerHands,
}

impl Contract<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.root.join("rig").join(name)
    }

    fn fetch(&self) -> BTreeMap<String, Sha> {
        self.git.fetch(self.held, self.repo).unwrap()
    }

    fn trunk(&self) -> Sha {
        self.fetch()["main"].clone()
    }

    fn refs(&self) -> BTreeMap<String, Sha> {
        self.git.refs(self.repo).unwrap()
    }

    fn facts(&self, path: &Path) -> WorktreeFacts {
        self.git.worktree(self.repo, path).unwrap().expect("a worktree")
    }

    fn plan(&self, name: &str, start: &Sha) -> WorktreePlan {
        WorktreePlan {
            path: self.path(name),
            branch: Some(format!("polecat/{name}/vt-a1-1")),
            start: start.clone(),
            identity: (name.to_owned(), format!("{name}@example.org")),
            remote: None,
        }
    }

    /// Makes a new worktree of a worker, from the current trunk.
    fn worktree(&self, name: &str) -> PathBuf {
        let plan = self.plan(name, &self.trunk());
        self.git.add_worktree(self.held, self.repo, &plan).unwrap();
        plan.path
    }

    /// Makes a new worktree, and writes and commits `file` in it. Returns the commit too.
    fn worked(&self, name: &str, file: &str, text: &str) -> (PathBuf, Sha) {
        let path = self.worktree(name);
        self.worker.write_file(&path, file, text);
        let commit = self.worker.commit_all(&path, &format!("Work of {name}"));
        (path, commit)
    }

    fn squash(&self, onto: &Sha, head: &Sha) -> Candidate {
        self.git.squash(self.held, self.repo, onto, head, "Squashed\n\nGt-Mr: mr-1").unwrap()
    }

    fn squashed(&self, onto: &Sha, head: &Sha) -> Sha {
        match self.squash(onto, head) {
            Candidate::Clean { commit, .. } => commit,
            other => panic!("expected a clean squash, not {other:?}"),
        }
    }

    fn push(&self, branch: &str, new: &Sha, expected: Option<&Sha>) -> Push {
        self.git.push(self.held, self.repo, branch, new, expected).unwrap()
    }

    fn creates_and_fetches(&self) {
        assert_eq!(self.git.folder(&self.path("")).unwrap(), FolderFacts::NoRepository);
        self.git.create(self.held, self.repo, self.url, ObjectFormat::Sha1).unwrap();
        assert_eq!(self.git.folder(self.repo).unwrap(), FolderFacts::Bare);
        let asked = self.git.ask_remote(self.url).unwrap();
        assert_eq!(asked.head_branch.as_deref(), Some("main"));
        assert_eq!(asked.branches.keys().collect::<Vec<_>>(), ["main"]);
        assert_eq!(self.fetch(), asked.branches);
        assert_eq!(self.refs().get("refs/remotes/origin/main"), asked.branches.get("main"));

        let refs = self.refs();
        self.git.create(self.held, self.repo, self.url, ObjectFormat::Sha1).unwrap();
        assert_eq!(self.fetch(), asked.branches);
        assert_eq!(self.refs(), refs, "done again, nothing changes");
    }

    fn reports_remotes_that_are_not_there(&self) {
        let url = self.path("no-remote").display().to_string();
        let asked = self.git.ask_remote(&url);
        assert!(matches!(asked, Err(WorldError::Unreachable { .. })), "{asked:?}");
        let lost = self.path("lost.git");
        self.git.create(self.held, &lost, &url, ObjectFormat::Sha1).unwrap();
        let fetched = self.git.fetch(self.held, &lost);
        assert!(matches!(fetched, Err(WorldError::Unreachable { .. })), "{fetched:?}");
    }

    fn moves_refs_by_compare_and_swap(&self) {
        let (main, name) = (self.trunk(), "refs/gt/pin/one");
        let (_, other) = self.worked("refs", "refs.txt", "1\n");
        let set = |to: &Sha, expected: Option<&Sha>| self.git.set_ref(self.held, self.repo, name, to, expected);
        assert!(set(&main, Some(&other)).is_err(), "it is not there");
        set(&main, None).unwrap();
        set(&main, None).unwrap();
        assert!(set(&other, None).is_err(), "it is there");
        assert!(set(&other, Some(&other)).is_err(), "it is elsewhere");
        assert_eq!(self.refs()[name], main);
        set(&other, Some(&main)).unwrap();
        assert_eq!(self.refs()[name], other);
        assert!(set(&Sha("0123456789".repeat(4)), Some(&other)).is_err(), "there is no such commit");
        for _ in 0..2 {
            self.git.delete_ref(self.held, self.repo, name).unwrap();
            assert!(!self.refs().contains_key(name));
        }
    }

    fn adds_worktrees(&self) {
        let main = self.trunk();
        let plan = self.plan("amber", &main);
        let branch = plan.branch.clone().unwrap();
        assert_eq!(self.git.worktree(self.repo, &plan.path).unwrap(), None);
        let add = |plan: &WorktreePlan| self.git.add_worktree(self.held, self.repo, plan);
        add(&plan).unwrap();
        let clean = WorktreeFacts { branch: Some(branch.clone()), head: main, dirty: Vec::new() };
        assert_eq!(self.facts(&plan.path), clean);
        assert_eq!(self.worker.read_file(&plan.path, "src/main.txt").as_deref(), Some("start\n"));

        self.worker.write_file(&plan.path, "README.md", "changed\n");
        self.worker.write_file(&plan.path, "new.txt", "new\n");
        self.worker.write_file(&plan.path, "build/out", "ignored\n");
        let dirty = WorktreeFacts { dirty: vec!["README.md".into(), "new.txt".into()], ..clean };
        let mut seen = self.facts(&plan.path);
        seen.dirty.sort();
        assert_eq!(seen, dirty);
        add(&plan).unwrap();
        assert_eq!(self.worker.read_file(&plan.path, "README.md").as_deref(), Some("changed\n"), "kept as it is");

        assert!(add(&WorktreePlan { branch: Some("elsewhere".into()), ..plan.clone() }).is_err(), "another branch");
        assert!(add(&WorktreePlan { path: self.path("twice"), ..plan.clone() }).is_err(), "checked out already");
        let commit = self.worker.commit_all(&plan.path, "Change");
        assert_eq!(
            self.facts(&plan.path),
            WorktreeFacts { branch: Some(branch.clone()), head: commit.clone(), dirty: vec![] }
        );
        assert_eq!(self.refs()[&format!("refs/heads/{branch}")], commit);
    }

    fn answers_on_history(&self) {
        let (main, head) = (self.trunk(), self.facts(&self.path("amber")).head);
        let contains = |descendant: &Sha, ancestor: &Sha| self.git.contains(self.repo, descendant, ancestor);
        assert!(contains(&head, &main).unwrap());
        assert!(contains(&head, &head).unwrap());
        assert!(!contains(&main, &head).unwrap());
        assert_eq!(self.git.commits_between(self.repo, &main, &head).unwrap(), 1);
        assert_eq!(self.git.commits_between(self.repo, &head, &main).unwrap(), 0);
        let bases = |one: &Sha, other: &Sha| self.git.merge_bases(self.repo, one, other);
        assert_eq!(bases(&main, &head).unwrap(), std::slice::from_ref(&main));
        assert_eq!(bases(&head, &head).unwrap(), std::slice::from_ref(&head));
        assert_ne!(self.git.tree_of(self.repo, &main).unwrap(), self.git.tree_of(self.repo, &head).unwrap());
        let unknown = Sha("0123456789".repeat(4));
        let share = |tips: &[&Sha], known: &[&Sha], heads: &[&Sha]| {
            let [tips, known, heads] =
                [tips, known, heads].map(|of| of.iter().map(|sha| (*sha).clone()).collect::<Vec<_>>());
            self.git.share_news(self.repo, &tips, &known, &heads).unwrap()
        };
        assert!(share(&[&head], &[&main], &[&main, &head]));
        assert!(share(&[&main, &head], &[&unknown, &main], &[&unknown, &head]));
        assert!(!share(&[&head], &[&main], &[&main]), "what both have was known");
        assert!(!share(&[&head], &[&head], &[&head]), "nothing is new");
        assert!(!share(&[&head], &[&main], &[]) && !share(&[], &[], &[&head]) && !share(&[&unknown], &[], &[&head]));
        assert!(contains(&head, &unknown).is_err(), "unknown is an error, not `false`");
        assert!(contains(&unknown, &head).is_err());
        assert!(bases(&unknown, &head).is_err());
        assert!(self.git.commits_between(self.repo, &unknown, &head).is_err());
        assert!(self.git.tree_of(self.repo, &unknown).is_err());
    }

    fn knows_what_a_branch_brings(&self) {
        let (git, repo, main) = (self.git, self.repo, self.trunk());
        let (path, first) = self.worked("brings", "brings.txt", "1\n");
        self.worker.write_file(&path, "other.txt", "2\n");
        let second = self.worker.commit_all(&path, "Other");
        let known = |known: &[&Sha]| known.iter().map(|sha| (*sha).clone()).collect::<Vec<_>>();
        let commits = git.commits_of(repo, &second, &known(&[&main, &Sha("0123456789".repeat(4))])).unwrap();
        assert_eq!(commits.iter().map(|c| &c.commit).collect::<Vec<_>>(), [&second, &first], "newest first");
        assert!(commits.iter().all(|c| c.parents == 1 && c.committer.ends_with("brings")), "{commits:?}");
        assert!(git.commits_of(repo, &second, &known(&[&second])).unwrap().is_empty());

        assert!(git.brings(repo, &main, &second).unwrap());
        assert!(!git.brings(repo, &second, &main).unwrap() && !git.brings(repo, &second, &first).unwrap());
        let one = self.squashed(&main, &first);
        let (both, undone) = (self.squashed(&one, &second), self.undone(&path, &main));
        assert!(!git.brings(repo, &both, &second).unwrap(), "it is there, by other commits");
        assert!(!git.brings(repo, &main, &undone).unwrap(), "it was taken back");
        assert!(git.still_has(repo, &both, &one).unwrap() && git.still_has(repo, &second, &one).unwrap());
        assert!(!git.still_has(repo, &main, &one).unwrap());

        assert_eq!(git.find_commit(repo, &one.as_str()[..10]).unwrap(), Some(one.clone()));
        assert_eq!(git.find_commit(repo, one.as_str()).unwrap(), Some(one.clone()));
        for text in ["HEAD", "main", "", "--all", "0123456789abcdef", &one.as_str()[..4]] {
            assert_eq!(git.find_commit(repo, text).unwrap(), None, "{text}");
        }
        let touching = |path: &str| git.touching(repo, &main, &both, &[path.to_owned()]).unwrap();
        assert_eq!(
            touching("brings.txt").into_iter().map(|c| c.commit).collect::<Vec<_>>(),
            std::slice::from_ref(&one)
        );
        assert!(touching("brings*").is_empty() && touching("README.md").is_empty());
        let asked = known(&[&one, &both, &main, &first, &Sha("0123456789".repeat(4))]);
        assert_eq!(git.missing_from(repo, &both, &asked).unwrap().into_iter().collect::<Vec<_>>(), [first]);
        assert!(git.missing_from(repo, &both, &[]).unwrap().is_empty());
    }

    /// Commits in a worktree the reversal of all its changes since `to`.
    fn undone(&self, path: &Path, to: &Sha) -> Sha {
        let head = self.facts(path).head;
        for file in self.git.changed_paths(self.repo, to, &head).unwrap().into_keys() {
            self.worker.remove_file(path, &file);
        }
        self.worker.commit_all(path, "Undo")
    }

    fn squashes(&self) {
        let main = self.trunk();
        let (top, first) = self.worked("top", "README.md", "ONE\ntwo\nthree\nfour\nfive\n");
        let (_, bottom) = self.worked("bottom", "README.md", "one\ntwo\nthree\nfour\nFIVE\n");
        self.worker.write_file(&top, "src/more.txt", "more\n");
        let second = self.worker.commit_all(&top, "More");
        assert!(self.git.contains(self.repo, &second, &first).unwrap());
        let refs = self.refs();
        let one = self.squash(&main, &second);
        let Candidate::Clean { commit, tree } = &one else { panic!("{one:?}") };
        assert_eq!(self.squash(&main, &second), one, "the same input gives the same commit");
        assert_eq!(self.git.commits_between(self.repo, &main, commit).unwrap(), 1);
        assert_eq!(self.git.tree_of(self.repo, commit).unwrap(), *tree);
        assert_eq!(self.git.tree_of(self.repo, &second).unwrap(), *tree);

        let both = self.squashed(commit, &bottom);
        assert_eq!(self.git.commits_between(self.repo, commit, &both).unwrap(), 1);
        let merged = self.gate("squashes", &both);
        assert_eq!(self.worker.read_file(&merged, "README.md").as_deref(), Some("ONE\ntwo\nthree\nfour\nFIVE\n"));
        assert_eq!(self.squash(&both, &second), Candidate::Empty);
        assert_eq!(self.squash(&both, &main), Candidate::Empty);
        assert_eq!(self.refs(), refs, "it moves no ref");
    }

    fn reports_conflicts(&self) {
        let (_, left) = self.worked("left", "README.md", "LEFT\ntwo\nthree\nfour\nfive\n");
        let (_, right) = self.worked("right", "README.md", "RIGHT\ntwo\nthree\nfour\nfive\n");
        let onto = self.squashed(&self.trunk(), &left);
        assert_eq!(self.squash(&onto, &right), Candidate::Conflict { files: vec!["README.md".into()] });
    }

    fn pushes_by_compare_and_swap(&self) {
        let main = self.trunk();
        let (_, work) = self.worked("pushed", "pushed.txt", "1\n");
        let (_, late) = self.worked("late", "late.txt", "1\n");
        let (new, other) = (self.squashed(&main, &work), self.squashed(&main, &late));
        assert_eq!(self.push("main", &new, Some(&main)), Push::Done);
        assert_eq!(self.push("main", &new, Some(&main)), Push::Done, "done again, it is done");
        assert_eq!(self.trunk(), new);
        assert_eq!(self.push("main", &other, Some(&main)), Push::Moved);
        assert_eq!(self.push("main", &other, None), Push::Moved);
        assert_eq!(self.trunk(), new, "nothing changed");
        assert!(self.git.push(self.held, self.repo, "main", &main, Some(&new)).is_err(), "that would lose commits");
        assert_eq!(self.trunk(), new, "nothing changed");
        assert_eq!(self.push("side", &other, Some(&main)), Push::Moved, "it is not there");
        assert_eq!(self.push("side", &other, None), Push::Done);
        assert_eq!(self.fetch(), BTreeMap::from([("main".into(), new), ("side".into(), other)]));
    }

    fn snapshots_the_whole_state(&self) {
        let (path, head) = self.worked("snapped", "committed.txt", "1\n");
        self.worker.write_file(&path, "committed.txt", "2\n");
        self.worker.write_file(&path, "deep/untracked.txt", "3\n");
        self.worker.write_file(&path, "build/out", "ignored\n");
        let before = self.facts(&path);
        let name = "refs/gt/snap/a1";
        let snap = |message: &str| self.git.snapshot(self.held, self.repo, &path, name, message).unwrap();
        let first = snap("First");
        assert_eq!(first.skipped, Vec::<String>::new());
        assert_eq!(self.refs()[name], first.commit);
        assert_eq!(snap("First"), first, "nothing has changed since");
        assert_eq!(self.facts(&path), before, "the worktree is as before");
        assert_eq!(self.git.commits_between(self.repo, &head, &first.commit).unwrap(), 1);

        self.worker.write_file(&path, "committed.txt", "4\n");
        let second = snap("Second");
        assert_eq!(self.refs()[name], second.commit);
        assert!(self.git.contains(self.repo, &second.commit, &first.commit).unwrap(), "the one before stays");
        assert!(self.git.contains(self.repo, &second.commit, &head).unwrap());
        let gate = self.gate("snapped-gate", &first.commit);
        assert_eq!(self.worker.read_file(&gate, "committed.txt").as_deref(), Some("2\n"));
        assert_eq!(self.worker.read_file(&gate, "deep/untracked.txt").as_deref(), Some("3\n"));
        assert_eq!(self.worker.read_file(&gate, "build/out"), None);
        let none = self.path("none");
        assert!(self.git.snapshot(self.held, self.repo, &none, name, "No worktree").is_err());
    }

    fn gives_snapshots_back(&self) {
        let (path, head) = self.worked("lost", "lost.txt", "1\n");
        self.worker.write_file(&path, "lost.txt", "2\n");
        self.worker.write_file(&path, "deep/new.txt", "3\n");
        let name = "refs/gt/snap/lost";
        let take = |message: &str| self.git.snapshot(self.held, self.repo, &path, name, message).unwrap().commit;
        let first = take("First\n\nBead: a1\n");
        self.worker.write_file(&path, "lost.txt", "4\n");
        let second = take("Second\n\nBead: a1\n");
        let facts = |commit: &Sha| self.git.snapshot_facts(self.repo, commit);
        let seen = facts(&second).unwrap();
        assert_eq!((&seen.commit, &seen.head, seen.before.as_ref()), (&second, &head, Some(&first)));
        assert_eq!(seen.message.trim_end(), "Second\n\nBead: a1");
        assert_eq!(facts(&first).unwrap().before, None);
        let unknown = Sha("0123456789".repeat(4));
        assert!(facts(&unknown).is_err());

        let changes = |from: &Sha, to: &Sha| self.git.changed_paths(self.repo, from, to).unwrap();
        let expected = [("deep/new.txt".to_owned(), Change::Added), ("lost.txt".to_owned(), Change::Changed)];
        assert_eq!(changes(&head, &second), BTreeMap::from(expected));
        assert_eq!(changes(&second, &head)["deep/new.txt"], Change::Removed);
        assert_eq!(changes(&head, &head), BTreeMap::new());
        let text = self.git.diff_text(self.repo, &self.trunk(), &second, true).unwrap();
        assert!(text.contains("lost.txt") && text.contains("deep/new.txt"), "{text}");
        assert!(self.git.diff_text(self.repo, &unknown, &second, false).is_err());

        self.restores(&head, &second);
        self.exports(&second, &unknown);
    }

    fn restores(&self, head: &Sha, snapshot: &Sha) {
        let plan = self.plan("found", head);
        self.git.add_worktree(self.held, self.repo, &plan).unwrap();
        let before = self.refs();
        for _ in 0..2 {
            self.git.restore_snapshot(self.held, self.repo, &plan.path, snapshot).unwrap();
            assert_eq!(self.worker.read_file(&plan.path, "lost.txt").as_deref(), Some("4\n"));
            assert_eq!(self.worker.read_file(&plan.path, "deep/new.txt").as_deref(), Some("3\n"));
            let mut seen = self.facts(&plan.path);
            seen.dirty.sort();
            let dirty = vec!["deep/new.txt".to_owned(), "lost.txt".to_owned()];
            assert_eq!(seen, WorktreeFacts { branch: plan.branch.clone(), head: head.clone(), dirty });
        }
        assert_eq!(self.refs(), before, "nothing is committed");
        let none = self.path("none");
        assert!(self.git.restore_snapshot(self.held, self.repo, &none, snapshot).is_err());
    }

    fn exports(&self, snapshot: &Sha, unknown: &Sha) {
        let to = self.path("exported/deep");
        self.git.export_tree(self.held, self.repo, snapshot, &to).unwrap();
        for (file, text) in [("lost.txt", "4\n"), ("deep/new.txt", "3\n"), ("src/main.txt", "start\n")] {
            assert_eq!(self.worker.read_file(&to, file).as_deref(), Some(text), "{file}");
        }
        assert!(self.git.export_tree(self.held, self.repo, snapshot, &to).is_err(), "it is there already");
        assert_eq!(self.worker.read_file(&to, "lost.txt").as_deref(), Some("4\n"), "and is kept");
        let other = self.path("exported/other");
        assert!(self.git.export_tree(self.held, self.repo, unknown, &other).is_err());
        assert_eq!(self.worker.read_file(&other, "lost.txt"), None);
        self.git.export_tree(self.held, self.repo, snapshot, &other).unwrap();
    }

    /// Puts a gate worktree at `commit`.
    fn gate(&self, name: &str, commit: &Sha) -> PathBuf {
        let path = self.path(name);
        self.git.reset_gate_worktree(self.held, self.repo, &path, commit).unwrap();
        path
    }

    /// Compares a gate worktree with the tree of a commit. Returns the paths that differ.
    fn changed(&self, path: &Path, commit: &Sha) -> Vec<String> {
        let tree = self.git.tree_of(self.repo, commit).unwrap();
        let found = self.git.compare_checkout(self.repo, path, &tree, &Rules::default()).unwrap();
        assert_eq!(found.tree == tree, found.changed.is_empty());
        found.changed.into_keys().collect()
    }

    /// Clears a gate worktree. Returns the paths that were kept, and the others.
    fn clear(&self, path: &Path, commit: &Sha, keep: &[&str]) -> (Vec<String>, Vec<String>) {
        let tree = self.git.tree_of(self.repo, commit).unwrap();
        let keep = Keep::try_from(keep.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        let rules = Rules { keep, ..Rules::default() };
        let before = self.git.untracked(self.repo, path, &tree, &rules).unwrap();
        let mut found = self.git.clear_checkout(self.held, self.repo, path, &tree, &rules).unwrap();
        assert_eq!(found, before);
        found.others.sort();
        (found.kept, found.others)
    }

    fn keeps_gate_worktrees(&self) {
        let main = self.trunk();
        let (_, work) = self.worked("gated", "src/gated.txt", "1\n");
        let path = self.gate("gate", &work);
        let at = |commit: &Sha| WorktreeFacts { branch: None, head: commit.clone(), dirty: Vec::new() };
        assert_eq!(self.facts(&path), at(&work));
        for (commit, keep) in [(&work, true), (&work, true), (&main, true), (&main, false)] {
            self.worker.write_file(&path, "README.md", "changed\n");
            self.worker.write_file(&path, "untracked.txt", "1\n");
            self.worker.write_file(&path, "build/cache", "1\n");
            assert_eq!(self.changed(&path, commit).first().map(String::as_str), Some("README.md"));
            self.gate("gate", commit);
            assert_eq!(self.changed(&path, commit), [""; 0]);
            let (kept, others) = self.clear(&path, commit, if keep { &["build"] } else { &[] });
            assert_eq!(self.facts(&path), at(commit));
            assert_eq!(self.worker.read_file(&path, "README.md").as_deref(), Some(REMOTE_FILES[1].1));
            assert_eq!(self.worker.read_file(&path, "untracked.txt"), None);
            assert_eq!(self.worker.read_file(&path, "build/cache").as_deref(), keep.then_some("1\n"));
            let expected: &[&str] = if keep { &["untracked.txt"] } else { &["build/cache", "untracked.txt"] };
            assert_eq!(
                (kept.is_empty(), others.iter().map(String::as_str).collect::<Vec<_>>()),
                (!keep, expected.to_vec())
            );
        }
        assert_eq!(self.worker.read_file(&path, "src/gated.txt"), None);
        for _ in 0..2 {
            self.git.remove_gate_worktree(self.held, self.repo, &path).unwrap();
            assert_eq!(self.git.worktree(self.repo, &path).unwrap(), None);
        }
        self.gate("gate", &work);
        assert_eq!(self.facts(&path), at(&work), "it can be made again");
        assert_eq!(self.worker.read_file(&path, "build/cache"), None);
    }

    fn knows_who_moved_a_branch(&self) {
        let (path, head) = self.worked("mover", "moved.txt", "1\n");
        let branch = self.plan("mover", &head).branch.unwrap();
        let own = |path: &Path, branch: &str| self.git.own_position(self.repo, path, branch).unwrap();
        assert_eq!(own(&path, &branch), Some(head.clone()));
        let name = format!("refs/heads/{branch}");
        self.git.set_ref(self.held, self.repo, &name, &self.trunk(), Some(&head)).unwrap();
        assert_eq!(own(&path, &branch), Some(head.clone()), "somebody else moved it");
        self.git.set_ref(self.held, self.repo, &name, &head, Some(&self.trunk())).unwrap();
        self.worker.write_file(&path, "moved.txt", "2\n");
        let next = self.worker.commit_all(&path, "Next");
        assert_eq!(own(&path, &branch), Some(next));
        assert_eq!(own(&path, "another"), None);
        assert_eq!(own(&self.path("nowhere"), &branch), None);
    }

    fn has_no_submodules_where_there_are_none(&self) {
        let (path, head) = self.worked("whole", "whole.txt", "1\n");
        let branch = self.plan("whole", &head).branch;
        for _ in 0..2 {
            assert_eq!(self.git.check_out_submodules(self.held, self.repo, &path).unwrap(), Referred::There);
            let facts = WorktreeFacts { branch: branch.clone(), head: head.clone(), dirty: Vec::new() };
            assert_eq!(self.facts(&path), facts);
        }
        assert!(self.git.check_out_submodules(self.held, self.repo, &self.path("nowhere")).is_err());
    }

    fn archives(&self) {
        let (path, head) = self.worked("old", "old.txt", "1\n");
        self.worker.write_file(&path, "unsaved.txt", "1\n");
        self.worker.write_file(&path, "build/out", "1\n");
        let to = self.path(".archive").join("old-1");
        for _ in 0..2 {
            self.git.archive_worktree(self.held, self.repo, &path, &to).unwrap();
            assert_eq!(self.git.worktree(self.repo, &path).unwrap(), None);
            for file in ["old.txt", "unsaved.txt", "build/out"] {
                assert_eq!(self.worker.read_file(&to, file).as_deref(), Some("1\n"), "{file}");
            }
        }
        let plan = self.plan("old", &head);
        assert_eq!(self.refs()[&format!("refs/heads/{}", plan.branch.clone().unwrap())], head, "the branch stays");
        self.git.add_worktree(self.held, self.repo, &plan).unwrap();
        assert_eq!(self.facts(&path), WorktreeFacts { branch: plan.branch, head, dirty: Vec::new() });
    }
}
