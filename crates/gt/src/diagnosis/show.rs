//! Shows the logs of daemons and verbs, formatted for people or as they are.

use std::path::{Path, PathBuf};

use gt_town::town::layout::Layout;
use gt_world::{Disk, TOKEN_VARIABLE};

use super::Line;
use super::rotated;
use super::words;
use crate::Process;
use crate::cli::Global;
use crate::console::{self, Console, printable};
use crate::context::find_town;
use crate::error::{CliError, CliResult};

/// Time between two reads of the logs.
const FOLLOW_EVERY: std::time::Duration = std::time::Duration::from_millis(250);

/// Bytes per read.
const LOOK_BYTES: usize = 1024 * 1024;

/// Selection of the logs' lines.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Whether to show lines of verbs as well.
    pub verbs: bool,
    /// Only lines of this bead.
    pub bead: Option<&'a str>,
    /// Number of newest lines to start with.
    pub last: u32,
    /// Whether to go on as lines are written.
    pub follow: bool,
}

impl Wanted<'_> {
    fn holds(&self, line: &Line) -> bool {
        self.bead.is_none_or(|bead| line.get("bead").and_then(|value| value.as_str()) == Some(bead))
    }
}

/// A log, and how far it was read.
struct Read {
    path: PathBuf,
    offset: u64,
}

/// Shows lines of the logs. Does not open the ledger, which may be the fault that the person looks for.
pub fn show_logs(wanted: Wanted<'_>, global: &Global, process: &Process, console: &mut Console<'_>) -> CliResult {
    console::set_reader(process.env.contains_key(TOKEN_VARIABLE));
    let layout = Layout::new(&find_town(global, process)?);
    let disk = process.outside.world.disk();
    disk.guard(&layout.root);
    let mut logs = vec![layout.deacon_log()];
    logs.extend(wanted.verbs.then(|| layout.verbs_log()));
    let mut reads = Vec::new();
    let mut lines = Vec::new();
    for path in logs {
        lines.extend(newest(disk, &path, wanted)?);
        reads.push(Read { offset: disk.size(&path).map_err(gt_town::Error::from)?, path });
    }
    lines.sort_by_key(time);
    let first = lines.len().saturating_sub(wanted.last as usize);
    lines[first..].iter().try_for_each(|line| say(line, console))?;
    if wanted.follow { follow(&mut reads, wanted, process, console) } else { Ok(0) }
}

fn time(line: &Line) -> String {
    line.get("time").and_then(|time| time.as_str()).unwrap_or_default().to_owned()
}

/// Returns the newest wanted lines of a log and of the files put aside from it.
fn newest(disk: &dyn Disk, log: &Path, wanted: Wanted<'_>) -> Result<Vec<Line>, CliError> {
    let mut files = rotated(disk, log).map_err(gt_town::Error::from)?;
    files.push(log.to_owned());
    let mut lines = Vec::new();
    for file in files.iter().rev() {
        if lines.len() >= wanted.last as usize {
            break;
        }
        let bytes = disk.read_part(file, 0, usize::MAX).map_err(gt_town::Error::from)?.unwrap_or_default();
        lines.splice(0..0, parsed(&bytes, wanted));
    }
    Ok(lines)
}

/// Parses the wanted lines. Leaves out lines that gt did not write.
fn parsed(bytes: &[u8], wanted: Wanted<'_>) -> Vec<Line> {
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Line>(line).ok());
    lines.filter(|line| wanted.holds(line)).collect()
}

fn say(line: &Line, console: &mut Console<'_>) -> Result<(), CliError> {
    if console.is_json() {
        let text = serde_json::to_string(line).map_err(|error| CliError::Io(error.into()))?;
        let text = console.json(&text).into_owned();
        return console.line(&text);
    }
    console.line(&printable(&words(line)))
}

fn follow(reads: &mut [Read], wanted: Wanted<'_>, process: &Process, console: &mut Console<'_>) -> CliResult {
    let (disk, clock) = (process.outside.world.disk(), process.outside.world.clock());
    loop {
        for read in &mut *reads {
            let bytes = more(disk, read)?;
            parsed(&bytes, wanted).iter().try_for_each(|line| say(line, console))?;
        }
        clock.pause(FOLLOW_EVERY);
    }
}

/// Returns the whole lines added since the last read. A log that is shorter than before is a new one.
fn more(disk: &dyn Disk, read: &mut Read) -> Result<Vec<u8>, CliError> {
    let size = disk.size(&read.path).map_err(gt_town::Error::from)?;
    if size < read.offset {
        read.offset = 0;
    }
    let mut bytes =
        disk.read_part(&read.path, read.offset, LOOK_BYTES).map_err(gt_town::Error::from)?.unwrap_or_default();
    bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    read.offset += bytes.len() as u64;
    Ok(bytes)
}
