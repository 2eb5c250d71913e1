//! A user of a cluster: a folder that all nodes see, with the programs, a site file and a store.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::bench::Ran;
use super::cluster::{self, Cluster};

pub struct Client<'c> {
    pub cluster: &'c Cluster,
    folder: tempfile::TempDir,
    /// By number, if it is not root.
    user: Option<u32>,
}

impl<'c> Client<'c> {
    /// A user whose site file says this.
    pub fn of(cluster: &'c Cluster, user: Option<u32>, site: &str) -> Client<'c> {
        let client = Client { cluster, folder: cluster::folder(), user };
        let built = Path::new(env!("CARGO_BIN_EXE_septet")).parent().expect("programs lie in a folder");
        let programs = ["septet", "septet-host", "septet-gen"].map(|program| built.join(program));
        let copied = Command::new("cp").arg("-p").args(&programs).arg(client.path("")).status();
        assert!(copied.is_ok_and(|status| status.success()), "programs can be copied: `make build` makes them");
        // What is there only where DPDK is; without it switches of DPDK are skipped, and a plan says so.
        for program in ["septet-gen-dpdk", "basicfwd"].map(|program| built.join(program)) {
            if program.is_file() {
                let copied = Command::new("cp").arg("-p").arg(&program).arg(client.path("")).status();
                assert!(copied.is_ok_and(|status| status.success()), "{} can be copied", program.display());
            }
        }
        fs::create_dir_all(client.path("config/septet")).expect("it is ours");
        client.write("config/septet/site.toml", site);
        if let Some(user) = user {
            let owned = Command::new("chown").arg("-R").arg(user.to_string()).arg(client.path("")).status();
            assert!(owned.is_ok_and(|status| status.success()));
        }
        client
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("it is ours");
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o644)).expect("it is ours");
    }

    /// `septet` where clients run, not started yet; the child is septet itself.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.cluster.client("/usr/bin/env");
        command.arg("-C").arg(self.path(""));
        if let Some(user) = self.user {
            command.arg("setpriv").args([
                format!("--reuid={user}"),
                format!("--regid={user}"),
                "--clear-groups".into(),
            ]);
        }
        command.arg(self.path("septet")).args(arguments);
        command.env_remove("SEPTET_STORE").env("HOME", self.path("")).env("XDG_CACHE_HOME", self.path("cache"));
        command.env("XDG_CONFIG_HOME", self.path("config")).stdin(Stdio::null());
        command
    }

    pub fn septet(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().expect("septet can be started"))
    }

    /// Starts `septet` with its words in a file of the folder.
    pub fn start(&self, arguments: &[&str], words: &str) -> Child {
        let file = fs::File::create(self.path(words)).expect("it is ours");
        let mut command = self.command(arguments);
        command
            .stdout(file.try_clone().expect("it can be had twice"))
            .stderr(file)
            .spawn()
            .expect("septet can be started")
    }

    pub fn words(&self, words: &str) -> String {
        fs::read_to_string(self.path(words)).expect("it was made")
    }

    /// How many results are stored.
    pub fn stored(&self) -> usize {
        let shelves = fs::read_dir(self.path(".septet/results")).into_iter().flatten().flatten();
        shelves.map(|shelf| fs::read_dir(shelf.path()).map_or(0, Iterator::count)).sum()
    }

    /// The records of all results, as text.
    pub fn records(&self) -> Vec<String> {
        let shelves = fs::read_dir(self.path(".septet/results")).into_iter().flatten().flatten();
        let results = shelves.flat_map(|shelf| fs::read_dir(shelf.path()).into_iter().flatten().flatten());
        results.filter_map(|result| fs::read_to_string(result.path().join("record.json")).ok()).collect()
    }

    /// Numbers of plan --json: tests that are stored, to measure and skipped.
    pub fn plan(&self, file: &str) -> [u64; 3] {
        let plan = self.septet(&["plan", file, "--json"]).code(0).json();
        ["stored", "to_measure", "skipped"].map(|name| plan[name].as_u64().expect("a number"))
    }
}
