"""Signatures of requests to Amazon's services, version 4. Pure but for the time.

Source: "Signature Version 4 for API requests" of AWS, and what k6 v1.1.0 sends
(``K6_PROMETHEUS_RW_SIGV4_…``).
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigV4:
    """Signs POST requests to one service.

    Attributes:
        region: Such as ``eu-west-1``.
        access_key: The id of the key.
        secret_key: The key.
        service: The service's name in signatures; ``aps`` is the managed Prometheus.
    """

    region: str
    access_key: str
    secret_key: str = field(repr=False)
    service: str = "aps"

    def sign(
        self, target: str, headers: Mapping[str, str], body: bytes, at: datetime | None = None
    ) -> dict[str, str]:
        """Return the header fields to add to a request.

        Args:
            target: Path and query.
            headers: The other fields, all of which are signed, ``Host`` among them.
            body: The body.
            at: When it is sent; None for now.
        """
        moment = (at or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        added = {"X-Amz-Content-Sha256": digest, "X-Amz-Date": moment}
        signed = {name.lower(): text.strip() for name, text in {**headers, **added}.items()}
        names = ";".join(sorted(signed))
        request = "\n".join(
            (
                "POST",
                *_canonical(target),
                *(f"{name}:{signed[name]}" for name in sorted(signed)),
                "",
                names,
                digest,
            )
        )
        scope = f"{moment[:8]}/{self.region}/{self.service}/aws4_request"
        hashed = hashlib.sha256(request.encode()).hexdigest()
        key = f"AWS4{self.secret_key}".encode()
        for part in scope.split("/"):
            key = _hmac(key, part)
        signature = _hmac(key, f"{_ALGORITHM}\n{moment}\n{scope}\n{hashed}").hex()
        credential = f"Credential={self.access_key}/{scope}"
        added["Authorization"] = (
            f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
        )
        return added


def _canonical(target: str) -> tuple[str, str]:
    url = urlsplit(target)
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(text, safe="-_.~"))
        for name, text in parse_qsl(url.query, keep_blank_values=True)
    )
    # What is escaped in the path is escaped once more, as all services but S3 want it.
    return quote(url.path, safe="/-_.~"), "&".join(f"{name}={text}" for name, text in pairs)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
