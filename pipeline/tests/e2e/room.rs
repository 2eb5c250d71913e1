//! A private mount namespace, in which commands see what others do not: full disks, other files at known places. It
//! must not know what is tested.

use std::process::{Child, Command, Stdio};

use super::bench::{Bench, Ran};

/// A mount namespace that lives as long as this, in which commands are run.
pub struct Room<'a> {
    bench: &'a Bench,
    holder: Child,
}

impl<'a> Room<'a> {
    /// Makes a small file system; where this process may not mount, prints the reason and returns none.
    pub fn of(bench: &'a Bench) -> Option<Room<'a>> {
        let probe = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "septet", "/mnt"]).output();
        match probe {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                println!("skipped: no private mounts: {}", String::from_utf8_lossy(&output.stderr).trim());
                return None;
            }
            Err(error) => {
                println!("skipped: no unshare: {error}");
                return None;
            }
        }
        // Ends when its input does, and takes the namespace along. It says when it is there.
        let mut holder = Command::new("unshare")
            .args(["-m", "sh", "-c", "echo there; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it was there a moment ago");
        let mut there = [0; 6];
        std::io::Read::read_exact(holder.stdout.as_mut().expect("it is piped"), &mut there).expect("it starts");
        Some(Room { bench, holder })
    }

    /// A command in the namespace and in the bench's folder, not started yet.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-m", "-t", &self.holder.id().to_string()]);
        command.args(["sh", "-c", "cd \"$0\" && exec \"$@\""]).arg(self.bench.path("")).arg(program).args(arguments);
        // The bench's own environment.
        let septet = self.bench.command(&[]);
        for (name, value) in septet.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::null());
        command
    }

    pub fn septet(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command("./septet", arguments).output().expect("nsenter comes with unshare"))
    }

    pub fn sh(&self, script: &str) -> String {
        Ran::of(self.command("sh", &["-c", script]).output().expect("nsenter comes with unshare")).code(0).stdout
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
