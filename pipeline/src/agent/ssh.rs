//! An agent on another host, reached by the system's own ssh, so that what `~/.ssh/config` says, jump hosts and key
//! agents count. Where the agent has the login's rights, the programs that lie beside this one are copied over first,
//! into a folder that is called by their content; an agent that sudo starts as root is its administrator's to install.
//! It must not know what is said to the agent.
//!
//! Nothing of the user's becomes shell text: a command is one of the constants below, with arguments that are digests,
//! names of our programs, or what the site file was checked for.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use super::programs::{Program, Programs};
use super::{AgentError, LOOK, Transport, last};

/// Silence of the other host after which its agent counts as gone; the agent thinks the same of us.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(8);
/// Longest time for one step of copying.
const COPY_MAX: Duration = Duration::from_secs(300);
/// Options of every call: never ask a person, notice a dead link, forward nothing, leave nothing behind.
const OPTIONS: [&str; 13] = [
    "-T",
    "-a",
    "-x",
    "-o",
    "BatchMode=yes",
    "-o",
    "ConnectTimeout=5",
    "-o",
    "ServerAliveInterval=2",
    "-o",
    "ServerAliveCountMax=3",
    "-o",
    "ControlMaster=no",
];

// What another host's sh does. One line each, without quotes of the kind that they are wrapped in.
/// Whether the programs are there; if not, a folder is made for them. `$1` is their digest.
const LOOK_FOR: &str = r#"umask 077; d="${XDG_CACHE_HOME:-$HOME/.cache}/septet/programs"; if [ -x "$d/$1/septet-host" ]; then touch "$d/$1"; echo septet-programs present; else mkdir -p "$d" && n=$(mktemp -d "$d/new.XXXXXXXX") && echo "septet-programs absent ${n##*/}"; fi"#;
/// Takes one program from standard input. `$1` is the folder that was made, `$2` the name.
const TAKE: &str = r#"umask 077; d="${XDG_CACHE_HOME:-$HOME/.cache}/septet/programs"; cat >"$d/$1/$2""#;
/// Checks what was taken by the sums on standard input and gives it its name, unless another did; folders that nobody
/// used for a month are removed. `$1` is the folder that was made, `$2` the digest.
const FINISH: &str = r#"d="${XDG_CACHE_HOME:-$HOME/.cache}/septet/programs"; cd "$d/$1" && sha256sum -c - >&2 && chmod 755 ./* && chmod 755 . && cd .. && if ! mv -T "$1" "$2" 2>/dev/null; then rm -r "$1"; fi; find "$d" -mindepth 1 -maxdepth 1 -type d -mtime +30 ! -name "$2" -exec rm -r {} +; [ -x "$d/$2/septet-host" ] && echo septet-programs present"#;
/// Starts the agent that was copied. `$1` is the digest; root says that it is root.
const START: &str = r#"d="${XDG_CACHE_HOME:-$HOME/.cache}/septet/programs"; a=; if [ "$(id -u)" = 0 ]; then a=--as-root; fi; exec "$d/$1/septet-host" agent $a"#;

/// A way to the agent of another host.
#[derive(Clone, Debug)]
pub struct Ssh {
    /// What the site calls the host.
    pub host: String,
    /// What ssh calls it; checked to be no option and one word.
    pub destination: String,
    /// The agent that sudo starts there, if it does.
    pub sudo: Option<PathBuf>,
    /// What the agent and its generators must be.
    pub programs: Programs,
}

impl Ssh {
    fn ssh(&self, words: &[&str]) -> Command {
        let mut command = Command::new("ssh");
        command.args(OPTIONS).arg("--").arg(&self.destination).arg(words.join(" ")).process_group(0);
        command
    }

