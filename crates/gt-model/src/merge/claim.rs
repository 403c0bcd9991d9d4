//! Claims: beads that an agent in another town works on. Defines how a record expresses a claim, and which of two claims counts.

use crate::bead::{Bead, Stamp};
use crate::jsonl;

/// Key of the time since which a town works on a bead. Two claims are compared by this time.
pub const HELD_SINCE: &str = "held_since";

/// Number of hexadecimal digits in a town's id.
const TOWN_DIGITS: usize = 32;

/// Statement of a town that one of its agents works on a bead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Time since when the agent works on it.
    pub since: Stamp,
    /// Id of the town.
    pub town: String,
    /// Address of the agent in that town.
    pub by: String,
}

/// Returns the assignee that other towns see for a bead that `address` works on in `town`.
pub fn foreign_assignee(town: &str, address: &str) -> String {
    format!("{town}:{address}")
}

/// Returns the town and the address of an assignee that [`foreign_assignee`] made; `None` for any other.
pub fn split_assignee(assignee: &str) -> Option<(&str, &str)> {
    let (town, by) = assignee.split_once(':')?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (town.len() == TOWN_DIGITS && town.bytes().all(is_digit)).then_some((town, by))
}

/// Returns the claim that a record contains.
pub fn claim(bead: &Bead) -> Option<Claim> {
    let (town, by) = split_assignee(bead.assignee.as_deref()?)?;
    let (_, raw) = bead.rest.iter().find(|(key, _)| key == HELD_SINCE)?;
    let text: String = serde_json::from_str(raw).ok()?;
    Some(Claim { since: Stamp::parse(&text).ok()?, town: town.to_owned(), by: by.to_owned() })
}

/// Sets the time since which a bead is held; `None` removes it.
pub fn set_held_since(bead: &mut Bead, since: Option<&str>) {
    bead.rest.retain(|(key, _)| key != HELD_SINCE);
    if let Some(since) = since {
        bead.rest.push((HELD_SINCE.to_owned(), serde_json::Value::from(since).to_string()));
        jsonl::order_rest(&mut bead.rest, jsonl::KEYS);
    }
}

/// Decides between two claims, if each side has made a new one since the base. Returns both sides with the claim that counts: the
/// earlier one; of two equally early ones, the one of the smaller town id. Of two claims of the same town the later one counts,
/// because the town has given up the other.
pub(super) fn settle(base: Option<&Bead>, ours: &Bead, theirs: &Bead) -> Option<(Bead, Bead)> {
    let (our, their) = (claim(ours)?, claim(theirs)?);
    let before = base.and_then(claim);
    if our == their || before.as_ref() == Some(&our) || before.as_ref() == Some(&their) {
        return None;
    }
    let order = our.since.at.cmp(&their.since.at).then_with(|| our.town.cmp(&their.town));
    let order = if our.town == their.town { order.reverse().then_with(|| our.by.cmp(&their.by)) } else { order };
    Some(if order.is_le() { (ours.clone(), held_as(ours, theirs)) } else { (held_as(theirs, ours), theirs.clone()) })
}

/// Returns `bead` with the holder of `by`. A closed bead stays closed.
fn held_as(by: &Bead, bead: &Bead) -> Bead {
    let mut held = Bead { assignee: by.assignee.clone(), ..bead.clone() };
    if bead.closed_at.is_none() && by.closed_at.is_none() {
        held.status.clone_from(&by.status);
    }
    let since = claim(by).map(|claim| claim.since.text);
    set_held_since(&mut held, since.as_deref());
    held
}
