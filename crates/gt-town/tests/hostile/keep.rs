//! Tests which data of finished work is kept, for how long, and how to get it back.

use gt_model::retention::{Kind, Reason};
use gt_town::keep::retention;
use gt_town::keep::retention::How;
use gt_town::rigs::archive;
use gt_town::view::polecat;
use gt_town::work::snapshots;
use gt_world::Repo as _;

use super::*;

const DAY: Duration = Duration::from_hours(24);

impl Scene {
    /// Lets the deacon look until everything finished is removed.
    fn settle(&mut self) {
        for _ in 0..10 {
            self.look();
        }
        let open = self.town.ledger.read(|view| Ok::<_, Error>(view.open_effects()?)).unwrap();
        assert!(open.is_empty(), "{open:?}");
    }

    /// Creates a bead whose work has landed.
    fn landed(&mut self, title: &str) -> BeadId {
        let bead = self.slung(title);
        self.work(&bead, &format!("{title}.txt"));
        self.look();
        refinery::run_round(&self.town, &self.rig("app")).unwrap();
        self.settle();
        assert_eq!(self.bead(&bead).status, Status::Closed);
        bead
    }

    /// Creates a bead whose worker committed one file but not another, and was then taken down.
    fn released(&mut self, title: &str) -> BeadId {
        let bead = self.slung(title);
        self.commit(&bead, "committed.txt");
        let worktree = self.worktree(&bead);
        self.world.write_file(&worktree, "a.txt", "half a sentence").unwrap();
        self.world.write_file(&worktree, "deep/new.txt", "untracked").unwrap();
        self.world.remove_file(&worktree, "test.sh");
        polecat::nuke(&self.town, &Caller::overseer(), bead.as_str(), false).unwrap();
        self.settle();
        bead
    }

    fn archived(&self, bead: &BeadId) -> PathBuf {
        let attempt = self.attempts(bead).pop().unwrap();
        self.rig(attempt.rig.as_str()).layout.archived(&attempt)
    }

    fn exists(&self, path: &Path) -> bool {
        self.world.disk().exists(path)
    }

    fn refs(&self, prefix: &str) -> Vec<String> {
        let refs = self.world.refs(&self.rig("app").layout.repo()).unwrap();
        refs.into_keys().filter(|name| name.starts_with(prefix)).collect()
    }

    fn retain(&self, dry_run: bool) -> retention::Report {
        retention::run(&self.town, &Caller::overseer(), How { dry_run, landed: false }).unwrap()
    }

    /// Returns kinds and beads of the data to delete.
    fn going(&self) -> Vec<(Kind, Option<BeadId>)> {
        self.retain(true).going.into_iter().map(|going| (going.kind, going.bead)).collect()
    }
}

#[test]
fn landed_work_is_deleted_after_a_while_and_unlanded_work_much_later() {
    let mut scene = scene(TOWN, &["app"]);
    let (landed, released) = (scene.landed("one"), scene.released("two"));
    let live = scene.slung("three");
    let kinds: Vec<Kind> = scene.going().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [Kind::Candidate], "nothing else is old enough");
    scene.retain(false);
    assert_eq!(scene.refs("refs/gt/candidates/"), Vec::<String>::new());
    scene.world.advance(15 * DAY);
    let mut going = scene.going();
    going.sort();
    let (first, second) = (Some(landed.clone()), Some(released.clone()));
    let mut expected =
        vec![(Kind::Archive, first.clone()), (Kind::Session, first.clone()), (Kind::Session, second.clone())];
    expected.sort();
    assert_eq!(going, expected);
    assert!(scene.exists(&scene.archived(&landed)), "a dry run removes nothing");
    let report = scene.retain(false);
    assert_eq!((report.going.len(), report.failed), (3, vec![]));
    assert!(!scene.exists(&scene.archived(&landed)));
    assert!(scene.exists(&scene.archived(&released)), "the only copy stays");
    assert!(scene.exists(&scene.worktree(&live)));
    assert_eq!(scene.refs("refs/gt/").len(), 4, "refs are kept longer: {:?}", scene.refs("refs/gt/"));
    assert_eq!(scene.going(), [], "done again, nothing is left to do");
    let events = scene.town.ledger.read(|view| Ok::<_, Error>(view.last_events(Some(&landed), 2)?)).unwrap();
    assert!(events.iter().all(|event| event.event == "retention-removed"), "{events:?}");

    scene.world.advance(80 * DAY);
    let mut going = scene.going();
    going.sort();
    let mut expected = [
        (Kind::Archive, second.clone()),
        (Kind::Snapshot, first.clone()),
        (Kind::Snapshot, second),
        (Kind::MergeRequest, first.clone()),
        (Kind::Landing, first),
    ];
    expected.sort();
    assert_eq!(going, expected);
    scene.retain(false);
    assert_eq!(scene.refs("refs/gt/"), Vec::<String>::new());
    // The next comparison of refs misses none of the deleted ones.
    polecat::nuke(&scene.town, &Caller::overseer(), live.as_str(), false).unwrap();
    scene.settle();
    assert_eq!(scene.conditions(), Vec::<String>::new());
    assert_eq!(scene.refs("refs/gt/mr/"), Vec::<String>::new());
}

