//! Random stores, purges, sweeps and restarts against a model that keeps every purge as text and compares it with every
//! response, slowly and plainly.

use std::collections::HashMap;

use proptest::prelude::*;

use super::fixtures::*;
use super::*;

const URLS: [&str; 6] = [
    "https://a.test/",
    "https://a.test/docs/one",
    "https://a.test/docs/one?q=1",
    "http://a.test/docs/tw%6f",
    "https://b.test/docs/one",
    "https://b.test/%2fx",
];
const LANGUAGES: [&str; 3] = ["", "de", "fr"];
const TAGS: [&str; 3] = ["red", "blue", "Red"];
const DEPENDENCIES: [&str; 2] = ["b/k", "b/red"];

#[derive(Debug, Clone)]
enum Step {
    /// Stores a response whose fill began so many steps ago.
    Store {
        url: usize,
        language: usize,
        tags: Vec<usize>,
        dependencies: Vec<usize>,
        ago: usize,
    },
    Purge(Vec<Purge>),
    Remove(usize),
    Sweep,
    /// Stops and starts, or starts from what a process that was killed left behind.
    Restart {
        killed: bool,
    },
}

/// A response as the model knows it.
#[derive(Debug, Clone)]
struct Known {
    body: String,
    tags: Vec<usize>,
    dependencies: Vec<usize>,
    /// The number of purges when its fill began.
    began: usize,
}

#[derive(Default)]
struct Model {
    purges: Vec<Purge>,
    stored: HashMap<(usize, usize), Known>,
    /// The number of purges at the last sweep: fills from before may be refused.
    swept: usize,
}

fn site_of(url: usize) -> &'static str {
    if URLS[url].contains("a.test") { "shop" } else { "blog" }
}

/// Responses of the first URL do not vary.
fn variation(url: usize, of: usize) -> Variation {
    if url == 0 { Variation::default() } else { by_language(LANGUAGES[of]) }
}

fn place(url: usize, of: usize) -> (usize, usize) {
    (url, if url == 0 { 0 } else { of })
}

impl Model {
    /// Whether a purge is about a response: the rules again, on texts.
    fn hits(purge: &Purge, url: usize, known: &Known) -> bool {
        let place = URLS[url].split_once("://").unwrap().1;
        let (host, path) = place.split_at(place.find('/').unwrap());
        let path = path.replace("%6f", "o").replace("%2f", "%2F");
        let in_scope = match &purge.scope {
            Scope::Everything => true,
            Scope::Site(site) => site.as_str() == site_of(url),
            Scope::Host(name) => name == host,
        };
        in_scope
            && match &purge.what {
                What::All => true,
                What::Path(text) => path == *text,
                What::Prefix(text) => path.starts_with(text.as_str()),
                What::Tag(text) => known.tags.iter().any(|tag| TAGS[*tag].eq_ignore_ascii_case(text)),
                What::Dependency(text) => known.dependencies.iter().any(|name| DEPENDENCIES[*name] == text),
            }
    }

    fn is_hit(&self, url: usize, known: &Known, soft: bool) -> bool {
        self.purges[known.began..].iter().any(|purge| purge.soft == soft && Self::hits(purge, url, known))
    }

    /// What a request may find.
    fn expected(&self, url: usize, of: usize) -> Option<(String, bool)> {
        let known = self.stored.get(&place(url, of))?;
        (!self.is_hit(url, known, false)).then(|| (known.body.clone(), self.is_hit(url, known, true)))
    }
}

fn purges() -> impl Strategy<Value = Purge> {
    let scope = prop_oneof![
        Just(Scope::Everything),
        prop::sample::select(vec!["shop", "blog"]).prop_map(|site| Scope::Site(SiteId::new(site))),
        prop::sample::select(vec!["a.test", "b.test"]).prop_map(|host| Scope::Host(host.to_owned())),
    ];
    let paths = vec!["/", "/docs/one", "/docs/one?q=1", "/docs/two", "/%2Fx", "/docs/", "/do", ""];
    let what = prop_oneof![
        1 => Just(What::All),
        4 => prop::sample::select(paths.clone()).prop_map(|path| What::Path(path.to_owned())),
        4 => prop::sample::select(paths).prop_map(|path| What::Prefix(path.to_owned())),
        4 => prop::sample::select(TAGS.to_vec()).prop_map(|tag| What::Tag(tag.to_owned())),
        4 => prop::sample::select(DEPENDENCIES.to_vec()).prop_map(|name| What::Dependency(name.to_owned())),
    ];
    (scope, what, any::<bool>()).prop_map(|(scope, what, soft)| Purge { scope, what, soft })
}

