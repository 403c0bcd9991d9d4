//! Identifiers: which names beads, workers and refs may have, and how new ones are made.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Defines a newtype over `String` for one kind of identifier, so that two kinds can't be confused.
macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// Returns the identifier as text.
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
    /// Id of a bead. Any text is allowed, because existing ledgers contain ids of all shapes. [`slug`] makes an id safe for refs
    /// and paths.
    BeadId
}
impl BeadId {
    /// Returns the part before the last dash: `vt` of `vt-a1`, `my-app` of `my-app-x7k`; empty if there is no dash.
    pub fn prefix(&self) -> &str {
        self.0.rsplit_once('-').map_or("", |(prefix, _)| prefix)
    }
}

string_id! {
    /// Id of one run of an agent's process (an incarnation).
    IncarnationId
}
string_id! {
    /// Id of a merge request: `mr-<bead slug>-<attempt number>`.
    MrId
}
string_id! {
    /// Full id of a git object, as git prints it.
    Sha
}

impl Sha {
    /// Returns the first ten digits, to show to people.
    pub fn short(&self) -> &str {
        self.0.get(..10).unwrap_or(&self.0)
    }
}

/// Row id of an attempt. It is unique in its town and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(pub i64);

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a{}", self.0)
    }
}

/// Row id of a molecule, a formula that was poured. It is unique in its town and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MoleculeId(pub i64);

impl fmt::Display for MoleculeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mol-{}", self.0)
    }
}

impl std::str::FromStr for MoleculeId {
    type Err = std::num::ParseIntError;

    /// Parses `mol-12` or `12`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("mol-").unwrap_or(text).parse().map(Self)
    }
}

/// Name of a rig: a plain word that is safe as a folder, as a part of a ref and in an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RigName(String);

/// Names that a rig can't have, because they are the town's own folders or have a meaning in addresses.
pub const RESERVED_RIG_NAMES: &[&str] = &[".beads", "mayor", "deacon", "logs", "bin", "directives", "boot", "overseer"];

/// The text is not a valid name for a rig.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RigNameError {
    /// It does not have the form `[A-Za-z0-9][A-Za-z0-9_-]{0,39}`.
    #[error("`{0}` is not a plain name: use 1 to 40 letters, digits, `-` or `_`, starting with a letter or digit")]
    NotPlain(String),
    /// It is one of [`RESERVED_RIG_NAMES`].
    #[error("`{0}` is a name that the town uses itself")]
    Reserved(String),
}

impl RigName {
    /// Parses a rig's name.
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

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RigName {
    type Error = RigNameError;

    fn try_from(text: String) -> Result<Self, RigNameError> {
        Self::parse(&text)
    }
}

impl From<RigName> for String {
    fn from(name: RigName) -> Self {
        name.0
    }
}

impl fmt::Display for RigName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Maximum length of a slug before the hash is added, in bytes.
const SLUG_LIMIT: usize = 40;

/// Number of hexadecimal digits in the hash that [`slug`] adds.
const SLUG_HASH_DIGITS: usize = 8;

/// Makes any text safe as one component of a ref or a path: `[a-z0-9.-]{1,40}`. If the slug does not preserve the whole text,
/// adds `-` and a short hash of the text, so that two texts never have the same slug.
pub fn slug(text: &str) -> String {
    let plain = plain_part(text);
    // A text that already looks hashed gets a hash as well. Otherwise it could equal the slug of another text.
    if plain == text && !plain.is_empty() && !looks_hashed(text) {
        return plain;
    }
    let hash = &sha256_hex(text)[..SLUG_HASH_DIGITS];
    if plain.is_empty() { hash.to_owned() } else { format!("{plain}-{hash}") }
}

/// Returns `text` without everything that a ref component may not contain.
fn plain_part(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        let c = if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' { c } else { '-' };
        // A ref component may not contain `..`. Double dashes are only folded for readability.
        if out.ends_with(['.', '-']) && (c == '.' || c == '-') {
            continue;
        }
        if out.len() == SLUG_LIMIT {
            break;
        }
        out.push(c);
    }
    let trimmed = out.trim_matches(['.', '-']);
    trimmed.strip_suffix(".lock").unwrap_or(trimmed).to_owned()
}

