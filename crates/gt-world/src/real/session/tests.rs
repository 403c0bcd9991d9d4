//! Real processes. Each test has its own town, and all processes that it starts end with that town at the latest.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use tempfile::TempDir;

use super::*;
use crate::{LOG_LIMIT_BYTES, TAIL_LINES};

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(60);

/// A town with its marker file and one session's folder.
struct Town {
    root: TempDir,
    sessions: RealSessions,
}

impl Town {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::write(root.path().join("town.toml"), "").expect("a marker");
        Self { root, sessions: RealSessions::new(shim()) }
    }

    /// Returns an environment with an incarnation that no other test has, in this run or another.
    fn env(&self) -> BTreeMap<String, String> {
        let path = ("PATH", std::env::var("PATH").expect("PATH"));
        let incarnation = ("GT_INCARNATION", format!("7.{}", self.root.path().display()));
        [path, incarnation].map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn dir(&self) -> PathBuf {
        self.path("session")
    }

    fn vitals(&self) -> Vitals {
        self.sessions.vitals(&[self.dir()]).remove(0).expect("vitals")
    }

    fn plan(&self, argv: &[&str]) -> SessionPlan {
        SessionPlan {
            dir: self.dir(),
            town: self.root.path().to_owned(),
            cwd: self.root.path().to_owned(),
            argv: argv.iter().map(|&arg| arg.into()).collect(),
            env: self.env(),
            runtime: Runtime::Headless,
            input: None,
        }
    }

    /// Starts this script as the agent.
    fn start(&self, script: &str) {
        self.sessions.start(&self.plan(&["sh", "-c", script])).expect("a started session");
    }

    fn state(&self) -> SessionState {
        self.sessions.state(&self.dir()).expect("a state")
    }

    fn end(&self) {
        self.sessions.end(&self.dir(), SHORT).expect("an end");
    }

    fn running(&self) -> (ProcessId, ProcessId) {
        match self.state() {
            SessionState::Running { shim, agent } => (shim, agent),
            other => panic!("not running: {other:?}"),
        }
    }

    fn await_exit(&self) -> Exit {
        until(|| matches!(self.state(), SessionState::Ended(_)));
        match self.state() {
            SessionState::Ended(exit) => exit,
            other => panic!("not ended: {other:?}"),
        }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Returns the process whose pid a script has written into a file.
    fn process_in(&self, name: &str) -> ProcessId {
        until(|| self.read(name).ends_with('\n'));
        process::identify(self.read(name).trim().parse().expect("a pid")).expect("a process")
    }

    fn command(&self, script: &str) -> ContainedCommand {
        ContainedCommand {
            argv: vec!["sh".into(), "-c".into(), script.into()],
            cwd: self.root.path().to_owned(),
            env: self.env(),
            timeout: LONG,
            log: self.path("logs/command.log"),
        }
    }

    fn run(&self, script: &str) -> RunResult {
        self.sessions.run(&self.command(script)).expect("a result")
    }
}

/// Returns the example program that stands in for `gt`.
fn shim() -> PathBuf {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(build_shim);
    BUILT.clone()
}

/// Builds the example if it was not built with the tests: `cargo test <name>` does not build examples.
fn build_shim() -> PathBuf {
    let test = std::env::current_exe().expect("the test's path");
    let profile = test.parent().and_then(Path::parent).expect("the folder of the profile");
    let built = profile.join("examples/shim");
    let time = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    if time(&built) < time(&test) {
        let name = profile.file_name().and_then(|name| name.to_str()).expect("a name");
        let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        cargo.args(["build", "--quiet", "--offline", "--example", "shim", "--target-dir"]);
        cargo.arg(profile.parent().expect("the target folder"));
        cargo.args(["--profile", if name == "debug" { "dev" } else { name }]);
        assert!(cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo").success());
    }
    built
}

/// Waits for a condition, however long it takes on a busy machine.
fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "it does not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill(process: &ProcessId) {
    assert!(process::signal(process, Signal::KILL).expect("a signal"));
    until(|| !process::is_alive(process));
}

/// A process that belongs to no session.
struct Stray(Child);

impl Stray {
    fn new() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().expect("a stray process"))
    }

    fn with_env(name: &str, value: &str) -> Self {
        Self(Command::new("sleep").arg("1000").env(name, value).spawn().expect("a stray process"))
    }

    fn id(&self) -> ProcessId {
        process::identify(self.0.id() as i32).expect("a process")
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_agent_runs_in_its_folder_and_its_end_is_recorded() {
    let town = Town::new();
    assert_eq!(town.state(), SessionState::NotStarted);
    town.start("pwd; echo to stderr >&2; exit 7");
    let exit = Exit { code: Some(7), signal: None, reason: "exited".into() };
    assert_eq!(town.await_exit(), exit);
    assert_eq!(town.read("session/output.log"), format!("{}\nto stderr\n", town.root.path().display()));
    assert_eq!(town.read("session/shim.log"), "");
}

#[test]
fn an_agent_is_the_head_of_a_group_in_a_session_without_terminal_or_input() {
    let town = Town::new();
    town.start("cat; cat /proc/self/stat; exec sleep 1000");
    let (shim, agent) = town.running();
    until(|| !town.read("session/output.log").is_empty());
    let log = town.read("session/output.log");
    let fields: Vec<&str> = log.rsplit(')').next().expect("a stat line").split_whitespace().collect();
    assert_eq!(fields[2], agent.pid.to_string(), "its group");
    assert_eq!(fields[3], shim.pid.to_string(), "its session");
    assert_eq!(fields[4], "0", "its terminal");
    town.end();
}

#[test]
fn the_environment_is_that_of_the_plan_and_never_on_disk() {
    let town = Town::new();
    let mut plan = town.plan(&["env"]);
    plan.env.insert("GT_INCARNATION".into(), "7.secretsecret".into());
    town.sessions.start(&plan).expect("a started session");
    town.await_exit();
    let log = town.read("session/output.log");
    let seen = log.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect();
    assert_eq!(plan.env, seen);
    fs::remove_file(town.dir().join(record::OUTPUT_LOG)).expect("a log");
    for entry in fs::read_dir(town.dir()).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a text");
        assert!(!text.contains("secretsecret"), "{}: {text}", path.display());
    }
}

