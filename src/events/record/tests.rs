//! Records against the examples that AWS, MinIO and CloudEvents publish, with this server's names in them.

use serde_json::{Value, json};

use super::*;
use crate::events::rules::tests::rule;
use crate::names::{AccountId, BucketId, ETag, ObjectKey};
use crate::store::change::{Cause, ChangeKind};

const LOG: LogId = LogId([0xab; 16]);

fn change(kind: ChangeKind, key: &str) -> Change {
    Change {
        at: Timestamp::from_millis(1_700_000_000_123),
        account: "444455556666".parse::<AccountId>().unwrap(),
        bucket_id: BucketId(7),
        bucket: BucketName::parse("example-bucket").unwrap(),
        key: Some(ObjectKey::parse(key).unwrap()),
        version: None,
        kind,
        size: 1024,
        etag: Some("d41d8cd98f00b204e9800998ecf8427f".parse::<ETag>().unwrap()),
        cache_tags: vec!["a".to_owned()],
        cause: Cause {
            principal: "AIDAJDPLRKLG7UEXAMPLE".to_owned(),
            source_address: "127.0.0.1".to_owned(),
            request_id: "C3D13FE58DE4C810".to_owned(),
        },
    }
}

fn event_of(change: Change, position: u64) -> Event {
    let origin = Origin { log: LOG, region: "us-west-2".into(), host_id: "FMyUVURIY8/IgAtTv8".into() };
    let rule = rule("testConfigRule", "hooks", "s3:ObjectCreated:*", ("", ""));
    let name = EventName::of(change.kind).unwrap();
    Event::new(&rule, name, Arc::new(change), Position(position), &origin)
}

fn event(kind: ChangeKind, key: &str) -> Event {
    event_of(change(kind, key), 0x55AE_D6DC)
}

fn body(message: &Message) -> Value {
    serde_json::from_slice(&message.body).unwrap()
}

fn record_of(event: &Event) -> Value {
    body(&render(Format::S3, std::slice::from_ref(event)))["Records"][0].clone()
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>, the example of version 2.1.
#[test]
fn a_put_is_told_as_in_the_example_of_aws() {
    let message = render(Format::S3, &[event(ChangeKind::Put, "HappyFace.jpg")]);
    let expected = json!({"Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-west-2",
        "eventTime": "2023-11-14T22:13:20.123Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AIDAJDPLRKLG7UEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8/IgAtTv8"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "testConfigRule",
            "bucket": {
                "name": "example-bucket",
                "ownerIdentity": {"principalId": "444455556666"},
                "arn": "arn:aws:s3:::example-bucket"
            },
            "object": {
                "key": "HappyFace.jpg",
                "size": 1024,
                "eTag": "d41d8cd98f00b204e9800998ecf8427f",
                "sequencer": "0000000055AED6DC"
            }
        }
    }]});
    assert_eq!(body(&message), expected);
    assert_eq!((message.content_type, message.headers.len()), ("application/json", 0));
    assert_eq!(message.id, format!("msg_{LOG}_0000000055aed6dc"));
}

