//! Components that come from elsewhere: what another byte of one of them makes dirty, by name, and that nothing else
//! is touched.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::bench::{Bench, Ran, SMALL, touched};

/// A stack `lab` in a folder of its own, not below /tmp: what is measured has another one.
struct Lab {
    bench: Bench,
    prefix: tempfile::TempDir,
}

impl Lab {
    fn new(bench: Bench) -> Lab {
        let prefix = tempfile::tempdir_in("/var/tmp").expect("a folder");
        fs::create_dir_all(bench.path(".config/septet")).expect("a folder for the site");
        let site = format!("[stacks.lab]\nfrom = \"{}\"\n", prefix.path().display());
        bench.write(".config/septet/site.toml", &site);
        Lab { bench, prefix }
    }

    /// A copy of a file of the system's in the stack, with a byte more.
    fn add(&self, from: &Path, inside: &str) {
        let to = self.prefix.path().join(inside);
        fs::create_dir_all(to.parent().expect("a folder")).expect("its folder");
        let mut bytes = fs::read(from).expect("it can be read");
        bytes.push(b'x');
        fs::write(&to, bytes).expect("the stack is writable");
        fs::set_permissions(&to, fs::metadata(from).expect("it is there").permissions()).expect("it is ours");
    }

    /// A file of the system's in the stack as it is.
    fn copy(&self, from: &str, inside: &str) {
        let to = self.prefix.path().join(inside);
        fs::create_dir_all(to.parent().expect("a folder")).expect("its folder");
        fs::copy(from, to).expect("it can be copied");
    }

    fn clear(&self) {
        for entry in fs::read_dir(self.prefix.path()).expect("it can be listed").flatten() {
            fs::remove_dir_all(entry.path()).expect("it is ours");
        }
    }

    fn septet(&self, arguments: &[&str]) -> Ran {
        self.bench.septet(arguments)
    }

    /// Switches of the tests that are to be measured, each of which says that its switch is why.
    fn dirty(&self, arguments: &[&str]) -> BTreeSet<String> {
        let plan = self.septet(arguments).code(0).json();
        let mut dirty = BTreeSet::new();
        for test in tests(&plan) {
            let name = test["name"].as_str().expect("its name");
            let switch = name.split('/').nth(3).expect("a tuple").to_string();
            match test["status"].as_str() {
                Some("stored") => {}
                Some("to_measure") => {
                    let why = test["why"].as_array().expect("it says why");
                    let words = format!("switch {switch} ");
                    assert_eq!(why.len(), 1, "{test}");
                    assert!(why[0].as_str().is_some_and(|why| why.starts_with(&words)), "{test}");
                    dirty.insert(switch);
                }
                _ => panic!("{test}"),
            }
        }
        dirty
    }
}

fn tests(plan: &Value) -> &Vec<Value> {
    plan["tests"].as_array().expect("tests are listed")
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| name.to_string()).collect()
}

/// What the components of this host load, by name; with the places of libraries and of DPDK's drivers.
struct System {
    loaded: BTreeSet<String>,
    libraries: PathBuf,
    drivers: PathBuf,
}

impl System {
    fn of(bench: &Bench) -> Option<System> {
        let facts = bench.septet(&["host", "facts", "--json"]).code(0).json();
        let components = facts["components"].as_array().expect("components are listed");
        let files = components.iter().flat_map(|component| component["files"].as_array().into_iter().flatten());
        let loaded = files.filter_map(|file| file[0].as_str()).map(str::to_owned).collect();
        let libraries = PathBuf::from(format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH));
        let drivers = fs::read_dir(libraries.join("dpdk")).ok()?.next()?.ok()?.path();
        Some(System { loaded, libraries, drivers })
    }

    fn driver(&self, name: &str) -> PathBuf {
        let version = self.drivers.display().to_string();
        let version = version.rsplit("pmds-").next().expect("a version");
        self.drivers.join(format!("librte_{name}.so.{version}"))
    }

    fn inside(&self, file: &Path) -> String {
        file.strip_prefix("/usr").expect("a file of the system").display().to_string()
    }

    /// A library that no component loads.
    fn unrelated(&self) -> PathBuf {
        let mut names: Vec<PathBuf> =
            fs::read_dir(&self.libraries).expect("libraries are listed").flatten().map(|entry| entry.path()).collect();
        names.sort();
        let is_unrelated = |path: &&PathBuf| {
            let name = path.file_name().expect("a name").to_string_lossy();
            name.contains(".so.") && path.is_file() && !self.loaded.contains(&*name)
        };
        names.iter().find(is_unrelated).expect("this system has more libraries than that").clone()
    }
}

