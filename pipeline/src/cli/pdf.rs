//! `--pdf`: compiles a report's LaTeX. In a folder of its own, of copies, since what lies in the report's may be
//! somebody else's: TeX writes files beside what it reads, and latexmk runs what it finds as its settings. It must not
//! know what is in a report.

use std::process::Command;

use crate::beneath::{self, FileKind, Folder, Stage};
use crate::exit::Trouble;

/// The document, and what comes of it.
const SOURCE: &str = "report.tex";
const PDF: &str = "report.pdf";
/// Folders of what it includes, and ends of the names of that.
const FOLDERS: [&str; 2] = ["figures", "tables"];
const EXTENSIONS: [&str; 3] = [".tex", ".csv", ".sty"];
/// Most bytes of one of these files, and of the PDF.
const BYTES_MAX: u64 = 1 << 28;
/// Last lines of what TeX says that are shown.
const LINES: usize = 15;

/// Compiles report.tex to report.pdf. The program's name is ours; nothing of the experiment reaches its command line,
/// and TeX may neither run programs nor read outside of the report and its own installation.
pub(super) fn compile(folder: &Folder) -> Result<(), Trouble> {
    let stage = Stage::make_temporary()?;
    let work = stage.folder().make_folder(&stage.folder().name(["report"])?)?;
    copy(folder, &work)?;
    for name in FOLDERS {
        let name = folder.name([name])?;
        if let Some(from) = folder.folder_if_there(&name)? {
            copy(&from, &work.make_folder(&name)?)?;
        }
    }
    let output = Command::new("latexmk")
        .args(["-norc", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", SOURCE])
        .current_dir(work.shown())
        .env("openin_any", "p")
        .env("openout_any", "p")
        .output()
        .map_err(|error| {
            Trouble::host(format!("failed to start latexmk: {error}; install latexmk and texlive-latex-extra"))
        })?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(LINES)..].join("\n  | ");
        let source = folder.path_of(&folder.name([SOURCE])?);
        return Err(Trouble::host(format!("failed to compile {}:\n  | {last}", source.display())));
    }
    let pdf = folder.name([PDF])?;
    folder.replace_if_different(&pdf, &work.read(&pdf, BYTES_MAX)?)?;
    Ok(())
}

/// Copies what TeX reads of one folder.
fn copy(from: &Folder, to: &Folder) -> Result<(), beneath::Error> {
    for entry in from.list()?.into_iter().filter(|entry| entry.kind == FileKind::File) {
        let is_read = entry.text().is_some_and(|name| EXTENSIONS.iter().any(|end| name.ends_with(end)));
        if let Some(name) = entry.below().filter(|_| is_read) {
            to.replace_if_different(&name, &from.read(&name, BYTES_MAX)?)?;
        }
    }
    Ok(())
}
