//! What is written into a manifest, section by section: of a test, of a host, of what joins two. Pure. It must not
//! decide what a test runs through.

use host_setup::cores::CorePlan;
use host_setup::eal::{GENERATOR_MIB, Memory};
use host_setup::facts::{Facts, Nic};
use host_setup::settings::planned;
use results::axes::{FrameSize, Io, io_name};
use results::statistics::precise;
use results::tuple::Tuple;
use wire::{Port, Wait};

use crate::eal;
use crate::experiment::{Test, Times};
use crate::manifest::{FieldRef, Section};
use crate::ready::Side;
use crate::sections::SectionName;
use crate::stand::CableEnd;
use crate::traffic;

/// The tuple and the variants that are not the default. The names of a stack and of a switch of the site are left
/// out: what they stand for is in the components' digests.
pub(crate) fn test_section(tuple: &Tuple) -> Section {
    let mut section = Section::new();
    test_fields(tuple, |name, value| section = std::mem::take(&mut section).with(name, value));
    section
}

/// The encoding of [`test_section`], appended: a hundred thousand tests have a key without a section.
pub(super) fn encode_test(tuple: &Tuple, out: &mut Vec<u8>) {
    test_fields(tuple, |name, value| value.encode(name, out));
}

/// Its fields, in order of name.
fn test_fields(tuple: &Tuple, mut field: impl FnMut(&str, FieldRef)) {
    let default = results::tuple::Variant::default_for(tuple.vswitch);
    let variant = &tuple.variant;
    let changed = |is: u16, default: u16| (is != default).then_some(FieldRef::Number(u64::from(is)));
    field("B", FieldRef::Number(u64::from(tuple.burst.get())));
    field("D", FieldRef::Text(tuple.dimension.name()));
    field("L", FieldRef::Text(tuple.locality.name()));
    field("P", FieldRef::Number(u64::from(tuple.packet.get())));
    field("R", FieldRef::Text(&tuple.rate.to_string()));
    field("S", FieldRef::Number(u64::from(tuple.pairs.get())));
    let named = (!tuple.vswitch.is_custom()).then(|| FieldRef::Text(tuple.vswitch.name()));
    let frame = (variant.frame != FrameSize::NoFcs).then(|| FieldRef::Text(variant.frame.name()));
    let optional = [
        ("V", named),
        ("flows", changed(variant.flows, default.flows)),
        ("frame", frame),
        ("io", Some(FieldRef::Text(io_name(variant.io)))),
        ("queues", changed(variant.queues, default.queues)),
        ("switch_cores", changed(variant.switch_cores, default.switch_cores)),
        ("touch", variant.touch.then_some(FieldRef::Flag(true))),
    ];
    optional.into_iter().filter_map(|(name, value)| Some((name, value?))).for_each(|(name, value)| field(name, value));
}

/// What DPDK's memory is made of, and how much of it each program has.
pub(super) fn memory_section(memory: Option<Memory>, switch_mib: u32) -> Section {
    let Some(memory) = memory else { return Section::new().with("mode", "none") };
    Section::new()
        .with("mode", memory.name())
        .with("generator_mib", u64::from(GENERATOR_MIB))
        .with_some("switch_mib", Some(u64::from(switch_mib)).filter(|mib| *mib > 0))
}

/// The protocol's times, or the rule by which the window's is chosen.
pub(crate) fn protocol_section(times: &Times) -> Section {
    // Of a window that is chosen the rule is what matters: what it chose is in the results.
    let rule = times.chosen.then_some(precise::RULE_VERSION);
    Section::new()
        .with_some("duration_ns", (!times.chosen).then_some(times.duration_ns))
        .with_some("window_rule", rule)
        .with("warmup_ns", times.warmup_ns)
        .with("cooldown_ns", times.cooldown_ns)
}

