//! Sessions in terminals of a real tmux. Each town has its own server.
#![expect(clippy::print_stderr, reason = "says what it leaves out where there is no tmux")]

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A town whose sessions are in terminals. Dropping it ends what runs in it.
struct Tmux(Town);

impl std::ops::Deref for Tmux {
    type Target = Town;

    fn deref(&self) -> &Town {
        &self.0
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        if self.root.path().exists() {
            let _ = self.sessions.end(&self.dir(), SHORT);
            let _ = self.sessions.close_terminals(self.root.path());
        }
    }
}

impl Tmux {
    /// Makes a town. `None`, with a message, if there is no tmux and none is required.
    fn new() -> Option<Self> {
        Self::with(Town::new())
    }

    fn with(town: Town) -> Option<Self> {
        let path = std::env::var("PATH").unwrap_or_default();
        let Err(missing) = tmux::usable(&path) else { return Some(Self(town)) };
        let required =
            std::env::var("GT_REQUIRE").is_ok_and(|names| names.split([',', ' ']).any(|name| name == "tmux"));
        assert!(!required, "GT_REQUIRE names tmux, but {missing}");
        eprintln!("skipped: {missing}");
        None
    }

    fn plan(&self, argv: &[&str]) -> SessionPlan {
        SessionPlan { runtime: Runtime::Tmux, ..self.0.plan(argv) }
    }

    fn start(&self, script: &str) {
        self.sessions.start(&self.plan(&["sh", "-c", script])).expect("a started session");
    }

    fn terminal(&self) -> Terminal {
        terminal(&self.dir()).expect("a plan").expect("a terminal")
    }

    fn screen(&self) -> String {
        self.sessions.screen(&self.dir(), 100).expect("a look").unwrap_or_default()
    }

