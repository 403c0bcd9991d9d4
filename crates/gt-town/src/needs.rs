//! What needs a person, and what to type about it.

use serde::Serialize;

use crate::admission;
use crate::agents::{hooks, kinds, readiness};
use crate::asking::ASKS;
use crate::clean_run;
use crate::dropped;
use crate::error::Result;
use crate::ledger::{Condition, Mail, View};
use crate::limits;
use crate::moments::{DENIED, is_of};
use crate::observe::QueueItem;
use crate::outage;
use crate::post;
use crate::spend;
use crate::standing;
use crate::sync;
use crate::tampering;
use gt_model::queue::MrStatus;

/// Something that only a person can end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// What it is.
    #[serde(flatten)]
    pub condition: Condition,
    /// The command to type.
    pub next: String,
}

/// The kind of need that a held merge request is. It is derived from the queue, and no condition of the ledger's.
pub const HELD: &str = "held";

/// The same, of one that changes nothing.
pub const EMPTY: &str = "empty";

/// The same, of one whose work the trunk has by commits that are not known to be its own.
pub const MAYBE_LANDED: &str = "maybe-landed";

/// The same, of mail to the overseer that is not read.
pub const MAIL: &str = "mail";

/// Mails that are each shown for themselves.
const MAILS_SHOWN: usize = 5;

/// All that needs a person now. `queue` is what is open in the merge queues.
pub fn all(view: &View<'_>, queue: &[QueueItem]) -> Result<Vec<Need>> {
    let mut needs = Vec::new();
    for condition in view.conditions()? {
        if let Some(next) = next(view, &condition)? {
            needs.push(Need { condition, next });
        }
    }
    needs.extend(queue.iter().filter_map(held));
    needs.extend(mail(view)?);
    Ok(needs)
}

/// What of an agent at an address needs a person now; what holds up its kind of agent, too.
pub fn of_agent(view: &View<'_>, address: &str, agent_kind: Option<&str>) -> Result<Vec<Need>> {
    let of_kind = |condition: &Condition| {
        let is_about_kinds =
            [limits::LIMIT, limits::LOGIN, outage::OUTAGE, hooks::OFF].contains(&condition.kind.as_str());
        is_about_kinds && Some(condition.subject.as_str()) == agent_kind
    };
    let of_it = |condition: &Condition| is_of(&condition.subject, address) || of_kind(condition);
    let mut needs = Vec::new();
    for condition in view.conditions()?.into_iter().filter(of_it) {
        if let Some(next) = next(view, &condition)? {
            needs.push(Need { condition, next });
        }
    }
    Ok(needs)
}

/// Unread mail to the overseer that an agent wrote. What is over the limit is one line.
fn mail(view: &View<'_>) -> Result<Vec<Need>> {
    let mail = post::for_overseer(view)?;
    let need = |subject: &str, text: String, since: &str, next: String| Need {
        condition: Condition {
            key: format!("{MAIL}:{subject}"),
            kind: MAIL.to_owned(),
            subject: subject.to_owned(),
            text,
            since: since.to_owned(),
            until: None,
        },
        next,
    };
    let one = |mail: &Mail| {
        let text = format!("{} writes: {}", mail.from, mail.subject);
        need(mail.id.as_str(), text, &mail.delivery.sent_at, format!("gt mail read {}", mail.id))
    };
    let mut needs: Vec<Need> = mail.iter().take(MAILS_SHOWN).map(one).collect();
    if let Some(first) = mail.get(MAILS_SHOWN) {
        let text = format!("{} more of agents' mail to you are unread", mail.len() - MAILS_SHOWN);
        needs.push(need("more", text, &first.delivery.sent_at, "gt mail inbox --unread".to_owned()));
    }
    Ok(needs)
}