#[test]
fn another_byte_of_a_component_touches_the_tests_that_run_through_it_and_nothing_else() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: the switches need root");
        return;
    }
    let Some(bench) = Bench::with_dpdk() else { return };
    let daemon = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk";
    for program in ["/usr/bin/dpdk-testpmd", daemon] {
        if !Path::new(program).is_file() {
            println!("skipped: there is no {program}");
            return;
        }
    }
    let Some(system) = System::of(&bench) else {
        println!("skipped: there are no DPDK drivers");
        return;
    };
    let lab = Lab::new(bench);
    let all = r#""direct", "basicfwd", "testpmd", "ovs", "linux-bridge""#;
    let experiment = |stack: &str| {
        format!(
            "[experiment]\nname = \"lab\"\n[protocol]\nduration = \"100ms\"\nwarmup = \"50ms\"\ncooldown = \"20ms\"\n\
             repetitions = 1\n[[tests]]\nid = \"all\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\nV = [{all}]\n\
             P = 64\nR = \"10k\"\nB = 8\nruntime = \"netns\"\nstack = \"{stack}\"\n"
        )
    };
    lab.bench.write("system.toml", &experiment("system"));
    lab.septet(&["run", "system.toml", "--wait", "5m"]).code(0);
    let measured = lab.septet(&["plan", "system.toml", "--json"]).code(0).json();
    assert_eq!(measured["stored"], 5, "{measured}");
    // What a stack has not is the system's, and was measured.
    lab.bench.write("lab.toml", &experiment("lab"));
    let plan = ["plan", "lab.toml", "--json"];
    assert_eq!(lab.dirty(&plan), set(&[]));

    lab.add(Path::new("/usr/bin/dpdk-testpmd"), "bin/dpdk-testpmd");
    assert_eq!(lab.dirty(&plan), set(&["testpmd"]));
    // Before the upgrade, and without storing anything.
    let before = lab.bench.files(".septet");
    assert_eq!(lab.dirty(&["plan", "system.toml", "--json", "--if", "testpmd=lab"]), set(&["testpmd"]));
    assert_eq!(lab.dirty(&["plan", "system.toml", "--json", "--if", "ovs=lab"]), set(&[]));
    let text = lab.septet(&["plan", "system.toml", "--if", "testpmd=lab"]).code(0).stdout;
    assert!(text.starts_with("if testpmd came from stack lab:\n"), "{text}");
    // By name, with what is known of either, and the time that it takes.
    assert!(text.contains(&format!("] → {} [", lab.prefix.path().display())), "{text}");
    assert!(text.contains("to measure: 1 test (about "), "{text}");
    assert_eq!(touched(&before, &lab.bench.files(".septet")), Vec::<String>::new());
    lab.septet(&["plan", "system.toml", "--if", "testpmd=other"]).code(2);
    lab.septet(&["plan", "system.toml", "--if", "kernel=lab"]).code(2);

    let library = system.unrelated();
    lab.add(&library, &system.inside(&library));
    assert_eq!(lab.dirty(&plan), set(&["testpmd"]), "{}", library.display());
    lab.clear();
    assert_eq!(lab.dirty(&plan), set(&[]));
    // Libraries and drivers of a stack are for its own programs, which are the same wherever they lie.
    let driver = system.driver("net_vhost");
    lab.add(&driver, &system.inside(&driver));
    assert_eq!(lab.dirty(&plan), set(&[]));
    lab.copy("/usr/bin/dpdk-testpmd", "bin/dpdk-testpmd");
    lab.copy(&lab.bench.path("basicfwd").display().to_string(), "bin/basicfwd");
    assert_eq!(lab.dirty(&plan), set(&["basicfwd", "testpmd"]));
    lab.copy(daemon, "lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk");
    let missing = lab.septet(&plan).code(0).json();
    let ovs = tests(&missing).iter().find(|test| test["name"].as_str().is_some_and(|name| name.contains("/ovs/")));
    let why = ovs.and_then(|test| test["why"][0].as_str()).expect("it says why");
    assert!(why.contains("has no sbin/ovsdb-server"), "{why}");
    for part in ["sbin/ovsdb-server", "bin/ovsdb-tool", "bin/ovs-vsctl", "share/openvswitch/vswitch.ovsschema"] {
        lab.copy(&format!("/usr/{part}"), part);
    }
    assert_eq!(lab.dirty(&plan), set(&["basicfwd", "testpmd"]));
    let library = system.loaded.iter().find(|name| name.starts_with("librte_ethdev.so.")).expect("DPDK has one");
    let library = system.libraries.join(library);
    lab.add(&library, &system.inside(&library));
    assert_eq!(lab.dirty(&plan), set(&["basicfwd", "ovs", "testpmd"]));
    fs::remove_file(lab.prefix.path().join(system.inside(&library))).expect("it is ours");

    // A C library without its loader would kill whatever is started with it.
    let loaded = system.loaded.iter().find(|name| name.starts_with("libc.so.")).expect("there is a C library");
    let libc = system.libraries.join(loaded);
    lab.add(&libc, &system.inside(&libc));
    let refused = lab.septet(&plan).code(0).json();
    let testpmd = tests(&refused).iter().find(|test| test["name"].as_str().is_some_and(|it| it.contains("/testpmd/")));
    let why = testpmd.and_then(|test| test["why"][0].as_str()).expect("it says why");
    assert!(why.contains("dpdk-testpmd would load") && why.contains("the system's"), "{why}");
    fs::remove_file(lab.prefix.path().join(system.inside(&libc))).expect("it is ours");

    // It really runs from there, and says so.
    lab.add(Path::new(daemon), "lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk");
    assert_eq!(lab.dirty(&plan), set(&["basicfwd", "ovs", "testpmd"]));
    lab.septet(&["run", "lab.toml", "--wait", "5m"]).code(0);
    let prefix = lab.prefix.path().display().to_string();
    let again = lab.septet(&plan).code(0).json();
    for test in tests(&again) {
        let (name, key) = (test["name"].as_str().expect("a name"), test["key"].as_str().expect("a key"));
        let shown = lab.septet(&["show", key, "--json"]).code(0).json();
        let evidence = &shown[0]["evidence"];
        let mapped = evidence["mapped"].as_array().expect("what ran is recorded");
        let from_lab = |end: &str| {
            mapped
                .iter()
                .any(|file| file["path"].as_str().is_some_and(|path| path.starts_with(&prefix) && path.ends_with(end)))
        };
        assert_eq!(from_lab("/ovs-vswitchd-dpdk"), name.contains("/ovs/"), "{name}: {mapped:?}");
        let reported = evidence["reported"].as_str().unwrap_or_default();
        let says = ["/ovs/", "/testpmd/", "/basicfwd/"].iter().any(|switch| name.contains(switch));
        assert_eq!(reported.contains("DPDK "), says, "{name}: {reported}");
    }
    // Back again: nothing is measured.
    lab.clear();
    let back = lab.septet(&["run", "lab.toml"]).code(0);
    assert!(back.stdout.contains("nothing to measure"), "{}", back.stdout);
}

