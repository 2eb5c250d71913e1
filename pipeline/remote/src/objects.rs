//! An object store by its URL: `s3://BUCKET/FOLDER`, `https://HOST/FOLDER`, `file:///FOLDER`. Keys and endpoints
//! of S3 come from the usual `AWS_...` variables. It must not know who asks, or what the objects mean.

use std::fs;
use std::path::Path as FilePath;
use std::time::Duration;

use futures_util::StreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt, ObjectStoreScheme, RetryConfig};
use tokio::io::AsyncWriteExt;
use url::Url;

use crate::address::Address;
use crate::connector::Connector;
use crate::endpoint::{self, Keys};
use crate::refusal;

/// Names told in one line.
const NAMES_AT_ONCE: usize = 1000;
/// How long, and how often, an unreachable store is tried: somebody waits for it who could do without.
const RETRY: Duration = Duration::from_secs(8);
const RETRIES: usize = 3;
/// What became of an object that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    /// There is none.
    Nothing,
    /// The object was copied: so many bytes.
    All(u64),
    /// The object is longer than it said, or than may be taken: this was the most.
    TooMuch(u64),
}

/// A store and the folder in it that is ours.
pub struct Objects {
    store: Box<dyn ObjectStore>,
    root: Path,
    /// Keys, which only S3 takes.
    keys: Option<Keys>,
}

