//! When a server is told which sites this edge serves.

use std::time::Duration;

use crate::feed::{Moment, Page};

/// How long until sites that were not taken are told again: what stood against them may be gone.
const TELL_AGAIN: Duration = Duration::from_secs(30);

/// Whether the next poll tells of sites.
#[derive(Debug)]
pub struct Telling {
    due: bool,
    again_at: Option<Moment>,
    /// What was not taken, and why.
    not_taken: Vec<String>,
}

impl Telling {
    /// Nothing was told yet.
    pub fn new() -> Self {
        Self { due: true, again_at: None, not_taken: Vec::new() }
    }

    /// They are others, or it is not known what the server knows.
    pub fn must(&mut self) {
        self.due = true;
    }

    pub fn is_due(&self, now: Moment) -> bool {
        self.due || self.again_at.is_some_and(|at| now >= at)
    }

    /// Takes what the server says in answer to a poll that told of sites or did not. Tells the operator of what changed.
    pub fn answered(&mut self, told: bool, page: &Page, now: Moment) {
        self.due = page.register;
        if !told {
            return;
        }
        self.again_at = (!page.not_taken.is_empty()).then(|| now.plus(TELL_AGAIN));
        if self.not_taken == page.not_taken {
            return;
        }
        for why in &page.not_taken {
            tracing::warn!(
                why,
                "the server did not take a site: it is no distribution, and cannot be purged from here"
            );
        }
        if page.not_taken.is_empty() {
            tracing::info!("the server took every site");
        }
        self.not_taken.clone_from(&page.not_taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::VERSION;
    use crate::names::LogId;

    fn page(register: bool, not_taken: &[&str]) -> Page {
        Page {
            version: VERSION,
            log: LogId([1; 16]),
            from: 0,
            flush: false,
            entries: Vec::new(),
            next: 0,
            lease: None,
            register,
            not_taken: not_taken.iter().map(ToString::to_string).collect(),
            pass: None,
        }
    }

    #[test]
    fn sites_are_told_until_they_are_known_and_again_when_they_were_not_taken() {
        let at = |seconds| Moment::default().plus(Duration::from_secs(seconds));
        let mut telling = Telling::new();
        assert!(telling.is_due(at(0)));
        telling.answered(true, &page(false, &[]), at(0));
        assert!(!telling.is_due(at(1000)));
        telling.must();
        assert!(telling.is_due(at(1000)));
        telling.answered(true, &page(false, &["site www: no"]), at(1000));
        telling.answered(false, &page(false, &[]), at(1010));
        assert!(!telling.is_due(at(1029)) && telling.is_due(at(1030)));
        telling.answered(true, &page(false, &[]), at(1030));
        assert!(!telling.is_due(at(9999)));
        telling.answered(false, &page(true, &[]), at(9999));
        assert!(telling.is_due(at(9999)), "the server asked");
    }
}
