//! Several towns with one ledger: they change the same beads independently, and sync makes their ledgers equal.

use std::path::{Path, PathBuf};

use crate::town::{Output, RIG, Town, text, write};

/// Exit code of what a signal ended.
const KILLED: i32 = -1;

/// Exit code of a refusal.
const REFUSED: i32 = 4;

/// A bare repository in its own folder, through which towns sync.
pub(crate) struct Meeting(Town);

impl Meeting {
    pub(crate) fn new() -> Self {
        let place = Town::nowhere();
        place.git(place.folder(), &["init", "--quiet", "--bare", "ledger.git"]);
        Self(place)
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.0.folder().join("ledger.git")
    }

    pub(crate) fn url(&self) -> String {
        self.repo().display().to_string()
    }

    fn head(&self) -> String {
        self.0.git(&self.repo(), &["rev-parse", "gt-ledger"])
    }

    /// Returns the output of git in the repository.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        self.0.git(&self.repo(), args)
    }

    /// Commits a file to the branch, as another program than a town.
    pub(crate) fn overwrite(&self, path: &str, content: &str) {
        self.commit_by_hand(|checkout| write(&checkout.join(path), content));
    }

    /// Removes a file from the branch, as another program than a town.
    pub(crate) fn remove(&self, path: &str) {
        self.commit_by_hand(|checkout| std::fs::remove_file(checkout.join(path)).unwrap());
    }

    fn commit_by_hand(&self, change: impl FnOnce(&Path)) {
        let checkout = self.0.folder().join("checkout");
        if !checkout.exists() {
            self.0.git(self.0.folder(), &["clone", "--quiet", "--branch", "gt-ledger", &self.url(), "checkout"]);
        }
        self.0.git(&checkout, &["pull", "--quiet"]);
        change(&checkout);
        self.0.git(&checkout, &["add", "--all"]);
        self.0.git(&checkout, &["commit", "--quiet", "-m", "By hand"]);
        self.0.git(&checkout, &["push", "--quiet"]);
    }
}

#[track_caller]
pub(crate) fn sync(town: &Town, at: &Meeting) -> serde_json::Value {
    town.json(&["sync", "--remote", &at.url()])["sync"].clone()
}

/// Returns all beads of a town, as its own export has them.
pub(crate) fn beads(town: &Town) -> String {
    town.ok(&["bead", "export"])
}

pub(crate) fn create(town: &Town, title: &str) -> String {
    text(&town.json(&["bead", "create", title])["id"])
}

/// Creates two towns that both know three beads.
fn twins(at: &Meeting) -> (Town, Town, Vec<String>) {
    let (one, other) = (Town::empty(), Town::empty());
    let ids = ["First", "Second", "Third"].map(|title| create(&one, title)).to_vec();
    one.ok(&["bead", "update", &ids[0], "--notes", "Begun."]);
    sync(&one, at);
    sync(&other, at);
    assert_eq!(beads(&one), beads(&other));
    (one, other, ids)
}

/// Changes that each of the two makes before they sync.
fn work_apart(one: &Town, other: &Town, ids: &[String]) {
    one.ok(&["bead", "update", &ids[0], "--title", "First, here", "--notes", "Begun.\nOne was here."]);
    one.ok(&["bead", "label", "add", &ids[0], "red"]);
    one.ok(&["bead", "comment", &ids[1], "Said by one"]);
    one.ok(&["bead", "dep", "add", &ids[1], &ids[2]]);
    create(one, "Only one knew");
    other.ok(&["bead", "update", &ids[0], "--title", "First, there", "--notes", "Begun.\nSo was the other."]);
    other.ok(&["bead", "label", "add", &ids[0], "blue"]);
    other.ok(&["bead", "comment", &ids[1], "Said by the other"]);
    other.ok(&["bead", "close", &ids[2], "--reason", "done there"]);
    create(other, "Only the other knew");
}

