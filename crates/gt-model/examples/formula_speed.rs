//! Prints how many microseconds reading, checking and planning a formula take, one time a line: `<what> <microseconds>`.
//! `cargo xtask bench formula` runs it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use gt_model::formula::{Formula, Library};

/// Measures and prints one formula, given as a file, as often as the second argument says.
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, times] = args.as_slice() else { panic!("usage: formula_speed <file> <times>") };
    let text = std::fs::read_to_string(file).expect("the file is readable");
    let mut out = std::io::stdout().lock();
    for _ in 0..times.parse().expect("a number of times") {
        let (parse, check, plan) = measure(&text);
        let all = [("parse", parse), ("check", check), ("plan", plan), ("all", parse + check + plan)];
        for (what, time) in all {
            writeln!(out, "{what} {:.2}", time.as_secs_f64() * 1e6).expect("stdout is open");
        }
    }
}

fn measure(text: &str) -> (Duration, Duration, Duration) {
    let (formula, parse) = timed(|| Formula::parse("formula.toml", text).expect("the formula is valid"));
    let name = formula.name.clone();
    let mut library = Library::default();
    library.add(formula);
    while let Some(missing) = library.missing().map(str::to_owned) {
        library.absent(&missing);
    }
    let (resolved, check) = timed(|| {
        let resolved = library.resolve(&name).expect("the formula can be put together");
        assert!(resolved.check().is_empty(), "the formula has no fault");
        resolved
    });
    let values = BTreeMap::from(
        [("issue", "gt-1"), ("title", "A bead")].map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let (plan, time) = timed(|| resolved.plan(&values));
    plan.expect("the formula has a plan");
    (parse, check, time)
}

#[expect(clippy::disallowed_methods, reason = "it measures this process; nothing is decided by the time")]
fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let start = std::time::Instant::now();
    let value = act();
    (value, start.elapsed())
}
