//! Every key of the file, declared once: faults, defaults and `docs/edge-options.md` come from here.

/// One key of a table.
#[derive(Debug)]
pub struct Row {
    pub key: &'static str,
    /// Completes "expected ...".
    pub expects: &'static str,
    /// The default as it would be written; empty where there is none.
    pub default: &'static str,
    /// Whether values must never be shown.
    pub secret: bool,
    pub doc: &'static str,
}

/// A table of the file.
pub struct Section {
    /// As it is written in the file: `[disk]`, `[[site]]`; empty for what stands outside of all tables.
    pub name: &'static str,
    pub about: &'static str,
    pub rows: &'static [Row],
    /// Whether every key has an environment variable: `BRIM_EDGE_` and its name.
    pub environment: bool,
}

/// Makes rows: `key: default, expects, doc;`.
macro_rules! rows {
    ($($key:literal $(($secret:ident))? = $default:literal, $expects:expr, $doc:literal;)*) => {
        &[$(Row {
            key: $key,
            expects: $expects,
            default: $default,
            secret: rows!(@secret $($secret)?),
            doc: $doc,
        }),*]
    };
    (@secret secret) => { true };
    (@secret) => { false };
}

const ADDRESSES: &str = "a list of addresses with ports, such as 127.0.0.1:8080 or [::1]:8080";
const ADDRESS: &str = "an address with a port, such as 127.0.0.1:9091";
const SIZE: &str = "a size such as 256MiB";
const TIME: &str = "a time such as 500ms, 30s, 10m, 1h or 7d";
const TIME_OR_NONE: &str = "a time such as 30s, or 0s";
const SWITCH: &str = "true or false";
const PATH: &str = "a path";
const NETWORKS: &str = "a list of addresses or networks, such as 192.0.2.1 or 10.0.0.0/8";
const HEADERS: &str = "a list of header names";
const SELECTION: &str = "all, none, a list of names, or { except = [...] }";
const TEXT: &str = "a text";
const URL: &str = "an address that begins with http:// or https://";
const TABLES: &str = "a list of tables";
const TABLE: &str = "a table";

pub const PROCESS: &[Row] = rows! {
    "listen" = "127.0.0.1:8080", ADDRESSES, "Where HTTP is served. Port 0 takes a free port.";
    "tls_listen" = "", ADDRESSES, "Where HTTPS is served, with HTTP/2 for those who speak it. Needs a certificate.";
    "admin_listen" = "127.0.0.1:9091", ADDRESS, "Where `/healthz`, `/metrics`, `/sites` and `/purge` are. Reachable for operators alone: nothing here asks who they are.";
    "memory" = "256MiB", "a size from 1MiB", "What the memory tier may hold: bodies, headers and keys together.";
    "fill_memory" = "64MiB", "a size from 1MiB", "What answers may hold together while they are on their way from origins.";
    "workers" = "auto", "a number from 1 to 1024, or auto", "How many threads serve; `auto` is one per processor.";
    "shutdown_grace" = "30s", TIME, "How long requests in flight may take to end after SIGTERM or SIGINT. A second signal stops at once.";
    "https_port" = "auto", "a port, or auto", "Where clients are sent that must speak HTTPS; `auto` is the port of `tls_listen`. For who forwards port 443 to another.";
    "h2c" = "false", SWITCH, "Whether HTTP/2 without TLS is spoken on `listen`, to clients who begin with it.";
    "name" = "brim-edge", "1 to 64 letters, digits, hyphens, dots and underscores", "What this edge is called in `Via`, `CDN-Loop`, and where the server lists its edges.";
};

pub const DISK: &[Row] = rows! {
    "path" = "", PATH, "The directory; made at the first start. One process at a time may use it. Without it there is no disk tier.";
    "size" = "10GiB", "a size from 16MiB", "What it may hold. What was used longest ago goes first.";
};

pub const FEED: &[Row] = rows! {
    "url" = "", URL, "The server's S3 address, or the address of an edge that is a shield. Without it nothing but purges and time ends what is stored.";
    "access_key_id" = "", TEXT, "A key made by `brim key create --edge BUCKET`.";
    "secret_access_key" (secret) = "", TEXT, "Its secret.";
    "region" = "us-east-1", TEXT, "The region that requests are signed for.";
    "ca_bundle" = "", PATH, "Certificates in PEM that the server is trusted by, in place of the system's.";
    "relay" = "false", SWITCH, "Whether edges may read the feed from this edge, which makes it their shield.";
};

