//! A poll: the edge says how far it is, and hears what came since, or that nothing did.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::entries::Ear;
use super::refusal::Refusal;
use super::{CONNECT_EDGE, Details, Edges, MAX_EDGES_OF_ACCOUNT, name_for};
use crate::access::{self, Arn, Caller, Context, Rules};
use crate::feed::{
    self, EdgeId, Entry, HEARTBEAT, LEASE, MAX_ENTRIES, Moment, Page, Poll, Position, Registry, VERSION,
};
use crate::guard::{NotSigned, Origin};
use crate::identity::Key;
use crate::names::LogId;
use crate::store::Position as Offset;

/// How many bytes of entries a page has at most, unless its one entry has more.
const PAGE_BYTES: usize = 2 * 1024 * 1024;
/// What an entry counts besides its texts.
const ENTRY_BYTES: usize = 128;

/// Whoever polls.
pub(super) struct Asker<'a> {
    pub key: &'a Key,
    /// The session token that the key came with.
    pub token: Option<&'a str>,
    pub origin: Origin,
}

/// What came of noting a poll.
struct Heard {
    /// Whether the edge is to say which sites it serves.
    register: bool,
    not_taken: Vec<String>,
}

/// What was read of the log for an edge.
struct Read {
    entries: Vec<Entry>,
    next: u64,
    /// Whether there is more to read.
    more: bool,
}

impl Edges {
    /// Answers a poll: at once where there is something to say, else when there is, or after a while.
    pub(super) async fn poll(&self, asker: &Asker<'_>, poll: Poll) -> Result<Page, Refusal> {
        if poll.version != VERSION {
            return Err(Refusal::Version);
        }
        let (key, origin) = (asker.key, asker.origin);
        authorize(key, &poll.edge, &self.context(origin))?;
        if poll.leaving {
            self.forget(&poll.edge, key)?;
            return Ok(page(self.log(), 0, 0));
        }
        let common = self.log();
        let name = self.name_for(&poll.edge, &key.caller, common);
        let known = |position: Option<Position>| position.filter(|position| position.log == name);
        let common_of = |position: Option<Position>| known(position).map(|known| Position { log: common, ..known });
        let poll = Poll { from: common_of(poll.from), applied: common_of(poll.applied), ..poll };
        let Heard { register, not_taken } = self.heard_of(key, origin, &poll, name).await?;
        let end = Instant::now() + Duration::from_millis(poll.wait).min(HEARTBEAT);
        let at_once = register || !not_taken.is_empty();
        let mut answer = self.read_for(asker, &poll, end, at_once).await?;
        (answer.register, answer.not_taken) = (register, not_taken);
        answer.log = name_for(answer.log, &key.caller);
        Ok(answer)
    }

    /// The name by which an edge knows the log. Made anew only where the edge or its policies are others.
    fn name_for(&self, edge: &EdgeId, caller: &Arc<Caller>, log: LogId) -> LogId {
        let registry = self.registry.lock();
        match registry.get(edge).map(|known| &known.details) {
            Some(details) if Arc::ptr_eq(&details.caller, caller) && details.common == log => details.log,
            _ => name_for(log, caller),
        }
    }

