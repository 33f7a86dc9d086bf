import grpc from 'k6/net/grpc';
import { check, group } from 'k6';

const client = new grpc.Client();
client.load([], 'echo.proto');

const NOTE = { text: 'x'.repeat(30) };

export default function () {
  if (__ITER == 0) client.connect(__ENV.BASE_URL.replace('http://', ''), { plaintext: true });
  group('echo', () => {
    const response = client.invoke('echo.Echo/Unary', NOTE);
    check(response, { 'is ok': (r) => r.status === grpc.StatusOK });
  });
}
