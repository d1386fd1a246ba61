import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pytest
from conftest import connect, run
from brim import Keys
from expect import body_of, fails, noise

VERSIONS = ["s3v4", "s3"]  # "s3" is SigV2, what boto3 presigns with by default in us-east-1


def changed(url, **query):
    """The same URL with some of its query parameters replaced."""
    parts = urlsplit(url)
    pairs = [(name, query.get(name.replace("-", "_"), value)) for name, value in parse_qsl(parts.query, keep_blank_values=True)]
    return urlunsplit(parts._replace(query=urlencode(pairs)))


def sign(client, operation, seconds=300, **parameters):
    return client.generate_presigned_url(operation, Params=parameters, ExpiresIn=seconds)


@pytest.fixture(params=VERSIONS)
def signer(request, server):
    return connect(server, signature_version=request.param)


def test_presigned_get_put_head_and_delete_work_without_keys(signer, bucket, requests_session):
    data = noise(50_000)
    names = {"Bucket": bucket, "Key": "a b/ü+%2F"}
    put = requests_session.put(sign(signer, "put_object", **names), data=data, timeout=30)
    assert (put.status_code, put.text) == (200, "")
    got = requests_session.get(sign(signer, "get_object", **names), timeout=30)
    assert (got.status_code, got.content) == (200, data)
    ranged = requests_session.get(sign(signer, "get_object", **names), headers={"Range": "bytes=5-9"}, timeout=30)
    assert (ranged.status_code, ranged.content) == (206, data[5:10])
    head = requests_session.head(sign(signer, "head_object", **names), timeout=30)
    assert (head.status_code, head.headers["content-length"]) == (200, "50000")
    assert requests_session.delete(sign(signer, "delete_object", **names), timeout=30).status_code == 204
    missing = requests_session.get(sign(signer, "get_object", **names), timeout=30)
    assert missing.status_code == 404 and "<Code>NoSuchKey</Code>" in missing.text


def test_the_default_of_boto3_presigns_for_us_east_1(s3, bucket, requests_session):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    url = sign(s3, "get_object", Bucket=bucket, Key="k")
    assert "AWSAccessKeyId=" in url and "Signature=" in url
    assert requests_session.get(url, timeout=30).content == b"v"


def test_response_overrides_are_part_of_the_signature(signer, s3, bucket, requests_session):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    url = sign(signer, "get_object", Bucket=bucket, Key="k", ResponseContentType="text/x-asked", ResponseContentDisposition="attachment; filename=a b")
    got = requests_session.get(url, timeout=30)
    assert (got.headers["content-type"], got.headers["content-disposition"]) == ("text/x-asked", "attachment; filename=a b")
    forged = requests_session.get(url.replace("x-asked", "x-forged"), timeout=30)
    assert forged.status_code == 403 and "<Code>SignatureDoesNotMatch</Code>" in forged.text


def test_a_url_is_good_for_its_method_and_key_only(signer, s3, bucket, requests_session):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    s3.put_object(Bucket=bucket, Key="other", Body=b"v")
    url = sign(signer, "get_object", Bucket=bucket, Key="k")
    for answer in (
        requests_session.put(url, data=b"x", timeout=30),
        requests_session.delete(url, timeout=30),
        requests_session.get(url.replace("/k?", "/other?"), timeout=30),
    ):
        assert answer.status_code == 403 and "<Code>SignatureDoesNotMatch</Code>" in answer.text
        assert "<StringToSign>" in answer.text
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"v"


def test_v4_urls_expire_and_their_times_are_signed(server, s3, bucket, requests_session):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    signer = connect(server, signature_version="s3v4")
    url = sign(signer, "get_object", Bucket=bucket, Key="k")
    longer = requests_session.get(changed(url, X_Amz_Expires="3600"), timeout=30)
    assert longer.status_code == 403 and "<Code>SignatureDoesNotMatch</Code>" in longer.text
    for seconds in (604801, 0):
        refused = requests_session.get(sign(signer, "get_object", seconds, Bucket=bucket, Key="k"), timeout=30)
        assert refused.status_code == 400 and "<Code>AuthorizationQueryParametersError</Code>" in refused.text
    two_days_ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=2)
    expired = requests_session.get(signed_at(server, two_days_ago, bucket), timeout=30)
    assert expired.status_code == 403 and "<Code>AccessDenied</Code>" in expired.text
    assert "Request has expired" in expired.text


def signed_at(server, moment, bucket):
    """A V4 URL for `k` as it would have been signed at that moment, good for five minutes."""
    from unittest import mock

    import botocore.auth

    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: moment.replace(tzinfo=None), create=True):
        url = sign(connect(server, signature_version="s3v4"), "get_object", Bucket=bucket, Key="k")
    assert moment.strftime("X-Amz-Date=%Y%m%dT") in url
    return url


