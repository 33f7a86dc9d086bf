"""Masking of secrets in URLs, header fields and text, by one rule for everything that is shown.

A name tells that a value is secret: ``Authorization``, ``X-Api-Key``, ``access_token``,
``sig``. The same names count for header fields, for parameters of queries and fragments
in any percent-encoding, and for quoted pairs in text (JSON, the ``repr`` of a dict);
user and password in a URL are always masked. Each function takes linear time.

Pure: names that a setting adds are arguments of `Secrets`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, unquote, unquote_plus

MASK = "****"
"""What stands for a secret value; k6's own for user and password in a URL."""

# Anywhere in a name, in lower case.
_PARTS = (
    r"authorization|authenticat(?!e\b)|cookie|token|secret|passw|passphrase|passcode|signature"
    r"|session|sessid|(?<!allow-)credential|jwt|bearer|saml|assertion|[cx]srf|hmac"
    r"|(?:api|access|app|auth|license|master|private|secret|shared|signing)[\W_]*key"
)
# As a whole word of a name: `apiKey` and `x-api-key` hold the word `key`, `monkey` does not.
_WORDS = r"key|keys|auth|sig|pass|pwd|sid|otp|totp|pin|cvv|cvc|dpop|oidc"
# As the whole name: `error_code` and `sign_in` are no secrets.
_NAMES = r"code|code[_-]?verifier|sign|ticket"
# As the start of a name.
_STARTS = r"proxy-|x-auth(?!or)"

_SECRET = re.compile(
    rf"{_PARTS}|(?<![a-z])(?:{_WORDS})(?![a-z])|\A(?:{_NAMES})\Z|\A(?:{_STARTS})", re.IGNORECASE
)
# `apiKey` has two words, `APIKey` too.
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

# User and password: all up to the last @ of the authority. If what is there is no
# authority, because the password has a slash or a space, up to the last @ that may be meant.
_USERINFO = re.compile(
    r"(?:://|(?<![^\s\"'<(=])//)(?:([^\s/?#\"'<>]*)@"
    r"|([^\s/?#:@\"'<>\[\]]*:(?!\d*(?:[\s/?#\"'<>]|\Z))[^\n\"'<>]{0,300})@)"
)
# The same at the start of what is one URL as a whole, whatever characters it has.
_URL_USERINFO = re.compile(
    r"\A\s*(?:[A-Za-z][A-Za-z0-9+.\-]*:[/\\]*|[/\\]{2,})"
    r"(?:([^/?#]*)@|([^/?#:@\[\]]*:(?!\d*(?:[/?#]|\Z)).*)@)",
    re.DOTALL,
)
_SEPARATOR = r"(?:\A|[?&;#])"
_URL_PARAMETER = re.compile(rf"({_SEPARATOR}\s*)([^=&?#;/\s]{{1,200}})(=)([^&#]*)")
_TEXT_PARAMETER = re.compile(r"([?&;#])([^=&?#;\s\"'<>]{1,200})(=)([^&#\s\"'<>]*)")
_QUOTED = r"b?(?:'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")"
# 'name': 'value' and ('name', 'value'); also a list, and the start of a value that was cut short.
_PAIR = re.compile(
    r"(?<![\w\\])b?(['\"])([\w.\-\[\]]{1,100})\1(\s*[:,]\s*)"
    rf"({_QUOTED}|b?['\"][^\n'\"]*|\[[^\]\n]*|(?!None|null|true|false|True|False)[\w.+\-]+)"
)
_OPENING = re.compile(r"\[?(?:b?['\"])?")
# An assignment, or a keyword with its value.
_ASSIGNED = re.compile(rf"(?<![\w?&;#%.-])()(\w{{1,100}})(\s*=\s*)({_QUOTED})")
# Secret in a query, ordinary in a document.
_ORDINARY = frozenset({"key", "keys", "code", "sign", "pin", "ticket"})
# Authorization: Bearer x; name: value counts only where the name cannot be an ordinary word.
_FIELD = re.compile(
    r"(?<![\w\-'\"])((?:set-)?cookie|authorization|[a-z][a-z0-9]*(?:-[a-z0-9]+)+)(: *)([^\n]+)",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"\b(Bearer|Basic)(\s+)[A-Za-z0-9._~+/\-]{6,}=*")
_MASKED = re.compile(re.escape(MASK) + r"[,.:;)\]}]*")  # and what is behind it in a sentence
_LONGEST = 200  # characters of a name
_DEEPEST = 3  # URLs within parameters of URLs


