//! Where in a cluster this program runs, by what Slurm puts into a job's environment; and what of an environment must not
//! reach Slurm's programs. It must not start anything.

use std::ffi::OsString;

/// A job that this program is part of, or has the nodes of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterPlace {
    /// The job, if there is one.
    pub job: Option<u32>,
    /// The node that this program runs on, if that is one of the job's.
    pub node: Option<String>,
}

impl ClusterPlace {
    /// Nowhere in a cluster: on a login node, say.
    pub fn outside() -> ClusterPlace {
        ClusterPlace::default()
    }

    /// With the nodes of a job, on none of them.
    pub fn holding(job: u32) -> ClusterPlace {
        ClusterPlace { job: Some(job), node: None }
    }

    /// That of this process.
    pub fn of_environment() -> ClusterPlace {
        ClusterPlace::of(&|name| std::env::var(name).ok())
    }

    fn of(variable: &dyn Fn(&str) -> Option<String>) -> ClusterPlace {
        let job = variable("SLURM_JOB_ID").and_then(|id| id.parse().ok());
        // A shell that salloc has started is in a job's environment, and on none of its nodes.
        ClusterPlace { node: variable("SLURMD_NODENAME").filter(|_| job.is_some()), job }
    }
}

/// The job's nodes as Slurm lists them, for a job's process.
pub fn nodes_of_environment() -> Option<String> {
    std::env::var("SLURM_JOB_NODELIST").ok()
}

/// The environment variables that would change what Slurm's programs are asked.
pub fn unwanted(names: impl Iterator<Item = OsString>) -> Vec<OsString> {
    const PREFIXES: [&str; 6] = ["SBATCH_", "SALLOC_", "SQUEUE_", "SCANCEL_", "SACCT_", "SRUN_"];
    let is_unwanted = |name: &OsString| {
        let Some(name) = name.to_str() else { return false };
        let is_of_slurm = name.starts_with("SLURM_") || name.starts_with("SLURMD_");
        // Which cluster it is stays said.
        PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || is_of_slurm && name != "SLURM_CONF"
    };
    names.filter(is_unwanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_set_for_their_own_jobs_is_not_for_ours() {
        let names = ["SBATCH_PARTITION", "SLURM_CONF", "SLURM_JOB_ID", "SLURMD_NODENAME", "SRUN_CPUS_PER_TASK", "HOME"];
        let unwanted = unwanted(names.iter().map(OsString::from));
        assert_eq!(unwanted, ["SBATCH_PARTITION", "SLURM_JOB_ID", "SLURMD_NODENAME", "SRUN_CPUS_PER_TASK"]);
    }

    #[test]
    fn a_job_has_a_number_and_its_process_a_node() {
        let of = |pairs: &[(&str, &str)]| {
            ClusterPlace::of(&|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string()))
        };
        assert_eq!(of(&[]), ClusterPlace::outside());
        assert_eq!(of(&[("SLURM_JOB_ID", "7")]), ClusterPlace::holding(7));
        assert_eq!(of(&[("SLURM_JOB_ID", "x"), ("SLURMD_NODENAME", "n1")]), ClusterPlace::outside());
        let on_node = ClusterPlace { job: Some(7), node: Some("n1".into()) };
        assert_eq!(of(&[("SLURM_JOB_ID", "7"), ("SLURMD_NODENAME", "n1")]), on_node);
    }
}
