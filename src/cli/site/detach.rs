//! `brim site detach`: back to plain keys.

use clap::{ArgMatches, Command};
use serde_json::json;

use super::remote::{Moved, Site};
use super::shown::show;
use super::{AFTER_HELP, target, wait};
use crate::cli::Failure;
use crate::site::deploy::DeployId;

pub fn command() -> Command {
    Command::new("detach")
        .about("Makes the bucket's own objects the site again")
        .long_about(
            "Takes the pointer to the live deploy away: from then on the bucket's own objects are the site, as `aws s3 sync` \
             writes them. The deploys stay, and `brim site rollback ID` makes one live again.",
        )
        .after_help(AFTER_HELP)
        .args(target::arguments())
}

pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let site = target::site(matches)?;
    let detached = wait(detach(&site))?;
    let words = match detached {
        Some(id) => format!(
            "{} is not live any more: the bucket's own objects are the site. `brim site rollback {id} --bucket {}` takes \
             this back.\n",
            id, site.bucket
        ),
        None => "no deploy is live: the bucket's own objects are the site.\n".to_owned(),
    };
    show(matches.get_flag("json"), &json!({ "detached": detached }), &words)
}

/// Removes the pointer if it is still the one that is read; gives what it pointed to.
async fn detach(site: &Site) -> Result<Option<DeployId>, Failure> {
    let Some(live) = site.live().await? else { return Ok(None) };
    match site.unpoint(&live).await? {
        Moved::Done => Ok(Some(live.pointer.deploy)),
        Moved::Elsewhere(_) => {
            Err(Failure::from("the site was moved to another deploy meanwhile: look, then try again"))
        }
    }
}
