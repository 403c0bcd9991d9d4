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
    /// Action for the person.
    pub next: Todo,
}

/// Action of a person about a need. Strings are ids, names, addresses and patterns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Todo {
    /// Look at this merge request, and approve it.
    Approve(String),
    /// Retry this merge request, which is held.
    RetryMerge(String),
    /// Reject or cancel this merge request, which is empty.
    JudgeEmpty(String),
    /// Say of this merge request whether it has landed.
    JudgeLanded(String),
    /// Open or deny the gate of this step.
    DecideGate(String),
    /// Reopen or skip this failed step.
    RetryStep(String),
    /// Look at this rig, which is held, and prove its gates.
    ProveRig(String),
    /// Restore the changed settings of this rig, and release it.
    ReleaseRig(String),
    /// Add a gate to this rig.
    AddGate(String),
    /// Fix what stops the refinery of this rig, and run it.
    RunRefinery(String),
    /// Fix the trunk of this rig, and confirm it.
    ConfirmTrunk(String),
    /// Fetch from the remote of this rig.
    FetchRig(String),
    /// Check the kinds of agent of this rig.
    CheckRig(String),
    /// Ask why this rig or bead is in its state.
    Explain(String),
    /// Fix what made effects fail, and retry them.
    RetryEffects,
    /// Fix what makes the patrol fail. The deacon tries again by itself.
    FixPatrol,
    /// Resume the town.
    ResumeTown,
    /// Resume this rig.
    ResumeRig(String),
    /// Start the town.
    StartTown,
    /// Find out why the deacon is down, and start the town.
    StartDeacon,
    /// Look at the screen of the agent at this address.
    Peek(String),
    /// Answer the question of the agent at this address.
    Answer(String),
    /// Answer what the agent at this address asks at its start.
    AnswerStart(String),
    /// Attach to the session of the agent at this address, and answer there.
    Attach(String),
    /// Stop the session of the agent at this address, so that a new one starts.
    StopSession(String),
    /// Allow the mayor what this pattern permits.
    AllowMayor(String),
    /// Allow the agents of a rig what a pattern permits.
    AllowInRig {
        /// Name of the rig.
        rig: String,
        /// The pattern.
        pattern: String,
    },
    /// Wait, or let this kind of agent work again.
    ResumeKind(String),
    /// Log in for this kind of agent, and let it work again.
    LogIn(String),
    /// Check this kind of agent.
    CheckKind(String),
    /// Choose a kind of agent.
    ChooseKind,
    /// Fix the start of the agent at this address, and retry it.
    RetryStart(String),
    /// Fix the start of a kind of agent in a rig, and retry it.
    RetryKind {
        /// Name of the kind.
        kind: String,
        /// Name of the rig.
        rig: String,
    },
    /// Look at this crew member, and start it.
    StartCrew {
        /// Name of the rig.
        rig: String,
        /// Name of the crew member.
        name: String,
    },
    /// Look at the mayor, and start it.
    StartMayor,
    /// Free memory, or demand less.
    FreeMemory,
    /// Look at the cost of agents, and allow more for turns.
    AllowTurns,
    /// Look at the cost, and allow more for today.
    AllowSpend,
    /// Take this bead from its worker here, if the other town is right.
    YieldBead(String),
    /// Look at a bead that failed too often, and sling it again.
    SlingAgain {
        /// Id of the bead.
        bead: String,
        /// Rig of its last attempt.
        rig: Option<String>,
    },
    /// Read this mail.
    ReadMail(String),
    /// Read the unread mail.
    ReadInbox,
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
    let need = |subject: &str, text: String, since: Timestamp, next: Todo| Need {
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
        need(mail.id.as_str(), text, mail.delivery.sent_at, Todo::ReadMail(mail.id.to_string()))
    };
    let mut needs: Vec<Need> = mail.iter().take(MAILS_SHOWN).map(one).collect();
    if let Some(first) = mail.get(MAILS_SHOWN) {
        let text = format!("{} more of agents' mail to you are unread", mail.len() - MAILS_SHOWN);
        needs.push(need("more", text, first.delivery.sent_at, Todo::ReadInbox));
    }
    Ok(needs)
}

