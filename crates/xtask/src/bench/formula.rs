//! Reading, checking and planning of a formula, and a molecule's way through the ledger, each in a process of its own that is built
//! for release.

use std::path::Path;
use std::process::Command;

use super::report::Row;
use super::text;

/// Formula that is read, checked and planned.
const POLECAT: &str = "crates/gt-town/formulas/mol-polecat-work.toml";

/// Formula that is poured and run to its end.
const TOWERS: &str = "crates/gt-town/formulas/towers-of-hanoi.toml";

/// Measures the built-in formula of polecats this often (times in microseconds), and towers of 7, 9 and 10 discs a hundredth as
/// often (steps a second, beside waits for the disk a second).
pub fn measure(times: usize) -> Result<Vec<Row>, String> {
    let read = example("gt-model", "formula_speed", &[POLECAT, &times.to_string()])?;
    let rounds = (times / 100).max(1).to_string();
    let run = example("gt-ledger", "molecule_speed", &[TOWERS, &rounds, "discs", "7", "9", "10"])?;
    let of_read = ["parse", "check", "plan", "all"].map(|what| row(&read, what, "µs"));
    let of_run = ["discs-7", "discs-9", "discs-10"].map(|what| row(&run, what, "steps/s"));
    Ok(of_read.into_iter().chain(of_run).collect())
}

/// Runs an example of a package and returns what it printed.
fn example(package: &str, name: &str, args: &[&str]) -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("no workspace")?;
    let output = Command::new("cargo")
        .args(["run", "--quiet", "--release", "--package", package, "--example", name, "--"])
        .args(args)
        .current_dir(root)
        .output()
        .map_err(text)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns the values of the lines that begin with this word, and those of a peer if the lines have some.
fn row(lines: &str, what: &str, unit: &'static str) -> Row {
    let of_row = lines.lines().filter_map(|line| line.strip_prefix(what)?.strip_prefix(' '));
    let numbers: Vec<Vec<f64>> =
        of_row.map(|line| line.split_whitespace().filter_map(|word| word.parse().ok()).collect()).collect();
    let column = |at: usize| numbers.iter().filter_map(|numbers| numbers.get(at).copied()).collect();
    Row { name: what.to_owned(), unit, values: column(0), peer: column(1), ..Row::default() }
}
