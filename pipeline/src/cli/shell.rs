//! `septet shell` and `septet pcap`: one test, up and not measured, for whoever wants to see what happens in there. What
//! comes of it is no result and is stored nowhere.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use host_setup::protocol::Op;
use signal_hook::consts::SIGINT;
use signal_hook::flag;

use super::stacks::{self, Where};
use super::{Target, experiment, remark, say};
use crate::agent::{Agent, AgentError};
use crate::beneath::Folder;
use crate::conditions::{Conditions, KnownSurroundings, Prospect};
use crate::exit::{Exit, Trouble};
use crate::experiment::Test;
use crate::measure::{self, Failed, Stood};
use crate::preparation;
use crate::ready::Side;
use crate::signals::Signals;
use crate::stand::Post;
use crate::traffic;
use crate::workspace::Workspace;

/// What a shell says that did not find the program.
const NOT_FOUND: i32 = 127;

#[derive(Debug, Args)]
pub(super) struct ShellArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    on: Where,
    /// Name of the test, or a selection that takes one: `V=ovs,P=64`.
    test: String,
    /// The container to be in: send-0, receive-0, client-0, server-0 [default: beside the switch, with the host's
    /// programs].
    #[arg(long = "in", value_name = "NAME")]
    container: Option<String>,
    /// How long to wait for a run that is using the host.
    #[arg(long, value_name = "TIME", default_value = "1day", value_parser = humantime::parse_duration)]
    wait: Duration,
    /// Run this instead of a shell.
    #[arg(last = true)]
    command: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct PcapArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    on: Where,
    /// Name of the test, or a selection that takes one: `V=linux-bridge,P=64`.
    test: String,
    /// How many packets to capture at each end.
    #[arg(short = 'n', long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    packets: u32,
    /// Folder for a file of each container, NAME.pcap; made if it is missing.
    #[arg(short, long, value_name = "DIR", default_value = "pcap")]
    output: PathBuf,
    /// How long to wait for a run that is using the host.
    #[arg(long, value_name = "TIME", default_value = "1day", value_parser = humantime::parse_duration)]
    wait: Duration,
}

/// A shell in a test that stands.
pub(super) fn shell(args: &ShellArgs) -> Result<Exit, Trouble> {
    // Ctrl-C is for what runs in the shell. Every other signal ends this program, and with it all that it had built.
    flag::register(SIGINT, Arc::new(AtomicBool::new(false)))
        .map_err(|error| Trouble::host(format!("failed to take signals: {error}")))?;
    let mut exit = Exit::Well;
    with_test(&args.target, &args.on, &args.test, args.wait, &mut |host, test, side| {
        let mut missing = None;
        let stood = measure::stand(host, test, side, None, &|| false, &mut |agent| {
            let processes = agent.processes()?;
            let inside = match &args.container {
                None => None,
                Some(name) => match processes.iter().find(|(process, _)| process == name) {
                    Some((name, pid)) => Some((name.as_str(), *pid)),
                    None => {
                        missing = Some(processes.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(", "));
                        return Ok(());
                    }
                },
            };
            if args.command.is_empty() {
                remark(&format!("{} stands: {}; it is taken down when the shell ends", test.tuple, names(&processes)));
            }
            let status = agent.run_inside(inside, &args.command)?;
            if inside.is_some() && status.code() == Some(NOT_FOUND) {
                remark(
                    "septet: a container has no programs but BusyBox's, `busybox NAME`; without --in there are the host's",
                );
            }
            if !args.command.is_empty() && !status.success() {
                exit = Exit::TestsFailed;
            }
            Ok(())
        })?;
        match missing {
            Some(known) => {
                let name = args.container.as_deref().unwrap_or_default();
                Err(Trouble::input(format!("there is no container {name} in {}; there are {known}", test.tuple)))
            }
            None => Ok(stood),
        }
    })?;
    Ok(exit)
}

