//! Moments: a client's hook calls `gt`, which must answer in milliseconds and never break the client.
//!
//! A moment leaves a mark (a small file in the session's folder) and queries the ledger once. It skips that query when the
//! ledger has not changed since the last one ([`nothing_new`]). It writes to the ledger only when it puts mail into the agent's
//! context or records a denied use of a tool. The deacon reads the marks and acts on them.

use std::time::Duration;

use gt_ledger::{Mail, Priority, View};
use gt_model::address::Address;
use gt_model::clients::Client;
use gt_model::guard::permit::Permit;
use gt_model::guard::{self, Place, Role, ToolCall};
use gt_model::id::IncarnationId;
use gt_model::moment::{
    Answer, Asking, Blocks, Event, Failure, Heard, Mark, MarkKind, Moment, Notice, Post, Source, Stage, StopAnswer,
    StopFacts, at_stop, injection, reset_time,
};

use crate::admission::spend;
use crate::admission::usage;
use crate::agents::marks;
use crate::town::error::{Error, Result};
use crate::town::identity;
use crate::town::{Caller, Town};
use crate::work::causes;
use crate::work::hook;

mod log;
mod permission;
mod quiet;

pub use log::{HookTrouble, note_failure, trouble};
pub use quiet::{Seen, nothing_new};

/// Maximum time that a moment waits for the ledger.
pub const PATIENCE: Duration = Duration::from_millis(200);

/// Mark that records what kept turns from ending.
const BLOCKS: &str = "blocks";

/// One call of a client's hook.
#[derive(Clone, Copy, Debug)]
pub struct Call<'c> {
    /// Client that calls.
    pub client: Client,
    /// Moment that the hook reports.
    pub moment: Moment,
    /// Bytes that the client wrote to the hook's standard input.
    pub input: &'c [u8],
    /// The caller and the ledger's state before this process opened it; `None` where that state is unknown.
    pub seen: Option<&'c Seen>,
}

/// Answers a client; `None` where there is nothing to say.
pub fn answer(town: &Town, caller: &Caller, call: &Call<'_>) -> Result<Option<String>> {
    let Some(incarnation) = &caller.incarnation else { return Ok(None) };
    let Call { client, moment, .. } = *call;
    let heard = hear(client, moment, call.input)?;
    let here = Here { town, caller, incarnation };
    let answer = match &heard.event {
        Event::BeforeTool(call) => here.before_tool(call, &heard)?,
        Event::Permission(call) => here.permission(call, &heard)?,
        // The other events concern the agent itself. Its subagents get no mail and are no sign that it is alive.
        _ if heard.subagent => Answer::Nothing,
        Event::Start(_) => Answer::Nothing,
        Event::Prompt { nudge } => here.prompt(*nudge)?,
        Event::AfterTool => here.after_tool(call.seen)?,
        Event::Stop { background } => here.stop(*background)?,
        Event::StopFailure { failure, text } => here.stop_failure(*failure, text)?,
        Event::Compact => Answer::Nothing,
        Event::End { reason } => {
            let ended = here.note(MarkKind::End, &Mark { text: Some(reason.clone()), ..here.now() })?;
            town.wake();
            ended
        }
        Event::Notice { notice, text } => here.notice(*notice, text)?,
    };
    Ok(client.render(&heard, &answer))
}

/// Records that a client's session starts. Returns what the client said about the start.
pub fn start(town: &Town, incarnation: &IncarnationId, client: Client, input: &[u8]) -> Result<Heard> {
    let heard = hear(client, Moment::Start, input)?;
    if heard.subagent {
        return Ok(heard);
    }
    if let Some(session) = &heard.session {
        let continued = heard.event == Event::Start(Source::Continued);
        usage::note_session(town, incarnation, client, session, continued)?;
    }
    // After a compaction the agent is in the middle of its turn.
    let compacted = heard.event == Event::Start(Source::Compacted);
    let kind = if compacted { MarkKind::Compacted } else { MarkKind::Start };
    marks::write_mark(town, incarnation, kind, &marks::now(town.world()))?;
    town.wake();
    Ok(heard)
}

fn hear(client: Client, moment: Moment, input: &[u8]) -> Result<Heard> {
    client.hear(moment, input).map_err(|error| Error::Usage {
        what: error.to_string(),
        hint: "this verb is called by the client's hooks".to_owned(),
    })
}

/// One hook call with its town and incarnation.
struct Here<'t> {
    town: &'t Town,
    caller: &'t Caller,
    incarnation: &'t IncarnationId,
}

