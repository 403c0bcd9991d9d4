//! Roles that keep the town going: deacon, boot, witness, mayor and crew; and what they need a person for.

pub mod boot;
pub mod crew;
pub mod deacon;
pub mod mayor;
pub mod needs;
pub mod retry;
pub mod standing;
pub mod witness;