#[test]
fn a_stack_has_a_folder_of_drivers_that_this_host_has_not() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: the switches need root");
        return;
    }
    let Some(bench) = Bench::with_dpdk() else { return };
    let program = "/usr/bin/dpdk-testpmd";
    let (Some(system), true) = (System::of(&bench), Path::new(program).is_file()) else {
        println!("skipped: there is no {program}, or it has no drivers");
        return;
    };
    let lab = Lab::new(bench);
    lab.copy(program, "bin/dpdk-testpmd");
    // The system's DPDK as if it had been built for another place.
    let built = system.drivers.display().to_string();
    let other = built.replacen("/usr/lib/", "/usr/lyb/", 1);
    let name = system.loaded.iter().find(|name| name.starts_with("librte_eal.so.")).expect("DPDK has one");
    let library = system.libraries.join(name);
    let mut bytes = fs::read(&library).expect("it can be read");
    let places: Vec<usize> =
        (0..bytes.len() - built.len()).filter(|place| bytes[*place..].starts_with(built.as_bytes())).collect();
    assert!(!places.is_empty(), "{built} is nowhere in {}", library.display());
    for place in places {
        bytes[place..place + other.len()].copy_from_slice(other.as_bytes());
    }
    let to = lab.prefix.path().join(system.inside(&library.canonicalize().expect("its path")));
    fs::create_dir_all(to.parent().expect("a folder")).expect("its folder");
    fs::write(&to, bytes).expect("the stack is writable");
    let link = |name: &Path, target: &Path| {
        if name != target {
            std::os::unix::fs::symlink(target.file_name().expect("a name"), name).expect("the stack is writable");
        }
    };
    link(&to.with_file_name(name), &to);
    for driver in ["bus_vdev", "mempool_ring", "net_vhost"] {
        let from = system.driver(driver);
        let inside = system.inside(&from);
        lab.copy(&from.display().to_string(), &inside);
        let file = Path::new(&inside).file_name().expect("a name").to_string_lossy().into_owned();
        // By their short names they are asked for by others.
        let (short, _) = file.rsplit_once('.').expect("a version");
        let folder = lab.prefix.path().join(&inside).parent().expect("a folder").to_path_buf();
        std::os::unix::fs::symlink(&file, folder.join(short)).expect("the stack is writable");
        let below = folder.strip_prefix(to.parent().expect("a folder")).expect("beside its DPDK").join(short);
        std::os::unix::fs::symlink(below, to.with_file_name(short)).expect("the stack is writable");
    }
    lab.bench.write(
        "away.toml",
        "[experiment]\nname = \"away\"\n[protocol]\nduration = \"100ms\"\nwarmup = \"50ms\"\ncooldown = \"20ms\"\n\
         repetitions = 1\n[[tests]]\nid = \"all\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\nV = \"testpmd\"\n\
         P = 64\nR = \"10k\"\nB = 8\nruntime = \"netns\"\nstack = \"lab\"\n",
    );
    lab.septet(&["run", "away.toml", "--wait", "5m"]).code(0);
    let plan = lab.septet(&["plan", "away.toml", "--json"]).code(0).json();
    let key = tests(&plan)[0]["key"].as_str().expect("a key");
    let shown = lab.septet(&["show", key, "--json"]).code(0).json();
    let mapped = shown[0]["evidence"]["mapped"].as_array().expect("what ran is recorded");
    let from_there = |file: &Value| file["path"].as_str().is_some_and(|path| path.starts_with(&other));
    assert!(mapped.iter().any(from_there), "{mapped:?}");
    assert!(!Path::new("/usr/lyb").exists(), "it was there for the agent alone");
}

