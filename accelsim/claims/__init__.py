"""The published claims, computed: one file a claim."""

from accelsim.claims.claim import CLAIMS, Claim, reproduce

__all__ = ["CLAIMS", "Claim", "reproduce"]
