//! `gt` never reports success for something that it did not do.

use crate::town::{RIG, Town};

#[test]
fn f14_mail_without_a_reader_is_refused_and_sent_mail_counts_as_unread() {
    let town = Town::new();
    for words in [&["mail", "send", "app/polecats/nobody", "-s", "Hello"][..], &["nudge", "app/polecats/nobody"]] {
        let said = town.gt(words);
        assert!(said.code != 0 && said.out.is_empty() && !said.err.is_empty(), "{words:?}: {said:?}");
    }
    assert_eq!(town.ask("SELECT count(*) FROM deliveries"), ["0"], "nothing was sent");
    let witness = format!("{RIG}/witness");
    town.ok(&["mail", "send", &witness, "-s", "Hello"]);
    let sent = "sent_at IS NOT NULL AND delivered_at IS NULL AND read_at IS NULL AND acted_at IS NULL";
    assert_eq!(town.ask(&format!("SELECT {sent} FROM deliveries")), ["1"], "sent is all that is said");
}
