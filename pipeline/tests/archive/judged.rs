//! Forgers who mend every name and digest: an archive that then claims more than its results show is refused, and
//! what nothing in it proves is said.

use std::fs;
use std::sync::Arc;

use pipeline::store::{Record, Status};
use results::flags::Flag;

use super::bench::Bench;
use super::forged::change;
use super::honest::archived;
use super::parcel::Parcel;

/// Verifies and imports what a forger sealed; both refuse it for this reason, and leave nothing behind.
#[track_caller]
fn refuses(bench: &Bench, parcel: &mut Parcel, level: u64, reason: &str) {
    parcel.seal().write(&bench.path("b.tar.zst"));
    fs::create_dir_all(bench.path("tmp")).expect("the bench is writable");
    let temporary = bench.path("tmp").display().to_string();
    let ran = bench.septet_with(&[("TMPDIR", &temporary)], &["archive", "verify", "b.tar.zst", "--json"]).code(4);
    let json = ran.json();
    assert!(json["level"] == level && ran.stdout.contains(reason), "no '{reason}' in {json}");
    let ran = bench.septet_with(&[("TMPDIR", &temporary)], &["archive", "verify", "b.tar.zst"]).code(4);
    assert!(ran.stdout.contains("it is not what it says"), "{}", ran.stdout);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(&temporary), "{}{}", ran.stdout, ran.stderr);
    if level == 0 {
        bench.septet_with(&[("TMPDIR", &temporary)], &["archive", "import", "b.tar.zst", "--as", "b"]).code(4);
    }
    assert_eq!(fs::read_dir(bench.path("tmp")).expect("it is there").count(), 0, "something is left behind");
}

/// Each record of an archive, changed.
fn change_all(parcel: &mut Parcel, mut edit: impl FnMut(&mut Record)) {
    let names = parcel.all("record.json");
    let mut ids: Vec<String> = names.iter().map(|name| name.rsplit('/').nth(1).expect("an id").to_string()).collect();
    while let Some(id) = ids.pop() {
        change(parcel, &id, |record, _| edit(record));
    }
}

#[test]
fn flags_that_were_cut_are_raised_again() {
    let bench = archived();
    let whole = Parcel::read(&bench.path("a.tar.zst"));
    let records: Vec<Record> =
        whole.all("record.json").iter().map(|name| Record::parse(&whole.0[name]).expect("a record")).collect();
    let of_the_host = [Flag::Virtualised, Flag::FrequencyUncontrolled, Flag::Oversubscribed, Flag::InvoluntarySwitches];
    if !of_the_host.iter().any(|flag| records.iter().any(|record| record.flags.contains(flag))) {
        println!("skipped: this host raises no flag that could be cut");
        return;
    }
    // As the reviewer did: flags cut from all records, every name and digest mended.
    let mut cut = whole.clone();
    change_all(&mut cut, |record| record.flags.retain(|flag| record.reduction.flags.contains(flag)));
    refuses(&bench, &mut cut, 0, "its record lacks the flag");
    // One flag of one record.
    let mut one = whole.clone();
    change(&mut one, "throughput", |record, _| {
        record.flags.retain(|flag| !of_the_host.contains(flag));
    });
    refuses(&bench, &mut one, 0, "its record lacks the flag");
    // The facts that raise it cut as well: the key was made of them.
    let mut facts = whole.clone();
    change_all(&mut facts, |record| {
        record.flags.retain(|flag| record.reduction.flags.contains(flag));
        let host = Arc::make_mut(&mut record.host);
        host.virtualisation = None;
        host.tuning.governor = Some("performance".to_string());
        host.tuning.turbo = Some(false);
    });
    refuses(&bench, &mut facts, 0, "its record tells of another host than its key");
    // A better badge without better results.
    let mut badge = whole.clone();
    let grade = |parcel: &mut Parcel, from: &str, to: &str| {
        for name in parcel.all(".html").into_iter().chain(parcel.all("summary.json")) {
            let text = String::from_utf8(parcel.0[&name].clone()).expect("pages are text");
            parcel.0.insert(name, text.replace(from, to).into_bytes());
        }
    };
    grade(&mut badge, "indicative", "paper-grade");
    refuses(&bench, &mut badge, 2, "report/index.html differs from byte");
}

#[test]
fn what_counts_is_what_the_flags_say() {
    let bench = archived();
    let whole = Parcel::read(&bench.path("a.tar.zst"));
    let mut left_out = whole.clone();
    change(&mut left_out, "throughput", |record, _| record.status = Status::Suspect);
    refuses(&bench, &mut left_out, 0, "it is left out as suspect without a flag that says why");
    let mut counted = whole.clone();
    change(&mut counted, "throughput", |record, _| {
        record.evidence.parties.values_mut().for_each(|party| party.totals.received /= 2);
    });
    refuses(&bench, &mut counted, 0, "its record lacks the flag accounting-mismatch");
}

#[test]
fn what_a_reader_meets_first_is_made_again() {
    let bench = archived();
    let whole = Parcel::read(&bench.path("a.tar.zst"));
    for (name, from, to) in [
        ("data/README.md", "# Small", "# Great"),
        ("data/CITATION.cff", "title: \"Small\"", "title: \"Great\""),
        ("data/CITATION.cff", "The authors of small", "Somebody Else"),
        ("data/LICENSE", "CC-BY-4.0", "MIT"),
        ("data/ro-crate-metadata.json", "\"name\": \"Small\"", "\"name\": \"Great\""),
        ("data/ro-crate-metadata.json", "6 repetitions", "60 repetitions"),
        ("data/septet.json", "\"experiment\"", "\"proven\": true,\n  \"experiment\""),
        ("bag-info.txt", "External-Description: Small", "External-Description: Great"),
    ] {
        let mut forged = whole.clone();
        forged.edit(&format!("small/{name}"), from, to);
        let name = name.trim_start_matches("data/");
        refuses(&bench, &mut forged, 0, &format!("{name} does not follow from experiment and results"));
    }
    let mut without = whole.clone();
    without.0.remove("small/data/README.md");
    refuses(&bench, &mut without, 0, "README.md is missing");
}

#[test]
fn what_is_taken_on_trust_is_said() {
    let bench = archived();
    let told = bench.septet(&["archive", "verify", "a.tar.zst"]).code(0).stdout;
    assert!(told.contains("taken on trust: samples, logs, counters and facts: that they were measured"), "{told}");
    assert!(told.contains("taken on trust: experiment/small.toml: title, authors"), "{told}");
    assert!(told.contains("taken on trust: LICENSE: CC-BY-4.0, which the author named"), "{told}");
    // What the author wrote is taken as it is, and said to be.
    bench.write("CITATION.cff", "cff-version: 1.2.0\ntitle: Mine\n");
    bench.write("LICENSE", "Ask me.\n");
    bench.septet(&["archive", "create", "small.toml", "-o", "c.tar.zst"]).code(0);
    let ran = bench.septet(&["archive", "verify", "c.tar.zst", "--json"]).code(0).json();
    let on_trust = ran["on_trust"].to_string();
    assert_eq!(ran["level"], 3, "{ran}");
    assert!(on_trust.contains("CITATION.cff: as the author wrote it"), "{on_trust}");
    assert!(on_trust.contains("LICENSE: the text that the author gave"), "{on_trust}");
}
