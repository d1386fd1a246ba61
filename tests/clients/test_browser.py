"""A real browser, headless: pages of one origin that upload to a bucket of another, by fetch and by form.

A small server on a port of its own is the pages' origin. A page tells it what it saw, so that no test waits by the clock.
"""

import json
import os
import queue
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import connect
from expect import body_of, md5

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REPORT_SECONDS = 60

# What every page begins with: `report` sends a result home, `attempt` tells what came of a fetch.
PRELUDE = """
const report = (result) => fetch("/report", {method: "POST", body: JSON.stringify(result)});
const attempt = async (url, options) => {
  try {
    const answer = await fetch(url, options);
    return {status: answer.status, etag: answer.headers.get("ETag"), secret: answer.headers.get("x-amz-id-2"), text: await answer.text()};
  } catch (error) {
    return {refused: error.name};
  }
};
"""


class Pages:
    """The origin of pages: serves one page at a time and keeps what it is told."""

    def __init__(self):
        self.page, self.told = "", queue.Queue()
        pages = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path.startswith("/done"):
                    pages.told.put({name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})
                self.answer(pages.page if self.path == "/" else "")

            def do_POST(self):
                pages.told.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.answer("")

            def answer(self, page):
                self.send_response(200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-length", str(len(page.encode())))
                self.end_headers()
                self.wfile.write(page.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def pages():
    running = Pages()
    yield running
    running.close()


@pytest.fixture
def visit(pages, tmp_path):
    """Opens a page with this body in a fresh browser and gives what it tells its origin."""
    assert BROWSER, "chromium is missing: .ci/prepare-tests installs it"
    started = []

    def open_page(script, body=""):
        pages.page = f"<!doctype html><meta charset=utf-8><body>{body}<script type=module>{PRELUDE}{script}</script>"
        argv = [BROWSER, "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server"]
        argv += ["--disable-background-networking", "--disable-component-update", "--disable-extensions"]
        argv += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={tmp_path}/profile"]
        if os.geteuid() == 0:
            argv.append("--no-sandbox")  # root has no sandbox to be put into
        with open(tmp_path / "browser.log", "ab") as log:
            started.append(subprocess.Popen([*argv, pages.origin + "/"], stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        try:
            return pages.told.get(timeout=REPORT_SECONDS)
        except queue.Empty:
            pytest.fail("the page told nothing: " + (tmp_path / "browser.log").read_text(errors="replace")[-2000:])

    yield open_page
    for browser in started:
        browser.terminate()
        try:
            browser.wait(10)
        except subprocess.TimeoutExpired:
            browser.kill()
            browser.wait(10)


@pytest.fixture
def signer(server):
    return connect(server, signature_version="s3v4")


def allow(s3, bucket, *origins, methods=("GET", "PUT", "POST")):
    rule = {"AllowedOrigins": list(origins), "AllowedMethods": list(methods), "AllowedHeaders": ["content-type", "x-amz-meta-*"], "ExposeHeaders": ["ETag"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})


def presigned(signer, bucket, key="k", **headers):
    put = signer.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key, **headers})
    get = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    return put, get


def test_a_page_uploads_and_downloads_by_fetch_where_the_rules_allow_it(s3, signer, bucket, pages, visit):
    allow(s3, bucket, pages.origin)
    put, get = presigned(signer, bucket, ContentType="text/x-note", Metadata={"a": "1"})
    told = visit(
        f"""
        const headers = {{"Content-Type": "text/x-note", "x-amz-meta-a": "1"}};
        const put = await attempt({json.dumps(put)}, {{method: "PUT", headers, body: "from a page"}});
        const get = await attempt({json.dumps(get)});
        await report({{put, get}});
        """
    )
    tag = f'"{md5(b"from a page")}"'
    assert told["put"] == {"status": 200, "etag": tag, "secret": None, "text": ""}, "what is not exposed stays hidden"
    assert (told["get"]["status"], told["get"]["text"], told["get"]["etag"]) == (200, "from a page", tag)
    stored = s3.get_object(Bucket=bucket, Key="k")
    assert (body_of(stored), stored["ContentType"], stored["Metadata"]) == (b"from a page", "text/x-note", {"a": "1"})


def test_a_page_sees_errors_where_the_rules_allow_it(s3, signer, bucket, pages, visit):
    allow(s3, bucket, pages.origin)
    _, missing = presigned(signer, bucket, "missing")
    forged = missing.replace("X-Amz-Signature=", "X-Amz-Signature=0")
    told = visit(f"await report([await attempt({json.dumps(missing)}), await attempt({json.dumps(forged)})]);")
    assert [answer["status"] for answer in told] == [404, 403]
    assert "NoSuchKey" in told[0]["text"] and "SignatureDoesNotMatch" in told[1]["text"]


@pytest.mark.parametrize("rules", ["none", "another origin", "another method", "another header"])
def test_a_page_is_kept_out_where_the_rules_do_not_allow_it(s3, signer, bucket, pages, visit, rules):
    if rules == "another origin":
        allow(s3, bucket, "http://127.0.0.1:1")
    elif rules == "another method":
        allow(s3, bucket, pages.origin, methods=["DELETE"])
    elif rules == "another header":
        allow(s3, bucket, pages.origin, methods=["PUT"])
    put, get = presigned(signer, bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    told = visit(
        f"""
        const put = await attempt({json.dumps(put)}, {{method: "PUT", headers: {{"x-unheard-of": "1"}}, body: "after"}});
        await report([put, await attempt({json.dumps(get)})]);
        """
    )
    assert told == [{"refused": "TypeError"}, {"refused": "TypeError"}]
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"before", "what was not allowed was never sent"


def test_a_form_uploads_a_file_and_leads_back(s3, signer, bucket, pages, visit):
    done = f"{pages.origin}/done"
    fields = {"success_action_redirect": done, "Content-Type": "text/plain"}
    conditions = [{"success_action_redirect": done}, ["starts-with", "$Content-Type", "text/"]]
    post = signer.generate_presigned_post(bucket, "user/${filename}", Fields=fields, Conditions=conditions)
    inputs = "".join(f'<input type=hidden name="{name}" value="{value}">' for name, value in post["fields"].items())
    form = f'<form action="{post["url"]}" method=post enctype="multipart/form-data">{inputs}<input type=file name=file></form>'
    # No rules: forms need none.
    told = visit(
        """
        const files = new DataTransfer();
        files.items.add(new File(["from a form"], "na\\u00efve name.txt"));
        document.querySelector("input[type=file]").files = files.files;
        document.querySelector("form").submit();
        """,
        form,
    )
    assert told == {"bucket": bucket, "key": "user/naïve name.txt", "etag": f'"{md5(b"from a form")}"'}
    stored = s3.get_object(Bucket=bucket, Key="user/naïve name.txt")
    assert (body_of(stored), stored["ContentType"]) == (b"from a form", "text/plain")


def test_a_form_sent_by_fetch_shows_its_answer_where_the_rules_allow_it(s3, signer, bucket, pages, visit):
    allow(s3, bucket, pages.origin)
    fields = {"success_action_status": "201"}
    post = signer.generate_presigned_post(bucket, "k", Fields=fields, Conditions=[fields, ["content-length-range", 0, 20]])
    told = visit(
        f"""
        const post = {json.dumps(post)};
        const send = (text) => {{
          const form = new FormData();
          for (const [name, value] of Object.entries(post.fields)) form.append(name, value);
          form.append("file", new Blob([text]), "a.txt");
          return attempt(post.url, {{method: "POST", body: form}});
        }};
        await report([await send("short enough"), await send("longer than the policy allows")]);
        """
    )
    assert [answer["status"] for answer in told] == [201, 400]
    assert "<PostResponse>" in told[0]["text"] and "EntityTooLarge" in told[1]["text"]
    assert body_of(s3.get_object(Bucket=bucket, Key="k")) == b"short enough"
