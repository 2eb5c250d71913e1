//! From a generation and its records to what reports may see: tests with their summaries, and what is said
//! of the experiment and its hosts. Reads records, no samples. It must not draw.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use host_setup::facts::{Facts, Through};
use host_setup::switch::{self, Drawn};
use rayon::prelude::*;
use reports::model::{Accepted, ComponentRow, Fact, FactList, Meta, State, TestView};
use reports::topology::Route;
use results::axes::VSwitch;
use results::flags::Flag;
use results::summary::{
    self, Grade, REDUCTION_VERSION, Reduction, Summary, summarise, summarise_adaptive, summarise_precise,
};

use crate::acceptance::Acceptance;
use crate::clock;
use crate::experiment::{Order, Repetitions, Test};
use crate::judge;
use crate::key::{ResultId, StatementId};
use crate::plan;
use crate::stood;
use crate::store::{Generation, GenerationTest, Record, Store, StoreError, judged_by};
use crate::traffic;
use crate::workspace::Workspace;

/// Tests as reports see them, with the records behind them.
pub(super) struct ViewedTests {
    /// One a test, in the matrix's order.
    pub(super) views: Vec<TestView>,
    /// Records of each test by id, in order of measurement.
    records: Vec<Vec<(ResultId, Record)>>,
    generation: String,
    seed: String,
    complete: bool,
}

/// Reads the records of a generation.
pub(super) fn read(workspace: &Workspace, generation: &Generation) -> Result<ViewedTests, StoreError> {
    let known: HashMap<&str, &GenerationTest> =
        generation.tests.iter().map(|test| (test.name.as_str(), test)).collect();
    let accepted = AcceptedChanges::read(&workspace.store, generation)?;
    let rows: Result<Vec<_>, StoreError> = workspace
        .tests()
        .par_iter()
        .map(|test| {
            let name = test.tuple.to_string();
            let stands = known.get(name.as_str()).copied();
            let mut records = Vec::new();
            for (test, id) in stands.iter().flat_map(|test| test.repetitions.iter().map(move |id| (test, id))) {
                records.push((*id, stood::record(&workspace.store, test, id)?));
            }
            records.sort_by(|a, b| (&a.1.started, a.0).cmp(&(&b.1.started, b.0)));
            let mut repetitions = Vec::with_capacity(records.len());
            for (id, record) in &records {
                repetitions.push(repetition(workspace, id, record)?);
            }
            let summary = summarised(&repetitions, test, &workspace.experiment.protocol.repetitions);
            let state = match stands.and_then(|test| test.skipped.clone()) {
                Some(reason) => State::Skipped(reason),
                None if summary.valid == 0 => State::NotMeasured,
                None => State::Measured,
            };
            let groups = test
                .groups
                .iter()
                .filter_map(|group| workspace.experiment.groups.get(usize::from(*group)))
                .map(|group| group.id.clone());
            let view = TestView {
                tuple: test.tuple.clone(),
                route: route(test.tuple.vswitch, &records),
                name,
                key: stands.and_then(|test| test.key).map(|key| key.to_string()),
                groups: groups.collect(),
                summary: (state == State::Measured).then_some(summary),
                state,
                accepted: stands.map(|test| accepted.of(test)).unwrap_or_default(),
            };
            Ok((view, records))
        })
        .collect();
    let (views, records) = rows?.into_iter().unzip();
    Ok(ViewedTests {
        views,
        records,
        generation: generation.digest(),
        seed: generation.seed.clone(),
        complete: generation.complete,
    })
}

/// The accepted changes that a generation leans on, as reports tell them.
struct AcceptedChanges(BTreeMap<StatementId, Arc<Accepted>>);

impl AcceptedChanges {
    fn read(store: &Store, generation: &Generation) -> Result<AcceptedChanges, StoreError> {
        let mut told = BTreeMap::new();
        for id in generation.statements() {
            let statement = store.statement(&id)?;
            let acceptance = Acceptance::of(id, &statement)
                .ok_or_else(|| StoreError::damaged(&store.statement_path(&id), "it accepts nothing"))?;
            let accepted = Accepted {
                day: acceptance.day().to_string(),
                trigger: acceptance.trigger(),
                change: acceptance.step.words(),
                reason: acceptance.reason,
            };
            told.insert(id, Arc::new(accepted));
        }
        Ok(AcceptedChanges(told))
    }

    fn of(&self, test: &GenerationTest) -> Vec<Arc<Accepted>> {
        let by: BTreeSet<&StatementId> = test.leans.iter().flat_map(|lean| &lean.by).collect();
        by.into_iter().filter_map(|id| self.0.get(id).cloned()).collect()
    }
}

