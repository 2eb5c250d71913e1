//! Slurm's own programs, started with an environment that says nothing but which cluster it is, and with a time limit:
//! sbatch, squeue, scancel, sacct, salloc, scontrol. It must not decide anything.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::ledger::End;
use super::place;
use super::queue::{self, Job};

/// Longest time for an answer. Slurm's programs try again for a while by themselves.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// How often one who waits looks.
const LOOK: Duration = Duration::from_millis(20);
/// Most bytes of an answer: a hundred thousand jobs.
const ANSWER_BYTES_MAX: u64 = 1 << 30;
/// What sbatch says when the queue takes no more jobs, before it tries again.
const FULL: &str = "temporarily unable to accept job";

/// Why Slurm did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SlurmError {
    /// A program of Slurm's cannot be started.
    #[error("failed to start {program}: {source}; septet run --slurm needs Slurm's own programs here")]
    Start {
        /// The program.
        program: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Slurm refused, or could not be asked.
    #[error("failed to {doing}: {said}")]
    Refused {
        /// Completes "failed to".
        doing: &'static str,
        /// What it said.
        said: String,
    },
    /// The queue takes no more jobs now.
    #[error("failed to submit jobs: the queue is full")]
    Full,
    /// The user wants to stop.
    #[error("interrupted")]
    Interrupted,
}

struct Said {
    is_well: bool,
    out: Vec<u8>,
    errors: String,
}

/// One of Slurm's programs, with nothing inherited that would change what it is asked.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for name in place::unwanted(std::env::vars_os().map(|(name, _)| name)) {
        command.env_remove(name);
    }
    // The numbers of an array's elements are not cut.
    command.env("SLURM_BITSTR_LEN", "0").process_group(0);
    command
}

/// Reads all that comes, where others can look at it meanwhile.
fn reader(stream: impl Read + Send + 'static) -> (Arc<Mutex<Vec<u8>>>, JoinHandle<()>) {
    let read = Arc::new(Mutex::new(Vec::new()));
    let into = read.clone();
    let thread = thread::spawn(move || {
        let mut stream = stream.take(ANSWER_BYTES_MAX);
        let mut piece = [0; 1 << 16];
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            if let Ok(mut bytes) = into.lock() {
                bytes.extend_from_slice(&piece[..count]);
            }
        }
    });
    (read, thread)
}

fn taken(read: &Mutex<Vec<u8>>) -> Vec<u8> {
    read.lock().map(|bytes| bytes.clone()).unwrap_or_default()
}

