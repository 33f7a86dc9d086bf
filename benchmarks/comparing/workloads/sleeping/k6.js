import http from 'k6/http';
import { check, group, sleep } from 'k6';

export const options = {
  scenarios: {
    visit: {
      executor: 'constant-vus',
      vus: Number(__ENV.VUS),
      duration: __ENV.DURATION,
      gracefulStop: '0s',
    },
  },
};

export default function () {
  if (__ITER === 0) sleep(Number(__ENV.SPREAD) * Math.random());
  group('visit homepage', () => {
    const response = http.get(`${__ENV.BASE_URL}/`);
    check(response, { 'status is 200': (r) => r.status === 200 });
  });
  sleep(Number(__ENV.SLEEP));
}