    fn script<'a>(quoted: &'a str, arguments: &[&'a str]) -> Vec<&'a str> {
        [&["exec", "sh", "-c", quoted, "septet"], arguments].concat()
    }

    /// Sees to it that the programs are there, if they are ours to copy; whether anything was copied.
    ///
    /// # Errors
    /// When the host cannot be reached, or does not take them.
    pub fn prepare(&self) -> Result<bool, AgentError> {
        if self.sudo.is_some() {
            return Ok(false);
        }
        let said = self.does("look for septet-host", LOOK_FOR, &[&self.programs.digest], Stdio::null())?;
        let folder = match said.split(' ').collect::<Vec<_>>()[..] {
            ["present"] => return Ok(false),
            ["absent", folder] if folder.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.') => folder,
            _ => return Err(self.unreached("look for septet-host", format!("it answered {said:?}"), &[])),
        };
        for program in &self.programs.list {
            let file = File::open(&program.path);
            let file = file.map_err(|source| AgentError::Spawn { path: program.path.clone(), source })?;
            self.done("copy programs", TAKE, &[folder, program.name], file.into())?;
        }
        // The pipe holds these few lines, so that nobody has to write while the other one reads.
        let sum = |program: &Program| Ok(format!("{}  {}\n", program.sha256()?, program.name));
        let sums = self.programs.list.iter().map(sum).collect::<Result<String, AgentError>>()?;
        let (reader, mut writer) = std::io::pipe().map_err(|source| self.spawn(source))?;
        std::io::Write::write_all(&mut writer, sums.as_bytes()).map_err(|source| self.spawn(source))?;
        drop(writer);
        match &*self.does("check what was copied", FINISH, &[folder, &self.programs.digest], reader.into())? {
            "present" => Ok(true),
            other => Err(self.unreached("check what was copied", format!("it answered {other:?}"), &[])),
        }
    }

    /// What a script says behind its mark; whatever a login prints besides is passed over.
    fn does(&self, doing: &str, script: &str, arguments: &[&str], input: Stdio) -> Result<String, AgentError> {
        let output = self.done(doing, script, arguments, input)?;
        let out = String::from_utf8_lossy(&output.stdout);
        let said = out.lines().rev().find_map(|line| line.strip_prefix("septet-programs "));
        said.map(|said| said.trim().to_string())
            .ok_or_else(|| self.unreached(doing, "it gave no answer".to_string(), &output.stderr))
    }

    fn done(&self, doing: &str, script: &str, arguments: &[&str], input: Stdio) -> Result<Output, AgentError> {
        let quoted = format!("'{script}'");
        let mut command = self.ssh(&Self::script(&quoted, arguments));
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| self.spawn(source))?;
        // Both are short: a few words, and what ssh or a shell complains of.
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let read = |stream: Option<Box<dyn std::io::Read + Send>>| {
            thread::Builder::new().spawn(move || {
                let mut bytes = Vec::new();
                if let Some(stream) = stream {
                    // What comes before an error is what there is.
                    let _ = stream.take(1 << 20).read_to_end(&mut bytes);
                }
                bytes
            })
        };
        let out = read(out.map(|out| Box::new(out) as _)).map_err(|source| self.spawn(source))?;
        let err = read(err.map(|err| Box::new(err) as _)).map_err(|source| self.spawn(source))?;
        let mut waited = Duration::ZERO;
        let status = loop {
            match child.try_wait().map_err(|source| self.spawn(source))? {
                Some(status) => break status,
                None if waited >= COPY_MAX => {
                    let _ = child.kill();
                    break child.wait().map_err(|source| self.spawn(source))?;
                }
                None => {
                    thread::sleep(LOOK / 10);
                    waited += LOOK / 10;
                }
            }
        };
        let [stdout, stderr] = [out, err].map(|thread| thread.join().unwrap_or_default());
        match status.success() {
            true => Ok(Output { status, stdout, stderr }),
            false => Err(self.unreached(doing, format!("ssh ended with {status}"), &stderr)),
        }
    }

    fn spawn(&self, source: std::io::Error) -> AgentError {
        AgentError::Spawn { path: "ssh".into(), source }
    }

    fn unreached(&self, doing: &str, reason: String, stderr: &[u8]) -> AgentError {
        let text = String::from_utf8_lossy(stderr);
        let lines: Vec<String> = text.lines().rev().take(10).map(str::to_string).collect();
        let lines: Vec<String> = lines.into_iter().rev().collect();
        AgentError::Unreached {
            host: self.host.clone(),
            doing: doing.to_string(),
            reason: format!("{reason}{}", last(&lines)),
            destination: self.destination.clone(),
        }
    }
}

impl Transport for Ssh {
    fn command(&self) -> Result<Command, AgentError> {
        Ok(match &self.sudo {
            Some(program) => {
                let program = program.display().to_string();
                self.ssh(&["exec", "sudo", "-n", &program, "agent"])
            }
            None => {
                let quoted = format!("'{START}'");
                self.ssh(&Self::script(&quoted, &[&self.programs.digest]))
            }
        })
    }

    fn prepare(&self) -> Result<(), AgentError> {
        Ssh::prepare(self).map(drop)
    }

    fn afar(&self) -> Option<super::Afar<'_>> {
        Some(super::Afar {
            host: &self.host,
            silence_max: SILENCE_MAX,
            programs: &self.programs,
            sudo: self.sudo.as_deref(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(command: &Command) -> Vec<String> {
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn ssh_is_given_options_then_the_host_then_one_constant_command() {
        let programs = Programs { list: Vec::new(), digest: "ab12".to_string() };
        let copied = Ssh { host: "n".into(), destination: "root@n".into(), sudo: None, programs };
        let words = shown(&copied.command().expect("a command"));
        let place = words.iter().position(|word| word == "--").expect("options end");
        assert_eq!(words[place + 1], "root@n");
        assert_eq!(words[place + 2..], [format!("exec sh -c '{START}' septet ab12")]);
        assert!(words[..place].contains(&"BatchMode=yes".to_string()));

        let root = Ssh { sudo: Some("/opt/septet/septet-host".into()), ..copied };
        let words = shown(&root.command().expect("a command"));
        assert_eq!(words.last().expect("a command"), "exec sudo -n /opt/septet/septet-host agent");
    }

    #[test]
    fn scripts_can_be_quoted_and_are_one_line() {
        for script in [LOOK_FOR, TAKE, FINISH, START] {
            assert!(!script.contains('\'') && !script.contains('\n'), "{script}");
        }
    }
}