#[test]
fn an_agent_with_an_input_gets_the_first_message_and_what_is_said_later() {
    let town = Town::new();
    let script = "while read -r line; do printf 'got %s\\n' \"$line\"; done; echo input ended";
    let plan = SessionPlan { input: Some("first\n".into()), ..town.plan(&["sh", "-c", script]) };
    town.sessions.start(&plan).expect("a started session");
    until(|| town.read("session/output.log") == "got first\n");
    assert_eq!(town.sessions.say(&town.dir(), "a \"word\"").expect("a line"), Said::Sent);
    let said = r#"got {"type":"user","message":{"role":"user","content":[{"type":"text","text":"a \"word\""}]}}"#;
    let expected = format!("got first\n{said}\n");
    until(|| town.read("session/output.log").len() >= expected.len());
    assert_eq!(town.read("session/output.log"), expected);
    let (shim, agent) = town.running();
    // Its input ends with its shim, so the wait for it ends.
    kill(&shim);
    until(|| town.read("session/output.log").ends_with("input ended\n") || !process::is_alive(&agent));
    assert_eq!(town.sessions.say(&town.dir(), "more").expect("a line"), Said::NoWay);
}

#[test]
fn an_input_that_nobody_reads_is_full_some_time() {
    let town = Town::new();
    let plan = SessionPlan { input: Some(String::new()), ..town.plan(&["sleep", "1000"]) };
    town.sessions.start(&plan).expect("a started session");
    let line = "x".repeat(SAY_LIMIT_BYTES);
    let said = (0..1000).map(|_| town.sessions.say(&town.dir(), &line).expect("a line"));
    assert!(said.into_iter().any(|said| said == Said::Busy));
    town.end();
}

#[test]
fn a_shim_is_nobodys_child() {
    let town = Town::new();
    town.start("exec sleep 1000");
    let (shim, _) = town.running();
    let parent = process::stat_of(&shim).expect("a shim").parent;
    assert_ne!(parent, std::process::id() as i32);
    town.end();
    assert!(process::stat_of(&shim).is_none_or(|stat| stat.parent != std::process::id() as i32));
}

