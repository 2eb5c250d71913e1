//! Whether a scene is one that its switch can be in: the configuration is what is rendered here, the links are of its
//! kind. Pure; it must not know what is on the host.

use super::{Customs, Descriptor, End, Ends, Shape};
use crate::scene::Scene;
use crate::scene::checked::{self, CheckedContainer, CheckedLink, CheckedScene, SceneError, unique, wrong};

/// Checks everything that can be checked without the host.
///
/// # Errors
/// What is wrong, and where in the scene.
pub fn check(scene: &Scene) -> Result<CheckedScene, SceneError> {
    check_with(scene, &Customs::default())
}

/// Like [`check`], where a site defines more switches.
pub(crate) fn check_with(scene: &Scene, customs: &Customs) -> Result<CheckedScene, SceneError> {
    let checked = checked::check(scene)?;
    let name = &scene.switch.kind;
    let unknown = || wrong("switch", super::RenderError::Unknown(name.clone()).to_string());
    let descriptor = customs.descriptor(name).ok_or_else(unknown)?;
    let rendered = descriptor
        .render(&Shape::of(&scene.switch, scene.containers.len()))
        .map_err(|error| wrong("switch", error.to_string()))?;
    if rendered != scene.switch.configuration {
        let problem = "its configuration is not what this agent renders; client and agent are of different versions";
        return Err(wrong("switch", problem.into()));
    }
    check_ends(&descriptor, &checked.containers)?;
    Ok(checked)
}

/// Every link is of the kind that the switch has, and a folder is shared by those only who are joined in it.
fn check_ends(descriptor: &Descriptor, containers: &[CheckedContainer]) -> Result<(), SceneError> {
    let mut folders = Vec::new();
    for (place, container) in containers.iter().enumerate() {
        let end = descriptor.ends.of(place);
        let fits = match &container.link {
            CheckedLink::Interface(_) => end == End::Interface,
            CheckedLink::VhostUser { folder, .. } => {
                folders.push(folder.clone());
                !matches!(end, End::Interface | End::Function)
            }
            CheckedLink::Function { .. } => end == End::Function,
        };
        if !fits {
            return Err(wrong("switch", format!("container {} has no link of its kind", container.name)));
        }
    }
    if descriptor.ends == Ends::Alternating {
        let pairs = folders.chunks(2);
        if let Some(pair) = pairs.clone().find(|pair| pair.len() != 2 || pair[0] != pair[1]) {
            return Err(wrong("switch", format!("{} is joined to nobody", pair[0])));
        }
        folders = pairs.map(|pair| pair[0].clone()).collect();
    }
    unique(folders.into_iter(), "folders of ports")
}
