//! What changed inside of a component: which of its files, told apart by name and content. Pure. It must not know
//! manifests or where components come from.

use std::collections::BTreeMap;

use host_setup::facts::Component;

/// Files that a change names; the rest is counted.
const NAMED_MAX: usize = 8;

/// The files that differ between two states of a component, in words, each `NAME changed`, `NAME is new` or
/// `NAME is gone`, in order of name.
pub fn changed(was: &Component, is: &Component) -> Vec<String> {
    let by_name = |component: &Component| -> BTreeMap<String, String> {
        // A name that comes twice has a line for each content.
        let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, digest) in &component.files {
            seen.entry(name.clone()).or_default().push(digest.clone());
        }
        seen.into_iter().map(|(name, digests)| (name, digests.join(" "))).collect()
    };
    let (was, is) = (by_name(was), by_name(is));
    let mut words: BTreeMap<&String, &str> = BTreeMap::new();
    for (name, digest) in &was {
        match is.get(name) {
            None => drop(words.insert(name, "is gone")),
            Some(other) if other != digest => drop(words.insert(name, "changed")),
            Some(_) => {}
        }
    }
    words.extend(is.keys().filter(|name| !was.contains_key(*name)).map(|name| (name, "is new")));
    let mut told: Vec<String> = words.iter().take(NAMED_MAX).map(|(name, word)| format!("{name} {word}")).collect();
    if words.len() > NAMED_MAX {
        told.push(format!("and {} more", words.len() - NAMED_MAX));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(files: &[(&str, &str)]) -> Component {
        let files = files.iter().map(|(name, digest)| (name.to_string(), digest.to_string())).collect();
        Component { files, ..Component::default() }
    }

    #[test]
    fn files_are_told_by_what_became_of_them() {
        let was = component(&[("ovs", "1"), ("libc.so.6", "2"), ("libold.so", "3")]);
        let is = component(&[("ovs", "1"), ("libc.so.6", "4"), ("libnew.so", "5")]);
        assert_eq!(changed(&was, &is), ["libc.so.6 changed", "libnew.so is new", "libold.so is gone"]);
        assert_eq!(changed(&was, &was), [""; 0]);
        let names: Vec<String> = (0..20).map(|number| format!("lib{number:02}.so")).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "6")).collect();
        assert_eq!(changed(&component(&[]), &component(&many)).last().map(String::as_str), Some("and 12 more"));
    }
}
