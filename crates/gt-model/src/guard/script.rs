//! Judges scripts: follows changes of the working folder, looks through programs that only start others, and applies the rules.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::shell::{self, Command, Item, MAX_DEPTH, Script, UNKNOWN, Word};
use super::{MAX_COMMAND_BYTES, Place, Refusal, Role, files, git, handed, machine, refuse, town};

/// How many programs that only start the next one are looked through.
const MAX_STARTERS: usize = 16;

/// State of a script while it is judged.
#[derive(Clone, Debug)]
pub(super) struct Scene<'a> {
    pub role: Role,
    pub place: &'a Place,
    /// Working folder; `None` if it can't be known.
    pub cwd: Option<PathBuf>,
    /// Whether the script has activated a virtual environment of Python.
    pub in_venv: bool,
    depth: usize,
}

/// Owner of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The agent.
    Own,
    /// No one: a folder for temporary files, or a device.
    Temporary,
    /// The town, or another agent in it.
    Town,
    /// The user or the system.
    User,
}

/// A program that is about to run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// Name without the folder.
    pub program: &'a str,
    /// The word as written.
    pub path: &'a Word,
    pub args: &'a [Word],
    /// Command that it belongs to, with its surroundings.
    pub command: &'a Command,
    /// Script that it belongs to.
    pub script: &'a Script,
}

impl<'a> Call<'a> {
    /// Returns the arguments that are not options.
    pub fn operands(&self) -> impl Iterator<Item = &'a Word> + use<'a> {
        let end = self.args.iter().position(|word| word.text == "--").unwrap_or(self.args.len());
        let (before, after) = self.args.split_at(end);
        before.iter().filter(|word| !is_option(word)).chain(after.iter().skip(1))
    }

    /// Returns the first argument that is not an option.
    pub fn verb(&self) -> &'a str {
        self.operands().next().map_or("", |word| word.text.as_str())
    }

    /// Whether one of these options is given. A short one may also stand in a cluster.
    pub fn has(&self, options: &[&str]) -> bool {
        has_option(self.args, options)
    }

    /// Returns the value of an assignment before it.
    pub fn env(&self, name: &str) -> Option<&'a Word> {
        self.command.assigns.iter().find(|(assigned, _)| assigned == name).map(|(_, value)| value)
    }

    /// Returns the command that pipes into it.
    pub fn upstream(&self) -> Option<&'a Command> {
        self.before(self.command)
    }

    /// Returns the command that pipes into another command of the same script.
    pub fn before(&self, command: &Command) -> Option<&'a Command> {
        item(self.script, command.piped_from?)
    }

    /// Returns the command that it pipes into.
    pub fn downstream(&self) -> Option<&'a Command> {
        item(self.script, self.command.pipes_into?)
    }
}

fn item(script: &Script, index: usize) -> Option<&Command> {
    match script.items.get(index)? {
        Item::Run(command) => Some(command),
        Item::Enter | Item::Leave => None,
    }
}

pub(super) fn is_option(word: &Word) -> bool {
    word.text.len() > 1 && word.text.starts_with('-')
}

/// Whether one of these options is among the arguments before `--`. `-x` may also stand in a cluster, and `--x` may also have a
/// value.
pub(super) fn has_option(args: &[Word], options: &[&str]) -> bool {
    let args = args.iter().map(|word| word.text.as_str()).take_while(|text| *text != "--");
    args.filter(|text| text.starts_with('-')).any(|text| options.iter().any(|option| is(text, option)))
}

fn is(text: &str, option: &str) -> bool {
    match option.strip_prefix('-') {
        Some(letter) if letter.len() == 1 => !text.starts_with("--") && text[1..].contains(letter),
        _ => text == option || text.strip_prefix(option).is_some_and(|rest| rest.starts_with('=')),
    }
}

impl<'a> Scene<'a> {
    pub fn new(role: Role, place: &'a Place) -> Self {
        Self { role, place, cwd: Some(place.cwd.clone()), in_venv: false, depth: 0 }
    }

    /// Resolves the known beginning of a path; `None` if nothing of it is known.
    pub fn resolve(&self, text: &str) -> Option<PathBuf> {
        let known = match text.find(UNKNOWN) {
            None => text,
            // The component with the unknown part is unknown as a whole.
            Some(at) => &text[..=text[..at].rfind('/')?],
        };
        if known.starts_with('~') {
            return None;
        }
        let path = Path::new(known);
        if path.is_absolute() { Some(normal(path)) } else { Some(normal(&self.cwd.as_ref()?.join(path))) }
    }

