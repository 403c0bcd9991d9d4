//! Beads: whole processes of `bd` in ledgers of several sizes, beside the smallest possible process; import and export; thirty
//! processes that write at the same time, beside a plain SQLite loop under the same lock.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use gt_testkit::ledger::{Shape, id, jsonl};

use super::report::Row;
use super::town::{finish, path, text};

/// Numbers of beads in a ledger, and of dependencies per two beads.
const SIZES: [usize; 3] = [100, 10_000, 100_000];

/// How many minimal process starts a verb may cost, in addition to its wait for the disk: one that only reads, and one that
/// writes.
const READ_AIM: f64 = 3.0;
const WRITE_AIM: f64 = 5.0;

/// Number of processes that write at the same time, and how many beads each makes.
const WRITERS: usize = 30;
const EACH: usize = 20;

/// The share of plain SQLite's speed that many writers should reach at least.
const SHARE_AIM: f64 = 0.6;

/// A folder with programs, and ledgers in its subfolders.
struct Bench {
    folder: tempfile::TempDir,
    bd: PathBuf,
    nothing: PathBuf,
}

impl Bench {
    fn new(gt: &Path) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("gt-bench-").tempdir().map_err(text)?;
        let (bd, nothing) = (folder.path().join("bd"), folder.path().join("nothing"));
        std::os::unix::fs::symlink(gt, &bd).map_err(text)?;
        super::verbs::build_nothing(&nothing)?;
        Ok(Self { folder, bd, nothing })
    }

    /// Makes a new ledger and returns its folder.
    fn ledger(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).map_err(text)?;
        finish(self.bd(&folder, &["init", "--prefix", "vt"]).stdout(Stdio::null()))?;
        Ok(folder)
    }

    fn bd(&self, folder: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(&self.bd);
        command.env_clear().env("HOME", self.folder.path()).env("USER", "ann").current_dir(folder).args(words);
        command.stdin(Stdio::null());
        command
    }

    fn nothing(&self) -> Command {
        let mut command = Command::new(&self.nothing);
        command.env_clear();
        command
    }
}

/// Times everything; each verb `pairs` times.
pub fn measure(gt: &Path, pairs: usize) -> Result<Vec<Row>, String> {
    let bench = Bench::new(gt)?;
    let mut rows = Vec::new();
    for size in SIZES {
        let folder = bench.ledger(&format!("of-{size}"))?;
        rows.extend(port(&bench, &folder, size)?);
        rows.extend(verbs(&bench, &folder, size, pairs)?);
    }
    rows.extend(writers(&bench)?);
    Ok(rows)
}

/// Times the import of a generated ledger, its export, and the list of all beads.
fn port(bench: &Bench, folder: &Path, size: usize) -> Result<Vec<Row>, String> {
    let file = folder.join("in.jsonl");
    let shape = Shape { beads: size, dependencies: size * 3 / 2, chain: false };
    std::fs::write(&file, jsonl(shape)).map_err(text)?;
    let import = time(bench.bd(folder, &["import", &path(&file)]))?;
    let export = time(bench.bd(folder, &["export"]))?;
    let list = time(bench.bd(folder, &["list", "--all", "--limit", "0", "--json"]))?;
    let twin = bench.ledger(&format!("twin-of-{size}"))?;
    let memory = memory(bench.bd(&twin, &["import", &path(&file)]))?.max(memory(bench.bd(folder, &["export"]))?);
    let speed = size as f64 / list.as_secs_f64() / 1000.0;
    let aims = if size == 100_000 { ["; aim 2000", "; aim 1000", "; aim 300", ""] } else { [""; 4] };
    let aim = if size == 10_000 { "; aim 100 or more" } else { aims[3] };
    Ok(vec![
        Row::single(&format!("import of {size}{}", aims[0]), "ms", import.as_secs_f64() * 1000.0),
        Row::single(&format!("export of {size}{}", aims[1]), "ms", export.as_secs_f64() * 1000.0),
        Row::single(&format!("their memory{}", aims[2]), "MB", memory as f64 / 1024.0),
        Row::single(&format!("list --json of {size}{aim}"), "thousand beads a second", speed),
    ])
}

/// Times verbs, each beside the smallest process. Writing verbs are also compared with a process that waits for the disk.
fn verbs(bench: &Bench, folder: &Path, size: usize, pairs: usize) -> Result<Vec<Row>, String> {
    let some = id(size / 2);
    let reads: [(&str, Vec<&str>); 2] = [
        ("ready --json --limit 10", vec!["ready", "--json", "--limit", "10"]),
        ("show --json", vec!["show", &some, "--json"]),
    ];
    let mut rows = Vec::new();
    for (name, words) in reads {
        let (mut own, mut peer) = (Vec::new(), Vec::new());
        // The first round warms caches and is not counted.
        for round in 0..=pairs {
            let pair = (time(bench.nothing())?, time(bench.bd(folder, &words))?);
            if round > 0 {
                peer.push(pair.0);
                own.push(pair.1);
            }
        }
        rows.push(Row::times(&format!("{name}, {size} beads"), &own).beside(&peer, Some(READ_AIM)));
    }
    let (mut create, mut close) = (Vec::new(), Vec::new());
    let (mut create_peer, mut close_peer) = (Vec::new(), Vec::new());
    for round in 0..=pairs {
        let wait = sync(&folder.join("synced"))?;
        let peer = time(bench.nothing())?;
        let title = format!("Bead of round {round}");
        let start = Instant::now();
        let made = bench.bd(folder, &["q", &title]).output().map_err(text)?;
        let creating = start.elapsed();
        let made = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        let closing = time(bench.bd(folder, &["close", &made]))?;
        if round > 0 {
            create.push(creating.saturating_sub(wait));
            close.push(closing.saturating_sub(wait));
            create_peer.push(peer);
            close_peer.push(peer);
        }
    }
    rows.push(
        Row::times(&format!("create less one sync, {size} beads"), &create).beside(&create_peer, Some(WRITE_AIM)),
    );
    rows.push(Row::times(&format!("close less one sync, {size} beads"), &close).beside(&close_peer, Some(WRITE_AIM)));
    Ok(rows)
}

