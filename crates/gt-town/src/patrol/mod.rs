//! Roles that keep the town going, and the list of what they need a person for.
//!
//! [`deacon`] is the loop that calls everything else on each patrol; [`boot`] restarts the deacon. [`witness`] supervises
//! workers. [`standing`] starts and stops agents without a bead of their own: the [`mayor`] and the [`crew`]. [`retry`] restarts
//! what was given up, and [`needs`] lists what waits for a person.
//!
//! A patrol compares the ledger with the world and decides effects. It does no work on beads itself.

pub mod boot;
pub mod crew;
pub mod deacon;
pub mod mayor;
pub mod needs;
pub mod retry;
pub mod standing;
pub mod witness;
