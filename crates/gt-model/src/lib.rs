//! Vocabulary and pure decisions of Gas Town.
//!
//! No function in this crate does IO or reads a clock or the environment: data goes in, data comes out. The drivers that gather
//! the facts and carry out the decisions live in `gt-town`.

pub mod address;
pub mod bead;
pub mod boot;
pub mod check_kind;
pub mod clean;
pub mod clients;
pub mod condition;
pub mod convoy;
pub mod effect;
pub mod foreign;
pub mod formula;
pub mod fuzz;
pub mod guard;
pub mod id;
pub mod jsonl;
pub mod keep;
pub mod kept;
pub mod landed;
pub mod landing;
pub mod merge;
pub mod moment;
pub mod patrol;
pub mod price;
pub mod protocol;
pub mod query;
pub mod question;
pub mod queue;
pub mod red;
pub mod retention;
pub mod runtime;
pub mod standing;
pub mod start;
pub mod steering;
pub mod usage;
pub mod vocabulary;
pub mod words;
