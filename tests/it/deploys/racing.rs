//! Commands at the same time.

use std::time::Duration;

use super::{Folder, Site, said, text};
use crate::harness::Server;

/// A folder that takes a while to send, one file after the other.
fn large(name: &str) -> Folder {
    let folder = Folder::new(&[("index.html", name)]);
    for number in 0..1500 {
        folder.write(&format!("{number}.txt"), format!("{name} {number}"));
    }
    folder
}

/// Waits until the first file of a deploy is stored: its pointer was read by then.
async fn under_way(site: &Site<'_>) {
    for _ in 0..1000 {
        if site.keys().await.keys().any(|key| key.starts_with(".brim/files/")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the deploy never begins");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_deploys_one_wins_and_the_other_says_how_to_go_on() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let (slow, quick) = (large("slow"), Folder::new(&[("index.html", "quick")]));
    let slow_deploy = site.start(&["deploy", slow.path(), "--concurrency", "1"]);
    under_way(&site).await;
    let winner = text(&site.deploy(&quick), "deploy").to_owned();
    let output = slow_deploy.wait_with_output().unwrap();
    let words = said(&output);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains(&format!("another deploy went live meanwhile: {winner}")), "{words}");
    assert_eq!(site.live().await.unwrap(), quick.files());

    // As it says: the loser is whole, and can be made live.
    let loser = words.split("brim site rollback ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    site.done(&["rollback", &loser]);
    assert_eq!(site.live().await.unwrap(), slow.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detach_meanwhile_is_a_conflict_too() {
    let server = Server::start();
    let site = Site::new(&server).await;
    site.deploy(&Folder::new(&[("index.html", "first")]));
    let slow = large("slow");
    let before = site.keys().await.len();
    let deploy = site.start(&["deploy", slow.path(), "--concurrency", "1"]);
    while site.keys().await.len() == before {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    site.done(&["detach"]);
    let words = said(&deploy.wait_with_output().unwrap());
    assert!(words.contains("detached from its deploys meanwhile"), "{words}");
    assert_eq!(site.live_id().await, None);
}

/// Many deploys, rollbacks and prunes at once; whoever says that it succeeded did, and what is live is always whole.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_runs_at_once_what_is_live_is_whole() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let folders: Vec<Folder> =
        (0..3).map(|author| Folder::new(&[("index.html", &format!("{author}")), ("same", "s")])).collect();
    site.deploy(&folders[0]);
    for round in 0..4 {
        let mut running = Vec::new();
        for (author, folder) in folders.iter().enumerate() {
            folder.write("page.html", format!("round {round} by {author}"));
            running.push(site.start(&["deploy", folder.path()]));
        }
        running.push(site.start(&["rollback"]));
        running.push(site.start(&["prune", "--keep", "1"]));
        let outputs: Vec<_> = running.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        // Whoever lost, lost to another.
        assert!(outputs[..4].iter().any(|output| output.status.success()), "{}", said(&outputs[0]));
        assert!(outputs[4].status.success(), "prune: {}", said(&outputs[4]));
        let live = site.live().await.expect("a live deploy");
        assert_eq!(live["same"], b"s");
        let author: usize = String::from_utf8_lossy(&live["index.html"]).parse().unwrap();
        let page = live.get("page.html").map(|page| String::from_utf8_lossy(page).into_owned());
        assert!(page.is_none_or(|page| page.ends_with(&format!("by {author}"))), "files of two deploys at once");
    }
}