/// Returns how long one append waits for the disk.
fn sync(file: &Path) -> Result<Duration, String> {
    let mut file = File::options().create(true).append(true).open(file).map_err(text)?;
    let start = Instant::now();
    file.write_all(&[1; 4096]).and_then(|()| file.sync_data()).map_err(text)?;
    Ok(start.elapsed())
}

/// Runs a command to its end and returns how long it took.
fn time(mut command: Command) -> Result<Duration, String> {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().map_err(text)?;
    if status.success() { Ok(start.elapsed()) } else { Err(format!("{command:?}: {status}")) }
}

/// Runs a command to its end and returns its peak memory in KiB, sampled every two milliseconds.
fn memory(mut command: Command) -> Result<u64, String> {
    let mut child = command.stdout(Stdio::null()).spawn().map_err(text)?;
    let file = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().map_err(text)?.is_none() {
        let status = std::fs::read_to_string(&file).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = most.max(line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(most)
}

/// Times many processes that write at the same time, beside as many that do the same to a plain table. Both wait for the disk
/// equally and take turns by the same lock.
fn writers(bench: &Bench) -> Result<Vec<Row>, String> {
    let folder = bench.ledger("writers")?;
    let (own, worst) = storm(|| {
        let mut command = bench.bd(&folder, &["create", "--stdin", "--silent"]);
        command.stdin(Stdio::piped());
        command
    })?;
    let counted = bench.bd(&folder, &["count", "--json"]).output().map_err(text)?;
    let counted = String::from_utf8_lossy(&counted.stdout).into_owned();
    if !counted.contains(&(WRITERS * EACH).to_string()) {
        return Err(format!("writes were lost: {counted}"));
    }
    let exe = std::env::current_exe().map_err(text)?;
    let plain = bench.folder.path().join("plain.db");
    super::plain::make(&plain)?;
    let (peer, peers_worst) = storm(|| {
        let mut command = Command::new(&exe);
        command.args(["plain-writer", &path(&plain)]).stdin(Stdio::piped());
        command
    })?;
    let rate = |took: Duration| (WRITERS * EACH) as f64 / took.as_secs_f64();
    let share = rate(own) / rate(peer);
    let verdict = if share >= SHARE_AIM { "met" } else { "MISSED" };
    Ok(vec![
        Row::single("30 processes, 20 beads each, one by one", "beads a second", rate(own)),
        Row::single("the same by plain SQLite under the same lock", "rows a second", rate(peer)),
        Row::single(&format!("share of it, aim {SHARE_AIM} or more: {verdict}"), "", share),
        Row::single("worst wait of any of them for a write", "ms", worst.as_secs_f64() * 1000.0),
        Row::single("worst wait by plain SQLite", "ms", peers_worst.as_secs_f64() * 1000.0),
    ])
}

/// Starts all processes, gives each its titles at the same moment, and waits for all. Returns how long that took, and the longest
/// wait of any process from one of its lines to the next.
fn storm(command: impl Fn() -> Command) -> Result<(Duration, Duration), String> {
    let children: Result<Vec<Child>, String> =
        (0..WRITERS).map(|_| command().stdout(Stdio::piped()).spawn().map_err(text)).collect();
    let mut children = children?;
    let start = Instant::now();
    let titles = |writer: usize| (0..EACH).map(|n| format!("Bead {n} of writer {writer}\n")).collect::<String>();
    let mut readers = Vec::new();
    for (writer, child) in children.iter_mut().enumerate() {
        let mut input = child.stdin.take().ok_or("no input")?;
        input.write_all(titles(writer).as_bytes()).map_err(text)?;
        let output = child.stdout.take().ok_or("no output")?;
        readers.push(std::thread::spawn(move || worst_wait(output, start)));
    }
    let mut worst = Duration::ZERO;
    for (child, reader) in children.iter_mut().zip(readers) {
        let status = child.wait().map_err(text)?;
        let (lines, wait) = reader.join().map_err(|_| "a reader panicked")?;
        if !status.success() || lines != EACH {
            return Err(format!("a writer failed: {status}, {lines} lines"));
        }
        worst = worst.max(wait);
    }
    Ok((start.elapsed(), worst))
}

/// Returns how many lines arrive, and the longest time from one to the next, or from `start` to the first.
fn worst_wait(output: ChildStdout, start: Instant) -> (usize, Duration) {
    let (mut count, mut worst, mut last) = (0, Duration::ZERO, start);
    for _ in BufReader::new(output).lines().map_while(Result::ok) {
        let now = Instant::now();
        worst = worst.max(now - last);
        (count, last) = (count + 1, now);
    }
    (count, worst)
}
