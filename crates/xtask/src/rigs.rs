//! `cargo xtask rigs <list>`: adds each project of a list as the rig of its own town. Prints what it found, whether the gates
//! were green, how long that took, and what a person would have to do by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;

/// Projects to try.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file with a project a line: `name where`. `where` is a folder, a packed source (.tar.gz, .tgz, .crate), a URL of git's,
    /// or a package that its registry's own client fetches: npm:<name>[@<version>], pypi:<name>[==<version>], crate:<name>,
    /// debian:<source> (as its authors packed it, without Debian's changes)
    list: PathBuf,
    /// The gt that is tried
    #[arg(long, default_value = "target/debug/gt")]
    gt: PathBuf,
    /// Try whether the gates turn red, too, however long they take
    #[arg(long)]
    negative: bool,
    /// Where the projects and towns are made, and kept
    #[arg(long)]
    work: Option<PathBuf>,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Runs the whole list.
pub fn run(args: &Args) -> Result<()> {
    let text = std::fs::read_to_string(&args.list)?;
    let gt = args.gt.canonicalize()?;
    let kept = args.work.clone();
    let temporary = tempfile::tempdir()?;
    let work = kept.unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&work)?;
    println!("| project | found | set-up | proof | time | by hand |\n|---|---|---|---|---|---|");
    let (mut green, mut all) = (0, 0);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, place) = line.split_once(char::is_whitespace).ok_or("a line is: name where")?;
        let started = Instant::now();
        let row = try_one(&Try { gt: &gt, work: &work.join(name), name, negative: args.negative }, place.trim());
        let row = row.unwrap_or_else(|error| Row {
            proof: "not tried".to_owned(),
            by_hand: error.to_string(),
            ..Row::default()
        });
        all += 1;
        green += usize::from(row.proof == "green");
        println!("{}", row.line(name, started.elapsed().as_secs()));
    }
    println!("\n{green} of {all} green without hand work");
    Ok(())
}

/// Report on one project.
#[derive(Default)]
struct Row {
    found: Vec<String>,
    set_up: String,
    proof: String,
    by_hand: String,
}

impl Row {
    fn line(&self, name: &str, seconds: u64) -> String {
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let found: Vec<String> = self.found.iter().map(|run| format!("`{}`", cell(run))).collect();
        let set_up = if self.set_up.is_empty() { "–".to_owned() } else { format!("`{}`", cell(&self.set_up)) };
        let by_hand = if self.by_hand.is_empty() { "–".to_owned() } else { cell(&self.by_hand) };
        format!("| {name} | {} | {set_up} | {} | {seconds} s | {by_hand} |", found.join(", "), self.proof)
    }
}

/// One project in progress.
struct Try<'t> {
    gt: &'t Path,
    work: &'t Path,
    name: &'t str,
    negative: bool,
}

fn try_one(tried: &Try<'_>, place: &str) -> Result<Row> {
    std::fs::create_dir_all(tried.work)?;
    let source = tried.source(place)?;
    let town = tried.work.join("town");
    checked(tried.command(tried.gt, tried.work).args(["install"]).arg(&town))?;
    let name: String =
        tried.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let mut add = tried.command(tried.gt, &town);
    add.args(["rig", "add", &name, &source, "--yes", "--json"]);
    if !source.contains("://") {
        add.arg("--make-bare-remote");
    }
    let added: Value = serde_json::from_slice(&checked(&mut add)?.stdout)?;
    let rig = &added["rig"];
    let mut row = row_of(rig);
    if row.proof == "green" && tried.negative {
        let output = tried.command(tried.gt, &town).args(["rig", "prove", &name, "--negative", "--json"]).output()?;
        let proved: Value = serde_json::from_slice(&output.stdout)?;
        tell_broken(&proved["run"], &mut row);
    }
    Ok(row)
}