#[test]
fn what_an_agent_leaves_behind_ends_with_it() {
    let town = Town::new();
    // One process in the agent's group, and one in its own kernel session that ignores signals.
    town.start(
        "sleep 1000 & echo $! > child
         setsid sh -c 'trap \"\" TERM HUP; echo $$ > orphan; while :; do sleep 1000; done' &
         while ! [ -s orphan ] || ! [ -e go ]; do sleep 0.01; done",
    );
    let left = [town.process_in("child"), town.process_in("orphan")];
    fs::write(town.path("go"), "").expect("a file");
    assert_eq!(town.await_exit().reason, "exited");
    for process in left {
        assert!(!process::is_alive(&process), "{process:?}");
    }
}

#[test]
fn an_agent_that_is_asked_to_may_end_in_its_own_way() {
    let town = Town::new();
    town.start("trap 'echo bye; exit 3' TERM; echo here; while :; do sleep 0.01; done");
    until(|| town.read("session/output.log").contains("here"));
    town.sessions.end(&town.dir(), LONG).expect("an end");
    let exit = Exit { code: Some(3), signal: None, reason: "ended by request".into() };
    assert_eq!(town.state(), SessionState::Ended(exit));
    assert!(town.read("session/output.log").ends_with("bye\n"));
    town.end();
}

#[test]
fn an_agent_that_does_not_listen_is_ended_by_force() {
    let town = Town::new();
    town.start("trap '' TERM; echo here; while :; do sleep 1000; done");
    until(|| town.read("session/output.log").contains("here"));
    town.end();
    let exit = Exit { code: None, signal: Some(9), reason: "ended by request".into() };
    assert_eq!(town.state(), SessionState::Ended(exit));
}

#[test]
fn a_killed_agent_is_recorded_as_killed() {
    let town = Town::new();
    town.start("exec sleep 1000");
    kill(&town.running().1);
    assert_eq!(town.await_exit(), Exit { code: None, signal: Some(9), reason: "ended by a signal".into() });
}

#[test]
fn an_agent_outlives_its_shim_and_is_still_known() {
    let town = Town::new();
    town.start("setsid sleep 1000 & echo $! > orphan; exec sleep 1000");
    let orphan = town.process_in("orphan");
    let (shim, agent) = town.running();
    kill(&shim);
    assert_eq!(town.running(), (shim, agent.clone()));
    town.end();
    assert_eq!(town.state(), SessionState::Ended(Exit { code: None, signal: None, reason: "shim gone".into() }));
    assert!(!process::is_alive(&agent) && !process::is_alive(&orphan));
}

#[test]
fn what_outlives_shim_and_agent_is_told_by_its_incarnation() {
    let town = Town::new();
    let stray = Stray::new();
    town.start("setsid sleep 1000 & echo $! > orphan; exec sleep 1000");
    let orphan = town.process_in("orphan");
    let (shim, agent) = town.running();
    kill(&shim);
    kill(&agent);
    assert_eq!(town.running(), (shim, agent));
    town.end();
    assert_eq!(town.await_exit().reason, "shim gone");
    assert!(!process::is_alive(&orphan) && process::is_alive(&stray.id()));
}

/// Forges the record of a session, as if its pids had been reused.
fn check_forged(forge: impl Fn(ProcessId) -> ProcessId) {
    let town = Town::new();
    let (shim, agent) = (Stray::new(), Stray::new());
    fs::create_dir_all(town.dir()).expect("a folder");
    let mark = Some("no such mark".to_owned());
    let started = Started {
        protocol: record::PROTOCOL,
        shim: forge(shim.id()),
        agent: forge(agent.id()),
        mark,
        runtime: Runtime::Headless,
    };
    record::write(&town.dir(), record::STARTED, &started).expect("a record");
    assert_eq!(town.await_exit().reason, "shim gone");
    town.end();
    assert_eq!(town.vitals(), Vitals::default());
    assert!(process::is_alive(&shim.id()) && process::is_alive(&agent.id()));
}

#[test]
fn a_pid_that_was_used_again_is_left_alone() {
    check_forged(|id| ProcessId { start_ticks: id.start_ticks - 1, ..id });
}