    /// Returns the owner of a path; `None` if it can't be known.
    pub fn owner(&self, text: &str) -> Option<Owner> {
        self.resolve(text).map(|path| self.owner_of(&path))
    }

    /// Returns the owner of a resolved path.
    pub fn owner_of(&self, path: &Path) -> Owner {
        let place = self.place;
        let temporary = ["/tmp", "/var/tmp", "/dev"].iter().map(Path::new).chain(place.temp.as_deref());
        if path.starts_with(&place.own) {
            Owner::Own
        } else if path.starts_with(&place.town) {
            Owner::Town
        } else if temporary.into_iter().any(|folder| path.starts_with(folder)) {
            Owner::Temporary
        } else {
            Owner::User
        }
    }

    pub fn variables(&self) -> BTreeMap<String, String> {
        let named = [("HOME", self.place.home.as_ref()), ("GT_TOWN", Some(&self.place.town))];
        let named = named.into_iter().filter_map(|(name, path)| Some((name.to_owned(), path?.to_str()?.to_owned())));
        named.collect()
    }
}

/// Removes `.` and `..` from a path, without looking at the disk.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts
}

/// Judges a text of shell.
pub(super) fn judge_text(scene: &mut Scene<'_>, text: &str) -> Option<Refusal> {
    if scene.depth > MAX_DEPTH {
        return None;
    }
    if text.len() > MAX_COMMAND_BYTES || scene.depth == MAX_DEPTH {
        return judge_visible(scene, text);
    }
    scene.depth += 1;
    let script = shell::read(text, &scene.variables());
    let refusal = judge_script(scene, &script);
    scene.depth -= 1;
    refusal
}

/// Judges a program with these words, without a shell in between.
pub(super) fn judge_words(scene: &mut Scene<'_>, words: &[&str]) -> Option<Refusal> {
    let words = words.iter().map(|word| Word::literal(word)).collect();
    let script = Script { items: vec![Item::Run(Command { words, ..Command::default() })], unread: Vec::new() };
    judge_script(scene, &script)
}

/// Programs whose names are searched for in text that is not read.
const VISIBLE: &[&str] = &["git", "gt", "bd", "rm", "sudo", "pkill", "killall"];
/// How many of them are judged in one piece of text.
const MAX_VISIBLE: usize = 8;

/// Judges text of unknown structure by the words in it.
fn judge_visible(scene: &Scene<'_>, text: &str) -> Option<Refusal> {
    let ends = |c: char| "\n;&|(){}`\"'$".contains(c);
    text.split(ends).find_map(|piece| {
        let words: Vec<&str> = piece.split_whitespace().collect();
        let named = (1..words.len()).filter(|at| VISIBLE.contains(&words[*at]));
        std::iter::once(0).chain(named).take(MAX_VISIBLE).find_map(|at| {
            // Texts within these words are not judged again.
            let mut scene = Scene { depth: MAX_DEPTH + 1, ..scene.clone() };
            judge_words(&mut scene, &words[at..])
        })
    })
}

fn judge_script(scene: &mut Scene<'_>, script: &Script) -> Option<Refusal> {
    let mut outer = Vec::new();
    for item in &script.items {
        match item {
            Item::Enter => outer.push((scene.cwd.clone(), scene.in_venv)),
            Item::Leave => {
                if let Some((cwd, in_venv)) = outer.pop() {
                    (scene.cwd, scene.in_venv) = (cwd, in_venv);
                }
            }
            Item::Run(command) => {
                if let Some(refusal) = judge_command(scene, script, command) {
                    return Some(refusal);
                }
            }
        }
    }
    script.unread.iter().find_map(|piece| judge_visible(scene, piece))
}

fn judge_command(scene: &mut Scene<'_>, script: &Script, command: &Command) -> Option<Refusal> {
    if let Some(refusal) = command.writes.iter().find_map(|word| files::write(scene, &word.text)) {
        return Some(refusal);
    }
    run(scene, script, command, &command.words)
}

