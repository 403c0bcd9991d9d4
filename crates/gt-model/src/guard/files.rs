//! Rules for files: which paths a role may write to, which trees it may delete, and which files it must not show.

use std::path::Path;

use super::script::{Call, Owner, Scene, is_option};
use super::shell::{UNKNOWN, Word};
use super::{Refusal, Role, handed, refuse};
use crate::clients::{self, Client};

/// Judges a program by the files in its arguments.
pub(super) fn judge(scene: &Scene<'_>, call: &Call<'_>) -> Option<Refusal> {
    secrets(scene, call)
        .or_else(|| removal(scene, call))
        .or_else(|| written(call).find_map(|word| write(scene, &word.text)))
        .or_else(|| output(call).and_then(|path| write(scene, path)))
        .or_else(|| put_into(call).into_iter().find_map(|path| settings(scene, &scene.resolve(&path)?)))
}

/// Judges writing to a path.
pub(super) fn write(scene: &Scene<'_>, path: &str) -> Option<Refusal> {
    if scene.role == Role::Other {
        return None;
    }
    if let Some(refusal) = hidden_settings(scene, path) {
        return Some(refusal);
    }
    let path = scene.resolve(path)?;
    settings(scene, &path).or_else(|| match scene.owner_of(&path) {
        Owner::Own | Owner::Temporary => None,
        _ if scene.role == Role::Crew => crew_writes(scene, &path),
        _ if is_clients(scene, &path) => None,
        _ if scene.role == Role::Mayor => {
            refuse("the mayor edits no project", "make a bead of it and sling it: gt bead create, gt sling")
        }
        Owner::Town => refuse("that is not in your worktree", "work in your own; gt mail send tells others"),
        Owner::User => refuse("that is outside your worktree", "write into your worktree or a temporary folder"),
    })
}

/// Refuses an agent in a person's workspace to write to workers' folders. All other paths are allowed.
fn crew_writes(scene: &Scene<'_>, path: &Path) -> Option<Refusal> {
    let rig = scene.place.rig.as_ref()?;
    if path.starts_with(rig.join("polecats"))
        || path.starts_with(rig.join("refinery"))
        || path.starts_with(rig.join(".repo.git"))
    {
        return refuse(
            "a worker has that in its hands",
            "gt mail send <rig>/polecats/<name>, or gt unsling its bead first",
        );
    }
    None
}

