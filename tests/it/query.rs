//! IAM and STS over HTTP, as clients that nobody wrote would use them: what is refused, and how.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings, sign};
use aws_sigv4::sign::v4;

use crate::harness::Server;
use crate::identities::wait_for;
use crate::raw::{Answer, Raw};
use crate::signed::{Payload, REGION, Signed, SignedHead};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
const IAM: &str = "2010-05-08";
const STS: &str = "2011-06-15";

/// Keys, and the session token that belongs to temporary ones.
#[derive(Clone)]
pub struct Caller {
    pub client: Signed,
    pub token: Option<String>,
}

impl Caller {
    fn root(server: &Server) -> Self {
        Self { client: server.client(), token: None }
    }

    /// The credentials that an answer holds.
    pub fn of(server: &Server, answer: &Answer) -> Self {
        let element = |name: &str| answer.element(name).unwrap_or_else(|| panic!("{}", answer.text()));
        let client = Signed::new(server.s3, &element("AccessKeyId"), &element("SecretAccessKey"));
        Self { client, token: answer.element("SessionToken") }
    }

    fn sign_at(&self, time: SystemTime, service: &str, method: &str, target: &str, body: &[u8]) -> SignedHead {
        let host = self.client.address.to_string();
        let mut headers = vec![("host", host.as_str())];
        if method == "POST" {
            headers.push(FORM);
        }
        self.sign_headers(time, service, method, target, &headers, body)
    }

    fn sign_headers(
        &self,
        time: SystemTime,
        service: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> SignedHead {
        let (instructions, signature) =
            self.signed(time, service, method, target, headers, body, SigningSettings::default());
        let mut all: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.extend(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())));
        SignedHead { method: method.to_owned(), target: target.to_owned(), headers: all, signature, time }
    }

    /// A target with the signature in its query, good for a minute.
    fn presign(&self, service: &str, method: &str, target: &str) -> String {
        let host = self.client.address.to_string();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(60));
        let headers = [("host", host.as_str())];
        let (instructions, _) = self.signed(SystemTime::now(), service, method, target, &headers, b"", settings);
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let query: Vec<String> = instructions
            .params()
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name).replace("%2D", "-"), encode(value)))
            .collect();
        format!("{target}&{}", query.join("&"))
    }

    #[expect(clippy::too_many_arguments, reason = "a request has that many parts")]
    fn signed(
        &self,
        time: SystemTime,
        service: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        settings: SigningSettings,
    ) -> (aws_sigv4::http_request::SigningInstructions, String) {
        let host = self.client.address;
        let (access_key, secret_key) = (self.client.access_key.as_str(), self.client.secret_key.as_str());
        let identity = Credentials::new(access_key, secret_key, self.token.clone(), None, "test").into();
        let params = v4::SigningParams::builder().identity(&identity).region(REGION).name(service).time(time);
        let params: SigningParams = params.settings(settings).build().expect("all parameters").into();
        let uri = format!("http://{host}{target}");
        let request = SignableRequest::new(method, uri, headers.iter().copied(), SignableBody::Bytes(body));
        sign(request.expect("a signable request"), &params).expect("a signature").into_parts()
    }

    async fn send(&self, service: &str, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        let head = self.sign_at(SystemTime::now(), service, "POST", "/", body);
        self.client.send_head(&head, body).await
    }

    async fn iam(&self, action: &str) -> Answer {
        self.send("iam", format!("Version={IAM}&Action={action}")).await
    }

    pub async fn sts(&self, action: &str) -> Answer {
        self.send("sts", format!("Version={STS}&Action={action}")).await
    }

    /// As [`Self::iam`], and it must succeed.
    pub async fn done(&self, action: &str) -> Answer {
        let answer = self.iam(action).await;
        assert_eq!(answer.status, 200, "{action}: {}", answer.text());
        answer
    }
}

/// A user with keys of its own.
async fn user(server: &Server, name: &str) -> Caller {
    let root = Caller::root(server);
    root.done(&format!("CreateUser&UserName={name}")).await;
    let key = root.done(&format!("CreateAccessKey&UserName={name}")).await;
    Caller::of(server, &key)
}

fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.error(), (status, code.to_owned()), "{}", answer.text());
    assert!(answer.text().contains("<ErrorResponse xmlns=\"https://"), "{}", answer.text());
    assert_eq!(answer.element("RequestId").as_deref(), answer.header("x-amzn-requestid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_caller_is_told_who_he_is_by_form_and_by_url() {
    let server = Server::start();
    let root = Caller::root(&server);
    let answer = root.sts("GetCallerIdentity").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.element("Arn").unwrap(), "arn:aws:iam::000000000000:root");
    assert_eq!(answer.element("Account").unwrap(), "000000000000");
    assert!(answer.text().contains("<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"));
    assert!(answer.header("content-type").unwrap().starts_with("text/xml"));

    let target = format!("/?Action=GetCallerIdentity&Version={STS}");
    let head = root.sign_at(SystemTime::now(), "sts", "GET", &target, b"");
    assert_eq!(root.client.send_head(&head, b"").await.status, 200);
    let presigned = root.presign("sts", "GET", &target);
    let mut connection = Raw::connect(server.s3).await;
    connection.send(format!("GET {presigned} HTTP/1.1\r\nhost: {}\r\n\r\n", server.s3)).await;
    let answer = connection.answer().await;
    assert_eq!(answer.element("Account").as_deref(), Some("000000000000"), "{}", answer.text());

    let other = presigned.replace("GetCallerIdentity", "GetSessionToken");
    connection.send(format!("GET {other} HTTP/1.1\r\nhost: {}\r\n\r\n", server.s3)).await;
    assert_refused(&connection.answer().await, 403, "SignatureDoesNotMatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_who_he_says_is_refused() {
    let server = Server::start();
    let root = Caller::root(&server);
    let body = format!("Version={STS}&Action=GetCallerIdentity");

    let wrong = Signed::new(server.s3, &root.client.access_key, "wrong");
    assert_refused(&Caller { client: wrong, token: None }.sts("GetCallerIdentity").await, 403, "SignatureDoesNotMatch");
    let unknown = Signed::new(server.s3, "AKIAUNKNOWNUNKNOWN00", "wrong");
    assert_refused(
        &Caller { client: unknown, token: None }.sts("GetCallerIdentity").await,
        403,
        "InvalidClientTokenId",
    );
    let with_token = Caller { token: Some("invented".to_owned()), ..root.clone() };
    assert_refused(&with_token.sts("GetCallerIdentity").await, 403, "InvalidClientTokenId");

    let head = root.sign_at(SystemTime::now(), "sts", "POST", "/", body.as_bytes());
    let changed = body.replace("GetCallerIdentity", "GetSessionToken");
    assert_refused(&root.client.send_head(&head, changed.as_bytes()).await, 403, "SignatureDoesNotMatch");
    for (time, words) in [
        (SystemTime::now() - Duration::from_secs(3600), "Signature expired: "),
        (SystemTime::now() + Duration::from_secs(3600), "Signature not yet current: "),
    ] {
        let head = root.sign_at(time, "sts", "POST", "/", body.as_bytes());
        let answer = root.client.send_head(&head, body.as_bytes()).await;
        assert_refused(&answer, 403, "SignatureDoesNotMatch");
        assert!(answer.element("Message").unwrap().starts_with(words), "{}", answer.text());
    }

    let mut connection = Raw::connect(server.s3).await;
    let length = body.len();
    let unsigned =
        format!("POST / HTTP/1.1\r\nhost: h\r\ncontent-type: {}\r\ncontent-length: {length}\r\n\r\n{body}", FORM.1);
    connection.send(unsigned).await;
    assert_refused(&connection.answer().await, 403, "MissingAuthenticationToken");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_actions_and_malformed_parameters_have_their_codes() {
    let server = Server::start();
    let root = Caller::root(&server);
    for (body, status, code) in [
        ("", 400, "MissingAction"),
        ("Version=2010-05-08", 400, "MissingAction"),
        ("{\"Action\":\"GetUser\"}", 400, "MissingAction"),
        ("Action=CreateInstanceProfile&Version=2010-05-08", 400, "InvalidAction"),
        ("Action=GetCallerIdentity&Version=2011-06-15", 400, "InvalidAction"),
        ("Action=GetUser&Version=2011-06-15", 400, "InvalidAction"),
        ("Action=GetUser", 400, "InvalidAction"),
        ("Action=GetUser&Version=2010-05-08&UserName=a&UserName=a", 404, "MalformedQueryString"),
        ("Action=GetUser&Version=2010-05-08&UserName=%zz", 404, "MalformedQueryString"),
        ("Action=GetUser&Version=2010-05-08&UserName=%ff", 404, "MalformedQueryString"),
        ("Action=CreateUser&Version=2010-05-08&UserName=a&Tags.member.1.Key=k", 501, "NotImplemented"),
        ("Action=CreateUser&Version=2010-05-08&UserName=a&PermissionsBoundary=x", 501, "NotImplemented"),
        ("Action=CreateUser&Version=2010-05-08&username=a", 501, "NotImplemented"),
        ("Action=CreateUser&Version=2010-05-08", 400, "ValidationError"),
        ("Action=CreateUser&Version=2010-05-08&UserName=", 400, "ValidationError"),
        ("Action=CreateUser&Version=2010-05-08&UserName=a/b", 400, "ValidationError"),
        ("Action=CreateUser&Version=2010-05-08&UserName=a&Path=b", 400, "ValidationError"),
        ("Action=ListUsers&Version=2010-05-08&MaxItems=0", 400, "ValidationError"),
        ("Action=ListUsers&Version=2010-05-08&MaxItems=ten", 400, "MalformedInput"),
        ("Action=ListUsers&Version=2010-05-08&Marker=%21", 400, "ValidationError"),
        ("Action=GetPolicy&Version=2010-05-08&PolicyArn=x", 400, "InvalidInput"),
        (
            "Action=GetPolicyVersion&Version=2010-05-08&PolicyArn=arn:aws:iam::000000000000:policy/p&VersionId=1",
            400,
            "ValidationError",
        ),
        ("Action=GetUser&Version=2010-05-08&UserName=nobody", 404, "NoSuchEntity"),
        (
            "Action=UpdateAccessKey&Version=2010-05-08&UserName=nobody&AccessKeyId=AKIAUNKNOWNUNKNOWN00&Status=On",
            400,
            "ValidationError",
        ),
        (
            "Action=PutUserPolicy&Version=2010-05-08&UserName=nobody&PolicyName=p&PolicyDocument=%7B%7D",
            404,
            "NoSuchEntity",
        ),
    ] {
        assert_refused(&root.send("iam", body).await, status, code);
    }
    let answer = root.send("iam", b"Action=GetUser&Version=2010-05-08&UserName=\xff").await;
    assert_refused(&answer, 404, "MalformedQueryString");
    let many: String = (0..200).map(|number| format!("p{number}=x&")).collect();
    assert_refused(&root.send("iam", many).await, 404, "MalformedQueryString");
    assert!(root.done("ListUsers").await.elements("UserName").is_empty(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_bound_of_size_and_time() {
    let server = Server::start_with(&[("BRIM_LIMITS_BODY_IDLE_TIMEOUT", "1s")]);
    let root = Caller::root(&server);
    let fits = format!("Action=GetUser&Version={IAM}&UserName={}", "x".repeat(200 * 1024));
    assert_refused(&root.send("iam", fits).await, 400, "ValidationError");
    let large = format!("Action=GetUser&Version={IAM}&UserName={}", "x".repeat(256 * 1024));
    let head = root.sign_at(SystemTime::now(), "iam", "POST", "/", large.as_bytes());

    let mut announced = Raw::connect(server.s3).await;
    announced.send(head.bytes(&[("content-length", &large.len().to_string()), ("expect", "100-continue")])).await;
    assert_refused(&announced.answer().await, 413, "RequestEntityTooLarge");
    let mut chunked = Raw::connect(server.s3).await;
    chunked.send(head.bytes(&[("transfer-encoding", "chunked")])).await;
    chunked.send(format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len())).await;
    assert_refused(&chunked.answer().await, 413, "RequestEntityTooLarge");

    let body = format!("Version={STS}&Action=GetCallerIdentity");
    let head = root.sign_at(SystemTime::now(), "sts", "POST", "/", body.as_bytes());
    let mut stalled = Raw::connect(server.s3).await;
    stalled.send(head.bytes(&[("content-length", &body.len().to_string())])).await;
    stalled.send(&body.as_bytes()[..10]).await;
    assert_refused(&stalled.answer().await, 408, "RequestTimeout");
    let mut patient = Raw::connect(server.s3).await;
    patient.send(head.bytes(&[("content-length", &body.len().to_string()), ("expect", "100-continue")])).await;
    assert_eq!(patient.next_line().await.as_deref(), Some("HTTP/1.1 100 Continue"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scope_of_the_signature_chooses_the_service() {
    let server = Server::start_with(&[("BRIM_S3_DOMAINS", "s3.localhost")]);
    let root = Caller::root(&server);
    let body = format!("Version={STS}&Action=GetCallerIdentity");
    let now = SystemTime::now();
    for host in ["s3.localhost", "bucket.s3.localhost", "sts.us-east-1.amazonaws.com"] {
        let head = root.sign_headers(now, "sts", "POST", "/", &[("host", host), FORM], body.as_bytes());
        assert_eq!(root.client.send_head(&head, body.as_bytes()).await.status, 200, "{host}");
    }
    for (service, method, target) in
        [("sqs", "POST", "/"), ("iam", "PUT", "/"), ("sts", "PUT", "/bucket/k"), ("iam", "GET", "/b/k")]
    {
        let head = root.sign_at(now, service, method, target, b"");
        let answer = root.client.send_head(&head, b"").await;
        assert_eq!(answer.error(), (400, "AuthorizationHeaderMalformed".to_owned()), "{service} {method} {target}");
    }
    let head = root.client.sign("POST", "/", &[FORM], Payload::Hashed(body.as_bytes()));
    let answer = root.client.send_head(&head, body.as_bytes()).await;
    assert_eq!(answer.error(), (501, "NotImplemented".to_owned()), "a form that is signed for S3 is S3's");
    assert_eq!(root.client.get("/").await.status, 200);

    let mut connection = Raw::connect(server.s3).await;
    let unsigned = format!(
        "POST / HTTP/1.1\r\nhost: bucket.s3.localhost\r\ncontent-type: {}\r\ncontent-length: 0\r\n\r\n",
        FORM.1
    );
    connection.send(unsigned).await;
    let answer = connection.answer().await;
    assert!(answer.text().contains("<Error><Code>"), "an unsigned form for a bucket is S3's: {}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_one_line_and_one_count_and_tells_no_secret() {
    let server = Server::start();
    let root = Caller::root(&server);
    let alice = user(&server, "alice").await;
    assert_refused(&alice.iam("NoSuchAction").await, 400, "InvalidAction");
    let session = root.sts("GetSessionToken").await;
    // Lines are written in their order, a moment later.
    wait_for("the last line", async || server.log().contains("op=\"GetSessionToken\"")).await;
    let log = server.log();
    for op in ["op=\"CreateUser\"", "op=\"CreateAccessKey\"", "op=\"Unknown\"", "op=\"GetSessionToken\""] {
        assert_eq!(log.matches(op).count(), 1, "{op} in {log}");
    }
    for secret in [
        alice.client.secret_key.clone(),
        session.element("SecretAccessKey").unwrap(),
        session.element("SessionToken").unwrap(),
        server.secret_key.clone(),
    ] {
        assert!(!log.contains(&secret), "a secret in the log");
    }
    let mut connection = Raw::connect(server.admin).await;
    connection.send("GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let metrics = connection.answer().await.text();
    assert!(metrics.contains("brim_requests_total{op=\"CreateUser\",status=\"2xx\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_at_once_get_no_more_keys_than_one_may_have() {
    let server = Server::start();
    let root = Caller::root(&server);
    root.done("CreateUser&UserName=alice").await;
    let ask = || async { root.iam("CreateAccessKey&UserName=alice").await };
    let answers = futures_util::future::join_all((0..8).map(|_| ask())).await;
    let made = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(made, 2);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.status, 409, "{}", answer.text());
    }
    assert_eq!(root.done("ListAccessKeys&UserName=alice").await.elements("AccessKeyId").len(), 2);
}
