//! A bead's metadata: JSON that tools keep with it.

use gt_model::bead::Bead;
use serde_json::{Map, Value};

use super::change::usage;
use crate::cli::UpdateArgs;
use crate::error::CliError;

/// The key under which a bead has it.
pub const KEY: &str = "metadata";

/// The metadata of a bead after a change. As in `bd`, what the change does not name stays: other tools keep their keys there.
pub fn changed(bead: &Bead, args: &UpdateArgs) -> Result<Option<String>, CliError> {
    let before = bead.rest.iter().find(|(key, _)| key == KEY).map_or("{}", |(_, raw)| raw);
    let mut keys = object(before).unwrap_or_default();
    if let Some(text) = &args.metadata {
        let Some(new) = object(text) else {
            return Err(usage("--metadata: that is no JSON object", "for example --metadata '{\"team\":\"core\"}'"));
        };
        keys.extend(new);
    }
    for pair in &args.set_metadata {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(usage(&format!("`{pair}` is no key=value"), "for example --set-metadata team=core"));
        };
        keys.insert(key.to_owned(), typed(value));
    }
    for key in &args.unset_metadata {
        keys.remove(key);
    }
    Ok(Some(Value::Object(keys).to_string()).filter(|text| text != "{}"))
}

fn object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

/// A value as it was meant: a number, a flag, nothing, or a text.
fn typed(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => value,
        _ => Value::from(text),
    }
}
