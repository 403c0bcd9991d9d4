//! Merges lists as sets.

use std::collections::{BTreeMap, BTreeSet};

/// Meaning of an item that the base has and one side lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// The side removed it: it goes, unless the other side changed it.
    Counts,
    /// The removal is undone: the item of the other side comes back.
    Undone,
}

/// Merges `[base, ours, theirs]`. `key` identifies items; several items with the same key are numbered. `both` merges an item
/// that both sides have and that differs.
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

/// Returns all our items in our order, then those that only they have, in theirs. Identifies items as [`merge_lists`] does.
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

/// A key, and the number among the items with that key.
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

/// Returns all items of the merged list in order: as on the side that changed the order, otherwise as in the base. New items
/// follow, sorted by key, so that exchanging the sides changes nothing.
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
