//! Digests of an archive's files. What comes out of an archive is digested on its way, side by side, and written
//! only where somebody will read it. It must not know what the files mean, or whether they may be there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::ArchiveError;
use crate::beneath::{self, Spot};

/// Files up to this length are digested by whichever thread is free; longer ones piece by piece as they come.
const PIECE_BYTES: usize = 4 << 20;

/// A file's length and digests, hex: the bag's and the store's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digested {
    /// Bytes.
    pub len: u64,
    /// Digest of the bag.
    pub sha256: String,
    /// Digest of the store.
    pub blake3: String,
}

impl Digested {
    /// The digests of these bytes.
    pub fn of(bytes: &[u8]) -> Digested {
        let mut hashing = Hashing::default();
        hashing.update(bytes);
        hashing.finish()
    }

    /// The digests of a file.
    pub fn of_file(path: &Path) -> io::Result<Digested> {
        let mut file = beneath::open_plain_file(path).map_err(|error| error.source)?;
        let (mut hashing, mut piece) = (Hashing::default(), vec![0; 1 << 17]);
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(hashing.finish()),
                count => hashing.update(&piece[..count]),
            }
        }
    }
}

/// What files hold, by name below the bag.
pub type DigestedFiles = BTreeMap<String, Digested>;

/// A file that came whole.
struct Whole {
    name: String,
    spot: Option<Spot>,
    bytes: Vec<u8>,
}

/// Where files go.
pub struct Intake<'a> {
    jobs: SyncSender<Whole>,
    done: &'a Mutex<Result<DigestedFiles, ArchiveError>>,
}

/// Whoever reads files on their way, by name: each that is not longer than [`PIECE_BYTES`].
pub type Reader<'a> = &'a (dyn Fn(&str, &[u8]) + Sync);

/// Runs `feed`, whose files are digested, shown to `reader` and written meanwhile; what it gives, and what they
/// were.
pub fn take_in<T>(
    reader: Reader,
    feed: impl FnOnce(&Intake) -> Result<T, ArchiveError>,
) -> Result<(T, DigestedFiles), ArchiveError> {
    let threads = rayon::current_num_threads();
    let done = Mutex::new(Ok(DigestedFiles::new()));
    let (jobs, queue) = sync_channel(threads);
    let queue = Mutex::new(queue);
    let fed = std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&queue, reader, &done));
        }
        // What feeds goes with this, so that the threads end.
        let intake = Intake { jobs, done: &done };
        feed(&intake)
    });
    let found = done.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    Ok((fed?, found))
}

fn work(queue: &Mutex<Receiver<Whole>>, reader: Reader, done: &Mutex<Result<DigestedFiles, ArchiveError>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Whole { name, spot, bytes }) = job else { return };
        let written = spot.map_or(Ok(()), |spot| {
            let mut file = spot.create()?;
            file.write_all(&bytes).map_err(ArchiveError::io("unpack", &spot.path()))
        });
        reader(&name, &bytes);
        note(done, name, written.map(|()| Digested::of(&bytes)));
    }
}

fn note(done: &Mutex<Result<DigestedFiles, ArchiveError>>, name: String, digested: Result<Digested, ArchiveError>) {
    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
    match (&mut *done, digested) {
        (Ok(found), Ok(digested)) => drop(found.insert(name, digested)),
        (Ok(_), Err(error)) => *done = Err(error),
        // The first error is the one that is told.
        (Err(_), _) => {}
    }
}

impl Intake<'_> {
    /// Takes a file of `len` bytes, and writes it to `spot` if it is to be read later. False if it is shorter.
    ///
    /// # Errors
    /// What reading it says. A file that cannot be written is told by [`take_in`].
    pub fn take(&self, name: &str, spot: Option<Spot>, len: u64, content: &mut impl Read) -> io::Result<bool> {
        if len <= PIECE_BYTES as u64 {
            let mut bytes = Vec::with_capacity(len as usize);
            content.take(len).read_to_end(&mut bytes)?;
            let whole = bytes.len() as u64 == len;
            // The threads end after this, so there is always one that hears.
            let sent = self.jobs.send(Whole { name: name.to_string(), spot, bytes });
            return sent.map(|()| whole).map_err(|_| io::Error::other("nobody digests it"));
        }
        let mut hashing = Hashing::default();
        let mut piece = vec![0; PIECE_BYTES];
        let mut file = spot.as_ref().map(Spot::create).transpose().map_err(ArchiveError::from);
        let mut left = len;
        while left > 0 {
            let wanted = left.min(PIECE_BYTES as u64) as usize;
            let count = content.read(&mut piece[..wanted])?;
            if count == 0 {
                return Ok(false);
            }
            left -= count as u64;
            hashing.update(&piece[..count]);
            if let Ok(Some(open)) = &mut file
                && let Err(error) = open.write_all(&piece[..count])
            {
                let path = spot.as_ref().map(Spot::path).unwrap_or_default();
                file = Err(ArchiveError::io("unpack", &path)(error));
            }
        }
        note(self.done, name.to_string(), file.map(|_| hashing.finish()));
        Ok(true)
    }
}

/// Both digests at once.
#[derive(Default)]
struct Hashing {
    len: u64,
    sha256: Sha256,
    blake3: blake3::Hasher,
}

impl Hashing {
    fn update(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        self.sha256.update(bytes);
        self.blake3.update(bytes);
    }

    fn finish(self) -> Digested {
        Digested {
            len: self.len,
            sha256: hex(&self.sha256.finalize()),
            blake3: self.blake3.finalize().to_hex().to_string(),
        }
    }
}

/// Hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
