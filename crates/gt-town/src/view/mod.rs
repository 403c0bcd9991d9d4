//! Views: what people see of a town.
//!
//! [`observe`] gathers the state of the town for `gt status`, [`polecat`] shows one worker, [`story`] tells the history of a
//! bead, and [`doctor`] checks the town for faults.
//!
//! Views read the ledger and the disk. They start and end no agents and move no work.

pub mod doctor;
pub mod observe;
pub mod polecat;
pub mod story;
