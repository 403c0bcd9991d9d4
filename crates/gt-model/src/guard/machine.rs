//! Rules for the machine that all agents and people share: processes of others, packages, privileges, network shares. They apply
//! to agents that work unwatched: polecats and the mayor.

use super::script::{Call, Owner, Scene, is_option};
use super::shell::Command;
use super::{Refusal, Role, refuse};

/// Judges a program.
pub(super) fn judge(scene: &Scene<'_>, call: &Call<'_>) -> Option<Refusal> {
    if !matches!(scene.role, Role::Polecat | Role::Mayor) {
        return None;
    }
    privileges(call)
        .or_else(|| processes(call))
        .or_else(|| shares(call))
        .or_else(|| packages(scene, call))
        .or_else(|| installers(call))
        .or_else(|| forges(call))
}

fn privileges(call: &Call<'_>) -> Option<Refusal> {
    match call.program {
        "sudo" | "doas" | "su" | "pkexec" | "run0" | "runuser" => {
            refuse("agents work without privileges", "do it within your worktree, or ask the overseer by gt mail send")
        }
        "reboot" | "shutdown" | "poweroff" | "halt" => refuse("others work on this machine", "leave it running"),
        _ => None,
    }
}

const BY_ID: &str = "keep the pid ($!) of what you start and kill that";

/// Refuses ending processes by name, because processes of others may have the same name. Ending them by their id is allowed.
fn processes(call: &Call<'_>) -> Option<Refusal> {
    let by_name = match call.program {
        "pkill" | "killall" | "killall5" | "skill" => !call.has(&["-l", "--list", "--help", "--version"]),
        "fuser" => call.has(&["-k", "--kill"]),
        "kill" => kills_found(call) || kills_all(call),
        // Finds `pgrep x | xargs kill`.
        "xargs" => call.operands().any(|word| is_kill(&word.text)) && call.upstream().is_some_and(finds_processes),
        "tmux" => matches!(call.verb(), "kill-server"),
        _ => false,
    };
    if by_name { refuse("processes of that name are also others'", BY_ID) } else { None }
}

fn is_kill(text: &str) -> bool {
    text.rsplit('/').next() == Some("kill")
}

const FINDERS: &[&str] = &["pgrep", "pidof", "ps", "lsof", "fuser", "awk", "grep"];

fn finds_processes(command: &Command) -> bool {
    command.words.first().is_some_and(|word| FINDERS.contains(&word.text.as_str()))
}

/// Finds `kill $(pgrep x)`.
fn kills_found(call: &Call<'_>) -> bool {
    let mut outputs = call.args.iter().flat_map(|word| &word.output_of);
    outputs.any(|program| ["pgrep", "pidof", "ps", "lsof", "fuser"].contains(&program.as_str()))
}

/// Finds `kill -9 -1`.
fn kills_all(call: &Call<'_>) -> bool {
    let target = call.args.last().map(|word| word.text.as_str());
    target == Some("-1") && call.args.len() > 1
}

fn shares(call: &Call<'_>) -> Option<Refusal> {
    let mounts = match call.program {
        "mount" => call.operands().next().is_some() && !call.has(&["-l", "--help", "--version"]),
        "umount" | "sshfs" | "smbclient" | "smbmount" | "mount.nfs" | "mount.cifs" | "mount.smb3" | "davfs2" => true,
        "rclone" | "gio" => call.verb() == "mount",
        _ => false,
    };
    if mounts {
        refuse("network shares and mounts are the overseer's", "work with what is in your worktree")
    } else {
        None
    }
}

const LOCALLY: &str = "install into your worktree, or ask the overseer by gt mail send";

/// Refuses changing packages of the whole machine or of the user.
fn packages(scene: &Scene<'_>, call: &Call<'_>) -> Option<Refusal> {
    let outside = match call.program {
        "apt" | "apt-get" | "aptitude" | "dnf" | "yum" | "zypper" | "apk" | "brew" | "snap" | "flatpak" | "port"
        | "choco" | "winget" | "nix-env" => changes_packages(call),
        "pacman" => call.args.first().is_some_and(|word| {
            word.text.starts_with(['-']) && word.text.contains(['S', 'R', 'U']) && !word.text.contains(['s', 'i'])
        }),
        "dpkg" | "rpm" => {
            call.has(&["-i", "-r", "-P", "-e", "-U", "--install", "--remove", "--purge", "--upgrade", "--erase"])
        }
        "npm" | "pnpm" | "yarn" | "bun" => javascript(call),
        "pip" | "pip3" | "pipx" | "uv" | "easy_install" => python(scene, call, call.verb()),
        name if name.starts_with("python") => module(scene, call),
        "cargo" => call.verb() == "install" && !call.has(&["--list"]) && !is_own_folder(scene, call, &["--root"]),
        "go" => {
            call.verb() == "install"
                && call.env("GOBIN").is_none()
                && call.operands().any(|word| word.text.contains('@'))
        }
        "gem" => call.verb() == "install" && !is_own_folder(scene, call, &["-i", "--install-dir"]),
        "rustup" => {
            matches!(call.verb(), "update" | "default" | "self")
                || (call.operands().nth(1).is_some_and(|word| {
                    matches!(word.text.as_str(), "install" | "add" | "remove" | "uninstall" | "set")
                }))
        }
        "conda" | "mamba" => {
            matches!(call.verb(), "install" | "update" | "remove") && !is_own_folder(scene, call, &["-p", "--prefix"])
        }
        "corepack" => matches!(call.verb(), "enable" | "disable"),
        _ => false,
    };
    if outside { refuse("that changes packages outside your worktree, which all share", LOCALLY) } else { None }
}

