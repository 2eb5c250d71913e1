//! Commands about archives: create, verify, import.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{ArchiveCommand, PlaceArgs, Target, place, remark, say, say_json, share};
use crate::archive::{self, ArchiveError, Compared, Depth, License, Limits, Origin, Verified, Wanted};
use crate::beneath;
use crate::exit::{Exit, Trouble};
use crate::planned::plural;
use crate::workspace::Workspace;

impl From<ArchiveError> for Trouble {
    fn from(error: ArchiveError) -> Trouble {
        match error {
            ArchiveError::Store(error) => error.into(),
            ArchiveError::Workspace(error) => error.into(),
            ArchiveError::Report(error) => (*error).into(),
            ArchiveError::Io { .. } => Trouble::host(error.to_string()),
            ArchiveError::Differs { .. } => Trouble { exit: Exit::Answer, text: error.to_string(), placed: false },
            ArchiveError::Refused { .. } | ArchiveError::Unfit { .. } => Trouble::input(error.to_string()),
        }
    }
}

/// `septet archive ...`.
pub(super) fn run(command: ArchiveCommand) -> Result<Exit, Trouble> {
    match command {
        ArchiveCommand::Create { target, output, license, with_components, json } => {
            create(&target, output.as_deref(), license.as_deref(), with_components, json)
        }
        ArchiveCommand::Verify { archive, digests_only, bytes_max, json } => {
            let depth = if digests_only { Depth::Digests } else { Depth::Whole };
            verify(&archive, Limits { bytes_max }, depth, json)
        }
        ArchiveCommand::Import { archive, place, origin, bytes_max } => {
            import(&archive, &place, origin.as_deref(), Limits { bytes_max })
        }
    }
}

#[derive(Serialize)]
struct CreatedJson<'a> {
    archive: String,
    bytes: u64,
    results: usize,
    tests: usize,
    components_missing: &'a [String],
}

fn create(
    target: &Target,
    output: Option<&Path>,
    license: Option<&str>,
    with_components: bool,
    json: bool,
) -> Result<Exit, Trouble> {
    let workspace = Workspace::load(&target.file, target.store.store.as_deref())?;
    let generation = share::generation(target, &workspace)?;
    let license = License::find(license, target.file.parent().unwrap_or(Path::new("")))?;
    if !license.given {
        remark(
            "septet: no licence is given, so that nobody may use the archive: name one by --license CC-BY-4.0, or put a \
             file LICENSE beside the experiment",
        );
    }
    let out = output.map_or_else(|| PathBuf::from(format!("{}.tar.zst", workspace.experiment.name)), Path::to_path_buf);
    let named = output.map_or_else(|| out.clone(), beneath::followed);
    let wanted = Wanted { out: &named, license: &license, with_components };
    let archived = archive::create(&workspace, &generation, &wanted)?;
    if let Some(why) = &archived.unnoted {
        remark(&format!("septet: {why}; `store gc` does not know that this generation was archived"));
    }
    if json {
        return say_json(&CreatedJson {
            archive: out.display().to_string(),
            bytes: archived.bytes,
            results: archived.results,
            tests: archived.tests,
            components_missing: &archived.missing,
        });
    }
    for missing in &archived.missing {
        remark(&format!("septet: {missing} is not on this machine as it was measured, and not in the archive"));
    }
    say(&format!(
        "{}: {} of {}, {:.1} MiB",
        out.display(),
        plural(archived.results, "result"),
        plural(archived.tests, "test"),
        mib(archived.bytes)
    ))
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1u32 << 20)
}

#[derive(Serialize)]
struct VerifiedJson {
    level: u8,
    results: usize,
    tests: usize,
    bytes: u64,
    digests: LevelJson,
    summaries: LevelJson,
    pages: LevelJson,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
enum LevelJson {
    Equal { compared: usize },
    Differs { differences: Vec<String> },
    NotCompared { why: String },
}

impl From<&Compared> for LevelJson {
    fn from(compared: &Compared) -> LevelJson {
        match compared {
            Compared::Equal(compared) => LevelJson::Equal { compared: *compared },
            Compared::Differs(differences) => LevelJson::Differs { differences: differences.clone() },
            Compared::Unknown(why) => LevelJson::NotCompared { why: why.clone() },
        }
    }
}

fn verify(path: &Path, limits: Limits, depth: Depth, json: bool) -> Result<Exit, Trouble> {
    let opened = archive::open(path, limits, depth)?;
    let verified = archive::verify(&opened)?;
    let exit = if verified.differs() { Exit::Answer } else { Exit::Well };
    if json {
        say_json(&VerifiedJson {
            level: verified.level(),
            results: verified.results,
            tests: verified.tests,
            bytes: verified.bytes,
            digests: (&verified.digests).into(),
            summaries: (&verified.summaries).into(),
            pages: (&verified.pages).into(),
        })?;
        return Ok(exit);
    }
    say(&told(path, &verified))?;
    Ok(exit)
}

/// Differences shown of one level.
const DIFFERENCES_SHOWN: usize = 20;

fn told(path: &Path, verified: &Verified) -> String {
    let mut out = format!(
        "{}: {} of {}, {:.1} MiB\n",
        path.display(),
        plural(verified.results, "result"),
        plural(verified.tests, "test"),
        mib(verified.bytes)
    );
    let levels = [
        ("1 digests and keys", &verified.digests, "file"),
        ("2 summaries", &verified.summaries, "summary"),
        ("3 pages", &verified.pages, "page"),
    ];
    for (name, compared, noun) in levels {
        let line = match compared {
            Compared::Equal(count) if noun == "file" => format!("{}, all as they say", plural(*count, noun)),
            Compared::Equal(count) if noun == "summary" => format!("{count} derived again from raw samples, all equal"),
            Compared::Equal(count) => format!("{} rendered again, equal byte for byte", plural(*count, "file")),
            Compared::Differs(differences) => format!("{} found", plural(differences.len(), "difference")),
            Compared::Unknown(why) => why.clone(),
        };
        out.push_str(&format!("  {name:<19} {line}\n"));
        if let Compared::Differs(differences) = compared {
            for difference in differences.iter().take(DIFFERENCES_SHOWN) {
                out.push_str(&format!("    {difference}\n"));
            }
            if differences.len() > DIFFERENCES_SHOWN {
                out.push_str(&format!("    ... and {} more\n", differences.len() - DIFFERENCES_SHOWN));
            }
        }
    }
    out.push_str(&match (verified.differs(), verified.level()) {
        (true, _) => "it is not what it says".to_string(),
        (false, level) => format!("verified up to level {level} of 3"),
    });
    out
}

fn import(path: &Path, place: &PlaceArgs, origin: Option<&str>, limits: Limits) -> Result<Exit, Trouble> {
    let opened = archive::open(path, limits, Depth::Whole)?;
    let name = Origin::name(origin.unwrap_or(&opened.description.experiment))?;
    let store = place::place(place)?;
    let imported = archive::import(&opened, &store, &name)?;
    let what = match imported.results {
        0 => format!("the origin {name} is there already"),
        count => format!("imported {} under the origin {name}", plural(count, "result")),
    };
    say(&format!("{what}\nits report: septet report {} -o out/{name}", imported.file.display()))
}
