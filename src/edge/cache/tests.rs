//! What the cache promises, on one thread.

use std::fs;
use std::path::{Path, PathBuf};

use super::fixtures::*;
use super::*;

const URL: &str = "https://a.test/docs/page";

fn none() -> HeaderMap {
    HeaderMap::new()
}

fn store(cache: &Cache, url: &str, body: &str) {
    cache.store(&key(url), &Variation::default(), &response(body, footing(cache))).unwrap();
}

fn site_purge(what: What) -> Purge {
    Purge::hard(Scope::Site(site()), what)
}

fn soft(what: What) -> Purge {
    Purge { soft: true, ..site_purge(what) }
}

fn files_of(path: &Path) -> Vec<PathBuf> {
    let directories = fs::read_dir(path.join(disk::FILES)).unwrap();
    directories.flat_map(|entry| fs::read_dir(entry.unwrap().path()).unwrap()).map(|e| e.unwrap().path()).collect()
}

#[test]
fn what_is_stored_is_found_under_its_key_alone() {
    let cache = in_memory(1 << 20);
    store(&cache, URL, "body");
    assert_eq!(find(&cache, URL, &none()), Some(("body".to_owned(), false)));
    assert_eq!(find(&cache, "http://a.test/docs/page", &none()), None);
    cache.remove(&key(URL));
    assert_eq!(find(&cache, URL, &none()), None);
}

#[test]
fn parsed_headers_are_at_hand() {
    let cache = in_memory(1 << 20);
    let stored = response("body", footing(&cache));
    assert_eq!((stored.etag(), stored.content_length(), stored.last_modified()), (Some("\"one\""), Some(4), None));
    assert_eq!(stored.head().to_headers()["content-type"], "text/plain");
}

#[test]
fn variants_are_chosen_by_the_headers_that_a_response_varies_by() {
    let cache = in_memory(1 << 20);
    for of in ["de", "fr"] {
        cache.store(&key(URL), &by_language(of), &response(of, footing(&cache))).unwrap();
    }
    assert_eq!(find(&cache, URL, &language("fr")).unwrap().0, "fr");
    assert_eq!(find(&cache, URL, &language("de")).unwrap().0, "de");
    assert!(matches!(cache.lookup(&key(URL), &language("it")), Found::VaryMiss));
    assert!(matches!(cache.lookup(&key(URL), &none()), Found::VaryMiss));
    // The answer to everybody takes the place of all.
    store(&cache, URL, "all");
    assert_eq!(find(&cache, URL, &language("de")).unwrap().0, "all");
    cache.store(&key(URL), &by_language("de"), &response("new", footing(&cache))).unwrap();
    assert_eq!(find(&cache, URL, &language("de")).unwrap().0, "new");
    assert!(matches!(cache.lookup(&key(URL), &language("fr")), Found::VaryMiss));
}

#[test]
fn the_variant_that_was_not_used_for_longest_makes_room() {
    let cache = in_memory(1 << 20);
    let names: Vec<String> = (0..=MAX_VARIANTS).map(|number| format!("l{number}")).collect();
    for name in &names[..MAX_VARIANTS] {
        cache.store(&key(URL), &by_language(name), &response(name, footing(&cache))).unwrap();
    }
    for name in names[..MAX_VARIANTS].iter().filter(|name| *name != "l5") {
        assert!(find(&cache, URL, &language(name)).is_some());
    }
    let last = &names[MAX_VARIANTS];
    cache.store(&key(URL), &by_language(last), &response(last, footing(&cache))).unwrap();
    let kept: Vec<&String> = names.iter().filter(|name| find(&cache, URL, &language(name)).is_some()).collect();
    assert_eq!(kept, names.iter().filter(|name| *name != "l5").collect::<Vec<_>>());
}

#[test]
fn a_fill_that_began_before_a_purge_is_not_kept() {
    let cache = in_memory(1 << 20);
    let before = response("old", footing(&cache));
    let elsewhere = response("other", footing(&cache));
    purge(&cache, &[site_purge(What::Path("/docs/page".to_owned()))]);
    assert_eq!(cache.store(&key(URL), &Variation::default(), &before), Err(NotKept::Purged));
    assert_eq!(find(&cache, URL, &none()), None);
    cache.store(&key("https://a.test/other"), &Variation::default(), &elsewhere).unwrap();
    store(&cache, URL, "new");
    assert_eq!(find(&cache, URL, &none()).unwrap().0, "new");
}