/// The core plan by role: how many, and whether they are theirs alone; which numbers they have is not
/// what makes a difference.
pub(super) fn cores_section(cores: &CorePlan, facts: &Facts) -> Section {
    let quiet = planned::moves_interrupts(facts) && !cores.oversubscribed;
    let dedicated = cores.generators.iter().filter(|assignment| assignment.dedicated).count();
    let mut distinct: Vec<u32> = cores.generators.iter().flat_map(|assignment| assignment.cpus.clone()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    Section::new()
        .with("switch", cores.switch.len() as u64)
        .with("generators", cores.generators.len() as u64)
        .with("generators_dedicated", dedicated as u64)
        .with("generator_cpus", distinct.len() as u64)
        .with("oversubscribed", cores.oversubscribed)
        .with_some("interrupts_moved_away", quiet.then_some(true))
}

/// The command lines: the request of each role, with what the tuple says already left out.
pub(super) fn traffic_section(test: &Test, sides: &[Side]) -> Section {
    let mut section = Section::new();
    let seats: Vec<_> = sides.iter().map(Side::seating).collect();
    for party in traffic::parties(&test.tuple, &test.times, &seats).into_iter().take(2) {
        let mut request = party.request;
        let role = party.container.trim_end_matches("-0").to_string();
        request.frame_bytes = 0;
        request.burst = 0;
        request.rate_pps = None;
        request.flows = 0;
        request.queues = 0;
        request.touch = false;
        request.io = Io::Udp;
        if let Port::Dpdk { eal_args } = &mut request.port {
            *eal_args = eal::neutral(eal_args);
        }
        section = section.with(&format!("{role}.wait"), if request.wait == Wait::Spin { "spin" } else { "yield" });
        let json = serde_json::to_string(&request).unwrap_or_default();
        section = section.with(&format!("{role}.request"), json);
    }
    let uses_ip = matches!(test.tuple.variant.io, Io::Udp | Io::UdpMmsg);
    section.with("ip_stack", uses_ip)
}

/// The network card at an end of a cable.
pub(super) fn nic_at<'f>(facts: &'f Facts, end: &CableEnd) -> Option<&'f Nic> {
    facts.nics.iter().find(|nic| nic.name == end.device || nic.address == end.device)
}

/// What a network card is and what drives it; a virtual interface has nothing below it.
pub(super) fn nic_section(nic: Option<&Nic>) -> Section {
    let Some(nic) = nic else { return Section::new().with("kind", "virtual") };
    Section::new()
        .with("kind", "device")
        .with_some("model", nic.vendor_device.clone())
        .with_some("driver", nic.driver.clone())
        .with_some("firmware", nic.firmware.clone())
        .with_some("link_mbps", nic.speed_mbps)
}

/// What joins the two: who is at which end is the site's to say, and only how it is got at makes a difference.
pub(super) fn cable_section(sides: &[Side]) -> Section {
    let by = |place: usize| sides.get(place).and_then(|side| side.uplink.as_ref()).map(|uplink| uplink.by.name());
    Section::new().with_some("first", by(0)).with_some("second", by(1))
}

/// What a host is, in the sections that it has of its own.
pub(super) fn host_parts(facts: &Facts) -> [(SectionName, Section); 4] {
    let kernel = Section::new()
        .with("release", facts.kernel.release.clone())
        .with("version", facts.kernel.version.clone())
        .with_some("build_id", facts.kernel.build_id.clone())
        .with_some("boot_parameters", Some(facts.kernel.boot_parameters.join(" ")).filter(|text| !text.is_empty()));
    let cpu = Section::new()
        .with("model", facts.cpu.model.clone())
        .with("signature", facts.cpu.signature.clone())
        .with_some("microcode", facts.cpu.microcode.clone())
        .with("tsc_invariant", facts.cpu.tsc_invariant);
    let host = Section::new().with("class", facts.virtualisation.as_deref().unwrap_or("bare-metal"));
    // What it is when it has been given what this host can give: read back before and after each test.
    let (tuning, asked) = (planned::tuned(facts), facts.knobs.asked);
    let setup = Section::new()
        .with_some("frequency_driver", tuning.frequency_driver.clone())
        .with_some("governor", tuning.governor.clone())
        .with_some("turbo", tuning.turbo)
        .with_some("smt", tuning.smt.clone())
        .with_some("clocksource", tuning.clocksource.clone())
        .with_some("transparent_hugepages", planned::transparent_hugepages(facts))
        .with_some("idle_latency_us", planned::idle_latency_us(facts).map(u64::from))
        .with_some("left_as_it_is", facts.knobs.left.then_some(true))
        .with_some("frequency_khz_min", asked.frequency_khz.map(|(min, _)| min))
        .with_some("frequency_khz_max", asked.frequency_khz.map(|(_, max)| max))
        .with_some("hugepages_1g", asked.hugepages_1g);
    let setup = tuning.network.iter().fold(setup, |setup, (name, value)| setup.with(name, *value));
    [(SectionName::Kernel, kernel), (SectionName::Cpu, cpu), (SectionName::Host, host), (SectionName::Setup, setup)]
}
