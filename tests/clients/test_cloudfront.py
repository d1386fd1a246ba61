"""CloudFront's API with `aws cloudfront` and boto3, against edges of the tests' own."""

import json
import os
import time
import uuid

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from brim import Keys
from conftest import REGION, run
from feed_edge import FEED, Edge, site
from test_aws_cli import V1, V2, Aws


def fresh(word):
    return f"{word}-{uuid.uuid4().hex[:8]}"


def client(server, keys=None, service="cloudfront"):
    keys = keys or server.keys
    return boto3.client(
        service,
        endpoint_url=server.endpoint,
        region_name=REGION,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        config=Config(retries={"max_attempts": 1}),
    )


@pytest.fixture
def edges(server):
    """Starts edges: `edges(name, site, ...)`. Those that follow are stopped at the end."""
    started = []

    def start(name=None, *sites, follow=True, keys=None, at=server):
        edge = Edge(at, keys or at.keys, name or fresh("edge"), sites)
        edge.poll()
        started.append(edge)
        return edge.follow() if follow else edge

    yield start
    for edge in started:
        edge.stop()


@pytest.fixture
def cloudfront(server):
    return client(server)


def distribution_of(cloudfront, site_id):
    pages = cloudfront.get_paginator("list_distributions").paginate()
    found = [item for page in pages for item in page["DistributionList"].get("Items", []) if item["Comment"] == site_id]
    assert len(found) == 1, found
    return found[0]["Id"]


def batch(*items, reference=None):
    return {"Paths": {"Quantity": len(items), "Items": list(items)}, "CallerReference": reference or fresh("ref")}


def refused(code, call, **arguments):
    with pytest.raises(ClientError) as failure:
        call(**arguments)
    error = failure.value.response
    assert error["Error"]["Code"] == code, error
    return error


@pytest.mark.parametrize("program", [V1, V2])
def test_the_command_line_invalidates_and_waits_unchanged(server, edges, cloudfront, tmp_path, program):
    name = fresh("site")
    edge = edges(None, site(name, [f"{name}.example.com"]))
    distribution = distribution_of(cloudfront, name)
    aws = Aws(program, server, tmp_path)
    named = json.loads(aws("cloudfront", "create-invalidation", "--distribution-id", name, "--paths", "/by-the-site-s-id"))
    assert f"/distribution/{distribution}/" in named["Location"]
    made = json.loads(aws("cloudfront", "create-invalidation", "--distribution-id", distribution, "--paths", "/*", "/a"))
    assert made["Invalidation"]["Status"] == "Completed"
    assert f"/2020-05-31/distribution/{distribution}/invalidation/{made['Invalidation']['Id']}" in made["Location"]
    began = time.monotonic()
    aws("cloudfront", "wait", "invalidation-completed", "--distribution-id", distribution, "--id", made["Invalidation"]["Id"])
    assert time.monotonic() - began < 15, "the waiter looks again only after 20 s"
    purges = [entry["what"]["purges"] for entry in edge.entries if entry["what"]["kind"] == "purge"]
    assert purges[-1] == [
        {"scope": {"site": name}, "target": "all"},
        {"scope": {"site": name}, "target": {"path": "/a"}},
    ]


def test_an_invalidation_is_completed_only_when_every_live_edge_has_said_so(edges, cloudfront):
    name = fresh("site")
    hosts = [f"{name}.example.com"]
    edges(None, site(name, hosts))
    slow = edges(None, site(name, hosts), follow=False)
    slow.poll()
    distribution = distribution_of(cloudfront, name)
    began = time.monotonic()
    made = cloudfront.create_invalidation(DistributionId=distribution, InvalidationBatch=batch("/a"))["Invalidation"]
    assert made["Status"] == "InProgress" and 0.9 < time.monotonic() - began < 3

    def status():
        return cloudfront.get_invalidation(DistributionId=distribution, Id=made["Id"])["Invalidation"]["Status"]

    page = slow.poll()
    assert [entry["what"]["kind"] for entry in page["entries"]][-1] == "purge"
    assert status() == "InProgress", "it was told, and has not said that it is done"
    slow.poll()
    assert status() == "Completed"