#[test]
fn purges_hit_what_they_name_and_nothing_else() {
    let path = |text: &str| What::Path(text.to_owned());
    let prefix = |text: &str| What::Prefix(text.to_owned());
    let tag = |text: &str| What::Tag(text.to_owned());
    let dependency = |text: &str| What::Dependency(text.to_owned());
    let host = |text: &str| Scope::Host(text.to_owned());
    let mine = || Scope::Site(site());
    let other = || Scope::Site(SiteId::new("other"));
    let rows = [
        (Scope::Everything, What::All, true),
        (mine(), What::All, true),
        (other(), What::All, false),
        (host("a.test:8443"), What::All, true),
        (host("a.test"), What::All, false),
        (mine(), path("/a~b/c?q=1"), true),
        (mine(), path("/a~b/c"), false),
        (other(), path("/a~b/c?q=1"), false),
        (host("a.test:8443"), path("/a~b/c?q=1"), true),
        (mine(), prefix("/a~b/"), true),
        (mine(), prefix(""), true),
        (mine(), prefix("/a~b/c?q=1"), true),
        (mine(), prefix("/a~b/c?q=12"), false),
        (mine(), prefix("/A"), false),
        (Scope::Everything, prefix("/a~b/c?"), true),
        (mine(), tag("NEWS"), true),
        (other(), tag("news"), false),
        (Scope::Everything, tag("news"), true),
        (mine(), tag("b/k"), false),
        (Scope::Everything, dependency("b/k"), true),
        (Scope::Everything, dependency("b/K"), false),
        (Scope::Everything, dependency("news"), false),
    ];
    for (scope, what, hit) in rows {
        let cache = in_memory(1 << 20);
        // What follows the first line is no part of the URL.
        let url = "https://a.test:8443/a%7Eb/c?q=1\naccept=/x";
        cache.store(&key(url), &Variation::default(), &response("x", tagged(&cache, &["news"], &["b/k"]))).unwrap();
        let purge_of = Purge::hard(scope, what);
        let tags = Tags::new(["news"], ["b/k"]).unwrap();
        assert_eq!(purge_of.matches(&site(), &key(url), Some(&tags)), hit, "{purge_of:?}");
        purge(&cache, std::slice::from_ref(&purge_of));
        assert_eq!(find(&cache, url, &none()).is_none(), hit, "{purge_of:?}");
    }
}

#[test]
fn a_response_whose_head_has_not_come_is_taken_to_have_every_tag() {
    let cache = in_memory(1 << 20);
    let since = cache.sequence();
    let tagless = Tags::default();
    purge(&cache, &[site_purge(What::Tag("news".to_owned()))]);
    assert_eq!(cache.untouched(since, &site(), &key(URL), None), Err(Purged));
    assert_eq!(cache.untouched(since, &site(), &key(URL), Some(&tagless)), Ok(cache.sequence()));
    assert!(site_purge(What::Tag("x".to_owned())).matches(&site(), &key(URL), None));
    assert_eq!(cache.untouched(since, &SiteId::new("other"), &key(URL), None), Ok(cache.sequence()));
}

#[test]
fn a_soft_purge_marks_and_a_hard_one_after_it_drops() {
    let cache = in_memory(1 << 20);
    store(&cache, URL, "body");
    purge(&cache, &[soft(What::Prefix("/docs".to_owned()))]);
    assert_eq!(find(&cache, URL, &none()), Some(("body".to_owned(), true)));
    purge(&cache, &[site_purge(What::Path("/elsewhere".to_owned()))]);
    assert_eq!(find(&cache, URL, &none()), Some(("body".to_owned(), true)));
    store(&cache, URL, "renewed");
    assert_eq!(find(&cache, URL, &none()), Some(("renewed".to_owned(), false)));
    purge(&cache, &[soft(What::All), site_purge(What::All)]);
    assert_eq!(find(&cache, URL, &none()), None);
}

