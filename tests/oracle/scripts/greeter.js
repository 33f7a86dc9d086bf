import grpc from 'k6/net/grpc';
import { check, group } from 'k6';

export const options = { iterations: 3 };
const client = new grpc.Client();

export default function () {
  client.connect(__ENV.TARGET, { plaintext: true, reflect: true });
  group('greet', () => {
    const reply = client.invoke('shop.Greeter/Greet', { name: 'Ann' }, { tags: { team: 'shop' } });
    check(reply, { 'is ok': (r) => r.status === grpc.StatusOK });
    client.invoke('shop.Greeter/Greet', { name: 'nobody' });
  });
  chat();
  often();
}

// Streams go on when the function has ended; a client that is closed before would end them.
function chat() {
  const stream = new grpc.Stream(client, 'shop.Greeter/Chat', { tags: { team: 'chat' } });
  let left = 3;
  stream.on('data', () => {
    left -= 1;
    if (left > 0) stream.write({ name: 'Bob' });
    else stream.end();
  });
  stream.on('error', () => {});
  stream.write({ name: 'Ann' });
}

function often() {
  const stream = new grpc.Stream(client, 'shop.Greeter/GreetOften');
  stream.on('data', () => {});
  stream.on('error', () => {});
  stream.write({ name: 'nobody', times: 2 });
}
