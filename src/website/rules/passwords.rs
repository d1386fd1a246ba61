//! Who may see a site. Its own options say so; but a deploy does not open what was closed for all that it is one of.

use super::load::{Loader, pointed, pointer_of};
use super::manifests::Manifests;
use super::{Deploy, Modern, SiteRules};
use crate::site::deploy::{DeployId, OPTIONS};
use crate::site::options::{MAX_FILE_BYTES, Options};
use crate::site::password::Password;
use crate::website::failure::{Code, Failure};

impl Loader<'_> {
    /// The password that visitors must know: that of the site's `own` options; else, for a preview, that of the live deploy;
    /// else that of the bucket.
    pub async fn password(
        &mut self,
        manifests: &Manifests,
        own: Option<&Modern>,
        preview: Option<DeployId>,
        before: Option<&SiteRules>,
    ) -> Result<Option<Password>, Failure> {
        let is_preview = preview.is_some();
        if let Some(password) = own.and_then(|modern| modern.options.password_for(is_preview)) {
            return Ok(Some(password.clone()));
        }
        let mut texts = Vec::new();
        if let Some(id) = preview {
            texts.extend(self.live_options(manifests, id).await?);
        }
        if self.deploy.is_some() {
            texts.extend(self.object(OPTIONS, MAX_FILE_BYTES).await?);
        }
        for text in texts {
            let Some(options) = self.valid(OPTIONS, Options::parse(&text), None) else {
                // They may ask for a password: what is not known is not guessed.
                let known = before.ok_or_else(|| Failure::new(Code::ServiceUnavailable))?;
                return Ok(known.password.clone());
            };
            if let Some(password) = options.password_for(is_preview) {
                return Ok(Some(password.clone()));
            }
        }
        Ok(None)
    }

    /// The options that the live deploy brings, where it is not the one that is previewed.
    async fn live_options(&mut self, manifests: &Manifests, preview: DeployId) -> Result<Option<String>, Failure> {
        let Some(pointer) = pointer_of(self.store, self.bucket).await?.filter(|pointer| pointer.deploy != preview)
        else {
            return Ok(None);
        };
        let (manifest, _) = pointed(self.store, manifests, self.bucket, &pointer).await?;
        let live = Deploy { manifest, previous: Vec::new() };
        let mut loader = Loader { store: self.store, bucket: self.bucket, deploy: Some(&live), read: 0 };
        loader.text(OPTIONS, MAX_FILE_BYTES).await
    }
}
