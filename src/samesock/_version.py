"""The library's version, in one place, so that the package's metadata and `samesock.__version__` agree."""

__version__ = "0.1.0.dev0"
