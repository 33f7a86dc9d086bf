import { sleep } from 'k6';
import exec from 'k6/execution';

// Ends of iterations and of loads keep away from the moments at which iterations are due.
export const options = {
  scenarios: {
    test_steady: {
      executor: 'constant-arrival-rate',
      rate: 10, duration: '1950ms', preAllocatedVUs: 3,
    },
    test_overloaded: {
      executor: 'constant-arrival-rate',
      rate: 10, duration: '1950ms', preAllocatedVUs: 1, gracefulStop: '1s',
    },
    test_rising: {
      executor: 'ramping-arrival-rate',
      startRate: 0, preAllocatedVUs: 5,
      stages: [{ target: 10, duration: '2s' }, { target: 10, duration: '550ms' }],
    },
    test_users: {
      executor: 'ramping-vus',
      startVUs: 0, gracefulRampDown: '0s', gracefulStop: '0s',
      stages: [
        { target: 3, duration: '1500ms' },
        { target: 3, duration: '500ms' },
        { target: 0, duration: '900ms' },
      ],
    },
  },
};

const SECONDS = { test_steady: 0.02, test_overloaded: 0.52, test_rising: 0.02, test_users: 0.29 };

export default function () {
  const name = exec.scenario.name;
  console.log(JSON.stringify([name, Date.now() - exec.scenario.startTime]));
  sleep(SECONDS[name]);
}
