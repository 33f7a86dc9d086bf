import http from 'k6/http';
import { check, group } from 'k6';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';

const orders = new Counter('orders');
const stock = new Gauge('stock');
const lucky = new Rate('lucky');
const queued = new Trend('queued', true);
const url = __ENV.BASE_URL;
const params = { headers: { 'User-Agent': 'a visitor' } };
const json = { headers: { 'User-Agent': 'a visitor', 'Content-Type': 'application/json' } };

export const options = {
  scenarios: {
    test_shop: {
      executor: __ENV.EXECUTOR,
      vus: Number(__ENV.VUS),
      iterations: Number(__ENV.ITERATIONS),
      tags: { team: 'shop' },
    },
  },
  thresholds: JSON.parse(__ENV.THRESHOLDS || '{}'),
};

export function setup() {
  http.get(`${url}/login`, params);
  return { discount: 10 };
}

export function teardown(data) {
  group('leaving', () => {
    check(data, { 'kept the discount': (d) => d.discount === 10 });
    http.get(`${url}/`, params);
  });
}

export default function (data) {
  const home = http.get(`${url}/`, params);
  check(home, { 'is there': (r) => r.status === 200, 'is slow': (r) => false });
  group('catalogue', () => {
    http.get(`${url}/products`, params);
    group('product', () => {
      const missing = http.get(`${url}/missing`, params);
      check(missing, { 'is missing': (r) => r.status === 404 });
      http.get(`${url}/products?page=${__ITER}`, Object.assign({ tags: { name: 'a page', page: 'some' } }, params));
    });
    group('empty', () => {});
  });
  group('buying "x" <é>', () => {
    const order = http.post(`${url}/cart`, JSON.stringify({ id: __ITER, discount: data.discount }), json);
    check(order, { 'is in the cart': (r) => r.status === 201 });
    http.post(`${url}/cart`, { colour: 'light green', size: '7' }, params);
    http.get(`${url}/broken`, params);
    orders.add(2);
    orders.add(0.5, { kind: 'small' });
    stock.add(7 - __ITER);
    lucky.add(__ITER % 2 === 0);
    lucky.add(true, { kind: 'small' });
    queued.add(12.25 * (__ITER + 1));
  });
  if (__ITER === 2) {
    group('breaking', () => {
      throw new Error('the third time breaks');
    });
  }
  http.get(`${url}/moved`, params);
}
