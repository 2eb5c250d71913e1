//! Commands about this host.

use super::{say, say_json};
use crate::exit::{Exit, Trouble};

/// `septet host facts`.
pub(super) fn facts(json: bool, refresh: bool) -> Result<Exit, Trouble> {
    let facts = super::experiment::facts(refresh)?;
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
            host_setup::facts::Privilege::Root => "root",
            host_setup::facts::Privilege::UserNamespace => "root of its own user namespace",
            host_setup::facts::Privilege::None => "an ordinary user without user namespaces",
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
        let version = component.version.as_deref().unwrap_or("");
        line("component", &format!("{:<14} {:.12} {version}", component.name, component.digest));
    }
    say(&out)
}
