"""Forms whose policies boto3 signed, sent by an HTTP client."""

import pytest
from conftest import connect
from expect import body_of, checksum, md5, noise

VERSIONS = ["s3v4", "s3"]


@pytest.fixture(params=VERSIONS)
def signer(request, server):
    return connect(server, signature_version=request.param)


def send(session, post, content=b"content", name="photo.jpg", **fields):
    """Sends a form; fields given here replace those that were signed, or add to them."""
    data = {**post["fields"], **{field.replace("_", "-") if field.startswith("x_") else field: value for field, value in fields.items()}}
    return session.post(post["url"], data=data, files={"file": (name, content, "image/jpeg")}, allow_redirects=False, timeout=30)


def refused(answer, status, code):
    assert (answer.status_code, f"<Code>{code}</Code>" in answer.text) == (status, True), answer.text
    return answer.text


def test_a_presigned_post_uploads_and_answers_as_asked(signer, s3, bucket, requests_session):
    data = noise(300_000)
    fields = {"Content-Type": "image/png", "x-amz-meta-note": "a b", "success_action_status": "201"}
    post = signer.generate_presigned_post(bucket, "user/${filename}", Fields=fields, Conditions=[{name: value} for name, value in fields.items()])
    answer = send(requests_session, post, data)
    assert answer.status_code == 201, answer.text
    assert f"<Key>user/photo.jpg</Key><ETag>&quot;{md5(data)}&quot;</ETag></PostResponse>" in answer.text.replace('"', "&quot;")
    got = s3.get_object(Bucket=bucket, Key="user/photo.jpg")
    assert (body_of(got), got["ContentType"], got["Metadata"]) == (data, "image/png", {"note": "a b"})


def test_the_policy_is_held_to(signer, s3, bucket, requests_session):
    conditions = [["content-length-range", 5, 1000], ["starts-with", "$Content-Type", "image/"], {"acl": "private"}]
    fields = {"Content-Type": "image/png", "acl": "private"}
    post = signer.generate_presigned_post(bucket, "key", Fields=fields, Conditions=conditions)
    assert "Policy Condition failed" in refused(send(requests_session, post, key="other"), 403, "AccessDenied")
    assert "Policy Condition failed" in refused(send(requests_session, post, **{"Content-Type": "text/html"}), 403, "AccessDenied")
    assert "Extra input fields: x-amz-meta-a" in refused(send(requests_session, post, x_amz_meta_a="1"), 403, "AccessDenied")
    refused(send(requests_session, post, b"1234"), 400, "EntityTooSmall")
    refused(send(requests_session, post, b"1" * 1001), 400, "EntityTooLarge")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    assert send(requests_session, post).status_code == 204
    assert body_of(s3.get_object(Bucket=bucket, Key="key")) == b"content"


def test_signature_and_time_are_held_to(signer, bucket, requests_session):
    post = signer.generate_presigned_post(bucket, "key")
    signature = next(name for name in post["fields"] if name.lower().endswith("signature"))
    forged = {**post, "fields": {**post["fields"], signature: "A" + post["fields"][signature][1:] + "A"}}
    refused(send(requests_session, forged), 403, "SignatureDoesNotMatch")
    late = signer.generate_presigned_post(bucket, "key", ExpiresIn=-5)
    assert "Policy expired" in refused(send(requests_session, late), 403, "AccessDenied")


def test_a_redirect_carries_what_was_stored(signer, bucket, requests_session):
    target = "http://127.0.0.1:1/done"
    post = signer.generate_presigned_post(bucket, "a b", Fields={"success_action_redirect": target}, Conditions=[{"success_action_redirect": target}])
    answer = send(requests_session, post)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{target}?bucket={bucket}&key=a%20b&etag=%22{md5(b'content')}%22"


def test_checksums_and_tags_come_as_fields(s3, server, bucket, requests_session):
    signer = connect(server, signature_version="s3v4")
    tagging = "<Tagging><TagSet><Tag><Key>team</Key><Value>red</Value></Tag></TagSet></Tagging>"
    fields = {"x-amz-checksum-sha256": checksum("SHA256", b"content"), "tagging": tagging}
    post = signer.generate_presigned_post(bucket, "key", Fields=fields, Conditions=[{name: value} for name, value in fields.items()])
    refused(send(requests_session, post, b"another"), 400, "BadDigest")
    assert send(requests_session, post).status_code == 204
    assert s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"] == [{"Key": "team", "Value": "red"}]
    assert s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")["ChecksumSHA256"] == checksum("SHA256", b"content")


def test_presigned_urls_hold_their_users_to_the_signed_headers(server, s3, bucket, requests_session):
    signer = connect(server, signature_version="s3v4")
    signed = {"ContentType": "image/png", "Metadata": {"owner": "alice"}, "Tagging": "a=1"}
    url = signer.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k", **signed})
    headers = {"Content-Type": "image/png", "x-amz-meta-owner": "alice", "x-amz-tagging": "a=1"}
    for name in headers:
        fewer = {other: value for other, value in headers.items() if other != name}
        refused(requests_session.put(url, data=b"v", headers=fewer, timeout=30), 403, "SignatureDoesNotMatch")
    assert requests_session.put(url, data=b"v", headers=headers, timeout=30).status_code == 200
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentType"], head["Metadata"], head["TagCount"]) == ("image/png", {"owner": "alice"}, 1)
