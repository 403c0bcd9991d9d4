//! The client's hooks: what they say, and how they are answered. Fields that are not named here are ignored.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use serde_json::value::RawValue;

use crate::foreign;
use crate::guard::ToolCall;
use crate::jsonl::check::code_unit;
use crate::moment::{
    Answer, Asking, Event, Failure, Heard, KEPT_TEXT_BYTES, Moment, NUDGE_LINE, Notice, Session, Source,
};

/// Maximum length of an event's or tool's name, in bytes.
const NAME_BYTES: usize = 120;

/// Maximum length of a path or an id, in bytes.
const PATH_BYTES: usize = 4096;

#[derive(Deserialize)]
struct Input<'a> {
    #[serde(default)]
    hook_event_name: String,
    session_id: Option<String>,
    transcript_path: Option<String>,
    cwd: Option<String>,
    /// Only calls from within a subagent have this field. (`agent_type` alone belongs to a main thread that was started with
    /// `--agent`.)
    agent_id: Option<IgnoredAny>,
    source: Option<String>,
    prompt: Option<String>,
    tool_name: Option<String>,
    #[serde(borrow)]
    tool_input: Option<&'a RawValue>,
    background_tasks: Option<Vec<IgnoredAny>>,
    session_crons: Option<Vec<IgnoredAny>>,
    error: Option<String>,
    error_details: Option<String>,
    last_assistant_message: Option<String>,
    reason: Option<String>,
    message: Option<String>,
    notification_type: Option<String>,
    permission_mode: Option<String>,
}

/// Reads what the client says at a moment.
pub(crate) fn hear(moment: Moment, input: &[u8]) -> serde_json::Result<Heard> {
    // The client may cut a text in the middle of a surrogate pair. It then writes an escape that is not valid JSON.
    read(moment, input).or_else(|error| read(moment, &mended(input)).map_err(|_| error))
}

/// Returns the input with everything replaced that can't be text in JSON: halves of surrogate pairs, and bytes that are not
/// UTF-8.
fn mended(input: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(input);
    let mut mended = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, _)) = rest.split_first() {
        let (taken, is_half) = match (first, code_unit(rest)) {
            (b'\\', Some(0xd800..=0xdbff)) if matches!(rest.get(6..).and_then(code_unit), Some(0xdc00..=0xdfff)) => {
                (12, false)
            }
            (b'\\', Some(0xd800..=0xdfff)) => (6, true),
            (b'\\', _) => (2.min(rest.len()), false),
            _ => (1, false),
        };
        let (piece, more) = rest.split_at(taken);
        mended.extend_from_slice(if is_half { br"\ufffd" } else { piece });
        rest = more;
    }
    mended
}

fn read(moment: Moment, input: &[u8]) -> serde_json::Result<Heard> {
    let input: Input<'_> = serde_json::from_slice(input)?;
    let event = event(moment, &input)?;
    let session = input.session_id.map(|id| Session {
        id: foreign::one_line(foreign::cut(&id, PATH_BYTES)),
        transcript: input.transcript_path.filter(|path| path.len() <= PATH_BYTES),
    });
    let cwd = input.cwd.filter(|path| path.len() <= PATH_BYTES && path.starts_with('/')).map(Into::into);
    let event_name = foreign::one_line(foreign::cut(&input.hook_event_name, NAME_BYTES));
    Ok(Heard {
        event_name,
        session,
        subagent: input.agent_id.is_some(),
        asking: asking(input.permission_mode.as_deref()),
        cwd,
        event,
    })
}

