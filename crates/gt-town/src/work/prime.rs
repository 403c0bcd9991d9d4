//! The text that an agent gets at its start: who it is, what is on its hook, and what happened before. Its parts depend on the
//! role.
//!
//! The parts that an agent always needs come first. Long parts are cut, with a note on where to find the rest, so that the whole
//! stays below [`PRIME_BYTES`] however much others have written.

use std::path::PathBuf;

use gt_ledger::{Attempt, AttemptOutcome, Mail, Priority, View};
use gt_model::address::Address;
use gt_model::foreign;
use gt_model::formula::{Acceptance, Act};
use gt_model::moment::{Post, Source, injection};
use gt_model::protocol::Message;
use serde::Serialize;

use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};
use crate::work::causes;
use crate::work::hook::{self, Hook};

/// Size limit of the whole text, in bytes.
pub const PRIME_BYTES: usize = 5500;

/// Size limit in bytes of one part that others wrote.
const STEP_BYTES: usize = 1200;
const HANDOFF_BYTES: usize = 900;
const WHY_BYTES: usize = 500;
const BEAD_BYTES: usize = 1500;
const DIRECTIVES_BYTES: usize = 1000;

/// Size limit of a bead's title, in bytes.
const TITLE_BYTES: usize = 200;

/// Bytes reserved for the note that there is mail.
const MAIL_RESERVE_BYTES: usize = 80;

/// Smallest room, in bytes, for which a part is still added.
const SMALLEST_BYTES: usize = 80;

/// Kind of agent that gets the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The coordinator.
    Mayor,
    /// A worker for one bead.
    Polecat,
    /// A worker whose product is findings.
    Reviewer,
    /// An agent in a person's workspace.
    Crew,
    /// Every other caller.
    Person,
}

impl Role {
    fn of(address: &Address, hook: Option<&Hook>) -> Self {
        match address {
            Address::Mayor => Self::Mayor,
            Address::Polecat(..) if hook.is_some_and(|hook| hook.attempt.formula.contains("review")) => Self::Reviewer,
            Address::Polecat(..) => Self::Polecat,
            Address::Crew(..) => Self::Crew,
            _ => Self::Person,
        }
    }

    /// Returns the name, which its files use too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mayor => "mayor",
            Self::Polecat => "polecat",
            Self::Reviewer => "reviewer",
            Self::Crew => "crew",
            Self::Person => "person",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Mayor => include_str!("prime/mayor.md"),
            Self::Polecat => include_str!("prime/polecat.md"),
            Self::Reviewer => include_str!("prime/reviewer.md"),
            Self::Crew => include_str!("prime/crew.md"),
            Self::Person => include_str!("prime/person.md"),
        }
    }
}

/// Facts for the text of one agent.
#[derive(Clone, Debug)]
pub struct Prime {
    /// Its address.
    pub address: Address,
    /// Kind of agent.
    pub role: Role,
    /// Work that it must do.
    pub hook: Option<Hook>,
    /// How the previous incarnation ended, if there was one.
    pub last_end: Option<String>,
    /// How the sessions of the previous attempt ended, if that attempt was given up.
    pub deaths: Option<String>,
    /// Message from the previous incarnation.
    pub handoff: Option<Mail>,
    /// A person's directives to agents of this role.
    pub directives: Option<String>,
    /// Unread mail.
    pub mail: Vec<Mail>,
    /// Whether the agent's context was only compacted, so that it knows the rest.
    pub is_compacted: bool,
    /// Path of `gt`, for a shell that does not find it.
    pub gt: PathBuf,
}

/// One part of the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// Name of the part.
    pub name: &'static str,
    /// Source of its content.
    pub source: String,
    /// Content.
    pub text: String,
}

