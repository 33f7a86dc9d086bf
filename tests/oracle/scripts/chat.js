import { group } from 'k6';
import ws from 'k6/ws';

const url = __ENV.WS_URL;
const headers = { 'User-Agent': 'a visitor', 'Sec-WebSocket-Protocol': 'chat' };

export const options = {
  scenarios: {
    test_chat: {
      executor: 'per-vu-iterations', vus: 2, iterations: 2, tags: { team: 'support' },
    },
  },
};

function echo(address, params, messages) {
  ws.connect(address, params, (socket) => {
    let left = messages.length;
    socket.on('open', () => socket.ping());
    socket.on('pong', () => messages.forEach((each) => (
      typeof each === 'string' ? socket.send(each) : socket.sendBinary(each.buffer)
    )));
    const count = () => { left -= 1; if (left === 0) socket.close(); };
    socket.on('message', count);
    socket.on('binaryMessage', count);
  });
}

export default function () {
  const params = { headers, tags: { room: 'one' } };
  echo(`${url}/chat?room=1`, params, ['hello', 'κόσμε', new Uint8Array([1, 2])]);
  group('talking', () => {
    const compressed = { headers, compression: 'deflate' };
    echo(`${url}/chat`, compressed, ['x'.repeat(1000), 'x']);
  });
  ws.connect(`${url}/leave`, { headers }, () => {});
}
