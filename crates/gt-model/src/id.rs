//! Identifiers: what a bead, a worker or a ref may be called, and how new ones are made.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Defines a newtype over `String` for one kind of identifier, so that two kinds can't be mixed up.
macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

string_id! {
    /// A bead's id. Any text may occur (ledgers in the wild have all shapes), so nothing is validated here;
    /// [`slug`] makes it safe for refs and paths.
    BeadId
}
string_id! {
    /// One run of an agent's process inside an attempt.
    IncarnationId
}
string_id! {
    /// A merge request's id, `mr-<bead slug>-<attempt number>`.
    MrId
}
string_id! {
    /// A git object id in full, as git prints it.
    Sha
}

impl Sha {
    /// The first ten digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..10).unwrap_or(&self.0)
    }
}

/// The row id of an attempt: unique in its town, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(pub i64);

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a{}", self.0)
    }
}

/// A rig's name: a plain lower-case word that is safe as a folder, a ref component and part of an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RigName(String);

/// Names that a rig can't have, since the town uses them as folders of its own or they mean something in an address.
pub const RESERVED_RIG_NAMES: &[&str] = &[".beads", "mayor", "deacon", "logs", "bin", "directives", "boot", "overseer"];

/// Why a text is not a rig's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RigNameError {
    /// Not of the form `[A-Za-z0-9][A-Za-z0-9_-]{0,39}`.
    #[error("`{0}` is no plain name: use 1 to 40 letters, digits, `-` or `_`, starting with a letter or digit")]
    NotPlain(String),
    /// One of [`RESERVED_RIG_NAMES`].
    #[error("`{0}` is a name that the town uses itself")]
    Reserved(String),
}

impl RigName {
    /// Checks `text` and takes it as a rig's name.
    pub fn parse(text: &str) -> Result<Self, RigNameError> {
        let lower = text.to_ascii_lowercase();
        if RESERVED_RIG_NAMES.contains(&lower.as_str()) {
            return Err(RigNameError::Reserved(text.to_owned()));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !starts_well || text.len() > 40 || !text.chars().all(plain) {
            return Err(RigNameError::NotPlain(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RigName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Longest slug before the hash is added, in bytes.
const SLUG_LIMIT: usize = 40;

/// Makes any text safe as one component of a ref or a path: `[a-z0-9.-]{1,40}`, plus a short hash of the whole text
/// where the slug alone would not say all of it (so that two texts never share a slug).
pub fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' { c } else { '-' };
        // A ref component may hold no `..`; doubled dashes are folded for the eye.
        if out.ends_with(['.', '-']) && (c == '.' || c == '-') {
            continue;
        }
        if out.len() == SLUG_LIMIT {
            break;
        }
        out.push(c);
    }
    let trimmed = out.trim_matches(['.', '-']);
    let safe = trimmed.strip_suffix(".lock").unwrap_or(trimmed);
    if safe == text && !safe.is_empty() {
        return safe.to_owned();
    }
    let hash = hex(&Sha256::digest(text.as_bytes()))[..8].to_owned();
    if safe.is_empty() { hash } else { format!("{safe}-{hash}") }
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// SHA-256 of `text`, in hexadecimal digits.
pub fn sha256_hex(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}
