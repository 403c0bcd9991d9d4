//! Decides which programs are granted with which words.

use super::super::git::{self, Git};
use super::super::script::{Call, Started, is_option, moves, started_by};
use super::super::shell::{Command, Script, UNKNOWN, Word, assignment};
use super::Walk;

/// How many programs that only start the next one are looked through.
const MAX_STARTERS: usize = 16;

/// Builtins, and programs that touch no file whatever their arguments are.
const HARMLESS: &[&str] = &[
    "true", "false", ":", "echo", "printf", "test", "[", "[[", "exit", "return", "break", "continue", "shift", "wait",
    "sleep", "pwd", "date", "whoami", "id", "uname", "seq", "basename", "dirname", "which", "type", "hash", "set",
    "shopt", "local", "unset", "read", "let", "nproc", "arch", "hostname", "tty", "jobs", "ulimit", "umask", "getconf",
];

/// Programs that read the files in their arguments and standard input, and change nothing.
const READERS: &[&str] = &[
    "cat",
    "head",
    "tail",
    "ls",
    "wc",
    "nl",
    "tac",
    "cut",
    "tr",
    "rev",
    "fold",
    "fmt",
    "expand",
    "column",
    "paste",
    "join",
    "comm",
    "diff",
    "cmp",
    "stat",
    "file",
    "readlink",
    "realpath",
    "du",
    "df",
    "tree",
    "sort",
    "uniq",
    "grep",
    "egrep",
    "fgrep",
    "rg",
    "sed",
    "find",
    "jq",
    "od",
    "xxd",
    "hexdump",
    "strings",
    "sha256sum",
    "sha1sum",
    "md5sum",
    "cksum",
    "fd",
    "fdfind",
    "tsort",
    "look",
];

/// Readers whose first operand is a pattern, unless an option gives the pattern.
const SEARCHES: &[&str] = &["grep", "egrep", "fgrep", "rg", "sed", "jq", "tr", "fd", "fdfind"];

/// Options that let a reader write, run something, or leave its folder.
const MORE_THAN_READING: &[(&str, &[&str])] = &[
    ("sort", &["-o", "--output", "--compress-program", "-T", "--temporary-directory"]),
    ("tree", &["-o", "-R", "-l"]),
    ("rg", &["--pre", "--hostname-bin", "-L", "--follow"]),
    ("grep", &["-R", "--dereference-recursive"]),
    ("find", &["-L", "-delete", "-ok", "-okdir", "-fprint", "-fprint0", "-fprintf", "-fls", "-files0-from"]),
    ("fd", &["-L", "--follow"]),
    ("fdfind", &["-L", "--follow"]),
    ("file", &["-C", "--compile", "-m", "--magic-file"]),
    ("xxd", &["-r", "-revert"]),
    ("diff", &["-l", "--paginate"]),
    ("wc", &["--files0-from"]),
    ("du", &["--files0-from"]),
    ("sed", &["-i", "--in-place", "-f", "--file"]),
];

/// Readers that write to their second operand.
const WRITES_SECOND: &[&str] = &["uniq", "xxd"];

/// Programs that change files. They are granted in the agent's own folder.
const CHANGERS: &[&str] = &["mkdir", "touch", "rm", "rmdir", "mv", "cp", "tee"];

/// Variables that change the appearance of programs' output, and not what the programs do.
const LOOKS: &[&str] =
    &["CI", "NO_COLOR", "FORCE_COLOR", "RUST_BACKTRACE", "RUST_LOG", "TERM", "TZ", "LANG", "COLUMNS"];

/// Variables that name a program. They are granted if that program does nothing.
const PROGRAMS: &[&str] =
    &["GIT_EDITOR", "GIT_SEQUENCE_EDITOR", "EDITOR", "VISUAL", "GIT_PAGER", "PAGER", "GIT_MERGE_AUTOEDIT"];
const IDLE: &[&str] = &["true", ":", "cat", "/bin/true", "no", ""];

/// Verbs of git that only read. They are granted in every folder that may be read.
const GIT_READS: &[&str] = &[
    "status",
    "diff",
    "log",
    "show",
    "blame",
    "annotate",
    "grep",
    "ls-files",
    "ls-tree",
    "cat-file",
    "rev-parse",
    "rev-list",
    "merge-base",
    "describe",
    "shortlog",
    "name-rev",
    "whatchanged",
    "for-each-ref",
    "show-ref",
    "count-objects",
    "version",
    "check-ignore",
    "check-attr",
    "diff-tree",
    "diff-index",
    "diff-files",
    "range-diff",
    "cherry",
    "merge-tree",
    "show-branch",
    "help",
];

