//! Deploys that are killed at every point, and servers that are.

use std::time::Duration;

use super::proxy::Proxy;
use super::{Files, Folder, Site, said};
use crate::dice::Dice;
use crate::harness::Server;

/// How many points a deploy is killed at.
const POINTS: u64 = 40;
/// How many of them are near the end, where the manifest and the pointer are written.
const LATE: u64 = 16;
/// How many bytes before the end count as near, and how many behind it: no two deploys send just as many.
const LATE_BYTES: u64 = 3000;
const BEHIND_BYTES: u64 = 600;

/// How long a deploy may take.
const MOST: Duration = Duration::from_secs(30);

/// How long the server may take to carry out what it received.
const SETTLED: Duration = Duration::from_millis(200);

/// A folder of which every file says which version it is.
fn version(number: u64) -> Folder {
    let folder = Folder::new(&[("index.html", &format!("version {number}"))]);
    for page in 0..6 {
        folder.write(&format!("{page}.html"), format!("page {page} of version {number}\n").repeat(20));
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_deploy_leaves_the_old_site_or_the_new_one_whole() {
    let server = Server::start();
    let proxy = Proxy::start(server.s3).await;
    let mut site = Site::new(&server).await;
    site.endpoint = format!("http://{}", proxy.address);
    // How much a deploy sends is seen on one that is left alone.
    site.deploy(&version(1_000));
    proxy.allow(1 << 40);
    let mut live: Files = version(1_001).files();
    site.deploy(&version(1_001));
    let total = (1 << 40) - proxy.left();
    let (mut old, mut new) = (0, 0);
    for point in 0..POINTS {
        let allowed = match POINTS - point {
            late @ ..=LATE => total + BEHIND_BYTES - LATE_BYTES * (late - 1) / LATE,
            _ => 1 + total * point / (POINTS - LATE),
        };
        let folder = version(2_000 + point);
        proxy.allow(allowed);
        let mut deploy = site.start(&["deploy", folder.path(), "--concurrency", "1"]);
        let killing = async {
            // The last points are behind the last byte that the deploy sends: then it ends by itself.
            while proxy.left() > 0 && deploy.try_wait().unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(MOST, killing).await.expect("a deploy that sends what it may, or ends");
        // SIGKILL: nothing of it runs any more.
        let _ = deploy.kill();
        deploy.wait().unwrap();
        // What arrived whole may still be carried out.
        tokio::time::sleep(SETTLED).await;
        let found = site.live().await.expect("the site is still there");
        match found == folder.files() {
            true => new += 1,
            false => old += 1,
        }
        assert!(found == live || found == folder.files(), "after {allowed} of {total} bytes the site is a mixture");
        live = found;
    }
    assert!(old > POINTS / 2 && new > 0, "{old} old, {new} new: the points do not span a deploy");
    proxy.allow(u64::MAX);
    let last = version(9_999);
    site.deploy(&last);
    assert_eq!(site.live().await.unwrap(), last.files());
    assert_eq!(server.damage(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_survives_servers_that_are_killed_under_it() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start_on(data.path(), &[]).unwrap();
    let proxy = Proxy::start(server.s3).await;
    let bucket = server.bucket().await;
    let folder = Folder::new(&[("index.html", "i")]);
    for number in 0..800 {
        folder.write(&format!("{number}.txt"), format!("number {number}"));
    }
    let endpoint = format!("http://{}", proxy.address);
    let deploy = {
        let site = Site { server: &server, bucket: bucket.clone(), endpoint: endpoint.clone() };
        site.start(&["deploy", folder.path(), "--concurrency", "4"])
    };
    let mut dice = Dice::new(7);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(100 + dice.below(300))).await;
        server.kill();
        server = Server::start_on(data.path(), &[]).unwrap();
        proxy.lead_to(server.s3);
    }
    let output = tokio::task::spawn_blocking(|| deploy.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let site = Site { server: &server, bucket, endpoint };
    assert_eq!(site.live().await.unwrap(), folder.files());
}
