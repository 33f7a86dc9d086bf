import http from 'k6/http';
import { check } from 'k6';

const params = { headers: { Connection: 'close' } };

export default function () {
  const response = http.get(`${__ENV.BASE_URL}/`, params);
  check(response, { 'status is 200': (r) => r.status === 200 });
}
