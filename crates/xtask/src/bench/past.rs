//! The past of a town that has worked for months: landed beads, with everything that they leave behind.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use rusqlite::{Connection, params};
use serde_json::json;

use super::town::{BenchTown, RIG, finish, path, text};

/// Number of events that a bead leaves.
const EVENTS: usize = 25;

/// Recipients of the mail that each attempt has sent and that its reader has archived.
const MAIL_TO: [&str; 2] = ["mayor/", "overseer"];

/// Number of workers' names. Each worker has worked many times.
const WORKERS: u32 = 20;

/// Time of all these records.
const AT: &str = "2026-01-02T03:04:05Z";

/// Adds to a stopped town `attempts` landed attempts, one bead each, as if they had really happened.
pub fn leave(town: &BenchTown, attempts: u32) -> Result<(), String> {
    let lines: String = (1..=attempts).map(line).collect();
    let file = town.folder().join("past.jsonl");
    std::fs::write(&file, lines).map_err(text)?;
    town.gt(&["bead", "import", &path(&file)])?;
    let (base, heads) = commits(town, attempts)?;
    let mut ledger = Connection::open(town.root().join(".beads/beads.db")).map_err(text)?;
    let all = ledger.transaction().map_err(text)?;
    for (number, head) in (1..).zip(&heads) {
        attempt(&all, number, &base, head).map_err(text)?;
    }
    all.commit().map_err(text)
}

fn bead(number: u32) -> String {
    format!("be-p{number:05}")
}

fn line(number: u32) -> String {
    let line = json!({
        "id": bead(number), "title": format!("Past task number {number}"), "status": "closed", "priority": 2,
        "issue_type": "task", "created_at": AT, "updated_at": AT, "closed_at": AT, "close_reason": "landed",
    });
    format!("{line}\n")
}

/// Makes a commit on the trunk for each attempt, which no ref holds any more. Returns the trunk too.
fn commits(town: &BenchTown, count: u32) -> Result<(String, Vec<String>), String> {
    let repo = path(&town.root().join(RIG).join(".repo.git"));
    let git = |words: &[&str]| {
        let mut git = town.command("git");
        git.arg("-C").arg(&repo).args(words);
        git
    };
    let base = finish(&mut git(&["rev-parse", "refs/remotes/origin/main"]))?.trim().to_owned();
    let mut stream = String::new();
    for number in 1..=count {
        // Writing to a string can't fail.
        let _ok = write!(
            stream,
            "commit refs/heads/past\nmark :{number}\ncommitter Past <past@example.invalid> {} +0000\ndata 4\nWork\n\
             from {base}\nM 100644 inline past{number}.txt\ndata 5\nwork\n\n",
            1_767_000_000 + number
        );
    }
    let marks = town.folder().join("marks");
    let mut import = git(&["fast-import", "--quiet", "--force", &format!("--export-marks={}", path(&marks))]);
    let mut import = import.stdin(Stdio::piped()).spawn().map_err(text)?;
    import.stdin.take().ok_or("no input")?.write_all(stream.as_bytes()).map_err(text)?;
    let status = import.wait().map_err(text)?;
    if !status.success() {
        return Err(format!("git fast-import: {status}"));
    }
    finish(&mut git(&["update-ref", "-d", "refs/heads/past"]))?;
    let marks = std::fs::read_to_string(marks).map_err(text)?;
    let mut heads: Vec<(u32, String)> = marks
        .lines()
        .filter_map(|line| line.strip_prefix(':')?.split_once(' '))
        .filter_map(|(mark, sha)| Some((mark.parse().ok()?, sha.to_owned())))
        .collect();
    heads.sort();
    Ok((base, heads.into_iter().map(|(_, sha)| sha).collect()))
}

/// Adds everything that one attempt leaves in the ledger.
fn attempt(ledger: &Connection, number: u32, base: &str, head: &str) -> rusqlite::Result<()> {
    let (bead, id) = (bead(number), number + 1_000_000);
    let worker = format!("past{}", number % WORKERS);
    let branch = format!("polecat/{worker}/{bead}-1");
    ledger.execute(
        "INSERT INTO attempts (id, bead, number, rig, worker, agent, formula, branch, base, opened_at, submitted_at, head,
                               ended_at, outcome, archived_at)
         VALUES (?1, ?2, 1, ?3, ?4, 'wait', 'mol-polecat-work', ?5, ?6, ?7, ?7, ?8, ?7, 'landed', ?7)",
        params![id, bead, RIG, worker, branch, base, AT, head],
    )?;
    ledger.execute(
        "INSERT INTO incarnations (id, attempt, number, opened_at, started_at, ended_at) VALUES (?1, ?2, 1, ?3, ?3, ?3)",
        params![format!("{worker}-a{id}-1"), id, AT],
    )?;
    ledger.execute(
        "INSERT INTO merge_requests (id, bead, attempt, rig, target, branch, head, base, submitted_at, commit_landed,
                                     ended_at, outcome, unpinned_at)
         VALUES (?1, ?2, ?3, ?4, 'main', ?5, ?6, ?7, ?8, ?6, ?8, 'merged', ?8)",
        params![format!("{bead}-mr"), bead, id, RIG, branch, head, base, AT],
    )?;
    for recipient in MAIL_TO {
        ledger.execute(
            "INSERT INTO deliveries (mail, recipient, sent_at, delivered_at, read_at, acted_at) VALUES (?1, ?2, ?3, ?3, ?3, ?3)",
            params![bead, recipient, AT],
        )?;
    }
    for _ in 0..EVENTS {
        ledger.execute(
            "INSERT INTO events (at, actor, verb, event, subject, bead) VALUES (?1, ?2, 'step done', 'step-done', ?3, ?3)",
            params![AT, format!("{RIG}/polecats/{worker}"), bead],
        )?;
    }
    Ok(())
}
