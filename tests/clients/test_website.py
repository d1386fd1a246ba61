"""Website configurations: `aws s3 website`, `aws s3api` and boto3 put, show and delete them, and are refused as by S3."""

import json
from urllib.parse import urlsplit

import pytest
from expect import fails
from test_aws_cli import aws, fresh  # noqa: F401

CONFIGURATION = {
    "IndexDocument": {"Suffix": "index.html"},
    "ErrorDocument": {"Key": "errors/404.html"},
    "RoutingRules": [
        {"Condition": {"KeyPrefixEquals": "docs/"}, "Redirect": {"ReplaceKeyPrefixWith": "documents/"}},
        {
            "Condition": {"HttpErrorCodeReturnedEquals": "404", "KeyPrefixEquals": "old/"},
            "Redirect": {"HostName": "archive.example.com", "Protocol": "https", "HttpRedirectCode": "302", "ReplaceKeyWith": "gone.html"},
        },
    ],
}
INDEX = {"IndexDocument": {"Suffix": "index.html"}}


def read_by_everyone(bucket):
    everyone = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [everyone]})


@pytest.fixture
def visit(server, requests_session):
    """Gets a path of a bucket's website, without following redirects."""

    def get(bucket, path):
        host = f"{bucket}.website.localhost:{urlsplit(server.website).port}"
        return requests_session.get(server.website + path, headers={"Host": host}, allow_redirects=False, timeout=30)

    return get


def test_aws_s3_website_makes_a_bucket_a_site(aws, visit, tmp_path):  # noqa: F811
    bucket = fresh()
    aws.s3("mb", f"s3://{bucket}")
    assert visit(bucket, "/").status_code == 404
    aws.s3("website", f"s3://{bucket}", "--index-document", "index.html", "--error-document", "404.html")
    shown = aws.api("get-bucket-website", "--bucket", bucket)
    assert shown == {**INDEX, "ErrorDocument": {"Key": "404.html"}}
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "index.html").write_text("<h1>hello</h1>")
    (tmp_path / "public" / "404.html").write_text("nothing here")
    aws.s3("sync", tmp_path / "public", f"s3://{bucket}", "--no-progress")
    aws.api("put-bucket-policy", "--bucket", bucket, "--policy", read_by_everyone(bucket))
    page = visit(bucket, "/")
    assert (page.status_code, page.text, page.headers["content-type"]) == (200, "<h1>hello</h1>", "text/html")
    aws.api("delete-bucket-website", "--bucket", bucket)
    assert visit(bucket, "/").headers["x-amz-error-code"] == "NoSuchWebsiteConfiguration"


def test_everything_of_a_configuration_comes_back(aws):  # noqa: F811
    bucket = fresh()
    aws.api("create-bucket", "--bucket", bucket)
    aws.refused("NoSuchWebsiteConfiguration", "get-bucket-website", "--bucket", bucket)
    everywhere = {"RedirectAllRequestsTo": {"HostName": "example.com", "Protocol": "https"}}
    for configuration in (CONFIGURATION, everywhere):
        aws.api("put-bucket-website", "--bucket", bucket, "--website-configuration", json.dumps(configuration))
        assert aws.api("get-bucket-website", "--bucket", bucket) == configuration
    wrong = {**INDEX, **everywhere}
    aws.refused("InvalidArgument", "put-bucket-website", "--bucket", bucket, "--website-configuration", json.dumps(wrong))
    assert aws.api("get-bucket-website", "--bucket", bucket) == everywhere
    for _ in range(2):
        aws.api("delete-bucket-website", "--bucket", bucket)
    aws.refused("NoSuchWebsiteConfiguration", "get-bucket-website", "--bucket", bucket)


def redirect(**said):
    return {**INDEX, "RoutingRules": [{"Redirect": said}]}