/// Checks that no change of either town is lost.
#[track_caller]
fn assert_all_kept(town: &Town, ids: &[String]) {
    let all = beads(town);
    for said in ["One was here.", "So was the other.", "red", "blue", "Said by one", "Said by the other", "done there"]
    {
        assert_eq!(all.matches(said).count(), 1, "{said:?} in {all}");
    }
    for title in ["First, there", "Only one knew", "Only the other knew"] {
        assert_eq!(all.matches(&format!("{title:?}")).count(), 1, "{title:?} in {all}");
    }
    assert!(all.contains(&format!("\"depends_on_id\":\"{}\"", ids[2])), "{all}");
    assert!(!all.contains("First, here"), "the later title counts: {all}");
    let lost = town.ask("SELECT count(*) FROM events WHERE event = 'merge-lost' AND subject = 'title'");
    assert!(lost == ["1"] || lost == ["0"], "each loss is in the audit of whoever merged, once: {lost:?}");
}

#[test]
fn two_towns_become_equal_in_any_order_of_syncing() {
    for order in [[0, 1, 0], [1, 0, 1]] {
        let at = Meeting::new();
        let (one, other, ids) = twins(&at);
        work_apart(&one, &other, &ids);
        for who in order {
            sync([&one, &other][who], &at);
        }
        assert_eq!(beads(&one), beads(&other), "{order:?}");
        assert_all_kept(&one, &ids);
        let audited: Vec<String> = [&one, &other]
            .iter()
            .flat_map(|town| town.ask("SELECT json_extract(before, '$') FROM events WHERE event = 'merge-lost'"))
            .collect();
        assert!(audited.contains(&"First, here".to_owned()), "{audited:?}");
        let head = at.head();
        for town in [&one, &other] {
            assert_eq!(sync(town, &at)["sent"], 0);
        }
        assert_eq!(at.head(), head, "nothing was new, so nothing was committed");
    }
}

#[test]
fn three_towns_in_a_row_become_equal_through_the_middle_one() {
    let (left, right) = (Meeting::new(), Meeting::new());
    let (one, between, ids) = twins(&left);
    sync(&between, &right);
    let other = Town::empty();
    sync(&other, &right);
    work_apart(&one, &other, &ids);
    between.ok(&["bead", "update", &ids[1], "--priority", "0"]);
    for (town, at) in [(&one, &left), (&other, &right), (&between, &left), (&between, &right), (&between, &left)] {
        sync(town, at);
    }
    sync(&one, &left);
    sync(&other, &right);
    assert_eq!(beads(&one), beads(&between));
    assert_eq!(beads(&one), beads(&other));
    assert_all_kept(&between, &ids);
    assert_eq!(text(&other.json(&["bead", "show", &ids[1]])[0]["priority"].to_string().into()), "0");
}

#[test]
fn a_dry_run_reports_the_changes_and_makes_none() {
    let at = Meeting::new();
    let (one, other, ids) = twins(&at);
    work_apart(&one, &other, &ids);
    sync(&one, &at);
    let (before, head) = (other.rows(), at.head());
    let said = other.json(&["sync", "--dry-run", "--remote", &at.url()])["sync"].clone();
    assert_eq!(other.rows(), before);
    assert_eq!(at.head(), head);
    assert_eq!(said["commit"], serde_json::Value::Null);
    let really = sync(&other, &at);
    assert_eq!(said["pulled"], really["pulled"]);
}

/// Points where a sync can die without losing anything or doing anything twice.
const POINTS: &[&str] = &[
    "commit:checkpoint:before",
    "commit:checkpoint:after",
    "sync:fetched",
    "commit:sync:before",
    "commit:sync:after",
    "commit:checkpoint:before#2",
    "commit:checkpoint:after#2",
    "sync:committed",
    "sync:pushed",
    "commit:synced:before",
    "commit:synced:after",
];

