"""From a TCP port to the endpoints: thread, sockets, HTTP server, access control, application."""
