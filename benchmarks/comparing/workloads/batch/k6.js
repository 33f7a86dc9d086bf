import http from 'k6/http';
import { check, group } from 'k6';

export const options = { batchPerHost: 10 };

const urls = Array(10).fill(`${__ENV.BASE_URL}/`);

export default function () {
  group('visit homepage', () => {
    const responses = http.batch(urls);
    check(responses, { 'all are 200': (all) => all.every((r) => r.status === 200) });
  });
}