@pytest.mark.parametrize(
    "configuration, code, message",
    [
        ({}, "InvalidArgument", "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty"),
        ({"IndexDocument": {"Suffix": "a/b"}}, "InvalidArgument", "The IndexDocument Suffix is not well formed"),
        ({"IndexDocument": {"Suffix": ""}}, "InvalidArgument", "The IndexDocument Suffix is not well formed"),
        (
            {**INDEX, "RedirectAllRequestsTo": {"HostName": "h"}},
            "InvalidArgument",
            "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
        ),
        (
            {"RedirectAllRequestsTo": {"HostName": "h", "Protocol": "ftp"}},
            "InvalidRequest",
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.",
        ),
        (
            redirect(HttpRedirectCode="314"),
            "InvalidRequest",
            "The provided HTTP redirect code (314) is not valid. Valid codes are 3XX except 300.",
        ),
        (
            redirect(ReplaceKeyWith="a", ReplaceKeyPrefixWith="b"),
            "InvalidRequest",
            "You can only define ReplaceKeyPrefix or ReplaceKey but not both.",
        ),
        (
            {**INDEX, "RoutingRules": [{"Condition": {}, "Redirect": {"HostName": "h"}}]},
            "InvalidRequest",
            "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.",
        ),
        (
            {**INDEX, "RoutingRules": [{"Condition": {"HttpErrorCodeReturnedEquals": "302"}, "Redirect": {"HostName": "h"}}]},
            "InvalidRequest",
            "The provided HTTP error code (302) is not valid. Valid codes are 4XX or 5XX.",
        ),
        (
            {**INDEX, "RoutingRules": [{"Redirect": {"HostName": "h"}}] * 51},
            "InvalidRequest",
            "51 routing rules provided, the number of routing rules in a website configuration is limited to 50.",
        ),
        ({**INDEX, "RoutingRules": []}, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema"),
    ],
)
def test_what_s3_refuses_is_refused_in_its_words(s3, bucket, configuration, code, message):
    answer = fails(code, 400, s3.put_bucket_website, Bucket=bucket, WebsiteConfiguration=configuration)
    assert answer["Error"]["Message"] == message
    if code == "InvalidArgument":
        assert answer["Error"]["ArgumentName"] in configuration or answer["Error"]["ArgumentName"] == "IndexDocument"
    fails("NoSuchWebsiteConfiguration", 404, s3.get_bucket_website, Bucket=bucket)


def test_a_redirect_is_kept_by_every_way_to_write_an_object(s3, bucket, requests_session, visit):
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=INDEX)
    s3.put_bucket_policy(Bucket=bucket, Policy=read_by_everyone(bucket))
    s3.put_object(Bucket=bucket, Key="put", WebsiteRedirectLocation="/there")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", WebsiteRedirectLocation="https://example.com/a")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(
        Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}
    )
    fields = {"x-amz-website-redirect-location": "http://example.com/"}
    post = s3.generate_presigned_post(bucket, "form", Fields=fields, Conditions=[fields])
    assert requests_session.post(post["url"], data=post["fields"], files={"file": b"x"}, timeout=30).status_code == 204
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/put", WebsiteRedirectLocation="/copied")
    s3.copy_object(Bucket=bucket, Key="plain", CopySource=f"{bucket}/put")
    expected = {"put": "/there", "parts": "https://example.com/a", "form": "http://example.com/", "copy": "/copied", "plain": None}
    for key, location in expected.items():
        # The S3 endpoint shows the object; the website follows what it says.
        assert s3.head_object(Bucket=bucket, Key=key).get("WebsiteRedirectLocation") == location, key
        answer = visit(bucket, f"/{key}")
        assert (answer.status_code, answer.headers.get("location")) == ((301, location) if location else (200, None)), key


@pytest.mark.parametrize("location", ["there", "ftp://example.com/", "//example.com", "/" + "x" * 2048])
def test_a_redirect_leads_to_a_path_or_an_address(s3, bucket, location):
    if location.startswith("//"):
        s3.put_object(Bucket=bucket, Key="k", WebsiteRedirectLocation=location)  # As at S3: it begins with a slash.
        return
    calls = [(s3.put_object, {}), (s3.create_multipart_upload, {}), (s3.copy_object, {"CopySource": f"{bucket}/source"})]
    s3.put_object(Bucket=bucket, Key="source", Body=b"x")
    for call, more in calls:
        fails("InvalidRedirectLocation", 400, call, Bucket=bucket, Key="k", WebsiteRedirectLocation=location, **more)