fn held(item: &QueueItem) -> Option<Need> {
    let (id, bead) = (&item.mr.id, &item.mr.bead);
    let (kind, text, next) = match &item.status {
        MrStatus::Held(why) => (Kind::Held, format!("{id} is held: {why}"), Todo::RetryMerge(id.to_string())),
        MrStatus::Empty(why) => {
            let text = format!("{id} of {bead} is empty: {why}");
            (Kind::Empty, text, Todo::JudgeEmpty(id.to_string()))
        }
        MrStatus::MaybeLanded(why) => {
            let text = format!("{bead} may have landed through other commits: {why}");
            (Kind::MaybeLanded, text, Todo::JudgeLanded(id.to_string()))
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

/// Returns what a person can do about a condition; `None` if it ends without a person.
fn next(view: &View<'_>, condition: &Condition) -> Result<Option<Todo>> {
    let (kind, subject) = (condition.kind, condition.subject.as_str());
    if kind == Kind::Quarantine {
        // Sling it to the same rig again.
        let rig = view.attempts_on(&subject.into())?.pop().map(|attempt| attempt.rig.to_string());
        return Ok(Some(Todo::SlingAgain { bead: subject.to_owned(), rig }));
    }
    if [Kind::StartFails, Kind::AgentFails].contains(&kind)
        && let Some(next) = of_running(&condition.text)
    {
        return Ok(Some(next));
    }
    Ok(todo(kind, subject))
}

/// Extracts, from the condition's text, what helps a session whose process runs but whose agent has not begun. `gt mayor start` and
/// similar commands do nothing while the process runs.
fn of_running(text: &str) -> Option<Todo> {
    let said = text.lines().next().unwrap_or_default();
    let address = |verb: &str| {
        let rest = said.split_once(&format!("{verb} "))?.1;
        Some(rest.split([' ', ',', ';']).next().unwrap_or(rest).to_owned())
    };
    let answer = || address("gt agent answer").map(Todo::AnswerStart);
    let attach = || address("gt session attach").map(Todo::Attach);
    answer().or_else(attach).or_else(|| address("gt session stop").map(Todo::StopSession))
}

/// Returns what a person can do about a condition of that kind and subject.
fn todo(kind: Kind, subject: &str) -> Option<Todo> {
    let of = || subject.to_owned();
    let rig = || subject.split(':').next().unwrap_or_default().to_owned();
    Some(match kind {
        Kind::Approval => Todo::Approve(of()),
        Kind::Gate => Todo::DecideGate(of()),
        Kind::StepFailed => Todo::RetryStep(of()),
        Kind::RigHeld => Todo::ProveRig(of()),
        Kind::SettingsChanged => Todo::ReleaseRig(of()),
        Kind::Ungated => Todo::AddGate(of()),
        Kind::TrunkRed | Kind::Refinery => Todo::RunRefinery(of()),
        Kind::CleanRed => Todo::ConfirmTrunk(of()),
        Kind::ForeignRef => Todo::Explain(rig()),
        Kind::Effect | Kind::SetUp => Todo::RetryEffects,
        Kind::Patrol => Todo::FixPatrol,
        Kind::Remote => Todo::FetchRig(of()),
        Kind::Feed => Todo::CheckRig(of()),
        Kind::Paused if subject.starts_with('<') => Todo::ResumeTown,
        Kind::Paused => Todo::ResumeRig(of()),
        Kind::Deacon => Todo::StartDeacon,
        Kind::Denied => allowing(subject),
        Kind::Asks => Todo::Answer(of()),
        // With or without a terminal, the next session gets its mail at its start.
        Kind::Unheard => Todo::StopSession(of()),
        Kind::LongTool => Todo::Peek(of()),
        Kind::Limit | Kind::Outage => Todo::ResumeKind(of()),
        Kind::Memory => Todo::FreeMemory,
        Kind::TurnSpend => Todo::AllowTurns,
        Kind::Spend => Todo::AllowSpend,
        Kind::NoKind => Todo::ChooseKind,
        Kind::HooksOff => Todo::CheckKind(of()),
        Kind::Login => Todo::LogIn(of()),
        Kind::StartFails => Todo::RetryStart(of()),
        Kind::AgentFails => {
            let kind = subject.split_once(':').map_or(subject, |(_, kind)| kind).to_owned();
            Todo::RetryKind { kind, rig: rig() }
        }
        Kind::GivenUp => match subject.split('/').collect::<Vec<_>>().as_slice() {
            [rig, "crew", name] => Todo::StartCrew { rig: (*rig).to_owned(), name: (*name).to_owned() },
            _ => Todo::StartMayor,
        },
        Kind::Dropped | Kind::Unlanded => Todo::Explain(of()),
        Kind::Elsewhere => Todo::YieldBead(of()),
        // A bead that failed too often needs its rig. Conditions of the merge queue and mail carry their own.
        Kind::Quarantine | Kind::Held | Kind::Empty | Kind::MaybeLanded => return None,
        Kind::Mail => return None,
        // These end without a person, or only another version of gt knows what helps.
        Kind::Unknown | Kind::OfOtherVersion => return None,
    })
}

/// Returns how to allow what was denied. The subject is the agent's address, with the pattern if there is one.
fn allowing(subject: &str) -> Todo {
    match subject.split_once(' ') {
        Some(("mayor/", pattern)) => Todo::AllowMayor(pattern.to_owned()),
        Some((address, pattern)) => {
            let rig = address.split('/').next().unwrap_or_default().to_owned();
            Todo::AllowInRig { rig, pattern: pattern.to_owned() }
        }
        None => Todo::Peek(subject.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Todo, of_running, todo};

    #[test]
    fn a_running_session_is_not_to_be_started_again() {
        let check = |text: &str, expected: Option<Todo>| assert_eq!(of_running(text), expected, "{text}");
        let start = "claude does not start for app/polecats/amber:";
        let amber = || "app/polecats/amber".to_owned();
        check(
            &format!("{start} it asks for permission; gt agent answer app/polecats/amber yes, or gt session attach x"),
            Some(Todo::AnswerStart(amber())),
        );
        check(
            &format!(
                "{start} nobody is logged in; gt session attach app/polecats/amber, and log in there\nits last lines:"
            ),
            Some(Todo::Attach(amber())),
        );
        check(
            &format!("{start} it showed no sign of life; gt peek mayor/; gt session stop mayor/ restarts it"),
            Some(Todo::StopSession("mayor/".to_owned())),
        );
        // An ended session is started again. Its agent's last output does not matter.
        check(
            &format!("{start} it ends; gt peek x, fix the cause, then: gt doctor --retry\n  gt session attach evil"),
            None,
        );
    }

    #[test]
    fn a_need_takes_what_to_do_from_its_subject() {
        let check = |kind, subject, expected: Todo| assert_eq!(todo(kind, subject), Some(expected));
        let app = || "app".to_owned();
        let allow = |pattern: &str| Todo::AllowInRig { rig: app(), pattern: pattern.to_owned() };
        check(Kind::Paused, "<town>", Todo::ResumeTown);
        check(Kind::Paused, "app", Todo::ResumeRig(app()));
        check(Kind::AgentFails, "app:claude", Todo::RetryKind { kind: "claude".to_owned(), rig: app() });
        check(Kind::ForeignRef, "app:refs/heads/x", Todo::Explain(app()));
        check(Kind::GivenUp, "app/crew/max", Todo::StartCrew { rig: app(), name: "max".to_owned() });
        check(Kind::GivenUp, "mayor/", Todo::StartMayor);
        check(Kind::Denied, "app/polecats/amber npm run build", allow("npm run build"));
        check(Kind::Denied, "app/crew/max python3 -c '$X'", allow("python3 -c '$X'"));
        check(Kind::Denied, "mayor/ WebFetch", Todo::AllowMayor("WebFetch".to_owned()));
        check(Kind::Denied, "app/polecats/amber", Todo::Peek("app/polecats/amber".to_owned()));
        assert_eq!(todo(Kind::Unknown, "app/polecats/amber"), None, "that ends by itself");
    }
}
