//! `[switches.NAME]` and `[applications.NAME]`: what a site defines, by the readers that root's own file has as well. It must not know
//! what a definition says.

use std::collections::BTreeMap;

use host_setup::application;
use host_setup::switch::custom::{self, Definition};
use host_setup::written::Problem;

use crate::experiment::diagnostic::quoted;
use crate::experiment::document::{Findings, Section};

/// The switches of a site file.
pub(super) fn read(
    file: &Section<'_, '_>,
    file_name: &str,
    findings: &mut Findings<'_>,
) -> BTreeMap<String, Definition> {
    let mut switches = BTreeMap::new();
    let Some(section) = file.get("switches").and_then(|node| Section::of("[switches]", node, findings)) else {
        return switches;
    };
    // In a record a place says where somebody looks, not where their home is.
    let short = file_name.rsplit('/').next().unwrap_or(file_name);
    for (name, span, node) in section.entries() {
        if !custom::is_name(name) {
            let help = "1 to 48 of letters, digits, '.', '_' and '-', no '.' or '-' first".to_string();
            findings.error(span, format!("{} cannot name a switch", quoted(name)), Some(help));
            continue;
        }
        let Some(table) = node.get_ref().as_table() else {
            findings.error(node.span(), format!("[switches.{name}] is a table"), None);
            continue;
        };
        match custom::read(name, table, node.span(), findings.source, short) {
            Ok(definition) => drop(switches.insert(name.to_string(), definition)),
            Err(problems) => {
                problems.into_iter().for_each(|Problem { span, message, help }| findings.error(span, message, help))
            }
        }
    }
    switches
}

/// The applications of a site file.
pub(super) fn read_applications(
    file: &Section<'_, '_>,
    findings: &mut Findings<'_>,
) -> BTreeMap<String, application::Definition> {
    let mut applications = BTreeMap::new();
    let node = file.get("applications");
    let Some(section) = node.and_then(|node| Section::of("[applications]", node, findings)) else {
        return applications;
    };
    for (name, span, node) in section.entries() {
        if !application::is_application_name(name) {
            let help = "1 to 48 of small letters, digits, '.', '_' and '-', no '.' or '-' first".to_string();
            findings.error(span, format!("{} cannot name an application", quoted(name)), Some(help));
            continue;
        }
        let Some(table) = node.get_ref().as_table() else {
            findings.error(node.span(), format!("[applications.{name}] is a table"), None);
            continue;
        };
        match application::read(name, table, node.span(), findings.source) {
            Ok(definition) => drop(applications.insert(name.to_string(), definition)),
            Err(problems) => {
                problems.into_iter().for_each(|Problem { span, message, help }| findings.error(span, message, help))
            }
        }
    }
    applications
}
