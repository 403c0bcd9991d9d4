//! Lets a person review merge requests: what they would land, the gates' results, and a checkout to try them. Also performs the
//! person's decisions: hold, retry, reject and cancel. (`refinery::approve` is elsewhere.)

use std::path::{Path, PathBuf};

use gt_ledger::{MergeRequest, Tx, Verdict, View};
use gt_model::bead::{Bead, Status};
use gt_model::condition::ConditionKind;
use gt_model::convoy::BeadEnd;
use gt_model::id::{MrId, Sha, slug};
use gt_model::queue::{MrEnd, MrStatus};
use gt_world::{Candidate, WorktreePlan};
use serde::Serialize;

use crate::refinery;
use crate::refinery::queue::{self, QueueItem};
use crate::rigs::gates::{self, Running};
use crate::rigs::setup;
use crate::town::error::{Error, Result};
use crate::town::person;
use crate::town::settings::Gate;
use crate::town::{Caller, Rig, Town};
use crate::work::beads;
use crate::work::convoy;
use crate::work::merge_requests;
use crate::work::own_work;
use crate::work::sling::Crew;

/// Number of bytes shown from the end of a gate's log.
const LOG_LIMIT_BYTES: usize = 64 * 1024;

/// Rework limit for a person, who may send work back any number of times.
const NO_BUDGET: u32 = u32::MAX;

/// A merge request with the facts that a person needs for a decision.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// The request, and its status.
    #[serde(flatten)]
    pub item: QueueItem,
    /// The bead's title.
    pub title: String,
    /// Address of the worker.
    pub worker: String,
    /// Number of the attempt on the bead.
    pub attempt_number: u32,
    /// Number of its own commits; `None` if they are no longer kept.
    pub commits: Option<u64>,
    /// Last verdict of the gates on what it would land.
    pub verdict: Option<Verdict>,
    /// Commands to type next.
    pub next: Vec<String>,
}

/// Changes of a merge request.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// Id of the merge request.
    pub mr: MrId,
    /// Branch that it lands on.
    pub target: String,
    /// Commit that it is compared with.
    pub onto: Sha,
    /// Whether this is exactly what would land. If not, it is what was submitted.
    pub lands: bool,
    /// Files that conflict with the trunk as last fetched.
    pub conflicts: Vec<String>,
    /// Patches, or one line for each file.
    pub text: String,
}

/// Full output of the gates.
#[derive(Clone, Debug, Serialize)]
pub struct Logs {
    /// Id of the merge request.
    pub mr: MrId,
    /// Verdict, if there is one.
    pub verdict: Option<Verdict>,
    /// Reason why it was sent back or taken out, if it was.
    pub failure: Option<String>,
    /// Output of each gate.
    pub gates: Vec<GateLog>,
    /// Run of the gates in progress; `gates` then has the output so far.
    pub running: Option<Running>,
}

/// Output of one gate.
#[derive(Clone, Debug, Serialize)]
pub struct GateLog {
    /// Name of the gate, as in the file name.
    pub gate: String,
    /// Path of the file.
    pub path: PathBuf,
    /// The output, or only its end.
    pub text: String,
    /// Whether the beginning is left out.
    pub cut: bool,
}

/// A merge request's files in a folder.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedOut {
    /// Id of the merge request.
    pub mr: MrId,
    /// Path of the detached worktree.
    pub folder: PathBuf,
    /// Commit that is checked out.
    pub head: Sha,
    /// Difference from a worker's worktree.
    pub note: Option<String>,
    /// Command that fetches it into the user's own clone, where the user types it.
    pub fetch: String,
}

/// Finds a merge request by its own id (or a unique part of it), or by its bead's id, for the newest one of that bead.
pub fn find(town: &Town, text: &str) -> Result<MergeRequest> {
    town.ledger.read(|view| find_in(view, text))
}

