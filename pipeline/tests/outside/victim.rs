//! A folder of somebody's with precious files in it, beside an experiment with a store from somebody else. It must
//! not know how they are attacked.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::bench::{Bench, Files, Ran, SMALL, touched};

/// How long a command may take that has nothing to measure. One that waits for ever is killed then.
const PATIENCE: Duration = Duration::from_secs(60);

/// A measured experiment in `bench`, and a folder `victim` beside its store.
pub struct Scene {
    pub bench: Bench,
    before: Files,
}

impl Scene {
    /// With a store that no report was made of yet.
    pub fn new() -> Scene {
        static MEASURED: OnceLock<Bench> = OnceLock::new();
        let measured = MEASURED.get_or_init(|| {
            let bench = Bench::new();
            bench.write("small.toml", SMALL);
            bench.septet(&["run", "small.toml", "--no-report"]).code(0);
            bench
        });
        let bench = Bench::new();
        let script = "cp -a \"$0/.septet\" \"$0/small.toml\" .";
        let copied =
            Command::new("sh").args(["-c", script]).arg(measured.path("")).current_dir(bench.path("")).status();
        assert!(copied.is_ok_and(|status| status.success()), "a store can be copied");
        Scene::of(bench)
    }

    /// With a report.
    pub fn reported() -> Scene {
        let scene = Scene::new();
        scene.bench.septet(&["report", "small.toml", "--no-remote"]).code(0);
        scene
    }

    fn of(bench: Bench) -> Scene {
        fs::create_dir_all(bench.path("victim/results")).expect("the bench is writable");
        for name in ["precious", "two", "lock", "index.html", "results/record.json"] {
            bench.write(&format!("victim/{name}"), "precious\n");
        }
        let before = bench.files("victim");
        Scene { bench, before }
    }

    /// Runs a command to its end, which must come.
    #[track_caller]
    pub fn ends(&self, arguments: &[&str]) -> Ran {
        let (out, err) = (self.bench.path("stdout"), self.bench.path("stderr"));
        let file = |path| File::create(path).expect("the bench is writable");
        let mut command = self.bench.command(arguments);
        let mut child = command.stdout(file(&out)).stderr(file(&err)).stdin(Stdio::null()).spawn().expect("it starts");
        let limit = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait().expect("it is ours") {
                break status;
            }
            if Instant::now() > limit {
                let _ = child.kill();
                let _ = child.wait();
                panic!("septet {arguments:?} waits for ever");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        Ran { code: status.code().unwrap_or(-1), stdout: text(&out), stderr: text(&err) }
    }

    /// Everything that reads, writes or clears a store or a report, one after the other; all end, and the victim's
    /// files are what they were.
    #[track_caller]
    pub fn everything(&self) {
        for arguments in [
            &["report", "small.toml", "--no-remote"][..],
            &["run", "small.toml", "--no-remote"],
            &["store", "verify"],
            &["store", "gc", "--scope", "failed"],
            &["archive", "create", "small.toml", "-o", "a.tar.zst", "--no-remote"],
            &["run", "small.toml", "--no-remote", "--force", "P=64"],
        ] {
            let ran = self.ends(arguments);
            assert!(ran.code >= 0 && !ran.stderr.contains("panicked"), "{arguments:?}: {ran:?}");
            self.unharmed(&format!("{arguments:?}"));
        }
    }

    /// The victim's files are what they were.
    #[track_caller]
    pub fn unharmed(&self, by: &str) {
        assert_eq!(touched(&self.before, &self.bench.files("victim")), Vec::<String>::new(), "harmed by {by}");
    }

    /// A link in the bench, to the victim's files: `to` is a name in its folder.
    pub fn link(&self, name: &str, to: &str) {
        let path = self.bench.path(name);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the bench is writable");
        if path.is_dir() {
            fs::remove_dir_all(&path).expect("the bench is writable");
        } else {
            let _ = fs::remove_file(&path);
        }
        std::os::unix::fs::symlink(self.bench.path("victim").join(to), path).expect("the bench is writable");
    }
}
