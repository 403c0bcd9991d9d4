//! Mail: sending, reading, and protocol messages between roles.

use std::collections::BTreeSet;

use gt_ledger::{Mail, NewMail, Priority, Tx, View};
use gt_ledger::{SUBJECT_LIMIT, TOWN_PREFIX};
use gt_model::address::Address;
use gt_model::id::BeadId;
use gt_model::protocol::Message;

use crate::town::error::{Error, Result};
use crate::town::{Caller, Town};

/// Largest allowed body of a mail, in bytes.
pub(crate) const BODY_LIMIT: usize = 256 * 1024;

/// Sends a mail as part of an operation and returns its id.
pub fn send(tx: &Tx<'_>, from: Address, to: Vec<Address>, subject: &str, body: &str) -> Result<BeadId> {
    send_as(tx, from, to, subject, body, Priority::Normal)
}

pub(crate) fn send_as(
    tx: &Tx<'_>,
    from: Address,
    to: Vec<Address>,
    subject: &str,
    body: &str,
    priority: Priority,
) -> Result<BeadId> {
    let id = tx.fresh_id(TOWN_PREFIX, subject, body)?;
    tx.send(&id, &NewMail { from, to, subject: subject.to_owned(), body: body.to_owned(), priority })?;
    Ok(id)
}

/// Sends a protocol message as part of an operation.
pub(crate) fn send_protocol(tx: &Tx<'_>, from: Address, to: Vec<Address>, message: &Message, free: &str) -> Result<()> {
    send(tx, from, to, &message.subject(), &message.body(free)).map(|_| ())
}

/// Checks the subject and body of a mail. Returns an error if a limit is exceeded or a part is unusable.
pub fn check(subject: &str, body: &str) -> Result<()> {
    if body.len() <= BODY_LIMIT && subject.chars().count() <= SUBJECT_LIMIT && !subject.contains(['\n', '\r']) {
        return Ok(());
    }
    Err(Error::Usage {
        what: format!(
            "a mail has one line of at most {SUBJECT_LIMIT} characters as its subject, and a body of at most {BODY_LIMIT} bytes"
        ),
        hint: "put long texts in files of the repository and mail their paths".to_owned(),
    })
}

/// Sends a caller's mail. Returns an error unless every recipient exists and each worker among them is still working.
pub fn send_from(
    town: &Town,
    caller: &Caller,
    to: &[String],
    subject: &str,
    body: &str,
    priority: Priority,
) -> Result<BeadId> {
    check(subject, body)?;
    let id = town.ledger.write(&caller.name(), "mail send", |tx| {
        let to = to.iter().map(|text| reader(tx, text)).collect::<Result<Vec<_>>>()?;
        send_as(tx, caller.address.clone(), to, subject, body, priority)
    })?;
    town.wake();
    Ok(id)
}

/// Returns the agent at that address if it can still read mail. A worker that is gone reads none, and the next worker with its
/// name has a different bead.
fn reader(view: &View<'_>, text: &str) -> Result<Address> {
    let address = recipient(view, text)?;
    let Address::Polecat(rig, worker) = &address else { return Ok(address) };
    if view.hook_of(rig, worker)?.is_some() {
        return Ok(address);
    }
    let last = view.newest_attempt_of(rig, worker)?;
    let (was, hint) = last.map_or((String::new(), "gt polecat list".to_owned()), |attempt| {
        let bead = attempt.bead;
        (
            format!(", its last bead was {bead}"),
            format!("gt bead update {bead} --notes \"…\" tells the bead's next worker"),
        )
    });
    Err(Error::refused(format!("{address} is not at work any more{was}, so no agent would read the mail"), hint))
}

/// Returns the agent at that address, or an error if there is none.
pub fn recipient(view: &View<'_>, text: &str) -> Result<Address> {
    let known = known_agents(view)?;
    let unknown = || {
        let near: Vec<String> = known.iter().filter(|a| shares_word(a, text)).take(5).cloned().collect();
        let list = if near.is_empty() { known.iter().take(8).cloned().collect() } else { near };
        Error::Usage {
            what: format!("there is no address `{text}` in this town"),
            hint: format!("there are: {}", list.join(", ")),
        }
    };
    if let Ok(address) = Address::parse(text)
        && known.contains(&address.to_string())
    {
        return Ok(address);
    }
    // A bare name stands for `<rig>/<name>` when only one worker or crew member has that name.
    let (rig, name) = text.split_once('/').ok_or_else(unknown)?;
    let long = ["polecats", "crew"].map(|folder| format!("{rig}/{folder}/{name}"));
    let mut long = long.iter().filter(|long| known.contains(*long));
    match (long.next(), long.next()) {
        (Some(one), None) => Address::parse(one).map_err(|_| unknown()),
        _ => Err(unknown()),
    }
}

fn shares_word(address: &str, text: &str) -> bool {
    let words: BTreeSet<&str> = text.split('/').filter(|word| word.len() > 2).collect();
    address
        .split('/')
        .any(|part| words.iter().any(|word| part.starts_with(&word[..3.min(word.len())]) && word.is_ascii()))
}

