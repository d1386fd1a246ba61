import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from expect import MIB, body_of, checksum, composite, fails, md5, multipart_etag, noise

PART = 5 * MIB


class Upload:
    """A multipart upload under way, and the list of what was uploaded so far."""

    def __init__(self, s3, bucket, key="k", **options):
        self.s3, self.names = s3, {"Bucket": bucket, "Key": key}
        self.names["UploadId"] = s3.create_multipart_upload(**self.names, **options)["UploadId"]
        self.parts = {}

    def put(self, number, data, **options):
        answer = self.s3.upload_part(**self.names, PartNumber=number, Body=data, **options)
        checksums = {name: value for name, value in answer.items() if name.startswith("Checksum") and name != "ChecksumType"}
        self.parts[number] = {"PartNumber": number, "ETag": answer["ETag"], **checksums}
        return answer

    def list(self):
        return {"Parts": [self.parts[number] for number in sorted(self.parts)]}

    def complete(self, parts=None, **options):
        return self.s3.complete_multipart_upload(**self.names, MultipartUpload=parts or self.list(), **options)

    def abort(self):
        return self.s3.abort_multipart_upload(**self.names)


def test_parts_become_one_object_in_number_order(s3, bucket):
    upload = Upload(s3, bucket, ContentType="text/x-parts", Metadata={"m": "1"}, CacheControl="no-cache")
    pieces = {3: noise(1000, 7), 1: noise(PART, 2), 2: noise(PART + 3, 5)}
    for number, data in pieces.items():
        assert upload.put(number, data)["ETag"] == f'"{md5(data)}"'
    fails("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="k")
    done = upload.complete()
    ordered = [pieces[number] for number in sorted(pieces)]
    assert done["ETag"] == multipart_etag(ordered)
    assert (done["Bucket"], done["Key"]) == (bucket, "k") and done["Location"]
    got = s3.get_object(Bucket=bucket, Key="k")
    assert body_of(got) == b"".join(ordered)
    assert (got["ETag"], got["ContentType"], got["Metadata"], got["CacheControl"]) == (done["ETag"], "text/x-parts", {"m": "1"}, "no-cache")
    offset = PART - 10
    ranged = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={offset}-{offset + PART + 20}")
    assert body_of(ranged) == b"".join(ordered)[offset : offset + PART + 21]
    for position, data in enumerate(ordered, start=1):
        part = s3.get_object(Bucket=bucket, Key="k", PartNumber=position)
        assert (body_of(part), part["PartsCount"]) == (data, 3)
        assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
    head = s3.head_object(Bucket=bucket, Key="k", PartNumber=2)
    assert (head["ContentLength"], head["PartsCount"]) == (PART + 3, 3)
    fails(("InvalidPartNumber", "InvalidPart"), (416, 400), s3.get_object, Bucket=bucket, Key="k", PartNumber=4)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_part_uploaded_again_replaces_the_first(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, b"first")
    upload.put(1, b"second")
    upload.complete()
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"second"


def test_part_numbers_need_not_follow_each_other(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(9000, b"last")
    upload.put(7, noise(PART))
    upload.complete()
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == noise(PART) + b"last"


def test_only_the_named_parts_are_used(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, b"unused")
    upload.put(3, b"used")
    upload.complete({"Parts": [upload.parts[3]]})
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"used"


def test_a_wrong_part_list_is_refused_and_the_upload_stays_open(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, b"too small to be followed")
    upload.put(2, b"last")
    one, two = upload.parts[1], upload.parts[2]
    fails("EntityTooSmall", 400, upload.complete)
    fails("InvalidPartOrder", 400, upload.complete, parts={"Parts": [two, one]})
    fails("InvalidPartOrder", 400, upload.complete, parts={"Parts": [one, one]})
    fails("InvalidPart", 400, upload.complete, parts={"Parts": [{**one, "ETag": '"' + "0" * 32 + '"'}]})
    fails("InvalidPart", 400, upload.complete, parts={"Parts": [{"PartNumber": 9, "ETag": one["ETag"]}]})
    fails("MalformedXML", 400, s3.complete_multipart_upload, **upload.names, MultipartUpload={"Parts": []})
    fails("404", 404, s3.head_object, Bucket=bucket, Key="k")
    upload.complete({"Parts": [two]})
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"last"


@pytest.mark.parametrize("number", [0, 10001, -1])
def test_part_numbers_are_1_to_10000(s3, bucket, number):
    upload = Upload(s3, bucket)
    fails("InvalidArgument", 400, upload.put, number=number, data=b"v")
    upload.put(10000, b"fine")


def test_an_unknown_upload_is_refused_by_every_operation(s3, bucket):
    gone = Upload(s3, bucket)
    gone.put(1, b"v")
    gone.abort()
    s3.put_object(Bucket=bucket, Key="source", Body=b"v")
    fails("NoSuchUpload", 404, gone.put, number=1, data=b"v")
    fails("NoSuchUpload", 404, s3.list_parts, **gone.names)
    fails("NoSuchUpload", 404, gone.complete)
    fails("NoSuchUpload", 404, s3.upload_part_copy, **gone.names, PartNumber=1, CopySource=f"{bucket}/source")
    fails("NoSuchUpload", 404, gone.abort)
    fails("NoSuchUpload", 404, s3.list_parts, Bucket=bucket, Key="k", UploadId="no such id")
    other_key = {**Upload(s3, bucket, "one").names, "Key": "another"}
    fails("NoSuchUpload", 404, s3.upload_part, **other_key, PartNumber=1, Body=b"v")


def test_parts_are_listed_by_pages(s3, bucket):
    upload = Upload(s3, bucket, ChecksumAlgorithm="SHA256")
    for number in (1, 2, 5, 9):
        upload.put(number, noise(number * 10), ChecksumAlgorithm="SHA256")
    page = s3.list_parts(**upload.names, MaxParts=2, PartNumberMarker=1)
    assert [(part["PartNumber"], part["Size"]) for part in page["Parts"]] == [(2, 20), (5, 50)]
    assert (page["IsTruncated"], page["NextPartNumberMarker"], page["PartNumberMarker"], page["MaxParts"]) == (True, 5, 1, 2)
    assert page["Parts"][0]["ETag"] == f'"{md5(noise(20))}"'
    assert page["Parts"][0]["ChecksumSHA256"] == checksum("SHA256", noise(20))
    assert (page["ChecksumAlgorithm"], page["ChecksumType"]) == ("SHA256", "COMPOSITE")
    assert page["StorageClass"] == "STANDARD" and page["Initiator"]["ID"] and page["Owner"]["ID"]
    last = s3.list_parts(**upload.names, PartNumberMarker=5)
    assert ([part["PartNumber"] for part in last["Parts"]], last["IsTruncated"]) == ([9], False)


def test_uploads_are_listed_by_prefix_delimiter_and_pages(s3, bucket):
    keys = ["a/1", "a/2", "b", "b", "c d"]
    opened = sorted((key, Upload(s3, bucket, key).names["UploadId"]) for key in keys)
    pages = list(s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}))
    listed = [(entry["Key"], entry["UploadId"]) for page in pages for entry in page["Uploads"]]
    assert sorted(listed) == opened and [key for key, _ in listed] == keys
    assert len(pages) == 3
    grouped = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [entry["Prefix"] for entry in grouped["CommonPrefixes"]] == ["a/"]
    assert [entry["Key"] for entry in grouped["Uploads"]] == ["b", "b", "c d"]
    prefixed = s3.list_multipart_uploads(Bucket=bucket, Prefix="a/", KeyMarker="a/1")
    assert [entry["Key"] for entry in prefixed["Uploads"]] == ["a/2"]


