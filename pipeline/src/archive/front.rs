//! What a reader of an archive meets first, and every program that knows nothing of Septet: README, terms, citation,
//! RO-Crate, data package, description. All of it follows from the experiment and a few words of the author's, so that whoever
//! verifies makes it again and compares. Pure; it must not read files.

use reports::package;
use results::dictionary;
use serde_json::{Value, json};

use super::ArchiveError;
use super::appendix::{self, Appendix};
use super::bag::Piece;
use super::citation::{self, License};
use super::contents::json as encoded;
use super::description::Description;
use super::metadata::{self, About, METADATA};
use crate::experiment::Experiment;

/// Version of what this file writes; another one's is not made again but taken on trust. Whoever changes what is
/// written raises it, or older archives are taken for forged ones.
pub const FRONT_VERSION: u32 = 4;

/// Where a reader's file comes from.
pub const LICENSE: &str = "LICENSE";
const CITATION: &str = "CITATION.cff";
const README: &str = "README.md";
const DESCRIPTION: &str = "septet.json";
const PACKAGE: &str = "datapackage.json";
/// The report's own data package, which that of the archive takes up.
pub const REPORT_PACKAGE: &str = "report/datapackage.json";

/// Names of all files of this kind.
pub const NAMES: [&str; 8] =
    [README, LICENSE, CITATION, DESCRIPTION, METADATA, PACKAGE, appendix::MARKDOWN, appendix::LATEX];

/// What all of it is made of.
#[derive(Debug)]
pub struct Front<'a> {
    /// The experiment.
    pub experiment: &'a Experiment,
    /// What the archive says of itself.
    pub description: &'a Description,
    /// The terms.
    pub license: &'a License,
    /// The author's own citation, instead of one that is made.
    pub citation: Option<&'a str>,
    /// When its results were complete, RFC 3339.
    pub created: &'a str,
    /// Numbers of results and of tests.
    pub counts: (usize, usize),
    /// Names of all files but [`METADATA`], sorted.
    pub names: &'a [&'a str],
    /// Content of [`REPORT_PACKAGE`].
    pub report_package: &'a [u8],
    /// The artifact appendix.
    pub appendix: &'a Appendix,
}

impl Front<'_> {
    /// Every file, below the payload's folder.
    ///
    /// # Errors
    /// What cannot be written as JSON.
    pub fn pieces(&self) -> Result<Vec<Piece>, ArchiveError> {
        let Front { experiment, description, license, created, counts, names, .. } = *self;
        let made = || citation::citation(experiment, license, metadata::day(created));
        let about =
            About { experiment, file: &description.file, license, created, counts, names, septet: &description.septet };
        Ok(vec![
            Piece::new(DESCRIPTION, encoded(description)?),
            Piece::new(README, readme(experiment.name.as_str(), &experiment.title, &description.file)),
            Piece::new(LICENSE, license.text.clone()),
            Piece::new(CITATION, self.citation.map_or_else(made, str::to_string)),
            Piece::new(METADATA, encoded(&metadata::metadata(&about))?),
            Piece::new(PACKAGE, encoded(&self.package())?),
            Piece::new(appendix::MARKDOWN, self.appendix.markdown()),
            Piece::new(appendix::LATEX, self.appendix.latex()),
        ])
    }
}

impl Front<'_> {
    /// The data package: what each column of samples and of the report's data means.
    fn package(&self) -> Value {
        let Front { experiment, license, created, names, .. } = *self;
        let samples: Vec<&&str> = names.iter().filter(|name| name.ends_with("/samples.parquet")).collect();
        let mut resources = vec![json!({
            "name": "samples",
            "title": "Raw samples, a file a repetition; record.json beside each says of what",
            "path": samples,
            "type": "file",
            "format": "parquet",
            "mediatype": "application/vnd.apache.parquet",
            "schema": package::schema(&dictionary::samples()),
        })];
        // What is no package has no resources; that it is the report's own is proven with the report.
        let report: Value = serde_json::from_slice(self.report_package).unwrap_or_default();
        for resource in report["resources"].as_array().into_iter().flatten() {
            let mut resource = resource.clone();
            if let Some(path) = resource["path"].as_str().map(|path| format!("report/{path}")) {
                resource["path"] = path.into();
            }
            resources.push(resource);
        }
        let mut package = json!({
            "profile": "data-package",
            "name": experiment.name.as_str().to_lowercase(),
            "title": experiment.title,
            "created": created,
            "resources": resources,
        });
        if let Some(spdx) = &license.spdx {
            package["licenses"] = json!([{"name": spdx, "path": format!("https://spdx.org/licenses/{spdx}.html")}]);
        }
        if !experiment.authors.is_empty() {
            let author = |name: &String| json!({"title": name, "role": "author"});
            package["contributors"] = experiment.authors.iter().map(author).collect();
        }
        package
    }
}

