//! The store that a command without an experiment is about.

use std::path::Path;

use super::PlaceArgs;
use crate::exit::Trouble;
use crate::store::Store;

/// The store that is meant, which need not be there yet.
pub(super) fn place(args: &PlaceArgs) -> Result<Store, Trouble> {
    Ok(Store::meant(args.store.as_deref(), Path::new(""))?)
}

/// The store that is meant, which must be there.
pub(super) fn open(args: &PlaceArgs) -> Result<Store, Trouble> {
    let store = place(args)?;
    match store.exists() {
        true => Ok(store),
        false => Err(Trouble::input(format!("there is no store at {}; name one by --store", store.root().display()))),
    }
}

/// The store that is meant, also where it is too damaged for anything but finding out what of it is.
pub(super) fn open_damaged(args: &PlaceArgs) -> Result<Store, Trouble> {
    let store = Store::meant_damaged(args.store.as_deref(), Path::new(""))?;
    match store.root().is_dir() {
        true => Ok(store),
        false => Err(Trouble::input(format!("there is no store at {}; name one by --store", store.root().display()))),
    }
}
