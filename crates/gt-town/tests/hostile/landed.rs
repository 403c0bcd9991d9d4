//! A bead lands only through its own work. For other commits a person decides what they mean.

use gt_ledger::MergeRequest;
use gt_model::id::Sha;
use gt_model::queue::{MrEnd, MrStatus};
use gt_town::effects;
use gt_town::refinery::review;
use gt_town::view::answer::Answer;
use gt_town::view::observe;
use gt_town::work::done::Ending;

use super::*;

impl Scene {
    /// Commits to the trunk as a person, and lets the town fetch.
    fn person(&self, files: &[(&str, &str)]) -> Sha {
        let commit = self.world.commit_to_remote(&remote("app"), "main", files, "By hand").unwrap();
        self.fetch();
        commit
    }

    fn fetch(&self) {
        effects::fetch(&self.town, &Caller::overseer(), &self.rig("app")).unwrap();
    }

    /// Moves a worker's branch to an existing commit, as a fast-forward does.
    fn follow(&self, bead: &BeadId, to: &Sha) {
        self.world.rebase(&self.worktree(bead), to, false).unwrap();
        assert_eq!(&self.world.head(&self.worktree(bead)).unwrap(), to);
    }

    fn submit(&self, bead: &BeadId) -> Result<MergeRequest, String> {
        self.end(bead, &Exit::Completed.into())
    }

    fn end(&self, bead: &BeadId, ending: &Ending<'_>) -> Result<MergeRequest, String> {
        let attempt = self.attempts(bead).pop().unwrap();
        let incarnations = self.town.ledger.read(|view| Ok::<_, Error>(view.incarnations_of(attempt.id)?)).unwrap();
        let incarnation = incarnations.last().map(|i| i.id.clone());
        let caller = Caller { incarnation, ..Caller::role(attempt.address()) };
        match done::done(&self.town, &caller, ending) {
            Ok(submitted) => Ok(self.mr(&submitted.mr.unwrap())),
            Err(error) => Err(error.to_string()),
        }
    }

    fn mr(&self, id: &str) -> MergeRequest {
        self.town.ledger.read(|view| Ok::<_, Error>(view.merge_request(&id.into())?.unwrap())).unwrap()
    }

    fn round(&mut self) -> refinery::Round {
        self.look();
        refinery::run_round(&self.town, &self.rig("app")).unwrap().unwrap()
    }

    fn status(&self, mr: &MergeRequest) -> MrStatus {
        let (mr, rig) = (self.mr(mr.id.as_str()), self.rig("app"));
        self.town.ledger.read(|view| refinery::status(view, &rig, &mr)).unwrap()
    }

    fn needs(&self) -> Vec<String> {
        observe::status(&self.town).unwrap().needs_you.into_iter().map(|need| need.condition.key).collect()
    }
}

#[test]
fn fast_forwarding_to_the_trunk_is_no_work() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.slung("One");
    let theirs = scene.person(&[("other.txt", "a person's\n")]);
    scene.follow(&bead, &theirs);
    let refused = scene.submit(&bead).unwrap_err();
    assert!(refused.contains("others made all"), "{refused}");
    assert_eq!(scene.bead(&bead).status, Status::InProgress);
    assert!(scene.round().landed.is_empty());
}

#[test]
fn fast_forwarding_to_another_workers_branch_is_no_work_and_leaves_the_others_work() {
    let mut scene = scene(TOWN, &["app"]);
    let (honest, idle) = (scene.slung("Honest"), scene.slung("Idle"));
    scene.commit(&honest, "honest.txt");
    scene.follow(&idle, &scene.world.head(&scene.worktree(&honest)).unwrap());
    let refused = scene.submit(&idle).unwrap_err();
    assert!(refused.contains("others made all"), "{refused}");
    scene.submit(&honest).unwrap();
    assert_eq!(scene.round().landed.len(), 1);
    assert_eq!((scene.bead(&honest).status, scene.bead(&idle).status), (Status::Closed, Status::InProgress));
}

#[test]
fn commits_by_a_worker_of_the_same_name_for_another_bead_do_not_count() {
    let mut scene = scene(TOWN, &["app"]);
    let first = scene.slung("First");
    scene.commit(&first, "first.txt");
    scene.done(&first, Exit::Escalated).unwrap();
    for _ in 0..10 {
        scene.look();
    }
    let second = scene.slung("Second");
    let [old, new] = [&first, &second].map(|bead| scene.attempts(bead).pop().unwrap());
    assert_eq!(old.worker, new.worker);
    let branch = format!("refs/heads/{}", old.branch);
    let head = scene.town.world().repo().refs(&scene.rig("app").layout.repo()).unwrap()[&branch].clone();
    scene.follow(&second, &head);
    let refused = scene.submit(&second).unwrap_err();
    assert!(refused.contains("no commits of its own"), "{refused}");
}

