//! Archives that others packed again, and what is taken for an archive and is none.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use super::bench::{Bench, touched};
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
    fs::create_dir(bench.path("tmp")).expect("the bench is writable");
    let temporary = bench.path("tmp").display().to_string();
    let names = || -> BTreeSet<_> {
        fs::read_dir(bench.path("")).expect("it is there").map(|entry| entry.expect("a name").file_name()).collect()
    };
    // A reproduction goes no further than the others, and leaves no folder.
    let ends = |code: i32, reason: &str| {
        let before = (bench.files(".septet"), names());
        for arguments in [
            &["archive", "verify", "here/small"][..],
            &["archive", "import", "here/small", "--store", ".septet"],
            &["reproduce", "here/small", "again"],
            &["reproduce", "here", "again"],
        ] {
            let ran = bench.septet_with(&[("TMPDIR", &temporary)], arguments).code(code);
            let said = format!("{}{}", ran.stderr, ran.stdout);
            assert!(said.contains(reason) && !said.contains("panicked"), "{arguments:?}: no '{reason}' in {said}");
        }
        assert_eq!((touched(&before.0, &bench.files(".septet")), names()), (Vec::new(), before.1), "{reason}");
        assert_eq!(fs::read_dir(bench.path("tmp")).expect("it is there").count(), 0, "{reason}: something is left");
    };
    let refused = |reason: &str| ends(2, reason);
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
    drop(sparse);
    fs::remove_file(&evil).expect("it is there");
    // A socket, a device that anybody can name, and a name that no archive has.
    let socket = std::os::unix::net::UnixListener::bind(&evil).expect("the bench is writable");
    refused("is a socket");
    drop(socket);
    fs::remove_file(&evil).expect("it is there");
    for (name, reason) in
        [("e\u{202e}vil", "has a character that no name of an archive has"), ("e\\vil", "has a character")]
    {
        let odd = bench.path("here/small/data/report").join(name);
        fs::write(&odd, "x").expect("the bench is writable");
        refused(reason);
        fs::remove_file(&odd).expect("it is there");
    }
    let odd = bench.path("here/small/data/report").join(std::ffi::OsStr::from_bytes(b"e\xffvil"));
    fs::write(&odd, "x").expect("the bench is writable");
    refused("is not UTF-8");
    fs::remove_file(&odd).expect("it is there");
    // The experiment, the store and the bag's own marks as links to what is like them: not followed either.
    for name in ["data/experiment/small.toml", "data/septet.json", "manifest-sha256.txt", "data/store/results", "data"]
    {
        let (path, away) = (bench.path("here/small").join(name), bench.path("away"));
        fs::rename(&path, &away).expect("the bench is writable");
        std::os::unix::fs::symlink(&away, &path).expect("the bench is writable");
        refused("nothing of it was used");
        fs::remove_file(&path).expect("it is the link");
        fs::rename(&away, &path).expect("the bench is writable");
    }
    // What is not what the manifest says is damage, and goes no further either.
    let page = bench.path("here/small/data/report/index.html");
    let whole = fs::read(&page).expect("it is there");
    fs::write(&page, "x").expect("the bench is writable");
    ends(4, "data/report/index.html is not what manifest-sha256.txt says");
    fs::write(&page, whole).expect("the bench is writable");
    // And without all that it is the archive that it was.
    bench.septet(&["reproduce", "here/small", "again", "--only", "D=latency", "--scale", "0.5"]).code(0);
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
    fs::remove_file(bench.path("b")).expect("it is there");
    // A name that was mistyped is input, and no fault of the host.
    is("there is no such file or folder");
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
