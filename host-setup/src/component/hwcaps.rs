//! Which of the libraries that were built for better processors the dynamic linker takes on this one, as the psABI
//! numbers them. It must not know where libraries are.

/// Folder of them, in each folder of libraries.
pub(super) const FOLDER: &str = "glibc-hwcaps";

/// Names of the subfolders that are searched here, best first.
pub(super) fn levels() -> Vec<&'static str> {
    let mut levels = of_this_processor();
    levels.reverse();
    levels
}

/// Each level asks for all of those below it.
#[cfg(target_arch = "x86_64")]
fn of_this_processor() -> Vec<&'static str> {
    use std::arch::is_x86_feature_detected as has;
    let second = has!("cmpxchg16b") && has!("popcnt") && has!("sse4.2") && has!("ssse3");
    let third = has!("avx2") && has!("bmi1") && has!("bmi2") && has!("f16c") && has!("fma") && has!("lzcnt");
    let fourth = has!("avx512f") && has!("avx512bw") && has!("avx512cd") && has!("avx512dq") && has!("avx512vl");
    let levels = [("x86-64-v2", second), ("x86-64-v3", third && has!("movbe")), ("x86-64-v4", fourth)];
    levels.into_iter().take_while(|(_, is)| *is).map(|(name, _)| name).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn of_this_processor() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_comes_first_and_none_is_left_out_below_it() {
        let all = ["x86-64-v4", "x86-64-v3", "x86-64-v2"];
        assert!(all.ends_with(&levels()), "{:?}", levels());
    }
}
