//! Lists of CPUs as the kernel writes them, `0-3,8`. Pure. It must not know what they are lists of.

/// The CPUs of a list. What is not understood of it is left out, a range longer than any machine too.
pub fn parse(list: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (last.saturating_sub(first) < 1 << 16).then_some(first..=last)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// The list of some CPUs, in order and each once.
pub(crate) fn format(cpus: &[u32]) -> String {
    let mut cpus = cpus.to_vec();
    cpus.sort_unstable();
    cpus.dedup();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(cpu) => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let text = |(first, last): &(u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(parse("0-2,8,10-11"), [0, 1, 2, 8, 10, 11]);
        assert!(parse("").is_empty());
        assert_eq!(parse("3-1,x,5,0-4294967295"), [5]);
        assert_eq!(format(&[3, 1, 2, 8, 2, u32::MAX]), "1-3,8,4294967295");
        assert_eq!(format(&[]), "");
    }
}
