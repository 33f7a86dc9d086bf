import http from 'k6/http';

export const options = {
  scenarios: {
    load: {
      executor: 'constant-arrival-rate',
      rate: Number(__ENV.RATE),
      duration: __ENV.DURATION,
      preAllocatedVUs: Number(__ENV.VUS),
      maxVUs: Number(__ENV.VUS),
    },
  },
  summaryTrendStats: ['p(50)', 'p(90)', 'p(99)', 'p(99.9)'],
};

export default function () {
  http.get(`${__ENV.BASE_URL}${__ENV.ASK}`);
}

export function handleSummary(data) {
  const values = data.metrics.http_req_duration.values;
  const report = {
    requests: data.metrics.http_reqs.values.count,
    seconds: data.state.testRunDurationMs / 1000,
    took: Object.fromEntries(['50', '90', '99', '99.9'].map((r) => [r, values[`p(${r})`]])),
  };
  return { [__ENV.REPORT]: JSON.stringify(report) };
}
