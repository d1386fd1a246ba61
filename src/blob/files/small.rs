//! Writing a small blob: gathered in memory, and packed when it is finished.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::super::FooterBuilder;
use super::pack::{self, Entry};
use super::writer::{FileWriter, broken};
use super::{BlobRef, BlobWriter, Error, Shared};

/// Writes a blob that was announced as small enough to be packed. One that becomes larger gets a file of its own.
pub(super) struct SmallWriter {
    shared: Arc<Shared>,
    state: State,
}

enum State {
    Gathering(Box<Gathered>),
    Large(Box<FileWriter>),
    /// A step failed or was lost.
    Broken,
}

#[derive(Default)]
struct Gathered {
    chunks: Vec<Bytes>,
    footer: FooterBuilder,
}

impl SmallWriter {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, state: State::Gathering(Box::default()) }
    }
}

#[async_trait]
impl BlobWriter for SmallWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), Error> {
        let threshold = self.shared.packs.threshold();
        match &mut self.state {
            State::Gathering(gathered) if gathered.footer.length() + chunk.len() as u64 <= threshold => {
                gathered.footer.update(&chunk);
                gathered.chunks.push(chunk);
                return Ok(());
            }
            State::Large(writer) => return writer.write(chunk).await,
            State::Gathering(_) | State::Broken => {}
        }
        // Stays so if what follows fails, or if the caller does not wait for it.
        let State::Gathering(gathered) = std::mem::replace(&mut self.state, State::Broken) else {
            return Err(broken());
        };
        let mut writer = Box::new(FileWriter::create(self.shared.clone(), None).await?);
        for chunk in gathered.chunks.into_iter().chain([chunk]) {
            writer.write(chunk).await?;
        }
        self.state = State::Large(writer);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<BlobRef, Error> {
        match self.state {
            State::Gathering(gathered) => {
                let Gathered { chunks: body, footer } = *gathered;
                let length = footer.length();
                let (footer, footer_checksum) = footer.finish();
                let kept = pack::append(&self.shared, Entry { body, length, footer }).await?;
                Ok(BlobRef { id: kept.take_over(), length, footer_checksum })
            }
            State::Large(writer) => writer.finish().await,
            State::Broken => Err(broken()),
        }
    }
}
