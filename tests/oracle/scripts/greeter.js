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
  client.close();
}
