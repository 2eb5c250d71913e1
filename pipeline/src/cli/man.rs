//! Manual pages: one a command, made of the command line's definition, and one of the experiment file, made of
//! its schema. It must not know what commands do.

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use serde_json::Value;

use super::{Cli, say};
use crate::beneath::{self, Folder};
use crate::exit::{Exit, Trouble};
use crate::experiment::schema;
use crate::planned::plural;

/// The date of the pages: the day on which what they say was last looked at as a whole, never the day of a build.
const DATE: &str = "2026-11-27";
/// Where lines of a page are broken: sources are read, too.
const COLUMNS: usize = 78;

/// What `septet` reads of its environment.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("SEPTET_STORE", "The store, where no --store names one."),
    ("XDG_CONFIG_HOME, HOME", "Where septet/site.toml is; ~/.config if XDG_CONFIG_HOME is not set."),
    ("XDG_CACHE_HOME", "Where fingerprints are remembered; ~/.cache if it is not set. It can be deleted at any time."),
    ("TMPDIR", "Where archives are unpacked while they are verified."),
    (
        "NO_COLOR",
        "If it is set, no colours and no moving bar: a line for each repetition, as in a log. TERM=dumb does the same.",
    ),
    (
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN",
        "Keys for a shared store whose address begins with s3://; the token only where keys are temporary.",
    ),
    ("AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN", "A web identity in place of keys."),
    ("AWS_SKIP_SIGNATURE", "If it is true, no keys: for a store that everybody may read."),
    ("AWS_EC2_METADATA_DISABLED", "If it is false, this machine's cloud is asked for keys. It is not asked otherwise."),
    (
        "AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL",
        "The server of s3://, with http:// or https://; the first that is set counts, and Amazon's is used where none is.",
    ),
    ("AWS_REGION", "The region of s3://; us-east-1 if it is not set."),
];

/// Files that commands read and write.
const FILES: &[(&str, &str)] = &[
    (
        ".septet/",
        "The store, beside the experiment: results, which are never edited, and an index, which can be deleted.",
    ),
    ("out/NAME/", "The report of the experiment NAME: index.html, report.tex, figures, tables, summary.json."),
    ("templates/", "Beside the experiment: templates that take the place of the built-in ones of the same name."),
    ("~/.config/septet/site.toml", "What this site calls stacks, applications and the shared store."),
    ("/etc/septet/host.toml", "Root's: what an agent of root's may run for an ordinary user."),
];

/// `septet man`: `septet.1`, `septet-run.1`, `septet-store-gc.1`, ... and `septet-experiment.5`.
pub(super) fn man(folder: &Path) -> Result<Exit, Trouble> {
    let failed =
        |error: io::Error| Trouble::host(format!("failed to write manual pages into {}: {error}", folder.display()));
    let refused = |error: beneath::Error| Trouble::host(error.to_string());
    let pages = pages().map_err(failed)?;
    let folder = Folder::make(folder).map_err(refused)?;
    for (name, page) in &pages {
        let file = folder.name([name]).map_err(refused)?;
        folder.replace_if_different(&file, page.as_bytes()).map_err(refused)?;
    }
    say(&format!("wrote {} into {}", plural(pages.len(), "page"), folder.shown().display()))
}

/// Every page with the name of its file.
fn pages() -> io::Result<Vec<(String, String)>> {
    let mut command = Cli::command();
    command.build();
    let mut pages = vec![("septet-experiment.5".to_string(), experiment())];
    let mut open = vec![("septet".to_string(), command)];
    while let Some((name, command)) = open.pop() {
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            open.push((format!("{name}-{}", sub.get_name()), sub.clone()));
        }
        pages.push((format!("{name}.1"), of_command(&name, command)?));
    }
    Ok(pages)
}

fn title(name: &str, section: u32) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        ".TH \"{}\" \"{section}\" \"{DATE}\" \"Septet {version}\" \"Manual of Septet\"\n",
        escaped(&name.to_uppercase())
    )
}

fn of_command(name: &str, command: Command) -> io::Result<String> {
    let is_root = name == "septet";
    let has_subcommands = command.has_subcommands();
    let man = clap_mangen::Man::new(command);
    let mut body = Vec::new();
    man.render_name_section(&mut body)?;
    man.render_synopsis_section(&mut body)?;
    man.render_description_section(&mut body)?;
    man.render_options_section(&mut body)?;
    if has_subcommands {
        man.render_subcommands_section(&mut body)?;
    }
    let mut page = title(name, 1);
    page.push_str(&String::from_utf8_lossy(&body));
    page.push_str(".SH \"EXIT STATUS\"\n");
    for exit in Exit::ALL {
        page.push_str(&item(&(exit as i32).to_string(), exit.meaning()));
    }
    for (heading, list) in [("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)] {
        page.push_str(&format!(".SH {heading}\n"));
        list.iter().for_each(|(term, words)| page.push_str(&item(term, words)));
    }
    let others = if is_root { "" } else { ".BR septet (1),\n" };
    page.push_str(&format!(".SH \"SEE ALSO\"\n{others}.BR septet\\-experiment (5)\n"));
    Ok(tidy(&page))
}

/// Text without what roff would take for its own.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('~', "\\(ti").replace('^', "\\(ha")
}

