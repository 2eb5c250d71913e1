//! Archives of somebody who means harm: each is refused with its reason, nothing is written outside a temporary
//! folder, and the store is as it was.

use std::fs;
use std::io::Write;

use pipeline::key::ResultId;
use pipeline::store::{FileDigest, Generation, Record};
use tar::EntryType;

use super::bench::{Bench, touched};
use super::honest::archived;
use super::parcel::{Entry, Parcel, write};

/// Tries to import, to verify and to reproduce `b.tar.zst`; nothing must come of it but the reason.
#[track_caller]
fn refused(bench: &Bench, code: i32, reason: &str) {
    fs::create_dir_all(bench.path("tmp")).expect("the bench is writable");
    let before = bench.files("");
    let temporary = bench.path("tmp").display().to_string();
    for arguments in [
        &["archive", "import", "b.tar.zst", "--store", ".septet"][..],
        &["archive", "verify", "b.tar.zst"],
        &["reproduce", "b.tar.zst", "again"],
    ] {
        let ran = bench.septet_with(&[("TMPDIR", &temporary)], arguments).code(code);
        assert!(
            ran.stderr.contains(reason) || ran.stdout.contains(reason),
            "no '{reason}' in\n{}{}",
            ran.stderr,
            ran.stdout
        );
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
    assert_eq!(touched(&before, &bench.files("")), Vec::<String>::new(), "{reason}");
    assert_eq!(fs::read_dir(bench.path("tmp")).expect("it is there").count(), 0, "{reason}: something is left behind");
}

#[test]
fn names_and_kinds_that_reach_outside_are_refused() {
    let bench = archived();
    let whole = Parcel::read(&bench.path("a.tar.zst"));
    let outside = bench.path("evil").display().to_string();
    let extra = [
        (Entry::file("small/../../evil", b"x"), "leads out of its folder"),
        (Entry::file("../evil", b"x"), "leads out of its folder"),
        (Entry::file(&outside, b"x"), "is an absolute name"),
        (Entry::file("small/data/./evil", b"x"), "is no plain name"),
        (Entry::file("small//data/evil", b"x"), "is no plain name"),
        (Entry::file("small/data/e\u{202e}vil", b"x"), "has a character that no name of an archive has"),
        (Entry::file("small/data/e\\vil", b"x"), "has a character that no name of an archive has"),
        (Entry::file("other/data/evil", b"x"), "lies outside its folder"),
        (Entry::file("small/fetch.txt", b"x"), "has no place in an archive of septet"),
        (Entry::special("small/data/evil", EntryType::Symlink, "/etc/passwd"), "is a symbolic link"),
        (Entry::special("small/data/evil", EntryType::Link, "../../../etc/passwd"), "is a hard link"),
        (Entry::special("small/data/evil", EntryType::Char, ""), "is a character device"),
        (Entry::special("small/data/evil", EntryType::Block, ""), "is a block device"),
        (Entry::special("small/data/evil", EntryType::Fifo, ""), "is a pipe"),
        (Entry::special("small/data/evil", EntryType::GNUSparse, ""), "is a sparse file"),
        (Entry::special("small/data/evil", EntryType::Continuous, ""), "is of an unknown kind"),
        (Entry::special("small/data/evil", EntryType::GNULongLink, ""), "is a hard link"),
        (Entry::pax(EntryType::XHeader, &[("linkpath", "/etc/passwd")]), "is a link"),
        (Entry::pax(EntryType::XHeader, &[("GNU.sparse.major", "1")]), "is a sparse file"),
        (Entry::pax(EntryType::XHeader, &[("path", "a"), ("path", "b")]), "says a thing twice"),
        (Entry::pax(EntryType::XGlobalHeader, &[("path", "evil")]), "renames all files"),
        (Entry::file("small/data/README.md", b"x"), "holds 'small/data/README.md' twice"),
        (Entry::file("./small/data/README.md", b"x"), "holds './small/data/README.md' twice"),
        (Entry::special("small/../..", EntryType::Directory, ""), "leads out of its folder"),
        (Entry::special(&outside, EntryType::Directory, ""), "is an absolute name"),
        (Entry::file("small/data/README.md/evil", b"x"), "both as a file and as a folder"),
    ];
    for (entry, reason) in extra {
        let mut entries = whole.entries();
        entries.push(entry);
        write(&bench.path("b.tar.zst"), &entries);
        refused(&bench, 2, reason);
    }
    // What an extended header says of the file that follows it.
    let (x, long) = (EntryType::XHeader, EntryType::GNULongName);
    let named = |name: &str| Entry { bytes: format!("{name}\0").into_bytes(), ..Entry::special("L", long, "") };
    let evil = || Entry::file("small/data/evil", b"x");
    let pairs = [
        ([Entry::pax(x, &[("path", "../evil")]), evil()], "leads out of its folder"),
        ([Entry::pax(x, &[("path", &outside)]), evil()], "is an absolute name"),
        ([Entry::pax(x, &[("path", "small/data/README.md")]), evil()], "twice"),
        ([Entry::pax(x, &[("size", "99999999")]), evil()], "is of two sizes"),
        ([named("small/data/../../evil"), evil()], "leads out of its folder"),
        ([named("small/data/README.md"), evil()], "twice"),
        ([named("small/data/a"), named("small/data/b")], "is the second extended header of one file"),
        ([named(&"a/".repeat(100_000)), evil()], "is an extended header that is longer than any name"),
        ([named("small/data/evil"), Entry::special("x", EntryType::Symlink, "/etc/passwd")], "is a symbolic link"),
    ];
    for (entries, reason) in pairs {
        let mut all = whole.entries();
        all.extend(entries);
        write(&bench.path("b.tar.zst"), &all);
        refused(&bench, 2, reason);
    }
    let mut all = whole.entries();
    all.push(named("small/data/evil"));
    write(&bench.path("b.tar.zst"), &all);
    refused(&bench, 4, "it ends after an extended header");
}

#[test]
fn a_bomb_of_ten_gigabytes_is_refused_before_it_goes_off() {
    const BOMB_BYTES: u64 = 10 << 30;
    let bench = archived();
    let whole = Parcel::read(&bench.path("a.tar.zst"));
    // One frame of zeros, over and over: a stream of many frames is one stream.
    let zeros = zstd::bulk::compress(&vec![0; 64 << 20], 1).expect("zstd works");
    for claimed in [BOMB_BYTES, 1000] {
        let mut file = fs::File::create(bench.path("b.tar.zst")).expect("the bench is writable");
        let mut head = Vec::new();
        for entry in whole.entries() {
            head.extend_from_slice(entry.header(entry.bytes.len() as u64).as_bytes());
            head.extend_from_slice(&entry.bytes);
            head.resize(head.len().next_multiple_of(512), 0);
        }
        head.extend_from_slice(Entry::file("small/data/report/zeros", b"").header(claimed).as_bytes());
        file.write_all(&zstd::bulk::compress(&head, 1).expect("zstd works")).expect("the bench is writable");
        for _ in 0..BOMB_BYTES / (64 << 20) {
            file.write_all(&zeros).expect("the bench is writable");
        }
        drop(file);
        refused(
            &bench,
            2,
            if claimed == BOMB_BYTES { "it would unpack to more than" } else { "something follows its end" },
        );
    }
}

#[test]
fn contents_that_belong_to_something_else_are_refused() {
    let bench = archived();
    let whole = Parcel::read(&bench.path("a.tar.zst"));
    let forge = |parcel: &mut Parcel| parcel.seal().write(&bench.path("b.tar.zst"));

    let mut newer = whole.clone();
    newer.edit("small/data/septet.json", "\"format\": 2", "\"format\": 3");
    forge(&mut newer);
    refused(&bench, 2, "it has format 3, this septet reads up to 2");

    let mut key = whole.clone();
    let manifests: Vec<String> = whole.all(".json").into_iter().filter(|name| name.contains("/manifests/")).collect();
    key.0.insert(manifests[0].clone(), whole.0[&manifests[1]].clone());
    forge(&mut key);
    refused(&bench, 4, "its content does not have the key that its name says");

    let mut swapped = whole.clone();
    let samples = whole.all("samples.parquet");
    swapped.0.insert(samples[0].clone(), whole.0[&samples[1]].clone());
    forge(&mut swapped);
    refused(&bench, 4, "its content is not what its record says");

    let mut stranger = whole.clone();
    stranger.0.insert("small/data/store/index/checkpoint".to_string(), b"x".to_vec());
    forge(&mut stranger);
    refused(&bench, 4, "is of nothing that the report uses");

    let mut facts = whole.clone();
    let name = facts.all(".json").into_iter().find(|name| name.contains("/facts/")).expect("a host is described");
    facts.edit(&name, "\"hostname\": \"", "\"hostname\": \"better-");
    forge(&mut facts);
    refused(&bench, 4, "is not what the records say");
}

/// A result changed together with everything that names it: the first whose test begins so, or the one of this id.
pub fn change(parcel: &mut Parcel, of: &str, change: impl FnOnce(&mut Record, &mut Vec<u8>)) {
    let is_of = |name: &String| Record::parse(&parcel.0[name]).is_ok_and(|record| record.test.starts_with(of));
    let record_name = parcel
        .all("record.json")
        .into_iter()
        .find(|name| name.contains(&format!("/{of}/")) || is_of(name))
        .expect("there is such a test");
    let folder = record_name.trim_end_matches("/record.json").to_string();
    let mut record = Record::parse(&parcel.0[&record_name]).expect("it is a record");
    let mut samples = parcel.0[&format!("{folder}/samples.parquet")].clone();
    change(&mut record, &mut samples);
    let digest = FileDigest { len: samples.len() as u64, blake3: blake3::hash(&samples).to_hex().to_string() };
    record.files.insert("samples.parquet".to_string(), digest);
    let json = serde_json::to_vec(&record).expect("it can be encoded");
    let (old, new): (ResultId, ResultId) =
        (folder[folder.len() - 64..].parse().expect("its name"), ResultId(*blake3::hash(&json).as_bytes()));
    let log = parcel.0[&format!("{folder}/log.zst")].clone();
    parcel.0.retain(|name, _| !name.starts_with(&folder));
    let new_name = new.to_string();
    for (name, bytes) in [("record.json", json), ("samples.parquet", samples), ("log.zst", log)] {
        parcel.0.insert(format!("small/data/store/results/{}/{new_name}/{name}", &new_name[..2]), bytes);
    }
    let generation_name = parcel.named(".json.zst");
    let json = zstd::stream::decode_all(&parcel.0[&generation_name][..]).expect("it is zstd");
    let mut generation: Generation = serde_json::from_slice(&json).expect("it is a generation");
    for test in &mut generation.tests {
        test.repetitions.iter_mut().filter(|id| **id == old).for_each(|id| *id = new);
        test.repetitions.sort();
    }
    let (name, bytes) = generation.file().expect("it can be encoded");
    let before = generation_name.rsplit('/').next().expect("it has a name").trim_end_matches(".json.zst").to_string();
    parcel.0.remove(&generation_name);
    parcel.0.insert(format!("small/data/store/generations/small/{name}.json.zst"), bytes);
    parcel.edit("small/data/septet.json", &before, name.as_str());
    // The data package lists every file of samples.
    let package_name = "small/data/datapackage.json".to_string();
    let mut package: serde_json::Value = serde_json::from_slice(&parcel.0[&package_name]).expect("it is JSON");
    let samples = parcel.all("samples.parquet");
    package["resources"][0]["path"] = samples.iter().map(|name| &name["small/data/".len()..]).collect();
    let mut bytes = serde_json::to_vec_pretty(&package).expect("it can be encoded");
    bytes.push(b'\n');
    parcel.0.insert(package_name, bytes);
}

#[test]
fn results_that_their_samples_do_not_give_are_refused() {
    let bench = archived();
    let whole = Parcel::read(&bench.path("a.tar.zst"));
    let forge = |parcel: &mut Parcel| parcel.seal().write(&bench.path("b.tar.zst"));

    let mut honest = whole.clone();
    change(&mut honest, "throughput", |_, _| {});
    forge(&mut honest);
    let ran = bench.septet(&["archive", "verify", "b.tar.zst", "--json"]);
    assert_eq!(ran.json()["summaries"]["outcome"], "equal", "the forger's tools are good: {}", ran.stdout);

    let mut better = whole.clone();
    change(&mut better, "throughput", |record, _| {
        record.reduction.values.values_mut().for_each(|value| *value *= 2.0);
    });
    forge(&mut better);
    refused(&bench, 4, "its record says");

    // Samples of another test, every digest made to fit.
    let of = |start: &str| {
        let name = whole.all("record.json").into_iter();
        let mut names =
            name.filter(|name| Record::parse(&whole.0[name]).is_ok_and(|record| record.test.starts_with(start)));
        let folder = names.next().expect("there is such a test").replace("record.json", "samples.parquet");
        whole.0[&folder].clone()
    };
    let mut foreign = whole.clone();
    let theirs = of("latency");
    change(&mut foreign, "throughput", |_, samples| *samples = theirs);
    forge(&mut foreign);
    refused(&bench, 4, "have the same samples: one of them has those of another");

    let mut renamed = whole.clone();
    change(&mut renamed, "throughput", |record, _| record.test = "throughput/of/another".to_string());
    forge(&mut renamed);
    refused(&bench, 4, "is listed under");
}
