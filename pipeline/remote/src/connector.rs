//! Connections to a store's server, and to where it sends us: never to an address at which a cloud tells a machine its
//! secrets, whether a redirect leads there or a name. It must not know what is asked for.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use object_store::client::{ClientConfigKey, HttpClient, HttpConnector};
use object_store::{ClientOptions, Error};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;

use crate::endpoint;

/// Redirects that are followed one after the other.
const REDIRECTS_MAX: usize = 10;
/// How long until a server takes a connection.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// How long a server may say nothing in the middle of an answer.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How long one object may take.
const OBJECT_MAX: Duration = Duration::from_secs(900);
const AGENT: &str = concat!("septet-remote/", env!("CARGO_PKG_VERSION"));

/// Makes clients that go nowhere but to stores.
#[derive(Debug)]
pub struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp).is_some_and(|says| says == "true");
        let client = reqwest::Client::builder()
            .user_agent(AGENT)
            .connect_timeout(CONNECT_MAX)
            .read_timeout(SILENCE_MAX)
            .timeout(OBJECT_MAX)
            .http1_only()
            .https_only(!plain)
            .redirect(Policy::custom(|attempt| {
                let to = origin(attempt.url());
                match endpoint::no_metadata(attempt.url()) {
                    Err(why) => attempt.error(format!("it redirects to {to}: {why}")),
                    Ok(()) if attempt.previous().len() > REDIRECTS_MAX => attempt.error("it redirects for ever"),
                    Ok(()) => attempt.follow(),
                }
            }))
            .dns_resolver(Arc::new(Names))
            .build();
        client.map(HttpClient::new).map_err(|error| Error::Generic { store: "HTTP", source: Box::new(error) })
    }
}

/// Where a URL leads, without what may be secret in it.
fn origin(url: &url::Url) -> String {
    url.origin().ascii_serialization()
}

/// Addresses of names, without those that no store has.
#[derive(Debug)]
struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_string();
        Box::pin(async move {
            let asked = name.clone();
            let found = tokio::task::spawn_blocking(move || {
                (asked.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<SocketAddr>>)
            });
            Ok(Box::new(allowed(&name, found.await??)?.into_iter()) as Addrs)
        })
    }
}

fn allowed(name: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
    let some = !found.is_empty();
    let kept: Vec<SocketAddr> = found.into_iter().filter(|address| !endpoint::is_metadata(address.ip())).collect();
    match some && kept.is_empty() {
        true => Err(format!("{name} has link-local addresses only: {}", endpoint::METADATA)),
        false => Ok(kept),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_stores_only() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect();
        let kept = allowed("x", addresses(&["169.254.169.254:0", "10.0.0.1:0", "[fe80::1]:0"]));
        assert_eq!(kept, Ok(addresses(&["10.0.0.1:0"])));
        assert_eq!(allowed("x", Vec::new()), Ok(Vec::new()));
        let refused = allowed("x", addresses(&["[::ffff:169.254.169.254]:0", "[fd00:ec2::254]:80"]));
        assert!(refused.is_err_and(|why| why.contains("link-local")));
    }
}