fn ask(program: &'static str, arguments: &[String], input: &str, limit: Duration) -> Result<Said, SlurmError> {
    let start = |source| SlurmError::Start { program, source };
    let mut command = command(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(start)?;
    if let Some(mut to) = child.stdin.take() {
        // Who does not read it says why.
        let _ = to.write_all(input.as_bytes());
    }
    let (Some(out), Some(errors)) = (child.stdout.take(), child.stderr.take()) else { return Err(SlurmError::Full) };
    let ((out, out_thread), (errors, errors_thread)) = (reader(out), reader(errors));
    let began = Instant::now();
    let mut is_well = false;
    loop {
        if let Some(status) = child.try_wait().map_err(start)? {
            is_well = status.success();
            break;
        }
        let is_full = String::from_utf8_lossy(&taken(&errors)).contains(FULL);
        if began.elapsed() >= limit || is_full {
            let _ = child.kill();
            let _ = child.wait();
            break;
        }
        thread::sleep(LOOK);
    }
    let _ = out_thread.join();
    let _ = errors_thread.join();
    Ok(Said { is_well, out: taken(&out), errors: String::from_utf8_lossy(&taken(&errors)).trim().to_string() })
}

fn words(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(ToString::to_string).collect()
}

fn refused(doing: &'static str, said: &Said) -> SlurmError {
    let text = match said.errors.is_empty() {
        true => "it said nothing in time".to_string(),
        false => said.errors.lines().rev().take(3).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("; "),
    };
    SlurmError::Refused { doing, said: text }
}

/// Submits a script; the number of its array.
///
/// # Errors
/// [`SlurmError::Full`] where the queue takes no more now; the script may have been taken all the same.
pub fn submit(arguments: &[String], script: &str) -> Result<u32, SlurmError> {
    let said = ask("sbatch", arguments, script, ANSWER_MAX)?;
    if said.errors.contains(FULL) && !said.is_well {
        return Err(SlurmError::Full);
    }
    let id = String::from_utf8_lossy(&said.out).trim().split(';').next().and_then(|id| id.parse().ok());
    id.filter(|_| said.is_well).ok_or_else(|| refused("submit jobs", &said))
}

/// All jobs that can be seen.
///
/// # Errors
/// Where the controller does not answer.
pub fn jobs() -> Result<Vec<Job>, SlurmError> {
    let doing = "read the queue";
    let said = ask("squeue", &words(&["--json"]), "", ANSWER_MAX)?;
    match said.is_well {
        true => queue::jobs(&said.out).map_err(|said| SlurmError::Refused { doing, said }),
        false => Err(refused(doing, &said)),
    }
}

/// How elements of arrays ended that the queue has forgotten, as far as there is an account of it: that of slurmdbd, or
/// else the log of completed jobs. Where there is neither, none.
pub fn accounts(arrays: &[u32]) -> BTreeMap<(u32, u32), End> {
    let list = arrays.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let common = ["--noheader", "--parsable2", "--format=JobID,State,ExitCode"];
    let of_jobs = format!("--jobs={list}");
    let kept = ask("sacct", &words(&[&["--allocations", &of_jobs], &common[..]].concat()), "", ANSWER_MAX);
    match kept {
        Ok(said) if said.is_well => queue::accounts(&String::from_utf8_lossy(&said.out)),
        _ => {
            let logged = ask("sacct", &words(&[&["--completion", &of_jobs], &common[..]].concat()), "", ANSWER_MAX);
            logged.map(|said| queue::accounts(&String::from_utf8_lossy(&said.out))).unwrap_or_default()
        }
    }
}

/// Cancels jobs, arrays or elements (`7_3`); with `only_waiting` those that do not run yet.
///
/// # Errors
/// Where the controller does not answer. That one has ended already is none.
pub fn cancel(jobs: &[String], only_waiting: bool) -> Result<(), SlurmError> {
    // A command line is not endless.
    for some in jobs.chunks(500) {
        let state = if only_waiting { &["--state=PENDING"][..] } else { &[] };
        let arguments =
            words(&[&["--quiet"], state].concat()).into_iter().chain(some.iter().cloned()).collect::<Vec<_>>();
        let said = ask("scancel", &arguments, "", ANSWER_MAX)?;
        if !said.is_well && !said.errors.contains("Invalid job id") && !said.errors.contains("already completing") {
            return Err(refused("cancel jobs", &said));
        }
    }
    Ok(())
}

/// Most elements that an array may have here.
pub fn array_size_max() -> usize {
    const USUAL: usize = 1000;
    let said = ask("scontrol", &words(&["show", "config"]), "", ANSWER_MAX);
    let text = said.map(|said| String::from_utf8_lossy(&said.out).into_owned()).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MaxArraySize")?.split_once('='));
    line.and_then(|(_, size)| size.trim().parse().ok()).map_or(USUAL, |size: usize| size.clamp(2, USUAL + 1) - 1)
}

/// The nodes of a list as Slurm writes them.
///
/// # Errors
/// When it is none.
pub fn hostnames(list: &str) -> Result<Vec<String>, SlurmError> {
    let said = ask("scontrol", &words(&["show", "hostnames", list]), "", ANSWER_MAX)?;
    match said.is_well {
        true => Ok(String::from_utf8_lossy(&said.out).lines().map(|line| line.trim().to_string()).collect()),
        false => Err(refused("read a list of nodes", &said)),
    }
}

/// Nodes that are held until this is dropped, at the latest for as long as was asked.
#[derive(Debug)]
pub struct Allocation {
    /// The job that holds them.
    pub job: u32,
    /// The nodes.
    pub nodes: Vec<String>,
}

impl Allocation {
    /// Gets nodes, as soon as there are some; `waiting` is asked whether to go on.
    ///
    /// # Errors
    /// Where they cannot be had, or whoever is asked does not want to wait.
    pub fn wait(
        arguments: &[String],
        comment: &str,
        waiting: &mut dyn FnMut() -> bool,
    ) -> Result<Allocation, SlurmError> {
        let start = |source| SlurmError::Start { program: "salloc", source };
        let mut command = command("salloc");
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(start)?;
        let (errors, thread) = child.stderr.take().map(reader).ok_or(SlurmError::Full)?;
        let is_well = loop {
            if let Some(status) = child.try_wait().map_err(start)? {
                break status.success();
            }
            if !waiting() {
                given_up(&mut child, comment);
                return Err(SlurmError::Interrupted);
            }
            thread::sleep(LOOK);
        };
        let _ = thread.join();
        let errors = String::from_utf8_lossy(&taken(&errors)).trim().to_string();
        const GRANTED: &str = "Granted job allocation ";
        let job = errors.lines().find_map(|line| line.split_once(GRANTED)?.1.trim().parse().ok());
        let said = Said { is_well, out: Vec::new(), errors };
        let job = job.filter(|_| is_well).ok_or_else(|| refused("get a node to ask", &said))?;
        let mut allocation = Allocation { job, nodes: Vec::new() };
        let list = jobs()?.into_iter().find(|known| known.id == job).map(|job| job.seen);
        if let Some(super::ledger::Seen::Running(list)) = list {
            allocation.nodes = hostnames(&list)?;
        }
        Ok(allocation)
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        // It has a time limit if this fails.
        let _ = cancel(&[self.job.to_string()], false);
    }
}

/// Ends a salloc that waits. Its job goes with it, and is looked for if it does not.
fn given_up(child: &mut Child, comment: &str) {
    if let Ok(pid) = i32::try_from(child.id()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let limit = Instant::now() + Duration::from_secs(5);
    while Instant::now() < limit && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(LOOK);
    }
    let _ = child.kill();
    let _ = child.wait();
    let left: Vec<String> = jobs()
        .unwrap_or_default()
        .into_iter()
        .filter(|job| job.comment == comment)
        .map(|job| job.id.to_string())
        .collect();
    let _ = cancel(&left, false);
}
