import http from 'k6/http';

export const options = {
  iterations: 3,
  hosts: { 'shop.test': __ENV.SHOP, '*.shop.test:8080': __ENV.SHOP },
};

export default function () {
  http.get('http://shop.test/cart');
  http.post('http://api.shop.test:8080/cart?a=1', 'body');
}