#[test]
fn containers_are_made_of_what_a_stack_has() {
    let programs = ["/usr/bin/lxc-execute", "/usr/sbin/init.lxc.static", "/usr/bin/busybox"];
    if let Some(missing) = programs.iter().find(|program| !Path::new(program).is_file()) {
        println!("skipped: there is no {missing}");
        return;
    }
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: LXC needs root");
        return;
    }
    let lab = Lab::new(Bench::new());
    let text = "[experiment]\nname = \"made\"\n[protocol]\nduration = \"100ms\"\nwarmup = \"50ms\"\ncooldown = \"20ms\"\n\
                repetitions = 1\n[[tests]]\nid = \"all\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\n\
                V = \"linux-bridge\"\nP = 64\nR = \"10k\"\nB = 8\nruntime = [\"netns\", \"lxc\"]\n";
    lab.bench.write("made.toml", text);
    lab.septet(&["run", "made.toml", "--wait", "5m"]).code(0);
    let dirty = |arguments: &[&str]| {
        let plan = lab.septet(arguments).code(0).json();
        let to_measure = tests(&plan).iter().filter(|test| test["status"] == "to_measure");
        to_measure.map(|test| test["name"].as_str().expect("a name").to_string()).collect::<Vec<_>>()
    };
    lab.add(Path::new(programs[0]), "bin/lxc-execute");
    let half = lab.septet(&["plan", "made.toml", "--if", "lxc=lab"]).code(2);
    assert!(half.stderr.contains("has no sbin/init.lxc.static"), "{}", half.stderr);
    lab.add(Path::new(programs[1]), "sbin/init.lxc.static");
    let by_lxc = dirty(&["plan", "made.toml", "--json", "--if", "lxc=lab"]);
    assert!(by_lxc.len() == 1 && by_lxc[0].contains("runtime=lxc"), "{by_lxc:?}");
    lab.add(Path::new(programs[2]), "bin/busybox");
    assert_eq!(dirty(&["plan", "made.toml", "--json", "--if", "busybox=lab"]).len(), 2);

    lab.bench.write("made.toml", &text.replace("runtime", "stack = \"lab\"\nruntime"));
    lab.septet(&["run", "made.toml", "--wait", "5m"]).code(0);
    let plan = lab.septet(&["plan", "made.toml", "--json"]).code(0).json();
    let prefix = lab.prefix.path().display().to_string();
    for test in tests(&plan) {
        let (name, key) = (test["name"].as_str().expect("a name"), test["key"].as_str().expect("a key"));
        let shown = lab.septet(&["show", key, "--json"]).code(0).json();
        let mapped = shown[0]["evidence"]["mapped"].as_array().expect("what ran is recorded");
        let is_lxc = |file: &Value| file["path"] == format!("{prefix}/bin/lxc-execute");
        assert_eq!(mapped.iter().any(is_lxc), name.contains("runtime=lxc"), "{name}: {mapped:?}");
    }
}