pub const LOG: &[Row] = rows! {
    "format" = "text", "text or json", "How the process writes of itself, on standard error.";
    "filter" = "info", "a filter such as info or brim::edge=debug,info", "What it writes of.";
};

pub const ACCESS_LOG: &[Row] = rows! {
    "directory" = "", PATH, "Where log files are written. Without it no request is logged.";
    "format" = "w3c", "w3c or json", "`w3c` has CloudFront's 33 fields; `json` has one object a line.";
    "rotate" = "1h", TIME, "After what time a file is closed, compressed as `SITE.YYYY-MM-DD-HH.ID.gz`, and a new one is begun.";
    "rotate_size" = "256MiB", "a size from 1MiB", "At what size it is closed before that.";
    "keep" = "7d", TIME, "After what time compressed files are deleted.";
    "upload" = "", "an S3 address with bucket and prefix, such as http://127.0.0.1:9000/logs/edge/", "Where compressed files are put as well.";
    "access_key_id" = "", TEXT, "The key for `upload`.";
    "secret_access_key" (secret) = "", TEXT, "Its secret.";
    "region" = "us-east-1", TEXT, "The region for `upload`.";
};

pub const LIMITS: &[Row] = rows! {
    "connections" = "20000", "a number from 1 to 1000000", "Client connections at once. Who comes when there are more waits for one to end.";
    "head_size" = "32KiB", "a size from 8KiB to 128KiB", "The longest head of a request: target and headers together.";
    "head_timeout" = "15s", TIME, "How long a request's head, and a TLS handshake, may take to arrive.";
    "keep_alive" = "60s", TIME, "How long a connection may stay open without a request.";
    "body_idle_timeout" = "30s", TIME, "How long a body may stand still, in either direction.";
    "transfer_rate" = "1KiB", "a size, for bytes a second; 0 is no bound", "What a client must take at least of an answer, averaged over `body_idle_timeout`.";
    "request_body" = "5TiB", SIZE, "The largest request body that is passed on.";
    "streams" = "100", "a number from 1 to 1000", "HTTP/2 requests at once on one connection.";
};

pub const PROXIES: &[Row] = rows! {
    "trusted" = "", NETWORKS, "Whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. The client is the last address in it that is not trusted.";
    "protocol" = "false", SWITCH, "Whether every connection from a trusted proxy begins with a PROXY protocol header, version 1 or 2. `listen` and `tls_listen` alike.";
};

pub const PURGE: &[Row] = rows! {
    "tokens" (secret) = "", "a list of texts of at least 16 visible characters", "Who sends one in `Authorization: Bearer TOKEN` may use the methods `PURGE` and, with `*` as the target, purge whole sites. Without any, `PURGE` is a method like others.";
    "from" = "", NETWORKS, "The addresses that `PURGE` is taken from; none is all of them.";
};

pub const ACME: &[Row] = rows! {
    "domains" = "", "a list of host names", "Hosts to get a certificate for, one each. The authority must reach `listen` at port 80 of each.";
    "agree_terms" = "false", SWITCH, "That you agree to the authority's terms of service. Must be true where `domains` is given.";
    "email" = "", TEXT, "Where the authority may write to.";
    "directory" = "https://acme-v02.api.letsencrypt.org/directory", "an address that begins with https://", "The authority's directory.";
    "ca_bundle" = "", PATH, "Certificates in PEM that the authority's own address is trusted by, in place of the system's.";
    "path" = "./brim-edge-acme", PATH, "Where the account and the certificates are kept.";
};

/// The lists of tables.
pub const LISTS: &[Row] = rows! {
    "site" = "", TABLES, "`[[site]]`.";
    "key" = "", TABLES, "`[[key]]`.";
};

pub const KEY: &[Row] = rows! {
    "id" = "", "1 to 64 letters, digits, hyphens and underscores", "What URLs and cookies call it: `Key-Pair-Id`. Must be given.";
    "public_key" = "", PATH, "A file with the public key in PEM, RSA of 2048 bits or ECDSA P-256. Must be given.";
    "group" = "default", TEXT, "The group that it belongs to; `signed_by` names groups.";
};

