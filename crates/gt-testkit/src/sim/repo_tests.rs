use std::time::Duration;

use gt_world::Disk;

use super::super::RebaseEnd;
use super::*;
use crate::contract::{REMOTE_FILES, check_repo_contract};

const URL: &str = "https://example.org/vt.git";
const RIG: &str = "/gt/vt/.repo.git";

/// A world with a rig of one remote.
struct Rig {
    world: SimWorld,
    held: Held,
    repo: PathBuf,
}

impl Rig {
    fn new() -> Self {
        let world = SimWorld::new();
        world.add_remote(URL, "main", &[("a", "1\n2\n3\n")]);
        let held = world.lock(Path::new("/gt/lock"), Duration::ZERO).unwrap().unwrap();
        let repo = PathBuf::from(RIG);
        Repo::create(&world, &held, &repo, URL, ObjectFormat::Sha1).unwrap();
        Repo::fetch(&world, &held, &repo).unwrap();
        Self { world, held, repo }
    }

    fn trunk(&self) -> Sha {
        Repo::fetch(&self.world, &self.held, &self.repo).unwrap()["main"].clone()
    }

    fn add(&self, name: &str) -> PathBuf {
        let path = PathBuf::from("/gt/vt/polecats").join(name);
        let branch = Some(format!("polecat/{name}"));
        let identity = (name.to_owned(), format!("{name}@gt"));
        let plan = WorktreePlan { path: path.clone(), branch, start: self.trunk(), identity, remote: None };
        Repo::add_worktree(&self.world, &self.held, &self.repo, &plan).unwrap();
        path
    }

    fn commit(&self, path: &Path, file: &str, text: &str) -> Sha {
        self.world.write_file(path, file, text).unwrap();
        self.world.commit_all(path, &format!("Write {file}"), &("amber".into(), "amber@gt".into())).unwrap()
    }

    fn push(&self, new: &Sha) -> WorldResult<Push> {
        let trunk = self.world.remote_branch(URL, "main");
        Repo::push(&self.world, &self.held, &self.repo, "main", new, trunk.as_ref())
    }
}

fn contract_world() -> SimWorld {
    let world = SimWorld::new();
    world.add_remote(URL, "main", REMOTE_FILES);
    check_repo_contract(&world, URL, Path::new("/gt"), &world);
    world
}

#[test]
fn keeps_to_the_contract() {
    contract_world();
}

#[test]
fn the_same_calls_give_the_same_journal() {
    let (one, other) = (contract_world().journal(), contract_world().journal());
    assert!(one.iter().any(|line| line == "add_worktree amber polecat/amber/vt-a1-1"), "{one:#?}");
    assert_eq!(one, other);
}

#[test]
fn a_squash_keeps_the_author_of_its_head() {
    let rig = Rig::new();
    let amber = rig.add("amber");
    rig.world.advance(Duration::from_secs(60));
    let head = rig.commit(&amber, "b", "1\n");
    rig.world.advance(Duration::from_secs(60));
    let squash = Repo::squash(&rig.world, &rig.held, &rig.repo, &rig.trunk(), &head, "Add b").unwrap();
    let Candidate::Clean { commit, .. } = squash else { panic!("{squash:?}") };
    let seconds = super::super::START.as_second() + 60;
    let expected = Author { name: "amber".into(), mail: "amber@gt".into(), seconds };
    let facts = rig.world.commit_facts(&commit).unwrap();
    assert_eq!((facts.author, facts.parents, facts.message.as_str()), (expected, vec![rig.trunk()], "Add b"));
}

#[test]
fn remotes_refuse_and_vanish_as_told() {
    let rig = Rig::new();
    let amber = rig.add("amber");
    let head = rig.commit(&amber, "b", "1\n");
    rig.world.refuse_pushes(URL, "protected branch");
    assert_eq!(rig.push(&head).unwrap(), Push::Refused("protected branch".into()));
    rig.world.set_unreachable(URL);
    assert!(matches!(rig.push(&head), Err(WorldError::Unreachable { .. })));
    assert!(matches!(rig.world.ask_remote(URL), Err(WorldError::Unreachable { .. })));
    rig.world.set_reachable(URL);
    rig.world.accept_pushes(URL);
    assert!(rig.world.push_as_worker(&amber).is_err());
    assert_eq!(rig.push(&head).unwrap(), Push::Done);
    assert_eq!(rig.world.history(&rig.trunk()).len(), 2);
    let lost = Repo::push(&rig.world, &rig.held, &rig.repo, "main", &rig.world.history(&head)[0].id, Some(&head));
    assert!(matches!(lost, Err(WorldError::Unexpected(_))), "a push never takes commits away: {lost:?}");
    rig.world.fail_next("push", "out of luck");
    assert_eq!(rig.push(&head).unwrap_err().to_string(), "out of luck");
    assert_eq!(rig.push(&head).unwrap(), Push::Done);
}

