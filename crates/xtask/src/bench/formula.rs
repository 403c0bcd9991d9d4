//! Reading, checking and planning of a formula, in a process of its own that is built for release.

use std::path::Path;
use std::process::Command;

use super::report::Row;
use super::text;

/// Measures the built-in formula of polecats, this often. Times are in microseconds.
pub fn measure(times: usize) -> Result<Vec<Row>, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("no workspace")?;
    let example = ["run", "--quiet", "--release", "--package", "gt-model", "--example", "formula_speed", "--"];
    let output = Command::new("cargo")
        .args(example)
        .args(["crates/gt-town/formulas/mol-polecat-work.toml", &times.to_string()])
        .current_dir(root)
        .output()
        .map_err(text)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = |what: &'static str| {
        let values = lines.lines().filter_map(|line| line.strip_prefix(what)?.trim().parse().ok());
        Row { name: what.to_owned(), unit: "µs", values: values.collect(), ..Row::default() }
    };
    Ok(["parse", "check", "plan", "all"].map(row).into())
}
