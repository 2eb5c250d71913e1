//! What the appendix says: gathered from the experiment and its records, and put into words. It must not know how it is
//! written.

use std::collections::{BTreeMap, BTreeSet};

use host_setup::facts::Privilege;
use reports::spec::{Id, Selection};
use results::axes::{Axis, Io};
use results::tuple::Value;

use super::super::citation::License;
use super::{Block, Section};
use crate::clock;
use crate::experiment::{Experiment, Test};
use crate::key::ResultId;
use crate::planned::plural;
use crate::report;
use crate::store::Record;

/// Everything that it says.
#[derive(Clone, Debug)]
pub struct Appendix {
    name: String,
    title: String,
    file: String,
    experiment: Experiment,
    license: Option<String>,
    created: String,
    hosts: Vec<Vec<(&'static str, String)>>,
    components: BTreeSet<(String, String)>,
    least: Vec<String>,
    bytes: u64,
    results: usize,
    tests: usize,
    total_ms: u64,
    items: Vec<Item>,
}

/// A claim, figure or table.
#[derive(Clone, Debug)]
struct Item {
    kind: &'static str,
    id: String,
    what: String,
    /// What selects its tests; none for all of them.
    only: Option<String>,
    look: String,
    tests: usize,
    cost_ms: u64,
}

impl Appendix {
    /// Collects what an experiment in a file of this name and its records say; `created` is when they were complete.
    pub fn of(
        (experiment, file): (&Experiment, &str),
        records: &[(ResultId, Record)],
        license: &License,
        created: &str,
    ) -> Appendix {
        let mut costs: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, record) in records {
            *costs.entry(&record.test).or_default() += record.cost.total_ms;
        }
        let hosts: BTreeSet<Vec<(&'static str, String)>> =
            records.iter().flat_map(|(_, record)| record.hosts()).map(|(host, _)| report::host_facts(host)).collect();
        let rows = records.iter().flat_map(|(_, record)| report::components(record));
        let components = rows.map(|row| (row.name, row.version)).collect();
        let bytes = records.iter().flat_map(|(_, record)| record.files.values()).map(|file| file.len).sum();
        Appendix {
            name: experiment.name.to_string(),
            title: experiment.title.clone(),
            file: file.to_string(),
            license: license.spdx.clone().or_else(|| license.own.then(|| "see LICENSE".to_string())),
            created: created.to_string(),
            hosts: hosts.into_iter().collect(),
            components,
            least: least(records),
            bytes,
            results: records.len(),
            tests: costs.len(),
            total_ms: costs.values().sum(),
            items: items(experiment, &costs),
            experiment: experiment.clone(),
        }
    }

    fn archive(&self) -> String {
        format!("{}.tar.zst", self.name)
    }

    fn reproduce(&self, item: &Item) -> String {
        match &item.only {
            Some(only) => format!("septet reproduce {} --only '{only}'", self.archive()),
            None => format!("septet reproduce {}", self.archive()),
        }
    }

    pub(super) fn sections(&self) -> Vec<Section> {
        let section = |heading: &str, blocks: Vec<Block>| Section { heading: heading.to_string(), blocks };
        let mut sections = vec![section("Abstract", self.abstract_of())];
        sections.push(section("Checklist (meta-information)", vec![Block::Facts(self.checklist())]));
        sections.push(section("Security, privacy and ethics", safety()));
        sections.push(section("How to get it", self.access()));
        sections.push(section("Hardware and software", self.environment()));
        sections.push(section("Installation", installation(&self.archive())));
        sections.push(section("Kick the tyres", self.first_steps()));
        sections.push(section("Claims", self.claims()));
        sections.push(section("Figures and tables", self.drawables()));
        sections.push(section("Experiment workflow and expected results", self.workflow()));
        sections.push(section("Customisation and reuse", self.reuse()));
        if let Some(notes) = &self.experiment.artifact.notes {
            let paragraphs = notes.split("\n\n").map(|paragraph| Block::Text(paragraph.to_string()));
            sections.push(section("Notes", paragraphs.collect()));
        }
        sections
    }

    fn abstract_of(&self) -> Vec<Block> {
        let mut blocks = vec![Block::Text(format!(
            "{}: {} of {}, as raw samples, with the conditions that each was measured under, the report made of them, and \
             the experiment file from which septet measures all of it again. The archive verifies itself: every number and \
             every page is derived again from the raw samples.",
            self.title,
            plural(self.results, "repetition"),
            plural(self.tests, "test")
        ))];
        if let Some(notes) = &self.experiment.notes {
            blocks.extend(notes.split("\n\n").map(|paragraph| Block::Text(paragraph.to_string())));
        }
        blocks
    }