/// Gathers the facts for a caller. If `by` names a moment, also records that the mail was delivered.
pub fn gather(town: &Town, caller: &Caller, source: Source, by: Option<&str>) -> Result<Prime> {
    let hook = if caller.incarnation.is_some() { hook::hook(town, caller)? } else { None };
    let role = Role::of(&caller.address, hook.as_ref());
    let is_compacted = source == Source::Compacted;
    let mut prime = Prime {
        address: caller.address.clone(),
        role,
        hook,
        last_end: None,
        deaths: None,
        handoff: None,
        directives: None,
        mail: Vec::new(),
        is_compacted,
        gt: town.layout.bin().join("gt"),
    };
    if is_compacted {
        return Ok(prime);
    }
    prime.directives = directives(town, role)?;
    town.ledger.read(|view| prime.recall(view, caller))?;
    if let Some(by) = by {
        prime.deliver(town, caller, by)?;
    }
    Ok(prime)
}

fn directives(town: &Town, role: Role) -> Result<Option<String>> {
    let bytes = town.world().disk().read_own(&town.layout.directives(role.as_str()))?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()).filter(|text| !text.is_empty()))
}

impl Prime {
    fn recall(&mut self, view: &View<'_>, caller: &Caller) -> Result<()> {
        self.mail = view.inbox(&caller.address, true)?;
        let own = caller.name();
        self.mail.retain(|mail| mail.from != own || !mail.subject.starts_with("HANDOFF "));
        if let Some(hook) = self.hook.as_ref().filter(|hook| hook.attempt.number > 1) {
            self.deaths = deaths_before(view, &hook.attempt)?;
        }
        // The first incarnation of an attempt has no predecessor.
        let Some(hook) = self.hook.as_ref().filter(|hook| hook.incarnation > 1) else { return Ok(()) };
        self.last_end = hook::last_end(view, &hook.attempt)?;
        let leaving = match &caller.incarnation {
            Some(id) => view.reactions(id)?.spared().is_some(),
            None => true,
        };
        // A message from this incarnation is for its successor.
        if !leaving {
            self.handoff = view.handoff(&caller.address, &hook.attempt.branch, caller.incarnation.as_ref())?;
        }
        Ok(())
    }

    /// Records the delivery of new mail. Usually there is none; then nothing is written and no write lock is needed.
    fn deliver(&self, town: &Town, caller: &Caller, by: &str) -> Result<()> {
        let (_, shown) = self.told();
        let shown = self.mail.iter().take(shown).chain(&self.handoff);
        let new: Vec<&Mail> = shown.filter(|mail| mail.delivery.delivered_at.is_none()).collect();
        if new.is_empty() {
            return Ok(());
        }
        town.ledger.write(&caller.name(), "prime", |tx| {
            for mail in new {
                tx.deliver(mail, caller.incarnation.as_ref(), by)?;
                if self.handoff.as_ref().is_some_and(|handoff| handoff.id == mail.id) {
                    tx.mark_handled(mail)?;
                }
            }
            Ok::<_, Error>(())
        })
    }

    /// Returns the parts in their order.
    pub fn sections(&self) -> Vec<Section> {
        self.told().0
    }

    /// Returns the parts and the number of mails in them.
    fn told(&self) -> (Vec<Section>, usize) {
        let mut told = Telling::default();
        told.add("role", format!("gt: {}", self.role.as_str()), self.role_text());
        match &self.hook {
            Some(hook) if self.is_compacted => told.add("hook", "ledger: the molecule".to_owned(), step_text(hook)),
            Some(hook) => {
                told.add("hook", "ledger: the molecule".to_owned(), step_text(hook));
                self.tell_directives(&mut told);
                self.tell_past(hook, &mut told);
                tell_bead(hook, &mut told);
            }
            None if matches!(self.role, Role::Polecat | Role::Reviewer) => {
                told.add("hook", "ledger".to_owned(), "Your hook is empty: end your turn.".to_owned());
            }
            None => self.tell_directives(&mut told),
        }
        let mail = self.mail_text(told.room());
        let shown = mail.as_ref().map_or(0, |(_, shown)| *shown);
        if let Some((mail, _)) = mail {
            told.add("mail", "ledger: inbox".to_owned(), mail);
        }
        (told.sections, shown)
    }