impl Walk<'_> {
    /// Whether the program of a command may run with its words. Follows changes of the working folder.
    pub(super) fn program(&mut self, script: &Script, command: &Command) -> bool {
        let with_assigns = self.is_named_with_assigns(command);
        let harmless = command.assigns.iter().all(|(name, value)| is_harmless(name, value, command.words.is_empty()));
        (with_assigns || harmless) && self.run(script, command, &command.words, with_assigns)
    }

    /// Whether a grant names the command together with the assignments before it.
    fn is_named_with_assigns(&self, command: &Command) -> bool {
        if command.assigns.is_empty() || !command.assigns.iter().all(|(_, value)| value.is_known()) {
            return false;
        }
        let assigns: Vec<String> =
            command.assigns.iter().map(|(name, value)| format!("{name}={}", value.text)).collect();
        let words = || assigns.iter().map(String::as_str).chain(command.words.iter().map(|word| word.text.as_str()));
        self.grants.patterns.iter().any(|pattern| pattern.begins(words()))
    }

    /// Whether a grant names a command by its first words.
    fn is_named(&self, words: &[Word]) -> bool {
        self.grants.patterns.iter().any(|pattern| pattern.begins(words.iter().map(|word| word.text.as_str())))
    }

    fn run(&mut self, script: &Script, command: &Command, words: &[Word], is_named: bool) -> bool {
        let (mut words, mut is_named) = (words, is_named);
        for _ in 0..MAX_STARTERS {
            let Some((path, args)) = words.split_first() else { return true };
            if !path.is_known() {
                return false;
            }
            is_named |= self.is_named(words);
            let call = Call { program: path.text.as_str(), path, args, command, script };
            match self.judge(&call, is_named) {
                Judged::Granted => {
                    moves(&mut self.scene, path, args);
                    return self.scene.cwd.is_some();
                }
                Judged::Not => {
                    // The client must not grant what is granted by its name but does more.
                    self.asks |= is_named;
                    return false;
                }
                Judged::Starts => {}
            }
            match started_by(&call) {
                Started::Program(inner) => words = inner,
                Started::Text(text) => return !text.contains(UNKNOWN) && self.line(&text),
                Started::Nothing | Started::Each(_) => return false,
            }
        }
        false
    }

    fn judge(&mut self, call: &Call<'_>, is_named: bool) -> Judged {
        let granted = match call.program {
            name if is_named && name != "git" => true,
            "cd" => call.operands().next().is_some_and(|word| word.is_known() && self.may_read(&word.text)),
            "git" => self.git(call, is_named),
            "command" | "nohup" | "nice" | "timeout" | "time" | "env" | "sh" | "bash" | "dash" => {
                let looks = call.program == "command" && call.has(&["-v", "-V"]);
                let settings = call.args.iter().filter_map(assignment);
                let harmless = call.program != "env"
                    || settings.into_iter().all(|(name, value)| is_harmless(&name, &value, false))
                        && call.operands().nth(0).is_some();
                return if looks {
                    Judged::Granted
                } else if harmless {
                    Judged::Starts
                } else {
                    Judged::Not
                };
            }
            "export" => call
                .args
                .iter()
                .all(|word| assignment(word).is_some_and(|(name, value)| is_harmless(&name, &value, false))),
            "xargs" => self.each_file(call),
            "sed" if call.args.iter().any(is_in_place) => self.edits(call),
            name if HARMLESS.contains(&name) => true,
            name if READERS.contains(&name) => self.reads(call),
            name if CHANGERS.contains(&name) => self.changes(call),
            _ => false,
        };
        if granted { Judged::Granted } else { Judged::Not }
    }

    /// Judges `xargs` with a program that only reads. Its arguments come from a command that is granted.
    fn each_file(&mut self, call: &Call<'_>) -> bool {
        let Started::Program(words) = started_by(call) else { return false };
        let Some((path, args)) = words.split_first() else { return false };
        let inner = Call { program: path.text.as_str(), path, args, ..*call };
        READERS.contains(&inner.program) && !matches!(inner.program, "find" | "uniq" | "xxd") && self.reads(&inner)
    }

    fn reads(&mut self, call: &Call<'_>) -> bool {
        let more = MORE_THAN_READING.iter().find(|(name, _)| *name == call.program).map_or(&[][..], |(_, more)| more);
        let does_more = call.args.iter().any(|word| does(word, more));
        if does_more || WRITES_SECOND.contains(&call.program) && call.operands().nth(1).is_some() {
            return false;
        }
        if call.program == "sed" && !sed_prints(call) {
            return false;
        }
        if matches!(call.program, "find" | "fd" | "fdfind") && !self.found_is_read(call) {
            return false;
        }
        self.paths_are_readable(call)
    }

    /// Whether the programs that `find` runs only read.
    fn found_is_read(&mut self, call: &Call<'_>) -> bool {
        let Started::Each(programs) = started_by(call) else { return true };
        programs.into_iter().all(|words| {
            let Some((path, args)) = words.split_first() else { return false };
            let inner = Call { program: path.text.as_str(), path, args, ..*call };
            READERS.contains(&inner.program) && !matches!(inner.program, "find" | "fd" | "fdfind") && self.reads(&inner)
        })
    }

    /// Whether the working folder may be read, and every word that may be a file.
    fn paths_are_readable(&self, call: &Call<'_>) -> bool {
        let has_pattern = SEARCHES.contains(&call.program) && !call.has(&["-e", "--regexp", "--expression", "--files"]);
        let mut pattern = has_pattern;
        let mut words = call.args.iter();
        let mut is_value = false;
        words.all(|word| {
            if std::mem::take(&mut is_value) {
                return true;
            }
            if is_option(word) {
                is_value = SEARCHES.contains(&call.program)
                    && matches!(word.text.as_str(), "-e" | "--regexp" | "--expression");
                return self.option_is_readable(&word.text);
            }
            if std::mem::take(&mut pattern) {
                return true;
            }
            word.is_known() && self.may_read(&word.text)
        }) && self.may_read(".")
    }

    /// Judges a path in an option: `--file=/x`, `-I/x`.
    fn option_is_readable(&self, option: &str) -> bool {
        match option.split_once('=') {
            Some((_, value)) if may_lead_away(value) => self.may_read(value),
            Some(_) => true,
            None => match option.find('/') {
                Some(at) => self.may_read(&option[at..]),
                None => true,
            },
        }
    }

    fn edits(&self, call: &Call<'_>) -> bool {
        let by_option = call.has(&["-e", "--expression"]);
        let files = call.operands().skip(usize::from(!by_option));
        sed_prints(call) && files.into_iter().all(|word| word.is_known() && self.may_write(&word.text))
    }

    fn changes(&self, call: &Call<'_>) -> bool {
        let options = call.args.iter().filter(|word| is_option(word));
        let is_plain = options.into_iter().all(|word| !word.text.contains(['/', '=']) && word.text != "-t");
        let sources = usize::from(matches!(call.program, "cp"));
        let mut files = call.operands();
        is_plain
            && files.all(|word| {
                word.is_known() && (self.may_write(&word.text) || sources == 1 && self.may_read(&word.text))
            })
            && call.operands().last().is_none_or(|word| self.may_write(&word.text))
    }

    fn git(&mut self, call: &Call<'_>, is_named: bool) -> bool {
        let Some(git) = git::take_apart(call.args) else {
            return call.args.iter().all(|word| matches!(word.text.as_str(), "--version" | "--help"));
        };
        let here = git.place.as_deref().unwrap_or(".");
        let only_reads = reads_only(&git);
        let place = if only_reads { self.may_read(here) } else { self.may_write(here) };
        let is_granted = only_reads || is_named || self.is_work(&git);
        place
            && is_granted
            && self.scene.resolve(here).is_some_and(|folder| !self.files.is_trap(&folder))
            && git::says_only_where(call.args)
            && git.settings.iter().all(|setting| is_harmless_setting(setting))
            && git.args.iter().all(|word| is_harmless_option(git.verb, &word.text))
            && git.args.iter().filter(|word| !is_option(word)).all(|word| {
                !only_reads || !word.text.starts_with(['/', '~']) || word.is_known() && self.may_read(&word.text)
            })
            && self.rebase_runs(&git)
    }

    /// Whether a call like `git -C <own folder> commit` is granted as `git commit` is.
    fn is_work(&self, git: &Git<'_>) -> bool {
        let words = || ["git", git.verb].into_iter().chain(git.args.iter().map(|word| word.text.as_str()));
        self.grants.patterns.iter().any(|pattern| pattern.begins(words()))
    }

    /// Judges the command line that a rebase runs after each commit.
    fn rebase_runs(&mut self, git: &Git<'_>) -> bool {
        if git.verb != "rebase" {
            return true;
        }
        let runs = |text: &str| text == "-x" || text.starts_with("--ex");
        let mut args = git.args.iter();
        while let Some(word) = args.next() {
            if !word.text.starts_with("--")
                && word.text.starts_with('-')
                && word.text.len() > 2
                && word.text.contains('x')
            {
                return false;
            }
            if !runs(&word.text) {
                continue;
            }
            let text = match word.text.split_once('=') {
                Some((_, text)) => Some(text.to_owned()),
                None => args.next().map(|word| word.text.clone()),
            };
            let is_granted = text.is_some_and(|text| !text.contains(UNKNOWN) && self.line(&text));
            if !is_granted {
                return false;
            }
        }
        true
    }
}