def test_v2_urls_expire(server, s3, bucket, requests_session):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    url = sign(connect(server, signature_version="s3"), "get_object", -10, Bucket=bucket, Key="k")
    expired = requests_session.get(url, timeout=30)
    assert expired.status_code == 403 and "<Code>AccessDenied</Code>" in expired.text


@pytest.mark.parametrize("version", VERSIONS)
def test_wrong_keys_are_told_apart(server, bucket, requests_session, version):
    unknown = connect(server, keys=Keys("AKIAIOSFODNN7EXAMPLE", "secret"), signature_version=version)
    fails("InvalidAccessKeyId", 403, unknown.list_objects_v2, Bucket=bucket)
    wrong = connect(server, keys=Keys(server.keys.access_key, "not the secret"), signature_version=version)
    answer = fails("SignatureDoesNotMatch", 403, wrong.list_objects_v2, Bucket=bucket)
    assert answer["Error"]["StringToSign"]
    for client, code in ((unknown, "InvalidAccessKeyId"), (wrong, "SignatureDoesNotMatch")):
        refused = requests_session.get(sign(client, "get_object", Bucket=bucket, Key="k"), timeout=30)
        assert refused.status_code == 403 and f"<Code>{code}</Code>" in refused.text


def test_a_mismatch_answers_with_the_canonical_request(server, bucket):
    wrong = connect(server, keys=Keys(server.keys.access_key, "not the secret"))
    error = fails("SignatureDoesNotMatch", 403, wrong.get_object, Bucket=bucket, Key="k")["Error"]
    assert error["CanonicalRequest"].startswith(f"GET\n/{bucket}/k\n")
    assert error["StringToSign"].startswith("AWS4-HMAC-SHA256\n")
    assert error["AWSAccessKeyId"] == server.keys.access_key


def test_v2_header_signatures_work_for_everything(server, bucket):
    client = connect(server, signature_version="s3")
    data = noise(100_000)
    client.put_object(Bucket=bucket, Key="a b/+", Body=data, Metadata={"m": "1", "n": "x  y"})
    got = client.get_object(Bucket=bucket, Key="a b/+", ResponseContentType="text/x-v2")
    assert (body_of(got), got["ContentType"], got["Metadata"]["m"]) == (data, "text/x-v2", "1")
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    names = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    etag = client.upload_part(PartNumber=1, Body=data, **names)["ETag"]
    client.complete_multipart_upload(MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}, **names)
    assert "Errors" not in client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "parts"}, {"Key": "a b/+"}]})
    client.delete_bucket(Bucket=bucket)


def test_without_a_signature_everything_is_denied(server, s3, bucket, requests_session):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    for method, path in (("GET", "/"), ("GET", f"/{bucket}"), ("GET", f"/{bucket}/k"), ("PUT", f"/{bucket}/k"), ("DELETE", f"/{bucket}/k")):
        answer = requests_session.request(method, server.endpoint + path, timeout=30)
        assert answer.status_code == 403 and "<Code>AccessDenied</Code>" in answer.text, (method, path)
    head = requests_session.head(f"{server.endpoint}/{bucket}/k", timeout=30)
    assert (head.status_code, head.content) == (403, b"")


def test_a_clock_off_by_more_than_15_minutes_is_refused(server, bucket):
    from unittest import mock

    import botocore.auth

    late = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - datetime.timedelta(minutes=16)
    client = connect(server)
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: late, create=True):
        fails("RequestTimeTooSkewed", 403, client.list_objects_v2, Bucket=bucket)
    client.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("version", VERSIONS)
def test_curl_uses_presigned_urls_in_both_styles(server, s3, bucket, tmp_path, version):
    data = noise(200_000)
    (tmp_path / "data").write_bytes(data)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    path_style = connect(server, signature_version=version)
    hosted = connect(server, style="virtual", endpoint=f"http://s3.localhost:{server.port}", signature_version=version)
    resolve = ["--resolve", f"{bucket}.s3.localhost:{server.port}:127.0.0.1"]
    for number, client in enumerate((path_style, hosted)):
        names = {"Bucket": bucket, "Key": f"curl {number}"}
        curl = ["curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "30", *resolve]
        run([*curl, "--upload-file", tmp_path / "data", sign(client, "put_object", **names)], environment)
        assert run([*curl, sign(client, "get_object", **names)], environment).stdout == data
        assert body_of(s3.get_object(**names)) == data
