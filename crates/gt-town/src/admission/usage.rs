//! Usage of agents' models. It is read from the clients' own records while they run, and once more in full after they have ended.
//! A new record replaces the old one, so nothing is counted twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gt_ledger::{Incarnation, Tx, UsageRow, UsageSums, View};
use gt_model::clients::Client;
use gt_model::id::{BeadId, IncarnationId};
use gt_model::moment::{MarkKind, Session};
use gt_model::price::Prices;
use gt_model::usage::{Format, Lines, Meter, Sum};
use gt_world::NodeKind;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::agents::counting::Counting;
use crate::agents::marks;
use crate::town::Town;
use crate::town::error::{Error, Result};
use crate::town::observed::Observed;
use crate::town::settings::{self, SpendSettings};

/// Bytes read at a time.
const PART_BYTES: usize = 1024 * 1024;

/// Maximum bytes read for one live incarnation per patrol. A longer record takes several patrols.
const LOOK_BYTES: u64 = 16 * 1024 * 1024;

/// Maximum bytes read for one ended incarnation. Anything beyond is not counted.
const WHOLE_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Maximum number of consecutive sessions of one incarnation's client, and of files of its subagents.
const SESSIONS: usize = 50;
const SUBAGENTS: usize = 1000;

/// Maximum size of `client.json` in bytes. gt writes no larger one.
const FACTS_BYTES: usize = 64 * 1024;

/// Time between two records of a live incarnation's usage while its turn continues.
const RECORD_EVERY: Duration = Duration::from_secs(30);

/// Usage of one part in so many of a limit is recorded at once.
const PARTS_OF_A_CAP: u64 = 50;

/// Client session of an incarnation: `client.json` beside its moments.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ClientFacts {
    client: String,
    session_id: String,
    transcript_path: Option<String>,
    /// Start of this session's own usage, if the session continues another. Older entries belong to that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// Earlier client sessions of the same incarnation (after `/clear`, for example), newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Record>,
}

/// One transcript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    transcript_path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

impl ClientFacts {
    fn record(&self) -> Option<Record> {
        let path = self.transcript_path.clone()?;
        Some(Record { transcript_path: path, since: self.since })
    }

    fn records(&self) -> Vec<Record> {
        self.record().into_iter().chain(self.earlier.iter().cloned()).take(SESSIONS).collect()
    }
}

/// Records the client session of an incarnation when that session starts.
pub(crate) fn note_session(
    town: &Town,
    incarnation: &IncarnationId,
    client: Client,
    session: &Session,
    continued: bool,
) -> Result<()> {
    let before = client_facts(town, incarnation)?;
    let mut facts = ClientFacts {
        client: client.as_str().to_owned(),
        session_id: session.id.clone(),
        transcript_path: session.transcript.clone(),
        since: continued.then(|| town.world().clock().now()),
        earlier: Vec::new(),
    };
    let mut known = before.map(|before| before.records()).unwrap_or_default();
    // A session that starts again in this incarnation keeps its start.
    if let Some(at) = known.iter().position(|record| Some(&record.transcript_path) == facts.transcript_path.as_ref()) {
        facts.since = known.remove(at).since;
    }
    facts.earlier = known;
    // Serializing our own data can't fail.
    let text = serde_json::to_string(&facts).unwrap_or_default();
    Ok(town.world().disk().mark(&town.layout.client(incarnation), text.as_bytes())?)
}