/// What AWS was seen to send, event by event.
#[test]
fn each_event_has_the_fields_that_it_has_at_aws() {
    let full =
        json!({"key": "k", "size": 1024, "eTag": "d41d8cd98f00b204e9800998ecf8427f", "sequencer": "0000000055AED6DC"});
    let annotated = json!({"key": "k", "eTag": "d41d8cd98f00b204e9800998ecf8427f"});
    let removed = json!({"key": "k", "sequencer": "0000000055AED6DC"});
    let marked = json!({"key": "k", "eTag": "d41d8cd98f00b204e9800998ecf8427e", "sequencer": "0000000055AED6DC"});
    for (kind, name, version, object) in [
        (ChangeKind::Put, "ObjectCreated:Put", "2.1", &full),
        (ChangeKind::Post, "ObjectCreated:Post", "2.1", &full),
        (ChangeKind::Copy, "ObjectCreated:Copy", "2.1", &full),
        (ChangeKind::Rename, "ObjectCreated:Copy", "2.1", &full),
        (ChangeKind::CompleteMultipart, "ObjectCreated:CompleteMultipartUpload", "2.1", &full),
        (ChangeKind::Delete, "ObjectRemoved:Delete", "2.1", &removed),
        (ChangeKind::DeleteMarker, "ObjectRemoved:DeleteMarkerCreated", "2.1", &marked),
        (ChangeKind::Tagging, "ObjectTagging:Put", "2.3", &annotated),
        (ChangeKind::Untagging, "ObjectTagging:Delete", "2.3", &annotated),
        (ChangeKind::Acl, "ObjectAcl:Put", "2.3", &annotated),
    ] {
        let classic = event(kind, "k");
        let record = record_of(&classic);
        assert_eq!((&record["eventName"], &record["eventVersion"]), (&json!(name), &json!(version)));
        assert_eq!(record["s3"]["object"], *object, "{name}");
        let unified = record_of(&Event { version: RecordVersion::Unified, ..classic });
        assert_eq!((&unified["eventVersion"], &unified["s3"]["object"]), (&json!("2.5"), object), "{name}");
    }
}

#[test]
fn versions_and_parts_are_told() {
    let version = Some("096fKKXTRTtl3on89fVO.nfljtsv6qko".to_owned());
    let etag = Some("8eabe9d6b43316e840b079170916c079-1".parse().unwrap());
    let record = record_of(&event_of(Change { version, etag, ..change(ChangeKind::CompleteMultipart, "k") }, 9));
    assert_eq!(record["s3"]["object"]["versionId"], "096fKKXTRTtl3on89fVO.nfljtsv6qko");
    assert_eq!(record["s3"]["object"]["eTag"], "8eabe9d6b43316e840b079170916c079-1");
}

#[test]
fn keys_are_encoded_as_forms_are() {
    for (key, encoded) in [
        ("red flower.jpg", "red+flower.jpg"),
        ("a@b", "a%40b"),
        ("testupload/dir1/testfile.txt", "testupload/dir1/testfile.txt"),
        ("a+b%/é", "a%2Bb%25/%C3%A9"),
        ("\u{1}\"<", "%01%22%3C"),
    ] {
        assert_eq!(record_of(&event(ChangeKind::Put, key))["s3"]["object"]["key"], encoded, "{key}");
    }
}

#[test]
fn sequencers_grow_with_the_log_whatever_the_clock_says() {
    let sequencer = |position| {
        let record = record_of(&event_of(change(ChangeKind::Put, "k"), position));
        record["s3"]["object"]["sequencer"].as_str().unwrap().to_owned()
    };
    let positions = [0, 1, 9, 0xf, 0x10, 0xffff_ffff, 0x1_0000_0000, u64::MAX];
    let shown = positions.map(sequencer);
    assert!(shown.is_sorted() && shown.iter().all(|text| text.len() == 16), "{shown:?}");
}

/// <https://github.com/minio/minio/blob/master/docs/bucket/notifications/README.md>, its example of a webhook.
#[test]
fn minio_s_envelope_has_its_names_and_the_key_twice() {
    let message = render(Format::Minio, &[event(ChangeKind::Put, "images/my photo.jpg")]);
    let body = body(&message);
    assert_eq!(body["EventName"], "s3:ObjectCreated:Put");
    assert_eq!(body["Key"], "example-bucket/images/my photo.jpg");
    let record = &body["Records"][0];
    assert_eq!(record["eventVersion"], "2.0");
    assert_eq!(record["eventSource"], "minio:s3");
    assert_eq!(record["eventName"], "s3:ObjectCreated:Put");
    assert_eq!(record["s3"]["object"]["key"], "images%2Fmy+photo.jpg");
    assert_eq!(record["s3"]["configurationId"], "testConfigRule");
    assert_eq!(
        record["requestParameters"],
        json!({"principalId": "AIDAJDPLRKLG7UEXAMPLE", "region": "us-west-2", "sourceIPAddress": "127.0.0.1"})
    );
    assert_eq!(record["source"], json!({"host": "127.0.0.1", "port": "", "userAgent": ""}));
}

