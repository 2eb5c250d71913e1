//! Commands about a shared store, and about the site that names it.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::{PlaceArgs, SiteCommand, Target, place, remark, say, say_json};
use crate::conditions::Conditions;
use crate::exit::{Exit, Trouble};
use crate::experiment::Test;
use crate::key::{Key, ResultId};
use crate::plan::Status;
use crate::planned::{Planned, plural};
use crate::remote::share::{self, Transfer};
use crate::remote::{Address, Remote, RemoteError};
use crate::site::{self, Site, SiteError, TrustError};
use crate::store::{Entry, Generation, GenerationName, Index, Line};
use crate::workspace::Workspace;

impl From<RemoteError> for Trouble {
    fn from(error: RemoteError) -> Trouble {
        Trouble::host(error.to_string())
    }
}

impl From<SiteError> for Trouble {
    fn from(error: SiteError) -> Trouble {
        match error {
            SiteError::Invalid(diagnostics) => Trouble::placed(diagnostics),
            other => Trouble::input(other.to_string()),
        }
    }
}

impl From<TrustError> for Trouble {
    fn from(error: TrustError) -> Trouble {
        match error {
            TrustError::Unread(_) => Trouble::input(error.to_string()),
            TrustError::Homeless | TrustError::Unwritten(_) => Trouble::host(error.to_string()),
        }
    }
}

/// The folder of a file.
pub(super) fn beside(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// What a site says of experiments in a folder; a site file that is not trusted is told.
pub(super) fn site_of(folder: &Path) -> Result<Site, Trouble> {
    let found = site::find(folder)?;
    if let Some(path) = found.untrusted {
        remark(&format!(
            "septet: {0} is not used, since nobody has trusted it: read it, then `septet site trust {0}`",
            path.display()
        ));
    }
    if let Some(reason) = found.unread {
        remark(&format!("septet: {reason}; going on without it"));
    }
    Ok(found.site)
}

/// The same of a folder that the user named: one that is not there has no site, which is not to be taken for a good one.
pub(super) fn site_in(folder: &Path) -> Result<Site, Trouble> {
    if !folder.is_dir() {
        return Err(Trouble::input(format!("failed to look for a site file in {}: it is no folder", folder.display())));
    }
    site_of(folder)
}

fn remote(url: Option<&str>, place: &PlaceArgs) -> Result<Remote, Trouble> {
    let root = place::place(place)?;
    let named = match url {
        Some(url) => Some(Address::parse(url).map_err(|reason| Trouble::input(format!("failed to {reason}")))?),
        None => site_of(&beside(root.root()))?.remote,
    };
    let address = named.ok_or_else(|| {
        let own = site::folder().unwrap_or_default().join(site::SITE_FILE);
        Trouble::input(format!(
            "no shared store is named: give its address, or write it as remote under [store] into {}",
            own.display()
        ))
    })?;
    Ok(Remote::open(&address)?)
}

#[derive(Serialize)]
struct SharedJson<'a> {
    remote: &'a str,
    copied: usize,
    there: usize,
    refused: &'a [String],
    /// After a pull: the experiments whose generation came.
    #[serde(skip_serializing_if = "Option::is_none")]
    generations: Option<BTreeMap<&'a str, String>>,
    notes: &'a [String],
}

fn told(verb: &str, url: &str, shared: &Transfer, json: bool) -> Result<Exit, Trouble> {
    let exit = if shared.refused.is_empty() { Exit::Well } else { Exit::Answer };
    if json {
        let Transfer { copied, there, refused, generations, notes } = shared;
        let named = || generations.iter().map(|(experiment, name)| (experiment.as_str(), name.to_string())).collect();
        let generations = (verb == "pulled").then(named);
        say_json(&SharedJson { remote: url, copied: *copied, there: *there, refused, generations, notes })?;
        return Ok(exit);
    }
    for refused in &shared.refused {
        remark(&format!("septet: not {verb}: {refused}"));
    }
    for note in &shared.notes {
        remark(&format!("septet: {note}"));
    }
    say(&format!("{verb} {}, {} there already: {url}", plural(shared.copied, "result"), shared.there))?;
    for (experiment, name) in &shared.generations {
        say(&format!("pulled generation {name} of {experiment}: `septet report` of its file needs nothing else"))?;
    }
    Ok(exit)
}

/// `septet store push`.
pub(super) fn push(url: Option<&str>, place: &PlaceArgs, json: bool) -> Result<Exit, Trouble> {
    let store = place::open(place)?;
    let mut remote = remote(url, place)?;
    let shared = share::push(&store, &mut remote)?;
    told("pushed", &remote.address().to_string(), &shared, json)
}