    fn checklist(&self) -> Vec<(String, String)> {
        let claims = self.items.iter().filter(|item| item.kind == "claim").count();
        let metrics: BTreeSet<String> = self.experiment.report.figures.iter().map(|figure| figure.y.label()).collect();
        let artifact = &self.experiment.artifact;
        let facts = [
            (
                "Experiment",
                format!("experiment/ in the archive; {}, {}", plural(self.tests, "test"), plural(claims, "claim")),
            ),
            ("Program", "septet, septet-host and septet-gen; what was measured through is listed below".to_string()),
            ("Compilation", "cargo with stable Rust, and a C compiler: make build".to_string()),
            ("Run-time environment", self.of_hosts(&["System", "Kernel"])),
            ("Hardware", self.of_hosts(&["Processor", "Usable CPUs", "Memory"])),
            (
                "Execution",
                "one command, unattended; it waits until no other run uses the host, and marks what was disturbed"
                    .to_string(),
            ),
            ("Data set", format!("{} of raw samples and logs in {}", size(self.bytes), self.archive())),
            ("Metrics", metrics.into_iter().collect::<Vec<_>>().join(", ")),
            ("Output", "a report (HTML, LaTeX, CSV, JSON), and a verdict for each claim".to_string()),
            ("Disk space", format!("about {} to unpack it, as much again to reproduce it", size(3 * self.bytes))),
            ("Time to prepare", "minutes: unpack the programs, or build them with make build".to_string()),
            ("Time to reproduce everything", format!("{} of the host's, and a page to read", minutes(self.total_ms))),
            ("Publicly available", artifact.url.clone().or_else(|| artifact.doi.clone()).unwrap_or_default()),
            ("Archived", artifact.doi.clone().unwrap_or_default()),
            ("Licence of the code", "MIT or Apache-2.0, of septet".to_string()),
            (
                "Licence of the data",
                self.license.clone().unwrap_or_else(|| "none is given: ask the authors".to_string()),
            ),
            ("Badges asked for", artifact.badges.join(", ")),
            ("Version", format!("results complete at {}", self.created)),
        ];
        let shown = facts.into_iter().filter(|(_, value)| !value.is_empty());
        shown.map(|(label, value)| (label.to_string(), value)).collect()
    }

    /// What hosts say of themselves under some labels, each host once.
    fn of_hosts(&self, labels: &[&str]) -> String {
        let of_host = |host: &Vec<(&'static str, String)>| -> String {
            let facts = host.iter().filter(|(label, _)| labels.contains(label));
            facts.map(|(label, value)| format!("{label} {value}")).collect::<Vec<_>>().join(", ")
        };
        self.hosts.iter().map(of_host).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("; ")
    }

    fn access(&self) -> Vec<Block> {
        let artifact = &self.experiment.artifact;
        let mut facts = Vec::new();
        let mut add = |label: &str, value: Option<&String>| {
            facts.extend(value.map(|value| (label.to_string(), value.clone())));
        };
        add("DOI", artifact.doi.as_ref());
        add("Address", artifact.url.as_ref());
        add("Contact", artifact.contact.as_ref());
        let mut blocks = match facts.is_empty() {
            true => Vec::new(),
            false => vec![Block::Facts(facts)],
        };
        let authors = match self.experiment.authors.is_empty() {
            true => format!("The authors of {}", self.name),
            false => self.experiment.authors.join(", "),
        };
        let doi = artifact.doi.as_ref().map(|doi| format!(", {doi}")).unwrap_or_default();
        blocks.push(Block::Text(format!(
            "Cite it as: {authors}: {} ({}){doi}. CITATION.cff has it for programs.",
            self.title,
            self.created.get(..4).unwrap_or_default()
        )));
        blocks
    }

    fn environment(&self) -> Vec<Block> {
        let mut blocks = vec![Block::Text("The least that it needs:".to_string()), Block::List(self.least.clone())];
        if !self.experiment.artifact.requirements.is_empty() {
            blocks.push(Block::List(self.experiment.artifact.requirements.clone()));
        }
        for host in &self.hosts {
            blocks.push(Block::Text("It was measured on:".to_string()));
            blocks.push(Block::Facts(host.iter().map(|(label, value)| (label.to_string(), value.clone())).collect()));
        }
        blocks.push(Block::Text("It ran through:".to_string()));
        let component = |(name, version): &(String, String)| match version.is_empty() {
            true => name.clone(),
            false => format!("{name} {version}"),
        };
        blocks.push(Block::List(self.components.iter().map(component).collect()));
        blocks
    }

