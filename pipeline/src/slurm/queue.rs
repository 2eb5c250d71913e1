//! What Slurm says of jobs, read: `squeue --json` of several versions, `sacct` with plain columns. Pure. What is said is
//! data: bounded by what a job can sensibly be. It must not know what a job measures.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ledger::{End, Seen};
use super::script;
use crate::key::BatchId;

/// Most elements of an array that are listed.
const TASKS_MAX: u32 = 100_000;

/// A job, or the elements of an array that still wait together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// By which scancel knows it.
    pub id: u32,
    /// The number of the job's array, or of the job itself.
    pub array: u32,
    /// The batch of ours that the job belongs to, if any.
    pub batch: Option<BatchId>,
    /// The job's name.
    pub name: String,
    /// The job's comment.
    pub comment: String,
    /// Whose it is, by number.
    pub user: u32,
    /// The array's elements; the last one may say that more follow than are listed.
    pub tasks: Tasks,
    /// What it does.
    pub seen: Seen,
}

/// Elements of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tasks {
    /// By number.
    pub list: Vec<u32>,
    /// All from this number on as well: the list was cut.
    pub from: Option<u32>,
}

/// Reads what `squeue --json` says.
///
/// # Errors
/// In words, when it is not what squeue says.
pub fn jobs(text: &[u8]) -> Result<Vec<Job>, String> {
    // An older one appends words of its own to the JSON.
    let mut stream = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    let value = stream.next().and_then(Result::ok).ok_or("squeue --json says no JSON")?;
    // Without a controller it ends well, and names no jobs.
    if let Some(error) = value["errors"].as_array().and_then(|errors| errors.first()) {
        let said = ["error", "description"].iter().find_map(|name| error[*name].as_str());
        return Err(said.unwrap_or("squeue --json says that something is wrong").to_string());
    }
    let list = value["jobs"].as_array().ok_or("squeue --json names no jobs")?;
    Ok(list.iter().filter_map(job).collect())
}

fn job(value: &Value) -> Option<Job> {
    let id = number(&value["job_id"])?;
    let array = number(&value["array_job_id"]).filter(|array| *array != 0).unwrap_or(id);
    let text = |name: &str| word(&value[name]).unwrap_or_default();
    let comment = match &value["comment"] {
        Value::Object(comments) => comments.get("job").and_then(Value::as_str).unwrap_or_default().to_string(),
        _ => text("comment"),
    };
    let waiting = text("array_task_string");
    let tasks = match number(&value["array_task_id"]) {
        Some(task) => Tasks { list: vec![task], from: None },
        None if waiting.is_empty() => Tasks { list: vec![0], from: None },
        None => tasks(&waiting),
    };
    let state = word(&value["job_state"]).unwrap_or_default();
    let seen = seen(&state, &text("state_reason"), &text("nodes"), exit_code(&value["exit_code"]));
    let user = number(&value["user_id"])?;
    Some(Job { id, array, batch: script::batch_of(&comment), name: text("name"), comment, user, tasks, seen })
}

/// A number, or one that newer versions wrap.
fn number(value: &Value) -> Option<u32> {
    let plain = match value {
        Value::Object(wrapped) if wrapped.get("set") == Some(&Value::Bool(false)) => return None,
        Value::Object(wrapped) => wrapped.get("number")?,
        other => other,
    };
    u32::try_from(plain.as_u64()?).ok()
}

/// A text, or the first one of a list, as newer versions have states.
fn word(value: &Value) -> Option<String> {
    let text = match value {
        Value::Array(list) => list.first()?.as_str()?,
        other => other.as_str()?,
    };
    Some(text.chars().take(1000).collect())
}

/// The exit code in what wait says, or as newer versions have it.
fn exit_code(value: &Value) -> u32 {
    match value {
        Value::Object(parts) => number(&parts["return_code"]).unwrap_or(0),
        other => number(other)
            .map_or(0, |status| if status & 0x7f == 0 { status >> 8 & 0xff } else { 128 + (status & 0x7f) }),
    }
}

/// `2-3,5,7-9:2%4`, with `...` where it was cut.
fn tasks(text: &str) -> Tasks {
    let text = text.split('%').next().unwrap_or_default();
    let mut tasks = Tasks { list: Vec::new(), from: None };
    for part in text.split(',') {
        if part.contains("...") {
            tasks.from = Some(tasks.list.last().map_or(0, |last| last + 1));
            break;
        }
        let (range, step) = part.split_once(':').unwrap_or((part, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (Ok(first), Ok(last), Ok(step)) = (first.parse::<u32>(), last.parse::<u32>(), step.parse::<usize>()) else {
            continue;
        };
        tasks.list.extend((first..=last.min(TASKS_MAX)).step_by(step.max(1)));
    }
    tasks
}

/// A state of Slurm's in ours.
fn seen(state: &str, reason: &str, nodes: &str, code: u32) -> Seen {
    match state {
        "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "SPECIAL_EXIT" => Seen::Pending(match reason {
            "" | "None" => "it was just submitted".to_string(),
            reason => reason.to_string(),
        }),
        "RUNNING" | "CONFIGURING" | "COMPLETING" | "SUSPENDED" | "STOPPED" | "RESIZING" | "SIGNALING" | "STAGE_OUT" => {
            Seen::Running(nodes.to_string())
        }
        other => Seen::Ended(end(other, code)),
    }
}