    /// Returns tmux's own answer, without a client.
    fn ask(&self, args: &[&str]) -> String {
        let output = self.terminal().tmux(&BTreeMap::new()).args(args).output().expect("tmux");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn server(&self) -> ProcessId {
        let pid = self.ask(&["display-message", "-p", "#{pid}"]);
        process::identify(pid.trim().parse().expect("a pid")).expect("a server")
    }

    fn type_in(&self, text: &str) {
        self.ask(&["send-keys", "-t", &self.terminal().pane(), text, "Enter"]);
    }
}

fn exited(code: i32) -> Exit {
    Exit { code: Some(code), signal: None, reason: "exited".into() }
}

#[test]
fn an_agent_in_a_terminal_runs_in_its_folder_and_its_end_is_recorded() {
    let Some(town) = Tmux::new() else { return };
    assert_eq!(town.sessions.runtime(&town.dir()).expect("a record"), None);
    town.start("pwd; echo to stderr >&2; test -t 0 && test -t 1 && echo terminal; exit 7");
    assert_eq!(town.await_exit(), exited(7));
    assert_eq!(town.sessions.runtime(&town.dir()).expect("a record"), Some(Runtime::Tmux));
    let expected = format!("{}\r\nto stderr\r\nterminal\r\n", town.root.path().display());
    until(|| town.read("session/output.log") == expected);
    assert_eq!(town.read("session/shim.log"), "");
    assert_eq!(town.sessions.log(&town.dir(), 3).expect("a log"), expected.as_bytes()[3..]);
}

#[test]
fn an_agent_reads_what_is_typed() {
    let Some(town) = Tmux::new() else { return };
    town.start("stty -echo; echo ready; read x; echo got $x; read y; exit 5");
    until(|| town.screen().contains("ready"));
    town.type_in("words");
    until(|| town.screen().contains("got words"));
    let (shim, agent) = town.running();
    let stat = fs::read_to_string(format!("/proc/{}/stat", agent.pid)).expect("a stat line");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a stat line").split_whitespace().collect();
    let pid = agent.pid.to_string();
    assert_eq!((fields[2], fields[3], fields[5]), (&*pid, &*shim.pid.to_string(), &*pid), "group, session, foreground");
    town.type_in("more");
    assert_eq!(town.await_exit(), exited(5));
    until(|| town.sessions.screen(&town.dir(), 0).expect("a look").is_none());
}

#[test]
fn what_is_said_replaces_what_was_being_typed() {
    let Some(town) = Tmux::new() else { return };
    let say = |line: &str| town.sessions.say(&town.dir(), line).expect("a line");
    assert_eq!(say("early"), Said::NoWay);
    town.start("stty -echo; echo ready; while read -r x; do echo \"got <$x>\"; done");
    until(|| town.screen().contains("ready"));
    town.ask(&["send-keys", "-t", &town.terminal().pane(), "half a word"]);
    assert_eq!(say("gt: look at $HOME; Enter"), Said::Sent);
    until(|| town.screen().contains("got <gt: look at $HOME; Enter>"));
    // A person left the terminal in this mode and has detached; no person is scrolling any more.
    town.ask(&["copy-mode", "-t", &town.terminal().pane()]);
    assert_eq!(say("again;"), Said::Sent);
    until(|| town.screen().contains("got <again;>"));
    town.end();
    assert_eq!(say("late"), Said::NoWay);
}

#[test]
fn keys_of_a_terminal_reach_the_agent_and_not_its_shim() {
    let Some(town) = Tmux::new() else { return };
    town.start("trap 'echo interrupted' INT; echo ready; until [ -e go ]; do sleep 0.01; done; exit 4");
    until(|| town.screen().contains("ready"));
    town.ask(&["send-keys", "-t", &town.terminal().pane(), "C-c"]);
    until(|| town.screen().contains("interrupted"));
    let shim = town.running().0;
    for signal in [Signal::INT, Signal::QUIT, Signal::TSTP, Signal::TTOU, Signal::TTIN] {
        assert!(process::signal(&shim, signal).expect("a signal"));
    }
    fs::write(town.path("go"), "").expect("a file");
    assert_eq!(town.await_exit(), exited(4));
}

/// Acts on a session that has an orphan which ignores signals, and checks the recorded reason. `None`: the cleanup is left to the
/// process that looks after the session.
fn check_ended(act: impl Fn(&Tmux), reason: Option<&str>) {
    let Some(town) = Tmux::new() else { return };
    town.start(
        "setsid sh -c 'trap \"\" TERM HUP; echo $$ > orphan; while :; do sleep 1000; done' &
         while ! [ -s orphan ]; do sleep 0.01; done; echo ready; while :; do sleep 1000; done",
    );
    until(|| town.screen().contains("ready"));
    let orphan = town.process_in("orphan");
    let (shim, agent) = town.running();
    act(&town);
    if reason.is_none() {
        town.end();
    }
    assert_eq!(town.await_exit().reason, reason.unwrap_or("shim gone"));
    until(|| !process::is_alive(&shim));
    assert!(!process::is_alive(&agent) && !process::is_alive(&orphan));
    town.sessions.close_terminals(town.root.path()).expect("closed");
}

#[test]
fn whatever_is_killed_the_whole_tree_ends() {
    check_ended(|town| kill(&town.running().1), Some("ended by a signal"));
    check_ended(|town| kill(&town.running().0), None);
    check_ended(|town| kill(&town.server()), Some("terminal gone"));
    check_ended(|town| drop(town.ask(&["kill-server"])), Some("terminal gone"));
    check_ended(|town| drop(town.ask(&["kill-pane", "-t", &town.terminal().pane()])), Some("terminal gone"));
    check_ended(|town| town.end(), Some("ended by request"));
    check_ended(|town| fs::remove_file(town.path("town.toml")).expect("a marker"), Some("town gone"));
}

#[test]
fn a_server_ends_with_its_last_session_and_is_started_again() {
    let Some(town) = Tmux::new() else { return };
    town.start("sleep 1000");
    let server = town.server();
    town.end();
    until(|| !process::is_alive(&server));
    let next = SessionPlan { dir: town.path("next"), ..town.plan(&["sh", "-c", "exit 3"]) };
    town.sessions.start(&next).expect("a started session");
    until(|| town.sessions.state(&next.dir).expect("a state") == SessionState::Ended(exited(3)));
}

#[test]
fn sessions_start_while_others_end() {
    let Some(town) = Tmux::new() else { return };
    std::thread::scope(|scope| {
        for lane in 0..3 {
            let town = &town;
            scope.spawn(move || {
                for number in 0..6 {
                    let dir = town.path(&format!("s-{lane}-{number}"));
                    let plan = SessionPlan { dir, ..town.plan(&["sh", "-c", "exit 3"]) };
                    town.sessions.start(&plan).expect("a started session");
                    until(|| town.sessions.state(&plan.dir).expect("a state") == SessionState::Ended(exited(3)));
                }
            });
        }
    });
}

#[test]
fn close_ends_the_towns_server_and_waits_for_its_logs() {
    let Some(town) = Tmux::new() else { return };
    town.start("sleep 1000");
    let server = town.server();
    let logs = Census::take().expect("a census").with_descendants(|stat| stat.parent == server.pid).len();
    assert!(logs >= 2, "a shim and a log");
    town.sessions.close_terminals(town.root.path()).expect("closed");
    assert!(!process::is_alive(&server));
    let of_logs = File::open(tmux::log_lock(town.root.path())).expect("a lock");
    rustix::fs::flock(&of_logs, rustix::fs::FlockOperation::NonBlockingLockExclusive).expect("no log is written");
    drop(of_logs);
    assert_eq!(town.await_exit().reason, "terminal gone");
    town.sessions.close_terminals(town.root.path()).expect("closed already");
}

#[test]
fn the_environment_is_in_no_file_no_argument_and_nothing_that_tmux_tells() {
    const SECRET: &str = "7.secretsecretsecret";
    let Some(town) = Tmux::new() else { return };
    let mut plan = town.plan(&["sh", "-c", "env; echo ready; sleep 1000"]);
    plan.env.insert("GT_INCARNATION".into(), SECRET.into());
    town.sessions.start(&plan).expect("a started session");
    until(|| town.screen().contains("ready"));
    let shown = town.screen();
    for (name, value) in &plan.env {
        assert!(shown.replace('\n', "").contains(&format!("{name}={value}")), "{name} is not in {shown}");
    }
    assert!(shown.contains("TERM=screen") && !shown.contains("TMUX"), "{shown}");
    for args in [&["show-environment", "-g"][..], &["show-environment", "-t", "=session"]] {
        let told = town.ask(args);
        assert!(!told.contains("secretsecret") && !told.contains("GT_"), "{told}");
    }
    let environment = fs::read(format!("/proc/{}/environ", town.server().pid)).expect("an environment");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    for name in ["GT_", "HOME=", "TMUX=", "CARGO"] {
        assert!(!environment.contains(name), "{name} is in {environment}");
    }
    for entry in fs::read_dir("/proc").expect("processes") {
        let arguments = fs::read(entry.expect("an entry").path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&arguments).contains("secretsecret"));
    }
    // The agent itself has printed the secret into its log. No other file may hold it.
    for entry in fs::read_dir(town.dir()).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        assert!(!name.starts_with("env.") && !name.starts_with("ack."), "{name}");
        if name != record::OUTPUT_LOG {
            let text = fs::read_to_string(&path).expect("a text");
            assert!(!text.contains("secretsecret"), "{name}: {text}");
        }
    }
}

