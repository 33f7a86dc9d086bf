import assert from "node:assert/strict";
import test from "node:test";

const from = (name) => import(new URL(name, process.env.K6API_PAGE));
const scales = await from("scales.js");
const shapes = await from("shapes.js");
const data = await from("data.js");
const table = await from("table.js");
const elements = await from("elements.js");

test("a linear scale places values and finds them again", () => {
  const scale = scales.linearScale([10, 20], [100, 300]);

  assert.equal(scale.place(15), 200);
  assert.equal(scale.value(250), 17.5);
});

test("a scale without extent places its value in the middle", () => {
  assert.equal(scales.linearScale([5, 5], [0, 100]).place(5), 50);
});

test("ticks are round numbers within the bounds", () => {
  assert.deepEqual(scales.ticks(0, 1, 5), [0, 0.5, 1]);
  assert.deepEqual(scales.ticks(0, 0.3, 5), [0, 0.1, 0.2, 0.3]);
  assert.deepEqual(scales.ticks(0, 187, 5), [0, 50, 100, 150]);
  assert.deepEqual(scales.ticks(3, 17, 4), [5, 10, 15]);
  assert.deepEqual(scales.ticks(7, 7, 5), [7]);
});

test("ticks of time are whole seconds, minutes and hours", () => {
  assert.deepEqual(scales.timeTicks(0, 10, 6), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(scales.timeTicks(13, 130, 3), [60, 120]);
  assert.deepEqual(scales.timeTicks(0, 7200, 3), [0, 3600, 7200]);
});

test("folding takes the highest, the mean, the sum or the last of neighbours, nulls not counted", () => {
  const column = [1, null, 3, null, null, null, 5];

  assert.deepEqual(scales.fold(column, 3, "highest"), [3, null, 5]);
  assert.deepEqual(scales.fold(column, 3, "mean"), [2, null, 5]);
  assert.deepEqual(scales.fold(column, 3, "sum"), [4, null, 5]);
  assert.deepEqual(scales.fold(column, 3, "last"), [3, null, 5]);
  assert.deepEqual(scales.fold(column, 1, "highest"), column);
});

test("folded points are no more than there is room for", () => {
  assert.equal(scales.foldSize(3600, 400), 9);
  assert.equal(scales.foldSize(100, 400), 1);
  assert.equal(scales.foldSize(0, 0), 1);
});

test("a peak of one second survives any folding", () => {
  const column = Array.from({ length: 3600 }, (_, second) => (second === 1234 ? 9000 : 10));

  assert.equal(Math.max(...scales.fold(column, scales.foldSize(3600, 300), "highest")), 9000);
});

test("the index at a moment is that of the second that contains it", () => {
  assert.equal(scales.indexAt([0, 2, 4, 6], 5), 2);
  assert.equal(scales.indexAt([3, 4], 1), 0);
  assert.equal(scales.indexAt([0, 1], 99), 1);
});

test("a percentile of buckets lies within its bucket", () => {
  assert.equal(scales.bucketPercentile([0, 10, 0], [1, 10, 100, 1000], 50).toFixed(6), "31.622777");
  assert.equal(scales.bucketPercentile([10, 10], [1, 2, 4], 50), 2);
  assert.equal(scales.bucketPercentile([0, 0], [1, 2, 4], 50), null);
});

test("numbers are written in the unit that reads best", () => {
  assert.equal(scales.format(0.4567, "ms"), "457 µs");
  assert.equal(scales.format(12.34, "ms"), "12.3 ms");
  assert.equal(scales.format(2345, "ms"), "2.35 s");
  assert.equal(scales.format(0.00123, "%"), "0.12%");
  assert.equal(scales.format(0.99999, "%"), ">99.99%");
  assert.equal(scales.format(0.00001, "%"), "<0.01%");
  assert.equal(scales.format(1, "%"), "100%");
  assert.equal(scales.format(1234567, "B/s"), "1.23 MB/s");
  assert.equal(scales.format(1234.5, "/s"), "1,235/s");
  assert.equal(scales.format(null, "ms"), "–");
  assert.equal(scales.formatClock(3725), "1:02:05");
  assert.equal(scales.formatClock(67), "1:07");
  assert.equal(scales.formatDuration(3900), "1 h 5 min");
});

test("a line begins anew after a second without a value", () => {
  assert.equal(shapes.linePath([[0, 1], [1, 2], null, [3, 4]], false, null), "M0 1L1 2M3 4h1.5");
});

test("an area is closed at its base, each part by itself", () => {
  assert.equal(shapes.linePath([[0, 1], [1, 2], null], false, 9), "M0 1L1 2L1 9L0 9Z");
});

test("bars stand on those of the series before", () => {
  assert.deepEqual(shapes.stacked([[1, null, 3], [2, 2, 2]]), [[0, 0, 0], [1, 0, 3], [3, 2, 5]]);
  assert.deepEqual(shapes.stacked([]), [[]]);
});

test("buckets without a count at either end are not shown", () => {
  assert.deepEqual(shapes.usedBuckets([[0, 1, 0, 0], [0, 0, 2, 0]]), [1, 2]);
  assert.deepEqual(shapes.usedBuckets([[0, 0]]), [0, 1]);
});

test("a latency has its place on the scale of the buckets", () => {
  assert.equal(shapes.bucketPlace([1, 10, 100], 10), 1);
  assert.equal(shapes.bucketPlace([1, 10, 100], 1000), 2);
  assert.equal(shapes.bucketPlace([1, 10, 100], 0.1), 0);
});

test("rows are filtered by every word in any of their texts", () => {
  const rows = [{ name: "GET /products", scenario: "browse", count: 3 }, { name: "POST /cart", scenario: "buy", count: 1 }];

  assert.deepEqual(table.filtered(rows, "cart BUY"), [rows[1]]);
  assert.deepEqual(table.filtered(rows, ""), rows);
});

test("rows without a value come last in either order", () => {
  const rows = [{ p95: null }, { p95: 2 }, { p95: 10 }];

  assert.deepEqual(table.sorted(rows, "p95", true), [{ p95: 10 }, { p95: 2 }, { p95: null }]);
  assert.deepEqual(table.sorted(rows, "p95", false), [{ p95: 2 }, { p95: 10 }, { p95: null }]);
});

test("a threshold is a line where the shown requests are those that it is about", () => {
  const thresholds = [
    { metric: "http_req_duration", expression: "p(95)<200", window: "", ok: true, observed: 1 },
    { metric: "http_req_duration{name:cart}", expression: "max < 1.5e3", window: "", ok: false, observed: 1 },
    { metric: "checks", expression: "rate>0.99", window: "", ok: true, observed: 1 },
  ];
  const cart = { scenario: null, name: "cart" };

  assert.deepEqual(data.limitsOf(thresholds, "http_req_duration", data.ALL),
    [{ value: 200, label: "p(95)<200", crossed: false }]);
  assert.deepEqual(data.limitsOf(thresholds, "http_req_duration", cart).map((limit) => limit.value), [200, 1500]);
});

test("a threshold on the rate of requests is a line where these requests are shown", () => {
  const on = (metric, expression) => ({ metric, expression, window: "", ok: true, observed: 1 });
  const thresholds = [on("http_reqs", "rate>100"), on("http_reqs", "count>1000"), on("http_reqs{name:cart}", "rate>5")];
  const values = (selection) => data.rateLimitsOf(thresholds, selection).map((limit) => limit.value);

  assert.deepEqual(values(data.ALL), [100]);
  assert.deepEqual(values({ scenario: null, name: "cart" }), [5]);
  assert.deepEqual(values({ scenario: null, name: "home" }), []);
});

test("a timeline goes on where a later answer begins, and new names have had nothing before", () => {
  const column = (...values) => values;
  const all = (count) => ({ scenario: null, name: null, count, failed: count.map(() => 0), p95_ms: count });
  const before = { width: 1, seconds: [0, 1, 2], vus: { active: column(1, 1, 1) }, requests: [all([5, 6, 7])], errors: [] };
  const later = { width: 1, seconds: [2, 3], vus: { active: column(2, 2) },
    requests: [all([8, 9]), { scenario: null, name: "cart", count: [1, 2], failed: [0, 0] }], errors: [{ kind: "500", counts: [0, 1] }] };

  assert.ok(data.isNext(before, later));
  data.extend(before, later);
  const joined = before;

  assert.deepEqual(joined.seconds, [0, 1, 2, 3]);
  assert.deepEqual(joined.vus.active, [1, 1, 2, 2]);
  assert.deepEqual(joined.requests[0].count, [5, 6, 8, 9]);
  assert.deepEqual(joined.requests[1].count, [null, null, 1, 2]);
  assert.deepEqual(joined.errors[0].counts, [null, null, 0, 1]);
});

test("a heat map goes on in the row in which the later one begins", () => {
  const series = (heat) => [{ scenario: null, name: "cart", count: [], failed: [], heat }];
  const heatmap = { edges_ms: [1, 10, 100], counts: [] };
  const before = { width: 1, heat_width: 2, seconds: [0, 1, 2], vus: { active: [] }, heatmap, requests: series([[1, 1], [1, 0]]) };

  data.extend(before, { width: 1, heat_width: 2, seconds: [3, 4], vus: { active: [] }, heatmap, requests: series([[2, 0], [0, 3]]) });

  assert.deepEqual(before.requests[0].heat, [[1, 1], [2, 0], [0, 3]]);
});

test("a selection has its own heat map, of all of its time or of a part", () => {
  const timeline = { width: 1, heat_width: 2, seconds: [0, 1, 2, 3], vus: { active: [] }, heatmap: { edges_ms: [1, 10, 100], counts: [[1, 1], [1, 0], [0, 0], [2, 2]] },
    requests: [{ scenario: null, name: null, heat: null }, { scenario: null, name: "cart", heat: [[1, 0], [0, 2]] }] };
  const cart = data.heatOf(timeline, { scenario: null, name: "cart" });

  assert.deepEqual(data.distribution(cart, null), [1, 2]);
  assert.deepEqual(data.distribution(cart, [2, 4]), [0, 2]);
  assert.deepEqual(data.distribution(data.heatOf(timeline, data.ALL), null), [4, 3]);
});

test("the rate of the last point is that of the time it had", () => {
  assert.deepEqual(data.ratesOf([10, 10, 5], [0, 1, 2], 1, 2.5), [10, 10, 10]);
  assert.deepEqual(data.ratesOf([10, 10, 5], [0, 1, 2], 1, 9), [10, 10, 5]);
  assert.deepEqual(data.ratesOf([10, 10, 5], [0, 1, 2], 1, 2.01), [10, 10, 5]);
  assert.deepEqual(data.ratesOf([10, 10], [0, 1], 1, Infinity), [10, 10]);
  assert.deepEqual(data.ratesOf([], [], 1, 0), []);
});

test("percentiles are those of the tables where there are some, else those of the buckets", () => {
  const test = { numbers: { http_req_duration: { med: 5, "p(95)": 9, "p(99)": 10 } },
    requests: [{ name: "cart", scenario: "buy", is_sum: false, p50: 1, p95: 2, p99: 3 }, { name: "all of buy", scenario: "buy", is_sum: true, p50: 4, p95: 5, p99: 6 }] };
  const values = (selection) => data.percentileMarks([0, 10], [1, 10, 100], data.exactOf(test, selection)).map((mark) => mark.value);

  assert.deepEqual(values(data.ALL), [5, 9, 10]);
  assert.deepEqual(values({ scenario: null, name: "cart" }), [1, 2, 3]);
  assert.deepEqual(values({ scenario: "buy", name: null }), [4, 5, 6]);
  assert.equal(values({ scenario: null, name: "other" })[0].toFixed(2), "31.62");
});

test("what a page would obey is shown as an escape", () => {
  assert.equal(elements.printable("a\u202eb\x1b[31m\n\tc\ud83d \u{1f600}"), "a\\u202eb\\x1b[31m\n\tc\\ud83d \u{1f600}");
});

test("seconds that are missing, or longer ones, are no continuation", () => {
  const before = { width: 1, seconds: [0, 1, 2] };

  assert.ok(data.isNext(before, { width: 1, seconds: [3] }));
  assert.ok(data.isNext({ width: 1, seconds: [] }, { width: 1, seconds: [0, 1] }));
  assert.ok(!data.isNext(before, { width: 1, seconds: [4] }));
  assert.ok(!data.isNext({ width: 1, seconds: [] }, { width: 1, seconds: [5] }));
  assert.ok(!data.isNext(before, { width: 2, seconds: [2] }));
});

test("checks are listed with the groups that they are in", () => {
  const check = { name: "status is 200", passes: 3, fails: 1 };
  const inner = { name: "pay", path: "::shop::pay", groups: {}, checks: { "status is 200": check } };
  const root = { name: "", path: "", checks: {}, groups: { shop: { name: "shop", path: "::shop", checks: {}, groups: { pay: inner } } } };

  assert.deepEqual(data.checkRows(root), [{ check: "status is 200", group: "shop › pay", passes: 3, fails: 1, share: 0.75 }]);
});
