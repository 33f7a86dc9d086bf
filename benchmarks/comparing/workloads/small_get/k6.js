import http from 'k6/http';
import { check, group } from 'k6';

export default function () {
  group('visit homepage', () => {
    const response = http.get(`${__ENV.BASE_URL}/`);
    check(response, { 'status is 200': (r) => r.status === 200 });
  });
}