fn held(item: &QueueItem) -> Option<Need> {
    let (id, bead) = (&item.mr.id, &item.mr.bead);
    let (kind, text, next) = match &item.status {
        MrStatus::Held(why) => {
            (HELD, format!("{id} is held: {why}"), format!("gt mq show {id}, then gt mq retry {id}"))
        }
        MrStatus::Empty(why) => {
            let text = format!("{id} of {bead} is empty: {why}");
            (EMPTY, text, format!("gt mq show {id}, then gt mq reject or cancel {id}"))
        }
        MrStatus::MaybeLanded(why) => {
            let text = format!("{bead} may have landed by others' work: {why}");
            (MAYBE_LANDED, text, format!("gt mq show {id}, then gt mq landed, reject or cancel {id}"))
        }
        _ => return None,
    };
    let condition = Condition {
        key: format!("{kind}:{id}"),
        kind: kind.to_owned(),
        subject: id.to_string(),
        text,
        since: item.mr.submitted_at.clone(),
        until: None,
    };
    Some(Need { condition, next })
}

/// What to type about a condition; `None` for one that ends without a person.
fn next(view: &View<'_>, condition: &Condition) -> Result<Option<String>> {
    let (kind, subject) = (condition.kind.as_str(), condition.subject.as_str());
    if kind == "quarantine" {
        // It is slung where it was.
        let rig = view.attempts_on(&subject.into())?.pop().map(|attempt| attempt.rig.to_string());
        let rig = rig.unwrap_or_else(|| "<rig>".to_owned());
        return Ok(Some(format!("gt show {subject}, then gt sling {subject} {rig}")));
    }
    if [readiness::WORKER_CONDITION, readiness::KIND_CONDITION].contains(&kind)
        && let Some(next) = of_running(&condition.text)
    {
        return Ok(Some(next));
    }
    Ok(command(kind, subject))
}

/// The command that helps with a session whose process runs but whose agent has not begun, taken from the condition's text.
/// `gt mayor start` and the like do nothing while the process runs.
fn of_running(text: &str) -> Option<String> {
    let said = text.lines().next().unwrap_or_default();
    let address = |verb: &str| {
        let rest = said.split_once(&format!("{verb} "))?.1;
        Some(rest.split([' ', ',', ';']).next().unwrap_or(rest).to_owned())
    };
    if let Some(address) = address("gt agent answer") {
        return Some(format!("gt agent answer {address} yes|no, or gt session attach {address}"));
    }
    if let Some(address) = address("gt session attach") {
        return Some(format!("gt session attach {address}, and answer there"));
    }
    address("gt session stop").map(|address| format!("gt peek {address}, then gt session stop {address}"))
}

/// What to type about a condition of that kind and subject.
fn command(kind: &str, subject: &str) -> Option<String> {
    let rig = subject.split(':').next().unwrap_or_default();
    Some(match kind {
        "approval" => format!("gt mq diff {subject}, then gt mq approve {subject}"),
        "rig-held" => format!("gt why {subject}, then gt rig prove {subject}"),
        tampering::CONDITION => format!("look at the file, make it right, then gt rig release {subject}"),
        "ungated" => format!("gt rig gates add {subject} <name> \"<command>\""),
        "trunk-red" | "refinery" => format!("mend the cause, then gt refinery run {subject} --once"),
        clean_run::CONDITION => format!("gt why {subject}, mend the trunk, then gt refinery confirm {subject}"),
        "foreign-ref" => format!("gt why {rig}"),
        "effect" | "set-up" => "mend the cause, then gt doctor --retry".to_owned(),
        "patrol" => "mend the cause: it is tried again at each look".to_owned(),
        "remote" => format!("gt rig fetch {subject}"),
        "feed" => format!("gt agent check --rig {subject}"),
        "paused" if subject.starts_with('<') => "gt resume".to_owned(),
        "paused" => format!("gt resume {subject}"),
        "deacon" => "gt doctor, then gt up".to_owned(),
        DENIED => allowing(subject),
        ASKS => format!("gt agent answer {subject} yes|no|always, or gt session attach {subject}"),
        // In a terminal or not, its next session has its mail at its start.
        standing::UNHEARD => format!("gt peek {subject}, then gt session stop {subject}"),
        "long-tool" => format!("gt peek {subject}"),
        limits::LIMIT => format!("wait, or gt resume --agent {subject}"),
        outage::OUTAGE => format!("wait, or gt resume --agent {subject}"),
        admission::SHORT => "end what takes memory, or lower min_free_memory_mb in town.toml".to_owned(),
        spend::TURN_CAP => "gt cost --by agent, then gt resume --spend".to_owned(),
        spend::CAP => "gt cost, then gt resume --spend".to_owned(),
        kinds::UNKNOWN => "gt agent list".to_owned(),
        hooks::OFF => format!("gt agent check {subject}"),
        limits::LOGIN => format!("gt agent check {subject}, then gt resume --agent {subject}"),
        readiness::WORKER_CONDITION => format!("gt peek {subject}, then gt doctor --retry"),
        readiness::KIND_CONDITION => {
            let kind = subject.split_once(':').map_or(subject, |(_, kind)| kind);
            format!("gt agent check {kind} --rig {rig}, then gt doctor --retry")
        }
        standing::GAVE_UP => match subject.split('/').collect::<Vec<_>>().as_slice() {
            [rig, "crew", name] => format!("gt peek {subject}, then gt crew start {rig} {name}"),
            _ => format!("gt peek {subject}, then gt mayor start"),
        },
        dropped::CONDITION => format!("gt why {subject}"),
        "unlanded" => format!("gt why {subject}"),
        sync::ELSEWHERE => format!("gt show {subject}; gt unsling {subject} lets the other town's word hold"),
        _ => return None,
    })
}