#[test]
fn commits_without_effect_are_no_work() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.slung("One");
    let me = scene.attempts(&bead)[0].address().to_string();
    scene.commit_as(&bead, &me, &[("a.txt", "changed\n")]);
    scene.commit_as(&bead, &me, &[("a.txt", "a\n")]);
    let refused = scene.submit(&bead).unwrap_err();
    assert!(refused.contains("main already has all changes"), "{refused}");
    scene.commit_as(&bead, &me, &[("a.txt", "a \n")]);
    scene.submit(&bead).unwrap();
    assert_eq!(scene.round().landed.len(), 1, "white space is work too");
}

#[test]
fn work_that_others_landed_first_waits_for_a_person_and_is_not_repeated() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.slung("One");
    scene.commit_as(&bead, "app/polecats/amber", &[("a.txt", "better\n")]);
    let mr = scene.submit(&bead).unwrap();
    let theirs = scene.world.commit_to_remote(&remote("app"), "main", &[("a.txt", "better\n")], "The same").unwrap();
    let round = scene.round();
    assert_eq!((round.doubted.len(), round.reworked.len(), round.landed.len()), (1, 0, 0));
    let MrStatus::MaybeLanded(why) = scene.status(&mr) else { panic!("{:?}", scene.status(&mr)) };
    assert!(why.contains(theirs.short()) && why.contains("The same"), "{why}");
    assert_eq!(scene.needs(), [format!("maybe-landed:{}", mr.id)]);
    assert!(!scene.round().changed(), "it is left alone");
    assert!(refinery::approve(&scene.town, &Caller::overseer(), std::slice::from_ref(&mr.id)).is_err());

    let agent = Caller::role(scene.attempts(&bead)[0].address());
    assert!(review::landed(&scene.town, &agent, mr.id.as_str(), None).is_err());
    let nowhere = review::landed(&scene.town, &Caller::overseer(), mr.id.as_str(), Some(mr.head.as_str()));
    assert!(nowhere.unwrap_err().to_string().contains("is not on main"));
    review::landed(&scene.town, &Caller::overseer(), mr.id.as_str(), None).unwrap();
    assert_eq!(scene.bead(&bead).close_reason, Some(format!("merged as {theirs}")));
    let over = scene.mr(mr.id.as_str());
    assert_eq!((over.outcome, over.commit_landed), (Some(MrEnd::Merged), Some(theirs.clone())));
    let refs = scene.town.world().repo().refs(&scene.rig("app").layout.repo()).unwrap();
    assert_eq!(refs.get(&mr.landing_ref()), Some(&theirs));
    assert!(scene.needs().is_empty(), "{:?}", scene.needs());
}

#[test]
fn a_person_may_send_doubtful_work_back_or_close_its_bead() {
    let mut scene = scene(TOWN, &["app"]);
    let (back, without) = (scene.slung("Back"), scene.slung("Without"));
    for (bead, file) in [(&back, "back.txt"), (&without, "without.txt")] {
        scene.commit(bead, file);
        scene.submit(bead).unwrap();
    }
    scene.person(&[("back.txt", &format!("{back}\n")), ("without.txt", &format!("{without}\n"))]);
    assert_eq!(scene.round().doubted.len(), 2);
    let caller = Caller::overseer();
    review::reject(&scene.town, &caller, back.as_str(), "there is more to it").unwrap();
    assert_eq!(scene.attempts(&back).len(), 2);
    beads::close(&scene.town, &caller, &without, Some("done by others"), true).unwrap();
    assert!(scene.needs().is_empty(), "{:?}", scene.needs());
}

#[test]
fn a_retry_checks_doubtful_work_again() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.slung("One");
    scene.commit(&bead, "one.txt");
    let mr = scene.submit(&bead).unwrap();
    scene.person(&[("one.txt", &format!("{bead}\n"))]);
    assert_eq!(scene.round().doubted.len(), 1);
    scene.person(&[("one.txt", "something else\n")]);
    review::retry(&scene.town, &Caller::overseer(), std::slice::from_ref(&mr.id.0)).unwrap();
    assert_eq!(scene.round().reworked.len(), 1, "now it conflicts");
}

