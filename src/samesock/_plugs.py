"""Which module completes another one's answers, for pairs of modules that must not know each other.

Data only. What must never be put here: an import.
"""

ANNOTATORS = (("samesock.unix.emulated", "samesock.unix.annotating"),)
"""Once the first module is in use, the second one's `annotate` completes the descriptor table's records."""
