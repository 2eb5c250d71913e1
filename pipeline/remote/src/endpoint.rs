//! Where S3 is and with which keys, from the environment; and the addresses at which a cloud tells a machine its secrets,
//! which nobody asks unless told to. It must not speak to anybody.

use std::net::IpAddr;

use url::{Host, Url};

use crate::address::hidden;

/// Variables that may name the server, the first that is set.
pub const VARIABLES: [&str; 3] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
/// Names of the server that answers at 169.254.169.254.
const METADATA_NAMES: [&str; 3] = ["metadata.google.internal", "metadata", "instance-data"];

/// Why such an address is refused.
pub const METADATA: &str = "a link-local address is a cloud's metadata server, not a store";

/// With which keys a store is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// The keys in the environment.
    Environment,
    /// No keys: the store is open to all.
    Anonymous,
    /// The keys that this machine's cloud gives it, as was asked for.
    OfTheCloud,
}

impl Keys {
    /// What the variables ask for. Without keys a cloud's metadata server is asked only if
    /// `AWS_EC2_METADATA_DISABLED=false` says so: elsewhere that is a stranger's address.
    ///
    /// # Errors
    /// In words, what to set.
    pub fn of_environment(variable: &dyn Fn(&str) -> Option<String>) -> Result<Keys, String> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let says = |name: &str, word: &str| given(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
        let has = |name: &str| given(name).is_some();
        if says("AWS_SKIP_SIGNATURE", "true") {
            return Ok(Keys::Anonymous);
        }
        if says("AWS_EC2_METADATA_DISABLED", "false") {
            return Ok(Keys::OfTheCloud);
        }
        let identity = has("AWS_WEB_IDENTITY_TOKEN_FILE") && has("AWS_ROLE_ARN");
        match (has("AWS_ACCESS_KEY_ID"), has("AWS_SECRET_ACCESS_KEY")) {
            (true, true) => Ok(Keys::Environment),
            (true, false) => Err("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not".to_string()),
            (false, true) => Err("AWS_SECRET_ACCESS_KEY is set, and AWS_ACCESS_KEY_ID is not".to_string()),
            (false, false) if identity => Ok(Keys::Environment),
            (false, false) if has("AWS_PROFILE") => {
                Err("AWS_PROFILE is set, but files of profiles are not read: set AWS_ACCESS_KEY_ID and \
                     AWS_SECRET_ACCESS_KEY"
                    .to_string())
            }
            (false, false) => Err("there are no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
                                   AWS_SKIP_SIGNATURE=true for a store that everybody may read, or \
                                   AWS_EC2_METADATA_DISABLED=false to ask this machine's cloud for keys"
                .to_string()),
        }
    }
}

/// The server that a variable names.
///
/// # Errors
/// Completes "failed to ...".
pub fn parse(variable: &str, text: &str) -> Result<Url, String> {
    let wrong = |why: &str| format!("use {variable}='{}': {why}", hidden(text));
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return Err(wrong("it must begin with http:// or https://"));
    }
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    no_metadata(&url).map_err(|why| wrong(&why))?;
    Ok(url)
}

/// Refuses an address at which a cloud tells a machine its secrets.
///
/// # Errors
/// In words.
pub fn no_metadata(url: &Url) -> Result<(), String> {
    let is_local = match url.host() {
        Some(Host::Ipv4(address)) => is_metadata(address.into()),
        Some(Host::Ipv6(address)) => is_metadata(address.into()),
        Some(Host::Domain(name)) => METADATA_NAMES.contains(&name.trim_end_matches('.').to_ascii_lowercase().as_str()),
        None => return Err("it names no host".to_string()),
    };
    match is_local {
        true => Err(METADATA.to_string()),
        false => Ok(()),
    }
}

/// Whether clouds tell secrets at an address.
pub fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => {
            let mapped = address.to_ipv4().is_some_and(|address| address.is_link_local());
            mapped || address.is_unicast_link_local() || address.segments()[..2] == [0xfd00, 0x0ec2]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cloud_is_asked_only_if_told_to() {
        let keys = |set: &[(&str, &str)]| {
            Keys::of_environment(&|name| set.iter().find(|(set, _)| *set == name).map(|(_, value)| value.to_string()))
        };
        assert!(keys(&[]).is_err_and(|why| why.contains("AWS_ACCESS_KEY_ID")));
        assert!(keys(&[("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "")]).is_err());
        assert!(keys(&[("AWS_PROFILE", "lab")]).is_err_and(|why| why.contains("profiles are not read")));
        assert!(keys(&[("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")]).is_err());
        assert!(keys(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x")]).is_err());
        assert_eq!(keys(&[("AWS_EC2_METADATA_DISABLED", "false")]), Ok(Keys::OfTheCloud));
        assert_eq!(keys(&[("AWS_SKIP_SIGNATURE", "true")]), Ok(Keys::Anonymous));
        let both = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")];
        assert_eq!(keys(&both), Ok(Keys::Environment));
    }

    #[test]
    fn servers_have_a_scheme_and_are_no_metadata_servers() {
        for text in ["http://127.0.0.1:9000", "https://minio.lab", "http://[::1]:9000/x"] {
            assert!(parse("AWS_ENDPOINT_URL", text).is_ok(), "{text}");
        }
        for text in [
            "127.0.0.1:9000",
            "localhost:9000",
            "",
            "http://",
            "ftp://x",
            "http://169.254.169.254",
            "http://2852039166/",
            "http://0xa9fea9fe/x",
            "http://[fd00:ec2::254]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[fe80::1]/",
            "http://metadata.google.internal/",
            "http://169.254.170.2/v2",
        ] {
            assert!(parse("AWS_ENDPOINT_URL", text).is_err(), "{text}");
        }
        let reason = parse("AWS_ENDPOINT_URL", "me:hidden@host:9000").expect_err("it has no scheme");
        assert!(!reason.contains("hidden"), "{reason}");
    }
}