pub const SITE: &[Row] = rows! {
    "id" = "", "1 to 128 letters, digits, dots, hyphens and underscores", "What the site is called in purges, logs, metrics and as a distribution. Derived from its hosts where it is not given.";
    "hosts" = "", "a list of hosts: `www.example.com`, `*.example.com` for all below, or `*`", "The hosts that are this site. The exact name counts first, then the longest `*.`, then `*`. Must be given.";
    "origin" = "", "an address, or a table", "Where answers come from: an address, or the keys of an origin. Must be given.";
    "failover" = "", "an address, or a table", "A second origin, for GET, HEAD and OPTIONS that the first could not answer.";
    "failover_on" = "500,502,503,504", "a list of statuses from 400 to 599", "The first origin's statuses that have the second one asked, besides no answer at all.";
    "mode" = "normal", "normal, bypass or maintenance", "`bypass` has every request go to the origin, with nothing looked up or stored; `maintenance` answers 503.";
    "maintenance_page" = "", PATH, "A file of HTML for `maintenance`; without it, a plain sentence.";
    "behaviour" = "", TABLES, "How some of the paths behave: `[[site.behaviour]]`. Tried in the order of the file; for all others the site's own keys count.";
};

pub const BEHAVIOUR: &[Row] = rows! {
    "methods" = "", "a list of methods", "The methods that are let through, others are answered 405. Without it, all; in front of a bucket GET, HEAD and OPTIONS at most.";
    "cache" = "true", SWITCH, "`false` has every request go to the origin.";
    "min_ttl" = "0s", TIME_OR_NONE, "For how long answers are fresh at least. Above zero, it overrules `no-store`, `no-cache` and `private`.";
    "default_ttl" = "", TIME_OR_NONE, "For how long answers are fresh that say nothing of it. Without it, RFC 9111's rule: a tenth of their age where they have `Last-Modified`.";
    "max_ttl" = "", TIME_OR_NONE, "For how long answers are fresh at most. Without it, as long as they say.";
    "stale_while_revalidate" = "0s", TIME_OR_NONE, "For how long answers that do not say may be served stale while they are fetched anew.";
    "stale_if_error" = "1d", TIME_OR_NONE, "For how long answers that do not say may be served stale while the origin fails.";
    "error_ttl" = "", TIME_OR_NONE, "For how long errors are kept at least, as CloudFront's error caching minimum TTL: 404, 414, 500 to 504 always, 400, 403, 405, 412 and 415 where the origin gives a time. Without it, errors go by their headers alone.";
    "error_ttls" = "", "a table of statuses and times, such as { 404 = \"1m\" }", "The same for single statuses.";
    "honour_requests" = "false", SWITCH, "Whether `Cache-Control` and `Pragma` of requests count. Otherwise any client could have the origin asked.";
    "store_set_cookie" = "false", SWITCH, "Whether answers with `Set-Cookie` are stored that say neither `public` nor `s-maxage`.";
    "key_query" = "", SELECTION, "The query parameters that tell answers apart. Without it, `all`; in front of a bucket or website `none`.";
    "key_sort_query" = "false", SWITCH, "Whether the order of parameters is without meaning.";
    "key_headers" = "", HEADERS, "The request headers that tell answers apart.";
    "key_cookies" = "none", SELECTION, "The cookies that tell answers apart.";
    "bucket_query" = "", "a list of: partNumber, response-cache-control, response-content-disposition, response-content-encoding, response-content-language, response-content-type, response-expires, versionId", "The query parameters that a bucket is sent. They are part of the key.";
    "presigned" = "refuse", "refuse or pass", "What becomes of presigned S3 URLs in front of a bucket: 400, or passed on as they come and never stored.";
    "slices" = "true", SWITCH, "Whether ranges of large bodies are fetched and kept in slices of 1 MiB.";
    "compress" = "true", SWITCH, "Whether answers are compressed that CloudFront would compress: brotli, zstd or gzip, as clients accept.";
    "tag_headers" = "", HEADERS, "Headers that carry tags, besides `Surrogate-Key`, `Cache-Tag` and `x-amz-meta-cache-tag`.";
    "error_page" = "", TABLES, "Pages in place of errors: `[[site.error_page]]`.";
    "fallback" = "", "a path that begins with a slash", "The page of a single-page application: sent with 200 in place of 403 and 404, to paths whose last segment has no extension.";
    "headers" = "", TABLE, "What answers are given besides the origin's headers: `[site.headers]`.";
    "cache_status" = "true", SWITCH, "Whether answers carry `Cache-Status` (RFC 9211).";
    "allow" = "", NETWORKS, "Where given, only these clients are answered; others get 403.";
    "deny" = "", NETWORKS, "These clients get 403, whoever `allow` names.";
    "rate" = "", "a number, a slash and a time, such as 100/1s", "The requests that one client (an IPv4 address, or an IPv6 network of 64 bits) may make; more are answered 429.";
    "rate_burst" = "", "a number from 1 to 1000000", "How many may come at once. Without it, as many as `rate` names.";
    "signed_by" = "", "a list of groups of keys", "Where given, requests must carry a CloudFront signature by a key of these groups, in the URL or in cookies.";
    "https" = "optional", "optional, redirect or required", "What becomes of requests without TLS: answered, sent to HTTPS with 301 or 308, or refused with 403.";
};

