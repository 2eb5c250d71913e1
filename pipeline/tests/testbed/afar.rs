//! Emulated hosts with a client that knows them: a bench in the driver, whose site file names the hosts and cables.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::bed::Testbed;
use super::bench::{Bench, Ran};

/// What one test has.
pub struct Afar {
    pub bed: Testbed,
    pub bench: Bench,
}

impl Afar {
    /// Hosts that are reached by ssh as root, cabled in pairs, and a client. None, with the reason printed, where
    /// that cannot be.
    pub fn up(hosts: &[&str]) -> Option<Afar> {
        let bed = Testbed::up(hosts)?;
        let afar = Afar { bed, bench: Bench::new() };
        let hosts: Vec<&str> = hosts.iter().map(|host| host.split('=').next().unwrap_or_default()).collect();
        let mut site: String = hosts.iter().map(|host| format!("[hosts.{host}]\n")).collect();
        for pair in hosts.chunks_exact(2) {
            site.push_str(&format!("[[cables]]\nends = [\"{}:cable0\", \"{}:cable0\"]\n", pair[0], pair[1]));
        }
        afar.site(&site);
        Some(afar)
    }

    /// Writes the client's own site file.
    pub fn site(&self, text: &str) {
        fs::create_dir_all(self.bench.path("config/septet")).expect("the bench is writable");
        self.bench.write("config/septet/site.toml", text);
    }

    /// Has the generator of DPDK's on the bench; false, with the reason printed, where it was not built.
    pub fn has_dpdk(&self) -> bool {
        let built = Path::new(env!("CARGO_BIN_EXE_septet")).with_file_name("septet-gen-dpdk");
        if !built.is_file() {
            println!("skipped: there is no septet-gen-dpdk");
            return false;
        }
        let copied = Command::new("cp").arg("-p").arg(built).arg(self.bench.path("")).status();
        assert!(copied.is_ok_and(|status| status.success()), "the generator can be copied");
        true
    }

    /// `septet` in the driver, not started yet; the child is septet itself.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bed.in_driver("/usr/bin/env");
        command.arg("-C").arg(self.bench.path("")).arg(self.bench.path("septet")).args(arguments);
        command
            .env_remove("SEPTET_STORE")
            .env("HOME", self.bench.path(""))
            .env("XDG_CACHE_HOME", self.bench.path("cache"))
            .env("XDG_CONFIG_HOME", self.bench.path("config"))
            .stdin(Stdio::null());
        command
    }

    pub fn septet(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("septet can be started"))
    }

    /// Starts `septet` with its words in a file of the bench.
    pub fn start(&self, arguments: &[&str], words: &str) -> Child {
        let file = fs::File::create(self.bench.path(words)).expect("the bench is writable");
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(file).spawn().expect("septet can be started")
    }

    /// What such a file says so far.
    pub fn words(&self, words: &str) -> String {
        fs::read_to_string(self.bench.path(words)).expect("it was made")
    }

    /// The processes of a host that are Septet's, as it numbers them.
    pub fn agents(&self, host: &str) -> Vec<u32> {
        let script =
            "for p in /proc/[0-9]*; do case $(readlink $p/exe) in *septet*|*/busybox*) echo ${p#/proc/};; esac; done";
        self.bed.said(host, script).lines().map(|line| line.parse().expect("a number")).collect()
    }

    /// Whether nothing of Septet's is on a host any more but its copied programs.
    pub fn is_clean(&self, host: &str) -> bool {
        let said = self.bed.said(host, "ls /run/septet 2>/dev/null; ls /run/netns; grep septet /proc/mounts | wc -l");
        let links = self.bed.said(host, "ls /sys/class/net");
        let is_left = |line: &&str| !matches!(*line, "0" | "digests" | "");
        self.agents(host).is_empty() && !said.lines().any(|line| is_left(&line)) && !links.contains("br")
    }
}
