//! A person at the terminal of the calling process.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsFd as _;

use rustix::process::{Pid, getpgrp};
use rustix::termios::{QueueSelector, tcflush, tcgetpgrp, tcgetsid};

use super::descent;
use crate::{Descent, Standing};

/// Limit on an answer, in bytes.
const ANSWER_BYTES: u64 = 1024;

/// Asks on the controlling terminal, and reads one line that the person types from then on.
pub(super) fn ask(question: &str, own: &Descent) -> Result<String, String> {
    let terminal = File::options().read(true).write(true).open("/dev/tty");
    let mut terminal = terminal.map_err(|_| "this process has none".to_owned())?;
    refuse_agents(&terminal, own)?;
    let failed = |error: io::Error| format!("it can't be used: {error}");
    // Discards earlier input, which answers something else.
    tcflush(&terminal, QueueSelector::IFlush).map_err(|errno| failed(errno.into()))?;
    terminal.write_all(question.as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    BufReader::new(terminal.take(ANSWER_BYTES)).read_line(&mut answer).map_err(failed)?;
    Ok(answer)
}

/// Refuses a terminal that belongs to an agent: a process below a shim began its session, or it is in the town's tmux. Also
/// refuses in the background, where the kernel would stop the calling process.
fn refuse_agents(terminal: &File, own: &Descent) -> Result<(), String> {
    let fd = terminal.as_fd();
    let leader = tcgetsid(fd).map(Pid::as_raw_pid).map_err(|errno| format!("gt can't read its session: {errno}"))?;
    if descent::of(leader).to_town_of(own) != Standing::Outside {
        return Err("this terminal is an agent's".to_owned());
    }
    if tcgetpgrp(fd).ok() != Some(getpgrp()) {
        return Err("this process is in its background".to_owned());
    }
    Ok(())
}