fn steps(restarts: bool) -> impl Strategy<Value = Vec<Step>> {
    let some = |most: usize| prop::collection::vec(0..most, 0..2);
    let store = (0..URLS.len(), 0..LANGUAGES.len(), some(TAGS.len()), some(DEPENDENCIES.len()), 0..4_usize)
        .prop_map(|(url, language, tags, dependencies, ago)| Step::Store { url, language, tags, dependencies, ago });
    let restart = any::<bool>().prop_map(|killed| Step::Restart { killed });
    let step = prop_oneof![
        8 => store,
        4 => prop::collection::vec(purges(), 1..3).prop_map(Step::Purge),
        1 => (0..URLS.len()).prop_map(Step::Remove),
        1 => Just(Step::Sweep),
        u32::from(restarts) * 2 => restart,
    ];
    prop::collection::vec(step, 1..40)
}

/// A cache under test beside its model.
struct Run {
    cache: Option<Arc<Cache>>,
    model: Model,
    /// The sequences and the numbers of purges after each step.
    begins: Vec<(Sequence, usize)>,
    dir: Option<tempfile::TempDir>,
    stores: usize,
}

impl Run {
    fn new(disk: bool) -> Self {
        let dir = disk.then(|| tempfile::tempdir().unwrap());
        let cache = dir.as_ref().map_or_else(|| in_memory(16 << 20), |dir| on_disk(dir.path()));
        let begins = vec![(cache.sequence(), 0)];
        Self { cache: Some(cache), model: Model::default(), begins, dir, stores: 0 }
    }

    fn cache(&self) -> &Cache {
        self.cache.as_ref().unwrap()
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Store { url, language, tags, dependencies, ago } => {
                self.store(*url, *language, tags.clone(), dependencies.clone(), *ago);
            }
            Step::Purge(list) => {
                purge(self.cache(), list);
                self.model.purges.extend(list.clone());
            }
            Step::Remove(url) => {
                self.cache().remove(&key(URLS[*url]));
                (0..LANGUAGES.len()).for_each(|of| drop(self.model.stored.remove(&(*url, of))));
            }
            Step::Sweep => {
                self.cache().tiers.queue.sweep();
                self.model.swept = self.model.purges.len();
            }
            Step::Restart { killed } => self.restart(*killed),
        }
        self.begins.push((self.cache().sequence(), self.model.purges.len()));
    }

    fn store(&mut self, url: usize, of: usize, tags: Vec<usize>, dependencies: Vec<usize>, ago: usize) {
        let (sequence, began) = self.begins[self.begins.len().saturating_sub(ago + 1)];
        self.stores += 1;
        let known = Known { body: format!("body {}", self.stores), tags, dependencies, began };
        let tags = Tags::new(
            known.tags.iter().map(|tag| TAGS[*tag]),
            known.dependencies.iter().map(|name| DEPENDENCIES[*name]),
        );
        let stored = response(&known.body, Footing::new(SiteId::new(site_of(url)), tags.unwrap(), sequence));
        let outcome = self.cache().store(&key(URLS[url]), &variation(url, of), &stored);
        let purged = self.model.is_hit(url, &known, false);
        match outcome {
            Ok(()) => {
                assert!(!purged, "{known:?} was purged while it was fetched");
                self.model.stored.insert(place(url, of), known);
            }
            Err(_) => assert!(purged || began < self.model.swept, "{known:?} was refused"),
        }
    }

    fn restart(&mut self, killed: bool) {
        let Some(dir) = self.dir.take() else { return };
        flush(self.cache());
        let next = if killed { copy_of(dir.path()) } else { dir };
        self.cache = None;
        self.cache = Some(on_disk(next.path()));
        self.dir = Some(next);
        // Fills do not outlive their process.
        self.begins.clear();
    }

    fn check(&self) {
        for (url, text) in URLS.iter().enumerate() {
            for (of, name) in LANGUAGES.iter().enumerate() {
                let found = find(self.cache(), text, &language(name));
                assert_eq!(found, self.model.expected(url, of), "{text} {name}");
            }
        }
    }
}

/// The directory as a process that is killed now leaves it behind.
fn copy_of(path: &std::path::Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let status = std::process::Command::new("cp").arg("-a").arg(path.join(".")).arg(copy.path()).status().unwrap();
    assert!(status.success());
    copy
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn memory_gives_what_the_model_allows(steps in steps(false)) {
        let mut run = Run::new(false);
        for step in &steps {
            run.step(step);
            run.check();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn both_tiers_give_what_the_model_allows_over_restarts(steps in steps(true)) {
        let mut run = Run::new(true);
        for step in &steps {
            run.step(step);
        }
        run.check();
        run.step(&Step::Restart { killed: true });
        run.check();
    }
}