#[test]
fn the_next_sync_finishes_one_that_was_killed_at_any_point() {
    let at = Meeting::new();
    let (one, other) = (Town::empty(), Town::empty());
    let ids: Vec<String> = POINTS.iter().map(|point| create(&one, point)).collect();
    for town in [&one, &other] {
        sync(town, &at);
    }
    for (point, id) in POINTS.iter().zip(&ids) {
        one.ok(&["bead", "update", id, "--notes", "Said by one"]);
        other.ok(&["bead", "update", id, "--notes", "Said by the other"]);
        sync(&one, &at);
        let killed = other.gt_with(&other.root(), &[("GT_FAULT", point)], &["sync", "--remote", &at.url()]);
        assert_eq!(killed.code, KILLED, "{point}: {killed:#?}");
        sync(&other, &at);
        sync(&one, &at);
        assert_eq!(beads(&one), beads(&other), "{point}");
        let notes = text(&one.json(&["bead", "show", id])[0]["notes"]);
        for said in ["by one", "by the other"] {
            assert_eq!(notes.matches(said).count(), 1, "{point}: {notes:?}");
        }
    }
}

#[test]
fn a_missing_refusing_or_damaged_remote_changes_nothing() {
    let at = Meeting::new();
    let (one, other, ids) = twins(&at);
    work_apart(&one, &other, &ids);
    let rows = other.rows();

    let gone = other.gt(&["sync", "--remote", &at.0.folder().join("nowhere.git").display().to_string()]);
    assert_eq!(gone.code, 1, "{gone:#?}");
    assert!(gone.err.contains("can't be reached"), "{gone:#?}");
    let none = other.gt(&["sync"]);
    assert_eq!(none.code, REFUSED, "{none:#?}");
    assert!(none.err.contains("[sync] remote"), "{none:#?}");
    for bad in ["--upload-pack=touch x", ""] {
        let output = other.gt(&["sync", &format!("--remote={bad}")]);
        assert_eq!(output.code, 2, "{output:#?}");
    }

    sync(&one, &at);
    let good = at.0.git(&at.repo(), &["show", "gt-ledger:beads/hq.jsonl"]);
    let checkpoints = "checkpoint";
    for (damage, said) in [
        (format!("<<<<<<< HEAD\n{good}\n=======\n{good}\n>>>>>>> theirs\n"), "a git conflict marker"),
        (good.lines().next().unwrap()[..40].to_owned(), "line 1"),
        (good.replace("\"id\":\"hq-", "\"id\":\"zz-"), "does not belong"),
    ] {
        at.overwrite("beads/hq.jsonl", &damage);
        let output = other.gt(&["sync", "--remote", &at.url()]);
        assert_eq!(output.code, REFUSED, "{output:#?}");
        assert!(output.err.contains(said) && output.err.contains("nothing was changed"), "{output:#?}");
    }
    at.overwrite("beads/hq.jsonl", &format!("{good}\n"));
    at.overwrite("VERSION", "3\n");
    let newer = other.gt(&["sync", "--remote", &at.url()]);
    assert!(newer.code == REFUSED && newer.err.contains("newer gt"), "{newer:#?}");
    at.overwrite("VERSION", "1\n");
    let without = |rows: Vec<String>| rows.into_iter().filter(|row| !row.contains(checkpoints)).collect::<Vec<_>>();
    assert_eq!(without(other.rows()), without(rows));

    // A remote that refuses pushes: its changes are merged here, and ours go there when it accepts pushes again.
    let hook = at.repo().join("hooks/pre-receive");
    write(&hook, "#!/bin/sh\necho 'not today' >&2\nexit 1\n");
    at.0.git(
        at.0.folder(),
        &["config", "--file", &at.repo().join("config").display().to_string(), "core.fileMode", "true"],
    );
    make_runnable(&hook);
    let refused = other.gt(&["sync", "--remote", &at.url()]);
    assert_eq!(refused.code, REFUSED, "{refused:#?}");
    assert!(refused.err.contains("not today"), "{refused:#?}");
    std::fs::remove_file(&hook).unwrap();
    sync(&other, &at);
    sync(&one, &at);
    assert_eq!(beads(&one), beads(&other));
    assert_all_kept(&one, &ids);
}

