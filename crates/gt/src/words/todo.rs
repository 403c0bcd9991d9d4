//! Words for what a person can do.

use gt_town::patrol::needs::Todo;
use gt_town::view::doctor::Hint;

/// Returns the command to type, or the act.
pub fn todo(todo: &Todo) -> String {
    match todo {
        Todo::Approve(mr) => format!("gt mq diff {mr}, then gt mq approve {mr}"),
        Todo::RetryMerge(mr) => format!("gt mq show {mr}, then gt mq retry {mr}"),
        Todo::JudgeEmpty(mr) => format!("gt mq show {mr}, then gt mq reject or cancel {mr}"),
        Todo::JudgeLanded(mr) => format!("gt mq show {mr}, then gt mq landed, reject or cancel {mr}"),
        Todo::DecideGate(step) => format!("gt step show {step}, then gt step gate open|deny {step}"),
        Todo::RetryStep(step) => format!("gt step show {step}, then gt step reopen|skip {step}"),
        Todo::ProveRig(rig) => format!("gt why {rig}, then gt rig prove {rig}"),
        Todo::ReleaseRig(rig) => format!("look at the file, restore it, then gt rig release {rig}"),
        Todo::AddGate(rig) => format!("gt rig gates add {rig} <name> \"<command>\""),
        Todo::RunRefinery(rig) => format!("fix the cause, then gt refinery run {rig} --once"),
        Todo::ConfirmTrunk(rig) => format!("gt why {rig}, fix the trunk, then gt refinery confirm {rig}"),
        Todo::FetchRig(rig) => format!("gt rig fetch {rig}"),
        Todo::CheckRig(rig) => format!("gt agent check --rig {rig}"),
        Todo::Explain(subject) => format!("gt why {subject}"),
        Todo::RetryEffects => "fix the cause, then gt doctor --retry".to_owned(),
        Todo::FixPatrol => "fix the cause: the deacon tries again at each look".to_owned(),
        Todo::ResumeTown => "gt resume".to_owned(),
        Todo::ResumeRig(rig) => format!("gt resume {rig}"),
        Todo::StartTown => "gt up".to_owned(),
        Todo::StartDeacon => "gt doctor, then gt up".to_owned(),
        Todo::Peek(agent) => format!("gt peek {agent}"),
        Todo::Answer(agent) => format!("gt agent answer {agent} yes|no|always, or gt session attach {agent}"),
        Todo::AnswerStart(agent) => format!("gt agent answer {agent} yes|no, or gt session attach {agent}"),
        Todo::Attach(agent) => format!("gt session attach {agent}, and answer there"),
        Todo::StopSession(agent) => format!("gt peek {agent}, then gt session stop {agent}"),
        Todo::AllowMayor(pattern) => format!("gt mayor allow {}", quoted(pattern)),
        Todo::AllowInRig { rig, pattern } => format!("gt rig allow {rig} {}", quoted(pattern)),
        Todo::ResumeKind(kind) => format!("wait, or gt resume --agent {kind}"),
        Todo::LogIn(kind) => format!("gt agent check {kind}, then gt resume --agent {kind}"),
        Todo::CheckKind(kind) => format!("gt agent check {kind}"),
        Todo::ChooseKind => "gt agent list".to_owned(),
        Todo::RetryStart(agent) => format!("gt peek {agent}, then gt doctor --retry"),
        Todo::RetryKind { kind, rig } => format!("gt agent check {kind} --rig {rig}, then gt doctor --retry"),
        Todo::StartCrew { rig, name } => format!("gt peek {rig}/crew/{name}, then gt crew start {rig} {name}"),
        Todo::StartMayor => "gt peek mayor/, then gt mayor start".to_owned(),
        Todo::FreeMemory => "end processes that use much memory, or lower min_free_memory_mb in town.toml".to_owned(),
        Todo::AllowTurns => "gt cost --by agent, then gt resume --spend".to_owned(),
        Todo::AllowSpend => "gt cost, then gt resume --spend".to_owned(),
        Todo::YieldBead(bead) => format!("gt show {bead}; gt unsling {bead} accepts the other town's version"),
        Todo::SlingAgain { bead, rig } => {
            let rig = rig.as_deref().unwrap_or("<rig>");
            format!("gt show {bead}, then gt sling {bead} {rig}")
        }
        Todo::ReadMail(id) => format!("gt mail read {id}"),
        Todo::ReadInbox => "gt mail inbox --unread".to_owned(),
    }
}

/// Returns how to fix what the doctor found.
pub fn hint(hint: &Hint) -> String {
    match hint {
        Hint::Text(text) => text.clone(),
        Hint::Todo(of) => todo(of),
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