class Secrets:
    """The names whose values are masked, and the masking.

    Args:
        names: Names beyond those that are always secret, in any case; ``*`` stands for any text.
        hides_bodies: Whether nothing of bodies is shown.

    >>> SECRETS.mask_url("http://ann:s3cr3t@shop.test/?page=2&access_token=abc")
    'http://****:****@shop.test/?page=2&access_token=****'
    """

    __slots__ = ("_added", "hides_bodies", "names")

    def __init__(self, names: Iterable[str] = (), *, hides_bodies: bool = False) -> None:
        self.names = tuple(names)
        self.hides_bodies = hides_bodies
        patterns = [re.escape(name.strip()).replace(r"\*", ".*") for name in self.names]
        self._added = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None

    def __repr__(self) -> str:
        return f"Secrets({self.names!r}, hides_bodies={self.hides_bodies})"

    def hides(self, name: str) -> bool:
        """Return whether a header field or parameter called `name` has a secret value."""
        name = name[:_LONGEST]
        if self._added is not None and self._added.fullmatch(_decoded(name)):
            return True
        return _is_secret(name)

    def mask_url(self, url: str) -> str:
        """Return `url`, relative or not, and readable or not, without its secrets."""
        url = str(url)  # of a class of its own it may be, whose repr comes here
        if "@" in url:
            url = _USERINFO.sub(_mask_userinfo, _URL_USERINFO.sub(_mask_userinfo, url))
        return self._mask_parameters(url, _URL_PARAMETER, 0) if "=" in url else url

    def mask_url_start(self, url: str, longest: int) -> str:
        """Return the first `longest` characters of `url`, masked in a time that they bound."""
        start = url[:longest]
        if "@" in url[longest:]:
            start += "@"  # what is cut off may have told that a password comes before
        return self.mask_url(start)

    def mask_header(self, name: str, value: str) -> str:
        """Return `value` as it may be shown in a header field called `name`.

        URLs and parameters in the values of other fields (``Location``, ``Referer``)
        are masked, too.
        """
        return MASK if self.hides(name) else self.mask_text(self.mask_url(value))

    def mask_text(self, text: str) -> str:
        """Return `text` (a message, a traceback, a body) with what is secret in it masked.

        Found are URLs, parameters behind ``?``, ``&``, ``;`` and ``#``, header lines,
        quoted names with their values, and credentials behind ``Bearer`` and ``Basic``.
        """
        if "@" in text:
            text = _USERINFO.sub(_mask_userinfo, text)
        if "=" in text:
            text = self._mask_parameters(text, _TEXT_PARAMETER, 0)
        text = _PAIR.sub(self._mask_pair, text)
        text = _ASSIGNED.sub(self._mask_pair, text)
        text = _FIELD.sub(self._mask_field, text)
        return _SCHEME.sub(rf"\1\2{MASK}", text)

    def _mask_parameters(self, text: str, pattern: re.Pattern[str], depth: int) -> str:
        def mask(found: re.Match[str]) -> str:
            before, name, equals, value = found.groups()
            if _MASKED.fullmatch(value):
                return found[0]
            if self.hides(name):
                return f"{before}{name}{equals}{MASK}"
            return f"{before}{name}{equals}{self._mask_encoded(value, depth)}"

        return pattern.sub(mask, text)

    def _mask_encoded(self, value: str, depth: int) -> str:
        """Mask in a URL or a query that is itself the value of a parameter."""
        if depth == _DEEPEST or not ("=" in value or "%" in value or "@" in value):
            return value
        plain = unquote(value)
        masked = _USERINFO.sub(_mask_userinfo, plain)
        masked = self._mask_parameters(masked, _URL_PARAMETER, depth + 1)
        if masked == plain != value:  # perhaps it is encoded twice
            masked = self._mask_encoded(plain, depth + 1)
        if masked == plain:
            return value
        return masked if plain == value else quote(masked, safe="*")

    def _mask_pair(self, found: re.Match[str]) -> str:
        _, name, _, value = found.groups()
        if name.lower() in _ORDINARY or not self.hides(name):
            return found[0]
        opening = _OPENING.match(value)
        closing = value[-1] if value[-1] in "'\"" and len(value) > 1 else ""
        return f"{found[0].removesuffix(value)}{opening[0] if opening else ''}{MASK}{closing}"

    def _mask_field(self, found: re.Match[str]) -> str:
        name, between, value = found.groups()
        return f"{name}{between}{MASK}" if self.hides(name) else f"{name}{between}{value}"


SECRETS = Secrets()
"""The rule without names of a user's own."""


def _mask_userinfo(found: re.Match[str]) -> str:
    group = 1 if found[1] is not None else 2
    before = found[0][: found.start(group) - found.start()]
    userinfo = found[group]
    if not userinfo:
        return found[0]
    return f"{before}{MASK}:{MASK}@" if ":" in userinfo else f"{before}{MASK}@"


@lru_cache(maxsize=4096)  # the parameters of a load test have few names
def _is_secret(name: str) -> bool:
    name = _decoded(name)
    return _SECRET.search(name) is not None or _SECRET.search(_HUMP.sub("-", name)) is not None


def _decoded(name: str) -> str:
    for _ in range(_DEEPEST):
        plain = unquote_plus(name) if "%" in name or "+" in name else name
        if plain == name:
            break
        name = plain
    return name
