//! The one thread of a run that writes to the store: results as they come, and what searches keep between their
//! trials. It must not know how results are measured, or who waits for what.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::RunError;
use super::news::{Alarm, News};
use crate::dispatch::Number;
use crate::manifest::Manifest;
use crate::store::{Pending, Repetition, StoreError, Writer};

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

/// Takes slips until nobody can hand in any more. After an error nothing more is stored.
pub(super) fn write(mut writer: Writer, slips: &Receiver<Slip>, news: &Sender<News>) -> Result<(), StoreError> {
    let _alarm = Alarm(news.clone());
    let mut sound = true;
    for slip in slips {
        match slip {
            Slip::Work(work) => work(),
            Slip::Keep { .. } if !sound => {}
            Slip::Keep { test, repetition, manifest, trials } => {
                let record = repetition.record.clone();
                let kept = writer.commit(*repetition, &manifest.listing());
                let kept = kept.and_then(|entry| trials.map_or(Ok(()), |mut trials| trials.discard()).map(|()| entry));
                let told = match kept {
                    Ok(entry) => News::Kept { test, entry, record: Box::new(record) },
                    Err(error) => {
                        sound = false;
                        News::Trouble(error.into())
                    }
                };
                // Nobody listens any more to what a run does that has ended.
                let _ = news.send(told);
            }
        }
    }
    // What was stored before an error is indexed in any case.
    writer.close()
}