#[test]
fn a_head_that_a_person_merged_has_landed_if_its_worker_made_it() {
    let mut scene = scene(TOWN, &["app"]);
    let (own, strange) = (scene.slung("Own"), scene.slung("Strange"));
    scene.commit(&own, "own.txt");
    scene.commit_as(&strange, "Ann Author", &[("strange.txt", "x\n")]);
    let [own_mr, strange_mr] = [&own, &strange].map(|bead| scene.submit(bead).unwrap());
    scene.look();
    // A person pushes both heads, one on top of the other.
    let theirs = scene.world.merge_on_remote(&remote("app"), "main", &[&own_mr.head, &strange_mr.head]).unwrap();
    let caller = Caller::overseer();
    let _ = refinery::run_round(&scene.town, &scene.rig("app"));
    rig::release(&scene.town, &caller, &scene.rig("app")).unwrap();
    let round = scene.round();
    assert_eq!((round.landed, round.doubted), (vec![own_mr.id.clone()], vec![strange_mr.id.clone()]));
    assert_eq!(scene.mr(own_mr.id.as_str()).commit_landed, Some(own_mr.head));
    review::landed(&scene.town, &caller, strange_mr.id.as_str(), Some(theirs.as_str())).unwrap();
    assert_eq!(scene.bead(&strange).status, Status::Closed);
}

#[test]
fn a_worker_may_name_the_commit_that_has_its_work() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.slung("One");
    let theirs = scene.person(&[("one.txt", "done\n")]);
    let named = |id: &'static str| Ending {
        exit: Exit::LandedBy,
        note: Some("it is there"),
        landed_by: Some(id),
        dropped: None,
    };
    for (id, why) in [("HEAD", "is not a commit"), ("main", "is not a commit"), ("0123456789abcdef", "is not a commit")]
    {
        assert!(scene.end(&bead, &named(id)).unwrap_err().contains(why), "{id}");
    }
    let ending = Ending { landed_by: Some(theirs.as_str()), ..named("") };
    let mr = scene.end(&bead, &ending).unwrap();
    assert!(matches!(scene.status(&mr), MrStatus::MaybeLanded(_)));
    assert!(!scene.round().changed(), "a person decides");
    assert_eq!(scene.bead(&bead).comments.last().unwrap().text, "it is there");
    review::landed(&scene.town, &Caller::overseer(), bead.as_str(), None).unwrap();
    assert_eq!(scene.bead(&bead).close_reason, Some(format!("merged as {theirs}")));
}

#[test]
fn a_worker_with_its_own_work_may_not_name_another_commit() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.slung("One");
    let theirs = scene.person(&[("two.txt", "x\n")]);
    scene.commit(&bead, "one.txt");
    let ending = Ending { exit: Exit::LandedBy, landed_by: Some(theirs.as_str()), ..Ending::default() };
    assert!(scene.end(&bead, &ending).unwrap_err().contains("would be lost"));
    let ending = Ending { exit: Exit::NoCode, ..Ending::default() };
    assert!(scene.end(&bead, &ending).unwrap_err().contains("would be lost"));
}

#[test]
fn the_next_attempt_owns_the_work_of_the_previous_one() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.slung("One");
    scene.commit(&bead, "one.txt");
    let mr = scene.submit(&bead).unwrap();
    scene.look();
    review::reject(&scene.town, &Caller::overseer(), mr.id.as_str(), "again").unwrap();
    scene.look();
    assert_eq!(scene.attempts(&bead).len(), 2);
    scene.submit(&bead).unwrap();
    assert_eq!(scene.round().landed.len(), 1);
}

impl Scene {
    fn landed_bead(&mut self, title: &str) -> (BeadId, MergeRequest) {
        let bead = self.slung(title);
        self.commit(&bead, &format!("{title}.txt"));
        let mr = self.submit(&bead).unwrap();
        assert_eq!(self.round().landed.len(), 1);
        (bead, self.mr(mr.id.as_str()))
    }

    /// Forces the remote's trunk to a commit, and lets the town fetch.
    fn force(&self, to: &Sha) {
        self.world.force_remote(&remote("app"), "main", to).unwrap();
        self.fetch();
    }

    fn trunk(&self) -> Sha {
        self.world.remote_branch(&remote("app"), "main").unwrap()
    }

    fn dropped(&self) -> Vec<String> {
        self.conditions().into_iter().filter_map(|key| key.strip_prefix("dropped:").map(str::to_owned)).collect()
    }