/// Refuses changing settings of gt and of the client, in any folder.
fn settings(scene: &Scene<'_>, path: &Path) -> Option<Refusal> {
    if scene.role == Role::Crew {
        return None;
    }
    let place = scene.place;
    let is_gts = path == place.town.join("town.toml")
        || place.rig.as_ref().is_some_and(|rig| path == rig.join("rig.toml"))
        || path.parent().and_then(Path::parent) == Some(&place.town) && path.ends_with("rig.toml")
        || ["directives", "bin", ".beads", "deacon"].iter().any(|folder| path.starts_with(place.town.join(folder)));
    if is_gts {
        return refuse("gt's settings and ledger are not yours", "use gt's verbs, or ask the overseer by gt mail send");
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    let is_clients = is_clients_settings(folder, name) || is_replaced(name) && place.home.as_deref() == path.parent();
    if is_clients {
        return refuse(CLIENTS_SETTINGS, ASK_OVERSEER);
    }
    None
}

const CLIENTS_SETTINGS: &str = "the settings of your client are not yours to change";
const ASK_OVERSEER: &str = "ask the overseer by gt mail send";

/// Judges a path to settings if only its end is known, for example because its folder is unknown.
fn hidden_settings(scene: &Scene<'_>, path: &str) -> Option<Refusal> {
    if scene.cwd.is_none() && !path.contains(UNKNOWN) && !path.starts_with(['/', '~']) {
        return hidden_settings(scene, &format!("{UNKNOWN}/{path}"));
    }
    let at = path.rfind(UNKNOWN)?;
    if matches!(scene.role, Role::Crew | Role::Other) {
        return None;
    }
    let tail = &path[at + UNKNOWN.len_utf8()..];
    let (folders, name) = tail.rsplit_once('/')?;
    let folder = folders.rsplit('/').next().unwrap_or_default();
    // The folder itself is unknown: it may be any folder that has a file with this name.
    let may_be = folder.is_empty()
        && (Client::ALL.iter().any(|client| (client.state().is_settings)(name))
            || is_replaced(name)
            || matches!(name, "town.toml" | "rig.toml" | "beads.db"));
    if is_clients_settings(folder, name) || may_be {
        return refuse("that may be the settings of your client or of gt", ASK_OVERSEER);
    }
    None
}

/// Whether a file of that name in a folder of that name is settings of a client.
fn is_clients_settings(folder: &str, name: &str) -> bool {
    clients::states().any(|state| state.folder == folder && (state.is_settings)(name))
}

/// Whether a client keeps its state in a file of that name right in the home.
fn is_replaced(name: &str) -> bool {
    clients::states().any(|state| state.replaced == Some(name))
}

/// Returns the paths that a program creates when it copies or moves files into a folder. If the target is a client's whole
/// folder, this includes its settings file.
fn put_into(call: &Call<'_>) -> Vec<String> {
    if !matches!(call.program, "cp" | "mv" | "install" | "ln" | "rsync") {
        return Vec::new();
    }
    let Some(target) = target(call) else { return Vec::new() };
    let folder = target.text.trim_end_matches('/');
    let name = folder.rsplit('/').next().unwrap_or_default();
    let mut paths: Vec<String> = sources(call)
        .map(|word| word.text.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned())
        .map(|source| format!("{folder}/{source}"))
        .collect();
    let settings = ["settings.json", "config.toml"].into_iter().find(|file| is_clients_settings(name, file));
    if let Some(file) = settings {
        // The copied tree may contain settings.
        let brings =
            call.has(&["-r", "-R", "-a", "--recursive", "--archive"]) || matches!(call.program, "mv" | "ln" | "rsync");
        paths.extend(brings.then(|| format!("{folder}/{file}")));
    }
    paths
}

/// Whether a path belongs to files that a client keeps in the user's home: plans, memory, caches.
fn is_clients(scene: &Scene<'_>, path: &Path) -> bool {
    let Some(home) = &scene.place.home else { return false };
    let mut notes = clients::states().flat_map(|state| state.notes).chain([&".cache"]);
    notes.any(|folder| path.starts_with(home.join(folder)))
}

/// Returns the files that a program writes, according to its arguments.
fn written<'a>(call: &Call<'a>) -> Box<dyn Iterator<Item = &'a Word> + 'a> {
    let operands = call.operands();
    match call.program {
        "tee" | "rm" | "rmdir" | "unlink" | "touch" | "mkdir" | "truncate" | "shred" | "sponge" | "ed" | "ex"
        | "patch" => Box::new(operands),
        // The first operand is the mode or the owner.
        "chmod" | "chown" | "chgrp" => Box::new(operands.skip(1)),
        "cp" | "install" | "ln" | "rsync" | "scp" => Box::new(target(call).into_iter()),
        "mv" => Box::new(operands),
        "awk" | "gawk" if call.has(&["-i"]) => Box::new(operands.skip(2)),
        "sed" | "perl" | "ruby" if edits_in_place(call) => {
            Box::new(operands.skip(usize::from(!call.has(&["-e", "-f"]))))
        }
        _ => Box::new(std::iter::empty()),
    }
}

/// Programs that write to the file that one of these options names.
const OUTPUTS: &[(&str, &[&str])] = &[
    ("curl", &["-o", "--output"]),
    ("wget", &["-O", "--output-document"]),
    ("sort", &["-o", "--output"]),
    ("unzip", &["-d"]),
    ("openssl", &["-out"]),
    ("find", &["-fprint", "-fprintf", "-fls"]),
];

/// Returns the file or folder that an option names as output.
fn output<'a>(call: &Call<'a>) -> Option<&'a str> {
    if call.program == "tar" && unpacks(call) {
        return value(call.args, &["-C", "--directory"]);
    }
    let (_, options) = OUTPUTS.iter().find(|(program, _)| *program == call.program)?;
    value(call.args, options)
}

fn unpacks(call: &Call<'_>) -> bool {
    // Its letters come first, with or without a `-`.
    call.has(&["-x", "--extract", "--get"])
        || call.args.first().is_some_and(|word| !is_option(word) && word.text.contains('x'))
}

/// Returns the value of one of these options, either attached or the next word. A short option may also stand in a cluster.
fn value<'a>(args: &'a [Word], options: &[&str]) -> Option<&'a str> {
    args.iter().enumerate().find_map(|(at, word)| {
        let rest = options.iter().find_map(|option| behind(&word.text, option))?;
        if rest.is_empty() { args.get(at + 1).map(|next| next.text.as_str()) } else { Some(rest) }
    })
}

