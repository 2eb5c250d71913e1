//! The order of generations: what a generation follows is before it, whatever any clock said and in whatever order
//! files are listed. Of several that nothing follows, their [`Rank`] says which is the latest. Pure. It must not know
//! files.

use std::collections::{BinaryHeap, HashMap, HashSet};

use super::head::Rank;
use super::name::GenerationName;

/// A generation as order sees it.
#[derive(Clone, Debug)]
pub struct Node {
    /// The generation's name.
    pub name: GenerationName,
    /// The generations that this one follows, there or not.
    pub follows: Vec<GenerationName>,
    /// What decides where order does not.
    pub rank: Rank,
}

/// All of them, the oldest first; a later one follows no earlier one, and of those that could be the latest the one
/// of the highest rank is last.
pub fn order(nodes: Vec<Node>) -> Vec<Node> {
    let places: HashMap<GenerationName, usize> =
        nodes.iter().enumerate().map(|(place, node)| (node.name.clone(), place)).collect();
    let mut followers = vec![0usize; nodes.len()];
    let known =
        |node: &Node| -> HashSet<usize> { node.follows.iter().filter_map(|name| places.get(name)).copied().collect() };
    for node in &nodes {
        known(node).into_iter().for_each(|place| followers[place] += 1);
    }
    // From the latest back: taken is whatever nothing follows that is not taken yet, the highest rank first.
    let mut open: BinaryHeap<(Rank, usize)> = (0..nodes.len())
        .filter(|place| followers[*place] == 0)
        .map(|place| (nodes[place].rank.clone(), place))
        .collect();
    let mut taken = Vec::with_capacity(nodes.len());
    while let Some((_, place)) = open.pop() {
        taken.push(place);
        for before in known(&nodes[place]) {
            followers[before] -= 1;
            if followers[before] == 0 {
                open.push((nodes[before].rank.clone(), before));
            }
        }
    }
    let mut nodes: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    // Digests cannot follow each other in a circle; if they ever did, those would be missing here.
    taken.into_iter().rev().filter_map(|place| nodes[place].take()).collect()
}

/// Names of those that nothing follows.
pub fn heads(nodes: &[Node]) -> Vec<GenerationName> {
    let followed: HashSet<&GenerationName> = nodes.iter().flat_map(|node| &node.follows).collect();
    nodes.iter().map(|node| &node.name).filter(|name| !followed.contains(name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(number: usize, day: u32) -> GenerationName {
        let text = format!("2026{day:04}T000000000Z-{number:016x}-{number:016x}");
        text.parse().expect("it is a name")
    }

    /// A generation for each row: which of those before it (by a mask) it follows, what was measured, and a time.
    fn history(rows: &[(u16, u64, u32)]) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        for (number, (mask, measured, day)) in rows.iter().enumerate() {
            let before: Vec<&Node> = nodes
                .iter()
                .enumerate()
                .filter(|(place, _)| mask >> (place % 16) & 1 == 1)
                .map(|(_, node)| node)
                .collect();
            let line = 1 + before.iter().map(|node| node.rank.line).max().unwrap_or(0);
            let rank = Rank { line, complete: true, measured: *measured, results: 1, own: format!("{number:x}") };
            let follows = before.into_iter().map(|node| node.name.clone()).collect();
            nodes.push(Node { name: name(number, *day), follows, rank });
        }
        nodes
    }

    fn numbers(nodes: Vec<Node>) -> Vec<String> {
        order(nodes).into_iter().map(|node| node.rank.own).collect()
    }

    proptest! {
        #[test]
        fn order_is_of_what_follows_what_and_of_nothing_else(
            rows in prop::collection::vec((any::<u16>(), 0u64..3, 0u32..9999), 1..16),
            days in prop::collection::vec(0u32..9999, 16),
            listed in Just((0..16usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let nodes = history(&rows);
            let ordered = order(nodes.clone());
            prop_assert_eq!(ordered.len(), nodes.len(), "each once");
            let place = |name: &GenerationName| ordered.iter().position(|node| node.name == *name);
            for node in &nodes {
                prop_assert!(node.follows.iter().all(|before| place(before) < place(&node.name)));
            }
            // The latest is one that nothing follows, and of those the one of the highest rank.
            let heads = heads(&nodes);
            let best = nodes.iter().filter(|node| heads.contains(&node.name)).max_by(|a, b| a.rank.cmp(&b.rank));
            prop_assert_eq!(ordered.last().map(|node| &node.name), best.map(|node| &node.name));
            // Neither the order of files nor any clock changes it.
            let shuffled = listed.iter().filter_map(|place| nodes.get(*place)).cloned().collect();
            prop_assert_eq!(numbers(shuffled), numbers(nodes));
            let other_times: Vec<_> = rows.iter().zip(&days).map(|((mask, measured, _), day)| (*mask, *measured, *day)).collect();
            prop_assert_eq!(numbers(history(&other_times)), numbers(history(&rows)));
        }

        #[test]
        fn one_that_follows_all_heads_is_the_latest(rows in prop::collection::vec((any::<u16>(), 0u64..9, 0u32..9999), 1..15)) {
            let mut nodes = history(&rows);
            let follows = heads(&nodes);
            let line = 1 + nodes.iter().map(|node| node.rank.line).max().unwrap_or(0);
            let rank = Rank { line, complete: false, measured: 0, results: 0, own: String::new() };
            nodes.push(Node { name: name(99, 1), follows, rank });
            let order = order(nodes.clone());
            prop_assert_eq!(order.last().map(|node| node.name.clone()), Some(name(99, 1)));
            prop_assert_eq!(heads(&nodes), vec![name(99, 1)]);
        }
    }
}