fn item(term: &str, words: &str) -> String {
    format!(".TP\n\\fB{}\\fR\n{}\n", escaped(term), escaped(words))
}

/// A page as `mandoc -T lint` likes it: no blank lines, no two breaks in a row, no blanks at ends, no long lines.
fn tidy(page: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in page.replace("\\*(Aq", "\\(aq").lines().map(str::trim_end) {
        let is_space = |line: &str| matches!(line, "" | ".br" | ".sp" | ".PP");
        let previous = lines.last().cloned().unwrap_or_default();
        if is_space(line) {
            match previous.as_str() {
                ".br" | ".sp" | ".PP" => {
                    lines.pop();
                    lines.push(".PP".to_string());
                }
                _ if line.is_empty() => lines.push(".PP".to_string()),
                _ => lines.push(line.to_string()),
            }
            continue;
        }
        // A heading or an item makes room by itself.
        if line.starts_with(".SH") || line.starts_with(".SS") || line.starts_with(".TP") || line.starts_with(".RE") {
            while lines.last().is_some_and(|last| is_space(last)) {
                lines.pop();
            }
        }
        if is_space(&previous) && lines.len() > 1 && lines[lines.len() - 2].starts_with(".S") {
            lines.pop();
        }
        match line.starts_with('.') {
            true => lines.push(line.to_string()),
            false => lines.extend(broken(line)),
        }
    }
    lines.join("\n") + "\n"
}

/// A line of text in several; none begins as a request to roff does.
fn broken(line: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let last = lines.len() - 1;
        let fits = lines[last].is_empty() || lines[last].len() + 1 + word.len() <= COLUMNS;
        if fits || word.starts_with(['.', '\'']) {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        } else {
            lines.push(word.to_string());
        }
    }
    lines
}

/// The page of the experiment file.
fn experiment() -> String {
    let schema = schema::experiment();
    let mut page = title("septet-experiment", 5);
    page.push_str(
        ".SH NAME\nseptet\\-experiment \\- what is measured, and what is made of it\n.SH DESCRIPTION\nAn experiment is \
         a TOML file. Its tests are all combinations of the values of its axes, its figures, tables and claims are made \
         of what was measured. What stands below is all that can stand in it.\n.PP\nNumbers may have underscores, and \
         units: rates pps, kpps, Mpps, Gpps or k, M, G; sizes B; times ns, us, ms, s, min, h, which need theirs.\n",
    );
    // In the order in which one writes them.
    for key in crate::experiment::KEYS {
        let table = &schema["properties"][key];
        let (heading, table) = match table.get("items") {
            Some(items) => (format!("[[{key}]]"), items),
            None => (format!("[{key}]"), table),
        };
        page.push_str(&format!(".SH \"{heading}\"\n{}.\n", escaped(described(table))));
        let required: Vec<&str> =
            table["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, value) in table["properties"].as_object().into_iter().flatten() {
            let mut words = vec![described(value).to_string()];
            words.retain(|words| !words.is_empty());
            words.extend(choices(value));
            if required.contains(&name.as_str()) {
                words.push("Required".to_string());
            }
            page.push_str(&item(name, &format!("{}.", words.join(". "))));
        }
    }
    page.push_str(".SH EXAMPLE\n.nf\n");
    for line in crate::experiment::STARTER.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let (code, _) = line.split_once(" #").unwrap_or((line, ""));
        page.push_str(&format!("\\&{}\n", escaped(code.trim_end())));
    }
    page.push_str(".fi\n.SH \"SEE ALSO\"\n.BR septet (1),\n.BR septet\\-schema (1)\n");
    tidy(&page)
}

fn described(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

/// The values that can stand there, where they are few and known.
fn choices(schema: &Value) -> Option<String> {
    let all = [schema, &schema["anyOf"][0], &schema["items"]];
    let values = all.into_iter().find_map(|schema| schema["enum"].as_array())?;
    let shown: Vec<String> =
        values.iter().map(|value| value.as_str().map_or(value.to_string(), str::to_string)).collect();
    Some(format!("One of {}", shown.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_says_how_a_command_ends_and_what_it_reads() {
        let pages = pages().expect("pages");
        assert!(pages.iter().any(|(name, _)| name == "septet-store-gc.1"));
        for (name, page) in pages.iter().filter(|(name, _)| name.ends_with(".1")) {
            for heading in [".SH NAME\n", ".SH SYNOPSIS\n", ".SH \"EXIT STATUS\"\n", ".SH ENVIRONMENT\n", ".SH FILES\n"]
            {
                assert!(page.contains(heading), "{name} has no {heading}");
            }
        }
    }

    #[test]
    fn the_page_of_the_experiment_has_every_key() {
        let page = experiment();
        for key in ["duration", "repetitions", "exclude", "xscale", "published", "values", "test", "runtime"] {
            assert!(page.contains(&format!("\\fB{key}\\fR\n")), "{key}: {page}");
        }
    }
}
