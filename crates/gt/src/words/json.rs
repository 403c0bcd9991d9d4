//! JSON of the engine's facts, with words in the keys that hold words.

use gt_model::id::BeadId;
use gt_town::patrol::mayor::Asked;
use gt_town::patrol::needs::Need;
use gt_town::patrol::standing::AgentStatus;
use gt_town::view::answer::Answer;
use gt_town::view::doctor::Check;
use gt_town::view::observe::{TownStatus, Why, WorkerStatus};
use gt_town::view::polecat::{Polecat, PolecatDetail};
use gt_town::view::story::{BeadStory, ConvoyStory, MemberStory, Story};
use serde::Serialize;
use serde_json::Value;

use super::{agent, answer, attempt, hint, next, todo, worker};
use crate::error::CliError;

/// Facts whose JSON contains words.
pub trait Worded: Serialize {
    /// Replaces facts in `json`, which is the JSON of this value, by their words. All keys keep their places.
    fn word(&self, json: &mut Value);

    /// Returns the JSON with words.
    fn worded(&self) -> Result<Value, CliError> {
        let mut json = serde_json::to_value(self).map_err(|e| CliError::Io(e.into()))?;
        self.word(&mut json);
        Ok(json)
    }
}

impl<T: Worded> Worded for [T] {
    fn word(&self, json: &mut Value) {
        let values = json.as_array_mut().into_iter().flatten();
        self.iter().zip(values).for_each(|(facts, json)| facts.word(json));
    }
}

impl Worded for Need {
    fn word(&self, json: &mut Value) {
        json["next"] = todo(&self.next).into();
    }
}

impl Worded for Check {
    fn word(&self, json: &mut Value) {
        json["hint"] = self.hint.as_ref().map(hint).into();
    }
}

impl Worded for AgentStatus {
    fn word(&self, json: &mut Value) {
        json["doing"] = agent(&self.doing).into();
    }
}

impl Worded for WorkerStatus {
    fn word(&self, json: &mut Value) {
        json["doing"] = worker(&self.doing).into();
    }
}

impl Worded for TownStatus {
    fn word(&self, json: &mut Value) {
        self.needs_you.word(&mut json["needs_you"]);
        self.agents.word(&mut json["agents"]);
        self.workers.word(&mut json["workers"]);
    }
}

impl Worded for Asked {
    fn word(&self, json: &mut Value) {
        self.mayor.word(&mut json["mayor"]);
    }
}

impl Worded for Polecat {
    fn word(&self, json: &mut Value) {
        json["doing"] = self.doing.as_ref().map(worker).into();
    }
}

impl Worded for PolecatDetail {
    fn word(&self, json: &mut Value) {
        self.polecat.word(json);
    }
}

fn word_answer(id: &BeadId, of: &Answer, is_stalled: bool, json: &mut Value) {
    json["answer"] = answer(id, of).into();
    json["next"] = next(id, of, is_stalled).into();
}

impl Worded for Why {
    fn word(&self, json: &mut Value) {
        word_answer(&self.bead, &self.answer, self.is_stalled, json);
    }
}

impl Worded for BeadStory {
    fn word(&self, json: &mut Value) {
        word_answer(&self.id, &self.answer, self.is_stalled, json);
        let attempts = json["attempts"].as_array_mut().into_iter().flatten();
        self.attempts.iter().zip(attempts).for_each(|(story, json)| json["state"] = attempt(&story.state).into());
    }
}

impl Worded for MemberStory {
    fn word(&self, json: &mut Value) {
        word_answer(&self.id, &self.answer, self.is_stalled, json);
    }
}

impl Worded for ConvoyStory {
    fn word(&self, json: &mut Value) {
        self.members.word(&mut json["members"]);
    }
}

impl Worded for Story {
    fn word(&self, json: &mut Value) {
        match self {
            Self::Bead(story) => story.word(json),
            Self::Convoy(story) => story.word(json),
            Self::Worker { attempts } => attempts.word(&mut json["attempts"]),
            Self::Agent(status) => status.word(json),
            Self::MergeRequest(_) | Self::Session(_) | Self::Rig(_) => {}
        }
    }
}
