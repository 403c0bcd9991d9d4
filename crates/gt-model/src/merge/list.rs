//! Lists merged as sets.

use std::collections::{BTreeMap, BTreeSet};

/// What it means that one side no longer has an item of the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// It goes, unless the other side changed it.
    Counts,
    /// It comes back from the side that has it.
    Undone,
}

/// Merges `[base, ours, theirs]`. Items are told apart by `key` (the n-th of a key by its n, where one occurs more than
/// once); `both` merges an item that both sides have and that differs.
pub(super) fn merge_lists<T: Clone + PartialEq, K: Ord + Clone>(
    lists: &[Vec<T>; 3],
    key: impl Fn(&T) -> K,
    removal: Removal,
    mut both: impl FnMut(Option<&T>, &T, &T) -> T,
) -> Vec<T> {
    let [base, ours, theirs] = lists.each_ref().map(|list| numbered(list, &key));
    let mut merged = Vec::new();
    for place in places(&lists.each_ref().map(|list| order(list, &key))) {
        let was = base.get(&place).copied();
        let item = match (ours.get(&place), theirs.get(&place)) {
            (Some(one), Some(other)) if one == other => Some((*one).clone()),
            (Some(one), Some(other)) => Some(both(was, one, other)),
            (Some(left), None) | (None, Some(left)) => {
                let removed = removal == Removal::Counts && was == Some(*left);
                (!removed).then(|| (*left).clone())
            }
            (None, None) => None,
        };
        merged.extend(item);
    }
    merged
}

/// All of ours in our order, then what only they have, in theirs. Items are told apart as by [`merge_lists`].
pub(super) fn unite<T: Clone + PartialEq, K: Ord + Clone>(
    ours: &[T],
    theirs: &[T],
    key: impl Fn(&T) -> K,
    mut both: impl FnMut(&T, &T) -> T,
) -> Vec<T> {
    let mut left = numbered(theirs, &key);
    let with_theirs = |(place, item): (Place<K>, &T)| match left.remove(&place) {
        Some(other) if other != item => both(item, other),
        _ => item.clone(),
    };
    let mut united: Vec<T> = order(ours, &key).into_iter().zip(ours).map(with_theirs).collect();
    let places = order(theirs, &key).into_iter();
    united.extend(places.zip(theirs).filter(|(place, _)| left.contains_key(place)).map(|(_, item)| item.clone()));
    united
}

/// A key, and which of the items of that key.
type Place<K> = (K, usize);

fn order<T, K: Ord + Clone>(list: &[T], key: impl Fn(&T) -> K) -> Vec<Place<K>> {
    let mut seen: BTreeMap<K, usize> = BTreeMap::new();
    let place = |item: &T| {
        let count = seen.entry(key(item)).or_default();
        *count += 1;
        (key(item), *count)
    };
    list.iter().map(place).collect()
}

fn numbered<T, K: Ord + Clone>(list: &[T], key: impl Fn(&T) -> K) -> BTreeMap<Place<K>, &T> {
    order(list, key).into_iter().zip(list).collect()
}

/// All places in the order of the merged list: as on the side that changed it, else those of the base in their order,
/// then new ones by key, so that it does not matter which side is whose.
fn places<K: Ord + Clone>(orders: &[Vec<Place<K>>; 3]) -> Vec<Place<K>> {
    let [base, ours, theirs] = orders;
    let mut places: Vec<Place<K>> = match () {
        () if ours == theirs || base == theirs => ours.clone(),
        () if base == ours => theirs.clone(),
        () => base.clone(),
    };
    let mut seen: BTreeSet<Place<K>> = places.iter().cloned().collect();
    let new: BTreeSet<&Place<K>> = ours.iter().chain(theirs).collect();
    places.extend(new.into_iter().filter(|place| seen.insert((*place).clone())).cloned());
    places
}
