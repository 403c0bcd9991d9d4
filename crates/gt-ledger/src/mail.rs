//! Mail: beads of type `message`, with one row for each recipient's copy.

use gt_model::address::Address;
use gt_model::bead::{Bead, BeadType};
use gt_model::id::{AttemptId, BeadId, IncarnationId};
use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;

use super::times::Times;
use super::{LedgerResult, Tx, View, damaged};

/// Urgency of a mail: when the recipient should read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Must be read before the recipient's turn ends.
    Urgent,
    /// Should be read after the recipient's next tool call.
    High,
    /// Should be read with the recipient's next prompt.
    #[default]
    Normal,
    /// May be read at any time.
    Low,
}

impl Priority {
    fn number(self) -> i64 {
        match self {
            Self::Urgent => 0,
            Self::High => 1,
            Self::Normal => 2,
            Self::Low => 3,
        }
    }

    fn of(number: i64) -> Self {
        [Self::Urgent, Self::High, Self::Normal].into_iter().find(|p| p.number() == number).unwrap_or(Self::Low)
    }
}

/// Arguments for sending a mail.
#[derive(Clone, Debug)]
pub struct NewMail {
    /// Address of the sender.
    pub from: Address,
    /// Addresses of the recipients.
    pub to: Vec<Address>,
    /// Subject line.
    pub subject: String,
    /// Text of the mail.
    pub body: String,
    /// Urgency.
    pub priority: Priority,
}

/// A recipient's copy of a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// Id of the mail's bead.
    pub id: BeadId,
    /// Address of the sender.
    pub from: String,
    /// Address of this copy's recipient.
    pub to: Address,
    /// Subject line.
    pub subject: String,
    /// Text of the mail.
    pub body: String,
    /// Urgency.
    pub priority: Priority,
    /// When this copy was sent, delivered, read and handled.
    #[serde(flatten)]
    pub delivery: Delivery,
}

/// Delivery record of one copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// When the mail was sent: the commit of its transaction.
    pub sent_at: Timestamp,
    /// When its text entered the recipient's context.
    pub delivered_at: Option<Timestamp>,
    /// Moment of the agent's turn, or verb, that delivered it.
    pub delivered_by: Option<String>,
    /// When it was read.
    pub read_at: Option<Timestamp>,
    /// When the recipient archived or answered it.
    pub acted_at: Option<Timestamp>,
}

fn mail_row(row: &Row<'_>) -> rusqlite::Result<Mail> {
    let times = Times::of(row, "deliveries");
    Ok(Mail {
        id: BeadId(row.get("id")?),
        from: row.get::<_, Option<String>>("created_by")?.unwrap_or_default(),
        to: Address::parse(&row.get::<_, String>("recipient")?).map_err(damaged)?,
        subject: row.get("title")?,
        body: row.get("description")?,
        priority: Priority::of(row.get("priority")?),
        delivery: Delivery {
            sent_at: times.at("sent_at")?,
            delivered_at: times.maybe("delivered_at")?,
            delivered_by: row.get("delivered_by")?,
            read_at: times.maybe("read_at")?,
            acted_at: times.maybe("acted_at")?,
        },
    })
}

/// How many mails to read at most when mail is delivered.
const UNDELIVERED_LIMIT: u32 = 200;

const COPIES: &str =
    "SELECT b.id, b.created_by, b.title, b.description, b.priority, d.recipient, d.sent_at, d.delivered_at,
        d.delivered_by, d.read_at, d.acted_at FROM deliveries d JOIN beads b ON b.id = d.mail";

