//! Names of a session's variables and files that this crate itself must know.

/// The variable that carries the identity and the secret of an incarnation (one run of an agent) to the session's processes.
pub const TOKEN_VARIABLE: &str = "GT_INCARNATION";

/// The file of a session whose time is the agent's last sign of life. Agents write it.
pub const LIFE: &str = "life";

/// The environment variable that says what is to be logged: a level, or targets with levels.
pub const LOG_VARIABLE: &str = "GT_LOG";
