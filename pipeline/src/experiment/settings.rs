//! `host` and `[protocol.settings]`: what of the host is set for measuring, beyond what every measurement is given. It
//! must not know how settings are made, or whether a host can have them.

use host_setup::facts::{AskedSettings, Transparent};

use super::document::{Findings, Node, Section, whole};
use super::header::choice;

/// Values of `host`; the first is meant where there is none.
pub const HOST: [&str; 3] = ["prepare", "leave", "prepare-virtual"];
/// Keys of `[protocol.settings]`.
pub const SETTINGS_KEYS: [&str; 4] = ["frequency_mhz", "smt", "transparent_hugepages", "hugepages_1g"];
/// Keys of `frequency_mhz`.
pub const FREQUENCY_KEYS: [&str; 2] = ["min", "max"];
/// Values of `smt`.
pub const SMT: [&str; 2] = ["on", "off"];
/// Highest frequency, MHz.
pub const FREQUENCY_MHZ_MAX: u64 = 20_000;
/// Most hugepages of 1 GiB of a NUMA node.
pub const HUGEPAGES_1G_MAX: u64 = 1_024;

/// Whether settings stay as they are, and what is asked for by name.
pub fn read(section: Section<'_, '_>, findings: &mut Findings<'_>) -> Option<(bool, AskedSettings)> {
    let node = section.get("host");
    let host = node.map_or(Some(HOST[0]), |node| choice(node, "host", &HOST, findings));
    let settings = section.get("settings");
    let asked = settings.map_or(Some(AskedSettings::default()), |node| named(node, findings));
    let (host, asked) = (host?, asked?);
    if let (Some(node), true) = (settings, host == HOST[1]) {
        let help = Some("leave out one of the two".into());
        findings.error(node.span(), "settings are asked for, and host = \"leave\" leaves them as they are", help);
        return None;
    }
    Some((host == HOST[1], AskedSettings { virtual_too: host == HOST[2], ..asked }))
}

fn named(node: &Node<'_>, findings: &mut Findings<'_>) -> Option<AskedSettings> {
    let section = Section::of("settings", node, findings)?;
    section.only(&SETTINGS_KEYS, findings);
    let frequency = section.get("frequency_mhz").map(|node| frequency(node, findings));
    let smt = section.get("smt").map(|node| choice(node, "smt", &SMT, findings));
    let words = Transparent::ALL.map(Transparent::name);
    let transparent =
        section.get("transparent_hugepages").map(|node| choice(node, "transparent_hugepages", &words, findings));
    let large = section.get("hugepages_1g").map(|node| whole(node, "hugepages_1g", 1, HUGEPAGES_1G_MAX, findings));
    let transparent = match transparent {
        Some(word) => Transparent::ALL.into_iter().find(|choice| Some(choice.name()) == word).map(Some)?,
        None => None,
    };
    Some(AskedSettings {
        virtual_too: false,
        frequency_khz: frequency.map_or(Some(None), |frequency| frequency.map(Some))?,
        smt: smt.map_or(Some(None), |word| word.map(|word| Some(word == SMT[0])))?,
        transparent_hugepages: transparent,
        hugepages_1g: large.map_or(Some(None), |large| large.map(Some))?,
    })
}

/// Bounds, kHz.
fn frequency(node: &Node<'_>, findings: &mut Findings<'_>) -> Option<(u64, u64)> {
    let section = Section::of("frequency_mhz", node, findings)?;
    section.only(&FREQUENCY_KEYS, findings);
    let example = "frequency_mhz = { min = 2000, max = 2000 }";
    let mut bound = |key: &'static str| {
        let node = section.require(key, example, findings)?;
        whole(node, key, 1, FREQUENCY_MHZ_MAX, findings)
    };
    let (min, max) = (bound("min"), bound("max"));
    let (min, max) = (min?, max?);
    if min > max {
        findings.error(node.span(), format!("frequency_mhz has min = {min} above max = {max}"), None);
        return None;
    }
    Some((min * 1_000, max * 1_000))
}
