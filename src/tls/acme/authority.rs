//! An authority as one of its accounts sees it.

use instant_acme::{Account, NewAccount};

use super::folder::{Folder, StoredAccount};
use super::web::Web;
use super::{Error, Options};

/// Opens the account that `folder` keeps, or makes one and keeps it before it is used.
pub async fn account(options: &Options, folder: &Folder, web: &Web) -> Result<Account, Error> {
    let builder = Account::builder_with_http(Box::new(web.clone()));
    let contacts: Vec<String> = options.email.iter().map(|email| format!("mailto:{email}")).collect();
    let contacts: Vec<&str> = contacts.iter().map(String::as_str).collect();
    let kept = folder.clone();
    if let Some(stored) = off_runtime(move || kept.account()).await? {
        let email = stored.email.clone();
        let account = builder.from_credentials(stored.credentials).await?;
        if email != options.email {
            account.update_contacts(&contacts).await?;
            let folder = folder.clone();
            let email = options.email.clone();
            off_runtime(move || {
                let stored = folder.account()?;
                stored.map_or(Ok(()), |stored| folder.keep_account(&StoredAccount { email, ..stored }))
            })
            .await?;
        }
        return Ok(account);
    }
    let new = NewAccount { contact: &contacts, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder.create(&new, options.directory.clone(), None).await?;
    let stored = StoredAccount { email: options.email.clone(), credentials };
    let kept = folder.clone();
    off_runtime(move || kept.keep_account(&stored)).await?;
    tracing::info!(directory = options.directory, account = account.id(), "an account was made with the authority");
    Ok(account)
}

/// Runs what reads or writes files on a thread that may block.
pub async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    // The only error is a panic, or a runtime that ends.
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::TimedOut))
}