/// What allows what was denied: the subject is the agent's address, and the pattern where there is one.
fn allowing(subject: &str) -> String {
    match subject.split_once(' ') {
        Some(("mayor/", pattern)) => format!("gt mayor allow {}", quoted(pattern)),
        Some((address, pattern)) => {
            let rig = address.split('/').next().unwrap_or_default();
            format!("gt rig allow {rig} {}", quoted(pattern))
        }
        None => format!("gt peek {subject}"),
    }
}

/// A word as a shell takes it.
fn quoted(text: &str) -> String {
    if text.contains(['"', '$', '`', '\\', '!']) {
        format!("'{}'", text.replace('\'', r"'\''"))
    } else {
        format!("\"{text}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::{command, of_running};

    #[test]
    fn what_runs_is_not_said_to_be_started_again() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(of_running(text).as_deref(), expected, "{text}");
        let start = "claude does not start for app/polecats/amber:";
        check(
            &format!("{start} it asks for permission; gt agent answer app/polecats/amber yes, or gt session attach x"),
            Some("gt agent answer app/polecats/amber yes|no, or gt session attach app/polecats/amber"),
        );
        check(
            &format!(
                "{start} nobody is logged in; gt session attach app/polecats/amber, and log in there\nits last lines:"
            ),
            Some("gt session attach app/polecats/amber, and answer there"),
        );
        check(
            &format!("{start} nothing was seen; gt peek mayor/; gt session stop mayor/ starts it anew"),
            Some("gt peek mayor/, then gt session stop mayor/"),
        );
        // What is over is started again; what its agent wrote last says nothing.
        check(&format!("{start} it ends; gt peek x, mend it, then: gt doctor --retry\n  gt session attach evil"), None);
    }

    #[test]
    fn each_need_has_its_command() {
        let check = |kind, subject, expected: &str| assert_eq!(command(kind, subject).as_deref(), Some(expected));
        check("approval", "mr-a-1", "gt mq diff mr-a-1, then gt mq approve mr-a-1");
        check("paused", "<town>", "gt resume");
        check("paused", "app", "gt resume app");
        check("agent", "app:claude", "gt agent check claude --rig app, then gt doctor --retry");
        check("foreign-ref", "app:refs/heads/x", "gt why app");
        check("given-up", "app/crew/max", "gt peek app/crew/max, then gt crew start app max");
        check("settings-changed", "app", "look at the file, make it right, then gt rig release app");
        check("clean-red", "app", "gt why app, mend the trunk, then gt refinery confirm app");
        check("given-up", "mayor/", "gt peek mayor/, then gt mayor start");
        check("denied", "app/polecats/amber npm run build", "gt rig allow app \"npm run build\"");
        check("denied", "app/crew/max python3 -c '$X'", r"gt rig allow app 'python3 -c '\''$X'\'''");
        check("denied", "mayor/ WebFetch", "gt mayor allow \"WebFetch\"");
        check("denied", "app/polecats/amber", "gt peek app/polecats/amber");
        assert_eq!(command("unknown", "app/polecats/amber"), None, "that ends by itself");
    }
}