#[test]
fn marks_of_what_is_not_cacheable_end() {
    let clock = Clock::fixed(NOW);
    let cache = Cache::open(CacheOptions { memory: 1 << 20, disk: None }, clock.clone()).unwrap();
    cache.mark_uncacheable(&key(URL), Duration::from_secs(5));
    assert!(cache.is_uncacheable(&key(URL)) && !cache.is_uncacheable(&key("https://a.test/")));
    clock.advance(Duration::from_secs(5));
    assert!(!cache.is_uncacheable(&key(URL)));
    cache.mark_uncacheable(&key(URL), Duration::from_secs(5));
    store(&cache, URL, "cacheable after all");
    assert!(!cache.is_uncacheable(&key(URL)));
}

#[test]
fn a_sweep_retires_purges_and_what_was_never_compared_with_them_is_gone() {
    let cache = in_memory(1 << 20);
    let (late, elsewhere) = (response("late", footing(&cache)), response("late", footing(&cache)));
    store(&cache, URL, "body");
    purge(&cache, &[soft(What::Path("/docs/page".to_owned())), site_purge(What::Path("/other".to_owned()))]);
    assert_eq!(cache.figures().purge_rules, 2);
    cache.tiers.queue.sweep();
    assert_eq!(cache.figures().purge_rules, 0);
    assert_eq!(find(&cache, URL, &none()), Some(("body".to_owned(), true)));
    for (url, stored) in [("https://a.test/other", late), ("https://a.test/third", elsewhere)] {
        assert_eq!(cache.store(&key(url), &Variation::default(), &stored), Err(NotKept::Purged));
    }
    store(&cache, "https://a.test/other", "new");
    assert!(find(&cache, "https://a.test/other", &none()).is_some());
}

#[test]
fn a_sweep_drops_what_is_of_no_use_any_more() {
    let clock = Clock::fixed(NOW);
    let cache = Cache::open(CacheOptions { memory: 1 << 20, disk: None }, clock.clone()).unwrap();
    store(&cache, URL, "body");
    clock.advance(Duration::from_secs(3600 + 60));
    cache.tiers.queue.sweep();
    assert!(find(&cache, URL, &none()).is_some(), "it has a validator");
    clock.advance(Duration::from_secs(24 * 3600));
    cache.tiers.queue.sweep();
    assert!(find(&cache, URL, &none()).is_none());
}

#[test]
fn compressed_forms_live_with_their_response_and_weigh() {
    let cache = in_memory(1 << 20);
    store(&cache, URL, "body");
    let Found::Stored(hit) = cache.lookup(&key(URL), &none()) else { panic!("it was stored") };
    let before = cache.figures().memory_bytes;
    let form = Arc::into_inner(sized(vec![0; 1000].into(), footing(&cache))).unwrap();
    cache.store_compressed(&key(URL), &hit.stored, Coding::Gzip, form);
    assert!(hit.stored.compressed(Coding::Gzip).is_some() && hit.stored.compressed(Coding::Brotli).is_none());
    assert!(cache.figures().memory_bytes >= before + 1000);
    cache.remove(&key(URL));
    drop(hit);
    cache.tiers.memory.settle();
    assert_eq!(cache.figures().memory_bytes, 0);
}

