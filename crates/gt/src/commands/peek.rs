//! `gt peek`.

use clap::Args;
use gt_model::usage::Format;
use gt_town::agents::sessions::{self, Session};
use gt_town::agents::text::{plain, readable};

use crate::cli::Group;
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Show what a worker's session prints, without disturbing it
#[derive(Debug, Args)]
#[command(display_order = Group::Watch.order())]
pub struct PeekArgs {
    /// Its address (<rig>/polecats/<name>), or the session's id
    address: String,
    /// Number of last lines to show
    #[arg(short = 'n', long, default_value_t = 40)]
    lines: u32,
    /// Keep printing until the session ends
    #[arg(long, short)]
    follow: bool,
    /// Print a client's stream unchanged, instead of what it does
    #[arg(long)]
    raw: bool,
}

/// Time between two reads of a log.
const FOLLOW_EVERY: std::time::Duration = std::time::Duration::from_millis(100);

/// Runs `gt peek`.
pub fn peek(args: &PeekArgs, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let PeekArgs { address, lines, follow, raw } = args;
    let session = sessions::find(&context.town, address)?;
    // Takes the log's end before the output, so that nothing in between is missed.
    let end = sessions::log_end(&context.town, &session)?;
    let text = sessions::peek(&context.town, &session, *lines)?;
    let manner = if *raw { Manner::Raw } else { Manner::Readable(sessions::printed_format(&context.town, &session)?) };
    if console.is_json() && !follow {
        let lines: Vec<String> = text.lines().flat_map(|line| manner.said(line)).collect();
        return console.facts("gt.peek/1", "lines", lines);
    }
    for line in text.lines() {
        say(line.as_bytes(), manner, console)?;
    }
    if *follow { follow_log(context, session, end, manner, console) } else { Ok(0) }
}

/// How to show lines of a log.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Unchanged.
    Raw,
    /// A client's stream of that format as the actions in it; any other line unchanged.
    Readable(Option<Format>),
}

impl Manner {
    fn said(self, line: &str) -> Vec<String> {
        match self {
            Self::Readable(format) if line.starts_with('{') => readable(line, format),
            Self::Raw | Self::Readable(_) => vec![plain(line, false)],
        }
    }
}

fn say(line: &[u8], manner: Manner, console: &mut Console<'_>) -> Result<(), CliError> {
    let line = String::from_utf8_lossy(line);
    if matches!(manner, Manner::Raw) || !line.starts_with('{') {
        let colours = console.has_color();
        return console.line(&plain(&line, colours));
    }
    manner.said(&line).iter().try_for_each(|said| console.line(said))
}

/// Prints whole lines as they come, and the rest at the end.
fn follow_log(
    context: &Context<'_>,
    mut session: Session,
    mut at: u64,
    manner: Manner,
    console: &mut Console<'_>,
) -> CliResult {
    let mut open = Vec::new();
    loop {
        let over = session.is_over;
        let said = sessions::log(&context.town, &session, at)?;
        at += said.len() as u64;
        open.extend_from_slice(&said);
        while let Some(length) = open.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = open.drain(..=length).collect();
            say(&line, manner, console)?;
        }
        // `over` was read before the log, so the log has been read to its end.
        if said.is_empty() && over {
            break;
        }
        if said.is_empty() {
            context.town.world().clock().pause(FOLLOW_EVERY);
            session = sessions::find(&context.town, session.id.as_str())?;
        }
    }
    if !open.is_empty() {
        say(&open, manner, console)?;
    }
    Ok(0)
}
