//! Commands about this host.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Subcommand;
use host_setup::check::{Finding, Harm, Remedy, check, missing_right};
use host_setup::facts::{Component, Facts, Privilege};
use host_setup::protocol::{Names, Op, Setup};
use host_setup::settings::planned;
use serde::Serialize;

use super::{remark, say, say_json};
use crate::agent::{self, AgentError};
use crate::exit::{Exit, Trouble};
use crate::signals::Signals;

/// What is asked of a host.
#[derive(Debug, Subcommand)]
pub(super) enum HostCommand {
    /// Print what this host is, as keys and records see it.
    Facts {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Fingerprint components again.
        #[arg(long)]
        refresh: bool,
    },
    /// Say what keeps the hosts of the site, or this one, from paper-grade numbers, and what each stand can measure;
    /// exit 3 if a host cannot give them.
    Check {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give this host the settings of a run, hold it until Ctrl-C, and give it back.
    Apply {
        /// Only say what would be set.
        #[arg(short = 'n', long)]
        dry_run: bool,
        /// Give it back after this time: `2h`, `30min`.
        #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
        time_limit: Option<Duration>,
        /// Also provide this many free 2 MiB hugepages on NUMA node 0.
        #[arg(long, value_name = "PAGES")]
        hugepages: Option<u64>,
        /// Print JSON: what was set, once it is; `-n` always is.
        #[arg(long)]
        json: bool,
    },
    /// Give back settings that a killed run could not.
    Restore,
}

/// Does what is asked.
pub(super) fn run(command: &HostCommand) -> Result<Exit, Trouble> {
    match command {
        HostCommand::Facts { json, refresh } => facts(*json, *refresh),
        HostCommand::Check { json } => checked(*json),
        HostCommand::Apply { dry_run, time_limit, hugepages, json } => apply(*dry_run, *time_limit, *hugepages, *json),
        HostCommand::Restore => restore(),
    }
}

/// `septet host facts`.
fn facts(json: bool, refresh: bool) -> Result<Exit, Trouble> {
    let facts = super::stacks::of_host(Path::new("."), refresh)?;
    if json {
        return say_json(&facts);
    }
    let mut out = String::new();
    let mut line = |label: &str, value: &str| out.push_str(&format!("{label:<16} {value}\n"));
    line("host", &facts.aside.hostname);
    line("system", &facts.aside.os);
    line("kernel", &format!("{} {}", facts.kernel.release, facts.kernel.version));
    line("processor", &format!("{}, {} usable", facts.cpu.model, facts.topology.len()));
    line("microcode", facts.cpu.microcode.as_deref().unwrap_or("not shown"));
    line("virtualisation", facts.virtualisation.as_deref().unwrap_or("none"));
    line("memory", &format!("{:.1} GiB", facts.memory.total_bytes as f64 / f64::from(1u32 << 30)));
    line("governor", facts.tuning.governor.as_deref().unwrap_or("no frequency control here"));
    line(
        "agent is",
        match facts.privilege {
            Privilege::Root => "root",
            Privilege::UserNamespace => "root of its own user namespace",
            Privilege::None => "an ordinary user without user namespaces",
        },
    );
    for (kind, offers) in
        [("runtime", &facts.runtimes), ("switch", &facts.switches), ("application", &facts.applications)]
    {
        for offer in offers {
            let state = offer.missing.as_deref().unwrap_or("available");
            line(kind, &format!("{:<14} {state}", offer.name));
        }
    }
    if !facts.components.iter().any(|component| component.name == "busybox") {
        line("containers", "hold the generator only: there is no static BusyBox (package busybox-static)");
    }
    for component in &facts.components {
        line("component", &shown(component));
    }
    for (name, stack) in &facts.stacks {
        line("stack", &format!("{name:<14} {}", stack.missing.as_deref().unwrap_or("has")));
        for offer in stack.switches.iter().filter(|offer| offer.missing.is_some()) {
            line("", &format!("{:<14} {}", offer.name, offer.missing.as_deref().unwrap_or_default()));
        }
        for component in &stack.components {
            line("", &shown(component));
        }
    }
    say(&out)
}

fn shown(component: &Component) -> String {
    let Component { name, digest, version, id, .. } = component;
    let parts = [version, id].map(|part| part.as_deref().unwrap_or_default());
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{name:<14} {digest:.12} {}", parts.join(", ")).trim_end().to_string()
}

/// `septet host check --json`.
#[derive(Serialize)]
struct CheckJson<'a> {
    paper_grade: bool,
    missing_right: Option<String>,
    findings: &'a [Finding],
}

