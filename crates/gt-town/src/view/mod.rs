//! Views: what people see of a town.
//!
//! [`observe`] gathers the state of the town for `gt status`, [`doing`] says what a worker is doing, [`answer`] says why a bead is in
//! its state, [`story`] tells the history of anything with an id, and [`doctor`]
//! checks the town for faults. [`polecat`] shows workers (polecats), and ends or recovers one for a person.
//!
//! Apart from these two acts, views only read the ledger and the disk.

pub mod answer;
pub mod doctor;
pub mod doing;
pub mod observe;
pub mod polecat;
pub mod story;
