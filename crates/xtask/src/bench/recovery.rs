//! Deaths: from `kill -9` to the next start that the ledger records.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::report::Row;
use super::sling::between;
use super::town::{BenchTown, Plan, bead};

/// Number of workers that die at the same time.
const WORKERS: usize = 10;

/// Pause before a worker is killed, so that its start is complete.
const REST: Duration = Duration::from_secs(2);

/// Kills `deaths` workers one after the other, then everything, `rounds` times.
pub fn measure(gt: &Path, deaths: usize, rounds: usize, behind: u32) -> Result<Vec<Row>, String> {
    let beads = deaths + rounds * WORKERS;
    let town = BenchTown::start(gt, &Plan { beads, runtime: "headless", polecats: WORKERS, behind })?;
    let times = (1..=deaths).map(|at| one_death(&town, at)).collect::<Result<Vec<_>, _>>()?;
    let (mut from_up, mut from_death) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let (up, death) = all_die(&town, deaths + round * WORKERS)?;
        from_up.push(up);
        from_death.push(death);
    }
    Ok(vec![
        Row::times("death of a worker to its next incarnation's recorded start", &times),
        Row::times(&format!("gt up after the death of everything to {WORKERS} of {WORKERS} started"), &from_up),
        Row::times("the same, from the first kill", &from_death),
    ])
}

fn one_death(town: &BenchTown, number: usize) -> Result<Duration, String> {
    let beads = [bead(number)];
    town.sling(&beads)?;
    std::thread::sleep(REST);
    let sessions = town.sessions()?;
    let (_, _, agent) = sessions.iter().find(|(bead, ..)| *bead == beads[0]).ok_or("its session does not run")?;
    let death = Timestamp::now();
    agent.kill()?;
    let again = town.await_event(&beads[0], "effect-start-session", 2)?;
    town.unsling(&beads)?;
    Ok(between(death, again))
}

/// Kills boot, the deacon, shims and agents. Returns the times from `gt up` and from the first kill until all
/// workers have started again.
fn all_die(town: &BenchTown, first: usize) -> Result<(Duration, Duration), String> {
    let beads: Vec<String> = (1..=WORKERS).map(|at| bead(first + at)).collect();
    town.sling(&beads)?;
    std::thread::sleep(REST);
    let sessions = town.sessions()?;
    let mut doomed = vec![town.daemon("boot")?, town.daemon("deacon")?];
    doomed.extend(sessions.iter().map(|(_, shim, _)| *shim));
    doomed.extend(sessions.iter().map(|(_, _, agent)| *agent));
    let death = Timestamp::now();
    // An agent may have died with its shim; then there is nothing left to kill.
    let killed = doomed.iter().filter(|process| process.kill().is_ok()).count();
    if killed < 2 + WORKERS {
        return Err(format!("only {killed} processes were there to be killed"));
    }
    let up = Timestamp::now();
    town.gt(&["up"])?;
    let again = beads.iter().map(|bead| town.await_event(bead, "effect-start-session", 2));
    let last = again.collect::<Result<Vec<_>, _>>()?.into_iter().max().ok_or("no bead")?;
    town.unsling(&beads)?;
    Ok((between(up, last), between(death, last)))
}
