import datetime
import email.header
import io

import pytest
from conftest import connect, stored
from expect import MIB, body_of, checksum, fails, md5, noise

INLINE_EDGE = 32 * 1024  # small objects live in the database up to here
BLOCK = 64 * 1024


@pytest.mark.parametrize("size", [0, 1, INLINE_EDGE - 1, INLINE_EDGE, INLINE_EDGE + 1, BLOCK, BLOCK + 1, 3 * MIB + 7])
def test_what_was_put_comes_back(s3, bucket, size):
    data = noise(size)
    put = s3.put_object(Bucket=bucket, Key="k", Body=data)
    assert put["ETag"] == f'"{md5(data)}"'
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 200
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentLength"], head["ETag"]) == (size, put["ETag"])
    got = s3.get_object(Bucket=bucket, Key="k")
    assert body_of(got) == data
    assert (got["ContentLength"], got["ETag"], got["AcceptRanges"]) == (size, put["ETag"], "bytes")
    assert got["LastModified"] == head["LastModified"]
    age = datetime.datetime.now(datetime.timezone.utc) - got["LastModified"]
    assert abs(age.total_seconds()) < 60


def test_an_overwrite_replaces_bytes_and_metadata(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=noise(MIB), Metadata={"old": "1"}, CacheControl="no-store")
    s3.put_object(Bucket=bucket, Key="k", Body=b"new")
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (body_of(got), got["Metadata"], "CacheControl" in got) == (b"new", {}, False)


def test_missing_things_have_their_own_codes(s3, bucket):
    answer = fails("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="absent/key")
    assert answer["Error"]["Key"] == "absent/key"
    metadata = answer["ResponseMetadata"]
    assert metadata["RequestId"] == metadata["HTTPHeaders"]["x-amz-request-id"]
    assert metadata["HostId"]
    assert metadata["HTTPHeaders"]["content-type"] == "application/xml"
    fails("404", 404, s3.head_object, Bucket=bucket, Key="absent/key")
    fails("NoSuchBucket", 404, s3.get_object, Bucket="absent-bucket-name", Key="k")
    fails("NoSuchBucket", 404, s3.put_object, Bucket="absent-bucket-name", Key="k", Body=b"v")
    fails("NoSuchBucket", 404, s3.list_objects_v2, Bucket="absent-bucket-name")
    assert s3.delete_object(Bucket=bucket, Key="absent/key")["ResponseMetadata"]["HTTPStatusCode"] == 204


AWKWARD_KEYS = [
    "a", "a/", "a/b", "a//b", "//", "/leading", "./dot", "../up", "a/../b", "a/./b", ".", "..", "a+b", "a b", " ", "a%2Fb", "%", "%zz",
    "q?x=1&y=2", "hash#tag", "tab\tkey", "line\nbreak", "\x01control\x1f", "return\rkey", "quote'\"<>&", "ünï/cødé/日本語/🪣", "e\u0301", "é",
    "semi;colon:at@eq=", "back\\slash", "tilde~star*(paren)!$,", "x" * 1024, "日" * 341, "trailing ", "trailing/", "{}|^`[]",
]


def test_every_key_is_kept_as_it_is(s3, bucket):
    expected = {key: key.encode() for key in AWKWARD_KEYS}
    for key, body in expected.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == sorted(AWKWARD_KEYS, key=str.encode)
    assert [entry["Key"] for entry in s3.list_objects(Bucket=bucket)["Contents"]] == listed
    assert stored(s3, bucket) == expected
    for key in AWKWARD_KEYS:
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
        assert body_of(s3.get_object(Bucket=bucket, Key="copy")) == key.encode()
    s3.delete_object(Bucket=bucket, Key="copy")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in AWKWARD_KEYS if key.isprintable()]})
    assert "Errors" not in answer
    for key in AWKWARD_KEYS:
        if not key.isprintable():
            s3.delete_object(Bucket=bucket, Key=key)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("key", ["x" * 1025, "日" * 342])