fn client_facts(town: &Town, incarnation: &IncarnationId) -> Result<Option<ClientFacts>> {
    let read = |path: PathBuf| town.world().disk().read_part(&path, 0, FACTS_BYTES);
    let bytes = match read(town.layout.client(incarnation))? {
        None => read(town.layout.client_of_old(incarnation))?,
        there => there,
    };
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Read state of running incarnations. It is only a cache; a process without it reads from the beginning.
#[derive(Clone, Debug, Default)]
pub struct Meters(BTreeMap<IncarnationId, Reading>);

impl Meters {
    /// Returns the end of the last limit that an incarnation's client reported, in seconds since the epoch.
    pub(crate) fn resets_at(&self, incarnation: &IncarnationId) -> Option<i64> {
        self.0.get(incarnation).and_then(|reading| reading.meter.resets_at())
    }

    /// Returns the cost of an incarnation since a time.
    pub(crate) fn cost_from(&self, incarnation: &IncarnationId, since: Timestamp, prices: &Prices) -> Cost {
        let sums = self.0.get(incarnation).map(|reading| reading.meter.sums_from(since)).unwrap_or_default();
        Cost::of(prices, sums.iter().map(|(model, sum)| (model.as_str(), sum)))
    }

    /// Whether an incarnation's client has repeatedly used tools, by its own record, while none of our hooks was called.
    pub(crate) fn goes_on_unheard(&mut self, incarnation: &IncarnationId) -> bool {
        self.0.get_mut(incarnation).is_some_and(|reading| reading.unheard.looks >= UNHEARD_LOOKS)
    }

    /// Whether an incarnation over its limit has asked its model again since gt first noticed. One answer may have been on its
    /// way then and does not count.
    pub(crate) fn asks_on_over_cap(&mut self, incarnation: &IncarnationId) -> bool {
        let Some(reading) = self.0.get_mut(incarnation) else { return false };
        let answers = reading.meter.answers();
        answers > *reading.answers_at_cap.get_or_insert(answers) + 1
    }

    /// Forgets that an incarnation was over its limit.
    pub(crate) fn forget_cap(&mut self, incarnation: &IncarnationId) {
        if let Some(reading) = self.0.get_mut(incarnation) {
            reading.answers_at_cap = None;
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Reading {
    meter: Meter,
    files: BTreeMap<PathBuf, Tail>,
    stream: Tail,
    /// Method of counting, once known.
    counting: Option<Counting>,
    recorded: UsageSums,
    /// End of the turn after which usage was last recorded.
    turn: u64,
    /// Number of answers when the limit was first reached.
    answers_at_cap: Option<usize>,
    uses: ToolUses,
    unheard: Unheard,
}

/// An agent's own answers that used tools. One answer may use several.
#[derive(Clone, Debug, Default)]
struct ToolUses {
    count: usize,
    last: Option<String>,
}

impl ToolUses {
    fn take(&mut self, client: Client, line: &[u8]) {
        let Some(id) = client.tool_use(line) else { return };
        if self.last.as_ref() != Some(&id) {
            (self.count, self.last) = (self.count + 1, Some(id));
        }
    }
}

/// Number of answers with tools, without a hook call, from which hooks look switched off. Fewer prove nothing: the hook for the
/// newest answer may still be due, and earlier answers may have been written late.
const UNHEARD_USES: usize = 3;

/// Number of patrols that must find so many.
const UNHEARD_LOOKS: u32 = 2;

/// Sign of the last hook call: the newest mark, and the time when the log of hook failures was last written.
type Heard = (u64, Option<i64>);

/// Entries in a client's record that our hooks did not report.
#[derive(Clone, Debug, Default)]
struct Unheard {
    heard: Option<Heard>,
    uses_then: usize,
    looks: u32,
}

impl Unheard {
    /// Compares the record with the hook calls. `heard` was read before the record, so that calls in between count for the hooks.
    /// An incompletely read record proves nothing yet.
    fn look(&mut self, heard: Heard, uses: usize, is_whole: bool) {
        if self.heard != Some(heard) || !is_whole {
            *self = Self { heard: Some(heard), uses_then: uses, looks: 0 };
        } else if uses >= self.uses_then + UNHEARD_USES {
            self.looks += 1;
        }
    }
}

/// Returns the sign of the last hook call of an incarnation; `None` before the first.
fn heard(town: &Town, incarnation: &IncarnationId) -> Result<Option<Heard>> {
    let newest = marks::last_heard(town, incarnation)?;
    let troubles = town.world().disk().touched(&town.layout.hooks_log(incarnation))?;
    Ok(newest.map(|newest| (newest, troubles)))
}

/// Position after the part of a file that was read.
#[derive(Clone, Debug, Default)]
struct Tail {
    offset: u64,
    lines: Lines,
}

impl Reading {
    /// Reads new entries, up to `at_most` bytes. Returns false if there are more. Reads nothing if the client reported no
    /// session.
    fn read(&mut self, town: &Town, id: &IncarnationId, at_most: u64) -> Result<bool> {
        let counting = match &self.counting {
            Some(counting) => counting.clone(),
            None => self.counting.insert(Counting::recorded(town, id)?).clone(),
        };
        match counting {
            Counting::Transcript { client } => self.read_transcripts(town, id, Some(client), at_most),
            // An agent that asks no model may still pretend to be a client that does.
            Counting::Printed { format: Format::None, .. } => self.read_transcripts(town, id, None, at_most),
            Counting::Printed { format, model } => {
                self.read_output(town, id, at_most, |meter, line| meter.take_printed(format, &model, line))
            }
            Counting::Unknown => Ok(true),
        }
    }

    /// Where its client is not known, it is the one that has called.
    fn read_transcripts(
        &mut self,
        town: &Town,
        id: &IncarnationId,
        client: Option<Client>,
        at_most: u64,
    ) -> Result<bool> {
        let Some(facts) = client_facts(town, id)? else { return Ok(true) };
        let Some(client) = client.or_else(|| Client::parse(&facts.client)) else { return Ok(true) };
        let mut left = at_most;
        for record in facts.records() {
            let path = PathBuf::from(&record.transcript_path);
            if !path.is_absolute() {
                continue;
            }
            for file in subagents_of(town, client, &path).into_iter().chain([path.clone()]) {
                let (meter, tail) = (&mut self.meter, self.files.entry(file.clone()).or_default());
                let (uses, is_own) = (&mut self.uses, file == path);
                let part = |from, bytes| Ok(town.world().disk().read_part(&file, from, bytes)?.unwrap_or_default());
                tail.read(&mut left, part, |line| {
                    meter.take(client, line, record.since);
                    if is_own {
                        uses.take(client, line);
                    }
                })?;
            }
        }
        // The stream gives the limits, and also the sums if there is no transcript.
        self.read_output(town, id, left, |meter, line| meter.take_stream(client, line))
    }

    fn read_output(
        &mut self,
        town: &Town,
        id: &IncarnationId,
        mut left: u64,
        take: impl Fn(&mut Meter, &[u8]),
    ) -> Result<bool> {
        let (meter, log) = (&mut self.meter, town.layout.output(id));
        let part = |from, bytes| Ok(town.world().disk().read_part(&log, from, bytes)?.unwrap_or_default());
        self.stream.read(&mut left, part, |line| take(meter, line))?;
        Ok(left > 0)
    }

    fn sums(&self, incarnation: &Incarnation, now: Timestamp, zone: &TimeZone) -> UsageSums {
        let opened = incarnation.opened_at;
        self.meter.sums(|at| day_between(at.unwrap_or(opened), opened, now, zone))
    }
}

impl Tail {
    fn read(
        &mut self,
        left: &mut u64,
        part: impl Fn(u64, usize) -> Result<Vec<u8>>,
        mut each: impl FnMut(&[u8]),
    ) -> Result<()> {
        while *left > 0 {
            let bytes = part(self.offset, PART_BYTES)?;
            if bytes.is_empty() {
                break;
            }
            self.offset += bytes.len() as u64;
            *left = left.saturating_sub(bytes.len() as u64);
            self.lines.feed(&bytes, &mut each);
        }
        Ok(())
    }
}

/// Returns the records of the subagents in a session.
fn subagents_of(town: &Town, client: Client, record: &Path) -> Vec<PathBuf> {
    let Some((folder, ending)) = client.subagents(record) else { return Vec::new() };
    let disk = town.world().disk();
    if !matches!(disk.kind(&folder), Ok(Some(NodeKind::Folder))) {
        return Vec::new();
    }
    // Treat an unreadable folder as empty.
    let names = disk.list(&folder).unwrap_or_default();
    names.into_iter().filter(|name| name.ends_with(ending)).take(SUBAGENTS).map(|name| folder.join(name)).collect()
}

/// Returns the day of a time in the local time zone.
pub(crate) fn day_of(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).date().to_string()
}

/// Returns the day of a time that the client recorded. The day is bounded by the incarnation's start and today.
fn day_between(at: Timestamp, opened: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    // A clock that was set back must not swap the bounds.
    day_of(at.clamp(opened.min(now), opened.max(now)), zone)
}

/// Returns the whole usage of an ended incarnation. It reads everything again, so that no earlier state is needed.
pub(crate) fn at_end(town: &Town, incarnation: &Incarnation) -> UsageSums {
    let mut reading = Reading::default();
    let clock = town.world().clock();
    // Record the end in any case. An unreadable record gives no sums.
    if reading.read(town, &incarnation.id, WHOLE_BYTES).is_err() {
        return UsageSums::new();
    }
    reading.sums(incarnation, clock.now(), &clock.zone())
}

/// Records an incarnation's end together with its whole usage.
pub(crate) fn record_at_end(tx: &Tx<'_>, incarnation: &Incarnation, sums: &UsageSums) -> Result<()> {
    if !sums.is_empty() {
        tx.set_usage(&incarnation.id, sums)?;
    }
    Ok(())
}

/// Reads new entries in the records of all running incarnations. Records their usage at the end of each turn, and regularly
/// during a long one.
pub(crate) fn patrol(town: &Town, meters: &mut Meters, observed: &mut Observed) -> Result<()> {
    let live = town.ledger.read(|view| view.live_incarnations().map_err(Error::from))?;
    meters.0.retain(|id, _| live.iter().any(|incarnation| &incarnation.id == id));
    for incarnation in &live {
        // An unreadable record must not stop the others from being counted.
        let reading = meters.0.entry(incarnation.id.clone()).or_default();
        let heard = heard(town, &incarnation.id)?;
        if let Ok(is_whole) = reading.read(town, &incarnation.id, LOOK_BYTES) {
            if let Some(heard) = heard {
                reading.unheard.look(heard, reading.uses.count, is_whole);
            }
            record(town, incarnation, reading, observed)?;
        }
    }
    Ok(())
}

fn record(town: &Town, incarnation: &Incarnation, reading: &mut Reading, observed: &mut Observed) -> Result<()> {
    let clock = town.world().clock();
    let sums = reading.sums(incarnation, clock.now(), &clock.zone());
    if sums == reading.recorded {
        return Ok(());
    }
    let marks = marks::marks(town, &incarnation.id)?;
    let ends = [MarkKind::Stop, MarkKind::StopFailure, MarkKind::End].into_iter().filter_map(|kind| marks.get(kind));
    let turn = ends.map(|mark| mark.at_us).max().unwrap_or_default();
    let total: u64 = reading.recorded.values().map(|sum| sum.answers).fold(0, u64::saturating_add);
    let age = observed.age(&format!("usage-{}-{total}", incarnation.id));
    if turn <= reading.turn && age < RECORD_EVERY && !is_much(town, &reading.recorded, &sums) {
        return Ok(());
    }
    town.ledger.write("deacon/", "usage", |tx| tx.set_usage(&incarnation.id, &sums).map_err(Error::from))?;
    (reading.recorded, reading.turn) = (sums, turn);
    Ok(())
}

/// Whether the usage since the last record is so large that it should be recorded at once, because a limit may be near.
fn is_much(town: &Town, recorded: &UsageSums, sums: &UsageSums) -> bool {
    let settings = settings::current(town);
    let prices = settings.prices.over(&town.outside.prices);
    let cost = |sums: &UsageSums| Cost::of(&prices, sums.iter().map(|((model, _), sum)| (model.as_str(), sum)));
    let (before, now) = (cost(recorded), cost(sums));
    let SpendSettings { daily_tokens, attempt_tokens, attempt_usd, .. } = settings.spend;
    let tokens = now.tokens.saturating_sub(before.tokens).saturating_mul(PARTS_OF_A_CAP);
    let usd = (now.usd - before.usd) * PARTS_OF_A_CAP as f64;
    [daily_tokens, attempt_tokens].into_iter().any(|cap| cap > 0 && tokens >= cap)
        || [settings.spend.daily_usd(), attempt_usd].into_iter().any(|cap| cap > 0.0 && usd >= cap)
}

/// Usage with its approximate cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Answers and tokens.
    #[serde(flatten)]
    pub sum: Sum,
    /// All tokens.
    pub tokens: u64,
    /// Approximate cost in US dollars, for models with a known price.
    pub usd: f64,
    /// Models without a known price. Their tokens are counted, but not their cost.
    pub unpriced: Vec<String>,
    /// Sessions of unknown usage, which is missing from these numbers.
    pub uncounted: u64,
}

impl Cost {
    /// Adds up usage by model.
    pub fn of<'a>(prices: &Prices, sums: impl IntoIterator<Item = (&'a str, &'a Sum)>) -> Self {
        let mut cost = Self::default();
        sums.into_iter().for_each(|(model, sum)| cost.add(prices, model, sum));
        cost
    }

    fn add(&mut self, prices: &Prices, model: &str, sum: &Sum) {
        self.sum = self.sum.plus(sum);
        self.tokens = self.sum.tokens.total();
        match prices.cost(model, &sum.tokens) {
            Some(usd) => self.usd += usd,
            None if self.unpriced.iter().any(|known| known == model) => {}
            None => self.unpriced.push(model.to_owned()),
        }
    }

    /// Whether there is no usage.
    pub fn is_nothing(&self) -> bool {
        self.tokens == 0 && self.uncounted == 0
    }

    /// Sets the number of sessions of unknown usage.
    #[must_use]
    pub(crate) fn with_uncounted(self, uncounted: u64) -> Self {
        Self { uncounted, ..self }
    }

    /// Formats it in one line for people.
    pub fn words(&self) -> String {
        let unknown = match self.uncounted {
            0 => return self.counted_words(),
            1 => "unknown for one session".to_owned(),
            sessions => format!("unknown for {sessions} sessions"),
        };
        if self.tokens == 0 { unknown } else { format!("{}; {unknown}", self.counted_words()) }
    }

    fn counted_words(&self) -> String {
        let tokens = format!("{} tokens", short(self.tokens));
        match (self.usd > 0.0, self.unpriced.is_empty()) {
            (true, true) => format!("{tokens}, about ${:.2}", self.usd),
            (true, false) => {
                format!("{tokens}, about ${:.2} plus the unknown cost of {}", self.usd, self.unpriced.join(", "))
            }
            (false, true) => format!("{tokens}, about $0.00"),
            (false, false) => format!("{tokens}; the price of {} is not known", self.unpriced.join(", ")),
        }
    }
}

/// Formats a number of tokens for people: 950, 12.3k, 4.5M.
pub fn short(tokens: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", tokens / unit, tokens % unit / (unit / 10));
    match tokens {
        0..1000 => tokens.to_string(),
        1000..1_000_000 => format!("{}k", tenths(1000)),
        _ => format!("{}M", tenths(1_000_000)),
    }
}

/// Returns the price table of a town: its own prices over the built-in ones.
pub fn prices(town: &Town) -> Prices {
    town.settings.prices.over(&town.outside.prices)
}

/// Returns the usage of all work on a bead.
pub fn of_bead(town: &Town, view: &View<'_>, bead: &BeadId) -> Result<Cost> {
    let rows = view.usage("", Some(bead))?;
    let uncounted = view.uncounted("", Some(bead))?.iter().map(|(_, sessions)| sessions).sum();
    Ok(Cost::of(&prices(town), rows.iter().map(|row| (row.model.as_str(), &row.sum))).with_uncounted(uncounted))
}

/// Returns the usage of one attempt.
pub(crate) fn of_attempt(town: &Town, view: &View<'_>, attempt: gt_model::id::AttemptId) -> Result<Cost> {
    let rows = view.usage_of_attempt(attempt, "")?;
    let uncounted = view.uncounted_of_attempt(attempt)?;
    Ok(Cost::of(&prices(town), rows.iter().map(|(model, sum)| (model.as_str(), sum))).with_uncounted(uncounted))
}

/// Grouping of a cost report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// By bead. Usage of standing agents belongs to none.
    Bead,
    /// By the address of the agent.
    Worker,
    /// By rig. Usage of the mayor belongs to none.
    Rig,
    /// By model.
    Model,
    /// By convoy.
    Convoy,
    /// By day in the local time zone.
    Day,
    /// By kind of agent.
    Agent,
}

