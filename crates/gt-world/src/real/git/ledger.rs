//! The town's own repository, with the ledger's branch. The town writes it without a checkout.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gt_model::id::{Sha, hex};

use super::command::{Place, path_from};
use super::listing::Format;
use super::refs::{self, LEDGER_FETCH_OPTIONS, bare, object, ref_name};
use super::remote::{Move, ask, reached};
use super::scratch::Scratch;
use super::snapshot::commit;
use super::{Git, repository};
use crate::ledger_repo::{
    FILE_LIMIT_BYTES, FILES_LIMIT, FileFacts, FileSource, LEDGER_BRANCH, LEDGER_REF, LedgerRepo, git_folder,
};
use crate::real::disk::RealDisk;
use crate::{Disk as _, FolderFacts, Held, Push, WorldError, WorldResult};

/// Patterns that people's own commits in a town leave out: files that are local to the machine, exports, and repositories of
/// their own. Settings, formulas and directives remain.
const EXCLUDED: &str = "\
# Written by gt: what of a town is not for commits. The ledger's own are on the branch gt-ledger.
/*
!/town.toml
!/*/
/*/*
!/*/rig.toml
!/directives/*
!/.beads/formulas/
";

/// Limit on the number of arguments of one kind in one call.
const FILES_PER_CALL: usize = 500;

/// Packs loose objects from this number on.
const LOOSE_LIMIT: &str = "gc.auto=512";

/// The mode of a plain file in a tree.
const PLAIN_FILE: &str = "100644";

impl LedgerRepo for Git {
    fn make(&self, held: &Held, town: &Path) -> WorldResult<()> {
        let repo = git_folder(town);
        if repository::folder(self, town)? == FolderFacts::NoRepository {
            // No process uses this repository yet, so these locks are a killed git's.
            for lock in ["HEAD.lock", "config.lock"] {
                RealDisk.remove(&repo.join(lock))?;
            }
            let call = self.act(held, &Place::Folder(town.to_owned()), "init");
            // Towns that meet at a remote must use the same object format, whatever default each user has set.
            let call = call.git_options(&["-c", "init.defaultRefFormat=files"]).arg("--object-format=sha1");
            call.args(["--quiet", "--template=", "--initial-branch", "main", "."]).ok()?;
        }
        let exclude = repo.join("info/exclude");
        if RealDisk.read(&exclude)?.is_none() {
            RealDisk.write(&exclude, EXCLUDED.as_bytes())?;
        }
        Ok(())
    }

    fn at(&self, repo: &Path, name: &str) -> WorldResult<Option<Sha>> {
        if !repo.is_dir() {
            return Ok(None);
        }
        refs::commit_at(self, &bare(repo), ref_name(name)?)
    }

    fn files(&self, repo: &Path, commit: &Sha) -> WorldResult<BTreeMap<String, FileFacts>> {
        let call = self.question(&bare(repo), "ls-tree").args(["-r", "-z", "-l", "--full-tree", object(commit)?]);
        let answer = call.ok()?;
        let mut files = BTreeMap::new();
        for field in answer.fields() {
            let (path, facts) = tree_entry(&String::from_utf8_lossy(field)).ok_or_else(|| no_file(commit, field))?;
            files.insert(path, facts);
            if files.len() > FILES_LIMIT {
                let text = format!("the commit {} has more than {FILES_LIMIT} files", commit.short());
                return Err(WorldError::Unexpected(text));
            }
        }
        Ok(files)
    }

    fn contents(&self, repo: &Path, files: &[&FileFacts]) -> WorldResult<Vec<Vec<u8>>> {
        if let Some(file) = files.iter().find(|file| file.bytes > FILE_LIMIT_BYTES) {
            let text = format!("a file of the ledger's branch has {} bytes: too many", file.bytes);
            return Err(WorldError::Unexpected(text));
        }
        if let [only] = files {
            let answer = self.question(&bare(repo), "cat-file").args(["blob", object(&only.id)?]).ok()?;
            return Ok(vec![answer.stdout]);
        }
        let mut contents = Vec::new();
        for some in files.chunks(FILES_PER_CALL) {
            contents.extend(self.batch(repo, some)?);
        }
        Ok(contents)
    }

    fn commit_files(
        &self,
        held: &Held,
        repo: &Path,
        files: &BTreeMap<String, FileSource>,
        parents: &[Sha],
        message: &str,
    ) -> WorldResult<Sha> {
        // Contents that a parent has need not be written again.
        let mut there = BTreeSet::new();
        for parent in parents {
            there.extend(self.files(repo, parent)?.into_values().map(|file| file.id));
        }
        let tree = Tree { git: self, held, repo, there }.write(files)?;
        if let [only] = parents
            && refs::tree_of(self, repo, only)? == tree
        {
            return Ok(only.clone());
        }
        commit(self, held, repo, &tree, parents.iter(), message)
    }

    fn fetch_ledger(&self, held: &Held, repo: &Path, url: &str, into: &str) -> WorldResult<Option<Sha>> {
        if !ask(self, url)?.branches.contains_key(LEDGER_BRANCH) {
            return Ok(None);
        }
        let refspec = format!("+{LEDGER_REF}:{}", ref_name(into)?);
        let call = self.act(held, &bare(repo), "fetch").args(LEDGER_FETCH_OPTIONS);
        let call = call.args(["--end-of-options", url, &refspec]).limit(self.remote_patience);
        reached(&call, url)?;
        self.at(repo, into)
    }

    fn push_ledger(&self, held: &Held, repo: &Path, url: &str, new: &Sha, expected: Option<&Sha>) -> WorldResult<Push> {
        Move { git: self, held, repo, remote: url, branch: LEDGER_BRANCH, new, expected }.push()
    }

    fn tidy(&self, held: &Held, repo: &Path) -> WorldResult<()> {
        let options = ["-c", LOOSE_LIMIT, "-c", "gc.autoDetach=false"];
        self.act(held, &bare(repo), "gc").git_options(&options).args(["--auto", "--quiet"]).ok().map(|_| ())
    }
}

impl Git {
    fn batch(&self, repo: &Path, files: &[&FileFacts]) -> WorldResult<Vec<Vec<u8>>> {
        let mut ids = String::new();
        for file in files {
            ids.push_str(object(&file.id)?);
            ids.push('\n');
        }
        let ids = Scratch::with(repo, &ids)?;
        let call = self.question(&bare(repo), "cat-file").arg("--batch").input(ids.path());
        let answer = call.ok()?.stdout;
        let mut rest = answer.as_slice();
        let contents: Option<Vec<_>> = files.iter().map(|file| batch_entry(&mut rest, file)).collect();
        contents.ok_or_else(|| call.failed("it does not have all files of the ledger's branch".to_owned()))
    }
}

/// Reads the next entry of `git cat-file --batch`, which must be this file's: a line `<id> blob <bytes>`, the content, and a
/// newline.
fn batch_entry(rest: &mut &[u8], file: &FileFacts) -> Option<Vec<u8>> {
    let head = format!("{} blob {}\n", file.id, file.bytes);
    let (content, after) = rest.strip_prefix(head.as_bytes())?.split_at_checked(usize::try_from(file.bytes).ok()?)?;
    *rest = after.strip_prefix(b"\n")?;
    Some(content.to_vec())
}

/// Parses a line of `git ls-tree -l`: mode, type, id, size, path.
fn tree_entry(line: &str) -> Option<(String, FileFacts)> {
    let (facts, path) = line.split_once('\t')?;
    let [mode, "blob", id, bytes] = facts.split_whitespace().collect::<Vec<_>>()[..] else { return None };
    let is_plain = mode == PLAIN_FILE && !path.contains(char::REPLACEMENT_CHARACTER);
    Some((path.to_owned(), FileFacts { id: Sha::from(id), bytes: bytes.parse().ok()? })).filter(|_| is_plain)
}

fn no_file(commit: &Sha, field: &[u8]) -> WorldError {
    let name = field.splitn(2, |byte| *byte == b'\t').nth(1).unwrap_or(field);
    let name = path_from(name).display().to_string();
    WorldError::Unexpected(format!("{name:?} of the ledger's commit {} is not a plain file", commit.short()))
}

/// A tree that is being built.
struct Tree<'a> {
    git: &'a Git,
    held: &'a Held,
    repo: &'a Path,
    /// Ids of contents that the repository already has.
    there: BTreeSet<Sha>,
}

impl Tree<'_> {
    fn write(&self, files: &BTreeMap<String, FileSource>) -> WorldResult<Sha> {
        let ids = self.ids(files)?;
        let index = Scratch::new(self.repo)?;
        let on_index = |verb| self.git.act(self.held, &bare(self.repo), verb).env("GIT_INDEX_FILE", index.path());
        let paths: Vec<(&String, Sha)> = files.keys().zip(ids).collect();
        for some in paths.chunks(FILES_PER_CALL) {
            let mut call = on_index("update-index").arg("--add");
            for (path, id) in some {
                call = call.args(["--cacheinfo", &format!("{PLAIN_FILE},{},{path}", object(id)?)]);
            }
            call.ok()?;
        }
        Ok(Sha::from(on_index("write-tree").ok()?.line()))
    }

    /// Writes the files' contents into the repository where they are missing, and returns their ids.
    fn ids(&self, files: &BTreeMap<String, FileSource>) -> WorldResult<Vec<Sha>> {
        let (mut ids, mut scratches) = (Vec::new(), Vec::new());
        for source in files.values() {
            ids.push(match source {
                FileSource::Known(id) => Some(id.clone()),
                FileSource::Bytes(bytes) => self.known(bytes),
            });
            if let (FileSource::Bytes(bytes), Some(None)) = (source, ids.last()) {
                scratches.push(Scratch::holding(self.repo, bytes)?);
            }
        }
        let mut new = Vec::new();
        for some in scratches.chunks(FILES_PER_CALL) {
            let call = self.git.act(self.held, &bare(self.repo), "hash-object").args(["-w", "--no-filters", "--"]);
            new.extend(call.args(some.iter().map(Scratch::path)).ok()?.lines().into_iter().map(Sha::from));
        }
        let mut new = new.into_iter();
        let ids: Option<Vec<Sha>> = ids.into_iter().map(|id| id.or_else(|| new.next())).collect();
        ids.ok_or_else(|| WorldError::Unexpected("git hash-object printed fewer ids than it got files".to_owned()))
    }

    /// Returns the id of a content that a parent already has.
    fn known(&self, bytes: &[u8]) -> Option<Sha> {
        let format = Format::of(self.there.first()?);
        self.there.get(&Sha::from(hex(&format.id("blob", bytes)))).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_are_taken_from_a_tree() {
        let id = "0a".repeat(20);
        let check = |line: String, expected: Option<(&str, u64)>| {
            let found = tree_entry(&line).map(|(path, facts)| (path, facts.bytes));
            assert_eq!(found, expected.map(|(path, bytes)| (path.to_owned(), bytes)), "{line}");
        };
        check(format!("100644 blob {id}      12\tbeads/a b.jsonl"), Some(("beads/a b.jsonl", 12)));
        check(format!("120000 blob {id}      12\tlink"), None);
        check(format!("160000 commit {id}       -\trepo"), None);
        check(format!("100644 blob {id}      12"), None);
        check(format!("100644 blob {id} many\tx"), None);
    }

    #[test]
    fn a_batch_is_believed_only_as_far_as_it_fits_the_question() {
        let id = "0a".repeat(20);
        let file = FileFacts { id: Sha::from(id.clone()), bytes: 4 };
        let check = |text: String, expected: Option<&str>| {
            let found = batch_entry(&mut text.as_bytes(), &file).map(|content| String::from_utf8(content).unwrap());
            assert_eq!(found.as_deref(), expected, "{text:?}");
        };
        check(format!("{id} blob 4\none\n\n"), Some("one\n"));
        check(format!("{id} blob 5\none\n\n\n"), None);
        check(format!("{id} missing\n"), None);
        check(format!("{id} tree 4\none\n\n"), None);
        check(format!("{id} blob 4\none"), None);
        check(String::new(), None);
    }
}
