use std::cell::RefCell;
use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn seed() -> IdSeed<'static> {
    IdSeed {
        title: "Fix login",
        description: "Details",
        creator: "jira-import",
        created_at: "2024-01-02T03:04:05.006Z".parse().unwrap(),
    }
}

#[test]
fn ids_are_those_that_bd_makes() {
    let expected = ["bd-vju", "bd-8d8e", "bd-bi3tk", "bd-8bi3tk", "bd-r5sr6bm", "bd-8r5sr6bm"];
    for (length, id) in (3..).zip(expected) {
        assert_eq!(candidate_id("bd", &seed(), 0, length).as_str(), id);
    }
    assert_ne!(candidate_id("bd", &seed(), 1, 3).as_str(), "bd-vju");
}

#[test]
fn digits_are_padded_and_cut_to_the_low_ones() {
    for (number, length, digits) in [(0, 3, "000"), (35, 3, "00z"), (36, 3, "010"), (46_656 + 5, 3, "005")] {
        assert_eq!(base36(number, length), digits);
    }
}

#[test]
fn id_length_keeps_collisions_unlikely() {
    let probability = |ids: u64, length: usize| {
        let (ids, space) = (ids as f64, 36_f64.powi(length as i32));
        1.0 - (-ids * ids / (2.0 * space)).exp()
    };
    for (length, limit) in (3..).zip(ID_LENGTH_LIMITS) {
        assert_eq!((id_length(limit), id_length(limit + 1)), (length, length + 1));
        assert!(probability(limit, length) <= 0.25 && probability(limit + 1, length) > 0.25, "{length}");
    }
    assert_eq!((id_length(0), id_length(u64::MAX)), (3, 8));
}

/// Returns the probability that two ids of this length are equal.
fn collision(length: usize) -> f64 {
    let (values, ids) = (256_u128.pow(BYTES_OF_LENGTH[length - ID_LENGTH_MIN] as u32), 36_u128.pow(length as u32));
    // Each id belongs to the same number of hashes, or to one more.
    let (each, more) = (values / ids, values % ids);
    let square = |times: u128| (times as f64 / values as f64).powi(2);
    square(each + 1) * more as f64 + square(each) * (ids - more) as f64
}

#[test]
fn two_ledgers_that_make_ids_apart_collide_once_in_ten_thousand_times_at_most() {
    let mut ids = 1_u64;
    while ids < 600_000 {
        let length = id_length_apart(ids);
        let bound = (ids as f64).powi(2) * collision(length);
        assert!(bound <= 1.0 / 10_000.0, "{ids} ids of {length} digits each: {bound}");
        assert!(length >= id_length(ids), "never shorter than in a ledger of its own");
        ids += 1 + ids / 100;
    }
    assert_eq!((id_length_apart(0), id_length_apart(u64::MAX)), (ID_LENGTH_APART, ID_LENGTH_MAX));
}

#[test]
fn ids_that_two_ledgers_make_apart_are_all_different() {
    let made = |creator: &str| -> HashSet<BeadId> {
        let mut ids = HashSet::new();
        for number in 0..450_i64 {
            let created_at = Timestamp::from_nanosecond(i128::from(1_700_000_000 + number) * 1_000_000_007).unwrap();
            let seed = IdSeed { title: "Task", description: "", creator, created_at };
            ids.insert(new_id("bd", &seed, id_length_apart(number as u64), |id| ids.contains(id)));
        }
        ids
    };
    let towns: Vec<HashSet<BeadId>> = (0..10).map(|town| made(&format!("town {town}"))).collect();
    let all: HashSet<&BeadId> = towns.iter().flatten().collect();
    assert_eq!(all.len(), 10 * 450);
}

#[test]
fn the_id_beside_another_keeps_prefix_and_parent() {
    for (id, begins) in
        [("vt-a1", "vt-"), ("my-app-x7", "my-app-"), ("vt-a1.2", "vt-a1.x"), ("a.b-c", "a.b-"), ("odd", "odd.x")]
    {
        let id = BeadId::from(id);
        let beside = id_beside(&id, "ann");
        assert!(beside.as_str().starts_with(begins) && beside != id, "{beside}");
        assert_eq!(beside.prefix(), id.prefix());
        assert_ne!(beside, id_beside(&id, "bob"));
    }
}

#[test]
fn a_taken_id_leads_to_the_next_nonce_then_to_a_longer_id() {
    let taken_ones = |count: usize| {
        let seen = RefCell::new(HashSet::new());
        new_id("bd", &seed(), 3, |id| seen.borrow().len() < count && seen.borrow_mut().insert(id.clone()))
    };
    let candidate = |nonce, length| candidate_id("bd", &seed(), nonce, length);
    assert_eq!(taken_ones(0), candidate(0, 3));
    assert_eq!(taken_ones(9), candidate(9, 3));
    assert_eq!(taken_ones(10), candidate(0, 4));
    assert_eq!(taken_ones(80), candidate(10, 10));
}

