//! Many concurrent writers, and writers that are killed: no acknowledged write is lost, and no write is refused.
//!
//! A writer is this test binary, started again for [`a_writer`]. It is a separate process, in which each write is one
//! whole call of `bd` (parse arguments, open the ledger, one transaction, close it) without the start of a program. Two
//! of the writers call the built `bd` instead.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test stands outside of gt: it starts writers, measures how long they wait, and says so"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use gt_testkit::ledger::Numbers;

use crate::bd::Project;
use crate::town::{GT, finish, text};

/// Variable that tells a process that it is a writer, and which one.
const WRITER: &str = "GT_TEST_WRITER";

/// One writer: how it calls `bd`, and which writes were acknowledged.
struct Writer {
    name: String,
    folder: PathBuf,
    /// Path of the built program, if each write starts it.
    program: bool,
    acknowledged: std::fs::File,
    numbers: Numbers,
    own: Vec<String>,
    closed: BTreeSet<usize>,
    longest: Duration,
}

impl Writer {
    /// Calls `bd`, which must succeed.
    fn call(&mut self, args: &[&str]) -> String {
        let args = [&["bd"], args, &["--actor", &self.name]].concat();
        let begun = Instant::now();
        let (code, out, err) = if self.program { self.start(&args[1..]) } else { self.within(&args) };
        self.longest = self.longest.max(begun.elapsed());
        assert_eq!(code, 0, "{args:?}: {out}{err}");
        out
    }