/// Finds a merge request inside an operation.
pub fn find_in(view: &View<'_>, text: &str) -> Result<MergeRequest> {
    let unknown = || Error::Unknown { what: "merge request", name: text.to_owned() };
    let all = view.merge_requests()?;
    if let Some(mr) = all.iter().find(|mr| mr.id.as_str() == text) {
        return Ok(mr.clone());
    }
    if let Ok(bead) = beads::resolve(view, text) {
        return all.into_iter().rfind(|mr| mr.bead == bead).ok_or_else(|| {
            Error::refused(format!("{bead} has no merge request"), format!("gt why {bead} says where it is"))
        });
    }
    let mut close = all.into_iter().filter(|mr| !text.is_empty() && mr.id.as_str().contains(text));
    match (close.next(), close.next()) {
        (Some(mr), None) => Ok(mr),
        (Some(one), Some(other)) => Err(Error::Usage {
            what: format!("`{text}` could be {}, {} or another", one.id, other.id),
            hint: "gt mq list --all shows them all".to_owned(),
        }),
        _ => Err(unknown()),
    }
}

/// Returns a merge request for review.
pub fn show(town: &Town, text: &str) -> Result<Shown> {
    let mr = find(town, text)?;
    let rig = town.rig(mr.rig.as_str())?;
    let commits = own_commits(town, &rig, &mr)?;
    town.ledger.read(|view| shown(town, view, &rig, mr.clone(), commits))
}

/// Counts a merge request's own commits: those in neither its base nor the trunk that it landed on or would land on. The worker
/// may have rebased onto that trunk. `None` if retention has deleted the commits.
fn own_commits(town: &Town, rig: &Rig, mr: &MergeRequest) -> Result<Option<u64>> {
    let trunk = town.ledger.read(|view| {
        let landing = mr.landing.map(|id| view.landing(id)).transpose()?.flatten();
        let refs = view.remote_refs(rig.name())?;
        Ok::<_, Error>(landing.map(|landing| landing.onto).or_else(|| refs.get(&rig.row.trunk).cloned()))
    })?;
    Ok(own_work::count(town, &rig.layout.repo(), &mr.base, trunk.as_ref(), &mr.head))
}

fn shown(town: &Town, view: &View<'_>, rig: &Rig, mr: MergeRequest, commits: Option<u64>) -> Result<Shown> {
    let attempt = view.attempt(mr.attempt)?;
    let status = refinery::status(view, rig, &mr)?;
    Ok(Shown {
        title: view.bead(&mr.bead)?.map(|bead| bead.title).unwrap_or_default(),
        worker: attempt.as_ref().map(|attempt| attempt.address().to_string()).unwrap_or_default(),
        attempt_number: attempt.map_or(0, |attempt| attempt.number),
        commits,
        verdict: verdict(view, &mr)?,
        next: next(&mr, &status),
        item: QueueItem { gating: gating(town, view, rig, &mr)?, mr, status },
    })
}

fn gating(town: &Town, view: &View<'_>, rig: &Rig, mr: &MergeRequest) -> Result<Option<Running>> {
    Ok(gates::running(town, view, rig)?.filter(|running| running.gating.batch.contains(&mr.id)))
}

fn verdict(view: &View<'_>, mr: &MergeRequest) -> Result<Option<Verdict>> {
    let tree = mr.candidate_tree.as_ref();
    Ok(tree.map(|tree| view.last_verdict(&mr.rig, tree)).transpose()?.flatten())
}

/// Returns the commands that a person can type about a merge request with that status.
pub fn next(mr: &MergeRequest, status: &MrStatus) -> Vec<String> {
    let id = &mr.id;
    let words: &[&str] = match status {
        MrStatus::NeedsApproval => &["diff", "checkout", "approve", "reject"],
        MrStatus::Held(_) => &["log", "retry", "reject", "cancel"],
        MrStatus::MaybeLanded(_) if mr.doubt.as_ref().is_some_and(|doubt| doubt.by.is_some()) => {
            &["landed", "reject", "cancel", "close"]
        }
        MrStatus::Empty(_) | MrStatus::MaybeLanded(_) => &["landed-by", "reject", "cancel", "close"],
        MrStatus::Waiting => &["diff", "hold"],
        MrStatus::Landing => return Vec::new(),
        MrStatus::Ended(MrEnd::Rejected) => return vec![format!("gt polecat recover {}", mr.bead)],
        MrStatus::Ended(_) => return vec![format!("gt why {}", mr.bead)],
    };
    let line = |word: &&str| match *word {
        "reject" => format!("gt mq reject {id} --note \"<what is to be done>\""),
        "landed-by" => format!("gt mq landed {id} --by <commit>"),
        "close" => format!("gt bead close {} --force --reason \"<why>\"", mr.bead),
        word => format!("gt mq {word} {id}"),
    };
    words.iter().map(line).collect()
}