#[test]
fn a_full_disk_deletes_only_landed_work_oldest_first() {
    let mut scene = scene(TOWN, &["app"]);
    let old = scene.landed("one");
    scene.world.advance(DAY);
    let (newer, released) = (scene.landed("two"), scene.released("three"));
    scene.retain(false);
    scene.world.advance(DAY);
    scene.world.set_free_space(4_999_999_999);
    let report = scene.retain(true);
    let first = &report.going[0];
    assert_eq!((first.bead.as_ref(), first.reason), (Some(&old), Reason::FreeDisk));
    assert_eq!(report.going.len(), 1, "one is enough: {report:?}");
    scene.world.set_free_space(0);
    scene.retain(false);
    for (bead, stays) in [(&old, false), (&newer, false), (&released, true)] {
        assert_eq!(scene.exists(&scene.archived(bead)), stays, "{bead}");
    }
    scene.world.set_free_space(5_000_000_000);
    assert_eq!(scene.retain(false).going, []);
}

#[test]
fn nothing_of_a_bead_with_a_new_worker_is_deleted() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.released("one");
    polecat::recover(&scene.town, &Caller::overseer(), &bead, None).unwrap();
    scene.look();
    scene.world.advance(400 * DAY);
    scene.world.set_free_space(0);
    let kinds: Vec<Kind> = scene.going().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [Kind::Session], "the ended session of the attempt before is only a log");
    scene.retain(false);
    assert_eq!(scene.going(), [], "it does what it says");
    assert_eq!(scene.refs("refs/gt/snapshots/").len(), 1);
}

#[test]
fn unknown_archives_are_kept_and_named() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.landed("one");
    scene.world.write_file(Path::new("/town/app/.archive/stranger"), "work.txt", "precious").unwrap();
    scene.world.write_file(Path::new("/town/deacon/sessions/stranger"), "output.log", "words").unwrap();
    scene.world.write_file(Path::new("/town/app/.archive/.going-amber-x-1"), "half.txt", "deleted").unwrap();
    scene.world.advance(400 * DAY);
    scene.world.set_free_space(0);
    let report = scene.retain(false);
    assert_eq!(report.unknown, ["app/.archive/stranger", "deacon/sessions/stranger"]);
    assert!(scene.exists(Path::new("/town/app/.archive/stranger/work.txt")));
    assert!(!scene.exists(Path::new("/town/app/.archive/.going-amber-x-1")), "a killed run's leftover");
    assert!(!scene.exists(&scene.archived(&bead)));
}

#[test]
fn a_failing_deletion_is_reported_and_stops_no_other() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.landed("one");
    scene.retain(false);
    scene.world.advance(15 * DAY);
    scene.world.fail_next("remove", "the disk is on fire");
    let report = scene.retain(false);
    assert_eq!(report.failed.len(), 1, "{report:?}");
    assert_eq!(report.going.len(), 2);
    let report = scene.retain(false);
    assert_eq!((report.going.len(), report.failed.len()), (1, 0), "what failed is done the next time: {report:?}");
    assert!(!scene.exists(&scene.archived(&bead)));
}

