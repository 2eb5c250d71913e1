//! What is wrong with the hosts of a site file is told with its place, all in one go; what is right makes stands.

use pipeline::site::{self, Nic, Reach};

/// `LINE:COLUMN: message` of everything that is wrong.
fn wrong(text: &str) -> Vec<String> {
    let Err(diagnostics) = site::parse(text, "site.toml") else { return Vec::new() };
    let shown = diagnostics.to_string();
    let lines = shown.lines().filter_map(|line| line.strip_prefix("site.toml:"));
    lines.map(str::to_string).collect()
}

const RIGHT: &str = r#"
[hosts.north]
ssh = "root@north.lab"
class = "xeon"
cores = "2-7"
[hosts.south]
class = "xeon"
[hosts.here]
here = true
[[cables]]
ends = ["north:0000:3b:00.0", "south:eth1"]
[classes.xeon]
may-differ = ["host microcode"]
"#;

#[test]
fn hosts_and_cables_make_stands() {
    let site = site::parse(RIGHT, "site.toml").expect("it is right");
    let testbed = site.testbed;
    assert_eq!(testbed.hosts["north"].reach, Reach::Ssh("root@north.lab".into()));
    assert_eq!(testbed.hosts["south"].reach, Reach::Ssh("south".into()));
    assert_eq!(testbed.hosts["here"].reach, Reach::Here);
    let names = |pairs| testbed.stands(pairs).into_iter().map(|stand| stand.name).collect::<Vec<_>>();
    assert_eq!(names(false), ["here", "north", "south"]);
    assert_eq!(names(true), ["north-south", "here"]);
    let pair = &testbed.stands(true)[0];
    let cable = pair.cable.as_ref().expect("it has one");
    assert_eq!(cable.nic_of("north"), Some(&Nic::Pci("0000:3b:00.0".into())));
    assert_eq!(cable.nic_of("south"), Some(&Nic::Interface("eth1".into())));
    assert_eq!(testbed.class_of(pair), "xeon+xeon");
    assert!(testbed.may_differ["xeon"].contains("host microcode"));
    let named = format!("{RIGHT}[stands.only]\nhosts = [\"south\", \"north\"]\n");
    let stands = site::parse(&named, "site.toml").expect("it is right").testbed.stands(false);
    assert_eq!(
        (stands.len(), &*stands[0].name, &stands[0].hosts[..]),
        (1, "only", &["south".into(), "north".into()][..])
    );
}

#[test]
fn everything_wrong_is_told_at_once_with_its_place() {
    let text = r#"
[hosts.north]
ssh = "-oProxyCommand=touch /tmp/x"
[hosts.south]
ssh = "two words"
clas = "x"
[hosts.east]
cores = "7-2"
[hosts."-west"]
[hosts.one]
here = true
[hosts.two]
here = true
[[cables]]
ends = ["north:eth1", "nowhere:eth1"]
[[cables]]
ends = ["north:eth1", "south:../x"]
[[cables]]
ends = ["east:a", "east:b"]
[[cables]]
ends = ["east:c"]
[stands.pair]
hosts = ["north", "east"]
[stands.three]
hosts = ["one", "north", "two"]
[classes.lab]
"#;
    let wrong = wrong(text);
    let expected = [
        "3:7: '-oProxyCommand=touch /tmp/x' cannot name a host of ssh",
        "5:7: 'two words' cannot name a host of ssh",
        "6:1: unknown key 'clas' in a host",
        "8:9: '7-2' is no list of CPUs",
        "9:8: '-west' cannot name a host",
        "12:8: this machine is host 'one' already",
        "15:23: no host is called 'nowhere'",
        "17:9: 'north:eth1' has a cable already",
        "17:23: 'south:../x' is no end of a cable",
        "19:8: the cable joins 'east' with itself",
        "21:8: a cable has two ends, not 1",
        "23:9: no cable joins north and east",
        "25:9: a stand has one host or two, not 3",
        "25:17: 'north' is in stand 'pair' already",
        "26:10: no host is of class 'lab'",
    ];
    assert_eq!(wrong, expected, "{wrong:#?}");
}

#[test]
fn two_names_of_one_host_are_an_error() {
    let text = "[hosts.a]\nssh = \"lab\"\n[hosts.b]\nssh = \"lab\"\n[hosts.lab]\n";
    assert_eq!(wrong(text), ["3:8: 'lab' is host 'a' already", "5:8: 'lab' is host 'b' already"]);
}

#[test]
fn a_path_that_a_shell_would_take_apart_is_refused() {
    for path in ["/opt/x y", "/opt/$(x)", "/opt/`x`", "/opt/a;b", "opt/x"] {
        let text = format!("[hosts.a]\nsudo = \"{path}\"\n");
        assert_eq!(wrong(&text).len(), 1, "{path}: {:?}", wrong(&text));
    }
}

#[test]
fn hosts_of_a_cluster_are_its_nodes() {
    let text = "[slurm]\nnodes = \"n[08-10]\"\npartition = \"testbed\"\n[hosts.n08]\ncores = \"1\"\n[hosts.m]\n\
                [[cables]]\nends = [\"n08:e0\", \"m:e0\"]\nfeature = \"cab1\"\n";
    let site = site::parse(text, "site.toml").expect("it is right");
    assert_eq!(site.testbed.hosts.keys().collect::<Vec<_>>(), ["m", "n08", "n09", "n10"]);
    assert!(site.testbed.hosts.values().all(|host| host.reach == Reach::Slurm));
    assert_eq!(site.testbed.hosts["n08"].cores.as_deref(), Some("1"));
    assert_eq!(site.cluster.expect("there is one").partition.as_deref(), Some("testbed"));
    assert_eq!(site.testbed.feature_of(&site.testbed.cables[0]), Some("cab1"));
}

#[test]
fn what_reaches_slurms_programs_is_one_word_that_is_no_option() {
    for key in ["partition", "account", "qos", "constraint", "nodes"] {
        for text in ["--uid=0", "a b", "x;reboot", "$(x)", "a\\nb", "", "n[1-2", "a&b"] {
            let told = wrong(&format!("[slurm]\n{key} = \"{text}\"\n[hosts.n1]\n"));
            assert!(told.iter().any(|line| line.starts_with("2:")), "{key} = {text}: {told:?}");
        }
    }
    let told = wrong("[slurm]\n[hosts.n1]\nssh = \"other\"\n");
    assert!(told[0].contains("is a node of the cluster"), "{told:?}");
    let told = wrong("[slurm]\n[hosts.n1]\n[hosts.n2]\n[[cables]]\nends = [\"n1:a\", \"n2:a\"]\nfeature = \"-x\"\n");
    assert!(told[0].contains("cannot be a feature"), "{told:?}");
    assert!(wrong("[slurm]\n")[0].contains("no node of the cluster is named"));
}

#[test]
fn ways_to_a_cable_are_a_few_words() {
    let of = |word: &str| format!("[hosts.a]\nuplink = \"{word}\"\n");
    for word in ["af-packet", "af-xdp", "pci"] {
        let host = site::parse(&of(word), "site.toml").expect("it is right").testbed.hosts["a"].clone();
        assert_eq!(host.uplink.name(), word);
    }
    assert_eq!(wrong(&of("dpdk")), ["2:10: 'dpdk' is no way to an interface"]);
    assert_eq!(wrong(&of("kernel")).len(), 1, "DPDK has no use for it");
}
