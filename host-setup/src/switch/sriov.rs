//! Virtual functions of a network card, between which the card switches. A function's interface is moved into its
//! container and taken back; one that an application gets whole is a device of its container's, and not our affair. It
//! must not know how functions are made.

use std::fs::File;
use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};
use nix::unistd::Pid;

use super::linux_bridge::SYSCTLS;
use super::{Cores, Descriptor, Drawn, Driver, Ends, Entry, Forwards, MemoryUse, Ports, Queues, Shape, Site, Switch};
use crate::failure::During;
use crate::functions::{self, Function};
use crate::lease::interface::{Change, Links as _};
use crate::links::{self, HostLinks};
use crate::protocol::{Failure, FailureKind, PortCounters};
use crate::scene::Uplink;
use crate::scene::checked::{CheckedContainer, CheckedLink};

/// The line in the table.
pub(super) static ENTRY: Entry =
    Entry { descriptor, driver: Some(Driver { render, programs: None, beside: None, start, sysctls: &SYSCTLS }) };

fn descriptor() -> Descriptor {
    Descriptor {
        name: "sriov".into(),
        io: ["dpdk", "udp", "udp-mmsg", "raw", "raw-mmsg"].map(str::to_owned).into(),
        ends: Ends::Functions,
        forwards: Forwards::Learning,
        uplink: true,
        ports: Ports { most: 64, even: true, why: "it is built with 1 to 32 pairs of them".into() },
        cores: Cores::None { why: "the card forwards by itself".into() },
        queues: Queues::Many,
        memory: MemoryUse::None { why: "the card has its own".into() },
        drawn: Drawn::Card,
        programs: false,
        packages: Vec::new(),
        needs_root: Some("it makes virtual functions".into()),
        renews: false,
        configuration: None,
    }
}

fn render(shape: &Shape) -> String {
    let wire = if shape.uplink.is_some() { "the card's own port up\n" } else { "" };
    format!("virtual functions of one card: {}\naddresses set by the host\nspoof checking off\n{wire}", shape.ports)
}

fn start(site: &Site) -> Result<Box<dyn Switch>, Failure> {
    // The card's own interface was moved in with the cable. Its functions reach the wire while it is up.
    if let Some(Uplink { device, .. }) = &site.scene.switch.uplink {
        let up = HostLinks.change(device, &Change::Up(true));
        up.scene(|| format!("bring {device} up, whose virtual functions are wanted"))?;
    }
    Ok(Box::new(Card { functions: site.functions.to_vec(), lent: Vec::new() }))
}

/// An interface that is in a container.
struct Lent {
    container: String,
    /// The interface's name there.
    name: String,
    /// The interface's name here.
    called: String,
    namespace: File,
}

struct Card {
    functions: Vec<Function>,
    lent: Vec<Lent>,
}

impl Card {
    /// The first interface that has no carrier yet.
    fn not_ready(&self) -> Result<Option<&Lent>, Failure> {
        for lent in &self.lent {
            let up = links::has_carrier(&lent.namespace, &lent.name);
            if !up.scene(|| format!("look at {} of container {}", lent.name, lent.container))? {
                return Ok(Some(lent));
            }
        }
        Ok(None)
    }
}

impl Switch for Card {
    fn attach(&mut self, container: &CheckedContainer, process: Pid) -> Result<(), Failure> {
        let CheckedLink::Function { mac, interface } = &container.link else {
            let message = format!("attach container {}: its link is no virtual function", container.name);
            return Err(Failure::new(FailureKind::Request, message));
        };
        let function = functions::find(&self.functions, *mac)?;
        let Some(inside) = interface else { return Ok(()) };
        let doing = || format!("attach container {} to virtual function {}", container.name, function.address);
        let all = HostLinks.all().scene(doing)?;
        let Some(here) = all.into_iter().find(|link| link.mac == mac.to_string()) else {
            let message = format!("{}: the kernel made no interface of it", doing());
            let advice = "load the kernel's driver of its functions, as igbvf or iavf";
            return Err(Failure::new(FailureKind::Host, message).advise(advice));
        };
        let namespace = File::open(format!("/proc/{process}/ns/net")).scene(doing)?;
        links::lend(&here.name, &namespace, &inside.name).scene(doing)?;
        self.lent.push(Lent {
            container: container.name.clone(),
            name: inside.name.clone(),
            called: here.name,
            namespace,
        });
        Ok(())
    }

    fn ready(&mut self, deadline: Instant) -> Result<(), Failure> {
        loop {
            let Some(missing) = self.not_ready()? else { return Ok(()) };
            if Instant::now() >= deadline {
                let message = format!("wait for the link of {}, in container {}", missing.called, missing.container);
                return Err(Failure::new(FailureKind::Scene, message).advise("is the card itself up, and cabled?"));
            }
            let pause = PollTimeout::try_from(Duration::from_millis(5)).unwrap_or(PollTimeout::ZERO);
            poll(&mut [], pause).scene(|| "wait for a link".into())?;
        }
    }

    fn counters(&mut self) -> Result<Vec<PortCounters>, Failure> {
        // A card counts per function in ways that differ from driver to driver, and over DPDK not at all.
        Ok(Vec::new())
    }

    fn stop(&mut self) -> Result<(), Failure> {
        let mut result = Ok(());
        for lent in self.lent.drain(..) {
            // With the container's namespace it would fall back into the host's, where nobody waits for it.
            let back = links::take_back(&lent.namespace, &lent.name, &lent.called);
            result = result.and(back.scene(|| format!("take {} back from container {}", lent.called, lent.container)));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_is_pinned() {
        let text = render(&Shape { ports: 2, cores: 0, queues: 1, memory: None, uplink: None });
        assert_eq!(text, "virtual functions of one card: 2\naddresses set by the host\nspoof checking off\n");
    }
}
