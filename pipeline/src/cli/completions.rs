//! What shells and `man` know of the command line, made of its definition.

use std::path::Path;

use clap::CommandFactory;

use super::{Cli, say};
use crate::beneath::{self, Folder};
use crate::exit::{Exit, Trouble};
use crate::planned::plural;

/// `septet completions`.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<Exit, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "septet", &mut script);
    say(&String::from_utf8_lossy(&script))
}

/// `septet man`: a page a command, `septet.1`, `septet-run.1`, `septet-store-gc.1`.
pub(super) fn man(folder: &Path) -> Result<Exit, Trouble> {
    let failed = |error: std::io::Error| {
        Trouble::host(format!("failed to write manual pages into {}: {error}", folder.display()))
    };
    let refused = |error: beneath::Error| Trouble::host(error.to_string());
    let folder = Folder::make(folder).map_err(refused)?;
    let mut command = Cli::command();
    command.build();
    let mut pages = 0;
    let mut open = vec![("septet".to_string(), command)];
    while let Some((name, command)) = open.pop() {
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            open.push((format!("{name}-{}", sub.get_name()), sub.clone()));
        }
        let mut page = Vec::new();
        // The date and the name that it would find out by itself are of the day and of the way it was called.
        let man = clap_mangen::Man::new(command).title(name.to_uppercase()).section("1").date("");
        man.render(&mut page).map_err(failed)?;
        page.extend(exit_status().into_bytes());
        let file = folder.name([&format!("{name}.1")]).map_err(refused)?;
        folder.replace_if_different(&file, &page).map_err(refused)?;
        pages += 1;
    }
    say(&format!("wrote {} into {}", plural(pages, "page"), folder.shown().display()))
}

/// What every page ends with.
fn exit_status() -> String {
    let codes = Exit::ALL.map(|exit| format!(".TP\n{}\n{}\n", exit as i32, exit.meaning().replace('-', "\\-")));
    format!(".SH \"EXIT STATUS\"\n{}", codes.concat())
}