#[test]
fn commits_that_were_not_fetched_are_unknown() {
    let rig = Rig::new();
    let trunk = rig.trunk();
    let foreign = rig.world.commit_to_remote(URL, "main", &[("c", "1\n")], "Foreign").unwrap();
    assert!(rig.world.contains(&rig.repo, &foreign, &trunk).is_err());
    assert_eq!(rig.trunk(), foreign);
    assert!(rig.world.contains(&rig.repo, &foreign, &trunk).unwrap());
}

#[test]
fn a_bare_remote_is_made_of_a_checkout_once() {
    let rig = Rig::new();
    let (folder, bare) = (Path::new("/home/vt"), Path::new("/gt/remotes/vt.git"));
    let checkout = |origin: Option<&str>| FolderFacts::Checkout {
        origin: origin.map(str::to_owned),
        branch: Some("main".into()),
        has_commit: true,
    };
    let make = || Repo::make_bare_remote(&rig.world, &rig.held, folder, bare);
    assert!(make().is_err(), "there is no repository");
    rig.world.add_folder(folder, checkout(None));
    let commit = rig.world.add_remote("/home/vt", "main", &[("a", "1\n")]);
    make().unwrap();
    make().unwrap();
    assert_eq!(rig.world.folder(folder).unwrap(), checkout(Some("/gt/remotes/vt.git")));
    assert_eq!(rig.world.folder(bare).unwrap(), FolderFacts::Bare);
    let facts = rig.world.ask_remote("/gt/remotes/vt.git").unwrap();
    assert_eq!((facts.head_branch.as_deref(), &facts.branches["main"]), (Some("main"), &commit));
    rig.world.add_folder(folder, checkout(Some(URL)));
    assert!(make().is_err(), "it has another origin");
}

#[test]
fn a_lost_worktree_is_made_anew_on_its_branch() {
    let rig = Rig::new();
    let amber = rig.add("amber");
    let head = rig.commit(&amber, "b", "1\n");
    rig.world.remove(&amber).unwrap();
    assert_eq!(rig.world.worktree(&rig.repo, &amber).unwrap(), None);
    rig.add("amber");
    assert_eq!(rig.world.head(&amber).unwrap(), head, "no commit is lost");
    assert_eq!(rig.world.list_files(&amber), ["a", "b"]);
}

#[test]
fn an_archive_can_be_read_and_goes_with_its_folder() {
    let rig = Rig::new();
    let (amber, to) = (rig.add("amber"), Path::new("/gt/vt/.archive/amber-1"));
    rig.world.write_file(&amber, "b", "unsaved\n").unwrap();
    assert_eq!(rig.world.archived(to), None);
    Repo::archive_worktree(&rig.world, &rig.held, &rig.repo, &amber, to).unwrap();
    assert_eq!(rig.world.archived(to).unwrap()["b"], "unsaved\n");
    rig.world.remove(to).unwrap();
    assert_eq!(rig.world.archived(to), None);
}

#[test]
fn nested_repositories_are_skipped_and_named() {
    let rig = Rig::new();
    let amber = rig.add("amber");
    rig.world.write_file(&amber, "vendor/lib/.git/HEAD", "x").unwrap();
    rig.world.write_file(&amber, "vendor/lib/code", "x").unwrap();
    rig.world.write_file(&amber, "vendor/note", "x").unwrap();
    let snapshot = Repo::snapshot(&rig.world, &rig.held, &rig.repo, &amber, "refs/gt/snap/1", "Snap").unwrap();
    assert_eq!(snapshot.skipped, ["vendor/lib"]);
    let files = rig.world.files_at(&snapshot.commit).unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["a", "vendor/note"]);
}

#[test]
fn a_gate_never_takes_a_workers_worktree() {
    let rig = Rig::new();
    let amber = rig.add("amber");
    assert!(Repo::reset_gate_worktree(&rig.world, &rig.held, &rig.repo, &amber, &rig.trunk()).is_err());
    assert!(Repo::remove_gate_worktree(&rig.world, &rig.held, &rig.repo, &amber).is_err());
}

