//! Boot keeps the deacon running: it starts the deacon, restarts it after a crash, and kills it if it hangs. After a limited
//! number of tries it asks for a person. It does nothing else.

use std::time::Duration;

use gt_ledger::Tx;
use gt_model::address::Address;
use gt_model::boot::{self, AfterEnd};
use gt_model::condition::ConditionKind;
use gt_model::formula::{Act, Patrol};
use gt_model::protocol::Message;

use crate::mail::post;
use crate::patrol::deacon;
use crate::town::Town;
use crate::town::error::{Error, Result};
use crate::town::observed::Observed;

/// Time between boot's checks of a running deacon's signs of life and of its town's existence.
const LOOK_EVERY: Duration = deacon::TOWN_LOOK;

/// Time that a deacon has to exit by itself when its town is gone.
const GONE_GRACE: Duration = Duration::from_secs(20);

/// The deacon's process as boot controls it.
pub trait DeaconProcess {
    /// Waits for the process to exit, for at most this time. Returns `None` while it runs; the exit code is absent if a signal
    /// ended it.
    fn wait(&self, at_most: Duration) -> Option<Option<i32>>;
    /// Kills the process.
    fn kill(&self);
}

/// Reason why boot ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootEnd {
    /// The town is down, gone, or run by a newer gt.
    Finished,
    /// The deacon crashed too often.
    GaveUp,
}

/// Runs until the deacon has ended for good. The caller holds boot's lock.
pub fn run<P: DeaconProcess>(town: &Town, mut start: impl FnMut() -> Result<P>) -> Result<BootEnd> {
    let mut observed = Observed::default();
    let mut starts = 0_u32;
    // A deacon started by path serves the town at that path, which must still be this one.
    while town.is_there() {
        starts += 1;
        observed.age(&format!("start-{starts}"));
        let process = start()?;
        let acts = town.patrol(None, Patrol::Boot).acts;
        let exit = watch(town, &process, &mut observed, starts, acts.contains(&Act::BootKill));
        if !acts.contains(&Act::BootRestart) {
            return Ok(BootEnd::Finished);
        }
        let ages: Vec<Duration> = (1..=starts).map(|n| observed.age(&format!("start-{n}"))).collect();
        match boot::after_end(deacon::is_wanted(town).unwrap_or(true), &ages) {
            AfterEnd::Finish => return Ok(BootEnd::Finished),
            AfterEnd::Restart(pause) => {
                note(town, exit, "started again");
                town.world().clock().pause(pause);
            }
            AfterEnd::GiveUp => {
                note(town, exit, "given up");
                if acts.contains(&Act::BootAsk) {
                    give_up(town, exit)?;
                }
                return Ok(BootEnd::GaveUp);
            }
        }
    }
    Ok(BootEnd::Finished)
}

/// Waits for the deacon to exit. If `kills`, kills it when it hangs. Returns its exit code.
fn watch(town: &Town, process: &impl DeaconProcess, observed: &mut Observed, starts: u32, kills: bool) -> Option<i32> {
    let heartbeat = town.layout.heartbeat();
    loop {
        let exit = process.wait(LOOK_EVERY);
        observed.tick(town.world().clock().monotonic());
        // Ask for these keys on every check, or `observed` forgets them.
        (1..=starts).for_each(|n| _ = observed.age(&format!("start-{n}")));
        if let Some(exit) = exit {
            return exit;
        }
        if kills && !town.is_there() && observed.age(&format!("gone-{starts}")) >= GONE_GRACE {
            process.kill();
        }
        let beat = town.world().disk().touched(&heartbeat).ok().flatten();
        if kills && boot::is_hung(observed.age(&format!("silent-{starts}-{beat:?}"))) {
            note(town, None, "hung, and ended by force");
            process.kill();
        }
    }
}

/// Records what happened, for later diagnosis.
fn note(town: &Town, exit: Option<i32>, what: &str) {
    let how = exit.map_or("by a signal".to_owned(), |code| format!("with code {code}"));
    tracing::error!(ended = how, then = what, "the deacon has ended");
    let told = town.ledger.write("boot/", "boot", |tx| {
        let after = serde_json::json!({ "ended": how, "then": what });
        tx.event("deacon-ended", "deacon", None, None, Some(&after)).map_err(Error::from)
    });
    // The ledger itself may be broken. The log must then suffice.
    let _ = told;
}

fn give_up(town: &Town, exit: Option<i32>) -> Result<()> {
    let text = format!(
        "the deacon died {} times within {} minutes (last exit code {}): see gt log --deacon, then gt up",
        boot::STARTS,
        boot::WINDOW.as_secs() / 60,
        exit.map_or("none".to_owned(), |code| code.to_string())
    );
    town.ledger.write("boot/", "boot", |tx| ask_for_person(tx, &text))
}

fn ask_for_person(tx: &Tx<'_>, text: &str) -> Result<()> {
    if !tx.raise(ConditionKind::Deacon, "town", text)? {
        return Ok(());
    }
    let message = Message::Escalation { bead: String::new(), severity: "critical".to_owned(), reason: text.to_owned() };
    post::send_protocol(tx, Address::Boot, vec![Address::Overseer], &message, "")
}
