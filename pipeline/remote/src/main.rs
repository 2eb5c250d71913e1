//! `septet-remote URL`: copies files to and from an object store, and deletes objects, as told by lines on
//! standard input. It must not know what it copies: names, digests and what may be believed are `septet`'s.

mod lines;
mod objects;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use lines::{Answer, Op, Outcome, PROTOCOL, Request};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::Semaphore;

/// Requests that are under way at once.
const AT_ONCE: usize = 16;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url] = arguments.as_slice() else {
        let _ = writeln!(std::io::stderr().lock(), "usage: septet-remote URL");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = match runtime {
        Ok(runtime) => runtime.block_on(serve(url)),
        Err(error) => Err(format!("start a runtime: {error}")),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            answer(0, Outcome::Failed(reason));
            ExitCode::from(3)
        }
    }
}

/// Answers lines until there are no more.
async fn serve(url: &str) -> Result<(), String> {
    let store = Arc::new(objects::Objects::open(url)?);
    answer(0, Outcome::Ready(PROTOCOL));
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    let mut tasks = tokio::task::JoinSet::new();
    while let Some(line) = input.next_line().await.map_err(|error| format!("read requests: {error}"))? {
        let request: Request = serde_json::from_str(&line).map_err(|error| format!("understand a request: {error}"))?;
        let slot = Arc::clone(&slots).acquire_owned().await.map_err(|error| format!("wait for a slot: {error}"))?;
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let outcome = carry_out(&store, request.id, request.op).await;
            answer(request.id, outcome.unwrap_or_else(Outcome::Failed));
            drop(slot);
        });
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
    Ok(())
}

async fn carry_out(store: &objects::Objects, id: u64, op: Op) -> Result<Outcome, String> {
    match op {
        Op::List { below } => {
            let rest = store.list(&below, &mut |names| answer(id, Outcome::Some(names))).await?;
            Ok(Outcome::Names(rest))
        }
        Op::Has { name } => Ok(if store.has(&name).await? { Outcome::There } else { Outcome::Absent }),
        Op::Get { name, to, bytes_max } => {
            let copied = store.get(&name, &to, bytes_max).await?;
            Ok(copied.map_or(Outcome::Absent, Outcome::Copied))
        }
        Op::Put { name, from } => store.put(&name, &from).await.map(Outcome::Copied),
        Op::Delete { name } => store.delete(&name).await.map(|()| Outcome::Deleted),
    }
}

/// One line at once. If nobody listens any more, the input ends soon.
fn answer(id: u64, is: Outcome) {
    if let Ok(mut line) = serde_json::to_vec(&Answer { id, is }) {
        line.push(b'\n');
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}
