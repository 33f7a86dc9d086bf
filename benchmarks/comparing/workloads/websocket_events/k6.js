import { WebSocket } from 'k6/experimental/websockets';

const MESSAGE = 'x'.repeat(100);

export default function () {
  const socket = new WebSocket(__ENV.BASE_URL.replace('http', 'ws'));
  let left = 200;
  socket.onopen = () => socket.send(MESSAGE);
  socket.onmessage = () => {
    left -= 1;
    if (left > 0) socket.send(MESSAGE);
    else socket.close();
  };
}
