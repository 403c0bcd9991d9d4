//! Permission moments: a client is about to ask a person whether it may use a tool.
//!
//! In a terminal the client shows the question, and "needs you" lists it at once. Without a terminal no person can answer. The
//! town then denies the use, tells the agent how to go on and how to ask, and records an event with the command that would
//! allow the use.

use gt_ledger::Tx;
use gt_model::address::Address;
use gt_model::condition::ConditionKind;
use gt_model::foreign;
use gt_model::guard::permit::{self, Permit, suggestion};
use gt_model::guard::{Place, Role, ToolCall};
use gt_model::moment::{Answer, Asking, Heard, KEPT_TEXT_BYTES, Mark, MarkKind, Moment};
use gt_world::Runtime;
use serde_json::json;

use super::{Here, log};
use crate::agents::grants::{self, OnDisk};
use crate::agents::marks;
use crate::town::error::Result;
use crate::work::causes;

/// Maximum number of such conditions per agent; the events record the rest.
const DENIED_AT_MOST: usize = 5;

/// Bytes of a tool's input that people and agents see.
const SHOWN_BYTES: usize = 160;

/// Describes a use of a tool in one line: a command as it is, any other tool with its input.
pub(crate) fn words(call: &ToolCall) -> String {
    let names = ["command", "file_path", "path", "url", "query", "pattern", "plan"];
    let first_question = call.input["questions"][0]["question"].as_str();
    let given = names.iter().find_map(|name| call.input[*name].as_str()).or(first_question);
    let given = given.map_or_else(|| call.input.to_string(), str::to_owned);
    let line = foreign::one_line(&given);
    let shown = foreign::cut(&line, SHOWN_BYTES);
    let more = if shown.len() < line.len() { "…" } else { "" };
    format!("{}: {shown}{more}", call.tool)
}

impl Here<'_> {
    pub(super) fn permission(&self, call: &ToolCall, heard: &Heard) -> Result<Answer> {
        let place = self.place(heard)?;
        // The moment before the tool may have got no answer in time.
        if heard.asking == Asking::ByRules && self.permit(call, &place)? == Permit::Granted {
            return Ok(Answer::Allow("gt: it is a part of your work".to_owned()));
        }
        let dir = self.town.layout.session(self.incarnation);
        if self.town.world().sessions().runtime(&dir)? == Some(Runtime::Headless) {
            return self.deny(call, &place);
        }
        let text = foreign::cut(&words(call), KEPT_TEXT_BYTES).to_owned();
        let allow = self.suggestion(call, &place);
        let mark = Mark { text: Some(text), tool: Some(call.tool.clone()), allow, ..marks::now(self.town.world()) };
        marks::write_mark(self.town, self.incarnation, MarkKind::Permission, &mark)?;
        self.town.wake();
        Ok(Answer::Nothing)
    }

    /// Whether the agent may use the tool without asking.
    pub(super) fn permit(&self, call: &ToolCall, place: &Place) -> Result<Permit> {
        let address = &self.caller.address;
        let grants = grants::of(self.town, address)?;
        let files = OnDisk(self.town.world().disk());
        Ok(permit::permit(Role::of(address), call, place, &grants, &files))
    }

    /// Returns the pattern that would allow the use.
    fn suggestion(&self, call: &ToolCall, place: &Place) -> Option<String> {
        let granted = |command: &str| {
            let call = ToolCall { tool: "Bash".to_owned(), input: json!({ "command": command }) };
            self.permit(&call, place).is_ok_and(|permit| permit == Permit::Granted)
        };
        suggestion(call, &granted)
    }

    /// Denies the use. Answers the client even if recording fails, since the client would otherwise wait forever.
    fn deny(&self, call: &ToolCall, place: &Place) -> Result<Answer> {
        let allow = self.suggestion(call, place);
        let what = words(call);
        let recorded =
            self.town.ledger.write(&self.caller.name(), "deny", |tx| self.record(tx, &what, allow.as_deref()));
        if let Err(error) = recorded {
            let (layout, moment) = (&self.town.layout, Moment::Permission.as_str());
            log::note_failure(self.town.world(), layout, moment, self.incarnation, &error.to_string());
        }
        let way = allow.as_deref().map(|allow| format!(" ({} allows it)", self.line(allow)));
        causes::note_refusal(self.town, self.caller, &format!("denied{}: {what}", way.unwrap_or_default()));
        self.town.wake();
        Ok(Answer::Deny(self.told(&what, allow.as_deref(), place)))
    }

    fn record(&self, tx: &Tx<'_>, what: &str, allow: Option<&str>) -> Result<()> {
        let incarnation = tx.incarnation(self.incarnation)?;
        let attempt = incarnation.map(|incarnation| tx.attempt_of(&incarnation)).transpose()?.flatten();
        let bead = attempt.map(|attempt| attempt.bead);
        let facts = json!({ "what": what, "allow": allow, "incarnation": self.incarnation.as_str() });
        let address = self.caller.address.to_string();
        tx.event("denied", &format!("{address}: {what}"), bead.as_ref(), None, Some(&facts))?;
        let known = tx.conditions()?.iter().filter(|c| c.kind == ConditionKind::Denied && c.is_of(&address)).count();
        if known < DENIED_AT_MOST {
            let subject = allow.map_or_else(|| address.clone(), |allow| format!("{address} {allow}"));
            let text =
                format!("{address} was denied: {what}; it has no terminal to ask in, so it worked on without it");
            tx.raise(ConditionKind::Denied, &subject, &text)?;
        }
        Ok(())
    }

    /// Returns the command that a person types to allow the use.
    fn line(&self, allow: &str) -> String {
        match self.caller.address.rig() {
            Some(rig) => format!("gt rig allow {rig} \"{allow}\""),
            None => format!("gt mayor allow \"{allow}\""),
        }
    }

    /// Returns the text that the agent reads.
    fn told(&self, what: &str, allow: Option<&str>, place: &Place) -> String {
        let bead = place.bead.as_deref().unwrap_or("<bead>");
        let (to, subject, free) = match &self.caller.address {
            Address::Polecat(rig, _) => (
                format!("{rig}/witness"),
                format!("HELP {bead}"),
                "files of your worktree, git add, commit, diff, log, rebase and the like, gt, the set-up and the gates",
            ),
            Address::Mayor => ("overseer".to_owned(), "A question".to_owned(), "gt, and reading <rig>/mayor/rig"),
            _ => ("overseer".to_owned(), "A question".to_owned(), "files of your workspace, git, gt, set-up and gates"),
        };
        let line = allow.map(|allow| format!(" A person allows it by: {}.", self.line(allow))).unwrap_or_default();
        format!(
            "denied: {what}. No person watches this session, so you can't ask for permission here. You may use without \
             asking: {free}. Work without it if you can. If not, ask by mail and say why: gt mail send {to} -s \
             \"{subject}\" -m \"<what you need>\".{line}"
        )
    }
}
