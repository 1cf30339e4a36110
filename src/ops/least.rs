//! Counts by names that a file chooses: the least names have their own, and what the others had
//! is one sum. Which those are depends neither on the order of the names nor on threads.

use std::collections::BTreeMap;

/// Takes the greatest name out of counts that have more than `most`, with what it had.
///
/// A name that goes never stays when it comes again, so what stays was counted whole.
pub(super) fn drop_greatest<K: Ord, V>(counts: &mut BTreeMap<K, V>, most: usize) -> Option<V> {
    match counts.len() > most {
        true => counts.pop_last().map(|(_, count)| count),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_is_the_least_and_whole_in_any_order() {
        for names in [[1, 2, 3, 4, 1, 2, 3, 4], [4, 3, 2, 1, 1, 2, 4, 3]] {
            let mut counts = BTreeMap::new();
            let mut rest = 0;
            for name in names {
                *counts.entry(name).or_default() += 1;
                rest += drop_greatest(&mut counts, 2).unwrap_or(0);
            }
            assert_eq!(counts, BTreeMap::from([(1, 2), (2, 2)]));
            assert_eq!(rest, 4);
        }
    }
}
