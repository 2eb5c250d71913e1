//! A stand: what one measurement needs for itself, which is a host or two that a cable joins, each with its agent. It
//! must not know what is measured on it, or that there are other stands.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use host_setup::facts::Facts;
use host_setup::switch::uplink::By;

use crate::agent::{Agent, AgentError, AppEvent, Bell};
use crate::conditions::Conditions;

/// What is known of a stand before anything is measured on it.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The stand's hosts: one, or the sending and the receiving one.
    pub hosts: Vec<Site>,
    /// What joins two of them.
    pub cable: Option<Cable>,
}

/// A host of a stand.
#[derive(Clone, Debug)]
pub struct Site {
    /// What people call it.
    pub name: String,
    /// What it is.
    pub facts: Facts,
}

/// What joins the two hosts of a stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cable {
    /// The cable's ends, in the order of the hosts.
    pub ends: [CableEnd; 2],
}

/// The end of a cable at a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CableEnd {
    /// The network interface, or the PCI address of the device.
    pub device: String,
    /// By what a switch of DPDK's gets at it.
    pub dpdk: By,
}

impl Cable {
    /// What the kernel calls the interfaces at the ends, on hosts with these facts.
    pub fn interfaces<'f>(&self, hosts: impl Iterator<Item = &'f Facts>) -> Vec<String> {
        let called = |(end, facts): (&CableEnd, &Facts)| {
            let nic = facts.nics.iter().find(|nic| nic.address == end.device);
            nic.map_or_else(|| end.device.clone(), |nic| nic.name.clone())
        };
        self.ends.iter().zip(hosts).map(called).collect()
    }
}

/// A stand of one host.
impl From<Facts> for Ground {
    fn from(facts: Facts) -> Ground {
        Ground { hosts: vec![Site { name: "this host".to_string(), facts }], cable: None }
    }
}

/// A stand that a run measures on.
#[derive(Debug)]
pub struct Stand<'a> {
    /// What people call it.
    pub name: String,
    /// The stand's hosts, in the order of the conditions.
    pub hosts: Vec<Post<'a>>,
    /// What measurements on it stand on.
    pub conditions: &'a Conditions<'a>,
    /// Whether this program runs on one of its hosts: what it writes would disturb a window.
    pub shares_host: bool,
    /// What of its manifests may differ from those of the first stand, as `SECTION FIELD`.
    pub may_differ: BTreeSet<String>,
}

/// A host of a stand, with its agent.
#[derive(Debug)]
pub struct Post<'a> {
    /// What people call it.
    pub name: String,
    /// The host's agent.
    pub agent: &'a mut Agent,
}

/// What hosts are called in words, where there are several.
fn named(posts: &[Post], place: usize) -> Option<String> {
    (posts.len() > 1).then(|| posts[place].name.clone())
}

/// An error of a host, which it names where the stand has others.
pub fn error_of(posts: &[Post], place: usize, error: AgentError) -> AgentError {
    match named(posts, place) {
        Some(name) => error.on(name),
        None => error,
    }
}

/// Does the same on all hosts at once; what comes of it in their order, or the first error with its place.
///
/// # Errors
/// That of the first host that has one.
pub fn on_each<T: Send>(
    posts: &mut [Post],
    act: impl Fn(usize, &mut Agent) -> Result<T, AgentError> + Sync,
) -> Result<Vec<T>, (usize, AgentError)> {
    if let [only] = posts {
        return Ok(vec![act(0, only.agent).map_err(|error| (0, error))?]);
    }
    let results: Vec<Result<T, AgentError>> = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (place, post) in posts.iter_mut().enumerate() {
            let (act, agent): (_, &mut Agent) = (&act, post.agent);
            threads.push(std::thread::Builder::new().spawn_scoped(scope, move || act(place, agent)));
        }
        let ended = |thread: std::io::Result<std::thread::ScopedJoinHandle<'_, Result<T, AgentError>>>| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|_| Err(AgentError::Nonsense("a thread ended".to_string()))),
            Err(error) => Err(AgentError::Nonsense(format!("no thread to speak to it: {error}"))),
        };
        threads.into_iter().map(ended).collect()
    });
    results.into_iter().enumerate().map(|(place, result)| result.map_err(|error| (place, error))).collect()
}

/// The next event of an application on any of the hosts, with the host's place; none when the time is over.
///
/// # Errors
/// When an agent cannot go on, with its place.
pub fn next_event(
    posts: &mut [Post],
    bell: &Bell,
    until: Instant,
) -> Result<Option<(usize, AppEvent)>, (usize, AgentError)> {
    if let [only] = posts {
        let event = only.agent.event(until).map_err(|error| (0, error))?;
        return Ok(event.map(|event| (0, event)));
    }
    loop {
        let rung = bell.rung();
        for (place, post) in posts.iter_mut().enumerate() {
            if let Some(event) = post.agent.event(Instant::now()).map_err(|error| (place, error))? {
                return Ok(Some((place, event)));
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            return Ok(None);
        }
        let waited = bell.wait(rung, left);
        for (place, post) in posts.iter_mut().enumerate() {
            post.agent.heard_nothing_for(waited).map_err(|error| (place, error))?;
        }
    }
}
