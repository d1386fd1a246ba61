//! Readers beside deploys and rollbacks: each sees one deploy or another, never a bit of both.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::{Files, Folder, Site, text};
use crate::harness::Server;
use crate::raw::{Answer, Raw};

/// How many readers of the website there are.
const READERS: usize = 4;
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

/// What the website answers to a path.
async fn get(connection: &mut Raw, site: &Site<'_>, path: &str) -> Answer {
    let host = format!("{}.website.localhost", site.bucket);
    connection.send(format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    connection.answer().await
}

/// Reads the site over and over on one connection: each answer must be a file of one version, whole, and none older than
/// one that was live when the request began.
async fn read_over_and_over(site: &Site<'_>, versions: &[Files], published: &Published) -> usize {
    let mut connection = Raw::connect(site.server.website).await;
    let mut reads = 0;
    while !published.is_over() {
        for path in ["index.html", "0.html", "2.html", "4.html", "odd.html"] {
            let before = published.live();
            let answer = get(&mut connection, site, path).await;
            let after = published.about_to_be();
            let seen: Vec<usize> = (before..=after).collect();
            let right = match answer.status {
                200 => seen.iter().any(|number| versions[*number].get(path) == Some(&answer.body)),
                // What is missing is forbidden to whoever may not list, as at S3.
                403 => seen.iter().any(|number| !versions[*number].contains_key(path)),
                _ => false,
            };
            assert!(right, "{path} between versions {before} and {after}: {} {}", answer.status, answer.text());
            if answer.status == 200 {
                // A validator belongs to its bytes.
                let sha256 = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &answer.body));
                assert_eq!(answer.header("etag"), Some(format!("\"{sha256}\"").as_str()));
            }
            reads += 1;
        }
    }
    reads
}

/// Which versions a reader may see: from the one that was live for sure to the one that may be by now.
#[derive(Default)]
struct Published {
    live: AtomicUsize,
    about_to_be: AtomicUsize,
    over: AtomicBool,
}

impl Published {
    fn live(&self) -> usize {
        self.live.load(Ordering::SeqCst)
    }

    fn about_to_be(&self) -> usize {
        self.about_to_be.load(Ordering::SeqCst)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_the_website_belongs_to_one_deploy() {
    let server = Server::start();
    let site = Site::new(&server).await;
    site.done(&["init"]);
    // The steps: every third goes back to the version before.
    let steps: Vec<usize> =
        (0..DEPLOYS).flat_map(|number| if number % 3 == 2 { vec![number, number - 1] } else { vec![number] }).collect();
    let versions: Vec<Files> = steps.iter().map(|number| version(*number).files()).collect();
    site.deploy(&version(0));
    let published = Published::default();
    let deploying = async {
        for (step, number) in steps.iter().enumerate().skip(1) {
            published.about_to_be.store(step, Ordering::SeqCst);
            tokio::task::block_in_place(|| match *number < steps[step - 1] {
                true => site.done(&["rollback"]),
                false => site.deploy(&version(*number)),
            });
            published.live.store(step, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        published.over.store(true, Ordering::SeqCst);
    };
    let readers =
        futures_util::future::join_all((0..READERS).map(|_| read_over_and_over(&site, &versions, &published)));
    let ((), reads) = tokio::join!(deploying, readers);
    assert!(reads.iter().all(|reads| *reads > 20), "{reads:?} reads are not many");
}
