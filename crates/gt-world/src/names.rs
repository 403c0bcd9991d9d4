//! Names that the outside itself must know: of variables and files of a session.

/// The variable by which a session's processes name their incarnation and its secret.
pub const TOKEN_VARIABLE: &str = "GT_INCARNATION";

/// The file of a session whose time is its agent's last sign of life. Agents write it.
pub const LIFE: &str = "life";

/// The environment variable that says what is to be logged: a level, or targets with levels.
pub const LOG_VARIABLE: &str = "GT_LOG";
