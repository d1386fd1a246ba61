import datetime
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from expect import body_of, fails, noise

EARLIER = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
LATER = datetime.datetime(2090, 1, 1, tzinfo=datetime.timezone.utc)
OTHER = '"0123456789abcdef0123456789abcdef"'
RACERS = 64


@pytest.fixture
def etag(s3, bucket):
    return s3.put_object(Bucket=bucket, Key="k", Body=b"v1")["ETag"]


@pytest.mark.parametrize("operation", ["get_object", "head_object"])
def test_reads_obey_conditions_with_the_precedence_of_rfc_9110(s3, bucket, etag, operation):
    read = getattr(s3, operation)
    missed = ("PreconditionFailed", "412")
    unchanged = "304"
    here = {"Bucket": bucket, "Key": "k"}
    read(IfMatch=etag, **here)
    read(IfMatch=f"{OTHER}, {etag}", **here)
    read(IfMatch="*", **here)
    fails(missed, 412, read, IfMatch=OTHER, **here)
    read(IfNoneMatch=OTHER, **here)
    answer = fails(unchanged, 304, read, IfNoneMatch=etag, **here)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["etag"] == etag
    assert answer["ResponseMetadata"]["HTTPHeaders"]["last-modified"]
    fails(unchanged, 304, read, IfNoneMatch="*", **here)
    read(IfModifiedSince=EARLIER, **here)
    read(IfUnmodifiedSince=LATER, **here)
    fails(missed, 412, read, IfUnmodifiedSince=EARLIER, **here)
    now = s3.head_object(**here)["LastModified"]
    fails(unchanged, 304, read, IfModifiedSince=now, **here)
    read(IfMatch=etag, IfUnmodifiedSince=EARLIER, **here)
    fails(unchanged, 304, read, IfNoneMatch=etag, IfModifiedSince=EARLIER, **here)
    read(IfNoneMatch=OTHER, IfModifiedSince=now, **here)


def test_if_range_gives_the_whole_object_when_it_has_changed(server, bucket, etag, s3):
    from conftest import connect

    client = connect(server)
    wanted = {}
    client.meta.events.register("before-sign.s3.GetObject", lambda request, **_: request.headers.add_header("If-Range", wanted["etag"]))
    wanted["etag"] = etag
    assert body_of(client.get_object(Bucket=bucket, Key="k", Range="bytes=1-1")) == b"1"
    wanted["etag"] = OTHER
    assert body_of(client.get_object(Bucket=bucket, Key="k", Range="bytes=1-1")) == b"v1"


def test_if_none_match_star_creates_and_never_overwrites(s3, bucket):
    s3.put_object(Bucket=bucket, Key="new", Body=b"1", IfNoneMatch="*")
    fails("PreconditionFailed", 412, s3.put_object, Bucket=bucket, Key="new", Body=b"2", IfNoneMatch="*")
    assert body_of(s3.get_object(Bucket=bucket, Key="new")) == b"1"
    s3.delete_object(Bucket=bucket, Key="new")
    s3.put_object(Bucket=bucket, Key="new", Body=b"3", IfNoneMatch="*")


def test_if_match_replaces_only_what_it_names(s3, bucket, etag):
    fails("PreconditionFailed", 412, s3.put_object, Bucket=bucket, Key="k", Body=b"v2", IfMatch=OTHER)
    fails("NoSuchKey", 404, s3.put_object, Bucket=bucket, Key="absent", Body=b"v2", IfMatch=etag)
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"v2", IfMatch=etag)["ETag"]
    fails("PreconditionFailed", 412, s3.put_object, Bucket=bucket, Key="k", Body=b"v3", IfMatch=etag)
    s3.put_object(Bucket=bucket, Key="k", Body=b"v3", IfMatch=second.strip('"'))
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"v3"


def test_a_condition_that_cannot_be_evaluated_fails_the_put(s3, bucket, etag):
    fails("NotImplemented", 501, s3.put_object, Bucket=bucket, Key="k", Body=b"v2", IfNoneMatch=etag)
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"v1"


def test_delete_obeys_if_match(s3, bucket, etag):
    fails("PreconditionFailed", 412, s3.delete_object, Bucket=bucket, Key="k", IfMatch=OTHER)
    s3.head_object(Bucket=bucket, Key="k")
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    fails("404", 404, s3.head_object, Bucket=bucket, Key="k")


def test_a_copy_obeys_the_conditions_on_its_source(s3, bucket, etag):
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/k"}
    for refused in (
        {"CopySourceIfMatch": OTHER},
        {"CopySourceIfNoneMatch": etag},
        {"CopySourceIfUnmodifiedSince": EARLIER},
        {"CopySourceIfModifiedSince": s3.head_object(Bucket=bucket, Key="k")["LastModified"]},
        {"CopySourceIfNoneMatch": etag, "CopySourceIfModifiedSince": EARLIER},
    ):
        fails("PreconditionFailed", 412, s3.copy_object, **copy, **refused)
    fails("404", 404, s3.head_object, Bucket=bucket, Key="copy")
    for accepted in (
        {"CopySourceIfMatch": etag},
        {"CopySourceIfNoneMatch": OTHER},
        {"CopySourceIfUnmodifiedSince": LATER},
        {"CopySourceIfModifiedSince": EARLIER},
        {"CopySourceIfMatch": etag, "CopySourceIfUnmodifiedSince": EARLIER},
    ):
        assert s3.copy_object(**copy, **accepted)["CopyObjectResult"]["ETag"] == etag