def test_an_edge_that_is_gone_is_waited_for_until_its_lease_is_over(edges, cloudfront):
    name = fresh("site")
    dead = edges(None, site(name, [f"{name}.example.com"]), follow=False)
    began = time.monotonic()
    distribution = distribution_of(cloudfront, name)
    made = cloudfront.create_invalidation(DistributionId=distribution, InvalidationBatch=batch("/a"))["Invalidation"]
    assert made["Status"] == "InProgress"
    while cloudfront.get_invalidation(DistributionId=distribution, Id=made["Id"])["Invalidation"]["Status"] == "InProgress":
        assert time.monotonic() - began < 14, "a lease of 10 s and a margin of 2 s are over"
        time.sleep(0.2)
    assert time.monotonic() - began > 11.5, "it may have trusted what it held until its lease was over"
    assert dead.poll()["entries"], "and hears of it when it comes back"


def test_an_edge_that_stops_in_order_is_not_waited_for(edges, cloudfront):
    name = fresh("site")
    gone = edges(None, site(name, [f"{name}.example.com"]), follow=False)
    gone.poll(leaving=True, apply=False)
    distribution = distribution_of(cloudfront, name)
    made = cloudfront.create_invalidation(DistributionId=distribution, InvalidationBatch=batch("/a"))["Invalidation"]
    assert made["Status"] == "Completed"


def test_paths_wildcards_and_tags_mix_and_come_back_as_given(edges, cloudfront):
    name = fresh("site")
    edge = edges(None, site(name, [f"{name}.example.com"]))
    distribution = distribution_of(cloudfront, name)
    items = ["/a%20b?x=1", "/images/*", "#Shop-1"]
    given = batch(*items)
    made = cloudfront.create_invalidation(DistributionId=distribution, InvalidationBatch=given)
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    read = cloudfront.get_invalidation(DistributionId=distribution, Id=made["Invalidation"]["Id"])["Invalidation"]
    assert read["InvalidationBatch"] == given
    targets = [purge["target"] for purge in edge.entries[-1]["what"]["purges"]]
    assert targets == [{"path": "/a%20b?x=1"}, {"prefix": "/images/"}, {"tag": "shop-1"}]


def test_a_reference_is_used_once(edges, cloudfront):
    name = fresh("site")
    edge = edges(None, site(name, [f"{name}.example.com"]))
    distribution = distribution_of(cloudfront, name)
    create = cloudfront.create_invalidation
    first = create(DistributionId=distribution, InvalidationBatch=batch("/a", "/b", reference="once"))["Invalidation"]
    before = len(edge.entries)
    again = create(DistributionId=distribution, InvalidationBatch=batch("/a", "/b", reference="once"))["Invalidation"]
    assert (again["Id"], again["CreateTime"]) == (first["Id"], first["CreateTime"])
    assert len(edge.entries) == before, "nothing is purged twice"
    other = batch("/c", reference="once")
    error = refused("InvalidArgument", create, DistributionId=distribution, InvalidationBatch=other)
    assert error["Error"]["Message"] == (
        "Your request contains a caller reference that was used for a previous invalidation batch for the same distribution."
    )


def test_what_cannot_be_invalidated_is_refused_in_cloudfront_s_words(edges, cloudfront):
    name = fresh("site")
    edges(None, site(name, [f"{name}.example.com"]))
    distribution, create = distribution_of(cloudfront, name), cloudfront.create_invalidation
    for code, given in [
        ("InvalidArgument", batch("a")),
        ("InvalidArgument", batch("/a*b")),
        ("InvalidArgument", batch("#")),
        ("InvalidArgument", batch()),
        ("InconsistentQuantities", {**batch("/a"), "Paths": {"Quantity": 2, "Items": ["/a"]}}),
        ("BatchTooLarge", batch(*[f"/{number}" for number in range(3001)])),
    ]:
        refused(code, create, DistributionId=distribution, InvalidationBatch=given)
    error = refused("NoSuchDistribution", create, DistributionId="E0000000000000", InvalidationBatch=batch("/a"))
    assert error["Error"]["Message"] == "The specified distribution does not exist."
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 404
    get = cloudfront.get_invalidation
    refused("NoSuchInvalidation", get, DistributionId=distribution, Id="I0000000000099")
    refused("NoSuchDistribution", cloudfront.get_distribution, Id="nonsense")


