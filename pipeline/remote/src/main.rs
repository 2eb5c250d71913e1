//! `septet-remote`: copies files to and from an object store, and deletes objects, as told by lines on standard input,
//! of which the first names the store. It must not know what it copies: names, digests and what may be believed are
//! `septet`'s.

mod address;
mod connector;
mod endpoint;
mod lines;
mod objects;
mod refusal;

use std::any::Any;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Arc;

use futures_util::FutureExt;
use lines::{Answer, Op, Opening, Outcome, PROTOCOL, Request};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::Semaphore;

/// Requests that are under way at once.
const AT_ONCE: usize = 16;

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        let _ = writeln!(std::io::stderr().lock(), "septet-remote takes no arguments; septet speaks to it");
        return ExitCode::from(2);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = match runtime {
        Ok(runtime) => runtime.block_on(serve()),
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
async fn serve() -> Result<(), String> {
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    let Some(line) = input.next_line().await.map_err(|error| format!("read the address: {error}"))? else {
        return Ok(());
    };
    let opening: Opening = serde_json::from_str(&line).map_err(|error| format!("understand the address: {error}"))?;
    let opened = std::panic::catch_unwind(|| {
        let address = address::Address::parse(&opening.address)?;
        objects::Objects::open(&address).map_err(|reason| address.without_secrets(&reason))
    });
    let store = Arc::new(opened.unwrap_or_else(|panic| Err(format!("open the store: {}", words(&*panic))))?);
    answer(0, Outcome::Ready(PROTOCOL));
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = tokio::task::JoinSet::new();
    while let Some(line) = input.next_line().await.map_err(|error| format!("read requests: {error}"))? {
        let request: Request = serde_json::from_str(&line).map_err(|error| format!("understand a request: {error}"))?;
        let slot = Arc::clone(&slots).acquire_owned().await.map_err(|error| format!("wait for a slot: {error}"))?;
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            // Whoever asked waits for an answer, also when what is asked for is more than this program can bear.
            let outcome = AssertUnwindSafe(carry_out(&store, request.id, request.op)).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|panic| Err(format!("go on: septet-remote {}", words(&*panic))));
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
        Op::Get { name, to, bytes_max } => Ok(match store.get(&name, &to, bytes_max).await? {
            objects::Got::Nothing => Outcome::Absent,
            objects::Got::All(bytes) => Outcome::Copied(bytes),
            objects::Got::TooMuch(most) => Outcome::Longer(most),
        }),
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

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", said.unwrap_or("it said nothing"))
}
