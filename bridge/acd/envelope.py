"""The ACD's envelopes: what stands around the records of an answer."""

from typing import Any


def problem_of_envelope(document: Any, *, status: int) -> str:
    """Why a successful answer's records cannot be believed, or nothing.

    Lists and single records share `records`, `count` and `status`; a list that was cut on its way shows
    itself by its `count`.
    """
    if not isinstance(document, dict):
        return "the answer is no JSON object"
    if document.get("status", status) != status:
        return f"the answer names another status than HTTP {status}"
    records = document.get("records")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        return "the answer has no list of records"
    if document.get("count", len(records)) != len(records):
        return f"the answer holds {len(records)} records but counts {str(document['count'])[:20]}"
    return ""


def problem_of_receipt(document: Any, *, status: int) -> str:
    """Why a deletion's answer cannot be believed, or nothing: it holds nothing but `status`."""
    if not isinstance(document, dict) or document.get("status", status) != status:
        return "the answer is no JSON object with the status of success"
    return ""