impl Objects {
    /// The store of an address. Nothing is asked of it yet.
    ///
    /// # Errors
    /// Completes "failed to ...".
    pub fn open(address: &Address) -> Result<Objects, String> {
        let url = address.in_full();
        let unfit = |error: &dyn std::fmt::Display| format!("use the address '{address}': {error}");
        let parsed = Url::parse(url).map_err(|error| unfit(&error))?;
        let (scheme, root) = ObjectStoreScheme::parse(&parsed).map_err(|error| unfit(&error))?;
        let retry = RetryConfig {
            backoff: BackoffConfig { max_backoff: Duration::from_secs(1), ..BackoffConfig::default() },
            max_retries: RETRIES,
            retry_timeout: RETRY,
        };
        let options = ClientOptions::new();
        let mut keys_used = None;
        let (store, root): (Box<dyn ObjectStore>, Path) = match scheme {
            ObjectStoreScheme::AmazonS3 => {
                let keys = Keys::of_environment(&|name| std::env::var(name).ok()).map_err(|error| unfit(&error))?;
                let mut builder = AmazonS3Builder::from_env().with_url(url).with_retry(retry);
                let mut plain = false;
                for variable in endpoint::VARIABLES {
                    let Ok(text) = std::env::var(variable) else { continue };
                    let endpoint = endpoint::parse(variable, &text)?;
                    // A test server on this machine speaks plain HTTP; who names one by its address means it.
                    plain |= endpoint.scheme() == "http";
                }
                let endpoint = endpoint::VARIABLES.iter().find_map(|variable| std::env::var(variable).ok());
                if let Some(endpoint) = endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                builder = builder.with_client_options(options.with_allow_http(plain)).with_http_connector(Connector);
                builder = builder.with_skip_signature(keys == Keys::Anonymous);
                keys_used = Some(keys);
                (Box::new(builder.build().map_err(|error| unfit(&error))?), root)
            }
            ObjectStoreScheme::Http => {
                endpoint::no_metadata(&parsed).map_err(|error| unfit(&error))?;
                let options = options.with_allow_http(parsed.scheme() == "http");
                let builder = HttpBuilder::new().with_url(url).with_retry(retry).with_client_options(options);
                let builder = builder.with_http_connector(Connector);
                (Box::new(builder.build().map_err(|error| unfit(&error))?), Path::default())
            }
            ObjectStoreScheme::Local => {
                let folder = parsed.to_file_path().map_err(|()| unfit(&"it names no folder of this machine"))?;
                fs::create_dir_all(&folder).map_err(|error| unfit(&error))?;
                let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| unfit(&error))?;
                (Box::new(store), Path::default())
            }
            _ => return Err(unfit(&"only s3://, https://, http:// and file:/// are known")),
        };
        Ok(Objects { store, root, keys: keys_used })
    }

    fn path(&self, name: &str) -> Result<Path, String> {
        let name = Path::parse(name).map_err(|error| format!("use the name '{name}': {error}"))?;
        Ok(Path::from_iter(self.root.parts().chain(name.parts())))
    }

    /// Names of all objects below a name; all but the last thousand are handed to `some`.
    pub async fn list(&self, below: &str, some: &mut (dyn FnMut(Vec<String>) + Send)) -> Result<Vec<String>, String> {
        let prefix = self.path(below)?;
        let mut listed = self.store.list(Some(&prefix));
        let mut names = Vec::new();
        let root = self.root.as_ref();
        while let Some(object) = listed.next().await {
            let object = object.map_err(|error| format!("list {below}: {}", self.told(&error)))?;
            let name = object.location.as_ref().strip_prefix(root).unwrap_or_default().trim_start_matches('/');
            names.push(name.to_string());
            if names.len() == NAMES_AT_ONCE {
                some(std::mem::take(&mut names));
            }
        }
        Ok(names)
    }

    /// Whether there is an object.
    pub async fn has(&self, name: &str) -> Result<bool, String> {
        match self.store.head(&self.path(name)?).await {
            Ok(_) => Ok(true),
            Err(error) if self.is_absent(&error) => Ok(false),
            Err(error) => Err(format!("look for {name}: {}", self.told(&error))),
        }
    }

    /// Copies an object to a new file, but no more than `bytes_max` bytes, and no more than the store said that it has:
    /// of one that goes on after that nothing is left.
    ///
    /// # Errors
    /// Completes "failed to ...".
    pub async fn get(&self, name: &str, to: &str, bytes_max: u64) -> Result<Got, String> {
        let object = match self.store.get(&self.path(name)?).await {
            Err(error) if self.is_absent(&error) => return Ok(Got::Nothing),
            other => other.map_err(|error| format!("get {name}: {}", self.told(&error)))?,
        };
        let said = object.meta.size;
        if said > bytes_max {
            return Ok(Got::TooMuch(bytes_max));
        }
        let writing = |error: std::io::Error| format!("write {to}: {error}");
        let mut file = tokio::fs::File::create_new(to).await.map_err(writing)?;
        let mut stream = object.into_stream();
        let mut copied = 0u64;
        while let Some(bytes) = stream.next().await {
            let bytes = bytes.map_err(|error| format!("get {name}: {}", self.told(&error)))?;
            copied += bytes.len() as u64;
            if copied > said {
                drop(file);
                tokio::fs::remove_file(to).await.map_err(writing)?;
                return Ok(Got::TooMuch(said));
            }
            file.write_all(&bytes).await.map_err(writing)?;
        }
        file.flush().await.map_err(writing)?;
        match copied == said {
            true => Ok(Got::All(copied)),
            false => Err(format!("get {name}: it has {said} bytes, and only {copied} came")),
        }
    }

    /// Copies a file to an object.
    pub async fn put(&self, name: &str, from: &str) -> Result<u64, String> {
        let bytes = tokio::fs::read(FilePath::new(from)).await.map_err(|error| format!("read {from}: {error}"))?;
        let len = bytes.len() as u64;
        self.store
            .put(&self.path(name)?, bytes.into())
            .await
            .map_err(|error| format!("put {name}: {}", self.told(&error)))?;
        Ok(len)
    }

    /// Deletes an object; one that is not there is as good as deleted.
    pub async fn delete(&self, name: &str) -> Result<(), String> {
        match self.store.delete(&self.path(name)?).await {
            Ok(()) => Ok(()),
            Err(error) if self.is_absent(&error) => Ok(()),
            Err(error) => Err(format!("delete {name}: {}", self.told(&error))),
        }
    }

    /// An error with what is behind it, on one line, in words where the store's own are known.
    fn told(&self, error: &dyn std::error::Error) -> String {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        refusal::words(&text, self.keys)
    }

    /// Whether an object is not there: not, if its bucket is not.
    fn is_absent(&self, error: &Error) -> bool {
        matches!(error, Error::NotFound { .. }) && !self.told(error).contains("no bucket")
    }
}
