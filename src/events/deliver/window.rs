//! How far an endpoint's reader has come in the log. Pure.

use std::collections::BTreeSet;

/// What was read of the log and is not settled: neither delivered, nor written to `deferred`, nor nothing to the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    read_to: u64,
    open: BTreeSet<u64>,
}

impl Window {
    /// Everything up to `cursor` is settled, and nothing behind it was read.
    pub fn new(cursor: u64) -> Self {
        Self { read_to: cursor, open: BTreeSet::new() }
    }

    /// What is to be read next is behind this.
    pub fn read_to(&self) -> u64 {
        self.read_to
    }

    /// Everything up to here is settled.
    pub fn cursor(&self) -> u64 {
        self.open.first().map_or(self.read_to, |first| first - 1)
    }

    /// How many changes are not settled.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Everything up to `position` was read.
    pub fn advance(&mut self, position: u64) {
        self.read_to = self.read_to.max(position);
    }

    /// The change at `position`, which was read, is not settled yet.
    pub fn open(&mut self, position: u64) {
        self.advance(position);
        self.open.insert(position);
    }

    pub fn settle(&mut self, position: u64) {
        self.open.remove(&position);
    }

    /// Everything up to `position` counts as settled, and as read.
    pub fn skip_to(&mut self, position: u64) {
        self.advance(position);
        self.open = self.open.split_off(&position.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_cursor_stays_before_the_first_change_that_is_not_settled() {
        let mut window = Window::new(10);
        window.advance(12);
        assert_eq!((window.cursor(), window.read_to()), (12, 12));
        [13, 14, 16].into_iter().for_each(|position| window.open(position));
        window.advance(20);
        window.settle(14);
        assert_eq!((window.cursor(), window.len()), (12, 2));
        window.settle(13);
        assert_eq!(window.cursor(), 15, "what is nothing to the endpoint is passed");
        window.settle(16);
        window.settle(99);
        assert_eq!((window.cursor(), window.read_to()), (20, 20));
    }

    #[test]
    fn what_is_skipped_is_settled_and_what_is_behind_it_is_not() {
        let mut window = Window::new(0);
        (1..=10).for_each(|position| window.open(position));
        window.skip_to(7);
        assert_eq!((window.cursor(), window.len(), window.read_to()), (7, 3, 10));
        window.settle(3);
        window.skip_to(100);
        assert_eq!((window.cursor(), window.read_to()), (100, 100));
    }

    proptest! {
        #[test]
        fn nothing_that_is_open_is_ever_passed(steps in prop::collection::vec((0u8..4, 1u64..200), 0..200)) {
            let (mut window, mut open, mut read_to) = (Window::new(0), BTreeSet::new(), 0u64);
            let mut last = 0;
            for (what, position) in steps {
                match what {
                    0 if position > read_to => { window.open(position); open.insert(position); read_to = position; }
                    1 => { window.settle(position); open.remove(&position); }
                    2 => { window.advance(position); read_to = read_to.max(position); }
                    3 if position > read_to => {
                        window.skip_to(position);
                        open.clear();
                        read_to = position;
                    }
                    _ => {}
                }
                let expected = open.first().map_or(read_to, |first| first - 1);
                prop_assert_eq!(window.cursor(), expected);
                prop_assert!(window.cursor() >= last, "a cursor never goes back");
                last = window.cursor();
            }
        }
    }
}
