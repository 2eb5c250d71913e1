//! A program of a switch: started with an environment of the agent's own and kept to the housekeeping CPU, what
//! it says kept in memory, its death noticed. It must not know which program, or what its lines mean.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, execve, pipe2};

use crate::affinity::pin;
use crate::failure::During;
use crate::protocol::{Failure, FailureKind};
use crate::sys;

/// All that a program finds in its environment besides what it is given.
const PATH: &str = "PATH=/usr/bin:/usr/sbin:/bin:/sbin";
const LAST_LINES: usize = 20;
/// What is looked at for the last lines, bytes.
const TAIL_BYTES: u64 = 16 << 10;
const PAUSE: Duration = Duration::from_millis(2);

/// How a program is started.
pub(super) struct Start<'a> {
    pub name: &'static str,
    pub program: &'a Path,
    pub arguments: &'a [String],
    pub environment: &'a [String],
    /// CPU of those of its threads that do not choose their own; none for any.
    pub cpu: Option<u32>,
    /// Folder for what it says.
    pub folder: &'a Path,
}

/// A program that was started.
pub(super) struct Program {
    pub name: &'static str,
    pub pid: Pid,
    log: PathBuf,
    status: Option<i32>,
    /// Kept open: some programs end when their input does.
    _input: OwnedFd,
}

impl Program {
    pub(super) fn start(start: &Start) -> Result<Program, Failure> {
        let doing = || format!("start {}", start.name);
        fs::create_dir_all(start.folder).scene(doing)?;
        let log = start.folder.join(format!("{}.log", start.name));
        let output = File::options().append(true).create(true).open(&log).scene(doing)?;
        let (inside, input) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).scene(doing)?;
        let Some(pid) = sys::fork_into(CloneFlags::empty()).scene(doing)? else {
            let Err(failure) = execute(start, &inside, &output);
            // The only one who reads it is whoever finds the program dead.
            let _ = nix::unistd::write(&output, format!("{failure}\n").as_bytes());
            sys::exit_now(127);
        };
        Ok(Program { name: start.name, pid, log, status: None, _input: input })
    }

    /// Runs a program to its end and returns what it said. One that may wait for others ends when they fail.
    pub(super) fn run(
        start: &Start,
        deadline: Instant,
        others: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<String, Failure> {
        let mut program = Program::start(start)?;
        loop {
            match program.look()? {
                Some(0) => return Ok(program.said()),
                Some(_) => return Err(program.dead()),
                None => {}
            }
            let late = (Instant::now() >= deadline).then(|| program.failure("end", "in time"));
            if let Err(failure) = late.map_or_else(&mut *others, Err) {
                program.kill()?;
                return Err(failure);
            }
            pause()?;
        }
    }

    /// All that it has said.
    pub(super) fn said(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The last lines of that.
    pub(super) fn last_lines(&self) -> Vec<String> {
        let tail = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let text = String::from_utf8_lossy(&tail().unwrap_or_default()).into_owned();
        let lines: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].to_vec()
    }

    /// A failure of it, with its last lines.
    pub(super) fn failure(&self, doing: &str, problem: &str) -> Failure {
        let message = format!("{doing} {}: {problem}", self.name);
        Failure { last_lines: self.last_lines(), ..Failure::new(FailureKind::Scene, message) }
    }

    fn dead(&self) -> Failure {
        let status = self.status.unwrap_or_default();
        self.failure("keep alive", &format!("it ended with status {status}"))
    }

    /// Fails if it has ended.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        self.look()?.map_or(Ok(()), |_| Err(self.dead()))
    }

    fn look(&mut self) -> Result<Option<i32>, Failure> {
        if self.status.is_none() {
            self.status = match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, code)) => Some(code),
                Ok(WaitStatus::Signaled(_, signal, _)) => Some(128 + signal as i32),
                Ok(_) => None,
                Err(error) => return Err(error).scene(|| format!("look after {}", self.name)),
            };
        }
        Ok(self.status)
    }

    /// Is told that it has ended; whether it is this one.
    pub(super) fn ended(&mut self, pid: Pid, status: i32) -> bool {
        let own = self.pid == pid && self.status.is_none();
        if own {
            self.status = Some(status);
        }
        own
    }

    /// Ends it, whatever it does. It has nothing to tidy up: all that it made dies with it, or is the caller's.
    pub(super) fn kill(&mut self) -> Result<(), Failure> {
        if self.status.is_none() {
            // It may have ended by itself just now.
            let _ = kill(self.pid, Signal::SIGKILL);
            waitpid(self.pid, None).scene(|| format!("reap {}", self.name))?;
            self.status = Some(128 + Signal::SIGKILL as i32);
        }
        Ok(())
    }
}

/// Gives others a moment.
pub(super) fn pause() -> Result<(), Failure> {
    match poll(&mut [], PollTimeout::try_from(PAUSE).unwrap_or(PollTimeout::ZERO)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error).scene(|| "wait for a switch".into()),
    }
}

fn execute(start: &Start, input: &OwnedFd, output: &File) -> Result<std::convert::Infallible, Failure> {
    let doing = || format!("execute {}", start.program.display());
    dup2_stdin(input).scene(doing)?;
    dup2_stdout(output).scene(doing)?;
    dup2_stderr(output).scene(doing)?;
    // The log stays open for a failure of what follows; a program that is executed does not get it.
    sys::close_all_but(&[output.as_fd()]).scene(doing)?;
    if let Some(cpu) = start.cpu {
        pin(&[cpu]).scene(|| format!("keep {} to CPU {cpu}", start.name))?;
    }
    sys::default_signals().scene(doing)?;
    let text = |text: &str| CString::new(text).scene(doing);
    let program = text(&start.program.to_string_lossy())?;
    let words = std::iter::once(start.name).chain(start.arguments.iter().map(String::as_str));
    let arguments = words.map(text).collect::<Result<Vec<_>, _>>()?;
    let environment = std::iter::once(PATH).chain(start.environment.iter().map(String::as_str));
    let environment = environment.map(text).collect::<Result<Vec<_>, _>>()?;
    execve(&program, &arguments, &environment).scene(doing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_waits_for_one_that_has_died_waits_no_longer() {
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = ["600.0625".to_owned()];
        let start = Start {
            name: "sleep",
            program: Path::new("/bin/sleep"),
            arguments: &arguments,
            environment: &[],
            cpu: None,
            folder: folder.path(),
        };
        let mut looks = 0;
        let mut others = || {
            looks += 1;
            if looks < 3 { Ok(()) } else { Err(Failure::new(FailureKind::Scene, "the daemon is dead")) }
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        let failure = Program::run(&start, deadline, &mut others).expect_err("it cannot end by itself");
        assert_eq!(failure.message, "the daemon is dead");
        let commands = fs::read_dir("/proc").expect("processes").flatten();
        let waits = |command: String| command.contains(&arguments[0]);
        assert!(!commands.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok()).any(waits));
    }
}