enum Judged {
    Granted,
    Not,
    /// It starts another program, which must be judged.
    Starts,
}

/// Whether an assignment has no effect on what programs do. `alone`: no program runs with it.
fn is_harmless(name: &str, value: &Word, alone: bool) -> bool {
    let is_local = |name: &str| {
        name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') && !name.ends_with("_proxy")
    };
    LOOKS.contains(&name)
        || name.starts_with("LC_")
        || PROGRAMS.contains(&name) && IDLE.contains(&value.text.as_str())
        // A variable of the script itself. Variables that programs read have capital letters.
        || alone && is_local(name)
}

/// Whether a path, as written, can lead out of the working folder.
fn may_lead_away(text: &str) -> bool {
    text.starts_with(['/', '~']) || text.split('/').any(|part| part == "..")
}

fn does(word: &Word, options: &[&str]) -> bool {
    let text = word.text.as_str();
    options.iter().any(|option| {
        let is_short = option.len() == 2 && !option.starts_with("--");
        let in_cluster =
            is_short && !text.starts_with("--") && text.starts_with('-') && text[1..].contains(&option[1..]);
        text == *option || in_cluster || text.strip_prefix(option).is_some_and(|rest| rest.starts_with('='))
    })
}

fn is_in_place(word: &Word) -> bool {
    let text = word.text.as_str();
    text.starts_with("--in-place") || text.starts_with('-') && !text.starts_with("--") && text[1..].contains('i')
}

