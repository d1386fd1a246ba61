// Shows what the server sent with this page, and, below /app/, routes in the browser.
const SHOWN = ["etag", "cache-control", "content-type", "last-modified", "x-content-type-options"];

const answer = document.querySelector("#answer");
if (answer) {
  const { status, headers } = await fetch(location.pathname, { method: "HEAD", cache: "no-store" });
  const rows = [["status", status], ...SHOWN.map((name) => [name, headers.get(name)])];
  answer.replaceChildren(...rows.filter(([, value]) => value !== null).flatMap(row));
}

const view = document.querySelector("#view");
if (view) {
  const show = () => {
    view.textContent = location.pathname;
    document.title = `${location.pathname} · Brim`;
  };
  document.querySelector("#routes").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState(null, "", link.href);
    show();
  });
  addEventListener("popstate", show);
  show();
}

function row([name, value]) {
  const [term, description] = ["dt", "dd"].map((tag) => document.createElement(tag));
  term.textContent = name;
  description.textContent = value;
  return [term, description];
}