/// Returns the changes that a merge request would make to the trunk as last fetched. If it conflicts or is finished, returns the
/// changes as submitted.
pub fn diff(town: &Town, text: &str, stat: bool) -> Result<Diff> {
    let mr = find(town, text)?;
    let rig = town.rig(mr.rig.as_str())?;
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let mut diff = Diff {
        mr: mr.id.clone(),
        target: mr.target.clone(),
        onto: mr.base.clone(),
        lands: false,
        conflicts: Vec::new(),
        text: String::new(),
    };
    match candidate(town, &rig, &mr)? {
        Some((trunk, Candidate::Clean { commit, .. })) => {
            diff.text = repo.diff_text(&path, &trunk, &commit, stat)?;
            (diff.onto, diff.lands) = (trunk, true);
        }
        Some((trunk, Candidate::Empty)) => (diff.onto, diff.lands) = (trunk, true),
        other => {
            if let Some((_, Candidate::Conflict { files })) = other {
                diff.conflicts = files;
            }
            diff.text = repo.diff_text(&path, &mr.base, &mr.head, stat)?;
        }
    }
    Ok(diff)
}

/// Returns the trunk and the refinery's candidate for the merge request on it. `None` if it is finished.
fn candidate(town: &Town, rig: &Rig, mr: &MergeRequest) -> Result<Option<(Sha, Candidate)>> {
    if mr.ended_at.is_some() {
        return Ok(None);
    }
    let landing = refinery::landing_commit(town, rig, mr)?;
    let path = rig.layout.repo();
    let refs = town.world().repo().refs(&path)?;
    let Some(trunk) = refs.get(&rig.trunk_ref()).cloned() else { return Ok(None) };
    let held = town.lock(&rig.repo_lane())?;
    let candidate = town.world().repo().squash_as(&held, &path, &trunk, &mr.head, &landing)?;
    Ok(Some((trunk, candidate)))
}

/// Returns the output of the gates for a merge request.
pub fn logs(town: &Town, text: &str) -> Result<Logs> {
    let mr = find(town, text)?;
    let rig = town.rig(mr.rig.as_str())?;
    let (verdict, running) =
        town.ledger.read(|view| Ok::<_, Error>((verdict(view, &mr)?, gating(town, view, &rig, &mr)?)))?;
    let gates = match (&running, &verdict) {
        (Some(running), _) => gate_logs(town, &rig, &running.gating.label)?,
        (None, Some(verdict)) => gate_logs(town, &rig, label_of(&rig, verdict))?,
        (None, None) => Vec::new(),
    };
    Ok(Logs { mr: mr.id, verdict, failure: mr.failure.or(mr.held), gates, running })
}

/// Returns the name prefix of the logs for a verdict's run.
fn label_of<'v>(rig: &Rig, verdict: &'v Verdict) -> &'v str {
    let last = Path::new(&verdict.log).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let of_gate = |gate: &Gate| last.strip_suffix(&format!("-{}.log", slug(&gate.name)));
    // If the gate no longer exists, its own name is unknown.
    let label = rig.settings.gate.iter().find_map(of_gate);
    label.or_else(|| last.split_once('-').map(|(label, _)| label)).unwrap_or_default()
}

/// Returns the logs of one run of the gates: files with the same prefix, in the order of the gates.
fn gate_logs(town: &Town, rig: &Rig, label: &str) -> Result<Vec<GateLog>> {
    let folder = rig.layout.gate_logs();
    if label.is_empty() {
        return Ok(Vec::new());
    }
    let of_run = |name: &String| {
        let gate = name.strip_prefix(label)?.strip_prefix('-')?.strip_suffix(".log")?;
        Some((gate.to_owned(), folder.join(name)))
    };
    let disk = town.world().disk();
    let mut files: Vec<(String, PathBuf)> = disk.list(&folder)?.iter().filter_map(of_run).collect();
    let place = |gate: &str| rig.settings.gate.iter().position(|known| slug(&known.name) == gate).unwrap_or(usize::MAX);
    files.sort_by_key(|(gate, _)| (place(gate), gate.clone()));
    let mut logs = Vec::new();
    for (gate, path) in files {
        if let Some(bytes) = disk.read(&path)? {
            let from = bytes.len().saturating_sub(LOG_LIMIT_BYTES);
            let text = String::from_utf8_lossy(&bytes[from..]).into_owned();
            logs.push(GateLog { gate, path, text, cut: from > 0 });
        }
    }
    Ok(logs)
}

