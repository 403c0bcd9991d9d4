//! The life of a town: creating it, starting and stopping it, and adopting a copy.
//!
//! [`install`] creates a town and [`updown`] performs `gt up` and `gt down`. [`home`] makes a copied or moved town writable
//! again.
//!
//! This room does not run patrols. It waits until the deacon runs or has ended.

pub mod home;
pub mod install;
pub mod updown;