/// Repetitions whose number was not fixed beforehand get the wider interval that keeps its coverage.
pub(crate) fn summarised(repetitions: &[summary::Repetition], test: &Test, wanted: &Repetitions) -> Summary {
    if let Some(asked) = plan::asked(wanted) {
        return summarise_precise(repetitions, judged_by(test.tuple.dimension), &asked);
    }
    match plan::precision(wanted) {
        Some(precision) => summarise_adaptive(repetitions, judged_by(test.tuple.dimension), &precision),
        None => summarise(repetitions),
    }
}

/// A repetition as summaries see it; reduced anew from its samples if an older reduction made the record's.
pub(crate) fn repetition(
    workspace: &Workspace,
    id: &ResultId,
    record: &Record,
) -> Result<summary::Repetition, StoreError> {
    let reduction = match record.reduction_version == REDUCTION_VERSION {
        true => record.reduction.clone(),
        false => reduce_again(workspace, id, record)?,
    };
    let flags: Vec<Flag> = record.flags.iter().filter(|flag| !record.reduction.flags.contains(flag)).copied().collect();
    Ok(summary::Repetition { reduction, flags, stand: record.stand_name() })
}

fn reduce_again(workspace: &Workspace, id: &ResultId, record: &Record) -> Result<Reduction, StoreError> {
    let samples = workspace.store.file(id, record, "samples.parquet")?;
    let path = workspace.store.result_folder(id).join("samples.parquet");
    let streams = results::dataset::read_parquet(&samples).map_err(|error| StoreError::damaged(&path, error))?;
    Ok(judge::reduce_again(record, &streams))
}

impl ViewedTests {
    /// Ids of a test's repetitions.
    pub(super) fn ids(&self, place: usize) -> Vec<ResultId> {
        self.records[place].iter().map(|(id, _)| *id).collect()
    }

    /// Records of a test, in order of measurement.
    pub(super) fn records(&self, place: usize) -> &[(ResultId, Record)] {
        &self.records[place]
    }

    /// What the report says of the experiment and its hosts.
    pub(super) fn meta(&self, workspace: &Workspace) -> Meta {
        let experiment = &workspace.experiment;
        let grades = self.views.iter().filter_map(|view| Some(view.measured()?.grade));
        let mut notes: Vec<String> = experiment.notes.iter().cloned().collect();
        if !self.complete {
            notes.push("Not every test of this experiment is measured; what is missing is named.".to_string());
        }
        let bare = |record: &Record| {
            record.hosts().any(|(host, _)| !host.components.iter().any(|component| component.name == "busybox"))
        };
        if self.of_other_hosts(|_, _| true).any(bare) {
            notes.push("Containers held the generator only: there was no static BusyBox on the host.".to_string());
        }
        Meta {
            name: experiment.name.clone(),
            title: Some(experiment.title.clone()),
            authors: experiment.authors.clone(),
            generation: self.generation.clone(),
            grade: grades.max().unwrap_or(Grade::Indicative),
            facts: self.hosts(),
            components: self.components(),
            protocol: self.protocol(workspace),
            notes,
        }
    }

    /// The newest record of each distinct host, by what matters of it.
    fn hosts(&self) -> Vec<FactList> {
        let mut hosts: BTreeMap<Vec<(&str, String)>, ()> = BTreeMap::new();
        for record in self.of_other_hosts(|_, _| true) {
            hosts.extend(record.hosts().map(|(host, _)| (host_facts(host), ())));
        }
        let several = hosts.len() > 1;
        hosts
            .into_keys()
            .zip(1..)
            .map(|(facts, number)| FactList {
                heading: if several { format!("Host, state {number}") } else { "Host".to_string() },
                facts: facts.into_iter().map(|(label, value)| Fact::new(label, value)).collect(),
            })
            .collect()
    }

    /// The records, without those of one host that is the very one of the record before, and alike in what is asked.
    fn of_other_hosts(&self, alike: impl Fn(&Record, &Record) -> bool) -> impl Iterator<Item = &Record> {
        let mut last: Option<&Record> = None;
        let all = self.records.iter().flatten().map(|(_, record)| record);
        all.filter(move |record| {
            let before = last.replace(record);
            let same = |before: &Record| Arc::ptr_eq(&before.host, &record.host) && alike(before, record);
            !before.is_some_and(|before| before.peers.is_empty() && record.peers.is_empty() && same(before))
        })
    }

    fn components(&self) -> Vec<ComponentRow> {
        let mut rows = BTreeMap::new();
        let same_path = |a: &Record, b: &Record| {
            let path = |record: &Record| (record.tuple.vswitch, traffic::application(&record.tuple));
            path(a) == path(b) && a.evidence.reported == b.evidence.reported
        };
        for record in self.of_other_hosts(same_path) {
            for row in components(record) {
                rows.insert((row.name.clone(), row.digest.clone()), row);
            }
        }
        rows.into_values().collect()
    }