/// <https://github.com/cloudevents/spec/blob/main/cloudevents/adapters/aws-s3.md>
#[test]
fn cloudevents_have_the_attributes_of_the_adapter() {
    let event = event(ChangeKind::Delete, "a b@c");
    let message = render(Format::CloudEventsStructured, std::slice::from_ref(&event));
    let expected = json!({
        "specversion": "1.0",
        "id": "C3D13FE58DE4C810.FMyUVURIY8/IgAtTv8.0000000055AED6DC",
        "source": "aws:s3.us-west-2.example-bucket",
        "type": "com.amazonaws.s3.ObjectRemoved:Delete",
        "subject": "a+b%40c",
        "time": "2023-11-14T22:13:20.123Z",
        "datacontenttype": "application/json",
        "data": record_of(&event),
    });
    assert_eq!((body(&message), message.content_type), (expected, "application/cloudevents+json"));

    let binary = render(Format::CloudEventsBinary, std::slice::from_ref(&event));
    let header = |name: &str| {
        let found = binary.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    assert_eq!(header("ce-specversion"), "1.0");
    assert_eq!(header("ce-id"), "C3D13FE58DE4C810.FMyUVURIY8/IgAtTv8.0000000055AED6DC");
    assert_eq!(header("ce-source"), "aws:s3.us-west-2.example-bucket");
    assert_eq!(header("ce-type"), "com.amazonaws.s3.ObjectRemoved:Delete");
    assert_eq!(header("ce-time"), "2023-11-14T22:13:20.123Z");
    // The binding encodes what an attribute has of percent signs once more.
    assert_eq!(header("ce-subject"), "a+b%2540c");
    assert_eq!((body(&binary), binary.content_type), (record_of(&event), "application/json"));
    assert_eq!((binary.headers.len(), binary.id), (6, message.id));
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>, "Object created" and "Object deleted".
#[test]
fn eventbridge_gets_its_own_envelope() {
    let version = Some("IYV3p45BT0ac8hjHg1houSdS1a.Mro8e".to_owned());
    let created = event_of(Change { version: version.clone(), ..change(ChangeKind::Put, "example key") }, 5);
    let told = body(&render(Format::EventBridge, std::slice::from_ref(&created)));
    let id = told["id"].as_str().unwrap().to_owned();
    let expected = json!({
        "version": "0",
        "id": id,
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "444455556666",
        "time": "2023-11-14T22:13:20Z",
        "region": "us-west-2",
        "resources": ["arn:aws:s3:::example-bucket"],
        "detail": {
            "version": "0",
            "event-version": "1.0",
            "bucket": {"name": "example-bucket"},
            "object": {
                "key": "example key",
                "size": 1024,
                "etag": "d41d8cd98f00b204e9800998ecf8427f",
                "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
                "sequencer": "0000000000000005"
            },
            "request-id": "C3D13FE58DE4C810",
            "requester": "AIDAJDPLRKLG7UEXAMPLE",
            "source-ip-address": "127.0.0.1",
            "reason": "PutObject"
        }
    });
    assert_eq!(told, expected);
    assert!(id.len() == 36 && id.split('-').count() == 5 && &id[14..15] == "8", "{id}");
    let marked =
        body(&render(Format::EventBridge, &[event_of(Change { version, ..change(ChangeKind::DeleteMarker, "k") }, 6)]));
    assert_eq!(marked["detail-type"], "Object Deleted");
    assert_eq!(marked["detail"]["deletion-type"], "Delete Marker Created");
    assert_eq!(marked["detail"]["reason"], "DeleteObject");
    assert_eq!(marked["detail"]["object"]["etag"], "d41d8cd98f00b204e9800998ecf8427e");
    assert_ne!(marked["id"], id.as_str());
    for (kind, detail_type) in [
        (ChangeKind::Delete, "Object Deleted"),
        (ChangeKind::Acl, "Object ACL Updated"),
        (ChangeKind::Tagging, "Object Tags Added"),
        (ChangeKind::Untagging, "Object Tags Deleted"),
    ] {
        assert_eq!(body(&render(Format::EventBridge, &[event(kind, "k")]))["detail-type"], detail_type);
    }
}

#[test]
fn several_events_are_told_in_their_order_and_none_is_lost() {
    let events: Vec<Event> = (1..=3).map(|at| event_of(change(ChangeKind::Put, &format!("k{at}")), at)).collect();
    let keys = |list: &Value, path: &str| {
        list.as_array()
            .unwrap()
            .iter()
            .map(|one| one.pointer(path).unwrap().as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let expected = ["k1", "k2", "k3"];
    for (format, list, path) in [
        (Format::S3, "/Records", "/s3/object/key"),
        (Format::Minio, "/Records", "/s3/object/key"),
        (Format::CloudEventsStructured, "", "/subject"),
        (Format::CloudEventsBinary, "", "/subject"),
        (Format::EventBridge, "", "/detail/object/key"),
    ] {
        let message = render(format, &events);
        assert_eq!(keys(body(&message).pointer(list).unwrap(), path), expected, "{format:?}");
        assert_eq!(message.id, format!("msg_{LOG}_0000000000000001_0000000000000003"));
        assert!(message.headers.is_empty());
    }
    assert_eq!(render(Format::CloudEventsBinary, &events).content_type, "application/cloudevents-batch+json");
}

#[test]
fn ids_name_the_events_and_read_back() {
    let one = render(Format::S3, &[event_of(change(ChangeKind::Put, "k"), 5)]).id;
    assert_eq!(parse_message_id(&one), Some((LOG, Position(5), Position(5))));
    let several =
        render(Format::S3, &[event_of(change(ChangeKind::Put, "k"), 5), event_of(change(ChangeKind::Put, "k"), 77)]).id;
    assert_eq!(parse_message_id(&several), Some((LOG, Position(5), Position(77))));
    assert!(!one.contains('.') && !several.contains('.'));
    for other in [
        "",
        "msg_",
        "msg_test_C3D13FE58DE4C810",
        &one[4..],
        &format!("{one}_"),
        &format!("{several}_1"),
        &one.to_uppercase(),
    ] {
        assert_eq!(parse_message_id(other), None, "{other}");
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>, the test message.
#[test]
fn the_test_message_is_that_of_aws() {
    let bucket = BucketName::parse("example-bucket").unwrap();
    let message = test_event(
        &bucket,
        "5582815E1AEA5ADF",
        "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3e",
        Timestamp::from_millis(1_413_215_822_089),
    );
    assert_eq!(
        String::from_utf8(message.body.to_vec()).unwrap(),
        "{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Time\":\"2014-10-13T15:57:02.089Z\",\
         \"Bucket\":\"example-bucket\",\"RequestId\":\"5582815E1AEA5ADF\",\"HostId\":\"8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3e\"}"
    );
    assert_eq!(message.id, "msg_test_5582815E1AEA5ADF");
}

#[test]
fn formats_have_names_that_read_back() {
    for (format, name) in Format::NAMES {
        assert_eq!((Format::parse(name), format.as_str()), (Some(format), name));
        assert_eq!(serde_json::to_value(format).unwrap(), name);
    }
    assert_eq!(Format::parse("S3"), None);
    assert!(Format::S3.takes_several() && !Format::Minio.takes_several());
}
