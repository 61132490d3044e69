"""Keeps the suite out of what only its own runner may collect: most of it leaks on purpose."""

collect_ignore = ["corpus", "shown", "situations"]