/// Checks a submission out into a folder: a detached worktree whose git pushes nowhere and moves no branch. A second call for the
/// same folder leaves it unchanged.
pub fn checkout(town: &Town, text: &str, to: &Path) -> Result<CheckedOut> {
    let mr = find(town, text)?;
    let rig = town.rig(mr.rig.as_str())?;
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    if to.starts_with(&town.layout.root) {
        return Err(Error::refused(format!("{} is inside of the town", to.display()), "choose a folder elsewhere"));
    }
    let fetch = fetch_line(town, &rig, &mr)?;
    let held = town.lock(&rig.repo_lane())?;
    let mut note = None;
    let there = repo.worktree(&path, to)?;
    if there.is_none() && town.world().disk().exists(to) {
        let hint = format!("choose a folder that does not exist yet: gt mq checkout {} <folder>", mr.id);
        return Err(Error::refused(format!("{} already exists", to.display()), hint));
    }
    if there.is_none() {
        repo.add_worktree(&held, &path, &plan(&rig, &mr, to))?;
        note = setup::fetch_referred(town, &rig, &held, to)?;
    }
    Ok(CheckedOut { mr: mr.id, folder: to.to_owned(), head: mr.head, note, fetch })
}

fn plan(rig: &Rig, mr: &MergeRequest, to: &Path) -> WorktreePlan {
    WorktreePlan {
        path: to.to_owned(),
        branch: None,
        start: mr.head.clone(),
        identity: ("overseer".to_owned(), format!("overseer@{}.gt.invalid", rig.name())),
        remote: Some(rig.row.remote.clone()),
    }
}

/// Removes such a folder, unless it contains anything that is not part of the merge request.
pub fn remove_checkout(town: &Town, text: &str, folder: &Path) -> Result<MrId> {
    let mr = find(town, text)?;
    let rig = town.rig(mr.rig.as_str())?;
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let inside = folder.starts_with(&town.layout.root);
    let facts = repo.worktree(&path, folder)?.filter(|facts| facts.branch.is_none() && !inside);
    let Some(facts) = facts else {
        let what = format!("{} is not a checkout of a merge request", folder.display());
        return Err(Error::refused(what, format!("gt mq checkout {} <folder> makes one", mr.id)));
    };
    if facts.head != mr.head || !facts.dirty.is_empty() {
        let what = format!("{} differs from what {} submitted: it has changes of yours", folder.display(), mr.id);
        return Err(Error::refused(what, format!("save what you want to keep, then: rm -r {}", shell_word(folder))));
    }
    let held = town.lock(&rig.repo_lane())?;
    repo.remove_gate_worktree(&held, &path, folder)?;
    Ok(mr.id)
}

/// Returns the command that fetches a submission into a user's own clone, as a branch named after the merge request.
fn fetch_line(town: &Town, rig: &Rig, mr: &MergeRequest) -> Result<String> {
    let path = rig.layout.repo();
    let refs = town.world().repo().refs(&path)?;
    // Until its head is pinned, only the worker's branch has it.
    let names = [mr.pin(), format!("refs/heads/{}", mr.branch)];
    let name = names.into_iter().find(|name| refs.get(name) == Some(&mr.head));
    let name = name.ok_or_else(|| {
        Error::refused(format!("the head of {} is no longer kept", mr.id), format!("gt why {}", mr.bead))
    })?;
    Ok(format!("git fetch {} {name}:{}", shell_word(&path), mr.id))
}

/// Quotes a path for a shell.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Keeps merge requests from landing until a person says `retry` or `approve`.
pub fn hold(town: &Town, caller: &Caller, ids: &[String], note: &str) -> Result<Vec<MergeRequest>> {
    person::require(caller, "holds merge requests")?;
    let why = if note.is_empty() { "a person wants to look".to_owned() } else { note.to_owned() };
    town.ledger.write(&caller.name(), "mq hold", |tx| {
        each_open(tx, ids, |mr| {
            merge_requests::refuse_landing(mr)?;
            tx.clear(ConditionKind::Approval, mr.id.as_str())?;
            Ok(tx.hold(mr, &why)?)
        })
    })
}