/// Whether each script in the arguments of sed only prints, deletes or replaces. Sed can also write files and run programs.
fn sed_prints(call: &Call<'_>) -> bool {
    let mut scripts = Vec::new();
    let mut args = call.args.iter();
    while let Some(word) = args.next() {
        match word.text.as_str() {
            "-e" | "--expression" => scripts.extend(args.next()),
            text if text.starts_with("--expression=") => return false,
            text if text.starts_with("-f") || text.starts_with("--file") => return false,
            text if is_option(word) && !text.starts_with("--") && text[1..].contains(['f', 'e']) => return false,
            _ if is_option(word) => {}
            _ if scripts.is_empty() => scripts.push(word),
            _ => {}
        }
    }
    !scripts.is_empty() && scripts.iter().all(|word| word.is_known() && sed_script(&word.text))
}

/// Whether a script for sed neither reads other files nor writes nor runs anything.
fn sed_script(text: &str) -> bool {
    let mut rest = text.trim();
    while !rest.is_empty() {
        rest = rest.trim_start_matches([' ', '\t', '\n', ';', '{', '}']);
        rest = address(rest);
        if let Some(more) = rest.strip_prefix(',') {
            rest = address(more.trim_start_matches(['+', '~']));
        }
        rest = rest.trim_start_matches(['!', ' ']);
        let Some(verb) = rest.chars().next() else { return true };
        rest = &rest[verb.len_utf8()..];
        match verb {
            'p' | 'd' | 'q' | '=' | 'n' | 'N' | 'g' | 'G' | 'h' | 'H' | 'x' | 'P' | 'D' | 'l' => {}
            's' | 'y' => match replacement(rest) {
                Some(more) => rest = more,
                None => return false,
            },
            _ => return false,
        }
        if !rest.is_empty() && !rest.starts_with([' ', ';', '\n', '}', '{']) {
            return false;
        }
    }
    true
}

