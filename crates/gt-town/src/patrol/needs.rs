//! Everything that needs a person, with the command to type for it.

use gt_ledger::{Condition, Mail, View};
use gt_model::condition::ConditionKind as Kind;
use gt_model::queue::MrStatus;
use jiff::Timestamp;
use serde::Serialize;

use crate::mail::post;
use crate::refinery::queue::QueueItem;
use crate::town::error::Result;

/// A need that only a person can settle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The condition.
    #[serde(flatten)]
    pub condition: Condition,
    /// Command to type.
    pub next: String,
}

/// Number of mails that are listed individually.
const MAILS_SHOWN: usize = 5;

/// Returns everything that needs a person now. `queue` holds the open entries of the merge queues.
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

/// Returns what needs a person now for the agent at an address, including conditions on its kind of agent.
pub fn of_agent(view: &View<'_>, address: &str, agent_kind: Option<&str>) -> Result<Vec<Need>> {
    let of_kind =
        |condition: &Condition| condition.kind.is_about_kind() && Some(condition.subject.as_str()) == agent_kind;
    let of_it = |condition: &Condition| condition.is_of(address) || of_kind(condition);
    let mut needs = Vec::new();
    for condition in view.conditions()?.into_iter().filter(of_it) {
        if let Some(next) = next(view, &condition)? {
            needs.push(Need { condition, next });
        }
    }
    Ok(needs)
}

/// Returns unread mail to the overseer that an agent wrote. Mails over the limit share one line.
fn mail(view: &View<'_>) -> Result<Vec<Need>> {
    let mail = post::for_overseer(view)?;
    let need = |subject: &str, text: String, since: Timestamp, next: String| Need {
        condition: Condition {
            key: format!("{}:{subject}", Kind::Mail),
            kind: Kind::Mail,
            subject: subject.to_owned(),
            text,
            since,
            until: None,
        },
        next,
    };
    let one = |mail: &Mail| {
        let text = format!("{} writes: {}", mail.from, mail.subject);
        need(mail.id.as_str(), text, mail.delivery.sent_at, format!("gt mail read {}", mail.id))
    };
    let mut needs: Vec<Need> = mail.iter().take(MAILS_SHOWN).map(one).collect();
    if let Some(first) = mail.get(MAILS_SHOWN) {
        let text = format!("{} more of agents' mail to you are unread", mail.len() - MAILS_SHOWN);
        needs.push(need("more", text, first.delivery.sent_at, "gt mail inbox --unread".to_owned()));
    }
    Ok(needs)
}

fn held(item: &QueueItem) -> Option<Need> {
    let (id, bead) = (&item.mr.id, &item.mr.bead);
    let (kind, text, next) = match &item.status {
        MrStatus::Held(why) => {
            (Kind::Held, format!("{id} is held: {why}"), format!("gt mq show {id}, then gt mq retry {id}"))
        }
        MrStatus::Empty(why) => {
            let text = format!("{id} of {bead} is empty: {why}");
            (Kind::Empty, text, format!("gt mq show {id}, then gt mq reject or cancel {id}"))
        }
        MrStatus::MaybeLanded(why) => {
            let text = format!("{bead} may have landed through other commits: {why}");
            (Kind::MaybeLanded, text, format!("gt mq show {id}, then gt mq landed, reject or cancel {id}"))
        }
        _ => return None,
    };
    let condition = Condition {
        key: format!("{kind}:{id}"),
        kind,
        subject: id.to_string(),
        text,
        since: item.mr.submitted_at,
        until: None,
    };
    Some(Need { condition, next })
}

/// Returns the command for a condition; `None` if it ends without a person.
fn next(view: &View<'_>, condition: &Condition) -> Result<Option<String>> {
    let (kind, subject) = (condition.kind, condition.subject.as_str());
    if kind == Kind::Quarantine {
        // Sling it to the same rig again.
        let rig = view.attempts_on(&subject.into())?.pop().map(|attempt| attempt.rig.to_string());
        let rig = rig.unwrap_or_else(|| "<rig>".to_owned());
        return Ok(Some(format!("gt show {subject}, then gt sling {subject} {rig}")));
    }
    if [Kind::StartFails, Kind::AgentFails].contains(&kind)
        && let Some(next) = of_running(&condition.text)
    {
        return Ok(Some(next));
    }
    Ok(command(kind, subject))
}

/// Extracts, from the condition's text, the command that helps a session whose process runs but whose agent has not begun. `gt
/// mayor start` and similar commands do nothing while the process runs.
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

