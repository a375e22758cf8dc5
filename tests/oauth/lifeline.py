"""What each server in Python does at its beginning and end: says where it is, and ends with its standard input."""

import json
import os
import sys
import threading


def ready(**facts):
    """Prints one JSON line, which the test reads."""
    print(json.dumps(facts), flush=True)


def end_with_input(last=lambda: None):
    """Ends this process when its standard input does, after `last` was done."""

    def wait():
        sys.stdin.buffer.read()
        try:
            last()
        finally:
            os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
