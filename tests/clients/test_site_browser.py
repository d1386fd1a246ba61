"""The example site as a reader sees it: deployed by the binary, loaded by a real browser from its own host."""

import gzip
import hashlib
import json
import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser import Browser, pixels
from conftest import client_environment, new_bucket, run

SITE = Path(__file__).parents[2] / "docs" / "example-site"
# What differs between a page that was drawn and an empty one: text has edges in many shades.
MIN_COLOURS = 100


@pytest.fixture(scope="module")
def site(server, s3, tmp_path_factory):
    """The address of the deployed example."""
    if os.environ.get("TEST_ENDPOINT"):
        pytest.skip("needs the binary")
    bucket = new_bucket(s3)
    environment = client_environment(server, tmp_path_factory.mktemp("home"))
    to_bucket = ["--bucket", bucket, "--endpoint-url", server.endpoint]
    run([os.environ["SERVER_BINARY"], "site", "init", *to_bucket], environment)
    run([os.environ["SERVER_BINARY"], "site", "deploy", SITE, *to_bucket], environment)
    return f"http://{bucket}.website.localhost:{urlsplit(server.website).port}"


@pytest.fixture
def browser(tmp_path):
    running = Browser(tmp_path / "profile", tmp_path / "browser.log")
    yield running
    running.close()


def header(response, name):
    return {found.lower(): value for found, value in response["headers"].items()}.get(name)


def asset(kind):
    (found,) = [path for path in (SITE / "assets").iterdir() if path.suffix == kind]
    return found


def test_the_first_page_is_drawn_in_light_and_dark_and_on_a_phone(site, browser):
    first = browser.load(site + "/")
    assert (first["status"], header(first, "content-type")) == (200, "text/html; charset=utf-8")
    assert header(first, "cache-control") == "public, max-age=0, must-revalidate"
    # The script asked for the page's own headers, which the policy of the site allows.
    browser.evaluate("new Promise((done) => setInterval(() => document.querySelector('#answer dd').textContent == 200 && done(), 20))")
    assert not browser.complaints()
    pictures = []
    for scheme, width in (("light", 1100), ("dark", 1100), ("light", 360)):
        browser.prefer(scheme)
        browser.resize(width)
        picture = pixels(browser.screenshot(width))
        assert len(picture[0]) == width / 4
        colours = {pixel for row in picture for pixel in row}
        assert len(colours) >= MIN_COLOURS, f"{scheme}, {width}: {len(colours)} colours"
        assert browser.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out"
        pictures.append(picture)
    light, dark = (sum(sum(pixel) for pixel in picture[0]) / len(picture[0]) for picture in pictures[:2])
    assert light > 600 > 300 > dark, "the upper edge is paper, or night"


def test_a_clean_address_is_followed_and_the_other_leads_to_it(site, browser):
    browser.load(site + "/")
    about = browser.click("#clean")
    assert (about["status"], about["url"]) == (200, site + "/about")
    assert browser.evaluate("document.querySelector('h1').textContent") == "About this site"
    again = browser.load(site + "/about.html")
    assert (again["status"], again["url"], [answer["status"] for answer in browser.redirects()]) == (200, site + "/about", [308])


def test_a_folder_gets_its_slash_and_a_redirect_is_followed(site, browser):
    browser.load(site + "/")
    guide = browser.click("#folder")
    assert (guide["status"], guide["url"], len(browser.redirects())) == (200, site + "/guide/", 1)
    browser.load(site + "/")
    moved = browser.click("#moved")
    assert (moved["status"], moved["url"], [answer["status"] for answer in browser.redirects()]) == (200, site + "/guide/", [301])


def test_what_is_missing_is_answered_by_the_site_s_own_page(site, browser):
    browser.load(site + "/")
    missing = browser.click("#missing")
    assert (missing["status"], missing["url"]) == (404, site + "/no/such/page")
    assert browser.evaluate("document.querySelector('h1').textContent") == "There is no such page."
    # The page's own sheet is found from there, too.
    assert browser.evaluate("getComputedStyle(document.body).marginTop") == "0px"
    for hidden in ("/_redirects", "/_headers", "/.brim/site.toml"):
        assert browser.load(site + hidden)["status"] in (403, 404)


def test_one_page_answers_every_address_of_the_application(site, browser):
    browser.load(site + "/")
    app = browser.click("#app")
    assert (app["status"], app["url"], header(app, "x-robots-tag")) == (200, site + "/app/orders/7", "noindex")
    assert browser.evaluate("document.querySelector('#view').textContent") == "/app/orders/7"
    browser.evaluate("document.querySelector('#routes li:nth-child(2) a').click()")
    assert browser.evaluate("[location.pathname, document.querySelector('#view').textContent]") == ["/app/orders/8"] * 2
    assert browser.load(site + "/app/orders/8")["status"] == 200, "and after a reload"


def test_assets_come_compressed_and_are_kept_for_a_year(site, browser):
    browser.load(site + "/")
    sheet = browser.responses(kind="Stylesheet")[0]
    # Without TLS browsers ask for no more than gzip: the coding of Brotli is for secure origins, or this machine's.
    coding = header(sheet, "content-encoding")
    assert coding in ("br", "gzip") and header(sheet, "content-type").startswith("text/css")
    assert "accept-encoding" in header(sheet, "vary").lower()
    assert header(sheet, "cache-control") == "public, max-age=31536000, immutable"
    path = "/assets/" + asset(".css").name
    text = browser.evaluate(f"fetch({json.dumps(path)}, {{cache: 'reload'}}).then((answer) => answer.text())")
    assert text == asset(".css").read_text(), "what was compressed is what stands beside it"
    browser.load(site + "/about")
    again = browser.responses(kind="Stylesheet")[0]
    assert again["cached"], "it was not asked for again"


def test_every_coding_of_an_asset_is_the_same_asset(site, requests_session):
    for kind in (".css", ".js"):
        plain = asset(kind).read_bytes()
        assert asset(kind).stem.split(".")[1] == hashlib.sha256(plain).hexdigest()[:10], "the name says what is in it"
        url, tags = f"{site}/assets/{asset(kind).name}", set()
        for asked, coding in (("identity", None), ("gzip", "gzip"), ("br, gzip;q=0.5", "br")):
            answer = requests_session.get(url, headers={"Accept-Encoding": asked}, stream=True, timeout=30)
            body = answer.raw.read(decode_content=False)
            assert (answer.status_code, answer.headers.get("content-encoding")) == (200, coding)
            if coding == "br":
                decoder = "process.stdout.write(require('zlib').brotliDecompressSync(require('fs').readFileSync(0)))"
                body = subprocess.run(["node", "-e", decoder], input=body, capture_output=True, check=True, timeout=30).stdout
            elif coding == "gzip":
                body = gzip.decompress(body)
            assert body == plain
            tags.add(answer.headers["etag"])
            same = requests_session.get(url, headers={"Accept-Encoding": asked, "If-None-Match": answer.headers["etag"]}, timeout=30)
            assert (same.status_code, same.content) == (304, b"")
        assert len(tags) == 3


def test_pages_name_files_that_are_there_and_nothing_from_elsewhere():
    for page in SITE.rglob("*.html"):
        text = page.read_text()
        assert not re.findall(r'(?:href|src)="(?:https?:)?//', text), page
        for link in re.findall(r'(?:href|src)="(/assets/[^"]+)"', text):
            assert (SITE / link[1:]).is_file(), f"{page}: {link}"