def test_no_more_is_in_progress_than_cloudfront_allows(edges, cloudfront):
    name = fresh("site")
    slow = edges(None, site(name, [f"{name}.example.com"]), follow=False)
    slow.poll()
    distribution, create = distribution_of(cloudfront, name), cloudfront.create_invalidation
    wildcards = [f"/{number}/*" for number in range(15)]
    create(DistributionId=distribution, InvalidationBatch=batch(*wildcards))
    refused("TooManyInvalidationsInProgress", create, DistributionId=distribution, InvalidationBatch=batch("/*"))
    create(DistributionId=distribution, InvalidationBatch=batch("/one-path"))
    paths = [f"/{number}" for number in range(2985)]
    refused("TooManyInvalidationsInProgress", create, DistributionId=distribution, InvalidationBatch=batch(*paths))
    got = cloudfront.get_distribution(Id=distribution)["Distribution"]
    assert got["InProgressInvalidationBatches"] == 2
    slow.poll(), slow.poll()
    create(DistributionId=distribution, InvalidationBatch=batch("/*"))
    slow.poll(), slow.poll()


def test_invalidations_are_listed_newest_first_in_pages(edges, cloudfront):
    name = fresh("site")
    edges(None, site(name, [f"{name}.example.com"]))
    distribution = distribution_of(cloudfront, name)
    made = [
        cloudfront.create_invalidation(DistributionId=distribution, InvalidationBatch=batch(f"/{number}"))["Invalidation"]["Id"]
        for number in range(5)
    ]
    pages = cloudfront.get_paginator("list_invalidations")
    listed = [
        [item["Id"] for item in page["InvalidationList"].get("Items", [])]
        for page in pages.paginate(DistributionId=distribution, PaginationConfig={"PageSize": 2})
    ]
    assert [len(page) for page in listed] == [2, 2, 1]
    assert sum(listed, []) == made[::-1]
    one = cloudfront.list_invalidations(DistributionId=distribution, MaxItems="2")["InvalidationList"]
    assert (one["MaxItems"], one["IsTruncated"], one["NextMarker"], one["Quantity"]) == (2, True, made[3], 2)
    refused("InvalidArgument", cloudfront.list_invalidations, DistributionId=distribution, MaxItems="0")


def test_the_sites_of_edges_are_distributions(edges, cloudfront):
    name = fresh("site")
    hosts = [f"{name}.example.com", f"*.{name}.example.com"]
    described = site(name, hosts, bucket="my-bucket")
    described["behaviours"].insert(0, {**described["behaviours"][0], "path": "/api/*", "max_ttl": 0, "compress": False})
    described["behaviours"][-1].update(viewers="redirected", max_ttl=2**64 - 1)
    edges(None, described)
    distribution = distribution_of(cloudfront, name)
    got = cloudfront.get_distribution(Id=distribution)
    whole, config = got["Distribution"], got["Distribution"]["DistributionConfig"]
    assert whole["ARN"] == f"arn:aws:cloudfront::000000000000:distribution/{distribution}"
    assert (whole["Status"], whole["DomainName"], config["Enabled"]) == ("Deployed", hosts[0], True)
    assert config["Aliases"] == {"Quantity": 2, "Items": hosts}
    assert config["Origins"]["Items"][0]["DomainName"] == "my-bucket"
    assert config["DefaultCacheBehavior"]["MaxTTL"] == 31536000, "CloudFront's longest, where there is no bound"
    assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    assert config["CacheBehaviors"]["Items"][0]["ViewerProtocolPolicy"] == "allow-all"
    assert [(item["PathPattern"], item["MaxTTL"]) for item in config["CacheBehaviors"]["Items"]] == [("/api/*", 0)]
    alone = cloudfront.get_distribution_config(Id=distribution)
    assert (alone["DistributionConfig"], alone["ETag"]) == (config, got["ETag"])
    cloudfront.get_waiter("distribution_deployed").wait(Id=distribution)