fn row_of(rig: &Value) -> Row {
    let texts = |list: &Value, key: &str| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(|one| one[key].as_str()).map(str::to_owned).collect()
    };
    let mut row = Row { found: texts(&rig["gates"], "run"), ..Row::default() };
    row.set_up = rig["worktree"]["setup"].as_str().unwrap_or_default().to_owned();
    let held = rig["held"].as_str();
    row.proof = if held.is_none() { "green" } else { "red" }.to_owned();
    row.by_hand = held.unwrap_or_default().to_owned();
    let left_out = texts(&rig["proof"]["left_out"], "name");
    if !left_out.is_empty() {
        row.found.push(format!("left out, red: {}", left_out.join(", ")));
    }
    tell_broken(&rig["proof"], &mut row);
    row
}

fn tell_broken(run: &Value, row: &mut Row) {
    for broken in run["broken"].as_array().into_iter().flatten() {
        if broken["red"].is_null() {
            row.proof = "blind".to_owned();
            row.by_hand = format!("no gate turned red when {} was broken", broken["file"].as_str().unwrap_or_default());
        }
    }
}

impl Try<'_> {
    /// Returns a command with the caller's environment, as a person would run it. Commits get a neutral author.
    fn command(&self, program: &Path, cwd: &Path) -> Command {
        let mut command = Command::new(program);
        let identity = [
            ("GIT_AUTHOR_NAME", "x"),
            ("GIT_AUTHOR_EMAIL", "x@example.org"),
            ("GIT_COMMITTER_NAME", "x"),
            ("GIT_COMMITTER_EMAIL", "x@example.org"),
        ];
        command.envs(BTreeMap::from(identity)).current_dir(cwd).stdin(Stdio::null());
        command
    }

    /// Returns a repository of the project, or its URL.
    fn source(&self, place: &str) -> Result<String> {
        if place.contains("://") {
            return Ok(place.to_owned());
        }
        let folder = self.work.join("src");
        let _ = std::fs::remove_dir_all(&folder);
        match place.split_once(':') {
            Some(("npm", package)) => self.packed("npm", &["pack", "--silent", package])?,
            Some(("pypi", package)) => {
                let name = package.split("==").next().unwrap_or(package);
                self.packed("pip", &["download", "-q", "--no-deps", "--no-binary", name, package])?;
            }
            Some(("crate", name)) => self.vendored(name)?,
            Some(("debian", source)) => self.packed("apt-get", &["source", "-qq", "--download-only", source])?,
            _ if Path::new(place).is_dir() => {
                checked(Command::new("cp").arg("-r").arg(place).arg(&folder)).map(drop)?;
            }
            _ => self.unpack(Path::new(place))?,
        }
        if !folder.join(".git").exists() {
            without_products(&folder)?;
            let git = |args: &[&str]| checked(self.command(Path::new("git"), &folder).args(args)).map(drop);
            git(&["init", "-q", "-b", "main"])?;
            // Packing for PyPI adds generated files, which the project's repository ignores. Other packers pack the repository
            // itself.
            let whole: &[&str] = if place.starts_with("pypi:") { &[] } else { &["-f"] };
            git(&[&["-c", "core.excludesFile=/dev/null", "add", "-A"], whole].concat())?;
            git(&["commit", "-q", "-m", "As packed"])?;
            // The commit of a release gets its tag, from which some projects derive their version.
            if let Some(version) = version_of(&self.work.join("packed")) {
                git(&["tag", &format!("v{version}")])?;
            }
        }
        Ok(folder.display().to_string())
    }

    /// Fetches a packed source with a client, and unpacks it.
    fn packed(&self, client: &str, args: &[&str]) -> Result<()> {
        let folder = self.work.join("packed");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        checked(self.command(Path::new(client), &folder).args(args))?;
        let files: Vec<PathBuf> = std::fs::read_dir(&folder)?.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
        self.unpack(source_among(&files).ok_or("no packed source was fetched")?)
    }

    fn unpack(&self, file: &Path) -> Result<()> {
        let folder = self.work.join("src");
        std::fs::create_dir_all(&folder)?;
        let mut tar = Command::new("tar");
        checked(tar.args(["-xf"]).arg(file).args(["--strip-components", "1", "-C"]).arg(&folder)).map(drop)
    }

    /// Fetches a crate with cargo.
    fn vendored(&self, name: &str) -> Result<()> {
        let user = self.work.join("user");
        let _ = std::fs::remove_dir_all(&user);
        std::fs::create_dir_all(&user)?;
        let cargo = |args: &[&str]| checked(self.command(Path::new("cargo"), &user).args(args)).map(drop);
        cargo(&["init", "-q", "--name", "user", "--vcs", "none"])?;
        cargo(&["add", "-q", name])?;
        cargo(&["vendor", "-q", "vendor"])?;
        let source = user.join("vendor").join(name.split('@').next().unwrap_or(name));
        checked(Command::new("cp").arg("-r").arg(source).arg(self.work.join("src")))?;
        let _ = std::fs::remove_file(self.work.join("src/.cargo-checksum.json"));
        Ok(())
    }
}