/// What is said about the bag, in order: `bag-info.txt` but for the length of the payload.
pub fn info(experiment: &Experiment, description: &Description, created: &str) -> [(&'static str, String); 3] {
    [
        ("Bag-Software-Agent", format!("septet {}", description.septet)),
        ("Bagging-Date", metadata::day(created).to_string()),
        ("External-Description", experiment.title.clone()),
    ]
}

/// How samples are read: warm-up and cool-down left out, as the report's numbers leave them out.
pub const QUERY: &str = "\
SELECT record.test, samples.source, sum(packets) * 1e9 / any_value(record.times.duration_ns) AS packets_per_s
FROM read_parquet('store/results/*/*/samples.parquet', filename = true) AS samples
JOIN read_json('store/results/*/*/record.json', filename = true, columns = {test: 'VARCHAR', interval_ns: 'BIGINT',
       times: 'STRUCT(warmup_ns BIGINT, duration_ns BIGINT, cooldown_ns BIGINT)'}) AS record
  ON parse_dirpath(samples.filename) = parse_dirpath(record.filename)
WHERE kind = 'interval' AND source NOT LIKE 't%.%'
  AND interval * interval_ns >= record.times.warmup_ns
  AND interval * interval_ns < record.times.warmup_ns + record.times.duration_ns
GROUP BY record.test, samples.filename, samples.source ORDER BY ALL;
";

/// The example query in pandas.
pub const PANDAS: &str = "\
import glob, json, pandas
for path in sorted(glob.glob('store/results/*/*/samples.parquet')):
    record, rows = json.load(open(path.replace('samples.parquet', 'record.json'))), pandas.read_parquet(path)
    times, start = record['times'], rows['interval'] * record['interval_ns']
    inside = (start >= times['warmup_ns']) & (start < times['warmup_ns'] + times['duration_ns'])
    counted = inside & (rows['kind'] == 'interval') & ~rows['source'].str.startswith('t')
    received = rows[counted & rows['role'].isin(['receive', 'client'])]
    print(record['test'], received['packets'].sum() * 1e9 / times['duration_ns'])
";

fn readme(name: &str, title: &str, file: &str) -> String {
    let pandas: String = PANDAS.lines().map(|line| format!("    {line}\n")).collect();
    let query: String = QUERY.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "# {title}\n\n\
         Results of a network-performance experiment, measured and archived by septet.\n\n\
         - `ARTIFACT.md`, `ARTIFACT.tex`: the artifact appendix: claims with a command for each, what it needs, how long it\n  \
           takes, how to begin.\n\
         - `report/index.html`: the report; `report/figures` and `report/tables` have the data of each as CSV.\n\
         - `experiment/{file}`: what was measured, and what is made of it.\n\
         - `store/results/XX/ID/`: one folder a repetition. `record.json` says what was measured, under which\n  \
           conditions, and what came out; `samples.parquet` has every raw sample (pandas, DuckDB and R open it);\n  \
           `log.zst` is what was said meanwhile.\n\
         - `store/manifests/XX/KEY.json`: all that could change the measurements of that key.\n\
         - `store/acceptances`, where there are any: changes that somebody called harmless, and what was used by it.\n\
         - `facts`, `components`: the hosts, and the software by content.\n\
         - `datapackage.json`: every column of samples and CSV files, with type, unit and meaning (Frictionless).\n\n\
         Check it with any BagIt tool (the folder above this one is the bag), or, also deriving every number and every\n\
         page again from the raw samples, with `septet archive verify {name}.tar.zst`, which says what it proves and\n\
         what has to be taken on trust.\n\n\
         Measure all of it again on a host of yours, theirs beside yours, claim by claim: `septet reproduce {name}.tar.zst`.\n\n\
         The rate of each process in each repetition, in DuckDB, from this folder. Samples cover warm-up and cool-down\n\
         too, which no number of the report does: `interval` counts from 0 at the common start. A search keeps the\n\
         samples of its trials, `t000.send-0` and so on, which have lengths of their own.\n\n\
         {query}\n\
         What was received in each, or came back to clients, in pandas:\n\n\
         {pandas}"
    )
}