def test_edges_agree_on_what_a_site_is(server, edges):
    name = fresh("site")
    edges("one", site(name, [f"{name}.example.com"]))
    for other in [site(name, [f"other.{name}.example.com"]), site(fresh("site"), [f"{name}.example.com"])]:
        edge = Edge(server, server.keys, "two", [other])
        status, answer = edge.post(FEED, edge.document())
        assert (status, len(answer["not_taken"])) == (200, 1), answer
        assert answer["not_taken"][0].startswith(f"site {other['id']}: ") and "at edge one" in answer["not_taken"][0]
        assert answer["lease"], "the feed goes on"
    edges("two", site(name, [f"{name}.example.com"]))


def test_policies_decide_who_may_invalidate_what(server, edges, cloudfront):
    name = fresh("site")
    edges(None, site(name, [f"{name}.example.com"]))
    distribution = distribution_of(cloudfront, name)
    iam, user = client(server, service="iam"), fresh("user")
    iam.create_user(UserName=user)
    made = iam.create_access_key(UserName=user)["AccessKey"]
    theirs = client(server, Keys(made["AccessKeyId"], made["SecretAccessKey"]))
    for call, arguments in [
        (theirs.create_invalidation, {"DistributionId": distribution, "InvalidationBatch": batch("/a")}),
        (theirs.get_distribution, {"Id": distribution}),
        (theirs.list_distributions, {}),
    ]:
        assert "is not authorized to perform: cloudfront:" in refused("AccessDenied", call, **arguments)["Error"]["Message"]
    arn = f"arn:aws:cloudfront::000000000000:distribution/{distribution}"
    statement = {"Effect": "Allow", "Action": "cloudfront:CreateInvalidation", "Resource": arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=user, PolicyName="one", PolicyDocument=document)
    theirs.create_invalidation(DistributionId=distribution, InvalidationBatch=batch("/a"))
    refused("AccessDenied", theirs.get_invalidation, DistributionId=distribution, Id="I0000000000001")


def test_wrong_keys_are_nobody(server):
    wrong = client(server, Keys(server.keys.access_key, "x" * 40))
    refused("SignatureDoesNotMatch", wrong.list_distributions)
    refused("InvalidClientTokenId", client(server, Keys("AKIAUNKNOWN", "x" * 40)).list_distributions)