/// Judges the program that these words of a command run.
fn run(scene: &mut Scene<'_>, script: &Script, command: &Command, words: &[Word]) -> Option<Refusal> {
    let mut words = words;
    // Looks through programs that only start another one, one after the other.
    for _ in 0..MAX_STARTERS {
        let (path, args) = words.split_first()?;
        let program = path.text.rsplit('/').next().unwrap_or_default();
        let call = Call { program, path, args, command, script };
        if let Some(refusal) = rules(scene, &call) {
            return Some(refusal);
        }
        match started_by(&call) {
            Started::Nothing => break,
            Started::Program(inner) => match handed::by_pipe(&call, inner) {
                given if given.is_empty() => words = inner,
                given => return each(scene, script, command, &given),
            },
            Started::Text(text) => return judge_text(scene, &text),
            Started::Each(programs) => {
                return each(scene, script, command, &handed::by_find(&call, &programs));
            }
        }
    }
    words.split_first().and_then(|(path, args)| {
        moves(scene, path, args);
        None
    })
}

fn each(scene: &mut Scene<'_>, script: &Script, command: &Command, programs: &[Vec<Word>]) -> Option<Refusal> {
    if scene.depth >= MAX_DEPTH {
        return None;
    }
    scene.depth += 1;
    let refusal = programs.iter().find_map(|words| run(scene, script, command, words));
    scene.depth -= 1;
    refusal
}

fn rules(scene: &mut Scene<'_>, call: &Call<'_>) -> Option<Refusal> {
    if !call.path.is_known() {
        return unknown_program(scene, call);
    }
    match call.program {
        "cd" | "pushd" => enter(scene, call),
        "git" => git::judge(scene, call),
        "gt" | "bd" => town::judge(scene, call),
        _ => machine::judge(scene, call).or_else(|| files::judge(scene, call)),
    }
}

/// Judges a program with an unknown name by arguments that are clear enough.
fn unknown_program(scene: &mut Scene<'_>, call: &Call<'_>) -> Option<Refusal> {
    match call.args.first()?.text.as_str() {
        "push" | "worktree" => git::judge(scene, &Call { program: "git", ..*call }),
        "-rf" | "-fr" | "-Rf" | "-fR" => files::judge(scene, &Call { program: "rm", ..*call }),
        _ => None,
    }
}

/// Refuses a worker to enter folders of others, because accidents start there.
fn enter(scene: &Scene<'_>, call: &Call<'_>) -> Option<Refusal> {
    if !matches!(scene.role, Role::Polecat) {
        return None;
    }
    let target = call.operands().next()?;
    let path = scene.resolve(&target.text).filter(|path| scene.owner_of(path) == Owner::Town)?;
    // Folders on the way to the agent's own are not owned by others.
    if scene.place.own.starts_with(&path) {
        return None;
    }
    refuse("that folder is not yours", "stay in your worktree; read others' files by their path")
}

/// Applies the changes that a program makes for the ones after it.
pub(super) fn moves(scene: &mut Scene<'_>, path: &Word, args: &[Word]) {
    let operand = args.iter().find(|word| !is_option(word));
    match path.text.as_str() {
        "cd" | "pushd" => {
            scene.cwd = match operand {
                Some(word) if word.is_known() => scene.resolve(&word.text),
                Some(_) => None,
                // The target of `cd -` can't be known.
                None if args.iter().any(|word| word.text == "-") => None,
                None => scene.place.home.clone(),
            };
        }
        "popd" => scene.cwd = None,
        "." | "source" => {
            scene.in_venv |= operand.is_some_and(|word| word.text.ends_with("/activate"));
        }
        _ => {}
    }
}

