"""`aws s3api` on CORS rules and tags."""

import json

from test_aws_cli import aws, fresh  # noqa: F401


def test_cors_rules_are_put_shown_and_deleted(aws):  # noqa: F811
    bucket = fresh()
    aws.api("create-bucket", "--bucket", bucket)
    aws.refused("NoSuchCORSConfiguration", "get-bucket-cors", "--bucket", bucket)
    rule = {
        "ID": "app",
        "AllowedMethods": ["GET", "PUT"],
        "AllowedOrigins": ["https://*.example.com"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 3000,
    }
    aws.api("put-bucket-cors", "--bucket", bucket, "--cors-configuration", json.dumps({"CORSRules": [rule]}))
    assert aws.api("get-bucket-cors", "--bucket", bucket) == {"CORSRules": [rule]}
    wrong = {"CORSRules": [{**rule, "AllowedMethods": ["PATCH"]}]}
    aws.refused("InvalidRequest", "put-bucket-cors", "--bucket", bucket, "--cors-configuration", json.dumps(wrong))
    aws.api("delete-bucket-cors", "--bucket", bucket)
    aws.refused("NoSuchCORSConfiguration", "get-bucket-cors", "--bucket", bucket)


def test_tags_of_buckets_are_put_shown_and_deleted(aws):  # noqa: F811
    bucket = fresh()
    aws.api("create-bucket", "--bucket", bucket)
    aws.refused("NoSuchTagSet", "get-bucket-tagging", "--bucket", bucket)
    tags = {"TagSet": [{"Key": "team", "Value": "red"}, {"Key": "cost centre", "Value": ""}]}
    aws.api("put-bucket-tagging", "--bucket", bucket, "--tagging", json.dumps(tags))
    assert aws.api("get-bucket-tagging", "--bucket", bucket) == tags
    aws.refused("InvalidTag", "put-bucket-tagging", "--bucket", bucket, "--tagging", "TagSet=[{Key=aws:a,Value=b}]")
    aws.api("delete-bucket-tagging", "--bucket", bucket)
    aws.refused("NoSuchTagSet", "get-bucket-tagging", "--bucket", bucket)


def test_tags_of_objects_are_put_shown_and_deleted(aws, tmp_path):  # noqa: F811
    bucket, body = fresh(), tmp_path / "body"
    body.write_bytes(b"content")
    aws.api("create-bucket", "--bucket", bucket)
    target = ("--bucket", bucket, "--key", "k")
    aws.api("put-object", *target, "--body", body, "--tagging", "a=1&b=2")
    assert aws.api("get-object-tagging", *target)["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    aws.api("put-object-tagging", *target, "--tagging", "TagSet=[{Key=c,Value=3}]")
    assert aws.api("get-object-tagging", *target)["TagSet"] == [{"Key": "c", "Value": "3"}]
    aws.refused("InvalidTag", "put-object-tagging", *target, "--tagging", "TagSet=[{Key=c,Value=3},{Key=c,Value=4}]")
    aws.api("delete-object-tagging", *target)
    assert aws.api("get-object-tagging", *target)["TagSet"] == []
    aws.refused("NoSuchKey", "get-object-tagging", "--bucket", bucket, "--key", "missing")