def test_a_key_above_1024_bytes_is_refused(s3, bucket, key):
    fails("KeyTooLongError", 400, s3.put_object, Bucket=bucket, Key=key, Body=b"")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_system_and_user_metadata_come_back_as_sent(s3, bucket):
    sent = {
        "ContentType": "text/x-thing; charset=utf-8",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de, en",
        "ContentDisposition": 'attachment; filename="a b.txt"',
        "CacheControl": "max-age=60, public",
        "WebsiteRedirectLocation": "/elsewhere",
    }
    expires = datetime.datetime(2031, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)
    metadata = {"mixed-case": "Value", "empty": "", "spaces": "a  b", "number": "1"}
    s3.put_object(Bucket=bucket, Key="k", Body=b"v", Expires=expires, Metadata=metadata, **sent)
    for answer in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        assert {name: answer[name] for name in sent} == sent
        assert answer["ResponseMetadata"]["HTTPHeaders"]["expires"] == "Mon, 03 Feb 2031 04:05:06 GMT"
        assert answer["Metadata"] == metadata


def test_metadata_names_are_lower_cased(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"CamelCase": "v"})
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"camelcase": "v"}


def test_encoded_metadata_keeps_its_meaning(s3, bucket):
    encoded = email.header.Header("naïve 日本", "utf-8").encode()
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"name": encoded})
    back = s3.head_object(Bucket=bucket, Key="k")["Metadata"]["name"]
    assert str(email.header.make_header(email.header.decode_header(back))) == "naïve 日本"


def test_user_metadata_is_bounded_at_2_kib(s3, bucket):
    s3.put_object(Bucket=bucket, Key="fits", Body=b"", Metadata={"n": "v" * 2047})
    fails("MetadataTooLarge", 400, s3.put_object, Bucket=bucket, Key="too-large", Body=b"", Metadata={"n": "v" * 2048})
    fails("404", 404, s3.head_object, Bucket=bucket, Key="too-large")


def test_the_content_type_is_guessed_only_where_none_was_given(s3, bucket):
    s3.put_object(Bucket=bucket, Key="page.html", Body=b"")
    s3.put_object(Bucket=bucket, Key="page.css", Body=b"", ContentType="binary/octet-stream")
    assert s3.head_object(Bucket=bucket, Key="page.html")["ContentType"].startswith("text/html")
    assert s3.head_object(Bucket=bucket, Key="page.css")["ContentType"] == "binary/octet-stream"


