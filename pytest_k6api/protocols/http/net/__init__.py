"""The network under HTTP: names, TCP, TLS, batched system calls."""
