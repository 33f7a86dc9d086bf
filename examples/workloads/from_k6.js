// The same load test as test_from_k6.py, for k6:
//
//     k6 run -e BASE_URL=http://127.0.0.1:8000 from_k6.js
import http from 'k6/http';
import exec from 'k6/execution';
import { check, group, sleep } from 'k6';
import { SharedArray } from 'k6/data';
import { Trend } from 'k6/metrics';

const BASE_URL = __ENV.BASE_URL;
const queueTime = new Trend('queue_time', true);

const orders = new SharedArray('orders', () =>
  open('../data/searches.jsonl').trim().split('\n').map(JSON.parse));

export const options = {
  thresholds: {
    'http_req_duration{scenario:browse}': ['p(95)<1000'],
    'http_req_failed': [{ threshold: 'rate<0.01', abortOnFail: true, delayAbortEval: '5s' }],
    'queue_time': ['max<500'],
  },
  setupTimeout: '10s',
  scenarios: {
    browse: {
      executor: 'constant-arrival-rate', exec: 'browse',
      rate: 20, timeUnit: '1s', duration: '2s', preAllocatedVUs: 10, maxVUs: 20,
      tags: { kind: 'looking' }, env: { PAGES: '2' },
    },
    buy: {
      executor: 'ramping-vus', exec: 'buy', startTime: '500ms', startVUs: 1,
      stages: [{ duration: '1s', target: 5 }, { duration: '500ms', target: 0 }],
    },
  },
};

export function setup() {
  const response = http.get(`${BASE_URL}/products`);
  return { products: response.json().map((product) => product.id) };
}

export function teardown(data) {
  http.get(`${BASE_URL}/products/${data.products[0]}`);
}

export function browse(data) {
  group('front', () => {
    const response = http.get(`${BASE_URL}/`, { tags: { step: 'first' } });
    check(response, {
      'status is 200': (r) => r.status === 200,
      'greets the visitor': (r) => r.body.includes('Welcome'),
    });
  });
  for (let page = 0; page < __ENV.PAGES; page++) {
    const product = data.products[Math.floor(Math.random() * data.products.length)];
    http.get(`${BASE_URL}/products/${product}`, { tags: { name: '/products/{id}' } });
  }
}

let headers; // each VU has its own copy of the script's variables

export function buy() {
  if (!headers) {
    const user = `customer-${exec.vu.idInTest}`;
    const login = http.post(`${BASE_URL}/login`, JSON.stringify({ user, password: 'let me in' }),
      { headers: { 'Content-Type': 'application/json' }, tags: { name: 'login' } });
    headers = { Authorization: `Bearer ${login.json('token')}`, 'Content-Type': 'application/json' };
  }
  exec.vu.tags.customer = exec.vu.iterationInScenario ? 'returning' : 'new';

  const order = orders[exec.scenario.iterationInTest % orders.length];
  http.post(`${BASE_URL}/cart`, JSON.stringify(order), { headers });
  const bought = http.post(`${BASE_URL}/checkout`, null, { headers });
  queueTime.add(bought.json('queued_ms'), { quantity: String(order.quantity) });

  http.batch([
    ['GET', `${BASE_URL}/cart`, null, { headers }],
    ['GET', `${BASE_URL}/products`],
  ]);
  http.get(`${BASE_URL}/products/99`, { responseCallback: http.expectedStatuses(404) });
  sleep(0.1);
}