def test_a_get_may_override_response_headers(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v", ContentType="text/plain", CacheControl="no-store")
    got = s3.get_object(
        Bucket=bucket, Key="k", ResponseContentType="application/json", ResponseCacheControl="max-age=1", ResponseContentLanguage="fr",
        ResponseContentDisposition='inline; filename="x"', ResponseContentEncoding="identity", ResponseExpires=datetime.datetime(2030, 1, 1),
    )
    assert (got["ContentType"], got["CacheControl"], got["ContentLanguage"]) == ("application/json", "max-age=1", "fr")
    assert (got["ContentDisposition"], got["ContentEncoding"]) == ('inline; filename="x"', "identity")
    assert "2030" in got["ResponseMetadata"]["HTTPHeaders"]["expires"]
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "text/plain"


def test_storage_classes_are_kept_and_unknown_ones_refused(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"", StorageClass="STANDARD")
    assert "StorageClass" not in s3.head_object(Bucket=bucket, Key="k")
    fails("InvalidStorageClass", 400, s3.put_object, Bucket=bucket, Key="k", Body=b"", StorageClass="NO_SUCH_CLASS")


RANGES = [
    ("bytes=0-0", slice(0, 1)), ("bytes=5-9", slice(5, 10)), ("bytes=-5", slice(-5, None)), ("bytes=100-", slice(100, None)),
    ("bytes=0-99999999", slice(0, None)), ("bytes=-99999999", slice(0, None)), ("bytes=65530-65550", slice(65530, 65551)),
    ("bytes=131071-131072", slice(131071, 131073)),
]


@pytest.mark.parametrize("size", [1000, 200_000])
def test_ranges_give_exactly_their_bytes(s3, bucket, size):
    data = noise(size)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    for asked, wanted in RANGES:
        start = wanted.indices(size)[0]
        if start >= size:
            continue
        part = data[wanted]
        got = s3.get_object(Bucket=bucket, Key="k", Range=asked)
        assert body_of(got) == part, asked
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert got["ContentRange"] == f"bytes {start}-{start + len(part) - 1}/{size}"
        assert part == data or "ChecksumCRC32" not in got, "a range must not carry the whole object's checksum"
        head = s3.head_object(Bucket=bucket, Key="k", Range=asked)
        assert (head["ContentLength"], head["ContentRange"]) == (len(part), got["ContentRange"])


def test_a_range_outside_the_object_is_416_and_a_malformed_one_is_the_whole(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    answer = fails("InvalidRange", 416, s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-")
    assert answer["ResponseMetadata"]["HTTPHeaders"]["content-range"] == "bytes */10"
    fails("InvalidRange", 416, s3.get_object, Bucket=bucket, Key="k", Range="bytes=-0")
    fails("InvalidRange", 416, s3.get_object, Bucket=bucket, Key="empty", Range="bytes=0-0")
    for malformed in ("bytes=5-2", "lines=0-1", "bytes=a-b", "bytes=0-1,3-4"):
        got = s3.get_object(Bucket=bucket, Key="k", Range=malformed)
        assert (got["ResponseMetadata"]["HTTPStatusCode"], body_of(got)) == (200, b"0123456789"), malformed


def test_part_number_one_of_a_simple_object_is_the_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"whole")
    got = s3.get_object(Bucket=bucket, Key="k", PartNumber=1)
    assert (body_of(got), got["ResponseMetadata"]["HTTPStatusCode"]) == (b"whole", 206)
    fails(("InvalidPartNumber", "InvalidPart"), (416, 400), s3.get_object, Bucket=bucket, Key="k", PartNumber=2)
    fails("InvalidRequest", 400, s3.get_object, Bucket=bucket, Key="k", PartNumber=1, Range="bytes=0-1")


def test_delete_objects_reports_each_key_or_only_errors(s3, bucket):
    for key in ("a", "b", "c/d"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    loud = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "absent"}]})
    assert sorted(entry["Key"] for entry in loud["Deleted"]) == ["a", "absent"]
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}, {"Key": "c/d"}], "Quiet": True})
    assert "Deleted" not in quiet and "Errors" not in quiet
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_delete_objects_takes_1000_keys_and_no_more(s3, bucket):
    keys = [{"Key": f"k{number}"} for number in range(1001)]
    s3.put_object(Bucket=bucket, Key="k1000", Body=b"")
    fails("MalformedXML", 400, s3.delete_objects, Bucket=bucket, Delete={"Objects": keys})
    s3.head_object(Bucket=bucket, Key="k1000")
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": keys[:1000]})["Deleted"]) == 1000
    fails("MalformedXML", 400, s3.delete_objects, Bucket=bucket, Delete={"Objects": []})


def test_delete_objects_can_name_the_etag(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"v")["ETag"]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "ETag": '"0123"'}]})
    assert [(entry["Key"], entry["Code"]) for entry in answer["Errors"]] == [("k", "PreconditionFailed")]
    s3.head_object(Bucket=bucket, Key="k")
    assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "ETag": etag}]})
    fails("404", 404, s3.head_object, Bucket=bucket, Key="k")


class Unseekable(io.RawIOBase):
    """A body that can be read once, forwards, like a pipe."""

    def __init__(self, data):
        self._source = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        piece = self._source.read(min(len(buffer), 10_007))
        buffer[: len(piece)] = piece
        return len(piece)


def test_a_body_that_cannot_be_rewound_is_uploaded(s3, bucket):
    data = noise(3 * MIB)
    s3.upload_fileobj(Unseekable(data), bucket, "k")
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == data


def test_object_attributes_name_what_was_asked(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"attributes", ChecksumAlgorithm="SHA256")
    wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    answer = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=wanted)
    assert (answer["ETag"], answer["ObjectSize"], answer["StorageClass"]) == (md5(b"attributes"), 10, "STANDARD")
    assert answer["Checksum"]["ChecksumSHA256"] == checksum("SHA256", b"attributes")
    assert "ObjectParts" not in answer and answer["LastModified"]
    only = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert only["ObjectSize"] == 10 and "ETag" not in only and "Checksum" not in only
    fails("NoSuchKey", 404, s3.get_object_attributes, Bucket=bucket, Key="absent", ObjectAttributes=["ETag"])


