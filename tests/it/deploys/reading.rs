//! Readers beside deploys and rollbacks: each sees one deploy or another, never a bit of both.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::{Files, Folder, Site, text};
use crate::harness::Server;

/// How many deploys they see, rollbacks not counted.
const DEPLOYS: usize = 12;

/// A folder of which every file says which version it is, and one file that only some versions have.
fn version(number: usize) -> Folder {
    let folder = Folder::new(&[("index.html", &format!("version {number}"))]);
    for page in 0..5 {
        folder.write(&format!("{page}.html"), format!("page {page} of version {number}\n").repeat(100 * page + 1));
    }
    if number % 2 == 1 {
        folder.write("odd.html", format!("version {number}"));
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pointer_only_ever_names_deploys_that_are_whole() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let versions: Vec<Files> = (0..=DEPLOYS).map(|number| version(number).files()).collect();
    site.deploy(&version(0));
    let (stop, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    let reading = async {
        while !stop.load(Ordering::SeqCst) {
            let live = site.live().await.expect("a live deploy");
            assert!(versions.contains(&live), "a mixture of deploys: {:?}", live.keys());
            reads.fetch_add(1, Ordering::SeqCst);
        }
    };
    let deploying = async {
        for number in 1..=DEPLOYS {
            let folder = version(number);
            let outcome = tokio::task::block_in_place(|| site.deploy(&folder));
            assert_eq!(site.live().await.unwrap(), versions[number], "what {} published", text(&outcome, "deploy"));
            if number % 3 == 0 {
                tokio::task::block_in_place(|| site.done(&["rollback"]));
                assert_eq!(site.live().await.unwrap(), versions[number - 1]);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.store(true, Ordering::SeqCst);
    };
    tokio::join!(reading, deploying);
    assert!(reads.load(Ordering::SeqCst) > 2, "nobody read");
}
