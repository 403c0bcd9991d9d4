//! Addresses of agents and people: they name who acts and who gets mail.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::RigName;

/// An agent of a town, or its overseer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// The person in charge of the town.
    Overseer,
    /// The coordinator that the overseer talks to.
    Mayor,
    /// The town's daemon.
    Deacon,
    /// The process that keeps the deacon alive.
    Boot,
    /// A short-lived infrastructure worker.
    Dog(String),
    /// The agent that watches a rig's polecats.
    Witness(RigName),
    /// A rig's merge queue.
    Refinery(RigName),
    /// A short-lived worker.
    Polecat(RigName, String),
    /// An agent in a long-lived workspace.
    Crew(RigName, String),
    /// A command that the town runs for its agents' work, such as a gate. It may only read, so it gets no mail, and no text
    /// parses to its address.
    Gate,
}

/// The text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an address: use `mayor/`, `deacon/`, `overseer`, `<rig>/witness`, `<rig>/refinery`, \
     `<rig>/polecats/<name>` or `<rig>/crew/<name>`"
)]
pub struct AddressError(pub String);

impl Address {
    /// Parses an address. Does not check whether the agent exists.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let bad = || AddressError(text.to_owned());
        let parts: Vec<&str> = text.trim_end_matches('/').split('/').collect();
        let rig = |name: &str| RigName::parse(name).map_err(|_| bad());
        let worker = |name: &str| if is_worker_name(name) { Ok(name.to_owned()) } else { Err(bad()) };
        match parts.as_slice() {
            ["overseer"] => Ok(Self::Overseer),
            ["mayor"] => Ok(Self::Mayor),
            ["deacon"] => Ok(Self::Deacon),
            ["boot"] => Ok(Self::Boot),
            ["deacon", "dogs", name] => Ok(Self::Dog(worker(name)?)),
            [r, "witness"] => Ok(Self::Witness(rig(r)?)),
            [r, "refinery"] => Ok(Self::Refinery(rig(r)?)),
            [r, "polecats", name] => Ok(Self::Polecat(rig(r)?, worker(name)?)),
            [r, "crew", name] => Ok(Self::Crew(rig(r)?, worker(name)?)),
            _ => Err(bad()),
        }
    }
}

/// Whether `name` is a valid name for a worker: a slug of at most 40 bytes.
pub fn is_worker_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

impl Address {
    /// Returns the rig that the agent belongs to; `None` for agents of the whole town.
    pub fn rig(&self) -> Option<&RigName> {
        match self {
            Self::Witness(rig) | Self::Refinery(rig) | Self::Polecat(rig, _) | Self::Crew(rig, _) => Some(rig),
            Self::Overseer | Self::Mayor | Self::Deacon | Self::Boot | Self::Dog(_) | Self::Gate => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overseer => f.write_str("overseer"),
            Self::Mayor => f.write_str("mayor/"),
            Self::Deacon => f.write_str("deacon/"),
            Self::Boot => f.write_str("boot/"),
            Self::Gate => f.write_str("gate"),
            Self::Dog(name) => write!(f, "deacon/dogs/{name}"),
            Self::Witness(rig) => write!(f, "{rig}/witness"),
            Self::Refinery(rig) => write!(f, "{rig}/refinery"),
            Self::Polecat(rig, name) => write!(f, "{rig}/polecats/{name}"),
            Self::Crew(rig, name) => write!(f, "{rig}/crew/{name}"),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_back_as_written() {
        for text in [
            "overseer",
            "mayor/",
            "deacon/",
            "boot/",
            "deacon/dogs/rex",
            "vt/witness",
            "vt/refinery",
            "vt/polecats/amber",
            "vt/crew/ann",
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "/", "gate", "vt", "vt/polecats", "vt/polecats/../x", "mayor/witness", "-rf/witness", "a/b/c/d"]
        {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
