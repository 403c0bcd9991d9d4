//! Identifies the caller: the overseer, an incarnation that proves itself with a token, or a gate.

use std::collections::BTreeMap;
use std::path::Path;

use gt_ledger::confined::standing_at;
use gt_ledger::{Attempt, LedgerError, View};
use gt_model::id::{IncarnationId, sha256_hex};
use gt_world::TOKEN_VARIABLE;
use gt_world::{Above, Descent, ProcessId, Standing, World};

use crate::town::error::{Error, Result};
use crate::town::layout::Layout;
use crate::town::person::{self, Act};
use crate::town::settings::{self, TownSettings};
use crate::town::{Caller, Outside, Town};

/// Environment variable that marks the processes of gates and other project commands. Its value is the folder of the town that
/// runs them.
pub(crate) const GATE_VARIABLE: &str = "GT_GATE";

/// Identifies the caller from its ancestor processes and its environment. A process below a gate is a gate, even if it has a
/// token. Otherwise a caller with a token is the incarnation that the token proves. A caller without a token is the overseer only
/// if no session, gate or daemon of any town is among its ancestors and it is not in a sandbox.
pub fn caller(town: &Town, env: &BTreeMap<String, String>) -> Result<Caller> {
    let token = env.get(TOKEN_VARIABLE);
    let descent = town.world().sessions().descent();
    // The ledger knows whether an ancestor is a command of the town. A token with only sessions above needs no such check.
    let standing = if token.is_some() && descent.above().iter().all(|above| *above == Above::Session) {
        Standing::Session
    } else {
        town.ledger.standing_of(&descent)?
    };
    if standing == Standing::Command || is_marked_as_gate(town, env) {
        town.ledger.confine();
        return Ok(Caller::gate());
    }
    match token {
        Some(token) => by_token(town, token),
        None if standing == Standing::Session || descends_from_session(town, &descent)? => Err(Error::NoToken),
        None => Ok(Caller::overseer()),
    }
}

/// Returns the incarnation that a token claims, without verifying it, if the id can be part of a path.
pub fn named(token: &str) -> Option<IncarnationId> {
    let (id, _) = token.rsplit_once('.')?;
    let is_plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    is_plain.then(|| id.into())
}

/// Whether the environment says that the process is a gate of this town.
fn is_marked_as_gate(town: &Town, env: &BTreeMap<String, String>) -> bool {
    env.get(GATE_VARIABLE).is_some_and(|of| Path::new(of) == town.layout.root)
}

/// Refuses agents and gates before a process becomes a daemon of the town. A daemon below a session or gate would act with the
/// town's full rights.
pub fn refuse_agents(town: &Town) -> Result<()> {
    let sessions = town.world().sessions();
    match town.ledger.standing_of(&sessions.descent().shims())? {
        Standing::Outside => Ok(()),
        Standing::Session => Err(Error::NoToken),
        Standing::Command => Err(LedgerError::Confined.into()),
    }
}

/// Refuses agents and gates an act on a ledger at `path` that can't be opened and therefore can't identify callers. Also asks a
/// person to confirm the act if the settings of the town at `root` require it.
pub fn person_of_lost(path: &Path, root: Option<&Path>, outside: &Outside, act: Act<'_>) -> Result<()> {
    let world = outside.world.as_ref();
    let standing = standing_at(world, path, &world.sessions().descent())?;
    if standing == Standing::Command {
        return Err(LedgerError::Confined.into());
    }
    if standing != Standing::Outside
        || [TOKEN_VARIABLE, GATE_VARIABLE].iter().any(|name| outside.env.contains_key(*name))
    {
        return Err(Error::refused(format!("only the overseer {}", act.refused), "ask the overseer by mail"));
    }
    let Some(root) = root else { return Ok(()) };
    let settings = Layout::new(root).settings();
    let bytes = world.disk().read(&settings)?.ok_or_else(|| Error::MissingFile(settings.clone()))?;
    let settings: TownSettings = settings::parse(&settings, &bytes)?;
    person::confirm_by(&settings.overseer, outside, act)
}

fn by_token(town: &Town, token: &str) -> Result<Caller> {
    let (id, secret) = token.rsplit_once('.').ok_or(Error::BadToken)?;
    let id = IncarnationId::from(id);
    town.ledger.read(|view| {
        let incarnation = view.incarnation(&id)?.ok_or(Error::BadToken)?;
        if incarnation.secret_hash.as_deref() != Some(&sha256_hex(secret)) {
            return Err(Error::BadToken);
        }
        let address = view.address_of(&incarnation)?.ok_or(Error::BadToken)?;
        if incarnation.ended_at.is_some() {
            return Err(Error::Superseded(id.0.clone()));
        }
        Ok(Caller { incarnation: Some(id.clone()), ..Caller::role(address) })
    })
}

/// Whether an unmarked session of this town is an ancestor of the caller. Two cases leave no mark: a session that an older gt
/// started, and the caller's sandbox, unless the town was created inside that sandbox.
fn descends_from_session(town: &Town, descent: &Descent) -> Result<bool> {
    let live = town.ledger.read(|view| Ok::<_, Error>(view.live_incarnations()?))?;
    let shims: Vec<ProcessId> = live.into_iter().filter_map(|i| i.process).map(|p| p.shim).collect();
    let sessions = town.world().sessions();
    let is_in_sandbox = descent.is_empty() && sessions.is_in_sandbox();
    Ok(is_in_sandbox || !shims.is_empty() && sessions.is_descendant_of_any(&shims))
}

/// Checks, inside an operation, that an agent's incarnation is still live and its work is still on its hook.
pub fn hooked_attempt(view: &View<'_>, caller: &Caller) -> Result<Attempt> {
    let id = caller.incarnation.as_ref().ok_or_else(|| not_an_agent(caller))?;
    let incarnation = view.incarnation(id)?.ok_or(Error::BadToken)?;
    if incarnation.ended_at.is_some() {
        return Err(Error::Superseded(id.0.clone()));
    }
    // A standing agent has no attempt, because it has no bead of its own.
    let Some(attempt) = incarnation.attempt() else { return Err(not_an_agent(caller)) };
    let attempt = view.attempt(attempt)?.ok_or(Error::BadToken)?;
    if attempt.is_hooked() {
        return Ok(attempt);
    }
    Err(Error::refused(format!("the hook of {} is empty", caller.address), "your work is submitted: end your turn"))
}

fn not_an_agent(caller: &Caller) -> Error {
    Error::refused(
        format!("{} has no hook", caller.address),
        "this verb is for polecats; others use gt sling, gt unsling and gt status",
    )
}

/// Records a sign of life of the caller's incarnation.
pub fn sign_of_life(town: &Town, caller: &Caller) -> Result<()> {
    let Some(id) = &caller.incarnation else { return Ok(()) };
    let called = town.layout.called(id);
    if !town.world().disk().exists(&called) {
        town.world().disk().mark(&called, b"")?;
    }
    touch_life(town.world(), &town.layout, id)
}

pub(crate) fn touch_life(world: &dyn World, layout: &Layout, id: &IncarnationId) -> Result<()> {
    Ok(world.disk().touch(&layout.life(id))?)
}
