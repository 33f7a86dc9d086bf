import ws from 'k6/ws';

const MESSAGE = 'x'.repeat(100);

export default function () {
  ws.connect(__ENV.BASE_URL.replace('http', 'ws'), {}, (socket) => {
    let left = 200;
    socket.on('open', () => socket.send(MESSAGE));
    socket.on('message', () => {
      left -= 1;
      if (left > 0) socket.send(MESSAGE);
      else socket.close();
    });
  });
}
