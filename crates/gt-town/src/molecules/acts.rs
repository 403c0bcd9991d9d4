//! The named acts that a molecule's steps can run. Those of patrols run only in patrols, and those that check a worktree need a
//! worker.

use std::path::PathBuf;
use std::time::Duration;

use gt_ledger::{BACKUPS, Ledger, Molecule, MoleculeStep, StepState};
use gt_model::address::Address;
use gt_model::formula::Act;
use gt_world::{ContainedCommand, RunEnd};

use super::pass::engine;
use super::run::Ran;
use crate::keep::retention::{self, How};
use crate::mail::post;
use crate::sync;
use crate::town::Town;
use crate::town::desired;
use crate::town::error::{Error, Result};

/// Time limit of an act that runs another gt.
const TIMEOUT: Duration = Duration::from_mins(10);

/// Performs an act that needs no worker. `None` if the act is not of that kind.
pub(super) fn perform(town: &Town, molecule: &Molecule, step: &MoleculeStep, act: Act) -> Result<Option<Ran>> {
    let said = match act {
        Act::DogDoctor => return doctor(town, molecule).map(Some),
        Act::DogBackup => backup(town)?,
        Act::DogRestoreDrill => return restore_drill(town).map(Some),
        Act::DogReap => reap(town)?,
        Act::DogOrphans => orphans(town)?,
        Act::DogCompact => compact(town)?,
        Act::Report => report(town, molecule, step)?,
        Act::ShutdownPause => {
            desired::pause(town, &engine(), None)?;
            "no work is dispatched any more: gt resume".to_owned()
        }
        Act::ShutdownIdle => return Ok(Some(Ran::of_check(at_work(town)?))),
        Act::ShutdownCheckpoint => format!("checkpoint {}", sync::checkpoint(town, &engine())?.short()),
        Act::ShutdownDown => {
            desired::end_deacon(town, &engine())?;
            "the deacon ends now: gt down ends what is left".to_owned()
        }
        _ => return Ok(None),
    };
    Ok(Some(Ran::passed(said)))
}

/// Runs `gt doctor`, whose checks belong to a later part of the engine.
fn doctor(town: &Town, molecule: &Molecule) -> Result<Ran> {
    let argv = vec![town.outside.gt.display().to_string(), "doctor".to_owned()];
    let log = town.layout.molecule_logs(molecule.id).join("doctor.log");
    let mut env = town.outside.env.clone();
    env.insert("GT_TOWN".to_owned(), town.layout.root.display().to_string());
    let command = ContainedCommand { argv, cwd: town.layout.root.clone(), env, timeout: TIMEOUT, log };
    let result = town.world().sessions().run(&command)?;
    let said = result.tail.join("\n");
    match result.end {
        RunEnd::Passed => Ok(Ran::passed(said)),
        RunEnd::Failed(_) => Ok(Ran::of_check(Some(said))),
        RunEnd::TimedOut => Ok(Ran::of_check(Some("gt doctor was not over in time".to_owned()))),
    }
}

fn backup(town: &Town) -> Result<String> {
    let now = town.world().clock().now().strftime("%Y%m%dT%H%M%SZ");
    let to = backups(town).join(format!("beads-dog-{now}.db"));
    let copied = town.ledger.copy_to(&to)?;
    Ok(format!("{}: {} beads, {} bytes, checked", copied.path.display(), copied.beads, copied.bytes))
}

fn backups(town: &Town) -> PathBuf {
    town.ledger.path().with_file_name(BACKUPS)
}

/// Restores the newest backup into a file of its own and checks that it is a sound ledger.
fn restore_drill(town: &Town) -> Result<Ran> {
    let disk = town.world().disk();
    let folder = backups(town);
    let names = disk.list_own(&folder)?.into_iter().filter(|name| name.ends_with(".db") && !name.contains("drill"));
    let mut newest = None;
    for name in names {
        let path = folder.join(&name);
        newest = newest.max(disk.touched(&path)?.map(|when| (when, path)));
    }
    let Some((_, from)) = newest else {
        return Ok(Ran::of_check(Some("there is no backup: gt ledger backup makes one".to_owned())));
    };
    let to = folder.join("restore-drill.db");
    disk.remove(&to)?;
    let copied = Ledger::copy_file(&from, &to, town.world())?;
    let faults = Ledger::open_read_only(&to, town.outside.world.clone())?.integrity()?;
    disk.remove(&to)?;
    if faults.is_empty() {
        return Ok(Ran::passed(format!("{} can be restored: {} beads", from.display(), copied.beads)));
    }
    Ok(Ran::of_check(Some(format!("{} is damaged: {}", from.display(), faults.join("; ")))))
}

fn reap(town: &Town) -> Result<String> {
    let report = retention::run(town, &engine(), How::default())?;
    if let Some(why) = report.failed.first() {
        return Err(Error::refused(why.clone(), "gt retention run says more"));
    }
    Ok(format!("deleted {} things that were due", report.going.len()))
}

/// Lists worktrees of workers that no attempt owns.
fn orphans(town: &Town) -> Result<String> {
    let mut found = Vec::new();
    for rig in town.rigs()? {
        let taken = town.ledger.read(|view| view.taken_workers(rig.name()).map_err(Error::from))?;
        let folder = rig.layout.root.join("polecats");
        let names = town.world().disk().list_own(&folder)?;
        found.extend(names.into_iter().filter(|name| !taken.contains(name)).map(|name| folder.join(name)));
    }
    if found.is_empty() {
        return Ok("nothing is left without an owner".to_owned());
    }
    Ok(found.iter().map(|path| format!("no attempt owns {}", path.display())).collect::<Vec<_>>().join("\n"))
}

fn compact(town: &Town) -> Result<String> {
    let (before, after) = town.ledger.vacuum()?;
    Ok(format!("{before} bytes before, {after} after"))
}

/// Mails what the steps before have printed to the overseer.
fn report(town: &Town, molecule: &Molecule, step: &MoleculeStep) -> Result<String> {
    let steps = town.ledger.read(|view| view.steps_of(molecule.id).map_err(Error::from))?;
    let of_step = |before: &MoleculeStep| {
        let output = before.output.as_deref().or(before.note.as_deref())?;
        Some(format!("{} ({})\n{output}\n", before.step.title, before.state))
    };
    let before = steps.iter().filter(|before| before.position < step.position && before.state != StepState::Open);
    let body: Vec<String> = before.filter_map(of_step).collect();
    let subject = if step.step.title.is_empty() { molecule.formula.clone() } else { step.step.title.clone() };
    post::check(&subject, "")?;
    let mail = town.ledger.write(&engine().name(), "report", |tx| {
        post::send(tx, Address::Deacon, vec![Address::Overseer], &subject, &body.join("\n"))
    })?;
    Ok(format!("sent {mail}"))
}

/// Returns who still has work on the hook; `None` if no worker does.
fn at_work(town: &Town) -> Result<Option<String>> {
    let live = town.ledger.read(|view| view.live_attempts().map_err(Error::from))?;
    let names: Vec<String> =
        live.iter().filter(|attempt| attempt.is_hooked()).map(|attempt| attempt.address().to_string()).collect();
    Ok((!names.is_empty()).then(|| format!("still at work: {}", names.join(", "))))
}