#[test]
fn a_pid_of_before_the_reboot_is_left_alone() {
    check_forged(|id| ProcessId { boot_id: "before".into(), ..id });
}

#[test]
fn a_damaged_record_permits_nothing_while_anything_of_the_session_runs() {
    for (name, text) in [(record::EXIT, "{"), (record::STARTED, "[]"), (record::PLAN, "")] {
        let town = Town::new();
        fs::create_dir_all(town.dir()).expect("a folder");
        fs::write(town.dir().join(name), text).expect("a record");
        let shim = record::lock(&town.dir(), record::LOCK).expect("the shim's lock");
        assert!(matches!(town.state(), SessionState::Unknown(_)), "{name}: {text}");
        drop(shim);
        let id = town.dir().file_name().expect("a name").to_string_lossy().into_owned();
        let agent = Stray::with_env("GT_INCARNATION", &format!("{id}.secret"));
        assert!(matches!(town.state(), SessionState::Unknown(_)), "{name}: {text}");
        drop(agent);
        let over = town.state();
        match name {
            record::PLAN => assert_eq!(over, SessionState::NotStarted, "nothing of it ever ran"),
            _ => assert!(matches!(&over, SessionState::Ended(exit) if exit.reason.contains(name)), "{over:?}"),
        }
        town.end();
    }
}

#[test]
fn a_record_of_another_protocol_permits_nothing() {
    let town = Town::new();
    fs::create_dir_all(town.dir()).expect("a folder");
    let plan = r#"{"protocol":2,"argv":["true"],"cwd":"/","town":"/"}"#;
    fs::write(town.dir().join(record::PLAN), plan).expect("a record");
    assert!(matches!(town.state(), SessionState::Unknown(_)));
}

#[test]
fn a_flood_is_capped_and_told() {
    let town = Town::new();
    let bytes = LOG_LIMIT_BYTES + 1_000_000;
    town.start(&format!("head -c {bytes} /dev/zero; echo end"));
    assert_eq!(town.await_exit().code, Some(0));
    let log = fs::read(town.dir().join(record::OUTPUT_LOG)).expect("a log");
    let told = b"\n[gt: 1000004 more bytes were dropped]\n";
    assert_eq!(log.len() as u64, LOG_LIMIT_BYTES + told.len() as u64);
    assert!(log.ends_with(told));
    assert_eq!(town.vitals().log_bytes, log.len() as u64);
}

#[test]
fn an_agent_ends_when_its_town_is_gone() {
    let town = Town::new();
    town.start("exec sleep 1000");
    let (shim, agent) = town.running();
    fs::remove_file(town.path("town.toml")).expect("a marker");
    assert_eq!(town.await_exit().reason, "town gone");
    until(|| !process::is_alive(&shim));
    assert!(!process::is_alive(&agent));
}

#[test]
fn a_town_that_was_deleted_is_not_made_again() {
    let town = Town::new();
    town.start("exec sleep 1000");
    let (shim, agent) = town.running();
    fs::remove_dir_all(town.root.path()).expect("a town");
    until(|| !process::is_alive(&shim));
    assert!(!process::is_alive(&agent) && !town.root.path().exists());
}

#[test]
fn a_session_is_started_once() {
    let town = Town::new();
    let script = "echo x >> count; while ! [ -e go ]; do sleep 0.01; done";
    std::thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(|| town.start(script))));
    });
    let (shim, agent) = town.running();
    town.start(script);
    assert_eq!(town.running(), (shim, agent));
    fs::write(town.path("go"), "").expect("a file");
    assert_eq!(town.await_exit().code, Some(0));
    town.start(script);
    assert_eq!(town.await_exit().code, Some(0));
    assert_eq!(town.read("count"), "x\n");
}

#[test]
fn a_second_shim_of_a_session_does_nothing() {
    let town = Town::new();
    town.start("echo x >> count; exec sleep 1000");
    until(|| !town.read("count").is_empty());
    let status = Command::new(shim()).args(["session", "host"]).arg(town.dir()).output().expect("a shim").status;
    assert_eq!(status.code(), Some(1));
    assert_eq!(town.read("count"), "x\n");
    town.end();
}