/// One line of a report.
#[derive(Clone, Debug, Serialize)]
pub struct CostRow {
    /// Key of the group; `None` for usage that belongs to none.
    pub key: Option<String>,
    /// Usage and cost.
    #[serde(flatten)]
    pub cost: Cost,
}

/// Cost report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Grouping.
    pub by: By,
    /// First day; empty for all time.
    pub since: String,
    /// Date of the prices.
    pub prices_of: String,
    /// Rows, most expensive first; days in order.
    pub rows: Vec<CostRow>,
    /// Total.
    pub total: Cost,
    /// Kinds of agent with unknown usage, each with the number of sessions missing from the report.
    pub uncounted: Vec<(String, u64)>,
}

/// Returns the cost report since a day (empty: all time).
pub fn report(town: &Town, by: By, since: &str) -> Result<Report> {
    let prices = prices(town);
    let (rows, uncounted) =
        town.ledger.read(|view| Ok::<_, Error>((view.usage(since, None)?, view.uncounted(since, None)?)))?;
    let mut groups: BTreeMap<Option<String>, Cost> = BTreeMap::new();
    for row in &rows {
        groups.entry(by.key(town, row)).or_default().add(&prices, &row.model, &row.sum);
    }
    let mut lines: Vec<CostRow> = groups.into_iter().map(|(key, cost)| CostRow { key, cost }).collect();
    if by != By::Day {
        lines.sort_by(|one, other| {
            other.cost.usd.total_cmp(&one.cost.usd).then(other.cost.tokens.cmp(&one.cost.tokens))
        });
    }
    let total = Cost::of(&prices, rows.iter().map(|row| (row.model.as_str(), &row.sum)));
    let total = total.with_uncounted(uncounted.iter().map(|(_, sessions)| sessions).sum());
    Ok(Report { by, since: since.to_owned(), prices_of: prices.date, rows: lines, total, uncounted })
}