    pub(super) fn context(&self, origin: Origin) -> Context<'static> {
        let mut context = Context::at(self.clock.now());
        context.push("aws:SecureTransport", origin.secure);
        if let Some(address) = origin.address {
            context.push("aws:SourceIp", address);
        }
        context
    }

    /// Notes the poll before anything is read for it.
    async fn heard_of(&self, key: &Key, origin: Origin, poll: &Poll, log: LogId) -> Result<Heard, Refusal> {
        let now = Moment::now();
        let mut told = None;
        if let Some(sites) = &poll.sites {
            owned(&self.registry.lock(), &poll.edge, key)?;
            told = Some(self.register(&poll.edge, key, sites, now).await?);
        }
        let (taken, not_taken) = told.map_or((None, Vec::new()), |told| (Some(told.taken.into()), told.not_taken));
        let mut registry = self.registry.lock();
        let before = owned(&registry, &poll.edge, key)?;
        if before.is_none() {
            let of_account = registry.live(now).filter(|(_, known)| known.is_of(&key.account.id)).count();
            if of_account >= MAX_EDGES_OF_ACCOUNT {
                return Err(Refusal::TooManyEdges);
            }
        }
        let sites = taken.or_else(|| before.and_then(|before| before.sites.clone()));
        let register = sites.is_none();
        let address = origin.address.map(|address| address.to_string()).unwrap_or_default();
        let (caller, common) = (key.caller.clone(), self.log());
        let details = Details { caller, common, log, address, sites, behind: poll.behind.clone() };
        registry.polled(&poll.edge, poll.applied, now, details)?;
        drop(registry);
        self.heard.send_replace(());
        Ok(Heard { register, not_taken })
    }

    fn forget(&self, edge: &EdgeId, key: &Key) -> Result<(), Refusal> {
        let mut registry = self.registry.lock();
        owned(&registry, edge, key)?;
        registry.leave(edge);
        drop(registry);
        self.heard.send_replace(());
        Ok(())
    }

    /// Whether an edge that waited may still do what it did, and hears of the same: its policies may be others meanwhile.
    async fn is_as_before(&self, asker: &Asker<'_>, edge: &EdgeId) -> Result<bool, Refusal> {
        let before = &asker.key.caller;
        let found = self.identities.authenticate(&asker.key.access_key_id, asker.token).await;
        let key = found.map_err(NotSigned::from)?.ok_or(NotSigned::UnknownKey)?;
        authorize(&key, edge, &self.context(asker.origin))?;
        let log = self.log();
        Ok(Arc::ptr_eq(&key.caller, before) || name_for(log, &key.caller) == name_for(log, before))
    }

    /// Reads what the edge does not know yet. Waits for it until `end`, unless the answer is wanted `at_once`.
    async fn read_for(&self, asker: &Asker<'_>, poll: &Poll, end: Instant, at_once: bool) -> Result<Page, Refusal> {
        let mut ear = Ear::new(&asker.key.caller, self.context(asker.origin));
        let (mut head, mut renamed) = (self.store.log_head(), self.renamed.subscribe());
        let log = self.log();
        let Some(from) = poll.from.filter(|from| from.log == log).map(|from| from.offset) else {
            return Ok(self.begin(log));
        };
        let mut read_to = from;
        loop {
            if self.stopping.is_cancelled() {
                return Err(Refusal::Stopping);
            }
            head.mark_unchanged();
            let Some(read) = self.read(Offset(read_to), &mut ear).await? else { return Ok(self.begin(log)) };
            if self.log() != log {
                return Ok(self.begin(self.log()));
            }
            self.sends(&poll.edge, &read);
            read_to = read.next;
            let late = at_once || Instant::now() >= end;
            if !read.entries.is_empty() || (late && !read.more) {
                let lease = (!read.more).then(lease);
                return Ok(Page { entries: read.entries, lease, ..page(log, from, read.next) });
            }
            if late {
                return Ok(page(log, from, read.next));
            }
            if !read.more {
                tokio::select! {
                    _ = timeout_at(end, head.changed()) => {}
                    _ = renamed.changed() => {}
                    () = self.stopping.cancelled() => {}
                }
                if !self.is_as_before(asker, &poll.edge).await? {
                    // Without a lease, and without what came meanwhile: the next poll is judged by what holds now.
                    return Ok(page(log, from, read_to));
                }
            }
        }
    }

    /// What an edge hears that holds nothing, or nothing that could be trusted: where the log ends.
    fn begin(&self, log: LogId) -> Page {
        let head = *self.store.log_head().borrow();
        Page { flush: true, lease: Some(lease()), ..page(log, head, head) }
    }

    /// Reads a piece of the log; `None` where it does not go on from there.
    async fn read(&self, after: Offset, ear: &mut Ear<'_>) -> Result<Option<Read>, Refusal> {
        let Some(found) = self.store.read_log(after, MAX_ENTRIES).await? else { return Ok(None) };
        let mut read = Read { entries: Vec::new(), next: after.0, more: found.more };
        let mut bytes = 0;
        for (position, row) in found.rows {
            if let Some(entry) = ear.entry(position, row)? {
                bytes += size(&entry);
                if bytes > PAGE_BYTES && !read.entries.is_empty() {
                    read.more = true;
                    return Ok(Some(read));
                }
                read.entries.push(entry);
            }
            read.next = position.0;
        }
        Ok(Some(read))
    }

    fn sends(&self, edge: &EdgeId, read: &Read) {
        self.registry.lock().sends(edge, read.entries.last().map(|entry| entry.offset), read.next);
        if read.entries.is_empty() {
            // What does not concern the edge counts as applied.
            self.heard.send_replace(());
        }
    }
}

/// What is known of an edge, which must be of the key's account: nobody else speaks for it.
fn owned<'r>(registry: &'r Registry<Details>, edge: &EdgeId, key: &Key) -> Result<Option<&'r Details>, Refusal> {
    match registry.get(edge) {
        Some(known) if !known.is_of(&key.account.id) => Err(Refusal::NotYours),
        known => Ok(known.map(|known| &known.details)),
    }
}

fn authorize(key: &Key, edge: &EdgeId, context: &Context<'_>) -> Result<(), Refusal> {
    let account = &key.account.id;
    let resource = format!("arn:aws:brim::{account}:edge/{}", edge.name);
    let denied = |resource: String| {
        let principal = key.caller.principal.arn().unwrap_or_default();
        Refusal::Denied { principal, action: CONNECT_EDGE, resource }
    };
    let Some(arn) = Arn::parse(&resource) else { return Err(denied(resource)) };
    match access::decide(&key.caller, CONNECT_EDGE, &arn, context, &Rules::of_account(account)).allowed {
        true => Ok(()),
        false => Err(denied(resource)),
    }
}

fn page(log: LogId, from: u64, next: u64) -> Page {
    Page {
        version: VERSION,
        log,
        from,
        flush: false,
        entries: Vec::new(),
        next,
        lease: None,
        register: false,
        not_taken: Vec::new(),
        pass: None,
    }
}

fn lease() -> u64 {
    u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX)
}

/// About how many bytes an entry has on the wire.
fn size(entry: &Entry) -> usize {
    let of_purge = |purge: &feed::Purge| ENTRY_BYTES + purge.target.to_string().len();
    ENTRY_BYTES
        + match &entry.what {
            feed::What::Object { key, .. } => key.len(),
            feed::What::Purge { purges } => purges.iter().map(of_purge).sum(),
            feed::What::Configuration { .. } | feed::What::Unknown => 0,
        }
}
