import http from 'k6/http';
import { check, group } from 'k6';

export const options = {
  scenarios: {
    visit: {
      executor: 'constant-arrival-rate',
      rate: Number(__ENV.RATE),
      duration: __ENV.DURATION,
      preAllocatedVUs: 100,
      maxVUs: 500,
    },
  },
};

export default function () {
  group('visit homepage', () => {
    const response = http.get(`${__ENV.BASE_URL}/logged`);
    check(response, { 'status is 200': (r) => r.status === 200 });
  });
}