    fn first_steps(&self) -> Vec<Block> {
        let mut blocks = vec![
            Block::Text("Check that the archive is what it says; this needs no testbed:".to_string()),
            Block::Command(format!("septet archive verify {}", self.archive())),
            Block::Text("See what this host can measure, and what it lacks:".to_string()),
            Block::Command("septet host check".to_string()),
        ];
        if let Some(item) =
            self.items.iter().filter(|item| item.cost_ms > 0).min_by_key(|item| (item.cost_ms, &item.id))
        {
            let scaled = item.cost_ms / 5;
            blocks.push(Block::Text(format!(
                "Then measure a little of it: {} {}, with windows and repetitions scaled to a tenth, in about {}:",
                item.kind,
                item.id,
                minutes(scaled)
            )));
            blocks.push(Block::Command(format!("{} --scale 0.1", self.reproduce(item))));
        }
        blocks
    }

    fn claims(&self) -> Vec<Block> {
        let claims: Vec<&Item> = self.items.iter().filter(|item| item.kind == "claim").collect();
        if claims.is_empty() {
            return vec![Block::Text("The experiment states none that a program can judge.".to_string())];
        }
        let row = |item: &&Item| {
            vec![item.id.clone(), item.what.clone(), self.reproduce(item), item.look.clone(), minutes(item.cost_ms)]
        };
        vec![Block::Table(vec!["Claim", "Statement", "Command", "Look at", "Takes"], claims.iter().map(row).collect())]
    }

    fn drawables(&self) -> Vec<Block> {
        let row = |item: &Item| {
            let tests = plural(item.tests, "test");
            vec![
                format!("{} {}", item.kind, item.id),
                item.what.clone(),
                self.reproduce(item),
                tests,
                minutes(item.cost_ms),
            ]
        };
        let rows: Vec<Vec<String>> = self.items.iter().filter(|item| item.kind != "claim").map(row).collect();
        let heads = vec!["Which", "Shows", "Command", "Stands on", "Takes"];
        let note = "Times are those of the recorded repetitions. Tests that several of them share are measured once.";
        match rows.is_empty() {
            true => vec![Block::Text("There are none.".to_string())],
            false => vec![Block::Table(heads, rows), Block::Text(note.to_string())],
        }
    }

    fn workflow(&self) -> Vec<Block> {
        vec![
            Block::Text(format!("Measure everything here, and set theirs beside yours (about {}):", minutes(self.total_ms))),
            Block::Command(format!("septet reproduce {}", self.archive())),
            Block::Text(format!(
                "{}-reproduced/report/index.html says of each claim whether it is reproduced, not reproduced, inconclusive \
                 or not measured here, with both sides' numbers, each figure and table of both sides, and what differs \
                 between the two hosts. Exit code 0: nothing is not reproduced; 4: something is; 3: this host cannot. It can \
                 be interrupted at any time: the same command goes on where it was.",
                self.name
            )),
            Block::Text(
                "Absolute numbers of other hardware differ. Compare what each side is in parts of its own base, which the \
                 report shows where a figure allows it, and the claims, which are relations."
                    .to_string(),
            ),
        ]
    }

