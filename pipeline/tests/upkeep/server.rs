//! Servers on this machine that stores are shared through: S3 by moto, plain HTTP by Python.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server that ends with the test.
pub struct Server {
    child: Child,
    pub port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that `pipeline/tests/tools.sh` installs; none, with the reason printed, if it did not.
pub fn tool(name: &str) -> Option<PathBuf> {
    let tools = std::env::var_os("SEPTET_TOOLS").map(PathBuf::from);
    let tools = tools.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools"));
    let path = tools.join("bin").join(name);
    if path.is_file() {
        return Some(path);
    }
    println!("skipped: no {name}: `sh pipeline/tests/tools.sh` installs it");
    None
}

fn serve(command: &mut Command, port: u16) -> Server {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut server = Server { child: child.expect("it can be started"), port };
    let limit = Instant::now() + Duration::from_secs(120);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(server.child.try_wait().expect("it is ours").is_none(), "the server has ended");
        assert!(Instant::now() < limit, "the server does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    server
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

/// An S3 server with the bucket `septet`, which takes any keys.
pub fn s3() -> Option<Server> {
    s3_with(|_| {})
}

/// An S3 server that demands its own keys after `after` requests.
pub fn s3_that_asks(after: usize) -> Option<Server> {
    s3_with(|command| {
        command.env("INITIAL_NO_AUTH_ACTION_COUNT", after.to_string());
    })
}

fn s3_with(more: impl Fn(&mut Command)) -> Option<Server> {
    let program = tool("moto_server")?;
    let port = free_port();
    let mut command = Command::new(program);
    more(command.args(["-H", "127.0.0.1", "-p", &port.to_string()]));
    let server = serve(&mut command, port);
    let answer = server.ask("PUT", "/septet", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Some(server)
}

impl Server {
    /// Lets everybody read the bucket.
    pub fn open_to_all(&self) {
        let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
            "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}]}"#;
        let answer = self.ask("PUT", "/septet?policy", policy);
        assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    }

    fn ask(&self, verb: &str, path: &str, body: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).expect("it answers");
        let head = format!("{verb} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", self.port);
        let request = format!(
            "{head}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(request.as_bytes()).expect("it listens");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// What `septet` needs to speak S3 to it.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ACCESS_KEY_ID", "test".to_string()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_string()),
            ("AWS_REGION", "us-east-1".to_string()),
        ]
    }

    /// Records among the first thousand objects of the bucket.
    pub fn records(&self) -> usize {
        self.ask("GET", "/septet?list-type=2", "").matches("record.json").count()
    }
}

/// A plain web server of a folder.
pub fn http(folder: &Path) -> Option<Server> {
    let has_python = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    if !has_python.is_ok_and(|status| status.success()) {
        println!("skipped: no python3");
        return None;
    }
    let port = free_port();
    let arguments = ["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()];
    Some(serve(Command::new("python3").args(arguments).current_dir(folder), port))
}
