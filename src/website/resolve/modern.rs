//! The order of rules of a site with options: `_redirects`, routing rules, the policy on slashes, files under clean URLs,
//! and the site's own pages for what is not there.
//!
//! What a visitor might read and is not there is missing, and he is told so, whether or not he may list: the site has a page
//! for that.

use super::represent::represent;
use super::{Asked, Outcome, error_document, given, redirect, rule_for};
use crate::site::Moved;
use crate::site::configuration::Serve;
use crate::site::lookup::{Candidate, Then, candidates, not_found_pages, slash_move};
use crate::site::path::on_same_site;
use crate::site::redirects::Redirection;
use crate::website::failure::{Code, Failure};
use crate::website::files::{File, Files, Found};
use crate::website::rules::Modern;

/// One request to one site.
struct Search<'r, F> {
    site: &'r Serve,
    modern: &'r Modern,
    files: &'r F,
    asked: Asked<'r>,
}

pub async fn resolve(site: &Serve, modern: &Modern, files: &impl Files, asked: Asked<'_>) -> Outcome {
    let search = Search { site, modern, files, asked };
    match search.answer().await {
        Ok(outcome) => outcome,
        Err(failure) => match rule_for(site, asked, &failure) {
            Some(outcome) => outcome,
            None => error_document(site, files, failure).await,
        },
    }
}

impl<F: Files> Search<'_, F> {
    async fn answer(&self) -> Result<Outcome, Failure> {
        let (key, asked) = (self.asked.path.key(), self.asked);
        let found = match self.modern.redirects.find(asked.path.as_str(), asked.query) {
            Some(Redirection::Moved(moved)) => return Ok(Outcome::Moved(moved)),
            Some(Redirection::Rewrite { key }) => self.file_of(&key, false).await?,
            None => {
                if let Some(rule) = self.site.rule_before(key) {
                    return Ok(Outcome::Moved(rule.target(key, asked.host, asked.protocol)));
                }
                if let Some((to, status)) = slash_move(key, &self.modern.options) {
                    return Ok(self.moved(&to, status));
                }
                self.file_of(key, true).await?
            }
        };
        match found {
            Some(outcome) => Ok(outcome),
            None => self.absent().await,
        }
    }

    /// The first file that may answer for `key`; under a cleaner address, where it has one and `moves`.
    async fn file_of(&self, key: &str, moves: bool) -> Result<Option<Outcome>, Failure> {
        let mut denied = false;
        for Candidate { key, then } in candidates(key, &self.site.index, &self.modern.options) {
            match self.files.find(&key).await? {
                Found::File(file) => return self.found(file, then, moves).await.map(Some),
                Found::Missing => {}
                Found::Denied => denied = true,
            }
        }
        if denied { Err(Failure::new(Code::AccessDenied)) } else { Ok(None) }
    }

    async fn found(&self, file: Box<File>, then: Then, moves: bool) -> Result<Outcome, Failure> {
        match then {
            Then::Move { to, status, unless }
                if moves && redirect(&file).is_none() && !self.has_any(&unless).await? =>
            {
                Ok(self.moved(&to, status))
            }
            _ => self.give(file).await,
        }
    }

    /// What follows where nothing is there: a redirect, the nearest page for it, the one page that answers everything, or
    /// the error document.
    async fn absent(&self) -> Result<Outcome, Failure> {
        let (key, options) = (self.asked.path.key(), &self.modern.options);
        let failure = Failure::missing(key);
        if let Some(outcome) = rule_for(self.site, self.asked, &failure) {
            return Ok(outcome);
        }
        if options.not_found_pages {
            for page in not_found_pages(key) {
                if let Found::File(file) = self.files.find(&page).await? {
                    let file = represent(self.files, &self.modern.options, file, self.asked.headers).await?;
                    return Ok(Outcome::Document(file, failure));
                }
            }
        }
        if let Some(page) = &options.single_page
            && let Found::File(file) = self.files.find(page).await?
        {
            return Ok(match self.give(file).await? {
                Outcome::File(file, portion) => Outcome::SinglePage(file, portion),
                other => other,
            });
        }
        Ok(error_document(self.site, self.files, failure).await)
    }

    async fn give(&self, file: Box<File>) -> Result<Outcome, Failure> {
        given(represent(self.files, &self.modern.options, file, self.asked.headers).await?, self.asked)
    }

    async fn has_any(&self, keys: &[String]) -> Result<bool, Failure> {
        for key in keys {
            if self.files.has(key).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn moved(&self, to: &str, status: u16) -> Outcome {
        Outcome::Moved(Moved { status, location: on_same_site(to, self.asked.query) })
    }
}
