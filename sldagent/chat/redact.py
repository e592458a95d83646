"""Keys stay out of messages, rows and copies."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sldagent.workers.environment import is_secret

LONGEST = 400
"""Characters of a provider's message that are kept."""
HIDDEN = "[hidden]"

_LOOKS_LIKE_A_KEY = re.compile(
    r"(?i)\b(?:sk|pk|rk|key|gsk|xai|hf|AIza)[-_][\w*.\-]{8,}|\bAIza[\w\-]{20,}|\bBearer\s+\S+|(?<=x-api-key:)\s*\S+"
)


def redacted(message: str, environment: Mapping[str, str]) -> str:
    """One line of `message`, without any secret of the environment and without what looks like a key."""
    text = " ".join(message.split())
    secrets = {value for name, value in environment.items() if len(value) >= 6 and is_secret(name, value)}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _LOOKS_LIKE_A_KEY.sub(HIDDEN, text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
