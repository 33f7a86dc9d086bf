"""HTTP messages: URLs, headers, cookies, bodies, responses. No I/O."""