fn make_runnable(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Creates two towns, each with the rig, that both know one bead of it.
fn twin_rigs(at: &Meeting) -> (Town, Town, String) {
    let (one, other) = (Town::new(), Town::new());
    let bead = one.bead("Shared");
    sync(&one, at);
    sync(&other, at);
    (one, other, bead)
}

fn ready(town: &Town) -> usize {
    town.json(&["bead", "ready"]).as_array().unwrap().len()
}

fn live_attempts(town: &Town) -> Vec<String> {
    town.ask("SELECT bead FROM attempts WHERE ended_at IS NULL")
}

#[test]
fn a_bead_with_a_worker_in_one_town_is_held_in_the_other() {
    let at = Meeting::new();
    let (one, other, bead) = twin_rigs(&at);
    one.ok(&["sling", &bead, RIG]);
    sync(&one, &at);
    assert_eq!(ready(&other), 1, "it has not heard of it yet");
    sync(&other, &at);
    assert_eq!(ready(&other), 0);
    let shown = other.json(&["bead", "show", &bead])[0].clone();
    let town_id = one.ask("SELECT value FROM meta WHERE key = 'town_id'").remove(0);
    assert!(text(&shown["assignee"]).starts_with(&format!("{town_id}:{RIG}/polecats/")), "{shown}");
    let refused = other.gt(&["sling", &bead, RIG]);
    assert!(refused.code == REFUSED && refused.err.contains("another town"), "{refused:#?}");
    other.ok(&["witness", "run", "--once"]);
    assert_eq!(text(&other.json(&["bead", "show", &bead])[0]["status"]), "hooked", "nobody takes it back here");

    // When that town releases it, it is ready here.
    one.ok(&["unsling", &bead]);
    sync(&one, &at);
    sync(&other, &at);
    assert_eq!(ready(&other), 1);
}

#[test]
fn a_close_in_another_town_waits_for_the_work_here() {
    let at = Meeting::new();
    let (one, other, bead) = twin_rigs(&at);
    one.ok(&["sling", &bead, RIG]);
    other.ok(&["bead", "close", &bead, "--reason", "not wanted any more"]);
    other.ok(&["bead", "update", &bead, "--title", "Shared and closed"]);
    sync(&other, &at);
    let said = sync(&one, &at);
    assert_eq!(text(&said["pulled"]["waiting"][0]), bead);
    let shown = one.json(&["bead", "show", &bead])[0].clone();
    assert_eq!((text(&shown["status"]), text(&shown["title"])), ("hooked".into(), "Shared and closed".into()));
    assert!(one.conditions().contains(&"elsewhere".to_owned()));
    // For all other towns it is closed at once.
    sync(&other, &at);
    assert_eq!(other.status_of(&bead), "closed");
    sync(&one, &at);
    assert_eq!(live_attempts(&one), [bead.as_str()]);

    one.ok(&["unsling", &bead]);
    sync(&one, &at);
    assert_eq!(one.status_of(&bead), "closed");
    assert!(!one.conditions().contains(&"elsewhere".to_owned()));
    sync(&other, &at);
    assert_eq!(beads(&one), beads(&other));
}

#[test]
fn the_earlier_of_two_claims_wins_and_the_other_worker_is_parked() {
    for one_merges in [true, false] {
        let at = Meeting::new();
        let (one, other, bead) = twin_rigs(&at);
        one.ok(&["sling", &bead, RIG]);
        other.ok(&["sling", &bead, RIG]);
        let order = if one_merges { [&other, &one, &other, &one] } else { [&one, &other, &one, &other] };
        for town in order {
            sync(town, &at);
        }
        assert_eq!(live_attempts(&one), [bead.as_str()], "it was first");
        assert!(live_attempts(&other).is_empty());
        let ended = other.ask("SELECT outcome FROM attempts");
        assert_eq!(ended, ["parked"]);
        assert!(other.events(&bead).contains(&"claim-lost".to_owned()));
        assert_eq!(other.status_of(&bead), "hooked");
        assert_eq!(ready(&other), 0);
        assert_eq!(one.status_of(&bead), "hooked");
    }
}

#[test]
fn sync_gives_back_what_an_older_backup_lacks() {
    let at = Meeting::new();
    let (one, other, ids) = twins(&at);
    let backup = one.folder().join("old.db").display().to_string();
    one.ok(&["ledger", "backup", &backup]);
    one.ok(&["bead", "update", &ids[0], "--title", "Newer"]);
    let new = create(&one, "After the backup");
    sync(&one, &at);
    one.ok(&["ledger", "restore", &backup, "--yes"]);
    one.ok(&["bead", "update", &ids[1], "--priority", "0"]);
    sync(&one, &at);
    sync(&other, &at);
    assert_eq!(beads(&one), beads(&other));
    let all = beads(&one);
    assert!(all.contains("Newer") && all.contains(&new), "{all}");
}

#[test]
fn the_deacon_makes_checkpoints_after_changes_and_leaves_files_of_people_alone() {
    let town = Town::empty();
    let root = town.root();
    town.ok(&["up"]);
    create(&town, "Kept");
    town.ok(&["down", "--now"]);
    let head = town.git(&root, &["rev-parse", "gt-ledger"]);
    assert!(town.git(&root, &["show", "gt-ledger:beads/hq.jsonl"]).contains("Kept"));
    let id = town.ask("SELECT value FROM meta WHERE key = 'town_id'").remove(0);
    assert!(town.git(&root, &["show", &format!("gt-ledger:towns/{id}/town.toml")]).contains("version = 1"));
    let new = town.git(&root, &["status", "--porcelain", "--untracked-files=all"]);
    let others: Vec<&str> = new.lines().filter(|line| !line.starts_with("?? .beads/formulas/")).collect();
    assert_eq!(others, ["?? town.toml"], "all else is not for people to commit");
    town.ok(&["up"]);
    town.ok(&["down", "--now"]);
    let before = town.git(&root, &["log", "-1", "--format=%T", &head]);
    assert_eq!(town.git(&root, &["log", "-1", "--format=%T", "gt-ledger"]), before, "nothing of it changed");
    let status = town.ok(&["status", "--long"]);
    assert!(status.contains("not synced to a remote"), "{status}");
    assert_eq!(town.git(&root, &["symbolic-ref", "HEAD"]), "refs/heads/main");
}

#[test]
fn a_town_is_installed_with_its_remote() {
    let at = Meeting::new();
    let place = Town::nowhere();
    let installed = place.gt_with(place.folder(), &[], &["install", "town", "--remote", &at.url()]);
    assert_eq!(installed.code, 0, "{installed:#?}");
    create(&place, "Shared");
    assert!(place.ok(&["status", "--long"]).contains("never synced"));
    place.ok(&["sync"]);
    assert!(place.ok(&["status", "--long"]).contains("was synced with"));
    assert!(at.0.git(&at.repo(), &["show", "gt-ledger:beads/hq.jsonl"]).contains("Shared"));
}

fn copy(from: &Path, to: &Path) {
    let status = Town::nowhere().program("cp", Path::new("/")).arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

#[track_caller]
fn gt_in(town: &Town, root: &Path, args: &[&str]) -> Output {
    town.gt_with(root, &[], args)
}

#[test]
fn a_copied_town_is_read_only_until_it_is_adopted() {
    let town = Town::new();
    let bead = town.bead("Held");
    town.ok(&["sling", &bead, RIG]);
    let free = town.bead("Free");
    let root = town.folder().join("copy");
    copy(&town.root(), &root);
    let writing: &[&[&str]] = &[
        &["bead", "create", "x"],
        &["bead", "update", &free, "--title", "x"],
        &["bead", "close", &free],
        &["bead", "import", "/dev/null"],
        &["sling", &free, RIG],
        &["unsling", &bead],
        &["up"],
        &["down", "--now"],
        &["pause"],
        &["mail", "send", "mayor/", "-s", "x", "-m", "y"],
        &["convoy", "create", "c", &free],
        &["crew", "add", RIG, "jo"],
        &["rig", "set", RIG, "landing=ask"],
        &["rig", "gates", "add", RIG, "t", "true"],
        &["doctor", "--retry"],
        &["refinery", "run", "--once"],
        &["sync", "--remote", "/nowhere"],
        &["ledger", "vacuum"],
    ];
    let before = town.ask("SELECT count(*) FROM events");
    for args in writing {
        let output = gt_in(&town, &root, args);
        assert_eq!(output.code, REFUSED, "{args:?}: {output:#?}");
        assert!(output.err.contains("is a copy") && output.err.contains("gt town adopt"), "{args:?}: {output:#?}");
    }
    for args in [&["status"][..], &["bead", "list"], &["bead", "show", &free], &["log"], &["why", &bead], &["doctor"]] {
        let output = gt_in(&town, &root, args);
        assert!(output.code <= 1, "{args:?}: {output:#?}");
    }

    let adopted = gt_in(&town, &root, &["town", "adopt", "--json"]);
    assert_eq!(adopted.code, 0, "{adopted:#?}");
    let adopted: serde_json::Value = serde_json::from_str(&adopted.out).unwrap();
    assert_eq!(adopted["adopted"]["moved"], false);
    assert_ne!(adopted["adopted"]["id"], adopted["adopted"]["was"]);
    assert_eq!(gt_in(&town, &root, &["bead", "create", "x"]).code, 0);
    let again = gt_in(&town, &root, &["town", "adopt"]);
    assert_eq!(again.code, REFUSED, "{again:#?}");
    // The copy sees the original's work as held elsewhere; the original has noticed nothing.
    let shown = gt_in(&town, &root, &["bead", "show", &bead, "--json"]).out;
    assert!(shown.contains(&format!("{}:{RIG}/polecats/", text(&adopted["adopted"]["was"]))), "{shown}");
    assert_eq!(live_attempts(&town), [bead.as_str()]);
    assert_eq!(town.ask("SELECT count(*) FROM events"), before);
    town.ok(&["bead", "update", &free, "--title", "Still mine"]);
}

#[test]
fn a_moved_town_is_the_same_town_once_it_is_adopted() {
    let town = Town::new();
    let bead = town.bead("Held");
    town.ok(&["sling", &bead, RIG]);
    let root = town.folder().join("moved");
    std::fs::rename(town.root(), &root).unwrap();
    let refused = gt_in(&town, &root, &["bead", "create", "x"]);
    assert_eq!(refused.code, REFUSED, "{refused:#?}");
    let adopted = gt_in(&town, &root, &["town", "adopt", "--json"]);
    assert_eq!(adopted.code, 0, "{adopted:#?}");
    let adopted: serde_json::Value = serde_json::from_str(&adopted.out).unwrap();
    assert_eq!(adopted["adopted"]["moved"], true);
    assert_eq!(adopted["adopted"]["id"], adopted["adopted"]["was"]);
    let shown = gt_in(&town, &root, &["bead", "show", &bead, "--json"]).out;
    assert!(shown.contains("\"status\":\"open\"") || shown.contains("\"status\": \"open\""), "{shown}");
}

#[test]
fn git_merges_files_of_beads_with_our_driver() {
    let place = Town::empty();
    let repo = place.folder().join("beads");
    std::fs::create_dir(&repo).unwrap();
    let git = |args: &[&str]| place.git(&repo, args);
    git(&["init", "--quiet", "--initial-branch", "main"]);
    git(&["config", "merge.beads.driver", &format!("{} ledger merge-driver %O %A %B", crate::town::GT)]);
    write(&repo.join(".gitattributes"), "issues.jsonl merge=beads\n");
    let bead = |title: &str, priority: u8, hour: u8| {
        format!(
            "{{\"id\":\"ap-1\",\"title\":\"{title}\",\"priority\":{priority},\"created_at\":\"2026-01-01T00:00:00Z\",\
             \"updated_at\":\"2026-01-02T0{hour}:00:00Z\",\"x\":1}}\n"
        )
    };
    let commit = |text: &str| {
        write(&repo.join("issues.jsonl"), text);
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "-m", "x"]);
    };
    commit(&bead("Old", 2, 0));
    git(&["checkout", "--quiet", "-b", "side"]);
    commit(&bead("Old", 1, 1));
    git(&["checkout", "--quiet", "main"]);
    commit(&bead("New", 2, 2));
    git(&["merge", "--quiet", "-m", "both", "side"]);
    let merged = std::fs::read_to_string(repo.join("issues.jsonl")).unwrap();
    let merged: serde_json::Value = serde_json::from_str(&merged).unwrap();
    assert_eq!(
        (text(&merged["title"]), merged["priority"].as_i64(), merged["x"].as_i64()),
        ("New".into(), Some(1), Some(1))
    );
}

