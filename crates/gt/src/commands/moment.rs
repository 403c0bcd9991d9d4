//! `gt moment`.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::Path;
use std::str::FromStr;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use gt_model::clients::Client;
use gt_model::moment::{Event, INPUT_LIMIT_BYTES, Moment, Source};
use gt_town::moments::{Call, Seen};
use gt_town::town::identity;
use gt_town::town::layout::Layout;
use gt_town::work::prime;
use gt_town::{Error, Town, moments};
use gt_world::TOKEN_VARIABLE;

use crate::Process;
use crate::cli::Global;
use crate::console::Console;
use crate::context::{TownHandle, find_town};
use crate::error::{CliError, CliResult};

/// Answer a client's hook: standard input describes as JSON what happens
#[derive(Debug, Args)]
#[command(hide = true)]
pub struct MomentArgs {
    /// The moment
    moment: MomentArg,
    /// The client that calls
    #[arg(long)]
    client: ClientArg,
}

/// A moment, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MomentArg(pub Moment);

/// All of them, as clap needs them.
const MOMENTS: [MomentArg; Moment::ALL.len()] = {
    let (mut all, mut at) = ([MomentArg(Moment::Start); Moment::ALL.len()], 0);
    while at < all.len() {
        all[at] = MomentArg(Moment::ALL[at]);
        at += 1;
    }
    all
};

impl ValueEnum for MomentArg {
    fn value_variants<'a>() -> &'a [Self] {
        &MOMENTS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.as_str()))
    }
}

/// A client, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientArg(pub Client);

impl FromStr for ClientArg {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Client::parse(word).map(Self).ok_or_else(|| "gt has no adapter for this client".to_owned())
    }
}

/// Returns the moment and the client if these arguments are one of the two calls that gt writes into clients' settings.
pub fn words(args: &[OsString]) -> Option<(Moment, Client)> {
    let words: Vec<&str> = args.iter().skip(1).map(|arg| arg.to_str()).collect::<Option<_>>()?;
    let (moment, client) = match words.as_slice() {
        ["moment", moment, "--client", client] | ["prime", "--moment", moment, "--client", client] => {
            (*moment, *client)
        }
        _ => return None,
    };
    Some((Moment::parse(moment)?, Client::parse(client)?))
}

/// Runs `gt moment`.
pub fn moment(args: &MomentArgs, global: &Global, process: &Process, console: &mut Console<'_>) -> CliResult {
    call(args.moment.0, args.client.0, global, process, console)
}

/// Answers a hook that `gt moment` or `gt prime --moment start` serves. On any error it returns exit code 0, prints nothing, and writes a line
/// into `logs/hooks.log` of the session's folder.
///
/// Outside a town, or without an identity, it belongs to no session and says nothing at all.
pub fn call(
    moment: Moment,
    client: Client,
    global: &Global,
    process: &Process,
    console: &mut Console<'_>,
) -> CliResult {
    let Some(token) = process.env.get(TOKEN_VARIABLE) else { return Ok(0) };
    let Ok(root) = find_town(global, process) else { return Ok(0) };
    let layout = Layout::new(&root);
    let world = process.outside.world.as_ref();
    world.disk().guard(&root);
    if !world.disk().exists(&layout.settings()) {
        return Ok(0);
    }
    match answer(moment, client, token, &root, process) {
        Ok(Some(text)) => console.line(&text)?,
        Ok(None) => {}
        // The agent's own calls of gt report this; here it needs no log line.
        Err(CliError::Engine(Error::Superseded(_) | Error::BadToken)) => {}
        Err(error) => {
            // A token that names no session has no log for this line.
            if let Some(who) = identity::named(token) {
                moments::note_failure(world, &layout, moment.as_str(), &who, &error.to_string());
            }
        }
    }
    Ok(0)
}

fn answer(
    moment: Moment,
    client: Client,
    token: &str,
    root: &Path,
    process: &Process,
) -> Result<Option<String>, CliError> {
    let input = input(process)?;
    let layout = Layout::new(root);
    let world = process.outside.world.as_ref();
    // A simulated call runs in a process that has the ledger open, so it must not look at the ledger's file.
    let seen = process.town.is_none().then(|| Seen::now(world, &layout, token)).flatten();
    let call = Call { client, moment, input: &input, seen: seen.as_ref() };
    if moments::nothing_new(world, &layout, &call)? {
        return Ok(None);
    }
    let town = match &process.town {
        Some(town) => TownHandle::Shared(town.clone()),
        None => TownHandle::Own(Box::new(Town::open_within(root, process.outside.clone(), moments::PATIENCE)?)),
    };
    let caller = identity::caller(&town, &process.env)?;
    let Some(incarnation) = caller.incarnation.as_ref().filter(|_| moment == Moment::Start) else {
        return Ok(moments::answer(&town, &caller, &call)?);
    };
    let heard = moments::start(&town, incarnation, client, &input)?;
    identity::sign_of_life(&town, &caller)?;
    let source = if heard.event == Event::Start(Source::Compacted) { Source::Compacted } else { Source::Fresh };
    let told = (!heard.subagent).then(|| prime::gather(&town, &caller, source, Some(moment.as_str())));
    Ok(told.transpose()?.map(|prime| prime.text()))
}

/// Reads what the client says, up to a limit. A call inside our own process has no standard input, so it reads nothing.
fn input(process: &Process) -> Result<Vec<u8>, CliError> {
    if process.town.is_some() {
        return Ok(b"{}".to_vec());
    }
    let mut input = Vec::new();
    std::io::stdin().lock().take(INPUT_LIMIT_BYTES + 1).read_to_end(&mut input)?;
    if input.len() as u64 > INPUT_LIMIT_BYTES {
        let what = format!("the client's input has more than {INPUT_LIMIT_BYTES} bytes");
        return Err(CliError::Usage { what, hint: "nothing of it was read".to_owned() });
    }
    Ok(input)
}
