//! Commands about a shared store, and about the site that names it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{PlaceArgs, SiteCommand, remark, say, say_json, store};
use crate::exit::{Exit, Trouble};
use crate::key::Key;
use crate::plan::Status;
use crate::planned::{Planned, plural};
use crate::remote::share::{self, Shared};
use crate::remote::{Remote, RemoteError};
use crate::site::{self, Site, SiteError, TrustError};

impl From<RemoteError> for Trouble {
    fn from(error: RemoteError) -> Trouble {
        Trouble::host(error.to_string())
    }
}

impl From<SiteError> for Trouble {
    fn from(error: SiteError) -> Trouble {
        match error {
            SiteError::Invalid(diagnostics) => {
                Trouble { exit: Exit::BadInput, text: diagnostics.to_string(), placed: true }
            }
            other => Trouble::input(other.to_string()),
        }
    }
}

impl From<TrustError> for Trouble {
    fn from(error: TrustError) -> Trouble {
        Trouble::host(error.to_string())
    }
}

/// The folder of a file.
fn beside(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// What a site says of experiments in a folder; a site file that is not trusted is told.
fn site_of(folder: &Path) -> Result<Site, Trouble> {
    let found = site::find(folder)?;
    if let Some(path) = found.untrusted {
        remark(&format!(
            "septet: {0} is not used, since nobody has trusted it: read it, then `septet site trust {0}`",
            path.display()
        ));
    }
    Ok(found.site)
}

fn remote(url: Option<&str>, place: &PlaceArgs) -> Result<Remote, Trouble> {
    let root = store::place(place)?;
    let named = match url {
        Some(url) => Some(url.to_string()),
        None => site_of(&beside(root.root()))?.remote,
    };
    let url = named.ok_or_else(|| {
        let own = site::folder().unwrap_or_default().join(site::SITE_FILE);
        Trouble::input(format!(
            "no shared store is named: give its address, or write it as remote under [store] into {}",
            own.display()
        ))
    })?;
    Ok(Remote::open(&url)?)
}

#[derive(Serialize)]
struct SharedJson<'a> {
    remote: &'a str,
    copied: usize,
    there: usize,
    refused: &'a [String],
}

fn told(verb: &str, url: &str, shared: &Shared, json: bool) -> Result<Exit, Trouble> {
    let exit = if shared.refused.is_empty() { Exit::Well } else { Exit::TestsFailed };
    if json {
        let Shared { copied, there, refused } = shared;
        say_json(&SharedJson { remote: url, copied: *copied, there: *there, refused })?;
        return Ok(exit);
    }
    for refused in &shared.refused {
        remark(&format!("septet: not {verb}: {refused}"));
    }
    say(&format!("{verb} {}, {} there already: {url}", plural(shared.copied, "result"), shared.there))?;
    Ok(exit)
}

/// `septet store push`.
pub(super) fn push(url: Option<&str>, place: &PlaceArgs, json: bool) -> Result<Exit, Trouble> {
    let store = store::open(place)?;
    let mut remote = remote(url, place)?;
    let shared = share::push(&store, &mut remote)?;
    told("pushed", remote.url(), &shared, json)
}

/// `septet store pull`.
pub(super) fn pull(url: Option<&str>, place: &PlaceArgs, key: Option<&str>, json: bool) -> Result<Exit, Trouble> {
    let store = store::place(place)?;
    let digits = key.unwrap_or_default().to_ascii_lowercase();
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Trouble::input(format!("'{digits}' is no key: give hexadecimal digits")));
    }
    let mut remote = remote(url, place)?;
    let shared = share::pull(&store, &mut remote, &|entry| entry.key.to_string().starts_with(&digits))?;
    told("pulled", remote.url(), &shared, json)
}

/// Reads through to the site's shared store: pulls what is to be measured and was measured elsewhere under the
/// very same key. True if anything came.
pub(super) fn read_through(
    planned: &Planned,
    only: &dyn Fn(&crate::experiment::Test) -> bool,
) -> Result<bool, Trouble> {
    let missing: std::collections::HashSet<Key> = planned
        .tests()
        .filter(|(test, decision)| decision.status == Status::ToMeasure && only(test))
        .filter_map(|(_, decision)| decision.key)
        .collect();
    if missing.is_empty() {
        return Ok(false);
    }
    let Some(url) = site_of(&beside(&planned.workspace.file))?.remote else { return Ok(false) };
    let go_on = |error: Trouble| Trouble { text: format!("{}; `--no-remote` goes on without it", error.text), ..error };
    let mut remote = Remote::open(&url).map_err(|error| go_on(error.into()))?;
    let wanted = |entry: &crate::store::Entry| missing.contains(&entry.key);
    let shared = share::pull(&planned.workspace.store, &mut remote, &wanted).map_err(|error| go_on(error.into()))?;
    for refused in &shared.refused {
        remark(&format!("septet: not pulled: {refused}"));
    }
    if shared.copied > 0 {
        remark(&format!("pulled {} from {url}", plural(shared.copied, "result")));
    }
    Ok(shared.copied > 0)
}

/// `septet site ...`.
pub(super) fn site(command: SiteCommand) -> Result<Exit, Trouble> {
    match command {
        SiteCommand::Trust { file } => match site::trust(&file)? {
            true => say(&format!("trusted {} as it is now", file.display())),
            false => say(&format!("{} is trusted already", file.display())),
        },
        SiteCommand::Show { folder } => {
            let site = site_of(&folder)?;
            let mut out = format!("shared store   {}\n", site.remote.as_deref().unwrap_or("none"));
            for (name, settings) in &site.stacks {
                out.push_str(&format!("stack          {name} ({})\n", plural(settings.len(), "setting")));
            }
            say(&out)
        }
    }
}