impl By {
    fn key(self, town: &Town, row: &UsageRow) -> Option<String> {
        match self {
            Self::Bead => row.bead.as_ref().map(ToString::to_string),
            Self::Worker => row.address.as_ref().map(ToString::to_string),
            Self::Rig => row.address.as_ref().and_then(|address| address.rig()).map(ToString::to_string),
            Self::Model => Some(row.model.clone()),
            Self::Convoy => row.convoy.as_ref().map(ToString::to_string),
            Self::Day => Some(row.day.clone()),
            Self::Agent => row.kind.clone().or_else(|| town.settings.agent.clone()),
        }
    }
}

/// Parses a day, or a number of days ago, to a day. `None` if the word is neither.
pub fn since_day(town: &Town, word: &str) -> Option<String> {
    let clock = town.world().clock();
    if let Some(days) = word.strip_suffix('d') {
        let days: u32 = days.parse().ok().filter(|days| *days > 0)?;
        let back = jiff::Span::new().try_days(i64::from(days) - 1).ok()?;
        let today = clock.now().to_zoned(clock.zone()).date();
        return today.checked_sub(back).ok().map(|day| day.to_string());
    }
    word.parse::<jiff::civil::Date>().ok().map(|day| day.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_the_peoples_and_within_the_incarnations_life() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (opened, now) = (at("2026-11-22T20:00:00Z"), at("2026-11-23T02:00:00Z"));
        let east = TimeZone::fixed(jiff::tz::offset(2));
        let check = |when: &str, zone: &TimeZone, expected: &str| {
            assert_eq!(day_between(at(when), opened, now, zone), expected, "{when}");
            assert_eq!(day_between(at(when), now, opened, zone), expected, "{when}, the clock was set back");
        };
        check("2026-11-22T22:30:00Z", &TimeZone::UTC, "2026-11-22");
        check("2026-11-22T22:30:00Z", &east, "2026-11-23");
        check("1970-01-01T00:00:00Z", &TimeZone::UTC, "2026-11-22");
        check("9999-01-01T00:00:00Z", &TimeZone::UTC, "2026-11-23");
    }

    #[test]
    fn costs_are_said_with_what_is_not_known() {
        let prices: Prices = toml::from_str("[models]\nknown = { input = 2, output = 10 }\n").unwrap();
        let tokens = |input| Sum { answers: 1, tokens: gt_model::usage::Tokens { input, ..Default::default() } };
        let words = |rows: &[(&str, u64)]| {
            let sums: Vec<(&str, Sum)> = rows.iter().map(|(model, input)| (*model, tokens(*input))).collect();
            Cost::of(&prices, sums.iter().map(|(model, sum)| (*model, sum))).words()
        };
        assert_eq!(words(&[("known-1", 1_250_000)]), "1.2M tokens, about $2.50");
        assert_eq!(words(&[("known-1", 999)]), "999 tokens, about $0.00");
        assert_eq!(words(&[("new", 12_345), ("new", 1)]), "12.3k tokens; the price of new is not known");
        assert_eq!(words(&[("new", 1), ("known", 500_000)]), "500.0k tokens, about $1.00 plus the unknown cost of new");
        assert_eq!(words(&[]), "0 tokens, about $0.00");
        assert_eq!(Cost::default().with_uncounted(1).words(), "unknown for one session");
        let some = Cost::of(&prices, [("known", &tokens(1000))]).with_uncounted(2);
        assert_eq!(some.words(), "1.0k tokens, about $0.00; unknown for 2 sessions");
    }
}
