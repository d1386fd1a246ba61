//! What a decision costs: a user's policies and a bucket's policy of 20 statements, with and without conditions; and how many
//! allocations it makes, printed before the times.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use brim::access::{
    Arn, Attached, Caller, Context, Ownership, Policy, PolicyKind, Principal, PublicAccessBlock, Rules, Value, decide,
};
use brim::clock::Timestamp;
use brim::names::{AccountId, BucketName};
use criterion::{Criterion, criterion_group, criterion_main};

/// The system's allocator, which counts.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const STATEMENTS: usize = 20;

/// A policy of which only the last statement allows a read of `data/`, after 19 that come close.
fn policy(kind: PolicyKind<'_>, conditions: bool) -> Policy {
    let mut text = r#"{"Version":"2012-10-17","Statement":["#.to_owned();
    let principal = match kind {
        PolicyKind::Bucket { .. } => r#""Principal":{"AWS":["arn:aws:iam::111122223333:user/alice","444455556666"]},"#,
        _ => "",
    };
    let condition = match conditions {
        true => {
            r#","Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","203.0.113.0/24"]},"Bool":{"aws:SecureTransport":"true"},"StringLike":{"aws:UserAgent":"aws-*"}}"#
        }
        false => "",
    };
    for number in 1..=STATEMENTS {
        let (effect, prefix) = match number {
            STATEMENTS => ("Allow", "data/*".to_owned()),
            _ if number % 5 == 0 => ("Deny", format!("secret-{number}/*/${{aws:username}}/*")),
            _ => ("Allow", format!("team-{number}/*.txt")),
        };
        write!(
            text,
            r#"{{"Sid":"S{number}","Effect":"{effect}",{principal}"Action":["s3:PutObject","s3:Get*","s3:DeleteObject"],"Resource":["arn:aws:s3:::bench-bucket/{prefix}"]{condition}}}{}"#,
            if number < STATEMENTS { "," } else { "]}" }
        )
        .expect("writing to a string");
    }
    Policy::parse(text.as_bytes(), kind).expect("a valid policy")
}

fn alice(policies: Arc<[Attached]>) -> Caller {
    let account = "111122223333".parse().expect("an account");
    Caller {
        principal: Principal::User { account, path: "/".to_owned(), name: "alice".to_owned() },
        user_id: "AIDACKCEVSQ6C2EXAMPLE".to_owned(),
        canonical_id: "1".repeat(64),
        policies,
        session_policies: None,
    }
}

fn context() -> Context<'static> {
    let mut context = Context::at(Timestamp::from_seconds(1_700_000_000));
    context.push("aws:SourceIp", Value::Address([203, 0, 113, 9].into()));
    context.push("aws:SecureTransport", true);
    context.push("aws:UserAgent", "aws-cli/2.15.0 Python/3.11.6 Linux/6.5.0 exe/x86_64");
    context
}

fn decisions(criterion: &mut Criterion) {
    let bucket = BucketName::parse("bench-bucket").expect("a bucket's name");
    let owner: AccountId = "111122223333".parse().expect("an account");
    let resource = Arn::object(&bucket, "data/2023/11/14/part-00017-of-00256.parquet");
    let context = context();
    let mut group = criterion.benchmark_group("decide");
    for (name, conditions, of_bucket) in [
        ("identity policy", false, false),
        ("identity policy, conditions", true, false),
        ("bucket policy", false, true),
        ("bucket policy, conditions", true, true),
    ] {
        let bucket_policy = of_bucket.then(|| policy(PolicyKind::Bucket { bucket: &bucket }, conditions));
        let attached =
            |policy| Attached { name: "user alice, inline policy bench".to_owned(), policy: Arc::new(policy) };
        let own = (!of_bucket).then(|| attached(policy(PolicyKind::Identity, conditions)));
        let caller = alice(own.into_iter().collect());
        let rules = Rules {
            bucket_owner: &owner,
            bucket_policy: bucket_policy.as_ref(),
            ownership: Ownership::default(),
            block: PublicAccessBlock::default(),
            bucket_acl: None,
            object: None,
        };
        let once = || decide(black_box(&caller), "s3:GetObject", black_box(&resource), &context, &rules).allowed;
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        assert!(once(), "the last statement allows it");
        let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
        println!("{name}, {STATEMENTS} statements: {allocations} allocations a decision");
        group.bench_function(name, |b| b.iter(once));
    }
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