#[test]
fn a_start_that_was_killed_before_its_record_can_be_repeated() {
    let town = Town::new();
    let plan = town.plan(&["true"]);
    fs::create_dir_all(town.dir()).expect("a folder");
    record::write(&town.dir(), record::PLAN, &Plan::of(&plan, None)).expect("a plan");
    assert_eq!(town.state(), SessionState::NotStarted);
    town.end();

    let lock = record::try_lock(&town.dir(), record::LOCK).expect("a lock").expect("free");
    assert_eq!(town.state(), SessionState::Unknown("starting".into()));
    drop(lock);

    town.sessions.start(&plan).expect("a started session");
    assert_eq!(town.await_exit().code, Some(0));
}

/// A start finds the shim of an earlier start before the shim's record exists. The earlier caller was killed. `outcome` says what
/// happens to that shim.
fn check_start_under_way(outcome: impl Fn(&Town, File), expected: bool) {
    let town = Town::new();
    fs::create_dir_all(town.dir()).expect("a folder");
    let lock = record::try_lock(&town.dir(), record::LOCK).expect("a lock").expect("free");
    std::thread::scope(|scope| {
        let start = scope.spawn(|| town.sessions.start(&town.plan(&["touch", "ran"])));
        // By now the second shim has found the lock held.
        until(|| !town.read("session/shim.log").is_empty());
        outcome(&town, lock);
        assert_eq!(start.join().expect("no panic").is_ok(), expected);
    });
    assert!(!town.path("ran").exists());
}

#[test]
fn a_start_waits_for_another_that_is_under_way() {
    let record = |town: &Town, lock: File| {
        let exit = Exit { code: Some(0), signal: None, reason: "exited".into() };
        record::write(&town.dir(), record::EXIT, &exit).expect("a record");
        drop(lock);
    };
    check_start_under_way(record, true);
    check_start_under_way(|_, lock| drop(lock), false);
}

#[test]
fn an_end_waits_for_a_start_that_is_under_way() {
    let town = Town::new();
    fs::create_dir_all(town.dir()).expect("a folder");
    let plan = town.plan(&["sleep", "1000"]);
    record::write(&town.dir(), record::PLAN, &Plan::of(&plan, None)).expect("a plan");
    let turn = record::lock(&town.dir(), record::START_LOCK).expect("a lock");
    std::thread::scope(|scope| {
        let end = scope.spawn(|| town.end());
        town.sessions.spawn_shim(&plan, &town.dir()).expect("a shim");
        drop(turn);
        end.join().expect("an end");
    });
    assert_eq!(town.await_exit().reason, "ended by request");
}

#[test]
fn a_shim_ends_by_no_signal_of_a_terminal() {
    let town = Town::new();
    town.start("while ! [ -e go ]; do sleep 0.01; done");
    for signal in [Signal::HUP, Signal::INT] {
        assert!(process::signal(&town.running().0, signal).expect("a signal"));
    }
    fs::write(town.path("go"), "").expect("a file");
    assert_eq!(town.await_exit(), Exit { code: Some(0), signal: None, reason: "exited".into() });
}

#[test]
fn an_agent_never_runs_when_its_shim_dies_before_the_record() {
    let town = Town::new();
    let plan = town.plan(&["touch", "ran"]);
    fs::create_dir_all(town.dir()).expect("a folder");
    record::write(&town.dir(), record::PLAN, &Plan::of(&plan, None)).expect("a plan");
    for (released, ran) in [(false, false), (true, true)] {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a socket");
        let mut gate = Command::new(shim());
        gate.args(["session", "exec"]).arg(town.dir()).stdin(OwnedFd::from(theirs));
        let mut child = gate.spawn().expect("a gate");
        // The command keeps its end of the socket open.
        drop(gate);
        if released {
            (&ours).write_all(&[1]).expect("a release");
            child.wait().expect("an end");
        }
        drop(ours);
        let status = child.wait().expect("an end");
        assert_eq!((status.success(), town.path("ran").exists()), (ran, ran));
    }
}

