//! Views: what people see of a town.
//!
//! [`observe`] gathers the state of the town for `gt status`, [`story`] tells the history of anything with an id, and [`doctor`]
//! checks the town for faults. [`polecat`] shows workers (polecats), and ends or recovers one for a person.
//!
//! Apart from these two acts, views only read the ledger and the disk.

pub mod doctor;
pub mod observe;
pub mod polecat;
pub mod story;
