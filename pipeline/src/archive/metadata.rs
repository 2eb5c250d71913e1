//! `ro-crate-metadata.json`: the payload described in the vocabulary of RO-Crate 1.1 and schema.org, for
//! repositories and people who know nothing of septet. Pure; it must not read files.

use serde_json::{Value, json};

use super::citation::License;
use crate::experiment::Experiment;

/// Name of the file; the folder that holds it is the crate.
pub const METADATA: &str = "ro-crate-metadata.json";

/// What is said of an archive.
pub struct About<'a> {
    /// The experiment.
    pub experiment: &'a Experiment,
    /// Name of its file.
    pub file: &'a str,
    /// The archive's licence.
    pub license: &'a License,
    /// When its results were complete, RFC 3339.
    pub created: &'a str,
    /// Numbers of results and of tests.
    pub counts: (usize, usize),
    /// Names of its files, sorted.
    pub names: &'a [&'a str],
    /// Version of the septet that makes it.
    pub septet: &'a str,
}

/// The whole file.
pub fn metadata(about: &About) -> Value {
    let experiment = format!("experiment/{}", about.file);
    let parts = parts(about, &experiment);
    let references: Vec<Value> = parts.iter().map(|part| json!({"@id": part["@id"]})).collect();
    let mut graph = vec![json!({
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    })];
    let (results, tests) = about.counts;
    let mut root = json!({
        "@id": "./",
        "@type": "Dataset",
        "name": about.experiment.title,
        "description": format!(
            "Results of the network-performance experiment {}: {results} repetitions of {tests} tests, with every raw \
             sample, the conditions that they were measured under, and the report made of them.",
            about.experiment.name
        ),
        "datePublished": day(about.created),
        "license": {"@id": license_id(about.license)},
        "mainEntity": {"@id": "report/index.html"},
        "hasPart": references,
        "mentions": {"@id": "#measurement"},
    });
    let authors: Vec<Value> = (1..)
        .zip(&about.experiment.authors)
        .map(|(number, name): (u32, _)| json!({"@id": format!("#author-{number}"), "@type": "Person", "name": name}))
        .collect();
    if !authors.is_empty() {
        root["author"] = authors.iter().map(|author| json!({"@id": author["@id"]})).collect();
    }
    graph.push(root);
    graph.extend(parts);
    graph.extend(authors);
    graph.push(json!({
        "@id": "#measurement",
        "@type": "CreateAction",
        "name": "Measurement of the experiment",
        "instrument": {"@id": "#septet"},
        "object": {"@id": experiment},
        "result": {"@id": "store/"},
        "endTime": about.created,
    }));
    graph.push(json!({
        "@id": "#septet",
        "@type": "SoftwareApplication",
        "name": "septet",
        "softwareVersion": about.septet,
        "description": "make for a testbed: measures what was never measured, keeps every raw sample",
    }));
    if let Some(spdx) = &about.license.spdx {
        graph.push(json!({
            "@id": license_id(about.license),
            "@type": "CreativeWork",
            "name": spdx,
            "description": format!("The licence that the SPDX list calls {spdx}"),
        }));
    }
    json!({"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph})
}

fn license_id(license: &License) -> String {
    match &license.spdx {
        Some(spdx) => format!("https://spdx.org/licenses/{spdx}"),
        None => "LICENSE".to_string(),
    }
}

/// `2026-01-02` of `2026-01-02T03:04:05Z`.
pub fn day(created: &str) -> &str {
    created.get(..10).unwrap_or(created)
}

/// The files and folders that a reader should know of; what is inside the folders is described by its folder.
fn parts(about: &About, experiment: &str) -> Vec<Value> {
    let file = |name: &str, what: &str, format: &str| json!({"@id": name, "@type": "File", "name": name, "description": what, "encodingFormat": format});
    let folder = |name: &str, what: &str| json!({"@id": name, "@type": "Dataset", "name": name, "description": what});
    let mut parts = vec![
        file("README.md", "How to read and to check this archive", "text/markdown"),
        file("ARTIFACT.md", "The artifact appendix", "text/markdown"),
        file("ARTIFACT.tex", "The artifact appendix for LaTeX", "application/x-tex"),
        file(experiment, "The experiment: tests, figures, tables and claims", "application/toml"),
        file("septet.json", "What made this archive", "application/json"),
        file("LICENSE", "Terms of use", "text/plain"),
        file("datapackage.json", "Every column of samples and CSV files: type, unit, meaning", "application/json"),
        file("CITATION.cff", "How to cite", "application/yaml"),
        file("report/index.html", "The report", "text/html"),
        file("report/report.tex", "The report for LaTeX", "application/x-tex"),
        file("report/summary.json", "Every test's summary", "application/json"),
        folder(
            "store/",
            "Results: store/results/XX/ID/ holds record.json (what was measured, how, on what), samples.parquet (every \
             raw sample) and log.zst of one repetition; store/manifests/XX/KEY.json all that could change it",
        ),
        folder("report/", "The report: pages, figures and tables, each with its data as CSV"),
        folder("facts/", "The hosts that were measured on"),
        folder("components/", "The software that was measured, by content"),
    ];
    parts.retain(|part| {
        let name = part["@id"].as_str().unwrap_or_default();
        about.names.iter().any(|known| if name.ends_with('/') { known.starts_with(name) } else { *known == name })
    });
    parts
}
