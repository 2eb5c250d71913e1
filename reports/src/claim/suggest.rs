//! The nearest right word to a wrong one. It must not know what the words mean.

/// The candidate nearest to `word` by edit distance, if it is near enough to have been meant.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = word.chars().count().max(3) / 3;
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        // One letter for another is no slip: 'D' is not what 'Q' was meant to be.
        .filter(|(distance, candidate)| *distance == 0 || *distance <= limit && *distance < candidate.chars().count())
        .min_by_key(|(distance, candidate)| (*distance, candidate.chars().next() != word.chars().next()))
        .map(|(_, candidate)| candidate)
}

/// Distance of optimal string alignment (Levenshtein's with swapped neighbours as one step), letters of
/// either case alike.
fn distance(left: &str, right: &str) -> usize {
    let letters = |text: &str| -> Vec<char> { text.chars().flat_map(char::to_lowercase).collect() };
    let (left, right) = (letters(left), letters(right));
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for line in 0..=left.len() {
        for column in 0..=right.len() {
            rows[line][column] = if line == 0 || column == 0 {
                line + column
            } else {
                let replaced = rows[line - 1][column - 1] + usize::from(left[line - 1] != right[column - 1]);
                let mut least = replaced.min(rows[line - 1][column] + 1).min(rows[line][column - 1] + 1);
                let swapped = line > 1
                    && column > 1
                    && left[line - 1] == right[column - 2]
                    && left[line - 2] == right[column - 1];
                if swapped {
                    least = least.min(rows[line - 2][column - 2] + 1);
                }
                least
            };
        }
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        assert_eq!(nearest("rx_mpp", ["rx_mpps", "tx_mpps"]), Some("rx_mpps"));
        assert_eq!(nearest("OSV", ["ovs", "vpp"]), Some("ovs"));
        assert_eq!(nearest("banana", ["ovs", "vpp"]), None);
        assert_eq!(nearest("Q", ["D", "P", "io"]), None);
        assert_eq!(nearest("p", ["D", "P", "io"]), Some("P"));
    }
}
