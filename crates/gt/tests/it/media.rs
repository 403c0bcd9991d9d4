//! Full and unwritable disks, and ledgers that other programs lock. The error must say what failed, on what, and what
//! to do next, and nothing may change. The disks are made in a mount namespace of the test's own.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test stands outside of gt: it makes disks by itself, and says what it leaves out"
)]

use std::process::Command;

use serde_json::Value;

use crate::bd::Project;
use crate::town::{Output, output, text};

/// Returns whether the test can make disks here. If not, says so, or fails if it is required.
fn has_mounts() -> bool {
    let script = "mount -t tmpfs -o size=1m none /mnt && mount -o remount,ro /mnt";
    let made = Command::new("unshare").args(["-rm", "sh", "-c", script]).output();
    let works = made.is_ok_and(|output| output.status.success());
    let required = std::env::var("GT_REQUIRE").is_ok_and(|names| names.split([',', ' ']).any(|name| name == "unshare"));
    assert!(works || !required, "GT_REQUIRE names unshare, and no disk can be made in a namespace here");
    if !works {
        eprintln!("skipped: no disk can be made in a namespace here");
    }
    works
}

/// Runs a shell script in a mount namespace. There `bd` is the built one, and the folder `disk` is a disk of the given
/// size with a ledger in `disk/p` that has the bead `vt-first`.
fn on_disk(size: &str, script: &str) -> (Project, Output) {
    let project = Project::new();
    let folder = project.folder();
    let prelude = format!(
        "set -u; log=$PWD; mkdir disk && mount -t tmpfs -o size={size} none disk && mkdir disk/p && cd disk/p || exit 99
         PATH={}:$PATH
         bd init --prefix vt --quiet && bd create First --id vt-first --quiet || exit 98\n",
        folder.parent().unwrap().display()
    );
    let mut command = project.program("unshare");
    let done = output(command.args(["-rm", "sh", "-c", &(prelude + script)]).current_dir(&folder));
    assert!(done.code < 90, "the disk was not made: {done:#?}");
    (project, done)
}

/// Returns the part of a script's output after the line `== name`.
#[track_caller]
fn part<'o>(output: &'o Output, name: &str) -> &'o str {
    let from = output.out.split_once(&format!("== {name}\n")).unwrap_or_else(|| panic!("no {name}: {output:#?}")).1;
    from.split("== ").next().unwrap_or_default()
}

#[test]
fn a_full_disk_is_reported_and_changes_nothing() {
    if !has_mounts() {
        return;
    }
    // The test removes free space bit by bit, so that each file in turn is the one that can't grow.
    let (_project, done) = on_disk(
        "4m",
        r#"
        head -c 3000 /dev/zero | tr '\0' x > text
        n=0
        for left in 600 300 150 100 80 60 48 40 32 24 16 12 8 4 0; do
            rm -f filler; free=$(df -k --output=avail . | tail -1)
            head -c $(( (free - left) * 1024 )) /dev/zero > filler
            for try in 1 2 3; do
                n=$((n + 1))
                if bd create "Bead $n" --id "vt-$n" --body-file text > "$log/out" 2> "$log/err"; then echo "made vt-$n"
                else echo "refused $(tr '\n' ' ' < "$log/err")"; fi
            done
        done > "$log/made.log"
        rm -f filler
        echo "== log"; cat "$log/made.log"
        echo "== export"; bd export
        echo "== check"; bd doctor; echo "code $?"
        echo "== after"; bd q "There is room again"
        "#,
    );
    let log = part(&done, "log");
    assert!(log.lines().count() > 5, "{done:#?}");
    let refusals: Vec<&str> = log.lines().filter(|line| line.starts_with("refused")).collect();
    assert!(!refusals.is_empty(), "{done:#?}");
    let export = part(&done, "export");
    for line in log.lines().filter_map(|line| line.strip_prefix("made ")) {
        assert!(export.contains(&format!("\"id\":\"{line}\"")), "{line} was made, and is lost: {done:#?}");
    }
    let made = log.lines().filter(|line| line.starts_with("made")).count();
    assert_eq!(export.lines().count(), made + 1, "what was refused is not there: {done:#?}");
    for refusal in refusals {
        let is_full = ["full", "No space left"].iter().any(|word| refusal.contains(word));
        assert!(is_full && refusal.contains("hint: "), "{refusal}");
        assert!(refusal.contains("make room") || refusal.contains("disk failed or is full"), "{refusal}");
    }
    assert!(part(&done, "check").contains("code 0"), "{done:#?}");
    assert!(part(&done, "after").starts_with("vt-"), "{done:#?}");
}

