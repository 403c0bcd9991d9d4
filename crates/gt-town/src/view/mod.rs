//! What people look at: status, stories, reports of the doctor.

pub mod doctor;
pub mod observe;
pub mod polecat;
pub mod story;
