//! Mail between agents and people.
//!
//! [`post`] is the only module. [`post::send_from`] sends a mail for a caller; [`post::inbox`] and [`post::read`] show it. Roles
//! that code performs, such as the deacon, get protocol messages and act on them with [`post::handle`].
//!
//! This room stores mail in the ledger. It does not show mail to running agents: `work::prime` and `moments` do that.

pub mod post;