fn event(moment: Moment, input: &Input<'_>) -> serde_json::Result<Event> {
    let length = |list: &Option<Vec<IgnoredAny>>| list.as_ref().map_or(0, Vec::len);
    Ok(match moment {
        Moment::Start => Event::Start(match input.source.as_deref() {
            Some("compact") => Source::Compacted,
            Some("resume" | "fork") => Source::Continued,
            _ => Source::Fresh,
        }),
        Moment::Prompt => {
            Event::Prompt { nudge: input.prompt.as_deref().is_some_and(|text| text.trim() == NUDGE_LINE) }
        }
        Moment::BeforeTool => Event::BeforeTool(call(input)?),
        Moment::Permission => Event::Permission(call(input)?),
        Moment::AfterTool => Event::AfterTool,
        Moment::Stop => Event::Stop { background: length(&input.background_tasks) + length(&input.session_crons) },
        Moment::StopFailure => Event::StopFailure {
            failure: failure(input.error.as_deref().unwrap_or_default()),
            text: words(&[&input.error, &input.error_details, &input.last_assistant_message]),
        },
        Moment::Compact => Event::Compact,
        Moment::End => Event::End { reason: words(&[&input.reason]) },
        Moment::Notification => Event::Notice {
            notice: notice(input.notification_type.as_deref().unwrap_or_default()),
            text: words(&[&input.message]),
        },
    })
}

fn call(input: &Input<'_>) -> serde_json::Result<ToolCall> {
    Ok(ToolCall {
        tool: name(input.tool_name.as_deref()),
        input: input.tool_input.map(|raw| serde_json::from_str(raw.get())).transpose()?.unwrap_or_default(),
    })
}

fn asking(mode: Option<&str>) -> Asking {
    match mode {
        Some("bypassPermissions") => Asking::Never,
        Some("plan") => Asking::Planning,
        _ => Asking::ByRules,
    }
}

fn name(text: Option<&str>) -> String {
    foreign::one_line(foreign::cut(text.unwrap_or_default(), NAME_BYTES))
}

fn words(texts: &[&Option<String>]) -> String {
    let texts: Vec<&str> = texts.iter().filter_map(|text| text.as_deref()).filter(|text| !text.is_empty()).collect();
    foreign::one_line(foreign::cut(&texts.join(": "), KEPT_TEXT_BYTES))
}

fn failure(error: &str) -> Failure {
    match error {
        "rate_limit" => Failure::Limit,
        "authentication_failed"
        | "oauth_org_not_allowed"
        | "account_on_hold"
        | "verification_required"
        | "billing_error"
        | "cloud_credential_error" => Failure::Login,
        "server_error" | "overloaded" | "network_error" | "timeout" | "unknown" => Failure::Outage,
        _ => Failure::Other,
    }
}

fn notice(kind: &str) -> Notice {
    match kind {
        "permission_prompt" | "worker_permission_prompt" | "agent_needs_input" | "elicitation_dialog" => {
            Notice::Permission
        }
        "idle_prompt" => Notice::Idle,
        _ => Notice::Other,
    }
}

/// An answer as the client wants it on standard output.
pub(crate) fn render(heard: &Heard, answer: &Answer) -> Option<String> {
    let event = heard.event_name.as_str();
    match answer {
        Answer::Nothing => None,
        Answer::Context(text) => {
            Some(json!({ "hookSpecificOutput": { "hookEventName": event, "additionalContext": text } }).to_string())
        }
        Answer::Deny(reason) if matches!(heard.event, Event::Permission(_)) => Some(
            json!({ "hookSpecificOutput": {
                "hookEventName": event,
                "decision": { "behavior": "deny", "message": reason },
            } })
            .to_string(),
        ),
        Answer::Allow(_) if matches!(heard.event, Event::Permission(_)) => Some(
            json!({ "hookSpecificOutput": { "hookEventName": event, "decision": { "behavior": "allow" } } })
                .to_string(),
        ),
        Answer::Allow(reason) => Some(decision(event, "allow", reason)),
        Answer::Ask(reason) => Some(decision(event, "ask", reason)),
        Answer::Deny(reason) => Some(decision(event, "deny", reason)),
        Answer::Block(reason) => Some(json!({ "decision": "block", "reason": reason }).to_string()),
        // A tool that was not begun yet is refused as well: which of the two a version obeys does not matter then.
        Answer::Halt(reason) if matches!(heard.event, Event::BeforeTool(_)) => Some(
            json!({ "continue": false, "stopReason": reason, "hookSpecificOutput": {
                "hookEventName": event,
                "permissionDecision": "deny",
                "permissionDecisionReason": reason,
            } })
            .to_string(),
        ),
        Answer::Halt(reason) => Some(json!({ "continue": false, "stopReason": reason }).to_string()),
    }
}