/// Removes holds, so that the next round considers the merge requests. One that waited for approval waits for it again.
pub fn retry(town: &Town, caller: &Caller, ids: &[String]) -> Result<Vec<MergeRequest>> {
    person::require(caller, "takes a hold off merge requests")?;
    let retried = town.ledger.write(&caller.name(), "mq retry", |tx| {
        each_open(tx, ids, |mr| match tx.unhold(mr)? {
            true => Ok(()),
            false => Err(Error::refused(format!("{} is not held", mr.id), format!("gt why {}", mr.id))),
        })
    })?;
    town.wake();
    Ok(retried)
}

/// Sends work back. The bead's next attempt continues from its head, and its worker sees the note.
pub fn reject(town: &Town, caller: &Caller, text: &str, note: &str) -> Result<MergeRequest> {
    person::require(caller, "rejects merge requests")?;
    let mr = find(town, text)?;
    let rig = town.rig(mr.rig.as_str())?;
    let attempt = town.ledger.read(|view| view.attempt(mr.attempt).map_err(Error::from))?;
    let runtime = attempt.as_ref().and_then(|attempt| attempt.runtime);
    let (kind, formula) = attempt.map(|attempt| (attempt.agent, attempt.formula)).unzip();
    let crew = Crew::of(town, &rig, kind.as_deref(), formula.as_deref())?.in_runtime(runtime);
    let why = format!("a person looked at it and sent it back: {note}");
    town.ledger.write(&caller.name(), "mq reject", |tx| {
        let mr = require_open(tx, &mr)?;
        merge_requests::refuse_landing(&mr)?;
        refinery::send_back(tx, &crew, &mr, &why, NO_BUDGET)
    })?;
    town.wake();
    Ok(mr)
}

/// Closes a bead as landed by a commit on the trunk: the named one, or else the one that probably contains its work. Pins the
/// commit, so that gt notices if the trunk ever loses it. For a bead that has landed before, records the other commit.
pub fn landed(town: &Town, caller: &Caller, text: &str, by: Option<&str>) -> Result<MergeRequest> {
    person::require(caller, "says what has landed of merge requests")?;
    let mr = town.ledger.read(|view| require_landable(&find_in(view, text)?))?;
    let rig = town.rig(mr.rig.as_str())?;
    let thought = mr.doubt.as_ref().and_then(|doubt| doubt.by.clone());
    let id = by.map(str::to_owned).or(thought.map(|sha| sha.0)).ok_or_else(|| {
        let hint = format!("gt mq landed {} --by <commit>", mr.id);
        Error::refused(format!("the commit with which {} landed is unknown", mr.id), hint)
    })?;
    let commit = own_work::commit_on_trunk(town, &rig, &id)?;
    pin(town, &rig, &mr, &commit)?;
    town.ledger.write(&caller.name(), "mq landed", |tx| {
        let mr = require_landable(&find_in(tx, mr.id.as_str())?)?;
        if mr.ended_at.is_none() {
            merge_requests::refuse_landing(&mr)?;
            return refinery::record_merged(tx, &mr, &commit);
        }
        tx.set_landed_commit(&mr.id, &commit)?;
        say_how_it_ended(tx, &mr, BeadEnd::Merged(commit.to_string()).close_reason())
    })?;
    town.wake();
    Ok(mr)
}

/// Records that landed work is no longer on the trunk and should not be. Its bead stays closed, as not landed.
pub fn not_landed(town: &Town, caller: &Caller, text: &str) -> Result<MergeRequest> {
    person::require(caller, "says what has landed of merge requests")?;
    town.ledger.write(&caller.name(), "mq not landed", |tx| {
        let mr = find_in(tx, text)?;
        let lost = tx.condition(ConditionKind::Dropped, mr.bead.as_str())?;
        if mr.outcome != Some(MrEnd::Merged) || lost.is_none() {
            let what = format!("the trunk still contains {}", mr.id);
            return Err(Error::refused(what, format!("gt why {}", mr.bead)));
        }
        let commit = mr.commit_landed.as_ref().map_or("", Sha::short);
        let why = format!("landed as {commit}, and was taken off {} on purpose", mr.target);
        tx.unland(&mr, &why)?;
        say_how_it_ended(tx, &mr, why)?;
        Ok(mr)
    })
}

