//! Commands about archives: create, verify, import.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::{PlaceArgs, Target, place, remark, say, say_json, share};
use crate::archive::signature::{self, Signed};
use crate::archive::{self, ArchiveError, ArchiveRequest, Compared, Depth, License, Limits, Origin, Verified};
use crate::beneath;
use crate::exit::{Exit, Trouble};
use crate::planned::plural;
use crate::workspace::Workspace;

/// `septet archive ...`, as it is asked for.
#[derive(Debug, Subcommand)]
pub(super) enum ArchiveCommand {
    /// Write an archive of an experiment's latest generation.
    Create {
        #[command(flatten)]
        target: Target,
        /// The archive [default: NAME.tar.zst].
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Licence of the data, as the SPDX list names it: CC-BY-4.0. A file LICENSE beside the experiment is its text.
        #[arg(long, value_name = "ID")]
        license: Option<String>,
        /// Put in the measured programs themselves, and their licences.
        #[arg(long)]
        with_components: bool,
        /// Sign it with this SSH key (the private one's file, or the public one's where an agent holds it), into FILE.sig.
        #[arg(long, value_name = "KEY")]
        sign: Option<PathBuf>,
        /// For double-blind review: leave out authors, contact, names of hosts and users, and their paths and addresses. It
        /// is refused where that cannot be.
        #[arg(long, conflicts_with_all = ["sign", "with_components"])]
        anonymous: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check digests and keys, derive every summary again, render every page again; exit 4 if anything differs.
    Verify {
        /// The archive, also packed again by another program (tar, tar.gz), or the folder that it was unpacked to.
        archive: PathBuf,
        /// Also ask that its signature (ARCHIVE.sig) is by somebody in this list of SSH's allowed signers.
        #[arg(long, value_name = "FILE")]
        allowed_signers: Option<PathBuf>,
        /// Stop after digests and keys; samples, logs and pages are not even unpacked.
        #[arg(long)]
        digests_only: bool,
        /// Most bytes that it may unpack to, in $TMPDIR [default: 100 times its size, and 64 MiB].
        #[arg(long, value_name = "BYTES")]
        bytes_max: Option<u64>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Bring an archive's results into a store, under a name of their own, after checking them.
    Import {
        /// The archive.
        archive: PathBuf,
        #[command(flatten)]
        place: PlaceArgs,
        /// Name of the origin [default: the experiment's].
        #[arg(long = "as", value_name = "NAME")]
        origin: Option<String>,
        /// Most bytes that it may unpack to, in $TMPDIR [default: 100 times its size, and 64 MiB].
        #[arg(long, value_name = "BYTES")]
        bytes_max: Option<u64>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl From<ArchiveError> for Trouble {
    fn from(error: ArchiveError) -> Trouble {
        match error {
            ArchiveError::Store(error) => error.into(),
            ArchiveError::Workspace(error) => error.into(),
            ArchiveError::Report(error) => (*error).into(),
            ArchiveError::Io { .. } => Trouble::host(error.to_string()),
            ArchiveError::Damaged { .. } => Trouble { exit: Exit::Answer, text: error.to_string(), diagnostics: None },
            ArchiveError::Refused { .. } | ArchiveError::Unfit { .. } => Trouble::input(error.to_string()),
        }
    }
}

/// `septet archive ...`.
pub(super) fn run(command: ArchiveCommand) -> Result<Exit, Trouble> {
    match command {
        ArchiveCommand::Create { target, output, license, with_components, sign, anonymous, json } => {
            let (output, license) = (output.as_deref(), license.as_deref());
            let asked = Create { output, license, with_components, sign, anonymous, json };
            create(&target, &asked)
        }
        ArchiveCommand::Verify { archive, allowed_signers, digests_only, bytes_max, json } => {
            let depth = if digests_only { Depth::Digests } else { Depth::Whole };
            verify(&archive, allowed_signers.as_deref(), Limits { bytes_max }, depth, json)
        }
        ArchiveCommand::Import { archive, place, origin, bytes_max, json } => {
            import(&archive, &place, origin.as_deref(), Limits { bytes_max }, json)
        }
    }
}

#[derive(Serialize)]
struct CreatedJson<'a> {
    archive: String,
    bytes: u64,
    sha256: &'a str,
    results: usize,
    tests: usize,
    components_missing: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

/// How an archive is to be made.
struct Create<'a> {
    output: Option<&'a Path>,
    license: Option<&'a str>,
    with_components: bool,
    sign: Option<PathBuf>,
    anonymous: bool,
    json: bool,
}

fn create(target: &Target, asked: &Create) -> Result<Exit, Trouble> {
    let Create { output, license, with_components, ref sign, anonymous, json } = *asked;
    let workspace = Workspace::load(&target.file, target.store.store.as_deref())?;
    let generation = share::generation(target, &workspace)?;
    let license = License::find(license, target.file.parent().unwrap_or(Path::new("")))?;
    let license = if anonymous { withheld(license) } else { license };
    if !license.given {
        remark(
            "septet: no licence is given, so that nobody may use the archive: name one by --license CC-BY-4.0, or put a \
             file LICENSE beside the experiment",
        );
    }
    let out = output.map_or_else(|| PathBuf::from(format!("{}.tar.zst", workspace.experiment.name)), Path::to_path_buf);
    let named = output.map_or_else(|| out.clone(), beneath::followed);
    let archived = match anonymous {
        true => archive::anonymous::create(&workspace, &generation, &named, &license)?,
        false => {
            let wanted = ArchiveRequest { out: &named, license: &license, with_components, withheld: None };
            archive::create(&workspace, &generation, &wanted)?
        }
    };
    if let Some(why) = &archived.unnoted {
        remark(&format!("septet: {why}; `store gc` does not know that this generation was archived"));
    }
    if archived.naming_boots > 0 {
        remark(&format!(
            "septet: {} of before boots were given pseudonyms, and hold this machine's boot_id; it cannot be taken out of \
             them",
            plural(archived.naming_boots, "record")
        ));
    }
    let signature = sign.as_deref().map(|key| signature::sign(&out, key)).transpose()?;
    let signature = signature.map(|path| path.display().to_string());
    if json {
        return say_json(&CreatedJson {
            archive: out.display().to_string(),
            bytes: archived.bytes,
            sha256: &archived.sha256,
            results: archived.results,
            tests: archived.tests,
            components_missing: &archived.missing,
            signature,
        });
    }
    for missing in &archived.missing {
        remark(&format!("septet: {missing} is not on this machine as it was measured, and not in the archive"));
    }
    say(&format!(
        "{}: {} of {}, {:.1} MiB\nSHA-256 {}",
        out.display(),
        plural(archived.results, "result"),
        plural(archived.tests, "test"),
        mib(archived.bytes),
        archived.sha256
    ))?;
    match signature {
        Some(signature) => say(&format!("signed: {signature}")),
        None => Ok(Exit::Well),
    }
}

/// A licence without the author's own text, which names them.
pub(super) fn withheld(license: License) -> License {
    if license.own {
        remark("septet: the text of the licence beside the experiment is left out, since it may name its authors");
    }
    License::of(license.spdx)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1u32 << 20)
}

#[derive(Serialize)]
struct VerifiedJson<'a> {
    level: u8,
    results: usize,
    tests: usize,
    bytes: u64,
    digests: LevelJson,
    summaries: LevelJson,
    pages: LevelJson,
    on_trust: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    repacked: Option<&'a str>,
    /// SHA-256 of the file; absent for a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<SignatureJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
enum SignatureJson {
    Good { signer: String, key: String },
    Bad { why: String },
}

impl From<&Signed> for SignatureJson {
    fn from(signed: &Signed) -> SignatureJson {
        match signed.clone() {
            Signed::By { signer, key } => SignatureJson::Good { signer, key },
            Signed::Not(why) => SignatureJson::Bad { why },
        }
    }
}

impl<'a> From<&'a Verified> for VerifiedJson<'a> {
    fn from(verified: &'a Verified) -> VerifiedJson<'a> {
        VerifiedJson {
            level: verified.level(),
            results: verified.results,
            tests: verified.tests,
            bytes: verified.bytes,
            digests: (&verified.digests).into(),
            summaries: (&verified.summaries).into(),
            pages: (&verified.pages).into(),
            on_trust: &verified.on_trust,
            repacked: verified.repacked.as_deref(),
            sha256: None,
            signature: None,
        }
    }
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

fn verify(path: &Path, allowed: Option<&Path>, limits: Limits, depth: Depth, json: bool) -> Result<Exit, Trouble> {
    let mut verified = match archive::open(path, limits, depth) {
        Ok(opened) => archive::verify(&opened)?,
        // What is too damaged to be compared is an answer like any other.
        Err(ArchiveError::Damaged { differences, .. }) => Verified::nothing(differences),
        Err(error) => return Err(error.into()),
    };
    let signed = allowed.map(|allowed| signature::check(path, allowed)).transpose()?;
    if signed.is_none() {
        verified.on_trust.push(match signature::beside(path).exists() {
            true => "who made it: it is signed, and --allowed-signers would say by whom".to_string(),
            false => "who made it: it is not signed".to_string(),
        });
    }
    let sha256 = archive::sha256(path)?;
    if json {
        let signature = signed.as_ref().map(SignatureJson::from);
        say_json(&VerifiedJson { sha256, signature, ..VerifiedJson::from(&verified) })?;
    } else {
        say(&told(path, sha256.as_deref(), signed.as_ref(), &verified))?;
    }
    let is_unsigned = matches!(signed, Some(Signed::Not(_)));
    Ok(if verified.differs() || is_unsigned { Exit::Answer } else { Exit::Well })
}

/// Differences shown of one level.
const DIFFERENCES_SHOWN: usize = 20;

fn told(path: &Path, sha256: Option<&str>, signed: Option<&Signed>, verified: &Verified) -> String {
    let mut out = format!(
        "{}: {} of {}, {:.1} MiB unpacked\n",
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
    if let Some(sha256) = sha256 {
        out.push_str(&format!("SHA-256 {sha256}\n"));
    }
    out.push_str(&match signed {
        Some(Signed::By { signer, key }) => format!("signed by {signer} ({key})\n"),
        Some(Signed::Not(why)) => format!("its signature proves nothing: {why}\n"),
        None => String::new(),
    });
    if let Some(repacked) = &verified.repacked {
        out.push_str(&format!("note: {repacked}; what it holds is compared all the same\n"));
    }
    for on_trust in &verified.on_trust {
        out.push_str(&format!("taken on trust: {on_trust}\n"));
    }
    out.push_str(&match (verified.differs(), verified.level()) {
        (true, 0) => "it is not what it says".to_string(),
        (true, level) => format!("it is not what it says; verified up to level {level} of 3"),
        (false, level) => format!("verified up to level {level} of 3"),
    });
    out
}

#[derive(Serialize)]
struct ImportedJson {
    origin: String,
    file: String,
    results: usize,
}

fn import(path: &Path, place: &PlaceArgs, origin: Option<&str>, limits: Limits, json: bool) -> Result<Exit, Trouble> {
    let opened = archive::open(path, limits, Depth::Whole)?;
    let name = Origin::name(origin.unwrap_or(&opened.description.experiment))?;
    let store = place::place(place)?;
    let imported = archive::import(&opened, &store, &name)?;
    if json {
        let (origin, file) = (name.to_string(), imported.file.display().to_string());
        return say_json(&ImportedJson { origin, file, results: imported.results });
    }
    let what = match imported.results {
        0 => format!("the origin {name} is there already"),
        count => format!("imported {} under the origin {name}", plural(count, "result")),
    };
    say(&format!("{what}\nits report: septet report {} -o out/{name}", imported.file.display()))
}