/// Programs that a program starts.
pub(super) enum Started<'a> {
    /// Nothing that must be judged.
    Nothing,
    /// A program.
    Program(&'a [Word]),
    /// A text of shell.
    Text(String),
    /// Several programs.
    Each(Vec<&'a [Word]>),
}

/// Programs that start the one in their arguments. Each comes with its options that take a value, and the number of words before
/// the started program.
const STARTERS: &[(&str, &str, usize)] = &[
    ("command", "", 0),
    ("builtin", "", 0),
    ("exec", "a", 0),
    ("nohup", "", 0),
    ("setsid", "", 0),
    ("nice", "n", 0),
    ("ionice", "cnpPu", 0),
    ("chrt", "TPD", 1),
    ("taskset", "", 1),
    ("timeout", "sk", 1),
    ("time", "fo", 0),
    ("stdbuf", "ioe", 0),
    ("unbuffer", "", 0),
    ("strace", "eopsSuEaPIO", 0),
    ("sudo", "ugpCDhRrtTU", 0),
    ("doas", "uC", 0),
    ("xargs", "aEIinLPsd", 0),
    ("parallel", "jaPn", 0),
    ("unshare", "", 0),
    ("busybox", "", 0),
    ("npx", "p", 0),
    ("flock", "wE", 1),
];

pub(super) fn started_by<'a>(call: &Call<'a>) -> Started<'a> {
    match call.program {
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "fish" => shell_text(call),
        "eval" => Started::Text(joined(call.args)),
        "watch" => Started::Text(joined(behind_options(call.args, "n"))),
        "trap" => call.args.first().map_or(Started::Nothing, |word| Started::Text(word.text.clone())),
        "alias" => {
            let values = call.args.iter().filter_map(|word| word.text.split_once('=')).map(|(_, value)| value);
            Started::Text(values.collect::<Vec<_>>().join("\n"))
        }
        "env" => env_program(call.args),
        "find" | "fd" | "fdfind" => Started::Each(executed(call.args)),
        "su" | "script" | "runuser" if call.has(&["-c"]) => option_text(call.args, "-c"),
        "flock" if call.has(&["-c"]) => option_text(call.args, "-c"),
        "command" if call.has(&["-v", "-V"]) => Started::Nothing,
        name => match STARTERS.iter().find(|(starter, ..)| *starter == name) {
            Some((_, with_value, skip)) => {
                Started::Program(behind_options(call.args, with_value).get(*skip..).unwrap_or_default())
            }
            None => Started::Nothing,
        },
    }
}

fn joined(words: &[Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Returns the words after the options. Options in `with_value` consume the next word unless their value is attached.
fn behind_options<'a>(args: &'a [Word], with_value: &str) -> &'a [Word] {
    let mut rest = args;
    while let Some((word, tail)) = rest.split_first() {
        let text = word.text.as_str();
        if text == "--" {
            return tail;
        }
        if !is_option(word) {
            return rest;
        }
        let takes_next = !text.starts_with("--") && text.len() == 2 && with_value.contains(&text[1..]);
        rest = if takes_next { tail.get(1..).unwrap_or_default() } else { tail };
    }
    rest
}

/// Returns the text of `sh -c TEXT`, also of `bash -euo pipefail -c TEXT`. Without `-c`, returns standard input.
fn shell_text<'a>(call: &Call<'a>) -> Started<'a> {
    let mut is_text = false;
    let mut reads_input = false;
    let mut args = call.args.iter();
    while let Some(word) = args.next() {
        let text = word.text.as_str();
        if !text.starts_with(['-', '+']) || text.len() < 2 {
            if is_text {
                return Started::Text(text.to_owned());
            }
            // A script file, or arguments for a script from standard input.
            return if reads_input { from_input(call) } else { Started::Nothing };
        }
        if !text.starts_with("--") {
            is_text |= text.contains('c');
            reads_input |= text.contains('s');
            if text.ends_with(['o', 'O']) {
                args.next();
            }
        }
    }
    from_input(call)
}

fn from_input<'a>(call: &Call<'a>) -> Started<'a> {
    call.command.input.clone().map_or(Started::Nothing, Started::Text)
}

fn option_text<'a>(args: &[Word], option: &str) -> Started<'a> {
    let at = args.iter().position(|word| word.text.ends_with(&option[1..]) && is_option(word));
    at.and_then(|at| args.get(at + 1)).map_or(Started::Nothing, |word| Started::Text(word.text.clone()))
}

/// Returns the program that `env -i A=b program` starts.
fn env_program(args: &[Word]) -> Started<'_> {
    if let Some(at) = args.iter().position(|word| word.text == "-S" || word.text == "--split-string") {
        return Started::Text(joined(&args[at + 1..]));
    }
    let rest = behind_options(args, "uC");
    let program = rest.iter().position(|word| shell::assignment(word).is_none()).unwrap_or(rest.len());
    Started::Program(&rest[program..])
}

/// Returns the programs that `find` runs for its results.
fn executed(args: &[Word]) -> Vec<&[Word]> {
    let mut programs = Vec::new();
    let mut rest = args;
    while let Some(at) = rest.iter().position(|word| is_exec(&word.text)) {
        rest = &rest[at + 1..];
        let end = rest.iter().position(|word| matches!(word.text.as_str(), ";" | "+")).unwrap_or(rest.len());
        programs.push(&rest[..end]);
        rest = &rest[end..];
    }
    programs
}

fn is_exec(text: &str) -> bool {
    matches!(text, "-exec" | "-execdir" | "-ok" | "-okdir" | "-x" | "-X" | "--exec" | "--exec-batch")
}
