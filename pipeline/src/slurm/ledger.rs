//! What became of shards, folded from what is seen: what is stored counts first, then what the cluster says of jobs, then
//! its accounts; a job that is nowhere for a while is lost, and never succeeded. A pure state machine: times come with
//! what is seen. It must not know jobs' numbers, files or processes.

use std::collections::BTreeMap;
use std::time::Duration;

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With 0. That says nothing of what is stored: srun ends so too where its node failed.
    Completed,
    /// With another code.
    Failed(u32),
    /// Somebody cancelled it.
    Cancelled,
    /// The job ran out of time.
    TimedOut,
    /// The job's node failed.
    NodeFailed,
    /// A job of higher priority has its nodes.
    Preempted,
    /// Otherwise, in the cluster's word.
    Other(String),
}

/// What is seen of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The job waits, for this reason.
    Pending(String),
    /// The job runs, on these nodes.
    Running(String),
    /// The job has ended.
    Ended(End),
}

/// What is known of a shard's job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Slurm knows the job.
    Seen(Seen),
    /// Slurm does not know the job, though it was submitted.
    Unseen,
}

/// What is to be done about a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is stored.
    Stored,
    /// What is missing of it is to be submitted again; why, in words.
    Again(String),
    /// What is missing of it is not to be submitted again; why, in words.
    Over(String),
}

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub struct Graces {
    /// After a job's end, for what it has stored to be seen: a network file system shows it late.
    pub store: Duration,
    /// For a job that is nowhere.
    pub lost: Duration,
}

/// What is known of what a shard wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Tests that are neither stored nor failed.
    pub missing: usize,
    /// Whether anything of it was stored since it was submitted.
    pub has_progressed: bool,
    /// Whether one of its tests failed, and nothing is measured after that.
    pub is_stopped: bool,
    /// How often it was submitted in a row without progress, this time included.
    pub attempts: u32,
}

/// A shard that was submitted so often without any progress is not submitted again.
pub const ATTEMPTS_MAX: u32 = 3;

#[derive(Clone, Debug)]
struct Element {
    fate: Fate,
    /// For how long, of the time that the cluster could be asked, this is so.
    for_so_long: Duration,
}

/// Shards under way, by any number.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    elements: BTreeMap<usize, Element>,
    /// When the cluster was last heard.
    heard: Option<Duration>,
}

impl Ledger {
    /// A shard was submitted.
    pub fn submitted(&mut self, element: usize) {
        self.elements.insert(element, Element { fate: Fate::Unseen, for_so_long: Duration::ZERO });
    }

    /// What is known of a shard under way.
    pub fn fate(&self, element: usize) -> Option<&Fate> {
        self.elements.get(&element).map(|element| &element.fate)
    }

    /// All under way.
    pub fn under_way(&self) -> impl Iterator<Item = (usize, &Fate)> {
        self.elements.iter().map(|(number, element)| (*number, &element.fate))
    }

    /// Those that were seen nowhere the last time: accounts are to be asked about them.
    pub fn unseen(&self) -> impl Iterator<Item = usize> {
        self.under_way().filter(|(_, fate)| **fate == Fate::Unseen).map(|(number, _)| number)
    }

    /// The cluster said this of all its jobs, at a time.
    pub fn look(&mut self, jobs: &BTreeMap<usize, Seen>, now: Duration) {
        let since = self.heard.replace(now).map_or(Duration::ZERO, |before| now.saturating_sub(before));
        for (number, element) in &mut self.elements {
            let fate = match (jobs.get(number), &element.fate) {
                (Some(seen), _) => Fate::Seen(seen.clone()),
                // It is forgotten after a while.
                (None, Fate::Seen(Seen::Ended(end))) => Fate::Seen(Seen::Ended(end.clone())),
                (None, _) => Fate::Unseen,
            };
            let is_as_before = std::mem::discriminant(&fate) == std::mem::discriminant(&element.fate)
                && ended(&fate) == ended(&element.fate);
            element.for_so_long = if is_as_before { element.for_so_long + since } else { Duration::ZERO };
            element.fate = fate;
        }
    }

