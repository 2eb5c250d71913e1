//! Names of files below a folder, parsed: no name leads out of the folder that it is used in. It must not touch a
//! file.

use std::fmt;
use std::str::FromStr;

/// Longest part of a name, bytes: what file systems take.
const PART_BYTES_MAX: usize = 255;
/// Longest name, bytes: with the folder it must fit the kernel's 4096.
const NAME_BYTES_MAX: usize = 2048;

/// A name below a folder: one or more parts between slashes, of which none is empty, `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Below(String);

/// Why a text names nothing below a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name begins at the root.
    #[error("it is an absolute name")]
    Absolute,
    /// The name has a part `..`.
    #[error("it leads out of its folder")]
    Outwards,
    /// The name, or a part of it, is empty or `.`.
    #[error("it is not a plain name")]
    Empty,
    /// The name has a zero byte.
    #[error("it contains a zero byte")]
    Zero,
    /// The name, or a part of it, is too long.
    #[error("it is too long")]
    Long,
}

impl Below {
    /// A name from its parts, each of which may have slashes itself.
    ///
    /// # Errors
    /// The first part that is wrong says why.
    pub fn of<const N: usize>(parts: [&str; N]) -> Result<Below, NameError> {
        parts.join("/").parse()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder that it lies in, below the same folder; none for one part.
    pub fn parent(&self) -> Option<Below> {
        self.0.rsplit_once('/').map(|(above, _)| Below(above.to_string()))
    }

    /// The name's last part.
    pub fn last(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, last)| last)
    }

    /// The name's parts.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// What lies below it under this name.
    ///
    /// # Errors
    /// Together they are too long.
    pub fn join(&self, below: &Below) -> Result<Below, NameError> {
        Below::of([&self.0, &below.0])
    }
}

impl FromStr for Below {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Below, NameError> {
        if text.starts_with('/') {
            return Err(NameError::Absolute);
        }
        if text.bytes().any(|byte| byte == 0) {
            return Err(NameError::Zero);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(NameError::Long);
        }
        for part in text.split('/') {
            match part {
                "" | "." => return Err(NameError::Empty),
                ".." => return Err(NameError::Outwards),
                long if long.len() > PART_BYTES_MAX => return Err(NameError::Long),
                _ => {}
            }
        }
        Ok(Below(text.to_string()))
    }
}

impl fmt::Display for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    /// Names of the kind that an attacker would try, and others.
    fn any_name() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just(String::new()),
            Just(".".to_string()),
            Just("..".to_string()),
            Just("...".to_string()),
            Just("\0".to_string()),
            "[a-z.]{1,12}",
            "\\PC{0,8}",
            "x{250,260}",
        ];
        prop_oneof![prop::collection::vec(part, 0..6).prop_map(|parts| parts.join("/")), any::<String>()]
    }

    proptest! {
        #[test]
        fn a_name_never_leads_out_of_its_folder_and_is_what_was_written(text in any_name()) {
            let Ok(name) = text.parse::<Below>() else { return Ok(()) };
            prop_assert_eq!(name.as_str(), &text);
            let parts: Vec<Component> = Path::new(name.as_str()).components().collect();
            prop_assert!(parts.iter().all(|part| matches!(part, Component::Normal(_))), "{parts:?}");
            prop_assert_eq!(parts.len(), name.parts().count());
            prop_assert!(!text.contains('\0'));
            let again = match name.parent() {
                Some(parent) => parent.join(&name.last().parse()?)?,
                None => name.last().parse()?,
            };
            prop_assert_eq!(again, name);
        }

        #[test]
        fn plain_names_are_taken(parts in prop::collection::vec("[A-Za-z0-9_+=@ -][A-Za-z0-9._-]{0,60}", 1..6)) {
            prop_assert!(parts.join("/").parse::<Below>().is_ok());
        }

        #[test]
        fn one_bad_part_spoils_a_name(before in "[a-z]{1,5}", after in "[a-z]{1,5}", bad in "|\\.|\\.\\.") {
            for text in [format!("{before}/{bad}/{after}"), format!("{bad}/{after}"), format!("{before}/{bad}")] {
                prop_assert!(text.parse::<Below>().is_err(), "{text}");
            }
        }
    }

    #[test]
    fn reasons_are_told() {
        let of = |text: &str| text.parse::<Below>();
        assert_eq!(of("/etc/passwd"), Err(NameError::Absolute));
        assert_eq!(of("a/../../b"), Err(NameError::Outwards));
        assert_eq!(of("a//b"), Err(NameError::Empty));
        assert_eq!(of("a\0b"), Err(NameError::Zero));
        assert_eq!(of(&"a/".repeat(2000)), Err(NameError::Long));
    }
}
