//! Endpoints that the configuration file declares.

use std::sync::Arc;
use std::time::Duration;

use super::change::Change;
use super::definition::{Definition, Tls};
use super::error::Error;
use super::names::EndpointId;
use super::registry::Endpoints;

/// How long an endpoint that the file does not declare any more is remembered: one that comes back goes on where it was.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// An endpoint of the configuration file. Its definition has a secret.
#[derive(Debug, Clone)]
pub struct Declared {
    pub id: EndpointId,
    pub definition: Arc<Definition>,
}

impl Endpoints {
    /// Puts another declaration in the place of the one before, as a whole, and has the files that endpoints name read again. Where commands made an endpoint of a name that is
    /// declared, the declared one counts.
    pub async fn declare(&self, declared: Vec<Declared>) -> Result<(), Error> {
        self.change(move |change| change.declare(declared)).await
    }
}

impl Change {
    fn declare(&mut self, declared: Vec<Declared>) -> Result<(), Error> {
        let before = std::mem::take(&mut self.next.declared);
        self.next.declared = declared.into_iter().map(|Declared { id, definition }| (id, definition)).collect();
        for id in self.next.declared.keys().cloned().collect::<Vec<_>>() {
            self.put_declared(&id, before.contains_key(&id))?;
        }
        for id in self.next.records.keys().cloned().collect::<Vec<_>>() {
            if !self.next.declared.contains_key(&id) {
                self.put_undeclared(&id, before.contains_key(&id))?;
            }
        }
        Ok(())
    }

    fn put_declared(&mut self, id: &EndpointId, again: bool) -> Result<(), Error> {
        let mut record = match self.next.records.get(id) {
            Some(record) => record.clone(),
            None => self.new_record()?,
        };
        if record.stored.is_some() && !again {
            tracing::warn!(webhook = %id, "made by a command, and declared by the configuration: the declared one counts");
        }
        record.gone = None;
        self.put(id, record).map(drop)
    }

    fn put_undeclared(&mut self, id: &EndpointId, was_declared: bool) -> Result<(), Error> {
        let Some(mut record) = self.next.records.get(id).cloned() else { return Ok(()) };
        let now = self.now();
        if record.stored.is_some() {
            // One that did not change stays the very same, but where it names files, which may have changed.
            let is_new = was_declared || self.next.endpoints.get(id).is_none_or(|before| before.tls != Tls::default());
            return if is_new { self.put(id, record).map(drop) } else { Ok(()) };
        }
        match record.gone {
            Some(gone) if now.since(gone) > REMEMBERED => self.remove(id),
            Some(_) => {}
            None => {
                record.gone = Some(now);
                self.put(id, record)?;
            }
        }
        Ok(())
    }
}