impl View<'_> {
    /// Returns the newest attempt of a worker's address. Workers' names are reused, and mail is for one attempt's worker only.
    /// `None` for every other address.
    fn attempt_at(&self, of: &Address) -> LedgerResult<Option<AttemptId>> {
        match of {
            Address::Polecat(rig, worker) => Ok(self.newest_attempt_of(rig, worker)?.map(|attempt| attempt.id)),
            _ => Ok(None),
        }
    }

    /// Returns an agent's mail that is not archived, oldest first. For a worker, this and the queries below return only the mail
    /// of its own attempt, not that of an earlier worker with the same name.
    pub fn inbox(&self, of: &Address, unread_only: bool) -> LedgerResult<Vec<Mail>> {
        let sql = format!(
            "{COPIES} WHERE d.recipient = ?1 AND d.acted_at IS NULL AND (NOT ?2 OR d.read_at IS NULL)
               AND d.attempt IS ?3 ORDER BY d.sent_at, d.mail"
        );
        self.all(&sql, (of.to_string(), unread_only, self.attempt_at(of)?.map(|id| id.0)), mail_row)
    }

    /// Whether a mail was sent at or after a time, by this sender and with this text in its subject, where they are given.
    pub fn has_mail_since(&self, time: Timestamp, from: Option<&str>, subject: Option<&str>) -> LedgerResult<bool> {
        let sql = "SELECT 1 FROM deliveries d JOIN beads b ON b.id = d.mail
                   WHERE unixepoch(d.sent_at) >= ?1 AND (?2 IS NULL OR b.created_by = ?2)
                     AND (?3 IS NULL OR instr(lower(b.title), lower(?3)) > 0) LIMIT 1";
        Ok(self.one(sql, (time.as_second(), from, subject), |_| Ok(()))?.is_some())
    }

    /// Returns an agent's copy of a mail.
    pub fn mail(&self, id: &BeadId, of: &Address) -> LedgerResult<Option<Mail>> {
        let sql = format!("{COPIES} WHERE d.mail = ?1 AND d.recipient = ?2 AND d.attempt IS ?3");
        self.one(&sql, (id.as_str(), of.to_string(), self.attempt_at(of)?.map(|id| id.0)), mail_row)
    }

    /// Returns the mail of an agent that has not entered its context yet, most urgent first, then oldest first. Only mail of at
    /// least the given priority counts. Leaves out handoff mail, which an agent writes for its own successor.
    pub fn undelivered(&self, of: &Address, at_least: Priority) -> LedgerResult<Vec<Mail>> {
        let sql = format!(
            "{COPIES} WHERE d.recipient = ?1 AND d.acted_at IS NULL AND d.delivered_at IS NULL AND d.read_at IS NULL
               AND b.priority <= ?2 AND NOT (b.created_by = ?1 AND b.title LIKE 'HANDOFF %') AND d.attempt IS ?3
             ORDER BY b.priority, d.sent_at, d.mail LIMIT {UNDELIVERED_LIMIT}"
        );
        self.all(&sql, (of.to_string(), at_least.number(), self.attempt_at(of)?.map(|id| id.0)), mail_row)
    }

    /// Returns the ids of an agent's urgent unread mail.
    pub fn urgent_unread(&self, of: &Address) -> LedgerResult<Vec<String>> {
        self.all(
            "SELECT d.mail FROM deliveries d JOIN beads b ON b.id = d.mail
             WHERE d.recipient = ?1 AND d.acted_at IS NULL AND d.read_at IS NULL AND b.priority = 0
               AND d.attempt IS ?2
             ORDER BY d.sent_at, d.mail LIMIT 64",
            (of.to_string(), self.attempt_at(of)?.map(|id| id.0)),
            |row| row.get(0),
        )
    }

    /// Returns the newest handoff mail that an agent left for its successor in `molecule`. Only mail counts that no incarnation
    /// has received yet, or that `incarnation` itself received.
    pub fn handoff(
        &self,
        of: &Address,
        molecule: &str,
        incarnation: Option<&IncarnationId>,
    ) -> LedgerResult<Option<Mail>> {
        let sql = format!(
            "{COPIES} WHERE d.recipient = ?1 AND b.created_by = ?1 AND b.title = 'HANDOFF ' || ?2
               AND d.mail IN (
                   SELECT mail FROM deliveries WHERE recipient = ?1 AND acted_at IS NULL AND delivered_to IS NULL
                   UNION ALL SELECT mail FROM deliveries WHERE delivered_to = ?3
               )
             ORDER BY d.sent_at DESC, d.mail DESC LIMIT 1"
        );
        self.one(&sql, (of.to_string(), molecule, incarnation.map(IncarnationId::as_str)), mail_row)
    }

    /// Returns every copy of every mail, oldest first.
    pub fn all_mail(&self) -> LedgerResult<Vec<Mail>> {
        self.all(&format!("{COPIES} ORDER BY d.sent_at, d.mail, d.recipient"), [], mail_row)
    }
}

impl Tx<'_> {
    /// Sends a mail as a bead with id `id`.
    pub fn send(&self, id: &BeadId, mail: &NewMail) -> LedgerResult<()> {
        let bead = Bead {
            issue_type: BeadType::Message,
            description: mail.body.clone(),
            created_by: Some(mail.from.to_string()),
            ephemeral: true,
            priority: mail.priority.number(),
            ..Bead::new(id.clone(), &mail.subject, self.now())
        };
        self.add_bead(&bead)?;
        for to in &mail.to {
            self.execute(
                "INSERT OR IGNORE INTO deliveries (mail, recipient, sent_at, attempt) VALUES (?1, ?2, ?3, ?4)",
                (id.as_str(), to.to_string(), self.now().to_string(), self.attempt_at(to)?.map(|id| id.0)),
            )?;
        }
        Ok(())
    }

    /// Records that a copy's text entered an incarnation's context, and through which moment or verb (`by`).
    pub fn deliver(&self, mail: &Mail, to: Option<&IncarnationId>, by: &str) -> LedgerResult<()> {
        self.execute(
            "UPDATE deliveries SET delivered_at = ?3, delivered_to = ?4, delivered_by = ?5
             WHERE mail = ?1 AND recipient = ?2 AND delivered_at IS NULL",
            (mail.id.as_str(), mail.to.to_string(), self.now().to_string(), to.map(IncarnationId::as_str), by),
        )?;
        Ok(())
    }

    /// Records that the recipient read a copy.
    pub fn mark_read(&self, mail: &Mail) -> LedgerResult<()> {
        self.execute(
            "UPDATE deliveries SET read_at = ?3 WHERE mail = ?1 AND recipient = ?2 AND read_at IS NULL",
            (mail.id.as_str(), mail.to.to_string(), self.now().to_string()),
        )?;
        Ok(())
    }

    /// Records that the recipient handled a copy.
    pub fn mark_handled(&self, mail: &Mail) -> LedgerResult<()> {
        self.execute(
            "UPDATE deliveries SET acted_at = ?3 WHERE mail = ?1 AND recipient = ?2 AND acted_at IS NULL",
            (mail.id.as_str(), mail.to.to_string(), self.now().to_string()),
        )?;
        Ok(())
    }
}