#[test]
fn slices_are_of_one_representation_and_purged_with_its_url() {
    let cache = in_memory(8 << 20);
    let set = |etag: &str| {
        let secondary = crate::edge::rules::vary::SecondaryKey::default();
        Arc::new(SliceSet { key: key(URL), secondary, etag: etag.into(), total: SLICE_LENGTH + 10 })
    };
    let (one, other) = (set("\"1\""), set("\"2\""));
    assert_eq!(
        (one.count(), one.range(1), one.range(2)),
        (Some(2), SLICE_LENGTH..SLICE_LENGTH + 10, SLICE_LENGTH + 10..SLICE_LENGTH + 10)
    );
    assert_eq!(
        (one.covering(&(0..1)), one.covering(&(SLICE_LENGTH - 1..u64::MAX)), one.covering(&(5..5))),
        (0..1, 0..2, 0..0)
    );
    let began = footing(&cache);
    cache.store_slice(&one, 1, Bytes::from_static(b"0123456789"), footing(&cache)).unwrap();
    assert!(matches!(cache.slice(&set("\"1\""), 1), FoundSlice::Slice(bytes) if bytes == "0123456789"));
    assert!(matches!(cache.slice(&one, 0), FoundSlice::Miss));
    assert!(matches!(cache.slice(&other, 1), FoundSlice::Miss));
    purge(&cache, &[site_purge(What::Path("/docs/page".to_owned()))]);
    assert!(matches!(cache.slice(&one, 1), FoundSlice::Miss));
    assert_eq!(cache.store_slice(&one, 1, Bytes::from_static(b"0123456789"), began), Err(NotKept::Purged));
    cache.store_slice(&one, 1, Bytes::from_static(b"0123456789"), footing(&cache)).unwrap();
    cache.remove_slices(&one);
    assert!(matches!(cache.slice(&one, 1), FoundSlice::Miss));
}

#[test]
fn what_was_stored_survives_a_restart_and_what_was_purged_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let cache = on_disk(dir.path());
    let urls = ["https://a.test/kept", "https://a.test/dropped", "https://a.test/softened", "https://a.test/removed"];
    urls.iter().for_each(|url| store(&cache, url, url));
    cache.store(&key(URL), &by_language("de"), &response("de", footing(&cache))).unwrap();
    flush(&cache);
    purge(&cache, &[site_purge(What::Path("/dropped".to_owned())), soft(What::Path("/softened".to_owned()))]);
    cache.remove(&key(urls[3]));
    drop(cache);
    for _ in 0..2 {
        let cache = on_disk(dir.path());
        assert_eq!(find(&cache, urls[0], &none()), Some((urls[0].to_owned(), false)));
        assert_eq!(find(&cache, urls[1], &none()), None);
        assert_eq!(find(&cache, urls[2], &none()), Some((urls[2].to_owned(), true)));
        assert_eq!(find(&cache, URL, &language("de")), Some(("de".to_owned(), false)));
        assert!(matches!(cache.lookup(&key(URL), &language("fr")), Found::VaryMiss));
        // Now it is in memory.
        assert!(matches!(cache.lookup(&key(urls[0]), &none()), Found::Stored(_)));
        // The second time the purges are retired, and the files say it all.
        cache.tiers.queue.sweep();
        assert_eq!((cache.figures().purge_rules, files_of(dir.path()).len()), (0, 3));
        assert_eq!(find(&cache, urls[2], &none()), Some((urls[2].to_owned(), true)));
    }
}

#[test]
fn slices_and_their_heads_are_read_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    let secondary = crate::edge::rules::vary::SecondaryKey::default();
    let set = Arc::new(SliceSet { key: key(URL), secondary, etag: "\"1\"".into(), total: 10 });
    let cache = on_disk(dir.path());
    let headers = none();
    let draft = Draft {
        status: http::StatusCode::OK,
        headers: &headers,
        body: StoredBody::Sliced(set.clone()),
        request_time: NOW,
        response_time: NOW,
        initial_age: Duration::ZERO,
        freshness: freshness(60),
        footing: footing(&cache),
    };
    cache.store(&key(URL), &Variation::default(), &Arc::new(Stored::new(draft).unwrap())).unwrap();
    cache.store_slice(&set, 0, Bytes::from_static(b"0123456789"), footing(&cache)).unwrap();
    flush(&cache);
    drop(cache);
    let cache = on_disk(dir.path());
    let Found::Disk(candidate) = cache.lookup(&key(URL), &none()) else { panic!("the head is on disk") };
    let hit = wait(candidate.load()).unwrap();
    let StoredBody::Sliced(found) = hit.stored.body() else { panic!("its body is in slices") };
    assert_eq!(found, &set);
    let FoundSlice::Disk(candidate) = cache.slice(found, 0) else { panic!("the slice is on disk") };
    assert_eq!(wait(candidate.load()).unwrap(), "0123456789");
    assert!(matches!(cache.slice(found, 0), FoundSlice::Slice(_)));
}