    fn reuse(&self) -> Vec<Block> {
        vec![
            Block::Text(
                "The experiment is one text file: add values to an axis, switches, packet sizes or claims, and run it; what \
                 is measured already is not measured again."
                    .to_string(),
            ),
            Block::Command(format!("septet run {}-reproduced/{}", self.name, self.file)),
            Block::Text(
                "datapackage.json says of every column of samples and tables its type, unit and meaning; pandas, R and \
                 DuckDB read them without septet."
                    .to_string(),
            ),
        ]
    }
}

/// What a run does to a reviewer's machine, and what is published of the author's.
fn safety() -> Vec<Block> {
    vec![Block::Text(
        "It needs no root and no network: traffic stays in network namespaces that vanish with the run, and nothing is sent \
         elsewhere. As root it sets frequencies and hugepages for its time, notes each old value first, and gives all of it \
         back, also after a crash (septet host restore). An archive is data: it can name neither programs nor places. \
         Records hold names and hardware of the hosts that were measured on, and no data of persons."
            .to_string(),
    )]
}

fn installation(archive: &str) -> Vec<Block> {
    vec![
        Block::Text(
            "septet is three programs, septet, septet-host and septet-gen, which run from any folder that holds all three. \
             From its sources:"
                .to_string(),
        ),
        Block::Command("make setup build && export PATH=$PWD/target/release:$PATH".to_string()),
        Block::Text(format!("Reading {archive} needs nothing else: it is a tar of plain files, in zstd.")),
    ]
}

/// The least that tests of these records need, from how they were measured.
fn least(records: &[(ResultId, Record)]) -> Vec<String> {
    let mut least = vec!["Linux on x86-64, with network namespaces".to_string()];
    let cpus = records.iter().map(|(_, record)| record.host.topology.len()).min().unwrap_or(1);
    least.push(format!(
        "it was measured with {} for the agent; with fewer, results have a flag that says so",
        plural(cpus, "CPU")
    ));
    let is_kernel = |io: Io| io != Io::Dpdk;
    let all_kernel = records.iter().all(|(_, record)| is_kernel(record.tuple.variant.io));
    least.push(match all_kernel {
        true => "no root: user namespaces suffice".to_string(),
        false => "DPDK as listed below, and 2 MiB hugepages where they are used".to_string(),
    });
    if records.iter().any(|(_, record)| record.host.privilege == Privilege::Root) {
        least.push(
            "root is used where it is there, for settings that make numbers steady; results without are indicative"
                .to_string(),
        );
    }
    let switches: BTreeSet<&str> = records
        .iter()
        .filter(|(_, record)| record.host.descriptor(record.tuple.vswitch.name()).is_some_and(|it| it.programs))
        .map(|(_, record)| record.tuple.vswitch.name())
        .collect();
    if !switches.is_empty() {
        let list = switches.into_iter().collect::<Vec<_>>().join(", ");
        least.push(format!("these switches, installed: {list}; tests of one that is missing are skipped by name"));
    }
    least
}

fn items(experiment: &Experiment, costs: &BTreeMap<&str, u64>) -> Vec<Item> {
    let report = &experiment.report;
    let none = Selection::default();
    let item = |kind: &'static str, id: &Id, what: &str, from: &[Id], selection: &Selection| {
        let tests = tests_of(experiment, from, selection);
        let cost_ms = tests.iter().filter_map(|test| costs.get(test.tuple.to_string().as_str())).sum();
        let look = match kind {
            "claim" => format!("report/index.html, claim {id}"),
            _ => format!("report/index.html, {kind} {id}"),
        };
        let only = only(experiment, &tests);
        Item { kind, id: id.to_string(), what: what.to_string(), only, look, tests: tests.len(), cost_ms }
    };
    let caption = |caption: &Option<String>| caption.clone().unwrap_or_default();
    let claims = report.claims.iter().map(|claim| item("claim", &claim.id, &claim.text, &claim.from, &none));
    let figures = report.figures.iter().map(|figure| {
        let what = figure.title.clone().unwrap_or_else(|| caption(&figure.caption));
        item("figure", &figure.id, &what, &figure.from, &figure.selection)
    });
    let tables = report
        .tables
        .iter()
        .map(|table| item("table", &table.id, &caption(&table.caption), &table.from, &table.selection));
    claims.chain(figures).chain(tables).collect()
}

fn tests_of<'e>(experiment: &'e Experiment, from: &[Id], selection: &Selection) -> Vec<&'e Test> {
    let is_from = |test: &&Test| {
        let of = |group: &u16| experiment.groups.get(usize::from(*group)).is_some_and(|group| from.contains(&group.id));
        test.groups.iter().any(of) && selection.takes(&test.tuple)
    };
    experiment.matrix.tests.iter().filter(is_from).collect()
}

/// The shortest selection by axes that takes these tests: those axes on which they do not have all values. It may take
/// others besides, which only costs time.
fn only(experiment: &Experiment, tests: &[&Test]) -> Option<String> {
    let part = |axis: Axis| {
        let own = values(axis, tests.iter().copied());
        let all = values(axis, experiment.matrix.tests.iter());
        let shown: Vec<String> = own.values().cloned().collect();
        (own.len() < all.len() && !own.is_empty()).then(|| format!("{axis}={}", shown.join("|")))
    };
    let parts: Vec<String> = Axis::ALL.into_iter().filter_map(part).collect();
    (!parts.is_empty()).then(|| parts.join(","))
}

fn values<'t>(axis: Axis, tests: impl Iterator<Item = &'t Test>) -> BTreeMap<Value, String> {
    tests.map(|test| (test.tuple.value(axis), test.tuple.shown(axis))).collect()
}

fn minutes(ms: u64) -> String {
    clock::shown(std::time::Duration::from_millis(ms))
}

fn size(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1u32 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{STARTER, parse, select};

    #[test]
    fn what_a_command_selects_has_all_tests_of_its_claim() {
        let experiment = parse(STARTER, "starter.toml").expect("it is an experiment");
        let items = items(&experiment, &BTreeMap::new());
        assert!(!items.is_empty());
        for item in items {
            let Some(only) = item.only else { continue };
            let selection = select::parse(&only).unwrap_or_else(|error| panic!("{only}: {error}"));
            let taken = experiment.matrix.tests.iter().filter(|test| selection.takes(&test.tuple)).count();
            assert!(taken >= item.tests && item.tests > 0, "{only} takes {taken} of {}", item.tests);
        }
    }
}
