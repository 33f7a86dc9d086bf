import http from 'k6/http';
import { check, group } from 'k6';

const item = { name: 'x'.repeat(40), quantity: 3, price: 12.5, tags: ['a', 'b'] };
const order = { items: Array(10).fill(item) };
const params = { headers: { 'Content-Type': 'application/json' } };

export default function () {
  group('order', () => {
    const response = http.post(`${__ENV.BASE_URL}/json`, JSON.stringify(order), params);
    check(response, { 'has 20 items': (r) => r.json().items.length === 20 });
  });
}
