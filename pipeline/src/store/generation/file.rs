//! Generations as files, `NAME.json.zst`: JSON whose head stands before its tests, so that it can be read alone. What
//! is read is checked against the name each time. It must not know which generation is the latest.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::head::{Head, NOT_ITS_NAME, placed};
use super::{GENERATION_VERSION, Generation, GenerationName, GenerationTest};
use crate::beneath::{Below, Folder};
use crate::store::{StoreError, bounded};

const LEVEL: i32 = 3;
/// Most bytes of a generation's file: ten million tests of ten repetitions each have fewer.
pub(crate) const BYTES_MAX: u64 = 4 << 30;
/// Most bytes that stand before the tests, unpacked.
const HEAD_BYTES_MAX: u64 = 1 << 20;

/// Why a file is no generation that can be used.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The system refuses.
    Io(io::Error),
    /// The file is of a newer format.
    Newer(u32),
    /// The file is not what it must be, in words.
    Damaged(String),
}

impl Wrong {
    pub(super) fn damaged(error: impl fmt::Display) -> Wrong {
        Wrong::Damaged(error.to_string())
    }

    /// What came of reading JSON: the system's refusal is not the content's fault.
    fn of_json(error: serde_json::Error) -> Wrong {
        if !error.is_io() {
            return Wrong::damaged(error);
        }
        match io::Error::from(error) {
            error if error.raw_os_error().is_some() => Wrong::Io(error),
            error => Wrong::damaged(error),
        }
    }

    /// This fault as an error about a file.
    pub(super) fn of(self, path: &Path) -> StoreError {
        match self {
            Wrong::Io(error) => StoreError::io("read", path)(error),
            other => StoreError::damaged(path, other),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Io(error) => write!(f, "{error}"),
            Wrong::Newer(format) => {
                write!(f, "it has format {format}, this septet reads up to {GENERATION_VERSION}; use a newer septet")
            }
            Wrong::Damaged(reason) => f.write_str(reason),
        }
    }
}

/// A file as a stream of JSON, of at most so many bytes, each looked at on its way.
fn stream(file: impl Read, packed: u64, bytes_max: u64) -> Result<impl Read, Wrong> {
    if packed > BYTES_MAX {
        return Err(Wrong::Damaged(format!("it has more than {BYTES_MAX} bytes")));
    }
    let unpacked = bounded::unpacked(file, packed).map_err(Wrong::damaged)?;
    Ok(bounded::guarded(unpacked.take(bytes_max), packed))
}

/// What stands before the tests.
fn before_tests(file: impl Read, packed: u64) -> Result<Map<String, Value>, Wrong> {
    let mut fields = Map::new();
    let mut parser = serde_json::Deserializer::from_reader(stream(file, packed, HEAD_BYTES_MAX)?);
    match Before(&mut fields).deserialize(&mut parser) {
        // It stopped at the tests.
        Err(_) if fields.remove(TESTS).is_some() => {}
        Err(error) => return Err(Wrong::of_json(error)),
        Ok(()) => return Err(Wrong::Damaged("it has no tests".to_string())),
    }
    match fields.get("format").and_then(Value::as_u64).and_then(|format| u32::try_from(format).ok()) {
        Some(format) if format > GENERATION_VERSION => Err(Wrong::Newer(format)),
        Some(_) => Ok(fields),
        None => Err(Wrong::Damaged("it has no format".to_string())),
    }
}

/// Opens a generation's file; with it its length.
fn open(folder: &Folder, file: &Below) -> Result<(File, u64), Wrong> {
    let file = folder.file(file).map_err(|error| Wrong::Io(error.source))?;
    let len = file.metadata().map_err(Wrong::Io)?.len();
    Ok((file, len))
}

/// The head of a generation of format 3, which must be what its name says.
pub(super) fn head(folder: &Folder, file: &Below, experiment: &str, name: &GenerationName) -> Result<Head, Wrong> {
    let (file, packed) = open(folder, file)?;
    let fields = before_tests(file, packed)?;
    let head: Head = serde_json::from_value(Value::Object(fields)).map_err(Wrong::damaged)?;
    head.check(experiment, name).map_err(Wrong::Damaged)?;
    Ok(head)
}

