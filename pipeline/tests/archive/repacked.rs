//! Archives that others packed again, and what is taken for an archive and is none.

use std::fs;
use std::process::Command;

use super::bench::Bench;
use super::honest::archived;
use super::parcel::{Entry, Parcel, write};

/// The archive unpacked into `here/small`.
fn unpacked(bench: &Bench) {
    for (name, bytes) in Parcel::read(&bench.path("a.tar.zst")).0 {
        let path = bench.path("here").join(name);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the bench is writable");
        fs::write(path, bytes).expect("the bench is writable");
    }
}

/// Runs a line of a shell in `here`. False, with the reason printed, where a program is missing.
fn shell(bench: &Bench, line: &str) -> bool {
    let ran = Command::new("sh").args(["-c", line]).current_dir(bench.path("here")).output().expect("there is a shell");
    if !ran.status.success() {
        println!("skipped: {line}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    ran.status.success()
}

#[test]
fn other_ways_to_pack_change_nothing() {
    let bench = archived();
    unpacked(&bench);
    let verified = |file: &str| {
        let mut ran = bench.septet(&["archive", "verify", file, "--json"]).code(0).json();
        let object = ran.as_object_mut().expect("an object");
        // Another packing is another file.
        object.remove("sha256");
        let noted = object.remove("repacked").unwrap_or_default().to_string();
        (ran, noted)
    };
    let (original, noted) = verified("a.tar.zst");
    assert_eq!(noted, "null");
    for (line, file, note) in [
        ("tar -cf ../b.tar small", "b.tar", "not compressed, entries for folders"),
        ("tar -czf ../b.tar.gz ./small", "b.tar.gz", "gzip, entries for folders, names that begin with ./"),
        ("tar --format=gnu -czf ../g.tgz small", "g.tgz", "extended headers"),
        ("tar --format=pax -cf ../p.tar small", "p.tar", "extended headers"),
        ("tar -C small -cf ../i.tar .", "i.tar", "no folder around it"),
        (
            "tar -C small -czf ../j.tar.gz bagit.txt data bag-info.txt manifest-sha256.txt tagmanifest-sha256.txt",
            "j.tar.gz",
            "no folder around it",
        ),
        ("tar -cf - small | zstd -q > ../z.tar.zst", "z.tar.zst", "entries for folders"),
        ("cp -r small ../copy", "copy", "unpacked in a folder"),
        ("mkdir ../around && cp -r small ../around/", "around", "unpacked in a folder"),
    ] {
        if !shell(&bench, line) {
            continue;
        }
        let (ran, noted) = verified(file);
        assert!(noted.contains(note), "{line}: {noted}");
        assert_eq!(ran, original, "{line}");
        let told = bench.septet(&["archive", "verify", file]).code(0).stdout;
        assert!(told.contains("note: it ") && told.contains("level 3 of 3"), "{told}");
    }
    // They are one archive: what is imported of one is there already by another.
    bench.septet(&["archive", "import", "a.tar.zst", "--as", "theirs"]).code(0);
    let ran = bench.septet(&["archive", "import", "here/small", "--as", "theirs"]).code(0);
    assert!(ran.stdout.contains("there already"), "{}", ran.stdout);
    // Damage is damage, however it is packed.
    fs::write(bench.path("here/small/data/README.md"), "x").expect("the bench is writable");
    let ran = bench.septet(&["archive", "verify", "here/small"]).code(4);
    assert!(ran.stdout.contains("data/README.md is not what manifest-sha256.txt says"), "{}", ran.stdout);
}

#[test]
fn hostile_folders_are_refused() {
    let bench = archived();
    unpacked(&bench);
    let refused = |reason: &str| {
        let ran = bench.septet(&["archive", "verify", "here/small"]).code(2);
        assert!(ran.stderr.contains(reason), "no '{reason}' in {}", ran.stderr);
    };
    let evil = bench.path("here/small/data/report/evil");
    std::os::unix::fs::symlink("/etc/passwd", &evil).expect("the bench is writable");
    refused("is a symbolic link");
    fs::remove_file(&evil).expect("it is there");
    nix::unistd::mkfifo(&evil, nix::sys::stat::Mode::S_IRWXU).expect("the bench is writable");
    refused("is a FIFO");
    fs::remove_file(&evil).expect("it is there");
    std::os::unix::fs::symlink("/etc", &evil).expect("the bench is writable");
    refused("is a symbolic link");
    fs::remove_file(&evil).expect("it is there");
    let sparse = fs::File::create(&evil).expect("the bench is writable");
    sparse.set_len(1 << 40).expect("files may have holes");
    refused("it would unpack to more than");
}

#[test]
fn what_is_no_archive_is_named() {
    let bench = Bench::new();
    let is = |reason: &str| {
        let ran = bench.septet(&["archive", "verify", "b"]).code(2);
        assert!(ran.stderr.contains(reason), "no '{reason}' in {}", ran.stderr);
    };
    for (bytes, reason) in [
        (&b"PK\x03\x04rest"[..], "it is a zip file: unpack it"),
        (b"\xfd7zXZ\x00rest", "xz -d"),
        (b"BZh91AY", "bzip2 -d"),
        (b"7z\xbc\xaf\x27\x1crest", "a 7-Zip file"),
        (b"<!doctype html>", "a web page"),
        (b"", "it is empty"),
        (b"hello", "no archive: neither zstd, gzip nor tar begins so"),
    ] {
        fs::write(bench.path("b"), bytes).expect("the bench is writable");
        is(reason);
    }
    write(&bench.path("b"), &[Entry::file("src/main.c", b"int main;"), Entry::file("Makefile", b"all:")]);
    is("it is a tar of something else");
    let bag = [
        Entry::file("theirs/bagit.txt", b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"),
        Entry::file("theirs/bag-info.txt", b"Bag-Software-Agent: bagit.py v1.8.1\nPayload-Oxum: 1.1\n"),
        Entry::file("theirs/manifest-sha512.txt", b""),
        Entry::file("theirs/data/x", b"x"),
    ];
    write(&bench.path("b"), &bag);
    is("it is a bag of another program (bagit.py v1.8.1)");
    fs::remove_file(bench.path("b")).expect("it is there");
    nix::unistd::mkfifo(&bench.path("b"), nix::sys::stat::Mode::S_IRWXU).expect("the bench is writable");
    is("neither a plain file nor a folder");
    fs::remove_file(bench.path("b")).expect("it is there");
    fs::create_dir(bench.path("b")).expect("the bench is writable");
    is("it is a folder without bagit.txt");
}