/// Whether `text` ends like a slug with a hash.
fn looks_hashed(text: &str) -> bool {
    let tail = text.rsplit('-').next().unwrap_or(text);
    tail.len() == SLUG_HASH_DIGITS && tail.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

/// Returns `bytes` as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Returns the SHA-256 of `text` as hexadecimal digits.
pub fn sha256_hex(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Facts that a new bead's id is derived from.
#[derive(Clone, Copy, Debug)]
pub struct IdSeed<'a> {
    /// Title of the bead.
    pub title: &'a str,
    /// Description of the bead; may be empty.
    pub description: &'a str,
    /// Agent or person that creates it.
    pub creator: &'a str,
    /// Time of creation.
    pub created_at: Timestamp,
}

/// Minimum number of digits of a bead's id after the prefix.
pub const ID_LENGTH_MIN: usize = 3;

/// Maximum number of digits of a bead's id after the prefix.
pub const ID_LENGTH_MAX: usize = 10;

/// Up to how many ids of one prefix 3, 4, … digits keep the probability of a collision at 25 % or less.
const ID_LENGTH_LIMITS: [u64; 5] = [163, 983, 5_898, 35_389, 212_339];

/// Minimum number of digits of an id in a ledger that is merged with others.
pub const ID_LENGTH_APART: usize = 6;

/// Up to how many ids of one prefix 6, 7, … digits are enough in two ledgers that each create so many independently. The
/// probability that any two of them collide is then 1 in 10,000 or less.
const APART_LIMITS: [u64; 4] = [460, 2_700, 10_400, 99_000];

/// How many bytes of a hash the digits of each length are made from: about as many as they can represent.
const BYTES_OF_LENGTH: [usize; 8] = [2, 3, 4, 4, 5, 5, 6, 7];

/// How many ids of one length are tried before a longer one.
const NONCES_PER_LENGTH: u32 = 10;

/// Returns the id for `seed` and this nonce, with `length` base-36 digits after the prefix. `length` is limited to 3–10.
pub fn candidate_id(prefix: &str, seed: &IdSeed<'_>, nonce: u32, length: usize) -> BeadId {
    let length = length.clamp(ID_LENGTH_MIN, ID_LENGTH_MAX);
    let nanos = seed.created_at.as_nanosecond();
    let text = format!("{}|{}|{}|{nanos}|{nonce}", seed.title, seed.description, seed.creator);
    let hash = Sha256::digest(text.as_bytes());
    let bytes = BYTES_OF_LENGTH[length - ID_LENGTH_MIN];
    let number = hash[..bytes].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    BeadId(format!("{prefix}-{}", base36(number, length)))
}

/// Returns the lowest `length` base-36 digits of `number`, padded with zeros.
fn base36(mut number: u64, length: usize) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::with_capacity(length);
    for _ in 0..length {
        digits.push(char::from(DIGITS[(number % 36) as usize]));
        number /= 36;
    }
    digits.iter().rev().collect()
}

/// Returns the number of digits of a new id if `existing_with_prefix` ids of its prefix exist.
pub fn id_length(existing_with_prefix: u64) -> usize {
    ID_LENGTH_MIN + ID_LENGTH_LIMITS.iter().filter(|limit| existing_with_prefix > **limit).count()
}

/// Like [`id_length`], for a ledger that is synced or kept in git. Other ledgers create ids at the same time, which this one does
/// not know.
pub fn id_length_apart(existing_with_prefix: u64) -> usize {
    ID_LENGTH_APART + APART_LIMITS.iter().filter(|limit| existing_with_prefix > **limit).count()
}