/// The first packets of a test, as files.
pub(super) fn pcap(args: &PcapArgs) -> Result<Exit, Trouble> {
    let signals = Signals::take().map_err(|error| Trouble::host(format!("failed to take signals: {error}")))?;
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    with_test(&args.target, &args.on, &args.test, args.wait, &mut |host, test, side| {
        // Generators end with their traffic, so that nobody lists them then.
        let parties = traffic::parties(&test.tuple, &test.times, &[side.seating()]);
        let ends: Vec<String> = parties.into_iter().map(|party| party.container).collect();
        let asked = || signals.asked();
        Ok(measure::stand(host, test, side, Some(args.packets), &asked, &mut |agent| {
            for name in &ends {
                files.push((format!("{name}.pcap"), agent.captured(name)?));
            }
            Ok(())
        })?)
    })?;
    let folder = Folder::make(&args.output)?;
    for (name, bytes) in &files {
        folder.replace_if_different(&folder.name([name])?, bytes)?;
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    say(&format!("wrote {} into {}", names.join(", "), args.output.display()))
}

/// A shell beside the switch of a test that failed: for `run --keep-on-failure`.
pub(super) fn look_around(agent: &mut Agent, test: &Test, reason: &str, last_lines: &[String]) {
    remark(&format!("FAILED {}: failed to {reason}", test.tuple));
    last_lines.iter().for_each(|line| remark(&format!("  | {line}")));
    let processes = match agent.processes() {
        Ok(processes) => processes,
        Err(error) => return remark(&format!("septet: {error}; it does not stand any more")),
    };
    remark(&format!("it stands: {}; it is taken down when the shell ends", names(&processes)));
    if let Err(error) = agent.run_inside(None, &[]) {
        remark(&format!("septet: {error}"));
    }
}

/// Processes, for people: those whose numbers tools need that enter namespaces.
fn names(processes: &[(String, u32)]) -> String {
    match processes {
        [] => "no container lives".to_string(),
        processes => {
            let each: Vec<String> = processes.iter().map(|(name, pid)| format!("{name} is process {pid}")).collect();
            each.join(", ")
        }
    }
}

/// Leases the host for one test, and gives it back.
fn with_test(
    target: &Target,
    on: &Where,
    text: &str,
    wait: Duration,
    act: &mut dyn FnMut(&mut Post, &Test, &Side) -> Result<Stood, Trouble>,
) -> Result<(), Trouble> {
    let workspace = Workspace::load(&target.file, target.store.store.as_deref())?;
    let test = experiment::one_test(&workspace, text)?;
    let mut agents = stacks::agents(&workspace, on, std::iter::empty())?;
    let ground = agents.ground(&workspace, on.refresh)?;
    let conditions = Conditions::new(&ground);
    let ready = match conditions.judge(test, &mut KnownSurroundings::default()) {
        Prospect::Ready(ready) => ready,
        Prospect::Skipped(reason) => {
            agents.bye()?;
            return Err(Trouble::host(format!("failed to bring {} up: {reason}", test.tuple)));
        }
    };
    let [side] = &*ready.sides else {
        agents.bye()?;
        return Err(Trouble::input(format!("{} is of two hosts; only a test of one can be brought up so", test.tuple)));
    };
    let setup = preparation::setup(&conditions, 0, std::iter::once(test));
    let mut stand = agents.stand(&conditions);
    let host = &mut stand.hosts[0];
    host.agent.lease(wait, setup, &mut |holder| {
        if !holder.is_empty() {
            remark(&format!("waiting for the host: {holder}"));
        }
        !crate::signals::asked()
    })?;
    let stood = act(host, test, side);
    host.agent.done("give the host back", Op::Release)?;
    drop(stand);
    agents.bye()?;
    match stood? {
        Stood::Well => Ok(()),
        Stood::Interrupted => Err(Trouble::from(AgentError::Interrupted)),
        Stood::Failed(Failed { reason, last_lines, .. }) => {
            let lines: String = last_lines.iter().map(|line| format!("\n  | {line}")).collect();
            Err(Trouble { exit: Exit::TestsFailed, ..Trouble::host(format!("failed to {reason}{lines}")) })
        }
    }
}
