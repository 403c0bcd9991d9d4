//! Roles that keep the town going, and the list of what they need a person for.
//!
//! [`deacon`] is the town's daemon: its loop performs effects and calls the other patrols. [`boot`] keeps the deacon running.
//! [`witness`] supervises workers. [`standing`] starts, wakes and stops agents without a bead of their own: the mayor and crew
//! members. [`mayor`] sends a person's questions to the mayor, and [`crew`] adds and removes workspaces. [`retry`] retries failed
//! starts, and [`needs`] lists what waits for a person.
//!
//! A patrol compares the ledger with the world and acts on the difference. It does no work on beads itself.

pub mod boot;
pub mod crew;
pub mod deacon;
pub mod mayor;
pub mod needs;
pub mod retry;
pub mod standing;
pub mod witness;
