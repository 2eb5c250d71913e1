//! The nearest right word to a wrong one, in files and in claims. It must not know what the words mean.

/// Longer words are nobody's slip of the finger, and comparing them costs their product.
const WORD_CHARS_MAX: usize = 64;

/// The candidate that `word` was most likely meant to be, if one is near enough.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.chars().count() > WORD_CHARS_MAX {
        return None;
    }
    let lower = word.to_lowercase();
    let distances = candidates.into_iter().map(|candidate| {
        let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
        // Of equally near ones, people rarely miss the first letter.
        (distance, candidate.chars().next() != word.chars().next(), candidate)
    });
    let (distance, _, candidate) = distances.min_by_key(|(distance, other_start, _)| (*distance, *other_start))?;
    let allowed = (lower.chars().count().max(candidate.chars().count()) / 3).max(1);
    // One letter for another is no hint: 'P' is not what 'X' was meant to be.
    (distance == 0 || (distance <= allowed && distance < candidate.chars().count())).then_some(candidate)
}

/// Help for a wrong word: the nearest right one, or all of them where they are few.
pub fn help<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    const LISTED_MAX: usize = 32;
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match nearest(word, candidates.iter().copied()) {
        Some(right) => Some(format!("did you mean '{right}'?")),
        None if candidates.is_empty() || candidates.len() > LISTED_MAX => None,
        None => Some(format!("it can be {}", candidates.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_put_right_and_a_stranger_is_not() {
        let words = ["linux-bridge", "ovs", "vpp", "P"];
        assert_eq!(nearest("linuxbridge", words), Some("linux-bridge"));
        assert_eq!(nearest("osv", words), Some("ovs"));
        assert_eq!(nearest("OVS", words), Some("ovs"));
        assert_eq!(nearest("p", words), Some("P"));
        assert_eq!(nearest("netmap", words), None);
        assert_eq!(nearest("X", words), None);
        assert_eq!(nearest("rx_mpp", ["tx_mpps", "rx_mpps"]), Some("rx_mpps"));
        assert_eq!(nearest(&"ovs".repeat(10_000), words), None);
    }

    #[test]
    fn few_words_are_listed_when_none_is_near() {
        assert_eq!(help("netmap", ["ovs", "vpp"]), Some("it can be ovs, vpp".into()));
        assert_eq!(help("x", []), None);
    }
}
