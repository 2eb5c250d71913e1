//! What many pages of tests have in common, made ready once for all of them: a host, its components, the sections of
//! manifests. A page is the same whether others have shown the same before. It must not know pages.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, RwLock};

use host_setup::facts::Facts;
use reports::html;
use reports::model::{Fact, FactList};
use reports::templates::{Prepared, RenderError, Templates};
use results::axes::VSwitch;

use super::{ReportError, views};
use crate::conditions::OWN_SECTION;
use crate::manifest::Sealed;
use crate::store::Record;
use crate::traffic;

/// Of each kind so many are kept, those seen first.
const KEPT_MAX: usize = 1024;

/// What was made ready already, for one report.
pub(super) struct Shared<'a> {
    templates: &'a Templates,
    hosts: Kept<HostId, Prepared>,
    components: Kept<(HostId, VSwitch, String, Option<String>), Prepared>,
    inputs: Kept<(String, [u8; 32]), Prepared>,
}

/// A host by where its facts lie in memory, which are held meanwhile.
#[derive(Clone, Debug)]
struct HostId(Arc<Facts>);

impl PartialEq for HostId {
    fn eq(&self, other: &HostId) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for HostId {}

impl Hash for HostId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl<'a> Shared<'a> {
    pub(super) fn new(templates: &'a Templates) -> Shared<'a> {
        Shared { templates, hosts: Kept::default(), components: Kept::default(), inputs: Kept::default() }
    }

    /// Facts of one test.
    pub(super) fn facts(&self, list: &FactList) -> Result<Prepared, ReportError> {
        html::facts(self.templates, list).map_err(failed)
    }

    /// The hosts of a test.
    pub(super) fn hosts(&self, record: &Record) -> Result<Vec<Prepared>, ReportError> {
        let list = |heading: &str, host: &Facts| {
            let facts = views::host_facts(host).into_iter().map(|(label, value)| Fact::new(label, value)).collect();
            self.facts(&FactList { heading: heading.to_string(), facts })
        };
        if record.peers.is_empty() {
            return Ok(vec![self.hosts.get(HostId(record.host.clone()), || list("Host", &record.host))?]);
        }
        let headings = ["Host of those who begin", "Host of those who answer"].into_iter();
        let headings = headings.chain(std::iter::repeat("Host of those who answer"));
        record.hosts().zip(headings).map(|((host, _), heading)| list(heading, host)).collect()
    }

    /// The components of a test.
    pub(super) fn components(&self, record: &Record) -> Result<Prepared, ReportError> {
        let make = || html::components(&views::components(record)).map_err(failed);
        if !record.peers.is_empty() {
            return make();
        }
        let application = traffic::application(&record.tuple).into_owned();
        let reported = record.evidence.reported.clone();
        let id = (HostId(record.host.clone()), record.tuple.vswitch, application, reported);
        self.components.get(id, make)
    }

    /// A section of a test's manifest.
    pub(super) fn inputs(&self, name: &str, section: &Sealed) -> Result<Prepared, ReportError> {
        let make = || {
            let fields = section.section().fields();
            let facts = fields.map(|(name, field)| Fact::new(name, field.whole())).collect();
            html::inputs(self.templates, &FactList { heading: name.to_string(), facts }).map_err(failed)
        };
        // No other test has it.
        if name == OWN_SECTION {
            return make();
        }
        self.inputs.get((name.to_string(), *section.digest()), make)
    }
}

fn failed(source: RenderError) -> ReportError {
    ReportError::Render { what: "a test's page".to_string(), source }
}

/// Things that are made once.
struct Kept<Id, Thing>(RwLock<HashMap<Id, Thing>>);

impl<Id, Thing> Default for Kept<Id, Thing> {
    fn default() -> Self {
        Kept(RwLock::default())
    }
}

impl<Id: Hash + Eq, Thing: Clone> Kept<Id, Thing> {
    fn get(&self, id: Id, make: impl FnOnce() -> Result<Thing, ReportError>) -> Result<Thing, ReportError> {
        if let Ok(kept) = self.0.read()
            && let Some(thing) = kept.get(&id)
        {
            return Ok(thing.clone());
        }
        let thing = make()?;
        if let Ok(mut kept) = self.0.write()
            && kept.len() < KEPT_MAX
        {
            kept.insert(id, thing.clone());
        }
        Ok(thing)
    }
}