/// `septet store pull`.
pub(super) fn pull(url: Option<&str>, place: &PlaceArgs, key: Option<&str>, json: bool) -> Result<Exit, Trouble> {
    let store = place::place(place)?;
    let digits = key.unwrap_or_default().to_ascii_lowercase();
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Trouble::input(format!("'{digits}' is no key: give hexadecimal digits")));
    }
    let mut remote = remote(url, place)?;
    let mut shared = share::pull(&store, &mut remote, &|entry| entry.key.to_string().starts_with(&digits))?;
    if digits.is_empty() {
        share::pull_generations(&store, &mut remote, &mut shared)?;
    }
    if shared.copied + shared.there == 0 && shared.refused.is_empty() {
        let which = if digits.is_empty() { String::new() } else { format!(" of keys that begin with {digits}") };
        shared.notes.push(format!("{} has no results{which}; is the address right?", remote.address()));
    }
    told("pulled", &remote.address().to_string(), &shared, json)
}

/// Keys of what is to be measured.
fn missing(planned: &Planned, only: &dyn Fn(&Test) -> bool) -> HashSet<Key> {
    let of_a_test = planned.tests().filter(|(test, decision)| decision.status == Status::ToMeasure && only(test));
    of_a_test.filter_map(|(_, decision)| decision.key).collect()
}

fn told_what_came(shared: &Transfer, url: &Address) {
    for refused in &shared.refused {
        remark(&format!("septet: not pulled: {refused}"));
    }
    if shared.copied > 0 {
        remark(&format!("pulled {} from {url}", plural(shared.copied, "result")));
    }
}

fn without(error: &RemoteError) -> String {
    format!("septet: {error}; continuing without the shared store")
}

/// Reads through to the site's shared store: pulls what is to be measured and was measured elsewhere under the
/// very same key. True if anything may have come. A shared store that is down keeps nobody from measuring.
pub(super) fn read_through(planned: &Planned, only: &dyn Fn(&Test) -> bool) -> Result<bool, Trouble> {
    let missing = missing(planned, only);
    if missing.is_empty() {
        return Ok(false);
    }
    let Some(url) = site_of(&beside(&planned.workspace.file))?.remote else { return Ok(false) };
    let wanted = |entry: &Entry| missing.contains(&entry.key);
    let shared = Remote::open(&url).and_then(|mut remote| share::pull(&planned.workspace.store, &mut remote, &wanted));
    match shared {
        Ok(shared) => {
            told_what_came(&shared, &url);
            Ok(shared.copied > 0)
        }
        Err(error @ RemoteError::Store(_)) => Err(error.into()),
        Err(error) => {
            remark(&without(&error));
            // What had been copied by then is kept.
            Ok(true)
        }
    }
}

/// A plan that also counts on what the site's shared store says that it has: its index is read, nothing is
/// copied. If it cannot be reached, that is told, and the plan is of what is here.
pub(super) fn planned<'a>(
    target: &Target,
    workspace: &'a Workspace,
    conditions: &'a Conditions<'a>,
    forced: &(dyn Fn(&Test) -> bool + Sync),
) -> Result<Planned<'a>, Trouble> {
    beside_shared(target, Planned::make(workspace, conditions, forced)?, forced)
}

/// The same by an index that was read already.
pub(super) fn planned_by<'a>(
    target: &Target,
    workspace: &'a Workspace,
    conditions: &'a Conditions<'a>,
    index: Index,
    forced: &(dyn Fn(&Test) -> bool + Sync),
) -> Result<Planned<'a>, Trouble> {
    beside_shared(target, Planned::of(workspace, conditions, index, forced)?, forced)
}

/// A plan with what the shared store has of what is missing.
fn beside_shared<'a>(
    target: &Target,
    planned: Planned<'a>,
    forced: &(dyn Fn(&Test) -> bool + Sync),
) -> Result<Planned<'a>, Trouble> {
    let workspace = planned.workspace;
    if target.no_remote {
        return Ok(planned);
    }
    let Some(url) = site_of(&beside(&workspace.file))?.remote else { return Ok(planned) };
    let missing = missing(&planned, &|_| true);
    if missing.is_empty() {
        return Ok(planned);
    }
    let found =
        Remote::open(&url).and_then(|mut remote| share::look(&mut remote, &|entry| missing.contains(&entry.key)));
    match found {
        Ok(entries) => Ok(planned.counting_on(&url.to_string(), entries, forced)),
        Err(error) => {
            remark(&without(&error));
            Ok(planned)
        }
    }
}