impl Here<'_> {
    fn now(&self) -> Mark {
        marks::now(self.town.world())
    }

    fn note(&self, kind: MarkKind, mark: &Mark) -> Result<Answer> {
        marks::write_mark(self.town, self.incarnation, kind, mark)?;
        Ok(Answer::Nothing)
    }

    /// Leaves a mark that also counts as a sign of life.
    fn live(&self, kind: MarkKind, mark: &Mark) -> Result<()> {
        identity::sign_of_life(self.town, self.caller)?;
        marks::write_mark(self.town, self.incarnation, kind, mark)
    }

    /// Answers before a tool runs. A refused tool leaves no mark, since it never began. The rules hold for subagents as well.
    fn before_tool(&self, call: &ToolCall, heard: &Heard) -> Result<Answer> {
        if let Some(why) = self.must_end()? {
            return if heard.subagent { Ok(Answer::Halt(why)) } else { self.halt(why) };
        }
        if !heard.subagent {
            identity::sign_of_life(self.town, self.caller)?;
        }
        let place = self.place(heard)?;
        if let Some(refusal) = guard::judge(Role::of(&self.caller.address), call, &place).line() {
            causes::note_refusal(self.town, self.caller, &format!("{}: {refusal}", call.tool));
            return Ok(Answer::Deny(refusal));
        }
        if !heard.subagent {
            let mark = Mark { tool: Some(call.tool.clone()), ..self.now() };
            marks::write_mark(self.town, self.incarnation, MarkKind::BeforeTool, &mark)?;
        }
        self.granted(call, heard, &place)
    }

    /// Grants what the agent may do anyway. The client's own rules cannot: they match only the first words of a command.
    fn granted(&self, call: &ToolCall, heard: &Heard, place: &Place) -> Result<Answer> {
        if heard.asking != Asking::ByRules {
            return Ok(Answer::Nothing);
        }
        Ok(match self.permit(call, place)? {
            Permit::Granted => Answer::Allow("gt: it is a part of your work".to_owned()),
            Permit::Ask => Answer::Ask("gt: it does more than its name says".to_owned()),
            Permit::Open => Answer::Nothing,
        })
    }

    /// Returns where the caller works and which places are its own.
    fn place(&self, heard: &Heard) -> Result<Place> {
        let (layout, env) = (&self.town.layout, &self.town.outside.env);
        let of_rig = self.caller.address.rig();
        let rig = of_rig.map(|rig| layout.rig(rig));
        let own = match (&self.caller.address, &rig) {
            (Address::Polecat(_, name), Some(rig)) => rig.worktree(name),
            (Address::Crew(_, name), Some(rig)) => rig.crew(name),
            (Address::Mayor, _) => layout.mayor(),
            _ => layout.root.clone(),
        };
        let (attempt, row) = self.town.ledger.read(|view| {
            let incarnation = view.incarnation(self.incarnation)?;
            let attempt = incarnation.map(|incarnation| view.attempt_of(&incarnation)).transpose()?.flatten();
            let row = of_rig.map(|rig| view.rig(rig.as_str())).transpose()?.flatten();
            Ok::<_, Error>((attempt, row))
        })?;
        let (branch, bead) = attempt.map(|attempt| (attempt.branch, attempt.bead.0)).unzip();
        Ok(Place {
            town: layout.root.clone(),
            rig: rig.map(|rig| rig.root),
            cwd: heard.cwd.clone().unwrap_or_else(|| own.clone()),
            own,
            home: env.get("HOME").map(Into::into),
            temp: env.get("TMPDIR").map(Into::into),
            branch,
            trunk: row.map(|row| row.trunk),
            bead,
        })
    }

    /// Returns the spending cap that makes the caller's turn end, if one does.
    fn must_end(&self) -> Result<Option<String>> {
        let why = self.town.ledger.read(|view| spend::must_end(view, &self.caller.address))?;
        Ok(why.map(|why| format!("Gas Town: {why}")))
    }

    /// Ends the turn. The client calls no hook when a turn ends so, so this leaves the mark.
    fn halt(&self, why: String) -> Result<Answer> {
        self.live(MarkKind::Stop, &self.now())?;
        self.town.wake();
        Ok(Answer::Halt(why))
    }

    fn prompt(&self, nudge: bool) -> Result<Answer> {
        if let Some(why) = self.must_end()? {
            return Ok(Answer::Block(why));
        }
        self.live(MarkKind::Prompt, &Mark { nudge, ..self.now() })?;
        self.mail(Priority::Low, Moment::Prompt)
    }

    fn after_tool(&self, seen: Option<&Seen>) -> Result<Answer> {
        if let Some(why) = self.must_end()? {
            return self.halt(why);
        }
        let mark = self.now();
        self.live(MarkKind::AfterTool, &mark)?;
        let answer = self.mail(Priority::High, Moment::AfterTool)?;
        if let (Answer::Nothing, Some(seen)) = (&answer, seen) {
            quiet::remember(self.town, self.incarnation, mark, seen)?;
        }
        Ok(answer)
    }

    /// Returns new mail as text for the agent's context. Records the delivery first.
    fn mail(&self, at_least: Priority, moment: Moment) -> Result<Answer> {
        let of = &self.caller.address;
        let mails = self.town.ledger.read(|view| view.undelivered(of, at_least).map_err(Error::from))?;
        let posts: Vec<Post<'_>> = mails.iter().map(post).collect();
        let Some(injected) = injection(&posts, usize::MAX) else { return Ok(Answer::Nothing) };
        self.town.ledger.write(&self.caller.name(), "deliver", |tx| {
            for mail in mails.iter().take(injected.shown) {
                tx.deliver(mail, Some(self.incarnation), moment.as_str())?;
            }
            Ok::<_, Error>(())
        })?;
        Ok(Answer::Context(injected.text))
    }

    fn stop(&self, background: usize) -> Result<Answer> {
        let mark = self.now();
        let path = self.town.layout.moments(self.incarnation).join(BLOCKS);
        let before: Blocks = marks::read_record(self.town.world(), &path)?.unwrap_or_default();
        let facts = self.stop_facts(background)?;
        let stopped = Mark { background: u32::try_from(background).unwrap_or(u32::MAX), ..mark.clone() };
        match at_stop(&facts, &before, mark.at_us) {
            StopAnswer::Let => {
                self.live(MarkKind::Stop, &stopped)?;
                self.town.wake();
                Ok(Answer::Nothing)
            }
            StopAnswer::Block { reason, blocks } => {
                marks::write_record(self.town.world(), &path, &blocks)?;
                self.live(MarkKind::Stop, &Mark { blocked: true, ..stopped })?;
                Ok(Answer::Block(reason))
            }
        }
    }

    fn stop_facts(&self, background: usize) -> Result<StopFacts> {
        let now = self.town.world().clock().now();
        let last_tool = marks::path(&self.town.layout, self.incarnation, MarkKind::AfterTool);
        let last_tool: Option<Mark> = marks::read_record(self.town.world(), &last_tool)?;
        let mut facts =
            StopFacts { background, last_tool_us: last_tool.map(|mark| mark.at_us), ..StopFacts::default() };
        self.town.ledger.read(|view| {
            // A standing agent that met a limit stays: an end was decided only for workers.
            let is_worker = is_worker(view, self.incarnation)?;
            facts.is_leaving = is_worker && view.reactions(self.incarnation)?.spared().is_some();
            facts.urgent = view.urgent_unread(&self.caller.address)?;
            match identity::hooked_attempt(view, self.caller) {
                Ok(attempt) => {
                    let steps = view.steps(attempt.id)?;
                    facts.steps_done = steps.iter().filter(|step| step.done_at.is_some()).count() as u32;
                    facts.waits_for = hook::waits_for(view, now, &attempt)?;
                    let (todo, command) = hook::next_words(&steps);
                    facts.work = Some((attempt.bead.to_string(), todo, command));
                }
                // The worker has submitted its work. A standing agent never has any.
                Err(Error::Refused { .. }) => facts.is_leaving |= is_worker,
                Err(error) => return Err(error),
            }
            Ok(())
        })?;
        Ok(facts)
    }

    fn stop_failure(&self, failure: Failure, text: &str) -> Result<Answer> {
        let clock = self.town.world().clock();
        let mark = Mark { text: Some(text.to_owned()), ..self.now() };
        self.live(MarkKind::StopFailure, &mark)?;
        let resets_at = reset_time(text, clock.now(), &|zone| clock.zone_of(zone)).map(jiff::Timestamp::as_second);
        match failure {
            Failure::Limit => self.note(MarkKind::Limit, &Mark { resets_at, ..mark })?,
            Failure::Login => self.note(MarkKind::Login, &mark)?,
            Failure::Outage => self.note(MarkKind::Outage, &mark)?,
            Failure::Other => Answer::Nothing,
        };
        self.town.wake();
        Ok(Answer::Nothing)
    }

    fn notice(&self, notice: Notice, text: &str) -> Result<Answer> {
        let mark = Mark { text: Some(text.to_owned()), ..self.now() };
        match notice {
            // The question itself has already told more exactly what the agent asks.
            Notice::Permission if matches!(marks::marks(self.town, self.incarnation)?.stage(), Stage::Asking(_)) => {
                Answer::Nothing
            }
            Notice::Permission => self.note(MarkKind::Permission, &mark)?,
            Notice::Idle => self.note(MarkKind::Idle, &mark)?,
            Notice::Other => return Ok(Answer::Nothing),
        };
        self.town.wake();
        Ok(Answer::Nothing)
    }
}

/// Whether an incarnation belongs to a polecat, which has nothing to do once its hook is empty.
fn is_worker(view: &View<'_>, incarnation: &IncarnationId) -> Result<bool> {
    Ok(view.incarnation(incarnation)?.is_some_and(|incarnation| incarnation.attempt().is_some()))
}

fn post(mail: &Mail) -> Post<'_> {
    let urgent = mail.priority == Priority::Urgent;
    Post { id: mail.id.as_str(), from: &mail.from, subject: &mail.subject, body: &mail.body, urgent }
}