/// A whole generation, which must be what its name says.
pub(super) fn whole(
    folder: &Folder,
    file: &Below,
    experiment: &str,
    name: &GenerationName,
) -> Result<Generation, Wrong> {
    let (opened, packed) = open(folder, file)?;
    match serde_json::from_reader::<_, Whole>(stream(opened, packed, u64::MAX)?) {
        Ok(whole) => whole.checked(experiment, name),
        // In a newer format anything may be different.
        Err(error) => {
            let (opened, packed) = open(folder, file)?;
            Err(before_tests(opened, packed).err().unwrap_or_else(|| Wrong::of_json(error)))
        }
    }
}

/// A generation as its file has it.
#[derive(Deserialize)]
struct Whole {
    format: u32,
    experiment: String,
    created: String,
    complete: bool,
    seed: String,
    #[serde(default)]
    follows: Vec<GenerationName>,
    #[serde(default)]
    line: u64,
    stands_on: Option<String>,
    measured: Option<u64>,
    results: Option<u64>,
    tests: Vec<GenerationTest>,
}

impl Whole {
    fn checked(self, folder: &str, name: &GenerationName) -> Result<Generation, Wrong> {
        let Whole { format, experiment, created, complete, seed, follows, line, stands_on, measured, results, tests } =
            self;
        let mut generation = Generation { format, experiment, created, complete, seed, follows, line, tests };
        if generation.format > GENERATION_VERSION {
            return Err(Wrong::Newer(generation.format));
        }
        if generation.is_older() {
            (generation.follows, generation.line) = (Vec::new(), 0);
            placed(folder, &generation.experiment, &generation.created, name).map_err(Wrong::Damaged)?;
            let is_seed = generation.seed.len() == 16 && generation.seed.bytes().all(|byte| byte.is_ascii_hexdigit());
            if generation.name() != *name || !is_seed {
                return Err(Wrong::Damaged(NOT_ITS_NAME.to_string()));
            }
        } else {
            let head = Head::of(&generation);
            let says = (stands_on.as_deref(), measured, results);
            if says != (Some(&head.stands_on), Some(head.measured), Some(head.results)) {
                return Err(Wrong::Damaged(NOT_ITS_NAME.to_string()));
            }
            head.check(folder, name).map_err(Wrong::Damaged)?;
        }
        let mut keys = HashMap::with_capacity(generation.tests.len());
        for test in &generation.tests {
            if *keys.entry(test.name.as_str()).or_insert(test.key) != test.key {
                return Err(Wrong::Damaged(format!("it has {} under two keys", test.name)));
            }
        }
        let twice = |test: &&GenerationTest| test.repetitions.windows(2).any(|pair| pair[0] >= pair[1]);
        match generation.tests.iter().find(twice) {
            Some(test) => Err(Wrong::Damaged(format!("it lists a result of {} twice, or out of order", test.name))),
            None => Ok(generation),
        }
    }
}

const TESTS: &str = "tests";

/// Takes the fields before the tests, notes that these were reached, and stops.
struct Before<'a>(&'a mut Map<String, Value>);

impl<'de> DeserializeSeed<'de> for Before<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Before<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a generation")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key::<String>()? {
            if field == TESTS {
                self.0.insert(field, Value::Null);
                return Err(de::Error::custom("the tests are not read"));
            }
            let value = map.next_value()?;
            self.0.insert(field, value);
        }
        Ok(())
    }
}

/// A generation as its file has it, to be written.
#[derive(Serialize)]
struct Form<'a> {
    #[serde(flatten)]
    head: &'a Head,
    tests: &'a [GenerationTest],
}

impl Generation {
    /// A generation from its file, which may be of a stranger, and which must be what its name in the folder of an
    /// experiment says.
    pub(crate) fn read(
        folder: &Folder,
        file: &Below,
        experiment: &str,
        name: &GenerationName,
    ) -> Result<Generation, StoreError> {
        whole(folder, file, experiment, name).map_err(|wrong| wrong.of(&folder.path_of(file)))
    }

