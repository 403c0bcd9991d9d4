//! Verbs for agents' sessions: show, attach, stop.

use std::io::IsTerminal;

use gt_model::id::BeadId;
use gt_model::usage::Format;
use gt_town::agents::sessions::{self, Session};
use gt_town::agents::text::{plain, readable};
use gt_world::Runtime;

use crate::cli::SessionVerb;
use crate::console::{Console, Table, printable};
use crate::context::Context;
use crate::error::{CliError, CliResult};

/// Time between two reads of a log.
const FOLLOW_EVERY: std::time::Duration = std::time::Duration::from_millis(100);

/// Runs `gt session …`.
pub fn run(verb: &SessionVerb, context: &Context<'_>, console: &mut Console<'_>) -> CliResult {
    let found = |name: &str| sessions::find(&context.town, name);
    match verb {
        SessionVerb::List { all } => list(&sessions::list(&context.town, *all)?, console),
        SessionVerb::Show { session } => show(&found(session)?, console),
        SessionVerb::Attach { session } => attach(context, &found(session)?, console),
        SessionVerb::Stop { session } => stop(context, &found(session)?, console),
    }
}

fn runtime(session: &Session) -> &'static str {
    session.runtime.map_or("-", Runtime::as_str)
}

fn list(sessions: &[Session], console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.facts("gt.sessions/1", "sessions", sessions);
    }
    let mut table = Table::new(&["SESSION", "ADDRESS", "BEAD", "TRY", "RUNTIME", "STATE"]);
    for session in sessions {
        let tries = match session.attempt {
            Some(attempt) => format!("{attempt}.{}", session.incarnation),
            None => session.incarnation.to_string(),
        };
        let (bead, state) = (session.bead.as_ref().map_or("-", BeadId::as_str), session.state.as_str());
        table.row([session.id.as_str(), &session.address, bead, &tries, runtime(session), state]);
    }
    console.table(&table)?;
    Ok(0)
}

fn show(session: &Session, console: &mut Console<'_>) -> CliResult {
    if console.is_json() {
        return console.facts("gt.session/1", "session", session);
    }
    say_session(session, console)?;
    Ok(0)
}

/// Prints a session on a few lines.
pub fn say_session(session: &Session, console: &mut Console<'_>) -> Result<(), CliError> {
    console.line(&format!("session {}: {}", session.id, printable(&session.state)))?;
    match (&session.bead, session.attempt) {
        (Some(bead), Some(attempt)) => console.line(&format!("  {} on {bead}, attempt {attempt}", session.address))?,
        _ => console.line(&format!("  {}", session.address))?,
    }
    console.line(&format!("  runtime: {}", runtime(session)))?;
    if let (Some(shim), Some(agent)) = (&session.shim, &session.agent) {
        console.line(&format!("  processes: agent {}, shim {}", agent.pid, shim.pid))?;
    }
    if let Some(at) = &session.started_at {
        console.line(&format!("  started: {at}"))?;
    }
    if let Some(exit) = &session.exit {
        let code = exit.code.map(|code| format!(", code {code}")).unwrap_or_default();
        let signal = exit.signal.map(|signal| format!(", signal {signal}")).unwrap_or_default();
        console.line(&format!("  end: {}{code}{signal}", printable(&exit.reason)))?;
    }
    console.line(&format!("  folder: {}", session.folder))
}

/// Runs `gt session attach`.
pub fn attach(context: &Context<'_>, session: &Session, console: &mut Console<'_>) -> CliResult {
    let can_show = console.is_terminal() && std::io::stdin().is_terminal();
    if session.runtime == Some(Runtime::Tmux) && session.is_running() && !can_show {
        return Err(CliError::Usage {
            what: "to attach, gt needs a terminal of its own".to_owned(),
            hint: format!("gt peek {} --follow", session.address),
        });
    }
    sessions::attach(&context.town, &context.caller, session)?;
    Ok(0)
}

fn stop(context: &Context<'_>, session: &Session, console: &mut Console<'_>) -> CliResult {
    sessions::stop(&context.town, &context.caller, session)?;
    if console.is_json() {
        return console.facts("gt.session-stopped/1", "session", &session.id);
    }
    let Some(bead) = &session.bead else {
        console.say(&format!("session {} has ended; the deacon starts {} again", session.id, session.address))?;
        console.note("to have it stay stopped: gt mayor stop, gt crew stop")?;
        return Ok(0);
    };
    console.say(&format!("session {} has ended; the witness starts {bead} again where it stopped", session.id))?;
    console.note(&format!("to take the bead back: gt unsling {bead}"))?;
    Ok(0)
}

/// Runs `gt peek`.
pub fn peek(
    context: &Context<'_>,
    address: &str,
    lines: u32,
    follow: bool,
    raw: bool,
    console: &mut Console<'_>,
) -> CliResult {
    let session = sessions::find(&context.town, address)?;
    // Takes the log's end before the output, so that nothing in between is missed.
    let end = sessions::log_end(&context.town, &session)?;
    let text = sessions::peek(&context.town, &session, lines)?;
    let manner = if raw { Manner::Raw } else { Manner::Readable(sessions::printed_format(&context.town, &session)?) };
    if console.is_json() && !follow {
        let lines: Vec<String> = text.lines().flat_map(|line| manner.said(line)).collect();
        return console.facts("gt.peek/1", "lines", lines);
    }
    for line in text.lines() {
        say(line.as_bytes(), manner, console)?;
    }
    if follow { follow_log(context, session, end, manner, console) } else { Ok(0) }
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
