//! What sbatch is given: arguments and a script, as text. Pure. Every argument is one of ours, a number, a digest or a
//! word that the site file was checked for; paths are quoted for a shell. It must not start anything.

use std::path::Path;

use super::shard::Batch;
use crate::key::BatchId;
use crate::site::Cluster;

/// How the names of our jobs begin.
pub const NAME: &str = "septet-";
/// How their comments begin; behind it is the whole name of the batch.
const COMMENT: &str = "septet:1:";
/// Name of the jobs that ask a node what it is.
pub const FACTS_NAME: &str = "septet-facts";
/// Longest time for asking, minutes.
pub const FACTS_MIN: u32 = 5;

/// A path, or a word, that cannot stand in a script.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to write a job's script: {0} is not plain text, and a shell is to read it")]
pub struct Unspeakable(pub String);

/// What the script of a job starts, all paths absolute.
#[derive(Clone, Copy, Debug)]
pub struct Commanded<'a> {
    /// This program, which nodes see at the same place.
    pub septet: &'a Path,
    /// The experiment.
    pub file: &'a Path,
    /// The store.
    pub store: &'a Path,
    /// Whether it goes on after a failed test.
    pub keep_going: bool,
}

/// How a batch is told from all other jobs.
pub fn comment(batch: &BatchId) -> String {
    format!("{COMMENT}{batch}")
}

/// The batch of a job, by its comment.
pub fn batch_of(comment: &str) -> Option<BatchId> {
    comment.strip_prefix(COMMENT)?.parse().ok()
}

/// What is said of the place of a job: as many hosts, and which.
fn placed(hosts: u8, cluster: &Cluster, features: &[&str]) -> Vec<String> {
    let mut arguments =
        vec![format!("--nodes={hosts}"), format!("--ntasks={hosts}"), "--ntasks-per-node=1".to_string()];
    arguments.push("--exclusive".to_string());
    for (option, word) in
        [("--partition", &cluster.partition), ("--account", &cluster.account), ("--qos", &cluster.qos)]
    {
        arguments.extend(word.as_ref().map(|word| format!("{option}={word}")));
    }
    match hosts {
        // Two nodes of one cable: any two would have no cable between them.
        2 => arguments.push(format!("--constraint=[{}]", features.join("|"))),
        _ => arguments.extend(cluster.constraint.as_ref().map(|word| format!("--constraint={word}"))),
    }
    arguments
}

/// Arguments of sbatch. What is printed of a job goes to a file of the folder `logs`.
pub fn submission(
    batch: &Batch,
    id: &BatchId,
    cluster: &Cluster,
    features: &[&str],
    logs: &Path,
) -> Result<Vec<String>, Unspeakable> {
    let logs = logs.to_str().ok_or_else(|| Unspeakable(logs.display().to_string()))?;
    let mut arguments = vec![
        "--parsable".to_string(),
        format!("--job-name={NAME}{}", id.short()),
        format!("--comment={}", comment(id)),
        "--no-requeue".to_string(),
        format!("--time={}", batch.limit_min),
        format!("--array=0-{}", batch.shards.len().saturating_sub(1)),
    ];
    arguments.extend(placed(batch.hosts, cluster, features));
    arguments.push(format!("--chdir={logs}"));
    // Relative to that folder, so that a '%' in its path is none of a pattern's.
    arguments.extend(["--output=%A_%a.log", "--error=%A_%a.log", "--open-mode=truncate"].map(str::to_string));
    Ok(arguments)
}

/// Arguments of salloc for asking nodes what they are; any nodes if none are named.
pub fn allocation(hosts: u8, cluster: &Cluster, features: &[&str], nodes: &[String], comment: &str) -> Vec<String> {
    let mut arguments = vec![
        "--no-shell".to_string(),
        format!("--job-name={FACTS_NAME}"),
        format!("--comment={comment}"),
        format!("--time={FACTS_MIN}"),
    ];
    arguments.extend(placed(hosts, cluster, features));
    if !nodes.is_empty() {
        arguments.push(format!("--nodelist={}", nodes.join(",")));
    }
    arguments
}