    fn protocol(&self, workspace: &Workspace) -> Vec<Fact> {
        let protocol = &workspace.experiment.protocol;
        let shown = |ns| clock::shown(std::time::Duration::from_nanos(ns));
        let percent = |ci: f64| format!("±{:.1} %", ci * 100.0);
        let repetitions = match protocol.repetitions {
            Repetitions { min, ci: Some(ci), cap_ns: Some(cap_ns), .. } => format!(
                "{min} set-ups at least, until the interval is within {}, for {} a test at most",
                percent(ci),
                shown(cap_ns)
            ),
            wanted if wanted.min == wanted.max => wanted.min.to_string(),
            wanted => match wanted.ci {
                Some(ci) => {
                    format!("{} to {}, until the interval is within {}", wanted.min, wanted.max, percent(ci))
                }
                None => format!("{} to {}", wanted.min, wanted.max),
            },
        };
        let order = match protocol.order {
            Order::Random => format!("random in blocks, seed {}", self.seed),
            Order::Declared => "as declared, in blocks".to_string(),
        };
        let times = protocol.times;
        let window = match times.chosen {
            true => {
                format!("chosen for each test, {} to {}", shown(times.duration_ns), shown(times.longest().duration_ns))
            }
            false => shown(times.duration_ns),
        };
        vec![
            Fact::new("Window", window),
            Fact::new("Warm-up, left out", shown(protocol.times.warmup_ns)),
            Fact::new("Cool-down, left out", shown(protocol.times.cooldown_ns)),
            Fact::new("Repetitions", repetitions),
            Fact::new("Order", order),
        ]
    }
}

/// How a switch is drawn: as whoever measured through it says, or as this version knows it. What only sites define has
/// ports of user space.
fn route(vswitch: VSwitch, records: &[(ResultId, Record)]) -> Route {
    let of_record = |(_, record): &(ResultId, Record)| record.host.descriptor(vswitch.name()).map(|it| it.drawn);
    let known = || switch::descriptor(vswitch.name()).map(|it| it.drawn);
    match records.last().and_then(of_record).or_else(known) {
        Some(Drawn::Kernel) => Route::Kernel,
        Some(Drawn::Direct) => Route::Direct,
        Some(Drawn::Card) => Route::Card,
        Some(Drawn::Virtio) | None => Route::Virtio,
    }
}

/// What of a host is shown: all that is in keys, no time or load.
pub(crate) fn host_facts(host: &Facts) -> Vec<(&'static str, String)> {
    let text = |value: &Option<String>, absent: &str| value.clone().unwrap_or_else(|| absent.to_string());
    vec![
        ("Name", host.aside.hostname.clone()),
        ("System", host.aside.os.clone()),
        ("Kernel", format!("{} {}", host.kernel.release, host.kernel.version)),
        (
            "Boot parameters",
            match host.kernel.boot_parameters.is_empty() {
                true => "none that matters".to_string(),
                false => host.kernel.boot_parameters.join(" "),
            },
        ),
        ("Processor", host.cpu.model.clone()),
        ("Usable CPUs", host.topology.len().to_string()),
        ("Microcode", text(&host.cpu.microcode, "not shown")),
        ("Memory", format!("{:.1} GiB", host.memory.total_bytes as f64 / f64::from(1u32 << 30))),
        ("Virtualisation", text(&host.virtualisation, "none")),
        ("Frequency governor", text(&host.tuning.governor, "cannot be set on this host")),
        ("Clock source", text(&host.tuning.clocksource, "not shown")),
    ]
}

/// Components of a record.
pub(crate) fn components(record: &Record) -> Vec<ComponentRow> {
    let (switch, application) = (record.tuple.vswitch.name(), traffic::application(&record.tuple));
    let of_host = |host: &Facts| {
        let through = Through { switch, application: &application, runtime: None, uplink: None };
        let used = host.components_on(&through);
        let rows = used.into_iter().map(|component| ComponentRow {
            name: component.name.clone(),
            version: record.version_of(component).unwrap_or_default(),
            digest: component.digest.clone(),
        });
        let kernel = ComponentRow {
            name: "kernel".to_string(),
            version: host.kernel.release.clone(),
            digest: host.kernel.build_id.clone().unwrap_or_default(),
        };
        std::iter::once(kernel).chain(rows).collect::<Vec<_>>()
    };
    let mut rows: Vec<ComponentRow> = Vec::new();
    for row in record.hosts().flat_map(|(host, _)| of_host(host)) {
        // Hosts that are alike are told once.
        if !rows.iter().any(|known| known.name == row.name && known.digest == row.digest) {
            rows.push(row);
        }
    }
    rows
}