/// The generation that a report or an archive stands on: one's own latest, or else that of the site's shared
/// store. Says so if no run was complete.
pub(super) fn generation(target: &Target, workspace: &Workspace) -> Result<Generation, Trouble> {
    let generation = latest(target, workspace)?.ok_or_else(|| {
        Trouble::input(format!(
            "nothing of {} is stored in {}; `septet run {}` measures it",
            workspace.experiment.name,
            workspace.store.root().display(),
            target.file.display()
        ))
    })?;
    if !generation.complete {
        remark("septet: no run of this experiment was complete; the report names what is missing");
    }
    Ok(generation)
}

/// Says what of the generations of an experiment is not as usual: that several follow no other, or cannot be read.
pub(super) fn tell(line: &Line) {
    for unusable in line.unusable().iter().filter(|unusable| !unusable.unfollowed) {
        let why = &unusable.reason;
        remark(&format!(
            "septet: the older generation {} is damaged: {why}; `septet store verify` puts it aside",
            unusable.name
        ));
    }
    if let [others @ .., latest] = line.heads()
        && !others.is_empty()
    {
        let others: Vec<&str> = others.iter().map(GenerationName::as_str).collect();
        remark(&format!(
            "septet: several generations follow no other: {latest}, which is taken for the latest, and {}; the next run \
             follows them all",
            others.join(", ")
        ));
    }
}

/// The latest generation. Results that it names and that are not here are copied from the shared store. If that
/// cannot be reached, it is told, and what is here must do.
fn latest(target: &Target, workspace: &Workspace) -> Result<Option<Generation>, Trouble> {
    let (store, name) = (&workspace.store, workspace.experiment.name.as_str());
    tell(&store.line(name)?);
    let own = store.latest_generation(name)?.map(|(_, generation)| generation);
    let remote = if target.no_remote { None } else { site_of(&beside(&workspace.file))?.remote };
    let Some(url) = remote else { return Ok(own) };
    let is_here = |id: &ResultId| store.has_result(id);
    let whole = |own: &Generation| own.tests.iter().flat_map(|test| &test.repetitions).all(is_here);
    if own.as_ref().is_some_and(whole) {
        return Ok(own);
    }
    let found = Remote::open(&url).and_then(|mut remote| match &own {
        Some(own) => share::complete(store, &mut remote, own).map(|shared| Some((own.clone(), shared))),
        None => share::pull_generation(store, &mut remote, name),
    });
    match found {
        Ok(Some((generation, shared))) => {
            told_what_came(&shared, &url);
            if own.is_none() {
                remark(&format!("nothing of {name} was run here: this is generation {} of {url}", generation.name()));
            }
            Ok(Some(generation))
        }
        Ok(None) => Ok(None),
        Err(error) => {
            remark(&without(&error));
            Ok(own)
        }
    }
}

/// `septet site ...`.
pub(super) fn site(command: SiteCommand) -> Result<Exit, Trouble> {
    match command {
        SiteCommand::Check { folder, json } => super::site::check(&folder, json),
        SiteCommand::Trust { file, json: true } => {
            let changed = site::trust(&file)?;
            say_json(&json!({"file": file.display().to_string(), "trusted": true, "changed": changed}))
        }
        SiteCommand::Trust { file, json: false } => match site::trust(&file)? {
            true => say(&format!("trusted {} as it is now", file.display())),
            false => say(&format!("{} is trusted already", file.display())),
        },
        SiteCommand::Show { folder, json } => {
            let site = site_in(&folder)?;
            if json {
                let stacks: BTreeMap<&str, BTreeMap<String, String>> = site
                    .stacks
                    .iter()
                    .map(|(name, stack)| {
                        let places = stack.settings().map(|(key, place)| (key.to_string(), place.to_string()));
                        (name.as_str(), places.collect())
                    })
                    .collect();
                let switches: BTreeMap<&str, String> = site
                    .switches
                    .iter()
                    .map(|(name, definition)| (name.as_str(), definition.program.display().to_string()))
                    .collect();
                let remote = site.remote.map(|remote| remote.to_string());
                return say_json(&json!({"remote": remote, "stacks": stacks, "switches": switches}));
            }
            let mut out =
                format!("shared store   {}\n", site.remote.map_or("none".to_string(), |remote| remote.to_string()));
            for (name, definition) in &site.switches {
                out.push_str(&format!("switch         custom:{name}: {}\n", definition.program.display()));
            }
            for (name, definition) in &site.applications {
                let programs = [&definition.sender, &definition.receiver].map(|words| words[0].as_str());
                out.push_str(&format!("application    application:{name}: {}\n", programs.join(", ")));
            }
            for (name, stack) in &site.stacks {
                let places: Vec<String> = stack.settings().map(|(key, place)| format!("{key} {place}")).collect();
                out.push_str(&format!("stack          {name}: {}\n", places.join(", ")));
            }
            say(&out)
        }
    }
}
