"""`python -m tests.benchmarks.rivals NAME PORT`: one of the applications, served as ours are."""

import importlib
import socket
import sys

import uvicorn

from api.kernel.server import configured


def main(name: str, port: int) -> None:
    """Serve until SIGTERM."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    bound.listen(1024)
    uvicorn.Server(configured(importlib.import_module(f"tests.benchmarks.rivals.{name}").app)).run(sockets=[bound])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