#[test]
fn an_unwritable_ledger_is_reported_and_changes_nothing() {
    if !has_mounts() {
        return;
    }
    let (_project, done) = on_disk(
        "8m",
        r#"
        sums() { sha256sum .beads/gt.db; }
        try() { "$@" > "$log/out" 2> "$log/err"; echo "code $?"; cat "$log/out" "$log/err"; }
        before=$(sums)
        mount --bind .beads .beads && mount -o remount,ro,bind .beads
        echo "== folder"; try bd create Never --id vt-never
        echo "== folder-update"; try bd update vt-first --title Never
        echo "== folder-read"; try bd list --json
        umount .beads
        mount --bind .beads/gt.db .beads/gt.db && mount -o remount,ro,bind .beads/gt.db
        echo "== file"; try bd create Never --id vt-never
        umount .beads/gt.db
        echo "== after"; [ "$before" = "$(sums)" ] && echo same; bd export; bd q Again; bd doctor; echo "code $?"
        "#,
    );
    for name in ["folder", "folder-update", "file"] {
        let said = part(&done, name);
        assert!(said.starts_with("code 1"), "{name}: {done:#?}");
        assert!(said.contains("error: ") && said.contains(".beads"), "{name} says on what: {said}");
        assert!(said.contains("hint: ") && said.contains("permissions"), "{name} says what to do: {said}");
    }
    let read = part(&done, "folder-read");
    assert!(read.contains("vt-first") || read.contains("hint: ") || read.contains("\"hint\""), "{read}");
    let after = part(&done, "after");
    assert!(after.contains("vt-first") && !after.contains("Never") && after.contains("code 0"), "{after}");
    assert!(after.starts_with("same"), "not a byte of the ledger was changed: {after}");
}

/// Both writers wait at the same time, so that the deadline passes once.
#[test]
fn a_ledger_that_another_program_locks_is_reported_after_the_deadline() {
    let (locked, kept) = (Project::new(), Project::new());
    let lock = std::fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(locked.folder().join(".beads/beads.lock"))
        .unwrap();
    lock.lock().unwrap();
    let other = rusqlite::Connection::open(kept.folder().join(".beads/gt.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let both: Vec<Output> = std::thread::scope(|scope| {
        let calls = [&locked, &kept].map(|project| scope.spawn(|| project.bd(&["create", "Never", "--json"])));
        calls.map(|call| call.join().unwrap()).into()
    });
    for (refused, said) in both.iter().zip(["held its lock for 10000 ms", "locked"]) {
        assert_eq!(refused.code, 1, "{refused:#?}");
        let value: Value = serde_json::from_str(&refused.out).unwrap();
        assert!(text(&value["error"]).contains(said), "{refused:#?}");
        assert!(text(&value["hint"]).contains("try again"), "{refused:#?}");
    }
    // Readers do not wait for writers.
    assert_eq!(locked.json(&["count"])["count"], 0);
    drop(lock);
    other.execute_batch("ROLLBACK").unwrap();
    for project in [&locked, &kept] {
        project.q(&["Afterwards"]);
        assert_eq!(project.json(&["count"])["count"], 1, "nothing was made of what was refused");
    }
}
