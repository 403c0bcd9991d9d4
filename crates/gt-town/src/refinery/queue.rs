//! Lists merge requests with their status.

use gt_ledger::{MergeRequest, View};
use gt_model::queue::MrStatus;
use serde::Serialize;

use crate::refinery;
use crate::rigs::gates::{self, Running};
use crate::town::error::Result;
use crate::town::{Rig, Town};

/// A merge request at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct QueueItem {
    /// The request.
    #[serde(flatten)]
    pub mr: MergeRequest,
    /// Its derived status.
    pub status: MrStatus,
    /// Run of the gates on it in progress.
    pub gating: Option<Running>,
}

/// Returns merge requests with their status: of one rig if `only` is given, and the finished ones too if `all`.
pub fn items(town: &Town, view: &View<'_>, rigs: &[Rig], only: Option<&Rig>, all: bool) -> Result<Vec<QueueItem>> {
    let requests = if all { view.merge_requests()? } else { view.open_merge_requests(None)? };
    let running = rigs.iter().map(|rig| gates::running(town, view, rig)).collect::<Result<Vec<_>>>()?;
    let mut items = Vec::new();
    for mr in requests {
        let Some(rig) = rigs.iter().find(|rig| rig.name() == &mr.rig) else { continue };
        if only.is_none_or(|only| only.name() == rig.name()) {
            let status = refinery::status(view, rig, &mr)?;
            let gating = running.iter().flatten().find(|running| running.gating.batch.contains(&mr.id)).cloned();
            items.push(QueueItem { mr, status, gating });
        }
    }
    Ok(items)
}