    fn tell_directives(&self, told: &mut Telling) {
        let Some(directives) = &self.directives else { return };
        let file = format!("directives/{}.md", self.role.as_str());
        let heading = "The overseer's directives:";
        told.add_foreign("directives", file.clone(), heading, directives, DIRECTIVES_BYTES, &file);
    }

    /// Adds the past: the predecessor's message, how it ended, and why the previous attempt came back.
    fn tell_past(&self, hook: &Hook, told: &mut Telling) {
        if let Some(handoff) = &self.handoff {
            let source = format!("ledger: mail {}", handoff.id);
            let text = handoff_text(handoff);
            let more = format!("gt mail read {}", handoff.id);
            told.add_foreign("handoff", source, "Your predecessor left this for you:", &text, HANDOFF_BYTES, &more);
        }
        if let Some(end) = &self.last_end {
            let heading = "You continue where another worker stopped: its files are still in this worktree. How it \
                           ended:";
            let source = "ledger: the incarnation before".to_owned();
            told.add_foreign("last end", source, heading, end, WHY_BYTES, &format!("gt show {}", hook.bead.id));
        }
        if let Some(deaths) = &self.deaths {
            let heading = "An earlier attempt on this bead was given up. How each of its sessions ended:";
            let source = "ledger: the attempt before".to_owned();
            told.add_foreign("deaths", source, heading, deaths, WHY_BYTES, &format!("gt show {}", hook.bead.id));
        }
        if let Some(why) = &hook.attempt.why {
            let heading = "The previous attempt was sent back. Its work is on your branch. Why it was sent back:";
            let source = format!("ledger: attempt {}", hook.attempt.number);
            told.add_foreign("failure", source, heading, why, WHY_BYTES, &format!("gt why {}", hook.bead.id));
        }
    }

    fn role_text(&self) -> String {
        let rig = match &self.address {
            Address::Polecat(rig, _) | Address::Crew(rig, _) => rig.as_str(),
            _ => "<rig>",
        };
        let bead = self.hook.as_ref().map_or("<bead>", |hook| hook.bead.id.as_str());
        let text = self.role.text().replace("{address}", &self.address.to_string());
        let text = text.replace("{rig}", rig).replace("{bead}", bead).replace("{gt}", &self.gt.display().to_string());
        if !self.is_compacted {
            return text.trim_end().to_owned();
        }
        let who = text.lines().next().unwrap_or_default();
        format!("{who}\nYour context was compacted. gt prime repeats all instructions; gt hook shows your assignment.")
    }

    /// Returns as much of the mail as fits into `room`, and the number of mails.
    fn mail_text(&self, room: usize) -> Option<(String, usize)> {
        let urgent = |mail: &Mail| mail.priority == Priority::Urgent;
        let posts: Vec<Post<'_>> = self
            .mail
            .iter()
            .map(|m| Post { id: m.id.as_str(), from: &m.from, subject: &m.subject, body: &m.body, urgent: urgent(m) })
            .collect();
        let injected = injection(&posts, room)?;
        Some((injected.text, injected.shown))
    }

    /// Returns the whole text.
    pub fn text(&self) -> String {
        let texts: Vec<String> = self.sections().into_iter().map(|section| section.text).collect();
        texts.join("\n")
    }
}

/// Describes how the sessions of the previous attempt ended, if its worker died too often.
fn deaths_before(view: &View<'_>, attempt: &Attempt) -> Result<Option<String>> {
    let before = view.attempts_on(&attempt.bead)?.into_iter().rfind(|before| before.number < attempt.number);
    let Some(before) = before.filter(|before| before.outcome == Some(AttemptOutcome::Recovered)) else {
        return Ok(None);
    };
    let causes = causes::each(&view.incarnations_of(before.id)?);
    Ok((!causes.is_empty()).then(|| causes.join("\n")))
}