#[test]
fn a_purge_between_lookup_and_load_counts() {
    let dir = tempfile::tempdir().unwrap();
    let cache = on_disk(dir.path());
    store(&cache, URL, "body");
    flush(&cache);
    drop(cache);
    let cache = on_disk(dir.path());
    let candidate = || match cache.lookup(&key(URL), &none()) {
        Found::Disk(candidate) => candidate,
        found => panic!("{found:?}"),
    };
    let (purged, removed) = (candidate(), candidate());
    purge(&cache, &[site_purge(What::All)]);
    assert!(wait(purged.load()).is_none());
    cache.remove(&key(URL));
    assert!(wait(removed.load()).is_none());
    assert!(matches!(cache.lookup(&key(URL), &none()), Found::Miss));
}

#[test]
fn a_missing_or_damaged_journal_wipes_the_files() {
    let cut = |path: &Path| fs::write(path, &fs::read(path).unwrap()[..100]).unwrap();
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    let damages: [fn(&Path); 2] = [cut, remove];
    for damage in damages {
        let dir = tempfile::tempdir().unwrap();
        let cache = on_disk(dir.path());
        store(&cache, URL, "body");
        cache.save_cursor(Bytes::from_static(b"at 7"));
        flush(&cache);
        drop(cache);
        let cache = on_disk(dir.path());
        assert_eq!(cache.cursor(), Some(Bytes::from_static(b"at 7")));
        drop(cache);
        damage(&dir.path().join("journal"));
        let cache = on_disk(dir.path());
        assert_eq!((find(&cache, URL, &none()), cache.cursor()), (None, None));
        assert!(files_of(dir.path()).is_empty());
    }
}

#[test]
fn a_file_newer_than_the_journal_casts_doubt_on_all() {
    let dir = tempfile::tempdir().unwrap();
    let cache = on_disk(dir.path());
    store(&cache, URL, "old");
    flush(&cache);
    let journal = fs::read(dir.path().join("journal")).unwrap();
    purge(&cache, &[site_purge(What::Path("/docs/page".to_owned()))]);
    store(&cache, "https://a.test/new", "new");
    flush(&cache);
    drop(cache);
    // As if the disk had lost what it had said was written.
    fs::write(dir.path().join("journal"), journal).unwrap();
    let cache = on_disk(dir.path());
    assert_eq!(find(&cache, "https://a.test/new", &none()), None);
    assert_eq!(find(&cache, URL, &none()), None);
    drop(cache);
    let cache = on_disk(dir.path());
    assert_eq!(find(&cache, URL, &none()), None);
    store(&cache, URL, "works again");
    flush(&cache);
    drop(cache);
    assert_eq!(find(&on_disk(dir.path()), URL, &none()).unwrap().0, "works again");
}

#[test]
fn a_purge_that_cannot_be_recorded_gives_the_files_up_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let cache = on_disk(dir.path());
    store(&cache, URL, "body");
    flush(&cache);
    cache.tiers.disk.as_ref().unwrap().recorder.fail_from_now_on();
    // A restart will find no journal, so the purge holds.
    purge(&cache, &[site_purge(What::All)]);
    store(&cache, URL, "in memory alone");
    assert_eq!(find(&cache, URL, &none()).unwrap().0, "in memory alone");
    drop(cache);
    assert_eq!(find(&on_disk(dir.path()), URL, &none()), None);
}