fn decision(event: &str, decision: &str, reason: &str) -> String {
    json!({ "hookSpecificOutput": {
        "hookEventName": event,
        "permissionDecision": decision,
        "permissionDecisionReason": reason,
    } })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Client;

    fn heard(moment: Moment, more: &str) -> Heard {
        let input = format!(
            r#"{{"session_id":"5e55","transcript_path":"/t.jsonl","cwd":"/w","hook_event_name":"X","permission_mode":"default"{more}}}"#
        );
        Client::Claude.hear(moment, input.as_bytes()).unwrap()
    }

    #[test]
    fn what_the_client_says_is_read() {
        let check = |moment: Moment, more: &str, expected: Event| assert_eq!(heard(moment, more).event, expected);
        check(Moment::Start, r#","source":"startup","model":"m""#, Event::Start(Source::Fresh));
        check(Moment::Start, r#","source":"compact""#, Event::Start(Source::Compacted));
        check(Moment::Start, r#","source":"clear""#, Event::Start(Source::Fresh));
        check(Moment::Start, r#","source":"resume""#, Event::Start(Source::Continued));
        check(Moment::Start, r#","source":"fork""#, Event::Start(Source::Continued));
        check(Moment::Prompt, r#","prompt":"hello""#, Event::Prompt { nudge: false });
        check(Moment::Prompt, &format!(r#","prompt":"{NUDGE_LINE}\n""#), Event::Prompt { nudge: true });
        check(
            Moment::BeforeTool,
            r#","tool_name":"Bash","tool_input":{"command":"git push"},"tool_use_id":"t""#,
            Event::BeforeTool(ToolCall {
                tool: "Bash".to_owned(),
                input: serde_json::json!({ "command": "git push" }),
            }),
        );
        check(Moment::AfterTool, r#","tool_name":"Bash","tool_response":{"stdout":"x"}"#, Event::AfterTool);
        check(Moment::Stop, r#","stop_hook_active":false"#, Event::Stop { background: 0 });
        check(
            Moment::Stop,
            r#","stop_hook_active":true,"background_tasks":[{"id":"b1","type":"shell"}],"session_crons":[{"id":"c"}]"#,
            Event::Stop { background: 2 },
        );
        check(
            Moment::StopFailure,
            r#","error":"rate_limit","last_assistant_message":"You've hit your limit""#,
            Event::StopFailure { failure: Failure::Limit, text: "rate_limit: You've hit your limit".to_owned() },
        );
        check(
            Moment::StopFailure,
            r#","error":"authentication_failed","error_details":"401\u001b[2J""#,
            Event::StopFailure { failure: Failure::Login, text: "authentication_failed: 401 [2J".to_owned() },
        );
        check(
            Moment::StopFailure,
            r#","error":"server_error""#,
            Event::StopFailure { failure: Failure::Outage, text: "server_error".to_owned() },
        );
        check(
            Moment::StopFailure,
            r#","error":"invalid_request""#,
            Event::StopFailure { failure: Failure::Other, text: "invalid_request".to_owned() },
        );
        check(Moment::Compact, r#","trigger":"auto","custom_instructions":null"#, Event::Compact);
        check(Moment::End, r#","reason":"other""#, Event::End { reason: "other".to_owned() });
        let notice = |notice, text: &str| Event::Notice { notice, text: text.to_owned() };
        check(
            Moment::Notification,
            r#","notification_type":"permission_prompt","message":"May I use Bash?""#,
            notice(Notice::Permission, "May I use Bash?"),
        );
        check(Moment::Notification, r#","notification_type":"idle_prompt","message":"m""#, notice(Notice::Idle, "m"));
        check(Moment::Notification, r#","notification_type":"auth_success","message":"m""#, notice(Notice::Other, "m"));
    }

    #[test]
    fn a_subagent_is_told_by_its_id_alone() {
        assert!(heard(Moment::AfterTool, r#","agent_id":"a1","agent_type":"general-purpose""#).subagent);
        assert!(!heard(Moment::AfterTool, r#","agent_type":"reviewer""#).subagent);
        let session = heard(Moment::Start, "").session.unwrap();
        assert_eq!((session.id.as_str(), session.transcript.as_deref()), ("5e55", Some("/t.jsonl")));
    }

    #[test]
    fn half_a_character_in_the_input_does_not_lose_the_moment() {
        let stop = heard(Moment::Stop, r#","last_assistant_message":"cut \ud83d","background_tasks":[]"#);
        assert_eq!(stop.event, Event::Stop { background: 0 });
        let notice = heard(
            Moment::Notification,
            r#","notification_type":"permission_prompt","message":"\ude00 \\ud83d \ud83d\ude00 \ud83d""#,
        );
        let text = "\u{fffd} \\ud83d \u{1f600} \u{fffd}".to_owned();
        assert_eq!(notice.event, Event::Notice { notice: Notice::Permission, text });
        let call = heard(Moment::BeforeTool, r#","tool_name":"Bash","tool_input":{"command":"git push # \ud83d"}"#);
        let Event::BeforeTool(call) = call.event else { panic!() };
        assert_eq!(call.input["command"], "git push # \u{fffd}");
        let bytes = Client::Claude.hear(Moment::Prompt, b"{\"prompt\":\"\xff\\n\"}").unwrap();
        assert_eq!(bytes.event, Event::Prompt { nudge: false });
        assert!(Client::Claude.hear(Moment::Stop, br#"{"a":"\ud83d"#).is_err());
        assert!(Client::Claude.hear(Moment::Stop, b"{\"a\":\"\\").is_err());
    }

    #[test]
    fn what_is_no_such_input_is_an_error_and_never_a_panic() {
        for input in ["", "[]", "null", "{", "\u{0}", r#"{"prompt":7}"#, r#"{"background_tasks":"all"}"#] {
            for moment in Moment::ALL {
                assert!(Client::Claude.hear(moment, input.as_bytes()).is_err(), "{input}");
            }
        }
        let long = format!(r#"{{"hook_event_name":"{}","message":"{}"}}"#, "x".repeat(9999), "ä".repeat(9999));
        let heard = Client::Claude.hear(Moment::Notification, long.as_bytes()).unwrap();
        assert!(heard.event_name.len() <= NAME_BYTES);
        let Event::Notice { text, .. } = heard.event else { panic!("{heard:?}") };
        assert!(text.len() <= KEPT_TEXT_BYTES);
    }
    #[test]
    fn answers_are_written_as_the_client_wants_them() {
        let heard = |name: &str| Heard {
            event_name: name.to_owned(),
            session: None,
            subagent: false,
            asking: Asking::ByRules,
            cwd: None,
            event: Event::AfterTool,
        };
        let check = |name: &str, answer: Answer, expected: Option<&str>| {
            assert_eq!(Client::Claude.render(&heard(name), &answer).as_deref(), expected);
        };
        check("PostToolUse", Answer::Nothing, None);
        check(
            "PostToolUseFailure",
            Answer::Context("a \"b\"\n".to_owned()),
            Some(r#"{"hookSpecificOutput":{"hookEventName":"PostToolUseFailure","additionalContext":"a \"b\"\n"}}"#),
        );
        check(
            "PreToolUse",
            Answer::Deny("no".to_owned()),
            Some(
                r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"no"}}"#,
            ),
        );
        check(
            "PreToolUse",
            Answer::Allow("yes".to_owned()),
            Some(
                r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow","permissionDecisionReason":"yes"}}"#,
            ),
        );
        let asked = Heard {
            event: Event::Permission(ToolCall { tool: "Bash".to_owned(), input: json!({}) }),
            ..heard("PermissionRequest")
        };
        assert_eq!(
            Client::Claude.render(&asked, &Answer::Deny("no".to_owned())).as_deref(),
            Some(
                r#"{"hookSpecificOutput":{"hookEventName":"PermissionRequest","decision":{"behavior":"deny","message":"no"}}}"#
            )
        );
        check("Stop", Answer::Block("go on".to_owned()), Some(r#"{"decision":"block","reason":"go on"}"#));
    }
}
