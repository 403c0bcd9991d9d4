//! Inputs that decide which packages a build takes: lock files, manifests and toolchain versions.

use std::path::{Path, PathBuf};

use gt_model::id::sha256_hex;
use gt_model::keep::Keep;
use gt_world::{Disk, NodeKind};
use serde::Deserialize;

use crate::town::error::Result;
use crate::town::{Rig, Town};
use crate::walls::worker_env;

/// Files that fix the versions of packages or of the toolchain.
const LOCK_FILES: &[&str] = &[
    "Cargo.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "bun.lockb",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "Pipfile.lock",
    "requirements.txt",
    "go.sum",
    "composer.lock",
    "Gemfile.lock",
    "mix.lock",
    "rust-toolchain",
    "rust-toolchain.toml",
    ".nvmrc",
    ".node-version",
    ".python-version",
    ".tool-versions",
    "mise.toml",
];

/// Package manager files, apart from lock files, that control an installation.
const MANIFESTS: &[&str] = &[PACKAGE, ".npmrc", ".yarnrc", ".yarnrc.yml", "pnpm-workspace.yaml", "bunfig.toml"];

/// The manifest of a Node package.
const PACKAGE: &str = "package.json";

/// Maximum number of bytes read from such a file.
const FILE_BYTES: usize = 64 * 1024 * 1024;

/// Maximum folder depth of the search.
const DEPTH: usize = 8;

/// Programs whose versions decide the build result. Version launchers look the same whichever version they start; the files that
/// select the version for a project are among [`LOCK_FILES`]. Cargo detects a changed version by itself.
const PROGRAMS: &[&str] = &["cargo", "rustc", "node", "npm", "pnpm", "yarn", "bun", "python3"];

/// Inputs found in a worktree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inputs {
    /// Hash of the lock files and their contents.
    pub(crate) locks: String,
    /// Hash of the manifests and their contents.
    pub(crate) manifests: String,
    /// Whether one of the project's own packages runs a script on installation.
    pub(crate) runs_scripts: bool,
}

impl Inputs {
    /// Searches a worktree for its inputs, except in built or kept folders. Follows no links.
    pub(crate) fn of(disk: &dyn Disk, folder: &Path, built: &[&Keep]) -> Result<Self> {
        let (mut locks, mut manifests, mut runs_scripts) = (Vec::new(), Vec::new(), false);
        let mut open = vec![PathBuf::new()];
        while let Some(at) = open.pop() {
            for name in disk.list(&folder.join(&at))? {
                let path = at.join(&name);
                let list = match name.as_str() {
                    ".git" => continue,
                    lock if LOCK_FILES.contains(&lock) => &mut locks,
                    manifest if MANIFESTS.contains(&manifest) => &mut manifests,
                    _ => {
                        let is_searched = path.components().count() <= DEPTH
                            && !built.iter().any(|names| names.matches(path.as_os_str().as_encoded_bytes()))
                            && disk.kind(&folder.join(&path))? == Some(NodeKind::Folder);
                        open.extend(is_searched.then_some(path));
                        continue;
                    }
                };
                if let Some(bytes) = disk.read_part(&folder.join(&path), 0, FILE_BYTES)? {
                    let text = String::from_utf8_lossy(&bytes);
                    runs_scripts |= name == PACKAGE && has_install_scripts(&text);
                    list.push(format!("{}\0{}", path.display(), sha256_hex(&text)));
                }
            }
        }
        let told = |mut files: Vec<String>| {
            files.sort();
            sha256_hex(&files.join("\n"))
        };
        Ok(Self { locks: told(locks), manifests: told(manifests), runs_scripts })
    }
}

/// Whether a package's manifest names an installation script. An unreadable manifest counts as yes.
fn has_install_scripts(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Manifest {
        #[serde(default)]
        scripts: serde_json::Map<String, serde_json::Value>,
    }
    let manifest: std::result::Result<Manifest, _> = serde_json::from_str(text);
    let hooks = ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"];
    manifest.map_or(true, |manifest| hooks.iter().any(|hook| manifest.scripts.contains_key(*hook)))
}

