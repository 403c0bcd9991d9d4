//! Where sessions run on a machine without tmux.

use gt_model::runtime::RuntimeChoice;
use gt_town::agents::sessions::{self, Session};
use gt_town::view::doctor;
use gt_world::Runtime;

use super::*;

/// Starts the one session of a town and a rig with these settings, slung with `said`, and checks where it runs.
fn check(town: &str, rig: &str, said: Option<RuntimeChoice>, expected: Option<Runtime>) {
    let mut scene = scene(&format!("{town}{TOWN}"), &["app"]);
    set_rig(&scene.town, "app", &format!("{rig}{RIG}"));
    let bead = scene.bead_of("app", "One");
    let options = SlingOptions { runtime: said, ..SlingOptions::default() };
    let slung = sling::sling(&scene.town, &Caller::overseer(), &[bead], &scene.rig("app"), &options).unwrap();
    assert_eq!(slung.attempts[0].runtime, said);
    scene.look();
    let sessions: Vec<Session> = sessions::list(&scene.town, false).unwrap();
    assert_eq!(sessions.iter().find_map(|session| session.runtime), expected, "{town:?} {rig:?} {said:?}");
}

#[test]
fn the_runtime_comes_from_the_sling_the_rig_or_the_town() {
    // This world has no tmux, so a session that requires one does not start.
    let (tmux, headless) = ("runtime = \"tmux\"\n", "runtime = \"headless\"\n");
    check("", "", None, Some(Runtime::Headless));
    check(tmux, "", None, None);
    check("", tmux, None, None);
    check(tmux, headless, None, Some(Runtime::Headless));
    check(headless, tmux, None, None);
    check(tmux, tmux, Some(RuntimeChoice::Headless), Some(Runtime::Headless));
    check(tmux, tmux, Some(RuntimeChoice::Auto), Some(Runtime::Headless));
    check(headless, headless, Some(RuntimeChoice::Tmux), None);
}

#[test]
fn the_doctor_reports_a_required_but_missing_tmux() {
    let scene = scene(TOWN, &["app"]);
    let looked = || doctor::doctor(&scene.town).unwrap().into_iter().find(|c| c.name == "app: runtime").unwrap();
    assert_eq!((looked().ok, looked().detail), (true, "headless".to_owned()));
    set_rig(&scene.town, "app", &format!("runtime = \"tmux\"\n{RIG}"));
    assert!(!looked().ok && looked().hint.is_some(), "{:?}", looked());
}

#[test]
fn only_a_person_stops_a_session() {
    let mut scene = scene(TOWN, &["app"]);
    let bead = scene.bead_of("app", "One");
    let attempt = scene.sling("app", std::slice::from_ref(&bead)).remove(0);
    scene.look();
    let find = || sessions::find(&scene.town, &attempt.address().to_string()).unwrap();
    let worker = Caller::role(attempt.address());
    assert!(matches!(sessions::stop(&scene.town, &worker, &find()), Err(Error::Refused { .. })));
    assert!(find().is_running());
    sessions::stop(&scene.town, &Caller::overseer(), &find()).unwrap();
    assert_eq!(find().state, "ended");
    assert!(matches!(sessions::stop(&scene.town, &Caller::overseer(), &find()), Err(Error::Refused { .. })));
    let attach = sessions::attach(&scene.town, &Caller::overseer(), &find()).unwrap_err();
    assert!(attach.hint().unwrap().contains("gt peek app/polecats/amber --follow"), "{attach:?}");
    assert!(matches!(sessions::find(&scene.town, "app/polecats/nobody"), Err(Error::Unknown { .. })));
}
