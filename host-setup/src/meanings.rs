//! What names mean in a conversation: those that a client uses, and what the agent has found out of them. It must not
//! know who decides that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::application;
use crate::applications::Application;
use crate::protocol::Failure;
use crate::stack::Stack;
use crate::switch::custom::Definition;
use crate::switch::{Customs, Stacks};

/// Names that a client will use, each with what it means as far as the client knows. To an agent of root's that a user
/// commands they are names only: what they mean is in root's own file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Stacks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stacks: BTreeMap<String, Option<Stack>>,
    /// Switches, by what stands after `custom:`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub switches: BTreeMap<String, Option<Definition>>,
    /// Applications, by what stands after `application:`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub applications: BTreeMap<String, Option<application::Definition>>,
}

/// What they mean.
#[derive(Debug, Default)]
pub(crate) struct Meanings {
    pub stacks: Stacks,
    pub switches: Customs,
    pub applications: Vec<Application>,
}

impl Meanings {
    /// Looks at what lies where names lead, before the worker hides any of it.
    pub(crate) fn look(names: &Names) -> Result<Meanings, Failure> {
        let crate::site::Said { stacks, switches, applications } = crate::site::said(names)?;
        let applications = applications.into_iter().map(|(name, definition)| Application::of_site(&name, definition));
        let applications = applications.collect::<Result<_, Failure>>()?;
        Ok(Meanings { stacks: Stacks::look(&stacks), switches: Customs::of(switches)?, applications })
    }
}
