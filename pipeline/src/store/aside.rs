//! Puts aside what `verify` found, so that its tests count as not measured and what is derived is made anew. Nothing is
//! deleted, and nothing is put aside without a second look while nobody else adds results. It must not know what damage
//! is.

use std::collections::HashSet;

use super::verify::{Damage, DamagedFile, Of, Verification};
use super::{Store, StoreError};
use crate::beneath::Below;
use crate::key::ResultId;

impl Store {
    /// Puts aside what was found and is still so; that.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while somebody adds results.
    pub fn quarantine(&self, found: Verification) -> Result<Verification, StoreError> {
        let is_format = |file: &&DamagedFile| file.of == Of::Format;
        // Without a format nothing else can be done with the store.
        for file in found.files.iter().filter(is_format) {
            self.put_aside(&file.file)?;
        }
        let _alone = self.taking_away()?;
        let formats: Vec<DamagedFile> = found.files.iter().filter(is_format).cloned().collect();
        let mut found = self.again(found)?;
        for file in &found.files {
            match file.of {
                Of::Index => self.replace_index(self.scan()?)?,
                _ => self.put_aside(&file.file)?,
            }
        }
        found.files.extend(formats);
        let bad = found.findings.iter().filter(|finding| !matches!(finding.kind, Damage::Manifest(_)));
        let bad: HashSet<ResultId> = bad.map(|finding| finding.id).collect();
        if !bad.is_empty() {
            self.take_off_index(&bad)?;
        }
        for finding in &found.findings {
            let (from, to) = match finding.kind {
                Damage::Result => (self.result_name(&finding.id)?, finding.id.to_string()),
                Damage::Manifest(key) => (self.manifest_name(&key)?, format!("{key}.json")),
                // An empty folder: it was told, and is not told again.
                Damage::Gone => {
                    self.made()?.make_folder(&self.quarantined(&finding.id.to_string())?)?;
                    continue;
                }
            };
            if self.has(&from) {
                self.put_elsewhere(&from, &self.free(&to)?)?;
            }
        }
        Ok(found)
    }

    /// Moves a file of the store away, under a name that says where it was.
    fn put_aside(&self, file: &Below) -> Result<(), StoreError> {
        let parts: Vec<&str> = file.parts().collect();
        self.put_elsewhere(file, &self.free(&parts.join("-"))?)
    }

    /// A place for what is put aside under that name, or under one with a number behind it, where nothing is yet.
    fn free(&self, name: &str) -> Result<Below, StoreError> {
        let mut place = self.quarantined(name)?;
        let mut number = 2;
        while self.has(&place) {
            place = self.quarantined(&format!("{name}.{number}"))?;
            number += 1;
        }
        Ok(place)
    }
}
