//! Remembers who was let in, so that only the first request of a visitor pays for the slow hash, and bounds how many
//! pay at a time: whoever guesses passwords takes no more than that of the server.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{hmac, rand};
use moka::sync::Cache;
use tokio::sync::Semaphore;

use super::{Credentials, NoRandomBytes, Password};

/// How many visitors are remembered.
const MAX_REMEMBERED: u64 = 10_000;
/// How long.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);
/// How many hashes are computed at a time.
const MAX_AT_ONCE: usize = 2;
/// How many requests wait for theirs, those under way included. At a sixth of a second each the last waits about 5 s.
const MAX_WAITING: usize = 64;
/// How many of them for one site: whoever guesses the password of one keeps nobody from the others.
const MAX_WAITING_FOR_SITE: usize = 8;
/// Sites share lanes, by chance and not by anybody's choice.
const LANES: usize = 256;

/// What becomes of a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Open,
    /// 401, with [`super::CHALLENGE`].
    Refused,
    /// 503: too many wait.
    Busy,
}

/// Lets visitors with the right password in. One for all sites.
#[derive(Debug)]
pub struct Doorkeeper {
    /// New with every process: what is remembered says nothing about passwords to whoever reads memory later.
    key: hmac::Key,
    remembered: Cache<[u8; 32], ()>,
    waiting: Semaphore,
    lanes: Box<[Semaphore; LANES]>,
    working: Arc<Semaphore>,
}

impl Doorkeeper {
    pub fn new() -> Result<Self, NoRandomBytes> {
        let mut key = [0; 32];
        rand::fill(&mut key).map_err(|_| NoRandomBytes)?;
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            remembered: Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(REMEMBERED).build(),
            waiting: Semaphore::new(MAX_WAITING),
            lanes: Box::new(std::array::from_fn(|_| Semaphore::new(MAX_WAITING_FOR_SITE))),
            working: Arc::new(Semaphore::new(MAX_AT_ONCE)),
        })
    }

    /// Judges the value of `Authorization`. Fast for who was let in before, while the site's password is the same; the
    /// hash is computed on a thread that may block.
    pub async fn judge(&self, password: &Password, header: Option<&[u8]>) -> Entry {
        let Some(credentials) = header.and_then(Credentials::parse) else { return Entry::Refused };
        let fingerprint = self.fingerprint(password, &credentials);
        if self.remembered.contains_key(&fingerprint) {
            return Entry::Open;
        }
        let Ok(_lane) = self.lane(password).try_acquire() else { return Entry::Busy };
        let Ok(_turn) = self.waiting.try_acquire() else { return Entry::Busy };
        match self.verify(password.clone(), credentials).await {
            Some(true) => {
                self.remembered.insert(fingerprint, ());
                Entry::Open
            }
            Some(false) => Entry::Refused,
            None => Entry::Busy,
        }
    }

    /// `None` where the runtime is stopping.
    async fn verify(&self, password: Password, credentials: Credentials) -> Option<bool> {
        let place = self.working.clone().acquire_owned().await.ok()?;
        let work = move || {
            let right = password.verify(&credentials);
            // Given back when the work is done, be the client gone or not.
            drop(place);
            right
        };
        tokio::task::spawn_blocking(work).await.ok()
    }

    /// The places of those who wait for a site with this password.
    fn lane(&self, password: &Password) -> &Semaphore {
        let [first, ..] = self.digest(&[&password.user, &password.hash.to_string()]);
        &self.lanes[usize::from(first)]
    }

    /// Covers the stored hash too: with another password nobody is remembered.
    fn fingerprint(&self, password: &Password, credentials: &Credentials) -> [u8; 32] {
        self.digest(&[&password.user, &password.hash.to_string(), &credentials.user, &credentials.password])
    }

    /// Nobody outside can tell which texts have one that begins alike.
    fn digest(&self, texts: &[&str]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for text in texts {
            context.update(&(text.len() as u64).to_le_bytes());
            context.update(text.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use futures_util::FutureExt;

    use super::super::Hash;
    use super::super::tests::HASH;
    use super::*;

    fn password() -> Password {
        Password { user: "ali".to_owned(), hash: Hash::parse(HASH).unwrap() }
    }

    fn header(text: &str) -> Vec<u8> {
        format!("Basic {}", BASE64.encode(text)).into_bytes()
    }

    #[tokio::test]
    async fn the_right_password_opens_and_is_remembered() {
        let doorkeeper = Doorkeeper::new().unwrap();
        let right = header("ali:open sesame");
        assert_eq!(doorkeeper.judge(&password(), Some(&right)).await, Entry::Open);
        // Nothing can be computed any more: what opens now was remembered.
        doorkeeper.working.close();
        assert_eq!(doorkeeper.judge(&password(), Some(&right)).await, Entry::Open);
        assert_eq!(doorkeeper.judge(&password(), Some(&header("ali:other"))).await, Entry::Busy);
        let other = Password { user: "ali".to_owned(), hash: Hash::make("open sesame").unwrap() };
        assert_eq!(doorkeeper.judge(&other, Some(&right)).await, Entry::Busy, "a new hash forgets who was let in");
    }

    #[tokio::test]
    async fn anything_else_is_refused_and_not_remembered() {
        let doorkeeper = Doorkeeper::new().unwrap();
        for header in [None, Some(header("ali:x")), Some(header("x:open sesame")), Some(b"Bearer x".to_vec())] {
            assert_eq!(doorkeeper.judge(&password(), header.as_deref()).await, Entry::Refused, "{header:?}");
        }
        doorkeeper.remembered.run_pending_tasks();
        assert_eq!(doorkeeper.remembered.entry_count(), 0);
    }

    #[tokio::test]
    async fn more_than_can_wait_are_turned_away() {
        let doorkeeper = Doorkeeper::new().unwrap();
        let _others = doorkeeper.waiting.try_acquire_many(MAX_WAITING as u32).unwrap();
        assert_eq!(doorkeeper.judge(&password(), Some(&header("ali:open sesame"))).await, Entry::Busy);
    }

    #[tokio::test]
    async fn who_waits_for_one_site_keeps_nobody_from_another() {
        let doorkeeper = Doorkeeper::new().unwrap();
        let lane = |site: &Password| std::ptr::from_ref(doorkeeper.lane(site));
        // By chance some of the others share its lane.
        let mut others = (0..8).map(|number| Password { user: format!("ali-{number}"), ..password() });
        let site = password();
        let other = others.find(|other| lane(other) != lane(&site)).unwrap();
        // Nobody's hash is computed: all who are let in wait.
        let _working = doorkeeper.working.try_acquire_many(MAX_AT_ONCE as u32).unwrap();
        let wrong = header("ali:wrong");
        let mut waiting = Vec::new();
        for _ in 0..MAX_WAITING_FOR_SITE {
            waiting.push(Box::pin(doorkeeper.judge(&site, Some(&wrong))));
            assert!(waiting.last_mut().unwrap().as_mut().now_or_never().is_none());
        }
        assert_eq!(doorkeeper.judge(&site, Some(&wrong)).await, Entry::Busy);
        let mut visitor = Box::pin(doorkeeper.judge(&other, Some(&wrong)));
        assert!(visitor.as_mut().now_or_never().is_none());
    }
}
