import http from 'k6/http';
import { check, group } from 'k6';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';

const trends = ['a', 'b', 'c', 'd'].map((name) => new Trend(`trend_${name}`));
const counters = ['a', 'b', 'c'].map((name) => new Counter(`counter_${name}`));
const rates = ['a', 'b'].map((name) => new Rate(`rate_${name}`));
const gauge = new Gauge('gauge_a');

export const options = {
  thresholds: {
    'http_req_duration{name:page 0}': ['p(95)<5000'],
    'http_req_duration{name:page 1}': ['p(95)<5000'],
    'http_req_failed{name:page 2}': ['rate<0.5'],
    'http_req_waiting{status:200}': ['avg<5000'],
    'checks{group:::visit}': ['rate>0.5'],
  },
};

export default function () {
  group('visit', () => {
    const page = __ITER % 50;
    const response = http.get(`${__ENV.BASE_URL}/page/${page}`, { tags: { name: `page ${page}` } });
    check(response, { 'status is 200': (r) => r.status === 200 });
    for (const trend of trends) trend.add(page);
    for (const counter of counters) counter.add(1);
    for (const rate of rates) rate.add(true);
    gauge.add(page);
  });
}
