/**
 * The live page: the load test that runs, or another of the session, and its control.
 *
 * All of the load test is asked for once, when the page is opened or connects again. From then on
 * one stream of events brings what is new: reports, and the last seconds of the timeline. So a page
 * that is opened late, or was away for a while, shows the same as one that was there from the start.
 */

import { extend, isNext } from "./data.js";
import { element, printable } from "./elements.js";
import { format, formatNumber } from "./scales.js";
import { themeSwitch } from "./theme.js";
import { LoadTestView } from "./view.js";
import { Workers } from "./workers.js";

/** @typedef {import("./data.js").LoadTest} LoadTest */

/**
 * @typedef {object} Listed
 * @property {string} id
 * @property {{name: string, outcome: string | null, status: number, running: boolean, current: boolean}} attributes
 */

/**
 * @typedef {object} Status
 * @property {number} status
 * @property {boolean} paused
 * @property {number} vus
 * @property {number} vus-max
 * @property {boolean} stopped
 */

/**
 * @typedef {object} Scenario
 * @property {string} id
 * @property {{executor: string, state: string, progress: number | null, vus: number, "vus-max": number, iterations: number, dropped: number, rate: number | null, overrides: Record<string, number>}} attributes
 */

const STATES = ["created", "starting VUs", "starting", "ready", "paused before its start", "started", "setup", "running", "teardown", "ended", "interrupted"];
const PAUSED_BEFORE_START = 4;
const RUNNING = 7;
const ENDED = 9;
/** @type {Record<string, string>} */
const MARKS = { passed: "✓", failed: "✗", interrupted: "✗" };
const EVENTS = "/v1/events?only=test,status,scenarios,workers,timeline,report";
const UNAVAILABLE = 503;
const RETRY_AFTER = 2000;
/** Milliseconds without an event of a load test that runs, which tells of itself every second. */
const LONGEST_SILENCE = 10_000;