/// Returns what is attached to an option in a word; `None` if the word does not contain the option.
fn behind<'a>(word: &'a str, option: &str) -> Option<&'a str> {
    match option.strip_prefix('-') {
        Some(letter) if letter.len() == 1 => {
            let cluster = word.strip_prefix('-').filter(|cluster| !cluster.starts_with('-'))?;
            cluster.split_once(letter).map(|(_, rest)| rest)
        }
        _ if word == option => Some(""),
        _ => word.strip_prefix(option)?.strip_prefix('='),
    }
}

fn edits_in_place(call: &Call<'_>) -> bool {
    call.args.iter().any(|word| {
        word.text.starts_with("-i")
            || word.text == "--in-place"
            || word.text.starts_with("--in-place=")
            || word.text.starts_with("-pi")
    })
}

/// Returns the target of copying: the value of `-t`, or the last of several words.
fn target<'a>(call: &Call<'a>) -> Option<&'a Word> {
    let by_option = call.args.iter().position(|word| word.text == "-t" || word.text == "--target-directory");
    if let Some(at) = by_option {
        return call.args.get(at + 1);
    }
    let target = call.operands().last().filter(|_| call.operands().nth(1).is_some())?;
    // `host:path` is on another machine.
    let is_remote = target.text.split_once(':').is_some_and(|(host, _)| !host.contains('/'));
    (!is_remote).then_some(target)
}

/// Returns the files that are copied or moved.
fn sources<'a>(call: &Call<'a>) -> impl Iterator<Item = &'a Word> {
    let target = target(call).map(|word| word.text.as_str());
    call.operands().filter(move |word| Some(word.text.as_str()) != target)
}

const OWN_ONLY: &str = "remove only what is yours, by its path in your worktree";

/// Refuses deleting trees outside the agent's own place.
fn removal(scene: &Scene<'_>, call: &Call<'_>) -> Option<Refusal> {
    match call.program {
        "rm" if call.has(&["-r", "-R", "--recursive"]) => {
            call.operands().find_map(|word| remove_tree(scene, word)).or_else(|| given(scene, call))
        }
        "rm" => given(scene, call),
        "find" | "fd" | "fdfind" if deletes(call) => found(scene, call.program, call.args),
        "dd" => call.args.iter().find_map(|word| write(scene, word.text.strip_prefix("of=")?)),
        // Files that are not in the source are deleted.
        "rsync" if call.args.iter().any(|word| word.text.starts_with("--delete")) => remove_tree(scene, target(call)?),
        "mv" => sources(call).find_map(|word| whole_place(scene, word)),
        _ => None,
    }
}

/// Judges deleting what a `find` passes on through `xargs`.
fn given(scene: &Scene<'_>, call: &Call<'_>) -> Option<Refusal> {
    let (program, args) = call.upstream()?.words.split_first()?;
    if program.text == "find" { found(scene, "find", args) } else { None }
}

/// Judges deleting what `find` finds.
fn found(scene: &Scene<'_>, program: &str, args: &[Word]) -> Option<Refusal> {
    let here = Word::literal(".");
    let mut starts = handed::starts(program, args);
    if starts.is_empty() {
        starts.push(&here);
    }
    starts.into_iter().find_map(|start| {
        let all = if narrows(args) { None } else { whole_place(scene, start) };
        all.or_else(|| sweep(scene, &start.text))
    })
}

/// Tests of `find` that select only a part of the files.
const NARROWING: &[&str] = &[
    "-name",
    "-iname",
    "-path",
    "-ipath",
    "-wholename",
    "-iwholename",
    "-regex",
    "-iregex",
    "-empty",
    "-newer",
    "-mtime",
    "-mmin",
    "-size",
    "-samefile",
    "-inum",
];

/// Whether a test selects the files that it names, and not all others.
fn narrows(args: &[Word]) -> bool {
    args.iter().enumerate().any(|(at, word)| {
        let is_negated = at > 0 && matches!(args[at - 1].text.as_str(), "!" | "-not");
        let is_all = args.get(at + 1).is_some_and(|value| matches!(value.text.as_str(), "*" | "./*" | ".*" | ".*/.*"));
        NARROWING.contains(&word.text.as_str()) && !is_negated && !is_all
    })
}

fn deletes(call: &Call<'_>) -> bool {
    let removes = |word: &Word| matches!(word.text.rsplit('/').next(), Some("rm" | "shred" | "unlink"));
    call.args.iter().any(|word| word.text == "-delete")
        || call.args.windows(2).any(|pair| {
            let runs = ["-exec", "-ok"].iter().any(|option| pair[0].text.starts_with(option));
            runs && removes(&pair[1])
        })
}

