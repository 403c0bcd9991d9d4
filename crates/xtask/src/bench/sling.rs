//! Slings, one after the other, each beside the same work by hand.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::report::Row;
use super::town::{BenchTown, Plan, bead, finish, path, text};

/// How many times as long as by hand a sling may take.
const AIM: f64 = 1.2;

/// Pause in which the work of the previous step comes to rest, so that the next measurement does not include it.
const REST: Duration = Duration::from_millis(1500);

/// Slings `pairs` beads headless, and as many in tmux if there is one.
pub fn measure(gt: &Path, pairs: usize, behind: u32) -> Result<Vec<Row>, String> {
    let mut rows = in_runtime(gt, pairs, "headless", behind)?;
    if Command::new("tmux").arg("-V").output().is_ok() {
        rows.extend(in_runtime(gt, pairs, "tmux", behind)?);
    }
    Ok(rows)
}

/// Durations of one sling, from the ledger.
struct Slung {
    fetch: Duration,
    worktree: Duration,
    session: Duration,
    local: Duration,
}

fn in_runtime(gt: &Path, pairs: usize, runtime: &str, behind: u32) -> Result<Vec<Row>, String> {
    let town = BenchTown::start(gt, &Plan { beads: pairs + 1, runtime, polecats: 4, behind })?;
    let mut hand = Hand::new(&town, runtime == "tmux")?;
    let (mut slung, mut by_hand) = (Vec::new(), Vec::new());
    // The first pair starts tmux's servers and warms caches; it is not counted.
    for at in 1..=pairs + 1 {
        let bead = bead(at);
        std::thread::sleep(REST);
        let own = one(&town, &bead)?;
        std::thread::sleep(REST);
        let peer = hand.start(at)?;
        town.unsling(&[bead])?;
        if at > 1 {
            slung.push(own);
            by_hand.push(peer);
        }
    }
    let each = |pick: fn(&Slung) -> Duration| slung.iter().map(pick).collect::<Vec<_>>();
    let row = |what: &str, pick| Row::times(&format!("{runtime}: {what}"), &each(pick));
    Ok(vec![
        row("add-worktree decided to session started", |s| s.local).beside(&by_hand, Some(AIM)),
        row("  of it add-worktree", |s| s.worktree),
        row("  of it start-session", |s| s.session),
        row("before it: sling committed to fetch-base done", |s| s.fetch),
        after_pushes(&town, &hand, pairs)?,
    ])
}

/// Times a fetch after another person has pushed, when the new commits have to be compared with all of the workers' commits;
/// beside `git fetch`.
fn after_pushes(town: &BenchTown, hand: &Hand<'_>, pairs: usize) -> Result<Row, String> {
    let (work, hands) = (path(&town.folder().join("work")), path(&hand.repo()));
    let (mut own, mut peer) = (Vec::new(), Vec::new());
    for at in 0..=pairs {
        let message = format!("Somebody's change {at}");
        finish(town.command("git").args(["-C", &work, "commit", "-q", "--allow-empty", "-m", &message]))?;
        finish(town.command("git").args(["-C", &work, "push", "-q", &path(&town.remote()), "HEAD:main"]))?;
        std::thread::sleep(REST);
        let start = Instant::now();
        finish(town.command("git").args([
            "-C",
            &hands,
            "fetch",
            "-q",
            "origin",
            "+refs/heads/*:refs/remotes/origin/*",
        ]))?;
        let by_hand = start.elapsed();
        let start = Instant::now();
        town.gt(&["rig", "fetch", super::town::RIG])?;
        if at > 0 {
            own.push(start.elapsed());
            peer.push(by_hand);
        }
    }
    Ok(Row::times("gt rig fetch, after a push of somebody else's", &own).beside(&peer, None))
}

/// Slings one bead and reads its times. Each effect is decided in the commit that ends the previous one, so the ends are also the
/// beginnings.
fn one(town: &BenchTown, bead: &str) -> Result<Slung, String> {
    town.gt(&["sling", bead, super::town::RIG])?;
    // Long enough that the question does not disturb the sling.
    std::thread::sleep(REST);
    let started = town.await_event(bead, "effect-start-session", 1)?;
    let at = |event: &str| town.times(bead, event)?.first().copied().ok_or_else(|| format!("{bead}: no {event}"));
    let (hooked, fetched) = (at("bead-hooked")?, at("effect-fetch-base")?);
    let added = at("effect-add-worktree")?;
    Ok(Slung {
        fetch: between(hooked, fetched),
        worktree: between(fetched, added),
        session: between(added, started),
        local: between(fetched, started),
    })
}

/// Returns the time from one moment to a later one.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// The same by hand: a worktree of a bare clone, and a process that waits in it.
struct Hand<'t> {
    town: &'t BenchTown,
    tmux: bool,
    waiting: Vec<Child>,
}

impl<'t> Hand<'t> {
    fn new(town: &'t BenchTown, tmux: bool) -> Result<Self, String> {
        let hand = Self { town, tmux, waiting: Vec::new() };
        finish(town.command("git").args(["clone", "-q", "--bare", &path(&town.remote()), &path(&hand.repo())]))?;
        Ok(hand)
    }

    fn repo(&self) -> PathBuf {
        self.town.folder().join("hand.git")
    }

    fn tmux(&self) -> Command {
        let mut tmux = self.town.command("tmux");
        tmux.env("TMUX_TMPDIR", self.town.folder()).args(["-L", "hand", "-f", "/dev/null"]);
        tmux
    }

    fn start(&mut self, number: usize) -> Result<Duration, String> {
        let (name, repo) = (format!("hand-{number}"), path(&self.repo()));
        let folder = self.town.folder().join(&name);
        let start = Instant::now();
        let mut git = self.town.command("git");
        finish(git.args(["-C", &repo, "worktree", "add", "-q", "-b", &name, &path(&folder), "main"]))?;
        if self.tmux {
            let folder = path(&folder);
            finish(self.tmux().args(["new-session", "-d", "-s", &name, "-c", &folder, "sleep", "86400"]))?;
        } else {
            let mut waiting = self.town.command("setsid");
            waiting.args(["sleep", "86400"]).current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::null());
            self.waiting.push(waiting.spawn().map_err(text)?);
        }
        Ok(start.elapsed())
    }
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        for child in &mut self.waiting {
            // These are our own children: they exist until they are reaped.
            let _ = child.kill().and_then(|()| child.wait());
        }
        if self.tmux {
            let _ = self.tmux().arg("kill-server").output();
        }
    }
}