#[test]
fn a_file_that_is_not_as_it_was_written_is_a_miss_and_goes() {
    let dir = tempfile::tempdir().unwrap();
    let cache = on_disk(dir.path());
    store(&cache, URL, "body");
    flush(&cache);
    drop(cache);
    let cache = on_disk(dir.path());
    let [file] = &files_of(dir.path())[..] else { panic!("one file was written") };
    let mut bytes = fs::read(file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(file, bytes).unwrap();
    assert!(matches!(cache.lookup(&key(URL), &none()), Found::Disk(_)));
    assert_eq!(find(&cache, URL, &none()), None);
    assert!(matches!(cache.lookup(&key(URL), &none()), Found::Miss));
    flush(&cache);
    assert_eq!((cache.figures().disk_corrupt, files_of(dir.path()).len()), (1, 0));
}

#[test]
fn what_a_response_takes_the_place_of_does_not_come_back_when_that_is_purged() {
    let dir = tempfile::tempdir().unwrap();
    let cache = on_disk(dir.path());
    store(&cache, URL, "first");
    flush(&cache);
    let second = response("second", tagged(&cache, &["news"], &[]));
    cache.store(&key(URL), &Variation::default(), &second).unwrap();
    purge(&cache, &[site_purge(What::Tag("news".to_owned()))]);
    assert_eq!(find(&cache, URL, &none()), None);
    flush(&cache);
    drop(cache);
    assert_eq!(find(&on_disk(dir.path()), URL, &none()), None);
}

#[test]
fn two_processes_do_not_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let _cache = on_disk(dir.path());
    let disk = Some(DiskOptions { path: dir.path().to_owned(), capacity: 1 << 20 });
    let second = Cache::open(CacheOptions { memory: 1 << 20, disk }, Clock::fixed(NOW));
    assert!(matches!(second, Err(DiskError::InUse(_))));
}

#[test]
fn files_beyond_the_capacity_are_unlinked_the_oldest_first() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Some(DiskOptions { path: dir.path().to_owned(), capacity: 1 << 20 });
    let cache = Cache::open(CacheOptions { memory: 64 << 20, disk }, Clock::fixed(NOW)).unwrap();
    for number in 0..40 {
        let url = format!("https://a.test/{number}");
        cache.store(&key(&url), &Variation::default(), &sized(vec![b'x'; 100_000].into(), footing(&cache))).unwrap();
        flush(&cache);
    }
    cache.tiers.queue.sweep();
    let lengths: u64 = files_of(dir.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!((800_000..=1 << 20).contains(&lengths), "{lengths}");
    let figures = cache.figures();
    assert!(figures.disk_bytes <= 1 << 20 && figures.disk_evictions >= 29, "{figures:?}");
    drop(cache);
    let cache = on_disk(dir.path());
    assert!(
        find(&cache, "https://a.test/39", &none()).is_some() && find(&cache, "https://a.test/0", &none()).is_none()
    );
}

#[test]
fn too_many_writes_at_once_are_dropped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let cache = on_disk(dir.path());
    for number in 0..20_000 {
        store(&cache, &format!("https://a.test/{number}"), "x");
    }
    flush(&cache);
    let figures = cache.figures();
    assert!(figures.disk_writes_dropped > 0, "{figures:?}");
    let files = files_of(dir.path()).len() as u64;
    assert_eq!(figures.disk_writes_dropped + figures.disk_evictions + files, 20_000);
}

const MIB: usize = 1 << 20;

fn megabyte(cache: &Cache, url: &str) -> Bytes {
    let stored = sized(vec![7; MIB].into(), footing(cache));
    cache.store(&key(url), &Variation::default(), &stored).unwrap();
    let StoredBody::Whole(body) = stored.body() else { panic!("a whole body was stored") };
    Bytes::clone(body)
}

#[test]
fn a_body_counts_while_somebody_is_sent_part_of_it() {
    let cache = in_memory(32 << 20);
    let sent = megabyte(&cache, URL).slice(10..20);
    let set =
        Arc::new(SliceSet { key: key(URL), secondary: Default::default(), etag: "\"s\"".into(), total: MIB as u64 });
    cache.store_slice(&set, 0, vec![8; MIB].into(), footing(&cache)).unwrap();
    let FoundSlice::Slice(slice) = cache.slice(&set, 0) else { panic!("it is in memory") };
    cache.remove(&key(URL));
    cache.remove_slices(&set);
    cache.tiers.memory.settle();
    let bytes = cache.figures().memory_bytes;
    assert!((2 * MIB as u64..2 * MIB as u64 + 4096).contains(&bytes), "{bytes}");
    drop((sent, slice));
    assert_eq!(cache.figures().memory_bytes, 0);
}

