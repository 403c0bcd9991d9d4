//! Pictures for the documents, made from real runs: `cargo xtask picture` writes `docs/demo.svg`.
//!
//! The picture shows what `gt demo` prints, each line after as long as it took in the run. A reader whose system asks for less
//! motion sees all lines at once.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;

/// Where the picture is written, and which `gt` is run.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The file to write
    #[arg(long, default_value = "docs/demo.svg")]
    to: PathBuf,
    /// This gt instead of a release build of this workspace
    #[arg(long)]
    gt: Option<PathBuf>,
}

/// A line of the run, and when it was printed.
struct Line {
    text: String,
    after: Duration,
}

/// Runs the demo, and draws what it prints.
pub fn write(args: &Args) -> Result<(), String> {
    let gt = args.gt.clone().map_or_else(crate::soak::build, Ok)?;
    let lines = run(&gt)?;
    std::fs::write(&args.to, drawn(&lines)).map_err(|error| format!("{}: {error}", args.to.display()))?;
    println!("{}: {} lines", args.to.display(), lines.len());
    Ok(())
}

fn run(gt: &Path) -> Result<Vec<Line>, String> {
    let said = |error: std::io::Error| format!("{} demo: {error}", gt.display());
    let mut demo = Command::new(gt).args(["demo", "--seed", "1"]).stdout(Stdio::piped()).spawn().map_err(said)?;
    let start = Instant::now();
    let output = demo.stdout.take().map(BufReader::new).into_iter().flat_map(BufReader::lines);
    let lines: Result<Vec<Line>, _> =
        output.map(|line| Ok(Line { text: line?, after: start.elapsed() })).collect::<Result<_, std::io::Error>>();
    let lines = lines.map_err(said)?;
    if demo.wait().map_err(said)?.success() { Ok(lines) } else { Err("the demo was not green".to_owned()) }
}

/// Size of a character and of a line, and the space around all, in pixels.
const COLUMN: f64 = 7.3;
const ROW: f64 = 17.0;
const MARGIN: f64 = 14.0;

/// Columns that are drawn; longer lines are cut.
const COLUMNS: usize = 120;

fn drawn(lines: &[Line]) -> String {
    let columns = lines.iter().map(|line| line.text.chars().count().min(COLUMNS)).max().unwrap_or_default() + 2;
    let (width, height) = (pixels(columns, COLUMN), pixels(lines.len() + 1, ROW));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"A run of gt demo\">\n{STYLE}\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#16181d\"/>\n"
    );
    let prompt = Line { text: "$ gt demo".to_owned(), after: Duration::ZERO };
    for (at, line) in [&prompt].into_iter().chain(lines).enumerate() {
        let y = MARGIN + ROW * (number(at) + 0.75);
        let text: String = line.text.chars().take(COLUMNS).collect();
        let delay = line.after.as_secs_f64();
        // Writing into a text can't fail.
        let _ = writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{y:.1}\" style=\"animation-delay:{delay:.1}s\" xml:space=\"preserve\">{}</text>",
            escaped(&text)
        );
    }
    svg + "</svg>\n"
}

const STYLE: &str = "<style>\
    text { font: 12px ui-monospace, Menlo, Consolas, monospace; fill: #d7dae0; opacity: 0; animation: shown 0s forwards }\
    @keyframes shown { to { opacity: 1 } }\
    @media (prefers-reduced-motion: reduce) { text { opacity: 1; animation: none } }\
    </style>\n";

fn pixels(count: usize, each: f64) -> f64 {
    2.0 * MARGIN + number(count) * each
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_drawn_when_it_was_printed_and_is_no_markup() {
        let line = |text: &str, seconds| Line { text: text.to_owned(), after: Duration::from_secs(seconds) };
        let svg = drawn(&[line("one <b> & two", 3), line("  kept", 12)]);
        assert!(svg.contains("animation-delay:3.0s\" xml:space=\"preserve\">one &lt;b&gt; &amp; two</text>"), "{svg}");
        assert!(svg.contains("animation-delay:12.0s") && svg.contains(">  kept</text>"));
        assert_eq!(svg.matches("<text ").count(), 3, "the command and its lines");
    }
}
