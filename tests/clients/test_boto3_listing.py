import pytest
from conftest import new_bucket
from expect import fails

PER_DIRECTORY = 100
DIRECTORIES = 24
LOOSE = 100


@pytest.fixture(scope="module")
def large(s3):
    """A bucket of 2,500 objects: 24 directories of 100, and 100 beside them."""
    from concurrent.futures import ThreadPoolExecutor

    bucket = new_bucket(s3)
    keys = [f"dir{d:02}/file{f:03}" for d in range(DIRECTORIES) for f in range(PER_DIRECTORY)]
    keys += [f"loose {number:03}" for number in range(LOOSE)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b"x"), keys))
    return bucket, sorted(keys)


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("page_size", [1000, 333])
def test_pages_give_every_key_once_and_in_order(s3, large, operation, page_size):
    bucket, keys = large
    pages = list(s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": page_size}))
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == keys
    assert len(pages) == -(-len(keys) // page_size)
    assert [page["IsTruncated"] for page in pages] == [True] * (len(pages) - 1) + [False]


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("page_size", [1000, 7, 1])
def test_a_delimiter_groups_and_counts_common_prefixes(s3, large, operation, page_size):
    bucket, _ = large
    options = {"Bucket": bucket, "Delimiter": "/", "Prefix": "" if page_size > 1 else "dir0"}
    pages = list(s3.get_paginator(operation).paginate(PaginationConfig={"PageSize": page_size}, **options))
    prefixes = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
    contents = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    count = DIRECTORIES if page_size > 1 else 10
    assert prefixes == [f"dir{d:02}/" for d in range(count)]
    assert contents == ([f"loose {number:03}" for number in range(LOOSE)] if page_size > 1 else [])
    for page in pages:
        entries = len(page.get("Contents", [])) + len(page.get("CommonPrefixes", []))
        assert entries <= page_size
        if operation == "list_objects_v2":
            assert page["KeyCount"] == entries


def test_every_parameter_of_list_objects_v2_is_answered(s3, large):
    bucket, keys = large
    page = s3.list_objects_v2(Bucket=bucket, Prefix="dir01/", StartAfter="dir01/file009", MaxKeys=5, FetchOwner=True)
    assert [entry["Key"] for entry in page["Contents"]] == [f"dir01/file{f:03}" for f in range(10, 15)]
    assert (page["Name"], page["Prefix"], page["StartAfter"], page["MaxKeys"]) == (bucket, "dir01/", "dir01/file009", 5)
    assert page["IsTruncated"] and page["NextContinuationToken"]
    assert page["Contents"][0]["Owner"]["ID"]
    assert page["Contents"][0]["Size"] == 1 and page["Contents"][0]["StorageClass"] == "STANDARD"
    assert page["Contents"][0]["ETag"] == '"9dd4e461268c8034f5c8564e155c67a6"'
    following = s3.list_objects_v2(Bucket=bucket, Prefix="dir01/", MaxKeys=5, ContinuationToken=page["NextContinuationToken"])
    assert [entry["Key"] for entry in following["Contents"]] == [f"dir01/file{f:03}" for f in range(15, 20)]
    assert following["ContinuationToken"] == page["NextContinuationToken"]
    assert "Owner" not in following["Contents"][0]


def test_every_parameter_of_list_objects_is_answered(s3, large):
    bucket, _ = large
    page = s3.list_objects(Bucket=bucket, Prefix="loose", Marker="loose 004", MaxKeys=3, Delimiter="/")
    assert [entry["Key"] for entry in page["Contents"]] == ["loose 005", "loose 006", "loose 007"]
    assert (page["Marker"], page["NextMarker"], page["IsTruncated"]) == ("loose 004", "loose 007", True)
    assert page["Contents"][0]["Owner"]["ID"]


def test_the_bounds_of_max_keys(s3, large):
    bucket, _ = large
    none = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"], "Contents" in none) == (0, False, False)
    most = s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)
    assert (most["KeyCount"], most["MaxKeys"], most["IsTruncated"]) == (1000, 1000, True)
    fails("InvalidArgument", 400, s3.list_objects_v2, Bucket=bucket, MaxKeys=-1)
    fails("InvalidArgument", 400, s3.list_objects_v2, Bucket=bucket, ContinuationToken="not a token of ours")


def test_any_text_can_be_a_delimiter(s3, bucket):
    for key in ("a--b--c", "a--d", "b-c", "--", "x"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="--")
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["--", "a--"]
    assert [entry["Key"] for entry in page["Contents"]] == ["b-c", "x"]
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="--", Prefix="a--")
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["a--b--"]
    assert [entry["Key"] for entry in page["Contents"]] == ["a--d"]


def test_a_key_a_directory_marker_and_a_child_stand_side_by_side(s3, bucket):
    for key in ("a", "a/", "a/b", "a//", "a//b", "a0"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [entry["Key"] for entry in page["Contents"]] == ["a", "a0"]
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["a/"]
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/", Prefix="a/")
    assert [entry["Key"] for entry in page["Contents"]] == ["a/", "a/b"]
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["a//"]