def test_an_edge_hears_of_its_buckets_alone_and_is_told_what_answers_depend_on(server, edges):
    s3, bucket, other = client(server, service="s3"), fresh("pail"), fresh("tub")
    for name in (bucket, other):
        s3.create_bucket(Bucket=name)
    argv = [os.environ["SERVER_BINARY"], "key", "create", "--edge", bucket, "--data", server.data, "--json"]
    made = json.loads(run(argv, dict(os.environ)).stdout)
    keys = Keys(made["access_key_id"], made["secret_access_key"])
    edge = edges(None, site(fresh("site"), [f"{fresh('host')}.example.com"], bucket), follow=False, keys=keys)
    edge.entries.clear()
    for name in (bucket, other):
        s3.put_object(Bucket=name, Key="a b", Body=b"1")
    s3.put_object(Bucket=bucket, Key="_redirects", Body=b"")
    s3.delete_object(Bucket=bucket, Key="a b")
    edge.poll()
    whats = [entry["what"] for entry in edge.entries]
    assert whats == [
        {"kind": "object", "bucket": bucket, "key": "a b"},
        {"kind": "object", "bucket": bucket, "key": "_redirects", "configuration": True},
        {"kind": "object", "bucket": bucket, "key": "a b"},
    ]
    s3.put_object(Bucket=bucket, Key="é x", Body=b"1", CacheControl="max-age=0, must-revalidate")
    edge.poll()
    theirs = client(server, keys, "s3")
    theirs.meta.events.register("before-sign.s3", lambda request, **_: request.headers.add_header("brim-edge", keys.access_key))
    headers = theirs.get_object(Bucket=bucket, Key="é x")["ResponseMetadata"]["HTTPHeaders"]
    assert headers["cdn-cache-control"] == "max-age=31536000"
    assert headers["brim-depends"] == f"{bucket} {bucket}/%C3%A9%20x"
    missing = refused("NoSuchKey", theirs.get_object, Bucket=bucket, Key="nothing")["ResponseMetadata"]["HTTPHeaders"]
    assert missing["brim-depends"] == f"{bucket} {bucket}/nothing"
    for reader in (s3,):
        headers = reader.get_object(Bucket=bucket, Key="é x")["ResponseMetadata"]["HTTPHeaders"]
        assert "brim-depends" not in headers and "cdn-cache-control" not in headers
    for call, arguments in [
        (theirs.put_object, {"Bucket": bucket, "Key": "x", "Body": b""}),
        (theirs.get_object, {"Bucket": other, "Key": "a b"}),
        (theirs.get_object, {"Bucket": bucket, "Key": ".brim/site.toml"}),
    ]:
        refused("AccessDenied", call, **arguments)


def test_the_command_line_lists_edges_waits_and_purges(server, edges):
    name = fresh("edge")
    edge = edges(name, site(fresh("site"), [f"{fresh('host')}.example.com"]))

    def brim(*words, status=0):
        argv = [os.environ["SERVER_BINARY"], *words, "--data", server.data, "--json"]
        return json.loads(run(argv, dict(os.environ), status=status).stdout)

    def listed():
        return {edge["name"]: edge for edge in brim("edge", "list")["edges"]}

    assert (listed()[name]["state"], listed()[name]["behind"]) == ("live", None)
    s3, bucket = client(server, service="s3"), fresh("pail")
    s3.create_bucket(Bucket=bucket)
    answer = s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    position = answer["ResponseMetadata"]["HTTPHeaders"]["x-brim-position"]
    assert brim("edge", "wait", "--position", position) == {"position": int(position), "gone": True}
    assert brim("purge", "#shop", "/a*", "--soft")["gone"] is True
    assert [purge["target"] for purge in edge.entries[-1]["what"]["purges"]] == [{"tag": "shop"}, {"prefix": "/a"}]
    assert all(purge["soft"] and purge["scope"] == "everything" for purge in edge.entries[-1]["what"]["purges"])
    assert brim("edge", "wait", "--position", str(10**9), "--timeout", "100ms", status=1)["gone"] is False


def test_leases_of_the_run_before_are_waited_for(own_server):
    first = own_server()
    edge = Edge(first, first.keys, "edge", [site("www", ["www.example.com"])])
    edge.poll()
    first.stop()
    second = own_server()
    began = time.monotonic()
    cloudfront = client(second)
    distribution = distribution_of(cloudfront, "www")
    made = cloudfront.create_invalidation(DistributionId=distribution, InvalidationBatch=batch("/a"))["Invalidation"]
    assert made["Status"] == "InProgress", "an edge of before may hold it, and nobody knows of that edge"
    edge.server = second
    page = edge.poll()
    assert not page.get("flush") and page["entries"][-1]["what"]["kind"] == "purge", "it goes on where it was"
    while cloudfront.get_invalidation(DistributionId=distribution, Id=made["Id"])["Invalidation"]["Status"] != "Completed":
        assert time.monotonic() - began < 20
        edge.poll()
        time.sleep(0.1)
    assert time.monotonic() - began > 9

