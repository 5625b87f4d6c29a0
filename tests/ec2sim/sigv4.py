# SPDX-License-Identifier: Apache-2.0
"""Verification of AWS Signature Version 4, written from its specification.

Only what the APIs here accept: the Authorization header (no presigned query),
the body's own hash (no UNSIGNED-PAYLOAD unless allowed), the session token
signed. The order of the checks and the answers are those of the two services,
which differ: EC2 has its own front end with its own codes.
"""

import hashlib
import hmac
import re
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, unquote, unquote_plus

from .errors import AwsError

SKEW = timedelta(minutes=5)
_AUTH = re.compile(r"^AWS4-HMAC-SHA256\s+(.*)$")
_MISMATCH = ("The request signature we calculated does not match the signature you provided. "
             "Check your AWS Secret Access Key and signing method. "
             "Consult the service documentation for details.")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _encode(text: str, safe: str = "") -> str:
    return quote(text, safe="-_.~" + safe)


def canonical_path(path: str) -> str:
    """Each segment URI-encoded; what a client encoded already counts once."""
    return _encode(unquote(path) or "/", "/")


def canonical_query(query: str) -> str:
    """Pairs decoded, encoded the one right way and sorted."""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((_encode(unquote_plus(name)), _encode(unquote_plus(value))))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def canonical_request(method: str, path: str, query: str, headers: dict, signed: list,
                      payload_hash: str) -> str:
    """@headers: lower-case names to values; @signed: names in their signed order."""
    lines = [f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in signed]
    return "\n".join([method, canonical_path(path), canonical_query(query), "".join(lines),
                      ";".join(signed), payload_hash])


def signature(secret: str, date: str, region: str, service: str, amz_date: str,
              canonical: str) -> str:
    """The hex signature of a canonical request."""
    scope = f"{date}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", amz_date, scope, _sha256(canonical.encode())])
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = _hmac(key, part)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class Scope:
    """The parsed Authorization header."""

    def __init__(self, header: str):
        match = _AUTH.match(header)
        if not match:
            raise AwsError("IncompleteSignature",
                           "Authorization header requires 'AWS4-HMAC-SHA256'. "
                           f"Authorization={header.split(' ')[0]}", 400)
        fields = dict(part.strip().partition("=")[::2] for part in match.group(1).split(","))
        for name in ("Credential", "Signature", "SignedHeaders"):
            if not fields.get(name):
                raise AwsError("IncompleteSignature", f"Authorization header requires '{name}' "
                               f"parameter. Authorization={header.split(' ')[0]}", 400)
        parts = fields["Credential"].split("/")
        if len(parts) != 5:
            raise AwsError("IncompleteSignature", "Credential must have exactly 5 slash-delimited "
                           "elements, e.g. keyid/date/region/service/term", 400)
        self.key_id, self.date, self.region, self.service, self.term = parts
        self.signature = fields["Signature"]
        self.signed = fields["SignedHeaders"].split(";")


def service_of(headers: dict):
    """The service a request is scoped to, or None; for routing only."""
    match = re.search(r"Credential=[^/]*/[^/]*/[^/]*/([^/]*)/", headers.get("authorization", ""))
    return match.group(1) if match else None


def _check_skew(service: str, amz_date: str, now: datetime) -> None:
    try:
        when = datetime.strptime(amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise AwsError("IncompleteSignature", "Date must be in ISO-8601 'basic format'. "
                       f"Got '{amz_date}'", 400) from None
    if abs(when - now) <= SKEW:
        return
    if service == "ec2":
        raise AwsError("RequestExpired", "Request has expired.", 400)
    stamp = "%Y%m%dT%H%M%SZ"
    server = now.strftime(stamp)
    if when < now:
        text = (f"Signature expired: {amz_date} is now earlier than "
                f"{(now - SKEW).strftime(stamp)} ({server} - 5 min.)")
    else:
        text = (f"Signature not yet current: {amz_date} is still later than "
                f"{(now + SKEW).strftime(stamp)} ({server} + 5 min.)")
    raise AwsError("SignatureDoesNotMatch", text, 403)


def _unknown_key(service: str) -> AwsError:
    if service == "ec2":
        return AwsError("AuthFailure",
                        "AWS was not able to validate the provided access credentials", 401)
    return AwsError("InvalidClientTokenId",
                    "The security token included in the request is invalid.", 403)


def _check_scope(scope: Scope, service: str, region: str, amz_date: str) -> None:
    wrong = ""
    if scope.region != region:
        wrong = f"Credential should be scoped to a valid region, not '{scope.region}'. "
    elif scope.service != service:
        wrong = f"Credential should be scoped to correct service: '{service}'. "
    elif scope.term != "aws4_request":
        wrong = "Credential should be scoped with a valid terminator: 'aws4_request'. "
    elif scope.date != amz_date[:8]:
        wrong = f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date " \
                f"from HTTP: '{scope.date}' != '{amz_date[:8]}'. "
    if wrong:
        code, status = ("AuthFailure", 401) if service == "ec2" else ("SignatureDoesNotMatch", 403)
        raise AwsError(code, wrong.strip(), status)


def _check_token(credential, service: str, headers: dict, signed: list, now: datetime) -> None:
    """Temporary credentials carry their token, static keys none."""
    token = headers.get("x-amz-security-token", "")
    if not hmac.compare_digest(token.encode(), (credential.token or "").encode()):
        raise _unknown_key(service)
    if token and "x-amz-security-token" not in signed:
        raise AwsError("SignatureDoesNotMatch", _MISMATCH, 403)
    if credential.expires is not None and now >= credential.expires:
        if service == "ec2":
            raise AwsError("RequestExpired", "Request has expired.", 400)
        raise AwsError("ExpiredToken",
                       "The security token included in the request is expired", 403)


def verify(method: str, target: str, headers: dict, body: bytes, service: str, region: str,
           now: datetime, lookup, unsigned_payload: bool = False):
    """
    Verify one request.
    @headers: lower-case names to values
    @lookup: access key id -> credential (.secret, .token, .expires) or None
    @unsigned_payload: accept x-amz-content-sha256: UNSIGNED-PAYLOAD
    Return: the credential it was signed with. Raises AwsError.
    """
    header = headers.get("authorization")
    if not header:
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    scope = Scope(header)
    amz_date = headers.get("x-amz-date", "")
    if not amz_date:
        raise AwsError("IncompleteSignature", "Authorization header requires existence of either "
                       "a 'X-Amz-Date' or a 'Date' header.", 400)
    credential = lookup(scope.key_id)
    if credential is None:
        raise _unknown_key(service)
    _check_skew(service, amz_date, now)
    _check_scope(scope, service, region, amz_date)
    if "host" not in scope.signed or scope.signed != sorted(scope.signed):
        raise AwsError("SignatureDoesNotMatch", "'Host' must be a 'SignedHeader', and the names "
                       "must be in order in the AWS Authorization.", 403)
    declared = headers.get("x-amz-content-sha256", "")
    payload = _sha256(body)
    if declared == "UNSIGNED-PAYLOAD" and unsigned_payload:
        payload = declared
    elif declared and declared != payload:
        raise AwsError("SignatureDoesNotMatch", _MISMATCH, 403)
    path, _, query = target.partition("?")
    canonical = canonical_request(method, path, query, headers, scope.signed, payload)
    right = signature(credential.secret, scope.date, scope.region, scope.service, amz_date,
                      canonical)
    if not hmac.compare_digest(right.encode(), scope.signature.encode()):
        raise AwsError("SignatureDoesNotMatch", _MISMATCH, 403)
    _check_token(credential, service, headers, scope.signed, now)
    return credential