#[test]
fn agents_may_not_delete_old_data() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.slung("one");
    let attempt = scene.attempts(&bead).remove(0);
    let agent = Caller { incarnation: Some("amber-1-1".into()), ..Caller::role(attempt.address()) };
    assert!(matches!(retention::run(&scene.town, &agent, How::default()), Err(Error::Refused { .. })));
    assert!(matches!(polecat::nuke(&scene.town, &agent, bead.as_str(), false), Err(Error::Refused { .. })));
    assert!(scene.attempts(&bead)[0].ended_at.is_none());
}

#[test]
fn zero_days_mean_keep_forever() {
    let toml =
        format!("[retention]\narchive_days = 0\nsession_days = 0\nref_days = 0\narchive_min_free_gb = 0\n{TOWN}");
    let toml = toml.replace("version = 1\n", "");
    let mut scene = scene(&toml, &["app"]);
    scene.landed("one");
    scene.released("two");
    scene.retain(false);
    scene.world.advance(4000 * DAY);
    assert_eq!(scene.going(), []);
}

#[test]
fn events_are_deleted_only_if_the_settings_say_so() {
    let mut scene = scene(&format!("[retention]\nevent_days = 30\n{}", TOWN.replace("version = 1\n", "")), &["app"]);
    let bead = scene.landed("one");
    let events = |scene: &Scene| {
        let events = scene.town.ledger.read(|view| Ok::<_, Error>(view.last_events(Some(&bead), 100)?)).unwrap();
        events.into_iter().filter(|event| event.event != "retention-removed").count()
    };
    assert_eq!(scene.retain(false).events, 0);
    let before = events(&scene);
    scene.world.advance(31 * DAY);
    assert!(scene.retain(true).events > 0);
    assert_eq!(events(&scene), before);
    scene.retain(false);
    assert_eq!(events(&scene), 0);
}

#[test]
fn a_recovered_bead_continues_from_commits_and_uncommitted_files() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.released("one");
    let old = scene.archived(&bead);
    let recovered = polecat::recover(&scene.town, &Caller::overseer(), &bead, None).unwrap();
    assert_eq!((recovered.from, recovered.uncommitted), (1, true));
    scene.look();
    let worktree = scene.worktree(&bead);
    let read = |file: &str| scene.world.read_file(&worktree, file);
    assert_eq!(read("committed.txt"), Some(format!("{bead}\n")));
    assert_eq!(read("a.txt").as_deref(), Some("half a sentence"));
    assert_eq!(read("deep/new.txt").as_deref(), Some("untracked"));
    assert_eq!(read("test.sh"), None, "a removal is part of the state");
    let facts = scene.world.worktree(&scene.rig("app").layout.repo(), &worktree).unwrap().unwrap();
    assert_eq!(facts.dirty, ["a.txt", "deep/new.txt", "test.sh"]);
    assert_eq!(facts.head, recovered.head);
    let attempt = scene.attempts(&bead).pop().unwrap();
    assert_eq!((attempt.number, attempt.started_from.as_ref()), (2, Some(&recovered.head)));
    assert!(attempt.why.unwrap().contains("was released"));
    assert!(scene.exists(&old), "the archive stays");
    assert_eq!(polecat::list(&scene.town, true).unwrap().len(), 2);
    scene.work(&bead, "rest.txt");
    scene.look();
    refinery::run_round(&scene.town, &scene.rig("app")).unwrap();
    assert_eq!(scene.bead(&bead).status, Status::Closed);
}

#[test]
fn a_refused_recovery_says_why() {
    let mut scene = scene(TOWN, &["app"]);
    let recover = |scene: &Scene, bead: &BeadId| {
        polecat::recover(&scene.town, &Caller::overseer(), bead, None).unwrap_err().to_string()
    };
    let fresh = scene.bead_of("app", "never");
    assert!(recover(&scene, &fresh).contains("no worker has worked on"));
    let live = scene.slung("live");
    assert!(recover(&scene, &live).contains("is on the hook of"));
    polecat::nuke(&scene.town, &Caller::overseer(), live.as_str(), false).unwrap();
    assert!(recover(&scene, &live).contains("still being removed"));
    let landed = scene.landed("landed");
    assert!(recover(&scene, &landed).contains("is closed"));
}

