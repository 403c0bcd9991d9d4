//! Pictures for the documents, made from real runs: `cargo xtask picture` writes `docs/demo.svg`.
//!
//! The picture shows the output of `gt demo`. Each line appears after as long as it took in the run. A reader whose system asks
//! for less motion sees all lines at once.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
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

/// A line of the run, with the time of its printing.
struct Line {
    text: String,
    after: Duration,
}

/// Runs the demo, and draws its output.
pub fn write(args: &Args) -> Result<(), String> {
    let gt = args.gt.clone().map_or_else(crate::soak::build, Ok)?;
    let lines = run(&gt)?;
    std::fs::write(&args.to, drawn(&lines)).map_err(|error| format!("{}: {error}", args.to.display()))?;
    println!("{}: {} lines", args.to.display(), lines.len());
    Ok(())
}

fn run(gt: &Path) -> Result<Vec<Line>, String> {
    let said = |error: std::io::Error| format!("{} demo: {error}", gt.display());
    // The demo prints its story on standard error and its findings on standard output; a person sees both.
    let (output, writer) = std::io::pipe().map_err(said)?;
    let mut demo = Command::new(gt);
    demo.args(["demo", "--seed", "1"]).stdout(writer.try_clone().map_err(said)?).stderr(writer);
    let mut running = demo.spawn().map_err(said)?;
    // From now on only the demo holds the writing ends, so the pipe ends with it.
    drop(demo);
    let start = Instant::now();
    let mut lines = Vec::new();
    for line in BufReader::new(output).lines() {
        lines.push(Line { text: without_folder(&line.map_err(said)?), after: start.elapsed() });
    }
    if running.wait().map_err(said)?.success() { Ok(lines) } else { Err("the demo was not green".to_owned()) }
}

/// Returns the line with a short name for the run's temporary folder.
fn without_folder(line: &str) -> String {
    let Some((before, rest)) = line.split_once("/tmp/gt-demo-") else { return line.to_owned() };
    let (_, after) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    without_folder(&format!("{before}~/demo{after}"))
}

/// Width of a character, height of a line, and the margin, in pixels.
const COLUMN: f64 = 7.3;
const ROW: f64 = 17.0;
const MARGIN: f64 = 14.0;

/// Number of columns in the picture; longer lines are cut.
const COLUMNS: usize = 90;

/// Number of lines on the screen; earlier ones scroll out at the top.
const SHOWN: usize = 26;

fn drawn(lines: &[Line]) -> String {
    let (width, height) = (pixels(COLUMNS, COLUMN), pixels(SHOWN, ROW));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"A run of gt demo\">\n\
         <style>{STYLE}{}</style>\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#16181d\"/>\n<g>\n",
        rolling(lines)
    );
    for (at, line) in lines.iter().enumerate() {
        let y = MARGIN + ROW * (number(at) + 0.75);
        let text: String = line.text.chars().take(COLUMNS).collect();
        let delay = line.after.as_secs_f64();
        // Writing to a string can't fail.
        let _ = writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{y:.1}\" style=\"animation-delay:{delay:.1}s\" xml:space=\"preserve\">{}</text>",
            escaped(&text)
        );
    }
    svg + "</g>\n</svg>\n"
}

const STYLE: &str = "text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#d7dae0;opacity:0;animation:shown 0s forwards}\
    @keyframes shown{to{opacity:1}}";

/// Returns the scrolling of the screen: by one line for each line that does not fit on it, at that line's time.
fn rolling(lines: &[Line]) -> String {
    let whole = lines.last().map_or(1.0, |line| line.after.as_secs_f64().max(0.1));
    let out = lines.len().saturating_sub(SHOWN);
    let mut style = format!("g{{animation:roll {whole:.1}s step-end forwards}}@keyframes roll{{");
    for (rolled, line) in (1..=out).zip(lines.iter().skip(SHOWN)) {
        let percent = 100.0 * line.after.as_secs_f64() / whole;
        let _ = write!(style, "{percent:.2}%{{transform:translateY(-{:.0}px)}}", number(rolled) * ROW);
    }
    let end = number(out) * ROW;
    let still = format!("text{{opacity:1;animation:none}}g{{animation:none;transform:translateY(-{end:.0}px)}}");
    format!("{style}100%{{transform:translateY(-{end:.0}px)}}}}@media(prefers-reduced-motion:reduce){{{still}}}")
}

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
        assert_eq!(svg.matches("<text ").count(), 2);
    }

    #[test]
    fn a_long_run_rolls_to_its_last_lines() {
        let line = |seconds| Line { text: "x".to_owned(), after: Duration::from_secs(seconds) };
        let lines: Vec<Line> = (0..=SHOWN as u64).map(line).collect();
        assert!(rolling(&lines).contains("100.00%{transform:translateY(-17px)}"), "{}", rolling(&lines));
        assert!(!rolling(&lines[..3]).contains("translateY(-17px)"));
    }

    #[test]
    fn the_temporary_folder_has_a_short_name() {
        assert_eq!(
            without_folder("$ gt rig add street /tmp/gt-demo-Sg/origin.git"),
            "$ gt rig add street ~/demo/origin.git"
        );
        assert_eq!(without_folder("made at /tmp/gt-demo-Sg"), "made at ~/demo");
    }
}