fn end(state: &str, code: u32) -> End {
    match state.split([' ', '+']).next().unwrap_or_default() {
        "COMPLETED" => End::Completed,
        "FAILED" => End::Failed(code),
        "CANCELLED" | "REVOKED" => End::Cancelled,
        "TIMEOUT" | "DEADLINE" => End::TimedOut,
        "NODE_FAIL" | "BOOT_FAIL" | "LAUNCH_FAILED" => End::NodeFailed,
        "PREEMPTED" => End::Preempted,
        other => End::Other(other.to_string()),
    }
}

/// Reads what `sacct -X -n -P -o JobID,State,ExitCode` says of elements, by array and number. What still runs is left
/// out: whoever keeps accounts is not asked about that.
pub fn accounts(text: &str) -> BTreeMap<(u32, u32), End> {
    let line = |line: &str| {
        let [id, state, code] = line.split('|').collect::<Vec<_>>()[..] else { return None };
        let (array, task) = id.split_once('_').unwrap_or((id, "0"));
        let code = code.split(':').next().and_then(|code| code.parse().ok()).unwrap_or(0);
        match seen(state.split(' ').next().unwrap_or_default(), "", "", code) {
            Seen::Ended(end) => Some(((array.parse().ok()?, task.parse().ok()?), end)),
            _ => None,
        }
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_of_22_05_and_of_newer_ones_are_read() {
        let digest = "cd".repeat(32);
        let older = format!(
            r#"{{"jobs": [
              {{"job_id": 3, "array_job_id": 1, "array_task_id": 0, "array_task_string": "", "job_state": "RUNNING",
                "comment": "septet:1:{digest}", "name": "septet-x", "user_id": 5, "nodes": "n1", "state_reason": "None"}},
              {{"job_id": 1, "array_job_id": 1, "array_task_id": null, "array_task_string": "2-4,7%2",
                "job_state": "PENDING", "comment": "x", "name": "y", "user_id": 5, "state_reason": "Resources"}},
              {{"job_id": 9, "array_job_id": 0, "array_task_id": null, "array_task_string": "", "exit_code": 768,
                "job_state": "FAILED", "comment": "", "name": "z", "user_id": 0}}]}} words behind it"#
        );
        let jobs_of = |text: &str| jobs(text.as_bytes()).expect("they are read");
        let older = jobs_of(&older);
        assert_eq!(older[0].batch.expect("ours").to_string(), digest);
        assert_eq!((&older[0].seen, older[0].array), (&Seen::Running("n1".into()), 1));
        assert_eq!(older[1].tasks, Tasks { list: vec![2, 3, 4, 7], from: None });
        assert_eq!(older[1].seen, Seen::Pending("Resources".into()));
        assert_eq!((&older[2].seen, older[2].array), (&Seen::Ended(End::Failed(3)), 9));
        let newer = jobs_of(
            r#"{"jobs": [{"job_id": 12, "array_job_id": {"set": true, "infinite": false, "number": 12},
              "array_task_id": {"set": true, "number": 4}, "job_state": ["NODE_FAIL"], "user_id": 5, "comment":
              {"administrator": "", "job": "mine", "system": ""}, "name": "n", "exit_code": {"return_code":
              {"set": true, "number": 1}}}]}"#,
        );
        assert_eq!((newer[0].tasks.list[0], &*newer[0].comment), (4, "mine"));
        assert_eq!(newer[0].seen, Seen::Ended(End::NodeFailed));
        for wrong in ["", "{", "{}", "[]", "{\"jobs\": 3}"] {
            assert!(jobs(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        let down = r#"{"errors": [{"error_number": 1800, "error": "Unable to contact slurm controller"}], "jobs": []}"#;
        assert_eq!(jobs(down.as_bytes()), Err("Unable to contact slurm controller".to_string()));
    }

    #[test]
    fn a_list_that_was_cut_is_not_taken_for_all() {
        assert_eq!(tasks("0,2,4,..."), Tasks { list: vec![0, 2, 4], from: Some(5) });
        assert_eq!(tasks("0-8:4"), Tasks { list: vec![0, 4, 8], from: None });
        assert!(tasks("0-4294967295").list.len() <= TASKS_MAX as usize + 1);
    }

    #[test]
    fn accounts_are_read_and_what_runs_is_left_out() {
        let accounts =
            accounts("7_0|COMPLETED|0:0\n7_1|CANCELLED by 0|0:15\n7_2|RUNNING|0:0\n8|FAILED|3:0\nnonsense\n");
        let expected = [((7, 0), End::Completed), ((7, 1), End::Cancelled), ((8, 0), End::Failed(3))];
        assert_eq!(accounts, expected.into_iter().collect());
    }
}