#[test]
fn a_stack_that_comes_or_goes_touches_no_socket_test() {
    let bench = Bench::new();
    let lab = Lab::new(bench);
    lab.bench.write("small.toml", SMALL);
    lab.septet(&["run", "small.toml", "--no-report"]).code(0);
    let stored = lab.septet(&["plan", "small.toml", "--json"]).code(0).json();
    assert_eq!(stored["stored"], 3, "{stored}");
    lab.bench.write("stacked.toml", &SMALL.replace("P = [64, 1500]\n", "P = [64, 1500]\nstack = \"lab\"\n"));
    let stacked = lab.septet(&["plan", "stacked.toml", "--json"]).code(0).json();
    assert_eq!(stacked["stored"], 3, "{stacked}");
    let named =
        tests(&stacked).iter().filter(|test| test["name"].as_str().is_some_and(|name| name.ends_with("+stack=lab")));
    assert_eq!(named.count(), 2, "{stacked}");
    // A stack that is not there, or not defined, is a reason to skip by name.
    lab.bench.edit("stacked.toml", "stack = \"lab\"", "stack = \"none\"");
    let undefined = lab.septet(&["plan", "stacked.toml"]).code(0).stdout;
    assert!(undefined.contains("no stack 'none' is defined on this site"), "{undefined}");
    lab.bench.edit("stacked.toml", "stack = \"none\"", "stack = \"lab\"");
    let Lab { bench, prefix } = lab;
    prefix.close().expect("it is ours");
    let gone = bench.septet(&["plan", "stacked.toml"]).code(0).stdout;
    assert!(gone.contains("stack 'lab': "), "{gone}");
}