#[test]
fn a_body_counts_once_however_often_it_is_renewed() {
    let cache = in_memory(32 << 20);
    drop(megabyte(&cache, URL));
    for _ in 0..10 {
        let Found::Stored(hit) = cache.lookup(&key(URL), &none()) else { panic!("it is stored") };
        let draft = Draft {
            status: hit.stored.status(),
            headers: &hit.stored.head().to_headers(),
            body: hit.stored.body().clone(),
            request_time: NOW,
            response_time: NOW,
            initial_age: Duration::ZERO,
            freshness: freshness(60),
            footing: footing(&cache),
        };
        cache.store(&key(URL), &Variation::default(), &Arc::new(Stored::new(draft).unwrap())).unwrap();
        drop(hit);
        let bytes = cache.figures().memory_bytes;
        assert!((MIB as u64..MIB as u64 + 8192).contains(&bytes), "{bytes}");
    }
}

#[test]
fn what_memory_has_no_room_for_is_not_read_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    // The disk has room for everything: a file must be there in the end.
    let cache = on_disk_of(dir.path(), 256 << 20);
    drop(megabyte(&cache, URL));
    flush(&cache);
    drop(cache);
    let cache = on_disk_of(dir.path(), 256 << 20);
    let mut sent = Vec::new();
    for number in 0..100 {
        let stored = sized(vec![7; MIB].into(), footing(&cache));
        if cache.store(&key(&format!("https://a.test/{number}")), &Variation::default(), &stored).is_ok()
            && let StoredBody::Whole(body) = stored.body()
        {
            sent.push(Bytes::clone(body));
        }
    }
    assert!(find(&cache, URL, &none()).is_none());
    assert!(cache.figures().memory_bytes <= 64 << 20);
    sent.clear();
    // What waits to be written is held in memory, too.
    flush(&cache);
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while find(&cache, URL, &none()).is_none() {
        assert!(std::time::Instant::now() < end, "its file is still there");
        cache.tiers.memory.settle();
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_response_for_all_does_not_outlive_variants_that_took_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let cache = on_disk(dir.path());
    store(&cache, URL, "all");
    flush(&cache);
    cache.store(&key(URL), &by_language("de"), &response("de", footing(&cache))).unwrap();
    assert!(matches!(cache.lookup(&key(URL), &language("fr")), Found::VaryMiss));
    flush(&cache);
    drop(cache);
    let cache = on_disk(dir.path());
    assert_eq!(find(&cache, URL, &language("fr")), None);
    assert_eq!(find(&cache, URL, &language("de")).unwrap().0, "de");
}

#[test]
fn what_is_removed_before_its_file_was_found_stays_removed() {
    const FILES: usize = 1500;
    let url = |number: usize| format!("https://a.test/{number}");
    let dir = tempfile::tempdir().unwrap();
    let cache = on_disk(dir.path());
    (0..FILES).for_each(|number| store(&cache, &url(number), "old"));
    flush(&cache);
    drop(cache);
    let disk = DiskOptions { path: dir.path().to_owned(), capacity: 64 << 20 };
    let options = CacheOptions { memory: 64 << 20, disk: Some(disk) };
    let cache = loop {
        match Cache::open(options.clone(), Clock::fixed(NOW)) {
            // Another test's process may have the lock for a moment.
            Err(DiskError::InUse(_)) => std::thread::yield_now(),
            opened => break opened.unwrap(),
        }
    };
    (0..FILES).for_each(|number| cache.remove(&key(&url(number))));
    cache.tiers.queue.wait_until_loaded();
    let back = (0..FILES).filter(|number| find(&cache, &url(*number), &none()).is_some()).count();
    assert_eq!(back, 0);
}

#[test]
fn files_that_cannot_be_listed_cast_doubt_on_all() {
    let dir = tempfile::tempdir().unwrap();
    let cache = on_disk(dir.path());
    store(&cache, URL, "body");
    flush(&cache);
    drop(cache);
    let broken = dir.path().join(disk::FILES).join("zz");
    std::os::unix::fs::symlink(&broken, &broken).unwrap();
    // Purges would be retired without a look at what is in there.
    assert_eq!(find(&on_disk(dir.path()), URL, &none()), None);
    fs::remove_file(&broken).unwrap();
    assert_eq!(find(&on_disk(dir.path()), URL, &none()), None, "the next start wipes");
}
