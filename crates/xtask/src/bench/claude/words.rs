//! Measures the text that the town adds to the model's input. A conversation's last request has each text once. The sum
//! over all requests is what costs money, since each request repeats the earlier ones (mostly from a cache).

use gt_testkit::fake_model::{BYTES_PER_TOKEN, Conversation};

use super::Talk;
use super::slung::Slung;
use crate::bench::report::Row;

/// Returns the size of each part of a conversation, in bytes.
fn parts(of: &Conversation) -> [(&'static str, usize); 4] {
    let bytes = |texts: &[String]| texts.iter().map(String::len).sum();
    [
        ("system prompt", of.system.len()),
        ("prompt, and what moments said", bytes(&of.said)),
        ("what came of tools", bytes(&of.results)),
        ("what the model called", of.ran().len()),
    ]
}

fn last(talk: &Talk) -> &Conversation {
    &talk.turns[talk.turns.len() - 1].conversation
}

/// Estimates tokens by the fake model's own rule.
fn tokens(bytes: usize) -> f64 {
    bytes as f64 / BYTES_PER_TOKEN as f64
}

/// Returns the comparison with the client alone, in tokens.
pub fn rows(alone: &[Talk], slung: &[Slung]) -> Vec<Row> {
    let talks: Vec<&Talk> = slung.iter().map(|slung| &slung.talk).collect();
    let row = |name: String, pick: &dyn Fn(&Talk) -> usize| Row {
        name,
        unit: "tokens",
        values: talks.iter().map(|talk| tokens(pick(talk))).collect(),
        peer: alone.iter().map(|talk| tokens(pick(talk))).collect(),
        ..Row::default()
    };
    let mut rows = vec![
        row("text of a bead: the last request, whole".to_owned(), &|talk| talk.turns[talk.turns.len() - 1].bytes),
        row("text of a bead: sum over its requests".to_owned(), &|talk| {
            talk.turns.iter().map(|asked| asked.bytes).sum()
        }),
    ];
    let names = parts(&Conversation::default()).map(|(name, _)| name);
    rows.extend(
        names.into_iter().enumerate().map(|(at, name)| row(format!("  {name}"), &|talk| parts(last(talk))[at].1)),
    );
    rows.extend(answers(&talks));
    rows
}

/// Returns the size of the results of the town's own verbs, by verb.
fn answers(talks: &[&Talk]) -> Vec<Row> {
    let verbs = ["gt prime", "gt step done", "gt rig fetch", "gt done"];
    let of = |talk: &Talk, verb: &str| {
        let it = last(talk);
        let answered = it.calls.iter().zip(&it.results).filter(|(call, _)| call.input.contains(verb));
        answered.map(|(_, result)| result.len()).sum::<usize>()
    };
    let row = |verb: &&str| Row {
        name: format!("    of it by `{verb}`"),
        unit: "tokens",
        values: talks.iter().map(|talk| tokens(of(talk, verb))).collect(),
        ..Row::default()
    };
    verbs.iter().map(row).collect()
}
