//! The agent is started by sudo where the user's own site file says so, and only there. A script stands in for sudo: it
//! notes what it is asked, and starts that. What real sudo makes of a commander is `host-setup/tests/sudo`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::bench::{Bench, Ran, SMALL};

const STAND_IN: &str = "#!/bin/sh\necho \"$*\" >>\"$ASKED\"\nshift\nexec \"$@\"\n";

fn with_a_stand_in_for_sudo() -> Bench {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    for folder in ["bin", "config/septet"] {
        fs::create_dir_all(bench.path(folder)).expect("the bench is writable");
    }
    bench.write("bin/sudo", STAND_IN);
    fs::set_permissions(bench.path("bin/sudo"), fs::Permissions::from_mode(0o755)).expect("it is ours");
    bench
}

fn septet(bench: &Bench, arguments: &[&str]) -> Ran {
    let path = format!("{}:{}", bench.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    let (asked, config) = (bench.path("asked"), bench.path("config"));
    let [asked, config] = [asked, config].map(|path| path.display().to_string());
    bench.septet_with(&[("PATH", &path), ("ASKED", &asked), ("XDG_CONFIG_HOME", &config)], arguments)
}

#[test]
fn the_users_own_site_file_has_the_agent_started_by_sudo() {
    let bench = with_a_stand_in_for_sudo();
    septet(&bench, &["plan", "small.toml"]).code(0);
    assert!(!bench.path("asked").exists(), "nobody asked for sudo");

    let agent = bench.path("septet-host").display().to_string();
    bench.write("config/septet/site.toml", &format!("[agent]\nsudo = \"{agent}\"\n"));
    for arguments in [&["host", "facts"][..], &["host", "apply", "-n"], &["run", "small.toml", "--only", "P=64"]] {
        fs::remove_file(bench.path("asked")).ok();
        let ran = septet(&bench, arguments);
        // The stand-in makes nobody root.
        let may_not = !nix::unistd::geteuid().is_root() && ran.stderr.contains("run septet as root to have settings");
        assert!(ran.code == 0 || arguments[0] == "host" && ran.code == 3 && may_not, "{arguments:?}: {ran:?}");
        let asked = fs::read_to_string(bench.path("asked")).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        assert!(asked.lines().all(|line| line == format!("-n {agent} agent")), "{arguments:?}: {asked}");
    }
}

#[test]
fn a_site_file_beside_an_experiment_may_not_say_how_the_agent_is_started() {
    let bench = with_a_stand_in_for_sudo();
    bench.write("site.toml", "[agent]\nsudo = \"/bin/true\"\n");
    septet(&bench, &["site", "trust", "site.toml"]);
    let ran = septet(&bench, &["run", "small.toml"]).code(2);
    assert!(ran.stderr.contains("site.toml:1:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("only your own site file says how the agent is started"), "{}", ran.stderr);
    assert!(!bench.path("asked").exists(), "it was asked all the same");

    bench.write("site.toml", "");
    bench.write("config/septet/site.toml", "[agent]\nsudo = \"septet-host\"\n");
    let ran = septet(&bench, &["plan", "small.toml"]).code(2);
    assert!(ran.stderr.contains("sudo is not an absolute path"), "{}", ran.stderr);
}
