"""HTTP/1.1 connections: request bytes out, response bytes in."""