/// Returns the packed source among the files that a client has fetched. Debian adds a description and its own changes beside it.
fn source_among(files: &[PathBuf]) -> Option<&Path> {
    let name = |file: &&PathBuf| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_packed = |file: &&PathBuf| {
        let name = name(file);
        [".tar.gz", ".tar.xz", ".tar.bz2", ".tgz", ".crate"].iter().any(|end| name.ends_with(end))
            && !name.contains(".debian.")
    };
    files.iter().find(is_packed).map(PathBuf::as_path)
}

/// Returns the version in the name of the source that was fetched into a folder: `name-1.2.tar.gz`, `name_1.2.orig.tar.gz`.
fn version_of(folder: &Path) -> Option<String> {
    let files: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.filter_map(|file| Some(file.ok()?.path())).collect();
    let name = source_among(&files)?.file_name()?.to_string_lossy().into_owned();
    let start = name
        .char_indices()
        .zip(name.chars().skip(1))
        .find(|((_, mark), next)| ['-', '_'].contains(mark) && next.is_ascii_digit())?;
    let version = &name[start.0.0 + 1..];
    let end = [".orig", ".tar", ".tgz", ".crate"].iter().filter_map(|end| version.find(end)).min()?;
    Some(version[..end].replace(['+', '~'], "-"))
}

/// Removes files that packing a source has made and that no repository holds.
fn without_products(folder: &Path) -> Result<()> {
    for place in [folder.to_owned(), folder.join("src")].iter().filter(|place| place.is_dir()) {
        for entry in std::fs::read_dir(place)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "egg-info") {
                std::fs::remove_dir_all(path)?;
            }
        }
    }
    Ok(())
}

/// Runs a command. The error holds the command's output.
fn checked(command: &mut Command) -> Result<Output> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    Err(format!("{:?}: {}", command.get_program(), said.trim().lines().last().unwrap_or_default()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_in_the_name_of_what_was_fetched() {
        let check = |files: &[&str], expected: Option<&str>| {
            let folder = tempfile::tempdir().unwrap();
            files.iter().for_each(|file| std::fs::write(folder.path().join(file), "").unwrap());
            assert_eq!(version_of(folder.path()).as_deref(), expected, "{files:?}");
        };
        check(&["split2-4.2.0.tgz"], Some("4.2.0"));
        check(&["more_itertools-11.2.1.tar.gz"], Some("11.2.1"));
        check(
            &["tinyxml2_9.0.0+dfsg-3.dsc", "tinyxml2_9.0.0+dfsg-3.debian.tar.xz", "tinyxml2_9.0.0+dfsg.orig.tar.xz"],
            Some("9.0.0-dfsg"),
        );
        check(&["a.dsc"], None);
    }
}