#[test]
fn an_agent_that_can_not_be_started_has_ended_with_the_reason() {
    for (argv, cwd, reason) in [
        (&["no-such-program"][..], "", "could not start: no-such-program: No such file"),
        (&["true"], "nowhere", "could not start: no folder"),
        (&[], "", "could not start: the command is empty"),
    ] {
        let town = Town::new();
        let mut plan = town.plan(argv);
        plan.cwd = town.path(cwd);
        town.sessions.start(&plan).expect("a recorded failure");
        let SessionState::Ended(exit) = town.state() else { panic!("not ended: {:?}", town.state()) };
        assert_eq!((exit.code, exit.signal), (Some(127), None));
        assert!(exit.reason.starts_with(reason), "{}", exit.reason);
    }
}

#[test]
fn a_missing_gt_is_told() {
    let town = Town { sessions: RealSessions::new("/no/such/gt".into()), ..Town::new() };
    let started = town.sessions.start(&town.plan(&["true"]));
    assert!(matches!(started, Err(WorldError::Spawn { .. })), "{started:?}");
    assert_eq!(town.state(), SessionState::NotStarted);
}

#[test]
fn a_deacon_is_woken_when_an_agent_has_ended() {
    let town = Town::new();
    fs::create_dir(town.path("deacon")).expect("a folder");
    let wake = town.path("deacon/wake");
    assert!(Command::new("mkfifo").arg(&wake).status().expect("mkfifo").success());
    // Opened for writing too, so that opening does not wait for the writer.
    let mut pipe = File::options().read(true).write(true).open(&wake).expect("a pipe");
    town.start("true");
    pipe.read_exact(&mut [0]).expect("a wake");
    assert!(matches!(town.state(), SessionState::Ended(_)));
}

#[test]
fn vitals_of_several_are_told_apart_in_one_look() {
    let (busy, idle, none) = (Town::new(), Town::new(), Town::new());
    busy.start("while :; do :; done");
    idle.start("echo 123; sleep 1000");
    until(|| busy.vitals().cpu_ticks > 20 && idle.vitals().log_bytes == 4);
    fs::create_dir_all(none.dir()).expect("a folder");
    fs::write(none.dir().join(record::STARTED), "{").expect("a damaged record");
    let found = busy.sessions.vitals(&[busy.dir(), none.dir(), idle.dir(), none.path("nowhere")]);
    let ticks = |at: usize| found[at].as_ref().expect("vitals").cpu_ticks;
    assert!(ticks(0) > 20 && ticks(2) < 20 && found[1].is_err(), "{found:?}");
    assert_eq!(found[3].as_ref().expect("vitals"), &Vitals::default());
    assert_eq!((idle.sessions.log_size(&idle.dir()), idle.sessions.log_size(&none.dir())), (4, 0));
    busy.end();
    idle.end();
}

#[test]
fn vitals_are_those_of_the_whole_tree() {
    let town = Town::new();
    town.start("echo 12345; setsid sh -c 'while :; do :; done' & while :; do sleep 1000; done");
    until(|| town.vitals().cpu_ticks > 3);
    fs::write(town.dir().join(record::LIFE), "").expect("a sign");
    let vitals = town.vitals();
    assert_eq!(vitals.log_bytes, 6);
    assert!(vitals.last_call.is_some_and(|at| at > 1_600_000_000));
    town.end();
}

#[test]
fn a_process_knows_its_ancestors() {
    let town = Town::new();
    let (own, stray) = (process::identify(std::process::id() as i32).expect("this process"), Stray::new());
    let parent = process::identify(rustix::process::getppid().expect("a parent").as_raw_pid()).expect("a process");
    let reused = ProcessId { start_ticks: parent.start_ticks + 1, ..parent.clone() };
    for (processes, expected) in
        [(vec![], false), (vec![stray.id(), own], false), (vec![reused], false), (vec![stray.id(), parent], true)]
    {
        assert_eq!(town.sessions.is_descendant_of_any(&processes), expected, "{processes:?}");
    }
}

