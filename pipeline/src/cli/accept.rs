//! `septet accept`: says that a change is harmless, so that results of before it stay in use; takes it back; lists
//! what is accepted and what could be.

use clap::Args;
use serde::Serialize;

use super::stacks::{self, Where};
use super::{Target, say, say_json};
use crate::acceptance::{Acceptance, Says, Statement, means};
use crate::clock;
use crate::conditions::Conditions;
use crate::exit::{Exit, Trouble};
use crate::key::StatementId;
use crate::offer::{Offer, offers};
use crate::planned::{Planned, plural};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(super) struct AcceptArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    on: Where,
    /// The change, as the list without this option names it: `kernel`, `switch:ovs`, or `switch` for all of them.
    #[arg(long, value_name = "NAME")]
    trigger: Option<String>,
    /// Why it is harmless; reports show it.
    #[arg(long, value_name = "TEXT", requires = "trigger", conflicts_with = "withdraw", default_value = "")]
    reason: String,
    /// Take back what was accepted under this name.
    #[arg(long, requires = "trigger")]
    withdraw: bool,
    /// Print JSON: what is accepted and what could be, afterwards.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct AcceptJson {
    accepted: Vec<AcceptedJson>,
    offers: Vec<OfferJson>,
    stored: usize,
    stored_by_accepted_changes: usize,
    to_measure: usize,
}

#[derive(Serialize)]
struct AcceptedJson {
    id: StatementId,
    trigger: String,
    change: String,
    made: String,
    by: String,
    reason: String,
}

#[derive(Serialize)]
struct OfferJson {
    trigger: String,
    changes: Vec<String>,
    tests: usize,
}

/// Accepts, takes back, or lists.
pub(super) fn run(args: &AcceptArgs) -> Result<Exit, Trouble> {
    let workspace = Workspace::load(&args.target.file, args.target.store.store.as_deref())?;
    let ground = stacks::ground(&workspace, &args.on, &[])?;
    let conditions = Conditions::new(&ground);
    let planned = || Planned::make(&workspace, &conditions, &|_| false);
    let before = planned()?;
    let done = match (&args.trigger, args.withdraw) {
        (None, _) => return listed(args, &before),
        (Some(name), true) => withdraw(&before, name)?,
        (Some(name), false) => accept(&before, name, &args.reason)?,
    };
    let after = planned()?;
    if args.json {
        return listed(args, &after);
    }
    let what = if args.withdraw { "taken back" } else { "accepted" };
    let mut out: String = done.iter().map(|change| format!("{what}: {change}\n")).collect();
    out.push_str(&format!("{}\n", after.plan.counts()));
    let more = after.plan.counts().stored.saturating_sub(before.plan.counts().stored);
    if more > 0 {
        let file = args.target.file.display();
        out.push_str(&format!(
            "{} more stored; `septet run {file}` takes them into the report\n",
            plural(more, "test")
        ));
    }
    let left = offers(&after)?;
    if !args.withdraw && !left.is_empty() {
        out.push_str(&format!("not accepted: {}\n", names(&left)));
    }
    say(&out)
}

/// Declares the changes of that name harmless; each in words.
fn accept(planned: &Planned, name: &str, reason: &str) -> Result<Vec<String>, Trouble> {
    let offers = offers(planned)?;
    let meant: Vec<&Offer> = offers.iter().filter(|offer| means(name, &offer.trigger)).collect();
    if meant.is_empty() {
        let file = planned.workspace.file.display();
        let held = planned.acceptances.iter().find(|held| means(name, &held.trigger()));
        let why = match (held, offers.is_empty()) {
            (Some(held), _) => format!("'{name}' is accepted already, on {}", held.day()),
            (None, true) => format!("no change keeps results of {file} from being used, so there is nothing to accept"),
            (None, false) => format!("'{name}' keeps no result of {file} from being used; {} would", names(&offers)),
        };
        return Err(Trouble::input(why));
    }
    let mut done = Vec::new();
    for step in meant.into_iter().flat_map(|offer| &offer.steps) {
        state(planned, reason, Says::Harmless(step.clone()))?;
        done.push(step.words());
    }
    Ok(done)
}

/// Takes back what was accepted under that name; each change in words.
fn withdraw(planned: &Planned, name: &str) -> Result<Vec<String>, Trouble> {
    let meant: Vec<&Acceptance> = planned.acceptances.iter().filter(|held| means(name, &held.trigger())).collect();
    if meant.is_empty() {
        let held: Vec<String> = planned.acceptances.iter().map(Acceptance::trigger).collect();
        let there = if held.is_empty() { "nothing is accepted".to_string() } else { held.join(", ") };
        return Err(Trouble::input(format!("nothing is accepted as '{name}'; there is: {there}")));
    }
    for held in &meant {
        state(planned, "", Says::Withdrawn { statement: held.id })?;
    }
    Ok(meant.into_iter().map(Acceptance::words).collect())
}

fn state(planned: &Planned, reason: &str, says: Says) -> Result<StatementId, Trouble> {
    let workspace = planned.workspace;
    let uid = nix::unistd::Uid::current();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    let by = user.map_or_else(|| uid.to_string(), |user| user.name);
    let name = workspace.experiment.name.as_str();
    let statement = Statement::new(name, clock::now_rfc3339()?, by, reason, says);
    Ok(workspace.store.keep_statement(&statement)?)
}

fn names(offers: &[Offer]) -> String {
    offers.iter().map(|offer| offer.trigger.as_str()).collect::<Vec<_>>().join(", ")
}

/// What is accepted and what could be.
fn listed(args: &AcceptArgs, planned: &Planned) -> Result<Exit, Trouble> {
    let offers = offers(planned)?;
    let counts = planned.plan.counts();
    if args.json {
        let accepted = planned.acceptances.iter().map(|held| AcceptedJson {
            id: held.id,
            trigger: held.trigger(),
            change: held.step.words(),
            made: held.made.clone(),
            by: held.by.clone(),
            reason: held.reason.clone(),
        });
        let offers = offers.iter().map(|offer| OfferJson {
            trigger: offer.trigger.clone(),
            changes: offer.steps.iter().map(|step| step.words()).collect(),
            tests: offer.tests,
        });
        return say_json(&AcceptJson {
            accepted: accepted.collect(),
            offers: offers.collect(),
            stored: counts.stored,
            stored_by_accepted_changes: counts.leaning,
            to_measure: counts.to_measure,
        });
    }
    let mut out = format!("{}: {counts}\n", planned.workspace.experiment.name);
    for held in planned.acceptances.iter() {
        let reason = if held.reason.is_empty() { String::new() } else { format!(": {}", held.reason) };
        out.push_str(&format!("\naccepted: {}\n  {} by {}{reason}\n", held.trigger(), held.words(), held.by));
    }
    for offer in &offers {
        let tests = plural(offer.tests, "test");
        out.push_str(&format!("\ncould be accepted: {}, for results of {tests}\n", offer.trigger));
        out.extend(offer.steps.iter().map(|step| format!("  {}\n", step.words())));
    }
    if planned.acceptances.is_empty() && offers.is_empty() {
        out.push_str("nothing is accepted, and no change keeps results from being used\n");
    }
    say(&out)
}
