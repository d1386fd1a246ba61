//! Pins: while one is held, no blob is removed.
//!
//! A backup copies the rows at one moment (the checkpoint) and the blobs one after the other behind it. A blob that the
//! checkpoint points at must stay until it was copied, whatever happens to its object meanwhile. So the backup takes a pin
//! first, then the checkpoint, and lets go of the pin when it is done.
//!
//! Why that is enough: the sweeper looks for pins *after* it has seen that a target is unreferenced. Where it finds none
//! and goes on to remove the blob, a pin taken since belongs to a checkpoint that is younger than what the sweeper saw; a
//! target without reference stays without one, so that checkpoint does not point at it either.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Store;

/// Counts the pins that are held.
#[derive(Debug, Default)]
pub(super) struct Pins(Arc<AtomicUsize>);

/// Keeps every blob from being removed until dropped. The sweep queue grows meanwhile.
#[derive(Debug)]
pub struct Pin(Arc<AtomicUsize>);

impl Store {
    /// Stops the removal of blobs until the pin is dropped. What is copied of the rows after this can be completed with
    /// the blobs that it points at, for as long as the pin is held.
    pub fn pin(&self) -> Pin {
        self.pins.0.fetch_add(1, Ordering::SeqCst);
        Pin(self.pins.0.clone())
    }
}

impl Pins {
    /// Whether any pin is held. To be asked after a target was found unreferenced, not before.
    pub fn are_held(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
