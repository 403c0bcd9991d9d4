//! The ledger is no server: it has no port, no rival processes and no life of its own. `gt` finds damage, and a backup
//! restores the ledger. `hammer.rs` tests that many concurrent writers lose nothing.

use std::collections::BTreeSet;

use crate::town::{RIG, Town, text, write};

/// Returns the inodes of listening sockets of all kinds that other processes could reach.
fn listening() -> BTreeSet<String> {
    let mut inodes = BTreeSet::new();
    for (file, state) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        let table = std::fs::read_to_string(format!("/proc/net/{file}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.get(3) == Some(&state) {
                inodes.extend(words.get(9).map(|inode| format!("socket:[{inode}]")));
            }
        }
    }
    inodes
}

#[test]
fn f07_no_process_of_a_town_listens_on_a_port() {
    let town = Town::new();
    let bead = town.bead("Once");
    town.ok(&["up"]);
    town.ok(&["sling", &bead, RIG]);
    let running = gt::demo::verify::strays(&town.root()).unwrap();
    assert!(running.len() >= 2, "boot and deacon run: {running:?}");
    let open = |pid: i32| {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        descriptors.filter_map(|entry| Some(std::fs::read_link(entry.path()).ok()?.display().to_string()))
    };
    let listening = listening();
    for stray in &running {
        let ports: Vec<String> = open(stray.pid).filter(|name| listening.contains(name)).collect();
        assert_eq!(ports, Vec::<String>::new(), "{stray:?}");
    }
    town.wait_closed(&bead);
    town.ok(&["down"]);
    assert_eq!(town.running(), Vec::<String>::new(), "nothing of the ledger runs by itself");
}

#[test]
fn f07_damage_is_found_and_a_backup_restores_the_ledger() {
    let town = Town::new();
    let bead = town.bead("Kept");
    let backup = text(&town.json(&["ledger", "backup"])["backup"]["path"]);
    let later = town.bead("Made after the backup");
    let (before, export) = (town.rows().len(), town.ok(&["bead", "export"]));
    assert!(before > 0 && export.contains(&later));
    // Puts everything into one file, without SQLite's log beside it.
    town.ok(&["ledger", "vacuum"]);
    let ledger = town.root().join(".beads/beads.db");
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", ledger.display()));
    }
    let mut bytes = std::fs::read(&ledger).unwrap();
    // Damages all pages but the first two: SQLite can open the file, but its content can't be trusted.
    let from = 2 * 4096;
    bytes[from..].fill(0xAA);
    write(&ledger, &bytes);
    let check = town.gt(&["ledger", "check"]);
    assert!(check.code != 0, "damage is not passed over: {check:#?}");
    let restored = town.json(&["ledger", "restore", &backup, "--yes"])["restored"].clone();
    assert_eq!(restored["beads"], 1);
    let kept = text(&restored["kept"]);
    assert!(kept.is_empty() || kept == "null" || std::path::Path::new(&kept).exists());
    assert_eq!(town.gt(&["ledger", "check"]).code, 0);
    assert_eq!(town.status_of(&bead), "open");
}
