# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The wordings that a regular expression can find, each with what to write instead."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Words that can follow a possessive without being what is possessed.
FUNCTION_WORDS = "and|or|but|is|are|was|were|has|have|do|does|if|in|on|at|as|to|with|that|which|for|than|from|by|of"
COMPARATIVES = (
    "longer|more|less|fewer|larger|smaller|greater|better|worse|faster|slower|later|earlier|higher|lower|wider|deeper"
    "|shorter|matter|one|bigger|older|newer|further|farther|closer"
)


@dataclass(frozen=True)
class Rule:
    """A pattern, and the advice for who used it."""

    pattern: re.Pattern[str]
    advice: str


def rule(pattern: str, advice: str) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), advice)


RULES = (
    rule(
        rf"\b(?:is|are|was|were|be|been|of|by|in|into|on|from|under|to|becomes?) no (?!(?:{COMPARATIVES})\b)[\w`{{%-]+",
        "say what it is not: `is not a`",
    ),
    rule(r"\b(?:is|are|was|were|be) (?-i:none)\b", "say what is missing"),
    rule(r"\bbehind\b", "of time or order: after, before, following"),
    rule(r"\bin front of\b", "of time or order: before; a prefix: prefixed with"),
    rule(
        rf"\bof (?:\w+ )?[\w.]+'s(?=\s*(?:[.,;:)!?]|$)| (?:{FUNCTION_WORDS})\b)",
        "one possessive is enough: `a NumPy product`, not `a product of NumPy's`",
    ),
    rule(r"\bof (?:ours|yours|theirs|hers|mine)\b", "one possessive is enough: `our handle`"),
    rule(
        r"\bthere(?:'s| is| are| was| were| has been| have been| (?:will|can|may|must|would|should|might|could) be)\b",
        "use a verb: `26 skipped`, not `there were 26`",
    ),
    rule(
        r"\b(?:is|are|was|were|be|been) (?:not |already |still )?there\b",
        "use a verb: `exists`, `is missing`, `26 skipped`",
    ),
    rule(r"\b(?:is|are|was|were) to be (?:had|found|seen)\b", "plain verbs: `could be loaded`"),
    rule(r"\b(?:lies|lie|lying|lay|lain|sits?|sat|stands?|stood)\b(?! (?:for|out)\b)", "plain verbs: is, are"),
    rule(
        r"\b(?:takes?|took|taking) (?:up )?(?:no |less |more |little |much |most |the |as much |half the |twice the )?"
        r"(?:memory|room|space|bytes|place of)\b",
        "plain verbs: uses, needs, replaces",
    ),
    rule(r"\bwhat (?:[\w`']+ ){0,4}(?:takes?|took)\b", "name it: `the time of each layer`, `the accepted shapes`"),
    rule(
        r"\bforwards\b(?! and backwards)|\b(?:an?|one|each|every|first|second|last|next|this|per) forward\b"
        r"(?![(_`]| (?:pass|passes|function|functions|call|calls|(?:and|or) (?:a )?backward|hook|method)\b)",
        "the standard term: `forward pass`",
    ),
    rule(r"\bhas no (?:place|room) in\b", "the standard term: `overflows`"),
)