/// Returns the command for a condition of that kind and subject.
fn command(kind: Kind, subject: &str) -> Option<String> {
    let rig = subject.split(':').next().unwrap_or_default();
    Some(match kind {
        Kind::Approval => format!("gt mq diff {subject}, then gt mq approve {subject}"),
        Kind::Gate => format!("gt step show {subject}, then gt step gate open|deny {subject}"),
        Kind::StepFailed => format!("gt step show {subject}, then gt step reopen|skip {subject}"),
        Kind::RigHeld => format!("gt why {subject}, then gt rig prove {subject}"),
        Kind::SettingsChanged => format!("look at the file, restore it, then gt rig release {subject}"),
        Kind::Ungated => format!("gt rig gates add {subject} <name> \"<command>\""),
        Kind::TrunkRed | Kind::Refinery => format!("fix the cause, then gt refinery run {subject} --once"),
        Kind::CleanRed => format!("gt why {subject}, fix the trunk, then gt refinery confirm {subject}"),
        Kind::ForeignRef => format!("gt why {rig}"),
        Kind::Effect | Kind::SetUp => "fix the cause, then gt doctor --retry".to_owned(),
        Kind::Patrol => "fix the cause: the deacon tries again at each look".to_owned(),
        Kind::Remote => format!("gt rig fetch {subject}"),
        Kind::Feed => format!("gt agent check --rig {subject}"),
        Kind::Paused if subject.starts_with('<') => "gt resume".to_owned(),
        Kind::Paused => format!("gt resume {subject}"),
        Kind::Deacon => "gt doctor, then gt up".to_owned(),
        Kind::Denied => allowing(subject),
        Kind::Asks => format!("gt agent answer {subject} yes|no|always, or gt session attach {subject}"),
        // With or without a terminal, the next session gets its mail at its start.
        Kind::Unheard => format!("gt peek {subject}, then gt session stop {subject}"),
        Kind::LongTool => format!("gt peek {subject}"),
        Kind::Limit => format!("wait, or gt resume --agent {subject}"),
        Kind::Outage => format!("wait, or gt resume --agent {subject}"),
        Kind::Memory => "end processes that use much memory, or lower min_free_memory_mb in town.toml".to_owned(),
        Kind::TurnSpend => "gt cost --by agent, then gt resume --spend".to_owned(),
        Kind::Spend => "gt cost, then gt resume --spend".to_owned(),
        Kind::NoKind => "gt agent list".to_owned(),
        Kind::HooksOff => format!("gt agent check {subject}"),
        Kind::Login => format!("gt agent check {subject}, then gt resume --agent {subject}"),
        Kind::StartFails => format!("gt peek {subject}, then gt doctor --retry"),
        Kind::AgentFails => {
            let kind = subject.split_once(':').map_or(subject, |(_, kind)| kind);
            format!("gt agent check {kind} --rig {rig}, then gt doctor --retry")
        }
        Kind::GivenUp => match subject.split('/').collect::<Vec<_>>().as_slice() {
            [rig, "crew", name] => format!("gt peek {subject}, then gt crew start {rig} {name}"),
            _ => format!("gt peek {subject}, then gt mayor start"),
        },
        Kind::Dropped => format!("gt why {subject}"),
        Kind::Unlanded => format!("gt why {subject}"),
        Kind::Elsewhere => format!("gt show {subject}; gt unsling {subject} accepts the other town's version"),
        // A bead that failed too often needs its rig in the command. Conditions of the merge queue and mail carry their own
        // commands.
        Kind::Quarantine | Kind::Held | Kind::Empty | Kind::MaybeLanded => return None,
        Kind::Mail => return None,
        // These end without a person, or only another version of gt knows what helps.
        Kind::Unknown | Kind::OfOtherVersion => return None,
    })
}

/// Returns the command that allows what was denied. The subject is the agent's address, with the pattern if there is one.
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

/// Quotes a word for a shell.
fn quoted(text: &str) -> String {
    if text.contains(['"', '$', '`', '\\', '!']) {
        format!("'{}'", text.replace('\'', r"'\''"))
    } else {
        format!("\"{text}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, command, of_running};

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
            &format!("{start} it showed no sign of life; gt peek mayor/; gt session stop mayor/ restarts it"),
            Some("gt peek mayor/, then gt session stop mayor/"),
        );
        // An ended session is started again. Its agent's last output does not matter.
        check(
            &format!("{start} it ends; gt peek x, fix the cause, then: gt doctor --retry\n  gt session attach evil"),
            None,
        );
    }

    #[test]
    fn each_need_has_its_command() {
        let check = |kind, subject, expected: &str| assert_eq!(command(kind, subject).as_deref(), Some(expected));
        check(Kind::Approval, "mr-a-1", "gt mq diff mr-a-1, then gt mq approve mr-a-1");
        check(Kind::Paused, "<town>", "gt resume");
        check(Kind::Paused, "app", "gt resume app");
        check(Kind::AgentFails, "app:claude", "gt agent check claude --rig app, then gt doctor --retry");
        check(Kind::ForeignRef, "app:refs/heads/x", "gt why app");
        check(Kind::GivenUp, "app/crew/max", "gt peek app/crew/max, then gt crew start app max");
        check(Kind::SettingsChanged, "app", "look at the file, restore it, then gt rig release app");
        check(Kind::CleanRed, "app", "gt why app, fix the trunk, then gt refinery confirm app");
        check(Kind::GivenUp, "mayor/", "gt peek mayor/, then gt mayor start");
        check(Kind::Denied, "app/polecats/amber npm run build", "gt rig allow app \"npm run build\"");
        check(Kind::Denied, "app/crew/max python3 -c '$X'", r"gt rig allow app 'python3 -c '\''$X'\'''");
        check(Kind::Denied, "mayor/ WebFetch", "gt mayor allow \"WebFetch\"");
        check(Kind::Denied, "app/polecats/amber", "gt peek app/polecats/amber");
        assert_eq!(command(Kind::Unknown, "app/polecats/amber"), None, "that ends by itself");
    }
}
