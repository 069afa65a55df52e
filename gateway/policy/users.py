"""What a username is, for everything that compares, counts or stores one."""

import unicodedata


def canonical_username(name: str) -> str:
    """Return the one spelling under which a username is compared and counted.

    NFKC, case folded, without white space around it. Folding can undo the normal form (and the
    first NFKC makes letters that fold anew), so NFKC stands on both sides of it.

    Source: Unicode Standard section 3.13, default caseless matching (D146).
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded).strip()
