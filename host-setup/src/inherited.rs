//! What a program has inherited from whoever started it, read from the kernel's own words. Pure: it must not read the
//! file itself.

/// Whether `status`, the text of `/proc/self/status`, says that a signal is ignored. What was ignored when the program
/// started (SIGHUP by nohup, SIGINT by a shell for its background jobs) is to stay so.
pub fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    u32::try_from(signal - 1).ok().and_then(|bit| mask.checked_shr(bit)).is_some_and(|bits| bits & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::ignores;

    #[test]
    fn only_what_the_mask_names_is_ignored() {
        let status = "Name:\tseptet\nSigBlk:\t0000000000000003\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        let ignored: Vec<i32> = (-1..70).filter(|signal| ignores(status, *signal)).collect();
        assert_eq!(ignored, [1, 13]);
        assert!(!ignores("", 1) && !ignores("SigIgn:\tzz", 1));
    }
}
