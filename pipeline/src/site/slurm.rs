//! The cluster whose nodes a site's hosts are: `[slurm]`. What is written here becomes arguments of Slurm's programs, so
//! that a text which could be an option or a second word is refused. It must not ask the cluster.

use super::testbed::{CLASS, COUNT_MAX, Host, Reach, Testbed, UPLINKS, is_word};
use crate::experiment::diagnostic::quoted;
use crate::experiment::document::{self, Findings, Node, Section};

/// Keys of `[slurm]`.
pub const CLUSTER_KEYS: [&str; 5] = ["nodes", "partition", "account", "qos", "constraint"];
/// What Slurm calls something, as a regular expression: no option, one word.
pub(super) const WORD: &str = "^[A-Za-z0-9_][A-Za-z0-9._-]*$";
/// A list of nodes, as a regular expression.
pub(super) const NODES: &str = "^[A-Za-z0-9_][A-Za-z0-9._-]*(\\[[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*\\])?$";

/// Where in a cluster jobs are submitted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The partition; the cluster's default if absent.
    pub partition: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// The quality of service.
    pub qos: Option<String>,
    /// A feature that nodes for tests on one host have.
    pub constraint: Option<String>,
}

/// One word that is no option.
pub(super) fn word(node: &Node<'_>, what: &str, findings: &mut Findings<'_>) -> Option<String> {
    let text = document::string(node, what, findings)?;
    if !is_word(text) || text.len() > 255 {
        let help = "letters, digits, '.', '_' and '-', a letter or digit first".to_string();
        findings.error(node.span(), format!("{} cannot be {what}", quoted(text)), Some(help));
        return None;
    }
    Some(text.to_string())
}

/// The table, if there is one: then all hosts are the cluster's nodes.
pub(super) fn read(file: &Section<'_, '_>, testbed: &mut Testbed, findings: &mut Findings<'_>) -> Option<Cluster> {
    let node = file.get("slurm")?;
    let section = Section::of("[slurm]", node, findings)?;
    section.only(&CLUSTER_KEYS, findings);
    let mut one = |key: &str, what: &str| section.get(key).and_then(|node| word(node, what, findings));
    let cluster = Cluster {
        partition: one("partition", "a partition"),
        account: one("account", "an account"),
        qos: one("qos", "a quality of service"),
        constraint: one("constraint", "a feature"),
    };
    for host in testbed.hosts.values_mut() {
        if host.reach != Reach::Ssh(host.name.clone()) {
            let help = "leave ssh and here out: its agent is started by Slurm".to_string();
            let name = quoted(&host.name);
            findings.error(
                node.span(),
                format!("host {name} is a node of the cluster, called as the host"),
                Some(help),
            );
        }
        host.reach = Reach::Slurm;
    }
    if let Some(list) = section.get("nodes")
        && let Some(text) = document::string(list, "nodes", findings)
    {
        match nodes(text) {
            Some(names) => names.into_iter().for_each(|name| {
                testbed.hosts.entry(name.clone()).or_insert_with(|| Host {
                    name,
                    reach: Reach::Slurm,
                    sudo: None,
                    class: CLASS.to_string(),
                    cores: None,
                    uplink: UPLINKS[0],
                });
            }),
            None => {
                let help = format!("write NAME, NAME[1-9] or NAME[01-09,12], at most {COUNT_MAX} nodes");
                findings.error(list.span(), format!("{} is no list of nodes", quoted(text)), Some(help));
            }
        }
    }
    if testbed.hosts.is_empty() {
        let help = "write nodes = \"n[1-100]\", or a [hosts.NAME] for each".to_string();
        findings.missing(node.span(), "no node of the cluster is named".to_string(), Some(help));
    }
    Some(cluster)
}

/// The names in a list as Slurm writes them: one prefix, one pair of brackets.
fn nodes(text: &str) -> Option<Vec<String>> {
    let Some((prefix, rest)) = text.split_once('[') else { return is_word(text).then(|| vec![text.to_string()]) };
    let ranges = rest.strip_suffix(']').filter(|_| is_word(prefix))?;
    let mut names = Vec::new();
    for range in ranges.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok())?;
        let (from, to, width) = (number(first)?, number(last)?, first.len());
        if to < from || names.len() + (to - from) as usize >= COUNT_MAX {
            return None;
        }
        names.extend((from..=to).map(|at| format!("{prefix}{at:0width$}")));
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_nodes_are_those_of_slurm() {
        assert_eq!(nodes("n1"), Some(vec!["n1".to_string()]));
        let many = nodes("rack-[08-11,2]").expect("a list");
        assert_eq!(many, ["rack-08", "rack-09", "rack-10", "rack-11", "rack-2"]);
        for wrong in
            ["", "-n", "n[", "n[]", "n[2-1]", "n[1-]", "n[a]", "n[1]x", "[1-2]", "n[1-100000]", "a b", "n[1][2]"]
        {
            assert_eq!(nodes(wrong), None, "{wrong:?}");
        }
    }
}