    /// Why a bead is closed: the reason, or the work on it that is missing.
    fn why(&self, bead: &BeadId) -> String {
        match observe::why(&self.town, bead).unwrap().answer {
            Answer::Closed(reason) => reason.unwrap_or_default(),
            Answer::Dropped(lost) => lost,
            other => panic!("{bead} is not closed: {other:?}"),
        }
    }
}

#[test]
fn a_forced_push_is_reported_for_each_bead_that_it_removed_from_the_trunk() {
    let mut scene = scene(TOWN, &["app"]);
    let start = scene.trunk();
    let (one, first) = scene.landed_bead("One");
    let (two, second) = scene.landed_bead("Two");
    let (three, _) = scene.landed_bead("Three");
    let tip = scene.trunk();
    assert_eq!(scene.dropped(), [""; 0]);
    scene.force(first.commit_landed.as_ref().unwrap());
    let mut both = [two.0.clone(), three.0];
    both.sort();
    assert_eq!(scene.dropped(), both);
    let why = scene.why(&two);
    assert!(
        why.contains(second.commit_landed.as_ref().unwrap().short()) && why.contains(&second.landing_ref()),
        "{why}"
    );
    assert!(scene.needs().contains(&format!("dropped:{two}")));
    scene.force(&start);
    assert_eq!(scene.dropped().len(), 3);
    // The report stays while the trunk moves on, and ends when the trunk contains the commit again.
    scene.person(&[("more.txt", "more\n")]);
    assert_eq!(scene.dropped().len(), 3);
    scene.force(&tip);
    assert_eq!(scene.dropped(), [""; 0]);
    assert!(scene.why(&one).starts_with("merged as"));
}

#[test]
fn changes_in_other_commits_are_a_maybe_until_a_person_confirms() {
    let mut scene = scene(TOWN, &["app"]);
    let start = scene.trunk();
    let (one, mr) = scene.landed_bead("One");
    let (two, _) = scene.landed_bead("Two");
    // The trunk is rewritten, with the first landing's files and without the second's.
    scene.world.force_remote(&remote("app"), "main", &start).unwrap();
    let anew = scene.person(&[("One.txt", &format!("{one}\n"))]);
    assert_eq!(scene.dropped().len(), 2);
    assert!(scene.why(&one).contains("maybe other commits of the trunk have its changes"), "{}", scene.why(&one));
    assert!(!scene.why(&two).contains("maybe"), "{}", scene.why(&two));
    review::landed(&scene.town, &Caller::overseer(), mr.id.as_str(), Some(anew.as_str())).unwrap();
    assert_eq!(scene.dropped(), std::slice::from_ref(&two.0));
    assert_eq!(scene.bead(&one).close_reason, Some(format!("merged as {anew}")));
    // A person does the work again by hand.
    let again = scene.person(&[("Two.txt", &format!("{two}\n"))]);
    assert!(scene.why(&two).contains("maybe other commits of the trunk have its changes"));
    review::landed(&scene.town, &Caller::overseer(), two.as_str(), Some(again.as_str())).unwrap();
    scene.person(&[("more.txt", "more\n")]);
    assert_eq!(scene.dropped(), [""; 0]);
}

#[test]
fn a_person_may_confirm_a_removal_or_have_the_work_done_again() {
    let mut scene = scene(TOWN, &["app"]);
    let start = scene.trunk();
    let (meant, mr) = scene.landed_bead("Meant");
    let (again, _) = scene.landed_bead("Again");
    let convoy = scene.attempts(&meant)[0].convoy.clone().unwrap();
    let caller = Caller::overseer();
    assert!(review::not_landed(&scene.town, &caller, mr.id.as_str()).is_err(), "the trunk has it");
    scene.force(&start);
    review::not_landed(&scene.town, &caller, mr.id.as_str()).unwrap();
    assert!(scene.why(&meant).contains("was taken off main on purpose"));
    let state = gt_town::work::convoy::show(&scene.town, &convoy).unwrap().state;
    assert_eq!(state, gt_model::convoy::ConvoyState::Closed);
    beads::reopen(&scene.town, &caller, &again, None).unwrap();
    assert_eq!(scene.dropped(), [""; 0]);
    scene.person(&[("more.txt", "more\n")]);
    assert_eq!(scene.dropped(), [""; 0]);
    scene.sling("app", std::slice::from_ref(&again));
    scene.look();
    scene.commit(&again, "Again.txt");
    scene.submit(&again).unwrap();
    assert_eq!(scene.round().landed.len(), 1);
    let tip = scene.trunk();
    scene.force(&start);
    assert_eq!(scene.dropped(), [again.0]);
    scene.force(&tip);
    assert_eq!(scene.dropped(), [""; 0]);
}
