"""Signatures for Amazon's services, beside those of others."""

import hashlib
from datetime import UTC, datetime

import pytest

from pytest_k6api.outputs.remote.sigv4 import SigV4

AT = datetime(2026, 11, 28, 1, 14, 3, tzinfo=UTC)
BODY = (
    "9e02f0430a3e0a1e0a085f5f6e616d655f5f12126b365f646174615f73656e745f746f74616c0a130a08736365"
    "6e6172696f120764656661756c74120710d3d4ddfda1340a420a221d40001611401c7265636569766564924400"
    "084e0a251d843c196b365f697465726174696f6e5f64750d09087039395647002410091398c0401f6bd33f1150"
    "08480a1f1d5000132e500000736e910008100900050120f03f10d3d4ddfda134"
)
SIGNER = SigV4(region="eu-west-1", access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI")


def test_the_signature_is_the_one_that_k6_made_of_the_same_request():
    body = bytes.fromhex(BODY)
    # Fields, body and signature are those of a push of k6 v1.1.0 with the same variables.
    headers = {
        "Host": "127.0.0.1:18995",
        "Content-Length": "167",
        "Content-Encoding": "snappy",
        "Content-Type": "application/x-protobuf",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }

    added = SIGNER.sign("/workspaces/ws-1/api/v1/remote_write", headers, body, AT)

    assert added == {
        "X-Amz-Content-Sha256": "91604e8b6ddef3066249f26300b3e86b9d05a3be0c51c7a6429ea6b9d6a03505",
        "X-Amz-Date": "20261128T011403Z",
        "Authorization": (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261128/eu-west-1/aps/aws4_request,"
            " SignedHeaders=content-encoding;content-length;content-type;host;"
            "x-amz-content-sha256;x-amz-date;x-prometheus-remote-write-version,"
            " Signature=a0fcd81e8921064a82f16036ac0bb6dd4d98c05f72f020ae8e591fa200512bdc"
        ),
    }


@pytest.mark.parametrize("target", ["/write", "/a%20b/~c", "/w?b=2&a=x%20y&empty=&a=1"])
def test_the_signature_is_the_one_of_amazons_own_library(target):
    auth = pytest.importorskip("botocore.auth")
    keys = pytest.importorskip("botocore.credentials").Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI")
    request = pytest.importorskip("botocore.awsrequest").AWSRequest(
        method="POST",
        url=f"https://aps.example{target}",
        data=b"body",
        headers={"X-Amz-Content-Sha256": hashlib.sha256(b"body").hexdigest()},
    )

    auth.SigV4Auth(keys, "aps", "eu-west-1").add_auth(request)
    moment = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%S%z")
    added = SIGNER.sign(target, {"Host": "aps.example"}, b"body", moment)

    assert added["Authorization"] == request.headers["Authorization"]


def test_the_key_is_not_in_the_text_of_the_signer():
    assert "wJalrXUtnFEMI" not in repr(SIGNER)