#[test]
fn a_server_holds_nothing_of_who_starts_it() {
    let Some(town) = Tmux::new() else { return };
    let lock = record::lock(town.root.path(), "held").expect("a lock");
    town.start("sleep 1000");
    drop(lock);
    assert!(record::try_lock(town.root.path(), "held").expect("a lock").is_some());
    assert!(record::try_lock(&town.dir(), record::START_LOCK).expect("a lock").is_some());
    assert_eq!(fs::read_link(format!("/proc/{}/cwd", town.server().pid)).expect("a folder"), Path::new("/"));
}

#[test]
fn towns_have_servers_of_their_own() {
    let (Some(one), Some(other)) = (Tmux::new(), Tmux::new()) else { return };
    for town in [&one, &other] {
        town.start("sleep 1000");
        assert_eq!(town.ask(&["list-sessions", "-F", "#{session_name}"]), "session\n");
    }
    assert_ne!(one.server(), other.server());
    one.end();
    one.sessions.close_terminals(one.root.path()).expect("closed");
    other.running();
    assert!(process::is_alive(&other.server()));
}

#[test]
fn a_users_own_tmux_is_left_alone() {
    let Some(town) = Tmux::new() else { return };
    let home = tempfile::tempdir().expect("a folder");
    let config = home.path().join(".tmux.conf");
    fs::write(&config, "set -g monitor-bell off\nset -g status-left users\n").expect("a file");
    let users = |args: &[&str]| {
        let mut command = Command::new("tmux");
        command.args(args).env_remove("TMUX").env("TMUX_TMPDIR", home.path()).env("HOME", home.path());
        let output = command.output().expect("tmux");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    // The script ends when its folder is gone, however this test ends.
    let script = format!("while [ -e '{}' ]; do sleep 0.1; done", config.display());
    users(&["new-session", "-d", "-s", "mine", &script]);
    let facts = || {
        let told =
            [&["list-sessions"][..], &["show-environment", "-g"], &["list-panes", "-a"], &["show-options", "-g"]];
        told.map(users)
    };
    let before = facts();
    assert!(before[0].starts_with("mine:") && before[3].contains("users"), "{before:?}");
    let mut plan = town.plan(&["sh", "-c", "echo ready; sleep 1000"]);
    // As if the caller passed on its own values of these.
    let at_home = home.path().to_str().expect("a path");
    for (name, value) in [("TMUX", "/tmp/no,1,0"), ("TMUX_TMPDIR", at_home), ("HOME", at_home)] {
        plan.env.insert(name.into(), value.into());
    }
    town.sessions.start(&plan).expect("a started session");
    until(|| town.screen().contains("ready"));
    assert_eq!(facts(), before);
    assert_eq!(town.ask(&["show-options", "-gwv", "monitor-bell"]), "on\n");
    town.end();
    town.sessions.close_terminals(town.root.path()).expect("closed");
    assert_eq!(facts(), before);
}

#[test]
fn a_town_with_a_long_path_or_a_strange_one_has_a_terminal() {
    for name in [&*"long".repeat(30), "it's a #{pid} #[x] 100%d;"] {
        let outer = Town::new();
        let root = tempfile::Builder::new().prefix(name).rand_bytes(3).tempdir_in(outer.root.path()).expect("a folder");
        fs::write(root.path().join("town.toml"), "").expect("a marker");
        let Some(town) = Tmux::with(Town { root, sessions: RealSessions::new(shim()) }) else { return };
        town.start("echo said; exit 6");
        assert_eq!(town.await_exit(), exited(6));
        until(|| town.read("session/output.log") == "said\r\n");
        town.sessions.close_terminals(town.root.path()).expect("closed");
        let folder = town.terminal().folder.clone();
        assert!(
            folder.starts_with(town.root.path())
                || fs::metadata(folder).expect("a folder").permissions().mode() & 0o077 == 0
        );
    }
}

#[test]
fn a_flood_in_a_terminal_is_capped_and_told() {
    let Some(town) = Tmux::new() else { return };
    let bytes = LOG_LIMIT_BYTES + 1_000_000;
    town.start(&format!("stty raw; head -c {bytes} /dev/zero | tr '\\0' x"));
    assert_eq!(town.await_exit().code, Some(0));
    until(|| fs::read(town.dir().join(record::OUTPUT_LOG)).is_ok_and(|log| log.ends_with(b"bytes were dropped]\n")));
    assert!(town.vitals().log_bytes < LOG_LIMIT_BYTES + 100);
}

#[test]
fn a_session_in_a_terminal_is_started_once() {
    let Some(town) = Tmux::new() else { return };
    let script = "echo x >> count; while ! [ -e go ]; do sleep 0.01; done";
    std::thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(|| town.start(script))));
    });
    fs::write(town.path("go"), "").expect("a file");
    assert_eq!(town.await_exit().code, Some(0));
    town.start(script);
    assert_eq!(town.read("count"), "x\n");
}

