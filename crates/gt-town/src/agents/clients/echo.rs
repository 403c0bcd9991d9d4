//! Client for tests: each line of its settings is a moment and the command to run then.

use std::path::Path;

use gt_model::clients::Client;
use gt_model::moment::Moment;

use super::quote;
use crate::town::Town;
use crate::town::error::Result;
use crate::town::layout::settings_file;

pub(super) fn prepare(town: &Town, dir: &Path) -> Result<()> {
    let gt = quote(&town.layout.bin().join("gt").display().to_string());
    let client = Client::Echo.as_str();
    let line = |moment: Moment| match moment {
        Moment::Start => format!("start: {gt} prime --moment start --client {client}\n"),
        other => format!("{0}: {gt} moment {0} --client {client}\n", other.as_str()),
    };
    let settings: String = Moment::ALL.into_iter().map(line).collect();
    Ok(town.world().disk().write(&settings_file(dir), settings.as_bytes())?)
}
