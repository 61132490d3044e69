"""Keeps the suite out of the corpus, which only its own runner may collect: most of it leaks on purpose."""

collect_ignore = ["corpus"]