/// Judges deleting things below a folder.
fn sweep(scene: &Scene<'_>, start: &str) -> Option<Refusal> {
    match scene.owner(start)? {
        Owner::Own => None,
        Owner::Temporary if is_below_temporary(scene, start) => None,
        _ => refuse("that would remove what is not yours", OWN_ONLY),
    }
}

/// Judges deleting a whole folder.
fn remove_tree(scene: &Scene<'_>, target: &Word) -> Option<Refusal> {
    whole_place(scene, target).or_else(|| sweep(scene, &target.text))
}

/// Refuses deleting the agent's whole place, everything in it by a pattern, or the files that make it a worktree.
fn whole_place(scene: &Scene<'_>, target: &Word) -> Option<Refusal> {
    let text = if target.output_of == ["pwd"] { target.text.replace(UNKNOWN, ".") } else { target.text.clone() };
    // The known part may be just the folder above the unknown part.
    if text.contains(UNKNOWN) {
        return None;
    }
    let (path, own) = (scene.resolve(&text)?, &scene.place.own);
    let is_all = path == own.join("*");
    if path == *own || path == own.join(".git") || is_all {
        return refuse("that is your whole place", "remove single folders in it; gt done clears up the rest");
    }
    None
}

/// Whether the path lies inside a folder for temporary files. The folders themselves must stay.
fn is_below_temporary(scene: &Scene<'_>, target: &str) -> bool {
    let Some(path) = scene.resolve(target) else { return true };
    let is_folder = ["/tmp", "/var/tmp", "/dev", "/dev/shm"].iter().any(|folder| path == Path::new(folder));
    // `/tmp/*` belongs to all users.
    let is_all = path.parent() == Some(Path::new("/tmp")) && path.file_name().is_some_and(|name| name == "*");
    let unknown_in_it = target.contains(UNKNOWN);
    (!is_folder || unknown_in_it) && !is_all
}

/// Programs that show the content of the files in their arguments.
const SHOWS: &[&str] = &[
    "cat", "less", "more", "head", "tail", "bat", "batcat", "nl", "tac", "strings", "xxd", "od", "hexdump", "base64",
    "grep", "rg", "egrep", "fgrep", "awk", "sed", "cut", "sort", "jq", "yq", "view", "diff", "tee", "cp", "scp",
    "rsync", "curl", "paste", "column", "fold", "openssl", "nc",
];

const NOT_SHOWN: &str = "that shows a secret";
const USE_IT: &str = "let the program that needs it read it; never print it";

/// Judges showing the content of a file.
pub(super) fn show(scene: &Scene<'_>, path: &str) -> Option<Refusal> {
    let path = scene.resolve(path)?;
    if is_secret(scene, &path) { refuse(NOT_SHOWN, USE_IT) } else { None }
}

fn secrets(scene: &Scene<'_>, call: &Call<'_>) -> Option<Refusal> {
    if SHOWS.contains(&call.program) {
        // The pattern of a search is not a file.
        let patterns =
            usize::from(matches!(call.program, "grep" | "rg" | "egrep" | "fgrep" | "awk" | "sed" | "jq" | "yq"));
        let files = call.operands().skip(patterns).chain(&call.command.reads);
        let files = files.map(|word| word.text.trim_start_matches('@'));
        return files.into_iter().find_map(|path| show(scene, path));
    }
    let shown = match call.program {
        "env" | "printenv" | "set" | "export" | "declare" | "typeset" => shows_environment(call),
        "echo" | "printf" => {
            !call.command.output_goes_on
                && call.args.iter().flat_map(|word| &word.shows).any(|name| is_secret_name(name))
        }
        "gh" => call.verb() == "auth" && second(call) == "token",
        "git-credential" => true,
        "gcloud" => call.args.iter().any(|word| word.text.starts_with("print-") && word.text.ends_with("-token")),
        "aws" => call.verb() == "configure" && second(call) == "export-credentials",
        "security" => call.verb().starts_with("find-") && call.has(&["-w", "-g"]),
        "gpg" => call.args.iter().any(|word| word.text.starts_with("--export-secret")),
        "pass" => call.verb() == "show",
        _ => false,
    };
    // Output that goes to another program is used, not shown.
    let goes_on =
        call.command.output_goes_on && !matches!(call.program, "env" | "printenv" | "set" | "export" | "declare");
    if shown && !goes_on { refuse(NOT_SHOWN, USE_IT) } else { None }
}

