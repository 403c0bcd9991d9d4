//! Writes the client's settings file with our hooks and rules, and what its environment needs.
//!
//! This changes none of the user's files and writes nothing into a project. The client gets our hooks by `--settings`, and
//! still runs the user's own hooks.

use std::collections::BTreeMap;
use std::path::Path;

use gt_model::clients::Client;
use gt_model::clients::claude::rules;
use gt_model::guard::permit::Grants;
use gt_model::moment::Moment;
use serde_json::{Value, json};

use crate::agents::clients::{quote, version_line};
use crate::agents::launch::Launch;
use crate::town::Town;
use crate::town::error::Result;
use crate::town::layout::settings_file;
use crate::town::settings::PermissionMode;

/// Seconds that the client gives a hook of ours, which answers in milliseconds.
const HOOK_LIMIT_SECONDS: u32 = 30;

/// Maximum bytes of the path of a folder for temporary files. The client puts sockets below it, and a socket's path may have
/// at most 107 bytes.
const TMPDIR_LIMIT_BYTES: usize = 80;

/// Variable that names the client's folder for temporary files.
const TMPDIR: &str = "CLAUDE_CODE_TMPDIR";

/// A version: major, minor, patch.
type Version = (u32, u32, u32);

/// The client's events, each with our moment (a start is primed) and the first version known to accept it. A version that
/// does not know an event drops all hooks of a file that names it.
const EVENTS: &[(&str, Moment, Version)] = &[
    ("SessionStart", Moment::Start, (1, 0, 62)),
    ("UserPromptSubmit", Moment::Prompt, (1, 0, 54)),
    ("PreToolUse", Moment::BeforeTool, (1, 0, 38)),
    ("PermissionRequest", Moment::Permission, (2, 1, 197)),
    ("PostToolUse", Moment::AfterTool, (1, 0, 38)),
    ("Stop", Moment::Stop, (1, 0, 41)),
    ("PreCompact", Moment::Compact, (1, 0, 48)),
    ("Notification", Moment::Notification, (1, 0, 38)),
    ("SessionEnd", Moment::End, (1, 0, 85)),
    ("StopFailure", Moment::StopFailure, (2, 1, 197)),
    // A failed tool was used as well: without this event the tool would count as still running.
    ("PostToolUseFailure", Moment::AfterTool, (2, 1, 330)),
];

/// Writes the settings of a session and completes its environment.
pub(crate) fn prepare(
    town: &Town,
    launch: &Launch<'_>,
    program: &str,
    dir: &Path,
    env: &mut BTreeMap<String, String>,
) -> Result<()> {
    let version = version_line(town, program, env, &dir.join("version.log"))?;
    let gt = town.layout.bin().join("gt");
    let settings = settings(version.as_deref().and_then(parse_version), &gt, launch.mode, launch.grants);
    town.world().disk().write(&settings_file(dir), format!("{settings:#}\n").as_bytes())?;
    let tmp = dir.join("tmp");
    if tmp.as_os_str().len() <= TMPDIR_LIMIT_BYTES && !env.contains_key(TMPDIR) {
        town.world().disk().create_dir(&tmp)?;
        env.insert(TMPDIR.to_owned(), tmp.display().to_string());
    }
    if launch.mode == PermissionMode::Bypass && town.world().sessions().runs_as_root() {
        // As root the client refuses that mode without this. The person who allowed the mode allowed it for this user.
        env.insert("IS_SANDBOX".to_owned(), "1".to_owned());
    }
    Ok(())
}

/// Returns the version that the client prints; `None` where it prints none in the expected form, or can't run.
pub(crate) fn version(
    town: &Town,
    program: &str,
    env: &BTreeMap<String, String>,
    log: &Path,
) -> Result<Option<String>> {
    let said = version_line(town, program, env, log)?;
    Ok(said.filter(|said| parse_version(said).is_some()))
}