    fn start(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(self.folder.join("../bd")).args(args).current_dir(&self.folder).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    fn within(&self, args: &[&str]) -> (i32, String, String) {
        let process = gt::Process::real(BTreeMap::new(), Ok(self.folder.clone()), Ok(GT.into())).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let args = args.iter().map(Into::into).collect();
        let invocation = gt::Invocation { args, out: &mut out, err: &mut err, terminal: false };
        let code = gt::run(invocation, &process);
        (code.into(), String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    /// Reports a finished write to the process that started the writers. Data that a killed process gave to the kernel
    /// survives.
    fn acknowledge(&mut self, words: &[&str]) {
        let line = words.join("\t") + "\n";
        self.acknowledged.write_all(line.as_bytes()).unwrap();
    }

    fn create(&mut self, n: usize) {
        let title = format!("{} {n}", self.name);
        let id = self.call(&["q", &title]).trim().to_owned();
        self.acknowledge(&["made", &id, &title]);
        self.own.push(id);
    }

    /// Makes one write of some kind, to a bead of its own or to a shared one.
    fn write(&mut self, n: usize) {
        let mark = format!("{}-{n}", self.name);
        if self.own.len() < 3 {
            return self.create(n);
        }
        let at = self.numbers.below(self.own.len());
        let own = self.own[at].clone();
        match self.numbers.below(10) {
            0..=2 => self.create(n),
            3..=4 => {
                self.call(&["update", &own, "--notes", &mark]);
                self.acknowledge(&["noted", &own, &mark]);
            }
            5 if !self.closed.contains(&at) => {
                // A bead that waits for an open one closes only with --force.
                self.call(&["close", &own, "--reason", &mark, "--force"]);
                self.closed.insert(at);
                self.acknowledge(&["closed", &own, &mark]);
            }
            6 if at > 0 => {
                let earlier = self.own[self.numbers.below(at)].clone();
                self.call(&["dep", "add", &own, &earlier]);
                self.acknowledge(&["waits", &own, &earlier]);
            }
            7 => {
                self.call(&["label", "add", "vt-shared", &mark]);
                self.acknowledge(&["labelled", "vt-shared", &mark]);
            }
            _ => {
                self.call(&["comment", "vt-shared", &mark]);
                self.acknowledge(&["remarked", "vt-shared", &mark]);
            }
        }
    }
}

/// Not a test by itself: the work of a writer's process. It does nothing without the variable.
#[test]
fn a_writer() {
    let Ok(words) = std::env::var(WRITER) else { return };
    let words: Vec<&str> = words.split('\t').collect();
    let [folder, name, seed, writes, program] = words[..] else { panic!("{words:?}") };
    let folder = PathBuf::from(folder);
    let acknowledged = std::fs::File::options().create(true).append(true).open(folder.join(name)).unwrap();
    let mut writer = Writer {
        name: name.to_owned(),
        program: program == "program",
        acknowledged,
        numbers: Numbers(seed.parse().unwrap()),
        own: Vec::new(),
        closed: BTreeSet::new(),
        longest: Duration::ZERO,
        folder,
    };
    for n in 0..writes.parse().unwrap() {
        writer.write(n);
    }
    let longest = writer.longest.as_millis().to_string();
    writer.acknowledge(&["longest", &longest]);
}

/// Starts a writer that makes this many writes.
fn start(project: &Project, name: &str, seed: usize, writes: usize, program: bool) -> Child {
    let kind = if program { "program" } else { "within" };
    let folder = project.folder();
    let words = [&folder.display().to_string(), name, &seed.to_string(), &writes.to_string(), kind].join("\t");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "hammer::a_writer", "--nocapture"]).env(WRITER, words).current_dir(&folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Returns what a writer reported, one line each; the last line may be incomplete.
fn told(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Checks that every acknowledged write of these writers is in the ledger, and that the ledger is sound.
fn check_all(project: &Project, writers: &[String]) -> usize {
    let check = project.bd(&["doctor", "--json"]);
    assert_eq!(check.code, 0, "{check:#?}");
    let exported = project.ok(&["export"]);
    let beads: BTreeMap<String, Value> = exported
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|bead| (text(&bead["id"]), bead))
        .collect();
    let list = |value: &Value, key: &str| -> BTreeSet<String> {
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().map(|item| if key.is_empty() { text(item) } else { text(&item[key]) }).collect()
    };
    let shared = &beads["vt-shared"];
    let (labels, remarks) = (list(&shared["labels"], ""), list(&shared["comments"], "text"));
    let mut count = 0;
    for writer in writers {
        let mut notes: BTreeMap<String, String> = BTreeMap::new();
        for words in told(&project.folder().join(writer)) {
            let [kind, id, said] = &words[..] else { continue };
            let bead = beads.get(id).unwrap_or_else(|| panic!("{words:?} is lost"));
            let is_there = match kind.as_str() {
                "made" => bead["title"] == said.as_str(),
                "noted" => {
                    notes.insert(id.clone(), said.clone());
                    true
                }
                "closed" => bead["status"] == "closed" && bead["close_reason"] == said.as_str(),
                "waits" => list(&bead["dependencies"], "depends_on_id").contains(said),
                "labelled" => labels.contains(said),
                "remarked" => remarks.contains(said),
                other => panic!("{other}"),
            };
            assert!(is_there, "{words:?} is lost: {bead}");
            count += 1;
        }
        for (id, said) in notes {
            // A killed writer may have written one more note than it reported.
            let number = |text: &str| text.rsplit('-').next().and_then(|n| n.parse::<usize>().ok());
            let kept = number(&text(&beads[&id]["notes"]));
            assert!(kept >= number(&said), "the note {said} of {id} is lost: {}", beads[&id]);
        }
    }
    count
}

const WRITERS: usize = 30;

const WRITES: usize = 100;

#[test]
fn f07_thirty_writers_with_readers_lose_nothing_and_are_never_refused() {
    let project = Project::new();
    project.ok(&["create", "Shared", "--id", "vt-shared"]);
    let names: Vec<String> = (0..WRITERS).map(|n| format!("writer{n}")).collect();
    let mut writers: Vec<Child> =
        names.iter().enumerate().map(|(n, name)| start(&project, name, n, WRITES, n < 2)).collect();
    // Readers run while writers run; each reader must see a consistent ledger.
    let (mut looks, mut seen) = (0, 0);
    while writers.iter_mut().any(|writer| writer.try_wait().unwrap().is_none()) {
        let all = project.json(&["list", "--all", "--limit", "0"]).as_array().unwrap().len();
        assert!(all >= seen, "a reader sees beads vanish: {all} after {seen}");
        seen = all;
        for bead in project.json(&["ready", "--limit", "20"]).as_array().unwrap() {
            assert_eq!(bead["status"], "open", "{bead}");
        }
        let shared = project.json(&["show", "vt-shared"]);
        assert_eq!(shared[0]["title"], "Shared");
        looks += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    for writer in writers {
        let output = finish(writer);
        assert_eq!(output.code, 0, "{output:#?}");
    }
    let count = check_all(&project, &names);
    assert_eq!(count, WRITERS * WRITES);
    let longest = names.iter().filter_map(|name| told(&project.folder().join(name)).pop()?[1].parse::<u64>().ok());
    let longest = longest.max().unwrap();
    eprintln!("{count} writes by {WRITERS} processes, {looks} looks meanwhile; longest write {longest} ms");
}

#[test]
fn f07_writers_that_are_killed_lose_nothing_that_was_acknowledged() {
    const ROUNDS: usize = 8;
    let project = Project::new();
    project.ok(&["create", "Shared", "--id", "vt-shared"]);
    let mut numbers = Numbers(7);
    let mut names = Vec::new();
    for round in 0..ROUNDS {
        let now: Vec<String> = (0..4).map(|n| format!("killed{round}.{n}")).collect();
        let mut writers: Vec<Child> =
            now.iter().enumerate().map(|(n, name)| start(&project, name, round * 10 + n, 1_000_000, n == 0)).collect();
        let has_begun = |name: &String| !told(&project.folder().join(name)).is_empty();
        let begun = Instant::now();
        while !now.iter().all(has_begun) {
            assert!(begun.elapsed() < Duration::from_secs(60), "no writer begins");
            std::thread::sleep(Duration::from_millis(5));
        }
        for writer in &mut writers {
            std::thread::sleep(Duration::from_millis(numbers.below(60) as u64));
            writer.kill().unwrap();
        }
        for mut writer in writers {
            assert_eq!(writer.wait().unwrap().code(), None, "it was killed, and had not failed before");
        }
        names.extend(now);
        let count = check_all(&project, &names);
        assert!(count > 4 * round, "{count}");
    }
    // The next caller finds nothing in its way.
    project.q(&["Afterwards"]);
}
