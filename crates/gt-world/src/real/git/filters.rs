//! Filters: programs to which a project hands the contents of files. The user's own settings say how to call them.

use std::collections::BTreeSet;
use std::path::Path;

use gt_model::id::Sha;

use super::Git;
use super::command::Place;
use super::refs::{bare, object};
use crate::{Damage, LARGE_FILES, WorldResult};

/// Files with a project's attributes.
const FILES: [&str; 2] = [".gitattributes", ":(glob)**/.gitattributes"];

/// Returns the filters that the attributes of a commit's files name.
pub(super) fn of(git: &Git, repo: &Path, commit: &Sha) -> WorldResult<BTreeSet<String>> {
    let call = git.question(&bare(repo), "grep").args(["-h", "--no-color", "--no-textconv", "-a", "-F", "filter="]);
    let answer = call.arg(object(commit)?).arg("--").args(FILES).expect(&[0, 1])?;
    let lines = answer.lines();
    let lines = lines.iter().filter(|line| !line.trim_start().starts_with('#'));
    let words = lines.flat_map(|line| line.split_whitespace().skip(1));
    Ok(words.filter_map(|word| word.strip_prefix("filter=")).map(str::to_owned).collect())
}

/// Returns those of the filters that no program on this machine can serve.
pub(super) fn unserved(git: &Git, filters: &BTreeSet<String>) -> WorldResult<Vec<Damage>> {
    let mut found = Vec::new();
    for name in filters {
        let missing = match name.as_str() {
            LARGE_FILES if has_large_files_program(git)? => continue,
            LARGE_FILES => "the trunk's .gitattributes hand files to git-lfs, which is not installed",
            _ if is_set(git, name, "process")? || is_set(git, name, "smudge")? => continue,
            _ => "the trunk's .gitattributes hand files to it, but your git settings do not define it",
        };
        found.push(Damage { what: name.clone(), found: missing.to_owned() });
    }
    Ok(found)
}

/// Whether git-lfs is installed.
pub(super) fn has_large_files_program(git: &Git) -> WorldResult<bool> {
    Ok(git.question(&Place::Nowhere, "lfs").arg("version").answer()?.code == 0)
}

fn is_set(git: &Git, filter: &str, key: &str) -> WorldResult<bool> {
    let call = git.question(&Place::Nowhere, "config").args(["--get", &format!("filter.{filter}.{key}")]);
    Ok(call.answer()?.code == 0)
}