#[test]
fn a_command_passes_or_fails_with_its_last_lines() {
    let town = Town::new();
    let passed = town.run("echo fine");
    assert_eq!((passed.end, passed.tail), (RunEnd::Passed, vec!["fine".to_owned()]));

    let failed = town.run("seq 1 100; printf 'bad\\033[0m' >&2; exit 5");
    assert_eq!(failed.end, RunEnd::Failed(Exit { code: Some(5), signal: None, reason: "exited".into() }));
    assert_eq!(failed.tail.len(), TAIL_LINES);
    assert_eq!(failed.tail.last().map(String::as_str), Some("bad[0m"));
    assert!(town.read("logs/command.log").starts_with("1\n2\n"));

    let killed = town.run("kill -9 $$");
    assert_eq!(killed.end, RunEnd::Failed(Exit { code: None, signal: Some(9), reason: "ended by a signal".into() }));
}

#[test]
fn a_command_has_the_environment_and_the_input_that_it_was_given() {
    let town = Town::new();
    let command = ContainedCommand { argv: vec!["env".into()], ..town.command("") };
    let mut tail = town.sessions.run(&command).expect("a result").tail;
    let mut expected: Vec<String> = town.env().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    tail.sort();
    expected.sort();
    assert_eq!(tail, expected);
    assert_eq!(town.run("cat").end, RunEnd::Passed);
}

#[test]
fn a_command_that_can_not_be_started_fails() {
    let town = Town::new();
    let command = ContainedCommand { argv: vec!["no-such-program".into()], ..town.command("") };
    let result = town.sessions.run(&command).expect("a result");
    assert!(matches!(&result.end, RunEnd::Failed(exit) if exit.code == Some(127)), "{result:?}");
    assert!(result.tail[0].starts_with("could not start: no-such-program: No such file"), "{result:?}");

    let nowhere = ContainedCommand { cwd: town.path("nowhere"), ..town.command("true") };
    let result = town.sessions.run(&nowhere);
    assert!(matches!(&result, Err(WorldError::Io { act: "enter", .. })), "{result:?}");
}

#[test]
fn a_command_that_takes_too_long_is_ended_with_its_tree() {
    let town = Town::new();
    let script = "setsid sleep 1000 & echo $! > orphan; echo waiting; sleep 1000";
    let command = ContainedCommand { timeout: Duration::from_millis(500), ..town.command(script) };
    std::thread::scope(|scope| {
        let run = scope.spawn(|| town.sessions.run(&command).expect("a result"));
        let orphan = town.process_in("orphan");
        let result = run.join().expect("a result");
        assert_eq!((result.end, result.tail), (RunEnd::TimedOut, vec!["waiting".to_owned()]));
        assert!(!process::is_alive(&orphan));
    });
}

#[test]
fn what_a_passed_command_leaves_behind_is_ended() {
    let town = Town::new();
    let script = "setsid sleep 1000 & echo $! > orphan; while ! [ -e go ]; do sleep 0.01; done";
    std::thread::scope(|scope| {
        let run = scope.spawn(|| town.run(script));
        let orphan = town.process_in("orphan");
        fs::write(town.path("go"), "").expect("a file");
        assert_eq!(run.join().expect("a result").end, RunEnd::Passed);
        assert!(!process::is_alive(&orphan));
    });
}

#[test]
fn a_command_ends_when_its_caller_is_gone() {
    let town = Town::new();
    let command = town.command("setsid sleep 1000 & echo $! > orphan; exec sleep 1000");
    fs::create_dir(town.path("logs")).expect("a folder");
    let mut shim = town.sessions.spawn_contained(&command, new_log(&command.log).expect("a log")).expect("a shim");
    let orphan = town.process_in("orphan");
    // When a process is killed, the kernel closes everything that it holds.
    drop((shim.stdin.take(), shim.stdout.take()));
    shim.wait().expect("an end");
    assert!(!process::is_alive(&orphan));
}

#[test]
fn a_command_whose_shim_is_killed_is_ended_and_has_no_result() {
    let town = Town::new();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| town.sessions.run(&town.command("echo $$ > pid; sleep 1000; true")));
        let command = town.process_in("pid");
        let parent = process::stat_of(&command).expect("a command").parent;
        kill(&process::identify(parent).expect("a shim"));
        let result = run.join().expect("no panic");
        assert!(matches!(result, Err(WorldError::Unexpected(_))), "{result:?}");
        assert!(!process::is_alive(&command));
    });
}

mod terminals;