/// Parses the version in `2.1.330 (Claude Code)`.
fn parse_version(said: &str) -> Option<Version> {
    let mut numbers = said.split_whitespace().next()?.split('.').map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

/// Builds the settings file. For an unknown version it names only the events that all versions have.
fn settings(version: Option<Version>, gt: &Path, mode: PermissionMode, grants: &Grants) -> Value {
    let version = version.unwrap_or((2, 0, 0));
    let known = EVENTS.iter().filter(|(_, _, since)| *since <= version);
    let hooks: serde_json::Map<String, Value> =
        known.map(|(event, moment, _)| ((*event).to_owned(), hook(gt, event, *moment))).collect();
    let mut settings = json!({
        "hooks": hooks,
        // Overrides the user's and the project's settings: without hooks there is no guard, no mail and no stop.
        "disableAllHooks": false,
        "permissions": { "allow": rules(grants) },
    });
    if mode == PermissionMode::Bypass {
        // The person who set this mode has answered the client's own question.
        settings["skipDangerousModePermissionPrompt"] = Value::Bool(true);
    }
    settings
}

/// Builds one hook. A failure in it must not stop the client, which takes exit code 2 as a refusal.
fn hook(gt: &Path, event: &str, moment: Moment) -> Value {
    let gt = quote(&gt.display().to_string());
    let client = Client::Claude.as_str();
    let command = match moment {
        Moment::Start => format!("{gt} prime --moment start --client {client} || :"),
        other => format!("{gt} moment {} --client {client} || :", other.as_str()),
    };
    let hooks = json!([{ "type": "command", "command": command, "timeout": HOOK_LIMIT_SECONDS }]);
    match event {
        "PreToolUse" | "PermissionRequest" | "PostToolUse" | "PostToolUseFailure" => {
            json!([{ "matcher": "*", "hooks": hooks }])
        }
        _ => json!([{ "hooks": hooks }]),
    }
}

#[cfg(test)]
mod tests {
    use gt_model::guard::permit::Pattern;

    use super::*;

    #[test]
    fn only_events_that_a_version_knows_are_named() {
        let events = |version: Option<Version>| {
            let settings = settings(version, Path::new("/gt"), PermissionMode::AcceptEdits, &Grants::default());
            settings["hooks"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(events(Some((2, 1, 330))).len(), EVENTS.len());
        assert!(!events(Some((2, 0, 76))).contains(&"StopFailure".to_owned()));
        assert!(events(Some((2, 0, 76))).contains(&"SessionEnd".to_owned()));
        assert_eq!(events(None), events(Some((2, 0, 0))));
        assert!(!events(Some((1, 0, 60))).contains(&"SessionStart".to_owned()));
    }

    #[test]
    fn versions_are_read_as_the_client_says_them() {
        for (said, expected) in [
            ("2.1.330 (Claude Code)", Some((2, 1, 330))),
            ("1.0.85", Some((1, 0, 85))),
            ("claude 2.1", None),
            ("2.1", None),
            ("", None),
        ] {
            assert_eq!(parse_version(said), expected, "{said}");
        }
    }

    #[test]
    fn hooks_call_our_gt_and_never_stop_the_client() {
        let settings =
            settings(Some((2, 1, 330)), Path::new("/it's/gt"), PermissionMode::AcceptEdits, &Grants::default());
        let command = |event: &str| settings["hooks"][event][0]["hooks"][0]["command"].as_str().unwrap().to_owned();
        assert_eq!(command("SessionStart"), r"'/it'\''s/gt' prime --moment start --client claude || :");
        assert_eq!(command("PreToolUse"), r"'/it'\''s/gt' moment before-tool --client claude || :");
        assert_eq!(settings["hooks"]["PreToolUse"][0]["matcher"], "*");
        assert_eq!(settings["hooks"]["Stop"][0].get("matcher"), None);
    }

    #[test]
    fn what_the_rig_needs_is_allowed_and_the_mode_is_asked_for_once() {
        let lines = ["npm ci".to_owned(), "cargo test --all && ./check.sh | tee log; sh -c 'x $(y)'".to_owned()];
        let lint = Pattern::parse("npm run lint").unwrap();
        let grants = Grants::of(lines.into(), vec![lint], vec!["/town/app/mayor/rig".into()]);
        let accept = settings(None, Path::new("/gt"), PermissionMode::AcceptEdits, &grants);
        let allow: Vec<&str> =
            accept["permissions"]["allow"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for wanted in [
            "Bash(gt:*)",
            "Bash(git commit:*)",
            "Bash(git rebase:*)",
            "Bash(npm ci:*)",
            "Bash(cargo test --all:*)",
            "Bash(./check.sh:*)",
            "Bash(npm run lint:*)",
            "Bash(cat:*)",
            "Read(//town/app/mayor/rig/**)",
        ] {
            assert!(allow.contains(&wanted), "{wanted}: {allow:?}");
        }
        let runs_all = Grants::of(
            vec![
                "A=1; echo x | sh; cat l | /bin/bash -e; env B=2 make all; python3 -m pytest; xargs; X=1 sh t"
                    .to_owned(),
            ],
            Vec::new(),
            Vec::new(),
        );
        let rules = rules(&runs_all);
        for (rule, is_there) in [
            ("Bash(echo x:*)", true),
            ("Bash(env B=2 make all:*)", true),
            ("Bash(python3 -m pytest:*)", true),
            ("Bash(X=1 sh t:*)", true),
            ("Bash(sh:*)", false),
            ("Bash(/bin/bash -e:*)", false),
            ("Bash(xargs:*)", false),
            ("Bash(A=1:*)", false),
        ] {
            assert_eq!(rules.iter().any(|known| known == rule), is_there, "{rule}: {rules:?}");
        }
        assert!(!allow.iter().any(|rule| rule.contains('$')), "{allow:?}");
        assert_eq!(accept["disableAllHooks"], false);
        assert_eq!(accept.get("skipDangerousModePermissionPrompt"), None);
        let bypass = settings(None, Path::new("/gt"), PermissionMode::Bypass, &grants);
        assert_eq!(bypass["skipDangerousModePermissionPrompt"], true);
    }
}
