//! Arguments that a program gets from `find` or through a pipe. It is judged as if they stood after it in the text.

use super::script::{Call, is_option};
use super::shell::{UNKNOWN, Word};

/// How many paths a program is judged with at most.
const MAX_HANDED: usize = 8;

/// A program with more words than this is judged with one path only: its words may be many programs nested in each other.
const MAX_WORDS: usize = 32;

fn at_most(words: &[Word]) -> usize {
    if words.len() <= MAX_WORDS { MAX_HANDED } else { 1 }
}

/// How many programs may stand between the one that names paths and the one that gets them.
const MAX_BETWEEN: usize = 8;

/// Programs that pass on only a part of their input, or a changed form of it.
const FILTERS: &[&str] =
    &["grep", "egrep", "fgrep", "rg", "head", "tail", "sort", "uniq", "sed", "awk", "tr", "cut", "tee"];

/// Options of `find` that come before the folders where it starts.
const BEFORE_STARTS: &[&str] = &["-H", "-L", "-P"];

/// Returns the folders where `find` or `fd` starts.
pub(super) fn starts<'a>(program: &str, args: &'a [Word]) -> Vec<&'a Word> {
    let args = args.iter().skip_while(|word| BEFORE_STARTS.contains(&word.text.as_str()));
    let starts = args.take_while(|word| !is_option(word) && !matches!(word.text.as_str(), "(" | "!"));
    // The pattern of `fd` comes first.
    starts.skip(usize::from(program != "find")).collect()
}

/// Returns the programs that `find` runs, with their arguments for paths below each folder where it starts.
pub(super) fn by_find(call: &Call<'_>, programs: &[&[Word]]) -> Vec<Vec<Word>> {
    let starts = starts(call.program, call.args);
    let below: Vec<Word> = match starts.as_slice() {
        [] => vec![below(".")],
        starts => starts.iter().take(MAX_HANDED).map(|start| below(&start.text)).collect(),
    };
    let appends = call.program != "find";
    let each = |words: &&[Word]| {
        let paths = below.iter().take(at_most(words));
        paths.map(|path| handed(words, "{}", path, appends)).collect::<Vec<_>>()
    };
    programs.iter().flat_map(each).collect()
}

/// Returns the program that `xargs` starts, with its arguments from the pipe; empty if nothing of these is known.
pub(super) fn by_pipe(call: &Call<'_>, words: &[Word]) -> Vec<Vec<Word>> {
    if !matches!(call.program, "xargs" | "parallel") {
        return Vec::new();
    }
    let place = place_of_each(call.args);
    let paths = piped(call).unwrap_or_default();
    paths.iter().take(at_most(words)).map(|path| handed(words, &place, path, place.is_empty())).collect()
}

/// Returns the placeholder for each path in the arguments of `xargs`; empty if paths come last.
fn place_of_each(args: &[Word]) -> String {
    let option = args.iter().position(|word| word.text.starts_with("-I"));
    let Some(at) = option else { return String::new() };
    let attached = &args[at].text[2..];
    if attached.is_empty() {
        args.get(at + 1).map(|word| word.text.clone()).unwrap_or_default()
    } else {
        attached.to_owned()
    }
}

fn handed(words: &[Word], place: &str, path: &Word, appends: bool) -> Vec<Word> {
    let is_placed = !place.is_empty() && words.iter().any(|word| word.text.contains(place));
    if !is_placed {
        let last = appends.then(|| path.clone());
        return words.iter().cloned().chain(last).collect();
    }
    let put = |word: &Word| word.with(word.text.replace(place, &path.text));
    words.iter().map(put).collect()
}

/// Returns the paths that come through the pipe; `None` if nothing is known of them.
fn piped(call: &Call<'_>) -> Option<Vec<Word>> {
    let mut command = call.upstream()?;
    let mut is_filtered = false;
    for _ in 0..MAX_BETWEEN {
        let (program, args) = command.words.split_first()?;
        let operands = || args.iter().filter(|word| !is_option(word));
        let paths: Vec<Word> = match program.text.rsplit('/').next().unwrap_or_default() {
            name if FILTERS.contains(&name) => {
                is_filtered = true;
                command = call.before(command)?;
                continue;
            }
            name @ ("find" | "fd" | "fdfind") => match starts(name, args).as_slice() {
                [] => vec![below(".")],
                starts => starts.iter().map(|start| below(&start.text)).collect(),
            },
            "ls" if operands().next().is_none() => vec![Word::literal("*")],
            "ls" | "echo" => operands().cloned().collect(),
            "printf" => operands().skip(1).cloned().collect(),
            _ => return None,
        };
        let some_of = |path: Word| path.with(path.text.replace('*', &UNKNOWN.to_string()));
        return Some(if is_filtered { paths.into_iter().map(some_of).collect() } else { paths });
    }
    None
}

/// Returns an unknown path below a folder.
fn below(folder: &str) -> Word {
    Word::literal(&format!("{}/{UNKNOWN}", folder.trim_end_matches('/')))
}
