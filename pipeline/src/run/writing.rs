//! The one thread of a run that writes to the store: results as they come, and what searches keep between their
//! trials. It must not know how results are measured, or who waits for what.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::RunError;
use super::news::{Alarm, News};
use crate::dispatch::Number;
use crate::manifest::Manifest;
use crate::store::{Pending, Record, Repetition, StoreError, Writer};

/// Something for the writer.
pub(super) enum Slip<'t> {
    /// A result to store, and trials that are not needed any more once it is.
    Keep { test: Number, repetition: Box<Repetition>, manifest: Manifest, trials: Option<Pending<'t>> },
    /// Another change to the store; whoever asked for it waits.
    Work(Box<dyn FnOnce() + Send + 't>),
}

/// What hands slips to the writer.
#[derive(Clone)]
pub(super) struct Desk<'t>(Sender<Slip<'t>>);

impl<'t> Desk<'t> {
    /// A desk, and where its slips come out.
    pub(super) fn new() -> (Desk<'t>, Receiver<Slip<'t>>) {
        let (sender, slips) = channel();
        (Desk(sender), slips)
    }

    /// Has a result stored; that it was comes as news.
    pub(super) fn keep(
        &self,
        test: Number,
        repetition: Box<Repetition>,
        manifest: Manifest,
        trials: Option<Pending<'t>>,
    ) {
        // A writer that has ended has said why.
        let _ = self.0.send(Slip::Keep { test, repetition, manifest, trials });
    }

    /// Has the store changed and waits for what comes of it.
    pub(super) fn through<R: Send + 't>(
        &self,
        work: impl FnOnce() -> Result<R, StoreError> + Send + 't,
    ) -> Result<R, RunError> {
        let (sender, answer) = channel();
        let work = move || {
            // Whoever asked has given up waiting if nobody takes it.
            let _ = sender.send(work());
        };
        let ended = || RunError::Ended;
        self.0.send(Slip::Work(Box::new(work))).map_err(|_| ended())?;
        Ok(answer.recv().map_err(|_| ended())??)
    }
}

/// Results that wait and are stored at once: as many as make the syncs of a disk cheap.
const AT_ONCE_MAX: usize = 64;

/// How often a store is shown that its writer lives, where other hosts cannot ask a lock.
const TOUCH: Duration = Duration::from_secs(3600);

/// A result that waits to be stored.
struct Kept<'t> {
    test: Number,
    record: Box<Record>,
    trials: Option<Pending<'t>>,
}

/// Takes slips until nobody can hand in any more. After an error nothing more is stored.
pub(super) fn write(mut writer: Writer, slips: &Receiver<Slip>, news: &Sender<News>) -> Result<(), StoreError> {
    let _alarm = Alarm(news.clone());
    let mut sound = true;
    loop {
        let first = match slips.recv_timeout(TOUCH) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => {
                writer.touch();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let (mut waiting, mut repetitions) = (Vec::new(), Vec::new());
        for slip in std::iter::once(first).chain(slips.try_iter().take(AT_ONCE_MAX - 1)) {
            match slip {
                // Whoever asks for it waits: nothing of theirs is among the results.
                Slip::Work(work) => work(),
                Slip::Keep { .. } if !sound => {}
                Slip::Keep { test, repetition, manifest, trials } => {
                    waiting.push(Kept { test, record: Box::new(repetition.record.clone()), trials });
                    repetitions.push((*repetition, manifest.listing()));
                }
            }
        }
        if waiting.is_empty() {
            continue;
        }
        // Nobody listens any more to what a run does that has ended.
        match writer.commit_all(repetitions).and_then(|entries| discarded(&mut waiting).map(|()| entries)) {
            Ok(entries) => waiting.into_iter().zip(entries).for_each(|(Kept { test, record, .. }, entry)| {
                let _ = news.send(News::Kept { test, entry, record });
            }),
            Err(error) => {
                sound = false;
                let _ = news.send(News::Trouble(error.into()));
            }
        }
    }
    // What was stored before an error is indexed in any case.
    writer.close()
}

/// The trials of searches that are stored are not needed any more.
fn discarded(stored: &mut [Kept]) -> Result<(), StoreError> {
    stored.iter_mut().filter_map(|kept| kept.trials.take()).try_for_each(|mut trials| trials.discard())
}