def test_rename_moves_an_object_at_once(s3, bucket):
    data = noise(100_000)
    etag = s3.put_object(Bucket=bucket, Key="old name", Body=data, Metadata={"kept": "yes"})["ETag"]
    s3.rename_object(Bucket=bucket, Key="new/name", RenameSource="old%20name")
    got = s3.get_object(Bucket=bucket, Key="new/name")
    assert (body_of(got), got["ETag"], got["Metadata"]) == (data, etag, {"kept": "yes"})
    fails("404", 404, s3.head_object, Bucket=bucket, Key="old name")
    fails("NoSuchKey", 404, s3.rename_object, Bucket=bucket, Key="x", RenameSource="old%20name")


def test_rename_obeys_its_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="from", Body=b"from")["ETag"]
    s3.put_object(Bucket=bucket, Key="to", Body=b"to")
    rename = dict(Bucket=bucket, Key="to", RenameSource="from")
    fails("PreconditionFailed", 412, s3.rename_object, DestinationIfNoneMatch="*", **rename)
    fails("PreconditionFailed", 412, s3.rename_object, SourceIfMatch='"0123"', **rename)
    fails("PreconditionFailed", 412, s3.rename_object, DestinationIfMatch='"0123"', **rename)
    assert stored(s3, bucket) == {"from": b"from", "to": b"to"}
    s3.rename_object(SourceIfMatch=etag, **rename)
    assert stored(s3, bucket) == {"to": b"from"}


def test_a_repeated_rename_with_the_same_token_succeeds_and_moves_nothing(s3, bucket):
    s3.put_object(Bucket=bucket, Key="from", Body=b"first")
    rename = dict(Bucket=bucket, Key="to", RenameSource="from", ClientToken="0c4a")
    s3.rename_object(**rename)
    s3.put_object(Bucket=bucket, Key="from", Body=b"second")
    s3.rename_object(**rename)
    assert stored(s3, bucket) == {"from": b"second", "to": b"first"}
    for other in [{"Key": "elsewhere"}, {"RenameSource": "to"}, {"DestinationIfNoneMatch": "*"}]:
        fails("IdempotencyParameterMismatch", 400, s3.rename_object, **(rename | other))
    for malformed in ["x" * 65, "white space"]:
        fails("InvalidArgument", 400, s3.rename_object, **(rename | {"ClientToken": malformed}))
    s3.rename_object(**(rename | {"ClientToken": "1d5b"}))
    assert stored(s3, bucket) == {"to": b"second"}


PROMISES = [
    {"x-amz-server-side-encryption": "AES256"},
    {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "key"},
    {"x-amz-server-side-encryption-customer-algorithm": "AES256", "x-amz-server-side-encryption-customer-key": "a2V5"},
    {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": "2040-01-01T00:00:00Z"},
    {"x-amz-object-lock-legal-hold": "ON"},
]


@pytest.mark.parametrize("headers", PROMISES, ids=lambda headers: "+".join(headers.values()))
def test_a_promise_we_cannot_keep_is_refused(server, bucket, headers):
    client = connect(server)

    def promise(request, **_):
        for name, value in headers.items():
            request.headers.add_header(name, value)

    for operation in ("PutObject", "CreateMultipartUpload", "CopyObject"):
        client.meta.events.register(f"before-sign.s3.{operation}", promise)
    fails("NotImplemented", 501, client.put_object, Bucket=bucket, Key="k", Body=b"v")
    fails("NotImplemented", 501, client.create_multipart_upload, Bucket=bucket, Key="k")
    connect(server).put_object(Bucket=bucket, Key="source", Body=b"v")
    fails("NotImplemented", 501, client.copy_object, Bucket=bucket, Key="k", CopySource=f"{bucket}/source")
    assert [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["source"]
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)
