//! The lock that git inherits, and locks that a killed git has left.

use super::*;
use crate::Clock as _;
use crate::real::RealClock;

#[test]
fn a_git_that_outlives_its_runner_holds_the_lock() {
    let Rig { git, dir, held } = Rig::empty();
    let path = held.path.clone();
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    // The alias opens both ends of the FIFO in turn: first to say that it began, then to learn that it may end.
    let place = Place::Folder(dir.path().to_owned());
    let alias = ["-c", "alias.linger=!echo began > fifo; read end < fifo; echo over"];
    let runner = std::thread::spawn(move || {
        let answer = git.act(&held, &place, "linger").git_options(&alias).ok().unwrap();
        drop(held);
        answer.line()
    });
    assert_eq!(fs::read_to_string(&fifo).unwrap(), "began\n");
    assert!(RealDisk.try_lock(&path).unwrap().is_none());
    fs::copy(file_with(&dir, "end\n"), &fifo).unwrap();
    assert_eq!(runner.join().unwrap(), "over");
    assert!(RealDisk.lock(&path, Duration::from_secs(60)).unwrap().is_some());
}

fn file_with(dir: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = dir.path().join("words");
    put(&path, text);
    path
}

#[test]
fn the_lock_is_held_by_git_alone_when_the_runner_gave_it_up() {
    let Rig { git, dir, held } = Rig::empty();
    let path = held.path.clone();
    let place = Place::Folder(dir.path().to_owned());
    // The child that lingers here has git's standard input, as a git of a killed runner would.
    let alias = ["-c", "alias.leave=!exec 3<&0; (until test -e free; do sleep 0.01; done) <&3 3<&- >/dev/null 2>&1 &"];
    git.act(&held, &place, "leave").git_options(&alias).ok().unwrap();
    drop(held);
    assert!(RealDisk.try_lock(&path).unwrap().is_none());
    put(dir.path().join("free"), "");
    assert!(RealDisk.lock(&path, Duration::from_secs(60)).unwrap().is_some());
}

#[test]
fn a_question_does_not_hold_the_lock() {
    let Rig { git, dir, held } = Rig::empty();
    let alias = ["-c", "alias.look=!readlink /proc/self/fd/0"];
    let place = Place::Folder(dir.path().to_owned());
    let asked = git.question(&place, "look").git_options(&alias).ok().unwrap().line();
    let acted = git.act(&held, &place, "look").git_options(&alias).ok().unwrap().line();
    assert_eq!(asked, "/dev/null");
    assert_eq!(PathBuf::from(acted).file_name(), held.path.file_name());
}

#[test]
fn lock_files_of_a_killed_git_are_no_obstacle() {
    let rig = Rig::new();
    let (one, two) = (rig.trunk(), rig.commit(&rig.worktree("w"), "two", "2\n"));
    rig.git.set_ref(&rig.held, &rig.repo(), "refs/gt/x", &one, None).unwrap();
    for lock in ["config.lock", "refs/gt/x.lock", "packed-refs.lock"] {
        put(rig.repo().join(lock), "");
    }
    rig.git.set_ref(&rig.held, &rig.repo(), "refs/gt/x", &two, Some(&one)).unwrap();
    rig.git.delete_ref(&rig.held, &rig.repo(), "refs/gt/x").unwrap();
    rig.git.create(&rig.held, &rig.repo(), rig.at("origin").to_str().unwrap(), ObjectFormat::Sha1).unwrap();
}

#[test]
fn a_lock_file_at_work_is_waited_for() {
    let mut rig = Rig::new();
    let lock = rig.repo().join("config.lock");
    put(&lock, "");
    let other = std::thread::spawn(move || {
        RealClock.pause(Duration::from_millis(20));
        fs::remove_file(&lock).is_ok()
    });
    rig.git.lock_patience = Duration::from_secs(2);
    rig.git.create(&rig.held, &rig.repo(), rig.at("origin").to_str().unwrap(), ObjectFormat::Sha1).unwrap();
    assert!(other.join().unwrap(), "the other git's lock was taken away from it");
}
