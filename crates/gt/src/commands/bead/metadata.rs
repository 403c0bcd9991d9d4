//! Metadata of a bead: JSON that tools store with it.

use gt_model::bead::Bead;
use serde_json::{Map, Value};

use super::update::UpdateArgs;
use crate::error::CliError;

/// Key under which a bead stores it.
pub const KEY: &str = "metadata";

/// Returns a bead's metadata after a change. As in `bd`, keys that the change does not name stay, since other tools use them.
pub fn changed(bead: &Bead, args: &UpdateArgs) -> Result<Option<String>, CliError> {
    let before = bead.rest.iter().find(|(key, _)| key == KEY).map_or("{}", |(_, raw)| raw);
    let mut keys = object(before).unwrap_or_default();
    if let Some(text) = &args.metadata {
        let Some(new) = object(text) else {
            return Err(CliError::usage(
                "--metadata: not a JSON object",
                "for example --metadata '{\"team\":\"core\"}'",
            ));
        };
        keys.extend(new);
    }
    for pair in &args.set_metadata {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(CliError::usage(&format!("`{pair}` is not key=value"), "for example --set-metadata team=core"));
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

/// Parses a value as a number, a flag, null, or a text.
fn typed(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => value,
        _ => Value::from(text),
    }
}
