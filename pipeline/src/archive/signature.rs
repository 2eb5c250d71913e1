//! Who made an archive: a signature beside it, by `ssh-keygen -Y`, over the very bytes of the file. It must not know
//! what an archive holds.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{ArchiveError, packed};
use crate::beneath::{self, Stage};

/// What a signature is for: one for something else does not count for an archive.
pub const NAMESPACE: &str = "septet-archive";
/// A signature of the longest keys has a few kilobytes.
const SIGNATURE_BYTES_MAX: u64 = 64 << 10;

/// What a signature says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The signature is of this file, by an allowed signer.
    By {
        /// The signer's name in the list.
        signer: String,
        /// What `ssh-keygen` says of the key.
        key: String,
    },
    /// The signature proves nothing, and why.
    Not(String),
}

/// Where the signature of an archive lies: beside it.
pub fn beside(archive: &Path) -> PathBuf {
    let mut name = archive.file_name().unwrap_or_default().to_os_string();
    name.push(".sig");
    archive.with_file_name(name)
}

/// Signs an archive with a key, or with what an agent holds for a public one; where the signature is.
pub fn sign(archive: &Path, key: &Path) -> Result<PathBuf, ArchiveError> {
    let unfit = |reason: String| ArchiveError::Unfit { what: format!("with the key {}", key.display()), reason };
    let mut command = ssh_keygen();
    command.args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"]).arg(key).stdin(packed::open(archive)?);
    let ran = command.stderr(Stdio::piped()).output().map_err(started)?;
    if !ran.status.success() {
        return Err(unfit(format!("ssh-keygen says: {}", said(&ran.stderr))));
    }
    let signature = beside(archive);
    let mut staged = beneath::replacing_output(&signature)?;
    staged.write(&ran.stdout)?;
    staged.publish()?;
    staged.finish_synced()?;
    Ok(signature)
}

/// Whether the signature beside an archive is of one of the signers in a list (`man ssh-keygen`, ALLOWED SIGNERS).
pub fn check(archive: &Path, allowed: &Path) -> Result<Signed, ArchiveError> {
    if archive.is_dir() {
        return Ok(Signed::Not("a signature is of the file as it was made, not of a folder".to_string()));
    }
    drop(beneath::open_plain_file(allowed)?);
    let beside = beside(archive);
    if !beside.exists() {
        return Ok(Signed::Not(format!("there is no {}", beside.display())));
    }
    // Read once, within bounds: what lies beside an archive is as little to be trusted as the archive.
    let bytes = beneath::plain_file(&beside, SIGNATURE_BYTES_MAX)?;
    let stage = Stage::make_temporary()?;
    let name = stage.folder().name(["signature"])?;
    stage.folder().write_new(&name, &bytes)?;
    let signature = stage.folder().path_of(&name);

    let asked = |what: &str| {
        let mut command = ssh_keygen();
        command.args(["-Y", what, "-n", NAMESPACE, "-s"]).arg(&signature).arg("-f").arg(allowed);
        command.stderr(Stdio::piped());
        command
    };
    let ran = asked("find-principals").stdin(Stdio::null()).output().map_err(started)?;
    let signer = said(&ran.stdout);
    // One key may be of several people: the first is as good as any.
    let Some(signer) = signer.lines().next().filter(|_| ran.status.success()) else {
        return Ok(Signed::Not("it is by nobody on the list, or no signature".to_string()));
    };
    let ran = asked("verify").arg("-I").arg(signer).stdin(packed::open(archive)?).output().map_err(started)?;
    Ok(match ran.status.success() {
        true => Signed::By { signer: signer.to_string(), key: key_of(&ran) },
        false => Signed::Not(format!("it is not of this file by {signer} ({})", said(&ran.stderr))),
    })
}

/// What follows "with" in what `ssh-keygen` says of a good signature.
fn key_of(ran: &Output) -> String {
    let told = said(&ran.stdout);
    told.rsplit_once(" with ").map_or_else(String::new, |(_, key)| key.to_string())
}

fn ssh_keygen() -> Command {
    let mut command = Command::new("ssh-keygen");
    command.env("LC_ALL", "C");
    command
}

fn started(error: std::io::Error) -> ArchiveError {
    ArchiveError::Unfit {
        what: "with a signature".to_string(),
        reason: format!("ssh-keygen cannot be started ({error}); OpenSSH's client has it"),
    }
}

/// What a program said, in one line without anything hidden.
fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim().chars().filter(|c| !c.is_control() || *c == '\n').take(400).collect()
}
