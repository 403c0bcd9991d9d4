//! Writes one event as one JSON document on one line: its message, and the fields of all spans around it.

use std::error::Error;
use std::fmt::{Debug, Write as _};
use std::io::Write as _;

use gt_model::foreign;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::{LookupSpan, Scope};

use super::log::Log;

/// A line of a log.
pub type Line = Map<String, Value>;

/// Maximum bytes of one text in a line; longer text is cut.
const TEXT_BYTES: usize = 2000;

/// Maximum number of causes listed for an error.
const CAUSES: usize = 8;

/// Fields that precede a line's own.
const HEAD: &[&str] = &["time", "level", "process", "pid", "target", "spans", "message"];

/// Layer that writes each event.
pub(super) struct Lines {
    process: &'static str,
    log: Option<Log>,
    to_stderr: bool,
}

impl Lines {
    pub(super) fn new(process: &'static str, log: Option<Log>, to_stderr: bool) -> Self {
        Self { process, log, to_stderr }
    }

    fn write(&self, line: &Line) {
        if let Some(log) = &self.log {
            log.add(line);
        }
        if self.to_stderr {
            // If this fails, no output is left on which to report it.
            let _ = writeln!(std::io::stderr(), "{}", words(line));
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Fields::default();
        event.record(&mut own);
        let (spans, around) = context.event_scope(event).map(around).unwrap_or_default();
        let about = event.metadata();
        let message = own.0.shift_remove("message").unwrap_or_default();
        let level = about.level().as_str().to_ascii_lowercase();
        let head = [
            json!(format!("{:.6}", super::log::now())),
            json!(level),
            json!(self.process),
            json!(std::process::id()),
            json!(about.target()),
            json!(spans),
            message,
        ];
        let mut line: Line = HEAD.iter().map(|name| (*name).to_owned()).zip(head).collect();
        line.extend(around.0.into_iter().chain(own.0).filter(|(name, _)| !HEAD.contains(&name.as_str())));
        self.write(&line);
    }
}

/// Returns the names of the spans around an event, outermost first, and their fields.
fn around<'a, S: LookupSpan<'a>>(scope: Scope<'a, S>) -> (Vec<&'static str>, Fields) {
    let (mut names, mut all) = (Vec::new(), Fields::default());
    for span in scope.from_root() {
        names.push(span.name());
        if let Some(fields) = span.extensions().get::<Fields>() {
            all.0.extend(fields.0.clone());
        }
    }
    // An effect of a rig has a span of the same name inside the patrol of that rig.
    names.dedup();
    (names, all)
}

/// Fields of a span or an event.
#[derive(Default)]
struct Fields(Line);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, told(value).into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, told(&format!("{value:?}")).into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, told(&value.to_string()).into());
        let (mut causes, mut next) = (Vec::new(), value.source());
        while let Some(cause) = next.filter(|_| causes.len() < CAUSES) {
            causes.push(told(&cause.to_string()));
            next = cause.source();
        }
        if !causes.is_empty() {
            self.0.insert("causes".to_owned(), causes.into());
        }
    }
}

/// Prepares a text for a log: bounded length, without the names and passwords in URLs.
fn told(text: &str) -> String {
    foreign::cut(&without_logins(text), TEXT_BYTES).to_owned()
}

/// Replaces `://<login>@` by `://…@`.
fn without_logins(text: &str) -> String {
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(part.len());
        let rest = part[..end].rfind('@').map_or_else(|| part.to_owned(), |at| format!("…{}", &part[at..]));
        let _ = write!(out, "://{rest}");
    }
    out
}

/// Formats a line for people: time, level, place, message, and further fields.
pub fn words(line: &Line) -> String {
    let text = |name: &str| line.get(name).map(plain).unwrap_or_default();
    let time = text("time");
    let mut out =
        format!("{} {:<5} {}: {}", time.get(11..23).unwrap_or(&time), text("level"), text("process"), text("message"));
    for (name, value) in line.iter().filter(|(name, _)| !HEAD.contains(&name.as_str())) {
        let _ = write!(out, "  {name}={}", plain(value));
    }
    foreign::one_line(&out)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns when a line was written.
pub(super) fn written_at(line: &Line) -> Option<Timestamp> {
    line.get("time")?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use gt_world::World as _;
    use gt_world::real::RealWorld;
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the effect failed")]
    struct Outer(#[source] std::fmt::Error);

    /// Returns what `act` logs at these levels.
    fn logged(targets: &str, act: impl FnOnce()) -> Vec<Line> {
        let folder = tempfile::tempdir().unwrap();
        let (world, path) = (Arc::new(RealWorld::new(PathBuf::from("gt"))), folder.path().join("log.jsonl"));
        let lines = Lines::new("gt", Some(Log::new(world.clone(), path.clone())), false);
        let targets: Targets = targets.parse().unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(targets).with(lines), act);
        let text = world.disk().read(&path).unwrap().unwrap_or_default();
        text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    #[test]
    fn a_line_has_the_fields_of_its_spans_and_an_errors_causes() {
        let lines = logged("error", || {
            let _rig = tracing::error_span!("rig", rig = "app").entered();
            let _effect = tracing::error_span!("effect", effect = "land", tries = 2).entered();
            let error: &(dyn Error + 'static) = &Outer(std::fmt::Error);
            tracing::error!(error, "it failed\nhere");
            tracing::warn!("too low");
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        let line = Value::Object(lines[0].clone());
        assert_eq!(line["spans"], json!(["rig", "effect"]));
        assert_eq!((&line["rig"], &line["effect"], &line["tries"]), (&json!("app"), &json!("land"), &json!(2)));
        assert_eq!((&line["level"], &line["message"]), (&json!("error"), &json!("it failed\nhere")));
        assert_eq!(
            (&line["error"], &line["causes"][0]),
            (&json!("the effect failed"), &json!(std::fmt::Error.to_string()))
        );
    }

    #[test]
    fn each_target_has_its_level() {
        let lines = logged("warn,gt_town=debug", || {
            tracing::debug!(target: "gt_town::effects", "one");
            tracing::trace!(target: "gt_town::effects", "none");
            tracing::info!(target: "gt_world", "none");
            tracing::warn!(target: "gt_world", "two");
        });
        let told: Vec<&Value> = lines.iter().map(|line| &line["message"]).collect();
        assert_eq!(told, [&json!("one"), &json!("two")]);
    }

    #[test]
    fn logins_in_addresses_are_not_told() {
        for (text, expected) in [
            ("fetch https://ann:secret@example.org/a.git failed", "fetch https://…@example.org/a.git failed"),
            ("https://tok@en@host", "https://…@host"),
            ("ssh://host/a@b and http://x y@z", "ssh://host/a@b and http://x y@z"),
            ("a@b: no address", "a@b: no address"),
        ] {
            assert_eq!(told(text), expected);
        }
        assert!(told(&"x".repeat(3 * TEXT_BYTES)).len() <= TEXT_BYTES);
    }

    #[test]
    fn a_line_for_people_is_one_line() {
        let line = json!({
            "time": "2026-01-02T03:04:05.678901Z", "level": "error", "process": "deacon", "pid": 1, "target": "gt_town",
            "spans": ["rig", "effect"], "message": "it failed", "rig": "app", "error": "a\nb\u{1b}[2J", "causes": ["c"],
        });
        let words = words(line.as_object().unwrap());
        assert!(words.starts_with("03:04:05.678 error deacon: it failed  rig=app  error=a"), "{words}");
        assert!(words.ends_with("causes=[\"c\"]") && !words.contains(['\n', '\u{1b}']), "{words}");
    }
}