/// What a behaviour has that a site has not.
pub const BEHAVIOUR_PATH: &[Row] = rows! {
    "path" = "", "a pattern such as /images/* or *.js", "The paths: `*` is any number of characters, `?` is one. Compared percent-decoded and without dot segments. Must be given.";
};

pub const ORIGIN: &[Row] = rows! {
    "url" = "", "an address that begins with http:// or https://, maybe with a path that goes before every request's", "A server's address. For a bucket or website, that of the S3 or website endpoint. Must be given.";
    "bucket" = "", "a bucket's name", "Answers are this bucket's objects, asked for at `url` by signed requests. `access_key_id` must be given.";
    "website" = "", "a bucket's name", "Answers are the website of this bucket, asked for at `url` by signed requests: index documents, redirects and error pages as the website says. `access_key_id` must be given.";
    "access_key_id" = "", TEXT, "The key that requests to a bucket or website are signed with.";
    "secret_access_key" (secret) = "", TEXT, "Its secret.";
    "region" = "us-east-1", TEXT, "The region that requests are signed for.";
    "host" = "", "a host, maybe with a port, or viewer", "What the origin is sent as `Host`; `viewer` is what the client asked for. Without it, the host of `url`; for a website `BUCKET.website.localhost`.";
    "sni" = "", "a host name", "The name in the TLS handshake, and in the certificate. Without it, that of `url`.";
    "ca_bundle" = "", PATH, "Certificates in PEM that the origin is trusted by, in place of the system's.";
    "client_certificate" = "", PATH, "The certificate in PEM that this edge shows to the origin.";
    "client_key" = "", PATH, "Its private key.";
    "headers" = "", "a table of names and values", "Headers that every request to the origin carries, in place of the client's.";
    "http2" = "true", SWITCH, "Whether HTTP/2 is offered to an origin over TLS. Never with `host = \"viewer\"`.";
    "connect_timeout" = "5s", TIME, "How long a connection, with its TLS handshake, may take; and how long a request waits for its turn.";
    "first_byte_timeout" = "30s", TIME, "How long the head of an answer may take.";
    "idle_timeout" = "30s", TIME, "How long a body may stand still.";
    "tunnel_timeout" = "10m", TIME, "How long a WebSocket or other tunnel may be silent in both directions.";
    "keep_alive" = "30s", TIME, "How long a connection is kept that nobody uses.";
    "kept" = "64", "a number from 0 to 65535", "How many connections are kept that nobody uses.";
    "requests" = "1024", "a number from 1 to 65535", "Requests at the origin at once. More wait for `connect_timeout`, then they fail.";
    "failures" = "5", "a number from 0 to 1000", "Connections in a row that do not come about, after which the origin is left alone for `pause`; 0 is never.";
    "pause" = "5s", TIME, "How long it is left alone before one request tries it again.";
};

pub const ERROR_PAGE: &[Row] = rows! {
    "status" = "", "one of 400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504", "The origin's status. Must be given.";
    "page" = "", "a path that begins with a slash", "The path of the page, which is fetched as its own behaviour says. Where it cannot be had, the origin's answer is sent. Must be given.";
    "as" = "", "a status from 200 to 599", "The status that clients get. Without it, the origin's.";
};