/// `septet host check`.
fn checked(json: bool) -> Result<Exit, Trouble> {
    if let Some(exit) = super::site::check_hosts(json)? {
        return Ok(exit);
    }
    let facts = super::stacks::of_host(Path::new("."), false)?;
    let findings = check(&facts);
    let paper_grade = !findings.iter().any(Finding::forbids_paper_grade);
    if json {
        say_json(&CheckJson { paper_grade, missing_right: missing_right(&facts), findings: &findings })?;
    } else {
        say(&check_text(&facts, &findings, paper_grade))?;
    }
    Ok(if paper_grade { Exit::Well } else { Exit::Host })
}

pub(super) fn check_text(facts: &Facts, findings: &[Finding], paper_grade: bool) -> String {
    let mut out = match paper_grade {
        true => "This host can give paper-grade results.\n".to_string(),
        false => "This host gives indicative results, not paper-grade ones.\n".to_string(),
    };
    if let Some(right) = missing_right(facts) {
        out.push_str(&format!("Nothing is set here: {right}.\n"));
    }
    let kinds = [
        (Harm::Grade, "makes results indicative"),
        (Harm::Spread, "makes results spread"),
        (Harm::Tests, "makes tests be skipped"),
        (Harm::Note, "worth knowing"),
    ];
    for (harm, heading) in kinds {
        let here = findings.iter().filter(|finding| finding.harm == harm);
        for (place, finding) in here.enumerate() {
            if place == 0 {
                out.push_str(&format!("\n{heading}:\n"));
            }
            let remedy = match &finding.remedy {
                Remedy::Septet => "septet sees to it while it measures".to_string(),
                Remedy::Administrator(line) => format!("an administrator: {line}"),
                Remedy::Elsewhere(words) => words.clone(),
            };
            out.push_str(&format!(
                "  {}: {}\n    effect: {}\n    remedy: {remedy}\n",
                finding.name, finding.is, finding.does
            ));
        }
    }
    out
}

/// `septet host apply`.
fn apply(dry_run: bool, time_limit: Option<Duration>, hugepages: Option<u64>, json: bool) -> Result<Exit, Trouble> {
    let signals = Signals::take().map_err(|error| Trouble::host(format!("failed to take signals: {error}")))?;
    let mut agent = super::stacks::start(Names::default())?;
    let facts = agent.facts(false)?;
    if facts.privilege != Privilege::Root
        && let Some(right) = missing_right(&facts)
    {
        agent.bye()?;
        return Err(Trouble::host(format!("failed to apply settings: {right}")));
    }
    let mut setup = planned::planned(&facts, &planned::sparable(&facts));
    setup.hugepages_2m.extend(hugepages.map(|pages| (0, pages)));
    if dry_run {
        agent.bye()?;
        return say_json(&setup);
    }
    if setup == Setup::default() {
        agent.bye()?;
        return Err(Trouble::host(
            "failed to apply settings: this host has none that Septet would set; see septet host check",
        ));
    }
    let achieved = match agent.lease(Duration::ZERO, setup, &mut |_| !signals.asked()) {
        Err(AgentError::Interrupted) => return Ok(Exit::Interrupted),
        other => other?,
    };
    match json {
        true => drop(say_json(&achieved)?),
        false => achieved.changed.iter().chain(&achieved.limits).try_for_each(|words| say(words).map(drop))?,
    }
    remark("the host is held; Ctrl-C gives it back");
    let began = Instant::now();
    const LOOK: Duration = Duration::from_millis(200);
    while !signals.asked() && time_limit.is_none_or(|limit| began.elapsed() < limit) {
        // Nothing runs, so nothing is heard but that the agent lives.
        agent.event(Instant::now() + LOOK)?;
    }
    agent.done("give the host back", Op::Release)?;
    agent.bye()?;
    remark("the host has been given back");
    Ok(Exit::Well)
}

/// `septet host restore`.
fn restore() -> Result<Exit, Trouble> {
    let status = agent::restore(&agent::program())?;
    Ok(if status.success() { Exit::Well } else { Exit::Host })
}