/// Returns the new id of a bead that can't keep `id`, because an independently created bead has it. The new id follows from `id`
/// and `identity` alone. Its prefix and its parent stay the same.
pub fn id_beside(id: &BeadId, identity: &str) -> BeadId {
    let hash = Sha256::digest(format!("{id}|{identity}").as_bytes());
    let number = hash[..5].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let digits = base36(number, 8);
    let text = id.as_str();
    let (end_of_parent, dash) = (text.rfind('.'), text.rfind('-'));
    BeadId(match (end_of_parent, dash) {
        (Some(dot), dash) if dash.is_none_or(|dash| dash < dot) => format!("{}.x{digits}", &text[..dot]),
        (_, Some(dash)) => format!("{}-{digits}", &text[..dash]),
        _ => format!("{text}.x{digits}"),
    })
}

/// Returns a bead id that is not `taken`. Tries ten nonces with `length` digits, then ten with one digit more, and so on.
pub fn new_id(prefix: &str, seed: &IdSeed<'_>, length: usize, taken: impl Fn(&BeadId) -> bool) -> BeadId {
    let shorter = (length..ID_LENGTH_MAX).flat_map(|l| (0..NONCES_PER_LENGTH).map(move |n| (l, n)));
    // No id is longer than the longest, so here the nonces continue.
    let longest = (0..u32::MAX).map(|nonce| (ID_LENGTH_MAX, nonce));
    shorter
        .chain(longest)
        .map(|(length, nonce)| candidate_id(prefix, seed, nonce, length))
        .find(|id| !taken(id))
        .unwrap_or_else(|| candidate_id(prefix, seed, u32::MAX, ID_LENGTH_MAX))
}

/// Result of resolving an abbreviated bead id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Abbreviation {
    /// The text is an id.
    Exact(BeadId),
    /// Only this id matches.
    Unique(BeadId),
    /// Several ids match: the first ones in byte order, at most [`AMBIGUOUS_LIMIT`].
    Ambiguous(Vec<BeadId>),
    /// No id matches.
    None,
}

/// Maximum number of ids in [`Abbreviation::Ambiguous`].
pub const AMBIGUOUS_LIMIT: usize = 10;

/// Finds the id that `text` stands for. First the id itself; then the id whose whole part after a dash is `text` (`a1` for
/// `vt-a1`, even if `vt-a1.2` exists); then the id that starts with `text`, with or without the prefix.
pub fn resolve_abbreviation<'a>(text: &str, ids: impl Iterator<Item = &'a BeadId>) -> Abbreviation {
    if text.is_empty() {
        return Abbreviation::None;
    }
    let (mut whole, mut begun) = (BTreeSet::new(), BTreeSet::new());
    for id in ids {
        if id.as_str() == text {
            return Abbreviation::Exact(id.clone());
        }
        if parts_after_dashes(id).any(|part| part == text) {
            whole.insert(id);
        }
        if id.as_str().starts_with(text) || parts_after_dashes(id).any(|part| part.starts_with(text)) {
            begun.insert(id);
        }
    }
    only_or_several(if whole.is_empty() { &begun } else { &whole })
}

/// Returns the parts of `id` after each dash. Prefixes may contain dashes (`my-app-a1`), and so may ids (`vt-wisp-a1`).
fn parts_after_dashes(id: &BeadId) -> impl Iterator<Item = &str> {
    id.as_str().match_indices('-').map(|(at, dash)| &id.as_str()[at + dash.len()..])
}

/// Returns the result for these matching ids.
fn only_or_several(candidates: &BTreeSet<&BeadId>) -> Abbreviation {
    let mut listed: Vec<BeadId> = candidates.iter().take(AMBIGUOUS_LIMIT).map(|id| (*id).clone()).collect();
    match (listed.len(), listed.pop()) {
        (_, None) => Abbreviation::None,
        (1, Some(id)) => Abbreviation::Unique(id),
        (_, Some(last)) => {
            listed.push(last);
            Abbreviation::Ambiguous(listed)
        }
    }
}

#[cfg(test)]
mod tests;
