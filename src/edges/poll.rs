//! A poll: the edge says how far it is, and hears what came since, or that nothing did.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::entries::Ear;
use super::refusal::Refusal;
use super::{CONNECT_EDGE, Details, Edges, name_for};
use crate::access::{self, Arn, Caller, Context, Rules};
use crate::feed::{self, EdgeId, Entry, HEARTBEAT, LEASE, MAX_ENTRIES, Moment, Page, Poll, Position, VERSION};
use crate::guard::Origin;
use crate::identity::Key;
use crate::names::LogId;
use crate::store::Position as Offset;

/// How many bytes of entries a page has at most, unless its one entry has more.
const PAGE_BYTES: usize = 2 * 1024 * 1024;
/// What an entry counts besides its texts.
const ENTRY_BYTES: usize = 128;

/// What was read of the log for an edge.
struct Read {
    entries: Vec<Entry>,
    next: u64,
    /// Whether there is more to read.
    more: bool,
}

impl Edges {
    /// Answers a poll: at once where there is something to say, else when there is, or after a while.
    pub(super) async fn poll(&self, key: &Key, origin: Origin, poll: Poll) -> Result<Page, Refusal> {
        if poll.version != VERSION {
            return Err(Refusal::Version);
        }
        let context = self.context(origin);
        authorize(key, &poll.edge, &context)?;
        if poll.leaving {
            self.forget(&poll.edge);
            return Ok(page(self.log(), 0, 0));
        }
        let common = self.log();
        let name = self.name_for(&poll.edge, &key.caller, common);
        let known = |position: Option<Position>| position.filter(|position| position.log == name);
        let common_of = |position: Option<Position>| known(position).map(|known| Position { log: common, ..known });
        let poll = Poll { from: common_of(poll.from), applied: common_of(poll.applied), ..poll };
        let register = self.heard_of(key, origin, &poll, name).await?;
        let end = Instant::now() + Duration::from_millis(poll.wait).min(HEARTBEAT);
        let mut answer = self.read_for(&poll, &mut Ear::new(&key.caller, context), end, register).await?;
        answer.register = register;
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

    /// Notes the poll before anything is read for it, and tells whether the edge is to say which sites it serves.
    async fn heard_of(&self, key: &Key, origin: Origin, poll: &Poll, log: LogId) -> Result<bool, Refusal> {
        let now = Moment::now();
        if let Some(sites) = &poll.sites {
            self.register(&poll.edge, key, sites, now).await?;
        }
        let mut registry = self.registry.lock();
        let before = registry.get(&poll.edge).map(|known| &known.details);
        let sites = poll.sites.as_deref().map(Arc::from).or_else(|| before.and_then(|before| before.sites.clone()));
        let unknown = sites.is_none();
        let address = origin.address.map(|address| address.to_string()).unwrap_or_default();
        let (caller, common) = (key.caller.clone(), self.log());
        let details = Details { caller, common, log, address, sites, behind: poll.behind.clone() };
        registry.polled(&poll.edge, poll.applied, now, details)?;
        drop(registry);
        self.heard.send_replace(());
        Ok(unknown)
    }

    fn forget(&self, edge: &EdgeId) {
        self.registry.lock().leave(edge);
        self.heard.send_replace(());
    }

    /// Reads what the edge does not know yet. Waits for it until `end`, unless the answer is wanted `at_once`.
    async fn read_for(&self, poll: &Poll, ear: &mut Ear<'_>, end: Instant, at_once: bool) -> Result<Page, Refusal> {
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
            let Some(read) = self.read(Offset(read_to), ear).await? else { return Ok(self.begin(log)) };
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
