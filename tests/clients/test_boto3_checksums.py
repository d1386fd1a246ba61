import base64
import hashlib

import pytest
from conftest import connect
from expect import DIGESTS, body_of, checksum, fails, noise

DATA = b"the bytes that are summed"
ALGORITHMS = sorted(DIGESTS)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_right_checksum_is_kept_and_given_back(s3, bucket, algorithm):
    field, value = f"Checksum{algorithm}", checksum(algorithm, DATA)
    put = s3.put_object(Bucket=bucket, Key="k", Body=DATA, **{field: value})
    assert (put[field], put["ChecksumType"]) == (value, "FULL_OBJECT")
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (body_of(got), got[field], got["ChecksumType"]) == (DATA, value, "FULL_OBJECT")
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[field] == value
    quiet = connect_without_validation(s3).head_object(Bucket=bucket, Key="k")
    assert field not in quiet
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum"])
    assert attributes["Checksum"][field] == value
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert listed["ChecksumAlgorithm"] == [algorithm]


def connect_without_validation(s3):
    """A client that does not ask for checksums on reads."""
    server = type("Named", (), {"endpoint": s3.meta.endpoint_url, "keys": None})
    credentials = s3._request_signer._credentials
    keys = type("Keys", (), {"access_key": credentials.access_key, "secret_key": credentials.secret_key})
    return connect(server, keys=keys, response_checksum_validation="when_required")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_wrong_checksum_stores_nothing(s3, bucket, algorithm):
    field = f"Checksum{algorithm}"
    fails("BadDigest", 400, s3.put_object, Bucket=bucket, Key="k", Body=DATA, **{field: checksum(algorithm, b"other bytes")})
    fails("InvalidRequest", 400, s3.put_object, Bucket=bucket, Key="k", Body=DATA, **{field: "bm90IGEgY2hlY2tzdW0gbm90IGEgY2hlY2tzdW0gbm90IGEgY2hlY2tzdW0="})
    fails("InvalidRequest", 400, s3.put_object, Bucket=bucket, Key="k", Body=DATA, **{field: "!!!"})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_without_a_clients_checksum_crc64nvme_is_computed(server, bucket):
    client = connect(server, request_checksum_calculation="when_required")
    client.put_object(Bucket=bucket, Key="k", Body=DATA)
    head = client.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head["ChecksumCRC64NVME"], head["ChecksumType"]) == (checksum("CRC64NVME", DATA), "FULL_OBJECT")


def test_todays_default_is_crc32(s3, bucket):
    put = s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    assert put["ChecksumCRC32"] == checksum("CRC32", DATA)


def test_content_md5_is_verified(s3, bucket):
    right = base64.b64encode(hashlib.md5(DATA).digest()).decode()
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=DATA, ContentMD5=right)
    fails("BadDigest", 400, s3.put_object, Bucket=bucket, Key="bad", Body=DATA, ContentMD5=wrong)
    fails("InvalidDigest", 400, s3.put_object, Bucket=bucket, Key="bad", Body=DATA, ContentMD5="bm90IG1kNQ==")
    fails("404", 404, s3.head_object, Bucket=bucket, Key="bad")


def test_a_part_with_a_wrong_checksum_is_not_kept(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="CRC32")
    names = {"Bucket": bucket, "Key": "k", "UploadId": upload["UploadId"]}
    fails("BadDigest", 400, s3.upload_part, PartNumber=1, Body=DATA, ChecksumCRC32=checksum("CRC32", b"other"), **names)
    assert "Parts" not in s3.list_parts(**names)


def test_a_copy_keeps_the_checksum_or_computes_the_one_asked_for(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=DATA, ChecksumSHA256=checksum("SHA256", DATA))
    kept = s3.copy_object(Bucket=bucket, Key="kept", CopySource=f"{bucket}/k")
    assert kept["CopyObjectResult"]["ChecksumSHA256"] == checksum("SHA256", DATA)
    other = s3.copy_object(Bucket=bucket, Key="other", CopySource=f"{bucket}/k", ChecksumAlgorithm="CRC32C")
    assert other["CopyObjectResult"]["ChecksumCRC32C"] == checksum("CRC32C", DATA)
    head = s3.head_object(Bucket=bucket, Key="other", ChecksumMode="ENABLED")
    assert head["ChecksumCRC32C"] == checksum("CRC32C", DATA)


def test_aws_chunked_is_not_kept_as_an_encoding(server, s3, bucket):
    client = connect(server)

    def chunked(request, **_):
        del request.headers["Content-Encoding"]
        request.headers["Content-Encoding"] = "gzip,aws-chunked"

    client.meta.events.register("before-sign.s3.PutObject", chunked)
    client.put_object(Bucket=bucket, Key="k", Body=noise(100), ContentEncoding="gzip")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentEncoding"] == "gzip"
