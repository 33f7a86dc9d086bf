import http from 'k6/http';
import { check, group } from 'k6';

export const options = {
  scenarios: { test_trouble: { executor: 'per-vu-iterations', vus: 1, iterations: 2 } },
};

export default function () {
  group('nobody is there', () => {
    const refused = http.get(`${__ENV.CLOSED_URL}/refused`);
    check(refused, { 'has a code': (r) => r.status === 0 && r.error_code === 1212 });
  });
  group('nobody answers', () => {
    const late = http.get(`${__ENV.SILENT_URL}/late`, { timeout: '100ms' });
    check(late, { 'has a code': (r) => r.status === 0 && r.error_code === 1050 });
  });
  http.get(`${__ENV.BASE_URL}/missing`);
  http.get(`${__ENV.BASE_URL}/broken`, { responseCallback: http.expectedStatuses(500) });
  http.get(`${__ENV.BASE_URL}/moved`, { redirects: 0 });
}