fn known_agents(view: &View<'_>) -> Result<BTreeSet<String>> {
    let mut known: BTreeSet<String> = ["overseer", "mayor/", "deacon/"].map(str::to_owned).into();
    known.extend(view.agents()?.iter().map(|agent| agent.address.to_string()));
    for rig in view.rigs()? {
        known.insert(Address::Witness(rig.name.clone()).to_string());
        known.insert(Address::Refinery(rig.name.clone()).to_string());
        let workers = view.workers_of(&rig.name)?.into_iter();
        known.extend(workers.map(|worker| Address::Polecat(rig.name.clone(), worker).to_string()));
    }
    Ok(known)
}

/// Returns the mails in an agent's inbox that are not archived.
pub fn inbox(town: &Town, of: &Address, unread_only: bool) -> Result<Vec<Mail>> {
    town.ledger.read(|view| Ok(view.inbox(of, unread_only)?))
}

/// Reads one mail and marks it as read.
pub fn read(town: &Town, of: &Address, id: &BeadId) -> Result<Mail> {
    town.ledger.write(&of.to_string(), "mail read", |tx| {
        let mail = tx.mail(id, of)?.ok_or_else(|| not_there(tx, of, id))?;
        tx.mark_read(&mail)?;
        Ok(mail)
    })
}

/// Returns a mail of another agent without marking it as read.
pub fn look_at(town: &Town, of: &Address, id: &BeadId) -> Result<Mail> {
    let none = || Error::Unknown { what: "mail in that inbox", name: id.0.clone() };
    town.ledger.read(|view| view.mail(id, of)?.ok_or_else(none))
}

/// Builds the error for a mail that is not in this inbox. The hint says whether it is in another inbox.
fn not_there(view: &View<'_>, whose: &Address, id: &BeadId) -> Error {
    let has = |known: &String| {
        Address::parse(known).is_ok_and(|address| view.mail(id, &address).is_ok_and(|mail| mail.is_some()))
    };
    let known = if *whose == Address::Overseer { known_agents(view).unwrap_or_default() } else { BTreeSet::new() };
    match known.into_iter().find(has) {
        Some(of) => Error::refused(
            format!("{id} is not in your inbox but in the inbox of {of}"),
            format!("gt mail read {id} --of {of}"),
        ),
        None => Error::Unknown { what: "mail in your inbox", name: id.0.clone() },
    }
}

/// Whether an address is a role that code performs. Such a role reads protocol messages only.
pub fn is_code(address: &Address) -> bool {
    match address {
        Address::Witness(_)
        | Address::Refinery(_)
        | Address::Deacon
        | Address::Boot
        | Address::Dog(_)
        | Address::Gate => true,
        Address::Overseer | Address::Mayor | Address::Polecat(..) | Address::Crew(..) => false,
    }
}

/// Handles the mail of a role that code performs. `handle` receives each protocol message that the role itself must act on. Free
/// text and requests for a person are passed on to people, because code would never answer them.
pub fn handle(town: &Town, role: &Address, handle: &dyn Fn(&Tx<'_>, &Message) -> Result<()>) -> Result<()> {
    let mail = town.ledger.read(|view| view.inbox(role, false).map_err(Error::from))?;
    // A mail from a person to a program stays where it is: there is no other person to pass it to.
    let overseer = Address::Overseer.to_string();
    let mail: Vec<_> = mail
        .into_iter()
        .map(|mail| (Message::parse(&mail.subject, &mail.body).ok(), mail))
        .filter(|(message, mail)| message.is_some() || mail.from != overseer)
        .collect();
    if mail.is_empty() {
        return Ok(());
    }
    town.ledger.write(&role.to_string(), "handle mail", |tx| {
        for (message, item) in &mail {
            match message {
                Some(message) if !asks_people(message) => handle(tx, message)?,
                _ => pass_on(tx, role, item)?,
            }
            tx.mark_handled(item)?;
        }
        Ok::<_, Error>(())
    })
}

fn asks_people(message: &Message) -> bool {
    matches!(message, Message::Help { .. } | Message::Escalation { .. })
}

/// Forwards a mail to the overseer, and to the mayor if there is one, with its original sender.
fn pass_on(tx: &Tx<'_>, role: &Address, item: &Mail) -> Result<()> {
    let from = Address::parse(&item.from).unwrap_or_else(|_| role.clone());
    let has_mayor = tx.agents()?.iter().any(|agent| agent.address == Address::Mayor);
    let mut to: Vec<Address> = has_mayor.then_some(Address::Mayor).into_iter().chain([Address::Overseer]).collect();
    to.retain(|address| *address != from);
    if to.is_empty() {
        return Ok(());
    }
    send_as(tx, from, to, &item.subject, &item.body, item.priority).map(|_| ())
}

/// Returns the overseer's unread mail, without the mail that programs sent. Programs raise a condition when they need a person.
pub fn for_overseer(view: &View<'_>) -> Result<Vec<Mail>> {
    let mut mail = view.inbox(&Address::Overseer, true)?;
    mail.retain(|mail| match Address::parse(&mail.from) {
        Ok(from) => !is_code(&from) && from != Address::Overseer,
        Err(_) => true,
    });
    Ok(mail)
}