#[test]
fn a_start_that_was_killed_before_the_environment_went_over_can_be_repeated() {
    let Some(town) = Tmux::new() else { return };
    let plan = town.plan(&["true"]);
    let dir = town.dir();
    fs::create_dir_all(&dir).expect("a folder");
    let terminal = choose_terminal(&plan, &dir).expect("a choice").expect("a terminal");
    record::write(&dir, record::PLAN, &Plan::of(&plan, Some(terminal.clone()))).expect("a plan");
    let letters = Letters::prepare(&dir).expect("letters");
    terminal.open(&shim(), &dir, &letters, &plan.env).expect("a terminal");
    // The killed start has left the terminal, which waits, and the FIFOs.
    std::mem::forget(letters);
    assert_eq!(town.state(), SessionState::NotStarted);
    town.sessions.start(&plan).expect("a started session");
    assert_eq!(town.await_exit(), exited(0));
}

#[test]
fn an_agent_that_can_not_be_started_in_a_terminal_has_ended_with_the_reason() {
    let Some(town) = Tmux::new() else { return };
    town.sessions.start(&town.plan(&["no-such-program"])).expect("a recorded failure");
    assert!(town.await_exit().reason.starts_with("could not start: no-such-program: No such file"));
}

#[test]
fn without_tmux_nothing_is_started_and_the_reason_is_told() {
    let town = Town::new();
    let mut plan = SessionPlan { runtime: Runtime::Tmux, ..town.plan(&["touch", "ran"]) };
    plan.env.insert("PATH".into(), "/no/such/folder".into());
    let error = town.sessions.start(&plan).expect_err("no tmux");
    assert!(format!("{error:?}").contains("no tmux is in the PATH"), "{error:?}");
    assert_eq!(town.state(), SessionState::NotStarted);
    assert!(!town.path("ran").exists());
}