/// Describes the toolchain programs that a rig's gates and set-ups find: real path, size and modification time.
pub(crate) fn toolchain(town: &Town, rig: &Rig) -> String {
    let disk = town.world().disk();
    let env = worker_env::environment(town, Some(rig), None, None);
    let path = env.get("PATH").map(String::as_str).unwrap_or_default();
    let find = |program: &&str| {
        let at = path.split(':').map(|folder| Path::new(folder).join(program)).find(|at| disk.exists(at))?;
        let real = disk.real_path(&at).ok()?;
        let (size, time) = (disk.size(&real).unwrap_or_default(), disk.touched(&real).ok().flatten());
        Some(format!("{}\0{size}\0{time:?}", real.display()))
    };
    // The variables that direnv sets can lead to other programs.
    let consent = rig.settings.env.direnv.iter().map(|(path, pin)| format!("{path}\0{pin}"));
    PROGRAMS.iter().filter_map(find).chain(consent).collect::<Vec<_>>().join("\n")
}

/// Whether a set-up only installs from lock files. The same lock files then give the same packages.
pub(crate) fn installs_by_lock_file(set_up: &str) -> bool {
    let is_install = |line: &str| {
        let words: Vec<&str> =
            line.split_whitespace().skip_while(|word| ["npx", "-y", "--yes"].contains(word)).collect();
        match words.as_slice() {
            ["cd", _] | ["npm", "ci"] => true,
            ["npm", "ci", options @ ..] => options.iter().all(|option| option.starts_with("--")),
            [manager, "install", options @ ..] => {
                let name = manager.split('@').next().unwrap_or_default();
                let is_frozen = options.iter().any(|option| ["--frozen-lockfile", "--immutable"].contains(option));
                ["pnpm", "yarn", "bun"].contains(&name) && is_frozen && options.iter().all(|o| o.starts_with("--"))
            }
            _ => false,
        }
    };
    let has_other_syntax =
        set_up.replace("&&", "").contains(['&', ';', '|', '\n', '`', '$', '>', '<', '\'', '"', '\\']);
    !has_other_syntax && set_up.replace(['(', ')'], "").split("&&").all(is_install)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use gt_world::real::RealDisk;

    #[test]
    fn only_an_installation_by_lock_files_is_one() {
        for (set_up, expected) in [
            ("npm ci", true),
            ("npm ci --no-audit", true),
            ("cd web && npm ci", true),
            ("(cd web && npm ci) && (cd api && npm ci)", true),
            ("pnpm install --frozen-lockfile", true),
            ("npx -y pnpm@9 install --frozen-lockfile", true),
            ("yarn install --immutable", true),
            ("yarn install --non-interactive --frozen-lockfile", true),
            ("bun install --frozen-lockfile", true),
            ("pnpm install", false),
            ("npm install --no-package-lock", false),
            ("npm ci; make", false),
            ("npm ci && make deps", false),
            ("npm ci extra", false),
            ("npm ci & make", false),
            ("npm ci > /dev/null", false),
            ("npm ci && $MORE", false),
            ("python3 -m venv .venv", false),
            ("", false),
        ] {
            assert_eq!(installs_by_lock_file(set_up), expected, "{set_up}");
        }
    }

    #[test]
    fn a_manifest_tells_of_what_an_installation_runs() {
        for (text, expected) in [
            ("{}", false),
            (r#"{"scripts": {"test": "node test.js"}}"#, false),
            (r#"{"scripts": {"prepare": "husky"}}"#, true),
            (r#"{"scripts": {"postinstall": "patch-package"}}"#, true),
            (r#"{"scripts": 1}"#, true),
            ("no json", true),
        ] {
            assert_eq!(has_install_scripts(text), expected, "{text}");
        }
    }

    #[test]
    fn lock_files_count_wherever_they_are_and_nothing_else_does() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| RealDisk.write(&place.path().join(name), text.as_bytes()).unwrap();
        let built = Keep::try_from(vec!["target".to_owned()]).unwrap();
        let look = || Inputs::of(&RealDisk, place.path(), &[&built]).unwrap();
        let none = look();
        write("src/lib.rs", "1");
        write("target/Cargo.lock", "1");
        write(".git/Cargo.lock", "1");
        symlink("/etc", place.path().join("link")).unwrap();
        assert_eq!(look(), none);
        write("web/package-lock.json", "1");
        let one = look();
        assert!(one.locks != none.locks && one.manifests == none.manifests);
        write("web/package-lock.json", "2");
        assert_ne!(look().locks, one.locks);
        let before = look();
        write("web/package.json", r#"{"scripts": {"prepare": "husky"}}"#);
        assert!(look().locks == before.locks && look().manifests != before.manifests && look().runs_scripts);
    }
}
