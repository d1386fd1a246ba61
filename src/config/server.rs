//! The options of `brim server`. To add one, add a row here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::declare::{Row, Section, options};
use super::kind::*;
use super::load::Reader;
use super::sites::DeclaredSite;
use super::values::{DiskReserve, Durability, HttpsRedirect};
use super::webhooks::DeclaredWebhook;
use ipnet::IpNet;

use crate::identity::{DeclaredAccount, RootKey, SecretKey};
use crate::names::{AccountId, HostName};
use crate::telemetry::log::Format;
use crate::tls::Pair;

options! {
    /// Everything that `brim server` can be told, checked.
    ServerConfig;

    /// The process.
    process: ProcessOptions {
        /// The data directory; made at the first start. One process at a time may use it.
        "data" => data: PathBuf = PATH, default "./brim-data", example "\"/var/lib/brim\"", flag "data";
        /// How many threads serve requests; `auto` is one per processor.
        "workers" => workers: usize = WORKERS, default "auto", example "4";
        /// How long requests in flight may take to end after SIGTERM or SIGINT. A second signal stops at once.
        "shutdown_grace" => shutdown_grace: Duration = DURATION, default "30s", example "\"30s\"";
    }

    /// The S3 endpoint.
    s3: S3Options {
        /// Where the S3 API listens; port 0 takes a free port.
        "s3.listen" => listen: SocketAddr = ADDRESS, default "127.0.0.1:9000", example "\"0.0.0.0:9000\"",
            flag "listen";
        /// Where the S3 API listens for HTTPS, beside `s3.listen`; empty is nowhere. Needs a certificate.
        "s3.tls_listen" => tls_listen: Option<SocketAddr> = OPTIONAL_ADDRESS, default "",
            example "\"0.0.0.0:9443\"";
        /// The domains under which `BUCKET.DOMAIN` addresses a bucket (virtual-hosted style). May be empty.
        "s3.domains" => domains: Vec<String> = DOMAINS, default "s3.localhost",
            example "[\"s3.example.com\", \"s3.localhost\"]";
        /// The region that buckets report.
        "s3.region" => region: String = REGION, default "us-east-1", example "\"eu-central-1\"";
        /// The region that signatures must name; `any` accepts every region.
        "s3.scope_region" => scope_region: Option<String> = SCOPE_REGION, default "any", example "\"any\"";
        /// Whether Signature Version 2 is accepted beside Version 4. `aws s3 presign` still makes it by default.
        "s3.signature_v2" => signature_v2: bool = SWITCH, default "true", example "true";
    }

    /// The website endpoint.
    website: WebsiteOptions {
        /// Where websites are served; port 0 takes a free port.
        "website.listen" => listen: SocketAddr = ADDRESS, default "127.0.0.1:9080", example "\"0.0.0.0:80\"",
            flag "website-listen";
        /// The domains under which `BUCKET.DOMAIN`, `BUCKET.s3-website-REGION.DOMAIN` and `BUCKET.s3-website.REGION.DOMAIN` are
        /// the website of a bucket. May be empty: a bucket named like a host is served at that host all the same.
        "website.domains" => domains: Vec<HostName> = HOST_NAMES, default "website.localhost",
            example "[\"sites.example.com\", \"website.localhost\"]";
        /// Where websites are served over HTTPS, beside `website.listen`; empty is nowhere. Needs a certificate.
        "website.tls_listen" => tls_listen: Option<SocketAddr> = OPTIONAL_ADDRESS, default "",
            example "\"0.0.0.0:443\"";
        /// Who is sent from HTTP to HTTPS: `auto` is who asks for a host with a valid certificate, while
        /// `website.tls_listen` is given; `always` is everyone; `never` is nobody.
        "website.https_redirect" => https_redirect: HttpsRedirect = HTTPS_REDIRECT, default "auto", example "\"auto\"";
        /// The port that they are sent to; `auto` is that of `website.tls_listen`. For who forwards port 443 to another.
        "website.https_port" => https_port: Option<u16> = PORT, default "auto", example "443";
    }

    /// Certificates from an authority, by ACME. It has to reach the plain website listener at port 80 of every domain.
    acme: AcmeOptions {
        /// The domains to get a certificate for, one each. No wildcards: authorities give those to a challenge in DNS alone.
        "acme.domains" => domains: Vec<HostName> = HOST_NAMES, default "",
            example "[\"www.example.com\", \"s3.example.com\"]";
        /// Whether custom domains of sites get a certificate as well, those of `[[site]]` and those of `brim site add`.
        "acme.sites" => sites: bool = SWITCH, default "false", example "true";
        /// That you agree to the authority's terms of service. Nothing is asked of an authority otherwise.
        "acme.agree_terms" => agree_terms: bool = SWITCH, default "false", example "true";
        /// Where the authority may write to.
        "acme.email" => email: Option<String> = EMAIL, default "", example "\"admin@example.com\"";
        /// The authority's directory.
        "acme.directory" => directory: String = ACME_DIRECTORY,
            default "https://acme-v02.api.letsencrypt.org/directory",
            example "\"https://acme-staging-v02.api.letsencrypt.org/directory\"";
        /// A file of certificates in PEM that the authority's own address is trusted by, in place of the system's.
        "acme.ca_bundle" => ca_bundle: Option<PathBuf> = OPTIONAL_PATH, default "",
            example "\"/etc/brim/private-ca.pem\"";
    }

    /// Who owns what.
    identity: IdentityOptions {
        /// The account that owns every bucket.
        "account_id" => account_id: AccountId = ACCOUNT_ID, default "000000000000", example "\"123456789012\"";
    }

    /// The root key. Without it, one is made at the first start and kept in `DIR/credentials`.
    root: RootOptions {
        /// The root key's access key id. Needs `root.secret_access_key` beside it.
        "root.access_key_id" => access_key_id: Option<String> = ACCESS_KEY_ID, default "",
            example "\"BRIMEXAMPLEKEYID\"";
        /// The root key's secret. Better given in the environment than in a file.
        "root.secret_access_key" => secret_access_key: Option<SecretKey> = SECRET_ACCESS_KEY, default "",
            example "\"an-example-of-a-secret-key\"";
    }

    /// How objects are stored.
    store: StoreOptions {
        /// What an answer of success promises. `strict`: the change survives power loss. `relaxed`: the last changes may
        /// be lost with the power, in order and without leaving anything half done.
        "store.durability" => durability: Durability = DURABILITY, default "strict", example "\"strict\"";
        /// Objects of up to this many bytes are kept beside their record instead of in a file.
        "store.inline_threshold" => inline_threshold: u64 = INLINE_THRESHOLD, default "32KiB", example "\"32KiB\"";
        /// Objects and parts above that, of up to this many bytes, share files, and one sync makes all of those durable that
        /// arrive together. Each larger one has a file of its own; with 0, each does.
        "store.pack_threshold" => pack_threshold: u64 = PACK_THRESHOLD, default "256KiB", example "\"256KiB\"";
        /// Memory for the metadata engine's caches and write buffers together.
        "store.kv_memory" => kv_memory: u64 = KV_MEMORY, default "96MiB", example "\"256MiB\"";
        /// Room on the disk that uploads leave free: a size, a percentage, or both, of which the larger counts.
        "store.reserve" => reserve: DiskReserve = RESERVE, default "1GiB,2%", example "\"1GiB,2%\"";
        /// Multipart uploads that nobody completes are removed after this time.
        "store.incomplete_upload_expiry" => incomplete_upload_expiry: Duration = DURATION, default "7d",
            example "\"7d\"";
        /// How long entries of the change log are kept.
        "store.log_retention" => log_retention: Duration = DURATION, default "7d", example "\"7d\"";
        /// How long a backup may keep what is deleted meanwhile from being removed. One that takes longer fails.
        "store.backup_limit" => backup_limit: Duration = DURATION, default "1d", example "\"1d\"";
        /// Whether the data directory may be where data does not stay: on tmpfs or ramfs, which a restart of the machine
        /// empties, or on an overlay, which goes away with its container. For tests; a start there is refused otherwise.
        "store.allow_ephemeral" => allow_ephemeral: bool = SWITCH, default "false", example "false";
        /// The time between two rounds of removing what nothing refers to any more.
        "store.sweep_interval" => sweep_interval: Duration = DURATION, default "1m", example "\"1m\"";
    }

    /// Notifications. `[[webhooks]]` below and `brim webhook` say who hears of changes.
    events: EventsOptions {
        /// Address ranges that endpoints of tenants may be in beside public ones. Those of the operator, of the file and of
        /// `brim webhook`, may be anywhere.
        "events.tenant_ranges" => tenant_ranges: Vec<IpNet> = RANGES, default "",
            example "[\"10.20.0.0/16\", \"fd00:20::/32\"]";
        /// How many entries of the change log an endpoint may be behind, where it says nothing else.
        "events.backlog_entries" => backlog_entries: u64 = BACKLOG_ENTRIES, default "10000000", example "10000000";
        /// How long an endpoint may be behind, where it says nothing else. The change log is kept for as long as that.
        "events.backlog_age" => backlog_age: Duration = DURATION, default "7d", example "\"7d\"";
        /// How long attempts are kept in the delivery log.
        "events.delivery_retention" => delivery_retention: Duration = DURATION, default "7d", example "\"7d\"";
    }

    /// Bounds.
    limits: LimitsOptions {
        /// The most bytes of one object.
        "limits.object_size" => object_size: u64 = OBJECT_SIZE, default "5TiB", example "\"5TiB\"";
        /// The most connections to the S3 endpoint at one time.
        "limits.connections" => connections: usize = CONNECTIONS, default "4096", example "4096";
        /// Memory for bytes on their way from clients to the disk, all uploads together.
        "limits.upload_memory" => upload_memory: u64 = BUFFER_MEMORY, default "64MiB", example "\"64MiB\"";
        /// Memory for bytes on their way from the disk to clients, all downloads together.
        "limits.download_memory" => download_memory: u64 = BUFFER_MEMORY, default "64MiB", example "\"64MiB\"";
        /// How long a connection may stay idle between two requests.
        "limits.keep_alive" => keep_alive: Duration = DURATION, default "75s", example "\"75s\"";
        /// How long a client may take to send a request's head.
        "limits.head_timeout" => head_timeout: Duration = DURATION, default "20s", example "\"20s\"";
        /// How long a body, in either direction, may stand still.
        "limits.body_idle_timeout" => body_idle_timeout: Duration = DURATION, default "60s", example "\"60s\"";
        /// The least bytes per second that a body must move on average; slower ones are cut off. An upload is judged from its
        /// 30th second on, a download over each `body_idle_timeout`, by what the client acknowledged. 0 sets no bound.
        "limits.transfer_rate" => transfer_rate: u64 = RATE, default "1KiB", example "\"1KiB\"";
    }

    /// Health and metrics, over TCP. Operator commands use the socket in the data directory instead.
    admin: AdminOptions {
        /// Where `/health/live`, `/health/ready` and `/metrics` are served; port 0 takes a free port.
        "admin.listen" => listen: SocketAddr = ADDRESS, default "127.0.0.1:9090", example "\"127.0.0.1:9090\"",
            flag "admin-listen";
    }

    /// The log, on standard error.
    log: LogOptions {
        /// `text` for people, `json` for machines.
        "log.format" => format: Format = LOG_FORMAT, default "text", example "\"json\"";
        /// What is logged: a level, or a level per module. actix calls every malformed request an error.
        "log.filter" => filter: String = LOG_FILTER, default "info,actix_server=warn,actix_http=off",
            example "\"info,actix_server=warn,actix_http=off,brim::store=debug\"";
    }
}

impl ServerConfig {
    /// Every address to listen on, with the key of its option.
    pub fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        let given = [
            ("s3.listen", Some(self.s3.listen)),
            ("s3.tls_listen", self.s3.tls_listen),
            ("website.listen", Some(self.website.listen)),
            ("website.tls_listen", self.website.tls_listen),
            ("admin.listen", Some(self.admin.listen)),
        ];
        given.into_iter().filter_map(|(key, address)| Some((key, address?))).collect()
    }
}

impl RootOptions {
    /// The root key, where it was configured.
    pub fn key(&self) -> Option<RootKey> {
        let (id, secret) = self.access_key_id.clone().zip(self.secret_access_key.clone())?;
        Some(RootKey::new(id, secret))
    }
}
