//! Libraries that run and are in no fingerprint: whatever was measured with them is refused, since its key would lie.

use std::process::Command;

use super::bench::Bench;
use super::faults::{self, RUN, failed_alone};
use super::room::Room;

/// A library that the C library brings along and no program of ours wants.
const LIBRARY: &str = "libthread_db.so.1";
const REFUSED: [&str; 3] = ["trust what was measured", LIBRARY, "in no fingerprint of the key"];

#[test]
fn a_library_that_the_linker_was_made_to_load_is_refused_by_name() {
    let Some(bench) = faults::bench("testpmd") else { return };
    let Some(room) = Room::of(&bench) else { return };
    let path = room.sh(&format!("/sbin/ldconfig -p | sed -n 's/.*{LIBRARY}.*=> //p' | head -n 1"));
    if path.trim().is_empty() {
        println!("skipped: there is no {LIBRARY}");
        return;
    }
    room.sh(&format!(
        "mkdir etc && mount -t tmpfs septet etc && cp -a /etc/. etc/ && echo {} > etc/ld.so.preload && mount --bind etc /etc",
        path.trim()
    ));
    let ran = room.septet(&RUN);
    assert_eq!(ran.code, 1, "{ran:?}");
    // Every program that is not static is made to load it, LXC's and BusyBox's as well.
    let refused = ran.stderr.lines().find(|line| line.contains("FAILED") && line.contains("/testpmd/"));
    assert!(refused.is_some_and(|line| REFUSED.iter().all(|words| line.contains(words))), "{ran:?}");
    let plan = bench.septet(&["plan", "faults.toml", "--json"]).code(0).json();
    assert!(plan["to_measure"].as_u64() >= Some(1), "{plan}");

    // A trial of a search is judged like any repetition.
    let searched = faults::experiment("testpmd").replace("R = \"20k\"", "R = { search = \"pdr\", loss = 0.5 }");
    bench.write("searched.toml", &searched);
    let ran = room.septet(&["run", "searched.toml", "-k", "--only", "V=testpmd", "--wait", "5m"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let refused = ran.stderr.lines().find(|line| line.contains("FAILED") && line.contains("/testpmd/"));
    assert!(refused.is_some_and(|line| REFUSED.iter().all(|words| line.contains(words))), "{ran:?}");
}

/// Loads a library once packets come from the sender, whose port is the second: within the window, and so after
/// what is mapped was read for the first time.
const LATE: &str = r#"
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>
#include <rte_ethdev.h>

static void *late(void *unused)
{
    struct rte_eth_stats stats = { 0 };

    while (rte_eth_stats_get(1, &stats) != 0 || stats.ipackets < 200)
        usleep(1000);
    dlopen(LIBRARY, RTLD_LAZY);
    return unused;
}

int __real_rte_eth_dev_start(uint16_t port);

int __wrap_rte_eth_dev_start(uint16_t port)
{
    pthread_t thread;
    int result = __real_rte_eth_dev_start(port);

    if (port == 1 && result == 0)
        pthread_create(&thread, NULL, late, NULL);
    return result;
}
"#;

/// Replaces the switch of a bench by one that is sound but for that it loads a library late; none, with the reason
/// printed, where it cannot be built.
fn with_a_late_library(bench: &Bench) -> Option<()> {
    bench.write("late.c", LATE);
    let script = format!(
        "cc -O2 $(pkg-config --cflags libdpdk) -DALLOW_EXPERIMENTAL_API -Wl,--wrap=rte_eth_dev_start -DLIBRARY='\"{LIBRARY}\"' late.c \
         /usr/share/dpdk/examples/skeleton/basicfwd.c -o new $(pkg-config --libs libdpdk) && mv new basicfwd"
    );
    let built =
        Command::new("sh").arg("-c").arg(script).current_dir(bench.path("")).output().expect("there is a shell");
    if !built.status.success() {
        println!("skipped: no switch can be built: {}", String::from_utf8_lossy(&built.stderr));
    }
    built.status.success().then_some(())
}

#[test]
fn a_library_that_is_loaded_within_the_window_is_refused_by_name() {
    let Some(bench) = faults::bench("basicfwd") else { return };
    let Some(()) = with_a_late_library(&bench) else { return };
    let ran = bench.septet(&RUN);
    failed_alone(|words| bench.septet(words), &ran, &REFUSED);
    assert!(ran.stderr.contains("basicfwd ran "), "{ran:?}");
}
