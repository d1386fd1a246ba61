//! Processes that are killed in the middle of storing and purging, and what the next one finds.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::fixtures::*;
use super::*;

/// Names the directory to the process that is going to be killed.
const DIRECTORY: &str = "CACHE_CRASH_DIRECTORY";
const URLS: usize = 20;
const ROUNDS: u64 = 8;

fn url(number: usize) -> String {
    format!("https://a.test/{number}")
}

/// Stores and purges without end, and says of every purge that was acknowledged which version of which URL it was about.
/// Bodies are the numbers of their versions.
#[test]
#[ignore = "run by another test, which kills it"]
fn stores_and_purges_without_end() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let cache = on_disk(Path::new(&directory));
    for version in 1.. {
        let number = version % URLS;
        let stored = response(&version.to_string(), footing(&cache));
        cache.store(&key(&url(number)), &Variation::default(), &stored).unwrap();
        // Of each three neighbours one is purged, often while it is being written.
        let about = (version / 2) % URLS;
        if version.is_multiple_of(3) {
            let what = What::Path(format!("/{about}"));
            purge(&cache, &[Purge::hard(Scope::Site(site()), what)]);
            println!("purged {about} {version}");
        }
        if version.is_multiple_of(50) {
            cache.tiers.queue.ask_for_sweep();
        }
    }
}

/// Starts the process above, kills it after it acknowledged some purges, and gives for each URL the last version that
/// was purged.
fn killed(directory: &Path, acknowledged: usize) -> Vec<usize> {
    let name = "edge::cache::crash::stores_and_purges_without_end";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut purged = vec![0; URLS];
    let mut count = 0;
    for line in lines.map_while(Result::ok) {
        let mut words = line.split(' ');
        if words.next() != Some("purged") {
            continue;
        }
        let mut number = || words.next().unwrap().parse::<usize>().unwrap();
        let (about, version) = (number(), number());
        purged[about] = version;
        count += 1;
        if count == acknowledged {
            // What it says until it is dead counts too.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(count >= acknowledged, "it ended by itself");
    purged
}

#[test]
fn a_killed_process_brings_nothing_back_that_was_purged() {
    let mut found = 0;
    for round in 0..ROUNDS {
        let dir = tempfile::tempdir().unwrap();
        let purged = killed(dir.path(), 5 + 23 * usize::try_from(round).unwrap());
        let cache = on_disk(dir.path());
        for (number, purged) in purged.iter().enumerate() {
            let Some((body, _)) = find(&cache, &url(number), &HeaderMap::new()) else { continue };
            assert!(body.parse::<usize>().unwrap() > *purged, "{number}: {body} is older than the purge at {purged}");
            found += 1;
        }
        // A process that is killed leaves a journal that can be trusted.
        let path = dir.path().join("journal");
        assert!(cache.sequence() > Sequence::default() && path.exists());
        cache.flush(Duration::from_secs(5));
    }
    assert!(found > 0, "nothing survived at all");
}