def test_completing_again_with_the_same_list_gives_the_same_answer(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, noise(PART))
    upload.put(2, b"end")
    first = upload.complete()
    assert upload.complete()["ETag"] == first["ETag"]
    fails("NoSuchUpload", 404, upload.complete, parts={"Parts": [upload.parts[1]]})
    s3.put_object(Bucket=bucket, Key="k", Body=b"newer")
    assert upload.complete()["ETag"] == first["ETag"]
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"newer", "a retry must not undo a later write"


def test_concurrent_completes_have_one_outcome(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, noise(PART, 1))
    upload.put(2, noise(100, 2))
    barrier = threading.Barrier(12)

    def complete(_):
        barrier.wait(30)
        try:
            return upload.complete()["ETag"]
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(12) as pool:
        outcomes = set(pool.map(complete, range(12)))
    etag = multipart_etag([noise(PART, 1), noise(100, 2)])
    assert etag in outcomes and outcomes <= {etag, "ConditionalRequestConflict", "OperationAborted", "SlowDown"}
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == noise(PART, 1) + noise(100, 2)


def test_completing_against_aborting_leaves_one_outcome_and_an_intact_object(s3, bucket):
    for round_number in range(6):
        key = f"k{round_number}"
        upload = Upload(s3, bucket, key)
        upload.put(1, noise(PART, round_number))
        barrier = threading.Barrier(2)

        def attempt(call):
            barrier.wait(30)
            try:
                call()
                return "done"
            except ClientError as error:
                return error.response["Error"]["Code"]

        with ThreadPoolExecutor(2) as pool:
            completed, aborted = pool.map(attempt, (upload.complete, upload.abort))
        if completed == "done":
            assert body_of(s3.get_object(Bucket=bucket, Key=key)) == noise(PART, round_number)
            assert aborted in ("NoSuchUpload", "done")  # aborting what was completed may also be answered 204
        else:
            assert (completed, aborted) == ("NoSuchUpload", "done")
            fails("404", 404, s3.head_object, Bucket=bucket, Key=key)