    /// The cluster could not be asked: the time until it can be again does not count.
    pub fn unheard(&mut self) {
        self.heard = None;
    }

    /// Accounts say how a shard's job ended that is seen nowhere.
    pub fn accounted(&mut self, number: usize, end: End) {
        if let Some(element) = self.elements.get_mut(&number).filter(|element| element.fate == Fate::Unseen) {
            *element = Element { fate: Fate::Seen(Seen::Ended(end)), for_so_long: Duration::ZERO };
        }
    }

    /// Settles what can be settled, by what is known of what each shard wants; those are not under way any more.
    pub fn settle(&mut self, graces: Graces, standing: &dyn Fn(usize) -> Standing) -> Vec<(usize, Verdict)> {
        let verdicts: Vec<(usize, Verdict)> = self
            .elements
            .iter()
            .filter_map(|(number, element)| Some((*number, verdict(element, graces, standing(*number))?)))
            .collect();
        for (number, _) in &verdicts {
            self.elements.remove(number);
        }
        verdicts
    }
}

fn ended(fate: &Fate) -> Option<&End> {
    match fate {
        Fate::Seen(Seen::Ended(end)) => Some(end),
        _ => None,
    }
}

fn verdict(element: &Element, graces: Graces, standing: Standing) -> Option<Verdict> {
    let is_stored = standing.missing == 0;
    let again = |why: &str| match standing.has_progressed || standing.attempts < ATTEMPTS_MAX {
        true => Verdict::Again(why.to_string()),
        false => Verdict::Over(format!("{why}, {} times without a result", standing.attempts)),
    };
    match &element.fate {
        Fate::Seen(Seen::Pending(_) | Seen::Running(_)) => None,
        _ if is_stored => Some(Verdict::Stored),
        Fate::Unseen if element.for_so_long < graces.lost => None,
        Fate::Unseen => Some(again("its job is lost: the cluster knows nothing of it")),
        Fate::Seen(Seen::Ended(_)) if element.for_so_long < graces.store => None,
        Fate::Seen(Seen::Ended(_)) if standing.is_stopped => Some(Verdict::Over("a test of it failed".to_string())),
        Fate::Seen(Seen::Ended(end)) => Some(match end {
            End::Cancelled => Verdict::Over("its job was cancelled".to_string()),
            End::Failed(2) => Verdict::Over("its job found the input wrong".to_string()),
            End::Completed => again("its job ended before all was measured"),
            End::Failed(code) => again(&format!("its job ended with {code}")),
            End::TimedOut => again("its job was out of time"),
            End::NodeFailed => again("its node failed"),
            End::Preempted => again("its job was preempted"),
            End::Other(word) => again(&format!("its job ended as {word}")),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GRACES: Graces = Graces { store: Duration::from_secs(2), lost: Duration::from_secs(10) };

    fn at(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn wants(missing: usize, attempts: u32) -> impl Fn(usize) -> Standing {
        move |_| Standing { missing, attempts, ..Standing::default() }
    }

    fn any_seen() -> impl Strategy<Value = Option<Seen>> {
        let ends = vec![
            End::Completed,
            End::Failed(1),
            End::Failed(2),
            End::Cancelled,
            End::TimedOut,
            End::NodeFailed,
            End::Preempted,
            End::Other("OUT_OF_MEMORY".into()),
        ];
        prop_oneof![
            3 => Just(None),
            2 => Just(Some(Seen::Pending("Resources".into()))),
            2 => Just(Some(Seen::Running("n1".into()))),
            2 => prop::sample::select(ends).prop_map(|end| Some(Seen::Ended(end))),
        ]
    }

    proptest! {
        /// Whatever is seen in whatever order: nothing is settled while its job waits or runs, what is missing is never
        /// called stored, what is stored is never lost, and once jobs are gone everything is settled.
        #[test]
        fn what_is_stored_counts_first_and_everything_ends(
            looks in prop::collection::vec((any_seen(), 0u64..5, any::<bool>(), 0usize..3), 0..60),
            attempts in 1u32..5,
        ) {
            let mut ledger = Ledger::default();
            ledger.submitted(7);
            let (mut now, mut settled, mut missing_ever) = (0, None, 3);
            for (seen, pause, is_heard, missing) in looks {
                now += pause;
                missing_ever = missing.min(missing_ever);
                match is_heard {
                    true => ledger.look(&seen.clone().map(|seen| (7, seen)).into_iter().collect(), at(now)),
                    false => ledger.unheard(),
                }
                let fate = ledger.fate(7).cloned();
                let verdicts = ledger.settle(GRACES, &wants(missing_ever, attempts));
                if let Some((_, verdict)) = verdicts.first() {
                    prop_assert!(!matches!(fate, Some(Fate::Seen(Seen::Pending(_) | Seen::Running(_)))));
                    prop_assert_eq!(*verdict == Verdict::Stored, missing_ever == 0);
                    if attempts >= ATTEMPTS_MAX {
                        prop_assert!(!matches!(verdict, Verdict::Again(_)));
                    }
                    settled = Some(verdict.clone());
                    break;
                }
            }
            let mut looks = 0;
            while settled.is_none() {
                now += 1;
                looks += 1;
                ledger.look(&BTreeMap::new(), at(now));
                settled = ledger.settle(GRACES, &wants(missing_ever, attempts)).first().map(|(_, verdict)| verdict.clone());
                prop_assert!(looks <= 12, "it never ends");
            }
            prop_assert_eq!(ledger.under_way().count(), 0);
        }
    }

    #[test]
    fn a_cluster_that_cannot_be_asked_loses_nothing() {
        let mut ledger = Ledger::default();
        ledger.submitted(0);
        ledger.look(&BTreeMap::from([(0, Seen::Running("n1".into()))]), at(0));
        for _ in 0..100 {
            ledger.unheard();
        }
        // An hour later it is back, and has not heard of its nodes yet.
        ledger.look(&BTreeMap::new(), at(3600));
        assert_eq!(ledger.settle(GRACES, &wants(1, 1)), []);
        ledger.look(&BTreeMap::from([(0, Seen::Running("n1".into()))]), at(3605));
        ledger.look(&BTreeMap::new(), at(3606));
        ledger.look(&BTreeMap::new(), at(3615));
        assert_eq!(ledger.settle(GRACES, &wants(1, 1)), [], "it was seen not long ago");
        ledger.look(&BTreeMap::new(), at(3616));
        assert!(matches!(ledger.settle(GRACES, &wants(1, 1))[..], [(0, Verdict::Again(_))]));
    }

    #[test]
    fn accounts_say_how_a_forgotten_job_ended_and_a_node_that_failed_is_no_success() {
        let mut ledger = Ledger::default();
        for (number, end) in [End::Completed, End::NodeFailed, End::Cancelled].into_iter().enumerate() {
            ledger.submitted(number);
            ledger.accounted(number, end);
        }
        assert_eq!(ledger.settle(GRACES, &wants(2, 1)), [], "what it has stored may be seen later");
        ledger.look(&BTreeMap::new(), at(1));
        ledger.look(&BTreeMap::new(), at(4));
        let verdicts = ledger.settle(GRACES, &wants(2, 1));
        let kinds: Vec<bool> = verdicts.iter().map(|(_, verdict)| matches!(verdict, Verdict::Again(_))).collect();
        assert_eq!(kinds, [true, true, false]);
    }

    #[test]
    fn a_shard_that_gets_nowhere_is_given_up_and_one_that_gets_on_is_not() {
        let settled = |attempts, has_progressed| {
            let mut ledger = Ledger::default();
            ledger.submitted(0);
            ledger.look(&BTreeMap::from([(0, Seen::Ended(End::TimedOut))]), at(0));
            ledger.look(&BTreeMap::new(), at(9));
            let standing = Standing { missing: 1, attempts, has_progressed, is_stopped: false };
            ledger.settle(GRACES, &|_| standing).remove(0).1
        };
        assert!(matches!(settled(ATTEMPTS_MAX, false), Verdict::Over(_)));
        assert!(matches!(settled(ATTEMPTS_MAX, true), Verdict::Again(_)));
        assert!(matches!(settled(ATTEMPTS_MAX - 1, false), Verdict::Again(_)));
    }
}