def test_a_copy_obeys_the_conditions_on_its_destination(s3, bucket, etag):
    s3.put_object(Bucket=bucket, Key="to", Body=b"there")
    copy = {"Bucket": bucket, "Key": "to", "CopySource": f"{bucket}/k"}
    fails("PreconditionFailed", 412, s3.copy_object, IfNoneMatch="*", **copy)
    fails("PreconditionFailed", 412, s3.copy_object, IfMatch=OTHER, **copy)
    assert body_of(s3.get_object(Bucket=bucket, Key="to")) == b"there"
    s3.copy_object(IfMatch=s3.head_object(Bucket=bucket, Key="to")["ETag"], **copy)
    s3.copy_object(IfNoneMatch="*", **{**copy, "Key": "fresh"})
    assert body_of(s3.get_object(Bucket=bucket, Key="to")) == b"v1"


def test_copies_keep_or_replace_what_they_are_told_to(s3, bucket):
    data = noise(300_000)
    s3.put_object(Bucket=bucket, Key="k", Body=data, ContentType="text/x-a", CacheControl="no-store", Metadata={"a": "1"})
    source = f"{bucket}/k"
    s3.copy_object(Bucket=bucket, Key="same", CopySource=source, Metadata={"ignored": "1"}, TaggingDirective="COPY")
    kept = s3.get_object(Bucket=bucket, Key="same")
    assert (body_of(kept), kept["ContentType"], kept["CacheControl"], kept["Metadata"]) == (data, "text/x-a", "no-store", {"a": "1"})
    s3.copy_object(Bucket=bucket, Key="other", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"}, ContentType="text/x-b")
    replaced = s3.get_object(Bucket=bucket, Key="other")
    assert (body_of(replaced), replaced["ContentType"], replaced["Metadata"]) == (data, "text/x-b", {"b": "2"})
    assert "CacheControl" not in replaced
    fails("InvalidRequest", 400, s3.copy_object, Bucket=bucket, Key="k", CopySource=source)
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE", Metadata={"c": "3"})
    itself = s3.get_object(Bucket=bucket, Key="k")
    assert (body_of(itself), itself["Metadata"]) == (data, {"c": "3"})
    s3.delete_object(Bucket=bucket, Key="k")
    assert body_of(s3.get_object(Bucket=bucket, Key="same")) == data
    s3.copy_object(Bucket=bucket, Key="moved", CopySource=f"{bucket}/same", WebsiteRedirectLocation="/there")
    moved = s3.head_object(Bucket=bucket, Key="moved")
    assert (moved["WebsiteRedirectLocation"], moved["ContentType"]) == ("/there", "text/x-a")
    s3.copy_object(Bucket=bucket, Key="again", CopySource=f"{bucket}/moved")
    assert "WebsiteRedirectLocation" not in s3.head_object(Bucket=bucket, Key="again"), "a redirect is the key's"
    fails("InvalidArgument", 400, s3.copy_object, Bucket=bucket, Key="x", CopySource=f"{bucket}/same", MetadataDirective="NEITHER")
    fails("InvalidArgument", 400, s3.copy_object, Bucket=bucket, Key="x", CopySource=f"{bucket}/same", TaggingDirective="NEITHER")


def test_a_copy_needs_a_source(s3, bucket):
    fails("NoSuchKey", 404, s3.copy_object, Bucket=bucket, Key="x", CopySource=f"{bucket}/absent")
    fails("NoSuchBucket", 404, s3.copy_object, Bucket=bucket, Key="x", CopySource="absent-bucket-name/k")
    fails("NoSuchBucket", 404, s3.copy_object, Bucket="absent-bucket-name", Key="x", CopySource=f"{bucket}/k")
    fails("InvalidArgument", 400, s3.copy_object, Bucket=bucket, Key="x", CopySource="no-slash")


def race(count, attempt):
    """Calls `attempt(number)` from `count` threads at once; gives each result, or the error's code."""
    barrier = threading.Barrier(count)

    def run(number):
        barrier.wait(60)
        try:
            attempt(number)
            return "done"
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_of_64_racing_creators_exactly_one_wins(s3, bucket):
    for size in (10, 100_000):
        bodies = [noise(size, number) for number in range(RACERS)]
        key = f"k{size}"
        outcomes = race(RACERS, lambda number: s3.put_object(Bucket=bucket, Key=key, Body=bodies[number], IfNoneMatch="*"))
        assert outcomes.count("done") == 1, outcomes
        assert set(outcomes) <= {"done", "PreconditionFailed", "ConditionalRequestConflict"}
        assert body_of(s3.get_object(Bucket=bucket, Key=key)) == bodies[outcomes.index("done")]


def test_of_64_racing_replacements_of_one_version_exactly_one_wins(s3, bucket, etag):
    outcomes = race(RACERS, lambda number: s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % number, IfMatch=etag))
    assert outcomes.count("done") == 1, outcomes
    assert set(outcomes) <= {"done", "PreconditionFailed", "ConditionalRequestConflict"}
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"%d" % outcomes.index("done")


def test_64_plain_writers_of_one_key_all_make_progress(s3, bucket):
    outcomes = race(RACERS, lambda number: s3.put_object(Bucket=bucket, Key="k", Body=noise(1000, number)))
    assert outcomes == ["done"] * RACERS
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) in [noise(1000, number) for number in range(RACERS)]