/// Skips an address.
fn address(text: &str) -> &str {
    if let Some(rest) = text.strip_prefix('/') {
        return behind(rest, '/').unwrap_or("\u{0}");
    }
    text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '$' || c == '~')
}

/// Skips to after the next `end` without a backslash before it.
fn behind(text: &str, end: char) -> Option<&str> {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == end {
            return Some(&text[at + c.len_utf8()..]);
        }
    }
    None
}

/// Skips `/a/b/flags` if the flags neither write nor run anything.
fn replacement(text: &str) -> Option<&str> {
    let delimiter = text.chars().next()?;
    let rest = behind(behind(&text[delimiter.len_utf8()..], delimiter)?, delimiter)?;
    Some(rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, 'g' | 'p' | 'i' | 'I' | 'm' | 'M')))
}

/// Whether a call of git only reads.
fn reads_only(git: &Git<'_>) -> bool {
    let mut operands = git.args.iter().filter(|word| !is_option(word)).map(|word| word.text.as_str());
    let first = operands.next();
    let all_of = |options: &[&str]| {
        git.args
            .iter()
            .filter(|w| is_option(w))
            .all(|w| options.iter().any(|o| w.text == *o || w.text.starts_with(&format!("{o}="))))
    };
    match git.verb {
        "branch" => {
            let lists = [
                "--show-current",
                "--list",
                "-l",
                "-a",
                "--all",
                "-r",
                "--remotes",
                "-v",
                "-vv",
                "--contains",
                "--no-contains",
                "--merged",
                "--no-merged",
                "--sort",
                "--format",
                "--points-at",
            ];
            all_of(&lists)
                && (first.is_none() || !git.args.is_empty() && is_option(&git.args[0]) && git.args[0].text != "-v")
        }
        "tag" => {
            all_of(&["-l", "--list", "-n", "--contains", "--merged", "--sort", "--points-at"])
                && (first.is_none() || git.args.first().is_some_and(is_option))
        }
        "stash" => matches!(first, Some("list" | "show")),
        "worktree" => first == Some("list"),
        "remote" => all_of(&["-v", "--verbose"]) && matches!(first, None | Some("get-url")),
        "reflog" => matches!(first, None | Some("show")),
        "config" => {
            matches!(first, Some("get" | "list"))
                || git
                    .args
                    .first()
                    .is_some_and(|word| word.text.starts_with("--get") || matches!(word.text.as_str(), "--list" | "-l"))
        }
        verb => GIT_READS.contains(&verb),
    }
}

/// Whether `-c name=value` only changes the appearance of git's output, and starts no program.
fn is_harmless_setting(setting: &str) -> bool {
    let Some((name, value)) = setting.split_once('=') else { return false };
    let name = name.to_ascii_lowercase();
    name.starts_with("color.")
        || name.starts_with("advice.")
        || matches!(
            name.as_str(),
            "core.quotepath"
                | "log.date"
                | "user.name"
                | "user.email"
                | "diff.renames"
                | "merge.conflictstyle"
                | "rebase.autosquash"
        )
        || matches!(name.as_str(), "core.pager" | "core.editor" | "sequence.editor") && IDLE.contains(&value)
}

/// Whether an option of git neither starts a program nor writes a file.
fn is_harmless_option(verb: &str, text: &str) -> bool {
    if !text.starts_with('-') {
        return true;
    }
    let starts = [
        "--output",
        "--ext-diff",
        "--open-files-in-pager",
        "--upload-pack",
        "--receive-pack",
        "--textconv",
        "--template",
    ];
    let in_pager = verb == "grep" && text.starts_with("-O");
    let abbreviated = text.len() > 3
        && text.starts_with("--")
        && starts.iter().any(|option| {
            option.starts_with(text.split('=').next().unwrap_or_default()) && !matches!(text, "--out" | "--text")
        });
    let is_text = text == "--text";
    is_text || !(in_pager || abbreviated || starts.iter().any(|option| text.starts_with(option)))
}
