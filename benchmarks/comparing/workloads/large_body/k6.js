import http from 'k6/http';
import { check, group } from 'k6';

export default function () {
  group('large', () => {
    const response = http.get(`${__ENV.BASE_URL}/large`);
    check(response, { 'has 100 KB': (r) => r.body.length === 102400 });
  });
}
