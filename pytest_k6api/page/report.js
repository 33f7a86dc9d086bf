/** The report: a section for each load test of the session, made of the results in the file. */

import { element } from "./elements.js";
import { format, formatDuration } from "./scales.js";
import { themeSwitch } from "./theme.js";
import { LoadTestView } from "./view.js";

/** @typedef {import("./data.js").LoadTest} LoadTest */

/**
 * Return the results in the file: JSON, compressed by gzip, in base 64.
 * @returns {Promise<{created_at: number, load_tests: LoadTest[]}>}
 */
async function embeddedResults() {
  const text = (document.getElementById("results")?.textContent ?? "").trim();
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/** @param {LoadTest} test @param {boolean} isOpen */
function section(test, isOpen) {
  const outcome = test.outcome ?? "running";
  const duration = test.numbers.http_req_duration ?? {};
  const line = [formatDuration(test.elapsed), `p95 ${format(duration["p(95)"], "ms")}`, ...test.reasons.slice(0, 1)].join(" · ");
  const made = element("details", { class: `test ${outcome}`, ontoggle: () => open() },
    element("summary", {},
      element("span", { class: `badge ${outcome === "passed" ? "good" : "bad"}` }, outcome),
      element("h2", {}, test.name), element("span", { class: "note" }, line)));
  /** @type {LoadTestView | null} */
  let view = null;
  // Drawn when it is first opened: a session may have a hundred load tests.
  const open = () => {
    if (!made.open || view) return;
    view = new LoadTestView(test);
    made.append(view.element);
  };
  made.open = isOpen;
  return { element: made, open };
}

async function showReport() {
  const main = document.querySelector("main");
  if (!main) return;
  document.getElementById("tools")?.append(themeSwitch());
  const results = await embeddedResults();
  const tests = results.load_tests;
  const first = Math.max(0, tests.findIndex((test) => test.outcome !== "passed"));
  const sections = tests.map((test, index) => section(test, index === first));
  const failed = tests.filter((test) => test.outcome !== "passed").length;
  const summary = `${tests.length} load test${tests.length === 1 ? "" : "s"}, ${failed ? `${failed} not passed` : "all passed"} · ${new Date(results.created_at * 1000).toLocaleString()}`;
  main.replaceChildren(element("p", { class: "session" }, summary), ...sections.map((each) => each.element));
  sections[first]?.open();
  window.addEventListener("beforeprint", () => sections.forEach((each) => { each.element.open = true; each.open(); }));
}

showReport().catch((error) => {
  document.querySelector("main")?.replaceChildren(element("p", { class: "bad" }, `The results in this file cannot be read: ${error}`));
});
