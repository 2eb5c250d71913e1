//! A test that is brought up and not measured, for whoever wants to see what happens in there. It must not know what is
//! looked at.

use std::time::{Duration, Instant};

use host_setup::protocol::Op;
use wire::Command;

use super::{Failed, REPORT_MAX, Session, Stop, is_done, ms};
use crate::agent::{Agent, AgentError};
use crate::experiment::Test;
use crate::ready::Side;
use crate::stand::Post;
use crate::store::{Cost, Evidence};
use crate::traffic::{self, Party};

/// How a test went that was brought up and not measured.
#[derive(Debug)]
pub enum Stood {
    /// Everything went as asked.
    Well,
    /// The scene could not be built, or its traffic failed.
    Failed(Failed),
    /// The user wanted to stop.
    Interrupted,
}

/// Brings a test of one host up, without measuring anything: `act` is called when its applications are ready and wait to
/// be started, or, with `packets`, when all of its traffic is over, of which so many packets were captured at each end.
///
/// # Errors
/// When the agent cannot go on, or `act` fails.
pub fn stand(
    host: &mut Post,
    test: &Test,
    side: &Side,
    packets: Option<u32>,
    interrupted: &dyn Fn() -> bool,
    act: &mut dyn FnMut(&mut Agent) -> Result<(), AgentError>,
) -> Result<Stood, AgentError> {
    let parties = traffic::parties(&test.tuple, &test.times, &[side.seating()]);
    let scene = traffic::scene(&test.tuple, 0, side, &parties);
    let bell = host.agent.bell().clone();
    let (mut log, started, cost) = (String::new(), Instant::now(), Cost::default());
    let hosts = std::slice::from_mut(host);
    let mut session = Session { hosts, bell, log: &mut log, interrupted, started, cost };
    let mut evidence = Evidence::default();
    let result = session
        .build(&[scene])
        .and_then(|()| session.up(&parties, &mut evidence))
        .and_then(|()| packets.map_or(Ok(()), |packets| session.rehearse(&parties, packets, &mut evidence)))
        .and_then(|()| Ok(act(session.hosts[0].agent)?));
    if !matches!(result, Err(Stop::Agent(_))) {
        session.hosts[0].agent.teardown()?;
    }
    session.cost.total_ms = ms(session.started.elapsed());
    match result {
        Ok(()) => Ok(Stood::Well),
        Err(Stop::Failed { reason, last_lines }) => {
            Ok(Stood::Failed(Failed { reason, last_lines, cost: session.cost }))
        }
        Err(Stop::Interrupted) => Ok(Stood::Interrupted),
        Err(Stop::Agent(error)) => Err(error),
    }
}

impl Session<'_, '_> {
    /// All of a test's traffic, with the first packets of each end captured, and nothing measured.
    fn rehearse(&mut self, parties: &[Party], packets: u32, evidence: &mut Evidence) -> Result<(), Stop> {
        self.each(|_, agent| agent.done("capture packets", Op::Capture { packets }))?;
        let (starts, _) = self.starts(parties.len() as u64)?;
        for party in parties {
            self.tell(party.side, &party.container, &Command::Start { epoch_mono_ns: starts[party.side] })?;
        }
        let patience = Duration::from_nanos(parties.first().map_or(0, |party| party.request.schedule.traffic_ns()));
        let initiators = parties.iter().filter(|party| party.initiates());
        let initiators = initiators.map(|party| party.container.as_str()).collect();
        let patience = patience + REPORT_MAX;
        self.wait_for(&initiators, parties, patience, "report after the schedule's end", evidence, is_done)?;
        let responders: Vec<&Party> = parties.iter().filter(|party| !party.initiates()).collect();
        for party in &responders {
            self.tell(party.side, &party.container, &Command::Stop)?;
        }
        let responders = responders.iter().map(|party| party.container.as_str()).collect();
        self.wait_for(&responders, parties, REPORT_MAX, "report after the drain", evidence, is_done)
    }
}
