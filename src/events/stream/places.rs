//! How many streams there are, and whose.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// The places for streams.
pub(super) struct Places {
    all: usize,
    each: usize,
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

/// One stream's place: given back when this is dropped.
#[derive(Debug)]
pub struct Place {
    listener: String,
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

/// There is no place for another stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("there are {0} streams already, and there may be no more")]
    All(usize),
    #[error("this account, or address, has {0} streams already, and may have no more")]
    Own(usize),
}

impl Places {
    pub fn new(all: usize, each: usize) -> Self {
        Self { all, each, taken: Arc::default() }
    }

    pub fn take(&self, listener: &str) -> Result<Place, Full> {
        let mut taken = self.taken.lock();
        if taken.get(listener).is_some_and(|own| *own >= self.each) {
            return Err(Full::Own(self.each));
        }
        if taken.values().sum::<usize>() >= self.all {
            return Err(Full::All(self.all));
        }
        *taken.entry(listener.to_owned()).or_default() += 1;
        Ok(Place { listener: listener.to_owned(), taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Some(own) = taken.get_mut(&self.listener) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.listener);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_for_each_and_for_all_and_come_back() {
        let places = Places::new(3, 2);
        let first = places.take("a").unwrap();
        let _second = places.take("a").unwrap();
        assert_eq!(places.take("a").unwrap_err(), Full::Own(2));
        let third = places.take("b").unwrap();
        assert_eq!(places.take("c").unwrap_err(), Full::All(3));
        drop(first);
        let _again = places.take("a").unwrap();
        drop(third);
        assert_eq!(places.taken.lock().len(), 1, "who has no stream is not remembered");
    }
}