#[test]
fn a_rebase_replays_and_drops_what_is_there() {
    let rig = Rig::new();
    let amber = rig.add("amber");
    rig.commit(&amber, "b", "1\n");
    rig.commit(&amber, "c", "1\n");
    let onto = rig.world.commit_to_remote(URL, "main", &[("b", "1\n"), ("d", "1\n")], "Same b").unwrap();
    assert!(rig.world.rebase(&amber, &onto, false).is_err(), "it was not fetched");
    rig.trunk();
    let end = rig.world.rebase(&amber, &onto, false).unwrap();
    let head = rig.world.head(&amber).unwrap();
    assert_eq!(end, RebaseEnd::Done { head: head.clone(), dropped: 1 });
    assert_eq!(rig.world.commit_facts(&head).unwrap().parents, std::slice::from_ref(&onto));
    assert_eq!(rig.world.list_files(&amber), ["a", "b", "c", "d"]);
    assert_eq!(rig.world.rebase(&amber, &onto, false).unwrap(), RebaseEnd::Done { head, dropped: 0 });
}

#[test]
fn a_rebase_in_conflict_gives_up_or_keeps_both() {
    let rig = Rig::new();
    let amber = rig.add("amber");
    let head = rig.commit(&amber, "a", "1\nmine\n3\n");
    rig.world.commit_to_remote(URL, "main", &[("a", "1\ntheirs\n3\n")], "Theirs").unwrap();
    let onto = rig.trunk();
    assert_eq!(rig.world.rebase(&amber, &onto, false).unwrap(), RebaseEnd::Conflict { files: vec!["a".into()] });
    assert_eq!(rig.world.head(&amber).unwrap(), head);
    assert_eq!(rig.world.read_file(&amber, "a").as_deref(), Some("1\nmine\n3\n"));
    rig.world.write_file(&amber, "dirt", "").unwrap();
    assert!(rig.world.rebase(&amber, &onto, true).is_err(), "not over changes that are not committed");
    assert!(rig.world.remove_file(&amber, "dirt"));
    assert!(matches!(rig.world.rebase(&amber, &onto, true).unwrap(), RebaseEnd::Done { dropped: 0, .. }));
    assert_eq!(rig.world.read_file(&amber, "a").as_deref(), Some("1\ntheirs\nmine\n3\n"));
}

#[test]
fn workers_switch_branches_and_misbehave() {
    let rig = Rig::new();
    let (amber, jade) = (rig.add("amber"), rig.add("jade"));
    let head = rig.commit(&amber, "dir/b", "1\n");
    assert!(rig.world.switch_branch(&amber, "polecat/jade").is_err(), "checked out by another");
    rig.world.switch_branch(&amber, "mine").unwrap();
    assert_eq!(rig.world.current_branch(&amber).unwrap().as_deref(), Some("mine"));
    rig.world.move_ref(&amber, "refs/heads/mine", Some(&rig.trunk())).unwrap();
    assert_eq!(rig.world.worktree(&rig.repo, &amber).unwrap().unwrap().dirty, ["dir/b"]);
    assert!(rig.world.switch_branch(&amber, "polecat/amber").is_err(), "not over changes");
    rig.world.move_ref(&amber, "refs/heads/polecat/jade", Some(&head)).unwrap();
    assert_eq!(rig.world.head(&jade).unwrap(), head);
    rig.world.move_ref(&amber, "refs/heads/polecat/jade", None).unwrap();
    assert!(rig.world.worktree(&rig.repo, &jade).is_err(), "a branch that names no commit is an error");
}

#[test]
fn checking_out_turns_files_into_folders_and_back() {
    let rig = Rig::new();
    let first = rig.world.commit_to_remote(URL, "one", &[("x", "1\n")], "File").unwrap();
    let second = rig.world.commit_to_remote(URL, "two", &[("x/y/z", "1\n")], "Folder").unwrap();
    rig.trunk();
    let gate = Path::new("/gt/vt/refinery/gate");
    for (commit, file) in [(&first, "x"), (&second, "x/y/z"), (&first, "x")] {
        Repo::reset_gate_worktree(&rig.world, &rig.held, &rig.repo, gate, commit).unwrap();
        assert_eq!(rig.world.list_files(gate), [file]);
    }
    assert_eq!(Disk::list(&rig.world, gate).unwrap(), ["x"]);
}
