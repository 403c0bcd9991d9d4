//! Tests of refused acts, and of similar acts that are allowed.

use std::path::PathBuf;

use serde_json::json;

use super::*;

mod bounds;
mod harmless;
mod refused;
mod roles;

fn place() -> Place {
    Place {
        town: "/home/ann/gt".into(),
        rig: Some("/home/ann/gt/app".into()),
        own: "/home/ann/gt/app/polecats/amber".into(),
        cwd: "/home/ann/gt/app/polecats/amber".into(),
        home: Some("/home/ann".into()),
        temp: Some("/run/user/1000/scratch".into()),
        branch: Some("polecat/amber/app-1-1".into()),
        trunk: Some("main".into()),
        bead: Some("app-1".into()),
    }
}

fn mayor_place() -> Place {
    let home = PathBuf::from("/home/ann/gt/mayor");
    Place { rig: None, own: home.clone(), cwd: home, branch: None, trunk: None, bead: None, ..place() }
}

fn crew_place() -> Place {
    let own = PathBuf::from("/home/ann/gt/app/crew/ann");
    Place { own: own.clone(), cwd: own, branch: Some("ann/idea".into()), bead: None, ..place() }
}

fn bash(command: &str) -> ToolCall {
    ToolCall { tool: "Bash".into(), input: json!({ "command": command }) }
}

fn file(tool: &str, path: &str) -> ToolCall {
    ToolCall { tool: tool.into(), input: json!({ "file_path": path }) }
}

/// Checks that a polecat is refused these commands, and is told `instead`.
fn check_refused(instead: &str, commands: &[&str]) {
    check_refused_for(Role::Polecat, &place(), instead, commands);
}

fn check_refused_for(role: Role, place: &Place, instead: &str, commands: &[&str]) {
    for command in commands {
        let verdict = judge(role, &bash(command), place);
        let line = verdict.line().unwrap_or_else(|| panic!("allowed for {role:?}: {command}"));
        assert!(line.contains(instead), "{command}: {line}");
        assert!(line.len() <= 160 && !line.contains('\n'), "one short line: {line}");
    }
}

fn check_allowed(commands: &[&str]) {
    check_allowed_for(Role::Polecat, &place(), commands);
}

fn check_allowed_for(role: Role, place: &Place, commands: &[&str]) {
    for command in commands {
        assert_eq!(judge(role, &bash(command), place), Verdict::Allowed, "{role:?}: {command}");
    }
}