pub const HEADERS_POLICY: &[Row] = rows! {
    "set" = "", "a table of names and values", "Headers that answers get where the origin did not send them.";
    "override" = "", "a table of names and values", "Headers that answers get in place of the origin's.";
    "remove" = "", HEADERS, "Headers of the origin that are taken out.";
    "security" = "", "a table", "Headers for browsers: `[site.headers.security]`.";
    "cors" = "", "a table", "What pages of other origins may do: `[site.headers.cors]`.";
};

pub const SECURITY: &[Row] = rows! {
    "strict_transport_security" = "", "a header value", "`Strict-Transport-Security`.";
    "content_security_policy" = "", "a header value", "`Content-Security-Policy`.";
    "frame_options" = "", "DENY or SAMEORIGIN", "`X-Frame-Options`.";
    "referrer_policy" = "", "a header value", "`Referrer-Policy`.";
    "content_type_options" = "false", SWITCH, "`X-Content-Type-Options: nosniff`.";
    "override" = "false", SWITCH, "Whether these take the place of the origin's.";
};

pub const CORS: &[Row] = rows! {
    "origins" = "", "a list of origins, `*`, or with one `*` as in https://*.example.com", "The pages that may read answers.";
    "methods" = "GET,HEAD", "a list of methods, or ALL", "The methods that they may use.";
    "headers" = "", "a list of header names, or *", "The request headers that they may send.";
    "expose" = "", "a list of header names, or *", "The headers of answers that they may read.";
    "credentials" = "false", SWITCH, "Whether they may send cookies.";
    "max_age" = "10m", TIME, "How long browsers may remember this.";
    "override" = "false", SWITCH, "Whether this takes the place of the origin's.";
};

pub const SECTIONS: &[Section] = &[
    Section { name: "", about: "The process", rows: PROCESS, environment: true },
    Section { name: "[disk]", about: "The disk tier", rows: DISK, environment: true },
    Section { name: "[feed]", about: "The server's change feed", rows: FEED, environment: true },
    Section { name: "[limits]", about: "Limits of clients", rows: LIMITS, environment: true },
    Section { name: "[proxies]", about: "Proxies in front of the edge", rows: PROXIES, environment: true },
    Section { name: "[purge]", about: "Purging over HTTP", rows: PURGE, environment: true },
    Section { name: "[log]", about: "The log", rows: LOG, environment: true },
    Section { name: "[access_log]", about: "The access log", rows: ACCESS_LOG, environment: true },
    Section { name: "[acme]", about: "Certificates from an authority", rows: ACME, environment: true },
    Section { name: "[[key]]", about: "Keys of signed URLs and cookies", rows: KEY, environment: false },
    Section { name: "[[site]]", about: "Sites", rows: SITE, environment: false },
    Section { name: "[[site.behaviour]]", about: "How paths behave", rows: BEHAVIOUR_PATH, environment: false },
    Section {
        name: "[[site]] and [[site.behaviour]]",
        about: "What both a site and its behaviours have",
        rows: BEHAVIOUR,
        environment: false,
    },
    Section { name: "[site.origin] and [site.failover]", about: "Origins", rows: ORIGIN, environment: false },
    Section { name: "[[site.error_page]]", about: "Error pages", rows: ERROR_PAGE, environment: false },
    Section { name: "[site.headers]", about: "Headers of answers", rows: HEADERS_POLICY, environment: false },
    Section { name: "[site.headers.security]", about: "Security headers", rows: SECURITY, environment: false },
    Section { name: "[site.headers.cors]", about: "Cross-origin requests", rows: CORS, environment: false },
];

/// The keys that stand outside of lists, dotted, each with its section.
pub fn process_rows() -> impl Iterator<Item = (String, &'static Row)> {
    SECTIONS
        .iter()
        .filter(|section| section.environment)
        .flat_map(|section| section.rows.iter().map(move |row| (dotted(section.name, row.key), row)))
}

/// The variable of a dotted key.
pub fn variable(dotted: &str) -> String {
    format!("BRIM_EDGE_{}", dotted.to_ascii_uppercase().replace('.', "_"))
}

pub fn dotted(section: &str, key: &str) -> String {
    match section.trim_matches(['[', ']']) {
        "" => key.to_owned(),
        name => format!("{name}.{key}"),
    }
}