    /// A generation from the content of its file.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(bytes: &[u8], experiment: &str, name: &GenerationName) -> Result<Generation, String> {
        let json = stream(bytes, bytes.len() as u64, u64::MAX).map_err(|wrong| wrong.to_string())?;
        let whole: Whole = serde_json::from_reader(json).map_err(|error| error.to_string())?;
        whole.checked(experiment, name).map_err(|wrong| wrong.to_string())
    }

    /// The generation's name and the content of its file.
    pub fn file(&self) -> Result<(GenerationName, Vec<u8>), StoreError> {
        let (name, json) = match self.is_older() {
            true => (self.name(), serde_json::to_vec(self)),
            false => {
                let head = Head::of(self);
                (head.name(), serde_json::to_vec(&Form { head: &head, tests: &self.tests }))
            }
        };
        let path = Path::new(name.as_str());
        let json = json.map_err(|error| StoreError::io("encode", path)(error.into()))?;
        let bytes = zstd::bulk::compress(&json, LEVEL).map_err(StoreError::io("compress", path))?;
        Ok((name, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generation of format 1 as it was stored.
    const STORED: &[u8] = include_bytes!("../../../tests/stored/20261127T010730823Z-74d9946055010564.json.zst");
    const CALLED: &str = "20261127T010730823Z-74d9946055010564";

    fn parse(bytes: &[u8], experiment: &str, name: &str) -> Result<Generation, String> {
        Generation::parse(bytes, experiment, &name.parse().expect("it is a name"))
    }

    #[test]
    fn generations_of_the_first_format_are_read_for_good() {
        let older = parse(STORED, "older", CALLED).expect("it is sound");
        assert_eq!((older.format, older.tests.len(), older.rank()), (1, 1, None));
        let (name, bytes) = older.file().expect("it can be encoded");
        assert_eq!(name.as_str(), CALLED);
        assert_eq!(parse(&bytes, "older", CALLED), Ok(older));
        assert!(parse(STORED, "another", CALLED).unwrap_err().contains("of the experiment 'older'"));
        let renamed = CALLED.replace("2026", "2027");
        assert!(parse(STORED, "older", &renamed).unwrap_err().contains("not what its name says"));
    }

    #[test]
    fn every_field_is_proven_by_the_name() {
        let older = parse(STORED, "older", CALLED).expect("it is sound");
        let follows = vec![CALLED.parse().expect("it is a name")];
        let now = Generation { format: GENERATION_VERSION, follows, line: 2, ..older };
        let (name, bytes) = now.file().expect("it can be encoded");
        // The format of names is stored: it does not change unseen.
        assert_eq!(name.as_str(), "20261127T010730823Z-74d9946055010564-6079e75224932ca8");
        assert_eq!(parse(&bytes, "older", name.as_str()), Ok(now));
        let json = String::from_utf8(bounded::unpack(&bytes, 1 << 20).expect("it is zstd")).expect("it is text");
        let lies = [
            ("\"complete\":true", "\"complete\":false"),
            ("23772f82dc417a9a", "23772f82dc417a9b"),
            ("\"line\":2", "\"line\":3"),
            ("07:30.823Z\"", "07:30.824Z\""),
            ("\"follows\":[\"2026", "\"follows\":[\"2027"),
            ("\"measured\":1", "\"measured\":2"),
            ("20kpps", "21kpps"),
            ("01be1849", "01be1848"),
            ("b2577294", "b2577295"),
            ("\"stands_on\":\"74d9", "\"stands_on\":\"74d8"),
        ];
        for (from, to) in lies {
            assert!(json.contains(from), "{from} is in {json}");
            let packed = zstd::bulk::compress(json.replacen(from, to, 1).as_bytes(), 3).expect("zstd works");
            let error = parse(&packed, "older", name.as_str()).unwrap_err();
            assert!(error.contains("what its name says"), "{to}: {error}");
        }
        let newer = json.replacen("\"format\":3", "\"format\":4", 1);
        let packed = zstd::bulk::compress(newer.as_bytes(), 3).expect("zstd works");
        assert!(parse(&packed, "older", name.as_str()).unwrap_err().contains("it has format 4"));
    }
}
