import { WebSocket } from 'k6/experimental/websockets';

const url = __ENV.WS_URL;

export const options = {
  scenarios: { test_chat: { executor: 'per-vu-iterations', vus: 2, iterations: 2 } },
};

export default function () {
  const socket = new WebSocket(`${url}/chat`, 'chat', { tags: { room: 'one' } });
  let left = 2;
  socket.onopen = () => { socket.send('hello'); socket.send('there'); };
  socket.onmessage = () => { left -= 1; if (left === 0) socket.close(); };
  const refused = new WebSocket(`${url}/refused`);
  refused.onerror = () => {};
  const closed = new WebSocket(__ENV.CLOSED_URL);
  closed.onerror = () => {};
}