#[test]
fn a_lost_ledger_is_rebuilt_from_git() {
    check_rebuilt_from("git");
}

#[test]
fn a_lost_ledger_is_rebuilt_from_files_and_its_hooks_from_snapshots() {
    check_rebuilt_from("jsonl");
}

fn check_rebuilt_from(source: &str) {
    let at = Meeting::new();
    let town = Town::new();
    town.script("[[act]]\nstep = \"load-context\"\nrun = [\"sh\", \"-c\", \"echo precious > kept.txt\"]\n\n[[act]]\nstep = \"implement\"\nawait = \"go\"\n");
    let (bead, other) = (town.bead("On a hook"), town.bead("Free"));
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    let repo = town.repo();
    town.wait_until("a snapshot of the work", || {
        town.git(&repo, &["for-each-ref", "refs/gt/snapshots/"]).lines().count() == 1
    });
    town.ok(&["down", "--now"]);
    sync(&town, &at);
    let before: Vec<String> = beads(&town).lines().map(str::to_owned).collect();
    let ledger = town.root().join(".beads/beads.db");
    write(&ledger, "this is no database any more");
    assert_eq!(town.gt(&["ledger", "rebuild", "--from", source]).code, REFUSED);
    let rebuilt = town.json(&["ledger", "rebuild", "--from", source, "--yes"])["rebuilt"].clone();
    assert_eq!((text(&rebuilt["rigs"][0]), text(&rebuilt["hooks"][0][0])), (RIG.to_owned(), bead.clone()));
    assert!(Path::new(&text(&rebuilt["kept"])).exists());
    let after = beads(&town);
    let kept = before.iter().filter(|line| after.contains(*line)).count();
    assert!(kept + 1 >= before.len(), "all but the one that was held: {before:#?} {after}");
    assert_eq!((town.status_of(&bead), town.status_of(&other)), ("open".into(), "open".into()));

    // The work continues where it was, and the other towns recognise the ledger.
    town.ok(&["up"]);
    town.wait_until("the old worktree to be out of the way", || town.gt(&["polecat", "recover", &bead]).code == 0);
    let worktree =
        || crate::town::list(&town.rig().join("polecats")).into_iter().find(|path| path.join("kept.txt").exists());
    town.wait_until("the work to be there again", || worktree().is_some());
    town.ok(&["down", "--now"]);
    assert_eq!(town.ask("SELECT number FROM attempts ORDER BY number"), ["1", "2"]);
    sync(&town, &at);
    assert_eq!(sync(&town, &at)["sent"], 0);
}
