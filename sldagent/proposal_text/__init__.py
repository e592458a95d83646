"""From a model's answer to a program: tolerant reading, edits, and the exact error where nothing can be used."""

from sldagent.proposal_text.answer import Answer, Reader

__all__ = ["Answer", "Reader"]
