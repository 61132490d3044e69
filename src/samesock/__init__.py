"""The same BSD sockets on every operating system: `import samesock as socket`."""

from samesock._version import __version__ as __version__