def test_parts_copied_from_objects_are_those_bytes(s3, bucket):
    source = noise(2 * PART + 17)
    etag = s3.put_object(Bucket=bucket, Key="the source", Body=source)["ETag"]
    upload = Upload(s3, bucket)
    copy = {**upload.names, "CopySource": {"Bucket": bucket, "Key": "the source"}}

    def copied(number, first, last, **conditions):
        answer = s3.upload_part_copy(**copy, PartNumber=number, CopySourceRange=f"bytes={first}-{last}", **conditions)["CopyPartResult"]
        assert answer["ETag"] == f'"{md5(source[first:last + 1])}"'
        return {"PartNumber": number, "ETag": answer["ETag"]}

    parts = [copied(1, 3, PART + 9, CopySourceIfMatch=etag), copied(2, 100, 100)]
    whole = s3.upload_part_copy(**copy, PartNumber=3)["CopyPartResult"]
    assert whole["ETag"] == etag and whole["LastModified"]
    fails("PreconditionFailed", 412, s3.upload_part_copy, **copy, PartNumber=4, CopySourceIfNoneMatch=etag)
    fails("PreconditionFailed", 412, s3.upload_part_copy, **copy, PartNumber=4, CopySourceIfMatch='"00"')
    fails(("InvalidArgument", "InvalidRange"), (400, 416), s3.upload_part_copy, **copy, PartNumber=4, CopySourceRange=f"bytes=0-{len(source)}")
    fails(("InvalidArgument", "InvalidRange"), (400, 416), s3.upload_part_copy, **copy, PartNumber=4, CopySourceRange="bytes=-5")
    fails("NoSuchKey", 404, s3.upload_part_copy, **upload.names, PartNumber=4, CopySource=f"{bucket}/absent")
    answer = s3.complete_multipart_upload(**upload.names, MultipartUpload={"Parts": [parts[0], {"PartNumber": 3, "ETag": whole["ETag"]}]})
    assert answer["ETag"].endswith('-2"')
    s3.delete_object(Bucket=bucket, Key="the source")
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == source[3 : PART + 10] + source


def test_completion_obeys_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"there")["ETag"]
    upload = Upload(s3, bucket)
    upload.put(1, b"replacement")
    fails("PreconditionFailed", 412, upload.complete, IfNoneMatch="*")
    fails("PreconditionFailed", 412, upload.complete, IfMatch='"00"')
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"there"
    upload.complete(IfMatch=etag)
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"replacement"


def test_an_abort_leaves_nothing(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, noise(MIB))
    assert upload.abort()["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
def test_composite_checksums_cover_the_parts(s3, bucket, algorithm):
    pieces = [noise(PART, 1), noise(777, 2)]
    field = f"Checksum{algorithm}"
    upload = Upload(s3, bucket, ChecksumAlgorithm=algorithm)
    for number, data in enumerate(pieces, start=1):
        answer = upload.put(number, data, **{field: checksum(algorithm, data)})
        assert answer[field] == checksum(algorithm, data)
    done = upload.complete()
    expected = composite(algorithm, pieces)
    assert (done[field], done["ChecksumType"]) == (expected, "COMPOSITE")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[field], head["ChecksumType"]) == (expected, "COMPOSITE")
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectParts", "ObjectSize"])
    assert attributes["Checksum"][field].split("-")[0] == expected.split("-")[0]
    assert attributes["ObjectParts"]["TotalPartsCount"] == 2
    assert [part["Size"] for part in attributes["ObjectParts"]["Parts"]] == [PART, 777]
    assert attributes["ObjectParts"]["Parts"][1][field] == checksum(algorithm, pieces[1])


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
def test_full_object_checksums_cover_the_bytes(s3, bucket, algorithm):
    pieces = [noise(PART, 1), noise(777, 2)]
    field = f"Checksum{algorithm}"
    upload = Upload(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")
    for number, data in enumerate(pieces, start=1):
        upload.put(number, data, **{field: checksum(algorithm, data)})
    whole = checksum(algorithm, b"".join(pieces))
    wrong = checksum(algorithm, b"something else")
    fails("BadDigest", 400, upload.complete, ChecksumType="FULL_OBJECT", **{field: wrong})
    done = upload.complete(ChecksumType="FULL_OBJECT", MpuObjectSize=PART + 777, **{field: whole})
    assert (done[field], done["ChecksumType"]) == (whole, "FULL_OBJECT")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[field], head["ChecksumType"]) == (whole, "FULL_OBJECT")


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256"])
def test_hashes_cannot_be_full_object(s3, bucket, algorithm):
    fails("InvalidRequest", 400, s3.create_multipart_upload, Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")


def test_upload_file_and_download_file_work_by_parts(s3, bucket, tmp_path):
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=4)
    data = noise(3 * PART + 1234)
    s3.upload_fileobj(io.BytesIO(data), bucket, "k", Config=config, ExtraArgs={"Metadata": {"m": "1"}})
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    pieces = [data[start : start + PART] for start in range(0, len(data), PART)]
    assert (head["ETag"], head["Metadata"]) == (multipart_etag(pieces), {"m": "1"})
    assert head["ChecksumCRC32"] == composite("CRC32", pieces)
    s3.download_file(bucket, "k", str(tmp_path / "back"), Config=config)
    assert (tmp_path / "back").read_bytes() == data
    s3.copy({"Bucket": bucket, "Key": "k"}, bucket, "copy", Config=config)
    assert body_of(s3.get_object(Bucket=bucket, Key="copy")) == data