#[test]
fn slugs() {
    fn check(text: &str, expected: &str) {
        let slug = slug(text);
        let plain = match expected.strip_suffix('#') {
            Some(before) => format!("{before}{}", &sha256_hex(text)[..8]),
            None => expected.to_owned(),
        };
        assert_eq!(slug, plain, "{text:?}");
    }
    // `#` stands for the hash.
    check("vt-a1", "vt-a1");
    check("vt-a1.2", "vt-a1.2");
    check("", "#");
    check("..", "#");
    check("Vt-A1", "vt-a1-#");
    check("vt_a1", "vt-a1-#");
    check("a..b", "a.b-#");
    check("a--b", "a-b-#");
    check("a.lock", "a-#");
    check("a.lock.lock", "a.lock-#");
    check(".hidden", "hidden-#");
    check("../../etc", "etc-#");
    check("a b/c@{d}", "a-b-c-d-#");
    check("höhe", "h-he-#");
    check(&"x".repeat(40), &"x".repeat(40));
    check(&"x".repeat(41), &format!("{}-#", "x".repeat(40)));
    // A text that looks like a slug with a hash may not be one.
    check("oo-deadbeef", "oo-deadbeef-#");
    check("deadbeef", "deadbeef-#");
    check("bd-8r5sr6bm", "bd-8r5sr6bm");
}

/// Generates texts where the special cases of slugs often meet.
fn odd_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a".to_owned()),
        Just("-".to_owned()),
        Just(".".to_owned()),
        Just(".lock".to_owned()),
        Just("-0a1b2c3d".to_owned()),
        Just("A".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_slug_is_safe(text in odd_text()) {
        let slug = slug(&text);
        prop_assert!((1..=49).contains(&slug.len()), "{slug}");
        prop_assert!(slug.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-')), "{slug}");
        prop_assert!(!slug.contains("..") && !slug.ends_with(".lock"), "{slug}");
        prop_assert!(!slug.starts_with(['.', '-']) && !slug.ends_with(['.', '-']), "{slug}");
    }

    #[test]
    fn two_texts_have_two_slugs(one in odd_text(), other in odd_text()) {
        prop_assume!(one != other);
        prop_assert_ne!(slug(&one), slug(&other));
    }

    #[test]
    fn a_slug_has_a_slug_of_its_own(text in odd_text()) {
        let once = slug(&text);
        prop_assume!(once != text);
        prop_assert_ne!(slug(&once), once);
    }
}

#[test]
fn rig_names() {
    let check = |text: &str, expected: Result<&str, RigNameError>| {
        assert_eq!(RigName::parse(text).as_ref().map(RigName::as_str), expected.as_ref().copied(), "{text:?}");
        let json = serde_json::to_string(text).unwrap();
        assert_eq!(serde_json::from_str::<RigName>(&json).is_ok(), expected.is_ok(), "{text:?} as JSON");
    };
    let forty = "x".repeat(40);
    for good in ["app", "App", "my-app_2", "0", "a-", &forty] {
        check(good, Ok(good));
    }
    for bad in ["", "-a", "_a", "a.b", "a/b", "..", "a b", "ä", "a\0", "a\n", &format!("{forty}x")] {
        check(bad, Err(RigNameError::NotPlain(bad.to_owned())));
    }
    for reserved in ["mayor", "Mayor", ".beads", "OVERSEER"] {
        check(reserved, Err(RigNameError::Reserved(reserved.to_owned())));
    }
}

#[test]
fn abbreviations() {
    let ids = ["vt-a1", "vt-a1.1", "vt-a1b", "vt-b2", "my-app-c3", "vt-wisp-d4", "vt-é5"].map(BeadId::from);
    let check = |text: &str, expected: Abbreviation| {
        assert_eq!(resolve_abbreviation(text, ids.iter()), expected, "{text:?}");
    };
    let unique = |id: &str| Abbreviation::Unique(id.into());
    check("vt-a1", Abbreviation::Exact("vt-a1".into()));
    check("a1", unique("vt-a1"));
    check("a1.", unique("vt-a1.1"));
    check("vt-b", unique("vt-b2"));
    check("b", unique("vt-b2"));
    check("c", unique("my-app-c3"));
    check("app-c", unique("my-app-c3"));
    check("d4", unique("vt-wisp-d4"));
    check("é", unique("vt-é5"));
    check("a", Abbreviation::Ambiguous(["my-app-c3", "vt-a1", "vt-a1.1", "vt-a1b"].map(BeadId::from).to_vec()));
    for none in ["", "x", "t-a1", "vt-a1bc", "1"] {
        check(none, Abbreviation::None);
    }
}

#[test]
fn an_ambiguous_abbreviation_lists_ten() {
    let ids: Vec<BeadId> = (0..30).rev().map(|n| BeadId(format!("vt-a{n:02}"))).collect();
    let Abbreviation::Ambiguous(listed) = resolve_abbreviation("a", ids.iter()) else { panic!("not ambiguous") };
    assert_eq!(listed, (0..10).map(|n| BeadId(format!("vt-a{n:02}"))).collect::<Vec<_>>());
    // The same id twice counts as one.
    assert_eq!(resolve_abbreviation("a1", [&ids[0], &ids[0]].into_iter()), Abbreviation::None);
    assert_eq!(resolve_abbreviation("a2", [&ids[0], &ids[0]].into_iter()), Abbreviation::Unique("vt-a29".into()));
}