/// The text as built so far.
#[derive(Default)]
struct Telling {
    sections: Vec<Section>,
}

impl Telling {
    fn room(&self) -> usize {
        let told: usize = self.sections.iter().map(|section| section.text.len() + 1).sum();
        PRIME_BYTES.saturating_sub(told)
    }

    fn add(&mut self, name: &'static str, source: String, text: String) {
        self.sections.push(Section { name, source, text });
    }

    /// Adds a part that others wrote, cut to its own limit and to the room left.
    fn add_foreign(&mut self, name: &'static str, source: String, heading: &str, text: &str, bytes: usize, more: &str) {
        let room = bytes.min(self.room().saturating_sub(heading.len() + 2 + MAIL_RESERVE_BYTES));
        if room >= SMALLEST_BYTES {
            self.add(name, source, format!("{heading}\n{}", foreign::quoted(text, room, more)));
        }
    }
}

fn tell_bead(hook: &Hook, told: &mut Telling) {
    let bead = &hook.bead;
    let more = format!("gt bead show {}", bead.id);
    for (heading, text) in [
        ("Your task:", &bead.description),
        ("It is done when:", &bead.acceptance_criteria),
        ("Design:", &bead.design),
        ("Notes so far:", &bead.notes),
    ] {
        if !text.trim().is_empty() {
            told.add_foreign("bead", format!("ledger: {}", bead.id), heading, text, BEAD_BYTES, &more);
        }
    }
}

fn step_text(hook: &Hook) -> String {
    let bead = &hook.bead;
    let title = foreign::untagged(&foreign::one_line(foreign::cut(&bead.title, TITLE_BYTES)));
    let mut text =
        format!("On your hook: {}  {title}\nBranch: {}   Trunk: {}\n", bead.id, hook.attempt.branch, hook.trunk_ref);
    let Some(step) = &hook.step else { return text + &hook::without_step(hook.waits_for.as_deref()) };
    let at = step.position + 1;
    text.push_str(&format!("Step {at} of {}: {}  ", hook.steps, step.step.id));
    text.push_str(&foreign::one_line(foreign::cut(&step.step.title, TITLE_BYTES)));
    let description = step.step.description.trim();
    let shown = foreign::cut(description, STEP_BYTES);
    text.push_str(&format!("\n{}", foreign::lines(shown)));
    if shown.len() < description.len() {
        text.push_str(" … full text: gt hook");
    }
    if !step.step.acceptance.is_empty() {
        let checks: Vec<String> = step.step.acceptance.iter().map(check_text).collect();
        let checks = checks.join(", ");
        text.push_str(&format!("\nChecks of gt step done: {}", foreign::cut(&checks, TITLE_BYTES)));
    }
    if at as usize == hook.steps {
        return text;
    }
    text + &format!("\nWhen it is done: gt step done {}", step.step.id)
}

/// Describes a step's check.
pub fn check_text(check: &Acceptance) -> String {
    match check {
        Acceptance::Act(Act::OwnBranch) => "you are on your own branch".to_owned(),
        Acceptance::Act(Act::Clean) => "everything is committed".to_owned(),
        Acceptance::Act(Act::Commits) => "the branch has commits".to_owned(),
        Acceptance::Act(Act::Gates) => "the gates are green".to_owned(),
        Acceptance::Act(Act::Rebased) => "the branch contains the trunk".to_owned(),
        Acceptance::Act(act) => act.meaning().to_owned(),
        Acceptance::Command(argv) => format!("`{}`", foreign::one_line(&argv.join(" "))),
    }
}

fn handoff_text(mail: &Mail) -> String {
    match Message::parse(&mail.subject, &mail.body) {
        Ok(Message::Handoff { context, next, .. }) => {
            let free = mail.body.split_once("\n\n").map(|(_, free)| free).unwrap_or_default();
            let lines = [context.as_str(), next.as_str(), free];
            lines.into_iter().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
        }
        _ => mail.body.clone(),
    }
}
