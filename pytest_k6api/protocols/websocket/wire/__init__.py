"""The protocol on the wire, without I/O: frames, compression, the opening handshake (RFC 6455, RFC 7692)."""