/** A request that was refused: its text says why. */
class RefusedError extends Error {
  /** @param {number} status @param {string} text */
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/**
 * Return a load test by the second, with the finest points that are kept; null while its loop is blocked.
 * @param {string | null} id
 * @returns {Promise<import("./data.js").Timeline | null>}
 */
async function askForTimeline(id) {
  const response = await fetch(`/v1/tests/${id}/timeline?points=3600`, { cache: "no-store" });
  if (response.status === UNAVAILABLE) return null;
  if (!response.ok) throw new RefusedError(response.status, response.statusText);
  return response.json();
}

/**
 * @param {string} path
 * @param {{method?: string, body?: unknown}} [options]
 * @returns {Promise<any>} The `data` of the answer.
 */
async function ask(path, { method = "GET", body } = {}) {
  const response = await fetch(path, {
    // The header is one that no form and no other site's page can send.
    method, headers: { "X-K6-Page": "1" }, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store",
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new RefusedError(response.status, answer.errors?.[0]?.detail ?? `${response.status} ${response.statusText}`);
  return answer.data;
}

const HEADS = ["Scenario", "Executor", "State", "Progress", "VUs", "Rate", "Iterations", "New VUs", "New rate", ""];

/** The control of the load test that runs. */
class Control {
  constructor() {
    this.message = element("p", { class: "message", role: "alert" });
    this.start = this.button("Start", () => this.change({ paused: false }), { class: "primary" });
    this.pause = this.button("Pause", () => this.change({ paused: true }));
    this.resume = this.button("Resume", () => this.change({ paused: false }), { class: "primary" });
    this.stop = this.button("Stop…", () => this.question.showModal(), { class: "danger" });
    this.question = element("dialog", { "aria-label": "Stop the load test" },
      element("p", {}, "Stop the load test? Iterations are interrupted; teardown still runs. It cannot be started again."),
      element("div", { class: "tools" },
        this.button("Stop it", () => { this.question.close(); this.change({ stopped: true }); }, { class: "danger" }),
        this.button("Let it run", () => this.question.close())));
    this.body = element("tbody");
    /** @type {Map<string, ReturnType<Control["row"]>>} */
    this.rows = new Map();
    this.element = element("section", { class: "control", "aria-label": "Control" },
      element("div", { class: "tools" }, this.start, this.pause, this.resume, this.stop), this.message,
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Scenarios" },
        element("table", {}, element("thead", {}, element("tr", {}, ...HEADS.map((head, index) =>
          element(head ? "th" : "td", { scope: head ? "col" : null, class: index < 4 || index > 6 ? "text" : null }, head)))), this.body)),
      this.question);
  }

  /** @param {string} label @param {() => void} onclick @param {Record<string, string>} [attributes] */
  button(label, onclick, attributes = {}) {
    return element("button", { type: "button", onclick, ...attributes }, label);
  }

  /** @param {Status} status */
  showStatus({ status, paused }) {
    const isOver = status >= ENDED;
    this.element.hidden = isOver;
    this.start.hidden = status !== PAUSED_BEFORE_START;
    this.pause.hidden = isOver || paused;
    this.resume.hidden = isOver || !paused || status === PAUSED_BEFORE_START;
  }

  /** @param {Scenario[]} scenarios */
  showScenarios(scenarios) {
    for (const { id, attributes } of scenarios) {
      let row = this.rows.get(id);
      if (!row) {
        row = this.row(id, attributes.rate !== null);
        this.rows.set(id, row);
        this.body.append(row.element);
      }
      row.show(attributes);
    }
    for (const [id, row] of this.rows) {
      if (scenarios.some((scenario) => scenario.id === id)) continue;
      row.element.remove();
      this.rows.delete(id);
    }
  }

  /** @param {string} id @param {boolean} hasRate */
  row(id, hasRate) {
    const [executor, state, progress, vus, rate, iterations] = HEADS.slice(1, 7).map((head) => element("td", { "data-head": head }));
    executor.className = state.className = "text";
    progress.className = "text";
    const bar = element("progress", { max: "1", "aria-label": `Progress of ${id}` });
    const share = element("span");
    progress.append(bar, " ", share);
    const newVus = this.setter(id, "vus", "VUs");
    const newRate = hasRate ? this.setter(id, "rate", "rate") : null;
    const pause = this.button("Pause", () => this.changeScenario(id, { paused: pause.textContent === "Pause" }), { "aria-label": `Pause ${id}` });
    const giveBack = this.button("Back to the plan", () => this.changeScenario(id, { vus: null, ...(hasRate ? { rate: null } : {}) }), { "aria-label": `Back to the plan: ${id}` });
    const made = element("tr", {}, element("th", { scope: "row", class: "text" }, id), executor, state, progress, vus, rate, iterations,
      element("td", { class: "text", "data-head": HEADS[7] }, newVus.element),
      element("td", { class: "text", "data-head": HEADS[8] }, newRate && newRate.element),
      element("td", { class: "text" }, pause, " ", giveBack));
    return {
      element: made,
      /** @param {Scenario["attributes"]} now */
      show(now) {
        executor.textContent = now.executor;
        state.textContent = now.state;
        bar.hidden = now.progress === null;
        bar.value = now.progress ?? 0;
        share.textContent = now.progress === null ? "–" : `${Math.floor(now.progress * 100)}%`;
        newVus.input.placeholder = formatNumber(now.vus);
        if (newRate && now.rate !== null) newRate.input.placeholder = formatNumber(now.rate);
        vus.textContent = `${now.vus} of ${now["vus-max"]}`;
        rate.textContent = now.rate === null ? "–" : format(now.rate, "/s");
        iterations.textContent = formatNumber(now.iterations) + (now.dropped ? `, ${formatNumber(now.dropped)} dropped` : "");
        pause.textContent = now.state === "paused" ? "Resume" : "Pause";
        pause.setAttribute("aria-label", `${pause.textContent} ${id}`);
        giveBack.hidden = !Object.keys(now.overrides).length;
      },
    };
  }

  /** @param {string} id @param {"vus" | "rate"} what @param {string} label */
  setter(id, what, label) {
    const input = element("input", { type: "number", min: "0", step: what === "vus" ? "1" : "any", required: true, "aria-label": `New ${label} of ${id}` });
    const form = element("form", { class: "setter", onsubmit: async (/** @type {Event} */ event) => {
      event.preventDefault();
      if (await this.changeScenario(id, { [what]: input.valueAsNumber })) input.value = "";
    } }, input, " ", element("button", { "aria-label": `Set ${label} of ${id}` }, "Set"));
    return { element: form, input };
  }

  /** @param {Record<string, unknown>} attributes */
  change(attributes) {
    return this.patch("/v1/status", { data: { type: "status", id: "default", attributes } }, (answer) => this.showStatus(answer.attributes));
  }

  /** @param {string} id @param {Record<string, unknown>} attributes */
  changeScenario(id, attributes) {
    return this.patch(`/v1/scenarios/${encodeURIComponent(id)}`, { data: { attributes } }, (answer) => this.rows.get(id)?.show(answer.attributes));
  }

  /**
   * @param {string} path
   * @param {unknown} body
   * @param {(answer: any) => void} show
   * @returns {Promise<boolean>} Whether it was taken.
   */
  async patch(path, body, show) {
    this.message.textContent = "";
    try {
      show(await ask(path, { method: "PATCH", body }));
      return true;
    } catch (error) {
      const isRefused = error instanceof RefusedError;
      this.message.textContent = isRefused ? `Refused: ${printable(error.message)}` : "Not sent: the load test cannot be reached.";
      return false;
    }
  }
}

/** All of the page. */
class LivePage {
  constructor() {
    /** @type {Listed[]} */
    this.tests = [];
    /** @type {string | null} The load test that is shown. */
    this.shown = null;
    /** @type {string | null} The load test that `view` is of. */
    this.viewed = null;
    this.isFollowing = true;
    /** @type {LoadTestView | null} */
    this.view = null;
    /** @type {LoadTest | null} A report that is not shown yet, because nobody looks. */
    this.unseen = null;
    /** @type {import("./data.js").Timeline[] | null} What came while the whole was asked for. */
    this.waiting = null;
    /** @type {EventSource | null} */
    this.events = null;
    this.heardAt = 0;
    this.control = new Control();
    this.control.element.hidden = true;
    this.workers = new Workers();
    this.state = element("span", { class: "badge", role: "status" }, "connecting");
    this.picker = element("select", { "aria-label": "Load test", hidden: true, onchange: () => this.onPick() });
    this.title = element("h2", { hidden: true });
    this.place = element("div", {}, element("p", { class: "note" }, "No load test has started yet."));
    this.connection = element("p", { class: "bad", role: "status", hidden: true });
  }

  async open() {
    document.getElementById("tools")?.append(this.picker, " ", this.state, " ", themeSwitch());
    document.querySelector("main")?.replaceChildren(this.connection, this.title, this.control.element, this.workers.element, this.place);
    document.addEventListener("visibilitychange", () => this.onVisibility());
    window.addEventListener("online", () => { if (this.events) this.reconnect(); });
    setInterval(() => this.listenForSilence(), 1000);
    await this.connect();
  }

  async connect() {
    try {
      await this.refreshList();
    } catch (error) {
      if (error instanceof RefusedError && error.status === 401) this.askForToken();
      else this.retry();
      return;
    }
    this.listen();
  }

  /** Connect anew: the stream is silent, or the computer was asleep or elsewhere. */
  reconnect() {
    this.events?.close();
    this.events = null;
    this.connect();
  }

  retry() {
    this.events?.close();
    this.events = null;
    const isOver = this.tests.length > 0 && this.tests.every((test) => test.attributes.outcome !== null);
    this.connection.hidden = false;
    this.connection.textContent = isOver
      ? "The session has ended, or the connection is interrupted; what is shown was known before. Trying again…"
      : "The connection is interrupted; what is shown was known before. Trying again…";
    this.state.textContent = "not connected";
    this.state.className = "badge bad";
    this.control.element.hidden = true;
    setTimeout(() => this.connect(), RETRY_AFTER);
  }

  listen() {
    this.connection.hidden = true;
    this.heardAt = Date.now();
    // Whatever is new from now on comes by itself; what was before is asked for anew.
    this.viewed = null;
    const events = new EventSource(EVENTS);
    this.events = events;
    /** @param {string} name @param {(data: any) => void} take */
    const on = (name, take) => events.addEventListener(name, (event) => {
      this.heardAt = Date.now();
      take(JSON.parse(/** @type {MessageEvent} */ (event).data).data);
    });
    on("test", () => this.refresh());
    on("status", (data) => this.onStatus(data.attributes));
    on("scenarios", (data) => this.control.showScenarios(data));
    on("workers", (data) => { if (this.isCurrent) this.workers.show(data); });
    on("timeline", (data) => { if (data.id === this.shown) this.onTimeline(data.attributes); });
    on("report", (data) => { if (data.id === this.viewed) this.onReport(data.attributes); });
    events.addEventListener("error", () => {
      // Its own retries would not notice that a token is asked for now.
      if (this.events === events) this.retry();
    });
  }

  listenForSilence() {
    const isRunning = this.tests.some((test) => test.attributes.current && test.attributes.outcome === null);
    if (this.events && isRunning && !document.hidden && Date.now() - this.heardAt > LONGEST_SILENCE) this.reconnect();
  }

  /** Ask for the list of load tests, and follow the one that runs. */
  async refreshList() {
    /** @type {Listed[]} */
    this.tests = await ask("/v1/tests");
    const current = this.tests.find((test) => test.attributes.current);
    if (this.isFollowing && current) this.shown = current.id;
    this.fillPicker();
    this.showControl();
  }

  /** Ask for the list, and for all of the load test that is to be shown. */
  async refresh() {
    try {
      await this.refreshList();
      if (this.shown !== this.viewed && this.waiting === null) await this.load();
    } catch (error) {
      // If the server is gone, the stream ends, too.
      const { events } = this;
      if (error instanceof RefusedError) setTimeout(() => { if (this.events === events) this.refresh(); }, RETRY_AFTER);
    }
  }

  /** Ask for all of the load test that is to be shown; what comes meanwhile is not lost. */
  async load() {
    const id = this.shown;
    this.waiting = [];
    try {
      const [test, timeline, workers, status, scenarios] = await Promise.all([
        ask(`/v1/tests/${id}/report`), askForTimeline(id), ask(`/v1/tests/${id}/workers`), ask("/v1/status"), ask("/v1/scenarios")]);
      if (id === this.shown) this.workers.show(workers);
      this.control.showScenarios(scenarios);
      this.onStatus(status.attributes);
      if (id === this.shown) this.show(id, { ...test, timeline });
    } finally {
      const waiting = this.waiting;
      this.waiting = null;
      if (this.shown !== id) await this.load();
      else for (const later of waiting ?? []) this.onTimeline(later);
    }
  }

  /** @param {string | null} id @param {LoadTest} test */
  show(id, test) {
    const isSame = this.view !== null && this.place.contains(this.view.element) && this.view.id === id;
    this.viewed = id;
    this.unseen = null;
    if (this.view !== null && isSame) {
      this.view.show(test);
      return;
    }
    this.view = new LoadTestView(test, id);
    this.title.hidden = false;
    this.title.textContent = printable(test.name);
    this.place.replaceChildren(this.view.element);
  }

  fillPicker() {
    this.picker.hidden = this.tests.length < 2;
    this.picker.replaceChildren(...this.tests.map(({ id, attributes }) => element("option", { value: id },
      `${attributes.outcome === null ? "●" : MARKS[attributes.outcome] ?? "✗"} ${attributes.name}`)));
    if (this.shown !== null) this.picker.value = this.shown;
  }

  onPick() {
    this.shown = this.picker.value;
    this.isFollowing = Boolean(this.tests.find((test) => test.id === this.shown)?.attributes.current);
    this.showControl();
    if (this.waiting === null) this.load().catch(() => this.retry());
  }

  get isCurrent() {
    return Boolean(this.tests.find((test) => test.id === this.shown)?.attributes.current);
  }

  showControl() {
    const outcome = this.tests.find((test) => test.id === this.shown)?.attributes.outcome;
    const status = this.status;
    this.state.textContent = outcome ?? (status ? (status.paused && status.status === RUNNING ? "paused" : STATES[status.status]) : "waiting");
    this.state.className = `badge ${outcome === "passed" ? "good" : outcome ? "bad" : ""}`;
    const name = this.tests.find((test) => test.id === this.shown)?.attributes.name;
    document.title = name ? `${outcome ? MARKS[outcome] ?? "✗" : "●"} ${name}` : "Load test";
    if (status) this.control.showStatus(status);
    if (!this.isCurrent || outcome) this.control.element.hidden = true;
  }

  /** @param {Status} status */
  onStatus(status) {
    this.status = status;
    this.showControl();
  }

  /** @param {LoadTest} report */
  onReport(report) {
    if (!this.view) return;
    if (document.hidden) this.unseen = report;
    else this.view.show({ ...report, timeline: this.view.test.timeline });
  }

  /** @param {import("./data.js").Timeline} later */
  onTimeline(later) {
    if (this.waiting) {
      this.waiting.push(later);
    } else if (this.view && this.view.id === this.shown) {
      const known = this.view.test.timeline;
      // A gap, or points that have become longer: all of them are asked for again.
      if (!known || !isNext(known, later)) this.load().catch(() => this.retry());
      else extend(known, later);
      if (!document.hidden) this.view.showTimeline(known);
    }
  }

  onVisibility() {
    if (document.hidden || !this.view) return;
    const { timeline } = this.view.test;
    if (this.unseen) this.view.show({ ...this.unseen, timeline });
    else this.view.showTimeline(timeline);
    this.unseen = null;
  }

  askForToken() {
    const message = element("p", { class: "bad", role: "alert" });
    const input = element("input", { type: "password", autocomplete: "current-password", required: true, id: "token" });
    this.state.textContent = "token needed";
    this.place.replaceChildren(element("form", { class: "sign-in", onsubmit: async (/** @type {Event} */ event) => {
      event.preventDefault();
      try {
        await ask("/v1/login", { method: "POST", body: { token: input.value } });
      } catch (error) {
        message.textContent = error instanceof Error ? error.message : String(error);
        return;
      }
      this.place.replaceChildren(element("p", { class: "note" }, "No load test has started yet."));
      await this.connect();
    } }, element("input", { autocomplete: "username", value: "k6", hidden: true, "aria-label": "User" }), element("label", { for: "token" }, "Token of this session (--k6-token)"), input, element("button", {}, "Open"), message));
    input.focus();
  }
}

new LivePage().open();
