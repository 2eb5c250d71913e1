//! Who made an archive, by keys of SSH; and what identifies the machine that it was made on.

use std::fs;
use std::process::Command;

use super::bench::Bench;
use super::honest::archived;
use super::parcel::Parcel;

/// A key of somebody's. False, with the reason printed, without OpenSSH.
fn key(bench: &Bench, name: &str) -> bool {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name])
        .current_dir(bench.path(""))
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: there is no ssh-keygen");
        return false;
    }
    true
}

#[test]
fn a_signature_says_who_made_it() {
    let bench = archived();
    if !key(&bench, "alice") || !key(&bench, "mallory") {
        return;
    }
    let read = |name: &str| fs::read_to_string(bench.path(name)).expect("it is there");
    bench.write("signers", &format!("alice@example.org {}", read("alice.pub")));
    let create = ["archive", "create", "small.toml", "-o", "s.tar.zst", "--license", "CC-BY-4.0", "--sign"];
    let made = bench.septet(&[&create[..], &["alice", "--json"]].concat()).code(0).json();
    assert_eq!(made["signature"], "s.tar.zst.sig", "{made}");
    let sums = Command::new("sha256sum").arg(bench.path("s.tar.zst")).output().expect("coreutils are there").stdout;
    assert!(String::from_utf8_lossy(&sums).starts_with(made["sha256"].as_str().expect("a text")), "{made}");

    let verify = |code: i32| {
        let ran =
            bench.septet(&["archive", "verify", "s.tar.zst", "--allowed-signers", "signers", "--json"]).code(code);
        ran.json()["signature"].clone()
    };
    let good = verify(0);
    assert_eq!((&good["outcome"], &good["signer"]), (&"good".into(), &"alice@example.org".into()), "{good}");
    assert!(good["key"].as_str().is_some_and(|key| key.contains("SHA256:")), "{good}");
    let told = bench.septet(&["archive", "verify", "s.tar.zst", "--allowed-signers", "signers"]).code(0).stdout;
    assert!(told.contains("signed by alice@example.org") && !told.contains("who made it"), "{told}");
    let told = bench.septet(&["archive", "verify", "s.tar.zst"]).code(0).stdout;
    assert!(told.contains("taken on trust: who made it: it is signed"), "{told}");
    // Without Septet, as the documentation says.
    let line = "ssh-keygen -Y verify -f signers -I alice@example.org -n septet-archive -s s.tar.zst.sig < s.tar.zst";
    let ran = Command::new("sh").args(["-c", line]).current_dir(bench.path("")).output().expect("there is a shell");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));

    // Another file under the same signature, another signer, another purpose, rubbish, nothing.
    let original = fs::read(bench.path("s.tar.zst")).expect("it was made");
    Parcel::read(&bench.path("s.tar.zst")).write(&bench.path("s.tar.zst"));
    assert!(verify(4)["why"].to_string().contains("it is not of this file by alice@example.org"));
    fs::write(bench.path("s.tar.zst"), original).expect("the bench is writable");
    bench.septet(&[&create[..], &["mallory"]].concat()).code(0);
    assert!(verify(4)["why"].to_string().contains("nobody on the list"));
    let line = "ssh-keygen -q -Y sign -f alice -n file < s.tar.zst > s.tar.zst.sig";
    let ran = Command::new("sh").args(["-c", line]).current_dir(bench.path("")).status();
    assert!(ran.is_ok_and(|status| status.success()), "alice can sign");
    assert_eq!(verify(4)["outcome"], "bad");
    bench.write("s.tar.zst.sig", "rubbish");
    assert_eq!(verify(4)["outcome"], "bad");
    fs::remove_file(bench.path("s.tar.zst.sig")).expect("it is there");
    assert!(verify(4)["why"].to_string().contains("there is no"));
    // A key that is none ends after the archive is made, and says what ssh-keygen says.
    let ran = bench.septet(&[&create[..], &["signers"]].concat()).code(2);
    assert!(ran.stderr.contains("with the key signers: ssh-keygen says"), "{}", ran.stderr);
}

#[test]
fn no_file_of_an_archive_names_the_boot() {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    if boot.trim().is_empty() {
        println!("skipped: this kernel does not name its boots");
        return;
    }
    let bench = archived();
    for (name, bytes) in Parcel::read(&bench.path("a.tar.zst")).0 {
        let holds = bytes.windows(boot.trim().len()).any(|window| window == boot.trim().as_bytes());
        assert!(!holds, "{name} names the boot");
        assert!(!name.ends_with("/salt"), "the salt is given away");
    }
    // Boots are told apart all the same.
    let whole = Parcel::read(&bench.path("a.tar.zst"));
    let stands_for = |name: &String| {
        let record: serde_json::Value = serde_json::from_slice(&whole.0[name]).expect("records are JSON");
        record["host"]["aside"]["boot_id"].as_str().expect("a text").to_string()
    };
    let mut boots: Vec<String> = whole.all("record.json").iter().map(stands_for).collect();
    boots.dedup();
    assert!(boots.len() == 1 && boots[0].len() == 16, "{boots:?}");
}
