//! The town's own repository.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gt_model::id::Sha;
use gt_world::ledger_repo::{FileFacts, FileSource, LEDGER_REF, LedgerRepo, git_folder};
use gt_world::{FolderFacts, Held, Push, WorldError, WorldResult};

use super::objects::Tree;
use super::repo::git;
use super::{SimWorld, State};

impl State {
    fn commit_files(
        &mut self,
        repo: &Path,
        files: &BTreeMap<String, FileSource>,
        parents: &[Sha],
        message: &str,
    ) -> WorldResult<Sha> {
        for parent in parents {
            self.commit(repo, parent)?;
        }
        let mut tree = Tree::new();
        for (path, source) in files {
            let content = match source {
                FileSource::Bytes(bytes) => Arc::from(bytes.as_slice()),
                FileSource::Known(id) => {
                    self.objects.blob(id).ok_or_else(|| git("update-index", repo, format!("bad object {id}")))?
                }
            };
            tree.insert(path.clone(), content);
        }
        if let [only] = parents
            && *self.objects.files_of(only) == tree
        {
            return Ok(only.clone());
        }
        self.add_commit(repo, tree, parents.to_vec(), message)
    }

    fn push_ledger(&mut self, repo: &Path, url: &Path, new: &Sha, expected: Option<&Sha>) -> WorldResult<Push> {
        self.commit(repo, new)?;
        self.must_contain(repo, new, expected, "gt-ledger")?;
        let current = self.remote(url)?.refs.get(LEDGER_REF);
        if current == Some(new) {
            return Ok(Push::Done);
        }
        if current != expected {
            return Ok(Push::Moved);
        }
        if let Some(reason) = self.refusal(url, "gt-ledger") {
            return Ok(Push::Refused(reason));
        }
        self.learn(url, new)?;
        self.repository_mut(url)?.refs.insert(LEDGER_REF.to_owned(), new.clone());
        self.note(format!("push_ledger {}", new.short()));
        Ok(Push::Done)
    }
}

impl LedgerRepo for SimWorld {
    fn make(&self, _held: &Held, town: &Path) -> WorldResult<()> {
        let mut state = self.acting("make")?;
        let repo = git_folder(town);
        if !state.repos.contains_key(&repo) {
            state.disk.create_dir(&repo)?;
            state.repos.insert(repo, super::repo::Repository::default());
            let facts = FolderFacts::Checkout { origin: None, branch: Some("main".to_owned()), has_commit: false };
            state.folders.insert(town.to_owned(), facts);
            state.note("make the town's repository".to_owned());
        }
        Ok(())
    }

    fn at(&self, repo: &Path, name: &str) -> WorldResult<Option<Sha>> {
        Ok(self.locked().repos.get(repo).and_then(|repo| repo.refs.get(name).cloned()))
    }

    fn files(&self, repo: &Path, commit: &Sha) -> WorldResult<BTreeMap<String, FileFacts>> {
        let mut state = self.locked();
        state.commit(repo, commit)?;
        let files = state.objects.files_of(commit);
        let facts = files.iter().map(|(path, content)| {
            let id = state.objects.add_blob(content);
            (path.clone(), FileFacts { id, bytes: content.len() as u64 })
        });
        Ok(facts.collect())
    }

    fn contents(&self, repo: &Path, files: &[&FileFacts]) -> WorldResult<Vec<Vec<u8>>> {
        let state = self.locked();
        let content = |file: &&FileFacts| {
            let content = state.objects.blob(&file.id).map(|content| content.to_vec());
            content.ok_or_else(|| git("cat-file", repo, format!("bad object {}", file.id)))
        };
        files.iter().map(content).collect()
    }

    fn commit_files(
        &self,
        _held: &Held,
        repo: &Path,
        files: &BTreeMap<String, FileSource>,
        parents: &[Sha],
        message: &str,
    ) -> WorldResult<Sha> {
        self.acting("commit_files")?.commit_files(repo, files, parents, message)
    }

    fn fetch_ledger(&self, _held: &Held, repo: &Path, url: &str, into: &str) -> WorldResult<Option<Sha>> {
        let mut state = self.acting("fetch_ledger")?;
        let Some(head) = state.remote(Path::new(url))?.refs.get(LEDGER_REF).cloned() else { return Ok(None) };
        state.learn(repo, &head)?;
        state.repository_mut(repo)?.refs.insert(into.to_owned(), head.clone());
        Ok(Some(head))
    }

    fn push_ledger(
        &self,
        _held: &Held,
        repo: &Path,
        url: &str,
        new: &Sha,
        expected: Option<&Sha>,
    ) -> WorldResult<Push> {
        self.acting("push_ledger")?.push_ledger(repo, Path::new(url), new, expected)
    }

    fn tidy(&self, _held: &Held, repo: &Path) -> WorldResult<()> {
        self.locked().repository(repo).map(|_| ()).map_err(|e| WorldError::Unexpected(e.to_string()))
    }
}
