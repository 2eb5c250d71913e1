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
use object_store::{
    BackoffConfig, ClientConfigKey, Error, ObjectStore, ObjectStoreExt, ObjectStoreScheme, RetryConfig,
};
use tokio::io::AsyncWriteExt;
use url::Url;

/// Names told in one line.
const NAMES_AT_ONCE: usize = 1000;
/// How long an unreachable store is tried.
const RETRY: Duration = Duration::from_secs(20);

/// A store and the folder in it that is ours.
pub struct Objects {
    store: Box<dyn ObjectStore>,
    root: Path,
}

impl Objects {
    /// The store of a URL. Nothing is asked of it yet.
    pub fn open(url: &str) -> Result<Objects, String> {
        let parsed = Url::parse(url).map_err(|error| format!("understand the address '{url}': {error}"))?;
        let unfit = |error: &dyn std::fmt::Display| format!("use the address '{url}': {error}");
        let (scheme, root) = ObjectStoreScheme::parse(&parsed).map_err(|error| unfit(&error))?;
        let retry = RetryConfig {
            backoff: BackoffConfig { max_backoff: Duration::from_secs(3), ..BackoffConfig::default() },
            max_retries: 6,
            retry_timeout: RETRY,
        };
        let (store, root): (Box<dyn ObjectStore>, Path) = match scheme {
            ObjectStoreScheme::AmazonS3 => {
                let mut builder = AmazonS3Builder::from_env().with_url(url).with_retry(retry);
                // A test server on this machine speaks plain HTTP; who names one by its address means it.
                let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"].map(std::env::var);
                if let Some(endpoint) = endpoint.into_iter().flatten().next() {
                    builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
                }
                (Box::new(builder.build().map_err(|error| unfit(&error))?), root)
            }
            ObjectStoreScheme::Http => {
                let builder = HttpBuilder::new().with_url(url).with_retry(retry);
                let plain = (parsed.scheme() == "http").to_string();
                let builder = builder.with_config(ClientConfigKey::AllowHttp, plain);
                (Box::new(builder.build().map_err(|error| unfit(&error))?), Path::default())
            }
            ObjectStoreScheme::Local => {
                let folder = parsed.to_file_path().map_err(|()| unfit(&"it names no folder of this machine"))?;
                fs::create_dir_all(&folder).map_err(|error| unfit(&error))?;
                let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| unfit(&error))?;
                (Box::new(store), Path::default())
            }
            _ => return Err(unfit(&"only s3://, https://, http:// and file:// are known")),
        };
        Ok(Objects { store, root })
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
            let object = object.map_err(|error| format!("list {below}: {}", told(&error)))?;
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
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(format!("look for {name}: {}", told(&error))),
        }
    }

    /// Copies an object to a new file; the number of bytes, or nothing if there is no such object.
    pub async fn get(&self, name: &str, to: &str, bytes_max: u64) -> Result<Option<u64>, String> {
        let object = match self.store.get(&self.path(name)?).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            other => other.map_err(|error| format!("get {name}: {}", told(&error)))?,
        };
        let writing = |error: std::io::Error| format!("write {to}: {error}");
        let mut file = tokio::fs::File::create_new(to).await.map_err(writing)?;
        let mut stream = object.into_stream();
        let mut copied = 0u64;
        while let Some(bytes) = stream.next().await {
            let bytes = bytes.map_err(|error| format!("get {name}: {}", told(&error)))?;
            copied += bytes.len() as u64;
            if copied > bytes_max {
                return Err(format!("get {name}: it has more than {bytes_max} bytes"));
            }
            file.write_all(&bytes).await.map_err(writing)?;
        }
        file.flush().await.map_err(writing)?;
        Ok(Some(copied))
    }

    /// Copies a file to an object.
    pub async fn put(&self, name: &str, from: &str) -> Result<u64, String> {
        let bytes = tokio::fs::read(FilePath::new(from)).await.map_err(|error| format!("read {from}: {error}"))?;
        let len = bytes.len() as u64;
        self.store
            .put(&self.path(name)?, bytes.into())
            .await
            .map_err(|error| format!("put {name}: {}", told(&error)))?;
        Ok(len)
    }

    /// Deletes an object; one that is not there is as good as deleted.
    pub async fn delete(&self, name: &str) -> Result<(), String> {
        match self.store.delete(&self.path(name)?).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(format!("delete {name}: {}", told(&error))),
        }
    }
}

/// An error with what is behind it, on one line.
fn told(error: &dyn std::error::Error) -> String {
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
    text.replace('\n', " ")
}