fn changes_packages(call: &Call<'_>) -> bool {
    let verb = call.verb();
    let changes = [
        "install",
        "reinstall",
        "remove",
        "purge",
        "upgrade",
        "full-upgrade",
        "dist-upgrade",
        "update",
        "autoremove",
        "add",
        "del",
        "uninstall",
        "tap",
        "link",
        "unlink",
        "refresh",
        "groupinstall",
        "in",
        "rm",
        "build-dep",
    ];
    // `nix-env` uses options instead of verbs.
    let by_option = call.program == "nix-env" && call.has(&["-i", "-e", "-u", "--install", "--uninstall"]);
    (changes.contains(&verb) && !call.has(&["-s", "--simulate", "--dry-run", "--help"])) || by_option
}

fn javascript(call: &Call<'_>) -> bool {
    let verb = call.verb();
    if call.program == "yarn" && verb == "global" {
        return !matches!(call.operands().nth(1).map(|word| word.text.as_str()), Some("list" | "bin" | "dir"));
    }
    let changes =
        ["install", "i", "in", "add", "uninstall", "un", "remove", "rm", "r", "update", "up", "upgrade", "link", "ci"];
    call.operands().any(|word| changes.contains(&word.text.as_str()))
        && (call.has(&["-g", "--global", "--location=global"]) || asks_for(call, "--location", "global"))
}

fn asks_for(call: &Call<'_>, option: &str, value: &str) -> bool {
    call.args.windows(2).any(|pair| pair[0].text == option && pair[1].text == value)
}

/// Finds `python -m pip …`.
fn module(scene: &Scene<'_>, call: &Call<'_>) -> bool {
    let Some(at) = call.args.iter().position(|word| word.text == "-m") else { return false };
    let is_pip = call.args.get(at + 1).is_some_and(|word| matches!(word.text.as_str(), "pip" | "pip3" | "pipx"));
    let verb = call.args[at + 1..].iter().skip(1).find(|word| !is_option(word));
    is_pip && python(scene, call, verb.map_or("", |word| word.text.as_str()))
}

/// Whether pip or a similar tool changes packages outside an environment of the agent's own.
fn python(scene: &Scene<'_>, call: &Call<'_>, verb: &str) -> bool {
    if call.program == "uv" {
        let second = call.operands().nth(1).map(|word| word.text.as_str());
        return match verb {
            "pip" => call.has(&["--system"]) && matches!(second, Some("install" | "uninstall" | "sync")),
            "tool" => matches!(second, Some("install" | "uninstall" | "upgrade")),
            _ => false,
        };
    }
    let changes = matches!(verb, "install" | "uninstall" | "inject" | "upgrade") || call.program == "easy_install";
    if !changes || call.has(&["--dry-run", "--require-virtualenv"]) {
        return false;
    }
    // The program belongs to an environment within the worktree.
    let is_own = call.path.text.contains('/') && scene.owner(&call.path.text).is_none_or(|owner| owner != Owner::User);
    let is_venv = scene.in_venv || call.env("VIRTUAL_ENV").is_some() || is_own;
    (call.program == "pipx") || !(is_venv || is_own_folder(scene, call, &["-t", "--target", "--prefix", "--root"]))
}

/// Whether one of these options names a folder that is the agent's own, or that can't be known.
fn is_own_folder(scene: &Scene<'_>, call: &Call<'_>, options: &[&str]) -> bool {
    let mut args = call.args.iter().map(|word| word.text.as_str());
    while let Some(text) = args.next() {
        let value = options.iter().find_map(|option| {
            if text == *option { args.clone().next() } else { text.strip_prefix(option)?.strip_prefix('=') }
        });
        if let Some(value) = value {
            return !matches!(scene.owner(value), Some(Owner::User | Owner::Town));
        }
    }
    false
}

/// Refuses `curl … | sh`.
fn installers(call: &Call<'_>) -> Option<Refusal> {
    let is_shell = matches!(call.program, "sh" | "bash" | "zsh" | "dash");
    let loads = |name: &str| matches!(name, "curl" | "wget");
    let piped = call.upstream().and_then(|upstream| upstream.words.first()).is_some_and(|word| loads(&word.text));
    let given = call.args.iter().flat_map(|word| &word.output_of).any(|name| loads(name));
    if is_shell && (piped || given) {
        return refuse(
            "a script from the net may change anything",
            "load it into a file, read it, and ask the overseer",
        );
    }
    None
}

/// Refuses merging on the forge: only the refinery lands work.
fn forges(call: &Call<'_>) -> Option<Refusal> {
    let second = call.operands().nth(1).map(|word| word.text.as_str()).unwrap_or_default();
    let asks = match call.program {
        "gh" => matches!(
            (call.verb(), second),
            ("pr", "create" | "merge" | "close" | "reopen" | "ready")
                | ("release", "create" | "delete")
                | ("repo", "create" | "delete" | "sync")
        ),
        "glab" => matches!((call.verb(), second), ("mr", "create" | "merge" | "close" | "accept")),
        "hub" => matches!(call.verb(), "push" | "pull-request" | "merge" | "sync"),
        _ => false,
    };
    if asks { refuse("work reaches the remote through the refinery only", "gt done") } else { None }
}
