// The public suite of HTTP caching (http-cache-tests): its origin on ORIGIN_PORT, its client against EDGE. Prints every result.
import { createServer } from "node:http";
import { writeSync } from "node:fs";
import fetch from "node-fetch";
import { getResults, runTests } from "http-cache-tests/client/runner.mjs";
import handleConfig from "http-cache-tests/server/handle-config.mjs";
import handleState from "http-cache-tests/server/handle-state.mjs";
import handleTest from "http-cache-tests/server/handle-test.mjs";
import suites from "http-cache-tests/tests/index.mjs";

// What the suite says meanwhile is not what is asked for.
console.log = console.error;
const handlers = { config: handleConfig, test: handleTest, state: handleState };
const origin = createServer((request, response) => {
  const [, what, ...rest] = new URL(request.url, "http://origin").pathname.split("/");
  handlers[what](rest, request, response);
});
await new Promise((listening) => origin.listen(Number(process.env.ORIGIN_PORT), "127.0.0.1", listening));

const only = process.argv[2];
const chosen = suites.map((suite) => ({
  ...suite,
  tests: suite.tests.filter((test) => !only || test.id === only).map((test) => ({ ...test, dump: Boolean(only) })),
}));
await runTests(chosen, fetch, false, process.env.EDGE, 50);
const results = getResults();
const all = chosen.flatMap((suite) => suite.tests).filter((test) => test.id in results);
const rows = all.map((test) => ({
  id: test.id,
  kind: test.kind ?? "required",
  depends: test.depends_on ?? [],
  fault: results[test.id] === true ? null : results[test.id].join(": "),
}));
writeSync(1, JSON.stringify(rows));
process.exit(0);
