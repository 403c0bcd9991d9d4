//! Who calls: the overseer, or the incarnation that a token proves.

use gt_model::id::{IncarnationId, sha256_hex};

use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::ledger::{Attempt, View};
use crate::town::{Caller, Town};
use crate::world::{ProcessId, World};

/// The variable that carries an incarnation's identity.
pub const TOKEN_VARIABLE: &str = "GT_INCARNATION";

/// Finds out who calls, from the token in the environment ([`TOKEN_VARIABLE`]). Without one it is the overseer, unless the calling process
/// descends from a session of ours, or is in a sandbox.
pub fn caller(town: &Town, token: Option<&str>) -> Result<Caller> {
    match token {
        Some(token) => by_token(town, token),
        None if descends_from_session(town)? => Err(Error::NoToken),
        None => Ok(Caller::overseer()),
    }
}

/// The incarnation that a token names, true or not, if its id can be part of a path.
pub fn named(token: &str) -> Option<IncarnationId> {
    let (id, _) = token.rsplit_once('.')?;
    let is_plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    is_plain.then(|| id.into())
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

fn descends_from_session(town: &Town) -> Result<bool> {
    let live = town.ledger.read(|view| Ok::<_, Error>(view.live_incarnations()?))?;
    let shims: Vec<ProcessId> = live.into_iter().filter_map(|i| i.process).map(|p| p.shim).collect();
    let sessions = town.world().sessions();
    Ok(sessions.is_in_sandbox() || !shims.is_empty() && sessions.is_descendant_of_any(&shims))
}

/// Checks, inside an operation, that an agent's incarnation is still live and its work still on its hook.
pub fn hooked_attempt(view: &View<'_>, caller: &Caller) -> Result<Attempt> {
    let id = caller.incarnation.as_ref().ok_or_else(|| not_an_agent(caller))?;
    let incarnation = view.incarnation(id)?.ok_or(Error::BadToken)?;
    if incarnation.ended_at.is_some() {
        return Err(Error::Superseded(id.0.clone()));
    }
    // A standing agent has none: it works by itself, through others.
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

/// Marks that the caller's incarnation showed life.
pub fn sign_of_life(town: &Town, caller: &Caller) -> Result<()> {
    caller.incarnation.as_ref().map_or(Ok(()), |id| touch_life(town.world(), &town.layout, id))
}

pub(crate) fn touch_life(world: &dyn World, layout: &Layout, id: &IncarnationId) -> Result<()> {
    Ok(world.disk().touch(&layout.life(id))?)
}
