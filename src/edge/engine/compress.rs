//! Which compressed forms are being made just now: each is made once.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::edge::cache::Stored;
use crate::http::encoding::Coding;

/// The forms that are being made, by the address of the response that they are made of and the name of the coding.
#[derive(Debug, Default)]
pub(super) struct Compressing(Mutex<HashSet<(usize, &'static str)>>);

/// Somebody makes a form. Dropping it lets others try.
#[derive(Debug)]
pub(super) struct Turn<'c> {
    compressing: &'c Compressing,
    form: (usize, &'static str),
    /// Keeps the address from being another response's.
    _stored: Arc<Stored>,
}

impl Compressing {
    /// Begins to make a form; `None` where somebody else does.
    pub fn begin(&self, stored: &Arc<Stored>, coding: Coding) -> Option<Turn<'_>> {
        let form = (Arc::as_ptr(stored).addr(), coding.name());
        let first = self.0.lock().insert(form);
        first.then(|| Turn { compressing: self, form, _stored: Arc::clone(stored) })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.compressing.0.lock().remove(&self.form);
    }
}
