//! F14: success is reported, and nothing was done.

use crate::town::{RIG, Town};

#[test]
fn f14_what_reaches_nobody_is_no_success_and_sent_is_not_read() {
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