#[test]
fn parked_and_quarantined_beads_are_recovered_by_a_person() {
    let mut scene = scene(TOWN, &["app"]);
    let (put_off, escalated) = (scene.slung("one"), scene.slung("two"));
    for (bead, exit) in [(&put_off, Exit::Deferred), (&escalated, Exit::Escalated)] {
        scene.commit(bead, "work.txt");
        scene.done(bead, exit).unwrap();
    }
    scene.settle();
    assert_eq!(scene.conditions(), [format!("quarantine:{escalated}")]);
    for bead in [&put_off, &escalated] {
        let recovered = polecat::recover(&scene.town, &Caller::overseer(), bead, None).unwrap();
        assert!(!recovered.uncommitted);
        scene.look();
        assert!(scene.exists(&scene.worktree(bead).join("work.txt")), "{bead}");
    }
    assert_eq!(scene.conditions(), Vec::<String>::new());
}

#[test]
fn polecat_show_lists_what_is_left_of_a_worker() {
    let mut scene = scene(TOWN, &["app"]);
    let (released, live) = (scene.released("one"), scene.slung("two"));
    let listed = polecat::list(&scene.town, false).unwrap();
    assert_eq!(listed.iter().map(|p| &p.bead).collect::<Vec<_>>(), [&live]);
    let all = polecat::list(&scene.town, true).unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].archive.as_ref(), Some(&scene.archived(&released)));
    assert_eq!(all[0].snapshot.as_deref(), Some(format!("refs/gt/snapshots/{released}-1").as_str()));
    for text in ["app/amber", "APP/amber", "app/polecats/amber"] {
        assert_eq!(polecat::show(&scene.town, text).unwrap().len(), 2, "{text}: both had the name in turn");
    }
    let shown = polecat::show(&scene.town, released.as_str()).unwrap();
    assert_eq!((shown.len(), shown[0].incarnations.len()), (1, 1));
    assert!(matches!(polecat::show(&scene.town, "app/nobody"), Err(Error::Unknown { .. })));
    let again = polecat::nuke(&scene.town, &Caller::overseer(), released.as_str(), false);
    assert!(matches!(again, Err(Error::Refused { .. })));
}

#[test]
fn snapshots_can_be_listed_shown_and_restored() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.released("one");
    let listed = snapshots::list(&scene.town, Some(&bead)).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].attempt, Some(1));
    for text in [bead.to_string(), format!("{bead}-1"), format!("refs/gt/snapshots/{bead}-1")] {
        let shown = snapshots::show(&scene.town, &text).unwrap();
        assert_eq!(shown.listed, listed[0], "{text}");
        assert_eq!(shown.changed.keys().collect::<Vec<_>>(), ["a.txt", "deep/new.txt", "test.sh"]);
        assert!(shown.trailers.contains(&("Bead".to_owned(), bead.to_string())));
    }
    let diff = |uncommitted| snapshots::diff(&scene.town, bead.as_str(), uncommitted, true).unwrap();
    assert!(diff(false).contains("committed.txt"));
    assert!(!diff(true).contains("committed.txt") && diff(true).contains("a.txt"));

    let restore = |to: &str| snapshots::restore(&scene.town, bead.as_str(), Path::new(to));
    restore("/elsewhere/one").unwrap();
    assert_eq!(scene.world.read_file(Path::new("/elsewhere/one"), "deep/new.txt").as_deref(), Some("untracked"));
    assert!(matches!(restore("/elsewhere/one"), Err(Error::Refused { .. })), "never over what is there");
    assert!(matches!(restore("/town/app/polecats/mine"), Err(Error::Refused { .. })), "not into the town");
    let other = scene.bead_of("app", "none");
    assert!(matches!(snapshots::show(&scene.town, other.as_str()), Err(Error::Refused { .. })));
}

#[test]
fn the_simulated_archive_is_guarded_as_well() {
    let mut scene = scene(TOWN, &["app"]);
    let live = scene.slung("one");
    let disk = scene.world.disk();
    for name in ["..", "../polecats", "../polecats/amber"] {
        assert!(archive::delete(disk, Path::new("/town/app/.archive"), name).is_err(), "{name}");
    }
    assert!(archive::delete(disk, Path::new("/town/app/polecats"), "amber").is_err());
    assert!(scene.exists(&scene.worktree(&live)));
}
