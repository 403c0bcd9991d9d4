//! Beads that somebody works on in another town: how a record says so, and which of two claims counts.

use crate::bead::{Bead, Stamp};
use crate::jsonl;

/// The key that says since when a town works on a bead: the time that two claims are compared by.
pub const HELD_SINCE: &str = "held_since";

/// Hexadecimal digits of a town's id.
const TOWN_DIGITS: usize = 32;

/// A town's word that one of its agents works on a bead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Since when.
    pub since: Stamp,
    /// The town's id.
    pub town: String,
    /// Who, in that town.
    pub by: String,
}

/// The assignee that other towns see of a bead that `address` works on in `town`.
pub fn foreign_assignee(town: &str, address: &str) -> String {
    format!("{town}:{address}")
}

/// Town and address of an assignee that [`foreign_assignee`] made; `None` of any other.
pub fn split_assignee(assignee: &str) -> Option<(&str, &str)> {
    let (town, by) = assignee.split_once(':')?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (town.len() == TOWN_DIGITS && town.bytes().all(is_digit)).then_some((town, by))
}

/// The claim that a record tells of.
pub fn claim(bead: &Bead) -> Option<Claim> {
    let (town, by) = split_assignee(bead.assignee.as_deref()?)?;
    let (_, raw) = bead.rest.iter().find(|(key, _)| key == HELD_SINCE)?;
    let text: String = serde_json::from_str(raw).ok()?;
    Some(Claim { since: Stamp::parse(&text).ok()?, town: town.to_owned(), by: by.to_owned() })
}

/// Says since when a bead is held; `None` takes that away.
pub fn set_held_since(bead: &mut Bead, since: Option<&str>) {
    bead.rest.retain(|(key, _)| key != HELD_SINCE);
    if let Some(since) = since {
        bead.rest.push((HELD_SINCE.to_owned(), serde_json::Value::from(since).to_string()));
        jsonl::order_rest(&mut bead.rest, jsonl::KEYS);
    }
}

/// The sides with the claim that counts on both, where each has made one of its own since the base: the earlier, and of
/// equally early ones that of the lesser town id. Of one town's own two the later, since it has let go of the other.
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

/// `bead`, held as `by` says. That it is closed stays.
fn held_as(by: &Bead, bead: &Bead) -> Bead {
    let mut held = Bead { assignee: by.assignee.clone(), ..bead.clone() };
    if bead.closed_at.is_none() && by.closed_at.is_none() {
        held.status.clone_from(&by.status);
    }
    let since = claim(by).map(|claim| claim.since.text);
    set_held_since(&mut held, since.as_deref());
    held
}
