//! What a town does with the real client as its workers.

use super::town::{Runtime, TownStage};
use super::{Outfit, Scenario};
use serde_json::json;

/// All of them.
pub const ALL: &[Scenario] = &[
    Scenario { name: "town-lands-headless", run: |outfit| lands(outfit, Runtime::Headless) },
    Scenario { name: "town-lands-tmux", run: |outfit| lands(outfit, Runtime::Tmux) },
];

/// A bead goes all the way; start prompt and prime reach the model.
fn lands(outfit: &Outfit, runtime: Runtime) -> Result<String, String> {
    TownStage::with(outfit, runtime, json!([]), |town| {
        let bead = town.sling("A first thing")?;
        town.landed(&bead)?;
        town.heard(&["Work is on your hook", "There is work on your hook", "DESCRIPTION-OF-THE-BEAD"])?;
        Ok(format!("{bead} landed after {} requests", town.fake.asked().len()))
    })
}