#[test]
fn an_old_stack_is_measured_afresh_beside_what_an_upgrade_touches() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: the switches need root");
        return;
    }
    let Some(bench) = Bench::with_dpdk() else { return };
    let program = Path::new("/usr/bin/dpdk-testpmd");
    if !program.is_file() {
        println!("skipped: there is no {}", program.display());
        return;
    }
    let lab = Lab::new(bench);
    lab.add(program, "bin/dpdk-testpmd");
    lab.bench.write(
        "pair.toml",
        "[experiment]\nname = \"pair\"\n[protocol]\nduration = \"100ms\"\nwarmup = \"50ms\"\ncooldown = \"20ms\"\n\
         repetitions = 2\n[[tests]]\nid = \"all\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\n\
         V = [\"testpmd\", \"linux-bridge\"]\nP = 64\nR = \"10k\"\nB = 8\nruntime = \"netns\"\n",
    );
    let unknown = lab.septet(&["run", "pair.toml", "--pair", "nowhere"]).code(2);
    assert!(unknown.stderr.contains("no stack 'nowhere' is defined on this site"), "{}", unknown.stderr);

    let run = lab.septet(&["run", "pair.toml", "--pair", "lab"]).code(0);
    assert!(run.stderr.contains("1 test measured with stack lab as well"), "{}", run.stderr);
    assert!(run.stdout.contains("measured 6 repetitions"), "{}", run.stdout);
    let compared = lab.septet(&["compare", "pair.toml", "stack:lab", "stack:system", "--json"]).code(0).json();
    let rows = compared["tests"].as_array().expect("tests are listed");
    assert_eq!(rows.len(), 1, "{compared}");
    assert!(rows[0].to_string().contains("/testpmd/"), "{compared}");

    // What is stored is measured no more, with no stack; and the old components' results are those of their stack.
    let again = lab.septet(&["run", "pair.toml", "--pair", "lab"]).code(0);
    assert!(again.stdout.contains("nothing to measure"), "{}", again.stdout);
    lab.bench.edit("pair.toml", "runtime", "stack = \"lab\"\nruntime");
    let plan = lab.septet(&["plan", "pair.toml", "--json"]).code(0).json();
    assert_eq!((&plan["stored"], &plan["to_measure"]), (&2.into(), &0.into()), "{plan}");
}

#[test]
fn what_two_stacks_share_is_one_result_in_archives_and_comparisons() {
    let lab = Lab::new(Bench::new());
    lab.bench.write(
        "shared.toml",
        "[experiment]\nname = \"shared\"\n[protocol]\nduration = \"60ms\"\nwarmup = \"20ms\"\ncooldown = \"20ms\"\n\
         repetitions = 2\n[[tests]]\nid = \"all\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\n\
         V = \"linux-bridge\"\nP = 64\nR = \"10k\"\nB = 8\nruntime = \"netns\"\nstack = [\"system\", \"lab\"]\n",
    );
    let run = lab.septet(&["run", "shared.toml"]).code(0);
    assert!(run.stdout.contains("measured 2 repetitions"), "{}", run.stdout);
    let compared = lab.septet(&["compare", "shared.toml", "stack:lab", "stack:system", "--json"]).code(0).json();
    assert_eq!((&compared["same"], &compared["left_out"]), (&1.into(), &Value::Array(Vec::new())), "{compared}");
    // Their page is about the first of them, whichever is written faster.
    let pages = lab.bench.files("out/shared/tests");
    assert_eq!(pages.len(), 1, "{pages:?}");
    let page = pages.values().next().map(|(_, _, page)| String::from_utf8_lossy(page)).expect("a page");
    let title = page.lines().find(|line| line.contains("<title>")).expect("a title");
    assert!(!title.contains("stack=lab"), "{title}");
    lab.septet(&["archive", "create", "shared.toml", "--license", "CC-BY-4.0", "-o", "shared.tar.zst"]).code(0);
    let verified = lab.septet(&["archive", "verify", "shared.tar.zst"]).code(0);
    assert!(verified.stdout.contains("verified up to level 3 of 3"), "{}", verified.stdout);
}