/// The script of a batch.
///
/// # Errors
/// When a path is no text.
pub fn script(batch: &Batch, commanded: Commanded) -> Result<String, Unspeakable> {
    let Commanded { septet, file, store, keep_going } = commanded;
    let [septet, file, store] = [quoted(septet)?, quoted(file)?, quoted(store)?];
    let shards: Vec<String> = batch.shards.iter().map(ToString::to_string).collect();
    let keep_going = if keep_going { " --keep-going" } else { "" };
    // The job itself is the program, so that it hears what Slurm sends.
    Ok(format!(
        "#!/bin/sh\n\
         # One of the shards of a run of Septet, by its place in the array.\n\
         set -- \\\n{}\n\
         shift \"$SLURM_ARRAY_TASK_ID\"\n\
         exec {septet} run {file} --store {store} --shard \"$1\"{keep_going}\n",
        shards.join(" \\\n")
    ))
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> Result<String, Unspeakable> {
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control));
    let text = text.ok_or_else(|| Unspeakable(path.display().to_string()))?;
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::ShardId;
    use crate::slurm::shard::FORMAT;

    fn batch(hosts: u8, shards: u8) -> Batch {
        Batch {
            format: FORMAT,
            experiment: "quick".to_string(),
            user: 5,
            submission: "one".to_string(),
            hosts,
            limit_min: 42,
            shards: (0..shards).map(|number| ShardId([number; 32])).collect(),
        }
    }

    #[test]
    fn sbatch_is_asked_for_an_array_with_a_limit_that_is_found_again() {
        let cluster =
            Cluster { partition: Some("testbed".into()), constraint: Some("xeon".into()), ..Cluster::default() };
        let id = BatchId([0xab; 32]);
        let words = submission(&batch(1, 3), &id, &cluster, &[], Path::new("/home/me/100%/.septet/slurm/logs"));
        let digest = "ab".repeat(32);
        assert_eq!(
            words.expect("it is text").join("\n"),
            format!(
                "--parsable\n--job-name=septet-abababababab\n--comment=septet:1:{digest}\n--no-requeue\n--time=42\n\
                 --array=0-2\n--nodes=1\n--ntasks=1\n--ntasks-per-node=1\n--exclusive\n--partition=testbed\n\
                 --constraint=xeon\n--chdir=/home/me/100%/.septet/slurm/logs\n--output=%A_%a.log\n--error=%A_%a.log\n\
                 --open-mode=truncate"
            )
        );
        assert_eq!(batch_of(&comment(&id)), Some(id));
        assert_eq!((batch_of("septet:1:x"), batch_of("another's")), (None, None));
    }

    #[test]
    fn two_hosts_are_those_of_one_cable() {
        let words =
            submission(&batch(2, 1), &BatchId([1; 32]), &Cluster::default(), &["cab1", "cab2"], Path::new("/l"));
        let words = words.expect("it is text");
        assert!(words.contains(&"--constraint=[cab1|cab2]".to_string()) && words.contains(&"--nodes=2".to_string()));
    }

    #[test]
    fn a_script_starts_one_program_on_one_shard() {
        let commanded = Commanded {
            septet: Path::new("/opt/septet"),
            file: Path::new("/home/it's mine/a.toml"),
            store: Path::new("/home/$(x)"),
            keep_going: true,
        };
        let text = script(&batch(1, 2), commanded).expect("it is text");
        let (zeros, ones) = ("00".repeat(32), "01".repeat(32));
        assert_eq!(
            text,
            format!(
                "#!/bin/sh\n# One of the shards of a run of Septet, by its place in the array.\nset -- \\\n{zeros} \
                 \\\n{ones}\nshift \"$SLURM_ARRAY_TASK_ID\"\nexec '/opt/septet' run '/home/it'\\''s mine/a.toml' \
                 --store '/home/$(x)' --shard \"$1\" --keep-going\n"
            )
        );
        let lines = Commanded { file: Path::new("/a\n/b"), ..commanded };
        assert!(script(&batch(1, 1), lines).is_err());
    }
}
