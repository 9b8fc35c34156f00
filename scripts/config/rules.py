"""Credentials in a file, wherever they stand in it: values, keys, comments. They are never printed whole."""

import re
from pathlib import Path

from scripts.errors import Problem
from scripts.paths import shown

#: What it is -> how it looks. Prefixes as their issuers document them.
SECRETS = {
    "a Hugging Face token": r"\b(hf|api_org)_[A-Za-z0-9]{20,}",
    "an API key": r"\bsk-[A-Za-z0-9_-]{20,}",
    "an AWS access key": r"\b(AKIA|ASIA)[A-Z0-9]{16}\b",
    "an AWS secret key": r"(?i:aws.{0,20}secret.{0,20}['\"=: ]+[A-Za-z0-9/+]{40}\b)",
    "a GitHub token": r"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "a Slack token": r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",
    "a Google API key": r"\bAIza[A-Za-z0-9_-]{35}",
    "a Google OAuth token": r"\bya29\.[A-Za-z0-9_-]{20,}",
    "a Stripe key": r"\b[rs]k_(live|test)_[A-Za-z0-9]{20,}",
    "an npm or PyPI token": r"\b(npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{40,})",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+",
    "a private key": r"-----BEGIN ([A-Z ]+ )?PRIVATE KEY( BLOCK)?-----",
    "a password in a URL": r"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"]+:[^\s/@'\"]{3,}@",
    "a password": r"(?i:\b[a-z_]*(password|passwd|senha|secret|api_?key|access_?token|auth_?token)['\"]?"
    r"\s*[:=]\s*['\"]?[^\s'\"#{}\[\]]{6,})",
    "a long hexadecimal key": r"(?i:\b(wandb|comet|mlflow|token|key)[a-z_]*['\"]?\s*[:=]\s*['\"]?[0-9a-f]{32,}\b)",
}
PATTERN = re.compile("|".join(f"(?P<s{n}>{pattern})" for n, pattern in enumerate(SECRETS.values())))
_KINDS = list(SECRETS)


def secrets(file: Path, text: str) -> list[Problem]:
    """One Problem a credential, at its place."""
    found = []
    for match in PATTERN.finditer(text):
        line, start = text.count("\n", 0, match.start()) + 1, text.rfind("\n", 0, match.start())
        kind = next(_KINDS[n] for n in range(len(_KINDS)) if match[f"s{n}"])
        told = f"{kind} ({match[0][:4]}…) must not be in a file that is shared [house]"
        found.append(
            Problem(
                shown(file), line, match.start() - start, "", told, "revoke it, and give it as an environment variable"
            )
        )
    return found