fn say_how_it_ended(tx: &Tx<'_>, mr: &MergeRequest, reason: String) -> Result<()> {
    tx.clear(ConditionKind::Dropped, mr.bead.as_str())?;
    match tx.bead(&mr.bead)?.filter(|bead| bead.status == Status::Closed) {
        Some(bead) => {
            let said = Bead { close_reason: Some(reason), ..bead.clone() };
            Ok(tx.change_bead("bead-updated", &bead, &said)?)
        }
        None => Ok(()),
    }
}

/// Returns the merge request if it is open or has landed.
fn require_landable(mr: &MergeRequest) -> Result<MergeRequest> {
    match mr.outcome {
        None | Some(MrEnd::Merged) => Ok(mr.clone()),
        Some(end) => Err(Error::refused(format!("{} is over: {}", mr.id, end.as_str()), "gt mq list shows what waits")),
    }
}

fn pin(town: &Town, rig: &Rig, mr: &MergeRequest, commit: &Sha) -> Result<()> {
    let (repo, path) = (town.world().repo(), rig.layout.repo());
    let held = town.lock(&rig.repo_lane())?;
    let name = mr.landing_ref();
    let before = repo.refs(&path)?.get(&name).cloned();
    Ok(repo.set_ref(&held, &path, &name, commit, before.as_ref())?)
}

/// Takes merge requests out of the queue for good. Their beads are open again, on no hook; their heads stay pinned.
pub fn cancel(town: &Town, caller: &Caller, ids: &[String], note: &str) -> Result<Vec<MergeRequest>> {
    person::require(caller, "cancels merge requests")?;
    let why = if note.is_empty() { "a person took it out of the queue".to_owned() } else { note.to_owned() };
    let cancelled = town.ledger.write(&caller.name(), "mq cancel", |tx| {
        each_open(tx, ids, |mr| {
            merge_requests::take_out(tx, mr, &why)?;
            if let Some(bead) = tx.bead(&mr.bead)?.filter(|bead| bead.status != Status::Closed) {
                let freed = Bead { status: Status::Open, assignee: None, ..bead.clone() };
                tx.change_bead("bead-released", &bead, &freed)?;
            }
            convoy::bead_finished(tx, &mr.bead, "failed")
        })
    })?;
    town.wake();
    Ok(cancelled)
}

/// Applies a change to all named open merge requests, or to none.
fn each_open(
    tx: &Tx<'_>,
    ids: &[String],
    mut act: impl FnMut(&MergeRequest) -> Result<()>,
) -> Result<Vec<MergeRequest>> {
    let mut done = Vec::new();
    for text in ids {
        let mr = require_open(tx, &find_in(tx, text)?)?;
        act(&mr)?;
        done.push(mr);
    }
    Ok(done)
}

/// Returns the current merge request, or an error if it is finished.
fn require_open(view: &View<'_>, mr: &MergeRequest) -> Result<MergeRequest> {
    refinery::still_open(view, &mr.id)?.ok_or_else(|| {
        let end = mr.outcome.map_or("over", MrEnd::as_str);
        Error::refused(format!("{} is over: {end}", mr.id), "gt mq list shows what waits")
    })
}

/// Returns all merge requests of a bead, oldest first, in the form of [`show`].
pub(crate) fn all_of(town: &Town, bead: &gt_model::id::BeadId) -> Result<Vec<Shown>> {
    let rigs = town.rigs()?;
    let items = town.ledger.read(|view| queue::items(town, view, &rigs, None, true))?;
    items.into_iter().filter(|item| &item.mr.bead == bead).map(|item| show(town, item.mr.id.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_for_a_shell() {
        for (path, word) in [("/a/b-1.git", "/a/b-1.git"), ("/a b", "'/a b'"), ("/it's", r"'/it'\''s'")] {
            assert_eq!(shell_word(Path::new(path)), word);
        }
    }
}