fn second<'a>(call: &Call<'a>) -> &'a str {
    call.operands().nth(1).map_or("", |word| word.text.as_str())
}

/// Whether the whole environment, or a secret in it, is printed.
fn shows_environment(call: &Call<'_>) -> bool {
    let all = match call.program {
        "env" => call.args.iter().all(|word| matches!(word.text.as_str(), "-0" | "--null")),
        "printenv" => call.operands().next().is_none(),
        "set" => call.args.is_empty(),
        _ => call.operands().next().is_none() && call.has(&["-p", "-x"]),
    };
    if all {
        return !hides(call);
    }
    let names = call.operands().map(|word| word.text.as_str());
    call.program == "printenv" && !call.command.output_goes_on && names.into_iter().any(is_secret_name)
}

/// Whether the program that the environment is piped into lets through only harmless lines, or only names.
fn hides(call: &Call<'_>) -> bool {
    let Some(next) = call.downstream() else { return !call.command.writes.is_empty() };
    let Some((program, args)) = next.words.split_first() else { return false };
    let pattern = args.iter().find(|word| !is_option(word)).map(|word| word.text.as_str()).unwrap_or_default();
    match program.text.as_str() {
        "grep" | "rg" | "egrep" => {
            let harmless =
                !pattern.is_empty() && pattern != "." && !pattern.contains(['*', '=']) && !is_secret_name(pattern);
            harmless
                && !args.iter().any(|word| is_option(word) && !word.text.starts_with("--") && word.text.contains('v'))
                || args.iter().any(|word| is_option(word) && word.text.contains(['c', 'q']))
        }
        "cut" => args.iter().any(|word| word.text == "-f1" || word.text == "-f"),
        "wc" | "true" | "sha256sum" => true,
        _ => false,
    }
}

/// Whether a variable with this name contains a secret.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let ends = ["_TOKEN", "_KEY", "_SECRET", "_PASSWORD", "_PASSWD", "_CREDENTIALS", "_PAT", "_INCARNATION"];
    let is_public = name.contains("PUBLIC") || name.ends_with("SSH_KEY_PATH");
    let is_whole = ["TOKEN", "SECRET", "PASSWORD", "APIKEY", "API_KEY", "ANTHROPIC", "GT_INCARNATION", "PGPASSWORD"]
        .contains(&name.as_str());
    !is_public && (is_whole || ends.iter().any(|end| name.ends_with(end)))
}

/// Files with secrets, relative to the user's home.
const SECRET_FILES: &[&str] = &[
    ".git-credentials",
    ".netrc",
    ".pgpass",
    ".npmrc",
    ".pypirc",
    ".config/gh/hosts.yml",
    ".config/git/credentials",
    ".config/glab-cli/config.yml",
    ".aws/credentials",
    ".docker/config.json",
    ".kube/config",
    ".cargo/credentials.toml",
    ".vault-token",
    ".env",
];

/// Folders with secrets, relative to the user's home.
const SECRET_FOLDERS: &[&str] = &[".gnupg", ".password-store", ".config/gcloud", ".azure", ".local/share/keyrings"];

fn is_secret(scene: &Scene<'_>, path: &Path) -> bool {
    if path.starts_with(&scene.place.own) {
        // A worker may read all files of its own project, its `.env` as well.
        return false;
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Some(home) = &scene.place.home
        && let Ok(rest) = path.strip_prefix(home)
    {
        let in_folder = SECRET_FOLDERS.iter().any(|folder| rest.starts_with(folder));
        let mut files = clients::states().flat_map(|state| state.secrets).chain(SECRET_FILES);
        let is_file = files.any(|file| rest == Path::new(file));
        let is_ssh = rest.starts_with(".ssh") && !is_public_ssh(name);
        let is_env = name == ".env"
            || (name.starts_with(".env.") && !["example", "sample", "template"].iter().any(|end| name.ends_with(end)));
        return in_folder || is_file || is_ssh || is_env;
    }
    let is_environment = path.starts_with("/proc") && name == "environ";
    is_environment || matches!(path.to_str(), Some("/etc/shadow" | "/etc/gshadow" | "/etc/sudoers"))
}

fn is_public_ssh(name: &str) -> bool {
    name.ends_with(".pub") || matches!(name, "known_hosts" | "config" | "authorized_keys")
}
